"""How much of a ranking is still there when it is made again?"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.models.accuracy import accuracy, rank_correlation
from aimwell.trust.check import Check

GROUP: Final = "stability"
#: Weight that rank-biased overlap hands on from rank to rank: the first 100 carry 86 % of it.
PERSISTENCE: Final = 0.98
_Ranks = npt.NDArray[np.int64]


def ranks_of(scores: np.ndarray) -> _Ranks:
    """Rank from 1, best first, along the last axis; equal scores keep the order of their genes."""
    order = np.argsort(-np.round(scores, 9), axis=-1, kind="stable")
    ranks = np.empty(scores.shape, np.int64)
    np.put_along_axis(ranks, order, np.arange(1, scores.shape[-1] + 1), axis=-1)
    return ranks


def rank_interval(ranks: np.ndarray, level: float = 0.9) -> tuple[np.ndarray, np.ndarray]:
    """Give the central interval of every gene's ranks, by order statistics.

    Args:
        ranks: Shape ``(draws, n)``.
        level: Share of draws inside; with few draws the interval is their range.
    """
    tail = (1 - level) / 2
    low = np.quantile(ranks, tail, axis=0, method="lower")
    high = np.quantile(ranks, 1 - tail, axis=0, method="higher")
    return low.astype(np.int64), high.astype(np.int64)


def top_overlap(one: np.ndarray, other: np.ndarray, k: int) -> float:
    """Share of the first ``k`` genes that two rankings have in common.

    Example:
        >>> top_overlap(np.array([1, 2, 3, 4]), np.array([1, 3, 2, 4]), 2)
        0.5
    """
    return float(((one <= k) & (other <= k)).sum() / k)


def rank_biased_overlap(
    one: np.ndarray, other: np.ndarray, persistence: float = PERSISTENCE
) -> float:
    """Agreement of two complete rankings in which early ranks weigh more (Webber et al. 2010).

    Args:
        one, other: Ranks from 1, without ties, shape ``(n,)``.
        persistence: In (0, 1); the nearer to 1, the deeper it looks.

    Example:
        >>> ranks = np.arange(1, 500)
        >>> round(rank_biased_overlap(ranks, ranks), 6)
        1.0
    """
    n = len(one)
    # a gene is common to both from the later of its two ranks on
    joined = np.bincount(np.maximum(one, other), minlength=n + 1)[1:]
    depth = np.arange(1, n + 1)
    agreement = np.cumsum(joined) / depth
    weight = (1 - persistence) * persistence ** (depth - 1.0)
    return float((weight * agreement).sum() / weight.sum())


def nogueira_stability(ranks: np.ndarray, k: int) -> float:
    """Stability of the first ``k`` over several rankings, corrected for chance.

    1 where all agree, 0 on average for rankings at random; comparable between numbers of genes
    (Nogueira, Sechidis & Brown 2018).

    Args:
        ranks: Shape ``(draws, n)``, at least two draws.
        k: Size of the list, below ``n``.

    Example:
        >>> nogueira_stability(np.array([[1, 2, 3, 4], [1, 2, 4, 3], [2, 1, 3, 4]]), 2)
        1.0
    """
    draws, n = ranks.shape
    share = (ranks <= k).mean(axis=0)
    variance = draws / (draws - 1) * share * (1 - share)
    return float(1 - variance.mean() / (k / n * (1 - k / n)))


def agreement_checks(
    name: str, base: np.ndarray, again: Sequence[np.ndarray], k: int, what: str
) -> list[Check]:
    """Compare the ranking with others that should be the same.

    Args:
        name: Of the comparison, for the names of the checks.
        base: Scores of the run, shape ``(n,)``.
        again: Scores of the others, at least one.
        k: Size of the top.
        what: What was done, for the reader.
    """
    first = ranks_of(base)
    others = [ranks_of(scores) for scores in again]
    k = min(k, max(len(base) // 10, 1))
    overlaps = [top_overlap(first, r, k) for r in others]
    biased = [rank_biased_overlap(first, r) for r in others]
    rho = [rank_correlation(base, scores) for scores in again]
    said = f"{what}, mean over {len(others)}" if len(others) > 1 else what
    limit = {"top_overlap": 0.8 if name != "seeds" else 0.9}
    found = [
        Check(
            f"top_overlap: {name}",
            float(np.mean(overlaps)),
            f">= {limit['top_overlap']}",
            bool(np.mean(overlaps) >= limit["top_overlap"]),
            f"share of the first {k} genes that stay among them: {said}",
            (float(min(overlaps)), float(max(overlaps))),
            GROUP,
        ),
        Check(
            f"rank_biased_overlap: {name}",
            float(np.mean(biased)),
            meaning=f"agreement of the whole ranking in which early ranks weigh more: {said}",
            group=GROUP,
        ),
        Check(
            f"rank_correlation: {name}",
            float(np.mean(rho)),
            meaning=f"Spearman correlation of the scores of all genes: {said}",
            group=GROUP,
        ),
    ]
    if len(others) > 1:
        ranks = np.vstack([first, *others])
        found.append(
            Check(
                f"chance_corrected_stability: {name}",
                nogueira_stability(ranks, k),
                ">= 0.75",
                nogueira_stability(ranks, k) >= 0.75,
                f"stability of the first {k} genes, 0 for chance and 1 for the same list "
                f"(Nogueira 2018; from .75 on excellent): {said}",
                group=GROUP,
            )
        )
    return found


def coverage_check(width: np.ndarray, coverage: np.ndarray) -> Check:
    """Are ranks stable because a gene was measured, or because nothing was measured?

    Args:
        width: Width of the rank interval over subjects drawn again, shape ``(n,)``.
        coverage: Share of layers that saw the gene, shape ``(n,)``.
    """
    meaning = (
        "Spearman correlation of how little a rank moves over subjects drawn again and the share "
        "of layers that saw the gene; far below 0, genes look stable for want of data"
    )
    if np.ptp(coverage) == 0 or np.ptp(width) == 0:
        return Check("stability_and_coverage", None, ">= -0.3", None, meaning, group=GROUP)
    rho = rank_correlation(-width, coverage)
    return Check("stability_and_coverage", rho, ">= -0.3", rho >= -0.3, meaning, group=GROUP)


def left_out_table(
    base: np.ndarray, variants: dict[str, np.ndarray], known: np.ndarray, k: int
) -> pd.DataFrame:
    """Say what each layer, source or relation adds: in accuracy, and in rank changes.

    Args:
        base: Scores with everything, from as many networks as the variants, shape ``(n,)``.
        variants: What was left out → scores without it, shape ``(n,)``.
        known: True for known targets, shape ``(n,)``; without any, accuracy is NaN.
        k: Size of the top.

    Returns:
        One row each: ``left_out``, ``average_precision`` and ``auroc`` without it,
        ``adds_average_precision`` and ``adds_auroc`` (with minus without), ``top_overlap``,
        ``rank_correlation``, ``median_rank_change`` of the first ``k``.
    """
    nothing = (float("nan"), float("nan"))
    precision, area = accuracy(known, base) if known.any() else nothing
    first = ranks_of(base)
    k = min(k, max(len(base) // 10, 1))
    rows = []
    for name, scores in variants.items():
        without = accuracy(known, scores) if known.any() else nothing
        ranks = ranks_of(scores)
        top = first <= k
        rows.append(
            {
                "left_out": name,
                "average_precision": without[0],
                "auroc": without[1],
                "adds_average_precision": precision - without[0],
                "adds_auroc": area - without[1],
                "top_overlap": top_overlap(first, ranks, k),
                "rank_correlation": rank_correlation(base, scores),
                "median_rank_change": float(np.median(np.abs(ranks - first)[top])),
            }
        )
    return pd.DataFrame(rows)
