"""Measurement matrices in delimited text: genes × samples or samples × genes."""

import re
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from aimwell.cohorts.tables import (
    MISSING,
    NUMBER,
    TextTable,
    open_table,
    refuse_repeats,
    split_line,
)
from aimwell.config import MatrixSettings
from aimwell.errors import InputError, some

#: The parser works block by block. Small blocks are twice as fast, but each costs time per column.
_BLOCK_BYTES: Final = 1 << 20
_BLOCK_BYTES_PER_COLUMN: Final = 1 << 12
#: What the column of row names is called; no sample is.
_NAMES: Final = re.compile(
    r"(?i)gene|symbol|hgnc|ensembl|ensg|entrez|uniprot|protein|accession|feature|transcript|probe"
    r"|^#|^(id|ids|name|names|sample|samples|index|target|unnamed.*)$"
)


def read_matrix(path: Path, settings: MatrixSettings) -> pd.DataFrame:
    r"""Read one matrix of numbers with its names, in the order of the file.

    The delimiter (tab, comma, semicolon) is found from the header; gzip from the content. Empty
    cells and ``NA``, ``NaN``, ``null`` are missing; so is zero with ``settings.zero_is_missing``.

    Returns:
        Values, samples × feature names as written, float64, NaN where missing.

    Raises:
        InputError: The file is missing, empty, truncated or ragged; a name is missing or occurs
            twice; a cell is text or infinite; a sample has no value at all.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "protein.tsv"
        >>> _ = path.write_text("gene\ts1\ts2\nTP53\t1.5\tNA\nKRAS\t-2\t0.5\n")
        >>> read_matrix(path, MatrixSettings("protein.tsv", "protein", "protein", "log2_ratio"))
            TP53  KRAS
        s1   1.5  -2.0
        s2   NaN   0.5
    """
    table = open_table(path, f"a matrix of layer '{settings.layer}'")
    table = _with_row_names(table)
    rows = _Rows(table)
    names, values = rows.read()  # (r,), (r, c)
    rows_are, columns_are = ("gene", "sample")
    if settings.genes_in == "columns":
        rows_are, columns_are = columns_are, rows_are
    if "" in names:
        line = rows.line(names.index(""))
        raise InputError(f"{table.where}: line {line} has no {rows_are} name in its first column")
    refuse_repeats(names, table.where, rows_are)
    refuse_repeats(table.header[1:], table.where, columns_are)
    infinite = np.argwhere(np.isinf(values))
    if len(infinite):
        i, j = infinite[0]
        raise InputError(
            f"{table.where}: {len(infinite)} infinite values, the first in line {rows.line(i)} "
            f"({rows_are} '{names[i]}'), column '{table.header[j + 1]}'; "
            "write NA where nothing was measured (log of zero gives -inf)"
        )
    if settings.zero_is_missing:
        values[values == 0] = np.nan
    frame = pd.DataFrame(
        values,
        index=pd.Index(names, dtype=str),
        columns=pd.Index(table.header[1:], dtype=str),
    )
    if settings.genes_in == "rows":
        frame = frame.T
    unseen = frame.index[np.isnan(frame.to_numpy()).all(axis=1)]
    if len(unseen):
        why = " once zeros count as missing" if settings.zero_is_missing else ""
        raise InputError(
            f"{table.where}: {len(unseen)} of {len(frame)} samples have no value at all{why}: "
            f"{some(unseen)}; remove them from the file"
        )
    return frame


def _with_row_names(table: TextTable) -> TextTable:
    """Give a header that R wrote a name for the row names, which have none there.

    A header that names its first column lost another one, and taking it for R's would give every
    sample the numbers of its neighbour.
    """
    if not table.header[0] or _NAMES.search(table.header[0]):
        return table
    filled = [line for line in table.lines if line.strip(f" {table.delimiter}")]
    for line in filled[:1] + filled[-1:]:
        cells = split_line(line, table.delimiter)
        # a blank at the end is a delimiter too many, not a column
        if len(cells) != len(table.header) + 1 or not cells[-1].strip():
            return table
    if not filled:
        return table
    return replace(table, header=("", *table.header))


