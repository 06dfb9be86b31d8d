"""Bars of the field's benchmark: cancer driver genes, on its own published folds.

Settings were chosen on repetition 0; repetitions 1 and later are what is reported.
"""

import resource
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.bench.bars import Bar, BenchOptions, bar
from aimwell.bench.companion_cohorts import measured_features
from aimwell.bench.companion_graph import DISCOVERING, MESSAGES, UNCOUNTED, companion_graph, naming
from aimwell.errors import ConfigError
from aimwell.knowledge.graph import GENE, TargetGraph
from aimwell.knowledge.store import read_graph
from aimwell.knowledge.task_tables import TaskTables, read_task_tables
from aimwell.models.accuracy import accuracy, matched_auroc, paired_interval, standard_scores
from aimwell.models.discovery import DISCOVERY, score_discovery
from aimwell.models.first_layer import FirstLayer, first_layer
from aimwell.models.given_ladder import BOOSTING, REGRESSION, given_ladder
from aimwell.models.member import Unit
from aimwell.models.supervised import Recipe, fit_supervised, training_rows
from aimwell.models.table_task import Further, build_table_task, relation_counts
from aimwell.models.task import TargetTask
from aimwell.pipeline.workers import one_thread
from aimwell.provenance import write_atomically

TASK: Final = "benchmarks/cpdb_cancer_genes"
DRIVERS: Final = "labels/OncoKB_cancerGeneList.tsv"
NETWORK: Final = "network"
BLEND: Final = "network and ladder together"
SEEDS: Final = 5
#: What is averaged, chosen on repetition 0: regression adds where study intensity is a feature.
PARTS: Final = {"lean": [NETWORK, BOOSTING], "full": [NETWORK, BOOSTING, REGRESSION]}
#: Track → limits on average precision and AUROC.
LIMITS: Final = {"lean": (0.872, 0.938), "full": (0.900, 0.951)}
#: Of the one recipe that is judged by genes that carry no label.
DISCOVERY_LIMITS: Final = {
    "average precision": 0.87,
    "AUROC": 0.0,
    "genome-wide average precision": 0.175,
    "OncoKB average precision": 0.17,
    "OncoKB study-matched AUROC": 0.73,
    "degree-matched AUROC": 0.91,
}
NO_GRAPH: Final = "none"


@dataclass(frozen=True)
class Scored:
    """Scores of one repetition in one track.

    Attributes:
        task: Labels and folds.
        scores: Fold → one column per scorer, indexed by gene.
        seconds: Processor time of one member.
    """

    task: TargetTask
    scores: Mapping[int, pd.DataFrame]
    seconds: float


def measure(data: str, options: BenchOptions | None = None) -> Iterator[Bar]:
    """Measure accuracy on given folds in both tracks, network and ladder side by side.

    Args:
        data: Folder of the public databases; the task lies in ``TASK`` below it.
        options: Another task, graph, repetitions or seeds, and where scores go.

    Raises:
        ConfigError: Neither ``data`` nor a task.
    """
    options = options or BenchOptions()
    if not (options.task or data):
        raise ConfigError(f"this benchmark needs --task DIR, or --data DIR with '{TASK}' below it")
    tables = read_task_tables(Path(options.task) if options.task else Path(data) / TASK)
    beside = Beside.of(data, options.graph)
    recipe = Recipe(unlabelled_weight=options.unlabelled)
    repetitions = options.folds or range(1, len(tables.folds.columns))
    counts = relation_counts(tables, beside.graph, beside.further.uncounted)
    if options.grouped:
        yield from _grouped(tables, beside, options, counts)
        return
    written: list[pd.DataFrame] = []
    for track in ("lean", "full") if beside.graph else ("lean",):
        runs = []
        for repetition in repetitions:
            task = beside.task(tables, repetition, full=track == "full")
            with one_thread():
                runs.append(score_task(task, track, options.seeds or SEEDS, recipe))
            written.append(_predictions(runs[-1], track, repetition))
            if options.output:
                _write(pd.concat(written), Path(options.output) / "predictions.tsv")
        yield from track_bars(track, runs, counts, _drivers(data, tables))
    if beside.graph:
        yield from _discovery(tables, beside, options, counts, _drivers(data, tables))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    yield bar("cancer genes: peak memory, ladder and metrics included", peak, "GB", "< 1.5")


