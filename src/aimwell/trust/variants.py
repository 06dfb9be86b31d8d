"""Worlds in which one thing is otherwise, and the ranking that the same networks give there."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.cohort import Cohort
from aimwell.cohorts.evidence import Evidence
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.ready_tables import ReadyTables, join_tables
from aimwell.config import AuditSettings, ContrastSettings, ModelSettings
from aimwell.errors import AlignmentError, TaskError
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.labels import KnownTargets
from aimwell.models.fitting import fit_member
from aimwell.models.member import Member, Unit
from aimwell.models.task import TargetTask, build_task
from aimwell.provenance import content_hash
from aimwell.trust.resampling import bootstrap_samples, permute_samples
from aimwell.trust.rewiring import drop_edges, rewire_graph, without_relation, without_source

EDGES: Final = "rewired edges"
LABELS: Final = "permuted known targets"
SAMPLES: Final = "permuted samples"
SUBJECTS: Final = "subjects drawn again"
THINNED: Final = "edges left out"
LAYER: Final = "without layer"
RELATION: Final = "without relation"
SOURCE: Final = "without source"
GROUP: Final = "without contrasts of"
AGAIN: Final = "other random numbers"
#: Kinds that need the measurements of the cohort.
MEASURED: Final = (SAMPLES, SUBJECTS)
NULLS: Final = (EDGES, LABELS, SAMPLES)
#: Quantiles of degree inside which known targets are exchanged.
STRATA: Final = 5


@dataclass(frozen=True)
class Variant:
    """One world: its kind, the number of the draw, and what is left out."""

    kind: str
    number: int = 0
    what: str = ""

    @property
    def name(self) -> str:
        """Such as ``rewired edges 3`` or ``without layer rna``."""
        return f"{self.kind} {self.what or self.number}"


@dataclass(frozen=True)
class World:
    """What a run was made of.

    Attributes:
        graph: Without what leaks.
        evidence: As measured, before genes of the graph were added.
        known: Known targets; None where there are none.
        withheld: Targets kept out of the run.
        folds, seed: Of the run.
        cohort, ready, contrasts: The measurements, where they are at hand.
        model, negatives, given_folds: What the networks learn and how folds are dealt, as for
            ``build_task``.
    """

    graph: TargetGraph
    evidence: Evidence
    known: KnownTargets | None
    withheld: pd.Index | None
    folds: int
    seed: int
    cohort: Cohort | None = None
    ready: ReadyTables | None = None
    contrasts: tuple[ContrastSettings, ...] = ()
    model: ModelSettings | None = None
    negatives: pd.Index | None = None
    given_folds: "pd.Series[int] | None" = None


@dataclass(frozen=True)
class Scored:
    """A ranking in one world.

    Attributes:
        scores: Out of fold, standard deviations above the average unlabelled gene, shape ``(n,)``.
        labels: Known targets of that world, shape ``(n,)``.
    """

    scores: np.ndarray
    labels: np.ndarray


def build_variant(world: World, variant: Variant, settings: AuditSettings) -> TargetTask:
    """Make the task of another world; its genes are those of the run, in their order.

    Raises:
        AimwellError: The contrasts cannot be tested in this draw, or nothing is left to learn.
    """
    draw = [world.seed, int(content_hash(variant.kind)[:8], 16), variant.number]
    rng = np.random.default_rng(draw)
    graph, evidence, known = world.graph, world.evidence, world.known
    negatives = world.negatives
    if variant.kind == EDGES:
        graph, _ = rewire_graph(graph, rng, settings.swaps)
    elif variant.kind == THINNED:
        graph = drop_edges(graph, rng, settings.dropped_edges)
    elif variant.kind == RELATION:
        graph = without_relation(graph, variant.what)
    elif variant.kind == SOURCE:
        graph = without_source(graph, variant.what)
    elif variant.kind == LABELS:
        if known is None:
            raise TaskError("there are no known targets to permute")
        known, negatives = permute_known(graph, known, world.withheld, rng, negatives)
    elif variant.kind == LAYER:
        evidence = without_layer(evidence, variant.what)
    elif variant.kind == GROUP:
        for name in contrast_groups(world.contrasts)[variant.what]:
            evidence = without_layer(evidence, name)
    elif variant.kind in MEASURED:
        change = permute_samples if variant.kind == SAMPLES else bootstrap_samples
        evidence = _measured_again(world, change(_cohort(world), world.contrasts, rng))
    return build_task(
        graph,
        evidence,
        known,
        folds=world.folds,
        seed=world.seed,
        withheld=world.withheld,
        settings=world.model,
        negatives=negatives,
        given_folds=world.given_folds,
    )


def score_variant(
    world: World,
    variant: Variant,
    model: ModelSettings,
    settings: AuditSettings,
) -> Scored:
    """Fit the ensemble of another world and score every gene out of fold.

    The networks draw the same random numbers as those of the run (except for ``AGAIN``), so that
    what differs is the world.
    """
    task = build_variant(world, variant, settings)
    first, seeds = 0, settings.seeds
    if variant.kind == AGAIN:
        first, seeds = model.seeds, model.seeds
    folds = task.dealt.numbers if task.dealt else range(model.folds)
    units = [Unit(f, first + r) for f in folds for r in range(seeds)]
    members = [fit_member(task, unit, model, world.seed) for unit in units]
    return Scored(out_of_fold(task, members), task.labels)


def out_of_fold(task: TargetTask, members: Sequence[Member]) -> np.ndarray:
    """Average the members that never saw a gene's label, as the ranking does; shape ``(n,)``.

    Raises:
        TaskError: A fold without a member.
    """
    scores = np.full(len(task.genes), np.nan)
    for fold in np.unique(task.folds):
        mine = task.folds == fold
        found = [m.scores[mine] for m in members if m.unit.fold == fold]
        if not found:
            raise TaskError(f"no network was fitted without fold {fold}")
        scores[mine] = np.mean(found, axis=0)
    return scores


def permute_known(
    graph: TargetGraph,
    known: KnownTargets,
    withheld: pd.Index | None,
    rng: np.random.Generator,
    negatives: pd.Index | None = None,
) -> tuple[KnownTargets, pd.Index | None]:
    """Replace every known target by a random gene with about as many neighbours.

    Where negatives are given, known targets and negatives exchange their labels: other genes stay
    without one.

    Args:
        graph: Its genes are those that a known target may become.
        known: Targets outside the graph stay as they are.
        withheld: Genes that cannot become known targets.
        rng: Draws the genes.
        negatives: Genes given as no targets.

    Returns:
        Both anew.
    """
    degree = graph.degree().sort_index()
    free = degree.index if withheld is None else degree.index.difference(withheld)
    if negatives is not None:
        free = free[free.isin(negatives) | free.isin(known.genes)]
    place = degree[free].rank(method="first").to_numpy() - 1
    stratum = (place * STRATA / len(free)).astype(int)
    becomes: dict[str, str] = {}
    for number in range(STRATA):
        members = free[stratum == number]
        inside = members[members.isin(known.genes)]
        becomes |= dict(zip(inside, rng.choice(members, len(inside), replace=False), strict=True))
    table = known.table[~known.table["gene"].isin(() if withheld is None else withheld)]
    again = replace(known, table=table.assign(gene=table["gene"].map(lambda g: becomes.get(g, g))))
    if negatives is not None:
        outside = negatives.difference(free)
        negatives = free.difference(pd.Index(list(becomes.values()))).union(outside)
    return again, negatives


def without_layer(evidence: Evidence, name: str) -> Evidence:
    """Leave out one contrast, or one table of features.

    Raises:
        AlignmentError: There is none of this name.
    """
    if name not in evidence.blocks and name not in evidence.features:
        raise AlignmentError(f"the evidence has no layer '{name}'")
    return replace(
        evidence,
        blocks={n: b for n, b in evidence.blocks.items() if n != name},
        features={n: t for n, t in evidence.features.items() if n != name},
    )


def contrast_groups(contrasts: Sequence[ContrastSettings]) -> dict[str, tuple[str, ...]]:
    """Group contrasts by what they are restricted to, such as the cohort that they were made in.

    A column of ``where`` counts if contrasts have different values of it: then each value can be
    left out with all of its contrasts.

    Example:
        >>> pair = [ContrastSettings(c, "rna", where={"cohort": c}) for c in ("a", "b")]
        >>> contrast_groups([*pair, ContrastSettings("b2", "protein", where={"cohort": "b"})])
        {'cohort = a': ('a',), 'cohort = b': ('b', 'b2')}
    """
    found: dict[tuple[str, str], list[str]] = {}
    for contrast in contrasts:
        for column, value in contrast.where.items():
            found.setdefault((column, value), []).append(contrast.name)
    several = {c for c, _ in found if len({v for k, v in found if k == c}) > 1}
    return {f"{c} = {v}": tuple(n) for (c, v), n in sorted(found.items()) if c in several}


def _cohort(world: World) -> Cohort:
    if world.cohort is None:
        raise TaskError("the measurements of the cohort are not at hand; name them with --data")
    return world.cohort


def _measured_again(world: World, cohort: Cohort) -> Evidence:
    tested, _ = harmonise(cohort, world.contrasts)
    return join_tables(tested, world.ready) if world.ready is not None else tested
