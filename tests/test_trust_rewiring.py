"""Rewired graphs have the same degrees and other edges; what cannot be rewired says so."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.trust.rewiring import (
    drop_edges,
    edge_sources,
    rewire_graph,
    swap_edges,
    without_relation,
    without_source,
)


@pytest.fixture(scope="module")
def graph() -> TargetGraph:
    return read_starter_graph()


@pytest.fixture(scope="module")
def rewired(graph: TargetGraph) -> TargetGraph:
    return rewire_graph(graph, np.random.default_rng(0))[0]


def degrees(relation: Relation) -> list[pd.Series]:
    edges = relation.edges
    if relation.directed:
        return [edges[end].value_counts().sort_index() for end in ("source_id", "target_id")]
    ends = pd.concat([edges["source_id"], edges["target_id"]])
    return [ends.value_counts().sort_index()]


def pairs(relation: Relation) -> set[tuple[str, str]]:
    return set(zip(relation.edges["source_id"], relation.edges["target_id"], strict=True))


def test_every_node_keeps_its_degree_in_every_relation(
    graph: TargetGraph, rewired: TargetGraph
) -> None:
    for name, relation in graph.relations.items():
        for one, other in zip(degrees(relation), degrees(rewired.relations[name]), strict=True):
            pd.testing.assert_series_equal(one, other, check_names=False)


def test_hardly_an_edge_stays_where_it_was(graph: TargetGraph, rewired: TargetGraph) -> None:
    for relation in (*graph.gene_relations(), *graph.set_relations()):
        same = pairs(relation) & pairs(rewired.relations[relation.name])
        assert len(same) < 0.25 * len(relation.edges)


def test_every_relation_gets_ten_swaps_an_edge(graph: TargetGraph) -> None:
    _, found = rewire_graph(graph, np.random.default_rng(1))
    assert {f.name for f in found} >= {"activates", "member_of"}
    assert all(f.swaps >= 10 and not f.problem for f in found)


def test_the_same_seed_gives_the_same_edges_and_another_one_others(graph: TargetGraph) -> None:
    first, again, other = (
        rewire_graph(graph, np.random.default_rng(seed))[0].relations["activates"].edges
        for seed in (5, 5, 6)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not first["target_id"].equals(other["target_id"])


def test_rewiring_reaches_every_graph_of_these_degrees_about_as_often() -> None:
    # four nodes of degree one: three graphs, each a third of the time
    head, tail = np.array([0, 2]), np.array([1, 3])
    seen: dict[tuple[tuple[int, int], ...], int] = {}
    for seed in range(600):
        rng = np.random.default_rng(seed)
        a, b, _ = swap_edges(head, tail, 4, rng, 5, directed=False)
        key = tuple(sorted(zip(a.tolist(), b.tolist(), strict=True)))
        seen[key] = seen.get(key, 0) + 1
    assert sorted(seen) == [((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2))]
    assert min(seen.values()) > 150


def test_a_relation_that_is_too_dense_is_named_and_left_alone() -> None:
    ids = [f"HGNC:{i}" for i in range(10, 18)]
    nodes = pd.DataFrame(dict.fromkeys(GENE_COLUMNS, ids), index=ids)
    every = [(a, b) for a in ids for b in ids if a < b]
    table = pd.DataFrame(every, columns=["source_id", "target_id"]).assign(
        weight=1.0, evidence="full", literature=False, clinical=False
    )
    few = replace_edges(table.iloc[:2])
    full = Relation("interacts", "gene", "gene", table, directed=False)
    graph = TargetGraph({"gene": nodes}, {"interacts": full, "other": few})
    changed, found = rewire_graph(graph, np.random.default_rng(0))
    problems = {f.name: f.problem for f in found}
    assert "too dense" in problems["interacts"]
    assert "2 edges" in problems["other"]
    assert pairs(changed.relations["interacts"]) == pairs(full)


def replace_edges(table: pd.DataFrame) -> Relation:
    return Relation("other", "gene", "gene", table.reset_index(drop=True), directed=False)


def test_edges_relations_and_sources_can_be_left_out(graph: TargetGraph) -> None:
    thinned = drop_edges(graph, np.random.default_rng(0), 0.1)
    before, after = (sum(len(r.edges) for r in g.relations.values()) for g in (graph, thinned))
    assert 0.87 < after / before < 0.93
    assert thinned.genes.equals(graph.genes)
    assert len(without_relation(graph, "activates").relations["activates"].edges) == 0
    name = edge_sources(graph)[0]
    left = without_source(graph, name)
    assert name not in {e for r in left.relations.values() for e in r.edges["evidence"].unique()}
    assert left.genes.equals(graph.genes)
    double = graph.relations["activates"].edges.assign(evidence=f"{name}|another")
    both = replace(graph.relations["activates"], edges=double)
    shared = replace(graph, relations={**graph.relations, "activates": both})
    # an edge that another database reports, too, stays
    assert len(without_source(shared, name).relations["activates"].edges) == len(double)


def test_an_empty_relation_is_named_and_stays_empty(graph: TargetGraph) -> None:
    empty = without_relation(graph, "represses")
    changed, found = rewire_graph(empty, np.random.default_rng(0))
    assert "0 edges" in {f.name: f.problem for f in found}["represses"]
    assert changed.relations["represses"].edges.empty
