"""Audit a finished run: repeat it with one thing changed, many times, and say what holds."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.errors import ConfigError
from aimwell.models.training import predict
from aimwell.pipeline.audit_inputs import other_scores, planted, refuse_changed, with_data
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.explain import restore
from aimwell.pipeline.manifest import read_manifest
from aimwell.pipeline.outputs import beats_ladder, quality_of, write_outputs
from aimwell.pipeline.progress import Progress, Silent
from aimwell.pipeline.run import STAGES, hold
from aimwell.pipeline.stages import Stages
from aimwell.pipeline.workers import in_processes, one_thread
from aimwell.pipeline.worlds import STAGE, read_scored, score_and_keep
from aimwell.provenance import content_hash, to_plain
from aimwell.trust import variants as kinds
from aimwell.trust.audit import (
    PARTS,
    Audit,
    layer_checks,
    left_out,
    null_checks,
    null_columns,
    stability_checks,
)
from aimwell.trust.bias import annotation_of, check_bias, degree_of, without_degree
from aimwell.trust.calibration import check_calibration, select
from aimwell.trust.check import Check
from aimwell.trust.families import GENE_COLUMNS
from aimwell.trust.leakage import check_leakage, seen_labels
from aimwell.trust.resampling import shake
from aimwell.trust.rewiring import Rewired, edge_sources, rewire_graph
from aimwell.trust.sanity import (
    NEGATIVE,
    POSITIVE,
    check_controls,
    check_pathways,
    olfactory_receptors,
    read_controls,
)
from aimwell.trust.stability import agreement_checks, ranks_of
from aimwell.trust.tiers import RULES, Audited, assign_tiers
from aimwell.trust.transfer import check_other_ranking, check_other_targets
from aimwell.trust.variants import Scored, Variant, out_of_fold

JITTERS: Final = 3


@dataclasses.dataclass(frozen=True)
class AuditRequest:
    """What an audit is asked for.

    Attributes:
        only: Parts of ``PARTS``; empty takes all.
        rewires: Replaces ``audit.rewires``; -1 leaves it.
        data: Folder of the measurements; empty takes that of the run, where it is still there.
        other: Folder of another finished run to compare with; empty for none.
        jobs: Number of processes.
    """

    only: tuple[str, ...] = ()
    rewires: int = -1
    data: str = ""
    other: str = ""
    jobs: int = 2

    def __post_init__(self) -> None:
        if unknown := [part for part in self.only if part not in PARTS]:
            raise ConfigError(
                f"--only takes parts of an audit; '{unknown[0]}' is none of {', '.join(PARTS)}"
            )

    def wants(self, part: str) -> bool:
        """Tell whether a part is asked for."""
        return not self.only or part in self.only


def audit_run(
    folder: Path, request: AuditRequest = AuditRequest(), progress: Progress | None = None
) -> Audit:
    """Audit a finished run and write what was found into its folder.

    Every repetition is kept as soon as it is done: an audit that is stopped goes on where it was.

    Args:
        folder: The run folder.
        request: Parts, draws, and where the measurements are.
        progress: Told what is going on.

    Raises:
        RunError: No finished run, one that was changed, one of another version, or measurements
            that are not those of the run.
        InputError: A file that the settings name is not there.
    """
    tell = progress or Silent()
    manifest = read_manifest(folder)
    refuse_changed(folder, manifest)
    truth = planted(folder)
    other = other_scores(Path(request.other)) if request.other else None
    with hold(folder):
        config, keys = restore(manifest, folder, request.jobs)
        if request.rewires >= 0:
            changed = dataclasses.replace(config.audit, rewires=request.rewires)
            config = dataclasses.replace(config, audit=changed)
        config, no_data = with_data(config, folder, dict(manifest["files"]), request.data)
        stages = Stages(config, keys, StageCache(folder / STAGES), tell)
        stages.read()
        stages.fit()
        work = _Work(stages, request, no_data)
        audit = work.audit(other)
        stages.explain()
        stages.progress.start("writing the report")
        write_outputs(stages, folder, truth, audit)
    return audit


class _Work:
    """One audit: which worlds it needs, and what follows from them."""

    def __init__(self, stages: Stages, request: AuditRequest, no_data: str) -> None:
        self.stages, self.request = stages, request
        self.settings = stages.config.audit
        self.task = stages.task
        self.skipped: dict[str, str] = {}
        self.no_data = no_data
        self.rewired: list[Rewired] = []

    def audit(self, other: "tuple[str, pd.Series[float]] | None") -> Audit:
        stages, task = self.stages, self.task
        scores = out_of_fold(task, stages.members)
        base = out_of_fold(task, [m for m in stages.members if m.unit.repeat < self.seeds])
        drawn = self._draw()
        stages.progress.start("weighing what was found")
        genes = pd.DataFrame(index=task.genes)
        checks: list[Check] = []
        tables: dict[str, pd.DataFrame] = {}
        leaked = ""
        with one_thread():
            if self.request.wants("leakage") and not self.learned:
                self.skipped["leakage"] = "no label was learned from, so none can have leaked"
            elif self.request.wants("leakage"):
                found = self._leakage()
                checks += found
                leaked = " ".join(f"{c.meaning}." for c in seen_labels(found))
            if self.request.wants("bias"):
                checks += check_bias(task, stages.ranking, scores)
                genes["score_without_degree"] = self._without_degree(scores)
            if self.request.wants("nulls"):
                found, audited = null_checks(task, base, drawn, self.skipped)
                checks += found
                genes = genes.join(null_columns(audited))
            else:
                gone = dict.fromkeys(kinds.NULLS, "it was not asked for")
                audited = Audited(pd.DataFrame(index=task.genes), {}, gone)
            found, intervals = self._stability(scores, base, drawn)
            checks += found
            genes = genes.join(intervals).join(stages.without_family)
            audited = dataclasses.replace(audited, missing=audited.missing | self._not_drawn(drawn))
            if self.request.wants("layers"):
                tables["layers"] = left_out(task, base, drawn, self.settings.top)
                checks += layer_checks(tables["layers"])
            if self.request.wants("transfer"):
                checks += self._transfer(scores, other)
            if self.request.wants("calibration") and not task.labels.any():
                self.skipped["calibration"] = "there is no known target to calibrate by"
            elif self.request.wants("calibration"):
                checks += self._calibration(scores, genes, tables)
            if self.request.wants("sanity"):
                checks += self._sanity(scores)
        self._tiers(genes, leaked, audited)
        return Audit(
            tuple(checks),
            genes.reindex(stages.ranking.table.index),
            tables.get("layers", pd.DataFrame()),
            tables.get("reliability", pd.DataFrame()),
            pd.DataFrame([dataclasses.asdict(r) for r in self.rewired]),
            self.skipped,
            RULES,
            {"parts": [p for p in PARTS if self.request.wants(p)], **to_plain(self.settings)},
        )

    @property
    def learned(self) -> bool:
        """Whether the run learned from known targets; else they only check it."""
        none = self.stages.config.model.objective == "none"
        return self.stages.known is not None and not none

    @property
    def seeds(self) -> int:
        """Networks per fold in every repetition; no more than the run has."""
        return min(self.settings.seeds, self.stages.config.model.seeds)

    def _draw(self) -> dict[Variant, Scored]:
        """Score every world that the parts need, those of an earlier call excepted."""
        stages, settled = self.stages, self.stages.config.run
        settings = dataclasses.replace(self.settings, seeds=self.seeds)
        cost = [settings.seeds, settings.swaps, settings.dropped_edges]
        wanted = self._variants()
        keys = {v: content_hash([stages.keys.task, v, cost]) for v in wanted}
        todo = [v for v in wanted if not stages.cache.has(STAGE, keys[v])]
        if todo:
            stages.progress.start("repeating the run with one thing changed", len(wanted))
            stages.progress.advance(len(wanted) - len(todo))
            # measurements are read only where a world needs them
            for measured in (False, True):
                part = [v for v in todo if (v.kind in kinds.MEASURED) == measured]
                calls = [
                    (
                        *(stages.config, stages.keys, stages.cache.folder),
                        *(v, keys[v], settings, measured),
                    )
                    for v in part
                ]
                names = [v.name for v in part]
                work = (score_and_keep, calls, settled.jobs, settled.executor, names)
                for _ in in_processes(*work) if calls else ():
                    stages.progress.advance()
        elif wanted:
            stages.progress.reuse("repetitions")
        found: dict[Variant, Scored] = {}
        failed: dict[str, list[str]] = {}
        for variant in wanted:
            scored = read_scored(stages.cache.folder, keys[variant])
            if isinstance(scored, str):
                failed.setdefault(variant.kind, []).append(scored)
            else:
                found[variant] = scored
        for kind, reasons in failed.items():
            self.skipped[f"{len(reasons)} draws of {kind}"] = reasons[0]
        return found

    def _not_drawn(self, drawn: Mapping[Variant, Scored]) -> dict[str, str]:
        """Name the resampling that no rank was held against, and why."""
        done = {variant.kind for variant in drawn}
        gone = [kind for kind in (kinds.SUBJECTS, kinds.THINNED) if kind not in done]
        return {kind: self.skipped.get(kind, "it was not asked for") for kind in gone}

    def _variants(self) -> list[Variant]:
        settings, graph = self.settings, self.stages.graph
        wanted: list[Variant] = []

        def draws(kind: str, number: int, setting: str) -> None:
            if number == 0:
                self.skipped[kind] = f"audit.{setting} is 0"
            elif kind in kinds.MEASURED and self.no_data:
                self.skipped[kind] = self.no_data
            elif kind not in self.skipped:
                wanted.extend(Variant(kind, i) for i in range(number))

        if self.request.wants("nulls"):
            self._rewirable()
            draws(kinds.EDGES, settings.rewires, "rewires")
            if not self.learned:
                self.skipped[kinds.LABELS] = "nothing was learned from known targets"
            draws(kinds.LABELS, settings.label_permutations, "label_permutations")
            draws(kinds.SAMPLES, settings.sample_permutations, "sample_permutations")
        if self.request.wants("stability"):
            draws(kinds.SUBJECTS, settings.sample_bootstraps, "sample_bootstraps")
            draws(kinds.THINNED, settings.edge_bootstraps, "edge_bootstraps")
            wanted.append(Variant(kinds.AGAIN))
        if self.request.wants("layers"):
            layers = [*self.stages.measured.blocks, *self.stages.measured.features]
            wanted += [Variant(kinds.LAYER, 0, name) for name in sorted(layers)]
            for what, inside in kinds.contrast_groups(self.stages.config.contrasts).items():
                if set(layers) - set(inside):  # something must be left to rank by
                    wanted.append(Variant(kinds.GROUP, 0, what))
            names = sorted(r.name for r in (*graph.gene_relations(), *graph.set_relations()))
            wanted += [Variant(kinds.RELATION, 0, name) for name in names]
            sources = edge_sources(graph)
            if len(sources) > 1:
                wanted += [Variant(kinds.SOURCE, 0, name) for name in sources]
        return wanted

    def _rewirable(self) -> None:
        """Rewire once here, to say which relations cannot be."""
        rng = np.random.default_rng(self.stages.config.run.seed)
        _, self.rewired = rewire_graph(self.stages.graph, rng, self.settings.swaps)
        for one in self.rewired:
            if one.problem:
                self.skipped[f"rewiring of '{one.name}'"] = one.problem
        if all(one.problem for one in self.rewired):
            self.skipped[kinds.EDGES] = "no relation of the graph can be rewired"

    def _leakage(self) -> list[Check]:
        assert self.stages.known is not None  # asked only where something was learned from them
        table = self.stages.known.table
        dates = table.groupby("gene")["date"].min() if "date" in table else None
        return check_leakage(
            self.task, self.stages.graph, self.stages.measured, self.stages.members, dates
        )

    def _without_degree(self, scores: np.ndarray) -> np.ndarray:
        task = self.task
        fit = ~task.withheld & (task.labels == 0)
        return without_degree(scores, degree_of(task), annotation_of(task), fit)

    def _stability(
        self, scores: np.ndarray, base: np.ndarray, drawn: Mapping[Variant, Scored]
    ) -> tuple[list[Check], pd.DataFrame]:
        task, members = self.task, self.stages.members
        numbers = sorted({m.unit.repeat for m in members})
        repeats = [out_of_fold(task, [m for m in members if m.unit.repeat == r]) for r in numbers]
        coverage = self.stages.evidence.across["coverage"].reindex(task.genes).to_numpy(float)
        checks, table = stability_checks(
            task, base, np.array([*repeats, scores]), drawn, coverage, self.settings
        )
        if not self.request.wants("stability"):
            return [], table
        shaken = [self._shaken(number) for number in range(JITTERS)]
        what = f"every feature shaken by {self.settings.jitter:.0%} of its spread"
        return [*checks, *agreement_checks("jitter", scores, shaken, self.settings.top, what)], (
            table
        )

    def _shaken(self, number: int) -> np.ndarray:
        """Score all genes with the networks of the run and features that are slightly off."""
        task, share = self.task, self.settings.jitter
        rng = np.random.default_rng([self.stages.config.run.seed, number])
        blocks = [dataclasses.replace(b, values=shake(b.values, rng, share)) for b in task.blocks]
        shaken = dataclasses.replace(task, blocks=tuple(blocks))
        moved = [
            dataclasses.replace(m, logits=predict(shaken, m) * m.scale + m.centre)
            for m in self.stages.members
        ]
        return out_of_fold(task, moved)

    def _transfer(
        self, scores: np.ndarray, other: "tuple[str, pd.Series[float]] | None"
    ) -> list[Check]:
        task, stages = self.task, self.stages
        checks: list[Check] = []
        if stages.check is not None:
            name = "targets that were kept out"
            checks += check_other_targets(task, scores, stages.check.genes, name, "> 0.5")
        if self.settings.other_targets:
            genes = self._controls(self.settings.other_targets)
            checks += check_other_targets(task, scores, genes, "targets of another disease")
        else:
            self.skipped["targets of another disease"] = "audit.other_targets names no file"
        if other is not None:
            checks += check_other_ranking(task, scores, other[1], other[0], self.settings.top)
        else:
            self.skipped["another cohort"] = "no other run was named with --with"
        return checks

    def _controls(self, name: str) -> pd.Index:
        return read_controls(self.stages.config.path(name), self.stages.graph)

    def _calibration(
        self, scores: np.ndarray, genes: pd.DataFrame, tables: dict[str, pd.DataFrame]
    ) -> list[Check]:
        found, checks = check_calibration(self.task, scores, self.settings.known_share)
        genes["probability"] = found.probability
        tables["reliability"] = found.reliability
        column = "null_p_labels"
        if column in genes:
            genes["selected"] = select(genes[column].to_numpy(float), self.settings.fdr)
            new = genes["selected"] & (self.task.labels == 0)
            checks.append(
                Check(
                    "selected_targets",
                    float(new.sum()),
                    meaning=f"new targets chosen so that at most {self.settings.fdr:.0%} of the "
                    "chosen are expected to stand out by chance: conformal p-values against "
                    "rankings by permuted known targets, then Benjamini and Hochberg",
                    group="calibration",
                )
            )
        return checks

    def _sanity(self, scores: np.ndarray) -> list[Check]:
        graph, settings = self.stages.graph, self.settings
        controls = {"olfactory receptors": (NEGATIVE, olfactory_receptors(graph))}
        for sign, name in (
            (POSITIVE, settings.positive_controls),
            (NEGATIVE, settings.negative_controls),
        ):
            if name:
                controls[f"genes of {Path(name).name}"] = (sign, self._controls(name))
        return [
            *check_controls(self.task, scores, controls),
            *check_pathways(self.task, graph, scores),
        ]

    def _tiers(self, genes: pd.DataFrame, leaked: str, audited: Audited) -> None:
        stages = self.stages
        places = genes.columns.intersection(["rank_high", *GENE_COLUMNS])
        table = genes[places].assign(null_p=genes.get("null_p", np.nan))
        tiers = assign_tiers(
            table,
            stages.evidence,
            quality_of(stages, leaked),
            beats_ladder=beats_ladder(stages.ranking),
            audited=audited if len(audited.p.columns) else None,
        )
        genes.insert(0, "tier", tiers["tier"])
        genes.insert(1, "tier_reason", tiers["tier_reason"])
        if self.settings.remove_degree and "score_without_degree" in genes:
            rest = genes["score_without_degree"].to_numpy(float)
            genes["rank_without_degree"] = ranks_of(rest)


def parts_of(text: str) -> tuple[str, ...]:
    """Read parts that commas separate.

    Example:
        >>> parts_of("bias, nulls")
        ('bias', 'nulls')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())
