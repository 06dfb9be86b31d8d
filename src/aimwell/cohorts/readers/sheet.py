"""Sample sheets: one row per sample or subject, one column per attribute."""

import csv
import math
from pathlib import Path

import numpy as np
import pandas as pd

from aimwell.cohorts.tables import MISSING, NUMBER, TextTable, open_table, refuse_repeats
from aimwell.config import SheetSettings
from aimwell.errors import InputError


def read_sheet(path: Path, settings: SheetSettings) -> pd.DataFrame:
    r"""Read a sheet whose first column (or, transposed, header) holds sample or subject ids.

    A column is numeric where every value that is not missing is a number; ``01`` is a label, not
    a number, since its zero says something. Empty cells and ``NA``, ``NaN``, ``null`` are missing.

    Returns:
        Ids × attributes, in the order of the file; whole numbers without a missing value as
        int64, other numbers as float64, the rest as text.

    Raises:
        InputError: The file is missing, empty, truncated or ragged, or an id or attribute is
            missing or occurs twice.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "samples.csv"
        >>> _ = path.write_text("sample,tissue,age\ns1,tumour,61\ns2,normal,NA\n")
        >>> read_sheet(path, SheetSettings("samples.csv"))
            tissue   age
        s1  tumour  61.0
        s2  normal   NaN
    """
    what = "sample" if settings.per == "sample" else "subject"
    table = open_table(path, f"a sheet of {what}s")
    names, cells = _cells(table)
    rows_are, columns_are = (what, "attribute")
    if settings.samples_in == "columns":
        rows_are, columns_are = columns_are, rows_are
    refuse_repeats(names, table.where, rows_are)
    refuse_repeats(table.header[1:], table.where, columns_are)
    text = pd.DataFrame(cells, index=names, columns=list(table.header[1:]), dtype=object)
    if settings.samples_in == "columns":
        text = text.T
    sheet = pd.DataFrame(
        {name: _typed(column) for name, column in text.items()},
        index=pd.Index(text.index, dtype=str),
    )
    sheet.columns = sheet.columns.astype(str)
    return sheet


def _cells(table: TextTable) -> tuple[list[str], list[list[str]]]:
    reader = csv.reader(table.lines, delimiter=table.delimiter, strict=True)
    names: list[str] = []
    cells: list[list[str]] = []
    try:
        for row in reader:
            if not any(cell.strip() for cell in row):
                continue
            line = reader.line_num + table.first_line - 1
            if len(row) != len(table.header):
                raise InputError(
                    f"{table.where}: line {line} has {len(row)} cells, the header has "
                    f"{len(table.header)}; the file may be cut off or a cell may hold the delimiter"
                )
            if not row[0].strip():
                raise InputError(f"{table.where}: line {line} has no name in its first column")
            names.append(row[0].strip())
            cells.append([cell.strip() for cell in row[1:]])
    except csv.Error as error:
        raise InputError(f"{table.where} cannot be read as a table: {error}") from error
    if not names:
        raise InputError(f"{table.where} has a header but no rows below it")
    return names, cells


def _typed(column: "pd.Series[str]") -> "pd.Series":
    missing = column.isin(list(MISSING))
    if all(_is_number(cell) for cell in column[~missing]):
        values = column.mask(missing, "nan").map(float).astype(float)
        whole = not missing.any() and np.all(np.abs(values) < 2**53) and np.all(values % 1 == 0)
        return values.astype(np.int64) if whole else values
    return column.astype("str").mask(missing)


def _is_number(cell: str) -> bool:
    digits = cell.lstrip("+-")
    padded = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    return not padded and NUMBER.fullmatch(cell) is not None and math.isfinite(float(cell))
