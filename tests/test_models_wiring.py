"""Message channels of a graph small enough to be worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.models.propagate import SparseOperator
from aimwell.models.wiring import build_wiring

A, B, C, D = "HGNC:1", "HGNC:2", "HGNC:3", "HGNC:4"
GENES = pd.Index([A, B, C, D])


def edges(*rows: tuple[str, str, float]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["source_id", "target_id", "weight"])
    return table.assign(evidence="hand", literature=False, clinical=False)


def dense(operator: SparseOperator) -> np.ndarray:
    full = np.zeros(operator.shape)
    rows = np.repeat(np.arange(operator.shape[0]), operator.row_start.diff().numpy())
    full[rows, operator.column.numpy()] = operator.weight.numpy()
    return full


@pytest.fixture(scope="module")
def graph() -> TargetGraph:
    """A–B–C interact (B–C at half weight); A and D activate C, A activates B; three sets."""
    genes = pd.DataFrame({c: ["a", "b", "c", "d"] for c in GENE_COLUMNS}, index=GENES)
    relations = (
        Relation("interacts", "gene", "gene", edges((A, B, 1.0), (B, C, 0.5)), directed=False),
        Relation("activates", "gene", "gene", edges((A, B, 1.0), (A, C, 1.0), (D, C, 1.0))),
        Relation(
            "member_of",
            "gene",
            "pathway",
            edges((A, "P1", 1.0), (B, "P1", 1.0), (C, "P1", 1.0), (C, "P2", 1.0), (D, "P2", 1.0)),
        ),
        Relation("subunit_of", "gene", "complex", edges((A, "K1", 1.0), (D, "K1", 1.0))),
        Relation("part_of", "pathway", "pathway", edges(("P2", "P1", 1.0))),
    )
    nodes = {
        "gene": genes,
        "pathway": pd.DataFrame({"name": ["one", "two", "empty"]}, index=["P1", "P2", "P3"]),
        "complex": pd.DataFrame({"name": ["kay"]}, index=["K1"]),
    }
    return TargetGraph(nodes, {r.name: r for r in relations})


@pytest.fixture(scope="module")
def channels(graph):
    """Dense matrix of every gene-to-gene channel by name."""
    wiring = build_wiring(graph, GENES)
    stacked = dense(wiring.direct).reshape(wiring.n_direct, 4, 4)
    return dict(zip(wiring.channels[: wiring.n_direct], stacked, strict=True))


def test_channels_are_named_direct_ones_first_with_the_relation_behind_each(graph):
    wiring = build_wiring(graph, GENES)
    assert wiring.channels == (
        "activates",
        "activates reversed",
        "interacts",
        "member_of",
        "subunit_of",
    )
    assert wiring.n_direct == 3
    assert wiring.relations == ("activates", "activates", "interacts", "member_of", "subunit_of")


def test_an_undirected_relation_is_normalised_symmetrically(channels):
    # weighted degrees: A 1, B 1 + 0.5, C 0.5
    ab, bc = 1 / np.sqrt(1 * 1.5), 0.5 / np.sqrt(1.5 * 0.5)
    wanted = [[0, ab, 0, 0], [ab, 0, bc, 0], [0, bc, 0, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(channels["interacts"], wanted, rtol=1e-6)


def test_a_directed_relation_flows_to_its_target_over_the_root_of_both_degrees(channels):
    # leaving: A 2, D 1; arriving: B 1, C 2
    wanted = np.zeros((4, 4))
    wanted[1, 0] = 1 / np.sqrt(2 * 1)  # A → B
    wanted[2, 0] = 1 / np.sqrt(2 * 2)  # A → C
    wanted[2, 3] = 1 / np.sqrt(1 * 2)  # D → C
    np.testing.assert_allclose(channels["activates"], wanted, rtol=1e-6)


def test_the_reversed_channel_is_the_transpose(channels):
    assert np.array_equal(channels["activates reversed"], channels["activates"].T)


def test_a_set_takes_the_mean_of_its_members(graph):
    wiring = build_wiring(graph, GENES)
    values = np.array([1.0, 2.0, 6.0, 10.0])
    of_set = pd.Series(dense(wiring.into_sets) @ values, wiring.set_ids)
    assert of_set["complex", "K1"] == pytest.approx((1 + 10) / 2)
    assert of_set["pathway", "P1"] == pytest.approx((1 + 2 + 6) / 3)
    assert of_set["pathway", "P2"] == pytest.approx((6 + 10) / 2)
    assert of_set["pathway", "P3"] == 0


def test_a_gene_takes_the_mean_of_its_sets_smaller_ones_first(graph):
    wiring = build_wiring(graph, GENES)
    of_set = pd.Series([5.0, 3.0, 8.0, 99.0], wiring.set_ids)
    assert of_set.index.tolist()[0] == ("complex", "K1")
    member_of, subunit_of = (dense(wiring.out_of_sets) @ of_set.to_numpy()).reshape(2, 4)
    small, large = 1 / np.sqrt(2), 1 / np.sqrt(3)
    both = (large * 3 + small * 8) / (large + small)
    np.testing.assert_allclose(member_of, [3, 3, both, 8], rtol=1e-6)
    np.testing.assert_allclose(subunit_of, [5, 0, 0, 5], rtol=1e-6)


def test_every_arc_points_back_to_its_edge(graph):
    wiring = build_wiring(graph, GENES)
    rows = np.repeat(np.arange(12), wiring.direct.row_start.diff().numpy())
    channel, to = np.divmod(rows, 4)
    edges = wiring.edges.iloc[wiring.direct.edge]
    assert edges["relation"].tolist() == [wiring.relations[c] for c in channel]
    ends = np.sort(edges[["source_id", "target_id"]].to_numpy(str), axis=1)
    reached = [GENES[to], GENES[wiring.direct.column.numpy()]]
    assert np.array_equal(ends, np.sort(np.column_stack(reached).astype(str), axis=1))
    # both arcs of an undirected edge are that edge
    assert edges.groupby(channel).apply(lambda e: e.index.nunique()).tolist() == [3, 3, 2]


@pytest.mark.parametrize("which", ["into_sets", "out_of_sets"])
def test_every_set_arc_points_back_to_its_edge(graph, which):
    wiring = build_wiring(graph, GENES)
    operator = getattr(wiring, which)
    rows = np.repeat(np.arange(operator.shape[0]), operator.row_start.diff().numpy())
    column = operator.column.numpy()
    gene, group = (column, rows) if which == "into_sets" else (rows % 4, column)
    relation = {"pathway": "member_of", "complex": "subunit_of"}
    wanted = [
        (GENES[g], s[1], relation[s[0]]) for g, s in zip(gene, wiring.set_ids[group], strict=True)
    ]
    found = wiring.edges.iloc[operator.edge][["source_id", "target_id", "relation"]]
    assert list(found.itertuples(index=False, name=None)) == wanted


def test_a_graph_without_sets_has_no_set_channels(graph):
    bare = TargetGraph({"gene": graph.nodes["gene"]}, {"interacts": graph.relations["interacts"]})
    wiring = build_wiring(bare, GENES)
    assert wiring.channels == ("interacts",)
    assert wiring.into_sets.shape == (0, 4)
    assert wiring.out_of_sets.shape == (0, 0)
