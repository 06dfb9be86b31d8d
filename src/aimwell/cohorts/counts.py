"""From read counts to log2 abundances with precision weights.

TMM after Robinson and Oshlack (2010), Genome Biol 11:R25; voom after Law et al. (2014), Genome Biol
15:R29; lowess after Cleveland (1979), JASA 74:829. Written from the papers.
"""

from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import pandas as pd

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import fit_linear
from aimwell.cohorts.pictures import refuse_pictures
from aimwell.errors import CohortError, some

#: Share of genes in each window of the mean–variance trend. Fixed, as in limma 3.54, whose tables
#: it reproduces; later releases narrow it for many genes, .3 + .7 (50 / genes)^(1/3).
VOOM_SPAN: Final = 0.5
MIN_COUNT: Final = 10
MIN_TOTAL: Final = 15
TRIM_RATIOS: Final = 0.3
TRIM_ABUNDANCES: Final = 0.05


@dataclass(frozen=True)
class Abundances:
    """Counts made ready for a linear model.

    Attributes:
        values: log2 counts per million, samples × genes, both sorted.
        weights: Inverse variances, same shape.
        normalisation: TMM factor of every sample.
        library_sizes: Effective library sizes, counts.
    """

    values: pd.DataFrame
    weights: pd.DataFrame
    normalisation: pd.Series
    library_sizes: pd.Series


def voom(
    counts: pd.DataFrame,
    design: Design,
    *,
    span: float = VOOM_SPAN,
    offsets: pd.DataFrame | None = None,
) -> Abundances:
    """Give log2 counts per million, each weighted by the precision that its count predicts.

    With effective lengths a count is divided by its gene's length in the sample relative to the
    geometric mean over the samples, while the weight stays that of the count which was seen.

    Args:
        counts: Samples × genes; NaN is missing.
        design: Its samples are used, its model gives the fitted counts.
        span: Share of genes in each window of the trend.
        offsets: Natural logarithm of effective lengths, samples × genes; none where the length of
            a gene is the same in all samples.

    Raises:
        CohortError: A sample without counts.
    """
    refuse_pictures(counts)
    table = counts.loc[design.samples].sort_index(axis=1)
    longer = _relative_lengths(table, offsets)
    scaled = pd.DataFrame(table.to_numpy(float) / 2**longer, table.index, table.columns)
    factors = tmm_factors(scaled)
    sizes = scaled.sum(axis=1) * factors
    size = sizes.to_numpy(float)[:, None]
    c = table.to_numpy(float)
    logs = np.log2((c + 0.5) / (size + 1) * 1e6) - longer
    values = pd.DataFrame(logs, table.index, table.columns)
    fit = fit_linear(values, design)
    to_count = np.log2(size + 1) - np.log2(1e6)
    mean_log_count = fit.mean_abundance + float(to_count.mean())
    seen = (np.nansum(c, axis=0) > 0) & np.isfinite(fit.variance)
    if seen.sum() < 2:
        raise CohortError(
            f"{int(seen.sum())} of {len(seen)} genes have counts and replicates to learn how "
            "precise a count is, at least 2 are needed"
        )
    x, y = mean_log_count[seen], fit.variance[seen] ** 0.25
    order = np.lexsort((y, x))
    sd_root = np.interp(fit.fitted + to_count + longer, *_trend(x[order], y[order], span, 3))
    weights = pd.DataFrame(1 / sd_root**4, table.index, table.columns)
    return Abundances(values, weights.where(table.notna()), factors, sizes)


def _relative_lengths(table: pd.DataFrame, offsets: pd.DataFrame | None) -> np.ndarray:
    """Give log2 of every length over the gene's geometric mean, zeros where none is known."""
    if offsets is None or not offsets.size:
        return np.zeros(table.shape)
    unseen = table.isna().to_numpy()
    logs = offsets.loc[table.index, table.columns].to_numpy(float) / np.log(2)
    total = np.where(unseen, 0.0, logs).sum(axis=0)
    mean = total / np.maximum((~unseen).sum(axis=0), 1)
    return np.where(unseen, 0.0, logs - mean)


def tmm_factors(counts: pd.DataFrame) -> pd.Series:
    """Compute normalisation factors by the trimmed mean of log ratios; their product is 1.

    The reference is the sample whose upper quartile of relative counts is nearest to the mean.

    Args:
        counts: Samples × genes; missing counts are left out.

    Raises:
        CohortError: A sample without counts.

    Example:
        >>> counts = pd.DataFrame({"g1": [10, 20], "g2": [30, 60]}, index=["a", "b"])
        >>> tmm_factors(counts).tolist()
        [1.0, 1.0]
    """
    table = counts.sort_index(axis=0).sort_index(axis=1)
    c = np.nan_to_num(table.to_numpy(float))
    size = c.sum(axis=1)
    if np.any(size <= 0):
        raise CohortError(
            f"samples without a single count: {some(table.index[size <= 0])}; remove them from the "
            "matrix and the sheet"
        )
    c = c[:, c.sum(axis=0) > 0]
    upper = np.quantile(c, 0.75, axis=1) / size
    reference = int(np.argmin(np.abs(upper - upper.mean())))
    logs = np.array(
        [_log2_factor(row, c[reference], size[i], size[reference]) for i, row in enumerate(c)]
    )
    factors = pd.Series(2 ** (logs - logs.mean()), index=table.index)
    return factors.reindex(counts.index)