@dataclass(frozen=True)
class Beside:
    """What stands beside the published tables.

    Attributes:
        graph: Further relations, or none.
        messages: Those that messages travel along in both tracks; empty takes all that are fit.
        discovering: Further ones that only the recipe for discovery takes.
        further: More features, and what study intensity is.
    """

    graph: TargetGraph | None
    messages: tuple[str, ...] = ()
    discovering: tuple[str, ...] = ()
    further: Further = field(default_factory=Further)

    @staticmethod
    def of(data: str, graph: str) -> "Beside":
        """Read a graph folder, or everything from the public databases and cohorts."""
        if graph == NO_GRAPH or not (graph or data):
            return Beside(None)
        if graph:
            return Beside(read_graph(Path(graph)))
        folder = Path(data)
        further = Further(measured_features(folder), naming(folder), UNCOUNTED)
        return Beside(companion_graph(folder), MESSAGES, DISCOVERING, further)

    def task(self, tables: TaskTables, repetition: int, *, full: bool = False) -> TargetTask:
        """Give the task of a track."""
        return build_table_task(
            tables,
            repetition,
            self.graph,
            messages=self.messages,
            full=full,
            further=self.further,
        )

    def for_discovery(self, tables: TaskTables, repetition: int) -> dict[str, TargetTask]:
        """Give the tasks of the recipe for discovery: published features, more relations."""
        messages = (*self.messages, *self.discovering) if self.messages else ()
        known = self.graph.relations.values() if self.graph else ()
        every = tuple(r.name for r in known if r.source_type == GENE)
        wanted = {"lean": (messages, False), "full": (messages, True), "every": (every, False)}
        further = replace(self.further, measured=None)
        return {
            track: build_table_task(
                tables, repetition, self.graph, messages=names, full=full, further=further
            )
            for track, (names, full) in wanted.items()
        }


def _grouped(
    tables: TaskTables, beside: Beside, options: BenchOptions, counts: pd.DataFrame
) -> Iterator[Bar]:
    """Measure on folds of whole families; a repetition is another draw of them."""
    from aimwell.bench.grouped_folds import grouped_bars

    if beside.graph is None:
        raise ConfigError("families and complexes come from a graph; leave out --graph none")
    for repetition in options.folds or (1,):
        task = beside.task(tables, repetition)
        yield from grouped_bars(task, beside.graph, counts, options.seeds or SEEDS, repetition)


def _discovery(
    tables: TaskTables,
    beside: Beside,
    options: BenchOptions,
    counts: pd.DataFrame,
    drivers: pd.Index,
) -> Iterator[Bar]:
    """Hold the one recipe for discovery against its limits."""
    runs = []
    for repetition in options.folds or range(1, len(tables.folds.columns)):
        tasks = beside.for_discovery(tables, repetition)
        with one_thread():
            scores = score_discovery(tasks, options.seeds or SEEDS)
        runs.append(Scored(tasks["full"], scores, 0.0))
    mean = fold_metrics(runs, counts, drivers).groupby("scorer", sort=False).mean(numeric_only=True)
    for scorer, row in mean.iterrows():
        for name, limit in DISCOVERY_LIMITS.items():
            if name in row:
                bound = f">= {limit}" if scorer == DISCOVERY and limit else ""
                yield bar(f"cancer genes, discovery: {name}, {scorer}", float(row[name]), "", bound)


def score_task(task: TargetTask, track: str, seeds: int, recipe: Recipe | None = None) -> Scored:
    """Fit an ensemble and the ladder on every fold of a task.

    Args:
        task: With given negatives.
        track: One of ``PARTS``.
        seeds: Networks per fold; their log-odds are averaged.
        recipe: How they learn.
    """
    layer: FirstLayer = first_layer(task)
    scores, spent, fitted = {}, 0.0, 0
    for fold in (int(f) for f in np.unique(task.folds) if f >= 0):
        begun = time.process_time()
        shared = training_rows(task, fold)
        members = [
            fit_supervised(task, Unit(fold, s), recipe or Recipe(), 0, layer, shared)
            for s in range(seeds)
        ]
        spent, fitted = spent + time.process_time() - begun, fitted + seeds
        table = given_ladder(task, layer, fold)
        table[NETWORK] = np.mean([m.logits for m in members], axis=0)
        table[BLEND] = table[PARTS[track]].mean(axis=1)
        scores[fold] = table
    return Scored(task, scores, spent / fitted)


