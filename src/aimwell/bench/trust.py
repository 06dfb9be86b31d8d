"""Bars of trust where the truth is simulated: noise must not look like a robust target.

Fifty cohorts each with known targets that were permuted, and with samples whose conditions were:
in the first, who is a known target means nothing; in the second, who has the condition does. A run
is one that calls a target robust if its p-values, its ranking as a whole and its ranks do.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from aimwell.bench.bars import Bar, BenchOptions, bar
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.harmonise import harmonise
from aimwell.config import AuditSettings, ContrastSettings, ModelSettings
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.workers import in_processes, one_thread
from aimwell.simulate import SimulationSettings, simulate_cohort
from aimwell.trust.audit import null_checks, null_columns, stability_checks
from aimwell.trust.resampling import permute_samples
from aimwell.trust.tiers import ROBUST, Quality, assign_tiers
from aimwell.trust.variants import (
    AGAIN,
    EDGES,
    LABELS,
    SAMPLES,
    Scored,
    Variant,
    World,
    build_variant,
    permute_known,
    score_variant,
)

COHORTS: Final = 50
#: Cohorts in which targets were planted and nothing was permuted, to see what can be found.
PLANTED: Final = 10
FIRST_SEED: Final = 500
#: Small and short, since a cohort is fitted some sixty times; what is held against its limit, the
#: rank of a run among its draws, is uniform under the null whatever the networks are.
MODEL: Final = ModelSettings(folds=3, seeds=1, epochs=20, hidden=8)
DRAWS: Final = 19
AUDIT: Final = AuditSettings(rewires=10, label_permutations=DRAWS, sample_permutations=DRAWS)
COHORT: Final = SimulationSettings(subjects=10, targets=40)
CONTRASTS: Final = tuple(
    ContrastSettings(name, name, "condition", case="case", control="control", subject="subject")
    for name in ("rna", "protein")
)
RUN: Final = Variant("the run itself")


def measure(data: str, options: BenchOptions | None = None) -> Iterator[Bar]:
    """Count runs on noise that call a target robust, and test that p-values are uniform.

    Args:
        data: Not read.
        options: ``folds`` gives other numbers of cohorts: permuted, planted.
    """
    del data
    asked = options.folds if options else ()
    many, planted = (*asked, *(COHORTS, PLANTED)[len(asked) :])[:2]
    for null in (LABELS, SAMPLES):
        calls = [(null, FIRST_SEED + i) for i in range(many)]
        rows = pd.DataFrame(in_processes(one_cohort, calls, 2))
        yield from _null_bars(null, rows)
    rows = pd.DataFrame(
        in_processes(one_cohort, [("", FIRST_SEED + 100 + i) for i in range(planted)], 2)
    )
    what = f"trust: {planted} cohorts with planted targets"
    yield bar(f"{what}: with a robust target", float((rows["robust"] > 0).mean()))
    found = float(rows["true"].sum() / max(rows["robust"].sum(), 1))
    yield bar(f"{what}: robust targets that are planted", found)
    yield bar(f"{what}: planted targets among all genes", float(rows["share"].mean()))
    for name in ("edges", "labels", "samples"):
        yield bar(f"{what}: median p of planted targets against {name}", rows[f"p_{name}"].median())


def one_cohort(null: str, seed: int) -> dict[str, float]:
    """Simulate, permute and audit one cohort.

    Args:
        null: What is permuted before the run: known targets, samples, or nothing.
        seed: Of the cohort.

    Returns:
        ``robust`` targets; ``p``, that of one gene at random, and ``p_ranking`` against the null;
        of cohorts with nothing permuted also what was found of the planted ones.
    """
    with one_thread():
        graph = read_starter_graph()
        rng = np.random.default_rng([seed, 1])
        world, truth = _world(graph, seed, null, rng)
        base = score_variant(world, RUN, MODEL, AUDIT)
        drawn: dict[Variant, Scored] = {}
        task = build_variant(world, RUN, AUDIT)
        for kind in [null] if null else [LABELS, SAMPLES, EDGES]:
            drawn |= _draw(world, kind)
        _, audited = null_checks(task, base.scores, drawn, {})
        if null:
            name = "labels" if null == LABELS else "samples"
            gene = int(rng.integers(len(task.genes)))
            facts = {
                "p": float(audited.p[name].iloc[gene]),
                "p_ranking": audited.ranking_p[null],
                "robust": 0.0,
            }
            if audited.ranking_p[null] > 0.05:
                return facts  # no target can be robust, whatever the other nulls say
            for kind in (k for k in (LABELS, SAMPLES, EDGES) if k != null):
                drawn |= _draw(world, kind)
            _, audited = null_checks(task, base.scores, drawn, {})
        drawn[Variant(AGAIN)] = score_variant(world, Variant(AGAIN), MODEL, AUDIT)
        rows = np.array([base.scores, base.scores])
        coverage = np.ones(len(task.genes))
        _, ranks = stability_checks(task, base.scores, rows, drawn, coverage, AUDIT)
        table = ranks.join(null_columns(audited))
        evidence = world.evidence.with_genes(graph.genes)
        tiers = assign_tiers(table, evidence, Quality(), audited=audited)
        robust = tiers.index[tiers["tier"] == ROBUST]
        if null:
            return {**facts, "robust": float(len(robust))}
        planted = truth.index[truth["planted"]]
        return {
            "robust": float(len(robust)),
            "true": float(robust.isin(planted).sum()),
            "share": len(planted) / len(truth),
            **{
                f"p_{n}": float(audited.p[str(n)].reindex(planted).median())
                for n in audited.p.columns
            },
        }


def _null_bars(null: str, rows: pd.DataFrame) -> Iterator[Bar]:
    what = f"trust: {len(rows)} cohorts, {null}"
    share = float((rows["robust"] > 0).mean())
    yield bar(f"{what}: runs that call a target robust", share, "", "<= 0.05")
    uniform = float(stats.kstest(rows["p"], "uniform").pvalue)
    yield bar(f"{what}: KS p of the p-values of one gene each", uniform, "", "> 0.05")
    # ranks among 20 are uniform on twentieths: spread each over its step
    spread = rows["p_ranking"] - np.random.default_rng(0).random(len(rows)) / (DRAWS + 1)
    uniform = float(stats.kstest(spread, "uniform").pvalue)
    yield bar(f"{what}: KS p of the p-values of the rankings", uniform, "", "> 0.05")
    below = float((rows["p_ranking"] <= 0.05).mean())
    yield bar(f"{what}: rankings with p <= 0.05", below)


def _draw(world: World, kind: str) -> dict[Variant, Scored]:
    number = AUDIT.rewires if kind == EDGES else DRAWS
    found = {}
    for i in range(number):
        variant = Variant(kind, i)
        found[variant] = score_variant(world, variant, MODEL, AUDIT)
    return found


def _world(
    graph: TargetGraph, seed: int, null: str, rng: np.random.Generator
) -> tuple[World, pd.DataFrame]:
    made = simulate_cohort(graph, COHORT, seed=seed)
    layers = {
        "rna": Layer("rna", "rna", "counts", made.rna.sort_index(axis=1)),
        "protein": Layer("protein", "protein", "log2_ratio", made.protein.sort_index(axis=1)),
    }
    cohort = Cohort(layers, made.samples)
    if null == SAMPLES:
        cohort = permute_samples(cohort, CONTRASTS, rng)
    known = KnownTargets(
        pd.DataFrame({"gene": made.given}).assign(
            disease="simulated", source="simulated", date="", strength=1.0, detail=""
        )
    )
    if null == LABELS:
        known, _ = permute_known(graph, known, None, rng)
    evidence, _ = harmonise(cohort, CONTRASTS)
    world = World(graph, evidence, known, None, MODEL.folds, seed, cohort, None, CONTRASTS)
    return world, made.truth
