"""The page in a browser: every control does what it says, offline, and the console stays quiet."""

import importlib.util
import json
import time
from pathlib import Path

import networkx as nx
import pandas as pd
import pytest

from aimwell.reports.page import write_report

HERE = Path(__file__).parent


def builders():
    spec = importlib.util.spec_from_file_location("reports_of_tests", HERE / "test_report_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def made():
    return builders()


@pytest.fixture(scope="module")
def report(made):
    return made.make_full_report(n=120, explained=6)


@pytest.fixture(scope="module")
def file(report, tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "page.html"
    write_report(path, report)
    return path


@pytest.fixture(scope="module")
def opened(browser, file):
    """The page, loaded once: reading its scripts is what takes time."""
    return browser.open(f"file://{file}")


@pytest.fixture
def tab(opened, file):
    opened.size(1400, 900)
    opened.media()
    opened.do(
        "document.getElementById('all').click(); document.querySelector('#chooser a').click();"
        "for (const n of document.querySelectorAll('.network')) n.querySelectorAll('.tools button')"
        "[2]?.click(); document.querySelector('[data-subgraph=\"0\"]')?.click();"
        "window.scrollTo({top: 0, behavior: 'instant'}); true"
    )
    opened.do("new Promise((done) => setTimeout(done, 30))")
    yield opened
    assert opened.said() == []
    assert opened.requests() == [f"file://{file}"]


def symbols(tab):
    return tab.do("[...document.querySelectorAll('#ranked tbody th')].map(n => n.textContent)")


def choose(tab, control, value):
    tab.do(
        f"(() => {{ const c = document.getElementById('{control}'); c.value = {json.dumps(value)};"
        " c.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


def first_network(tab):
    tab.until("document.querySelector('article:not([hidden]) .network .node')")
    tab.do("document.querySelector('article:not([hidden]) .drawing')"
           ".scrollIntoView({block: 'center', behavior: 'instant'})")  # fmt: skip
    return "article:not([hidden]) .network"


def test_the_table_sorts_by_pointer_and_by_keyboard(tab, report):
    best = report.ranking.table["symbol"].tolist()
    assert symbols(tab) == best[:25]
    tab.press("#ranked th[data-key=degree] button")
    degrees = report.ranking.table.sort_values("degree", ascending=False)["degree"].tolist()
    shown = tab.do(
        "[...document.querySelectorAll('#ranked tbody tr')].map(r => Number(r.children["
        "[...document.querySelectorAll('#ranked th[data-key]')]"
        ".findIndex(h => h.dataset.key === 'degree')].textContent))"
    )
    assert shown == degrees[:25]
    assert tab.do("document.querySelector('#ranked th[data-key=degree]').ariaSort") == "descending"
    tab.do("document.querySelector('#ranked th[data-key=rank] button').focus()")
    tab.key("Enter")
    assert symbols(tab) == best[:25]


def test_every_filter_keeps_what_it_names(tab, report):
    table = report.ranking.table
    tiers = report.tiers["tier"].reindex(table.index)
    choose(tab, "by-tier", "supported")
    assert symbols(tab) == table["symbol"][tiers == "supported"].tolist()
    choose(tab, "by-tier", "")
    choose(tab, "by-known", "known")
    assert symbols(tab) == table["symbol"][table["is_known"]].tolist()[:25]
    choose(tab, "by-known", "")
    choose(tab, "by-drugs", "is in trials")
    assert symbols(tab) == [table["symbol"].iloc[1]]
    choose(tab, "by-drugs", "")
    choose(tab, "by-layer", "1 up")
    block = report.evidence.blocks["rna_msi_vs_mss"].reindex(table.index)
    up = (block["effect"] > 0) & (block["q"] < 0.05)
    assert symbols(tab) == table["symbol"][up].tolist()[:25]
    choose(tab, "by-layer", "1 missing")
    assert symbols(tab) == table["symbol"][block["effect"].isna()].tolist()[:25]
    tab.press("#all")
    tab.until("document.querySelectorAll('#ranked tbody tr').length === 25")


def test_search_narrows_the_table_and_says_how_far(tab):
    tab.press("#search")
    for letter in "egfr":
        tab.key(letter)
    assert symbols(tab) == ["EGFR"]
    assert tab.do("document.getElementById('matches').textContent") == "1 of 120 genes"


def test_a_link_of_the_summary_opens_its_target_and_moves_the_focus(tab, report):
    second = report.explanations[1].symbol
    tab.do(f"document.querySelector('.top a[href=\"#target-{second}\"]').click()")
    tab.until(f"!document.getElementById('target-{second}').hidden")
    tab.until(f"document.activeElement.id === 'target-{second}-title'")
    assert tab.do("document.querySelectorAll('article:not([hidden])').length") == 1


def test_a_node_is_dragged_with_its_edges_and_reset_puts_it_back(tab):
    inside = first_network(tab)
    node = f"{inside} .node:last-child"
    x, y = tab.do(
        f"(() => {{ const b = document.querySelector('{node} > circle, {node} > rect, {node} >"
        " polygon').getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]; })()"
    )
    place = f"document.querySelector('{node}').getAttribute('transform')"
    lines = (
        f"[...document.querySelectorAll('{inside} .edge line')].map(l => l.getAttribute('x1') +"
        " l.getAttribute('x2')).join()"
    )
    before, drawn = tab.do(place), tab.do(lines)
    tab.drag([(x, y), (x + 20, y + 10), (x + 50, y + 30)])
    assert tab.do(place) != before
    assert tab.do(lines) != drawn
    tab.do(f"[...document.querySelectorAll('{inside} .tools button')][2].click()")
    assert tab.do(place) == before


def test_the_subgraph_is_used_by_keyboard_alone(tab, report):
    inside = first_network(tab)
    focus = "document.activeElement.getAttribute('aria-label')"
    tab.do(f"document.querySelector('{inside} .node[tabindex=\"0\"]').focus()")
    assert tab.do(focus).startswith(f"{report.explanations[0].symbol}, gene, the target")
    start = tab.do(focus)
    for key in ("ArrowLeft", "ArrowUp", "ArrowDown"):
        tab.key(key)
    assert tab.do(focus) != start
    count = tab.do(f"document.querySelectorAll('{inside} .node').length")
    tab.key("Enter")
    assert tab.do("document.activeElement.getAttribute('aria-pressed')") == "true"
    detail = tab.do(f"document.querySelector('{inside} .detail').textContent")
    assert "part of the score" in detail
    tab.key("Delete")
    shown = (
        f"[...document.querySelectorAll('{inside} .node')]"
        ".filter(n => n.style.display !== 'none').length"
    )
    assert tab.do(shown) == count - 1
    world = f"document.querySelector('{inside} .drawing > g').getAttribute('transform')"
    before = tab.do(world)
    tab.do(f"document.querySelector('{inside} .node[tabindex=\"0\"]').focus()")
    tab.key("+")
    assert tab.do(world) != before


def test_a_lasso_chooses_nodes_that_can_be_kept_alone(tab):
    inside = first_network(tab)
    box = tab.do(
        f"(() => {{ const b = document.querySelector('{inside} .drawing').getBoundingClientRect();"
        " return [b.left, b.top, b.right, b.bottom]; })()"
    )
    left, top, right, bottom = box
    middle = (left + right) / 2
    tab.do(f"[...document.querySelectorAll('{inside} .tools button')][3].click()")
    tab.drag([(left + 3, top + 3), (middle, top + 3), (middle, bottom - 3), (left + 3, bottom - 3)])
    chosen = tab.do(f"document.querySelectorAll('{inside} .node[aria-pressed=true]').length")
    total = tab.do(f"document.querySelectorAll('{inside} .node').length")
    assert 0 < chosen < total
    tab.do(f"[...document.querySelectorAll('{inside} .tools button')][4].click()")
    shown = (
        f"[...document.querySelectorAll('{inside} .node')]"
        ".filter(n => n.style.display !== 'none').length"
    )
    assert tab.do(shown) == chosen


def test_an_edge_tells_its_sources_their_licence_and_its_papers(tab):
    inside = first_network(tab)
    tab.do(f"document.querySelector('{inside} .edge').dispatchEvent(new MouseEvent('click'))")
    detail = tab.do(f"document.querySelector('{inside} .detail').textContent")
    assert "licence" in detail
    assert "co-purification" in detail
    links = tab.do(
        f"[...document.querySelectorAll('{inside} .detail a')].map(a => [a.href, a.rel])"
    )
    assert ["https://pubmed.ncbi.nlm.nih.gov/1000/", "noopener noreferrer"] in links
    assert "and 5 more" in detail


def test_another_subgraph_can_be_chosen(tab, report):
    inside = first_network(tab)
    tab.press("article:not([hidden]) [data-subgraph='1']")
    second = report.explanations[0].subgraphs[1]
    assert tab.do(f"document.querySelectorAll('{inside} .node').length") == len(second.nodes)


def test_exports_of_what_is_seen_open_in_other_programs(tab, report, tmp_path):
    inside = first_network(tab)
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    first = report.explanations[0]
    name = f"{first.symbol}_subgraph_1"
    for ending in ("PNG", "SVG", "TSV", "GraphML", "CX2"):
        tab.do(
            f"[...document.querySelectorAll('{inside} .tools button')]"
            f".find(b => b.textContent === '{ending}').click()"
        )
        wait_for(tmp_path / f"{name}.{ending.lower()}")
    assert (tmp_path / f"{name}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    picture = (tmp_path / f"{name}.svg").read_text()
    assert first.symbol in picture
    assert "var(--" not in picture
    n_nodes, n_edges = len(first.subgraph_nodes), len(first.subgraph_edges)
    graph = nx.read_graphml(tmp_path / f"{name}.graphml")
    assert (graph.number_of_nodes(), graph.number_of_edges()) == (n_nodes, n_edges)
    assert graph.nodes[first.gene]["is_target"] is True
    table = pd.read_csv(tmp_path / f"{name}.tsv", sep="\t")
    assert len(table) == n_edges
    wanted = first.subgraph_edges["attribution"].sum()
    assert table["part_of_score_sd"].sum() == pytest.approx(wanted, abs=1e-3 * n_edges)
    assert {"licences", "sources", "pubmed_ids"} <= set(table.columns)
    cx2 = {k: v for part in json.loads((tmp_path / f"{name}.cx2").read_text())
           for k, v in part.items()}  # fmt: skip
    assert (len(cx2["nodes"]), len(cx2["edges"])) == (n_nodes, n_edges)
    declared = cx2["attributeDeclarations"][0]
    assert {k for e in cx2["edges"] for k in e["v"]} <= set(declared["edges"])
    assert {k for n in cx2["nodes"] for k in n["v"]} <= set(declared["nodes"])


def wait_for(path):
    end = time.monotonic() + 20
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < end, f"no {path.name}"
        time.sleep(0.05)


def test_the_chooser_goes_on_by_arrow_keys_and_print_and_dark_mode_change_colours(tab, report):
    tab.do("document.querySelector('#chooser a').focus()")
    tab.key("ArrowDown")
    second = report.explanations[1].symbol
    tab.until(f"!document.getElementById('target-{second}').hidden")
    inside = first_network(tab)
    ink = f"document.querySelector('{inside} .node text:last-child').getAttribute('fill')"
    light = tab.do(ink)
    tab.media(scheme="dark")
    tab.until(f"{ink} !== '{light}'")
    tab.do("window.dispatchEvent(new Event('beforeprint'))")
    assert tab.do(ink) == light


def test_a_failed_explanation_is_shown_as_failed(tab, report):
    third = report.explanations[2]
    assert third.faithfulness.badge == "not faithful"
    tab.do(f"location.hash = '#target-{third.symbol}'")
    tab.until(f"!document.getElementById('target-{third.symbol}').hidden")
    text = tab.do(f"document.getElementById('target-{third.symbol}').innerText")
    assert "This explanation failed its test." in text
    assert "✕ not faithful" in text


@pytest.mark.parametrize("width", [1400, 800])
def test_nothing_is_wider_than_the_window_and_every_control_has_a_name(tab, width):
    tab.size(width, 900)
    first_network(tab)
    # plots follow a new width a moment later
    tab.until(f"document.documentElement.scrollWidth <= {width}")
    nameless = (
        "[...document.querySelectorAll('button, select, input')].filter(b =>"
        " !(b.textContent.trim() || b.ariaLabel || b.labels?.length)).length"
    )
    assert tab.do(nameless) == 0


def test_the_summary_fits_one_screen(tab):
    assert tab.do("document.querySelector('.summary').getBoundingClientRect().bottom") <= 900


def test_what_users_write_runs_nothing_in_a_browser(browser, made, tmp_path):
    evil = (
        "</script><script>document.title='owned'</script><img src=x onerror=document.title='owned'>"
    )
    write_report(
        tmp_path / "bad.html", made.poisoned(made.make_full_report(n=60, explained=3), evil)
    )
    tab = browser.open(f"file://{tmp_path / 'bad.html'}")
    inside = first_network(tab)
    # everything that turns text into elements: tables, tips, details, figures
    tab.do(f"document.querySelectorAll('{inside} .edge, {inside} .node').forEach(n => {{"
           " n.dispatchEvent(new MouseEvent('pointerenter', {clientX: 5, clientY: 5}));"
           " n.dispatchEvent(new MouseEvent('click')); })")  # fmt: skip
    tab.do("document.querySelectorAll('.plot').forEach(p => p.scrollIntoView())")
    time.sleep(0.3)
    assert "owned" not in tab.do("document.title").replace(evil, "")
    assert tab.do("document.querySelectorAll('img, a[href^=javascript]').length") == 0
    # plotly notes that names of such a length leave an axis no room
    assert [s for s in tab.said() if "auto-margin" not in json.dumps(s)] == []
