"""Empirical p-values: could the same score have come out if one thing meant nothing?

A null replaces one thing (edges, known targets, conditions of samples) by a random one of the same
kind and repeats everything else. If that thing means nothing, the run is one of ``B + 1`` draws
that nobody can tell apart; all p-values here are ranks among them, so that they hold without any
model of the scores (Phipson & Smyth 2010: never zero). Ten or twenty draws cannot give small
p-values for one gene alone, so genes of about the same degree share their draws, each measured on
its own scale first, as SAM does (Tusher et al. 2001; Storey & Tibshirani 2003 for q).
"""

from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

#: Most quantiles of degree inside which genes share their draws, and fewest genes of one.
STRATA: Final = 5
SMALLEST_STRATUM: Final = 200
#: Quantile of the spreads of all genes that is added to each, as the fudge factor of SAM.
FLOOR: Final = 0.2
#: With fewer draws a p-value of .05 for the whole ranking does not exist.
FEWEST_DRAWS: Final = 19
_Numbers = npt.NDArray[np.float64]


def standing_out(scores: np.ndarray) -> _Numbers:
    """Say how far every draw of a gene stands out from its other draws.

    The mean and the spread are those of the other draws; the spread of a gene that hardly moves
    (a low quantile over all genes) is added to the latter, so that no gene stands out by a hair.

    Args:
        scores: Shape ``(B + 1, n)``; which row is the run's does not matter.

    Returns:
        Shape ``(B + 1, n)``.

    Example:
        >>> standing_out(np.array([[9.0, 1], [1, 2], [2, 0], [0, 1]]))[0].round(1).tolist()
        [3.8, 0.0]
    """
    draws = len(scores)
    total, squares = scores.sum(axis=0), (scores**2).sum(axis=0)
    mean = (total - scores) / (draws - 1)
    spread = np.sqrt(np.maximum((squares - scores**2) / (draws - 1) - mean**2, 0))
    floor = float(np.quantile(scores.std(axis=0), FLOOR))
    return np.asarray((scores - mean) / np.maximum(spread + floor, 1e-12))


def target_p(observed: np.ndarray, null: np.ndarray, degree: np.ndarray) -> _Numbers:
    """Give every gene the share of draws, among genes of its degree, that stand out as far.

    Args:
        observed: Scores of the run, shape ``(n,)``.
        null: Scores of the draws, shape ``(B, n)``.
        degree: Number of neighbours, shape ``(n,)``.

    Returns:
        In (0, 1], shape ``(n,)``. If the run is one more draw, the share of genes of a stratum with
        p ≤ α is at most α on average over which draw it is.
    """
    far = standing_out(np.vstack([observed, null]))  # (B + 1, n)
    place = stats.rankdata(degree, method="ordinal") - 1
    count = min(STRATA, max(len(degree) // SMALLEST_STRATUM, 1))
    stratum = (place * count / len(degree)).astype(int)
    found = np.ones(len(degree))
    for number in range(count):
        mine = stratum == number
        pool = np.sort(far[:, mine].ravel())
        above = len(pool) - np.searchsorted(pool, far[0, mine], side="left")
        found[mine] = above / len(pool)
    return found


def ranking_p(observed: float, null: npt.ArrayLike) -> tuple[float, float]:
    """Give the empirical p-value of one number, and that of a t distribution through the draws.

    The empirical one is a rank and holds always, but is at least ``1 / (B + 1)``; the other one
    takes the draws as normal and asks whether one more could be that large.

    Example:
        >>> empirical, normal = ranking_p(0.9, [0.1, 0.2, 0.3, 0.2])
        >>> empirical, round(normal, 4)
        (0.2, 0.0023)
    """
    draws = np.asarray(null, float)
    empirical = (1 + int((draws >= observed).sum())) / (len(draws) + 1)
    if len(draws) < 2 or not draws.std():
        return empirical, float("nan")
    far = (observed - draws.mean()) / (draws.std(ddof=1) * np.sqrt(1 + 1 / len(draws)))
    return empirical, float(stats.t.sf(far, len(draws) - 1))


def q_values(p: np.ndarray) -> _Numbers:
    """Give false discovery rates (Benjamini & Hochberg 1995); NaN stays NaN and does not count.

    Example:
        >>> q_values(np.array([0.01, 0.04, np.nan, 0.5])).round(2).tolist()
        [0.03, 0.06, nan, 0.5]
    """
    found = np.full(len(p), np.nan)
    seen = ~np.isnan(p)
    if seen.any():
        found[seen] = stats.false_discovery_control(p[seen])
    return found


def worst_p(by_null: pd.DataFrame) -> "pd.Series[float]":
    """Take the largest p-value of every gene: it must stand out against each of the nulls.

    Valid without correction, because the claim is that all of them are false (Berger 1982).
    """
    worst: pd.Series[float] = by_null.max(axis=1)
    return worst
