"""Contrasts over a number and over survival go through a whole run."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

RUN_FILE = """
[run]
title = "doses"
output = "out"
jobs = 1
[cohort]
sheet = { path = "samples.tsv" }
[[cohort.matrices]]
path = "rna_counts.tsv"
layer = "rna"
kind = "rna"
unit = "counts"
subject_pattern = "^(.*)_"
[[contrasts]]
name = "dose"
layer = "rna"
test = "slope"
condition = "dose_um"
batch = "batch"
[[contrasts]]
name = "death"
layer = "rna"
test = "survival"
time = "months"
event = "status"
event_level = "dead"
where = { condition = "case" }
[[known_targets.sources]]
reader = "genes"
path = "known_targets.txt"
[model]
folds = 3
seeds = 1
epochs = 2
[explain]
top = 2
steps = 4
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("doses")
    graph = read_starter_graph()
    write_simulation(
        simulate_cohort(graph, SimulationSettings(subjects=12), seed=3), folder, graph.symbols
    )
    sheet = pd.read_csv(folder / "samples.tsv", sep="\t", dtype=str)
    rng = np.random.default_rng(1)
    case = sheet["condition"] == "case"
    # a case is a sample with 5 µM, so the slope is a fifth of what the arms differ by
    sheet["dose_um"] = np.where(case, "5", "0")
    sheet["months"] = rng.exponential(20, len(sheet)).round(1) + 1
    sheet["status"] = np.where(rng.random(len(sheet)) < 0.7, "dead", "alive")
    sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
    (folder / "run.toml").write_text(RUN_FILE)
    return folder


def test_a_run_ranks_targets_by_a_slope_and_by_survival(folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["run", "run.toml", "--json"])
    assert done.exit_code == 0, done.stdout
    evidence = pd.read_parquet(folder / "out" / "evidence.parquet")
    assert evidence["dose_observed"].sum() > 100
    assert evidence["death_observed"].sum() > 100
    page = (folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "dose" in page
    manifest = json.loads((folder / "out" / "manifest.json").read_text())
    assert manifest["designs"]["dose"]["n_case"] == 12
    assert manifest["designs"]["death"]["n_control"] == 12 - manifest["designs"]["death"]["n_case"]

    arms = RUN_FILE.split("[[contrasts]]", maxsplit=1)[0] + (
        '[[contrasts]]\nname = "arms"\nlayer = "rna"\ncondition = "condition"\ncase = "case"\n'
        'control = "control"\nbatch = "batch"\n'
        "[[known_targets.sources]]" + RUN_FILE.split("[[known_targets.sources]]")[1]
    )
    (folder / "arms.toml").write_text(arms.replace('"out"', '"arms"'))
    done = CliRunner().invoke(app, ["run", "arms.toml", "--json"])
    assert done.exit_code == 0, done.stdout
    other = pd.read_parquet(folder / "arms" / "evidence.parquet").loc[evidence.index]
    effects = evidence["dose_log2_fold_change"] * 5, other["arms_log2_fold_change"]
    np.testing.assert_allclose(*effects, atol=1e-9)


def test_the_check_says_whether_a_slope_and_survival_can_be_tested(folder, monkeypatch):
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, ["cohort", "check", "run.toml", "--json"])
    assert done.exit_code == 0, done.stdout
    told = {c["name"]: c for c in json.loads(done.stdout)["contrasts"]}
    assert (told["dose"]["n_case"], told["dose"]["n_control"]) == (12, 12)
    (folder / "bad.toml").write_text(RUN_FILE.replace('"dose_um"', '"condition"'))
    done = CliRunner().invoke(app, ["cohort", "check", "bad.toml", "--json"])
    assert done.exit_code == 2
    problem = json.loads(done.stdout)["contrasts"][0]["problem"]
    assert "'condition' must hold numbers for test = 'slope'" in problem
