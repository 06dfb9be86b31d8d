"""Measurement matrices in Parquet: one column of names, the others numbers."""

from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured, declared_unit
from aimwell.cohorts.sample_files import refuse_no_file
from aimwell.config import MatrixSettings
from aimwell.errors import InputError, some

WHAT: Final = "a Parquet matrix"


def read_parquet(path: Path, settings: MatrixSettings) -> Measured:
    """Read a matrix whose names stand in ``names_in``, in the stored index, or in its text column.

    Raises:
        InputError: The file cannot be read, several columns could hold the names, or a column
            holds no numbers.
        ConfigError: No unit is declared.
    """
    where = f"'{path}'"
    unit = declared_unit(where, settings, WHAT)
    refuse_no_file(path, WHAT)
    try:
        frame = parquet.read_table(path, partitioning=None).to_pandas()
    except (pa.ArrowException, OSError, ValueError, KeyError, TypeError) as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InputError(
            f"{where} cannot be read as Parquet: {reason[:200]}; is the file complete?"
        ) from error
    names, body = _names(frame, settings.names_in, where)
    odd = [
        str(c)
        for c, kind in zip(body.columns, body.dtypes, strict=True)
        if not pd.api.types.is_numeric_dtype(kind) or pd.api.types.is_complex_dtype(kind)
    ]
    if odd:
        raise InputError(
            f"{where}: {len(odd)} columns hold no numbers: {some(odd)}; remove them, or set "
            "names_in to the one with the names"
        )
    values = pd.DataFrame(
        body.to_numpy(dtype=float, na_value=float("nan")), index=names, columns=body.columns
    )
    values = values.T if settings.genes_in == "rows" else values
    return Measured(
        values=checked_matrix(values, settings, where),
        unit=unit,
        missing_means="zero in the file" if settings.zero_is_missing else "null or NaN",
    )


def _names(frame: pd.DataFrame, asked: str, where: str) -> tuple[list[str], pd.DataFrame]:
    columns = [str(c) for c in frame.columns]
    if len(set(columns)) < len(columns):
        raise InputError(f"{where} has columns of the same name; rename one")
    frame = frame.set_axis(columns, axis=1)
    if asked:
        if asked not in columns:
            raise InputError(f"{where} has no column '{asked}'; it has {some(columns, 6)}")
        return _text(frame[asked]), frame.drop(columns=asked)
    if not isinstance(frame.index, pd.RangeIndex) and frame.index.nlevels == 1:
        return _text(frame.index.to_series()), frame
    text = [c for c in columns if not pd.api.types.is_numeric_dtype(frame[c])]
    if len(text) != 1:
        raise InputError(
            f"{where} has {len(text)} columns of text ({some(text)}), so it does not say which "
            "holds the names; set names_in"
        )
    return _text(frame[text[0]]), frame.drop(columns=text[0])


def _text(values: "pd.Series[str]") -> list[str]:
    return ["" if missing else str(v) for v, missing in zip(values, values.isna(), strict=True)]