def _log2_factor(
    sample: np.ndarray, reference: np.ndarray, size: float, reference_size: float
) -> float:
    both = (sample > 0) & (reference > 0)
    y, r = sample[both], reference[both]
    if not len(y):
        return 0.0
    ratio = np.log2((y / size) / (r / reference_size))
    abundance = (np.log2(y / size) + np.log2(r / reference_size)) / 2
    if np.max(np.abs(ratio)) < 1e-6:
        return 0.0
    kept = _within(ratio, TRIM_RATIOS) & _within(abundance, TRIM_ABUNDANCES)
    variance = (size - y) / size / y + (reference_size - r) / reference_size / r
    kept &= variance > 0
    if not kept.any():
        return 0.0
    return float(np.sum(ratio[kept] / variance[kept]) / np.sum(1 / variance[kept]))


def _within(x: np.ndarray, trim: float) -> np.ndarray:
    """Mark what remains when the share ``trim`` is cut from either end; ties share a rank."""
    # only the ranks of the two values at the cuts matter, so nothing is sorted
    n, cut = len(x), int(np.floor(len(x) * trim))
    low, high = np.partition(x, [cut, n - cut - 1])[[cut, n - cut - 1]]
    from_low = x >= low if _mean_rank(x, low) >= cut + 1 else x > low
    to_high = x <= high if _mean_rank(x, high) <= n - cut else x < high
    return cast(np.ndarray, from_low & to_high)


def _mean_rank(x: np.ndarray, value: float) -> float:
    return float(np.sum(x < value) + (np.sum(x == value) + 1) / 2)


def expressed_genes(counts: pd.DataFrame, design: Design) -> pd.Index:
    """Select genes with enough counts to be tested, sorted.

    A gene needs ``MIN_COUNT`` counts at the median library size in as many samples as the smaller
    arm has (seven tenths of those above ten), and ``MIN_TOTAL`` counts in all. No gene has them
    where most samples have no counts at all.
    """
    table = counts.loc[design.samples].sort_index(axis=1)
    size = table.sum(axis=1)
    if not size.median() > 0:
        return table.columns[:0]
    per_million = table.div(size, axis=0) * 1e6
    cutoff = MIN_COUNT / float(size.median()) * 1e6
    smaller = design.smallest_group
    needed = smaller if smaller <= 10 else 10 + (smaller - 10) * 0.7
    enough = (per_million >= cutoff).sum(axis=0) >= needed - 1e-9
    return table.columns[(enough & (table.sum(axis=0) >= MIN_TOTAL)).to_numpy()]


def lowess(x: np.ndarray, y: np.ndarray, *, span: float, rounds: int = 3) -> np.ndarray:
    """Smooth ``y`` by robust local lines, one in each hundredth of the range of ``x``.

    Args:
        x: Sorted, shape ``(n,)``.
        y: Shape ``(n,)``.
        span: Share of the points in each window.
        rounds: How often outliers are weighted down.

    Example:
        >>> x = np.arange(10.0)
        >>> lowess(x, 2 * x + 1, span=0.5).round(9).tolist()
        [1.0, 3.0, 5.0, 7.0, 9.0, 11.0, 13.0, 15.0, 17.0, 19.0]
    """
    return np.asarray(np.interp(x, *_trend(x, y, span, rounds)))


def _trend(x: np.ndarray, y: np.ndarray, span: float, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """Give the corners of the smooth line: where local lines were fitted, and their values."""
    n = len(x)
    window = min(max(int(span * n + 1e-7), 2), n)
    at = _anchors(x, 0.01 * (x[-1] - x[0]))
    left = _windows(x, at, window)
    trust = np.ones(n)
    local = np.empty(len(at))
    for iteration in range(rounds + 1):
        local = np.array(
            [_local_line(x, y, trust, i, lo, window) for i, lo in zip(at, left, strict=True)]
        )
        if iteration == rounds:
            break
        rest = np.abs(y - np.interp(x, x[at], local))
        scale = 6 * float(np.median(rest))
        if scale < 1e-7 * float(np.mean(rest)) or scale == 0:
            break
        u = rest / scale
        trust = np.where(u <= 0.001, 1.0, np.where(u > 0.999, 0.0, (1 - u**2) ** 2))
    return x[at], local


def _anchors(x: np.ndarray, delta: float) -> np.ndarray:
    """Choose where lines are fitted: as far apart as ``delta`` allows, both ends included."""
    at = [0]
    while at[-1] < len(x) - 1:
        beyond = int(np.searchsorted(x, x[at[-1]] + delta, side="right"))
        equal = int(np.searchsorted(x, x[at[-1]], side="right"))
        at.append(min(max(beyond - 1, equal, at[-1] + 1), len(x) - 1))
    return np.array(at)


def _windows(x: np.ndarray, at: np.ndarray, window: int) -> np.ndarray:
    """Find the first of the ``window`` points nearest to each anchor."""
    left = np.empty(len(at), int)
    lo = 0
    for j, i in enumerate(at):
        while lo + window < len(x) and x[i] - x[lo] > x[lo + window] - x[i]:
            lo += 1
        left[j] = lo
    return left


def _local_line(
    x: np.ndarray, y: np.ndarray, trust: np.ndarray, i: int, lo: int, window: int
) -> float:
    reach = max(x[i] - x[lo], x[lo + window - 1] - x[i])
    hi = max(int(np.searchsorted(x, x[i] + reach, side="right")), lo + window)
    xs, ys = x[lo:hi], y[lo:hi]
    distance = np.abs(xs - x[i])
    near = np.where(distance <= 0.001 * reach, 1.0, (1 - (distance / max(reach, 1e-300)) ** 3) ** 3)
    w = np.where(distance <= 0.999 * reach, near, 0.0) * trust[lo:hi]
    total = float(w.sum())
    if total <= 0:
        return float(y[i])
    w = w / total
    centre = float(w @ xs)
    spread = float(w @ (xs - centre) ** 2)
    if np.sqrt(spread) > 0.001 * (x[-1] - x[0]):
        w = w * (1 + (x[i] - centre) * (xs - centre) / spread)
    return float(w @ ys)
