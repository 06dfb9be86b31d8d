"""A survey counts what is in a graph: known answers by hand, and laws on any graph."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from aimwell.config import read_config
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.survey import GENOME, survey_graph
from aimwell.provenance import Source, Step

GENES = ["HGNC:1", "HGNC:2", "HGNC:3", "HGNC:4", "HGNC:5", "HGNC:6"]


def edges(*rows: tuple[str, str, str], **more: Any) -> pd.DataFrame:
    table = pd.DataFrame(sorted(rows), columns=["source_id", "target_id", "evidence"])
    return table.assign(**{"weight": 0.5, "literature": False, "clinical": False, **more})


@pytest.fixture
def graph() -> TargetGraph:
    named = {c: [g.replace("HGNC:", "G") for g in GENES] for c in GENE_COLUMNS}
    nodes = {
        "gene": pd.DataFrame(named, index=GENES),
        "pathway": pd.DataFrame({"name": ["one", "two"]}, index=["P1", "P2"]),
    }
    interacts = edges(
        ("HGNC:1", "HGNC:2", "A|B"),
        ("HGNC:1", "HGNC:3", "A"),
        ("HGNC:4", "HGNC:5", "B"),
        pubmed_ids=["7", "", ""],
        date=["2001", "", "2019-05"],
        literature=[False, True, False],
    )
    # 2 → 1 is the pair that A and B have too, the other way round and in another relation
    activates = edges(("HGNC:1", "HGNC:2", "C"), ("HGNC:2", "HGNC:1", "C"))
    members = edges(("HGNC:1", "P1", "D"), ("HGNC:6", "P1", "D"))
    relations = [
        Relation("interacts", "gene", "gene", interacts, directed=False),
        Relation("activates", "gene", "gene", activates),
        Relation("member_of", "gene", "pathway", members),
    ]
    sources = (Source("A", "1", "CC0-1.0"), Source("B", "2", "CC-BY-NC-4.0"), Source("N", "3", "?"))
    return TargetGraph(nodes, {r.name: r for r in relations}, sources)


def test_neighbours_are_counted_once_whatever_the_direction(graph: TargetGraph) -> None:
    degrees = survey_graph(graph).degrees
    assert degrees["activates"].to_dict() == {1: 2}
    assert degrees["interacts"].to_dict() == {1: 4, 2: 1}
    assert degrees["member_of"].to_dict() == {2: 1}
    assert degrees[""].to_dict() == {1: 4, 2: 1}


def test_components_and_lone_nodes_are_those_of_the_picture(graph: TargetGraph) -> None:
    survey = survey_graph(graph)
    assert survey.components.to_dict() == {3: 1, 2: 1, 1: 1}
    assert survey.summary.isolated == ("G6",)
    assert survey.unconnected == {"gene": 0, "pathway": 1}


def test_what_stands_behind_edges_is_counted(graph: TargetGraph) -> None:
    row = survey_graph(graph).relations.loc["interacts"]
    assert (row["edges"], row["sources"], row["targets"]) == (3, 2, 3)
    assert (row["with_papers"], row["with_date"], row["literature"], row["clinical"]) == (
        1,
        2,
        1,
        0,
    )


def test_two_sources_share_a_pair_in_whichever_direction_and_relation(graph: TargetGraph) -> None:
    table = survey_graph(graph).overlap.set_index(["first", "second"])
    assert table.loc[("A", "B"), "shared_pairs"] == 1
    assert table.loc[("A", "B"), "jaccard_pairs"] == pytest.approx(1 / 3)
    assert table.loc[("A", "C"), "jaccard_pairs"] == pytest.approx(1 / 2)
    assert table.loc[("B", "C"), "shared_genes"] == 2
    assert table.loc[("B", "C"), "jaccard_genes"] == pytest.approx(2 / 4)
    assert table.loc[("A", "D"), "shared_genes"] == 1
    assert table.loc[("A", "D"), "shared_pairs"] == 0


def test_a_source_says_what_it_alone_has_and_who_may_use_it(graph: TargetGraph) -> None:
    table = survey_graph(graph).sources
    assert table.loc["A", ["edges", "alone", "pairs", "genes"]].tolist() == [2, 1, 2, 3]
    assert table.loc["C", ["edges", "alone", "pairs", "genes"]].tolist() == [2, 2, 1, 2]
    assert table["commercial"].to_dict() == {
        "A": "yes",
        "B": "no",
        "C": "unknown",
        "D": "unknown",
        "N": "unknown",
    }
    assert table.loc["N", "edges"] == 0
    assert table.loc["C", "licence"] == "not stated"


def test_hubs_come_first_and_ties_by_id(graph: TargetGraph) -> None:
    hubs = survey_graph(graph).hubs
    assert hubs["symbol"].tolist() == ["G1", "G2", "G3", "G4", "G5"]
    first = hubs.iloc[0]
    assert (first["neighbours"], first["sets"]) == (2, 1)
    assert first["share"] == pytest.approx(2 / 5)
    assert (first["neighbours: interacts"], first["neighbours: activates"]) == (2, 1)


def test_a_list_is_covered_by_relation_and_what_is_outside_has_a_reason(graph: TargetGraph) -> None:
    survey = survey_graph(graph, ("G1", "G6", "nobody"))
    assert survey.covered["listed"].to_dict() == {
        "in the graph": 2,
        "between genes": 1,
        "to sets": 2,
        "activates": 1,
        "interacts": 1,
        "member_of": 2,
    }
    assert survey.listed is not None
    assert survey.listed.outside["name"].tolist() == ["nobody"]
    assert survey.listed.outside["why"].str.startswith("no gene of this graph has the name").all()


def test_the_genome_is_what_the_build_counted_or_that_of_hgnc(graph: TargetGraph) -> None:
    counted = replace(graph, steps=(Step("genes of the graph", 19_000, 6),))
    assert survey_graph(counted).genome == 19_000
    assert survey_graph(graph).genome == GENOME


def test_shuffled_rows_give_the_same_survey() -> None:
    graph = read_starter_graph()
    rng = np.random.default_rng(5)
    mixed = {
        name: replace(r, edges=r.edges.iloc[rng.permutation(len(r.edges))].reset_index(drop=True))
        for name, r in graph.relations.items()
    }
    one, two = survey_graph(graph), survey_graph(replace(graph, relations=mixed))
    pd.testing.assert_frame_equal(one.hubs, two.hubs)
    pd.testing.assert_frame_equal(one.sources, two.sources)
    assert {k: v.to_dict() for k, v in one.degrees.items()} == {
        k: v.to_dict() for k, v in two.degrees.items()
    }


def test_degrees_and_components_are_those_of_networkx() -> None:
    graph = read_starter_graph()
    network: nx.Graph[str] = nx.Graph()
    network.add_nodes_from(graph.genes)
    for relation in graph.gene_relations():
        network.add_edges_from(relation.edges[["source_id", "target_id"]].itertuples(index=False))
    survey = survey_graph(graph)
    counted = pd.Series([d for _, d in network.degree() if d]).value_counts().sort_index()
    assert survey.degrees[""].to_dict() == counted.to_dict()
    sizes = pd.Series([len(part) for part in nx.connected_components(network)]).value_counts()
    assert survey.components.to_dict() == sizes.to_dict()


def test_the_licence_of_a_file_of_sets_reaches_the_edges_that_it_gave(tmp_path: Path) -> None:
    small = Path(__file__).parent / "data" / "knowledge" / "hgnc_small.tsv"
    (tmp_path / "h.all.symbols.gmt").write_text("HALLMARK_X\tna\tTP53\tMDM2\tBRCA1\tERBB2\n")
    text = (
        f"[run]\ntitle = 't'\noutput = 'o'\n[identifiers]\nhgnc = '{small}'\n[[graph.sources]]\n"
        "reader = 'gmt'\npath = 'h.all.symbols.gmt'\nlicence = 'CC-BY-4.0'\n[cohort]\n"
        "matrices = [{ path = 'm', layer = 'rna', kind = 'rna', unit = 'log2' }]\n"
        "sheet = { path = 's' }\n[[contrasts]]\nname = 'c'\nlayer = 'rna'\ncondition = 'x'\n"
        "case = 'a'\ncontrol = 'b'\n[[known_targets.sources]]\nreader = 'genes'\ngenes = ['TP53']\n"
    )
    (tmp_path / "run.toml").write_text(text)
    survey = survey_graph(build_graph(read_config(tmp_path / "run.toml")))
    giving = survey.sources[survey.sources["edges"] > 0]
    assert giving["licence"].tolist() == ["CC-BY-4.0"]
