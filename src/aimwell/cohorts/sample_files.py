"""Formats with one file per sample: which files a path names, and what their samples are called."""

import glob
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from aimwell.errors import InputError, some
from aimwell.provenance import sha256_of

#: Characters that make a path a pattern.
_WILD: Final = "*?["
#: More files than any cohort has samples; a pattern that finds them is a slip of the pen.
_MOST_FILES: Final = 20_000


def is_many(path: Path) -> bool:
    """Tell whether a path stands for several files: a folder, or a pattern that is no file."""
    return path.is_dir() or (not path.exists() and any(c in str(path) for c in _WILD))


def refuse_no_file(path: Path, what: str) -> None:
    """Refuse a path that is not one file, before a library says so in words of its own.

    Raises:
        InputError: Nothing there, a folder, a pipe, or an empty file.
    """
    if path.is_dir():
        raise InputError(f"'{path}' is a folder; name the file inside it that is {what}")
    if not path.exists():
        raise InputError(f"there is no file '{path}'; it should be {what}; correct its path")
    if not path.is_file():
        raise InputError(f"'{path}' is a pipe or device; save {what} as a file and name that")
    if not path.stat().st_size:
        raise InputError(f"'{path}' is empty; it should be {what}")


def files_at(path: Path, what: str, pattern: str = "*") -> list[Path]:
    """List the files that a path names: itself, those of a folder and below, those of a pattern.

    Args:
        path: A file, a folder, or a pattern such as ``star/*ReadsPerGene.out.tab``; ``**`` is any
            folder.
        what: What the files should be, for messages.
        pattern: Which files of a folder count.

    Returns:
        Sorted by their whole path.

    Raises:
        InputError: The folder or the pattern holds no such file, or far too many.
    """
    if not is_many(path):
        return [path]
    if path.is_dir():
        found = [p for p in path.rglob(pattern) if p.is_file()]
        problem = f"the folder '{path}' holds no file '{pattern}'"
    else:
        found = [Path(p) for p in glob.glob(str(path), recursive=True) if Path(p).is_file()]
        problem = f"no file matches '{path}'"
    if not found:
        raise InputError(f"{problem}; it should name {what}, one file per sample")
    if len(found) > _MOST_FILES:
        raise InputError(f"'{path}' names {len(found)} files; narrow it to those of the cohort")
    return sorted(found)


def sample_names(files: Sequence[Path], endings: Sequence[str]) -> list[str]:
    """Name samples after their files, or after the folders where the files are all called alike.

    The first of ``endings`` that a file's name has is cut off, and marks before it; if nothing
    is left, the folder names the sample.

    Raises:
        InputError: Two files give the same sample.

    Example:
        >>> sample_names([Path("a1.genes.results"), Path("a2.genes.results")], [".genes.results"])
        ['a1', 'a2']
        >>> sample_names([Path("s1/quant.sf"), Path("s2/quant.sf.gz")], ["quant.sf"])
        ['s1', 's2']
    """
    names = [_name(file, endings) for file in files]
    twice = sorted({n for n in names if names.count(n) > 1}) if len(set(names)) < len(names) else []
    if twice:
        of_first = [str(f) for f, n in zip(files, names, strict=True) if n == twice[0]]
        raise InputError(
            f"{len(twice)} samples come from several files, '{twice[0]}' from {some(of_first)}; "
            "give each sample one file, and each file or its folder the name of its sample"
        )
    return names


def _name(file: Path, endings: Sequence[str]) -> str:
    name = file.name.removesuffix(".gz")
    for ending in endings:
        if name.endswith(ending):
            name = name[: -len(ending)].rstrip("._-")
            break
    else:
        name = name.split(".")[0]
    return name or file.resolve().parent.name


def digest_of(path: Path) -> str:
    """Hash a file, or all files of a folder or pattern with their names; empty if none is there."""
    if path.is_file():
        return sha256_of(path)
    digest = hashlib.sha256()
    try:
        found = files_at(path, "")
    except InputError:
        return ""
    for file in found:
        if not file.is_file():
            return ""
        digest.update(f"{file.relative_to(_root(path))}\0{sha256_of(file)}\n".encode())
    return digest.hexdigest()


def _root(path: Path) -> Path:
    """The folder above every wildcard, so that a moved folder keeps its hash."""
    if path.is_dir():
        return path
    parts = path.parts
    fixed = next((i for i, part in enumerate(parts) if any(c in part for c in _WILD)), len(parts))
    return Path(*parts[:fixed])
