"""Which targets stand on one family of known targets?

Relatives are one finding, counted several times: a gene that binds five receptors of one family has
one reason to be a target. So each family is hidden in turn, and the worst place of every gene says
how much of its rank that one finding is.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd

from aimwell.models.accuracy import rank_correlation
from aimwell.models.hidden_families import known_families, scores_without
from aimwell.models.member import Member
from aimwell.models.ranking import Ranking
from aimwell.models.task import TargetTask
from aimwell.trust.check import Check
from aimwell.trust.stability import GROUP, ranks_of, top_overlap
from aimwell.trust.tiers import SUPPORTED_SHARE
from aimwell.trust.variants import out_of_fold

#: Fall of a score, in standard deviations, that is no rounding.
FELT: Final = 1e-3
#: Genes of the top.
FIRST: Final = 100
#: Targets that a check names.
NAMED: Final = 4
GENE_COLUMNS: Final = ("rank_without_family", "score_without_family", "decisive_family")


def hide_families(task: TargetTask, members: Sequence[Member]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Hide each family of known targets from the networks of a run.

    Returns:
        The tables of ``without_each_family`` and of ``family_table``; the first without a column
        and the second without a row where nothing was learned from known targets.
    """
    known, scores = known_families(task), out_of_fold(task, members)
    hidden = scores_without(task, members, known)
    if not hidden:
        return pd.DataFrame(index=task.genes), family_table(scores, {}, {})
    return (
        without_each_family(task.genes, scores, hidden),
        family_table(scores, hidden, known),
    )


def without_each_family(
    genes: pd.Index, scores: np.ndarray, hidden: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Give every gene its worst place among rankings with one family hidden each.

    Only families without which its score falls count: that others rise is not its loss.

    Args:
        genes: HGNC ids, shape ``(n,)``.
        scores: Of the run, out of fold, shape ``(n,)``.
        hidden: Family → scores without its known targets, shape ``(n,)``.

    Returns:
        Indexed by gene: ``rank_without_family``, the worst rank; ``score_without_family``, the
        score there; ``decisive_family``, the family that is hidden there. Where no family takes
        anything from a gene, its own rank and score, and an empty name.

    Example:
        >>> hidden = {"kinases": np.array([0.0, 2, 1])}
        >>> found = without_each_family(pd.Index(["a", "b", "c"]), np.array([3.0, 2, 1]), hidden)
        >>> found["rank_without_family"].tolist()
        [3, 2, 3]
        >>> found["decisive_family"].tolist()
        ['kinases', '', '']
    """
    rank, score = ranks_of(scores), scores.astype(float)
    name = np.full(len(genes), "", dtype=object)
    for family in sorted(hidden):
        now = hidden[family]
        ranks = ranks_of(now)
        worse = (ranks > rank) | ((ranks == rank) & (now < score))
        at = worse & (scores - now > FELT)
        rank, score = np.where(at, ranks, rank), np.where(at, now, score)
        name[at] = family
    columns = dict(zip(GENE_COLUMNS, (rank, score, name), strict=True))
    return pd.DataFrame(columns, index=genes).astype({"decisive_family": str})


def family_table(
    scores: np.ndarray, hidden: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """Say what each family carries of the ranking.

    Args:
        scores, hidden: As for ``without_each_family``.
        known: Family → True for its known targets, shape ``(n,)``.

    Returns:
        One row per family, the one that carries most first: ``family``, ``known_targets``,
        ``top_overlap`` of the first genes with and without it, ``rank_correlation`` of all scores,
        and how many of the first genes ``leave`` the best tenth.
    """
    first, k = ranks_of(scores), _size(len(scores))
    top = first <= k
    rows = []
    for family in sorted(hidden):
        ranks = ranks_of(hidden[family])
        rows.append(
            {
                "family": family,
                "known_targets": int(known[family].sum()),
                "top_overlap": top_overlap(first, ranks, k),
                "rank_correlation": rank_correlation(scores, hidden[family]),
                "leave": int((top & (ranks > SUPPORTED_SHARE * len(scores))).sum()),
            }
        )
    columns = ["family", "known_targets", "top_overlap", "rank_correlation", "leave"]
    table = pd.DataFrame(rows, columns=columns)
    return table.sort_values(["top_overlap", "family"], ignore_index=True)


def family_checks(ranking: Ranking, genes: pd.DataFrame, families: pd.DataFrame) -> list[Check]:
    """Say how much of the top stands on one family of known targets.

    Args:
        ranking: Of the run.
        genes: Of ``without_each_family``.
        families: Of ``family_table``; empty where nothing was learned from known targets.
    """
    if families.empty:
        return []
    table, n = ranking.table, len(ranking.table)
    k, count = _size(n), len(families)
    top = table.nsmallest(k, "rank").join(genes)
    fallen = top[top["rank_without_family"] > SUPPORTED_SHARE * n]
    named = [
        f"{symbol} ({rank:,} to {worst:,} without {family})"
        for symbol, rank, worst, family in fallen.head(NAMED)[
            ["symbol", "rank", "rank_without_family", "decisive_family"]
        ].itertuples(index=False)
    ]
    more = [f"{len(fallen) - NAMED} more"] if len(fallen) > NAMED else []
    what = f": {', '.join([*named, *more])}" if named else ""
    share, overlap = len(fallen) / k, families["top_overlap"]
    return [
        Check(
            "stands_on_one_family",
            share,
            "<= 0.05",
            share <= 0.05,
            f"share of the first {k} genes that leave the best {SUPPORTED_SHARE:.0%} when one of "
            f"{count} families of known targets is hidden{what}",
            group=GROUP,
        ),
        Check(
            "top_overlap: families",
            float(overlap.mean()),
            ">= 0.8",
            bool(overlap.mean() >= 0.8),
            f"share of the first {k} genes that stay among them when one family of known targets "
            f"is hidden, mean over {count}; least without {families['family'].iloc[0]}",
            (float(overlap.min()), float(overlap.max())),
            GROUP,
        ),
    ]


def _size(genes: int) -> int:
    return min(FIRST, max(genes // 10, 1))
