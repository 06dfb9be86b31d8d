"""The page of a graph: complete, offline, and safe against what databases write."""

import json
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import plotly.graph_objects as go
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.survey import survey_graph
from aimwell.provenance import Source, Step
from aimwell.reports.graph_page import graph_sections, render_graph_page, write_graph_page

EVIL = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&{{7*7}}"


class Page(HTMLParser):
    """Elements, and the text of the scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.words: list[str] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag == "script"
        if self._open:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.scripts[-1] += data
        else:
            self.words.append(data)


def two_sources(graph: TargetGraph, second: str = "Second") -> TargetGraph:
    """Let every other edge come from another source too."""
    relations = {}
    for name, relation in graph.relations.items():
        evidence = relation.edges["evidence"].where(
            relation.edges.index % 2 == 0, relation.edges["evidence"] + f"|{second}"
        )
        relations[name] = replace(relation, edges=relation.edges.assign(evidence=evidence))
    sources = (*graph.sources, Source(second, "r", "CC-BY-NC-4.0"))
    return replace(graph, relations=relations, sources=sources)


@pytest.fixture(scope="module")
def graph() -> TargetGraph:
    return two_sources(read_starter_graph())


@pytest.fixture(scope="module")
def text(graph: TargetGraph) -> str:
    return render_graph_page(survey_graph(graph, ("EGFR", "TP53", "nobody")), "A graph")


@pytest.fixture(scope="module")
def page(text: str) -> Page:
    return Page(text)


def test_the_same_graph_gives_the_same_bytes(tmp_path: Path, graph: TargetGraph) -> None:
    for name in ("a", "b"):
        write_graph_page(tmp_path / f"{name}.html", survey_graph(graph), "t")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_no_element_of_the_page_loads_anything(page: Page) -> None:
    loading = {"src", "srcset", "data", "action", "formaction", "poster", "background"}
    assert [e for e in page.elements if loading & set(e[1])] == []
    assert {t for t, _ in page.elements} & {"link", "iframe", "object", "embed", "img"} == set()
    policy = next(a["content"] for _, a in page.elements if a.get("http-equiv"))
    assert policy is not None
    assert "default-src 'none'" in policy
    assert policy.count("sha256-") == 2


def test_every_link_inside_the_page_has_its_place(page: Page) -> None:
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))
    links = {str(a["href"]) for t, a in page.elements if t == "a"}
    assert all(link.startswith("#") for link in links)
    assert {link[1:] for link in links} <= set(ids)


def test_every_figure_is_valid_and_has_its_place_and_a_description(
    graph: TargetGraph, page: Page
) -> None:
    _, drawn = graph_sections(survey_graph(graph), "t")
    assert set(drawn) == {
        "relations",
        "neighbours",
        "set-sizes",
        "coverage",
        "sources",
        "overlap-pairs",
        "overlap-genes",
    }
    for figure in drawn.values():
        go.Figure(figure)
    plots = [a for _, a in page.elements if "data-figure" in a]
    assert {a["data-figure"] for a in plots} == set(drawn)
    assert all(a["aria-label"] for a in plots)


def test_the_page_says_what_is_covered_and_what_is_not(page: Page) -> None:
    words = " ".join(" ".join(page.words).split())
    assert "2 genes of 3 names are in the graph" in words
    assert "1 names of your list are not in the graph" in words
    assert "nobody" in words
    assert "induces 26 · inhibits 7" in words  # of the hub MYC
    assert "1 of 2 sources may not be used commercially: Second." in words


def poisoned(graph: TargetGraph) -> TargetGraph:
    """Put script tags wherever a database could write something."""
    nodes = {
        kind: table.assign(**{c: table[c] + EVIL for c in ("symbol", "name") if c in table})
        for kind, table in graph.nodes.items()
    }
    relations = {
        f"{name}{EVIL}": replace(r, name=f"{name}{EVIL}") for name, r in graph.relations.items()
    }
    evil = two_sources(replace(graph, nodes=nodes, relations=relations), EVIL.replace("|", ""))
    sources = tuple(replace(s, release=EVIL, licence=EVIL) for s in evil.sources)
    return replace(evil, sources=sources, steps=(Step(EVIL, 2, 1, EVIL, (EVIL,)),))


def test_script_tags_in_every_field_stay_text(page: Page) -> None:
    graph = poisoned(read_starter_graph())
    text = render_graph_page(survey_graph(graph, (EVIL, "EGFR")), EVIL)
    found = Page(text)
    tags = [t for t, _ in found.elements]
    assert "img" not in tags
    assert tags.count("script") == 3 == [t for t, _ in page.elements].count("script")
    assert not [a for _, a in found.elements if any(k.startswith("on") for k in a)]
    assert any(EVIL in words for words in found.words)
    # plotly reads a little HTML in its texts, so they are escaped for it too
    figures = json.dumps(json.loads(found.scripts[0])["figures"])
    assert "<img" not in figures
    assert "&lt;img" in figures


def test_a_graph_that_was_built_with_leaks_says_so() -> None:
    step = Step("sets named after a disease, a mutant or a drug", 7, 7, "kept by allow_leak")
    values, _ = graph_sections(survey_graph(replace(read_starter_graph(), steps=(step,))), "t")
    assert values["cautions"][0].startswith("Leaks were allowed: 7 sets or edges")


def test_a_graph_without_edges_between_genes_has_a_page() -> None:
    graph = read_starter_graph()
    only = {"member_of": graph.relations["member_of"]}
    survey = survey_graph(replace(graph, relations=only))
    assert survey.hubs.empty
    assert "member_of" in render_graph_page(survey, "sets only")


def test_the_command_writes_the_page_and_says_where(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("gene\nEGFR\nnobody\n")
    out = tmp_path / "starter.html"
    arguments = ["graph", "show", "starter", "--html", str(out), "--genes", f"{tmp_path}/mine.txt"]
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0
    facts = json.loads(done.stdout)
    assert facts["page"] == str(out)
    assert facts["listed"]["outside"][0]["name"] == "nobody"
    assert facts["covered"][0] == {"edge": "in the graph", "genes": 878, "listed": 1}
    assert "The starter graph" in out.read_text(encoding="utf-8")


def test_a_page_cannot_be_a_folder(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["graph", "show", "starter", "--html", str(tmp_path)])
    assert done.exit_code == 2
    assert "is a folder; name a file in it" in done.stderr


@pytest.mark.skipif(not shutil.which("chromium"), reason="there is no browser to open the page in")
def test_a_browser_draws_every_figure_and_reports_no_error(text: str, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--enable-logging=stderr",
            "--virtual-time-budget=8000",
            "--window-size=1200,6000",
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            path.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert not re.findall(r"CONSOLE.*(?:Error|Refused).*", done.stderr)
    assert done.stdout.count('class="main-svg"') >= 7


def test_a_long_list_of_names_is_cut_and_says_so(graph: TargetGraph) -> None:
    names = tuple(f"nobody{i}" for i in range(300))
    values, _ = graph_sections(survey_graph(graph, names), "t")
    assert (values["listed"]["outside"], len(values["listed"]["rows"])) == (300, 200)
    text = render_graph_page(survey_graph(graph, names), "t")
    assert "The first 200; --json lists all." in text


def test_no_figure_holds_a_value_that_is_not_a_number(graph: TargetGraph) -> None:
    _, drawn = graph_sections(survey_graph(graph), "t")
    cells = pd.Series(drawn["overlap-pairs"]["data"][0]["z"][0], dtype=object).dropna()
    assert cells.between(0, 100).all()
