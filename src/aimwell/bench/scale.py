"""Bars of scale: processes, clusters, memory of a worker, growth with workers and with edges."""

import contextlib
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from aimwell.bench.bars import Bar, bar
from aimwell.bench.coad import EXAMPLE
from aimwell.bench.weighing import empty, libraries, nothing, weigh
from aimwell.config import RunConfig, read_config
from aimwell.errors import AimwellError, ConfigError
from aimwell.knowledge.presets import with_preset
from aimwell.models.member import member_units
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.executors import prepare
from aimwell.pipeline.keys import keys_of
from aimwell.pipeline.processes import pool_of
from aimwell.pipeline.progress import Silent
from aimwell.pipeline.stages import Stages
from aimwell.pipeline.workers import fit_and_keep, in_processes, keep_memory, share_task

#: Epochs of the fits that only compare executors.
SHORT: Final = 5
#: Empty units that measure what it costs to hand one out.
EMPTY: Final = 200
#: Fits of a study with null networks: 25 for the ensemble, and for each of 200 permutations.
STUDY: Final = 25 * 201
WORKERS: Final = (1, 2, 10, 100, 1000)
ARCS: Final = (100_000, 1_000_000, 10_000_000, 100_000_000)
#: Memory that a fit on a graph of so many arcs takes at its peak, where it has to be estimated.
BYTES_PER_ARC: Final = 110


def measure(data: str) -> Iterator[Bar]:
    """Measure on the colon cohort and on synthetic graphs."""
    if not data:
        raise ConfigError("scale is measured on the colon cohort: --data DIR")
    yield from _workers()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        yield from _cohort(data, folder)
    yield from _edges()
    yield from _partitioned()


def _workers() -> Iterator[Bar]:
    """Start two workers of this machine twice: with what they are forked from, and again."""
    yield bar("scale: local: start of two workers, the first of a command", _start("local"), "s")
    pool_of(2).shutdown(kill_workers=True)
    yield bar("scale: local: start of two workers, later", _start("local"), "s")
    name = "scale: memory of a worker that has read nothing, shared with none"
    yield bar(name, max(in_processes(empty, [()] * 2, 2)) / 1e6, "MB")
    name = "scale: memory of the libraries, which all workers of a command share on Linux"
    yield bar(name, max(in_processes(libraries, [()] * 2, 2)) / 1e6, "MB")


def _start(executor: str) -> float:
    begun = time.perf_counter()
    list(in_processes(nothing, [(i,) for i in range(2)], 2, executor))
    return time.perf_counter() - begun


def _cohort(data: str, folder: Path) -> Iterator[Bar]:
    prepare(2, "local")  # as a run does: libraries are loaded beside its reading
    config = with_preset(read_config(EXAMPLE, data=data))
    stages = Stages(config, keys_of(config), StageCache(folder / "stages"), Silent())
    stages.read()
    stages.keep()
    shared = share_task(stages.cache, "scale", stages.task, stages.evidence).resolve()
    size = sum(p.stat().st_size for p in shared.iterdir())
    yield bar("scale: coad: what workers map into memory", size / 1e6, "MB")
    seconds, kept = {}, {}
    for jobs in (1, 2):
        begun = time.perf_counter()
        kept[jobs] = _fits(shared, folder / f"jobs{jobs}", config, jobs, "local")
        seconds[jobs] = time.perf_counter() - begun
    units = len(member_units(config.model))
    gain = seconds[1] / seconds[2]
    yield bar("scale: coad: training and nulls on 2 processes against 1", gain, "times", ">= 1.7")
    yield bar("scale: coad: bit-identical on 2 processes", float(kept[1] == kept[2]), "", "== 1")
    unit = seconds[1] / units
    private = max(in_processes(weigh, [(shared, config.model, config.run.seed)] * 2, 2))
    yield bar("scale: memory per worker beyond the shared graph", private / 1e6, "MB", "<= 300")
    short = replace(config, model=replace(config.model, epochs=SHORT, seeds=1))
    serial = _fits(shared, folder / "serial", short, 1, "local")
    costs = {}
    for executor in ("local", "dask", "ray"):
        package = {"dask": "distributed", "ray": "ray"}.get(executor, "joblib")
        if importlib.util.find_spec(package) is None:
            yield bar(f"scale: {executor}: not installed", math.nan)
            continue
        started = _start(executor)
        begun = time.perf_counter()
        list(in_processes(nothing, [(i,) for i in range(EMPTY)], 2, executor))
        costs[executor] = (started, (time.perf_counter() - begun) / EMPTY)
        same = _fits(shared, folder / executor, short, 2, executor) == serial
        yield bar(
            f"scale: {executor}, 2 workers: the bytes of serial work", float(same), "", "== 1"
        )
        if executor != "local":
            yield bar(f"scale: {executor}: start of two workers", started, "s")
        yield bar(f"scale: {executor}: overhead per unit", 1000 * costs[executor][1], "ms")
    yield from _growth(unit, *costs.get("dask", costs["local"]), size)


