"""What the networks of a run are fitted on, and what the manifest says of it."""

import os
import platform
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import torch

from aimwell.config import ModelSettings
from aimwell.errors import RunError
from aimwell.models.lanes import choose_way, free_bytes
from aimwell.models.member import Member, Unit
from aimwell.models.stacked import can_stack, fit_stacked, members_at_once
from aimwell.models.task import TargetTask
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.progress import Progress
from aimwell.pipeline.tables import read_facts, write_facts

FACTS: Final = "facts.json"
#: What stands in a manifest whose networks were fitted on processors.
PROCESSOR: Final[Mapping[str, Any]] = {"networks": "cpu"}


def find_device(wanted: str, executor: str, progress: Progress) -> str:
    """Turn ``run.device`` into a device that is there.

    Args:
        wanted: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
        executor: ``auto`` is the processor where other machines compute.
        progress: Told which GPU is used, and why one that is there is not.

    Raises:
        RunError: A GPU that is not there, or that torch cannot use.
    """
    if wanted == "cpu" or (wanted == "auto" and executor != "local"):
        return "cpu"
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")  # torch warns of a driver that is too old, and goes on
        number = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = int(wanted.partition(":")[2] or 0)
    if index < number:
        # cuBLAS repeats its bits only with a workspace of a fixed size, set before its first use
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        progress.note(f"networks are fitted on {torch.cuda.get_device_name(index)}")
        return wanted if wanted != "auto" else "cuda"
    why = f" ({str(said[0].message).splitlines()[0]})" if said else ""
    if wanted == "auto":
        if said:
            progress.note(f"torch cannot use the GPU{why}; networks are fitted on the processor")
        return "cpu"
    built = torch.version.cuda
    have = (
        f"torch {torch.__version__} is built for CUDA {built}"
        if built
        else (f"torch {torch.__version__} is built without CUDA")
    )
    raise RunError(
        f"run.device = '{wanted}' is not there: {have} and finds {number} GPUs{why}; use 'auto' "
        "or 'cpu', or install a torch and a driver that fit the GPU"
    )


def kind_of(device: str, task: TargetTask, settings: ModelSettings) -> str:
    """Say what the networks of a task are fitted on, ``cuda`` or ``cpu``.

    Networks that do not stack are fitted on the processor whatever there is.
    """
    return "cuda" if device.startswith("cuda") and can_stack(task, settings) else "cpu"


class DeviceFits:
    """Fits networks on a GPU, and keeps with them how.

    Args:
        task, settings, seed: As for ``fit_stacked``.
        device: ``cuda`` or ``cuda:N``.
        cache, key: Where it is kept how the networks of this task are fitted, so that a run that
            goes on later does it in the same way.
    """

    def __init__(
        self,
        task: TargetTask,
        settings: ModelSettings,
        seed: int,
        device: str,
        cache: StageCache,
        key: str,
    ) -> None:
        self.task, self.settings, self.seed, self.device = task, settings, seed, device
        self.cache, self.key = cache, key

    def facts(self) -> Mapping[str, Any]:
        """Say which GPU fitted the networks, and how."""
        return read_facts(self.cache.path("device", self.key) / FACTS)

    def fit(self, units: Sequence[Unit], progress: Progress) -> Iterator[Member]:
        """Fit members; they come in the order of ``units``.

        Raises:
            RunError: The GPU is not there.
            TaskError: Its memory is too small for one network.
        """
        device = find_device(self.device, "local", progress)
        if not self.cache.has("device", self.key):
            facts = self._choose(device, len(units))
            self.cache.put("device", self.key, lambda entry: write_facts(entry / FACTS, facts))
        way = str(self.facts()["way"])
        yield from fit_stacked(
            self.task, units, self.settings, self.seed, device, way=way, tell=progress.note
        )

    def _choose(self, device: str, members: int) -> dict[str, Any]:
        place = torch.device(device)
        most = members_at_once(self.task, self.settings, free_bytes(place))
        operators = [o.to(place, torch.float32) for o in self.task.wiring.operators]
        choice = choose_way(operators, min(most, members), self.settings.hidden)
        cuda = place.type == "cuda"
        return {
            "networks": place.type,
            "name": torch.cuda.get_device_name(place) if cuda else platform.machine(),
            "cuda": torch.version.cuda,
            "way": choice.way,
            "repeats": choice.repeats,
        }
