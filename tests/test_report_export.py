"""Exports: what is written can be read back, by us and by other programs."""

import json
import xml.etree.ElementTree as ET

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.evidence import BLOCK_COLUMNS, VALUE_COLUMNS, Evidence
from aimwell.errors import AlignmentError, InputError
from aimwell.explain.explanation import Explanation
from aimwell.models.ranking import Ranking
from aimwell.reports.drawing import draw_subgraph_svg, drawn_edges
from aimwell.reports.export import (
    explanation_from_json,
    file_stem,
    read_explanation,
    targets_table,
    write_explanation,
    write_targets,
)
from aimwell.reports.layout import HEIGHT, WIDTH, place_nodes

GENES = ["HGNC:1", "HGNC:2", "HGNC:3"]


def make_evidence(genes=GENES):
    block = pd.DataFrame(1.0, index=genes, columns=list(BLOCK_COLUMNS))
    block["observed"] = [True, False, True]
    block["effect"] = [0.123456789123, np.nan, -2.0]
    block.loc[~block["observed"], list(VALUE_COLUMNS)] = np.nan
    across = pd.DataFrame(
        {"discordance": [1.5, np.nan, 0.0], "discordance_class": "concordant", "coverage": 1.0},
        index=genes,
    )
    return Evidence({"rna": block}, {"rna": "rna"}, across)


def make_ranking():
    table = pd.DataFrame(
        {
            "symbol": ["AAA", "BBB", "CCC"],
            "rank": [2, 1, 3],
            "score": [1 / 3, 0.9, 1e-9],
            "score_low": 0.0,
            "score_high": 1.0,
            "rank_low": 1,
            "rank_high": 3,
            "is_known": [True, False, False],
            "fold": 0,
            "degree": [3, 2, 1],
        },
        index=pd.Index(GENES, name="hgnc_id"),
    )
    return Ranking(table, pd.DataFrame({"degree": [3.0, 2.0, 1.0]}, index=table.index))


def make_explanation(symbol="AAA", sentence="AAA ranks high."):
    nodes = pd.DataFrame(
        {
            "symbol": [symbol, "BBB", "Cell cycle"],
            "type": ["gene", "gene", "pathway"],
            "attribution": [0.1 + 0.2, -0.25, 0.05],
            "rna": [0.1, np.nan, np.nan],
        },
        index=pd.Index(["HGNC:1", "HGNC:2", "R-1"], name="id"),
    )
    edges = pd.DataFrame(
        {
            "source_id": ["HGNC:2", "HGNC:1"],
            "target_id": ["HGNC:1", "R-1"],
            "relation": ["inhibits", "member_of"],
            "weight": [1.0, 0.5],
            "attribution": [-0.125, 0.0625],
            "evidence": ["A|B", "C"],
            "detail": ["binding", ""],
        }
    )
    return Explanation(
        gene="HGNC:1",
        symbol=symbol,
        score=1.25,
        baseline_score=-3.0,
        shares={"own rna": 4.0, "graph": 0.25},
        nodes=nodes,
        edges=edges,
        subgraph_nodes=("HGNC:1", "HGNC:2", "R-1"),
        subgraph_edges=edges,
        sentence=sentence,
        completeness_error=1e-4,
        spread={"own rna": 0.1},
    )


def test_targets_are_written_best_first_with_eight_digits(tmp_path):
    tsv, parquet = write_targets(
        tmp_path, make_ranking(), make_evidence(), {"HGNC:1": ["aspirin", "ibuprofen"]}
    )
    lines = [line.split("\t") for line in tsv.read_text().splitlines()]
    rows = {row[1]: dict(zip(lines[0], row, strict=True)) for row in lines[1:]}
    assert [row[1] for row in lines[1:]] == ["BBB", "AAA", "CCC"]
    assert rows["AAA"]["score"] == "0.33333333"
    assert rows["AAA"]["rna_effect"] == "0.12345679"
    assert rows["AAA"]["drugs"] == "aspirin|ibuprofen"
    assert rows["BBB"]["rna_effect"] == rows["BBB"]["discordance"] == ""
    assert rows["CCC"]["ladder_degree"] == "1"
    full = pd.read_parquet(parquet)
    assert full["score"].tolist() == [0.9, 1 / 3, 1e-9]
    assert full.columns.tolist() == lines[0]


