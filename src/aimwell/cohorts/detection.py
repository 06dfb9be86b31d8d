"""On or off: whether a protein is detected more often in one arm, for those an arm never saw.

A protein that one arm lacks has no fold change that could be estimated. What is known is how often
it was seen where, and that it was seen above what the other arm's runs can see.
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import adjust_p

#: A run sees what is above this quantile of its own values.
LIMIT_QUANTILE: Final = 0.05
_SLACK: Final = 1e-9
Array = npt.NDArray[np.float64]


def compare_detection(
    values: pd.DataFrame, design: Design, *, ratios: bool = False
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
    p = _exact_p(seen, case, _strata(design))
    n_case, n_control = seen[case].sum(axis=0), seen[~case].sum(axis=0)
    on, off = (n_case > 0) & (n_control == 0), (n_control > 0) & (n_case == 0)
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
    sizes = np.array([(strata == g).sum() for g in groups])
    cases = np.array([(case & (strata == g)).sum() for g in groups])
    in_case = seen[case].sum(axis=0)
    # a stratum of one arm, or wholly seen or unseen, says nothing
    mixed = (cases > 0) & (cases < sizes)
    telling = (found[:, mixed] > 0) & (found[:, mixed] < sizes[mixed])
    p = np.full(seen.shape[1], np.nan)
    patterns, which = np.unique(found, axis=0, return_inverse=True)
    which = np.asarray(which).ravel()
    open_ = telling.any(axis=1)
    for k in np.unique(which[open_]):
        chances = np.ones(1)
        for n, c, m in zip(sizes, cases, patterns[k], strict=True):
            chances = np.convolve(chances, _hypergeometric(int(n), int(c), int(m)))
        genes = np.flatnonzero(which == k)
        observed = chances[in_case[genes]]
        as_rare = chances[None, :] <= observed[:, None] * (1 + _SLACK)
        p[genes] = np.minimum((as_rare * chances).sum(axis=1), 1.0)
    return p


def _hypergeometric(size: int, cases: int, found: int) -> Array:
    """Chances of 0, 1, … detected among ``cases`` of ``size`` samples, ``found`` in all."""
    from scipy import stats

    return np.asarray(stats.hypergeom.pmf(np.arange(cases + 1), size, cases, found))
