"""A run is done again from its manifest and compared; a folder of an earlier form still opens."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.config import config_from
from aimwell.errors import GraphError, InputError, RunError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.store import read_graph, write_graph
from aimwell.pipeline import RunResult, run
from aimwell.pipeline.explain import explain_run
from aimwell.pipeline.manifest import read_manifest
from aimwell.pipeline.reproduce import Reproduction, compare_runs, reproduce_run
from aimwell.provenance import sha256_of
from aimwell.reports.export import explanation_from_json, read_explanation
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

CONTRAST = {"condition": "condition", "case": "case", "control": "control", "subject": "subject"}
EARLIER = Path(__file__).parent / "data" / "runs" / "form-1"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, with its inputs beside it as a demonstration has them."""
    folder = tmp_path_factory.mktemp("runs") / "first"
    data = folder.with_name("first-data")
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(subjects=4), seed=3)
    write_simulation(cohort, data, graph.symbols)
    matrix = {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
    settings = {
        "run": {"title": "small", "data": str(data), "output": str(folder), "jobs": 1},
        "cohort": {
            "matrices": [{**matrix, "subject_pattern": "^(.*)_"}],
            "sheet": {"path": "samples.tsv"},
        },
        "contrasts": [{"name": "rna", "layer": "rna", **CONTRAST}],
        "known_targets": {"sources": [{"reader": "genes", "path": "known_targets.txt"}]},
        "model": {"folds": 2, "seeds": 1, "epochs": 2},
        "explain": {"top": 2, "steps": 4},
    }
    planted = cohort.truth.index[cohort.truth["planted"]]
    truth = pd.DataFrame(
        {
            "gene": planted,
            "symbol": graph.symbols.reindex(planted).to_numpy(),
            "held_back": ~cohort.truth.loc[planted, "given"].to_numpy(),
        }
    )
    return run(config_from(settings), planted=truth).folder


@pytest.fixture
def first(finished: Path, tmp_path: Path) -> Path:
    """A copy of both, to be changed."""
    shutil.copytree(finished.with_name("first-data"), tmp_path / "first-data")
    return Path(shutil.copytree(finished, tmp_path / "first"))


@pytest.fixture(scope="module")
def repeated(finished: Path) -> Reproduction:
    return reproduce_run(finished, jobs=1)


def rewrite(folder: Path, name: str, text: str) -> None:
    """Change a file of a run as another machine would have written it."""
    (folder / name).write_text(text)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["outputs"][name] = sha256_of(folder / name)
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_a_run_done_again_elsewhere_has_the_same_files(
    finished: Path, repeated: Reproduction
) -> None:
    assert repeated.folder == finished.with_name("first-again")
    assert repeated.same_table
    assert (repeated.differing, repeated.missing, repeated.versions) == ((), (), {})
    assert repeated.rank_correlation == pytest.approx(1)
    assert (repeated.folder / "report.html").read_bytes() == (finished / "report.html").read_bytes()


def test_the_first_difference_is_named_by_gene_and_column(
    first: Path, repeated: Reproduction
) -> None:
    table = pd.read_csv(first / "targets.tsv", sep="\t", dtype=str, na_filter=False)
    score, symbol = table.loc[4, "score"], table.loc[4, "symbol"]
    table.loc[4, "score"] = str(float(score) + 0.5)
    rewrite(first, "targets.tsv", table.to_csv(sep="\t", index=False, lineterminator="\n"))
    found = compare_runs(first, repeated.folder)
    assert not found.same_table
    assert found.differing == ("targets.tsv",)
    assert f"row 5 ({symbol}), column 'score'" in found.first_difference
    assert f"'{score}' now" in found.first_difference
    assert found.largest_change == {"score": pytest.approx(0.5)}
    assert found.rank_correlation is not None
    assert found.rank_correlation < 1


def test_a_difference_inside_json_is_named_by_its_place(
    first: Path, repeated: Reproduction
) -> None:
    checks = json.loads((first / "checks.json").read_text())
    checks["checks"][0]["value"] = -7
    rewrite(first, "checks.json", json.dumps(checks))
    found = compare_runs(first, repeated.folder)
    assert found.same_table
    assert found.first_difference.startswith("checks.json: checks[0].value: -7 then, ")


def test_versions_that_differ_are_named(first: Path, repeated: Reproduction) -> None:
    manifest = json.loads((first / "manifest.json").read_text())
    now = manifest["versions"]["python"]
    manifest["versions"] |= {"torch": "2.6.0", "python": "3.11.1"}
    manifest["key"] = "0" * 64
    (first / "manifest.json").write_text(json.dumps(manifest))
    found = compare_runs(first, repeated.folder)
    assert found.versions["torch"][0] == "2.6.0"
    assert found.versions["python"] == ("3.11.1", now)
    assert found.versions["code"][0] == "0" * 12


def test_what_an_audit_added_is_no_difference(first: Path, repeated: Reproduction) -> None:
    table = pd.read_csv(first / "targets.tsv", sep="\t", dtype=str, na_filter=False)
    audited = table.assign(tier="robust", null_p="0.01", rank_low="1")
    rewrite(first, "targets.tsv", audited.to_csv(sep="\t", index=False, lineterminator="\n"))
    rewrite(first, "audit.json", "{}")
    rewrite(first, "checks.json", "{}")
    found = compare_runs(first, repeated.folder)
    assert (found.same_table, found.differing, found.missing) == (True, (), ())
    spoilt = audited.assign(symbol="X")
    rewrite(first, "targets.tsv", spoilt.to_csv(sep="\t", index=False, lineterminator="\n"))
    assert not compare_runs(first, repeated.folder).same_table


def test_inputs_that_are_gone_or_others_are_refused(first: Path) -> None:
    data = first.with_name("first-data")
    with (data / "rna_counts.tsv").open("a") as stream:
        stream.write("\n")
    with pytest.raises(RunError, match=r"1 of 3 inputs .* not those of the run.*rna_counts\.tsv"):
        reproduce_run(first)
    (data / "samples.tsv").unlink()
    with pytest.raises(RunError, match=r"samples\.tsv'; name their folder with --data"):
        reproduce_run(first)
    assert not first.with_name("first-again").exists()


def test_a_run_whose_files_were_changed_is_no_standard_to_compare_with(first: Path) -> None:
    (first / "targets.tsv").write_text("changed by hand")
    with pytest.raises(RunError, match=r"not as the run wrote them: 'targets\.tsv'"):
        reproduce_run(first)


def test_a_repetition_never_writes_over_the_run(first: Path) -> None:
    with pytest.raises(RunError, match="is the run itself"):
        reproduce_run(first, output=first.parent / "." / "first")


def test_the_command_ends_with_status_2_where_the_table_differs(
    first: Path, repeated: Reproduction
) -> None:
    shutil.copytree(repeated.folder, first.with_name("first-again"))
    asked = ["reproduce", str(first), "--json"]
    same = CliRunner().invoke(app, asked, env={"AIMWELL_DATA": ""})
    assert same.exit_code == 0, same.stderr
    assert json.loads(same.stdout)["same"] is True
    table = (first / "targets.tsv").read_text().replace("\t", "\tX", 1)
    rewrite(first, "targets.tsv", table)
    other = CliRunner().invoke(app, asked, env={"AIMWELL_DATA": ""})
    assert other.exit_code == 2
    assert "targets.tsv: other columns" in json.loads(other.stdout)["first_difference"]


def test_a_run_folder_of_the_first_form_still_opens(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EARLIER, tmp_path / "earlier"))
    manifest = read_manifest(folder)
    assert manifest["versions"]["aimwell"] == "0.1.0"
    settings: dict[str, Any] = dict(manifest["config"])
    settings["run"] = {**settings["run"], "output": "out"}
    assert config_from(settings).contrasts[0].name == "rna"  # no key of then is unknown now
    result = RunResult(folder, reused=True)
    assert result.targets()["rank"].tolist() == list(range(1, 31))
    assert "average_precision" in result.checks()["ladder"][0]
    explanation = read_explanation(folder / "explanations" / "ACLY.json")
    assert explanation.symbol == "ACLY"
    assert sum(explanation.shares.values()) == pytest.approx(explanation.score, abs=1e-6)
    assert explanation.faithfulness is None  # what later versions ask was not asked then
    with pytest.raises(RunError, match="another version of aimwell"):
        explain_run(folder, [result.targets()["symbol"][0]])
    with pytest.raises(RunError, match="4 of 4 inputs are not below"):
        reproduce_run(folder)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["earlier"]


