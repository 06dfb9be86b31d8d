"""The task aligns graph, evidence and labels by id, and refuses what would leak."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.evidence import BLOCK_COLUMNS, VALUE_COLUMNS, Evidence
from aimwell.errors import LabelError, TaskError
from aimwell.knowledge.graph import Relation, TargetGraph
from aimwell.knowledge.labels import LABEL_COLUMNS, KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.task import TargetTask, build_task

#: torch_geometric compiles a function on import in a way that torch has deprecated.
IMPORT_WARNING = "ignore:`torch.jit.script` is deprecated:DeprecationWarning"
OUTSIDE = ("HGNC:99999998", "HGNC:99999999")


def make_evidence(genes: pd.Index, seed: int = 0) -> Evidence:
    """Draw heavy-tailed statistics; every third gene is unobserved in the protein block."""
    rng = np.random.default_rng(seed)
    blocks = {}
    for name, every in (("protein", 3), ("rna", 10_000)):
        block = pd.DataFrame(
            rng.standard_t(2, (len(genes), len(VALUE_COLUMNS))), genes, list(VALUE_COLUMNS)
        )
        hidden = np.arange(len(genes)) % every == every - 1
        block.loc[hidden] = np.nan
        blocks[name] = block.assign(
            abundance_percentile=0.5, detection_rate=1.0, n_observed=4, observed=~hidden
        )[list(BLOCK_COLUMNS)]
    across = pd.DataFrame(
        {"discordance": np.nan, "discordance_class": "undetermined", "coverage": 1.0}, index=genes
    )
    return Evidence(blocks, {"protein": "protein", "rna": "rna"}, across)


def make_known(genes: list[str]) -> KnownTargets:
    rows = [(g, "disease", "hand", "", 1.0, "") for g in genes]
    return KnownTargets(pd.DataFrame(rows, columns=list(LABEL_COLUMNS)))


@pytest.fixture(scope="module")
def graph() -> TargetGraph:
    return read_starter_graph()


@pytest.fixture(scope="module")
def measured(graph) -> pd.Index:
    """All genes but the first twenty, and two that the graph does not hold."""
    return pd.Index(sorted([*graph.genes[20:], *OUTSIDE]))


@pytest.fixture(scope="module")
def known(graph) -> KnownTargets:
    return make_known([*graph.genes[5::40], OUTSIDE[0]])


@pytest.fixture(scope="module")
def task(graph, measured, known) -> TargetTask:
    return build_task(graph, make_evidence(measured), known, folds=4, seed=0)


def test_a_family_in_two_folds_is_refused_by_name(task):
    families = task.families
    family = families.value_counts().index[0]
    member = int(np.flatnonzero(families == family)[0])
    folds = task.folds.copy()
    folds[member] = (folds[member] + 1) % 4
    with pytest.raises(TaskError, match=f"1 gene families are split over folds: '{family}'"):
        replace(task, folds=folds)


def test_labels_of_another_length_are_refused(task):
    with pytest.raises(TaskError, match="differ in length"):
        replace(task, labels=task.labels[:-1])


def test_an_unobserved_value_is_the_average_gene_and_nothing_is_nan(task, measured):
    protein = task.blocks[0]
    assert protein.name == "protein"
    hidden = task.genes.isin(measured[2::3])
    assert hidden.sum() > 100
    assert (protein.values[hidden] == 0).all()
    assert all(np.isfinite(b.values).all() for b in task.blocks)
    rest = ~hidden & task.genes.isin(measured)
    assert (protein.values[rest] != 0).all(axis=1).mean() > 0.95


def test_features_are_standardised_by_hand_and_clipped_to_three(task, measured):
    raw = make_evidence(measured).blocks["rna"]["z"].abs().reindex(task.genes).to_numpy()
    seen = ~np.isnan(raw)
    wanted = (raw - raw[seen].mean()) / raw[seen].std()
    assert wanted[seen].max() > 4
    rna = task.blocks[1]
    column = rna.values[:, rna.columns.index("abs_z")]
    np.testing.assert_allclose(column[seen], np.clip(wanted[seen], -3, 3), atol=1e-6)


def test_every_feature_is_within_three(task):
    assert max(np.abs(b.values).max() for b in task.blocks) <= 3


def test_direction_enters_at_three_tenths_of_strength(task):
    rna = task.blocks[1]
    spread = dict(zip(rna.columns, np.abs(rna.values).max(axis=0), strict=True))
    assert spread["abs_z"] == pytest.approx(3)
    assert spread["z"] == pytest.approx(0.9)


def test_genes_that_were_not_measured_stay_candidates_with_empty_evidence(task, graph):
    assert task.genes.equals(pd.Index(sorted(graph.genes), name="hgnc_id"))
    rows = task.positions(graph.genes[:20])
    assert all((b.values[rows] == 0).all() for b in task.blocks if b.kind != "graph")
    assert (task.blocks[-1].values[rows] != 0).all()


def test_known_targets_and_measured_genes_outside_the_graph_are_counted(task, known, measured):
    steps = {s.name: s for s in task.steps}
    labels = steps["known targets in the graph"]
    assert (labels.rows_in, labels.rows_out) == (len(known.genes), len(known.genes) - 1)
    assert labels.examples == (OUTSIDE[0],)
    evidence = steps["measured genes in the graph"]
    assert (evidence.rows_in, evidence.rows_out) == (len(measured), len(measured) - 2)
    assert evidence.examples == OUTSIDE
    assert task.labels.sum() == len(known.genes) - 1


def test_a_withheld_target_loses_its_label_and_is_counted(graph, measured, known):
    inside = known.genes.drop(OUTSIDE[0])
    withheld = pd.Index([inside[3], graph.genes[0]])
    task = build_task(graph, make_evidence(measured), known, folds=4, seed=0, withheld=withheld)
    assert sorted(task.genes[task.labels == 1]) == sorted(inside.drop(inside[3]))
    assert sorted(task.genes[task.withheld]) == sorted(withheld)
    step = next(s for s in task.steps if s.name == "known targets to learn from")
    assert (step.rows_in, step.rows_out) == (len(inside), len(inside) - 1)
    assert step.examples == (inside[3],)


def test_known_targets_that_are_all_withheld_are_refused(graph, measured, known):
    with pytest.raises(LabelError, match=r"all 22 known targets .* known_targets\.check"):
        build_task(graph, make_evidence(measured), known, folds=4, seed=0, withheld=known.genes)


def test_labels_sit_on_the_known_genes(task, known):
    inside = known.genes.drop(OUTSIDE[0])
    assert sorted(task.genes[task.labels == 1]) == sorted(inside)


def test_known_targets_that_are_all_outside_the_graph_are_refused(graph, measured):
    with pytest.raises(LabelError, match=f"none of the 2 known targets .* '{OUTSIDE[0]}'"):
        build_task(graph, make_evidence(measured), make_known(list(OUTSIDE)), folds=2, seed=0)


def test_an_unknown_gene_has_no_position(task):
    with pytest.raises(TaskError, match="not in the graph: 'HGNC:99999999'"):
        task.positions(pd.Index([OUTSIDE[1]]))


def test_the_order_of_rows_in_every_input_does_not_matter(task, graph, measured, known):
    rng = np.random.default_rng(5)

    def shuffled(table: pd.DataFrame) -> pd.DataFrame:
        return table.iloc[rng.permutation(len(table))]

    other = TargetGraph(
        {kind: shuffled(table) for kind, table in reversed(graph.nodes.items())},
        {
            name: Relation(
                name,
                r.source_type,
                r.target_type,
                shuffled(r.edges).reset_index(drop=True),
                r.directed,
            )
            for name, r in reversed(graph.relations.items())
        },
    )
    plain = make_evidence(measured)
    order = rng.permutation(len(measured))
    evidence = Evidence(
        {n: b.iloc[order] for n, b in reversed(plain.blocks.items())},
        plain.kinds,
        plain.across.iloc[order],
    )
    again = build_task(other, evidence, KnownTargets(shuffled(known.table)), folds=4, seed=0)
    assert again.genes.equals(task.genes)
    assert [b.name for b in again.blocks] == [b.name for b in task.blocks]
    for one, two in zip(task.blocks, again.blocks, strict=True):
        assert np.array_equal(one.values, two.values)
    assert np.array_equal(again.labels, task.labels)
    assert np.array_equal(again.folds, task.folds)
    assert again.wiring.channels == task.wiring.channels
    assert again.wiring.set_ids.equals(task.wiring.set_ids)
    for one, two in zip(task.wiring.operators, again.wiring.operators, strict=True):
        for part in ("row_start", "column", "weight", "order"):
            assert getattr(one, part).equal(getattr(two, part)), part


@pytest.mark.filterwarnings(IMPORT_WARNING)
def test_hetero_data_holds_every_node_edge_feature_and_label(task, graph):
    data = task.to_hetero_data()
    assert data["gene"].num_nodes == len(graph.genes)
    assert data["pathway"].num_nodes == len(graph.nodes["pathway"])
    assert data["complex"].num_nodes == len(graph.nodes["complex"])
    assert {k[1]: data[k].num_edges for k in data.edge_types} == {
        name: len(r.edges) for name, r in graph.relations.items()
    }
    assert data["gene"].x.shape == (len(graph.genes), 4 + 4 + 1)
    assert int(data["gene"].y.sum()) == int(task.labels.sum())
    assert np.array_equal(data["gene"].fold.numpy(), task.folds)


@pytest.mark.filterwarnings(IMPORT_WARNING)
def test_hetero_edges_join_the_rows_that_hold_the_features_of_their_genes(task, graph):
    genes = graph.nodes["gene"].iloc[::-1]  # a table in another order than the task
    backwards = replace(task, graph=replace(graph, nodes={**graph.nodes, "gene": genes}))
    for any_order in (task, backwards):
        data = any_order.to_hetero_data()
        source, target = data["gene", "inhibits", "gene"].edge_index.numpy()
        edges = graph.relations["inhibits"].edges
        assert task.genes[source].tolist() == edges["source_id"].tolist()
        assert task.genes[target].tolist() == edges["target_id"].tolist()
