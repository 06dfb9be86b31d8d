"""Bars of reliability: kill -9 and Ctrl-C at random moments, and damaged input of every kind."""

import importlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aimwell.bench.bars import Bar, bar
from aimwell.bench.children import Ended, in_child, small_settings, to_toml, write_inputs
from aimwell.bench.fuzz import fuzz
from aimwell.config import config_from
from aimwell.pipeline import run
from aimwell.pipeline.manifest import MANIFEST
from aimwell.pipeline.run import STAGES

KILLS: Final = 100
INTERRUPTS: Final = 10
#: First and last lines that are shown of an end that was not tidy.
SHOWN: Final = 4
#: Seconds of damaged input.
FUZZING: Final = 600
#: Every how many kills fall into a run that replaces the outputs of an earlier one.
REPLACING: Final = 2
#: Every how many kills fall into a run with two processes of its own, which must end with it.
SHARING: Final = 10


def measure(data: str) -> Iterator[Bar]:
    """Measure; ``data`` is not needed.

    ``AIMWELL_KILLS``, ``AIMWELL_INTERRUPTS`` and ``AIMWELL_FUZZING`` (seconds) make it shorter or
    longer.
    """
    del data
    kills = int(os.environ.get("AIMWELL_KILLS", KILLS))
    interrupts = int(os.environ.get("AIMWELL_INTERRUPTS", INTERRUPTS))
    seconds = float(os.environ.get("AIMWELL_FUZZING", FUZZING))
    importlib.import_module("aimwell.pipeline.stages")  # a child then starts with everything loaded
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_inputs_in_child(folder)
        if kills:
            yield from _kills(folder, kills)
        if interrupts:
            yield from _interrupts(folder, interrupts)
        if seconds:
            yield from fuzz(folder, seconds)


def write_inputs_in_child(folder: Path) -> None:
    """Write the inputs without computing anything in this process."""

    def work() -> int:
        write_inputs(folder / "data")
        return 0

    in_child(work, folder / "log.txt")


def run_in_child(
    folder: Path, output: Path, *, top: int, jobs: int = 1, after: float | None = None
) -> Ended:
    """Run the small run in a child, and kill it after so many seconds."""

    def work() -> int:
        run(config_from(small_settings(folder / "data", output, top=top, jobs=jobs)))
        return 0

    return in_child(work, folder / "log.txt", kill_after=after)


def _kills(folder: Path, kills: int) -> Iterator[Bar]:
    clean = folder / "clean"
    took = [run_in_child(folder, clean, top=2).seconds]
    wanted = outputs(clean)
    earlier = folder / "earlier"
    run_in_child(folder, earlier, top=3)
    took.append(run_in_child(folder, folder / "shared", top=2, jobs=2).seconds)
    draw = random.Random(1)  # noqa: S311  moments, not secrets
    killed = resumed = identical = mixed = 0
    for _ in range(3 * kills):
        if killed == kills:
            break
        output = folder / "killed"
        replacing = killed % REPLACING == 1
        if replacing:
            shutil.copytree(earlier, output)
        sharing = killed % SHARING == SHARING - 1
        after = draw.uniform(0, took[sharing])
        ended = run_in_child(folder, output, top=2, jobs=1 + sharing, after=after)
        if ended.status == -signal.SIGKILL:
            killed += 1
            mixed += not _is_whole(output, (wanted, outputs(earlier)))
            resumed += run_in_child(folder, output, top=2).status == 0
            identical += outputs(output) == wanted
        shutil.rmtree(output, ignore_errors=True)
    yield bar("kill -9 at random moments of a run: kills", killed, "", f">= {kills}")
    yield bar("the same: folders with a manifest over files of another run", mixed, "", "== 0")
    yield bar("the same: calls that resumed and finished", resumed, "", f"== {kills}")
    yield bar("the same: results that are identical to the byte", identical, "", f"== {kills}")


def _is_whole(output: Path, runs: tuple[dict[str, bytes], ...]) -> bool:
    """True if a folder with a manifest holds exactly the files of one finished run."""
    return not (output / MANIFEST).exists() or outputs(output) in runs


def outputs(folder: Path) -> dict[str, bytes]:
    """Every file that a run wrote for its reader."""
    found = [
        p for p in folder.rglob("*") if p.is_file() and p.relative_to(folder).parts[0][0] != "."
    ]
    return {
        p.relative_to(folder).as_posix(): p.read_bytes() for p in found if STAGES not in p.parts
    }


def _interrupts(folder: Path, interrupts: int) -> Iterator[Bar]:
    """Send what Ctrl-C in a terminal sends, to the command with its two processes."""
    clean = folder / "clean"
    if not clean.exists():
        run_in_child(folder, clean, top=2)
    file = folder / "run.toml"
    output = folder / "stopped"
    file.write_text(to_toml(small_settings(folder / "data", output, jobs=2)), encoding="utf-8")
    took = _interrupted(file, None)[1]
    draw = random.Random(2)  # noqa: S311
    stopped, longest, unclean = 0, 0.0, []
    for _ in range(interrupts):
        shutil.rmtree(output, ignore_errors=True)
        after = draw.uniform(0.3, max(0.4, took - 0.2))
        status, seconds, said = _interrupted(file, after)
        if status != 0:  # otherwise it was done before
            stopped += 1
            longest = max(longest, seconds)
            if untidy := end_of(status, said):
                unclean.append((untidy, after))
    finished = _interrupted(file, None)[0] == 0 and outputs(output) == outputs(clean)
    yield bar("Ctrl-C at random moments: runs that it stopped", stopped)
    yield bar("the same: longest time to the end", longest, "s", "<= 2")
    yield bar("the same: ends with another status or not one line", len(unclean), "", "== 0")
    for untidy, after in unclean:
        yield bar(f"the same: {untidy}, after", after, "s")
    yield bar("the same: the next call gives the identical result", finished, "", "== 1")


def end_of(status: int, said: str) -> str:
    r"""Say how a command ended that was to end with one line and status 130; nothing if it did.

    Example:
        >>> end_of(130, "error [STOPPED]: stopped\n")
        ''
        >>> end_of(1, "Traceback (most recent call last):\n  File ...\nKeyboardInterrupt\n")
        'status 1, 3 lines: Traceback (most recent call last): | File ... | KeyboardInterrupt'
    """
    lines = [line.strip() for line in said.splitlines()]
    if status == 130 and len(lines) == 1:
        return ""
    # where it broke stands at the beginning, what it was at the end
    shown = lines if len(lines) <= 2 * SHOWN else [*lines[:SHOWN], "…", *lines[-SHOWN:]]
    return f"status {status}, {len(lines)} lines: {' | '.join(shown)}"


def _interrupted(file: Path, after: float | None) -> tuple[int, float, str]:
    """Run the command; status, seconds (from the signal on, if one is sent), and what it said."""
    command = [sys.executable, "-m", "aimwell", "run", str(file), "--quiet"]
    surroundings = {k: v for k, v in os.environ.items() if k != "AIMWELL_DATA"}
    process = subprocess.Popen(
        command, start_new_session=True, stderr=subprocess.PIPE, text=True, env=surroundings
    )
    begun = time.monotonic()
    if after is not None:
        time.sleep(after)
        begun = time.monotonic()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
    said = process.communicate()[1]
    return process.returncode, time.monotonic() - begun, said
