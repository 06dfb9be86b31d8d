"""Bars of a GPU: products, training, attribution, and whether it agrees with the processor.

Everything in one call on a machine that has torch, numpy, scipy and pandas; Captum is compared with
where it is there. On a processor as the device every part runs too, which says nothing of a GPU
but that the code works. A part that fails is a bar that is missed, and the others are measured.
"""

import json
import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Final

import numpy as np
import torch
from scipy.stats import spearmanr

from aimwell.bench.bars import Bar, BenchOptions, bar, machine
from aimwell.bench.gpu_products import measure_products
from aimwell.bench.large_network import large_task
from aimwell.config import ExplainSettings, ModelSettings
from aimwell.errors import AimwellError, ConfigError
from aimwell.explain.attribution import Attribution, SharedPath
from aimwell.explain.device import DevicePath
from aimwell.models.lanes import Choice, choose_way, settle_device
from aimwell.models.member import Member, Unit, member_units
from aimwell.models.stacked import fit_stacked
from aimwell.models.task import TargetTask
from aimwell.models.training import fit_unlabelled, one_torch_thread

#: Seconds of a first ensemble beyond which the repetition takes fewer epochs.
PATIENCE: Final = 90
#: Epochs of a repetition then.
FEW: Final = 20
#: Targets whose attributions are compared with those of the processor and of Captum.
COMPARED: Final = 3
COMPARED_STEPS: Final = 20
SEED: Final = 0


@dataclass(frozen=True)
class Size:
    """How large everything is.

    Attributes:
        edges, share: Of ``large_task``.
        model: Members, epochs and width of what is timed.
        agreeing: Of what is compared with the processor; as a run has them.
        steps: Of the attributions.
    """

    edges: int = 2_000_000
    share: float = 1.0
    model: ModelSettings = field(default_factory=lambda: ModelSettings(seeds=10, epochs=200))
    agreeing: ModelSettings = field(default_factory=ModelSettings)
    steps: int = ExplainSettings().steps

    @property
    def task(self) -> TargetTask:
        """Draw the graph, and known targets that differ in themselves and in what is around them.

        Without anything to learn a training amplifies its roundings, whatever computes it.
        """
        task = large_task(self.edges, sets=True, share=self.share)
        own = task.blocks[0].values[:, :1] + task.blocks[1].values[:, :1]  # (n, 1)
        around = (task.wiring.direct.matrix @ torch.from_numpy(own)).numpy()
        noise = np.random.default_rng(SEED).normal(size=len(own))
        strength = (own / own.std() + around / around.std())[:, 0] + noise
        labels = np.zeros_like(task.labels)
        labels[np.argsort(-strength, kind="stable")[: task.labels.sum()]] = 1
        return replace(task, labels=labels, folds=np.arange(len(own)) % self.model.folds)


_FEW: Final = ModelSettings(folds=2, seeds=2, epochs=3, hidden=8)
SMALL: Final = Size(2_000, 0.02, _FEW, _FEW, steps=8)


def measure(data: str = "", options: BenchOptions | None = None) -> Iterator[Bar]:
    """Measure everything; ``data`` is not needed.

    Args:
        data: Not used.
        options: ``device`` (a GPU where it is empty) and ``small``.

    Raises:
        ConfigError: A device that torch does not know.
    """
    del data
    chosen = options or BenchOptions()
    if not chosen.device and not torch.cuda.is_available():
        yield bar("gpu: not measured: torch finds no GPU", math.nan)
        return
    try:
        device = torch.device(chosen.device or "cuda")
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise ConfigError(
            f"--device '{chosen.device}' cannot be used: {str(error).splitlines()[0]}; name "
            "'cuda', 'cuda:N' or 'cpu'"
        ) from error
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    name = _machine(device)
    for one in _Bench(device, SMALL if chosen.small else Size()).measure():
        yield replace(one, machine=name)


