"""Damaged input of every kind, given to every command that reads it."""

import hashlib
import importlib
import os
import random
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from aimwell.bench.bars import Bar, bar
from aimwell.bench.children import Ended, call, in_child
from aimwell.bench.damage import damage
from aimwell.bench.fuzz_inputs import CASES, Case, lay_out

#: Seconds after which a command counts as hung; on sound input each takes one or two.
HANG: Final = 300.0
#: What may appear where a command is refused: locks, and whole stages of a run that was finished.
MAY_APPEAR: Final = ("finished/.lock", "finished/.stages/", "made/.aimwell.fetch.lock")


def fuzz(folder: Path, seconds: float, seed: int = 0) -> Iterator[Bar]:
    """Damage inputs at random for so long and count what should not happen.

    Every file of every command is damaged once before any is damaged again.

    Args:
        folder: With the inputs of the small run in ``data``.
        seconds: How long.
        seed: Of the damage.
    """
    sound = folder / "sound"
    made = in_child(lambda: lay_out(folder / "data", sound), folder / "log.txt")
    if made.status:
        raise RuntimeError(f"the sound inputs could not be made: {made.said[-2000:]}")
    refusing = [
        " ".join(case.arguments)
        for case in CASES
        if _called(case, _copied(sound, folder), folder).status != 0
    ]
    print(*refusing, sep="\n", end="", file=sys.stderr)
    yield bar(
        "sound input: commands that end with another status than 0", len(refusing), "", "== 0"
    )
    draw = random.Random(seed)  # noqa: S311  damage, not secrets
    end = time.monotonic() + seconds
    counts = {"tracebacks": 0, "hangs": 0, "partial": 0}
    tried = refused = 0
    pairs = [(c, pattern) for c in CASES for pattern in c.reads if any(sound.glob(pattern))]
    waiting: list[tuple[Case, str]] = []
    while time.monotonic() < end:
        if not waiting:
            waiting = draw.sample(pairs, len(pairs))
        case, pattern = waiting.pop()
        work = _copied(sound, folder)
        path = draw.choice(sorted(p for p in work.glob(pattern) if p.is_file()))
        what = damage(path, draw)
        before = contents(work)
        ended = _called(case, work, folder)
        tried += 1
        refused += ended.status == 2
        for fault in faults(ended, before, work):
            counts[fault] += 1
            told = ended.said.strip().splitlines()[-1:] or [""]
            where = path.relative_to(work)
            line = f"{fault}: aimwell {' '.join(case.arguments)}, {where}: {what}: {told[0][:300]}"
            print(line, file=sys.stderr)
    yield bar(f"damaged input for {seconds:.0f} s: commands", tried)
    yield bar("the same: rounds over every file of every command", tried / len(pairs), "", ">= 1")
    yield bar("the same: refused with status 2", refused)
    yield bar("the same: tracebacks and bugs", counts["tracebacks"], "", "== 0")
    yield bar("the same: hangs", counts["hangs"], "", "== 0")
    yield bar("the same: refused, but something was written", counts["partial"], "", "== 0")


def _copied(sound: Path, folder: Path) -> Path:
    work = folder / "work"
    shutil.rmtree(work, ignore_errors=True)
    return Path(shutil.copytree(sound, work))


def _called(case: Case, work: Path, folder: Path) -> Ended:
    return in_child(lambda: call_there(case, work), folder / "log.txt", limit=HANG)


def call_there(case: Case, work: Path) -> int:
    """Run a command in a folder, in this process; a viewer is made and serves nobody."""
    viewer: Any = importlib.import_module("aimwell.cli.view")
    viewer.serve = lambda server, _: server.server_close()
    os.chdir(work)
    os.environ.pop("AIMWELL_DATA", None)
    return call(case.arguments)


def faults(ended: Ended, before: Mapping[str, str], work: Path) -> Iterator[str]:
    """Name what went wrong, given what the folder held before the command."""
    if ended.hung:
        yield "hangs"
    elif ended.status not in {0, 2} or "Traceback" in ended.said:
        yield "tracebacks"
    elif ended.status == 2 and contents(work) != before:
        yield "partial"


def contents(folder: Path) -> dict[str, str]:
    """Give every file below a folder with its hash, without what may appear after a refusal."""
    names = {p: p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path, name in names.items()
        if not name.startswith(MAY_APPEAR) or ".partial" in name
    }
