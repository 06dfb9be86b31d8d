"""The benchmark of cancer genes on folds that no relative crosses.

The published folds are drawn gene by gene, so that a paralogue or a subunit of the same complex can
stand in training. Here whole gene families, joined where they share a complex, are dealt: as many
known targets and as many labelled genes in every fold.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from aimwell.bench.bars import Bar, bar
from aimwell.bench.cancer_genes import BLEND, NETWORK, Scored, fold_metrics, score_task
from aimwell.knowledge.graph import GENE, TargetGraph
from aimwell.models.folds import family_folds, joined_by_complexes
from aimwell.models.given_ladder import REGRESSION
from aimwell.models.task import TargetTask
from aimwell.pipeline.workers import one_thread

LIMIT: Final = ">= 0.85"
_WHAT: Final = "cancer genes, families and complexes whole"


def groups_of(companion: TargetGraph, genes: pd.Index) -> "pd.Series[str]":
    """Give the family, joined by complexes, of every gene of the tables, by symbol.

    Args:
        companion: With gene families and complexes.
        genes: Symbols; one that the graph does not have is a family of its own.
    """
    families = companion.nodes[GENE]["family"].astype(str).sort_index()
    joined, _ = joined_by_complexes(companion, families)
    symbols = companion.symbols.reindex(joined.index)
    by_symbol = pd.Series(joined.to_numpy(), index=pd.Index(symbols.astype(str)))
    by_symbol = by_symbol[~by_symbol.index.duplicated(keep=False)]
    own = pd.Series(genes.astype(str), index=genes)
    return by_symbol.reindex(genes).fillna(own).astype(str)


def grouped(task: TargetTask, groups: "pd.Series[str]", seed: int) -> TargetTask:
    """Deal the labelled genes of a task into as many folds again, whole groups at a time."""
    labelled = task.folds >= 0
    k = int(task.folds.max()) + 1
    inside = groups[labelled]
    folds = np.full(len(task.genes), -1, np.int64)
    folds[labelled] = family_folds(inside, task.genes[task.labels == 1], k, seed)
    return replace(task, folds=folds)


def grouped_bars(
    task: TargetTask, companion: TargetGraph, counts: pd.DataFrame, seeds: int, seed: int
) -> Iterator[Bar]:
    """Measure network and ladder on such folds.

    Args:
        task: Of the lean track, with the published folds.
        companion: The graph beside the tables.
        counts: How often a gene is in each relation.
        seeds: Networks per fold.
        seed: Of the folds; settings were chosen on published folds only.
    """
    groups = groups_of(companion, task.genes)
    dealt = grouped(task, groups, seed)
    labelled = dealt.folds >= 0
    crossing = pd.Series(dealt.folds[labelled]).groupby(groups[labelled].to_numpy()).nunique()
    yield bar(f"{_WHAT}: groups in two folds", float((crossing > 1).sum()), "", "== 0")
    yield bar(f"{_WHAT}: genes of the largest group", float(groups.value_counts().max()))
    targets = np.bincount(dealt.folds[dealt.labels == 1])
    yield bar(f"{_WHAT}: fewest known targets of a fold over most", targets.min() / targets.max())
    with one_thread():
        scored: Scored = score_task(dealt, "lean", seeds)
    table = fold_metrics([scored], counts, pd.Index([]))
    mean = table.groupby("scorer", sort=False).mean(numeric_only=True)
    for scorer in (NETWORK, BLEND, REGRESSION):
        limit = LIMIT if scorer == NETWORK else ""
        yield bar(
            f"{_WHAT}: average precision, {scorer}",
            float(mean["average precision"][scorer]),
            "",
            limit,
        )
        yield bar(f"{_WHAT}: AUROC, {scorer}", float(mean["AUROC"][scorer]))
