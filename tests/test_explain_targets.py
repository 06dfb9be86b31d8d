"""An explanation adds up, speaks of its own gene, and shows what it is made of."""

from dataclasses import replace

import networkx as nx
import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.evidence import Evidence
from aimwell.cohorts.harmonise import harmonise
from aimwell.config import ContrastSettings, ExplainSettings, ModelSettings
from aimwell.errors import TaskError
from aimwell.explain.attribution import SharedPath
from aimwell.explain.explanation import Explanation
from aimwell.explain.summaries import summarise_targets
from aimwell.explain.tables import TOP, Tables, overlap, strongest
from aimwell.explain.targets import explain_targets
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.fitting import fit_member
from aimwell.models.member import Member, Unit
from aimwell.models.ranking import rank_genes
from aimwell.models.task import TargetTask, build_task
from aimwell.simulate import simulate_cohort

SETTINGS = ExplainSettings(steps=100, max_nodes=8)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    cohort = simulate_cohort(read_starter_graph(), seed=41)
    layers = {
        "rna": Layer("rna", "rna", "counts", cohort.rna),
        "protein": Layer("protein", "protein", "log2_ratio", cohort.protein),
    }
    contrasts = tuple(
        ContrastSettings(k, k, "condition", "case", "control", "subject") for k in layers
    )
    return harmonise(Cohort(layers, cohort.samples), contrasts)[0]


@pytest.fixture(scope="module")
def task(evidence) -> TargetTask:
    graph = read_starter_graph()
    known = simulate_cohort(graph, seed=41).given
    table = pd.DataFrame({"gene": known}).assign(
        disease="simulated", source="simulation", date="", strength=1.0, detail=""
    )
    return build_task(graph, evidence, KnownTargets(table), folds=2, seed=0)


@pytest.fixture(scope="module")
def members(task) -> list[Member]:
    settings = ModelSettings(folds=2, seeds=2, epochs=15, hidden=8)
    units = [Unit(f, r) for f in range(2) for r in range(2)]
    return [fit_member(task, unit, settings, seed=0) for unit in units]


@pytest.fixture(scope="module")
def genes(task) -> pd.Index:
    """Two known targets and four others, in no order."""
    known = task.genes[task.labels == 1]
    return pd.Index([task.genes[700], known[0], task.genes[5], known[-1], *task.genes[[300, 80]]])


@pytest.fixture(scope="module")
def explained(task, members, evidence, genes) -> list[Explanation]:
    return explain_targets(task, members, evidence, genes, SETTINGS)


def test_genes_are_explained_in_the_order_asked_for(explained, genes, task):
    assert [e.gene for e in explained] == list(genes)
    assert [e.symbol for e in explained] == task.graph.symbols[genes].tolist()


def test_shares_add_up_to_the_score_of_the_ranking(explained, task, members):
    ladder = pd.DataFrame({"nothing": 0.0}, task.genes)
    scores = rank_genes(task, members, ladder).table["score"]
    for one in explained:
        assert sum(one.shares.values()) == pytest.approx(one.score, abs=1e-9)
        assert one.score == pytest.approx(scores[one.gene], abs=1e-4)
        assert abs(one.shares["rounding"]) < 0.02
        assert one.shares["starting point"] == one.baseline_score


def test_the_shares_are_the_seven_that_people_read(explained):
    for one in explained:
        assert list(one.shares) == [
            "own rna",
            "neighbours' rna",
            "own protein",
            "neighbours' protein",
            "known-target neighbours",
            "pathways and complexes",
            "graph bias",
            "starting point",
            "rounding",
        ]


def test_the_own_label_of_a_known_target_is_no_part_of_its_explanation(explained, task):
    known = [e for e in explained if e.gene in set(task.genes[task.labels == 1])]
    assert len(known) == 2
    assert all(e.nodes.loc[e.gene, "known targets"] == 0 for e in known)


def test_networks_that_saw_the_label_of_a_gene_have_no_say(
    explained, task, members, evidence, genes
):
    fold = task.folds[task.positions(genes[:1])[0]]
    wild = [
        m
        if m.unit.fold == fold
        else replace(m, parameters={k: v * 0 for k, v in m.parameters.items()})
        for m in members
    ]
    again = explain_targets(task, wild, evidence, genes[:1], SETTINGS)[0]
    assert again.score == explained[0].score
    assert again.shares == explained[0].shares


