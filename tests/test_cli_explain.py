"""Commands about reasons: every gene in two tables, two targets side by side, shared modules."""

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pandas as pd
import pytest
from tests.test_cli_answers import call
from tests.test_pipeline_run import Log, config_of, entries

from aimwell.cli.schemas import schema_of
from aimwell.errors import InputError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline import run
from aimwell.pipeline.explain import explain_every_gene, explain_two
from aimwell.pipeline.tables import load_arrays, save_arrays
from aimwell.provenance import sha256_of
from aimwell.reports.export import read_explanation
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of seconds."""
    folder = tmp_path_factory.mktemp("reasons")
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(subjects=5), seed=3)
    write_simulation(cohort, folder / "data", graph.symbols)
    return run(config_of(folder / "data", folder / "run")).folder


@pytest.fixture(scope="module")
def second(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same run in another folder."""
    return Path(shutil.copytree(clean, tmp_path_factory.mktemp("second") / "run"))


@pytest.fixture(scope="module")
def best(clean: Path) -> pd.DataFrame:
    return pd.read_csv(clean / "targets.tsv", sep="\t").head(3)


def answered(command: str, *arguments: object) -> Any:
    """Call a command for its document, which must be what its schema says."""
    status, out, err = call(command, *arguments, "--json", "--quiet", "--jobs", 1)
    assert (status, err) == (0, ""), err
    found = json.loads(out)
    jsonschema.validate(found, schema_of(command))
    return found


def test_every_gene_is_explained_in_two_tables(clean: Path, best: pd.DataFrame) -> None:
    found = answered("explain", clean, "--all")
    targets = pd.read_csv(clean / "targets.tsv", sep="\t")
    table = pd.read_csv(clean / "explanations" / "all-genes.tsv", sep="\t")
    assert found["genes"] == len(table) == len(targets)
    assert table["hgnc_id"].tolist() == targets["hgnc_id"].tolist()  # best first
    assert (table["score"] - targets["score"]).abs().max() < 1e-4
    first, last = (list(table.columns).index(c) for c in ("own rna", "rounding"))
    assert (table.iloc[:, first : last + 1].sum(axis=1) - table["score"]).abs().max() < 1e-4
    edges = pd.read_parquet(clean / "explanations" / "all-genes-edges.parquet")
    assert set(edges["hgnc_id"]) <= set(table["hgnc_id"])
    one = read_explanation(clean / "explanations" / f"{best['symbol'][0]}.json")
    row = table.set_index("hgnc_id").loc[one.gene]
    assert row["subgraph"].split("|") == list(one.subgraph_nodes)
    assert row["known-target neighbours"] == pytest.approx(
        one.shares["known-target neighbours"], abs=1e-5
    )
    made = entries(clean, "summary")
    assert len(made) == 3  # one part per fold
    shutil.rmtree(clean / ".stages" / sorted(made)[0])
    log = Log()
    again, _ = explain_every_gene(clean, jobs=1, progress=log)
    assert log.started == ["explaining every gene"]
    # what was lost is made again, and nothing else
    assert len([k for k, v in entries(clean, "summary").items() if made[k] == v]) == 2
    assert again["score"].tolist() == pytest.approx(table["score"], abs=1e-4)


def test_two_targets_are_compared(clean: Path, best: pd.DataFrame, tmp_path: Path) -> None:
    one, two = best["symbol"][:2]
    found = answered("compare", clean, one, two, "--output", tmp_path / "both.tsv")
    assert (found["first"]["symbol"], found["second"]["symbol"]) == (one, two)
    shares = {r["name"]: r for r in found["rows"] if r["what"] == "share"}
    for name, value in found["first"]["shares"].items():
        assert shares[name]["first"] == value
        assert shares[name]["difference"] == value - found["second"]["shares"][name]
    written = pd.read_csv(tmp_path / "both.tsv", sep="\t")
    assert list(written.columns) == ["what", "name", one, two, "difference"]
    assert len(written) == len(found["rows"])


def test_a_target_is_compared_between_two_runs(
    clean: Path, second: Path, best: pd.DataFrame
) -> None:
    found = answered("compare", clean, best["symbol"][0], "--with", second)
    assert {row["difference"] for row in found["rows"]} == {0.0}  # the same run twice


def test_modules_are_what_subgraphs_share(clean: Path, best: pd.DataFrame) -> None:
    found = answered("modules", clean, "--top", 3)
    assert found["targets"] == 3
    told = [read_explanation(clean / "explanations" / f"{s}.json") for s in best["symbol"]]
    ends = ["source_id", "target_id", "relation"]
    every = pd.concat([e.subgraph_edges[ends] for e in told])
    count = every.value_counts()
    shared = {node for edge in count.index[count >= 2] for node in edge[:2]}
    assert {node for module in found["modules"] for node in module["nodes"]} == shared
    named = answered("modules", clean, *best["symbol"])
    assert named == found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("explain",), "name genes, or give --all"),
        (("explain", "EGFR", "--all"), "name genes or give --all, not both"),
        (("compare", "EGFR"), "name what to compare 'EGFR' with"),
        (("compare", "EGFR", "egfr"), "'EGFR' and 'egfr' are the same gene"),
        (("compare", "EGFR", "EGFRR"), "did you mean 'EGFR'"),
        (("modules", "EGFR"), "an edge that 2 targets share needs as many targets; 1 given"),
        (("modules", "--top", "2", "--least", "3"), "needs as many targets; 2 given"),
    ],
)
def test_a_wrong_question_is_one_line_and_writes_nothing(
    arguments: tuple[str, ...], said: str, clean: Path
) -> None:
    before = {p: p.stat().st_mtime_ns for p in clean.rglob("*") if p.name != ".lock"}
    status, out, err = call(arguments[0], clean, *arguments[1:], "--quiet")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert said in err
    assert {p: p.stat().st_mtime_ns for p in clean.rglob("*") if p.name != ".lock"} == before


def test_a_gene_that_only_one_of_two_runs_has_is_refused_before_anything_is_written(
    clean: Path, second: Path
) -> None:
    before = sorted(clean.rglob("*"))
    with pytest.raises(InputError, match="did you mean 'ERBB4'"):
        explain_two((clean, second), ("ERBB4", "ERBB4X"))
    assert sorted(clean.rglob("*")) == before


def test_a_network_whose_scores_are_no_numbers_is_refused_by_name(
    second: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(second, tmp_path / "spoilt"))
    for entry in (folder / ".stages").glob("member-*"):
        file = entry / "member.parquet"
        arrays = load_arrays(file)
        save_arrays({**arrays, "logits": arrays["logits"] * np.nan}, file)
        record = json.loads((entry / "done.json").read_text())
        record["files"][file.name] = sha256_of(file)  # as if it had been written like this
        (entry / "done.json").write_text(json.dumps(record))
    status, _, err = call("explain", folder, "EGFR", "--quiet", "--jobs", 1)
    assert status == 2, err
    assert "values in 'logits' that are not finite numbers" in err
    assert len(err.splitlines()) == 1
