"""Without known targets: what a gene's own evidence may do, and what its surroundings can."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.evidence import BLOCK_COLUMNS, VALUE_COLUMNS, Evidence
from aimwell.config import ModelSettings
from aimwell.errors import LabelError, TaskError
from aimwell.explain.attribution import SharedPath
from aimwell.knowledge.labels import LABEL_COLUMNS, KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.fitting import fit_member
from aimwell.models.ladder import UNLABELLED_LADDER, ladder
from aimwell.models.member import Unit, member_units
from aimwell.models.ranking import rank_genes
from aimwell.models.surroundings import evidence_strength, predicted_evidence
from aimwell.models.task import TargetTask, build_task
from aimwell.models.training import predict

SHORT = ModelSettings(objective="none", folds=3, seeds=1, epochs=8, hidden=8)
PLANTED = 6


def make_evidence(genes: pd.Index, z: np.ndarray) -> Evidence:
    blocks = {}
    for place, name in enumerate(("protein", "rna")):
        noise = np.random.default_rng(place).normal(size=len(genes))
        block = pd.DataFrame(0.0, genes, list(VALUE_COLUMNS))
        block["z"], block["effect"] = z + noise, (z + noise) / 3
        blocks[name] = block.assign(
            abundance_percentile=0.5, detection_rate=1.0, n_observed=4, observed=True
        )[list(BLOCK_COLUMNS)]
    across = pd.DataFrame(
        {"discordance": np.nan, "discordance_class": "undetermined", "coverage": 1.0}, index=genes
    )
    return Evidence(blocks, {"protein": "protein", "rna": "rna"}, across)


@pytest.fixture(scope="module")
def graph():
    return read_starter_graph()


@pytest.fixture(scope="module")
def drivers(graph) -> pd.Index:
    """Genes with six to twelve neighbours; their neighbours change, they do not."""
    degree = graph.degree().sort_index()
    able = degree.index[(degree >= 6) & (degree <= 12)]
    return pd.Index(np.random.default_rng(5).choice(able, PLANTED, replace=False))


@pytest.fixture(scope="module")
def task(graph, drivers) -> TargetTask:
    genes = pd.Index(sorted(graph.genes))
    z = pd.Series(0.0, genes)
    for relation in graph.gene_relations():
        for one, other in (("source_id", "target_id"), ("target_id", "source_id")):
            z[relation.edges.loc[relation.edges[one].isin(drivers), other].unique()] = 5.0
    z[drivers] = 0.0
    evidence = make_evidence(genes, z.to_numpy())
    return build_task(graph, evidence, None, folds=3, seed=0, settings=SHORT)


def scrambled(task: TargetTask, chosen: np.ndarray) -> TargetTask:
    blocks = []
    for block in task.blocks:
        values = block.values.copy()
        if block.kind != "graph":
            values[chosen] = np.random.default_rng(9).normal(size=values[chosen].shape)
        blocks.append(replace(block, values=values))
    return replace(task, blocks=tuple(blocks))


def test_the_evidence_of_a_gene_never_enters_its_own_score(task):
    member = fit_member(task, Unit(1, 0), SHORT, 0)
    again = fit_member(scrambled(task, task.folds == 1), Unit(1, 0), SHORT, 0)
    assert np.array_equal(member.logits, again.logits)
    other = fit_member(scrambled(task, task.folds == 0), Unit(1, 0), SHORT, 0)
    assert not np.array_equal(member.logits, other.logits)


def test_no_label_is_read(task):
    labels = np.zeros(len(task.genes), np.int8)
    labels[::7] = 1
    member = fit_member(task, Unit(0, 0), SHORT, 0)
    again = fit_member(replace(task, labels=labels), Unit(0, 0), SHORT, 0)
    assert np.array_equal(member.logits, again.logits)


def test_genes_whose_surroundings_changed_come_first_though_they_did_not(task, drivers):
    settings = replace(SHORT, epochs=40, hidden=16)
    members = [fit_member(task, unit, settings, 0) for unit in member_units(settings)]
    rungs = ladder(task)
    assert tuple(rungs.columns) == UNLABELLED_LADDER
    ranking = rank_genes(task, members, rungs)
    assert ranking.metrics.empty
    median = ranking.table.loc[drivers, "rank"].median()
    by_statistic = rungs["differential statistic"].rank(ascending=False)[drivers].median()
    by_walk = rungs["random walk from the evidence"].rank(ascending=False)[drivers].median()
    assert median < 0.05 * len(task.genes)
    assert median < min(by_walk, by_statistic / 5)


def test_held_out_evidence_is_predicted_where_there_is_something_to_predict(task):
    settings = replace(SHORT, epochs=40, hidden=16)
    strength, seen = evidence_strength(task)
    chance = np.random.default_rng(0).permutation(len(strength))
    found = []
    for one in (task, replace(task, blocks=tuple(shuffle(b, chance) for b in task.blocks))):
        members = [fit_member(one, unit, settings, 0) for unit in member_units(settings)]
        own, _ = evidence_strength(one)
        found.append(np.corrcoef(predicted_evidence(one, members)[seen], own[seen])[0, 1])
    assert found[0] > 0.18
    assert abs(found[1]) < 0.12


def shuffle(block, order):
    return block if block.kind == "graph" else replace(block, values=block.values[order])


def test_the_score_is_explained_exactly_and_own_evidence_has_no_share(task):
    member = fit_member(task, Unit(1, 0), SHORT, 0)
    assert member.is_polynomial
    target = int(np.flatnonzero(task.folds == 1)[3])
    part = SharedPath(task, [member], steps=300).attribute(target)
    np.testing.assert_allclose(part.score, member.scores[target], atol=1e-4)
    spread = np.std(member.scores)
    assert part.completeness_error < 0.02 * spread
    assert all(not features[target].any() for features in part.features[:2])
    np.testing.assert_allclose(predict(task, member), member.scores, atol=1e-5)


def test_without_known_targets_only_this_objective_ranks(graph):
    genes = pd.Index(sorted(graph.genes))
    evidence = make_evidence(genes, np.zeros(len(genes)))
    with pytest.raises(LabelError, match=r"model.objective = 'none'"):
        build_task(graph, evidence, None, folds=3, seed=0)


def test_fewer_than_five_known_targets_are_refused_with_what_can_still_be_done(graph):
    genes = pd.Index(sorted(graph.genes))
    evidence = make_evidence(genes, np.zeros(len(genes)))
    rows = [(g, "disease", "hand", "", 1.0, "") for g in genes[::250]]
    known = KnownTargets(pd.DataFrame(rows, columns=list(LABEL_COLUMNS)))
    with pytest.raises(LabelError, match=r"4 known targets are left .* model.objective = 'none'"):
        build_task(graph, evidence, known, folds=3, seed=0)
    checked = build_task(graph, evidence, known, folds=3, seed=0, settings=SHORT)
    assert checked.labels.sum() == 4


def test_a_task_without_measurements_is_refused(task):
    bare = replace(task, blocks=task.blocks[-1:])
    with pytest.raises(TaskError, match="nothing was measured"):
        fit_member(bare, Unit(0, 0), SHORT, 0)