def test_the_order_of_rows_does_not_change_the_file(tmp_path):
    ranking, evidence = make_ranking(), make_evidence()
    turned = Ranking(ranking.table.iloc[::-1], ranking.ladder.iloc[::-1])
    first = write_targets(tmp_path / "a", ranking, evidence)[0].read_bytes()
    assert write_targets(tmp_path / "b", turned, evidence)[0].read_bytes() == first


def test_a_ranked_gene_without_evidence_is_refused():
    other = make_evidence(["HGNC:1", "HGNC:2", "HGNC:9"])
    with pytest.raises(AlignmentError, match="1 ranked genes have no row in the evidence"):
        targets_table(make_ranking(), other)


def test_an_explanation_comes_back_from_json_as_it_was(tmp_path):
    explanation = make_explanation()
    path = write_explanation(tmp_path, explanation)[0]
    back = read_explanation(path)
    for name in ("nodes", "edges", "subgraph_edges"):
        pd.testing.assert_frame_equal(getattr(back, name), getattr(explanation, name))
    for name in ("gene", "symbol", "score", "shares", "subgraph_nodes", "sentence", "spread"):
        assert getattr(back, name) == getattr(explanation, name)


def test_explanations_of_numbers_alone_or_of_nothing_come_back(tmp_path):
    explanation = make_explanation()
    none = explanation.edges.iloc[:0]
    lone = Explanation(
        **{
            **explanation.__dict__,
            "edges": none,
            "subgraph_edges": none,
            "subgraph_nodes": ("HGNC:1",),
        }
    )
    back = read_explanation(write_explanation(tmp_path, lone)[0])
    assert back.subgraph_edges.columns.tolist() == none.columns.tolist()
    assert len(back.edges) == 0
    assert ET.fromstring(draw_subgraph_svg(back)).tag.endswith("svg")


def test_graphml_reads_into_networkx_with_types_and_without_missing_numbers(tmp_path):
    graph = nx.read_graphml(write_explanation(tmp_path, make_explanation())[1])
    assert set(graph.nodes) == {"HGNC:1", "HGNC:2", "R-1"}
    assert graph.nodes["HGNC:1"]["attribution"] == 0.1 + 0.2
    assert "rna" not in graph.nodes["HGNC:2"]
    edge = graph.edges["HGNC:2", "HGNC:1"]
    assert (edge["relation"], edge["attribution"], edge["evidence"]) == ("inhibits", -0.125, "A|B")
    assert graph.graph["sentence"] == "AAA ranks high."


def test_cx2_declares_every_attribute_and_counts_its_parts(tmp_path):
    parts = json.loads(write_explanation(tmp_path, make_explanation())[2].read_text())
    aspects = {k: v for part in parts[1:] for k, v in part.items()}
    assert parts[0]["CXVersion"] == "2.0"
    counts = {m["name"]: m["elementCount"] for m in aspects["metaData"]}
    assert all(len(aspects[name]) == n for name, n in counts.items())
    declared = aspects["attributeDeclarations"][0]
    for kind in ("nodes", "edges"):
        assert {k for item in aspects[kind] for k in item["v"]} == set(declared[kind])
    assert {(e["s"], e["t"]) for e in aspects["edges"]} == {(1, 0), (0, 2)}
    assert aspects["status"] == [{"success": True, "error": ""}]


@pytest.mark.parametrize("symbol", ["../../etc/passwd", "a/b", "..", "", "CON", "nul.txt", "é\x00"])
def test_no_symbol_leaves_the_folder_or_names_a_device(tmp_path, symbol):
    paths = write_explanation(tmp_path / "in", make_explanation(symbol))
    assert all(path.parent == tmp_path / "in" and path.is_file() for path in paths)
    assert file_stem(symbol) not in {symbol, "", ".", ".."}


def test_two_odd_symbols_do_not_share_a_file():
    assert file_stem("A/B") != file_stem("A B") != file_stem("A_B")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "is not valid JSON"),
        ("[]", "is of format 'None', needed 'aimwell-explanation-1'"),
        ('{"format": "aimwell-explanation-1"}', "lacks 'baseline_score'"),
    ],
)
def test_damaged_explanations_are_refused_in_one_line(text, said):
    with pytest.raises(InputError, match=said):
        explanation_from_json(text)


