"""Drugs are joined to the targets of a run after the ranking: they change no score."""

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aimwell.cohorts.evidence import BLOCK_COLUMNS, VALUE_COLUMNS, Evidence
from aimwell.config import config_from
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.drugs import change_contrasts, changes_of, with_match
from aimwell.pipeline.explain import explain_run
from aimwell.pipeline.run import run
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

#: Drugs of genes of the starter graph, as DrugCentral writes them.
CENTRAL = (
    "DRUG_NAME\tACCESSION\tGENE\tTDL\tMOA\tACTION_TYPE\tORGANISM\n"
    "alpha\tP00533\tEGFR\tTclin\t1\tINHIBITOR\tHomo sapiens\n"
    "beta\tP04637\tTP53\tTchem\t1\tACTIVATOR\tHomo sapiens\n"
    "<script>x</script>\tP04626\tERBB2\tTclin\t1\tINHIBITOR\tHomo sapiens\n"
)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(subjects=6), seed=3)
    write_simulation(cohort, folder, graph.symbols)
    (folder / "drugs.tsv").write_text(CENTRAL, encoding="utf-8")
    return folder


def settings(data: Path, output: Path, drugs: dict[str, Any]) -> dict[str, Any]:
    matrix = {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
    matrix["subject_pattern"] = "^(.*)_"
    arms = {"condition": "condition", "case": "case", "control": "control", "subject": "subject"}
    return {
        "run": {"title": "t", "data": str(data), "output": str(output), "jobs": 1},
        "cohort": {"matrices": [matrix], "sheet": {"path": "samples.tsv"}},
        "contrasts": [{"name": "arms", "layer": "rna", **arms}],
        "known_targets": {"sources": [{"reader": "genes", "path": "known_targets.txt"}]},
        "model": {"folds": 2, "seeds": 1, "epochs": 5, "hidden": 8},
        "explain": {"top": 3, "steps": 10},
        "drugs": drugs,
    }


@pytest.fixture(scope="module")
def both(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The same run with the drugs of the starter graph, and then with others, in one folder."""
    folder = tmp_path_factory.mktemp("runs")
    first = run(config_from(settings(data, folder / "run", {}))).folder
    kept = folder / "first"
    kept.mkdir()
    for name in ("targets.tsv", "drugs.tsv", "repurposing.tsv", "manifest.json"):
        (kept / name).write_bytes((first / name).read_bytes())
    made = {p.name for p in (first / ".stages").iterdir()}
    source = {"reader": "drugcentral", "path": "drugs.tsv", "licence": "CC-BY-SA-4.0"}
    second = run(config_from(settings(data, folder / "run", {"sources": [source]}))).folder
    new = {p.name.rsplit("-", 1)[0] for p in (second / ".stages").iterdir() if p.name not in made}
    assert new == {"drugs"}
    return kept, second


def read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t", keep_default_na=False)


def test_other_drugs_change_no_score_and_compute_no_network(both: tuple[Path, Path]) -> None:
    one, two = (read(folder / "targets.tsv") for folder in both)
    changed = [c for c in one.columns if not one[c].equals(two[c])]
    assert changed == ["drugs", "drug_status"]
    assert two.set_index("symbol").loc["EGFR", ["drugs", "drug_status"]].tolist() == [
        "alpha",
        "approved",
    ]
    assert two.set_index("symbol").loc["KRAS", "drug_status"] == "novel"
    assert one.set_index("symbol").loc["KRAS", "drug_status"] == "approved"


def test_the_drugs_of_a_run_are_written_with_what_they_do_to_the_cohort(
    both: tuple[Path, Path],
) -> None:
    drugs = read(both[1] / "drugs.tsv").set_index("drug")
    assert set(drugs.index) == {"alpha", "beta", "<script>x</script>"}
    assert drugs.loc["alpha", ["symbol", "direction", "status", "licence"]].tolist() == [
        "EGFR",
        "inhibits",
        "approved",
        "CC-BY-SA-4.0",
    ]
    ways = {("inhibits", "up"): "match", ("inhibits", "down"): "opposed"}
    ways |= {("activates", "up"): "opposed", ("activates", "down"): "match"}
    for row in drugs.itertuples():
        assert row.match == ways.get((row.direction, row.change), "unknown")
    manifest = json.loads((both[1] / "manifest.json").read_text(encoding="utf-8"))
    assert "DrugCentral" in {source["name"] for source in manifest["inputs"]}
    assert "drugs" in {step["stage"] for step in manifest["steps"]}
    assert {"drugs.tsv", "repurposing.tsv"} <= set(manifest["outputs"])
    assert "drugs.tsv" in manifest["files"]
    page = (both[1] / "report.html").read_text(encoding="utf-8")
    assert "<script>x</script>" not in page


def test_every_repurposing_candidate_has_a_path_from_its_gene_to_the_target(
    both: tuple[Path, Path],
) -> None:
    found = read(both[0] / "repurposing.tsv")
    assert len(found)
    for row in found.itertuples():
        assert str(row.path).startswith(f"{row.gene} ")
        assert str(row.path).endswith(f" {row.target}")
        links = re.findall(r" (?:–[a-z ]+→|←[a-z ]+–|–[a-z ]+–) ", str(row.path))
        assert len(links) == row.hops
    explained = {p.stem for p in (both[1] / "explanations").glob("*.json")}
    assert set(found["target"]) <= explained
    listed = read(both[0] / "drugs.tsv")
    own = set(zip(listed["symbol"], listed["drug"], strict=True))
    assert not own & set(zip(found["target"], found["drug"], strict=True))


def test_a_target_is_explained_later_without_the_files_of_drugs(
    both: tuple[Path, Path], data: Path
) -> None:
    hidden = (data / "drugs.tsv").rename(data / "moved.tsv")
    try:
        assert explain_run(both[1], ["TP53"], jobs=1)[0].symbol == "TP53"
    finally:
        hidden.rename(data / "drugs.tsv")


def block(effects: dict[str, tuple[float, float, bool]]) -> pd.DataFrame:
    table = pd.DataFrame(0.0, index=list(effects), columns=list(BLOCK_COLUMNS))
    table["effect"] = [e for e, _, _ in effects.values()]
    table["lfsr"] = [s for _, s, _ in effects.values()]
    table["observed"] = [o for _, _, o in effects.values()]
    table.loc[~table["observed"], list(VALUE_COLUMNS)] = float("nan")
    return table


def test_a_gene_is_up_or_down_only_where_the_sign_is_certain() -> None:
    one = block(
        {"a": (1, 0.01, True), "b": (-1, 0.01, True), "c": (1, 0.2, True), "d": (1, 0.01, False)}
    )
    two = block(
        {"a": (-1, 0.01, True), "b": (0.1, 0.4, True), "c": (2, 0.0, True), "d": (1, 1, True)}
    )
    kinds = {"one": "rna", "two": "protein"}
    evidence = Evidence({"one": one, "two": two}, kinds, pd.DataFrame(index=one.index))
    assert changes_of(evidence, ["one"]) == {"a": "up", "b": "down"}
    both = changes_of(evidence, ["one", "two"])
    assert both == {"b": "down", "c": "up"}  # of a the two are certain of opposite signs
    table = pd.DataFrame({"gene": ["b", "c", "d"], "direction": "inhibits"})
    assert with_match(table, both)["match"].tolist() == ["opposed", "match", "unknown"]


def test_the_first_contrast_of_the_run_file_counts_where_none_is_named(tmp_path: Path) -> None:
    raw = settings(tmp_path, tmp_path / "o", {})
    raw["contrasts"] = [{**raw["contrasts"][0], "name": name} for name in ("z", "a")]
    assert change_contrasts(config_from(raw)) == ("z",)
    raw["drugs"] = {"contrasts": ["a", "z"]}
    assert change_contrasts(config_from(raw)) == ("a", "z")
