"""A planted leak of every kind is found, with its name; a clean task is not accused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.evidence import BLOCK_COLUMNS, Evidence
from aimwell.config import ModelSettings
from aimwell.errors import LabelError
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.channels import known_channel
from aimwell.models.fitting import fit_member
from aimwell.models.folds import family_folds
from aimwell.models.member import Member, Unit
from aimwell.models.task import Block, TargetTask, standardise
from aimwell.models.training import load_network
from aimwell.models.wiring import build_wiring
from aimwell.trust.check import Check
from aimwell.trust.leakage import check_leakage, feature_areas, label_features

SHORT = ModelSettings(folds=3, seeds=1, epochs=3, hidden=8)


@pytest.fixture(scope="module")
def graph() -> TargetGraph:
    return read_starter_graph()


@pytest.fixture(scope="module")
def task(graph: TargetGraph) -> TargetTask:
    """Noise as evidence and thirty known targets at random."""
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    rng = np.random.default_rng(3)
    labels = np.zeros(len(genes), np.int8)
    labels[rng.choice(len(genes), 30, replace=False)] = 1
    families = graph.nodes["gene"]["family"].reindex(genes)
    degree = np.log1p(graph.degree().to_numpy(np.float32))[:, None]
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=(
            Block("rna", "rna", ("a", "b"), standardise(rng.normal(size=(len(genes), 2)))),
            Block("graph", "graph", ("log_degree",), standardise(degree)),
        ),
        wiring=build_wiring(graph, genes),
        labels=labels,
        withheld=np.zeros(len(genes), bool),
        folds=family_folds(families, genes[labels == 1], 3, 0),
        families=families,
    )


@pytest.fixture(scope="module")
def members(task: TargetTask) -> list[Member]:
    return [fit_member(task, Unit(f, 0), SHORT, 0) for f in range(3)]


def evidence_of(task: TargetTask, observed: np.ndarray) -> Evidence:
    block = pd.DataFrame(np.nan, task.genes, list(BLOCK_COLUMNS))
    block["observed"] = observed
    across = pd.DataFrame({"coverage": observed.astype(float)}, task.genes)
    return Evidence({"rna": block}, {"rna": "rna"}, across)


def found(checks: list[Check]) -> dict[str, Check]:
    return {c.name: c for c in checks}


def checks_of(
    task: TargetTask, graph: TargetGraph, members: list[Member], observed: np.ndarray | None = None
) -> dict[str, Check]:
    seen = np.random.default_rng(0).random(len(task.genes)) < 0.8
    measured = evidence_of(task, seen if observed is None else observed)
    return found(check_leakage(task, graph, measured, members))


def test_a_clean_run_is_not_accused(
    task: TargetTask, graph: TargetGraph, members: list[Member]
) -> None:
    assert [c.name for c in checks_of(task, graph, members).values() if c.passed is False] == []
    assert label_features(task) == ""


def test_a_feature_that_equals_the_label_is_named_and_refused(
    task: TargetTask, graph: TargetGraph, members: list[Member]
) -> None:
    secret = Block("notes", "features", ("known_drug",), standardise(task.labels[:, None] * 1.0))
    leaky = replace(task, blocks=(task.blocks[0], secret, task.blocks[1]))
    assert feature_areas(leaky)[0] == ("notes: known_drug", 1.0)
    with pytest.raises(LabelError, match="'notes: known_drug' equals the label"):
        label_features(leaky)
    assert "'notes: known_drug' equals the label" in label_features(leaky, allow=True)
    fitted = [fit_member(leaky, Unit(0, 0), SHORT, 0)]
    check = checks_of(leaky, graph, fitted)["label_and_features"]
    assert check.passed is False
    assert "'notes: known_drug', which equals the label" in check.meaning


def test_a_feature_that_nearly_knows_the_label_is_found(
    task: TargetTask, graph: TargetGraph, members: list[Member]
) -> None:
    rng = np.random.default_rng(1)
    hint = task.labels * 3.0 + rng.normal(0, 0.7, len(task.labels))
    leaky = replace(
        task,
        blocks=(
            *task.blocks[:-1],
            Block("x", "features", ("hint",), standardise(hint[:, None])),
            task.blocks[-1],
        ),
    )
    assert label_features(leaky) == ""
    check = checks_of(leaky, graph, [fit_member(leaky, Unit(0, 0), SHORT, 0)])
    assert check["label_and_features"].passed is False
    assert "'x: hint', which knows the label" in check["label_and_features"].meaning


def test_gaps_that_know_the_label_are_found(
    task: TargetTask, graph: TargetGraph, members: list[Member]
) -> None:
    rng = np.random.default_rng(2)
    seen = (task.labels == 1) | (rng.random(len(task.genes)) < 0.3)
    check = checks_of(task, graph, members, seen)["label_and_missingness"]
    assert check.passed is False
    assert "'rna', whose gaps know the label" in check.meaning


def test_a_set_and_a_database_that_list_the_known_targets_are_found(
    task: TargetTask, graph: TargetGraph, members: list[Member]
) -> None:
    known = task.genes[task.labels == 1]
    relation = graph.relations["member_of"]
    pathway = str(graph.nodes["pathway"].index[0])
    rows = pd.DataFrame({"source_id": known[:25], "target_id": pathway}).assign(
        weight=1.0, evidence="my list", literature=False, clinical=False
    )
    edges = relation.edges[relation.edges["target_id"] != pathway]
    planted = replace(
        graph,
        relations={
            **graph.relations,
            "member_of": replace(relation, edges=pd.concat([edges, rows], ignore_index=True)),
        },
    )
    checks = checks_of(task, planted, members)
    title = graph.nodes["pathway"].loc[pathway, "name"]
    assert checks["label_and_edges"].passed is False
    assert f"'{title}' in 'member_of', which is the list" in checks["label_and_edges"].meaning
    assert checks["label_and_databases"].passed is False
    assert "'my list' in 'member_of'" in checks["label_and_databases"].meaning


def test_a_network_that_was_shown_the_labels_of_its_fold_is_found(
    task: TargetTask, graph: TargetGraph, members: list[Member]
) -> None:
    import torch

    first = members[0]
    features = [torch.from_numpy(b.values) for b in task.blocks]
    operators = task.wiring.operators
    with torch.no_grad():
        every = known_channel(task.labels, task.labels.astype(bool))
        logits = load_network(task, first)(
            [*features, every], [o.weight for o in operators], operators
        ).numpy()
    spoilt = [replace(first, logits=logits), *members[1:]]
    check = checks_of(task, graph, spoilt)["own_label"]
    assert check.passed is False
    assert "a gene sees its own label (fold 0)" in check.meaning
    assert checks_of(task, graph, members)["own_label"].value < 1e-4


def test_copied_known_targets_in_two_folds_are_found(
    task: TargetTask, graph: TargetGraph, members: list[Member]
) -> None:
    known = np.flatnonzero(task.labels == 1)
    one = known[task.folds[known] == 0][0]
    other = known[task.folds[known] == 1][0]
    values = task.blocks[0].values.copy()
    values[other] = values[one]
    copied = replace(task, blocks=(replace(task.blocks[0], values=values), task.blocks[1]))
    check = checks_of(copied, graph, members)["copied_rows"]
    assert check.passed is False
    assert str(task.genes[one]) in check.meaning


def test_edges_that_are_younger_than_the_label_are_counted(
    task: TargetTask, graph: TargetGraph, members: list[Member]
) -> None:
    known = task.genes[task.labels == 1]
    dated = {
        name: replace(r, edges=r.edges.assign(date="2019-05"))
        for name, r in graph.relations.items()
    }
    measured = evidence_of(task, np.ones(len(task.genes), bool))
    late, early = (
        found(
            check_leakage(
                task, replace(graph, relations=dated), measured, members, pd.Series(year, known)
            )
        )["edges_after_labels"].value
        for year in ("2010", "2020-01-01")
    )
    assert (late, early) == (1.0, 0.0)
