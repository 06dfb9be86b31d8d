"""Whole runs and audits with given negatives, without any label, and beside networks of PyG."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.config import RunConfig, config_from
from aimwell.errors import ConfigError, TaskError
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models import ladder as rungs
from aimwell.models.graph_rungs import GRAPH_RUNGS, graph_rungs
from aimwell.models.task import TargetTask
from aimwell.pipeline.audit import AuditRequest, audit_run
from aimwell.pipeline.run import run
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation
from aimwell.trust.calibration import check_calibration
from aimwell.trust.variants import permute_known

NEGATIVES = 40


@pytest.fixture(autouse=True)
def quick_ladder(monkeypatch: pytest.MonkeyPatch) -> None:
    """Boosting and perceptrons take most of the time and are tested elsewhere."""
    monkeypatch.setattr(rungs, "learned", lambda _model, _columns, labels, _rows: labels * 0.0)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    graph = read_starter_graph()
    found = simulate_cohort(graph, SimulationSettings(subjects=6), seed=5)
    write_simulation(found, folder, graph.symbols)
    plain = found.truth.index[~found.truth["planted"]]
    names = graph.symbols.reindex(plain[: NEGATIVES * 3 : 3])
    (folder / "negatives.txt").write_text("\n".join(names) + "\n", encoding="utf-8")
    return folder


def config_of(data: Path, output: Path, objective: str, **model: object) -> RunConfig:
    contrast = {"condition": "condition", "case": "case", "control": "control", "batch": "batch"}
    labels = {
        "sources": [{"reader": "genes", "path": "known_targets.txt"}],
        "negatives": [{"reader": "genes", "path": "negatives.txt"}],
    }
    return config_from(
        {
            "run": {"title": "small", "data": str(data), "output": str(output), "jobs": 1},
            "cohort": {
                "matrices": [
                    {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
                ],
                "sheet": {"path": "samples.tsv"},
            },
            "contrasts": [{"name": "rna", "layer": "rna", "subject": "subject", **contrast}],
            "model": {"folds": 2, "seeds": 1, "epochs": 4, "objective": objective, **model},
            "known_targets": labels if objective == "supervised" else {},
            "explain": {"top": 1, "steps": 8},
            "audit": {
                "rewires": 2,
                "label_permutations": 2,
                "sample_permutations": 2,
                "sample_bootstraps": 2,
                "edge_bootstraps": 1,
                "swaps": 1,
            },
        }
    )


def both_tracks_stand_side_by_side(checks):
    table = pd.DataFrame(checks["tracks"]).set_index(["track", "scorer"])
    metrics = pd.DataFrame(checks["ladder"]).set_index("index")["average_precision"]
    precision = table["average_precision"]
    assert precision["lean", "network"] == metrics["network"]
    name = "regression: evidence, degree, neighbour labels"
    assert precision["lean", name] == metrics[name]
    assert precision["counts alone", "study intensity"] == metrics["study intensity"]
    assert precision["full", "network"] != precision["lean", "network"]
    assert precision["full", name] != precision["lean", name]
    (check,) = [c for c in checks["checks"] if c["name"] == "study_intensity_adds"]
    difference = precision["full", "network"] - precision["lean", "network"]
    assert check["value"] == pytest.approx(difference)


def test_tracks_need_known_targets(cohort, tmp_path):
    with pytest.raises(ConfigError, match="compare_tracks"):
        config_of(cohort, tmp_path / "run", "none", compare_tracks=True)


def test_a_run_with_given_negatives_is_ranked_in_both_tracks_and_audited(cohort, tmp_path):
    done = run(config_of(cohort, tmp_path / "run", "supervised", compare_tracks=True))
    both_tracks_stand_side_by_side(done.checks())
    targets = done.targets()
    assert targets["is_known"].sum() == 10
    advice = done.checks()["recommendation"]
    assert {row["scorer"] for row in advice["scorers"]} >= {"network", "degree"}
    assert advice["known"] == 10
    request = AuditRequest(("leakage", "nulls", "calibration"), data=str(cohort), jobs=1)
    found = audit_run(done.folder, request)
    values = {c.name: c.value for c in found.checks}
    assert not [what for what in found.skipped if what.endswith("draws of permuted known targets")]
    assert values["null_p: labels"] is not None
    assert 0 <= values["calibration_error_among_given"] <= 1
    assert {"null_p_edges", "null_p_labels", "null_p_samples"} <= set(found.genes.columns)


def of_two_cohorts(cohort: Path, data: Path) -> Path:
    """The same measurements, half of the subjects in cohort A and half in B."""
    data.mkdir()
    for path in cohort.glob("*.t*"):
        (data / path.name).write_bytes(path.read_bytes())
    sheet = pd.read_csv(cohort / "samples.tsv", sep="\t")
    first = sorted(set(sheet["subject"]))[:3]
    sheet["cohort"] = np.where(sheet["subject"].isin(first), "A", "B")
    sheet.to_csv(data / "samples.tsv", sep="\t", index=False)
    return data


def test_a_run_without_labels_is_audited_for_what_needs_none(cohort, tmp_path):
    """And every cohort is left out with all of its contrasts."""
    data = of_two_cohorts(cohort, tmp_path / "data")
    config = config_of(data, tmp_path / "run", "none")
    (whole,) = config.contrasts
    parts = tuple(
        replace(whole, name=f"rna_{name}", batch="", where={"cohort": name}) for name in "AB"
    )
    done = run(replace(config, contrasts=parts))
    found = audit_run(done.folder, AuditRequest(data=str(data), jobs=1))
    table = found.layers.set_index(["kind", "left_out"])["rank_correlation"]
    for name in "AB":
        alone = table["layer", f"rna_{name}"]
        assert table["contrasts of", f"cohort = {name}"] == pytest.approx(alone)
    values = {c.name: c.value for c in found.checks}
    assert found.skipped["permuted known targets"] == "nothing was learned from known targets"
    assert {"leakage", "calibration"} <= set(found.skipped)
    assert values["top_overlap: seeds"] > 0
    assert "rank_degree_correlation" in values
    assert "degree_matched_auroc" not in values
    assert values["adds: relation interacts"] is None
    assert len(found.layers)
    assert {"null_p_edges", "null_p_samples"} <= set(found.genes.columns)
    assert "robust" not in set(found.genes["tier"])


def test_known_targets_and_given_negatives_exchange_their_labels():
    graph = read_starter_graph()
    genes = graph.genes.sort_values()
    table = pd.DataFrame({"gene": genes[:20]}).assign(
        disease="d", source="s", date="", strength=1.0, detail=""
    )
    known, negatives = KnownTargets(table), genes[20:100]
    drawn, left = permute_known(graph, known, None, np.random.default_rng(1), negatives)
    assert len(set(drawn.genes)) == 20
    assert not set(drawn.genes) & set(left)
    assert set(drawn.genes) | set(left) == set(genes[:100])
    assert set(drawn.genes) != set(known.genes)
    free, none = permute_known(graph, known, None, np.random.default_rng(1))
    assert none is None
    assert len(set(free.genes) - set(genes[:100])) > 5


def test_networks_of_pyg_find_what_their_neighbours_tell_and_never_see_the_fold(
    starter_task: TargetTask,
):
    task = starter_task
    found = graph_rungs(task, epochs=6)
    assert list(found.columns) == list(GRAPH_RUNGS)
    assert np.isfinite(found.to_numpy()).all()
    assert (found.std() > 0).all()
    pd.testing.assert_frame_equal(graph_rungs(task, epochs=6), found)
    # labels of a fold do not reach its own scores
    fold = int(np.unique(task.folds)[0])
    mine = task.folds == fold
    labels = task.labels.copy()
    at = np.flatnonzero(mine)
    labels[at[:3]] = 1 - labels[at[:3]]
    other = graph_rungs(replace(task, labels=labels), epochs=6)
    # the spread of genes without a label, by which scores are given, is that of other genes then
    for name in GRAPH_RUNGS:
        one, two = found[name][mine], other[name][mine]
        assert np.corrcoef(one, two)[0, 1] == pytest.approx(1.0, abs=1e-6)


def test_the_full_ladder_has_every_rung(starter_task: TargetTask, monkeypatch):
    from aimwell.models import graph_rungs as module

    whole = module.graph_rungs
    monkeypatch.setattr(module, "graph_rungs", lambda task: whole(task, epochs=1))
    assert list(rungs.ladder(starter_task, full=True).columns)[-3:] == list(GRAPH_RUNGS)


def test_calibration_among_given_labels_sees_a_score_that_says_nothing(starter_task: TargetTask):
    rng = np.random.default_rng(3)
    n = len(starter_task.genes)
    labels = np.zeros(n, np.int8)
    labels[rng.choice(n, 150, replace=False)] = 1
    negatives = (labels == 0) & (rng.random(n) < 0.4)
    task = replace(starter_task, labels=labels, negatives=negatives)
    _, checks = check_calibration(task, rng.normal(size=n) + 2.0 * labels)
    (one,) = [c for c in checks if c.name == "calibration_error_among_given"]
    assert one.value < 0.1
    assert str(int(negatives.sum())) in one.meaning
    _, plain = check_calibration(replace(task, negatives=None), rng.normal(size=n))
    assert not [c for c in plain if c.name == "calibration_error_among_given"]


@pytest.fixture(scope="module")
def starter_task() -> TargetTask:
    from aimwell.bench.demo import evidence_of
    from aimwell.models.task import build_task

    graph = read_starter_graph()
    found = simulate_cohort(graph, SimulationSettings(subjects=6), seed=5)
    table = pd.DataFrame({"gene": found.given}).assign(
        disease="d", source="s", date="", strength=1.0, detail=""
    )
    return build_task(graph, evidence_of(found, 5), KnownTargets(table), folds=2, seed=0)


def test_known_targets_that_are_negatives_too_are_refused(starter_task: TargetTask):
    with pytest.raises(TaskError, match="known targets and negatives"):
        replace(starter_task, negatives=starter_task.labels == 1)
