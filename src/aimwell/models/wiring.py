"""The wiring of a graph: its relations as sparse operators with fixed normalisation."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from aimwell.knowledge.graph import Relation, TargetGraph
from aimwell.models.expected import Expected, expected_of_pairs, expected_of_sets
from aimwell.models.propagate import SparseOperator, build_operator


@dataclass(frozen=True)
class Wiring:
    """Every way in which messages travel between genes, as at most three sparse operators.

    All channels of one kind are stacked into one operator, so that a layer takes three sparse
    products however many relations the graph has.

    Attributes:
        channels: Names, direct ones first: ``interacts``, ``activates``, ``activates reversed``,
            ``member_of`` …; ``r`` of them.
        n_direct: How many of the channels run from gene to gene.
        direct: Shape ``(n_direct · n, n)``: the channels one below the other.
        into_sets: Shape ``(s, n)``, the mean over the members of every set of any type.
        out_of_sets: Shape ``((r - n_direct) · n, s)``, one channel per set relation.
        relations: Relation behind every channel.
        edges: Every edge behind an arc, as in the graph, with its ``relation``; an operator's
            ``edge`` is a row of this table.
        set_ids: Node type and id of every set, shape ``(s,)``.
    """

    channels: tuple[str, ...]
    n_direct: int
    direct: SparseOperator
    into_sets: SparseOperator
    out_of_sets: SparseOperator
    relations: tuple[str, ...]
    edges: pd.DataFrame
    set_ids: pd.MultiIndex

    @property
    def operators(self) -> tuple[SparseOperator, SparseOperator, SparseOperator]:
        """Direct, into the sets, out of the sets."""
        return self.direct, self.into_sets, self.out_of_sets

    @property
    def degree_corrected(self) -> bool:
        """Whether what degrees alone explain is taken out of every message."""
        return any(operator.expected is not None for operator in self.operators)


def connected_parts(wiring: Wiring) -> np.ndarray:
    """Number the connected parts of the graph, sets included, shape ``(n,)``."""
    n, s = wiring.direct.shape[1], len(wiring.set_ids)
    arcs = np.repeat(np.arange(wiring.direct.shape[0]), np.diff(wiring.direct.row_start)) % max(
        n, 1
    )
    into = np.repeat(np.arange(s), np.diff(wiring.into_sets.row_start)) + n
    row = np.concatenate([arcs, into])
    column = np.concatenate([wiring.direct.column.numpy(), wiring.into_sets.column.numpy()])
    matrix = sp.csr_matrix((np.ones(len(row)), (row, column)), shape=(n + s, n + s))
    return np.asarray(connected_components(matrix, directed=False)[1][:n])


def build_wiring(graph: TargetGraph, genes: pd.Index, *, degree_corrected: bool = False) -> Wiring:
    """Turn relations into message channels with fixed normalisation.

    An undirected relation is one symmetric channel, D^-1/2 A D^-1/2. A directed one is two, along
    and against its direction, each arc divided by the root of the degrees at its ends. A set
    relation is gene → set (mean) followed by set → gene (mean weighted by 1/√size): the sets hold
    no parameters of their own.

    Args:
        graph: Relations and nodes.
        genes: Sorted HGNC ids; their order fixes the positions, ``n`` of them.
        degree_corrected: Take out of every channel what a graph with the same degrees is expected
            to send, see ``Expected``.
    """
    n = len(genes)
    names, behind, arcs = [], [], []
    tables = [*graph.gene_relations(), *graph.set_relations()]
    start, total = {}, 0
    for relation in tables:
        start[relation.name], total = total, total + len(relation.edges)
    for relation in graph.gene_relations():
        source, target = ends_of(graph, relation)
        weight = relation.edges["weight"].to_numpy(float)
        row = start[relation.name] + np.arange(len(weight))
        if relation.directed:
            arcs += [(target, source, weight, row), (source, target, weight, row)]
            names += [relation.name, f"{relation.name} reversed"]
            behind += [relation.name] * 2
        else:
            to, of = np.concatenate([target, source]), np.concatenate([source, target])
            arcs.append((to, of, np.tile(weight, 2), np.tile(row, 2)))
            names.append(relation.name)
            behind.append(relation.name)
    usual = [expected_of_pairs(*arc[:3], n) for arc in arcs if degree_corrected]
    arcs = [(to, of, _normalise(to, of, weight, n), row) for to, of, weight, row in arcs]
    n_direct = len(arcs)
    into, out, sizes, set_ids = _set_arcs(graph, genes, start)
    usual_sets = [
        expected_of_sets(arc[0], size, n)
        for arc, size in zip(out, sizes, strict=True)
        if degree_corrected
    ]
    set_relations = [r.name for r in graph.set_relations()]
    return Wiring(
        channels=(*names, *set_relations),
        n_direct=n_direct,
        direct=replace(_stack(arcs, n, n), expected=Expected.of(usual)),
        into_sets=build_operator(*into[:3], (len(set_ids), n), into[3]),
        out_of_sets=replace(_stack(out, n, len(set_ids)), expected=Expected.of(usual_sets)),
        relations=(*behind, *set_relations),
        edges=_edge_table(tables),
        set_ids=set_ids,
    )


_Arcs = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def _edge_table(relations: list[Relation]) -> pd.DataFrame:
    columns = ["source_id", "target_id", "relation", "weight", "evidence", "detail"]
    frames = [r.edges.assign(relation=r.name).reindex(columns=columns) for r in relations]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame(columns=columns)


def _set_arcs(
    graph: TargetGraph, genes: pd.Index, start: Mapping[str, int]
) -> tuple[_Arcs, list[_Arcs], list[np.ndarray], pd.MultiIndex]:
    """Give arcs into all sets, arcs out of them and sizes per relation, and the sets in order."""
    kinds = sorted({r.target_type for r in graph.set_relations()})
    pairs = [(kind, name) for kind in kinds for name in sorted(graph.nodes[kind].index)]
    set_ids = pd.MultiIndex.from_tuples(pairs, names=["type", "id"]) if pairs else _no_sets()
    first = {kind: [k for k, _ in pairs].index(kind) for kind in {k for k, _ in pairs}}
    empty = np.zeros(0, dtype=np.int64)
    into, out, sizes = [(empty, empty, empty.astype(float), empty)], [], []
    for relation in graph.set_relations():
        gene, group = ends_of(graph, relation)
        group = group + first.get(relation.target_type, 0)
        size = np.bincount(group, minlength=len(pairs))[group]
        row = start[relation.name] + np.arange(len(gene))
        back = 1 / np.sqrt(size)
        back = back / np.bincount(gene, weights=back, minlength=len(genes))[gene]
        into.append((group, gene, 1 / size, row))
        out.append((gene, group, back, row))
        sizes.append(size)
    to, of, weight, row = (np.concatenate(parts) for parts in zip(*into, strict=True))
    return (to, of, weight, row), out, sizes, set_ids


def _no_sets() -> pd.MultiIndex:
    return pd.MultiIndex.from_arrays([[], []], names=["type", "id"])


def _stack(arcs: list[_Arcs], n: int, n_sources: int) -> SparseOperator:
    """Put channels one below the other: destination ``i`` of channel ``c`` is row ``c · n + i``."""
    empty = np.zeros(0, dtype=np.int64)
    parts = [(to + c * n, of, weight, row) for c, (to, of, weight, row) in enumerate(arcs)]
    parts = parts or [(empty, empty, empty.astype(float), empty)]
    to, of, weight, row = (np.concatenate(p) for p in zip(*parts, strict=True))
    return build_operator(to, of, weight, (len(arcs) * n, n_sources), row)


def ends_of(graph: TargetGraph, relation: Relation) -> tuple[np.ndarray, np.ndarray]:
    """Give the positions of the sources and of the targets of a relation, shape ``(e,)`` each."""
    # sorted, as everywhere in the task: the order of rows in the node tables carries no meaning
    index = {
        kind: pd.Index(sorted(graph.nodes[kind].index))
        for kind in {relation.source_type, relation.target_type}
    }
    edges = relation.edges
    return (
        index[relation.source_type].get_indexer(pd.Index(edges["source_id"])).astype(np.int64),
        index[relation.target_type].get_indexer(pd.Index(edges["target_id"])).astype(np.int64),
    )


def _normalise(to: np.ndarray, of: np.ndarray, weight: np.ndarray, n: int) -> np.ndarray:
    arriving = np.bincount(to, weights=weight, minlength=n)
    leaving = np.bincount(of, weights=weight, minlength=n)
    return np.asarray(weight / np.sqrt(arriving[to] * leaving[of]))
