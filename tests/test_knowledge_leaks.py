"""What encodes the known targets is found, left out by default, and never kept in silence."""

import dataclasses
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from aimwell.bench.graph import write_run_file
from aimwell.config import read_config
from aimwell.errors import GraphError
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.leaks import audit_leaks, leak_stain, without_leaks
from aimwell.reports.summary import caveats

GENES = [f"HGNC:{i}" for i in range(10, 30)]
PATHWAYS = {
    "P1": "Apoptosis",
    "P2": "Signaling in lung cancer",
    "P3": "p-EGFR",  # below P2
    "P4": "Everything that our company sells",
    "P5": "Psoriasis, plaques",
    "P6": "TSC: tuberous sclerosis complex",
}


def edges(*pairs: tuple[str, str], **more: Any) -> pd.DataFrame:
    table = pd.DataFrame(sorted(pairs), columns=["source_id", "target_id"])
    said = {"weight": 1.0, "evidence": "toy", "literature": False, "clinical": False, **more}
    return table.assign(**said)


def known_targets(genes: list[str], disease: str = "psoriasis") -> KnownTargets:
    table = pd.DataFrame({"gene": genes, "disease": disease, "source": "toy", "date": ""})
    return KnownTargets(table.assign(strength=1.0, detail=""))


@pytest.fixture
def graph() -> TargetGraph:
    symbols = {c: [g.replace("HGNC:", "G") for g in GENES] for c in GENE_COLUMNS}
    nodes = {
        "gene": pd.DataFrame(symbols, index=GENES),
        "pathway": pd.DataFrame({"name": PATHWAYS}),
        "disease": pd.DataFrame({"name": {"D1": "psoriasis"}}),
    }
    members = {
        "P1": [*GENES[:4], *GENES[10:16]],
        "P2": GENES[2:4],
        "P3": GENES[4:6],
        "P4": GENES[:7],
        "P5": GENES[1:3],
        "P6": GENES[7:9],
    }
    pairs = [(gene, key) for key, genes in members.items() for gene in genes]
    relations = (
        Relation(
            "interacts",
            "gene",
            "gene",
            edges(
                (GENES[0], GENES[1]),
                (GENES[2], GENES[3]),
                (GENES[18], GENES[19]),
                literature=[False, False, True],
                clinical=[False, True, False],
            ),
            directed=False,
        ),
        Relation("member_of", "gene", "pathway", edges(*pairs)),
        Relation("part_of", "pathway", "pathway", edges(("P3", "P2"))),
        Relation("associated_with", "gene", "disease", edges((GENES[0], "D1"))),
    )
    return TargetGraph(nodes, {r.name: r for r in relations})


KNOWN = known_targets(GENES[:6])


def test_every_planted_leak_is_listed_with_what_it_touches(graph: TargetGraph) -> None:
    found = audit_leaks(graph, KNOWN)
    rows = {(r.kind, r.name): (r.relation, r.edges, r.known_targets) for r in found.itertuples()}
    assert rows == {
        ("relation", "associated_with"): ("associated_with", 1, 1),
        ("channel", "literature"): ("interacts", 1, 0),
        ("channel", "clinical"): ("interacts", 1, 2),
        ("set", "Signaling in lung cancer"): ("member_of", 2, 2),
        ("set", "p-EGFR"): ("member_of", 2, 2),
        ("set", "Everything that our company sells"): ("member_of", 7, 6),
        ("set", "Psoriasis, plaques"): ("member_of", 2, 2),
    }
    assert found["why"].ne("").all()


def test_a_set_is_a_list_of_targets_only_for_those_targets(graph: TargetGraph) -> None:
    names = audit_leaks(graph, known_targets(GENES[10:16], "asthma"))["name"].tolist()
    assert "Everything that our company sells" not in names
    assert "Psoriasis, plaques" not in names
    assert "Apoptosis" in names  # 6 of its 10 genes, and all that are known


def test_leaks_are_left_out_by_default_with_genes_that_had_nothing_else(graph: TargetGraph) -> None:
    clean, table = without_leaks(graph, KNOWN)
    assert len(table) == 7
    assert sorted(clean.relations) == ["interacts", "member_of"]
    assert clean.relations["interacts"].edges["target_id"].tolist() == [GENES[1]]
    assert clean.nodes["pathway"].index.tolist() == ["P1", "P6"]
    assert set(clean.relations["member_of"].edges["target_id"]) == {"P1", "P6"}
    assert not set(clean.genes) & {GENES[4], GENES[5], GENES[18], GENES[19]}
    assert GENES[16] in clean.genes  # it never had an edge, so it lost none
    assert audit_leaks(clean, KNOWN).empty
    step = clean.steps[0]
    assert (step.rows_in, step.rows_out) == (30, 30 - 2 - 13 - 1 - 1)
    assert "text mining" in step.why


def test_allowed_leaks_stay_and_mark_the_graph(graph: TargetGraph) -> None:
    kept, table = without_leaks(graph, KNOWN, allow=True)
    assert len(table) == 7
    assert {n: len(r.edges) for n, r in kept.relations.items()} == {
        n: len(r.edges) for n, r in graph.relations.items()
    }
    assert kept.steps[0].why == "kept by allow_leak: every result of this graph has seen the answer"
    assert kept.steps[0].rows_out == 17


def test_a_graph_of_text_mining_alone_is_refused(graph: TargetGraph) -> None:
    mined = graph.relations["interacts"].edges.assign(literature=True)
    relation = dataclasses.replace(graph.relations["interacts"], edges=mined)
    alone = TargetGraph({"gene": graph.nodes["gene"]}, {"interacts": relation})
    with pytest.raises(GraphError, match="every edge of the graph encodes") as caught:
        without_leaks(alone, KNOWN)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("allowed", "said"), [(True, "has seen the answer"), (False, "")])
def test_the_page_says_first_that_leaks_were_allowed(allowed: bool, said: str) -> None:
    columns = ["rank", "symbol", "is_known", "rank_low", "rank_high"]
    report: Any = SimpleNamespace(
        manifest={"leaks": {"stain": leak_stain(pd.DataFrame({"edges": [1, 2]}), allow=allowed)}},
        designs={},
        checks=(),
        ranking=SimpleNamespace(table=pd.DataFrame({c: [] for c in columns})),
        tiers=pd.DataFrame(),
        evidence=SimpleNamespace(across=pd.DataFrame({"coverage": []})),
    )
    assert said in " ".join(caveats(report)[:1])
    assert bool(caveats(report)) is allowed


def test_a_build_that_keeps_named_sets_says_which(tmp_path: Path) -> None:
    small = Path(__file__).parent / "data" / "knowledge" / "hgnc_small.tsv"
    genes = "TP53\tMDM2\tBRCA1\tERBB2"
    (tmp_path / "sets.gmt").write_text(f"LUNG_CANCER\tna\t{genes}\nREPAIR\tna\t{genes}\n")
    source = {"reader": "gmt", "path": "sets.gmt"}
    config = read_config(write_run_file(tmp_path, tmp_path, small, [source]), allow_leak=True)
    steps = [s for s in build_graph(config).steps if s.why == "kept by allow_leak"]
    assert [(s.rows_in, s.rows_out, s.examples) for s in steps] == [(1, 1, ("LUNG CANCER",))]
    clean = replace(config, graph=replace(config.graph, allow_leak=False))
    assert build_graph(clean).nodes["pathway"]["name"].tolist() == ["REPAIR"]
