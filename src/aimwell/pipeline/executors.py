"""Where units of work run: in processes of this machine, or on a cluster of Dask, Ray or Slurm.

Every unit is a function and its arguments; it does not know where it runs, and its result does not
depend on it. A unit that fails is tried again, a worker that is lost is replaced, and what fails
nevertheless is reported by name.
"""

import functools
import importlib.util
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from aimwell.errors import AimwellError, ConfigError, RunError, some

#: How often a unit is begun before it counts as failed.
TRIES: Final = 3
#: Seconds after which what was killed is gone.
SETTLING: Final = 0.2
#: Executors by name, and the packages behind them.
PACKAGES: Final = {"dask": "distributed", "ray": "ray", "slurm": "dask_jobqueue"}


@dataclass(frozen=True)
class Outcome:
    """What became of one unit: its value, or why there is none."""

    index: int
    value: Any = None
    fault: Exception | None = None


Units = Callable[[Callable[..., Any], Sequence[tuple[Any, ...]], Sequence[int]], Iterator[Outcome]]


class LostWorkerError(Exception):
    """A worker ended in the middle of a unit; which one is known if it worked alone."""


def check_executor(executor: str) -> None:
    """Refuse an executor whose package is not installed.

    Raises:
        ConfigError: With how to install it.
    """
    package = PACKAGES.get(executor.partition("://")[0])
    if package and importlib.util.find_spec(package) is None:
        raise ConfigError(
            f"run.executor = '{executor}' needs the package {package}, which is not installed; "
            "pip install 'aimwell[cluster]', or use 'local'"
        )


def prepare(jobs: int, executor: str) -> None:
    """Begin to load what workers of this machine need, beside what comes before their work."""
    if jobs > 1 and executor == "local":
        from aimwell.pipeline.processes import start_server

        start_server()


def run_units(
    function: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    jobs: int,
    executor: str = "local",
    names: Sequence[str] = (),
) -> Iterator[Any]:
    """Call ``function`` for every tuple of arguments somewhere; give the results as they come.

    Args:
        function, calls: What to do; both must be importable and picklable.
        jobs: Processes, where the executor starts them.
        executor: As in the run file.
        names: Of the calls, for what is said of one that fails.

    Raises:
        AimwellError: Raised by a unit, at once: the same input would fail again.
        RunError: A unit whose worker is lost every time.
        RuntimeError: A unit that fails every time; out of memory and refused files as they are.
    """
    named = [*names] or [f"unit {i + 1} of {len(calls)}" for i in range(len(calls))]
    units = _units_of(executor, min(jobs, len(calls)))
    tried = dict.fromkeys(range(len(calls)), 0)
    losses = 0
    while tried:
        # after two losses one by one, so that the unit that takes its worker with it is known
        batches = [[i] for i in tried] if losses >= TRIES - 1 else [[*tried]]
        for batch in batches:
            try:
                for outcome in units(function, calls, batch):
                    if outcome.fault is None:
                        del tried[outcome.index]
                        yield outcome.value
                        continue
                    tried[outcome.index] += 1
                    if isinstance(outcome.fault, AimwellError):
                        raise outcome.fault
                    if tried[outcome.index] >= TRIES:
                        raise _named(outcome.fault, named[outcome.index])
            except LostWorkerError as error:
                losses += 1
                if losses >= TRIES:
                    left = some([named[i] for i in batch])
                    raise RunError(
                        f"the process that worked on {left} ended {TRIES} times without a word: "
                        "killed, or out of memory; use fewer jobs or look at the system's log, "
                        "then call again: what is finished is kept"
                    ) from error


def _named(fault: Exception, name: str) -> Exception:
    if isinstance(fault, MemoryError | OSError):
        fault.add_note(f"in {name}, {TRIES} times")
        return fault
    error = RuntimeError(f"{name} failed {TRIES} times: {type(fault).__name__}: {fault}")
    error.__cause__ = fault
    return error


def attempt(function: Callable[..., Any], index: int, arguments: tuple[Any, ...]) -> Outcome:
    """Do one unit; a fault travels back as a value, so that the others go on."""
    try:
        return Outcome(index, function(*arguments))
    except Exception as error:
        return Outcome(index, fault=error)


