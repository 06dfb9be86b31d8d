"""GCT 1.2 and 1.3, the matrices of GenePattern, GTEx and the Connectivity Map."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.cohorts.columns import read_columns
from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured, declared_unit
from aimwell.cohorts.tables import TextTable
from aimwell.config import MatrixSettings
from aimwell.errors import InputError
from aimwell.knowledge.files import read_lines
from aimwell.provenance import Step

WHAT: Final = "a GCT matrix"


def read_gct(path: Path, settings: MatrixSettings) -> Measured:
    """Read a GCT matrix; rows of sample annotation become columns that the file states.

    ``names_in`` names the column of the features, by default the first one.

    Raises:
        InputError: The file cannot be read, is of another format, or does not have as many rows
            and columns as its second line says.
        ConfigError: No unit is declared.
    """
    unit = declared_unit(f"'{path}'", settings, WHAT)
    lines = read_lines(path, WHAT)
    where = f"'{path}'"
    version = lines[0].strip()
    if version not in ("#1.2", "#1.3"):
        raise InputError(
            f"{where} is not {WHAT}: its first line is {version[:40]!r}, and should be '#1.2' or "
            "'#1.3'; name the right file or reader"
        )
    rows, columns, row_notes, column_notes = _size(lines, where, 2 if version == "#1.2" else 4)
    row_notes = 1 if version == "#1.2" else row_notes
    if len(lines) < 4 + column_notes:
        raise InputError(f"{where} has {len(lines)} lines and no row of numbers; it may be cut off")
    header = tuple(cell.strip() for cell in lines[2].split("\t"))
    samples = header[1 + row_notes :]
    if len(samples) != columns:
        raise InputError(
            f"{where}: line 2 says {columns} samples, but the header in line 3 has {len(samples)} "
            f"after {1 + row_notes} columns about the rows; the file was edited or cut off"
        )
    below = 3 + column_notes
    table = TextTable(where, header, lines[below:], "\t", below + 1)
    name = settings.names_in or header[0]
    found = read_columns(table, [name], samples)
    if len(found.numbers) != rows:
        raise InputError(
            f"{where}: line 2 says {rows} rows, but there are {len(found.numbers)}; the file was "
            "edited or cut off"
        )
    values = found.numbers.set_axis(found.text[name].to_list(), axis=0).T
    return Measured(
        values=checked_matrix(values, settings, where),
        unit=unit,
        missing_means="zero in the file" if settings.zero_is_missing else "an empty cell or NA",
        stated=_stated(lines[3:below], samples, 1 + row_notes, where),
        steps=(Step(f"{settings.layer}: rows of {WHAT} {version[1:]}", rows, rows),),
    )


def _size(lines: list[str], where: str, needed: int) -> tuple[int, int, int, int]:
    cells = lines[1].split() if len(lines) > 2 else []
    if len(cells) != needed or not all(c.isascii() and c.isdigit() and len(c) < 10 for c in cells):
        raise InputError(
            f"{where}: line 2 must hold {needed} whole numbers, the size of the matrix; found "
            f"{' '.join(cells)[:40]!r}"
        )
    rows, columns, *notes = map(int, cells)
    return rows, columns, *(notes or (0, 0))


def _stated(lines: list[str], samples: tuple[str, ...], first: int, where: str) -> pd.DataFrame:
    rows = {}
    for number, line in enumerate(lines, start=4):
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != first + len(samples):
            raise InputError(
                f"{where}: line {number} has {len(cells)} cells, the header {first + len(samples)}"
            )
        rows[cells[0]] = cells[first:]
    return pd.DataFrame(rows, index=pd.Index(samples, dtype=str), dtype=str)
