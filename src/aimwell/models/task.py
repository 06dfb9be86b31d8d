"""The learning task: graph, evidence, labels and folds on integer positions.

This is the only place where genes become positions; everything before and after is keyed by id.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.errors import LabelError, TaskError, some
from aimwell.knowledge.graph import GENE, Relation, TargetGraph
from aimwell.knowledge.labels import KnownTargets
from aimwell.models.folds import family_folds
from aimwell.models.propagate import SparseOperator, build_operator
from aimwell.provenance import Step

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

CLIP: Final = 3.0
EVIDENCE_FEATURES: Final = ("z", "abs_z", "effect", "abs_effect")


@dataclass(frozen=True)
class Block:
    """One block of node features: its kind, its columns, its values.

    ``values`` has shape ``(n, d)``, float32, standardised over the observed genes without looking
    at labels and clipped to ±3; a missing value is 0, the average gene.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    values: np.ndarray


@dataclass(frozen=True)
class Channel:
    """One way in which messages travel between genes.

    Attributes:
        name: ``interacts``, ``activates``, ``activates reversed``, ``member_of`` …
        relation: The relation of the graph behind it.
        operators: One gene → gene operator, or gene → set and set → gene.
        through: Node type of the sets in between, or empty.
    """

    name: str
    relation: str
    operators: tuple[SparseOperator, ...]
    through: str = ""


@dataclass(frozen=True)
class TargetTask:
    """Everything a network needs, aligned on one sorted list of genes.

    Attributes:
        graph: The graph, for names and provenance.
        genes: HGNC ids, sorted, shape ``(n,)``.
        blocks: Feature blocks; the last one is ``graph`` with the log degree.
        channels: Message channels with fixed normalisation.
        labels: 1 known, 0 unlabelled, shape ``(n,)``, int8.
        folds: Fold of every gene, shape ``(n,)``.
        families: Gene family of every gene.
        steps: What was left out and why.

    Raises:
        TaskError: A gene family in two folds, or shapes that differ.
    """

    graph: TargetGraph
    genes: pd.Index
    blocks: tuple[Block, ...]
    channels: tuple[Channel, ...]
    labels: np.ndarray
    folds: np.ndarray
    families: "pd.Series[str]"
    steps: tuple[Step, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        n = len(self.genes)
        if any(len(b.values) != n for b in self.blocks) or len(self.labels) != n:
            raise TaskError("features, labels and genes of the task differ in length")
        split = pd.Series(self.folds).groupby(self.families.to_numpy()).nunique()
        if (split > 1).any():
            raise TaskError(
                f"{int((split > 1).sum())} gene families are split over folds: "
                f"{some(split.index[split > 1])}"
            )

    def positions(self, genes: pd.Index) -> np.ndarray:
        """Positions of genes in this task; unknown genes raise ``TaskError``."""
        found = self.genes.get_indexer(genes)
        if (found < 0).any():
            raise TaskError(f"not in the graph: {some(genes[found < 0])}")
        return found

    def to_hetero_data(self) -> "HeteroData":
        """Give the task as PyG ``HeteroData``: features, labels, folds and weighted edges."""
        import torch
        from torch_geometric.data import HeteroData

        data = HeteroData()
        data[GENE].x = torch.from_numpy(np.hstack([b.values for b in self.blocks]))
        data[GENE].y = torch.from_numpy(self.labels.astype(np.int64))
        data[GENE].fold = torch.from_numpy(self.folds)
        for kind, table in self.graph.nodes.items():
            if kind != GENE:
                data[kind].num_nodes = len(table)
        for name, relation in sorted(self.graph.relations.items()):
            ends = _ends(self.graph, relation)
            store = data[relation.source_type, name, relation.target_type]
            store.edge_index = torch.from_numpy(np.stack(ends))  # (2, e)
            store.edge_weight = torch.from_numpy(relation.edges["weight"].to_numpy(np.float32))
        return data


def build_task(
    graph: TargetGraph, evidence: Evidence, known: KnownTargets, *, folds: int, seed: int
) -> TargetTask:
    """Align graph, evidence and known targets and deal the folds.

    Args:
        graph: Its genes are the candidates.
        evidence: Genes outside the graph are left out and counted; genes of the graph that were
            not measured stay, with every feature missing.
        known: Known targets outside the graph are left out and counted.
        folds: Number of folds, grouped by gene family.
        seed: Breaks ties in the folds.

    Raises:
        LabelError: None of the known targets is in the graph.
        TaskError: The known targets fall into fewer families than folds.
    """
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    inside = known.genes[known.genes.isin(genes)]
    outside = known.genes.difference(inside)
    if not len(inside):
        raise LabelError(
            f"none of the {len(known.genes)} known targets is among the {len(genes)} genes of the "
            f"graph: {some(known.genes)}; use a larger graph or other known targets"
        )
    measured = evidence.genes.isin(genes)
    steps = (
        Step(
            "known targets in the graph",
            len(known.genes),
            len(inside),
            "not a gene of the graph",
            tuple(outside[:3]),
        ),
        Step(
            "measured genes in the graph",
            len(evidence.genes),
            int(measured.sum()),
            "not a gene of the graph; kept in evidence.parquet",
            tuple(evidence.genes[~measured][:3]),
        ),
    )
    families = graph.nodes[GENE]["family"].astype(str).reindex(genes)
    blocks = [_evidence_block(n, evidence, genes) for n in sorted(evidence.blocks)]
    blocks.append(_degree_block(graph, genes))
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=tuple(blocks),
        channels=build_channels(graph, genes),
        labels=genes.isin(inside).astype(np.int8),
        folds=family_folds(families, inside, folds, seed),
        families=families,
        steps=steps,
    )


