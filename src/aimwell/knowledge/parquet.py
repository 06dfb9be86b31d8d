"""Read columns of a Parquet data set, one file or a folder of parts, as databases publish them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from aimwell.errors import InputError, some
from aimwell.provenance import content_hash, sha256_of


def read_parquet_columns(
    path: Path,
    what: str,
    columns: Sequence[str],
    *,
    optional: Sequence[str] = (),
    numbers: Sequence[str] = (),
    nested: Sequence[str] = (),
) -> pd.DataFrame:
    """Read named columns, in the order of the files' names, as text where nothing else is said.

    Args:
        path: A Parquet file, or a folder whose ``*.parquet`` files are its parts.
        what: What it should be, for messages.
        columns: Columns that must be there.
        optional: Columns that are read where there are any.
        numbers: Those that hold numbers, missing ones as NaN.
        nested: Those that may hold anything, such as lists.

    Raises:
        InputError: Missing, a folder without Parquet files, another format, a missing column, or
            one of another type.
    """
    if not path.exists():
        raise InputError(f"there is no file or folder '{path}'; it should be {what}")
    parts = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
    if not parts:
        raise InputError(f"the folder '{path}' holds no .parquet file; it should be {what}")
    try:
        found = ds.dataset([str(part) for part in parts], format="parquet")
        names = found.schema.names
        if missing := [c for c in columns if c not in names]:
            raise InputError(
                f"'{path}' is not {what}: it lacks the columns {some(missing, 4)}; "
                f"it has {some(names, 8)}; name the right data set"
            )
        wanted = [*columns, *(c for c in optional if c in names)]
        read = found.to_table(columns=wanted, use_threads=False)
        typed = {
            name: read[name] if name in nested else _typed(read[name], name in numbers, name, path)
            for name in wanted
        }
        table: pd.DataFrame = pa.table(typed).to_pandas()
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:  # names of columns too
        text = " ".join(str(error).split())[:120]
        raise InputError(
            f"'{path}' cannot be read as Parquet ({text}); it should be {what}; download it again"
        ) from error
    if table.empty:
        raise InputError(f"'{path}' has not one row; it should be {what}")
    return table


def _typed(column: pa.ChunkedArray, number: bool, name: str, path: Path) -> pa.ChunkedArray:
    try:
        typed = column.cast(pa.float64() if number else pa.string())
        typed.validate(full=True)  # text that is no UTF-8 passes everything else
    except pa.ArrowException as error:
        expected = "numbers" if number else "text"
        raise InputError(
            f"'{path}': the column '{name}' holds {str(column.type)[:60]} where {expected} was "
            "expected; name the right data set"
        ) from error
    return typed


def hash_of(path: Path) -> str:
    """Hash a file, or a folder by its files' names and bytes."""
    if not path.is_dir():
        return sha256_of(path)
    files = sorted(part for part in path.rglob("*") if part.is_file())
    return content_hash({str(part.relative_to(path)): sha256_of(part) for part in files})
