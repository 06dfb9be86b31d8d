"""Several columns of a model tested together: whether anything differs at all, by a moderated F.

Smyth (2004), SAGMB 3:3, section 4. Weights and missing values are those of the linear fit.
"""

from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
from scipy import special, stats

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import (
    MIN_PER_ARM,
    RESULT_COLUMNS,
    LinearFit,
    adjust_p,
    fit_linear,
)
from aimwell.cohorts.moderation import squeeze_variances

#: z below which an effect has no size that could be told.
_SMALL: Final = 1e-3


def moderate_several(
    values: pd.DataFrame,
    design: Design,
    weights: pd.DataFrame | None = None,
    *,
    trend: bool = False,
    robust: bool = False,
    peptides: "pd.Series[float] | None" = None,
) -> tuple[LinearFit, pd.DataFrame]:
    """Test the tested columns of a design together, for every gene.

    Args:
        values: Samples × genes, log2 scale, NaN is missing.
        design: With several tested columns.
        weights: Inverse variances of ``values`` up to a factor per gene, same shape.
        trend: Let the prior variance depend on the mean abundance.
        robust: Protect the prior variance from hypervariable genes.
        peptides: Number of peptides of every protein, on which the prior variance depends.

    Returns:
        The fit, and the columns of ``fit_contrast``: ``log2_fold_change`` is the span, the largest
        difference between two of the groups; ``t`` is the F statistic and ``df`` its lower degrees
        of freedom; ``z`` is the normal quantile of its p-value, never negative, since a difference
        between several groups has no direction; ``se`` is span / z. A gene is tested with two
        observed samples in every group.
    """
    fits = [fit_linear(values, _asking(design, name), weights) for name in design.tested]
    fit = fits[0]
    small = fit_linear(values, _without_tested(design), weights)
    count = np.round(small.df - fit.df)
    covariate = fit.mean_abundance if trend else None
    if peptides is not None:
        known = peptides.reindex(fit.genes).to_numpy(float)
        covariate = np.log2(np.maximum(known, 1.0))
    squeezed = squeeze_variances(fit.variance, fit.df, covariate, robust=robust)
    more = np.maximum(small.variance * small.df - fit.variance * fit.df, 0.0)
    groups = np.array(design.groups)
    fewest = np.min([fit.observed[groups == g].sum(axis=0) for g in np.unique(groups)], axis=0)
    enough = (fewest >= MIN_PER_ARM) & (fit.df >= 1)
    levels = np.array([np.zeros(len(fit.genes)), *(f.effect for f in fits)])
    span = (levels.max(axis=0) - levels.min(axis=0)) / design.scale
    with np.errstate(invalid="ignore", divide="ignore"):
        f = more / count / squeezed.variance
    tested = enough & (count == len(fits)) & np.isfinite(f) & np.isfinite(span)
    f = np.where(tested, f, np.nan)
    log_p = np.where(tested, log_p_of_f(f, len(fits), squeezed.df), np.nan)
    with np.errstate(invalid="ignore"):
        z = -special.ndtri_exp(np.minimum(log_p - np.log(2), np.log(0.5)))
    z = np.where(tested, np.abs(z), np.nan)
    p = np.exp(log_p)
    seen = fit.observed.sum(axis=0)
    table = pd.DataFrame(
        {
            "log2_fold_change": np.where(tested, span, np.nan),
            "se": np.where(tested, span / np.maximum(z, _SMALL), np.nan),
            "t": f,
            "df": np.where(tested, squeezed.df, np.nan),
            "p": p,
            "q": adjust_p(p),
            "z": z,
            "log10_p": log_p / np.log(10),
            "mean_abundance": fit.mean_abundance,
            "n_observed": seen,
            "n_case": fit.observed[design.is_case].sum(axis=0),
            "n_control": fit.observed[~design.is_case].sum(axis=0),
            "detection_rate": seen / len(fit.observed),
            "status": np.where(tested, "tested", np.where(enough, "not_estimable", "too_few")),
        },
        index=fit.genes,
    )
    return fit, table[list(RESULT_COLUMNS)]


def log_p_of_f(f: np.ndarray, above: int, below: np.ndarray) -> np.ndarray:
    """Natural logarithm of the p-values of F statistics, finite however large they are.

    Example:
        >>> log_p_of_f(np.array([1.0, 1e9]), 2, np.array([4.0, 100.0])).round(2).tolist()
        [-0.81, -840.56]
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        known = np.isfinite(below)
        exact = stats.f.sf(f, above, np.where(known, below, 1.0))
        log_p = np.log(np.where(known, exact, stats.chi2.sf(above * f, above)))
        # P(F > f) = I_x(b/2, a/2) with x = b / (b + a f); its first term is all where it underflows
        a, b = above / 2, below / 2
        x = np.where(known, -np.log1p(above * f / np.where(known, below, 1.0)), 0.0)
        beta = b * x + (a - 1) * np.log(-np.expm1(x)) - np.log(b) - special.betaln(a, b)
        gamma = (a - 1) * np.log(a * f) - a * f - special.gammaln(a)
    far = np.isfinite(f) & (log_p < -640)
    return np.where(far, np.where(known, beta, gamma), log_p)


def _asking(design: Design, name: str) -> Design:
    return replace(
        design, coefficient=name, vector=tuple(float(c == name) for c in design.matrix.columns)
    )


def _without_tested(design: Design) -> Design:
    """The model under which nothing differs; asks for nothing."""
    matrix = design.matrix.drop(columns=list(design.tested))
    return replace(design, matrix=matrix, vector=(0.0,) * matrix.shape[1])