def track_bars(
    track: str, runs: list[Scored], counts: pd.DataFrame, drivers: pd.Index
) -> Iterator[Bar]:
    """Hold the scores of one track against its limits."""
    table = fold_metrics(runs, counts, drivers)
    mean = table.groupby("scorer", sort=False).mean(numeric_only=True)
    what = f"cancer genes, {track}"
    limit = LIMITS.get(track, ("", ""))
    for scorer, row in mean.iterrows():
        ours = scorer in (NETWORK, BLEND)
        for name, bound in zip(("average precision", "AUROC"), limit, strict=True):
            yield bar(
                f"{what}: {name}, {scorer}", float(row[name]), "", f">= {bound}" if ours else ""
            )
    spread = table[table["scorer"] == NETWORK]["average precision"].std()
    yield bar(f"{what}: standard deviation over {len(runs) * 5} folds, {NETWORK}", spread)
    share = 1 / (runs[0].task.folds.max())
    for scorer in (NETWORK, BLEND):
        one, other = (
            table[table["scorer"] == s]["average precision"].to_numpy()
            for s in (scorer, REGRESSION)
        )
        lead, low, high = paired_interval(one - other, share)
        name = f"{what}: lead of {scorer} over regression on the same inputs"
        yield bar(name, lead, "AP", ">= 0.015" if track == "lean" else "")
        yield bar(f"{name}, 95 % interval from", low, "AP", "> 0")
        yield bar(f"{name}, to", high, "AP")
    limits = {
        "genome-wide average precision": ">= 0.175",
        "degree-matched AUROC": ">= 0.91",
        "study-matched AUROC": "",
        "OncoKB AUROC": "",
        "OncoKB average precision": ">= 0.17",
        "OncoKB study-matched AUROC": ">= 0.73",
    }
    for name, bound in limits.items():
        if name in mean:
            for scorer in (NETWORK, BLEND, REGRESSION):
                yield bar(f"{what}: {name}, {scorer}", float(mean[name][scorer]), "", bound)
    seconds = float(np.mean([r.seconds for r in runs]))
    yield bar(f"{what}: 50 members, processor time", 50 * seconds, "s", "<= 90")


def fold_metrics(runs: list[Scored], counts: pd.DataFrame, drivers: pd.Index) -> pd.DataFrame:
    """Measure every scorer on every fold.

    Args:
        runs: Scores of the repetitions.
        counts: How often a gene is in each relation, one column per relation.
        drivers: Further known drivers, to be found among the unlabelled; may be empty.

    Returns:
        One row per repetition, fold and scorer.
    """
    rows = []
    for number, run in enumerate(runs):
        task = run.task
        study = standard_scores(counts.reindex(task.genes)).to_numpy()
        degree = task.blocks[-1].values[:, 0]
        positive, free = task.labels == 1, (task.folds < 0)
        found = np.asarray(task.genes.isin(drivers)) & free
        for fold, table in run.scores.items():
            test = task.folds == fold
            for scorer in table.columns:
                score = table[scorer].to_numpy()
                precision, area = accuracy(positive[test], score[test])
                row = {
                    "run": number,
                    "fold": fold,
                    "scorer": scorer,
                    "average precision": precision,
                    "AUROC": area,
                    "genome-wide average precision": accuracy(
                        positive[test | free], score[test | free]
                    )[0],
                    "degree-matched AUROC": matched_auroc(
                        positive[test], score[test], degree[test]
                    ),
                    "study-matched AUROC": matched_auroc(positive[test], score[test], study[test]),
                }
                if found.any():
                    ranked = accuracy(found[free], score[free])
                    row["OncoKB average precision"], row["OncoKB AUROC"] = ranked
                    row["OncoKB study-matched AUROC"] = matched_auroc(
                        found[free], score[free], study[free]
                    )
                rows.append(row)
    return pd.DataFrame(rows)


def _write(table: pd.DataFrame, path: Path) -> None:
    with write_atomically(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")


def _drivers(data: str, tables: TaskTables) -> pd.Index:
    """Read the drivers of OncoKB that carry no label in the task; empty without the file."""
    path = Path(data) / DRIVERS
    if not (data and path.is_file()):
        return pd.Index([])
    names = pd.read_csv(path, sep="\t", usecols=["Hugo Symbol"])["Hugo Symbol"].astype(str)
    unlabelled = tables.labels.index[tables.labels < 0]
    return pd.Index(sorted(set(names) & set(unlabelled)))


def _predictions(run: Scored, track: str, repetition: int) -> pd.DataFrame:
    """Give every gene the score of its own fold, unlabelled genes the mean over all folds."""
    task = run.task
    every = list(run.scores.values())
    mean = pd.DataFrame(
        np.mean([table.to_numpy() for table in every], axis=0), task.genes, every[0].columns
    )
    for fold, table in run.scores.items():
        mean[task.folds == fold] = table[task.folds == fold]
    mean = mean.sort_values(NETWORK, ascending=False, kind="stable")
    at = task.genes.get_indexer(mean.index)
    negatives = task.negatives if task.negatives is not None else np.zeros(len(at), bool)
    label = np.where(task.labels == 1, 1, np.where(negatives, 0, -1))[at]
    front = {"track": track, "repetition": repetition, "symbol": mean.index, "label": label}
    table = pd.concat([pd.DataFrame(front, mean.index), mean], axis=1)
    table.insert(4, "fold", task.folds[at])
    return table
