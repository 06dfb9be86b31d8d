"""What RNA and protein share of a change, and what each has for itself.

A change in RNA is a shared part and a part of its own, and so is one in protein; both are seen with
error. The variances of the parts are moments over all genes, and the parts of a gene their means
given what was seen of it (a two-layer factor model with known errors).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aimwell.errors import AlignmentError

SHARING_COLUMNS: Final = ("shared", "private_rna", "private_protein")
#: Fewer genes say nothing of a variance.
MIN_GENES: Final = 20


@dataclass(frozen=True)
class Sharing:
    """Shared and private parts of the changes of one comparison.

    Attributes:
        table: Per gene ``SHARING_COLUMNS``, in standard deviations of the true changes of a layer:
            of a gene that changes as its layers do together, ``shared`` has it all. NaN where a
            layer was not tested, or where a layer shows no more than its errors.
        share: Share of the variance of true changes that the layers share, in [0, 1]: their
            correlation, free of error; NaN if it cannot be known.
        genes: Genes that it rests on.
    """

    table: pd.DataFrame
    share: float
    genes: int


def share_layers(
    rna: pd.DataFrame, protein: pd.DataFrame, covariance: "pd.Series[float] | None" = None
) -> Sharing:
    """Split the changes of RNA and protein into a shared part and one of each layer.

    Args:
        rna: Columns ``log2_fold_change``, ``se``, indexed by gene; NaN is not measured.
        protein: Same columns, same index.
        covariance: Of the errors of both, where they share subjects; 0 if not given.

    Raises:
        AlignmentError: The tables have different genes.

    Example:
        >>> effects = np.linspace(-2, 2, 41)
        >>> rna = pd.DataFrame({"log2_fold_change": effects, "se": 0.01})
        >>> found = share_layers(rna, rna.assign(log2_fold_change=effects / 2))
        >>> round(found.share, 2), found.table["shared"].round(2).iloc[[0, 20]].abs().tolist()
        (1.0, [1.69, 0.0])
    """
    if not rna.index.equals(protein.index):
        raise AlignmentError("RNA and protein effects must share one gene index; reindex them")
    genes = rna.index
    b = np.stack([t["log2_fold_change"].to_numpy(float) for t in (rna, protein)])
    s = np.stack([t["se"].to_numpy(float) for t in (rna, protein)])
    both = np.isfinite(b).all(axis=0) & np.isfinite(s).all(axis=0)
    zero = pd.Series(0.0, index=genes)
    errors = zero if covariance is None else covariance.reindex(genes).fillna(0.0)
    c = errors.to_numpy(float)
    nothing = pd.DataFrame(np.nan, index=genes, columns=list(SHARING_COLUMNS))
    if both.sum() < MIN_GENES:
        return Sharing(nothing, float("nan"), int(both.sum()))
    mean = b[:, both].mean(axis=1, keepdims=True)
    true = np.mean((b[:, both] - mean) ** 2 - s[:, both] ** 2, axis=1)
    if np.any(true <= 0):
        return Sharing(nothing, float("nan"), int(both.sum()))
    together = float(np.mean(np.prod(b[:, both] - mean, axis=0) - c[both]))
    share = min(max(together / float(np.sqrt(np.prod(true))), 0.0), 1.0)
    scale = np.sqrt(true)[:, None]
    e, v, k = (b - mean) / scale, (s / scale) ** 2, c / np.prod(scale)
    # covariance of what was seen: 1 + error on the diagonal, shared + common error beside it
    aa, bb, ab = 1 + v[0], 1 + v[1], share + k
    rest = np.maximum(aa * bb - ab**2, 1e-12)
    left = (bb * e[0] - ab * e[1]) / rest
    right = (aa * e[1] - ab * e[0]) / rest
    parts = (share * (left + right), (1 - share) * left, (1 - share) * right)
    columns = {n: np.where(both, p, np.nan) for n, p in zip(SHARING_COLUMNS, parts, strict=True)}
    return Sharing(pd.DataFrame(columns, index=genes), share, int(both.sum()))
