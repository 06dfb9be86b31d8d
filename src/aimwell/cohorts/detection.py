"""On or off: whether a protein is detected more often in one arm, for those an arm never saw.

A protein that one arm lacks has no fold change that could be estimated. What is known is how often
it was seen where, and that it was seen above what the other arm's runs can see.
"""

from collections.abc import Collection
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import adjust_p

#: A run sees what is above this quantile of its own values.
LIMIT_QUANTILE: Final = 0.05
_SLACK: Final = 1e-9
Array = npt.NDArray[np.float64]


def compare_detection(
    values: pd.DataFrame,
    design: Design,
    *,
    ratios: bool = False,
    unknown: Collection[str] = (),
) -> pd.DataFrame:
    """Test detection against the condition, exactly, within subjects and batches.

    Within each stratum (samples of one subject, batch and category of every covariate) the number
    of detected case samples is hypergeometric if the condition does not matter; the p-value is
    that of the sum over strata, two-sided. Numeric covariates do not enter. All proteins that some
    but not all samples have are tested, and the false discovery rate is over all of them: picking
    the one-sided ones first would make every one of them look surprising.

    Args:
        values: Samples × genes, log2, NaN is missing; more samples than the design are fine.
        design: Model and contrast.
        ratios: The values are ratios to a reference, which say nothing about what a run can see.
        unknown: Genes for which a missing value need not mean that they were not detected, such as
            those that one of several files does not list; they are not tested.

    Returns:
        One row per gene, sorted. ``detection`` is ``on`` (seen in case only), ``off`` (in control
        only) or empty; ``detection_p`` and ``detection_q`` are NaN where every or no sample has
        the protein; ``at_least`` is a bound for one-sided proteins, never an estimate: the log2
        fold change is at least so far from zero (at least ``x`` if on, at most ``x`` if off),
        namely mean where seen − mean over the other arm's runs of their 5 % quantile; NaN where
        that bound says nothing.

    Example:
        >>> from aimwell.config import ContrastSettings
        >>> from aimwell.cohorts.design import build_design
        >>> ids = [f"s{i}" for i in range(8)]
        >>> sheet = pd.DataFrame({"subject": ids, "arm": ["x"] * 4 + ["y"] * 4}, index=ids)
        >>> design = build_design(sheet, ids, ContrastSettings("xy", "p", "arm", "y", "x"))
        >>> values = pd.DataFrame({"HGNC:1": [np.nan] * 4 + [25.0] * 4, "HGNC:2": [20.0] * 8},
        ...     index=ids)
        >>> found = compare_detection(values, design).loc["HGNC:1"]
        >>> found["detection"], float(found["detection_p"].round(4)), float(found["at_least"])
        ('on', 0.0286, 5.0)
    """
    genes = values.columns.sort_values()
    ready = values.reindex(index=design.samples, columns=genes)
    array = ready.to_numpy(float)
    seen = ~np.isnan(array)
    case = design.is_case
    known = ~genes.isin(list(unknown))
    p = np.where(known, _exact_p(seen, case, _strata(design)), np.nan)
    n_case, n_control = seen[case].sum(axis=0), seen[~case].sum(axis=0)
    on = known & (n_case > 0) & (n_control == 0)
    off = known & (n_control > 0) & (n_case == 0)
    bound = np.full(len(genes), np.nan)
    if not ratios:
        limits = np.array([_limit(row) for row in array])
        total = np.where(seen, array, 0.0).sum(axis=0)
        mean = total / np.maximum(seen.sum(axis=0), 1)
        bound = np.where(on, mean - _mean(limits[~case]), bound)
        bound = np.where(off, _mean(limits[case]) - mean, bound)
        # seen below the limit of the other arm: nothing follows for the fold change
        bound = np.where((on & (bound > 0)) | (off & (bound < 0)), bound, np.nan)
    return pd.DataFrame(
        {
            "detection": np.select([on, off], ["on", "off"], ""),
            "detection_p": p,
            "detection_q": adjust_p(p),
            "at_least": bound,
        },
        index=genes,
    )


def _limit(row: Array) -> float:
    known = row[~np.isnan(row)]
    return float(np.quantile(known, LIMIT_QUANTILE)) if len(known) else float("nan")


def _mean(limits: Array) -> float:
    known = limits[~np.isnan(limits)]
    return float(known.mean()) if len(known) else float("nan")


def _strata(design: Design) -> npt.NDArray[np.int64]:
    """Number the samples by subject, batch and categories."""
    other = design.matrix.drop(columns=design.coefficient)
    plain = other.loc[:, other.isin([0.0, 1.0]).all(axis=0)]
    if not plain.shape[1]:
        return np.zeros(len(plain), np.int64)
    _, which = np.unique(plain.to_numpy(float), axis=0, return_inverse=True)
    return np.asarray(which).ravel().astype(np.int64)


def _exact_p(
    seen: npt.NDArray[np.bool_], case: npt.NDArray[np.bool_], strata: npt.NDArray[np.int64]
) -> Array:
    """Two-sided p-values of the number of detected case samples, given the strata's margins."""
    groups = range(int(strata.max()) + 1)
    found = np.stack([seen[strata == g].sum(axis=0) for g in groups], axis=1)  # (genes, strata)
    in_case = np.stack([seen[(strata == g) & case].sum(axis=0) for g in groups], axis=1)
    sizes = np.array([(strata == g).sum() for g in groups])
    cases = np.array([(case & (strata == g)).sum() for g in groups])
    # a stratum of one arm, or wholly seen or unseen, says nothing
    telling = (cases > 0) & (cases < sizes) & (found > 0) & (found < sizes)
    observed = np.where(telling, in_case, 0).sum(axis=1)
    # only how many strata of each kind a gene has matters, not which: pairs are all of one kind
    code = (sizes * (sizes.max() + 1) + cases) * (sizes.max() + 1) + found
    kinds, at = np.unique(np.where(telling, code, -1), return_inverse=True)
    at = np.asarray(at).reshape(found.shape)
    p = np.full(seen.shape[1], np.nan)
    if not telling.any():
        return p
    counts = np.stack([(at == k).sum(axis=1) for k in range(len(kinds)) if kinds[k] >= 0], axis=1)
    patterns, which = np.unique(counts, axis=0, return_inverse=True)
    which = np.asarray(which).ravel()
    single = [_hypergeometric(*_margins(int(k), int(sizes.max()))) for k in kinds[kinds >= 0]]
    for k, pattern in enumerate(patterns):
        if not pattern.any():
            continue
        chances = np.ones(1)
        for one, times in zip(single, pattern, strict=True):
            for _ in range(int(times)):
                chances = np.convolve(chances, one)
        genes = np.flatnonzero(which == k)
        as_rare = chances[None, :] <= chances[observed[genes]][:, None] * (1 + _SLACK)
        p[genes] = np.minimum((as_rare * chances).sum(axis=1), 1.0)
    return p


def _margins(code: int, largest: int) -> tuple[int, int, int]:
    rest, found = divmod(code, largest + 1)
    size, cases = divmod(rest, largest + 1)
    return size, cases, found


def _hypergeometric(size: int, cases: int, found: int) -> Array:
    """Chances of 0, 1, … detected among ``cases`` of ``size`` samples, ``found`` in all."""
    return np.asarray(stats.hypergeom.pmf(np.arange(cases + 1), size, cases, found))
