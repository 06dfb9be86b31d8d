"""The hardest test of a subgraph: networks that are trained without it."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from aimwell.config import ModelSettings
from aimwell.explain.explanation import Subgraph
from aimwell.knowledge.graph import TargetGraph
from aimwell.models.fitting import fit_member
from aimwell.models.member import Unit
from aimwell.models.task import TargetTask
from aimwell.models.wiring import build_wiring


def retrained_without(
    task: TargetTask,
    gene: str,
    subgraph: Subgraph,
    settings: ModelSettings,
    *,
    seed: int,
    draws: int = 2,
) -> dict[str, float]:
    """Fit the networks of a gene's fold anew on graphs without some edges, and score the gene.

    Args:
        task: Graph, features, labels and folds.
        gene: HGNC id.
        subgraph: Its edges are taken out; against it, as many edges of the gene's relations drawn
            at random.
        settings: Of the networks; ``seeds`` of them are fitted per graph.
        seed: Of the networks and of the draw.
        draws: Random graphs to compare with.

    Returns:
        ``whole``, ``without`` the subgraph, and ``random``: the mean score of the gene. It is lower
        without the subgraph only if nothing else in the graph says the same.
    """
    fold = int(task.folds[task.positions(pd.Index([gene]))[0]])
    rng = np.random.default_rng(seed)
    keys = ["source_id", "target_id", "relation"]
    taken = set(subgraph.edges[keys].itertuples(index=False, name=None))
    counts = subgraph.edges["relation"].value_counts()
    random = []
    for _ in range(draws):
        drawn: set[tuple[str, str, str]] = set()
        for relation, number in counts.items():
            edges = task.graph.relations[str(relation)].edges
            rows = edges.iloc[rng.choice(len(edges), int(number), replace=False)]
            drawn |= set(
                rows.assign(relation=str(relation))[keys].itertuples(index=False, name=None)
            )
        random.append(_score(_less(task, drawn), gene, fold, settings, seed))
    return {
        "whole": _score(task, gene, fold, settings, seed),
        "without": _score(_less(task, taken), gene, fold, settings, seed),
        "random": float(np.mean(random)),
    }


def _less(task: TargetTask, gone: set[tuple[str, str, str]]) -> TargetTask:
    relations = {}
    for name, relation in task.graph.relations.items():
        edges = relation.edges
        pairs = zip(edges["source_id"], edges["target_id"], strict=True)
        kept = np.array([(a, b, name) not in gone for a, b in pairs], dtype=bool)
        relations[name] = replace(relation, edges=edges[kept].reset_index(drop=True))
    graph = TargetGraph(task.graph.nodes, relations, task.graph.sources, task.graph.steps)
    corrected = task.wiring.degree_corrected
    wiring = build_wiring(graph, task.genes, degree_corrected=corrected)
    return replace(task, graph=graph, wiring=wiring)


def _score(task: TargetTask, gene: str, fold: int, settings: ModelSettings, seed: int) -> float:
    place = int(task.positions(pd.Index([gene]))[0])
    members: Sequence[float] = [
        float(fit_member(task, Unit(fold, r), settings, seed).scores[place])
        for r in range(settings.seeds)
    ]
    return float(np.mean(members))
