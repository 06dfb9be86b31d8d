"""Read large tables block by block: plain or packed, and strict about every row."""

import codecs
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv as pc

from aimwell.errors import InputError
from aimwell.knowledge.archives import Unpacked, open_unpacked
from aimwell.knowledge.files import binary, wrong_file

BLOCK: Final = 16 << 20
_PEEK: Final = 1 << 16
_CONVERSION: Final = re.compile(
    r"In CSV column #(\d+): (?:Row #(\d+): )?.*invalid (?:value '(.*)'|UTF8)", re.DOTALL
)


class _Text(io.RawIOBase):
    """Bytes of UTF-8 text with LF line ends and no byte-order mark, whatever the file has."""

    def __init__(self, raw: Unpacked, start: bytes, where: tuple[Path, str]) -> None:
        self._raw = raw
        self._start = start
        self._where = where
        self._lines = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._start or self._raw.read(size)
        self._start = b""
        if data.endswith(b"\r"):
            data += self._raw.read(1)
        if b"\r" in data:
            data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        self._check(data)
        self._lines += data.count(b"\n")
        return data

    def _check(self, data: bytes) -> None:
        """Refuse bytes that are not UTF-8 here: the parser behind would not say where they are."""
        waiting = len(self._decoder.getstate()[0])
        if data and data.isascii() and not waiting:
            return
        try:
            self._decoder.decode(data, final=not data)
        except UnicodeDecodeError as error:
            path, what = self._where
            row = self._lines + data[: max(error.start - waiting, 0)].count(b"\n") + 1
            found = error.object[error.start]
            raise InputError(
                f"'{path}' is not UTF-8 text: byte 0x{found:02x} in line {row}; it should be "
                f"{what}; convert it, for example with iconv -t utf-8"
            ) from error


@contextmanager
def open_text(path: Path, what: str, member: str = "") -> Iterator[_Text]:
    """Open a file for reading in blocks; plain or packed is told by the content, not by the name.

    Args:
        path: The file.
        what: What it should be, for messages.
        member: As for ``open_unpacked``.

    Raises:
        InputError: As ``open_unpacked``; empty or binary.
    """
    with open_unpacked(path, what, member) as raw:
        yield _Text(raw, _first_block(raw, path, what), (path, what))


def _first_block(raw: Unpacked, path: Path, what: str) -> bytes:
    data = raw.read(_PEEK)
    more = data
    while more and not data.strip():
        more = raw.read(_PEEK)
        data = more
    if not data.strip():
        raise InputError(f"'{path}' is empty; it should be {what}; download it again")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"'{path}' is UTF-16 text; save it as UTF-8 (it should be {what})")
    if b"\0" in data[:4096]:
        raise InputError(binary(path, what, data[:4]))
    return data.removeprefix(b"\xef\xbb\xbf")


def first_lines(path: Path, what: str, member: str = "") -> list[str]:
    """Read the first lines of a file, at most 64 KiB, to tell its format.

    Raises:
        InputError: As ``open_text``.
    """
    with open_text(path, what, member) as text:
        data = text.read(_PEEK)
    lines = data.decode("utf-8", errors="replace").split("\n")
    return lines[:-1] if len(lines) > 1 and len(data) >= _PEEK else lines


def skip_comments(lines: Sequence[str], mark: str) -> int:
    """Count the lines at the start that begin with ``mark``."""
    return next((i for i, line in enumerate(lines) if not line.startswith(mark)), len(lines))


def stream_table(  # noqa: PLR0913  a table file has that many properties
    path: Path,
    what: str,
    header: Sequence[str],
    columns: Sequence[str],
    *,
    skip: int,
    separator: str = "\t",
    quoted: bool = False,
    numbers: Sequence[str] = (),
    repeated: Sequence[str] = (),
    member: str = "",
) -> Iterator[dict[str, pa.Array]]:
    """Read columns of a table block by block.

    Args:
        path: The file.
        what: What it should be, for messages.
        header: Names of all columns of the file, in order.
        columns: The columns to read.
        skip: Lines before the first row: comments and the header line.
        separator: What stands between fields.
        quoted: Whether double quotes enclose fields, which may then hold line ends.
        numbers: Those of ``columns`` that hold numbers, blank for missing; the others are text.
        repeated: Those of text that repeat few values; they come dictionary-encoded, which is
            faster and smaller.
        member: As for ``open_text``.

    Yields:
        Column name → values of a block of rows.

    Raises:
        InputError: A row with another number of fields, text where a number was expected, or
            bytes that are not UTF-8.
    """
    wanted = list(dict.fromkeys(columns))
    bad: list[Any] = []

    def refuse(row: Any) -> str:
        if not row.text.replace(separator, "").strip():
            return "skip"
        bad.append(row)
        return "error"

    options: dict[str, Any] = {
        "read_options": pc.ReadOptions(
            column_names=list(header), use_threads=False, block_size=BLOCK, skip_rows=skip
        ),
        "parse_options": pc.ParseOptions(
            delimiter=separator,
            quote_char='"' if quoted else False,
            newlines_in_values=quoted,
            invalid_row_handler=refuse,
        ),
        "convert_options": pc.ConvertOptions(
            column_types={c: _type(c in numbers, c in repeated) for c in wanted},
            include_columns=wanted,
            strings_can_be_null=False,
            null_values=["", "-", "NA", "None", "null"],
        ),
    }
    with open_text(path, what, member) as text:
        try:
            reader = pc.open_csv(pa.PythonFile(text, mode="r"), **options)
            for batch in reader:
                yield {name: batch.column(name) for name in wanted}
        except pa.ArrowInvalid as error:
            if "Empty CSV" in str(error):  # a header and not one row: the caller refuses that
                return
            raise InputError(_explain(error, bad, path, what, header, wanted)) from error
        finally:
            pa.default_memory_pool().release_unused()


