"""Bars of trust on the field's benchmark: do the edges matter, and does the top come back?

Networks and folds are those of the lean track of ``cancer-genes``, on the published features and
along relations of knowledge alone: what is asked is what edges add, not what further cohorts add.
"""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from aimwell.bench.bars import Bar, BenchOptions, bar
from aimwell.bench.cancer_genes import DRIVERS, NETWORK, TASK, Scored, fold_metrics
from aimwell.bench.companion_graph import KNOWLEDGE, UNCOUNTED, companion_graph
from aimwell.errors import ConfigError
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.task_tables import TaskTables, read_task_tables
from aimwell.models.first_layer import first_layer
from aimwell.models.given_ladder import evidence_alone
from aimwell.models.member import Unit
from aimwell.models.supervised import Recipe, fit_supervised, training_rows
from aimwell.models.table_task import build_table_task, relation_counts
from aimwell.models.task import TargetTask
from aimwell.models.wiring import build_wiring
from aimwell.pipeline.workers import one_thread
from aimwell.trust.calibration import calibrate
from aimwell.trust.nulls import ranking_p
from aimwell.trust.rewiring import drop_edges, rewire_graph
from aimwell.trust.stability import ranks_of, top_overlap

REWIRES: Final = 10
#: Networks per fold on each rewired graph, and on the real one beside it.
SEEDS: Final = 1
#: Networks per fold of an ensemble whose top is compared.
ENSEMBLE: Final = 5
TOP: Final = 100
MATCHED: Final = "OncoKB study-matched AUROC"
_WHAT: Final = "edges"
#: What the bars are called → whether messages lose what degrees alone explain.
_WAYS: Final = {_WHAT: False, f"{_WHAT}, degree-corrected": True}


def measure(data: str, options: BenchOptions | None = None) -> Iterator[Bar]:
    """Compare the real graph with rewired ones, and the first 100 genes of several ensembles.

    Args:
        data: Folder of the public databases; the task lies in ``TASK`` below it.
        options: Another task, other repetitions (1 by default), and networks per fold.

    Raises:
        ConfigError: Neither ``data`` nor a task.
    """
    options = options or BenchOptions()
    if not data:
        raise ConfigError(f"this benchmark needs --data DIR with '{TASK}' below it")
    tables = read_task_tables(Path(options.task) if options.task else Path(data) / TASK)
    companion = companion_graph(Path(data))
    counts = relation_counts(tables, companion, UNCOUNTED)
    drivers = _drivers(Path(data), tables)
    for repetition in options.folds or (1,):
        task = build_table_task(tables, repetition, companion, messages=KNOWLEDGE)
        with one_thread():
            yield from _rewired_bars(task, counts, drivers, options.seeds or SEEDS)
            yield from _top_bars(task, options.seeds or ENSEMBLE)


def _rewired_bars(
    task: TargetTask, counts: pd.DataFrame, drivers: pd.Index, seeds: int
) -> Iterator[Bar]:
    """Fit the same networks on the real graph and on rewired ones, as they are and corrected."""
    real = {
        what: _metrics(_on(task, task.graph, corrected=corrected), counts, drivers, seeds)
        for what, corrected in _WAYS.items()
    }
    rows: dict[str, list[pd.Series[float]]] = {what: [] for what in _WAYS}
    for number in range(REWIRES):
        rng = np.random.default_rng([20, number])
        graph, found = rewire_graph(task.graph, rng)
        if number == 0:
            yield bar(
                f"{_WHAT}: swaps per edge, least over relations",
                min(f.swaps for f in found),
                "",
                ">= 10",
            )
            for one in (f for f in found if f.problem):
                yield bar(f"{_WHAT}: not rewired: {one.name}: {one.problem}", one.kept)
        for what, corrected in _WAYS.items():
            rows[what].append(
                _metrics(_on(task, graph, corrected=corrected), counts, drivers, seeds)
            )
    for what in _WAYS:
        yield from _difference_bars(what, real[what], pd.DataFrame(rows[what]))
    first, second = (real[what] for what in _WAYS)
    for name in first.index:
        price = float(first[name] - second[name])
        yield bar(f"{_WHAT}: price of degree correction, real graph: {name}", price)
    yield from _evidence_bars(task, counts, drivers)


def _difference_bars(what: str, real: "pd.Series[float]", null: pd.DataFrame) -> Iterator[Bar]:
    for name in real.index:
        yield bar(f"{what}: real graph: {name}", real[name])
        yield bar(f"{what}: rewired graphs: {name}", float(null[name].mean()))
    name = "average precision"
    added = float(real[name] - null[name].mean())
    yield bar(f"{what}: real minus rewired over {REWIRES} graphs", added, "AP", ">= 0.09")
    yield bar(f"{what}: standard deviation over rewired graphs", float(null[name].std()), "AP")
    rank, normal = ranking_p(float(real[name]), null[name].to_numpy())
    yield bar(f"{what}: p by rank among {REWIRES + 1}", rank)
    yield bar(f"{what}: p by a t distribution through the rewired graphs", normal, "", "<= 0.01")
    if MATCHED in null:
        matched = float(null[MATCHED].mean())
        yield bar(f"{what}: {MATCHED} when rewired", matched, "", "<= 0.56")


