"""Text tables before their cells mean anything: bytes, header, delimiter."""

import csv
import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aimwell.errors import InputError, some

#: Cells that stand for a missing value, compared after blanks are stripped.
MISSING: Final = frozenset({"", "NA", "NaN", "nan", "null", "NULL"})
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_DELIMITERS: Final = {"\t": "tabs", ",": "commas", ";": "semicolons"}
_FOREIGN: Final = {
    b"PK\x03\x04": "an Excel or zip file",
    b"\xd0\xcf\x11\xe0": "an old Excel file",
    b"PAR1": "a Parquet file",
    b"\x89HDF": "an HDF5 file",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}
_GZIP: Final = b"\x1f\x8b"
_LINE_END: Final = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class TextTable:
    """A file cut into its header and everything below it.

    Attributes:
        where: The file, for messages.
        header: Names of the columns, blanks stripped; the first stands above the row names.
        body: The bytes below the header.
        delimiter: One character.
        first_line: Number of the line where ``body`` starts, counted from 1.
    """

    where: str
    header: tuple[str, ...]
    body: bytes
    delimiter: str
    first_line: int


def open_table(path: Path) -> TextTable:
    """Open a delimited text file, plain or gzip, and find its header and delimiter.

    Raises:
        InputError: The file is missing, a folder, empty, a truncated gzip, not UTF-8 text,
            without rows, or its header has no delimiter or a repeated name.
    """
    where = f"'{path}'"
    content = _content(path).removeprefix(b"\xef\xbb\xbf")
    for magic, kind in _FOREIGN.items():
        if content.startswith(magic):
            raise InputError(f"{where} is {kind}; save it as UTF-8 text with tabs or commas")
    if not content.strip():
        raise InputError(f"{where} is empty; a header and at least one row are needed")
    start = len(content) - len(content.lstrip(b"\r\n"))
    end = _LINE_END.search(content, start)
    first, body = (content[start : end.start()], content[end.end() :]) if end else (content, b"")
    try:
        line = first.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{where} is not UTF-8 text in line 1: {error.reason}") from error
    delimiter = _delimiter(line, where)
    header = _header(line, delimiter, where)
    if not body.strip():
        raise InputError(f"{where} has a header but no rows below it")
    above = len(_LINE_END.findall(content, 0, start))
    return TextTable(where, header, body, delimiter, above + 2)


def _content(path: Path) -> bytes:
    if path.is_dir():
        raise InputError(f"'{path}' is a folder; name a file in it")
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise InputError(f"there is no file '{path}'; check the path and run.data") from error
    except (OSError, ValueError) as error:
        raise InputError(f"'{path}' cannot be read: {error}") from error
    if not content.startswith(_GZIP):
        return content
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise InputError(
            f"'{path}' is a truncated or damaged gzip file ({error}); fetch it again"
        ) from error


def _delimiter(line: str, where: str) -> str:
    outside = re.sub(r'"[^"]*"', "", line)
    if "\t" in outside:
        return "\t"
    found = max((",", ";"), key=outside.count)
    if found not in outside:
        raise InputError(
            f"{where} has one column in its header ({line[:40]!r}); "
            f"columns must be parted by {', '.join(_DELIMITERS.values())}"
        )
    return found


def _header(line: str, delimiter: str, where: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter))
    except csv.Error as error:
        raise InputError(f"{where} has a header that cannot be read: {error}") from error
    header = tuple(cell.strip() for cell in cells)
    blank = [i + 1 for i, name in enumerate(header) if i and not name]
    if blank:
        raise InputError(f"{where}: column {blank[0]} has no name in the header; name or remove it")
    refuse_repeats(header[1:], where, "the column name")
    return header


def refuse_repeats(names: tuple[str, ...] | list[str], where: str, what: str) -> None:
    """Refuse names that occur twice, with the first of them.

    Raises:
        InputError: A name occurs more than once.
    """
    if len(set(names)) == len(names):
        return
    seen: set[str] = set()
    twice = sorted({n for n in names if n in seen or seen.add(n)})  # type: ignore[func-returns-value]
    raise InputError(
        f"{where}: {what} {some(twice)} occurs more than once; "
        "every name must be unique, so rename or remove the extra ones"
    )
