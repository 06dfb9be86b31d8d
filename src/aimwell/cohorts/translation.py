"""Protein against the RNA of the same samples: what changes beyond what the RNA explains.

Where the same samples have both layers, comparing within them is sharper than comparing effects:
what RNA and protein of a sample share cancels.
"""

from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import MIN_PER_ARM, adjust_p, log_p_of_t
from aimwell.cohorts.moderation import squeeze_variances
from aimwell.cohorts.pictures import refuse_pictures
from aimwell.errors import AlignmentError, some

SHIFT_COLUMNS: Final = ("shift", "se", "t", "df", "p", "q", "slope", "n", "status")
_SOLID: Final = 1e-10


def translation_shifts(rna: pd.DataFrame, protein: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Test the condition in protein with the RNA of the gene as one more term of its model.

    RNA is measured with error, which makes ``slope`` too small and leaves a part of a change in RNA
    in ``shift``; where RNA changes strongly, read it together with the discordance.

    Args:
        rna: Log values, named by the protein sample that they belong to; × genes.
        protein: Log values, samples × genes, NaN is missing.
        design: Model of the protein contrast; samples without RNA are left out gene by gene.

    Returns:
        One row per gene of both layers, sorted, with ``SHIFT_COLUMNS``: ``shift`` is the log2 fold
        change of protein at equal RNA, ``slope`` protein per RNA (log2 per log2). ``status`` is
        ``tested``, ``too_few`` or ``not_estimable``.

    Raises:
        AlignmentError: Protein values lack samples of the design, or no sample has both layers.
    """
    refuse_pictures(rna)
    refuse_pictures(protein)
    if len(gone := design.samples.difference(protein.index)):
        raise AlignmentError(f"protein values lack {len(gone)} samples: {some(gone)}")
    if not len(design.samples.intersection(rna.index)):
        raise AlignmentError(
            f"no sample has RNA and protein; RNA is named {some(rna.index)}, protein "
            f"{some(design.samples)}; name RNA by the protein sample that it belongs to"
        )
    genes = rna.columns.intersection(protein.columns).sort_values()
    y = protein.reindex(index=design.samples, columns=genes).to_numpy(float)
    x = rna.reindex(index=design.samples, columns=genes).to_numpy(float)
    seen = ~np.isnan(x) & ~np.isnan(y)
    others = design.matrix.drop(columns=design.coefficient).to_numpy(float)
    case = design.is_case.astype(float)
    g = len(genes)
    shift, unscaled, slope, variance = (np.full(g, np.nan) for _ in range(4))
    df = np.zeros(g)
    members: dict[bytes, list[int]] = {}
    for gene, column in enumerate(np.ascontiguousarray(seen.T)):
        members.setdefault(column.tobytes(), []).append(gene)
    for same in members.values():
        rows, at = np.flatnonzero(seen[:, same[0]]), np.array(same)
        if not len(rows):
            continue
        u, s, _ = np.linalg.svd(others[rows], full_matrices=False)
        basis = u[:, s > _SOLID * max(float(s[0]), 1e-300)]
        a, b, c = (
            v - basis @ (basis.T @ v)
            for v in (case[rows, None], x[np.ix_(rows, at)], y[np.ix_(rows, at)])
        )
        aa, bb, ab = (a**2).sum(axis=0), (b**2).sum(axis=0), (a * b).sum(axis=0)
        ac, bc, cc = (a * c).sum(axis=0), (b * c).sum(axis=0), (c**2).sum(axis=0)
        rest = aa * bb - ab**2
        solid = (aa > _SOLID * len(rows)) & (bb > _SOLID) & (rest > _SOLID * aa * bb)
        rest = np.where(solid, rest, np.nan)
        shift[at], slope[at] = (ac * bb - bc * ab) / rest, (bc * aa - ac * ab) / rest
        unscaled[at] = np.sqrt(bb / rest)
        free = len(rows) - basis.shape[1] - 2
        df[at] = np.where(solid, max(free, 0), 0)
        if free > 0:
            left = cc - shift[at] * ac - slope[at] * bc
            variance[at] = np.maximum(left, 0.0) / free
    return _table(genes, seen, design, (shift, unscaled, slope, variance, df))


def _table(
    genes: pd.Index, seen: np.ndarray, design: Design, fitted: tuple[np.ndarray, ...]
) -> pd.DataFrame:
    shift, unscaled, slope, variance, df = fitted
    squeezed = squeeze_variances(variance, df)
    n_case, n_control = seen[design.is_case].sum(axis=0), seen[~design.is_case].sum(axis=0)
    enough = np.minimum(n_case, n_control) >= MIN_PER_ARM
    tested = enough & (df > 0) & np.isfinite(shift)
    with np.errstate(invalid="ignore", divide="ignore"):
        se = unscaled * np.sqrt(squeezed.variance)
        t = shift / se
    p = np.where(tested, np.exp(log_p_of_t(t, np.maximum(squeezed.df, 1.0))), np.nan)
    known = {"shift": shift, "se": se, "t": t, "df": squeezed.df, "p": p, "slope": slope}
    table = pd.DataFrame({k: np.where(tested, v, np.nan) for k, v in known.items()}, index=genes)
    table["q"] = adjust_p(p)
    table["n"] = seen.sum(axis=0)
    table["status"] = np.where(tested, "tested", np.where(enough, "not_estimable", "too_few"))
    return table[list(SHIFT_COLUMNS)]
