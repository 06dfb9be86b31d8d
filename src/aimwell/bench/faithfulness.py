"""Bars of faithfulness: planted cascades are found, and real scores follow their explanations.

The simulated cohorts have the seeds 200 to 219; nothing was tuned on them.
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import spearmanr, wilcoxon

from aimwell.bench.bars import Bar, bar
from aimwell.bench.colon import Colon, fit_colon
from aimwell.bench.planted_edges import planted_edges
from aimwell.config import ExplainSettings
from aimwell.errors import ConfigError
from aimwell.explain.attribution import SharedPath
from aimwell.explain.explanation import KINDS, VERIFIED
from aimwell.explain.faithfulness import randomised
from aimwell.explain.reach import Reaches
from aimwell.explain.tables import TOP, Tables, overlap, strongest
from aimwell.explain.targets import explain_targets
from aimwell.pipeline.workers import one_thread

SEEDS: Final = range(200, 220)
BEST: Final = 100
OTHER_SEED: Final = 77
RANDOMISED: Final = 20


def measure(data: str) -> Iterator[Bar]:
    """Measure planted cascades and the best 100 targets of the colon cohort.

    Raises:
        ConfigError: Without the folder of the public files.
    """
    if not data:
        raise ConfigError("the colon cohort needs the folder of its public files: --data DIR")
    with one_thread():
        yield from planted_bars(pd.concat([planted_edges(seed) for seed in SEEDS]))
        with tempfile.TemporaryDirectory() as folder:
            first = fit_colon(data, Path(folder))
            second = fit_colon(data, Path(folder), seed=OTHER_SEED)
        yield from colon_bars(first, second)


def planted_bars(found: pd.DataFrame) -> Iterator[Bar]:
    """Hold the table of ``planted_edges`` against its bars."""
    means = found.groupby(["seed", "scorer"])[["auroc", "precision"]].mean().reset_index()
    name = f"planted: {means['seed'].nunique()} cohorts, edges of the cascade of held-back targets"
    limits = {"auroc": ">= 0.9", "precision": ">= 0.6"}
    for metric, limit in limits.items():
        wide = means.pivot_table(index="seed", columns="scorer", values=metric)
        for scorer in sorted(wide.columns, key=lambda s: s != "attribution"):
            value = float(wide[scorer].mean())
            yield bar(
                f"{name}, mean {metric}, {scorer}",
                value,
                "",
                limit if scorer == "attribution" else "",
            )
        others = wide.drop(columns="attribution")
        for scorer in others.columns:
            wins = int((wide["attribution"] > wide[scorer]).sum())
            yield bar(
                f"{name}, {metric}, better than {scorer}",
                wins,
                f"of {len(wide)}",
                f">= {len(wide)}",
            )


def colon_bars(first: Colon, second: Colon) -> Iterator[Bar]:
    """Test the explanations of the best targets, and compare two independent ensembles."""
    genes = first.best(BEST)
    found = explain_targets(
        first.task, first.members, first.evidence, genes, ExplainSettings(top=BEST)
    )
    tested = [e.faithfulness for e in found if e.faithfulness and e.faithfulness.deletion]
    yield bar("colon: targets of the best 100 that could be tested", len(tested), "of 100")
    for curve, sign in (("deletion", -1), ("insertion", 1)):
        area = pd.DataFrame(
            [{k: sign * np.mean(getattr(f, curve)[k][1:]) for k in KINDS} for f in tested]
        )
        for kind in KINDS[1:]:
            lead = (area["this"] - area[kind]).to_numpy()
            better = float((lead > 0).mean())
            yield bar(f"colon: {curve} better than {kind}", better, "of targets", ">= 0.9")
            p = float(wilcoxon(lead, alternative="greater").pvalue)
            yield bar(f"colon: {curve} better than {kind}, paired p", p, "", "< 0.01")
    verified = float(np.mean([f.badge == VERIFIED for f in tested]))
    yield bar("colon: badge 'verified'", verified, "of tested targets")
    yield from _agreement(first, second, genes)


def _agreement(first: Colon, second: Colon, genes: pd.Index) -> Iterator[Bar]:
    task = first.task
    tables, reaches = Tables(task), Reaches(task.wiring)
    steps = ExplainSettings().steps
    shared: list[float] = []
    broken: list[float] = []
    rng = np.random.default_rng(0)
    positions = task.positions(genes)
    for fold in np.unique(task.folds[positions]):
        mine = [[m for m in c.members if m.unit.fold == fold] for c in (first, second)]
        # every other draw of the same numbers: nothing that was learned is left
        mine.append([randomised(m, rng) for m in mine[0]])
        paths = [SharedPath(task, m, steps=steps, reaches=reaches) for m in mine]
        for place in positions[task.folds[positions] == fold]:
            parts = [tables.edge_values(p.attribute(int(place))) for p in paths]
            tops = [rows[strongest(values, TOP)] for rows, values in parts[:2]]
            shared.append(overlap(*tops))
            if len(broken) < RANDOMISED:
                series = [pd.Series(values, rows) for rows, values in parts]
                joined = pd.concat([series[0], series[2]], axis=1).fillna(0)
                if len(joined) > 2:
                    broken.append(abs(float(spearmanr(joined[0], joined[1]).statistic)))
    yield bar(
        "colon: top 20 edges, independent ensembles, mean Jaccard over the best 100",
        float(np.mean(shared)),
        "",
        ">= 0.6",
    )
    yield bar(
        f"colon: randomised weights, mean |rank correlation| of edges, {len(broken)} targets",
        float(np.mean(broken)),
        "",
        "<= 0.2",
    )
