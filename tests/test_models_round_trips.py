"""A graph survives the way to PyG and back, and to NetworkX and back: nothing is lost."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.errors import GraphError
from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.networkx_graph import from_networkx, to_networkx
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.store import read_graph, write_graph
from aimwell.models.hetero import from_hetero_data, to_hetero_data
from aimwell.provenance import Source, Step

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
WEIGHT = st.floats(1e-300, 1.0, allow_nan=False)


def assert_same(one: TargetGraph, two: TargetGraph) -> None:
    """Compare everything but the order of rows, which means nothing."""
    assert one.sources == two.sources
    assert one.steps == two.steps
    assert set(one.nodes) == set(two.nodes)
    for kind, table in one.nodes.items():
        pd.testing.assert_frame_equal(table.sort_index(), two.nodes[kind].sort_index())
    assert set(one.relations) == set(two.relations)
    ends = ["source_id", "target_id"]
    for name, relation in one.relations.items():
        other = two.relations[name]
        for fact in ("name", "source_type", "target_type", "directed"):
            assert getattr(relation, fact) == getattr(other, fact)
        pd.testing.assert_frame_equal(
            relation.edges.sort_values(ends, ignore_index=True),
            other.edges.sort_values(ends, ignore_index=True),
            check_exact=True,
        )


@st.composite
def graphs(draw: st.DrawFn) -> TargetGraph:
    """Draw small graphs: odd texts, missing names, empty relations, ids that two types share."""
    genes = draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=6, unique=True))
    sets = draw(st.lists(st.sampled_from("axyz"), max_size=4, unique=True))
    texts = {
        c: draw(st.lists(TEXT, min_size=len(genes), max_size=len(genes))) for c in GENE_COLUMNS
    }
    named = st.lists(st.one_of(TEXT, st.none()), min_size=len(sets), max_size=len(sets))
    nodes = {
        "gene": pd.DataFrame(texts, index=pd.Index(genes, dtype=str), dtype=str),
        "pathway": pd.DataFrame({"name": draw(named)}, index=pd.Index(sets, dtype=str), dtype=str),
    }
    relations = {}
    for name, target, directed in (
        ("interacts", "gene", False),
        ("activates", "gene", True),
        ("member_of", "pathway", True),
    ):
        ends = [
            (a, b)
            for a in sorted(genes)
            for b in sorted(nodes[target].index)
            if (a < b if not directed else a != b)
        ]
        chosen = draw(st.lists(st.sampled_from(ends), unique=True)) if ends else []
        chosen = sorted(chosen)
        n = len(chosen)
        table = pd.DataFrame(chosen, columns=["source_id", "target_id"], dtype=str).assign(
            weight=np.array(draw(st.lists(WEIGHT, min_size=n, max_size=n)), float),
            evidence=pd.array(draw(st.lists(TEXT, min_size=n, max_size=n)), dtype=str),
            literature=np.array(draw(st.lists(st.booleans(), min_size=n, max_size=n)), bool),
            clinical=False,
            pubmed_ids=pd.array(draw(st.lists(TEXT, min_size=n, max_size=n)), dtype=str),
            papers=np.array(draw(st.lists(st.integers(0, 2**40), min_size=n, max_size=n)), int),
        )
        relations[name] = Relation(name, "gene", target, table.astype({"clinical": bool}), directed)
    source = Source(draw(TEXT), draw(TEXT), "CC0-1.0", draw(TEXT), draw(TEXT), draw(TEXT))
    step = Step(draw(TEXT), 3, 2, draw(TEXT), tuple(draw(st.lists(TEXT, max_size=3))))
    return TargetGraph(nodes, relations, (source,), (step,))


@given(graphs())
@settings(max_examples=25, deadline=None)
def test_any_graph_comes_back_from_networkx(graph: TargetGraph) -> None:
    assert_same(from_networkx(to_networkx(graph)), graph)


@given(graphs())
@settings(max_examples=25, deadline=None)
def test_any_graph_comes_back_from_pyg(graph: TargetGraph) -> None:
    data = to_hetero_data(graph)
    assert data.validate(raise_on_error=True)
    assert_same(from_hetero_data(data), graph)


@pytest.fixture(scope="module")
def starter() -> TargetGraph:
    return read_starter_graph()


def test_the_starter_graph_comes_back_from_both(starter: TargetGraph) -> None:
    assert_same(from_networkx(to_networkx(starter)), starter)
    assert_same(from_hetero_data(to_hetero_data(starter)), starter)


def test_a_graph_from_disk_comes_back_from_both(starter: TargetGraph, tmp_path: Path) -> None:
    write_graph(starter, tmp_path / "graph")
    graph = read_graph(tmp_path / "graph")
    assert_same(from_networkx(to_networkx(graph)), graph)
    assert_same(from_hetero_data(to_hetero_data(graph)), graph)


def test_a_graph_comes_back_from_graphml(starter: TargetGraph, tmp_path: Path) -> None:
    nx.write_graphml(to_networkx(starter), tmp_path / "graph.graphml")
    network = nx.read_graphml(tmp_path / "graph.graphml", force_multigraph=True)
    assert_same(from_networkx(network), starter)


def test_data_comes_back_from_a_file_of_torch(starter: TargetGraph, tmp_path: Path) -> None:
    torch.save(to_hetero_data(starter).to_dict(), tmp_path / "graph.pt")
    plain = torch.load(tmp_path / "graph.pt", weights_only=False)
    data = to_hetero_data(starter).from_dict(plain)
    assert_same(from_hetero_data(data), starter)


def test_what_pyg_sees_are_the_edges_of_the_graph(starter: TargetGraph) -> None:
    data = to_hetero_data(starter)
    relation = starter.relations["member_of"]
    store = data["gene", "member_of", "pathway"]
    assert store.edge_index.shape == (2, len(relation.edges))
    k = 17
    source, target = store.edge_index[:, k].tolist()
    row = relation.edges.iloc[k]
    assert starter.nodes["gene"].index[source] == row["source_id"]
    assert starter.nodes["pathway"].index[target] == row["target_id"]
    assert store.edge_weight.dtype == torch.float64
    assert store.literature.dtype == torch.bool
    texts = data.texts["relations"]["member_of"]["evidence"]
    assert texts[store.evidence[k]] == row["evidence"]


def test_a_part_that_pyg_cuts_out_is_that_part_of_the_graph(starter: TargetGraph) -> None:
    keep = torch.arange(0, len(starter.genes), 3)
    part = from_hetero_data(to_hetero_data(starter).subgraph({"gene": keep}))
    genes = starter.nodes["gene"].iloc[keep.tolist()]
    pd.testing.assert_frame_equal(part.nodes["gene"], genes)
    edges = starter.relations["activates"].edges
    inside = edges["source_id"].isin(genes.index) & edges["target_id"].isin(genes.index)
    pd.testing.assert_frame_equal(
        part.relations["activates"].edges, edges[inside].reset_index(drop=True)
    )


def test_a_part_that_networkx_cuts_out_is_that_part_of_the_graph(starter: TargetGraph) -> None:
    network = to_networkx(starter)
    network.remove_node("HGNC:76")
    part = from_networkx(network)
    assert set(starter.genes) - set(part.genes) == {"HGNC:76"}
    lost = sum(len(r.edges) for r in starter.relations.values()) - sum(
        len(r.edges) for r in part.relations.values()
    )
    touched = [
        ((r.edges["source_id"] == "HGNC:76") | (r.edges["target_id"] == "HGNC:76")).sum()
        for r in starter.relations.values()
    ]
    assert lost == sum(touched) > 0


def test_a_gene_and_a_set_of_one_id_stay_two_nodes() -> None:
    nodes = {
        "gene": pd.DataFrame({c: ["g"] for c in GENE_COLUMNS}, index=["same"]),
        "family": pd.DataFrame({"name": ["f"]}, index=["same"]),
        "complex": pd.DataFrame({"name": ["c"]}, index=["same"]),
    }
    graph = TargetGraph(nodes, {})
    network = to_networkx(graph)
    assert sorted(network.nodes) == ["complex:same", "family:same", "gene:same"]
    assert_same(from_networkx(network), graph)


def with_column(graph: TargetGraph, **values: Any) -> TargetGraph:
    return replace(graph, nodes={**graph.nodes, "gene": graph.nodes["gene"].assign(**values)})


def test_a_column_that_networkx_needs_for_itself_is_refused(starter: TargetGraph) -> None:
    with pytest.raises(GraphError, match="have a column 'type', which NetworkX needs"):
        to_networkx(with_column(starter, type="protein"))


def test_graphs_of_others_are_refused_in_one_line() -> None:
    with pytest.raises(GraphError, match="was not made from an aimwell graph"):
        from_networkx(nx.MultiDiGraph([("a", "b")]))
    data = to_hetero_data(read_starter_graph())
    del data.description
    with pytest.raises(GraphError, match="was not made from an aimwell graph"):
        from_hetero_data(data)


def test_a_node_that_somebody_added_without_its_facts_is_refused(starter: TargetGraph) -> None:
    network = to_networkx(starter)
    network.add_node("new")
    with pytest.raises(GraphError, match="a node or an edge without 'type'"):
        from_networkx(network)


def test_data_that_lost_a_column_is_refused(starter: TargetGraph) -> None:
    data = to_hetero_data(starter)
    del data["gene"].symbol
    with pytest.raises(GraphError, match="lacks a part of the graph"):
        from_hetero_data(data)
