"""Explain targets: attributions of the ensemble, put into words and a subgraph."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.config import ExplainSettings
from aimwell.errors import TaskError
from aimwell.explain.attribution import Attribution, SharedPath
from aimwell.explain.explanation import Explanation
from aimwell.explain.subgraph import grow_subgraph
from aimwell.explain.wording import sentence_for
from aimwell.knowledge.graph import GENE
from aimwell.models.task import TargetTask
from aimwell.models.training import Member

KNOWN: Final = "known targets"
KEPT: Final = 200  # nodes and edges that are listed one by one; the shares hold all of them


def explain_targets(
    task: TargetTask,
    members: Sequence[Member],
    evidence: Evidence,
    genes: pd.Index,
    settings: ExplainSettings,
) -> list[Explanation]:
    """Explain genes by the networks that never saw their labels.

    Args:
        task: Graph, features, labels and folds.
        members: The ensemble; a gene is explained by the members of its own fold.
        evidence: For the direction of change in the sentences.
        genes: HGNC ids, in the order of the result.
        settings: Steps along the path and size of the subgraphs.

    Raises:
        TaskError: A gene that is not in the graph, or whose fold has no network.
    """
    positions = task.positions(genes)
    found: dict[int, Explanation] = {}
    for fold in np.unique(task.folds[positions]):
        mine = sorted(
            (m for m in members if m.unit.fold == fold), key=lambda member: member.unit.repeat
        )
        if not mine:
            raise TaskError(f"no network was fitted without fold {fold}; fit it before explaining")
        paths = [SharedPath(task, m, steps=settings.steps) for m in mine]
        for position in positions[task.folds[positions] == fold]:
            parts = [path.attribute(int(position)) for path in paths]
            found[int(position)] = _explain(task, evidence, int(position), parts, settings)
    return [found[int(p)] for p in positions]


def _explain(
    task: TargetTask,
    evidence: Evidence,
    position: int,
    parts: Sequence[Attribution],
    settings: ExplainSettings,
) -> Explanation:
    gene = str(task.genes[position])
    names = [*(b.name for b in task.blocks), KNOWN]
    per_node = np.mean(
        [np.stack([f.sum(axis=1) for f in part.features], axis=1) for part in parts], axis=0
    )  # (n, blocks)
    nodes = pd.DataFrame(per_node, index=task.genes, columns=names)
    edges = _edges(task, parts)
    score = float(np.mean([p.score for p in parts]))
    baseline = float(np.mean([p.baseline_score for p in parts]))
    shares = _shares(task, nodes, edges, gene, score, baseline)
    strength = nodes.sum(axis=1)
    inside = grow_subgraph(gene, strength, edges, max_nodes=settings.max_nodes)
    drawn = edges["source_id"].isin(inside) & edges["target_id"].isin(inside)
    table = _named_nodes(task, nodes, inside, edges.loc[drawn])
    subgraph_edges = edges.loc[drawn].reset_index(drop=True)
    listed = edges["attribution"].abs().sort_values(ascending=False, kind="stable").index[:KEPT]
    return Explanation(
        gene=gene,
        symbol=str(task.graph.symbols[gene]),
        score=score,
        baseline_score=baseline,
        shares=shares,
        nodes=table,
        edges=edges.loc[sorted(listed)].reset_index(drop=True),
        subgraph_nodes=inside,
        subgraph_edges=subgraph_edges,
        sentence=sentence_for(task, evidence, gene, score, shares, nodes, inside),
        completeness_error=abs(
            float(np.mean([_total(p) - (p.score - p.baseline_score) for p in parts]))
        ),
        spread={
            "score": float(np.std([p.score for p in parts])),
            "members": float(len(parts)),
        },
    )


def _total(part: Attribution) -> float:
    return sum(float(a.sum()) for a in (*part.features, *part.arcs))


def _edges(task: TargetTask, parts: Sequence[Attribution]) -> pd.DataFrame:
    """Sum the attributions of all arcs of an edge; keep the edges that carry any."""
    wiring = task.wiring
    total = np.zeros(len(wiring.edges))
    for number, operator in enumerate(wiring.operators):
        mean = np.mean([p.arcs[number] for p in parts], axis=0)
        total += np.bincount(operator.edge, weights=mean, minlength=len(total))
    carrying = np.flatnonzero(total)
    table = wiring.edges.iloc[carrying].copy()
    table.insert(4, "attribution", total[carrying])
    return table.reset_index(drop=True)


def _shares(
    task: TargetTask,
    nodes: pd.DataFrame,
    edges: pd.DataFrame,
    gene: str,
    score: float,
    baseline: float,
) -> dict[str, float]:
    """Split the score into parts that add up to it.

    Along the straight path a message is a product of a feature and its edges, and each takes an
    equal part of it: ``interactions`` and ``pathways and complexes`` are what the edges
    themselves are worth, the neighbours' shares what flows along them.
    """
    shares = {}
    described = any(b.kind == "features" for b in task.blocks)
    for kind in ("rna", "protein", *(["features"] if described else [])):
        columns = [b.name for b in task.blocks if b.kind == kind]
        own = float(nodes.loc[[gene], columns].to_numpy().sum())
        shares[f"own {kind}"] = own
        shares[f"neighbours' {kind}"] = float(nodes[columns].to_numpy().sum()) - own
    shares["known-target neighbours"] = float(nodes[KNOWN].sum())
    direct = {r.name for r in task.graph.gene_relations()}
    is_direct = edges["relation"].isin(direct)
    shares["interactions"] = float(edges.loc[is_direct, "attribution"].sum())
    shares["pathways and complexes"] = float(edges.loc[~is_direct, "attribution"].sum())
    shares["graph bias"] = float(nodes["graph"].sum())
    shares["starting point"] = baseline
    shares["rounding"] = score - sum(shares.values())
    return shares


def _named_nodes(
    task: TargetTask, nodes: pd.DataFrame, inside: tuple[str, ...], drawn: pd.DataFrame
) -> pd.DataFrame:
    """List the nodes that matter most and all of the subgraph, genes and sets, with names."""
    strength = nodes.sum(axis=1)
    listed = strength.abs().sort_values(ascending=False, kind="stable").index[:KEPT]
    genes = [str(g) for g in sorted({*listed, *(i for i in inside if i in nodes.index)})]
    table = nodes.loc[genes].copy()
    table.insert(0, "attribution", strength.loc[genes])
    table.insert(0, "type", GENE)
    table.insert(0, "symbol", task.graph.symbols.loc[genes])
    sets = [i for i in inside if i not in nodes.index]
    kinds = {str(name): str(kind) for kind, name in task.wiring.set_ids}
    for name in sets:
        kind = kinds[name]
        at = (drawn["source_id"] == name) | (drawn["target_id"] == name)
        row = dict.fromkeys(nodes.columns, 0.0) | {
            "symbol": str(task.graph.nodes[kind].loc[name, "name"]),
            "type": kind,
            "attribution": float(drawn.loc[at, "attribution"].sum()),
        }
        table.loc[name] = pd.Series(row)
    return table