def test_a_graph_folder_of_the_first_form_still_opens(tmp_path: Path) -> None:
    graph = read_graph(EARLIER.parents[1] / "graphs" / "form-1")
    assert sorted(graph.symbols) == ["BRCA1", "MDM2", "TP53", "VEGFA"]
    induced = graph.relations["induces"].edges.iloc[0]
    assert graph.symbols[induced["source_id"]] == "TP53"
    assert graph.symbols[induced["target_id"]] == "MDM2"
    assert len(graph.relations["member_of"].edges) == 3
    assert [s.name for s in graph.sources] == ["HGNC complete set", "CollecTRI", "WikiPathways"]
    write_graph(graph, tmp_path / "again")  # and is written in the form of today
    assert read_graph(tmp_path / "again").sources == graph.sources


@pytest.mark.parametrize("command", [explain_run, lambda f, _: reproduce_run(f)])
def test_a_run_folder_of_a_later_form_is_refused_with_what_to_do(command: Any, first: Path) -> None:
    manifest = json.loads((first / "manifest.json").read_text())
    manifest |= {"format": "aimwell-run-9"}
    manifest["versions"]["aimwell"] = "4.2.0"
    (first / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(RunError, match=r"form 'aimwell-run-9', written by aimwell 4\.2\.0") as said:
        command(first, ["EGFR"])
    assert "use the version that wrote it" in str(said.value)


@pytest.mark.parametrize(
    "text", ["", "[1]", "{}", '{"format": "aimwell-run-1", "config": 3}', '{"format": 1}']
)
def test_a_manifest_that_is_none_is_one_line(text: str, first: Path) -> None:
    (first / "manifest.json").write_text(text)
    with pytest.raises(RunError) as said:
        read_manifest(first)
    assert "\n" not in str(said.value)
    assert "run again" in str(said.value)


def test_graphs_and_explanations_of_a_later_form_are_refused(tmp_path: Path) -> None:
    write_graph(read_starter_graph(), tmp_path / "graph")
    path = tmp_path / "graph" / "graph.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(manifest | {"version": 9}))
    with pytest.raises(GraphError, match="version 9; this aimwell reads 'aimwell graph' version 1"):
        read_graph(tmp_path / "graph")
    plain = json.loads((EARLIER / "explanations" / "ACLY.json").read_text())
    with pytest.raises(InputError, match=r"aimwell-explanation-9.*run explain again"):
        explanation_from_json(json.dumps(plain | {"format": "aimwell-explanation-9"}))
    del plain["nodes"]
    with pytest.raises(InputError, match="lacks 'nodes'"):
        explanation_from_json(json.dumps(plain))
