"""The units of work that run in processes of their own: fits and blocks of targets.

Every process computes on one thread: thread pools change the order of sums, and with it the last
bits. Results do not depend on how many processes there are.
"""

import contextlib
import ctypes
import functools
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import pandas as pd
from threadpoolctl import threadpool_limits

from aimwell.cohorts.evidence import Evidence
from aimwell.config import ExplainSettings, ModelSettings
from aimwell.explain.preconditions import check_finite
from aimwell.explain.summaries import summarise_targets
from aimwell.explain.targets import explain_targets
from aimwell.models.fitting import fit_member
from aimwell.models.member import Member, Unit
from aimwell.models.task import TargetTask
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.executors import run_units
from aimwell.pipeline.shared import load_shared, save_shared
from aimwell.pipeline.tables import load_arrays, save_arrays
from aimwell.reports.export import write_explanation

#: Numbers of two settings of glibc's allocator (malloc.h).
_TRIM_THRESHOLD: Final = -1
_MMAP_THRESHOLD: Final = -3
Result = TypeVar("Result")


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread, in numpy and in torch."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def in_processes(
    function: Callable[..., Result],
    calls: Sequence[tuple[Any, ...]],
    jobs: int,
    executor: str = "local",
    names: Sequence[str] = (),
) -> Iterable[Result]:
    """Call ``function`` for every tuple of arguments, in ``jobs`` processes; order is free.

    Args:
        function, calls: What to do; importable and picklable, since processes do it.
        jobs: Number of processes.
        executor: Where they run, as in the run file.
        names: Of the calls, for what is said of one that fails.
    """
    results: Iterable[Result] = run_units(function, calls, jobs, executor, names)
    return results


@functools.cache
def keep_memory() -> None:
    """Let this process keep the memory that it frees: every training step asks for it again.

    Without this the C library gives arrays of megabytes back to the system at every step, and a
    sixth of the time of a fit goes into getting them again, page by page.
    """
    if sys.platform != "linux":
        return
    with contextlib.suppress(OSError, AttributeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_MMAP_THRESHOLD, 32 << 20)  # the largest that glibc takes
        mallopt(_TRIM_THRESHOLD, 256 << 20)


def share_task(cache: StageCache, key: str, task: TargetTask, evidence: Evidence) -> Path:
    """Write what all units of a run read, once; give the folder, which workers map into memory."""
    if not cache.has("task", key):
        cache.put("task", key, lambda entry: save_shared((task, evidence), entry))
    return cache.path("task", key)


def fit_and_keep(
    shared: Path, unit: Unit, key: str, settings: ModelSettings, seed: int, folder: Path
) -> str:
    """Fit one member and put it into the cache; give its key.

    Args:
        shared: What ``share_task`` gave.
        unit: The fold that is held out and the repeat.
        key: Of the member in the cache.
        settings, seed: As for ``fit_member``.
        folder: Of the cache.
    """
    keep_memory()
    with warnings.catch_warnings(), one_thread():
        # a worker has no user to warn; what matters is raised
        warnings.simplefilter("ignore")
        task, _ = load_shared(shared)
        member = fit_member(task, unit, settings, seed)
    keep_member(StageCache(folder), key, member)
    return key


def explain_and_keep(
    shared: Path,
    members: Sequence[str],
    wanted: Sequence[tuple[str, str]],
    settings: ExplainSettings,
    folder: Path,
) -> int:
    """Explain genes one by one and put each into the cache; give their number.

    Args:
        shared: What ``share_task`` gave.
        members: Keys of the members in the cache.
        wanted: Gene and key of every explanation.
        settings: As for ``explain_targets``.
        folder: Of the cache.
    """
    keep_memory()
    cache = StageCache(folder)
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")
        task, evidence = load_shared(shared)
        found = explain_targets(
            task,
            [load_member(cache, key) for key in members],
            evidence,
            pd.Index([gene for gene, _ in wanted]),
            settings,
        )
    for explanation, (_, key) in zip(found, wanted, strict=True):

        def save(entry: Path, one: Any = explanation) -> None:
            write_explanation(entry, one)

        cache.put("explanation", key, save)
    return len(wanted)


def summarise_and_keep(
    shared: Path,
    members: Sequence[str],
    wanted: tuple[Sequence[str], str],
    settings: ExplainSettings,
    folder: Path,
) -> int:
    """Explain genes in a few numbers each and put all into one entry; give how many they are.

    Args:
        shared, members, settings, folder: As for ``explain_and_keep``.
        wanted: Genes of one fold, and the key of the entry.
    """
    keep_memory()
    genes, key = wanted
    cache = StageCache(folder)
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")
        task, evidence = load_shared(shared)
        loaded = [load_member(cache, member) for member in members]
        rows, edges = summarise_targets(task, loaded, evidence, pd.Index(genes), settings)

    def save(entry: Path) -> None:
        rows.to_parquet(entry / "genes.parquet")
        edges.to_parquet(entry / "edges.parquet")

    cache.put("summary", key, save)
    return len(genes)


def keep_member(cache: StageCache, key: str, member: Member) -> None:
    """Put a fitted member into the cache."""
    arrays = member.to_arrays()
    cache.put("member", key, lambda entry: save_arrays(arrays, entry / "member.parquet"))


def load_member(cache: StageCache, key: str) -> Member:
    """Read a fitted member from the cache.

    Raises:
        TaskError: It holds numbers that are not finite.
    """
    member = Member.from_arrays(load_arrays(cache.path("member", key) / "member.parquet"))
    check_finite(member)
    return member
