"""Where every result comes from: sources, row counts, content hashes, and safe writing."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from aimwell.errors import AimwellError, InputError


@dataclass(frozen=True)
class Source:
    """One input: what it is, which release, under which licence, and its exact bytes.

    Raises:
        AimwellError: The licence is empty.
    """

    name: str
    release: str
    licence: str
    url: str = ""
    retrieved: str = ""
    sha256: str = ""

    def __post_init__(self) -> None:
        if not self.licence.strip():
            raise AimwellError(
                f"source '{self.name}' has no licence; state one, 'unknown' included, "
                "so that users can tell what they may use"
            )


@dataclass(frozen=True)
class Step:
    """Rows that went into a step, rows that came out, and why they differ."""

    name: str
    rows_in: int
    rows_out: int
    why: str = ""
    examples: tuple[str, ...] = ()


def sha256_of(path: Path) -> str:
    """Hash the bytes of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def content_hash(value: object) -> str:
    """Hash a configuration made of plain values, dataclasses, arrays and tables.

    Two equal values have the same hash in every process, whatever the order of dictionary keys.

    Example:
        >>> content_hash({"a": 1, "b": 2}) == content_hash({"b": 2, "a": 1})
        True
    """
    digest = hashlib.sha256()
    _feed(digest, value)
    return digest.hexdigest()


def _feed(digest: Any, value: object) -> None:
    if isinstance(value, pd.DataFrame):
        digest.update(b"frame")
        _feed(digest, [str(c) for c in value.columns])
        _feed(digest, value.index.to_numpy())
        for column in value.columns:
            _feed(digest, value[column].to_numpy())
    elif isinstance(value, pd.Series | pd.Index):
        _feed(digest, value.to_numpy())
    elif isinstance(value, np.ndarray):
        if value.dtype == object or value.dtype.kind in "UST":
            digest.update(b"text")
            digest.update("\x1f".join(map(str, value.ravel())).encode())
        else:
            digest.update(str(value.dtype).encode() + str(value.shape).encode())
            digest.update(np.ascontiguousarray(value).tobytes())
    elif isinstance(value, Mapping):
        digest.update(b"map")
        for key in sorted(value, key=str):
            _feed(digest, str(key))
            _feed(digest, value[key])
    elif isinstance(value, list | tuple):
        digest.update(f"list{len(value)}".encode())
        for item in value:
            _feed(digest, item)
    elif is_dataclass(value) and not isinstance(value, type):
        _feed(digest, {f: getattr(value, f) for f in value.__dataclass_fields__})
    else:
        digest.update(f"{type(value).__name__}:{value!s};".encode())


@contextmanager
def write_atomically(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` and move it there only when the block succeeds.

    A reader sees the old file or the new one, never half of either, whatever kills the writer.

    Raises:
        InputError: There can be no file at this place.
    """
    if path.is_dir():
        raise InputError(f"'{path}' is a folder; name a file in it")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            prefix=f".{path.stem}.", suffix=f".partial{path.suffix}", dir=path.parent
        )
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"cannot write to '{path}': '{path.parent}' is no folder that takes files; name "
            "another place"
        ) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """Write ``value`` as sorted, indented JSON, atomically; NaN becomes null."""
    text = json.dumps(to_plain(value), indent=1, sort_keys=True, ensure_ascii=False)
    with write_atomically(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def to_plain(value: object) -> Any:
    """Turn dataclasses, numpy values, paths and tables into plain JSON values."""
    if is_dataclass(value) and not isinstance(value, type):
        return to_plain(asdict(value))
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset | np.ndarray | pd.Index | pd.Series):
        items = sorted(value, key=str) if isinstance(value, set | frozenset) else list(value)
        return [to_plain(v) for v in items]
    if isinstance(value, pd.DataFrame):
        return [to_plain(row) for row in value.reset_index().to_dict("records")]
    if isinstance(value, np.generic):
        return to_plain(value.item())
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if isinstance(value, str | int | bool) or value is None:
        return value
    return None if value is pd.NA else str(value)
