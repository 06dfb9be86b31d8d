"""The stages of a run, each made once and taken from the cache afterwards."""

import itertools
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd

from aimwell.cohorts.cohort import Cohort
from aimwell.cohorts.design import Design, imputation_stain
from aimwell.cohorts.evidence import Evidence
from aimwell.cohorts.gate import confounding_stain
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.qc import quality_facts
from aimwell.cohorts.reading import read_cohort
from aimwell.cohorts.ready_tables import join_tables, read_ready_tables
from aimwell.cohorts.samples import ContrastSamples, contrast_samples
from aimwell.config import RunConfig
from aimwell.config.choices import MODEL
from aimwell.errors import some
from aimwell.explain.explanation import Explanation
from aimwell.knowledge.build import build_graph, build_known_targets, identifier_table
from aimwell.knowledge.drugs import DrugLayer, build_drug_layer
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.leaks import LEAK_COLUMNS, leak_stain, without_leaks
from aimwell.knowledge.store import read_graph, write_graph
from aimwell.models.fusion import missing_layers
from aimwell.models.ladder import ladder
from aimwell.models.member import Member, Unit, member_units
from aimwell.models.memory import require_memory
from aimwell.models.ranking import NETWORK, Ranking, rank_genes
from aimwell.models.task import TargetTask, build_task
from aimwell.models.tracks import FULL, LEAN, full_track, track_table
from aimwell.pipeline import outputs, tables
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.devices import PROCESSOR, DeviceFits, kind_of
from aimwell.pipeline.drugs import load_layer, save_layer
from aimwell.pipeline.given_folds import read_folds
from aimwell.pipeline.keys import Keys
from aimwell.pipeline.progress import Progress
from aimwell.pipeline.workers import (
    explain_and_keep,
    fit_and_keep,
    in_processes,
    keep_member,
    load_member,
    one_thread,
    share_task,
)
from aimwell.provenance import content_hash, to_plain
from aimwell.reports.export import read_explanation
from aimwell.trust.families import hide_families
from aimwell.trust.leakage import label_features

Value = TypeVar("Value")
#: Evidence, contrast → its design, what became of every name, and the quality of the cohort.
Measurements = tuple[Evidence, Mapping[str, Mapping[str, Any]], pd.DataFrame, Mapping[str, Any]]

#: Targets that one process explains before it keeps them: preparing the paths of a fold costs as
#: much as some ten targets.
BLOCK: Final = 16


