"""A company's graph holds what it may use, and says what was left out."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from aimwell.bench.graph import write_run_file
from aimwell.cli import app
from aimwell.config import (
    RunConfig,
    config_from,
    read_config,
)
from aimwell.errors import ConfigError, GraphError
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.licences import classify_licence
from aimwell.knowledge.store import read_graph, write_graph

SMALL = Path(__file__).parent / "data" / "knowledge" / "hgnc_small.tsv"


def make_config(folder: Path, graph: dict[str, Any]) -> RunConfig:
    matrix = {"path": "m", "layer": "rna", "kind": "rna", "unit": "log2"}
    contrast = {"name": "c", "layer": "rna", "condition": "x", "case": "a", "control": "b"}
    return config_from(
        {
            "run": {"title": "t", "output": "out", "data": str(folder)},
            "identifiers": {"hgnc": str(SMALL)},
            "graph": graph,
            "cohort": {"matrices": [matrix], "sheet": {"path": "s"}},
            "contrasts": [contrast],
            "known_targets": {"sources": [{"reader": "genes", "genes": ["TP53"]}]},
        }
    )


@pytest.mark.parametrize(
    ("text", "commercial"),
    [
        ("CC0", True),
        ("CC0-1.0", True),
        ("CC0 1.0 Universal", True),
        ("Public Domain", True),
        ("CC BY 4.0", True),
        ("CC-BY-4.0", True),
        ("cc by-sa 4.0 International", True),
        ("Creative Commons Attribution 4.0 International", True),
        ("MIT", True),
        ("The MIT License", True),
        ("Apache-2.0", True),
        ("Apache License, Version 2.0", None),  # a comma joins licences; write Apache-2.0
        ("BSD-3-Clause", True),
        ("ODbL-1.0", True),
        ("MIT and CC BY 4.0", True),
        ("CC BY 4.0; CC0", True),
        ("CC BY-NC 4.0", False),
        ("CC-BY-NC-SA-3.0", False),
        ("CC BY-ND 4.0", False),
        ("MIT and CC BY-NC 4.0", False),
        ("free for academic use", False),
        ("Non-commercial", False),
        ("noncommercial research only", False),
        ("CC BY 4.0, commercial use on request", None),
        ("MIT and something else", None),
        ("mixed, per resource, commercial use allowed", True),
        ("commercial use not allowed", None),
        ("non-commercial use allowed", False),
        ("free to use, cite it", None),
        ("mixed, per resource, for academic use", False),
        ("CC0-1.0, with parts under other licences", None),
        ("GTEx terms", None),
        ("commercial", None),
        ("", None),
    ],
)
def test_licences_are_told_apart(text: str, commercial: bool | None) -> None:
    assert classify_licence(text).commercial is commercial


EDGES = {
    "open.tsv": ["TP53\tMDM2"],
    "nc.tsv": ["TP53\tMDM2", "BRCA1\tMDM2"],
    "none.tsv": ["TP53\tERBB2"],
}
SOURCES = [
    {
        "reader": "edge_list",
        "path": "open.tsv",
        "name": "Open",
        "licence": "CC BY 4.0",
        "weight": 0.5,
    },
    {"reader": "edge_list", "path": "nc.tsv", "name": "Academic", "licence": "CC BY-NC 4.0"},
    {"reader": "edge_list", "path": "none.tsv", "name": "Unstated"},
]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name, lines in EDGES.items():
        (tmp_path / name).write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_commercial_graph_rests_on_the_allowed_sources_alone(data: Path) -> None:
    every = build_graph(make_config(data, {"sources": SOURCES})).relations["interacts"].edges
    assert sorted(every["evidence"]) == ["Academic", "Academic|Open", "Unstated"]
    graph = build_graph(make_config(data, {"sources": SOURCES, "licence": "commercial"}))
    edges = graph.relations["interacts"].edges
    assert (edges["evidence"].tolist(), edges["weight"].tolist()) == (["Open"], [0.5])
    assert [s.name for s in graph.sources if not s.name.startswith("HGNC")] == ["Open"]
    left = {s.name: s.why for s in graph.steps if s.name.endswith(": licence")}
    assert left == {
        "nc.tsv: licence": "left out: not for commercial use",
        "none.tsv: licence": "left out: no licence is stated",
    }
    step = next(s for s in graph.steps if s.name == "sources for commercial use")
    assert (step.rows_in, step.rows_out) == (3, 1)


def test_a_graph_without_one_allowed_source_is_refused(data: Path) -> None:
    with pytest.raises(
        GraphError, match=r"leaves not one of 2 sources.*state the licence"
    ) as found:
        build_graph(make_config(data, {"sources": SOURCES[1:], "licence": "commercial"}))
    assert "\n" not in str(found.value)


def test_a_graph_that_was_merged_with_a_restricted_source_is_refused(data: Path) -> None:
    write_graph(build_graph(make_config(data, {"sources": SOURCES})), data / "mixed")
    with pytest.raises(GraphError, match=r"Academic \(not for commercial use\).*build it again"):
        build_graph(make_config(data, {"folder": "mixed", "licence": "commercial"}))


def test_a_commercial_graph_can_be_read_again_as_one(data: Path) -> None:
    graph = build_graph(make_config(data, {"sources": SOURCES, "licence": "commercial"}))
    write_graph(graph, data / "open")
    again = build_graph(make_config(data, {"folder": "open", "licence": "commercial"}))
    assert again.relations["interacts"].edges["evidence"].tolist() == ["Open"]


def test_the_starter_graph_may_be_used_commercially(data: Path) -> None:
    assert build_graph(make_config(data, {"preset": "starter", "licence": "commercial"})).sources


def test_an_unknown_licence_class_is_refused(data: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"graph.licence = 'comercial'.*did you mean 'commercial'"
    ):
        make_config(data, {"preset": "starter", "licence": "comercial"})


def test_the_command_line_replaces_the_licence_of_the_run_file(data: Path) -> None:
    path = write_run_file(data, data, SMALL, SOURCES[:1], "licence = 'any'")
    assert read_config(path).graph.licence == "any"
    assert read_config(path, licence="commercial").graph.licence == "commercial"
    done = CliRunner().invoke(
        app,
        [
            *("graph", "build", str(path), "--output", str(data / "g")),
            *("--data", str(data), "--licence", "commercial"),  # whatever AIMWELL_DATA says
        ],
    )
    assert done.exit_code == 0
    assert read_graph(data / "g").relations["interacts"].edges["evidence"].tolist() == ["Open"]
