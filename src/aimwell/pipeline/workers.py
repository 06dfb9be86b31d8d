"""The units of work that run in processes of their own: fits and blocks of targets.

Every process computes on one thread: thread pools change the order of sums, and with it the last
bits. Results do not depend on how many processes there are.
"""

import dataclasses
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from joblib import Parallel, delayed
from threadpoolctl import threadpool_limits

from aimwell.cohorts.evidence import Evidence
from aimwell.config import ExplainSettings, ModelSettings
from aimwell.explain.targets import explain_targets
from aimwell.knowledge.graph import GENE, GENE_COLUMNS, TargetGraph
from aimwell.models.task import TargetTask
from aimwell.models.training import Member, Unit, fit_member
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.tables import save_arrays
from aimwell.reports.export import write_explanation

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
    function: Callable[..., Result], calls: Sequence[tuple[Any, ...]], jobs: int
) -> Iterable[Result]:
    """Call ``function`` for every tuple of arguments, in ``jobs`` processes; order is free."""
    if jobs == 1 or len(calls) == 1:
        return (function(*arguments) for arguments in calls)
    jobs = min(jobs, len(calls))
    workers = Parallel(
        n_jobs=jobs,
        backend="loky",
        return_as="generator_unordered",
        initializer=_end_with,
        initargs=(os.getpid(),),
    )
    results: Iterable[Result] = workers(delayed(function)(*arguments) for arguments in calls)
    return results


def _end_with(parent: int) -> None:
    """End this process soon after its parent.

    Workers of a killed run would wait for minutes, hold its memory and its output open, and go on
    writing into a cache that another run holds by then.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    if os.name == "posix":  # elsewhere a launcher may stand between parent and child
        threading.Thread(target=watch, daemon=True).start()


def fit_and_keep(
    task: TargetTask, unit: Unit, key: str, settings: ModelSettings, seed: int, folder: Path
) -> str:
    """Fit one member and put it into the cache; give its key."""
    with warnings.catch_warnings(), one_thread():
        # a worker has no user to warn; what matters is raised
        warnings.simplefilter("ignore")
        arrays = fit_member(task, unit, settings, seed).to_arrays()
    StageCache(folder).put("member", key, lambda entry: save_arrays(arrays, entry / "member.npz"))
    return key


def explain_and_keep(
    task: TargetTask,
    members: Sequence[Member],
    evidence: Evidence,
    wanted: Sequence[tuple[str, str]],
    settings: ExplainSettings,
    folder: Path,
) -> int:
    """Explain genes one by one and put each into the cache; give their number.

    Args:
        task, members, evidence, settings: As for ``explain_targets``.
        wanted: Gene and key of every explanation.
        folder: Of the cache.
    """
    cache = StageCache(folder)
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")
        genes = pd.Index([gene for gene, _ in wanted])
        found = explain_targets(task, members, evidence, genes, settings)
    for explanation, (_, key) in zip(found, wanted, strict=True):

        def save(entry: Path, one: Any = explanation) -> None:
            write_explanation(entry, one)

        cache.put("explanation", key, save)
    return len(wanted)


def without_names(task: TargetTask) -> TargetTask:
    """Leave out what a fit does not read, so that little travels to the workers."""
    none = pd.DataFrame({c: [] for c in GENE_COLUMNS}, index=pd.Index([], dtype=str))
    bare = dataclasses.replace(task.wiring, edges=task.wiring.edges.iloc[:0])
    return dataclasses.replace(task, graph=TargetGraph({GENE: none}, {}), wiring=bare)
