"""The ladder never sees the labels it is tested on; ranks and metrics by hand, ties included."""

from dataclasses import replace
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.metrics import average_precision_score, roc_auc_score

from aimwell.errors import AlignmentError, TaskError
from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models import baselines
from aimwell.models.baselines import (
    neighbour_labels,
    random_walk,
    spectral_embedding,
    study_intensity,
)
from aimwell.models.folds import family_folds
from aimwell.models.ladder import LADDER, ladder
from aimwell.models.member import Member, Unit
from aimwell.models.ranking import NETWORK, RANKING_COLUMNS, Ranking, measure, rank_genes
from aimwell.models.task import Block, TargetTask
from aimwell.models.wiring import build_wiring


def edges(*rows: tuple[str, str]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["source_id", "target_id"])
    return table.assign(weight=1.0, evidence="hand", literature=False, clinical=False)


def make_task(graph: TargetGraph, labels: np.ndarray, folds: np.ndarray | None = None):
    """Make a task with noise as evidence; by default three folds, families whole."""
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    families = graph.nodes["gene"]["family"].reindex(genes)
    values = np.random.default_rng(1).normal(size=(len(genes), 4)).astype(np.float32)
    degree = np.log1p(graph.degree().reindex(genes).to_numpy(np.float32))[:, None]
    if folds is None:
        folds = family_folds(families, genes[labels == 1], 3, 0)
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=(
            Block("rna", "rna", ("abs_z", "abs_effect", "z", "effect"), values),
            Block("graph", "graph", ("log_degree",), degree),
        ),
        wiring=build_wiring(graph, genes),
        labels=labels.astype(np.int8),
        withheld=np.zeros(len(genes), bool),
        folds=folds,
        families=families,
    )


def small_graph(interacts: pd.DataFrame, member_of: pd.DataFrame | None = None) -> TargetGraph:
    genes = [f"HGNC:{i}" for i in range(1, 6)]
    nodes = {"gene": pd.DataFrame({c: list("abcde") for c in GENE_COLUMNS}, genes)}
    relations = {"interacts": Relation("interacts", "gene", "gene", interacts, directed=False)}
    if member_of is not None:
        sets = sorted(member_of["target_id"].unique())
        nodes["pathway"] = pd.DataFrame({"name": sets}, sets)
        relations["member_of"] = Relation("member_of", "gene", "pathway", member_of)
    return TargetGraph(nodes, relations)


PATH = edges(("HGNC:1", "HGNC:2"), ("HGNC:2", "HGNC:3"), ("HGNC:3", "HGNC:4"))


@pytest.fixture(scope="module")
def starter() -> TargetTask:
    graph = read_starter_graph()
    labels = np.zeros(len(graph.genes), np.int8)
    labels[np.random.default_rng(8).choice(len(labels), 24, replace=False)] = 1
    return make_task(graph, labels)


@pytest.fixture(scope="module")
def starter_ladder(starter) -> pd.DataFrame:
    return ladder(starter)


# -- the ladder


def test_a_random_walk_on_a_path_of_three_settles_where_the_equations_say():
    # restart one half at the first gene: p1 = p2/4 + 1/2, p2 = (p1 + p3)/2, p3 = p2/4
    walk = sp.csr_matrix([[0, 0.5, 0], [1, 0, 1], [0, 0.5, 0]])
    found = random_walk(walk, np.array([1, 0, 0]))
    np.testing.assert_allclose(found, [7 / 12, 1 / 3, 1 / 12], atol=1e-12)


def test_the_walk_of_the_ladder_starts_at_the_known_targets_of_other_folds_only():
    task = make_task(small_graph(PATH), np.array([1, 0, 0, 1, 0]), np.array([0, 0, 1, 1, 1]))
    found = ladder(task)["random walk"].to_numpy()
    hop = np.zeros((5, 5))
    for a, b in ((0, 1), (1, 2), (2, 3)):
        hop[a, b] = hop[b, a] = 1
    hop /= np.maximum(hop.sum(axis=0), 1)
    start = np.eye(5)[[3, 3, 0, 0, 0]]  # the known target of the other fold, for every gene
    settled = [np.linalg.solve(np.eye(5) - 0.5 * hop, 0.5 * s) for s in start]
    np.testing.assert_allclose(found, np.diag(settled), atol=1e-9)
    assert found[4] == 0


def test_parallel_relations_between_two_genes_count_as_one_step_of_the_walk():
    graph = small_graph(PATH)
    twice = Relation("activates", "gene", "gene", edges(("HGNC:2", "HGNC:1")))
    both = replace(graph, relations={**graph.relations, "activates": twice})
    labels, folds = np.array([1, 0, 0, 1, 0]), np.array([0, 0, 1, 1, 1])
    walks = [ladder(make_task(g, labels, folds))["random walk"] for g in (graph, both)]
    np.testing.assert_allclose(walks[1], walks[0], atol=1e-12)