def _fits(
    shared: Path, folder: Path, config: RunConfig, jobs: int, executor: str
) -> dict[str, bytes]:
    """Fit every member; give the bytes of each."""
    units = member_units(config.model)
    calls = [(shared, u, u.name, config.model, config.run.seed, folder) for u in units]
    for _ in in_processes(fit_and_keep, calls, jobs, executor):
        pass
    cache = StageCache(folder)
    return {u.name: (cache.path("member", u.name) / "member.parquet").read_bytes() for u in units}


def _growth(unit: float, start: float, overhead: float, size: int) -> Iterator[Bar]:
    """Say how long a study takes on more workers than are here, from what was measured.

    The scheduler hands out one unit after the other; every machine of 16 workers reads the graph
    once, all from one disk of 500 MB/s; and the last units leave workers idle.
    """
    for workers in WORKERS:
        moved = math.ceil(workers / 16) * size / 500e6
        busy = max(math.ceil(STUDY / workers) * unit, STUDY * overhead)
        seconds = start + moved + busy
        name = f"scale: {STUDY} fits on {workers} workers, simulated"
        yield bar(name, seconds / 60, "min")
        yield bar(f"{name}: of perfect", STUDY * unit / workers / seconds, "share")


def _edges() -> Iterator[Bar]:
    """Measure time and memory of an epoch for every number of arcs that fits this machine."""
    for arcs in ARCS:
        name = f"scale: {arcs:.0e} arcs".replace("e+0", "e")
        needed, free = arcs * BYTES_PER_ARC, free_bytes()
        if needed > 0.8 * free:
            yield bar(f"{name}: does not fit now: memory needed", needed / 1e9, "GB")
            continue
        seconds, gigabytes = _in_own_process(arcs)
        yield bar(f"{name}: epoch", seconds, "s")
        yield bar(f"{name}: peak memory of the process", gigabytes, "GB")


def free_bytes() -> int:
    """Memory that is free or can be freed at once."""
    with contextlib.suppress(OSError, StopIteration):
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(li.split()[1]) for li in lines if li.startswith("MemAvailable"))
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _in_own_process(arcs: int) -> tuple[float, float]:
    done = _python(["-m", "aimwell.bench.scale", str(arcs)])
    seconds, gigabytes = done.split()
    return float(seconds), float(gigabytes)


def _partitioned(arcs: int = 2_000_000) -> Iterator[Bar]:
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    found = json.loads(_python([*launcher, "-m", "aimwell.bench.partitioned", str(arcs)]))
    apart = np.abs(np.array(found["one"]) - np.array(found["all"])).max()
    name = "scale: rows on two processes"
    yield bar(f"{name}: largest difference of the loss in five steps", float(apart), "", "<= 1e-5")
    yield bar(f"{name}: arcs on the larger half", max(found["arcs"]) / arcs, "share", "<= 0.55")


def _python(arguments: list[str]) -> str:
    """Run Python on one thread; give the last line of its output."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *arguments], capture_output=True, text=True, check=False, env=environment
    )
    if done.returncode:
        raise AimwellError(
            f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-300:]}"
        )
    return done.stdout.strip().splitlines()[-1]


def main(arcs: int) -> None:
    """Print seconds per epoch and peak gigabytes of this process."""
    import resource

    import torch

    from aimwell.bench.training import epoch_seconds, synthetic_task

    torch.set_num_threads(1)
    keep_memory()
    seconds = epoch_seconds(synthetic_task(arcs, genes=max(18_000, math.isqrt(40 * arcs))))
    print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


if __name__ == "__main__":
    main(int(sys.argv[1]))
