"""How much memory a fit takes, so that a run that cannot fit says so before it begins."""

import os

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.models.task import TargetTask

#: Copies of the widest array of a step that live at once: messages, their mix, and gradients.
COPIES = 4
NUMBER = 4  # bytes of a float32


def bytes_needed(task: TargetTask, settings: ModelSettings) -> int:
    """Estimate the peak of one fit beside what is loaded already, in bytes.

    Example:
        A graph of 16,647 genes with three channels, 32 wide and two layers: about 0.1 GB.
    """
    n, channels = len(task.genes), len(task.wiring.channels)
    width = settings.hidden * (3 if settings.fusion == "late" else 1)
    messages = n * (channels + 2) * width * settings.layers * COPIES
    arcs = sum(len(o.weight) for o in task.wiring.operators)
    if settings.convolution == "attention":
        messages += arcs * settings.layers * COPIES
    # structure is copied to a worker once: two index arrays of 8 bytes and two of weights
    return NUMBER * messages + 32 * arcs


def memory_free() -> int | None:
    """Say how many bytes the machine can still give, None where it does not tell."""
    try:
        with open("/proc/meminfo", encoding="ascii") as stream:
            lines = dict(line.split(":", 1) for line in stream)
        return int(lines["MemAvailable"].split()[0]) * 1024
    except (OSError, KeyError, ValueError, IndexError):
        pass
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_AVPHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def require_memory(
    task: TargetTask, settings: ModelSettings, free: int | None = None, jobs: int = 1
) -> None:
    """Refuse an ensemble of which not even one network per process fits.

    Args:
        task: Its size counts.
        settings: So does the width of the networks.
        free: Bytes that are free; asked of the machine where it is missing.
        jobs: Networks that are fitted at once.

    Raises:
        TaskError: With what is needed and what there is.
    """
    needed, there = bytes_needed(task, settings), memory_free() if free is None else free
    if there is not None and needed > there:
        raise TaskError(
            f"one network needs about {needed / 1e9:.1f} GB and {there / 1e9:.1f} GB are free; "
            f"lower model.hidden (now {settings.hidden}), leave relations out of the graph, or use "
            "a machine with more memory"
        )
    if there is not None and needed * jobs > there:
        raise TaskError(
            f"{jobs} networks at once need about {needed * jobs / 1e9:.1f} GB and "
            f"{there / 1e9:.1f} GB are free; lower run.jobs (--jobs) to {there // needed}"
        )