class _Bench:
    """All parts, and what they hand on."""

    def __init__(self, device: torch.device, size: Size) -> None:
        self.device, self.size, self.model = device, size, size.model
        self.task = size.task
        self.choice = Choice("columns")
        self.members: list[Member] = []
        self.seconds = 0.0
        self.units = member_units(self.model)

    def measure(self) -> Iterator[Bar]:
        """Measure part by part."""
        units = member_units(self.size.agreeing)
        with _Processes(self.device) as pool:
            jobs = [(job, unit) for job in (reference, reordered) for unit in units]
            waiting = [pool.submit(job, self.size, unit) for job, unit in jobs] if pool else []
            operators = [o.to(self.device, torch.float32) for o in self.task.wiring.operators]
            columns = (self.model.hidden, self.model.hidden * len(self.units))
            yield from _guarded(
                "products", lambda: measure_products(operators[0], columns, self.size == SMALL)
            )
            yield from _guarded("ways", self._ways)
            scores: list[np.ndarray] = []

            def collect() -> Iterator[Bar]:
                scores.extend(f.result() for f in waiting)
                if not pool:
                    scores.extend(job(self.size, unit) for job, unit in jobs)
                yield bar("gpu: networks fitted on the processor, to compare with", len(scores))

            yield from _guarded("fits on the processor", collect)
        yield from _guarded("training", self._training)
        yield from _guarded("repeat", self._repeat)
        yield from _guarded("agreement", lambda: self._agreement(units, scores))
        yield from _guarded("attribution", self._attribution)
        yield from _guarded("attribution compared", self._compared)

    def _ways(self) -> Iterator[Bar]:
        operators = [o.to(self.device, torch.float32) for o in self.task.wiring.operators]
        self.choice = choose_way(operators, len(self.units), self.model.hidden)
        for way, seconds in self.choice.seconds.items():
            yield bar(f"gpu: all states there and back, {way}", 1000 * seconds, "ms")
        name = f"gpu: the chosen way ({self.choice.way}) repeats its bits"
        yield bar(name, float(self.choice.repeats), "", "== 1")

    def _fit(self, settings: ModelSettings, units: Sequence[Unit]) -> list[Member]:
        way = self.choice.way
        return list(fit_stacked(self.task, units, settings, SEED, str(self.device), way=way))

    def _training(self) -> Iterator[Bar]:
        cuda = self.device.type == "cuda"
        if cuda:
            torch.cuda.reset_peak_memory_stats(self.device)
        begun = time.perf_counter()
        self.members = self._fit(self.model, self.units)
        self.seconds = time.perf_counter() - begun
        name = f"gpu: {len(self.units)} members, {self.model.epochs} epochs"
        yield bar(name, self.seconds, "s", "<= 60")
        peak = torch.cuda.max_memory_allocated(self.device) if cuda else math.nan
        yield bar(f"{name}: peak memory of the device", peak / 1e9, "GB")

    def _repeat(self) -> Iterator[Bar]:
        before, settings = self.members, self.model
        if self.seconds > PATIENCE:
            settings = replace(settings, epochs=FEW)
            before = self._fit(settings, self.units)
        again = self._fit(settings, self.units)
        same = all(
            np.array_equal(one.logits, other.logits)
            for one, other in zip(before, again, strict=True)
        )
        name = f"gpu: the same {len(again)} members again, {settings.epochs} epochs: same bits"
        yield bar(name, float(same and bool(again)), "", "== 1")

    def _agreement(self, units: Sequence[Unit], scores: Sequence[np.ndarray]) -> Iterator[Bar]:
        """Compare scores with those of the processor: of the same networks, and trained there."""
        one = self.members[0]
        there = DevicePath(self.task, [one], steps=1, device=str(self.device)).scores
        name = "gpu: Spearman of the scores with the processor's"
        same = spearmanr(there.cpu().numpy(), one.scores).statistic
        yield bar(f"{name}, the same network", float(same), "", ">= 0.9999")
        fitted = [m.scores for m in self._fit(self.size.agreeing, units)]
        ours, theirs, others = (
            self._out_of_fold(units, found)
            for found in (fitted, scores[: len(units)], scores[len(units) :])
        )
        what = f"{len(units)} members, {self.size.agreeing.epochs} epochs"
        trained = spearmanr(ours, theirs).statistic
        yield bar(f"{name}, trained on each: {what}", float(trained), "", ">= 0.9999")
        floor = float(spearmanr(theirs, others).statistic)
        yield bar("gpu: Spearman of the processor with itself, sums in another order", floor)

    def _out_of_fold(self, units: Sequence[Unit], scores: Sequence[np.ndarray]) -> np.ndarray:
        """Give every gene its mean score by the members that never saw its label."""
        mean = np.zeros(len(self.task.genes))
        for fold in {u.fold for u in units}:
            hidden = self.task.folds == fold
            mine = [s for u, s in zip(units, scores, strict=True) if u.fold == fold]
            mean[hidden] = np.mean(mine, axis=0)[hidden]
        return mean

    def _attribution(self) -> Iterator[Bar]:
        begun, done, arcs = time.perf_counter(), 0, 0
        for fold in range(self.model.folds):
            path = DevicePath(
                self.task, self._of(fold), steps=self.size.steps, device=str(self.device)
            )
            for one in path.attribute(np.flatnonzero(self.task.folds == fold)):
                done, arcs = done + 1, arcs + sum(map(len, one.arcs))
            del path
        settle_device(self.device)
        seconds = time.perf_counter() - begun
        what = f"{self.model.seeds} members each, {self.size.steps} steps"
        yield bar(f"gpu: all {done} genes attributed, {what}", seconds, "s", "<= 60")
        yield bar("gpu: arcs attributed on the way", arcs / 1e6, "million")

    def _compared(self) -> Iterator[Bar]:
        members, steps = self._of(0)[:1], COMPARED_STEPS
        rng = np.random.default_rng(SEED)
        targets = rng.choice(np.flatnonzero(self.task.folds == 0), COMPARED, replace=False)
        path = DevicePath(self.task, members, steps=steps, device=str(self.device))
        found = list(path.attribute(targets))
        shared = SharedPath(self.task, members, steps=steps)
        apart = self._apart(found, [shared.attribute(int(t)) for t in targets])
        name = f"gpu: attributions of {COMPARED} genes, largest difference"
        yield bar(f"{name} to the processor", apart, "of the largest", "<= 1e-5")
        try:
            from aimwell.explain.captum_path import attribute_by_captum
        except ImportError:
            yield bar("gpu: Captum is not here, not compared", math.nan)
            return
        theirs = [attribute_by_captum(self.task, members, int(t), steps=steps) for t in targets]
        yield bar(f"{name} to Captum", self._apart(found, theirs), "of the largest", "<= 1e-5")

    def _apart(self, found: Sequence[Attribution], wanted: Sequence[Attribution]) -> float:
        """Largest difference of any attribution, of the largest of its target."""
        n, sizes = len(self.task.genes), [len(o.weight) for o in self.task.wiring.operators]

        def flat(one: Attribution) -> np.ndarray:
            return np.concatenate(
                [v.ravel() for v in (*one.feature_arrays(n), *one.arc_arrays(sizes))]
            )

        pairs = [(flat(one), flat(other)) for one, other in zip(found, wanted, strict=True)]
        return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in pairs)

    def _of(self, fold: int) -> list[Member]:
        return [m for m in self.members if m.unit.fold == fold]