def _evidence_bars(task: TargetTask, counts: pd.DataFrame, drivers: pd.Index) -> Iterator[Bar]:
    """Say how far evidence gets without any edge: a useless graph takes nothing of that away."""
    layer = first_layer(task)
    folds = [int(f) for f in np.unique(task.folds) if f >= 0]
    tables = {fold: evidence_alone(task, layer, fold) for fold in folds}
    table = fold_metrics([Scored(task, tables, 0.0)], counts, drivers)
    mean = table.groupby("scorer", sort=False).mean(numeric_only=True)
    for scorer, row in mean.iterrows():
        for name in ("average precision", MATCHED):
            if name in row:
                yield bar(f"{_WHAT}: no graph at all: {name}, {scorer}", float(row[name]))


def _top_bars(task: TargetTask, seeds: int) -> Iterator[Bar]:
    first, second = (_scores(task, range(n * seeds, (n + 1) * seeds)) for n in (0, 1))
    merged = [_merged(task, scores) for scores in (first, second)]
    overlap = top_overlap(ranks_of(merged[0]), ranks_of(merged[1]), TOP)
    yield bar(f"{_WHAT}: top-100 overlap of independent ensembles", overlap, "", ">= 0.93")
    graph = drop_edges(task.graph, np.random.default_rng(30), 0.1)
    dropped = _merged(task, _scores(_on(task, graph), range(seeds)))
    overlap = top_overlap(ranks_of(merged[0]), ranks_of(dropped), TOP)
    yield bar(f"{_WHAT}: top-100 overlap with a tenth of the edges left out", overlap, "", ">= 0.8")
    known, folds = task.labels == 1, task.folds
    given = folds >= 0
    own = calibrate(merged[0][given], known[given], folds[given], 1.0)
    yield bar(f"{_WHAT}: ECE out of fold, labelled genes", own.ece[0], "", "<= 0.013")
    yield bar(f"{_WHAT}: the same, interval from", own.ece[1])
    yield bar(f"{_WHAT}: the same, to", own.ece[2])
    # genes in no fold get one by their place, so that none calibrates itself
    dealt = np.where(given, folds, np.arange(len(folds)) % (folds.max() + 1))
    free = known | ~given
    whole = calibrate(merged[0][free], known[free], dealt[free])
    yield bar(f"{_WHAT}: ECE genome-wide, of being a known driver", whole.ece[0], "", "<= 0.02")
    yield bar(f"{_WHAT}: share of drivers that is known, estimated", whole.share_known)
    rho = stats.spearmanr(merged[0], merged[1]).statistic
    yield bar(f"{_WHAT}: rank correlation of independent ensembles", float(rho))


def _on(task: TargetTask, graph: TargetGraph, *, corrected: bool = False) -> TargetTask:
    wiring = build_wiring(graph, task.genes, degree_corrected=corrected)
    return replace(task, graph=graph, wiring=wiring)


def _scores(task: TargetTask, repeats: range) -> dict[int, np.ndarray]:
    """Fit an ensemble on every fold; mean log-odds of all genes by fold."""
    layer = first_layer(task)
    found = {}
    for fold in (int(f) for f in np.unique(task.folds) if f >= 0):
        shared = training_rows(task, fold)
        members = [fit_supervised(task, Unit(fold, s), Recipe(), 0, layer, shared) for s in repeats]
        found[fold] = np.mean([m.logits for m in members], axis=0)
    return found


def _merged(task: TargetTask, scores: dict[int, np.ndarray]) -> np.ndarray:
    """Give labelled genes the score of their own fold, others the mean over folds."""
    merged: np.ndarray = np.mean(list(scores.values()), axis=0)
    for fold, values in scores.items():
        merged[task.folds == fold] = values[task.folds == fold]
    return merged


def _metrics(
    task: TargetTask, counts: pd.DataFrame, drivers: pd.Index, seeds: int
) -> "pd.Series[float]":
    tables = {
        fold: pd.DataFrame({NETWORK: values}, task.genes)
        for fold, values in _scores(task, range(seeds)).items()
    }
    table = fold_metrics([Scored(task, tables, 0.0)], counts, drivers)
    mean: pd.Series[float] = table.drop(columns=["run", "fold", "scorer"]).mean()
    return mean


def _drivers(data: Path, tables: TaskTables) -> pd.Index:
    """Read the drivers of OncoKB that carry no label in the task; empty without the file."""
    path = data / DRIVERS
    if not path.is_file():
        return pd.Index([])
    names = pd.read_csv(path, sep="\t", usecols=["Hugo Symbol"])["Hugo Symbol"].astype(str)
    return pd.Index(sorted(set(names) & set(tables.labels.index[tables.labels < 0])))
