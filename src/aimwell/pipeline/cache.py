"""Results of stages, kept by the hash of all that they depend on.

An entry is a folder that is renamed into place when it is complete, with the hashes of its files
inside: after a kill at any moment it is there whole or not at all, and a damaged one counts as
absent and is made again.
"""

import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import aimwell
from aimwell.provenance import content_hash, sha256_of

DONE: Final = "done.json"


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
            listed: dict[str, str] = json.loads((entry / DONE).read_text(encoding="utf-8"))
            return all(sha256_of(entry / name) == digest for name, digest in listed.items())
        except (OSError, ValueError, AttributeError):
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
            (fresh / DONE).write_text(json.dumps(listed, indent=1), encoding="utf-8")
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
