"""Bars of the attribution: equal to Captum on the whole graph, complete, and fast.

PyG's ``Explainer`` with ``CaptumExplainer`` is given the same network on the same graph, layer by
layer with the same weights. It passes over the whole graph at every step, whatever the target, so a
few steps tell what fifty take: the time is that of two steps and 48 times what each of four more
adds.
"""

import time
from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from aimwell.bench.bars import Bar, bar
from aimwell.bench.demo import evidence_of
from aimwell.bench.large_network import large_task, random_member
from aimwell.bench.pyg_explainer import PygExplainer
from aimwell.config import ExplainSettings, ModelSettings
from aimwell.explain.attribution import SharedPath
from aimwell.explain.baselines import network_inputs
from aimwell.explain.captum_path import integrate
from aimwell.explain.reach import Reaches
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.fitting import fit_member
from aimwell.models.member import Member, Unit
from aimwell.models.task import TargetTask, build_task
from aimwell.models.training import load_network
from aimwell.pipeline.workers import one_thread
from aimwell.simulate import simulate_cohort

TARGETS = 100
TIMED = 60
#: Gene-gene edges → milliseconds per target; three times as much with sets.
SPEED = {500_000: 6, 2_000_000: 14, 10_000_000: 60}
#: Steps along the path; graphs on which PyG is asked too, for how many targets and steps.
STEPS = 50
PYG_EDGES = (500_000, 2_000_000)
PYG_TARGETS = 2
FEW, MORE = 2, 6


def measure(data: str) -> Iterator[Bar]:
    """Compare with Captum on the whole starter graph; ``data`` is not needed."""
    del data
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, seed=1)
    known = pd.DataFrame({"gene": cohort.given}).assign(
        disease="simulated", source="simulated", date="", strength=1.0, detail=""
    )
    with one_thread():
        task = build_task(graph, evidence_of(cohort, 1), KnownTargets(known), folds=5, seed=1)
        member = fit_member(task, Unit(0, 0), ModelSettings(), 1)
        yield from _against_captum(task, member)
        yield from _completeness(task, member)
        yield from _speed()


def _against_captum(task: TargetTask, member: Member) -> Iterator[Bar]:
    steps = STEPS
    path = SharedPath(task, [member], steps=steps)
    inputs = [torch.from_numpy(b) for b in network_inputs(task, member)]
    network = load_network(task, member).double()
    largest, ours, theirs = 0.0, 0.0, 0.0
    for target in np.random.default_rng(0).choice(len(task.genes), TARGETS, replace=False):
        begun = time.perf_counter()
        mine = path.attribute(int(target))
        between = time.perf_counter()
        _, _, values = integrate(network, inputs, task.wiring.operators, int(target), steps)
        theirs += time.perf_counter() - between
        ours += between - begun
        sizes = [len(o.weight) for o in task.wiring.operators]
        whole = (*mine.feature_arrays(len(task.genes)), *mine.arc_arrays(sizes))
        for a, b in zip(whole, values, strict=True):
            largest = max(largest, float(np.abs(a - b / member.scale).max()))
    yield bar(
        f"attribution: largest difference to Captum on the whole graph, {TARGETS} targets",
        largest,
        "score",
        "<= 1e-6",
    )
    yield bar("attribution: time per target, 50 steps", 1000 * ours / TARGETS, "ms")
    yield bar("attribution: the same by Captum", 1000 * theirs / TARGETS, "ms")


def _completeness(task: TargetTask, member: Member) -> Iterator[Bar]:
    steps = ExplainSettings().steps
    path = SharedPath(task, [member], steps=steps)
    found = [path.attribute(target) for target in range(len(task.genes))]
    spread = float(np.std([a.score - a.baseline_score for a in found]))
    errors = np.array([a.completeness_error for a in found]) / spread
    name = f"attribution: completeness error over all genes, {steps} steps"
    yield bar(f"{name}, median", float(np.median(errors)), "of spread", "<= 0.01")
    yield bar(f"{name}, 95th percentile", float(np.quantile(errors, 0.95)), "of spread", "<= 0.04")


def _speed() -> Iterator[Bar]:
    """Time single networks on graphs as large as the human one, in processor time of one core."""
    for edges, limit in SPEED.items():
        for sets in (False, True):
            task = large_task(edges, sets=sets)
            reaches = Reaches(task.wiring)
            member = random_member(task, 32)
            path = SharedPath(task, [member], steps=STEPS, reaches=reaches)
            path.prepare(np.arange(len(task.genes)))
            targets = np.random.default_rng(1).choice(len(task.genes), TIMED, replace=False)
            begun = time.process_time()
            scores = [path.attribute(int(target)).score for target in targets]
            each = (time.process_time() - begun) / TIMED
            what = f"{edges:,} edges{' and 2,500 sets' if sets else ''}"
            yield bar(
                f"attribution: 18,000 genes, {what}, 50 steps, mean per target",
                1000 * each,
                "ms",
                f"<= {limit * (3 if sets else 1)}",
            )
            if edges in PYG_EDGES and not sets:
                yield from _against_pyg(task, member, targets, np.array(scores), each)


def _against_pyg(
    task: TargetTask, member: Member, targets: np.ndarray, scores: np.ndarray, ours: float
) -> Iterator[Bar]:
    """Explain the same network by PyG, and say how much longer that takes."""
    theirs = PygExplainer(task, member)
    name = f"attribution: 18,000 genes, {len(task.wiring.direct.weight):,} arcs"
    difference = float(np.abs(theirs.scores()[targets] - scores).max())
    yield bar(f"{name}: score of PyG's network, largest difference", difference, "", "<= 0.001")
    taken = []
    for target in targets[:PYG_TARGETS]:
        few, more = (theirs.seconds(int(target), steps) for steps in (FEW, MORE))
        taken.append(few + (STEPS - FEW) * (more - few) / (MORE - FEW))
    yield bar(
        f"{name}: PyG Explainer and CaptumExplainer, 50 steps extrapolated from {FEW} and {MORE}, "
        f"mean of {PYG_TARGETS} targets",
        float(np.mean(taken)),
        "s",
    )
    yield bar(f"{name}: times faster than PyG", float(np.mean(taken)) / ours, "", ">= 1000")
