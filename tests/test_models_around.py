"""The strength of change around a gene, and what it does where known targets are few."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.evidence import BLOCK_COLUMNS, VALUE_COLUMNS, Evidence
from aimwell.config import ModelSettings
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models import training
from aimwell.models.around import strength_around
from aimwell.models.fitting import fit_member
from aimwell.models.member import Unit
from aimwell.models.task import TargetTask, build_task
from aimwell.models.training import FEW_TARGETS

SHORT = ModelSettings(folds=3, seeds=1)


def make_task(z: "pd.Series[float]", known: pd.Index) -> TargetTask:
    graph = read_starter_graph()
    genes = pd.Index(sorted(graph.genes))
    block = pd.DataFrame(0.0, genes, list(VALUE_COLUMNS))
    block["z"] = block["effect"] = z.reindex(genes, fill_value=0.0)
    block = block.assign(abundance_percentile=0.5, detection_rate=1.0, n_observed=4, observed=True)
    across = pd.DataFrame(
        {"discordance": np.nan, "discordance_class": "undetermined", "coverage": 1.0}, index=genes
    )
    evidence = Evidence({"rna": block[list(BLOCK_COLUMNS)]}, {"rna": "rna"}, across)
    table = pd.DataFrame({"gene": known}).assign(
        disease="d", source="s", date="", strength=1.0, detail=""
    )
    return build_task(graph, evidence, KnownTargets(table), folds=3, seed=0)


@pytest.fixture(scope="module")
def genes() -> pd.Index:
    return pd.Index(sorted(read_starter_graph().genes))


def test_strength_around_is_large_where_the_neighbours_changed_and_blind_to_the_gene(genes):
    graph = read_starter_graph()
    degree = graph.degree().reindex(genes)
    centre = degree.index[(degree >= 5) & (degree <= 8)][0]
    near = set()
    for relation in graph.gene_relations():
        edges = relation.edges
        near |= set(edges.loc[edges["source_id"] == centre, "target_id"])
        near |= set(edges.loc[edges["target_id"] == centre, "source_id"])
    known = genes[::120]
    z = pd.Series(np.random.default_rng(1).normal(0, 1, len(genes)), genes)
    z[sorted(near)], z[centre] = 5.0, 0.0
    quiet = strength_around(make_task(z, known)).numpy()
    place = genes.get_loc(centre)
    assert (quiet > quiet[place]).sum() < 0.05 * len(genes)
    # its own change moves only the scale that all genes share
    z[centre] = 5.0
    loud = strength_around(make_task(z, known)).numpy()
    assert loud[place] == pytest.approx(quiet[place], rel=0.1)
    assert abs(quiet.mean()) < 1e-5
    assert quiet.std() == pytest.approx(1, abs=1e-4)


def test_without_edges_between_genes_nothing_is_around(genes):
    task = make_task(pd.Series(1.0, genes[:50]), genes[::120])
    direct = task.wiring.direct
    bare = replace(direct, shape=(0, direct.shape[1]))
    assert strength_around(replace(task, wiring=replace(task.wiring, direct=bare))) is None


def test_few_targets_lean_on_what_is_around_and_many_do_not(genes, monkeypatch):
    z = pd.Series(np.random.default_rng(0).normal(0, 2, len(genes)), genes)
    few, many = genes[::120], genes[::8]
    assert len(few) < FEW_TARGETS < len(many)

    def agreement(known: pd.Index) -> float:
        task = make_task(z, known)
        scores = fit_member(task, Unit(0, 0), SHORT, 0).scores
        return float(np.corrcoef(scores, strength_around(task).numpy())[0, 1])

    with_it, many_with_it = agreement(few), agreement(many)
    monkeypatch.setattr(training, "AROUND", 0.0)
    assert with_it > agreement(few) + 0.2
    assert agreement(many) == many_with_it
