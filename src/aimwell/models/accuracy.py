"""How well scores tell known targets from the rest, hubs and study intensity held equal."""

from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import rankdata, spearmanr, t
from sklearn.metrics import average_precision_score, roc_auc_score

STRATA: Final = 10


def accuracy(truth: np.ndarray, scores: np.ndarray) -> tuple[float, float]:
    """Give average precision and AUROC; ties count as ties.

    Args:
        truth: True for what should come first, shape ``(n,)``.
        scores: Higher is earlier, shape ``(n,)``.
    """
    return float(average_precision_score(truth, scores)), float(roc_auc_score(truth, scores))


def matched_auroc(
    truth: np.ndarray, scores: np.ndarray, held_equal: np.ndarray, strata: int = STRATA
) -> float:
    """AUROC over the pairs of a positive and a negative in the same quantile of something else.

    Args:
        truth: True for positives, shape ``(n,)``.
        scores: Shape ``(n,)``.
        held_equal: What the pairs must share, such as the degree, shape ``(n,)``.
        strata: Number of quantiles of ``held_equal`` over these genes.

    Returns:
        The share of such pairs in the right order, a tie counting half; NaN without any pair.

    Example:
        >>> truth, degree = np.array([1, 0, 1, 0], bool), np.array([9, 9, 1, 1.0])
        >>> matched_auroc(truth, degree, degree, strata=2)
        0.5
    """
    place = rankdata(held_equal, method="average") - 0.5
    stratum = np.minimum((place * strata / len(truth)).astype(int), strata - 1)
    right = pairs = 0.0
    for number in range(strata):
        inside = stratum == number
        positive, negative = int(truth[inside].sum()), int((~truth[inside]).sum())
        if positive and negative:
            right += positive * negative * roc_auc_score(truth[inside], scores[inside])
            pairs += positive * negative
    return right / pairs if pairs else float("nan")


def rank_correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Spearman correlation; NaN where one of both is the same everywhere.

    Example:
        >>> rank_correlation(np.array([1.0, 2, 4]), np.array([1.0, 3, 9]))
        1.0
        >>> rank_correlation(np.array([1.0, 2, 4]), np.ones(3))
        nan
    """
    if len(one) < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return float("nan")
    return float(spearmanr(one, other).statistic)


def paired_interval(
    differences: np.ndarray, test_share: float, level: float = 0.95
) -> tuple[float, float, float]:
    """Mean difference over folds with its interval, corrected for training sets that overlap.

    Args:
        differences: One per fold, shape ``(k,)``.
        test_share: Test genes over training genes of a fold.
        level: Of the interval.

    Returns:
        Mean, low, high. The variance is multiplied by ``1/k + test_share`` (Nadeau & Bengio 2003).

    Example:
        >>> mean, low, high = paired_interval(np.array([0.1, 0.2, 0.3]), 0.25)
        >>> round(mean, 2), round(low, 3), round(high, 3)
        (0.2, -0.129, 0.529)
    """
    k = len(differences)
    mean = float(np.mean(differences))
    if k < 2:
        return mean, float("nan"), float("nan")
    error = np.sqrt(np.var(differences, ddof=1) * (1 / k + test_share))
    reach = float(t.ppf(0.5 + level / 2, k - 1) * error)
    return mean, mean - reach, mean + reach


def standard_scores(counts: pd.DataFrame) -> "pd.Series[float]":
    """Mean z-score over columns of log counts: how intensely a gene is studied."""
    logs = np.log1p(counts.astype(float))
    spread = logs.std().replace(0, 1)
    scores: pd.Series[float] = ((logs - logs.mean()) / spread).mean(axis=1)
    return scores
