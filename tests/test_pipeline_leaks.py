"""Leaks are left out of a run unless allowed; then every result that leaves the run says so."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.config import read_config
from aimwell.errors import ConfigError
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.store import write_graph
from aimwell.pipeline.explain import explain_run
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

NAME = "What drugs against psoriasis hit"
SAID = "the ranking has seen the answer"
RUN_FILE = """
[run]
title = "leaky"
output = "out"
jobs = 1
[graph]
folder = "graph"
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
[[known_targets.sources]]
reader = "genes"
path = "known_targets.txt"
[model]
folds = 3
seeds = 2
epochs = 3
[explain]
top = 3
steps = 8
"""


def with_leaks(graph: TargetGraph, known: list[str]) -> TargetGraph:
    """Add a pathway that is the list of targets, and an edge that only text mining has."""
    pathways = pd.concat([graph.nodes["pathway"], pd.DataFrame({"name": [NAME]}, index=["ZZ:1"])])
    members = graph.relations["member_of"].edges
    more = pd.DataFrame({"source_id": known, "target_id": "ZZ:1"}).assign(
        weight=1.0, evidence="Planted", literature=False, clinical=False, detail=""
    )
    edges = pd.concat([members, more]).sort_values(["source_id", "target_id"], ignore_index=True)
    interacts = graph.relations["interacts"].edges
    read = interacts.assign(literature=[True] + [False] * (len(interacts) - 1))
    relations = {
        **graph.relations,
        "member_of": replace(graph.relations["member_of"], edges=edges),
        "interacts": replace(graph.relations["interacts"], edges=read),
    }
    return replace(graph, nodes={**graph.nodes, "pathway": pathways}, relations=relations)


@pytest.fixture(scope="module")
def run_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("leaky")
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(subjects=6), seed=3)
    write_simulation(cohort, folder, graph.symbols)
    write_graph(with_leaks(graph, sorted(cohort.given)), folder / "graph")
    (folder / "run.toml").write_text(RUN_FILE)
    return folder / "run.toml"


def call(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(a) for a in arguments], env={"AIMWELL_DATA": ""})
    return done.exit_code, done.stdout


@pytest.fixture(scope="module")
def stained(run_file: Path) -> Path:
    out = run_file.parent / "stained"
    status, said = call("run", run_file, "--output", out, "--allow-leak")
    assert status == 0
    assert SAID in " ".join(said.split())
    return out


@pytest.fixture(scope="module")
def clean(run_file: Path) -> Path:
    out = run_file.parent / "clean"
    status, said = call("run", run_file, "--output", out)
    assert status == 0
    assert SAID not in said
    return out


def leak_of(folder: Path) -> dict[str, object]:
    checks = json.loads((folder / "checks.json").read_text())["checks"]
    return next(check for check in checks if check["name"] == "leaks")


def test_every_file_that_people_take_away_says_that_leaks_were_allowed(stained: Path) -> None:
    targets = pd.read_csv(stained / "targets.tsv", sep="\t")
    assert targets["stain"].str.contains(SAID).all()
    assert pd.read_parquet(stained / "targets.parquet")["stain"].str.contains(SAID).all()
    manifest = json.loads((stained / "manifest.json").read_text())
    assert manifest["leaks"]["allowed"] is True
    assert SAID in manifest["leaks"]["stain"]
    assert {row["name"] for row in manifest["leaks"]["found"]} == {NAME, "literature"}
    page = (stained / "report.html").read_text(encoding="utf-8")
    banner = page.split('class="stain" role="alert"')[1].split("</p>")[0]
    assert SAID in banner
    for suffix in ("json", "graphml", "cx2"):
        files = list((stained / "explanations").glob(f"*.{suffix}"))
        assert len(files) == 3
        assert all(SAID in path.read_text(encoding="utf-8") for path in files)


def test_the_check_of_leaks_fails_where_they_were_allowed(stained: Path, clean: Path) -> None:
    bad, good = leak_of(stained), leak_of(clean)
    assert (bad["passed"], bad["value"]) == (False, 11.0)
    assert SAID in str(bad["meaning"])
    assert (good["passed"], good["value"]) == (True, 0.0)
    assert "2 relations, channels or sets with such edges were left out" in str(good["meaning"])


def test_a_target_that_is_explained_later_says_it_too(stained: Path) -> None:
    last = pd.read_csv(stained / "targets.tsv", sep="\t")["symbol"].iloc[-1]
    assert explain_run(stained, [last], jobs=1)[0].sentence.endswith(f"{SAID}.")
    assert SAID in (stained / "explanations" / f"{last}.json").read_text(encoding="utf-8")


def test_without_leave_nothing_is_stained_and_the_leaks_are_gone(clean: Path) -> None:
    assert "stain" not in pd.read_csv(clean / "targets.tsv", sep="\t")
    page = (clean / "report.html").read_text(encoding="utf-8")
    assert 'class="stain"' not in page
    assert all(
        NAME not in p.read_text(encoding="utf-8") for p in (clean / "explanations").iterdir()
    )
    manifest = json.loads((clean / "manifest.json").read_text())
    assert manifest["leaks"]["stain"] == ""
    assert len(manifest["leaks"]["found"]) == 2


def test_a_stained_ranking_is_another_one_and_is_not_reused(stained: Path, clean: Path) -> None:
    scores = [
        pd.read_csv(f / "targets.tsv", sep="\t").set_index("hgnc_id")["score"].sort_index()
        for f in (stained, clean)
    ]
    assert not scores[0].equals(scores[1])


def test_the_audit_lists_each_leak_with_its_source_reason_and_state(
    run_file: Path, tmp_path: Path
) -> None:
    out = tmp_path / "edges.tsv"
    status, said = call("graph", "audit", run_file, "--edges", out, "--json")
    assert status == 0
    facts = json.loads(said)
    rows = {row["name"]: row for row in facts["leaks"]}
    assert set(rows) == {NAME, "literature"}
    assert (rows[NAME]["sources"], rows[NAME]["edges"]) == ("Planted", 10)
    assert rows[NAME]["known_targets"] == 10 == len(facts["known_targets"])
    assert {row["state"] for row in facts["leaks"]} == {"left out"}
    edges = pd.read_csv(out, sep="\t")
    assert len(edges) == 11 == len(facts["edges"])
    planted = edges[edges["target_id"] == "ZZ:1"]
    assert sorted(planted["source_id"]) == sorted(facts["known_targets"])
    assert (planted["target"] == NAME).all()
    assert (planted["leak"] == NAME).all()
    mined = edges[edges["relation"] == "interacts"].iloc[0]
    assert "text mining" in mined["why"]


def test_the_audit_says_kept_where_the_run_file_keeps(run_file: Path, tmp_path: Path) -> None:
    text = run_file.read_text().replace('folder = "graph"', 'folder = "graph"\nallow_leak = true')
    other = run_file.parent / "keeps.toml"
    other.write_text(text)
    status, said = call("graph", "audit", other)
    assert status == 0
    assert "kept: named after a disease" in " ".join(said.split())
    assert "11 edges are kept, and every result says so" in said


def test_a_graph_without_leaks_says_so(run_file: Path) -> None:
    plain = run_file.parent / "plain.toml"
    plain.write_text(run_file.read_text().replace('folder = "graph"', 'preset = "starter"'))
    status, said = call("graph", "audit", plain)
    assert status == 0
    assert "Nothing in the graph encodes the 10 known targets." in said


def test_options_replace_what_the_run_file_says(run_file: Path) -> None:
    config = read_config(run_file, allow_leak=True, as_of="2018-01-01")
    assert config.graph.allow_leak
    assert (config.graph.as_of, config.known_targets.as_of) == ("2018-01-01", "2018-01-01")
    assert config.graph.folder == "graph"
    plain = read_config(run_file)
    assert (plain.graph.allow_leak, plain.graph.as_of, plain.known_targets.as_of) == (False, "", "")


def test_a_day_that_is_none_is_refused_before_anything_is_read(run_file: Path) -> None:
    with pytest.raises(ConfigError, match=r"graph.as_of = 'spring' is no day; write 2018-01-01"):
        read_config(run_file, as_of="spring")


def test_a_graph_of_a_day_leaves_out_what_came_later(tmp_path: Path) -> None:
    graph = read_starter_graph()
    relation = graph.relations["activates"]
    later = relation.edges.assign(date=["2019"] * 8 + ["2017"] * (len(relation.edges) - 8))
    relations = {**graph.relations, "activates": replace(relation, edges=later)}
    write_graph(replace(graph, relations=relations), tmp_path / "graph")
    run_file = tmp_path / "run.toml"
    run_file.write_text(RUN_FILE)
    out = tmp_path / "of-2018"
    arguments = ("graph", "build", run_file, "--output", out, "--as-of", "2018-01-01", "--json")
    status, said = call(*arguments)
    assert status == 0
    edges = json.loads(said)["summary"]["edges"]
    assert edges["activates"] == len(relation.edges) - 8
    assert edges["inhibits"] == len(graph.relations["inhibits"].edges)