def build_channels(graph: TargetGraph, genes: pd.Index) -> tuple[Channel, ...]:
    """Turn relations into message channels with fixed normalisation.

    An undirected relation is one symmetric channel, D^-1/2 A D^-1/2. A directed one is two, along
    and against its direction, each arc divided by the root of the degrees at its ends. A set
    relation is gene → set (mean) followed by set → gene (mean weighted by 1/√size): the sets hold
    no parameters of their own.
    """
    channels: list[Channel] = []
    for relation in graph.gene_relations():
        source, target = _ends(graph, relation, genes)
        weight = relation.edges["weight"].to_numpy(float)
        row = np.arange(len(weight))
        shape = (len(genes), len(genes))
        if relation.directed:
            for name, to, of in (
                (relation.name, target, source),
                (f"{relation.name} reversed", source, target),
            ):
                operator = build_operator(to, of, _normalise(to, of, weight, shape), shape, row)
                channels.append(Channel(name, relation.name, (operator,)))
        else:
            to, of = np.concatenate([target, source]), np.concatenate([source, target])
            both = _normalise(to, of, np.tile(weight, 2), shape)
            operator = build_operator(to, of, both, shape, np.tile(row, 2))
            channels.append(Channel(relation.name, relation.name, (operator,)))
    channels += [_set_channel(graph, r, genes) for r in graph.set_relations() if len(r.edges)]
    return tuple(channels)


def _set_channel(graph: TargetGraph, relation: Relation, genes: pd.Index) -> Channel:
    gene, group = _ends(graph, relation, genes)
    n_sets = len(graph.nodes[relation.target_type])
    size = np.bincount(group, minlength=n_sets)
    row = np.arange(len(gene))
    into = build_operator(group, gene, 1.0 / size[group], (n_sets, len(genes)), row)
    back = 1.0 / np.sqrt(size[group])
    back /= np.bincount(gene, weights=back, minlength=len(genes))[gene]
    out = build_operator(gene, group, back, (len(genes), n_sets), row)
    return Channel(relation.name, relation.name, (into, out), through=relation.target_type)


def _ends(
    graph: TargetGraph, relation: Relation, genes: pd.Index | None = None
) -> tuple[np.ndarray, np.ndarray]:
    index: Mapping[str, pd.Index] = {
        kind: genes if genes is not None and kind == GENE else table.index
        for kind, table in graph.nodes.items()
    }
    edges = relation.edges
    return (
        index[relation.source_type].get_indexer(pd.Index(edges["source_id"])).astype(np.int64),
        index[relation.target_type].get_indexer(pd.Index(edges["target_id"])).astype(np.int64),
    )


def _normalise(
    to: np.ndarray, of: np.ndarray, weight: np.ndarray, shape: tuple[int, int]
) -> np.ndarray:
    arriving = np.bincount(to, weights=weight, minlength=shape[0])
    leaving = np.bincount(of, weights=weight, minlength=shape[1])
    return np.asarray(weight / np.sqrt(arriving[to] * leaving[of]))


def _evidence_block(name: str, evidence: Evidence, genes: pd.Index) -> Block:
    block = evidence.blocks[name].reindex(genes)
    raw = pd.DataFrame({"z": block["z"], "effect": block["effect"]})
    raw["abs_z"], raw["abs_effect"] = raw["z"].abs(), raw["effect"].abs()
    return Block(
        name,
        evidence.kinds[name],
        EVIDENCE_FEATURES,
        _standardise(raw[list(EVIDENCE_FEATURES)].to_numpy(float)),
    )


def _degree_block(graph: TargetGraph, genes: pd.Index) -> Block:
    degree = np.log1p(graph.degree().reindex(genes).to_numpy(float))
    return Block("graph", "graph", ("log_degree",), _standardise(degree[:, None]))


def _standardise(values: np.ndarray) -> np.ndarray:
    """Centre and scale over observed rows, clip to ±3, and put 0 where nothing was observed."""
    seen = ~np.isnan(values)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, values, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(seen, values - mean, 0) ** 2).sum(axis=0) / count)
    scaled = (values - mean) / np.where(spread > 0, spread, 1)
    return np.where(seen, np.clip(scaled, -CLIP, CLIP), 0).astype(np.float32)
