"""Borrow strength between genes: residual variances shrunk towards a common prior.

Moments of log variances after Smyth (2004), SAGMB 3:3; trend after Law et al. (2014), Genome Biol
15:R29; protection from hypervariable genes after Phipson et al. (2016), Ann Appl Stat 10:946.
"""

from dataclasses import dataclass
from typing import Final, cast

import numpy as np
from scipy import optimize, special, stats

#: Estimator of the prior where degrees of freedom differ between genes: moments of all genes
#: together (limma up to 3.5x), not the later split by degrees of freedom.
PRIOR_ESTIMATOR: Final = "moments"
#: Shares of the lower and upper tail that are pulled in (Phipson 2016, section 4).
WINSOR_TAILS: Final = (0.05, 0.1)


@dataclass(frozen=True)
class SqueezedVariances:
    """Posterior variances and their degrees of freedom, and the prior they come from.

    Attributes:
        variance: NaN where nothing is known, shape ``(g,)``.
        df: Total degrees of freedom of a moderated t, shape ``(g,)``.
        prior_variance: Shape ``(g,)``.
        prior_df: Shape ``(g,)``, may be infinite.
    """

    variance: np.ndarray
    df: np.ndarray
    prior_variance: np.ndarray
    prior_df: np.ndarray


def squeeze_variances(
    variance: np.ndarray,
    df: np.ndarray,
    abundance: np.ndarray | None = None,
    *,
    robust: bool = False,
) -> SqueezedVariances:
    """Shrink residual variances towards a prior that is estimated from all genes.

    Args:
        variance: Residual variances, shape ``(g,)``; NaN or ``df`` 0 where unknown.
        df: Residual degrees of freedom, shape ``(g,)``.
        abundance: If given, the prior variance is a smooth function of it, shape ``(g,)``.
        robust: Estimate the prior from winsorised log variances, and shrink outliers less.

    Example:
        >>> equal = squeeze_variances(np.ones(4), np.full(4, 3.0))
        >>> equal.variance.tolist(), equal.df.tolist()
        ([1.0, 1.0, 1.0, 1.0], [12.0, 12.0, 12.0, 12.0])
    """
    known = np.isfinite(variance) & (df > 0)
    pooled = float(df[known].sum())
    prior_variance = np.full(len(df), np.nan)
    prior_df = np.zeros(len(df))
    if known.sum() < 3 or not np.any(variance[known] > 0):
        return SqueezedVariances(
            np.where(known, variance, np.nan), np.where(known, df, 0.0), prior_variance, prior_df
        )
    # a variance of zero has no logarithm; the floor is far below what any prior would leave
    s2 = np.maximum(variance[known], 1e-5 * float(np.median(variance[known])))
    at = None if abundance is None else abundance[known]
    prior_variance[known], prior_df[known] = _fit_prior(s2, df[known], at)
    if robust:
        prior_variance[known], prior_df[known] = _fit_robust_prior(
            s2, df[known], at, float(prior_df[known][0])
        )
    squeezed = np.full(len(df), np.nan)
    d, d0, s0 = df[known], prior_df[known], prior_variance[known]
    finite = np.isfinite(d0)
    few = np.where(finite, d0, 0.0)
    squeezed[known] = np.where(finite, (few * s0 + d * variance[known]) / (few + d), s0)
    total = np.minimum(np.where(known, prior_df, 0.0) + df, pooled)
    return SqueezedVariances(squeezed, total, prior_variance, prior_df)