def test_the_subgraph_hangs_together_by_its_own_edges(explained):
    for one in explained:
        assert one.subgraph_nodes[0] == one.gene
        assert len(one.subgraph_nodes) <= 8
        ends = one.subgraph_edges[["source_id", "target_id"]]
        graph = nx.Graph(ends.itertuples(index=False))
        graph.add_node(one.gene)
        assert set(graph) == set(one.subgraph_nodes)
        assert nx.is_connected(graph)
        assert set(one.subgraph_nodes) <= set(one.nodes.index)


def test_the_listed_edges_are_the_strongest_and_are_edges_of_the_graph(explained, task):
    relations = task.graph.relations
    for one in explained:
        assert len(one.edges) <= 200
        assert one.edges["attribution"].ne(0).all()
        row = one.edges.loc[one.edges["attribution"].abs().idxmax()]
        edges = relations[row["relation"]].edges
        pair = (edges["source_id"] == row["source_id"]) & (edges["target_id"] == row["target_id"])
        assert pair.sum() == 1
        strongest = one.edges["attribution"].abs().max()
        if len(one.subgraph_edges):
            assert one.subgraph_edges["attribution"].abs().max() <= strongest


def test_the_sentence_names_the_gene_and_says_associated(explained):
    for one in explained:
        assert one.sentence.startswith(f"{one.symbol} scores {abs(one.score):.1f} ")
        assert ("above" if one.score >= 0 else "below") in one.sentence
        assert "caus" not in one.sentence


def test_spread_is_that_of_the_members(explained, task, members, genes):
    position = task.positions(genes[:1])[0]
    mine = [m for m in members if m.unit.fold == task.folds[position]]
    scores = [m.scores[position] for m in mine]
    assert explained[0].spread["members"] == 2
    assert explained[0].spread["score"] == pytest.approx(np.std(scores), abs=1e-4)


def test_the_spread_of_every_share_is_that_of_single_networks(
    explained, task, members, evidence, genes
):
    fold = task.folds[task.positions(genes[:1])[0]]
    alone = [
        explain_targets(task, [m], evidence, genes[:1], SETTINGS)[0]
        for m in members
        if m.unit.fold == fold
    ]
    for name, value in explained[0].shares.items():
        shares = [one.shares[name] for one in alone]
        assert value == pytest.approx(np.mean(shares), abs=1e-9) or name == "rounding"
        assert explained[0].spread[name] == pytest.approx(np.std(shares), abs=1e-9)
    # a network by itself has no spread, and its explanation says none
    assert set(alone[0].spread) == {"score", "members"}


def test_networks_agree_as_far_as_halves_of_the_ensemble_do(explained, task, members, genes):
    position = task.positions(genes[:1])[0]
    tables = Tables(task)
    tops = []
    for member in (m for m in members if m.unit.fold == task.folds[position]):
        path = SharedPath(task, [member], steps=SETTINGS.steps)
        rows, values = tables.edge_values(path.attribute(int(position)))
        tops.append(rows[strongest(values, TOP)])
    assert explained[0].faithfulness.seed_agreement == pytest.approx(overlap(*tops))


def test_a_summary_says_what_the_explanation_says(explained, task, members, evidence, genes):
    rows, edges = summarise_targets(task, members, evidence, genes, SETTINGS)
    assert rows["hgnc_id"].tolist() == list(genes)
    ends = ["source_id", "target_id", "relation"]
    for one, row in zip(explained, rows.to_dict("records"), strict=True):
        assert {name: row[name] for name in one.shares} == dict(one.shares)
        assert row["subgraph"].split("|") == list(one.subgraph_nodes)
        assert row["subgraph_share"] == one.subgraphs[0].share
        mine = edges[edges["hgnc_id"] == one.gene]
        inside = mine[mine["in_subgraph"]]
        assert set(inside[ends].itertuples(index=False, name=None)) == set(
            one.subgraph_edges[ends].itertuples(index=False, name=None)
        )
        listed = one.edges.set_index(ends)["attribution"]
        told = mine.set_index(ends)["attribution"]
        assert len(told) >= min(20, len(listed))
        assert told.abs().max() == listed.abs().max()
        both = told.index.intersection(listed.index)
        assert told[both].equals(listed[both])


def test_a_gene_outside_the_graph_is_refused(task, members, evidence):
    with pytest.raises(TaskError, match="not in the graph: 'HGNC:0'"):
        explain_targets(task, members, evidence, pd.Index(["HGNC:0"]), SETTINGS)


def test_a_gene_whose_fold_has_no_network_is_refused(task, members, evidence, genes):
    fold = task.folds[task.positions(genes[:1])[0]]
    others = [m for m in members if m.unit.fold != fold]
    with pytest.raises(TaskError, match=f"no network was fitted without fold {fold}"):
        explain_targets(task, others, evidence, genes[:1], SETTINGS)
