"""Results of stages, kept by the hash of all that they depend on.

An entry is a folder that is renamed into place when it is complete, with the hashes of its files
inside: after a kill at any moment it is there whole or not at all, and a damaged one counts as
absent and is made again. The record of an entry names the code that made it, since no later
version will ever ask for it.
"""

import functools
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import aimwell
from aimwell.provenance import content_hash, sha256_of

DONE: Final = "done.json"
_ENTRY: Final = re.compile(r".+-[0-9a-f]{20}")


@functools.cache
def code_hash() -> str:
    """Hash the source of aimwell: results of other code are never reused.

    Example:
        >>> code_hash() == code_hash()
        True
    """
    root = Path(aimwell.__file__).parent
    files = sorted(p for p in root.rglob("*") if p.suffix in {".py", ".html", ".js", ".css"})
    return content_hash([(p.relative_to(root).as_posix(), sha256_of(p)) for p in files])


class StageCache:
    """Finished stages below one folder.

    Args:
        folder: Where entries are kept; made with the first entry.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def path(self, stage: str, key: str) -> Path:
        """Folder of an entry, whether it exists or not."""
        return self.folder / f"{stage}-{key[:20]}"

    def has(self, stage: str, key: str) -> bool:
        """True if the entry is complete and its files are as they were written."""
        entry = self.path(stage, key)
        try:
            files: dict[str, str] = _record(entry)["files"]
            return all(sha256_of(entry / name) == digest for name, digest in files.items())
        except (OSError, ValueError, AttributeError, LookupError, TypeError):
            return False

    def put(self, stage: str, key: str, save: Callable[[Path], None]) -> Path:
        """Let ``save`` fill a folder and move it into place.

        Returns:
            The folder of the entry.
        """
        entry = self.path(stage, key)
        self.folder.mkdir(parents=True, exist_ok=True)
        fresh = Path(tempfile.mkdtemp(prefix=".", suffix=".partial", dir=self.folder))
        try:
            save(fresh)
            files = sorted(p for p in fresh.rglob("*") if p.is_file())
            listed = {p.relative_to(fresh).as_posix(): sha256_of(p) for p in files}
            record = {"code": code_hash(), "files": listed}
            (fresh / DONE).write_text(json.dumps(record, indent=1), encoding="utf-8")
            if entry.exists():  # damaged, or made by a run that lost its lock
                shutil.rmtree(entry)
            fresh.rename(entry)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        return entry

    def sweep(self) -> None:
        """Remove what killed runs left half-made."""
        for partial in self.folder.glob(".*.partial"):
            shutil.rmtree(partial, ignore_errors=True)

    def prune(self) -> int:
        """Remove the entries of other versions of aimwell, which none will ask for again.

        Called when a run is complete, so that a version that cannot finish costs nothing.

        Returns:
            How many entries were removed.
        """
        if not self.folder.is_dir():
            return 0
        entries = [p for p in self.folder.iterdir() if p.is_dir() and _ENTRY.fullmatch(p.name)]
        foreign = [entry for entry in entries if not _is_of_this_code(entry)]
        for entry in foreign:
            shutil.rmtree(entry, ignore_errors=True)
        return len(foreign)


def _record(entry: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((entry / DONE).read_text(encoding="utf-8"))
    return found


def _is_of_this_code(entry: Path) -> bool:
    try:
        return bool(_record(entry)["code"] == code_hash())
    except (OSError, ValueError, LookupError, TypeError):  # of an earlier form, or damaged
        return False