def _units_of(executor: str, jobs: int) -> Units:
    name, _, place = executor.partition("://")
    if name == "local":
        return functools.partial(_local, jobs)
    check_executor(executor)
    if name == "ray":
        return functools.partial(_ray, place, jobs)
    return functools.partial(_dask, name, place, jobs)


def _local(
    jobs: int,
    function: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    wanted: Sequence[int],
) -> Iterator[Outcome]:
    """Processes of this machine; without company in this process."""
    if jobs == 1 or len(calls) == 1:
        yield from (attempt(function, i, calls[i]) for i in wanted)
        return
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    from aimwell.pipeline.processes import in_pool

    work = ((attempt, function, i, calls[i]) for i in wanted)
    try:
        # one unit alone gets a process nevertheless: it may be the one that ends its worker
        yield from in_pool(work, min(jobs, len(wanted)) if len(wanted) > 1 else 2)
    except (TerminatedWorkerError, EOFError, ConnectionError) as error:
        time.sleep(SETTLING)  # a server that is ending still seems alive, and answers nobody
        raise LostWorkerError from error


def _dask(
    name: str,
    place: str,
    jobs: int,
    function: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    wanted: Sequence[int],
) -> Iterator[Outcome]:
    """Workers of Dask, started here, reached at an address, or queued in Slurm."""
    distributed: Any = importlib.import_module("distributed")
    client = _dask_client(name, place, jobs)
    futures = [
        client.submit(attempt, function, i, calls[i], pure=False, retries=TRIES - 1) for i in wanted
    ]
    try:
        for future in distributed.as_completed(futures):
            try:
                yield future.result()
            except distributed.KilledWorker as error:
                raise LostWorkerError from error
    finally:
        client.cancel(futures)


@functools.cache
def _dask_client(name: str, place: str, jobs: int) -> Any:
    distributed: Any = importlib.import_module("distributed")
    try:
        if name == "slurm":
            return distributed.Client(slurm_cluster(place, jobs))
        if place:
            return distributed.Client(f"tcp://{place}", timeout=10)
        local = {"threads_per_worker": 1, "dashboard_address": None}
        return distributed.Client(distributed.LocalCluster(n_workers=jobs, **local))
    except (OSError, TimeoutError) as error:
        raise ConfigError(
            f"no Dask scheduler answers at '{place}' ({error}); start one with 'dask scheduler', "
            "or use the executor 'local'"
        ) from error


def slurm_cluster(partition: str, jobs: int) -> Any:
    """Queue one job of Slurm per worker, one core and 4 GB each."""
    jobqueue: Any = importlib.import_module("dask_jobqueue")
    job = {"cores": 1, "processes": 1, "memory": "4GB", "walltime": "24:00:00"}
    cluster = jobqueue.SLURMCluster(**job, **({"queue": partition} if partition else {}))
    cluster.scale(jobs)
    return cluster


def _ray(
    place: str,
    jobs: int,
    function: Callable[..., Any],
    calls: Sequence[tuple[Any, ...]],
    wanted: Sequence[int],
) -> Iterator[Outcome]:
    """Workers of Ray, started here or reached at an address."""
    ray: Any = importlib.import_module("ray")
    if not ray.is_initialized():
        try:
            where = {"address": f"ray://{place}"} if place else {"num_cpus": jobs}
            ray.init(**where, include_dashboard=False, log_to_driver=False, logging_level="error")
        except ConnectionError as error:
            raise ConfigError(
                f"no Ray cluster answers at '{place}' ({error}); start one with 'ray start "
                "--head', or use the executor 'local'"
            ) from error
    remote = ray.remote(num_cpus=1, max_retries=TRIES - 1)(attempt)
    waiting = [remote.remote(function, i, calls[i]) for i in wanted]
    while waiting:
        done, waiting = ray.wait(waiting)
        try:
            yield from ray.get(done)
        except ray.exceptions.RayError as error:
            raise LostWorkerError from error
