"""Units that say what the worker that does them holds, and load nothing that others do not."""

import os
import tempfile
import threading
import time
from pathlib import Path

from aimwell.config import ModelSettings
from aimwell.models.member import Unit
from aimwell.pipeline.workers import fit_and_keep


def nothing(number: int) -> int:
    """Do nothing, to see what it costs to hand that out."""
    return number


def empty() -> int:
    """Give the memory that only this worker has before it read anything, in bytes."""
    time.sleep(0.3)  # so that each worker does one
    return private_bytes()


def libraries() -> int:
    """Give the memory of the process that workers are forked from, files aside, in bytes."""
    return _memory("Anonymous", str(os.getppid()))


def weigh(shared: Path, settings: ModelSettings, seed: int) -> int:
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
    return _memory("Private_", "self")


def _memory(kind: str, process: str) -> int:
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    return sum(1024 * int(line.split()[1]) for line in lines if line.startswith(kind))