def test_a_missing_explanation_is_refused(tmp_path):
    with pytest.raises(InputError, match="there is no explanation"):
        read_explanation(tmp_path / "X.json")


def test_the_picture_is_valid_xml_whatever_the_names_hold():
    evil = "</text><script>alert(1)</script>\x00&"
    root = ET.fromstring(draw_subgraph_svg(make_explanation(evil, sentence=evil)))
    tags = {element.tag.split("}")[1] for element in root.iter()}
    assert tags <= {
        "svg",
        "title",
        "desc",
        "rect",
        "line",
        "polygon",
        "circle",
        "g",
        "text",
        "tspan",
    }
    assert not [k for e in root.iter() for k in e.attrib if k.startswith("on") or "href" in k]


def crowded(n=15, seed=0):
    """A target with as many neighbours as a subgraph may hold, with long names."""
    rng = np.random.default_rng(seed)
    ids = [f"HGNC:{k}" for k in range(n)]
    kinds = ["gene" if k % 3 else "pathway" for k in range(n)]
    nodes = pd.DataFrame(
        {
            "symbol": [
                f"GENE{k}" if kind == "gene" else f"Regulation of something long by number {k}"
                for k, kind in enumerate(kinds)
            ],
            "type": kinds,
            "attribution": rng.normal(0, 1, n),
        },
        index=pd.Index(ids, name="id"),
    )
    ends = [(k, int(rng.integers(0, k))) for k in range(1, n)]
    ends += [(k, 0) for k in range(2, n, 4) if (k, 0) not in ends]
    edges = pd.DataFrame(
        {
            "source_id": [ids[a] for a, _ in ends],
            "target_id": [ids[b] for _, b in ends],
            "relation": "interacts",
            "weight": 1.0,
            "attribution": rng.normal(0, 1, len(ends)),
            "evidence": "A",
            "detail": "",
        }
    )
    return Explanation(
        ids[0], "GENE0", 1.0, 0.0, {}, nodes, edges, tuple(ids), edges, "Because.", 0.0
    )


@pytest.mark.parametrize("seed", range(6))
def test_labels_of_a_full_subgraph_do_not_overlap_and_stay_on_the_canvas(seed):
    placed = list(place_nodes(crowded(seed=seed)).values())
    boxes = []
    for node in placed:
        half = max(node.radius, 7 * max(map(len, node.lines)) / 2)
        label = 15 * len(node.lines)
        up = node.radius + (label if node.above else 0)
        down = node.radius + (0 if node.above else label)
        boxes.append((node.x - half, node.x + half, node.y - up, node.y + down))
    assert all(a >= 0 and b <= WIDTH and c >= 0 and d <= HEIGHT for a, b, c, d in boxes)
    clashes = [
        (i, j)
        for i, (a, b, c, d) in enumerate(boxes)
        for j, (e, f, g, h) in enumerate(boxes[i + 1 :], i + 1)
        if a < f and e < b and c < h and g < d
    ]
    assert clashes == []


def test_the_picture_does_not_depend_on_the_order_of_rows():
    one = crowded()
    other = Explanation(
        **{
            **one.__dict__,
            "nodes": one.nodes.iloc[::-1],
            "subgraph_edges": one.subgraph_edges.iloc[::-1],
            "subgraph_nodes": (one.gene, *reversed(one.subgraph_nodes[1:])),
        }
    )
    assert draw_subgraph_svg(one) == draw_subgraph_svg(other)


def test_edges_to_nodes_outside_the_subgraph_are_not_drawn():
    explanation = make_explanation()
    cut = Explanation(**{**explanation.__dict__, "subgraph_nodes": ("HGNC:1", "HGNC:2")})
    assert drawn_edges(cut)["source_id"].tolist() == ["HGNC:2"]


def test_lowering_edges_are_dashed_and_in_the_other_colour():
    root = ET.fromstring(draw_subgraph_svg(make_explanation()))
    lines = [e for e in root.iter() if e.tag.endswith("line") and len(e)]
    dashes = {line[0].text: line.get("stroke-dasharray") for line in lines}
    assert dashes["member_of: +0.062"] is None
    assert dashes["inhibits: -0.125"] is not None
    assert len({line.get("stroke") for line in lines}) == 2
