"""Bars of scale: processes, clusters, memory of a worker, growth with workers and with edges."""

import contextlib
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from aimwell.bench.bars import Bar, bar
from aimwell.bench.coad import EXAMPLE
from aimwell.config import ModelSettings, RunConfig, read_config
from aimwell.errors import AimwellError, ConfigError
from aimwell.knowledge.presets import with_preset
from aimwell.models.member import Unit, member_units
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.keys import keys_of
from aimwell.pipeline.progress import Silent
from aimwell.pipeline.stages import Stages
from aimwell.pipeline.workers import fit_and_keep, in_processes, keep_memory, share_task

#: Epochs of the fits that only compare executors.
SHORT: Final = 5
#: Empty units that measure what it costs to hand one out.
EMPTY: Final = 200
#: Loads what a worker loads, and prints the memory that only it has.
EMPTY_WORKER: Final = (
    "import aimwell.pipeline.workers, aimwell.bench.scale as s; print(s.private_bytes())"
)
#: Fits of a study with null networks: 25 for the ensemble, and for each of 200 permutations.
STUDY: Final = 25 * 201
WORKERS: Final = (1, 2, 10, 100, 1000)
ARCS: Final = (100_000, 1_000_000, 10_000_000, 100_000_000)
#: Memory that a fit on a graph of so many arcs takes at its peak, where it has to be estimated.
BYTES_PER_ARC: Final = 150


def measure(data: str) -> Iterator[Bar]:
    """Measure on the colon cohort and on synthetic graphs."""
    if not data:
        raise ConfigError("scale is measured on the colon cohort: --data DIR")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        yield from _cohort(data, folder)
    yield from _edges()
    yield from _partitioned()


def _cohort(data: str, folder: Path) -> Iterator[Bar]:
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
    private = max(in_processes(_weigh, [(shared, config.model, config.run.seed)] * 2, 2))
    yield bar("scale: memory per worker beyond the shared graph", private / 1e6, "MB", "<= 300")
    empty = float(_python(["-c", EMPTY_WORKER]))
    yield bar("scale: the same of a worker that has read nothing", empty / 1e6, "MB")
    short = replace(config, model=replace(config.model, epochs=SHORT, seeds=1))
    serial = _fits(shared, folder / "serial", short, 1, "local")
    costs = {}
    for executor in ("local", "dask", "ray"):
        package = {"dask": "distributed", "ray": "ray"}.get(executor, "joblib")
        if importlib.util.find_spec(package) is None:
            yield bar(f"scale: {executor}: not installed", math.nan)
            continue
        begun = time.perf_counter()
        list(in_processes(_nothing, [(i,) for i in range(2)], 2, executor))
        started = time.perf_counter() - begun
        begun = time.perf_counter()
        list(in_processes(_nothing, [(i,) for i in range(EMPTY)], 2, executor))
        costs[executor] = (started, (time.perf_counter() - begun) / EMPTY)
        same = _fits(shared, folder / executor, short, 2, executor) == serial
        yield bar(
            f"scale: {executor}, 2 workers: the bytes of serial work", float(same), "", "== 1"
        )
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


def _nothing(number: int) -> int:
    return number


def _weigh(shared: Path, settings: ModelSettings, seed: int) -> int:
    """Fit a member in this worker; give the largest memory that only this process has, in bytes."""
    largest, done = [0], threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            largest[0] = max(largest[0], private_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    with tempfile.TemporaryDirectory() as folder:
        fit_and_keep(shared, Unit(0, 0), "weighed", settings, seed, Path(folder))
    done.set()
    watcher.join()
    return largest[0]


def private_bytes() -> int:
    """Memory that this process shares with no other; 0 where the system does not say."""
    try:
        lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Private_"))


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
