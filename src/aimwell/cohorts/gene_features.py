"""Tables of genes and numbers that describe them: embeddings, factor weights, frequencies."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.cohorts.columns import read_columns
from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.readers.parquet import read_parquet
from aimwell.cohorts.tables import open_table, refuse_repeats
from aimwell.config import FeatureSettings, MatrixSettings
from aimwell.errors import InputError, some

WHAT: Final = "a table of genes and their features"
#: More columns than any embedding has.
_MOST_COLUMNS: Final = 8192


def read_features(path: Path, settings: FeatureSettings) -> pd.DataFrame:
    """Read one row per gene and one column per feature, from text or Parquet.

    Returns:
        Gene names as written × features, float64, NaN where missing.

    Raises:
        InputError: The file cannot be read, a gene or feature occurs twice, a cell is text, a
            feature has no value, or there are too many of them.
    """
    stand_in = MatrixSettings(
        settings.path, settings.name, "rna", unit="log2", names_in=settings.names_in
    )
    if _is_parquet(path):
        values = read_parquet(path, stand_in).values
    else:
        table = open_table(path, WHAT)
        name = settings.names_in or table.header[0]
        columns = [c for c in table.header if c != name]
        found = read_columns(table, [name], columns)
        names = found.text[name].to_list()
        if "" in names:
            raise InputError(f"'{path}': line {found.lines[names.index('')]} has no gene name")
        refuse_repeats(names, f"'{path}'", "gene")
        if empty := [c for c in columns if found.numbers[c].isna().all()]:
            raise InputError(
                f"'{path}': {len(empty)} of {len(columns)} features have no value at all: "
                f"{some(empty)}; remove them"
            )
        values = found.numbers.set_axis(names, axis=0).T
        values = checked_matrix(values, stand_in, f"'{path}'")
    if len(values) > _MOST_COLUMNS:
        raise InputError(
            f"'{path}' has {len(values)} features, at most {_MOST_COLUMNS} are of use; are genes "
            "in its columns? They belong in its rows"
        )
    return values.T


def _is_parquet(path: Path) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) == b"PAR1"
