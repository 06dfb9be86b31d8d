"""An explanation keeps its subgraphs, tests and caveats on the way through a file."""

from dataclasses import replace

import pandas as pd
import pytest

from aimwell.explain.explanation import Explanation, Faithfulness, Subgraph
from aimwell.reports.export import read_explanation, write_explanation


@pytest.fixture
def explanation() -> Explanation:
    edges = pd.DataFrame(
        {
            "source_id": ["HGNC:2"],
            "target_id": ["HGNC:1"],
            "relation": ["interacts"],
            "weight": [1.0],
            "attribution": [0.25],
            "evidence": ["BioGRID"],
            "detail": ["pubmed:1"],
        }
    )
    nodes = pd.DataFrame(
        {"symbol": ["A", "B"], "type": ["gene", "gene"], "attribution": [0.5, 0.25]},
        index=["HGNC:1", "HGNC:2"],
    )
    pair = ("HGNC:1", "HGNC:2")
    return Explanation(
        gene="HGNC:1",
        symbol="A",
        score=1.5,
        baseline_score=0.5,
        shares={"own rna": 1.0, "starting point": 0.5},
        nodes=nodes,
        edges=edges,
        subgraph_nodes=pair,
        subgraph_edges=edges,
        sentence="A scores 1.5.",
        completeness_error=0.0,
        subgraphs=(Subgraph(pair, edges, 1.0, 1), Subgraph(pair[:1], edges.iloc[:0], -0.5, -1)),
        faithfulness=Faithfulness(
            badge="partial",
            rule="deletion held, insertion not",
            deletion={"this": (1.0, 0.2), "random": (1.0, 0.9)},
            insertion={"this": (0.0, 0.8)},
            sufficiency=0.8,
            necessity=0.7,
        ),
        direction="inhibit",
        caveats=("The interaction of A and B is wrong.",),
        baselines={"mean": {"score": 0.1, "completeness_error": 0.01, "agreement": 0.9}},
    )


def test_a_file_keeps_subgraphs_tests_and_caveats(tmp_path, explanation):
    back = read_explanation(write_explanation(tmp_path, explanation)[0])
    assert back.direction == "inhibit"
    assert back.caveats == explanation.caveats
    assert back.baselines == explanation.baselines
    assert [(s.nodes, s.share, s.sign) for s in back.subgraphs] == [
        (("HGNC:1", "HGNC:2"), 1.0, 1),
        (("HGNC:1",), -0.5, -1),
    ]
    pd.testing.assert_frame_equal(back.subgraphs[0].edges, explanation.edges)
    assert list(back.subgraphs[1].edges.columns) == list(explanation.edges.columns)
    assert back.faithfulness is not None
    assert back.faithfulness.deletion == explanation.faithfulness.deletion
    assert back.faithfulness.sparsity != back.faithfulness.sparsity  # not measured: still missing


def test_an_explanation_without_a_test_says_so(tmp_path, explanation):
    bare = replace(explanation, faithfulness=None, subgraphs=())
    back = read_explanation(write_explanation(tmp_path, bare)[0])
    assert back.faithfulness is None
    assert back.subgraphs == ()
