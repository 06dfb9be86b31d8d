"""Measurement matrices in Excel workbooks."""

import datetime
import warnings
import zipfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured, declared_unit
from aimwell.cohorts.sample_files import refuse_no_file
from aimwell.cohorts.tables import MISSING, NUMBER
from aimwell.config import MatrixSettings
from aimwell.errors import ConfigError, InputError, some

WHAT: Final = "a matrix in an Excel workbook"
#: As Excel in English writes them, whatever the locale.
_MONTHS: Final = "JanFebMarAprMayJunJulAugSepOctNovDec"
_MOST_BYTES: Final = 1 << 30


def read_xlsx(path: Path, settings: MatrixSettings) -> Measured:
    """Read one sheet of a workbook: names in the first row and column, numbers below.

    ``quantity`` names the sheet where there are several, ``names_in`` another column of names.
    Names that Excel turned into dates are given as Excel shows them, so that the report of names
    lists them.

    Raises:
        InputError: The file cannot be read, has merged cells or formulas, or a cell is text.
        ConfigError: No unit is declared, or openpyxl is not installed.
    """
    where = f"'{path}'"
    unit = declared_unit(where, settings, WHAT)
    sheet, title = _sheet(path, settings.quantity, where)
    rows = [list(row) for row in sheet if any(cell.value is not None for cell in row)]
    if len(rows) < 2:
        raise InputError(f"{where}, sheet '{title}' has {len(rows)} rows; names and numbers needed")
    header = [_name(cell) for cell in rows[0]]
    while header and not header[-1] and all(row[len(header) - 1].value is None for row in rows):
        header.pop()
    at = 0
    if settings.names_in:
        if settings.names_in not in header:
            raise InputError(
                f"{where}, sheet '{title}' has no column '{settings.names_in}'; it has "
                f"{some(header, 6)}"
            )
        at = header.index(settings.names_in)
    columns = [j for j in range(len(header)) if j != at]
    numbers = [[_number(row[j], where, title) for j in columns] for row in rows[1:]]
    values = pd.DataFrame(
        np.array(numbers, dtype=float).reshape(len(rows) - 1, len(columns)),
        index=[_name(row[at]) for row in rows[1:]],
        columns=[header[j] for j in columns],
    )
    values = values.T if settings.genes_in == "rows" else values
    return Measured(
        values=checked_matrix(values, settings, f"{where}, sheet '{title}'"),
        unit=unit,
        missing_means="zero in the file" if settings.zero_is_missing else "an empty cell or NA",
    )


def _sheet(path: Path, asked: str, where: str) -> tuple[Any, str]:
    refuse_no_file(path, WHAT)
    try:
        import openpyxl
    except ImportError as error:
        raise ConfigError(
            f"{where} needs openpyxl, which is not installed; pip install 'aimwell[xlsx]'"
        ) from error
    try:
        with zipfile.ZipFile(path) as packed:
            size = sum(item.file_size for item in packed.infolist())
        _refuse_bomb(size, where)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions, which carry no numbers
            book = openpyxl.load_workbook(path)
    except InputError:
        raise
    except Exception as error:  # a damaged workbook fails in whatever part is read first
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise InputError(
            f"{where} cannot be read as an Excel workbook (.xlsx): {reason}; save it again, or as "
            "text"
        ) from error
    sheets = {sheet.title: sheet for sheet in book.worksheets}
    if asked and asked not in sheets:
        raise InputError(f"{where} has no sheet '{asked}'; it has {some(sheets, 6)}")
    if not asked and len(sheets) != 1:
        raise InputError(
            f"{where} has {len(sheets)} sheets: {some(sheets, 6)}; set quantity to the name of one"
        )
    title = asked or next(iter(sheets))
    merged = sorted(str(area) for area in sheets[title].merged_cells.ranges)
    if merged:
        raise InputError(
            f"{where}, sheet '{title}' has {len(merged)} merged cells: {some(merged)}; a merged "
            "cell gives its value to one cell only, so unmerge them and fill in each"
        )
    return sheets[title].iter_rows(), title


def _refuse_bomb(size: int, where: str) -> None:
    if size > _MOST_BYTES:
        raise InputError(f"{where} unpacks to {size >> 20} MiB; save it as text or Parquet")


def _name(cell: Any) -> str:
    value = cell.value
    if isinstance(value, datetime.datetime | datetime.date):
        return f"{value.day}-{_MONTHS[3 * value.month - 3 : 3 * value.month]}"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return "" if value is None else str(value).strip()


def _number(cell: Any, where: str, title: str) -> float:
    value = cell.value
    if value is None:
        return float("nan")
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip()
    if text in MISSING:
        return float("nan")
    if cell.data_type != "f" and NUMBER.fullmatch(text):
        return float(text)
    what = "a formula" if cell.data_type == "f" else "no number"
    raise InputError(
        f"{where}, sheet '{title}', cell {cell.coordinate} holds {text[:40]!r}, which is {what}; "
        "save numbers in every cell, and leave those empty where nothing was measured"
    )
