"""Where protein does not follow RNA: a test per gene, and a class that may be "undetermined".

Much of the mismatch between RNA and protein is measurement error (Upadhya and Ryan 2022, Cell Rep
Methods 2:100288), so a gene is only called discordant where the protein was measured precisely.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import optimize

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import LinearFit
from aimwell.errors import AlignmentError

CLASSES: Final = (
    "concordant_up",
    "concordant_down",
    "rna_only",
    "protein_only",
    "opposite",
    "null",
    "undetermined",
)
CERTAIN: Final = 0.05  # local false sign rate of a certain sign
LIKELY: Final = 0.2  # local false sign rate of genes that anchor the common scale
MIN_ANCHORS: Final = 20
EQUIVALENCE: Final = 0.2  # log2 fold change that counts as none
_ONE_SIDED_5: Final = 1.6448536269514722
_TWO_SIDED_5: Final = 1.959963984540054
#: Proteins with a larger standard error than this quantile are never called discordant.
PRECISE_QUANTILE: Final = 0.75


@dataclass(frozen=True)
class Discordance:
    """How RNA and protein of one comparison disagree.

    Attributes:
        table: Per gene ``discordance`` (z, positive where protein exceeds what RNA predicts) and
            ``discordance_class``, one of ``CLASSES``.
        scale: Protein fold change per RNA fold change (log2); below 1 is buffering or ratio
            compression.
        spread: Variance of protein around the scaled RNA beyond measurement error (log2²).
        anchors: Genes that the scale was learnt from; with too few it is 1.
        reliability_rna, reliability_protein: Share of the variance of effects that is not
            measurement error, in [0, 1].
    """

    table: pd.DataFrame
    scale: float
    spread: float
    anchors: int
    reliability_rna: float
    reliability_protein: float


def compare_layers(
    rna: pd.DataFrame, protein: pd.DataFrame, covariance: pd.Series | None = None
) -> Discordance:
    """Compare effects of one contrast in RNA and in protein, gene by gene.

    Args:
        rna: Columns ``log2_fold_change``, ``se``, ``lfsr``, indexed by gene; NaN is not measured.
        protein: Same columns, same index.
        covariance: Of the two estimates, where they share subjects; 0 if not given.

    Raises:
        AlignmentError: The tables have different genes.

    Example:
        >>> rna = pd.DataFrame({"log2_fold_change": [2.0, 2.0], "se": 0.05, "lfsr": 0.0})
        >>> protein = pd.DataFrame(
        ...     {"log2_fold_change": [2.1, -1.0], "se": 0.05, "lfsr": 0.0})
        >>> compare_layers(rna, protein).table["discordance_class"].tolist()
        ['concordant_up', 'opposite']
    """
    if not rna.index.equals(protein.index):
        raise AlignmentError("RNA and protein effects must share one gene index; reindex them")
    genes = rna.index
    b_r, s_r, f_r = (rna[c].to_numpy(float) for c in ("log2_fold_change", "se", "lfsr"))
    b_p, s_p, f_p = (protein[c].to_numpy(float) for c in ("log2_fold_change", "se", "lfsr"))
    both = np.isfinite(b_r) & np.isfinite(b_p)
    shared = np.zeros(len(genes))
    if covariance is not None:
        shared = covariance.reindex(genes).fillna(0.0).to_numpy(float)

    anchors = both & (f_r < LIKELY) & (f_p < LIKELY)
    scale = 1.0
    if anchors.sum() >= MIN_ANCHORS:
        scale = _scale(*(x[anchors] for x in (b_r, s_r, b_p, s_p, shared)))
    difference = b_p - scale * b_r
    variance = s_p**2 + scale**2 * s_r**2 - 2 * scale * shared
    spread = _spread(difference[both], variance[both])
    z = np.where(both, difference / np.sqrt(variance + spread), np.nan)
    precise = np.zeros(len(genes), bool)
    if both.any():
        precise = both & (s_p <= np.quantile(s_p[both], PRECISE_QUANTILE))
    table = pd.DataFrame({"discordance": z}, index=genes)
    table["discordance_class"] = _classes((b_r, s_r, f_r), (b_p, s_p, f_p), z, precise)
    return Discordance(
        table=table,
        scale=scale,
        spread=spread,
        anchors=int(anchors.sum()),
        reliability_rna=_reliability(b_r[both], s_r[both]),
        reliability_protein=_reliability(b_p[both], s_p[both]),
    )


def _scale(
    b_r: np.ndarray, s_r: np.ndarray, b_p: np.ndarray, s_p: np.ndarray, shared: np.ndarray
) -> float:
    """Slope through the origin with errors in both variables (York 1966)."""

    def misfit(log_scale: float) -> float:
        k = float(np.exp(log_scale))
        variance = s_p**2 + k**2 * s_r**2 - 2 * k * shared
        return float(np.sum((b_p - k * b_r) ** 2 / variance))

    grid = np.linspace(np.log(0.05), np.log(20.0), 121)
    best = int(np.argmin([misfit(x) for x in grid]))
    around = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = optimize.minimize_scalar(
        misfit, bounds=around, method="bounded", options={"xatol": 1e-10}
    )
    return float(np.exp(found.x))


def _spread(difference: np.ndarray, variance: np.ndarray) -> float:
    """Moment estimate of the variance beyond measurement error (DerSimonian and Laird 1986)."""
    if not len(difference):
        return 0.0
    excess = float(np.sum(difference**2 / variance)) - len(difference)
    return max(0.0, excess / float(np.sum(1 / variance)))


def _reliability(effect: np.ndarray, se: np.ndarray) -> float:
    total = float(np.var(effect)) if len(effect) > 1 else 0.0
    return max(0.0, 1 - float(np.mean(se**2)) / total) if total > 0 else 0.0


def _classes(
    rna: tuple[np.ndarray, np.ndarray, np.ndarray],
    protein: tuple[np.ndarray, np.ndarray, np.ndarray],
    z: np.ndarray,
    precise: np.ndarray,
) -> np.ndarray:
    both = ~np.isnan(z)
    (b_r, s_r, f_r), (b_p, s_p, f_p) = rna, protein
    sure_r, sure_p = both & (f_r < CERTAIN), both & (f_p < CERTAIN)
    # two one-sided tests: "RNA only" needs evidence that the protein does not change
    none_r = both & (np.abs(b_r) + _ONE_SIDED_5 * s_r < EQUIVALENCE)
    none_p = both & (np.abs(b_p) + _ONE_SIDED_5 * s_p < EQUIVALENCE)
    same = np.sign(b_r) == np.sign(b_p)
    rules = [
        (sure_r & sure_p & same & (b_r > 0), "concordant_up"),
        (sure_r & sure_p & same & (b_r < 0), "concordant_down"),
        (sure_r & sure_p & ~same & precise, "opposite"),
        (sure_r & ~sure_p & none_p & precise, "rna_only"),
        (sure_p & ~sure_r & none_r & precise, "protein_only"),
        (both & ~sure_r & ~sure_p & (np.abs(z) < _TWO_SIDED_5), "null"),
    ]
    return np.select([rule for rule, _ in rules], [name for _, name in rules], "undetermined")


def effect_covariance(
    rna: tuple[LinearFit, Design, pd.Series],
    protein: tuple[LinearFit, Design, pd.Series],
    samples: pd.DataFrame,
    condition: str,
) -> pd.Series:
    """Estimate how far the RNA and the protein effect of a gene err together.

    Samples are matched by subject and condition; a subject with several samples in one arm is not
    matched. The residual correlation of a gene is drawn towards that of all genes.

    Args:
        rna: Fit, design, and standard errors by gene.
        protein: Same.
        samples: The sample sheet with ``subject`` and ``condition``.
        condition: Column of the arms.

    Returns:
        Covariance of the two estimates for genes in both fits, 0 without shared samples.
    """
    (fit_r, design_r, se_r), (fit_p, design_p, se_p) = rna, protein
    genes = fit_r.genes.intersection(fit_p.genes).sort_values()
    keys_r, keys_p = (_keys(samples, d.samples, condition) for d in (design_r, design_p))
    keys = keys_r.index.intersection(keys_p.index).sort_values()
    if not len(keys) or not len(genes):
        return pd.Series(0.0, index=genes)
    rows_r, rows_p = keys_r[keys].to_numpy(int), keys_p[keys].to_numpy(int)
    at_r, at_p = fit_r.genes.get_indexer(genes), fit_p.genes.get_indexer(genes)
    seen = fit_r.observed[np.ix_(rows_r, at_r)] & fit_p.observed[np.ix_(rows_p, at_p)]
    e_r = np.where(seen, fit_r.residuals[np.ix_(rows_r, at_r)], 0.0)
    e_p = np.where(seen, fit_p.residuals[np.ix_(rows_p, at_p)], 0.0)
    rho = _shrunken_correlation(e_r, e_p, seen.sum(axis=0))
    together = np.sum(
        fit_r.influence[np.ix_(rows_r, at_r)] * fit_p.influence[np.ix_(rows_p, at_p)], axis=0
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        sd_r = se_r.reindex(genes).to_numpy(float) / fit_r.unscaled_sd[at_r]
        sd_p = se_p.reindex(genes).to_numpy(float) / fit_p.unscaled_sd[at_p]
        return pd.Series(rho * sd_r * sd_p * together, index=genes).fillna(0.0)


def _keys(samples: pd.DataFrame, ids: pd.Index, condition: str) -> pd.Series:
    """Position of each (subject, arm) that has exactly one sample."""
    sheet = samples.loc[ids]
    names = sheet["subject"].astype(str) + "\x1f" + sheet[condition].astype(str)
    positions = pd.Series(np.arange(len(ids)), index=pd.Index(names))
    return positions[~positions.index.duplicated(keep=False)]


def _shrunken_correlation(e_r: np.ndarray, e_p: np.ndarray, n: np.ndarray) -> np.ndarray:
    norm = np.sqrt((e_r**2).sum(axis=0) * (e_p**2).sum(axis=0))
    r = np.where(norm > 0, (e_r * e_p).sum(axis=0) / np.where(norm > 0, norm, 1.0), 0.0)
    usable = (n > 4) & (norm > 0)
    if not usable.any():
        return np.zeros_like(r)
    z = np.arctanh(np.clip(r, -0.999, 0.999))
    noise = 1 / np.maximum(n - 3, 1)
    centre = float(np.mean(z[usable]))
    excess = max(0.0, float(np.mean((z[usable] - centre) ** 2 - noise[usable])))
    pulled = centre + np.where(usable, excess / (excess + noise), 0.0) * (z - centre)
    return np.asarray(np.clip(np.tanh(pulled), -0.95, 0.95))