class Stages:
    """One run, stage by stage: ``read``, ``keep``, ``fit``, ``explain``, ``write``.

    Args:
        config: What to do.
        keys: Hashes of the inputs of every stage.
        cache: Where finished stages are.
        progress: Told what is going on.
    """

    graph: TargetGraph
    measured: Evidence
    evidence: Evidence
    designs: Mapping[str, Mapping[str, Any]]
    identifiers: pd.DataFrame
    quality: Mapping[str, Any]
    samples: Mapping[str, ContrastSamples]
    known: KnownTargets | None
    negatives: pd.Index | None
    given_folds: "pd.Series[int] | None"
    leaks: pd.DataFrame
    told: str
    stain: str
    check: KnownTargets | None
    drugs: DrugLayer
    task: TargetTask
    ranking: Ranking
    layers: pd.DataFrame
    families: pd.DataFrame
    without_family: pd.DataFrame
    fusions: pd.DataFrame
    tracks: pd.DataFrame
    explanations: list[Explanation]

    def __init__(
        self, config: RunConfig, keys: Keys, cache: StageCache, progress: Progress
    ) -> None:
        self.config, self.keys, self.cache, self.progress = config, keys, cache, progress
        self._unsaved: list[tuple[str, str, Callable[[Path], None]]] = []
        self._table: IdentifierTable | None = None
        self._cohort: Cohort | None = None
        self.members: list[Member] = []
        self.member_keys: list[str] = []

    def read(self) -> None:
        """Read and check every input; nothing is written."""
        keys = self.keys
        with one_thread():
            self.graph = self._stage(
                "graph",
                keys.graph,
                lambda: build_graph(self.config),
                lambda value, entry: write_graph(value, entry / "graph"),
                lambda entry: read_graph(entry / "graph"),
            )
            known, model = self.config.known_targets, self.config.model
            self.known = self.check = self.negatives = self.given_folds = None
            if known.sources:
                self.known = self._known(keys.known, known.sources, "known targets", known.as_of)
            if known.negatives:
                self.negatives = self._known(
                    keys.negatives, known.negatives, "known negatives"
                ).genes
            if self.config.known_targets.check:
                self.check = self._known(
                    keys.check, self.config.known_targets.check, "check targets"
                )
            measured, self.designs, self.identifiers, self.quality = self._stage(
                "evidence", keys.evidence, self._measure, _save_measured, _load_measured
            )
            self.samples = self._stage(
                "samples", keys.evidence, self._samples, tables.save_samples, tables.load_samples
            )
            self._cohort = None  # what is left to do reads no sample
            self.drugs = self._stage("drugs", keys.drugs, self._drug_layer, save_layer, load_layer)
            if model.folds_file:
                self.given_folds = self._given_folds()
            # the cache keeps the graph whole: what leaks depends on the known targets
            if self.known is not None:
                self.graph, self.leaks = without_leaks(
                    self.graph, self.known, allow=self.config.graph.allow_leak
                )
            else:
                self.leaks = pd.DataFrame(columns=list(LEAK_COLUMNS))
            leaked = leak_stain(self.leaks, allow=self.config.graph.allow_leak)
            self.measured, self.evidence = measured, measured.with_genes(self.graph.genes)
            self.task = build_task(
                self.graph,
                measured,
                self.known,
                folds=model.folds,
                seed=self.config.run.seed,
                withheld=self.check.genes if self.check else None,
                settings=model,
                negatives=self.negatives,
                given_folds=self.given_folds,
            )
            # workers elsewhere have memory of their own, and a GPU fits them side by side
            local = self.config.run.executor == "local" and self.kind == "cpu"
            jobs = min(self.config.run.jobs, len(self._units())) if local else 1
            require_memory(self.task, model, jobs=jobs)
            self.told = label_features(self.task, allow=self.config.graph.allow_leak)
            stains = (
                leaked,
                self.told,
                confounding_stain(self.designs),
                imputation_stain(self.designs),
            )
            self.stain = " ".join(stain for stain in stains if stain)

    def keep(self) -> None:
        """Put what was read into the cache."""
        self.cache.sweep()
        for stage, key, save in self._unsaved:
            self.cache.put(stage, key, save)
        self._unsaved.clear()

    def fit(self) -> None:
        """Fit what is missing of the ensemble, score the ladder, and rank."""
        model = self.config.model
        keys = {u: self.member_key(u) for u in self._units()}
        todo = [(u, k) for u, k in keys.items() if not self.cache.has("member", k)]
        if todo:
            self.progress.start("fitting networks", len(keys))
            self.progress.advance(len(keys) - len(todo))
            self._fit_missing(todo)
        else:
            self.progress.reuse("networks")
        self.member_keys = list(keys.values())
        self.members = [load_member(self.cache, k) for k in self.member_keys]
        (rungs,) = self._tables("ladder", self.keys.task, self._ladder)
        self.keep()
        with one_thread():
            self.ranking = rank_genes(self.task, self.members, rungs)
            (self.layers,) = self._tables(
                "layers", self.fitted, lambda: (missing_layers(self.task, self.members),)
            )
            self.without_family, self.families = self._tables(
                "families", self.fitted, lambda: hide_families(self.task, self.members)
            )
        self.keep()
        self.fusions = self._fusions(rungs) if model.compare_fusion else pd.DataFrame()
        self.tracks = self._tracks(rungs) if model.compare_tracks else pd.DataFrame()

    def _fit_missing(self, todo: Sequence[tuple[Unit, str]]) -> None:
        model, seed = self.config.model, self.config.run.seed
        if self.kind == "cuda":
            units = [u for u, _ in todo]
            for (_, key), member in zip(todo, self._device.fit(units, self.progress), strict=True):
                keep_member(self.cache, key, member)
                self.progress.advance()
            return
        if self.config.run.device.startswith("cuda"):
            self.progress.note(
                "networks of this kind do not stack on a GPU: they are fitted on the processor"
            )
        shared = self._share()
        calls = [(shared, u, k, model, seed, self.cache.folder.resolve()) for u, k in todo]
        for _ in self._run(fit_and_keep, calls, [f"the fit {u.name}" for u, _ in todo]):
            self.progress.advance()

    @property
    def kind(self) -> str:
        """What the networks of this run are fitted on, ``cpu`` or ``cuda``."""
        return kind_of(self.config.run.device, self.task, self.config.model)

    @property
    def fitted(self) -> str:
        """Hash of everything that the networks depend on.

        Those of a GPU differ from those of a processor in the last digits: neither is taken for
        the other, nor what follows from it.
        """
        return self.keys.task if self.kind == "cpu" else content_hash([self.keys.task, self.kind])

    def member_key(self, unit: Unit) -> str:
        """Key of a fitted network in the cache."""
        return content_hash([self.fitted, unit])

    @property
    def _device(self) -> DeviceFits:
        run = self.config.run
        settings = (self.task, self.config.model, run.seed)
        return DeviceFits(*settings, run.device, self.cache, self.fitted)

    def device_facts(self) -> Mapping[str, Any]:
        """Say what fitted the networks, for the manifest."""
        return PROCESSOR if self.kind == "cpu" else self._device.facts()

    def _fusions(self, rungs: pd.DataFrame) -> pd.DataFrame:
        """Measure every way in which layers may come together, one network a fold."""
        model, seed = self.config.model, self.config.run.seed
        units = [u for u in self._units() if u.repeat == 0]
        keys = {
            (name, u): content_hash([self.keys.task, u, name])
            for name in MODEL["fusion"]
            for u in units
        }
        todo = [(n, u, k) for (n, u), k in keys.items() if not self.cache.has("member", k)]
        if todo:
            self.progress.start("comparing fusions", len(todo))
            shared, folder = self._share(), self.cache.folder.resolve()
            calls = [(shared, u, k, replace(model, fusion=n), seed, folder) for n, u, k in todo]
            named = [f"the fit {u.name} with fusion '{n}'" for n, u, _ in todo]
            for _ in self._run(fit_and_keep, calls, named):
                self.progress.advance()
        rows = []
        for name in MODEL["fusion"]:
            members = [load_member(self.cache, k) for (n, _), k in keys.items() if n == name]
            with one_thread():
                measured = rank_genes(self.task, members, rungs).metrics.loc[NETWORK]
            rows.append({"fusion": name, **measured.to_dict()})
        return pd.DataFrame(rows)

    def _tracks(self, rungs: pd.DataFrame) -> pd.DataFrame:
        """Measure the network with features of study intensity beside, one network a fold."""
        model, seed = self.config.model, self.config.run.seed
        units = [u for u in self._units() if u.repeat == 0]
        whole = content_hash([self.keys.task, FULL])
        keys = {u: content_hash([whole, u]) for u in units}
        todo = [(u, k) for u, k in keys.items() if not self.cache.has("member", k)]
        if todo:
            self.progress.start("comparing tracks", len(todo))
            task = full_track(self.task)
            shared = share_task(self.cache, whole, task, self.evidence).resolve()
            calls = [(shared, u, k, model, seed, self.cache.folder.resolve()) for u, k in todo]
            names = [f"the fit {u.name} of the full track" for u, _ in todo]
            for _ in self._run(fit_and_keep, calls, names):
                self.progress.advance()
            shutil.rmtree(shared, ignore_errors=True)
        fitted = {
            LEAN: [m for m in self.members if m.unit.repeat == 0],
            FULL: [load_member(self.cache, k) for k in keys.values()],
        }
        with one_thread():
            return track_table(self.task, fitted, rungs)

    def _units(self) -> list[Unit]:
        dealt = self.task.dealt
        return member_units(self.config.model, dealt.numbers if dealt else None)

    def explain(self, genes: Sequence[str] = ()) -> None:
        """Explain the best targets, or those that are named, where that was not done yet."""
        genes = genes or list(self.ranking.table.index[: self.config.explain.top])
        keys = {g: content_hash([self.fitted, self.config.explain, g]) for g in genes}
        todo = [(g, k) for g, k in keys.items() if not self.cache.has("explanation", k)]
        if todo:
            self.progress.start("explaining targets", len(keys))
            self.progress.advance(len(keys) - len(todo))
            blocks = self._blocks(todo)
            shared = self._share()
            calls = [
                (shared, self.member_keys, b, self.config.explain, self.cache.folder.resolve())
                for b in blocks
            ]
            names = [f"the explanation of {some(gene for gene, _ in b)}" for b in blocks]
            for done in self._run(explain_and_keep, calls, names):
                self.progress.advance(done)
            # made again in a second where it is wanted; on disk it is as large as the graph
            shutil.rmtree(shared, ignore_errors=True)
        else:
            self.progress.reuse("explanations")
        found = [
            read_explanation(_explanation_file(self.cache.path("explanation", k)))
            for k in keys.values()
        ]
        # a target that is shown alone must say it too, in whatever form it is exported
        self.explanations = [
            replace(e, sentence=f"{e.sentence} {self.stain}") if self.stain else e for e in found
        ]

    def write(self, folder: Path, planted: pd.DataFrame | None) -> None:
        """Write the run folder, the manifest last."""
        self.progress.start("writing the report")
        outputs.write_outputs(self, folder, planted)

    def _share(self) -> Path:
        # an absolute path: workers elsewhere have folders of their own
        shared = share_task(self.cache, self.keys.task, self.task, self.evidence)
        return shared.resolve()

    def _run(
        self, function: Callable[..., Value], calls: Sequence[tuple[Any, ...]], names: Sequence[str]
    ) -> Iterable[Value]:
        settings = self.config.run
        return in_processes(function, calls, settings.jobs, settings.executor, names)

    def _stage(
        self,
        name: str,
        key: str,
        make: Callable[[], Value],
        save: Callable[[Value, Path], None],
        load: Callable[[Path], Value],
    ) -> Value:
        if self.cache.has(name, key):
            self.progress.reuse(name)
            return load(self.cache.path(name, key))
        self.progress.start(name)
        value = make()
        self._unsaved.append((name, key, lambda entry: save(value, entry)))
        return value

    def _tables(
        self, name: str, key: str, make: Callable[[], tuple[pd.DataFrame, ...]]
    ) -> tuple[pd.DataFrame, ...]:
        return self._stage(name, key, make, tables.save_frames, tables.load_frames)

    def _known(self, key: str, sources: Any, name: str, as_of: str = "") -> KnownTargets:
        return self._stage(
            name.replace(" ", "-"),
            key,
            lambda: build_known_targets(sources, self.config, self._identifiers(), as_of),
            tables.save_known,
            tables.load_known,
        )

    def _given_folds(self) -> "pd.Series[int]":
        path = self.config.path(self.config.model.folds_file)
        least = self.config.identifiers.min_mapped
        return self._stage(
            "folds",
            self.keys.folds,
            lambda: read_folds(path, self._identifiers(), least),
            lambda value, entry: value.to_frame("fold").to_parquet(entry / "folds.parquet"),
            lambda entry: pd.read_parquet(entry / "folds.parquet")["fold"],
        )

    def _identifiers(self) -> IdentifierTable:
        if self._table is None:
            self._table = identifier_table(self.config, self.graph)
        return self._table

    def _drug_layer(self) -> DrugLayer:
        known = [labels for labels in (self.known, self.check) if labels]
        return build_drug_layer(self.config, self._identifiers(), self.graph, known)

    def _measure(self) -> Measurements:
        cohort = self._cohort = read_cohort(self.config, self._identifiers())
        ready = read_ready_tables(self.config, self._identifiers())
        contrasts = self.config.contrasts
        tested, designs = harmonise(cohort, contrasts) if contrasts else (None, {})
        evidence = join_tables(tested, ready)
        steps = (*cohort.steps, *evidence.steps)
        whole = replace(
            evidence,
            sources=tuple(dict.fromkeys((*cohort.sources, *evidence.sources))),
            steps=tuple(dict.fromkeys(steps)),
        )
        reports = [t for t in (cohort.identifiers, ready.identifiers) if len(t)]
        names = pd.concat(reports, ignore_index=True)
        rows = {n: design_row(d) for n, d in designs.items()}
        return whole, rows, names, quality_facts(cohort, contrasts)

    def _samples(self) -> Mapping[str, ContrastSamples]:
        cohort = self._cohort or read_cohort(self.config, self._identifiers())
        return contrast_samples(cohort, self.config.contrasts)

    def _ladder(self) -> tuple[pd.DataFrame]:
        with one_thread():
            return (ladder(self.task, full=self.config.model.ladder == "full"),)

    def _blocks(self, todo: list[tuple[str, str]]) -> list[list[tuple[str, str]]]:
        """Share targets out to processes, those of one fold together: they share a path.

        A block is finished as a whole, so small blocks lose little to a kill.
        """
        folds = dict(zip(self.task.genes, self.task.folds, strict=True))
        ordered = sorted(todo, key=lambda item: (folds[item[0]], item[0]))
        return [
            block
            for _, same in itertools.groupby(ordered, key=lambda item: folds[item[0]])
            for block in _in_parts(list(same), BLOCK)
        ]


