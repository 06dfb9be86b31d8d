"""A target that stands on one family of known targets is told from one that stands on many."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from aimwell.cohorts.evidence import BLOCK_COLUMNS, VALUE_COLUMNS, Evidence
from aimwell.config import ModelSettings
from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.channels import label_channels
from aimwell.models.fitting import fit_member
from aimwell.models.hidden_families import known_families, scores_without
from aimwell.models.member import Member, member_units
from aimwell.models.ranking import rank_genes
from aimwell.models.task import TargetTask, build_task
from aimwell.models.training import load_network
from aimwell.models.wiring import connected_parts
from aimwell.trust.families import family_checks, family_table, hide_families, without_each_family
from aimwell.trust.stability import ranks_of
from aimwell.trust.variants import out_of_fold

FAMILIES, RELATIVES, OTHERS = 9, 4, 500
ONE, MANY, ALONE = "HGNC:9001", "HGNC:9002", "HGNC:9003"
SHORT = ModelSettings(folds=3, seeds=2, epochs=40, hidden=8)


def evidence_of(genes: pd.Index) -> Evidence:
    """Noise: only the company that genes keep tells them apart."""
    block = pd.DataFrame(0.0, genes, list(VALUE_COLUMNS))
    block["z"] = block["effect"] = np.random.default_rng(0).normal(size=len(genes))
    block = block.assign(abundance_percentile=0.5, detection_rate=1.0, n_observed=4, observed=True)
    across = pd.DataFrame(
        {"discordance": np.nan, "discordance_class": "undetermined", "coverage": 1.0}, index=genes
    )
    return Evidence({"rna": block[list(BLOCK_COLUMNS)]}, {"rna": "rna"}, across)


def known_targets(genes: pd.Index) -> KnownTargets:
    table = pd.DataFrame({"gene": genes})
    return KnownTargets(table.assign(disease="d", source="s", date="", strength=1.0, detail=""))


@pytest.fixture(scope="module")
def planted() -> TargetTask:
    """Known targets bind known targets of other families; one gene binds relatives only."""
    rng = np.random.default_rng(1)
    targets = [[f"HGNC:{100 * f + i}" for i in range(RELATIVES)] for f in range(1, FAMILIES + 1)]
    given = [gene for family in targets for gene in family]
    others = [f"HGNC:{5000 + i}" for i in range(OTHERS)]
    pairs = set()
    for number, family in enumerate(targets):
        for i, gene in enumerate(family):
            pairs |= {(gene, targets[(number + step) % FAMILIES][i]) for step in (1, 2)}
    for gene in [*others, *given, ONE, MANY]:
        pairs |= {(gene, other) for other in rng.choice(others, 4) if other != gene}
    pairs |= {(ONE, relative) for relative in targets[0]}
    pairs |= {(MANY, targets[f][0]) for f in range(3, FAMILIES)}
    pairs.add((ALONE, "HGNC:9004"))
    rows = sorted({tuple(sorted(pair)) for pair in pairs})
    edges = pd.DataFrame(rows, columns=["source_id", "target_id"])
    edges = edges.assign(weight=1.0, evidence="hand", literature=False, clinical=False)
    genes = sorted({*edges["source_id"], *edges["target_id"]})
    nodes = pd.DataFrame(dict.fromkeys(GENE_COLUMNS, genes), pd.Index(genes, name="hgnc_id"))
    for number, family in enumerate(targets):
        nodes.loc[family, "family"] = f"family {number}"
    relation = Relation("interacts", "gene", "gene", edges, directed=False)
    graph = TargetGraph({"gene": nodes}, {"interacts": relation})
    known = known_targets(pd.Index(given))
    return build_task(graph, evidence_of(pd.Index(genes)), known, folds=3, seed=0, settings=SHORT)


def fitted(task: TargetTask, settings: ModelSettings = SHORT) -> list[Member]:
    return [fit_member(task, unit, settings, 0) for unit in member_units(settings)]


@pytest.fixture(scope="module")
def members(planted: TargetTask) -> list[Member]:
    return fitted(planted)


def test_a_gene_that_binds_one_family_falls_and_one_that_binds_several_does_not(
    planted: TargetTask, members: list[Member]
) -> None:
    genes, families = hide_families(planted, members)
    first = rank_genes(planted, members, pd.DataFrame(index=planted.genes)).table["rank"]
    tenth = 0.1 * len(genes)
    assert first[ONE] <= tenth
    assert first[MANY] <= tenth
    assert genes.loc[ONE, "decisive_family"] == "family 0"
    assert genes.loc[ONE, "rank_without_family"] > 2 * tenth
    assert genes.loc[MANY, "rank_without_family"] <= tenth
    assert set(families["family"]) == {f"family {i}" for i in range(FAMILIES)}
    assert set(families["known_targets"]) == {RELATIVES}


def test_the_checks_name_who_falls_and_what_it_stood_on(
    planted: TargetTask, members: list[Member]
) -> None:
    ranking = rank_genes(planted, members, pd.DataFrame(index=planted.genes))
    stands, overlap = family_checks(ranking, *hide_families(planted, members))
    assert f"{ONE} (" in stands.meaning
    assert "without family 0" in stands.meaning
    assert MANY not in stands.meaning
    assert stands.value is not None
    assert stands.value > 0
    assert overlap.interval is not None
    assert overlap.interval[0] <= overlap.value <= overlap.interval[1]


def test_hiding_nothing_changes_nothing(planted: TargetTask, members: list[Member]) -> None:
    nobody = np.zeros(len(planted.genes), bool)
    scores = out_of_fold(planted, members)
    hidden = scores_without(planted, members, {"nobody": nobody})
    np.testing.assert_allclose(hidden["nobody"], scores, atol=1e-5)
    for families in ({}, hidden):
        found = without_each_family(planted.genes, scores, families)
        assert np.array_equal(found["rank_without_family"], ranks_of(scores))
        assert (found["decisive_family"] == "").all()
        assert np.array_equal(found["score_without_family"], scores)


def test_a_gene_that_no_path_leads_to_keeps_its_score(
    planted: TargetTask, members: list[Member]
) -> None:
    part = connected_parts(planted.wiring)
    apart = ~np.isin(part, part[planted.labels == 1])
    assert ALONE in planted.genes[apart]
    scores = out_of_fold(planted, members)
    for hidden in scores_without(planted, members, known_families(planted)).values():
        np.testing.assert_allclose(hidden[apart], scores[apart], atol=1e-5)
        assert np.abs(hidden - scores).max() > 0.1
    found, _ = hide_families(planted, members)
    assert (found.loc[planted.genes[apart], "decisive_family"] == "").all()


def test_the_order_of_families_and_members_does_not_matter(
    planted: TargetTask, members: list[Member]
) -> None:
    known, scores = known_families(planted), out_of_fold(planted, members)
    hidden = scores_without(planted, members, known)
    turned = scores_without(planted, members[::-1], dict(reversed(known.items())))
    tables = [without_each_family(planted.genes, scores, h) for h in (hidden, turned)]
    pd.testing.assert_frame_equal(*tables, rtol=1e-9)
    backwards = dict(reversed(hidden.items()))
    pd.testing.assert_frame_equal(
        family_table(scores, hidden, known), family_table(scores, backwards, known)
    )


def test_the_networks_of_its_own_fold_never_saw_a_family(
    planted: TargetTask, members: list[Member]
) -> None:
    known, scores = known_families(planted), out_of_fold(planted, members)
    for name, hidden in scores_without(planted, members, known).items():
        mine = planted.folds == planted.folds[known[name]][0]
        np.testing.assert_allclose(hidden[mine], scores[mine], atol=1e-12)
        assert not np.allclose(hidden[~mine], scores[~mine], atol=1e-2)


@pytest.mark.parametrize(
    "changes",
    [{}, {"layers": 3}, {"convolution": "attention"}, {"fusion": "late"}],
    ids=["plain", "three layers", "attention", "late"],
)
@pytest.mark.parametrize("given", [False, True], ids=["unlabelled", "negatives"])
def test_hidden_families_are_predicted_as_by_the_whole_network(
    changes: dict[str, object], given: bool
) -> None:
    graph = read_starter_graph()
    genes = pd.Index(sorted(graph.genes))
    settings = replace(SHORT, seeds=1, epochs=2, **changes)
    if given:
        settings = replace(settings, objective="supervised")
    task = build_task(
        graph,
        evidence_of(genes),
        known_targets(genes[::20]),
        folds=3,
        seed=0,
        settings=settings,
        negatives=genes[1::20] if given else None,
    )
    members = fitted(task, settings)
    known = known_families(task)
    name = max(known, key=lambda n: int(known[n].sum()))
    found = scores_without(task, members, {name: known[name]})[name]
    for member in members:
        mine = task.folds == member.unit.fold
        channels = label_channels(task, task.folds != member.unit.fold)
        channels[np.flatnonzero(known[name])] = 0
        inputs = [*(torch.from_numpy(b.values) for b in task.blocks), channels]
        operators = task.wiring.operators
        network = load_network(task, member)
        logits = network(inputs, [o.weight for o in operators], operators).detach().numpy()
        expected = ((logits - member.centre) / member.scale)[mine]
        np.testing.assert_allclose(found[mine], expected, atol=2e-4)


def test_families_are_what_the_folds_keep_together(planted: TargetTask) -> None:
    assert set(known_families(planted)) == {f"family {i}" for i in range(FAMILIES)}
    assert planted.dealt is not None
    joined = planted.dealt.table["group"].replace("family 1", "family 0")
    dealt = replace(
        planted.dealt, table=planted.dealt.table.assign(group=joined, fold=0), reported=(0,)
    )
    known = known_families(replace(planted, dealt=dealt))
    assert len(known) == FAMILIES - 1
    assert known["family 0"].sum() == 2 * RELATIVES
    assert known_families(replace(planted, objective="none")) == {}


def test_the_worst_place_is_taken_over_families_without_which_the_score_falls() -> None:
    genes = pd.Index(["a", "b", "c", "d"])
    scores = np.array([4.0, 3.0, 2.0, 1.0])
    hidden = {
        "x": np.array([2.5, 3.0, 2.0, 1.0]),  # a falls to 2
        "y": np.array([0.0, 3.0, 2.0, 1.0]),  # a falls to 4
        "z": np.array([4.0, 3.0, 2.0, 5.0]),  # d rises: no loss of anybody
    }
    found = without_each_family(genes, scores, hidden)
    assert found.loc["a"].tolist() == [4, 0.0, "y"]
    assert found.loc["b":"d", "decisive_family"].tolist() == ["", "", ""]
    assert found["rank_without_family"].tolist() == [4, 2, 3, 4]
