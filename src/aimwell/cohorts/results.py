"""Finished results of other programs: effects per gene, with their standard errors."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from aimwell.cohorts.columns import read_columns
from aimwell.cohorts.tables import TextTable, delimiter_of
from aimwell.config import TableSettings
from aimwell.errors import InputError
from aimwell.knowledge.files import read_lines

#: Fewer rows say nothing of whether a table was cut to its best genes.
_FEW_ROWS: Final = 10
#: The smallest p that has a finite quantile.
_SMALLEST_P: Final = 5e-324
ReadResults = Callable[[Path, TableSettings], pd.DataFrame]


def open_results(path: Path, what: str) -> TextTable:
    """Open a table that R or Python wrote, with or without a name above the row names.

    Raises:
        InputError: The file cannot be read or has one column.
    """
    lines = read_lines(path, what)
    where = f"'{path}'"
    cut = delimiter_of(lines[0], where)
    header = [cell.strip().strip('"') for cell in lines[0].split(cut)]
    if len(lines) > 1 and len(lines[1].split(cut)) == len(header) + 1:
        header = ["", *header]  # write.table gives row names no header
    if not any(line.strip() for line in lines[1:]):
        raise InputError(f"{where} has a header but no rows below it; it should be {what}")
    return TextTable(where, tuple(header), lines[1:], cut, 2)


def column_of(table: TextTable, names: Sequence[str], what: str) -> str:
    """Give the first of these columns that the table has.

    Raises:
        InputError: It has none of them.
    """
    for name in names:
        if name in table.header:
            return name
    raise InputError(
        f"{table.where} is not {what}: it has no column '{names[0]}' but "
        f"{', '.join(map(repr, table.header[:9]))}; name the right file or reader"
    )


def read_results(
    table: TextTable, settings: TableSettings, columns: dict[str, str], number: Sequence[str] = ()
) -> pd.DataFrame:
    """Read the named columns of a table of results, indexed by the names of its genes.

    Args:
        table: The open table.
        settings: ``names_in`` is used; by default the first column names the genes.
        columns: What a column is, such as ``p`` → its name in the file.
        number: More columns of numbers to read as they are called.

    Raises:
        InputError: A column is missing, a cell is no number, or p lies outside [0, 1].
    """
    name = settings.names_in or table.header[0]
    wanted = list(dict.fromkeys([*columns.values(), *number]))
    found = read_columns(table, [name], wanted)
    values = pd.DataFrame(
        {what: found.numbers[column].to_numpy() for what, column in columns.items()}
        | {column: found.numbers[column].to_numpy() for column in number},
        index=pd.Index(found.text[name].to_list(), dtype=str, name="name"),
    )
    if "p" in values:
        p = values["p"]
        bad = p.notna() & ~p.between(0, 1)
        if bad.any():
            row = int(np.argmax(bad.to_numpy()))
            raise InputError(
                f"{table.where}: line {found.lines[row]} ('{values.index[row]}') has p = "
                f"{p.iloc[row]:g}, outside [0, 1]; does '{columns['p']}' hold something else?"
            )
        if len(p.dropna()) >= _FEW_ROWS and p.max() < 0.5:
            raise InputError(
                f"{table.where} has {len(values)} rows and no p above {p.max():.2g}, so it was cut "
                "to its best genes, and nothing can be learnt of the others; write all of them "
                "(number = Inf in topTable, n = Inf in topTags)"
            )
    return values


def z_of(effect: "pd.Series[float]", p: "pd.Series[float]") -> "pd.Series[float]":
    """Give the standard normal quantile with the sign of the effect and this two-sided p."""
    quantile = stats.norm.isf((p / 2).clip(lower=_SMALLEST_P).to_numpy(float))
    return pd.Series(np.sign(effect.to_numpy(float)) * quantile, index=p.index)


def se_from(effect: "pd.Series[float]", statistic: "pd.Series[float]") -> "pd.Series[float]":
    """Give the standard error that an effect and its statistic imply; NaN where that is 0."""
    size = statistic.abs()
    return effect.abs() / size.where(size > 0)
