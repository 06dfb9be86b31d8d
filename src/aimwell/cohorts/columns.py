"""Some columns of a text table, as names and as numbers, with the line that each row came from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from pyarrow import csv

from aimwell.cohorts.tables import MISSING, NUMBER, TextTable
from aimwell.errors import InputError, some

_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class Columns:
    """Rows of a text table.

    Attributes:
        text: Rows × text columns, blanks stripped.
        numbers: Rows × number columns, float64, NaN where missing.
        lines: Line of the file of every row, counted from 1.
    """

    text: pd.DataFrame
    numbers: pd.DataFrame
    lines: Sequence[int]


def read_columns(table: TextTable, text: Sequence[str], numbers: Sequence[str]) -> Columns:
    """Read columns by name; others are ignored.

    Raises:
        InputError: A column is missing or named twice, a line has another number of cells than
            the header, or a cell of a number column holds something else.
    """
    wanted = [*text, *numbers]
    if missing := [c for c in wanted if c not in table.header]:
        raise InputError(
            f"{table.where} lacks the columns {some(missing, 4)}; it has {some(table.header, 9)}"
        )
    if twice := [c for c in wanted if table.header.count(c) > 1]:
        raise InputError(f"{table.where} has the column '{twice[0]}' more than once; rename one")
    empty = f" {table.delimiter}"
    filled = [i for i, line in enumerate(table.lines) if line.strip(empty)]
    if not filled:
        raise InputError(f"{table.where} has a header but no rows below it")
    lines = [i + table.first_line for i in filled]
    body = "\n".join(table.lines[i] for i in filled).encode()
    at = {name: str(table.header.index(name)) for name in wanted}
    try:
        parsed = _parse(table, body, lines, at, {at[c]: pa.float64() for c in numbers})
    except pa.ArrowInvalid:
        parsed = _parse(table, body, lines, at, {})
    names = {c: [v.strip() for v in parsed[at[c]].to_pylist()] for c in text}
    values = {c: _numbers(parsed[at[c]], table, c, lines) for c in numbers}
    return Columns(
        pd.DataFrame(names, columns=list(text), dtype=str),
        pd.DataFrame(values, columns=list(numbers), dtype=float),
        lines,
    )


def _parse(
    table: TextTable, body: bytes, lines: list[int], at: dict[str, str], types: dict[str, Any]
) -> Any:
    ragged: list[tuple[int, int]] = []

    def on_ragged(row: Any) -> str:
        ragged.append((row.number, row.actual_columns))
        return "skip"

    width = len(table.header)
    longest = 4 * max(map(len, table.lines))
    parsed = csv.read_csv(
        pa.BufferReader(body),
        # one thread, because only then are rows numbered
        read_options=csv.ReadOptions(
            column_names=[str(i) for i in range(width)],
            use_threads=False,
            block_size=min(max(_BLOCK_BYTES, width << 12, 2 * longest), 2**31 - 1),
        ),
        parse_options=csv.ParseOptions(delimiter=table.delimiter, invalid_row_handler=on_ragged),
        convert_options=csv.ConvertOptions(
            include_columns=list(dict.fromkeys(at.values())),
            column_types={i: pa.string() for i in at.values()} | types,
            null_values=sorted(MISSING),
            strings_can_be_null=False,
        ),
    )
    if ragged:
        row, cells = ragged[0]
        raise InputError(
            f"{table.where}: {len(ragged)} lines have not as many cells as the header ({width}), "
            f"the first is line {lines[row - 1]} with {cells}; the file may be cut off, or a cell "
            "may hold the delimiter"
        )
    return parsed


def _numbers(column: Any, table: TextTable, name: str, lines: list[int]) -> np.ndarray:
    if pa.types.is_floating(column.type):
        values = column.to_numpy()
        if not np.isinf(values).any():
            return np.asarray(values, dtype=float)
        cells = [str(v) for v in values]
    else:
        cells = [str(v).strip() for v in column.to_pylist()]
    found = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        if NUMBER.fullmatch(cell) and np.isfinite(float(cell)):
            found[i] = float(cell)
        elif cell not in MISSING:
            raise InputError(
                f"{table.where}: line {lines[i]}, column '{name}' holds {cell[:40]!r}, which is no "
                "number; write NA where nothing was measured, and a decimal point"
            )
    return found
