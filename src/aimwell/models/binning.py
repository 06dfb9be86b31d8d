"""Columns cut into the bins that gradient boosting would choose, without its detour."""

from typing import Final

import numpy as np
import numpy.typing as npt

#: As many as ``HistGradientBoostingClassifier`` makes.
BINS: Final = 255


def binned(
    features: npt.ArrayLike, training: npt.NDArray[np.bool_], weights: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Give every value the number of its bin, the bins being those of scikit-learn.

    With weights, as classes of unequal size get them, scikit-learn 1.8 and later sort a column once
    for each of 254 quantiles; trees see bins alone, so the numbers of the bins give the same trees
    in a twentieth of the time, and with every version.

    Args:
        features: Shape ``(n, d)``, nothing missing.
        training: Which rows choose the bins, shape ``(n,)``.
        weights: Of the training rows.

    Returns:
        Shape ``(n, d)``, whole numbers.

    Example:
        >>> binned([[0.5], [0.1], [0.9], [0.7]], np.array([1, 1, 1, 0], bool), [1, 1, 1]).tolist()
        [[1.0], [0.0], [2.0], [1.0]]
    """
    values = np.asarray(features, np.float64)
    known = np.asarray(weights, np.float64)
    codes = [
        np.searchsorted(_edges(column[training], known), column, side="left") for column in values.T
    ]
    return np.stack(codes, axis=1).astype(np.float64)


def _edges(
    column: npt.NDArray[np.float64], weights: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Give the upper edges of the bins: weighted quantiles, or between the values where few."""
    distinct = np.unique(column)
    if len(distinct) <= BINS:
        middles: npt.NDArray[np.float64] = (distinct[1:] + distinct[:-1]) / 2
        return middles
    order = np.argsort(column)
    ordered, shares = column[order], np.cumsum(weights[order])
    wanted = np.linspace(0, 1, BINS + 1)[1:-1] * shares[-1]
    at = np.searchsorted(shares, wanted).clip(max=len(ordered) - 1)
    # a quantile that ends exactly with a value lies between it and the next
    ends = shares[at] - wanted <= np.finfo(np.float64).eps
    after = ordered[(at + 1).clip(max=len(ordered) - 1)]
    edges: npt.NDArray[np.float64] = np.unique(
        np.where(ends, (ordered[at] + after) / 2, ordered[at])
    )
    return edges