def on_graph(*rows: tuple[int, int]) -> TargetTask:
    """A task whose genes are the ends of some pairs."""
    names = sorted({f"HGNC:{i:03d}" for pair in rows for i in pair})
    nodes = {"gene": pd.DataFrame(dict.fromkeys(GENE_COLUMNS, names), names)}
    table = edges(*((f"HGNC:{a:03d}", f"HGNC:{b:03d}") for a, b in rows))
    relations = {"interacts": Relation("interacts", "gene", "gene", table, directed=False)}
    return make_task(TargetGraph(nodes, relations), np.zeros(len(names)), np.zeros(len(names), int))


RING = [(i, i + 1) for i in range(11)] + [(0, 11)]
STAR = [(20, i) for i in range(21, 30)]
CLIQUES = [
    (a + i, a + j) for a in (40, 50) for i in range(6) for j in range(i + 1, 6)
] + [(45, 55)]  # fmt: skip


def test_the_embedding_holds_smooth_vectors_only_and_none_of_a_bipartite_part():
    # a star has the eigenvalues 1, 0 and -1, and an even ring -1 as well: none of those is smooth
    assert not spectral_embedding(on_graph(*STAR)).any()
    ring = spectral_embedding(on_graph(*RING))
    # cos(2 pi k / 12): the positive ones besides 1 are those of k = 1 and 2, twice each
    assert ring.shape == (12, 4)
    task = on_graph(*CLIQUES)
    place = spectral_embedding(task)
    side = np.array([int(g[5:]) < 50 for g in task.genes])
    assert place.shape == (12, 1)  # all else of two cliques is negative
    assert len(set(np.sign(place[side, 0]))) == len(set(np.sign(place[~side, 0]))) == 1
    assert place[side, 0].mean() * place[~side, 0].mean() < 0


def test_each_part_of_the_graph_is_embedded_as_if_it_were_alone():
    alone = spectral_embedding(on_graph(*CLIQUES))
    task = on_graph(*CLIQUES, *STAR, (80, 81))
    whole = spectral_embedding(task)
    inside = np.array([40 <= int(g[5:]) < 60 for g in task.genes])
    np.testing.assert_allclose(whole[inside], alone, atol=1e-12)
    assert not whole[~inside].any()


def test_the_embedding_does_not_depend_on_how_it_is_computed(starter, monkeypatch):
    dense = spectral_embedding(starter)
    assert dense.shape == (len(starter.genes), 32)
    monkeypatch.setattr(baselines, "DENSE", 100)
    np.testing.assert_allclose(spectral_embedding(starter), dense, atol=1e-6)
    # orthonormal eigenvectors of the walk, made symmetric, by falling eigenvalue
    walk = baselines.walk_matrix(starter).toarray()
    root = np.sqrt(np.maximum((walk > 0).sum(axis=0), 1))
    symmetric = walk * root / root[:, None]
    np.testing.assert_allclose(dense.T @ dense, np.eye(32), atol=1e-9)
    values = np.diag(dense.T @ symmetric @ dense)
    np.testing.assert_allclose(symmetric @ dense, dense * values, atol=1e-9)
    assert (np.diff(values) <= 1e-12).all()
    assert values.min() > 0
    assert values.max() < 1
    every = np.sort(np.linalg.eigvalsh(symmetric))[::-1]
    np.testing.assert_allclose(values, every[every < 1 - 1e-9][:32], atol=1e-9)


def test_neighbour_labels_sum_known_targets_with_the_weights_of_the_channel():
    task = make_task(small_graph(PATH), np.array([1, 0, 1, 0, 0]), np.array([0, 0, 1, 1, 1]))
    # degrees 1, 2, 2, 1: arcs weigh 1/√2 at the ends and 1/2 in the middle
    wanted = [0, 1 / np.sqrt(2) + 0.5, 0, 1 / np.sqrt(2), 0]
    np.testing.assert_allclose(neighbour_labels(task, task.labels)[:, 0], wanted, rtol=1e-6)


def test_neighbour_labels_leave_the_own_label_out_of_every_set():
    pairs = [("HGNC:1", "P1"), ("HGNC:2", "P1"), ("HGNC:3", "P1"), ("HGNC:4", "P2")]
    graph = small_graph(PATH, edges(*pairs))
    task = make_task(graph, np.array([1, 1, 0, 1, 0]), np.array([0, 0, 1, 1, 1]))
    through = neighbour_labels(task, task.labels)[:, 1]
    # gene 4 is alone in its set, gene 5 in none
    np.testing.assert_allclose(through, [1 / 3, 1 / 3, 2 / 3, 0, 0], atol=1e-7)