class _Rows:
    """The body of a table as names and numbers, and which line each row came from."""

    def __init__(self, table: TextTable) -> None:
        self.table = table
        self.columns = [str(i) for i in range(len(table.header))]
        empty = f" {table.delimiter}"
        filled = [i for i, text in enumerate(table.lines) if text.strip(empty)]
        self._lines = [i + table.first_line for i in filled]
        self._body = "\n".join(table.lines[i] for i in filled).encode()
        self._ragged: list[tuple[int, int]] = []

    def line(self, row: int) -> int:
        """Line of the file that holds this row; empty lines hold none."""
        return self._lines[row]

    def read(self) -> tuple[list[str], npt.NDArray[np.float64]]:
        """Parse numbers at once; only where that fails, look for the cell that is no number."""
        try:
            parsed = self._parse(pa.float64())
        except pa.ArrowInvalid:
            return self._read_slowly()
        names = [name.strip() for name in parsed.column(0).to_pylist()]
        values = np.empty((parsed.num_rows, parsed.num_columns - 1), order="F")
        for j in range(parsed.num_columns - 1):
            values[:, j] = parsed.column(j + 1).to_numpy()
        return names, values

    def _read_slowly(self) -> tuple[list[str], npt.NDArray[np.float64]]:
        try:
            parsed = self._parse(pa.string())
        except pa.ArrowInvalid as error:
            raise InputError(
                f"{self.table.where} cannot be read as a UTF-8 table: {error}"
            ) from error
        names = [name.strip() for name in parsed.column(0).to_pylist()]
        values = np.empty((parsed.num_rows, parsed.num_columns - 1))
        bad: list[tuple[int, int, str]] = []
        for j in range(parsed.num_columns - 1):
            for i, cell in enumerate(map(str.strip, parsed.column(j + 1).to_pylist())):
                if NUMBER.fullmatch(cell):
                    values[i, j] = float(cell)
                elif cell in MISSING:
                    values[i, j] = np.nan
                elif cell.lower().lstrip("+-") in ("inf", "infinity"):
                    values[i, j] = np.inf
                else:
                    bad.append((i, j, cell))
        if bad:
            self._refuse_text(names, bad)
        return names, values

    def _refuse_text(self, names: list[str], bad: list[tuple[int, int, str]]) -> None:
        i, j, cell = min(bad)
        counts = Counter(column for _, column, _ in bad)
        hint = "write NA where nothing was measured"
        if "," in cell and NUMBER.fullmatch(cell.replace(",", ".", 1)):
            hint = "write numbers with a decimal point and without thousands marks"
        elif text := [k for k, n in counts.items() if 2 * n > len(names)]:
            which = some(self.table.header[k + 1] for k in text)
            hint = f"remove what holds text in place of numbers: {which}"
        raise InputError(
            f"{self.table.where}: {len(bad)} cells are not numbers, the first in line "
            f"{self.line(i)} ('{names[i]}'), column '{self.table.header[j + 1]}': "
            f"{cell[:40]!r}; {hint}"
        )

    def _parse(self, kind: Any) -> Any:
        self._ragged.clear()
        longest = 4 * max(map(len, self.table.lines))  # bytes, at most
        wide = _BLOCK_BYTES_PER_COLUMN * len(self.columns)
        types = dict.fromkeys(self.columns, kind) | {"0": pa.string()}
        parsed = csv.read_csv(
            pa.BufferReader(self._body),
            # One thread, because only then are rows numbered.
            read_options=csv.ReadOptions(
                column_names=self.columns,
                use_threads=False,
                block_size=min(max(_BLOCK_BYTES, wide, 2 * longest), 2**31 - 1),
            ),
            parse_options=csv.ParseOptions(
                delimiter=self.table.delimiter,
                invalid_row_handler=self._on_ragged,
            ),
            convert_options=csv.ConvertOptions(
                column_types=types, null_values=sorted(MISSING), strings_can_be_null=False
            ),
        )
        if self._ragged:
            self._refuse_ragged()
        if not parsed.num_rows:
            raise InputError(f"{self.table.where} has a header but no rows below it")
        return parsed

    def _on_ragged(self, row: Any) -> str:
        self._ragged.append((row.number, row.actual_columns))
        return "skip"

    def _refuse_ragged(self) -> None:
        number, cells = self._ragged[0]
        raise InputError(
            f"{self.table.where}: {len(self._ragged)} lines have not as many cells as the header "
            f"({len(self.columns)}), the first is line {self.line(number - 1)} with {cells}; the "
            "file may be cut off, or a cell may hold the delimiter"
        )
