"""Which scorer to use: the simplest one within one standard error of the best."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

RULE: Final = (
    "the simplest scorer whose average precision is within one standard error of the best; the "
    "error is that of the difference between the two, over families of known targets"
)


@dataclass(frozen=True)
class Recommendation:
    """Which scorer to use, by the rule of one standard error.

    Attributes:
        scorer: Name of the recommended scorer.
        best: Scorer with the highest average precision.
        network: Name of the network among the scorers.
        known: Known targets that were counted.
        families: Gene families that they come from.
        scorers: One row per scorer, from simple to complex, the network last:
            ``average_precision``, its ``standard_error``, the ``lead`` of the best scorer over it,
            the ``lead_error`` of that, and whether it is ``as_good``.
        sentence: The recommendation in plain words.
        rule: How it was found.
    """

    scorer: str
    best: str
    network: str
    known: int
    families: int
    scorers: pd.DataFrame
    sentence: str
    rule: str = RULE

    @property
    def is_network(self) -> bool:
        """Whether the network is what should be used."""
        return self.scorer == self.network


def recommend(
    scorers: pd.DataFrame,
    known: "pd.Series[bool]",
    families: "pd.Series[str]",
    network: str = "network",
) -> Recommendation:
    """Choose the simplest scorer that is within one standard error of the best.

    The standard errors are jackknives: average precision is worked out again without each family
    of known targets in turn (Efron & Tibshirani 1993, chapter 11). So a lead is judged by its own
    error, in which what two scorers have in common cancels; a target that lifts those below it
    counts as one, not as many; and relatives, which rise and fall together, are one observation.

    Args:
        scorers: One column of scores per scorer, from simple to complex, indexed by gene; higher
            is better.
        known: True for the genes to find; genes missing here are left out.
        families: Family of every gene.
        network: The column that is no baseline; it counts as the most complex.

    Example:
        >>> genes = [f"g{i}" for i in range(40)]
        >>> known = pd.Series([i < 8 for i in range(40)], genes)
        >>> scores = {"network": [-i for i in range(40)], "degree": [i % 7 for i in range(40)]}
        >>> found = recommend(pd.DataFrame(scores, genes), known, pd.Series(genes, genes))
        >>> found.scorer, found.families, float(found.scorers.loc["network", "average_precision"])
        ('network', 8, 1.0)
    """
    order = [c for c in map(str, scorers.columns) if c != network]
    order += [network] if network in scorers.columns else []
    table = scorers[order].reindex(known.index)
    truth = known.to_numpy(bool)
    codes, names = pd.factorize(families.reindex(known.index[truth]).to_numpy(), sort=True)
    precision, left = {}, {}
    for name in order:
        precision[name], left[name] = without_each(table[name].to_numpy(float), truth, codes)
    best = max(order, key=lambda name: precision[name])
    rows = (
        pd.DataFrame(
            {
                "average_precision": precision,
                "standard_error": {n: jackknife_error(left[n]) for n in order},
                "lead": {n: precision[best] - precision[n] for n in order},
                "lead_error": {n: jackknife_error(left[best] - left[n]) for n in order},
            }
        )
        .loc[order]
        .rename_axis("scorer")
    )
    rows["as_good"] = (rows["lead"] <= rows["lead_error"]) | (rows.index == best)
    chosen = str(rows.index[rows["as_good"]][0])
    sentence = _sentence(rows, chosen, best, network, len(names))
    return Recommendation(chosen, best, network, int(truth.sum()), len(names), rows, sentence)


def without_each(
    scores: np.ndarray, truth: np.ndarray, groups: np.ndarray
) -> tuple[float, np.ndarray]:
    """Give the average precision, and that without each group of positives in turn.

    Args:
        scores: Shape ``(n,)``; higher is earlier. Ties are one step.
        truth: True for the positives, shape ``(n,)``.
        groups: Group of every positive from 0, shape ``(positives,)``.

    Returns:
        The average precision, and one per group, shape ``(groups,)``.
    """
    score = np.where(np.isnan(scores), -np.inf, scores)
    at = -score[truth]
    every = np.searchsorted(np.sort(-score), at, "right")
    hits = np.searchsorted(np.sort(at), at, "right")
    left = np.full(int(groups.max()) + 1, np.nan)
    for group in range(len(left)):
        mine = groups == group
        if mine.all():
            continue
        gone = np.searchsorted(np.sort(at[mine]), at[~mine], "right")
        left[group] = np.mean((hits[~mine] - gone) / (every[~mine] - gone))
    return float(np.mean(hits / every)), left


def jackknife_error(left: np.ndarray) -> float:
    """Standard error from the estimates without each of several groups; NaN for fewer than two."""
    count = len(left)
    if count < 2:
        return float("nan")
    return float(np.sqrt((count - 1) / count * np.sum((left - left.mean()) ** 2)))


def _sentence(rows: pd.DataFrame, chosen: str, best: str, network: str, families: int) -> str:
    precision = rows["average_precision"]

    def with_value(name: str) -> str:
        return f"{name} ({precision[name]:.3f})"

    def lead_over(name: str) -> str:
        return (
            f"{rows['lead'][name]:.3f} with a standard error of {rows['lead_error'][name]:.3f} "
            f"over {families} families of known targets"
        )

    others = precision.drop(index=[n for n in (network,) if n in rows.index])
    if chosen == network:
        if others.empty:
            return (
                f"The network scores {precision[network]:.3f}; no baseline was measured beside it."
            )
        runner = str(others.idxmax())
        return (
            f"The network finds known targets best: average precision {precision[network]:.3f}, "
            f"more than one standard error above every baseline. Next is {with_value(runner)}; the "
            f"lead is {lead_over(runner)}."
        )
    if best == network:
        return (
            f"The network has the highest average precision ({precision[network]:.3f}), but does "
            f"not beat the ladder for certain: its lead over {with_value(chosen)} is "
            f"{lead_over(chosen)}. By the rule of one standard error prefer that simpler column "
            "of targets.tsv."
        )
    beaten = f"{precision[network]:.3f}" if network in precision.index else "not measured"
    if chosen == best:
        return (
            f"The network (average precision {beaten}) does not beat the ladder: use "
            f"{with_value(best)}, a column of targets.tsv."
        )
    return (
        f"The network (average precision {beaten}) does not beat the ladder: the best scorer is "
        f"{with_value(best)}, whose lead over {with_value(chosen)} is {lead_over(chosen)}. By the "
        "rule of one standard error prefer that simplest column of targets.tsv."
    )