def test_the_own_label_does_not_change_the_neighbour_labels_of_a_gene(starter):
    plain = neighbour_labels(starter, starter.labels)
    for gene in (*np.flatnonzero(starter.labels)[:5], 0, 100, 500):
        labels = starter.labels.copy()
        labels[gene] = 1 - labels[gene]
        np.testing.assert_allclose(neighbour_labels(starter, labels)[gene], plain[gene], atol=1e-7)


def test_study_intensity_counts_arcs_and_sets_per_channel(starter):
    counts = np.expm1(study_intensity(starter))
    channel = list(starter.wiring.channels)
    graph = starter.graph
    for name, column in (("activates", "target_id"), ("activates reversed", "source_id")):
        wanted = graph.relations["activates"].edges[column].value_counts()
        wanted = wanted.reindex(starter.genes, fill_value=0)
        np.testing.assert_allclose(counts[:, channel.index(name)], wanted, atol=1e-9)
    wanted = graph.relations["member_of"].edges["source_id"].value_counts()
    wanted = wanted.reindex(starter.genes, fill_value=0)
    np.testing.assert_allclose(counts[:, channel.index("member_of")], wanted, atol=1e-9)


def test_no_rung_of_the_ladder_sees_a_label_of_its_test_fold(starter, starter_ladder):
    inside = starter.folds == 2
    labels = np.where(inside, 1 - starter.labels, starter.labels).astype(np.int8)
    again = ladder(replace(starter, labels=labels))
    assert tuple(again.columns) == LADDER
    pd.testing.assert_frame_equal(again[inside], starter_ladder[inside], check_exact=True)
    learned = [c for c in LADDER if c not in ("prevalence", "differential statistic", "degree")]
    assert (again.loc[~inside, learned] != starter_ladder.loc[~inside, learned]).any().all()


def test_rungs_without_labels_are_the_statistic_and_the_degree(starter, starter_ladder):
    statistic = starter.blocks[0].values[:, 0].astype(float)
    assert np.array_equal(starter_ladder["differential statistic"], statistic)
    degree = starter.graph.degree().reindex(starter.genes).to_numpy()
    np.testing.assert_allclose(np.expm1(starter_ladder["degree"]), degree, rtol=1e-5)


# -- the ranking


def members_for(task: TargetTask, repeats: int = 2) -> list[Member]:
    rng = np.random.default_rng(0)
    n = len(task.genes)
    return [
        Member(Unit(fold, r), {}, rng.normal(fold, 1 + fold, n), float(fold), 1.0 + fold)
        for fold in range(3)
        for r in range(repeats)
    ]


def test_ranks_are_a_permutation_in_the_order_of_the_scores(starter, starter_ladder):
    table = rank_genes(starter, members_for(starter), starter_ladder).table
    assert table["rank"].tolist() == list(range(1, len(starter.genes) + 1))
    assert table["score"].is_monotonic_decreasing
    assert set(table.index) == set(starter.genes)
    assert set(RANKING_COLUMNS) <= set(table.columns)


def test_equal_scores_are_ranked_by_gene_whatever_their_last_bits(starter, starter_ladder):
    flat = np.full(len(starter.genes), 0.1)
    flat[::2] = 0.1 + 0.2 - 0.2  # differs from 0.1 in the last bit
    assert np.unique(flat).size == 2
    members = [Member(Unit(f, 0), {}, flat, 0.0, 1.0) for f in range(3)]
    table = rank_genes(starter, members, starter_ladder).table
    assert table.index.tolist() == starter.genes.tolist()


def test_a_gene_is_scored_by_the_members_of_its_own_fold_only(starter, starter_ladder):
    members = members_for(starter)
    table = rank_genes(starter, members, starter_ladder).table
    wild = [m if m.unit.fold == 1 else replace(m, logits=m.logits * 1e6) for m in members]
    again = rank_genes(starter, wild, starter_ladder).table
    mine = starter.genes[starter.folds == 1]
    columns = ["score", "score_low", "score_high"]
    assert table.loc[mine, columns].equals(again.loc[mine, columns])
    scores = np.array([m.scores for m in members if m.unit.fold == 1])[:, starter.folds == 1]
    np.testing.assert_allclose(table.loc[mine, "score"], scores.mean(axis=0))
    np.testing.assert_allclose(table.loc[mine, "score_low"], scores.min(axis=0))
    np.testing.assert_allclose(table.loc[mine, "score_high"], scores.max(axis=0))


def test_the_rank_interval_holds_the_rank(starter, starter_ladder):
    table = rank_genes(starter, members_for(starter), starter_ladder).table
    assert (table["rank_low"] <= table["rank"]).all()
    assert (table["rank"] <= table["rank_high"]).all()