def _type(number: bool, repeated: bool) -> pa.DataType:
    if number:
        return pa.float64()
    return pa.dictionary(pa.int32(), pa.string()) if repeated else pa.string()


def _explain(
    error: Exception,
    bad: Sequence[Any],
    path: Path,
    what: str,
    header: Sequence[str],
    wanted: Sequence[str],
) -> str:
    if bad:
        row = bad[0]
        shown = row.text[:60].replace("\n", " ").replace("\r", " ")
        return (
            f"'{path}', line {row.number}: {row.actual_columns} fields where {row.expected_columns}"
            f" were expected ('{shown}'); it should be {what}; the line is cut or holds a stray "
            "separator"
        )
    found = _CONVERSION.search(str(error))
    if found:
        line = f", line {found[2]}" if found[2] else ""
        column = (header[int(found[1])] if int(found[1]) < len(header) else wanted[0])[:40]
        if found[3] is None:
            return (
                f"'{path}'{line}: the column '{column}' is not UTF-8 text; convert it, for example "
                "with iconv -t utf-8"
            )
        value = found[3][:40].replace("\n", " ")
        return f"'{path}'{line}: '{value}' in the column '{column}' where a number was expected"
    reason = str(error).split("\n", maxsplit=1)[0][:120]
    return f"'{path}' cannot be read as {what}: {reason}; download it again"


def split_header(
    lines: Sequence[str], path: Path, what: str, separator: str = "\t", skip: int = 0
) -> list[str]:
    """Split the header line into names, without quotes and a leading ``#``.

    Raises:
        InputError: There is no line, or two columns share a name.
    """
    if skip >= len(lines):
        raise InputError(f"'{path}' has comments and nothing else; it should be {what}")
    names = [name.strip().strip('"') for name in lines[skip].lstrip("#").split(separator)]
    counts = Counter(names)
    twice = sorted(name for name, count in counts.items() if name and count > 1)
    if twice:
        found = f"it has the column '{twice[0][:40]}' {counts[twice[0]]} times"
        raise InputError(wrong_file(path, what, lines, found))
    # a table that R wrote with row names has one column without a name
    return [name or f"column {i + 1}" for i, name in enumerate(names)]


def require_columns(
    header: Sequence[str], columns: Sequence[str], path: Path, what: str, lines: Sequence[str]
) -> None:
    """Refuse a file that lacks a column, and say what it looks like instead.

    Raises:
        InputError: A column is missing.
    """
    if missing := [c for c in columns if c not in header]:
        named = ", ".join(f"'{c}'" for c in missing[:4])
        raise InputError(wrong_file(path, what, lines, f"it lacks the columns {named}"))


def scores_of(
    values: pa.Array,
    path: Path,
    column: str,
    first_row: int,
    *,
    largest: float = 1.0,
    missing: float | None = None,
) -> npt.NDArray[np.float64]:
    """Check that scores lie in [0, ``largest``] and scale them to [0, 1].

    Args:
        values: Numbers, or null where blank.
        path, column, first_row: Where they come from, for messages.
        largest: What 1 is written as.
        missing: Takes the place of a blank; None refuses one.

    Raises:
        InputError: A score outside its range, or a blank one.
    """
    numbers = values.to_numpy(zero_copy_only=False).astype(np.float64) / largest
    blank = np.isnan(numbers)
    if missing is not None:
        numbers = np.where(blank, missing, numbers)
        blank = np.zeros(len(numbers), bool)
    wrong = np.flatnonzero(blank | ~((numbers >= 0) & (numbers <= 1)))
    if len(wrong):
        at = int(wrong[0])
        shown = "blank" if np.isnan(numbers[at]) else f"{numbers[at] * largest:g}"
        raise InputError(
            f"'{path}', row {first_row + at + 1}: the score '{column}' is {shown}; it must lie in "
            f"[0, {largest:g}]"
        )
    found: npt.NDArray[np.float64] = numbers
    return found
