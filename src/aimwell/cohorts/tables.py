"""Text tables before their cells mean anything: lines, header, delimiter."""

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines

#: Cells that stand for a missing value, compared after blanks are stripped.
MISSING: Final = frozenset({"", "NA", "NaN", "nan", "null", "NULL"})
NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class TextTable:
    """A file cut into its header and the lines below it.

    Attributes:
        where: The file, for messages.
        header: Names of the columns, blanks stripped; the first stands above the row names.
        lines: The lines below the header.
        delimiter: One character.
        first_line: Number of the first of ``lines`` in the file, counted from 1.
    """

    where: str
    header: tuple[str, ...]
    lines: Sequence[str]
    delimiter: str
    first_line: int


def open_table(path: Path, what: str, *, comment: str = "") -> TextTable:
    """Open a delimited text file, plain or gzip, and find its header and delimiter.

    Args:
        path: The file.
        what: What it should be, for messages.
        comment: Lines above the header that start with this are skipped.

    Raises:
        InputError: The file is missing, a folder, empty, a truncated gzip, not UTF-8 text,
            without rows, or its header has no delimiter or a repeated name.
    """
    where = f"'{path}'"
    lines = read_lines(path, what)
    top = next((i for i, line in enumerate(lines) if _is_header(line, comment)), None)
    if top is None:
        raise InputError(f"{where} has no header below its comments; it should be {what}")
    delimiter = delimiter_of(lines[top], where)
    header = _header(lines[top], delimiter, where)
    if not any(line.strip() for line in lines[top + 1 :]):
        raise InputError(f"{where} has a header but no rows below it; it should be {what}")
    return TextTable(where, header, lines[top + 1 :], delimiter, top + 2)


def _is_header(line: str, comment: str) -> bool:
    return bool(line.strip()) and not (comment and line.startswith(comment))


def delimiter_of(line: str, where: str) -> str:
    """Find what parts the cells of a header: a tab, or the more frequent of comma and semicolon.

    Raises:
        InputError: None of them is there.
    """
    outside = re.sub(r'"[^"]*"', "", line)
    if "\t" in outside:
        return "\t"
    found = max((",", ";"), key=outside.count)
    if found not in outside:
        raise InputError(
            f"{where} has one column in its header ({line[:40]!r}); "
            "columns must be parted by tabs, commas or semicolons"
        )
    return found


def _header(line: str, delimiter: str, where: str) -> tuple[str, ...]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise InputError(f"{where} has a header that cannot be read: {error}") from error
    header = tuple(cell.strip() for cell in cells)
    blank = [i + 1 for i, name in enumerate(header) if i and not name]
    if blank:
        raise InputError(f"{where}: column {blank[0]} has no name in the header; name or remove it")
    return header


def split_line(line: str, delimiter: str) -> list[str]:
    """Cut a line into its cells; one that breaks the rules of quotes has none."""
    try:
        return next(csv.reader([line], delimiter=delimiter, strict=True))
    except csv.Error:
        return []


def refuse_repeats(names: Sequence[str], where: str, what: str) -> None:
    """Refuse names that occur more than once.

    Raises:
        InputError: With the names that do, sorted.
    """
    if len(set(names)) == len(names):
        return
    ordered = sorted(names)
    twice = sorted({a for a, b in pairwise(ordered) if a == b})
    raise InputError(
        f"{where}: {len(twice)} {what} names occur more than once: {some(twice)}; "
        "every name must be unique, so rename, merge or remove the extra ones"
    )
