"""Tables of vendors' programs: text and numbers side by side, in text or Parquet files."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from aimwell.cohorts.cohort import Unit
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.tables import MISSING, NUMBER, open_table, refuse_repeats
from aimwell.config import MatrixSettings
from aimwell.errors import ConfigError, InputError, some
from aimwell.provenance import Step

_YES: Final = frozenset({"+", "true", "1", "yes"})
#: How programs mark sequences that come from the laboratory, not from the sample.
CONTAMINANT: Final = re.compile(r"(CON__|contam_|Cont_|cRAP[-_])", re.IGNORECASE)
_BLOCK: Final = 1 << 22


def plain(name: str) -> str:
    """Write a column name as R and people vary it: ``LFQ.intensity.a`` is ``lfq intensity a``."""
    return re.sub(r"[^0-9a-z]+", " ", name.lower()).strip()


@dataclass(frozen=True)
class VendorTable:
    """A table whose columns are looked up by name and read as text or as numbers.

    Attributes:
        where: The file, for messages.
        what: What it should be, for messages.
        header: Names of the columns, in file order.
        rows: How many rows there are.
        read: Gives the column at a position, as text or as the file types it.
        lines: Number of each row in the file, counted from 1.
    """

    where: str
    what: str
    header: Sequence[str]
    rows: int
    read: Callable[[int], Any]
    lines: Sequence[int]

    def find(self, *names: str) -> str:
        """Give the first of these columns that the file has, whatever its case and marks."""
        known: dict[str, str] = {}
        for column in self.header:
            known.setdefault(plain(column), column)
        return next((known[plain(name)] for name in names if plain(name) in known), "")

    def need(self, *names: str) -> str:
        """Give the first of these columns that the file has, or refuse the file."""
        if found := self.find(*names):
            return found
        raise InputError(
            f"{self.where} is not {self.what}: it has no column '{names[0]}'; its columns are "
            f"{some(self.header, 5)}; name the right file or another reader"
        )

    def text(self, column: str) -> "np.ndarray[Any, Any]":
        """Give a column as text, blanks stripped; missing cells are empty."""
        cells = self._column(column)
        if not pa.types.is_string(cells.type):
            cells = pc.cast(cells, pa.string())
        # long tables repeat few names many times
        coded = pc.utf8_trim_whitespace(cells.fill_null("")).dictionary_encode()
        names = np.array(coded.dictionary.to_pylist(), dtype=object)
        return np.asarray(names[coded.indices.to_numpy()])

    def flags(self, column: str) -> "np.ndarray[Any, Any]":
        """Give a column of yes and no; a missing column or cell is no."""
        if not column:
            return np.zeros(self.rows, bool)
        cells = self._column(column)
        if pa.types.is_boolean(cells.type):
            return np.asarray(cells.fill_null(False).to_numpy(zero_copy_only=False), bool)
        if not pa.types.is_string(cells.type):
            return np.asarray(self.numbers(column) == 1)
        return np.array([cell.lower() in _YES for cell in self.text(column)], bool)

    def numbers(self, column: str, missing: Iterable[str] = ()) -> "np.ndarray[Any, Any]":
        """Give a column of numbers, NaN where missing.

        Raises:
            InputError: A cell that is text or infinite.
        """
        cells = self._column(column)
        if pa.types.is_floating(cells.type) or pa.types.is_integer(cells.type):
            values = np.array(cells.cast(pa.float64()).to_numpy(zero_copy_only=False), float)
        else:
            values = self._parse(column, MISSING | frozenset(missing))
        if np.isinf(values).any():
            row = int(np.flatnonzero(np.isinf(values))[0])
            raise InputError(
                f"{self.where}: line {self.lines[row]}, column '{column}' holds an infinite value; "
                "leave the cell empty where nothing was measured"
            )
        return values

    def _column(self, column: str) -> Any:
        if (times := list(self.header).count(column)) > 1:
            raise InputError(
                f"{self.where} has the column '{column}' {times} times; "
                "rename or remove the extra ones"
            )
        cells = self.read(list(self.header).index(column))
        return cells.combine_chunks() if isinstance(cells, pa.ChunkedArray) else cells

    def _parse(self, column: str, missing: frozenset[str]) -> "np.ndarray[Any, Any]":
        """Cast all cells at once; only where that fails, look for the cell that is no number."""
        trimmed = pc.utf8_trim_whitespace(self._column(column).cast(pa.string()).fill_null(""))
        known = pc.if_else(pc.is_in(trimmed, pa.array(sorted(missing))), None, trimmed)
        try:
            cast = np.array(pc.cast(known, pa.float64()).to_numpy(zero_copy_only=False), float)
        except pa.ArrowInvalid:
            return self._parse_slowly(column, missing)
        finite = np.isfinite(cast) | np.asarray(known.is_null())
        return cast if finite.all() else self._parse_slowly(column, missing)

    def _parse_slowly(self, column: str, missing: frozenset[str]) -> "np.ndarray[Any, Any]":
        cells = self.text(column)
        values = np.full(len(cells), np.nan)
        for row, cell in enumerate(cells):
            if NUMBER.fullmatch(cell):
                values[row] = float(cell)
            elif cell not in missing:
                hint = "leave the cell empty where nothing was measured"
                if "," in cell and NUMBER.fullmatch(cell.replace(",", ".", 1)):
                    hint = "write numbers with a decimal point and without thousands marks"
                raise InputError(
                    f"{self.where}: line {self.lines[row]}, column '{column}': {cell[:40]!r} is no "
                    f"number; {hint}"
                )
        return values


def open_vendor_table(path: Path, what: str) -> VendorTable:
    """Open a text table (plain or gzip) or a Parquet file.

    Raises:
        InputError: The file is missing, empty, damaged, ragged, or neither text nor Parquet.
    """
    if path.is_file():
        with path.open("rb") as stream:
            if stream.read(4) == b"PAR1":
                return _open_parquet(path, what)
    opened = open_table(path, what)
    empty = f" {opened.delimiter}"
    filled = [i for i, line in enumerate(opened.lines) if line.strip(empty)]
    lines = [i + opened.first_line for i in filled]
    ragged: list[tuple[int, int]] = []

    def on_ragged(row: Any) -> str:
        ragged.append((row.number, row.actual_columns))
        return "skip"

    # programs leave the quotes in names of proteins as they are; R and spreadsheets enclose cells
    quoted = opened.delimiter != "\t" or any(
        cell.startswith('"') for cell in opened.lines[filled[0]].split("\t")
    )
    columns = [str(i) for i in range(len(opened.header))]
    body = "\n".join(opened.lines[i] for i in filled).encode()
    longest = 4 * max(map(len, opened.lines))
    try:
        parsed = csv.read_csv(
            pa.BufferReader(body),
            read_options=csv.ReadOptions(
                column_names=columns,
                use_threads=False,
                block_size=min(max(_BLOCK, 2 * longest), 2**31 - 1),
            ),
            parse_options=csv.ParseOptions(
                delimiter=opened.delimiter,
                quote_char='"' if quoted else False,
                invalid_row_handler=on_ragged,
            ),
            convert_options=csv.ConvertOptions(
                column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as error:
        raise InputError(f"{opened.where} cannot be read as a table: {error}") from error
    if ragged:
        number, cells = ragged[0]
        line = lines[min(number - 1, len(lines) - 1)]
        raise InputError(
            f"{opened.where}: {len(ragged)} lines have not as many cells as the header "
            f"({len(columns)}), the first is line {line} with {cells}; the file may be cut off, "
            "or a cell may hold the delimiter"
        )
    if not parsed.num_rows:
        raise InputError(f"{opened.where} has a header but no rows below it; it should be {what}")
    return VendorTable(
        opened.where, what, list(opened.header), parsed.num_rows, parsed.column, lines
    )


def _open_parquet(path: Path, what: str) -> VendorTable:
    def damaged(error: Exception) -> InputError:
        return InputError(
            f"'{path}' is a damaged Parquet file ({error}); it should be {what}; write it again"
        )

    def read(position: int) -> Any:
        # a report has dozens of columns and millions of rows: only what is asked for is read
        try:
            return parquet.read_table(path, columns=[header[position]]).column(0)
        except (pa.ArrowException, OSError) as error:
            raise damaged(error) from error

    try:
        with parquet.ParquetFile(path) as file:
            header, rows = list(file.schema_arrow.names), file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise damaged(error) from error
    if not rows:
        raise InputError(f"'{path}' has no rows; it should be {what}")
    return VendorTable(f"'{path}'", what, header, rows, read, range(1, rows + 1))


class Sieve:
    """Rows that are still in, and one step for every sort of rows that left.

    Args:
        layer: Begins the names of the steps.
        names: What to call the rows in examples.
    """

    def __init__(self, layer: str, names: "Sequence[str] | np.ndarray[Any, Any]") -> None:
        self.layer = layer
        self.names = np.asarray(names, dtype=object)
        self.kept = np.ones(len(self.names), bool)
        self.steps: list[Step] = []

    def drop(self, bad: "np.ndarray[Any, Any]", name: str, why: str) -> None:
        """Take out rows; nothing is recorded where there are none."""
        gone = self.kept & bad
        if not gone.any():
            return
        before = int(self.kept.sum())
        self.kept &= ~bad
        examples = tuple(sorted({str(n) for n in self.names[gone]})[:3])
        self.steps.append(
            Step(f"{self.layer}: {name}", before, int(self.kept.sum()), why, examples)
        )

    def note(self, what: "np.ndarray[Any, Any]", name: str, why: str) -> None:
        """Record rows that are kept but not above suspicion."""
        odd = self.kept & what
        if odd.any():
            n = int(self.kept.sum())
            examples = tuple(sorted({str(x) for x in self.names[odd]})[:3])
            self.steps.append(
                Step(f"{self.layer}: {name}", n, n, f"{int(odd.sum())} {why}", examples)
            )

    def require(self, where: str) -> None:
        """Refuse a file of which nothing is left."""
        if not self.kept.any():
            whys = "; ".join(f"{s.rows_in - s.rows_out} {s.name}" for s in self.steps)
            raise InputError(
                f"{where}: none of {len(self.kept)} rows is left ({whys}); see whether it is the "
                "right file, and whether its filters were turned off"
            )


def is_contaminant(name: str) -> bool:
    """Tell whether every member of a protein group is a contaminant.

    Example:
        >>> is_contaminant("CON__P00761"), is_contaminant("CON__P02768;P02768")
        (True, False)
    """
    members = [part.strip() for part in name.split(";") if part.strip()]
    return bool(members) and all(CONTAMINANT.match(part) for part in members)


def choose_quantity(
    settings: MatrixSettings, offered: Sequence[str], default: str, where: str
) -> str:
    """Give the quantity that the run file asks for, or the default of the format.

    Raises:
        ConfigError: The format does not offer it.
    """
    chosen = settings.quantity or default
    if chosen not in offered:
        raise ConfigError(
            f"{where} (layer '{settings.layer}'): quantity = '{chosen}' is not known for reader "
            f"'{settings.reader}'; use one of {some(offered, 9)}"
        )
    return chosen


def sample_columns(
    table: VendorTable, prefix: str, suffix: str = "", besides: Sequence[str] = ()
) -> dict[str, str]:
    """Find the columns of one quantity: sample name → column.

    Args:
        table: The file.
        prefix: What stands before the sample name, marks and case ignored; may be empty.
        suffix: What stands behind it.
        besides: Names that look like samples but are not.

    Returns:
        In file order; empty where the file has no such column.

    Raises:
        InputError: Two columns with one sample name.
    """
    mark = r"[^0-9A-Za-z]+"
    before = mark.join(map(re.escape, plain(prefix).split()))
    behind = mark.join(map(re.escape, plain(suffix).split()))
    whole = (f"{before}{mark}" if before else "") + "(.*?)" + (f"{mark}{behind}" if behind else "")
    pattern = re.compile(rf"\s*{whole}\s*", re.IGNORECASE)
    found = [(m.group(1), c) for c in table.header if (m := pattern.fullmatch(c)) and m.group(1)]
    found = [(s.strip(), c) for s, c in found if plain(s) not in besides and s.strip()]
    refuse_repeats([s for s, _ in found], table.where, "sample")
    return dict(found)


def gather(
    table: VendorTable,
    columns: dict[str, str],
    names: "np.ndarray[Any, Any]",
    sieve: Sieve,
    missing: Iterable[str] = (),
) -> pd.DataFrame:
    """Read the columns of all samples for the rows that are kept: samples × names."""
    sieve.require(table.where)
    kept = sieve.kept
    blank = np.flatnonzero(kept & (names == ""))
    if len(blank):
        raise InputError(
            f"{table.where}: line {table.lines[int(blank[0])]} names no protein; remove the row"
        )
    refuse_repeats([str(n) for n in names[kept]], table.where, "protein")
    data = {s: table.numbers(c, missing)[kept] for s, c in columns.items()}
    frame = pd.DataFrame(data, index=pd.Index(names[kept], dtype=str)).T
    return frame.set_axis(pd.Index(list(columns), dtype=str), axis=0)


def finish(  # noqa: PLR0913  the parts of what a reader returns
    values: pd.DataFrame,
    unit: Unit,
    missing_means: str,
    sieve: Sieve,
    where: str,
    *,
    zero_is_missing: bool = True,
    peptides: "pd.Series[float] | None" = None,
    stated: pd.DataFrame | None = None,
) -> Measured:
    """Turn what a vendor's missing value looks like into NaN, and see that something is left.

    Raises:
        InputError: A sample without any value.
    """
    if zero_is_missing:
        values = values.mask(values == 0)
    array = values.to_numpy(float)
    unseen = values.index[np.isnan(array).all(axis=1)]
    if len(unseen) or not array.size:
        raise InputError(
            f"{where}: {len(unseen)} of {len(values)} samples have no value at all: "
            f"{some(unseen)}; remove them from the file or choose another quantity"
        )
    if stated is not None and stated.size:
        # several layers of one sample may state the same fact
        stated = stated.reindex(values.index).fillna("").astype(str)
        stated = stated.add_prefix(f"{sieve.layer}_")
    never = np.isnan(array).all(axis=0)
    steps = list(sieve.steps)
    if never.any():
        why = "identified, but without a value in any sample"
        names = tuple(str(n) for n in sorted(values.columns[never])[:3])
        kept = int((~never).sum())
        steps.append(Step(f"{sieve.layer}: quantified proteins", len(never), kept, why, names))
        values = values.loc[:, ~never]
    if peptides is None:
        counts = pd.Series(dtype=float)
    else:
        counts = peptides.reindex(values.columns).astype(float)
    return Measured(
        values=values,
        unit=unit,
        missing_means=missing_means,
        peptides=counts,
        stated=pd.DataFrame() if stated is None or not stated.size else stated,
        steps=tuple(steps),
    )
