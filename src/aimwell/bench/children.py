"""Work in a process that is forked, so that it starts at once and can be killed at any moment."""

import os
import runpy
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aimwell.errors import AimwellError
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation


@dataclass(frozen=True)
class Ended:
    """How a child ended.

    Attributes:
        status: Exit status; the negative number of the signal where one ended it.
        seconds: Wall time.
        said: What it wrote to stdout and stderr.
        hung: It had to be killed at the limit.
    """

    status: int
    seconds: float
    said: str
    hung: bool = False


def in_child(
    work: Callable[[], int], log: Path, *, kill_after: float | None = None, limit: float = 300.0
) -> Ended:
    """Do ``work`` in a fork of this process and wait for it.

    Nothing that starts threads may have run in this process: a fork has the locks of all threads
    and only one of them.

    Args:
        work: Gives the exit status.
        log: File that takes what the child says.
        kill_after: Seconds until ``kill -9``; None for never.
        limit: Seconds after which a child counts as hung.

    Raises:
        AimwellError: The system cannot fork.
    """
    if not hasattr(os, "fork"):
        raise AimwellError("this benchmark kills processes as POSIX systems do, and needs one")
    sys.stdout.flush()
    sys.stderr.flush()
    begun = time.monotonic()
    child = os.fork()
    if child == 0:
        _become(work, log)
    killed = False
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        passed = time.monotonic() - begun
        if ended:
            said = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
            return Ended(os.waitstatus_to_exitcode(status), passed, said, passed > limit)
        if not killed and passed > min(limit, limit if kill_after is None else kill_after):
            os.kill(child, signal.SIGKILL)
            killed = True
        time.sleep(0.001)


def _become(work: Callable[[], int], log: Path) -> None:
    """Be the child: nothing of the parent's is run or flushed a second time."""
    status = 1
    try:
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(handle, 1)
        os.dup2(handle, 2)
        sys.stdout = sys.stderr = os.fdopen(handle, "w", encoding="utf-8", errors="replace")
        status = work()
        sys.stdout.flush()
    except BaseException:  # whatever it is, the child must not become the parent
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def call(arguments: Sequence[str]) -> int:
    """Run a command in this process, as ``python -m aimwell`` would; give its exit status."""
    sys.argv = ["aimwell", *arguments]
    try:
        runpy.run_module("aimwell", run_name="__main__")
    except SystemExit as left:
        return left.code if isinstance(left.code, int) else 0 if left.code is None else 1
    return 0


def small_settings(data: Path, output: Path, *, top: int = 2, jobs: int = 1) -> dict[str, Any]:
    """Give the settings of a run of two layers that takes about a second."""
    pattern = {"subject_pattern": "^(.*)_"}
    rna = {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
    protein = {"path": "protein_log2_ratio.tsv", "layer": "protein", "kind": "protein"}
    arms = {"condition": "condition", "case": "case", "control": "control", "subject": "subject"}
    return {
        "run": {"title": "small", "data": str(data), "output": str(output), "jobs": jobs},
        "cohort": {
            "matrices": [{**rna, **pattern}, {**protein, "unit": "log2_ratio", **pattern}],
            "sheet": {"path": "samples.tsv"},
        },
        "contrasts": [{"name": n, "layer": n, **arms} for n in ("rna", "protein")],
        "known_targets": {"sources": [{"reader": "genes", "path": "known_targets.txt"}]},
        "model": {"folds": 2, "seeds": 2, "epochs": 3},
        "explain": {"top": top, "steps": 8},
    }


def write_inputs(folder: Path) -> None:
    """Write the files of a cohort of four subjects, simulated on the starter graph."""
    from aimwell.knowledge.sources.starter import read_starter_graph

    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(subjects=4), seed=3)
    write_simulation(cohort, folder, graph.symbols)


def to_toml(value: object) -> str:
    r"""Write plain values as TOML; a mapping at the top becomes lines.

    Example:
        >>> to_toml({"a": 1, "b": {"c": "x"}})
        "a = 1\nb = {c = 'x'}\n"
    """
    if isinstance(value, dict):
        return "".join(f"{k} = {_inline(v)}\n" for k, v in value.items())
    return _inline(value)


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{k} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(v) for v in value) + "]"
    return repr(value) if isinstance(value, str) else str(value).lower()