def _fit_prior(
    s2: np.ndarray, df: np.ndarray, abundance: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """Match mean and variance of log F to the log variances (Smyth 2004, section 6.2)."""
    e = np.log(s2) - special.digamma(df / 2) + np.log(df / 2)
    centre, used = _centre(e, abundance)
    excess = float(np.sum((e - centre) ** 2) / max(len(e) - used, 1))
    excess -= float(np.mean(special.polygamma(1, df / 2)))
    if excess > 0:
        d0 = 2 * trigamma_inverse(excess)
        return np.exp(centre + special.digamma(d0 / 2) - np.log(d0 / 2)), d0
    if abundance is None:
        return np.full(len(s2), float(np.mean(s2))), np.inf
    return np.exp(centre), np.inf


def _centre(e: np.ndarray, abundance: np.ndarray | None) -> tuple[np.ndarray, int]:
    """Give the mean of ``e``, or its smooth in abundance, and the parameters that took."""
    if abundance is None:
        return np.full(len(e), float(np.mean(e))), 1
    basis = _spline_basis(abundance)
    return basis @ np.linalg.lstsq(basis, e, rcond=None)[0], basis.shape[1]


def _spline_basis(x: np.ndarray) -> np.ndarray:
    """Natural cubic spline basis with up to four parameters, knots at quantiles of ``x``."""
    inner = 2 if len(x) >= 30 else int(len(x) >= 6)
    knots = np.unique(np.quantile(x, np.linspace(0, 1, inner + 2)))
    span = knots[-1] - knots[0]
    if span <= 0:
        return np.ones((len(x), 1))
    u, k = (x - knots[0]) / span, (knots - knots[0]) / span

    def bend(j: int) -> np.ndarray:
        cubes = np.maximum(u - k[j], 0) ** 3 - np.maximum(u - k[-1], 0) ** 3
        return cast(np.ndarray, cubes / (k[-1] - k[j]))

    # truncated powers that are linear outside the outer knots (Hastie et al. 2009, eq. 5.4)
    bends = [bend(j) - bend(len(k) - 2) for j in range(len(k) - 2)]
    return np.column_stack([np.ones(len(x)), u, *bends])


def trigamma_inverse(x: float) -> float:
    """Solve trigamma(y) = x for y by Newton's method (Smyth 2004, appendix).

    Example:
        >>> round(trigamma_inverse(float(special.polygamma(1, 2.5))), 12)
        2.5
    """
    if x > 1e7:
        return float(1 / np.sqrt(x))
    if x < 1e-6:
        return 1 / x
    y = 0.5 + 1 / x
    for _ in range(50):
        value = float(special.polygamma(1, y))
        step = value * (1 - value / x) / float(special.polygamma(2, y))
        y += step
        if abs(step) < 1e-14 * y:
            break
    return y


def _fit_robust_prior(
    s2: np.ndarray, df: np.ndarray, abundance: np.ndarray | None, plain_df: float
) -> tuple[np.ndarray, np.ndarray]:
    """Match winsorised moments of log F, then give outliers a smaller prior df (Phipson 2016)."""
    centre, _ = _centre(np.log(s2), abundance)
    ratio, d = _to_equal_df(np.log(s2) - centre, df, plain_df)
    low, high = np.quantile(ratio, [WINSOR_TAILS[0], 1 - WINSOR_TAILS[1]])
    pulled = np.clip(ratio, low, high)
    target = float(np.var(pulled, ddof=1))

    def gap(share: float) -> float:
        return _winsorised_moments(d, share / (1 - share))[1] - target

    lowest = min(plain_df, 1e6) / (1 + min(plain_df, 1e6))
    if gap(1 - 1e-6) >= 0:
        d0 = np.inf
    elif gap(lowest) <= 0:
        d0 = plain_df
    else:
        share = float(optimize.brentq(gap, lowest, 1 - 1e-6, xtol=1e-12))
        d0 = share / (1 - share)
    shift = float(np.mean(pulled)) - _winsorised_moments(d, d0)[0]
    log_f = ratio - shift
    return np.exp(centre + shift), _outlier_df(log_f, d, d0)


def _to_equal_df(
    log_ratio: np.ndarray, df: np.ndarray, prior_df: float
) -> tuple[np.ndarray, float]:
    """Map log F of unequal df to the quantile that it would have with the largest df."""
    d = float(df.max())
    log_ratio = log_ratio.copy()
    few = np.flatnonzero(df < d)
    if len(few):
        middle = float(np.median(log_ratio))
        tail = _log_tail(log_ratio[few] - middle, df[few], prior_df)
        log_ratio[few] = middle + np.log(_from_log_tail(tail, d, prior_df))
    return log_ratio, d


def _log_tail(log_f: np.ndarray, df: np.ndarray | float, prior_df: float) -> np.ndarray:
    f = np.exp(log_f)
    if np.isinf(prior_df):
        return cast(np.ndarray, stats.chi2.logsf(f * df, df))
    return cast(np.ndarray, stats.f.logsf(f, df, prior_df))


def _from_log_tail(log_tail: np.ndarray, df: float, prior_df: float) -> np.ndarray:
    tail = np.clip(np.exp(log_tail), 1e-300, 1 - 1e-12)
    if np.isinf(prior_df):
        return cast(np.ndarray, stats.chi2.isf(tail, df) / df)
    return cast(np.ndarray, stats.f.isf(tail, df, prior_df))


def _winsorised_moments(df: float, prior_df: float) -> tuple[float, float]:
    """Mean and variance of log F on (df, prior_df) after winsorising, by quadrature of quantiles.

    With u uniform, E h(log F) = ∫ h(log Q(u)) du, and Q is smooth between the tails.
    """
    nodes, weights = np.polynomial.legendre.leggauss(128)
    first, last = WINSOR_TAILS[0], 1 - WINSOR_TAILS[1]
    u = first + (last - first) * (nodes + 1) / 2
    u = np.concatenate([[first], u, [last]])
    mass = np.concatenate([[first], weights * (last - first) / 2, [1 - last]])
    q = stats.chi2.ppf(u, df) / df if np.isinf(prior_df) else stats.f.ppf(u, df, prior_df)
    log_q = np.log(q)
    mean = float(mass @ log_q)
    return mean, float(mass @ (log_q - mean) ** 2)


def _outlier_df(log_f: np.ndarray, df: float, prior_df: float) -> np.ndarray:
    """Prior df per gene: less where a variance is larger than the prior allows.

    The chance of not being an outlier is the tail probability over its rank; the prior df of an
    outlier is such that the largest variance would be an ordinary one (tail probability one half).
    """
    g = len(log_f)
    tail = _log_tail(log_f, df, prior_df)
    order = np.argsort(tail, kind="stable")
    rank = (np.arange(g) + 0.5) / g
    regular = np.empty(g)
    regular[order] = np.minimum(np.exp(tail[order] - np.log(rank)), 1.0)
    if np.all(regular >= 1):
        return np.full(g, prior_df)
    largest = np.array([float(log_f.max())])

    def median_gap(log_df: float) -> float:
        return float(_log_tail(largest, df, float(np.exp(log_df)))[0] - np.log(0.5))

    upper = np.log(min(prior_df, 1e6))
    outlier_df = 0.0
    if median_gap(-20.0) > 0 > median_gap(upper):
        outlier_df = float(np.exp(optimize.brentq(median_gap, -20.0, upper)))
    bulk = min(prior_df, 1e10)
    shrunk = regular * bulk + (1 - regular) * outlier_df
    # the more extreme a variance, the less it may lean on the prior
    shrunk[order] = optimize.isotonic_regression(shrunk[order]).x
    return shrunk
