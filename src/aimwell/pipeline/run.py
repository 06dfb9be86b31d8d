"""From a run file to a run folder, resuming where an earlier call stopped."""

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from filelock import FileLock, Timeout

from aimwell.config import RunConfig
from aimwell.errors import RunError, some
from aimwell.knowledge.presets import with_preset
from aimwell.limits import NETWORKS, refuse_short_memory
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.executors import check_executor, prepare
from aimwell.pipeline.keys import Keys, keys_of, verify_unchanged
from aimwell.pipeline.manifest import MANIFEST
from aimwell.pipeline.progress import Progress, Silent
from aimwell.provenance import sha256_of

STAGES = ".stages"


@dataclass(frozen=True)
class RunResult:
    """Where a run is and whether anything had to be computed."""

    folder: Path
    reused: bool

    @property
    def page(self) -> Path:
        """The page that people read."""
        return self.folder / "report.html"

    def targets(self) -> pd.DataFrame:
        """Read the ranked table."""
        return pd.read_csv(self.folder / "targets.tsv", sep="\t", low_memory=False)

    def checks(self) -> dict[str, Any]:
        """Read the checks and the ladder."""
        found: dict[str, Any] = json.loads((self.folder / "checks.json").read_text("utf-8"))
        return found


def run(
    config: RunConfig, *, progress: Progress | None = None, planted: pd.DataFrame | None = None
) -> RunResult:
    """Do everything that a run file asks for and write the run folder.

    Every stage whose inputs, settings and code are those of an earlier call is reused, fit by fit
    and target by target, so a killed run resumes and ends with the same bytes. All inputs are read
    and checked before the folder is touched.

    Args:
        config: What to do.
        progress: Told what is going on.
        planted: Truth of a simulated cohort (``gene``, ``symbol``, ``held_back``), for the page.

    Returns:
        The run folder, and whether everything was there already.

    Raises:
        AimwellError: Input, design, labels or folder cannot be used; nothing was written.
    """
    tell = progress or Silent()
    check_executor(config.run.executor)
    config = with_preset(config)  # the files of a preset are inputs like all others
    folder = Path(config.run.output)
    refuse_foreign(folder)
    held = folder.exists()  # another run may make it while this one reads
    with hold(folder, wanted=held):
        keys = keys_of(config)
        if _is_complete(folder, keys, config.run.device):
            tell.reuse("the whole run")
            return RunResult(folder, reused=True)
        refuse_short_memory(NETWORKS)
        prepare(config.run.jobs, config.run.executor)
        from aimwell.pipeline.devices import find_device
        from aimwell.pipeline.stages import Stages

        device = find_device(config.run.device, config.run.executor, tell)
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, device=device))
        stages = Stages(config, keys, StageCache(folder / STAGES), tell)
        stages.read()
        verify_unchanged(config, keys.files)
        with hold(folder, wanted=not held):
            stages.keep()
            stages.fit()
            stages.explain()
            stages.write(folder, planted)
            stages.cache.prune()
    return RunResult(folder, reused=False)


def refuse_foreign(folder: Path) -> None:
    """Refuse a folder that holds something else.

    Raises:
        RunError: The path is a file, or a folder with files that no run wrote.
    """
    if folder.is_file():
        raise RunError(f"'{folder}' is a file; name a folder in run.output or --output")
    if not folder.is_dir():
        return
    inside = [p.name for p in folder.iterdir() if p.name != ".lock"]
    if inside and STAGES not in inside and MANIFEST not in inside:
        raise RunError(
            f"'{folder}' is no run folder: it holds {some(sorted(inside))}; name an empty or new "
            "folder in run.output or --output"
        )


@contextmanager
def hold(folder: Path, *, wanted: bool = True) -> Iterator[None]:
    """Hold the run folder; the system lets go when the process ends, however it ends.

    Raises:
        RunError: Another run holds it, or it cannot be written to.
    """
    if not wanted:
        yield
        return
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # one lock per place: who holds the folder already may hold it again
        lock = FileLock(folder / ".lock", timeout=0, is_singleton=True)
        lock.acquire()
    except Timeout as error:
        raise RunError(
            f"another run is working in '{folder}'; wait for it, or name another folder with "
            "--output"
        ) from error
    except OSError as error:
        raise RunError(
            f"cannot write to '{folder}': {error.strerror}; name another folder in run.output or "
            "--output"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _is_complete(folder: Path, keys: Keys, device: str) -> bool:
    """True if the manifest was written by the same inputs, settings and code, and files match.

    What another device fitted is as good, unless one was asked for by name.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        outputs: dict[str, str] = manifest["outputs"]
        fitted = manifest["config"]["run"]["device"]
        same = device == "auto" or device.partition(":")[0] == fitted
        return (
            same
            and manifest["key"] == keys.whole
            and all(sha256_of(folder / name) == digest for name, digest in outputs.items())
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False