def _in_parts(items: list[tuple[str, str]], size: int) -> list[list[tuple[str, str]]]:
    return [items[i : i + size] for i in range(0, len(items), size)]


def design_row(design: Design) -> dict[str, Any]:
    """Give what the gate says of a design as plain values."""
    return {
        "n_case": design.n_case,
        "n_control": design.n_control,
        "pairs": design.n_pairs,
        "information_retained": design.information,
        "verdict": design.verdict,
        "imputed": design.imputed,
        "notes": list(design.notes),
    }


def _save_measured(value: Measurements, entry: Path) -> None:
    evidence, designs, identifiers, quality = value
    tables.save_evidence(evidence, entry)
    tables.write_facts(entry / "designs.json", to_plain(designs))
    identifiers.astype(str).to_parquet(entry / "identifiers.parquet")
    tables.write_facts(entry / "quality.json", dict(quality))


def _load_measured(entry: Path) -> Measurements:
    return (
        tables.load_evidence(entry),
        tables.read_facts(entry / "designs.json"),
        pd.read_parquet(entry / "identifiers.parquet"),
        tables.read_facts(entry / "quality.json"),
    )


def _explanation_file(entry: Path) -> Path:
    return next(p for p in sorted(entry.glob("*.json")) if p.name != "done.json")
