"""The benchmark of given folds on a small made-up task, and what it measures with."""

import numpy as np
import pandas as pd
import pytest

from aimwell.bench import BenchOptions, run_bench
from aimwell.cli.options import numbers
from aimwell.errors import ConfigError
from aimwell.models.accuracy import matched_auroc, paired_interval


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Eighty labelled genes in two repetitions of two folds; a feature and the edges tell."""
    folder = tmp_path_factory.mktemp("made-up")
    rng = np.random.default_rng(4)
    names = [f"G{i:03d}" for i in range(150)]
    label = np.repeat([1, 0, -1], [40, 40, 70])
    fold = np.where(label >= 0, np.arange(150) % 2, -1)
    table = {"symbol": names, "label": label, "test_fold_rep0": fold, "test_fold_rep1": fold}
    pd.DataFrame(table).to_csv(folder / "genes.tsv", sep="\t", index=False)
    pairs = {(a, int(b)) for a in range(40) for b in rng.integers(0, 40, 4)}
    pairs |= {(a, int(b)) for a in range(150) for b in rng.integers(0, 150, 3)}
    pairs = sorted({tuple(sorted(p)) for p in pairs if p[0] != p[1]})
    edges = pd.DataFrame([(names[a], names[b]) for a, b in pairs], columns=["a", "b"])
    edges.to_csv(folder / "edges.tsv", sep="\t", index=False)
    values = pd.DataFrame(rng.normal(size=(150, 3)), columns=["X: A", "X: B", "Y: A"])
    values["X: A"] += 1.5 * (label == 1)
    values.insert(0, "symbol", names)
    values.to_csv(folder / "features.tsv", sep="\t", index=False)
    return folder


def test_planted_targets_are_found_on_given_folds_and_every_score_is_written(folder, tmp_path):
    options = BenchOptions(str(folder), "none", (1,), seeds=1, output=str(tmp_path))
    bars = {b.name: b for b in run_bench("cancer-genes", options=options)}
    assert bars["cancer genes, lean: AUROC, network"].value > 0.75
    assert bars["cancer genes, lean: AUROC, regression: evidence"].value > 0.75
    written = pd.read_csv(tmp_path / "predictions.tsv", sep="\t")
    assert len(written) == 150
    assert set(written["label"]) == {1, 0, -1}
    assert (written["fold"] == -1).sum() == 70
    assert written["network"].is_monotonic_decreasing


def test_edges_are_held_against_rewired_ones_with_and_without_degree_correction(
    folder, monkeypatch
):
    from aimwell.bench import edges
    from aimwell.knowledge.task_tables import read_task_tables
    from aimwell.models.supervised import Recipe
    from aimwell.models.table_task import build_table_task, relation_counts

    monkeypatch.setattr(edges, "REWIRES", 2)
    monkeypatch.setattr(edges, "Recipe", lambda: Recipe(epochs=5))
    tables = read_task_tables(folder)
    task, counts = build_table_task(tables, 1, None), relation_counts(tables, None)
    drivers = pd.Index(tables.labels.index[-30:])
    bars = {b.name: b.value for b in edges._rewired_bars(task, counts, drivers, 1)}
    for what in ("edges", "edges, degree-corrected"):
        real, null = (
            bars[f"{what}: {graph}: average precision"]
            for graph in ("real graph", "rewired graphs")
        )
        assert bars[f"{what}: real minus rewired over 2 graphs"] == pytest.approx(real - null)
        assert 0.5 < null <= 1
    price = bars["edges: price of degree correction, real graph: average precision"]
    assert abs(price) > 1e-4
    assert 0.3 < bars[f"edges: no graph at all: {edges.MATCHED}, regression: evidence"] < 0.7


def test_repetitions_that_are_no_numbers_are_refused():
    with pytest.raises(ConfigError, match="found 'first'"):
        numbers("0,first", "--folds")


def test_without_a_task_the_benchmark_says_what_it_needs():
    with pytest.raises(ConfigError, match="--task DIR"):
        list(run_bench("cancer-genes"))


def test_matched_pairs_leave_nothing_of_a_score_that_is_the_degree():
    rng = np.random.default_rng(0)
    degree = np.repeat(np.arange(10.0), 60)
    truth = rng.random(600) < degree / 10
    assert matched_auroc(truth, degree, degree) == 0.5
    assert matched_auroc(truth, degree + truth, degree) == 1.0


def test_the_interval_is_wider_than_that_of_independent_folds():
    values = np.array([0.01, 0.02, 0.03, 0.02])
    mean, low, high = paired_interval(values, 0.25)
    half = 3.182446 * np.std(values, ddof=1) * np.sqrt(1 / 4 + 0.25)
    assert mean == pytest.approx(0.02)
    assert (low, high) == pytest.approx((0.02 - half, 0.02 + half), rel=1e-5)


def test_folds_of_whole_families_split_no_group_and_are_balanced():
    from aimwell.bench.grouped_folds import grouped, groups_of
    from aimwell.knowledge.sources.starter import read_starter_graph
    from aimwell.models.task import Block, TargetTask
    from aimwell.models.wiring import build_wiring

    graph = read_starter_graph()
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    symbols = pd.Index(graph.symbols.reindex(genes).astype(str))
    groups = groups_of(graph, symbols.append(pd.Index(["NOT_A_GENE"])))
    assert groups["NOT_A_GENE"] == "NOT_A_GENE"
    # the subunits of a complex are of one group, whatever their families
    complexes = next(r for r in graph.set_relations() if r.target_type == "complex")
    sizes = complexes.edges.groupby("target_id")["source_id"].apply(list)
    pair = next(ids for ids in sizes if len(ids) == 2)
    assert groups[graph.symbols[pair[0]]] == groups[graph.symbols[pair[1]]]
    rng = np.random.default_rng(2)
    labelled = rng.random(len(genes)) < 0.6
    labels = (labelled & (rng.random(len(genes)) < 0.3)).astype(np.int8)
    task = TargetTask(
        graph=graph,
        genes=genes,
        blocks=(Block("graph", "graph", ("x",), np.zeros((len(genes), 1), np.float32)),),
        wiring=build_wiring(graph, genes),
        labels=labels,
        withheld=np.zeros(len(genes), bool),
        folds=np.where(labelled, rng.integers(0, 5, len(genes)), -1),
        families=pd.Series(genes, genes),
        negatives=labelled & (labels == 0),
    )
    mine = pd.Series(groups[symbols].to_numpy(), genes)
    found = grouped(task, mine, 1)
    assert ((found.folds >= 0) == labelled).all()
    inside = pd.Series(found.folds[labelled]).groupby(mine[labelled].to_numpy()).nunique()
    assert inside.max() == 1
    targets = np.bincount(found.folds[labels == 1])
    assert targets.max() - targets.min() <= max(2, mine[labels == 1].value_counts().max())