def test_the_order_of_members_does_not_matter(starter, starter_ladder):
    members = members_for(starter)
    table = rank_genes(starter, members, starter_ladder).table
    pd.testing.assert_frame_equal(
        rank_genes(starter, members[::-1], starter_ladder).table, table, check_exact=True
    )


def test_a_fold_without_a_network_is_refused_by_number(starter, starter_ladder):
    members = [m for m in members_for(starter) if m.unit.fold != 2]
    with pytest.raises(TaskError, match="no network was fitted without fold 2"):
        rank_genes(starter, members, starter_ladder)


def test_a_withheld_target_is_ranked_but_left_out_of_the_metrics(starter, starter_ladder):
    withheld = np.zeros(len(starter.genes), bool)
    withheld[:100] = True
    labels = np.where(withheld, 0, starter.labels).astype(np.int8)
    task = replace(starter, withheld=withheld, labels=labels)
    ranking = rank_genes(task, members_for(task), starter_ladder)
    assert len(ranking.table) == len(starter.genes)
    prevalence = labels[100:].mean()
    assert ranking.metrics["prevalence"].to_numpy() == pytest.approx(prevalence)
    assert list(ranking.metrics.index) == [NETWORK, *LADDER]


def test_a_ranking_and_a_ladder_of_other_genes_are_refused(starter, starter_ladder):
    table = rank_genes(starter, members_for(starter), starter_ladder).table
    with pytest.raises(AlignmentError, match="do not share their genes"):
        Ranking(table, starter_ladder.iloc[1:])
    with pytest.raises(AlignmentError, match="'rank_low'"):
        Ranking(table.drop(columns="rank_low"), starter_ladder)


# -- the metrics


def test_metrics_with_ties_by_hand():
    scorers = pd.DataFrame({"tied": [3.0, 2.0, 2.0, 1.0], "flat": 7.0}, index=list("abcd"))
    known = pd.Series([False, True, False, True], index=list("abcd"))
    found = measure(scorers, known)
    # three steps: no target at 3; one of three at 2 (the tie is one step); two of four at 1
    assert found.loc["tied", "average_precision"] == pytest.approx(0.5 * 1 / 3 + 0.5 * 2 / 4)
    # of four pairs the targets win none and tie one
    assert found.loc["tied", "auroc"] == pytest.approx(0.5 / 4)
    assert found.loc["tied", "median_rank"] == (2.5 + 4) / 2
    assert found.loc["flat", "average_precision"] == pytest.approx(0.5)
    assert found.loc["flat", "auroc"] == pytest.approx(0.5)
    assert found.loc["flat", "median_rank"] == 2.5
    assert (found["prevalence"] == 0.5).all()


def test_recall_counts_targets_within_the_first_hundred_midranks():
    genes = [f"g{i:03d}" for i in range(300)]
    scores = -np.arange(300.0)
    scores[99:102] = -99  # ranks 100 to 102 share midrank 101
    known = pd.Series(np.isin(np.arange(300), [0, 98, 99, 200]), genes)
    found = measure(pd.DataFrame({"s": scores}, genes), known)
    assert found.loc["s", "recall_at_100"] == 2 / 4


def test_metrics_equal_sklearn_and_a_count_of_all_pairs():
    rng = np.random.default_rng(11)
    genes = [f"g{i}" for i in range(80)]
    truth = rng.random(80) < 0.3
    scorers = pd.DataFrame(rng.integers(0, 12, (80, 3)).astype(float), genes, list("xyz"))
    # matched by id, so the order of the scores does not matter
    found = measure(scorers.iloc[rng.permutation(80)], pd.Series(truth, genes))
    for name in scorers:
        score = scorers[name].to_numpy()
        difference = score[truth][:, None] - score[~truth][None, :]
        wins = (difference > 0).mean() + 0.5 * (difference == 0).mean()
        assert found.loc[name, "auroc"] == pytest.approx(wins)
        assert found.loc[name, "auroc"] == pytest.approx(roc_auc_score(truth, score))
        precision = average_precision_score(truth, score)
        assert found.loc[name, "average_precision"] == pytest.approx(precision)


def test_genes_without_a_verdict_are_left_out_of_the_metrics():
    scorers = pd.DataFrame({"s": [9.0, 8, 3, 2, 1]}, index=list("abcde"))
    known = pd.Series([True, False, False], index=list("cde"))
    assert measure(scorers, known).loc["s", "median_rank"] == 1


@pytest.mark.filterwarnings("default")
def test_ctrl_c_stops_a_perceptron_instead_of_ending_its_training_early(monkeypatch) -> None:
    def stop(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn.neural_network.MLPClassifier._backprop", stop)
    columns, labels = np.arange(40.0).reshape(20, 2), np.array([0, 1] * 10)
    with pytest.raises(KeyboardInterrupt):
        baselines.learned(baselines.perceptron(), columns, labels, np.arange(20))