def reference(size: Size, unit: Unit) -> np.ndarray:
    """Fit one member on one thread of the processor; give its scores."""
    with one_torch_thread():
        return fit_unlabelled(size.task, unit, size.agreeing, SEED).scores


def reordered(size: Size, unit: Unit) -> np.ndarray:
    """The same by the code of a GPU: the same draws, sums in another order."""
    (member,) = fit_stacked(size.task, [unit], size.agreeing, SEED)
    return member.scores


class _Processes:
    """Processes beside a GPU that fit what it is compared with; none where there is no GPU."""

    def __init__(self, device: torch.device) -> None:
        self.pool: Executor | None = None
        if device.type == "cuda":
            self.pool = ProcessPoolExecutor(mp_context=get_context("spawn"))

    def __enter__(self) -> Executor | None:
        return self.pool

    def __exit__(self, *_: object) -> None:
        if self.pool is not None:
            self.pool.shutdown(cancel_futures=True)


def _guarded(name: str, part: Callable[[], Iterator[Bar]]) -> Iterator[Bar]:
    """Turn a fault into a missed bar: a borrowed machine is not to be had a second time at once."""
    try:
        yield from part()
    except (RuntimeError, ValueError, LookupError, ArithmeticError, AimwellError) as error:
        said = " ".join(str(error).split())[:200]
        yield bar(f"gpu: {name} failed: {type(error).__name__}: {said}", math.nan, "", "== 1")


def _machine(device: torch.device) -> str:
    if device.type != "cuda":
        return f"{machine()}, torch {torch.__version__} on the processor"
    facts = torch.cuda.get_device_properties(device)
    memory = f"{facts.total_memory / 2**30:.0f} GiB"
    return f"{facts.name}, {memory}, CUDA {torch.version.cuda}, torch {torch.__version__}"


def write_bars(path: Path, rows: Sequence[Bar]) -> None:
    """Write bars as JSON; what is not a number is null."""
    plain = [asdict(row) for row in rows]
    for row in plain:
        row["value"] = row["value"] if math.isfinite(row["value"]) else None
    path.write_text(json.dumps(plain, indent=1, allow_nan=False), encoding="utf-8")
