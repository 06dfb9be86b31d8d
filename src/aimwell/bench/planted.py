"""Planted targets on the graph of BioGRID and Reactome, with known targets and without any.

The cohorts that are reported have the seeds 0 to 19. What was chosen, was chosen on seeds from 100
on: the objective without known targets, and the difficulty, by the rule of the demonstration: the
differential statistic alone leaves the targets at a median rank between the best 5 % and 20 %.
"""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from joblib import Parallel, delayed

from aimwell.bench.bars import Bar, bar
from aimwell.bench.demo import evidence_of
from aimwell.cohorts.evidence import Evidence
from aimwell.config import ModelSettings, read_config
from aimwell.errors import ConfigError
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.labels import KnownTargets
from aimwell.models.fitting import fit_member
from aimwell.models.ladder import ladder
from aimwell.models.member import member_units
from aimwell.models.ranking import NETWORK, rank_genes
from aimwell.models.task import build_task
from aimwell.pipeline.workers import one_thread
from aimwell.simulate import SimulationSettings, simulate_cohort

EXAMPLE: Final = Path(__file__).parents[3] / "examples" / "coad" / "coad.toml"
SEEDS: Final = range(20)
#: Of 16,647 genes 40 are planted, and half of them given; a target shows a tenth of its activity.
SETTINGS: Final = SimulationSettings(targets=40, own_share=0.1)
#: One network per fold: twenty cohorts are what is averaged here.
NETWORKS: Final = 1
DIFFERENTIAL: Final = "differential statistic"
WALK: Final = "random walk"
REGRESSIONS: Final = ("regression: evidence", "regression: evidence, degree, neighbour labels")
FROM_EVIDENCE: Final = "random walk from the evidence"


def measure(data: str) -> Iterator[Bar]:
    """Simulate, rank and count wins; ``data`` is the folder of the public databases."""
    if not data:
        raise ConfigError("planted targets need the folder of the public databases: --data DIR")
    graph = build_graph(read_config(EXAMPLE, data=data))
    yield from planted_bars(score_cohorts(graph, SEEDS))


def score_cohorts(graph: TargetGraph, seeds: Sequence[int]) -> pd.DataFrame:
    """Score cohorts in two processes; columns of ``score_cohort``."""
    jobs = min(2, os.cpu_count() or 1)
    found: list[pd.DataFrame] = Parallel(n_jobs=jobs)(
        delayed(score_cohort)(graph, seed) for seed in seeds
    )
    return pd.concat(found, ignore_index=True)


def score_cohort(graph: TargetGraph, seed: int) -> pd.DataFrame:
    """Rank one simulated cohort with known targets and without.

    Returns:
        One row per scorer: ``seed``, ``labels`` (whether known targets were given), ``scorer`` and
        ``best_share``: the median rank over the number of genes, of the held-back targets among
        the genes that were not given, or, without labels, of all planted ones among all genes.
    """
    cohort = simulate_cohort(graph, SETTINGS, seed=seed)
    with one_thread():
        evidence = evidence_of(cohort, seed)
        told = _scores(graph, evidence, cohort.given, seed).drop(index=cohort.given)
        blind = _scores(graph, evidence, None, seed)
    planted = cohort.truth.index[cohort.truth["planted"]]
    rows = []
    for labels, table, wanted in ((True, told, cohort.held_back), (False, blind, planted)):
        ranks = table.rank(ascending=False, method="average").loc[wanted].median() / len(table)
        rows += [
            {"seed": seed, "labels": labels, "scorer": str(name), "best_share": float(value)}
            for name, value in ranks.items()
        ]
    return pd.DataFrame(rows)


def planted_bars(found: pd.DataFrame) -> Iterator[Bar]:
    """Give medians over cohorts and how often the network is ahead."""
    for labels, rivals, wins in (
        (True, (DIFFERENTIAL, WALK, *REGRESSIONS), 1.0),
        (False, (DIFFERENTIAL, FROM_EVIDENCE), 0.9),
    ):
        what = "with known targets" if labels else "without known targets"
        part = found[found["labels"] == labels]
        wide = part.pivot_table(index="seed", columns="scorer", values="best_share")
        for name, value in wide.median().sort_values().items():
            limit = "0.05 to 0.2" if name == DIFFERENTIAL and labels else ""
            yield bar(
                f"planted, {what}: median rank, median over {len(wide)} cohorts, {name}",
                float(value),
                "share of genes",
                limit,
            )
        network = wide[NETWORK]
        for rival in (r for r in wide.columns if r != NETWORK):
            ahead = int((network < wide[rival]).sum())
            yield bar(f"planted, {what}: network ahead of {rival}", ahead, f"of {len(wide)}")
        ahead = int((network < wide[list(rivals)].min(axis=1)).sum())
        yield bar(
            f"planted, {what}: network ahead of {', '.join(rivals)} together",
            ahead,
            f"of {len(wide)}",
            f">= {round(wins * len(wide))}",
        )


def _scores(
    graph: TargetGraph, evidence: Evidence, given: "pd.Index | None", seed: int
) -> pd.DataFrame:
    model = ModelSettings(
        objective="none" if given is None else "positive_unlabelled", seeds=NETWORKS
    )
    known = None
    if given is not None:
        table = pd.DataFrame({"gene": given}).assign(
            disease="simulated", source="simulated", date="", strength=1.0, detail=""
        )
        known = KnownTargets(table)
    task = build_task(graph, evidence, known, folds=model.folds, seed=seed, settings=model)
    rungs = ladder(task)
    members = [fit_member(task, unit, model, seed) for unit in member_units(model)]
    return rungs.assign(**{NETWORK: rank_genes(task, members, rungs).table["score"]})
