"""Read the text of a database file, plain or packed, or say in one line why it cannot be read."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.archives import open_unpacked
from aimwell.knowledge.formats import recognise_format

#: No release of any database that is read whole comes near this size.
MAX_BYTES = 4 << 30
_BLOCK = 1 << 22


def read_lines(path: Path, what: str, *, encoding: str = "utf-8") -> list[str]:
    """Read all lines of a file, without line ends, byte-order mark and trailing blank lines.

    Plain or packed is told by the content, not by the name; line ends may be LF, CRLF or CR.

    Args:
        path: The file.
        what: What it should be, for messages: ``"a HGNC complete set"``.
        encoding: ``utf-8`` or, for the few databases that need it, ``latin-1``.

    Raises:
        InputError: As ``open_unpacked``; empty, binary, or another encoding.
    """
    data = _read_all(path, what)
    if not data.strip():
        raise InputError(f"'{path}' is empty; it should be {what}; download it again")
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise InputError(f"'{path}' is UTF-16 text; save it as UTF-8 (it should be {what})")
    if b"\0" in data[:4096]:
        raise InputError(binary(path, what, bytes(data[:4])))
    try:
        text = data.removeprefix(b"\xef\xbb\xbf").decode(encoding)
    except UnicodeDecodeError as error:
        row = data[: error.start].count(b"\n") + 1
        raise InputError(
            f"'{path}' is not {encoding.upper()} text: byte 0x{data[error.start]:02x} in line "
            f"{row}; it should be {what}; convert it, for example with iconv -t utf-8"
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n").rstrip("\n").split("\n")


def _read_all(path: Path, what: str) -> bytearray:
    data = bytearray()
    with open_unpacked(path, what) as stream:
        while block := stream.read(_BLOCK):
            data += block
            if len(data) > MAX_BYTES:
                raise InputError(
                    f"'{path}' holds more than {MAX_BYTES >> 30} GiB of text; is it {what}?"
                )
    return data


def read_table(  # noqa: PLR0913  every database bends the format in its own way
    path: Path,
    what: str,
    columns: Sequence[str],
    *,
    comment: str = "",
    encoding: str = "utf-8",
    quoted: bool = True,
    separator: str = "\t",
    or_else: Sequence[str] = (),
    optional: Sequence[str] = (),
) -> pd.DataFrame:
    """Read named columns of a tab-separated file with a header line, all as text.

    Args:
        path: The file, plain or gzipped.
        what: What it should be, for messages.
        columns: The columns to keep; others are ignored.
        comment: Lines before the header that start with this are skipped.
        encoding: As for ``read_lines``.
        quoted: Whether double quotes enclose fields.
        separator: What separates fields.
        or_else: The names of the same columns in another release of the database.
        optional: Columns that are kept where the file has them.

    Returns:
        One row per line, in file order; blank fields are empty strings.

    Raises:
        InputError: As ``read_lines``; a missing column (with what the file looks like instead), a
            row with another number of fields, or no row at all.
    """
    lines = read_lines(path, what, encoding=encoding)
    first = 0
    while comment and first < len(lines) and lines[first].startswith(comment):
        first += 1
    rows = split_rows(
        lines[first:], path, what, separator=separator, first_line=first + 1, quoted=quoted
    )
    header = [name.strip() for name in next(rows, (0, [""]))[1]]
    if or_else and all(c in header for c in or_else):
        columns = or_else
    if missing := [c for c in columns if c not in header]:
        raise InputError(wrong_file(path, what, lines, f"it lacks the columns {some(missing, 4)}"))
    columns = [*columns, *(c for c in optional if c in header)]
    if twice := [c for c in columns if header.count(c) > 1]:
        raise InputError(f"'{path}' has the column '{twice[0]}' {header.count(twice[0])} times")
    keep = [header.index(c) for c in columns]
    kept: list[list[str]] = [[] for _ in columns]
    for line, row in rows:
        if len(row) != len(header):
            if not any(row):
                continue
            raise InputError(
                f"'{path}', line {line}: {len(row)} fields, but the header names {len(header)}; "
                "the line is cut or holds a stray tab or quote"
            )
        for k, values in zip(keep, kept, strict=True):
            values.append(row[k])
    if not kept[0]:
        raise InputError(f"'{path}' has a header and no rows; it should be {what}")
    return pd.DataFrame(dict(zip(columns, kept, strict=True)), dtype=str)


def split_rows(
    lines: Iterable[str],
    path: Path,
    what: str,
    *,
    separator: str = "\t",
    first_line: int = 1,
    quoted: bool = True,
) -> Iterator[tuple[int, list[str]]]:
    """Split lines into fields and number them; a quote that never closes is an ``InputError``."""
    reader = csv.reader(
        lines,
        delimiter=separator,
        quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE,
        strict=True,
    )
    try:
        for row in reader:
            yield reader.line_num + first_line - 1, row
    except csv.Error as error:
        line = reader.line_num + first_line - 1
        guess = recognise_format(lines) if isinstance(lines, list) else ""
        looks = f" (it looks like {guess})" if guess not in ("", what) else ""
        raise InputError(
            f"'{path}', line {line}: {error}; it should be {what}{looks}; look for a stray quote"
        ) from error


def binary(path: Path, what: str, start: bytes) -> str:
    """Say that a file is no text, and what it is where its first bytes tell."""
    kind = "a Parquet file" if start == b"PAR1" else "a binary file"
    return f"'{path}' is {kind}; it should be {what}, as text"


def wrong_file(path: Path, what: str, lines: Sequence[str], found: str) -> str:
    """Say that a file is not what it should be, and what it looks like instead."""
    guess = recognise_format(lines)
    looks = f"; it looks like {guess}" if guess and guess != what else ""
    return f"'{path}' is not {what}: {found}{looks}; name the right file"
