"""Every snippet of the documentation is used: TOML by the reader of run files, Python by Python.

The tutorial, the explanations for users of PyG, and the README run in tests of their own.
"""

import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.design import build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.meta import summarise_contrast, write_summary
from aimwell.config import ContrastSettings, config_from
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.store import write_graph

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = sorted(p for p in DOCS.rglob("*.md") if "_build" not in p.parts)
ELSEWHERE = {"tutorial-cohort.md", "explanations.md"}
MATRIX = {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
ARMS = {"condition": "arm", "case": "case", "control": "control"}
#: What a snippet leaves out, because the page speaks of something else.
REST: dict[str, Any] = {
    "run": {"title": "My cohort", "output": "runs/mine"},
    "graph": {"preset": "starter"},
    "cohort": {"matrices": [MATRIX], "sheet": {"path": "samples.tsv"}},
    "contrasts": [{"name": "protein_tumour_vs_normal", "layer": "rna", **ARMS}],
    "known_targets": {"sources": [{"reader": "genes", "genes": ["EGFR", "ERBB2"]}]},
}


def blocks(kind: str) -> list[tuple[str, str]]:
    """Page and text of every block of a kind."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += [(page.name, b) for b in re.findall(rf"^```{kind}\n(.*?)^```", text, re.M | re.S)]
    return found


@pytest.mark.parametrize(("page", "text"), blocks("toml"), ids=lambda value: value[:20])
def test_every_toml_of_the_docs_fits_into_a_run_file(page: str, text: str) -> None:
    shown = tomllib.loads(text)
    settings = {**REST, **shown}
    if "identifiers" in shown:
        settings["identifiers"] = {"hgnc": "hgnc_complete_set.txt", **shown["identifiers"]}
    contrasts = shown.get("contrasts", REST["contrasts"])
    matrices = shown.get("cohort", {}).get("matrices")
    if matrices and "contrasts" not in shown:
        settings["contrasts"] = [{**contrasts[0], "layer": matrices[0]["layer"]}]
    elif not matrices:
        layers = dict.fromkeys(c["layer"] for c in contrasts)
        matrices = [{**MATRIX, "layer": name, "kind": name, "unit": "log2"} for name in layers]
    sheet = shown.get("cohort", {}).get("sheet", {"path": "samples.tsv"})
    settings["cohort"] = {**shown.get("cohort", {}), "matrices": matrices, "sheet": sheet}
    assert config_from(settings).run.title


def test_every_json_of_the_docs_is_json() -> None:
    found = blocks("json")
    assert found
    for _, text in found:
        assert json.loads(text)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A folder with what the pages name, and the variables that they speak of."""
    graph = read_starter_graph()
    write_graph(graph, tmp_path / "graphs" / "mine")
    (tmp_path / "runs" / "coad").mkdir(parents=True)
    drugs = pd.DataFrame({"match": "match", "status": ["approved", "unknown"], "indicated": "no"})
    drugs.to_csv(tmp_path / "runs" / "coad" / "drugs.tsv", sep="\t", index=False)
    rng = np.random.default_rng(4)
    samples = pd.Index([f"s{i:02d}" for i in range(24)])
    sheet = pd.DataFrame(
        {
            "subtype": ["a", "b", "c", "a"] * 6,
            "sex": ["f", "f", "m", "m", "f", "m"] * 4,
            "arm": ["case", "control"] * 12,
            "age": rng.uniform(30, 80, 24),
            "dose": rng.uniform(0, 9, 24),
            "subject": [f"p{i // 2}" for i in range(24)],
            "months": rng.uniform(1, 60, 24),
            "died": rng.random(24) < 0.5,
            "site": ["north", "south", "north"] * 8,
        },
        index=samples,
    )
    genes = graph.genes[:60]
    values = pd.DataFrame(rng.normal(8, 1, (24, 60)), index=samples, columns=genes)
    design = build_design(sheet, samples, ContrastSettings("x", "rna", **ARMS))
    table = fit_contrast(values, design)
    names: dict[str, Any] = {"values": values, "sheet": sheet, "graph": graph, "table": table}
    statistic = pd.Series(rng.normal(size=len(graph.genes)), index=graph.genes)
    block = {"rna_msi_vs_mss": pd.DataFrame({"z": statistic})}
    names["evidence"] = SimpleNamespace(blocks=block)
    for name in ("path", "one", "two"):
        names[name] = tmp_path / f"{name}.tsv"
        write_summary(names[name], summarise_contrast(table))
    monkeypatch.chdir(tmp_path)
    return names


def pages_with_python() -> list[str]:
    return sorted({page for page, _ in blocks("python")} - ELSEWHERE)


@pytest.mark.parametrize("page", pages_with_python())
def test_the_python_of_every_page_runs(page: str, place: dict[str, Any]) -> None:
    for text in (text for name, text in blocks("python") if name == page):
        exec(compile(text, page, "exec"), place)
    made = {"drugs.md": "fitting", "graph-howto.md": "network", "evidence.md": "cox_scores"}
    assert made[page] in place
