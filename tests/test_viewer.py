"""The viewer: explains any gene of a run at once, changes nothing, and gives away nothing else."""

import json
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from wsgiref.util import setup_testing_defaults

import networkx as nx
import numpy as np
import pytest
import torch

from aimwell.bench.viewer import viewer_bars
from aimwell.cli.view import hosts_of, is_loopback, token_for
from aimwell.config import config_from
from aimwell.errors import InputError, RunError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.channels import label_channels
from aimwell.models.training import load_network
from aimwell.pipeline import run
from aimwell.pipeline.explorer import Explorer, without
from aimwell.pipeline.viewer import COOKIE, Viewer
from aimwell.reports.viewer_page import render_viewer
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

CONTRAST = {"condition": "condition", "case": "case", "control": "control", "subject": "subject"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A finished run of seconds."""
    data = tmp_path_factory.mktemp("cohort")
    graph = read_starter_graph()
    simulated = simulate_cohort(graph, SimulationSettings(subjects=6), seed=3)
    write_simulation(simulated, data, graph.symbols)
    matrix = {"subject_pattern": "^(.*)_"}
    output = tmp_path_factory.mktemp("runs") / "small"
    settings = {
        "run": {"title": "small", "data": str(data), "output": str(output), "jobs": 1},
        "cohort": {
            "matrices": [
                {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts",
                 **matrix},
                {"path": "protein_log2_ratio.tsv", "layer": "protein", "kind": "protein",
                 "unit": "log2_ratio", **matrix},
            ],
            "sheet": {"path": "samples.tsv"},
        },
        "contrasts": [{"name": n, "layer": n, **CONTRAST} for n in ("rna", "protein")],
        "known_targets": {"sources": [{"reader": "genes", "path": "known_targets.txt"}]},
        "model": {"folds": 2, "seeds": 2, "epochs": 3},
        "explain": {"top": 1, "steps": 8},
    }  # fmt: skip
    return run(config_from(settings)).folder


@pytest.fixture(scope="module")
def explorer(folder):
    return Explorer(folder)


@pytest.fixture(scope="module")
def viewer(explorer):
    return Viewer([explorer], hosts=frozenset({"127.0.0.1:8711"}))


def ask(app, path, query="", *, method="GET", host="127.0.0.1:8711", cookie=""):
    """Status, headers and body of one request."""
    environ = {"PATH_INFO": path, "QUERY_STRING": query, "REQUEST_METHOD": method}
    environ |= {"HTTP_HOST": host, "HTTP_COOKIE": cookie}
    setup_testing_defaults(environ)
    told = {}

    def start(status, headers):
        told["status"], told["headers"] = status, dict(headers)

    body = b"".join(app(environ, start))
    return int(told["status"][:3]), told["headers"], body


def asked(app, path, query=""):
    status, _, body = ask(app, path, query)
    return status, json.loads(body)


def test_any_gene_is_explained_with_the_score_of_the_ranking(explorer):
    table = explorer.report.ranking.table
    for gene in (table.index[0], table.index[len(table) // 2], table.index[-1]):
        found = explorer.explain(gene)
        assert found.score == pytest.approx(table["score"][gene], abs=1e-4)
        assert sum(found.shares.values()) == pytest.approx(found.score, abs=1e-9)


def test_a_score_without_a_layer_is_what_the_networks_say_of_it(explorer):
    gene = str(explorer.report.ranking.table.index[5])
    off = ["rna", "known targets"]
    task = explorer.task
    place = int(task.positions([gene])[0])
    scores = []
    for member in explorer.members:
        if member.unit.fold != task.folds[place]:
            continue
        network = load_network(task, member)
        blocks = [
            torch.zeros_like(torch.from_numpy(b.values)) if b.name in off
            else torch.from_numpy(b.values)
            for b in task.blocks
        ]  # fmt: skip
        channel = label_channels(task, np.zeros(len(task.genes), dtype=bool))
        with torch.no_grad():
            weights = [o.weight for o in task.wiring.operators]
            logits = network([*blocks, channel], weights, task.wiring.operators)
        scores.append((float(logits[place]) - member.centre) / member.scale)
    assert explorer.explain(gene, off=off).score == pytest.approx(np.mean(scores), abs=1e-4)


def test_switching_a_relation_off_leaves_none_of_its_edges_in_the_explanation(explorer):
    gene = str(explorer.report.ranking.table.index[0])
    before = explorer.explain(gene)
    relation = before.subgraph_edges["relation"].iloc[0]
    after = explorer.explain(gene, off=[relation])
    assert relation not in set(after.edges["relation"])
    assert after.score != before.score


def test_without_touches_nothing_of_the_task_it_is_given(explorer):
    before = [b.values.copy() for b in explorer.task.blocks]
    weight = explorer.task.wiring.direct.weight.clone()
    without(explorer.task, {"rna", "interacts", "activates", "inhibits", "known targets"})
    assert all(
        np.array_equal(a, b.values) for a, b in zip(before, explorer.task.blocks, strict=True)
    )
    assert torch.equal(weight, explorer.task.wiring.direct.weight)


def test_the_budget_grows_and_shrinks_the_subgraph(explorer):
    gene = str(explorer.report.ranking.table.index[0])
    small, large = (explorer.explain(gene, nodes=n) for n in (2, 20))
    assert len(small.subgraph_nodes) == 2 < len(large.subgraph_nodes) <= 20


def test_search_finds_symbols_first_and_offers_near_names(explorer):
    hits = explorer.search("EGFR")
    assert hits[0]["symbol"] == "EGFR"
    near = explorer.search("EGFRR")
    assert "EGFR" in [h["symbol"] for h in near]
    with pytest.raises(InputError, match="did you mean EGFR"):
        explorer.resolve("EGFRR")


def test_a_request_is_answered_with_subgraphs_shares_and_samples(viewer):
    status, view = asked(viewer, "/api/explain", "gene=EGFR&nodes=8")
    assert status == 200
    assert view["symbol"] == "EGFR"
    assert view["networks"][0]["nodes"][0]["target"]
    assert view["samples"]["data"]
    assert "whole_score" not in view
    _, changed = asked(viewer, "/api/explain", "gene=EGFR&nodes=8&off=rna")
    assert changed["whole_score"] == view["score"]


@pytest.mark.parametrize(
    ("path", "query", "needed"),
    [
        ("/api/explain", "gene=EGFRR", "did you mean EGFR"),
        ("/api/explain", "gene=EGFR&nodes=9000", "2 to 40 nodes"),
        ("/api/explain", "gene=EGFR&nodes=x", "whole number"),
        ("/api/explain", "gene=EGFR&off=nothing", "nothing is called"),
        ("/api/explain", "gene=EGFR&run=7", "no run '7'"),
        ("/api/explain", "gene=" + "A" * 900, "at most 200"),
        ("/api/explain", "gene=%3Cscript%3E", "is not among"),
    ],
)
def test_a_wrong_question_gets_one_clear_line(viewer, path, query, needed):
    status, answer = asked(viewer, path, query)
    assert status == 400
    assert needed in answer["error"]


@pytest.mark.parametrize(
    "name",
    ["../small/targets.tsv", "..%2f..", ".stages", "/etc/passwd", "explanations/../../x", ".lock",
     "manifest.json/..", "link.tsv"],
)  # fmt: skip
def test_no_file_but_those_of_the_run_is_given(folder, viewer, name):
    link = folder / "link.tsv"
    if not link.exists():
        link.symlink_to("/etc/passwd")
    assert ask(viewer, f"/files/{name}")[0] == 404


def test_a_file_of_the_run_that_became_a_link_out_of_it_is_not_given(folder, explorer, tmp_path):
    other = tmp_path / "copy"
    shutil.copytree(folder, other, symlinks=True)
    (other / "targets.tsv").unlink()
    (other / "targets.tsv").symlink_to("/etc/passwd")
    moved = Viewer([explorer])
    real, explorer.folder = explorer.folder, other
    try:
        assert ask(moved, "/files/targets.tsv")[0] == 404
        assert ask(moved, "/files/checks.json")[0] == 200
    finally:
        explorer.folder = real


def test_the_table_of_the_run_is_given(folder, viewer):
    status, headers, body = ask(viewer, "/files/targets.tsv")
    assert (status, body) == (200, (folder / "targets.tsv").read_bytes())
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_other_names_of_the_machine_and_other_methods_are_refused(viewer):
    assert ask(viewer, "/", host="evil.example:8711")[0] == 403
    assert ask(viewer, "/", method="POST")[0] == 405
    assert ask(viewer, "/nothing")[0] == 404


def test_a_viewer_with_a_token_shows_nothing_without_it(explorer):
    guarded = Viewer([explorer], token="correct-horse-battery")
    assert ask(guarded, "/")[0] == 403
    assert ask(guarded, "/api/search", "q=EGFR&token=wrong")[0] == 403
    assert ask(guarded, "/", cookie=f"{COOKIE}=wrong")[0] == 403
    status, headers, _ = ask(guarded, "/", "token=correct-horse-battery")
    assert (status, headers["Location"]) == (303, "/")
    assert "HttpOnly" in headers["Set-Cookie"]
    assert ask(guarded, "/", cookie=headers["Set-Cookie"].split(";")[0])[0] == 200


def test_addresses_beyond_loopback_always_have_a_token():
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("192.168.0.4")
    assert token_for("127.0.0.1", "") == ""
    assert len(token_for("0.0.0.0", "")) >= 32
    assert hosts_of("0.0.0.0", 1) is None
    with pytest.raises(RunError, match="16 letters"):
        token_for("0.0.0.0", "short")


def test_ten_users_at_once_get_the_same_answers_as_one_after_another(explorer):
    genes = [str(g) for g in explorer.report.ranking.table.index[10:15]]
    alone = Viewer([Explorer(explorer.folder)])
    wanted = [ask(alone, "/api/explain", f"gene={g}")[2] for g in genes]
    many = Viewer([explorer])
    with ThreadPoolExecutor(10) as pool:
        found = list(pool.map(lambda g: ask(many, "/api/explain", f"gene={g}"), genes * 2))
    assert [status for status, _, _ in found] == [200] * 10
    assert [body for _, _, body in found] == wanted * 2


def test_the_bars_of_the_viewer_are_measured_on_a_run(folder):
    bars = {b.name: b for b in viewer_bars(folder, genes=4)}
    assert bars["viewer: ten users at once, answers that failed"].value == 0
    assert bars["viewer: any gene, median"].limit == "<= 300"


def test_a_bug_is_told_on_the_terminal_and_not_to_the_browser(explorer, capsys, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(explorer, "search", broken)
    status, answer = asked(Viewer([explorer]), "/api/search", "q=x")
    assert status == 500
    assert "secret" not in answer["error"]
    assert "secret" in capsys.readouterr().err


def test_tags_in_titles_folders_and_sources_stay_text():
    evil = "</script><script>alert(1)</script><img src=x onerror=alert(1)>"
    run_facts = {"title": evil, "folder": evil, "switches": [], "nodes": 15, "genes": 3}
    inputs = [{"name": evil, "licence": evil, "url": evil, "release": evil}]
    text = render_viewer([run_facts], [inputs], (2, 40))
    plain = text.split("/**\n* plotly")[0]
    assert "<img" not in plain
    assert text.count("<script>alert") == 0


def test_a_changed_file_and_a_lost_network_are_refused(folder, tmp_path):
    changed = Path(shutil.copytree(folder, tmp_path / "changed", symlinks=True))
    with (changed / "targets.tsv").open("a") as stream:
        stream.write("more\n")
    with pytest.raises(RunError, match=r"not as the run wrote them: 'targets\.tsv'"):
        Explorer(changed)
    lost = Path(shutil.copytree(folder, tmp_path / "lost", symlinks=True))
    shutil.rmtree(next((lost / ".stages").glob("member-*")))
    with pytest.raises(RunError, match=r"1 of 4 networks .* are gone"):
        Explorer(lost)
    with pytest.raises(RunError, match="holds no finished run"):
        Explorer(tmp_path)


def test_a_port_in_use_is_told_in_one_line():
    # in a process of its own: tests open no socket
    code = (
        "from aimwell.cli.view import listen\n"
        "from aimwell.errors import RunError\n"
        "first = listen('127.0.0.1', 0)\n"
        "try:\n    listen('127.0.0.1', first.server_port)\n"
        "except RunError as error:\n    print(error)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert "is in use" in said
    assert "--port" in said


@pytest.fixture(scope="module")
def served(folder):
    """The viewer as people start it, in a process of its own."""
    command = [sys.executable, "-m", "aimwell", "view", str(folder), "--port", "0", "--json"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    text = ""
    while not text.rstrip().endswith("}"):
        line = process.stdout.readline()
        assert line, f"the viewer ended: {text}"
        text += line
    answer = json.loads(text)
    assert "url" in answer, answer
    yield answer["url"]
    process.terminate()
    process.wait(20)
    process.stdout.close()


def test_the_viewer_in_a_browser(browser, served, tmp_path):
    tab = browser.open(served)
    shown = "document.querySelector('.panel h2')?.textContent"
    tab.until(f"{shown}")
    first = tab.do(shown)
    # search by keyboard
    tab.do("document.querySelector('.search input').select()")
    for letter in "EGFR":
        tab.key(letter)
    tab.until("document.querySelector('.hits li strong')?.textContent === 'EGFR'")
    tab.key("ArrowDown")
    tab.key("Enter")
    tab.until(f"{shown} === 'EGFR'")
    assert first != "EGFR"
    # a smaller budget
    count = "document.querySelectorAll('.panel .node').length"
    tab.do("(() => { const r = document.querySelector('.panel input[type=range]'); r.value = 4;"
           " r.dispatchEvent(new Event('input')); })()")  # fmt: skip
    tab.until(f"{count} <= 4")
    # a layer off: the score changes and says by how much
    tab.do("document.querySelector('.controls input[data-key=rna]').click()")
    tab.until("document.querySelector('.panel .now')?.textContent.startsWith('now')")
    tab.do("document.querySelector('.controls input[data-key=rna]').click()")
    tab.until("!document.querySelector('.panel .now')")
    # compare with another target
    tab.press("#compare")
    tab.do("document.querySelectorAll('.search input')[1].value = ''")
    for letter in "TP53":
        tab.key(letter)
    tab.key("Enter")
    tab.until("!document.getElementById('difference').hidden")
    assert "EGFR and TP53" in tab.do("document.getElementById('difference').innerText")
    # what nobody knows gets a line
    tab.do("document.querySelector('.search input').focus()")
    tab.do("document.querySelector('.search input').value = 'NOSUCHGENE'")
    tab.key("Enter")
    tab.until("document.querySelector('.status').textContent.includes('is not among')")
    # export of what is seen
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    tab.do("[...document.querySelectorAll('.panel .tools button')]"
           ".find(b => b.textContent === 'GraphML').click()")  # fmt: skip
    file = tmp_path / "EGFR_subgraph_1.graphml"
    tab.until("true")
    for _ in range(200):
        if file.exists() and file.stat().st_size:
            break
        tab.do("new Promise((done) => setTimeout(done, 50))")
    assert nx.read_graphml(file).number_of_nodes() == tab.do(
        "document.querySelector('.panel').querySelectorAll('.node').length"
    )
    # a wrong name is answered with status 400, which a browser notes by itself
    said = [s for s in tab.said() if "400 (Bad Request)" not in json.dumps(s)]
    assert said == []
    assert all(address.startswith(served) for address in tab.requests() if "about:" not in address)
