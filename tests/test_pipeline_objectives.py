"""A whole run without known targets, with given folds, and with every kind of network."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest

from aimwell.config import MatrixSettings, RunConfig, config_from
from aimwell.errors import ConfigError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.explain import explain_run
from aimwell.pipeline.run import run
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    graph = read_starter_graph()
    settings = SimulationSettings(subjects=6)
    write_simulation(simulate_cohort(graph, settings, seed=3), folder, graph.symbols)
    return folder


def config_of(data: Path, output: Path, *, known: bool = True, **model: object) -> RunConfig:
    contrast = {"condition": "condition", "case": "case", "control": "control", "batch": "batch"}
    raw = {
        "run": {"title": "small", "data": str(data), "output": str(output), "jobs": 1},
        "cohort": {
            "matrices": [
                {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
            ],
            "sheet": {"path": "samples.tsv"},
        },
        "contrasts": [{"name": "rna", "layer": "rna", "subject": "subject", **contrast}],
        "model": {"folds": 3, "seeds": 1, "epochs": 3, **model},
        "explain": {"top": 2, "steps": 8},
    }
    if known:
        raw["known_targets"] = {"sources": [{"reader": "genes", "path": "known_targets.txt"}]}
    return config_from(raw)


def test_a_run_without_known_targets_ranks_explains_and_draws_its_page(cohort, tmp_path):
    result = run(config_of(cohort, tmp_path / "run", known=False, objective="none"))
    targets = result.targets()
    assert not targets["is_known"].any()
    assert "ladder_random walk from the evidence" in targets.columns
    names = {check["name"] for check in result.checks()["checks"]}
    assert "held_out_evidence" in names
    assert "lead_over_the_ladder" not in names
    assert result.page.stat().st_size > 10_000
    (one,) = explain_run(result.folder, [str(targets["symbol"].iloc[40])], jobs=1)
    assert one.shares["own rna"] == 0
    assert run(config_of(cohort, tmp_path / "run", known=False, objective="none")).reused


def test_known_targets_beside_the_objective_none_only_check(cohort, tmp_path):
    bare = run(config_of(cohort, tmp_path / "bare", known=False, objective="none"))
    told = run(config_of(cohort, tmp_path / "told", objective="none"))
    assert bare.targets()["score"].equals(told.targets()["score"])
    assert told.targets()["is_known"].sum() == 10
    assert {row["index"] for row in told.checks()["ladder"]} >= {"network", "degree"}


def test_the_folds_are_written_and_can_be_given_back(cohort, tmp_path):
    first = run(config_of(cohort, tmp_path / "first"))
    folds = pd.read_csv(first.folder / "folds.tsv", sep="\t")
    assert set(folds["fold"]) == {0, 1, 2}
    assert folds["is_known"].sum() == 10
    assert not folds.groupby("group")["fold"].agg(lambda f: f.min() != f.max()).any()
    given = tmp_path / "folds.csv"
    folds.rename(columns={"symbol": "gene"})[["gene", "fold"]].to_csv(given, index=False)
    again = run(config_of(cohort, tmp_path / "again", folds_by="given", folds_file=str(given)))
    assert again.targets()["score"].equals(first.targets()["score"])
    given.unlink()
    assert explain_run(again.folder, ["TP53"], jobs=1)


def test_degree_correction_makes_another_run_which_is_explained_in_full(cohort, tmp_path):
    plain = run(config_of(cohort, tmp_path / "run")).targets().set_index("hgnc_id")["score"]
    result = run(config_of(cohort, tmp_path / "run", degree_correction=True))
    assert not result.reused
    score = result.targets().set_index("hgnc_id")["score"]
    assert (score - plain.reindex(score.index)).abs().max() > 0.1
    error = next(
        check["value"]
        for check in result.checks()["checks"]
        if check["name"] == "completeness_of_attributions"
    )
    assert error < 0.1
    (one,) = explain_run(result.folder, [str(result.targets()["symbol"].iloc[40])], jobs=1)
    assert "expected to send was taken out of every message" in result.page.read_text("utf-8")
    # the ways of messages are known, so it was not Captum that was asked
    assert "interactions" not in one.shares


def test_settings_that_contradict_each_other_are_refused(cohort, tmp_path):
    with pytest.raises(ConfigError, match=r"known_targets.sources is empty; .*objective = 'none'"):
        config_of(cohort, tmp_path, known=False)
    with pytest.raises(ConfigError, match="need each other"):
        config_of(cohort, tmp_path, folds_by="given")
    with pytest.raises(ConfigError, match="learns the weights; leave one of them out"):
        config_of(cohort, tmp_path, convolution="attention", degree_correction=True)
    with pytest.raises(ConfigError, match="orders known targets"):
        config_of(cohort, tmp_path, objective="none", folds_by="study")
    with pytest.raises(ConfigError, match="'supervised'"):
        config_of(cohort, tmp_path, objective="supervised")
    with pytest.raises(ConfigError, match="did you mean 'late'"):
        config_of(cohort, tmp_path, fusion="lat")


def test_ways_of_fusion_and_missing_layers_are_measured_on_the_users_data(cohort, tmp_path):
    config = config_of(cohort, tmp_path / "run", compare_fusion=True)
    raw = dataclasses.replace(
        config.cohort,
        matrices=(
            *config.cohort.matrices,
            MatrixSettings("protein_log2_ratio.tsv", "protein", "protein", unit="log2_ratio"),
        ),
    )
    protein = dataclasses.replace(config.contrasts[0], name="protein", layer="protein")
    both = dataclasses.replace(
        config,
        cohort=raw,
        contrasts=(*config.contrasts, protein),
        explain=dataclasses.replace(config.explain, top=0),
    )
    checks = run(both).checks()
    assert [row["fusion"] for row in checks["fusion"]] == ["early", "intermediate", "late"]
    assert len({row["average_precision"] for row in checks["fusion"]}) > 1
    assert {row["without"] for row in checks["layers"]} == {"rna", "protein"}
    named = {check["name"] for check in checks["checks"]}
    assert {"without_layer: rna", "without_layer: protein"} <= named
