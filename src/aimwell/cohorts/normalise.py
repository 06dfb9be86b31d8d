"""Bring the samples of a layer to one level before a test: nothing, median, quantile, glog."""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import optimize
from threadpoolctl import threadpool_limits

from aimwell.errors import CohortError, some

Array = npt.NDArray[np.float64]
#: Share of the features with the smallest residuals that a variance-stabilising fit uses; the
#: others may truly differ between samples (Huber 2002).
_TRIM: Final = 0.9
_ROUNDS: Final = 4
_FEWEST: Final = 20
_MEDIAN_ROUNDS: Final = 50
_MEDIAN_TOLERANCE: Final = 1e-9


def normalise(values: pd.DataFrame, method: str, *, linear: bool) -> pd.DataFrame:
    """Give log2 values on one level; missing values stay missing.

    ``none`` takes logarithms only. ``median`` subtracts from each sample the median difference of
    its features to their mean over samples; the median of the values themselves would move with
    what is missing, and further with what truly changes. ``quantile`` gives every sample the mean
    distribution (Bolstad 2003), which also takes away true global differences.
    ``variance_stabilising`` fits an offset and a scale per sample under ``asinh``, so that the
    variance does not depend on the mean (Huber 2002); its values are log2 for large intensities
    and nearly linear for small ones.

    Args:
        values: Samples × features, NaN is missing.
        method: One of ``aimwell.config.cohort.NORMALISATIONS``.
        linear: Whether the values are intensities; else they are logarithms.

    Raises:
        CohortError: A sample without a value, or a method that does not fit the values.

    Example:
        >>> two = pd.DataFrame({"a": [4.0, 8.0], "b": [16.0, 32.0]}, index=["s1", "s2"])
        >>> normalise(two, "median", linear=True)["a"].tolist()
        [2.5, 2.5]
    """
    empty = values.index[values.isna().all(axis=1)]
    if len(empty) and method != "none":
        raise CohortError(
            f"samples without a single value: {some(empty)}; remove them from the matrix"
        )
    if method == "variance_stabilising":
        if not linear:
            raise CohortError(
                "normalise = 'variance_stabilising' needs intensities, and these values are "
                "logarithms; use 'median' or 'none'"
            )
        return _stabilise(values)
    logs = values.transform(np.log2) if linear else values
    if method == "none":
        return logs
    if method == "median":
        return logs.sub(_median_differences(logs), axis=0)
    if method == "quantile":
        return _to_mean_distribution(logs)
    raise CohortError(f"normalise = '{method}' is not known; use 'none', 'median' or 'quantile'")


def _median_differences(logs: pd.DataFrame) -> "pd.Series[float]":
    """Fit feature means and sample medians in turn; the shifts of all samples add up to zero."""
    ordered = logs.sort_index(axis=0).sort_index(axis=1)
    array = ordered.to_numpy(float)
    seen = ~np.isnan(array)
    count = np.maximum(seen.sum(axis=0), 1)
    shift = np.zeros(len(array))
    for _ in range(_MEDIAN_ROUNDS):
        level = np.where(seen, array - shift[:, None], 0.0).sum(axis=0) / count
        new = np.nanmedian(array - level, axis=1)
        new -= new.mean()
        moved = float(np.abs(new - shift).max())
        shift = new
        if moved < _MEDIAN_TOLERANCE:
            break
    return pd.Series(shift, index=ordered.index).reindex(logs.index)


def _to_mean_distribution(logs: pd.DataFrame) -> pd.DataFrame:
    array = logs.to_numpy(float)
    grid = np.linspace(0, 1, array.shape[1])
    target = np.mean([np.quantile(row[~np.isnan(row)], grid) for row in array], axis=0)
    made = np.full_like(array, np.nan)
    ranks = logs.rank(axis=1).to_numpy(float)
    for i, row in enumerate(array):
        seen = ~np.isnan(row)
        share = (ranks[i, seen] - 1) / max(int(seen.sum()) - 1, 1)
        made[i, seen] = np.interp(share, grid, target)
    return pd.DataFrame(made, logs.index, logs.columns)


def _stabilise(values: pd.DataFrame) -> pd.DataFrame:
    ordered = values.sort_index(axis=0).sort_index(axis=1)
    y = ordered.to_numpy(float)
    if (np.isfinite(y).sum(axis=0) >= 2).sum() < _FEWEST or len(y) < 2:
        raise CohortError(
            f"normalise = 'variance_stabilising' needs {_FEWEST} features that two samples share; "
            "use 'median'"
        )
    centre = np.nanmedian(y, axis=1)
    scaled = y / centre[:, None]
    parameters = np.zeros(2 * len(y))
    use = np.isfinite(scaled).sum(axis=0) >= 2
    for _ in range(_ROUNDS):
        # on such small vectors threads of the linear algebra only wait for each other
        with threadpool_limits(1, user_api="blas"):
            found = optimize.minimize(
                _likelihood,
                parameters,
                args=(scaled[:, use],),
                jac=True,
                method="L-BFGS-B",
                bounds=[(-20.0, 20.0)] * len(y) + [(-12.0, 12.0)] * len(y),
            )
        parameters = found.x
        h, _ = _transform(parameters, scaled)
        with np.errstate(invalid="ignore", divide="ignore"):
            n = np.isfinite(h).sum(axis=0)
            mean = np.where(np.isfinite(h), h, 0).sum(axis=0) / np.maximum(n, 1)
            spread = np.where(np.isfinite(h), (h - mean) ** 2, 0).sum(axis=0) / np.maximum(n - 1, 1)
        usable = n >= 2
        limit = np.quantile(spread[usable], _TRIM)
        use = usable & (spread <= limit)
    h, _ = _transform(parameters, scaled)
    # asinh(x) → ln(2x): so shifted, large values are log2 of the intensity in the mean sample
    shift = np.mean(parameters[len(y) :] - np.log(centre)) / np.log(2) + 1
    made = pd.DataFrame(h / np.log(2) - shift, ordered.index, ordered.columns)
    return made.reindex(index=values.index, columns=values.columns)


def _transform(parameters: Array, y: Array) -> tuple[Array, Array]:
    n = len(y)
    linear = parameters[:n, None] + np.exp(parameters[n:, None]) * y
    return np.arcsinh(linear), linear


def _likelihood(parameters: Array, y: Array) -> tuple[float, Array]:
    """Negative profile log likelihood of Huber (2002), eq. 13, and its gradient."""
    n = len(y)
    seen = np.isfinite(y)
    filled = np.where(seen, y, 0.0)
    h, linear = _transform(parameters, filled)
    slope = 1 / np.sqrt(1 + linear**2)
    count = seen.sum(axis=0)
    mean = np.where(seen, h, 0).sum(axis=0) / np.maximum(count, 1)
    rest = np.where(seen, h - mean, 0.0)
    total, number = float(np.sum(rest**2)), int(seen.sum())
    value = number / 2 * np.log(max(total, 1e-300)) - float(
        np.sum(np.where(seen, np.log(slope) + parameters[n:, None], 0.0))
    )
    # residuals add up to zero per feature, so the mean drops out of the gradient
    by_linear = number * rest * slope / max(total, 1e-300)
    by_linear += np.where(seen, linear * slope**2, 0.0)
    scale = np.exp(parameters[n:, None])
    gradient = np.concatenate(
        [by_linear.sum(axis=1), (by_linear * scale * filled).sum(axis=1) - seen.sum(axis=1)]
    )
    return value, gradient
