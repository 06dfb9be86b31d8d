"""Bars of faithfulness: planted cascades are found, and real scores follow their explanations.

The simulated cohorts have the seeds 200 to 219; nothing was tuned on them.
"""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import spearmanr, wilcoxon

from aimwell.bench.bars import Bar, bar
from aimwell.bench.colon import Colon, fit_colon
from aimwell.bench.planted_edges import planted_edges
from aimwell.bench.steiner import drawn_cases, real_cases, steiner_bars
from aimwell.config import ExplainSettings, ModelSettings
from aimwell.errors import ConfigError
from aimwell.explain.attribution import Attribution, SharedPath
from aimwell.explain.explanation import KINDS, VERIFIED
from aimwell.explain.faithfulness import randomised
from aimwell.explain.reach import Reaches
from aimwell.explain.tables import TOP, Tables, overlap, strongest
from aimwell.explain.targets import TargetExplainer, explain_targets
from aimwell.knowledge.labels import KnownTargets
from aimwell.models.fitting import fit_member
from aimwell.models.member import Unit
from aimwell.models.task import TargetTask
from aimwell.pipeline.workers import one_thread
from aimwell.trust.variants import permute_known

SEEDS: Final = range(200, 220)
BEST: Final = 100
OTHER_SEED: Final = 77
#: Targets whose explanations must collapse, and networks of a fold that learn permuted labels.
BROKEN: Final = 20
MISTAUGHT: Final = 2
#: Both ways to read an attribution, and what is read in the same way.
RIVALS: Final = {
    "attribution": ("attention", "pagerank", "degree"),
    "attribution read upstream": ("attention read upstream", "pagerank downstream", "degree"),
}
AGAIN: Final = "independent ensemble"
#: Targets whose subgraphs are held against the best there is.
EXACT: Final = 30


def measure(data: str) -> Iterator[Bar]:
    """Measure planted cascades and the best 100 targets of the colon cohort.

    Raises:
        ConfigError: Without the folder of the public files.
    """
    if not data:
        raise ConfigError("the colon cohort needs the folder of its public files: --data DIR")
    with one_thread():
        yield from steiner_bars("drawn cases", drawn_cases())
        yield from planted_bars(pd.concat([planted_edges(seed) for seed in SEEDS]))
        with tempfile.TemporaryDirectory() as folder:
            first = fit_colon(data, Path(folder))
            second = fit_colon(data, Path(folder), seed=OTHER_SEED)
        yield from colon_bars(first, second)


def planted_bars(found: pd.DataFrame) -> Iterator[Bar]:
    """Hold the table of ``planted_edges`` against its bars."""
    metrics = {"auroc": ">= 0.9", "precision": ">= 0.6", "downstream": ""}
    told = {"downstream": "precision among the edges downstream of the target"}
    means = found.groupby(["seed", "scorer"])[[*metrics]].mean().reset_index()
    name = f"planted: {means['seed'].nunique()} cohorts, edges of the cascade of held-back targets"
    for metric, limit in metrics.items():
        wide = means.pivot_table(index="seed", columns="scorer", values=metric)
        what = told.get(metric, metric)
        for scorer in wide.columns:
            held = limit if scorer in RIVALS else ""
            yield bar(f"{name}, mean {what}, {scorer}", float(wide[scorer].mean()), "", held)
        for mine, others in RIVALS.items():
            for other in others:
                wins = int((wide[mine] > wide[other]).sum())
                least = f">= {len(wide)}" if limit else ""
                yield bar(f"{name}, {what}, {mine} better than {other}", wins, "", least)


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
    bare = ExplainSettings(test=False, baselines=("zero",))
    explainer = TargetExplainer(first.task, first.members, first.evidence, bare, singly=False)
    targets = explainer.attributed(first.task.positions(genes[:EXACT]))
    yield from steiner_bars("targets of the colon cohort", real_cases(targets))
    yield from _agreement(first, second, genes)


def _agreement(first: Colon, second: Colon, genes: pd.Index) -> Iterator[Bar]:
    """Compare explanations by two ensembles, by shuffled ones, and by such that learned nothing."""
    task = first.task
    tables, reaches = Tables(task), Reaches(task.wiring)
    steps = ExplainSettings().steps
    shared: list[float] = []
    kept: dict[str, list[float]] = {}
    rng = np.random.default_rng(0)
    positions = task.positions(genes)
    broken = set(positions[:BROKEN].tolist())
    wrong = mistaught(task, rng)
    for fold in np.unique(task.folds[positions]):
        mine, other = ([m for m in c.members if m.unit.fold == fold] for c in (first, second))
        ensembles = {
            AGAIN: other,
            # every other draw of the same numbers: nothing that was learned is left
            "randomised weights": [randomised(m, rng) for m in mine],
            "permuted known targets": [
                fit_member(wrong, Unit(int(fold), r), ModelSettings(), OTHER_SEED)
                for r in range(MISTAUGHT)
            ],
        }
        whole = SharedPath(task, mine, steps=steps, reaches=reaches)
        paths = {
            name: SharedPath(task, members, steps=steps, reaches=reaches)
            for name, members in ensembles.items()
        }
        for place in positions[task.folds[positions] == fold]:
            part = whole.attribute(int(place))
            parts = {
                name: path.attribute(int(place))
                for name, path in paths.items()
                if name == AGAIN or place in broken
            }
            shared.append(overlap(_top(tables, part), _top(tables, parts[AGAIN])))
            for name, theirs in parts.items():
                if place in broken:
                    kept.setdefault(name, []).append(_correlation(tables, part, theirs))
    yield bar(
        "colon: top 20 edges, independent ensembles, mean Jaccard over the best 100",
        float(np.mean(shared)),
        "",
        ">= 0.6",
    )
    for name, values in kept.items():
        yield bar(
            f"colon: {name}, mean |rank correlation| of edges, {len(values)} targets",
            float(np.mean(np.abs(values))),
            "",
            "<= 0.2" if name == "randomised weights" else "",
        )


def mistaught(task: TargetTask, rng: np.random.Generator) -> TargetTask:
    """Give a task whose known targets are random genes with as many neighbours."""
    table = pd.DataFrame({"gene": task.genes[task.labels == 1]}).assign(
        disease="permuted", source="permuted", date="", strength=1.0, detail=""
    )
    others = permute_known(task.graph, KnownTargets(table), None, rng)[0].genes
    return replace(task, labels=task.genes.isin(others).astype(task.labels.dtype))


def _top(tables: Tables, part: Attribution) -> np.ndarray:
    rows, values = tables.edge_values(part)
    top: np.ndarray = rows[strongest(values, TOP)]
    return top


def _correlation(tables: Tables, one: Attribution, other: Attribution) -> float:
    """Rank correlation of the edges of two attributions; an edge that one lacks has none of it."""
    series = [pd.Series(values, rows) for rows, values in map(tables.edge_values, (one, other))]
    joined = pd.concat(series, axis=1).fillna(0)
    if len(joined) < 3:
        return 1.0  # nothing that could differ
    return float(spearmanr(joined[0], joined[1]).statistic)
