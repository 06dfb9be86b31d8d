"""The graph benchmarks measure what they say: STRING files, shuffling, honest verdicts."""

import gzip
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from aimwell.bench.bars import BENCHES, run_bench
from aimwell.bench.graph import shuffle_rows, write_links, write_run_file
from aimwell.bench.graph_trips import differences, trip_bars
from aimwell.bench.identifiers import TRAPS, read_traps, verdicts
from aimwell.config import read_config
from aimwell.errors import ConfigError
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.starter import read_starter_graph

SMALL = Path(__file__).parent / "data" / "knowledge" / "hgnc_small.tsv"


def test_generated_links_are_a_string_file_with_every_pair_both_ways(tmp_path: Path) -> None:
    symbols = sorted(read_hgnc(SMALL)["symbol"])[:5]
    write_links(tmp_path, symbols, 12)
    table = pd.read_csv(tmp_path / "links.txt.gz", sep=" ")
    assert list(table.columns) == ["protein1", "protein2", "combined_score"]
    both = {tuple(row) for row in table.itertuples(index=False)}
    assert len(both) == 12
    assert both == {(b, a, score) for a, b, score in both}
    source = {"reader": "string", "path": "links.txt.gz", "info": "info.txt"}
    config = read_config(write_run_file(tmp_path, tmp_path, SMALL, [source]))
    edges = build_graph(config).relations["interacts"].edges
    assert len(edges) == 6
    assert sorted(edges["weight"]) == sorted(table["combined_score"].drop_duplicates() / 1000)


def test_generated_links_are_the_same_every_time(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_links(tmp_path / name, ["TP53", "MDM2", "BRCA1", "ERBB2"], 8)
    one, two = (gzip.decompress((tmp_path / n / "links.txt.gz").read_bytes()) for n in ("a", "b"))
    assert one == two


def test_shuffling_moves_rows_and_keeps_the_header(tmp_path: Path) -> None:
    rows = [str(i) for i in range(50)]
    (tmp_path / "a.txt").write_bytes("\r".join(["head", *rows]).encode())
    shuffle_rows(tmp_path / "a.txt", tmp_path / "sub" / "a.txt", 1)
    found = (tmp_path / "sub" / "a.txt").read_text().splitlines()
    assert found[0] == "head"
    assert found[1:] != rows
    assert sorted(found[1:]) == sorted(rows)


def test_a_graph_comes_back_whole_and_whatever_differs_is_counted() -> None:
    graph = read_starter_graph()
    bars = {b.name: b for b in trip_bars(graph, "starter")}
    for name in ("HeteroData", "NetworkX"):
        found = bars[f"starter → {name} → graph: tables that differ"]
        assert (found.value, found.passed) == (0, True)
    relation = graph.relations["activates"]
    weights = relation.edges["weight"].where(relation.edges.index != 5, 0.999)
    changed = {
        **graph.relations,
        "activates": replace(relation, edges=relation.edges.assign(weight=weights)),
    }
    del changed["represses"]
    other = replace(graph, relations=changed, sources=())
    assert differences(graph, other) == 3


def test_a_wrong_verdict_misses_the_bar() -> None:
    table = IdentifierTable.from_hgnc(read_hgnc(SMALL))
    trap = {"trap": "t", "name": "TP53", "status": "mapped", "answer": "TP53"}
    bars = {b.name: b for b in verdicts(table, [trap, {**trap, "answer": "MDM2"}])}
    share = bars["identifiers: adversarial names with the right verdict"]
    assert (share.value, share.passed) == (0.5, False)


def test_the_list_of_traps_is_found_and_long_enough() -> None:
    assert len({trap["name"] for trap in read_traps(TRAPS)}) >= 250


@pytest.mark.parametrize("name", ["graph", "identifiers"])
def test_a_benchmark_of_databases_asks_for_them(name: str) -> None:
    assert name in BENCHES
    with pytest.raises(ConfigError, match="needs --data DIR"):
        list(run_bench(name))
