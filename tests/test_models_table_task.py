"""A published benchmark as tables: what is refused, what is recorded, and what a network learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from aimwell.errors import InputError, LabelError, TaskError
from aimwell.explain.attribution import SharedPath
from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.task_tables import TaskTables, read_task_tables
from aimwell.models.channels import label_channels
from aimwell.models.first_layer import first_layer
from aimwell.models.member import Unit
from aimwell.models.supervised import (
    Recipe,
    RowOperators,
    fit_supervised,
    forward_rows,
    training_rows,
)
from aimwell.models.table_task import BASE, build_table_task
from aimwell.models.task import TargetTask
from aimwell.models.training import load_network
from aimwell.models.unlabelled import estimate_prior, unlabelled_risk

GENES = [f"G{i:03d}" for i in range(60)]
SHORT = Recipe(epochs=4, hidden=6)


def written(folder: Path, *, shuffle: bool = False) -> Path:
    """Sixty genes: 12 known targets, 18 negatives, two folds; a module of the first twenty."""
    rng = np.random.default_rng(1)
    label = np.array([1] * 12 + [0] * 18 + [-1] * 30)
    fold = np.where(label >= 0, np.arange(60) % 2, -1)
    genes = pd.DataFrame({"symbol": GENES, "label": label, "test_fold_rep0": fold})
    pairs = {(a, b) for a in range(60) for b in rng.integers(0, 60, 4) if a != b}
    pairs = sorted({(min(p), max(p)) for p in pairs} | {(i, i + 1) for i in range(20)})
    edges = pd.DataFrame([(GENES[b], GENES[a]) for a, b in pairs], columns=["a", "b"])
    values = rng.normal(size=(60, 5))
    values[:, 0] += label == 1
    features = pd.DataFrame(values, columns=["GE: A", "GE: B", "MF: A", "MF: B", "MF: C"])
    features.insert(0, "symbol", GENES)
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in (("genes", genes), ("edges", edges), ("features", features)):
        kept = table.sample(frac=1, random_state=5) if shuffle else table
        kept.to_csv(folder / f"{name}.tsv", sep="\t", index=False)
    return folder


def changed(folder: Path, name: str, change) -> Path:
    path = folder / f"{name}.tsv"
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    change(table).to_csv(path, sep="\t", index=False)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return written(tmp_path / "task")


@pytest.fixture(scope="module")
def tables(tmp_path_factory) -> TaskTables:
    return read_task_tables(written(tmp_path_factory.mktemp("tables")))


@pytest.fixture(scope="module")
def companion() -> TargetGraph:
    """Another network and one set, under other ids; a gene that the tables do not have."""
    symbols = [*GENES[:40], "ELSEWHERE"]
    ids = [f"HGNC:{100 - i}" for i in range(len(symbols))]
    nodes = pd.DataFrame(dict.fromkeys(GENE_COLUMNS, symbols), index=ids)
    rows = sorted(tuple(sorted((ids[i], ids[i + 1]))) for i in range(len(ids) - 1))
    more = {"weight": 1.0, "evidence": "toy", "literature": False, "clinical": False}
    other = pd.DataFrame(rows, columns=["source_id", "target_id"]).assign(**more)
    members = pd.DataFrame({"source_id": sorted(ids[:7]), "target_id": "P"}).assign(**more)
    signal = pd.DataFrame({"source_id": [ids[0]], "target_id": [ids[1]]}).assign(**more)
    return TargetGraph(
        {"gene": nodes, "pathway": pd.DataFrame({"name": ["a pathway"]}, index=["P"])},
        {
            "interacts": Relation("interacts", "gene", "gene", other, directed=False),
            "member_of": Relation("member_of", "gene", "pathway", members),
            "activates": Relation("activates", "gene", "gene", signal),
        },
    )


@pytest.fixture(scope="module")
def task(tables, companion) -> TargetTask:
    return build_table_task(tables, 0, companion, full=True)


def test_labels_negatives_folds_and_features_are_those_of_the_tables(task):
    assert task.labels.sum() == 12
    assert task.negatives.sum() == 18
    assert (task.folds == -1).sum() == 30
    assert [b.name for b in task.blocks] == ["GE", "MF", "study", "graph"]
    assert list(task.genes) == GENES


def test_the_order_of_rows_in_the_files_changes_nothing(tables, tmp_path):
    other = read_task_tables(written(tmp_path / "shuffled", shuffle=True))
    pd.testing.assert_frame_equal(other.edges, tables.edges)
    pd.testing.assert_frame_equal(other.features, tables.features)
    pd.testing.assert_series_equal(other.labels, tables.labels)


def test_relations_of_a_graph_join_by_symbol_and_signalling_is_counted_only(task):
    assert task.wiring.channels == (BASE, "interacts (graph)", "member_of")
    study = next(b for b in task.blocks if b.name == "study")
    assert study.columns == ("activates", "activates reversed", "interacts (graph)", "member_of")
    # the set holds the first seven genes
    assert len(set(study.values[:7, 3])) == 1
    assert study.values[0, 3] > study.values[7, 3]
    lost = next(s for s in task.steps if s.name == "interacts: edges on the genes of the tables")
    assert (lost.rows_in, lost.rows_out) == (40, 39)


@pytest.mark.parametrize(
    ("name", "change", "error", "says"),
    [
        ("genes", lambda t: pd.concat([t, t[:1]]), InputError, "1 symbols occur twice: 'G000'"),
        ("genes", lambda t: t.replace("G003", "1-Mar"), InputError, "are dates"),
        ("genes", lambda t: t.assign(label=t["label"].replace("0", "no")), InputError, "'no'"),
        ("genes", lambda t: t.assign(label=["1"] * 3 + ["0"] * 57), LabelError, "3 known targets"),
        ("genes", lambda t: t.assign(test_fold_rep0="-1"), TaskError, "do not cover 30 of 30"),
        ("genes", lambda t: t.drop(columns="test_fold_rep0"), InputError, "no column test_fold"),
        ("features", lambda t: t.assign(x=["1"] * 12 + ["0"] * 48), TaskError, "feature 'x'"),
        ("features", lambda t: t.replace(t.iloc[2, 1], "high"), InputError, "'high' of G002"),
        ("features", lambda t: pd.concat([t, t[:1]]), InputError, "occur twice: 'G000'"),
        ("edges", lambda t: t.replace(r"G\d+", "X", regex=True), TaskError, "no edge"),
        ("edges", lambda t: t.assign(weight="2"), InputError, "weights must be"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_by_name(folder, name, change, error, says):
    with pytest.raises(error, match=says):
        read_task_tables(changed(folder, name, change))


def test_a_missing_table_is_named(folder):
    (folder / "edges.tsv").unlink()
    with pytest.raises(InputError, match=r"no edges\.tsv"):
        read_task_tables(folder)


def test_constant_features_and_telling_gaps_are_left_out_and_recorded(folder):
    def spoil(table: pd.DataFrame) -> pd.DataFrame:
        table = table.assign(flat="1", gap=table["GE: A"], thin=table["GE: B"])
        table.loc[:11, "gap"] = ""
        table.loc[[0, 20], "thin"] = ""
        return table

    found = read_task_tables(changed(folder, "features", spoil))
    assert "flat" not in found.features
    assert "gap" not in found.features
    assert found.features["thin"].isna().sum() == 2
    said = {s.name: s for s in found.steps}
    assert said["features that vary"].examples == ("flat",)
    assert said["features whose missing values say nothing about the label"].examples == ("gap",)


def test_loops_repeats_and_unknown_genes_among_edges_are_counted(folder):
    more = pd.DataFrame(
        {"a": ["G000", "G001", "G009", "ALIEN"], "b": ["G001", "G000", "G009", "G1"]}
    )
    found = read_task_tables(changed(folder, "edges", lambda t: pd.concat([t, more])))
    step = next(s for s in found.steps if s.name == "edges between genes of the task")
    assert step.rows_in - step.rows_out == 4
    assert "ALIEN" in step.examples


def test_the_first_layer_computed_once_gives_the_logits_of_the_whole_network(task):
    member = fit_supervised(task, Unit(1, 0), SHORT, 0)
    network = load_network(task, member)
    visible = task.folds == 0
    rows = np.array([3, 17, 31, 59])
    with torch.no_grad():
        fast = forward_rows(
            network,
            first_layer(task),
            training_rows(task, 1).paths.arrive(label_channels(task, visible)),
            rows,
            RowOperators.cut(task, rows),
        ).numpy()
    np.testing.assert_allclose(fast, member.logits[rows], atol=2e-6)


def test_flipping_labels_of_the_test_fold_leaves_its_network_bit_identical(task):
    test = task.folds == 1
    swapped = replace(
        task,
        labels=np.where(test, task.negatives, task.labels).astype(np.int8),
        negatives=np.where(test, task.labels == 1, task.negatives),
    )
    one, other = (fit_supervised(t, Unit(1, 0), SHORT, 0) for t in (task, swapped))
    assert np.array_equal(one.logits, other.logits)


def test_attributions_add_up_for_two_label_channels(task):
    member = fit_supervised(task, Unit(1, 0), SHORT, 0)
    found = SharedPath(task, [member], steps=400).attribute(3)
    assert found.feature_arrays(60)[-1].shape == (60, 2)
    assert found.score == pytest.approx(member.scores[3], abs=1e-5)
    assert found.completeness_error < 0.01


def test_the_risk_of_the_unlabelled_by_hand():
    known, rest = torch.tensor([0.0, 2.0]), torch.tensor([-1.0])
    soft = lambda x: np.log1p(np.exp(x))  # noqa: E731
    positive = 0.2 * (soft(0.0) + soft(-2.0)) / 2
    negative = soft(-1.0) - 0.2 * (soft(0.0) + soft(2.0)) / 2
    assert float(unlabelled_risk(known, rest, 0.2)) == pytest.approx(positive + negative, rel=1e-6)
    # with a large prior the negative part would be below zero
    assert float(unlabelled_risk(known, rest, 0.9)) == pytest.approx(4.5 * positive, rel=1e-6)


def test_without_negatives_supervised_learning_is_refused(task):
    with pytest.raises(TaskError, match="no negative is given"):
        fit_supervised(replace(task, negatives=None), Unit(1, 0), SHORT, 0)


def test_positives_among_unlabelled_are_enough_with_the_non_negative_risk(task):
    # the test half of the targets is found without any negative, the prior estimated
    unlabelled = replace(task, negatives=None)
    recipe = Recipe(epochs=40, hidden=6, unlabelled_weight=1.0, prior=0.0, unlabelled_drawn=30)
    logits = np.mean([fit_supervised(unlabelled, Unit(1, s), recipe, 0).logits for s in (0, 1)], 0)
    test = task.folds == 1
    assert roc_auc_score(task.labels[test], logits[test]) > 0.6
    swapped = replace(unlabelled, labels=np.where(test, 0, task.labels).astype(np.int8))
    one, other = (fit_supervised(t, Unit(1, 0), recipe, 0) for t in (unlabelled, swapped))
    assert np.array_equal(one.logits, other.logits)


@pytest.mark.parametrize("share", [0.05, 0.3, 0.6])
def test_the_share_of_positives_among_the_unlabelled_is_recovered(share):
    rng = np.random.default_rng(7)
    n = int(2000 * share)
    rest = np.concatenate([rng.normal(2.5, 1, n), rng.normal(0, 1, 2000 - n)])
    assert estimate_prior(rng.normal(2.5, 1, 400), rest) == pytest.approx(share, abs=0.06)
