"""A contrast that batch and condition nearly share is refused, or marked wherever it is told."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

SAID = "Confounding was accepted: batch and covariates leave"
RUN_FILE = """
[run]
title = "confounded"
output = "out"
jobs = 1
[cohort]
sheet = { path = "samples.tsv" }
matrices = [{ path = "rna_counts.tsv", layer = "rna", kind = "rna", unit = "counts", \
subject_pattern = "^(.*)_" }]
[[contrasts]]
name = "rna"
layer = "rna"
condition = "condition"
case = "case"
control = "control"
batch = "day"
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
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("confounded")
    graph = read_starter_graph()
    write_simulation(
        simulate_cohort(graph, SimulationSettings(subjects=12), seed=3), folder, graph.symbols
    )
    sheet = pd.read_csv(folder / "samples.tsv", sep="\t", dtype=str)
    # all but one of the cases were measured on the second day
    sheet["day"] = (sheet["condition"] == "case").map({True: "2", False: "1"})
    sheet.loc[sheet.index[sheet["condition"] == "case"][0], "day"] = "1"
    sheet.to_csv(folder / "samples.tsv", sep="\t", index=False)
    (folder / "run.toml").write_text(RUN_FILE)
    return folder / "run.toml"


def test_a_confounded_contrast_ends_with_2_and_a_code_and_writes_nothing(run_file, monkeypatch):
    monkeypatch.chdir(run_file.parent)
    sheet = pd.read_csv(run_file.parent / "samples.tsv", sep="\t", dtype=str)
    aliased = sheet.assign(day=sheet["condition"])
    aliased.to_csv(run_file.parent / "aliased.tsv", sep="\t", index=False)
    other = run_file.with_name("aliased.toml")
    other.write_text(RUN_FILE.replace("samples.tsv", "aliased.tsv"))
    for options in ([], ["--accept-confounding"]):
        done = CliRunner().invoke(app, ["run", str(other), "--json", *options])
        error = json.loads(done.stdout)["error"]
        assert (done.exit_code, error["code"]) == (2, "CONFOUNDED")
        assert "'day' 'case' only in 'case'; 'day' 'control' only in 'control'" in error["message"]
    assert not (run_file.parent / "out").exists()


def test_accepted_confounding_is_said_on_the_page_and_in_every_table(run_file, monkeypatch):
    monkeypatch.chdir(run_file.parent)
    refused = CliRunner().invoke(app, ["run", str(run_file), "--json"])
    # day 1: 1 case, 12 controls; day 2: 11 cases. R² = (11 × 12)² / (12 × 12 × 13 × 11)
    information = 1 - 132**2 / (12 * 12 * 13 * 11)
    assert (refused.exit_code, json.loads(refused.stdout)["error"]["code"]) == (2, "CONFOUNDED")
    assert f"{information:.0%} of the information" in refused.stdout
    done = CliRunner().invoke(app, ["run", str(run_file), "--quiet", "--accept-confounding"])
    assert done.exit_code == 0, done.output
    out = run_file.parent / "out"
    targets = pd.read_csv(out / "targets.tsv", sep="\t")
    assert targets["stain"].str.startswith(SAID).all()
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["designs"]["rna"]["verdict"] == "refuse"
    assert any("confounding accepted" in step["name"] for step in manifest["steps"])
    assert any(SAID in page.read_text() for page in out.glob("*.html"))
