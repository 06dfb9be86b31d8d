"""The subgraph is connected, small, starts with its target, and takes what matters."""

import networkx as nx
import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.explain.subgraph import grow_subgraph


def edge_table(*rows: tuple[str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["source_id", "target_id", "attribution"])


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    size=st.integers(2, 30),
    density=st.sampled_from([0.05, 0.2, 0.6]),
    max_nodes=st.integers(1, 15),
    seed=st.integers(0, 10_000),
)
def test_a_subgraph_is_connected_distinct_within_budget_and_starts_with_its_target(
    size, density, max_nodes, seed
):
    rng = np.random.default_rng(seed)
    names = [f"g{i:02d}" for i in range(size)]
    pairs = np.argwhere(np.triu(rng.random((size, size)) < density, 1))
    edges = edge_table(*((names[a], names[b], float(rng.normal())) for a, b in pairs))
    nodes = pd.Series(rng.normal(size=size), names)
    inside = grow_subgraph(names[0], nodes, edges, max_nodes=max_nodes)
    assert inside[0] == names[0]
    assert len(inside) == len(set(inside)) <= max_nodes
    graph = nx.Graph(edges[["source_id", "target_id"]].itertuples(index=False))
    graph.add_node(names[0])
    # connected at every moment of its growth, up to a node and the one behind it
    assert nx.is_connected(graph.subgraph(inside))


@settings(max_examples=20, deadline=None, derandomize=True, database=None)
@given(st.integers(0, 10_000))
def test_the_order_of_nodes_and_edges_does_not_matter(seed):
    rng = np.random.default_rng(seed)
    names = [f"g{i:02d}" for i in range(15)]
    pairs = np.argwhere(np.triu(rng.random((15, 15)) < 0.3, 1))
    # whole numbers add up to the same bits in every order, and make ties
    edges = edge_table(*((names[a], names[b], float(rng.integers(0, 4))) for a, b in pairs))
    nodes = pd.Series(rng.integers(0, 4, 15).astype(float), names)
    inside = grow_subgraph(names[0], nodes, edges, max_nodes=6)
    shuffled = edges.iloc[rng.permutation(len(edges))]
    again = grow_subgraph(names[0], nodes.iloc[rng.permutation(15)], shuffled, max_nodes=6)
    assert again == inside


def test_a_strong_gene_behind_a_weak_one_brings_its_bridge_along():
    edges = edge_table(("t", "near", 0.3), ("t", "bridge", 0.0), ("bridge", "far", 1.0))
    nodes = pd.Series({"t": 0.1, "near": 0.1, "bridge": 0.0, "far": 2.0})
    # the bridge and the gene behind it bring 1.5 each, the near gene 0.4
    assert grow_subgraph("t", nodes, edges, max_nodes=3) == ("t", "bridge", "far")
    assert grow_subgraph("t", nodes, edges, max_nodes=4) == ("t", "bridge", "far", "near")


def test_with_room_for_one_more_a_bridge_to_nowhere_is_not_taken():
    edges = edge_table(("t", "near", 0.3), ("t", "bridge", 0.0), ("bridge", "far", 1.0))
    nodes = pd.Series({"t": 0.1, "near": 0.1, "bridge": 0.0, "far": 2.0})
    assert grow_subgraph("t", nodes, edges, max_nodes=2) == ("t", "near")


def test_a_low_score_is_explained_by_what_lowers_it():
    edges = edge_table(("t", "down", -0.5), ("t", "up", 0.4))
    nodes = pd.Series({"t": -0.3, "down": -0.5, "up": 0.2})
    assert grow_subgraph("t", nodes, edges, max_nodes=2) == ("t", "down")


def test_growth_stops_where_a_step_brings_less_than_half_a_percent():
    edges = edge_table(("t", "strong", 1.0), ("t", "weak", 0.004))
    nodes = pd.Series({"t": 1.0, "strong": 1.0, "weak": 0.0})
    assert grow_subgraph("t", nodes, edges, max_nodes=15) == ("t", "strong")


def test_edges_to_all_joined_nodes_count_towards_the_next_one():
    edges = edge_table(
        ("t", "a", 1.0), ("t", "b", 0.3), ("a", "b", 0.4), ("t", "c", 0.5), ("b", "t", 0.1)
    )
    nodes = pd.Series({"t": 0.0, "a": 0.5, "b": 0.0, "c": 0.0})
    # after a has joined, b brings 0.3 + 0.1 to the target and 0.4 to a; c brings 0.5
    assert grow_subgraph("t", nodes, edges, max_nodes=4) == ("t", "a", "b", "c")


def test_a_target_without_edges_stands_alone():
    edges = edge_table(("x", "y", 1.0))
    assert grow_subgraph("t", pd.Series({"t": 1.0, "x": 5.0}), edges, max_nodes=5) == ("t",)


def test_sets_without_a_value_of_their_own_may_join():
    edges = edge_table(("t", "pathway", 0.6), ("fellow", "pathway", 0.6))
    nodes = pd.Series({"t": 0.2, "fellow": 0.5})
    assert grow_subgraph("t", nodes, edges, max_nodes=3) == ("t", "pathway", "fellow")
