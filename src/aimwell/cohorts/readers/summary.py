"""Summary statistics of another site: an effect, its standard error and a number of samples."""

from pathlib import Path
from typing import Final

import pandas as pd
from scipy import stats

from aimwell.cohorts.results import column_of, open_results, read_results
from aimwell.config import TableSettings

WHAT: Final = "a table of summary statistics"
_EFFECT: Final = ("beta", "log2_fold_change", "effect", "logFC")
_SE: Final = ("se", "standard_error", "SE")
_P: Final = ("p", "pvalue", "p_value", "P.Value")
_N: Final = ("n", "n_observed", "N")


def read_summary(path: Path, settings: TableSettings) -> pd.DataFrame:
    """Read ``beta`` (log2 fold change), ``se`` and, where given, ``n`` and ``p``.

    Without ``p`` the effect over its standard error is taken as standard normal.

    Raises:
        InputError: The file cannot be read or lacks a column.
    """
    table = open_results(path, WHAT)
    columns = {
        "log2_fold_change": column_of(table, _EFFECT, WHAT),
        "se": column_of(table, _SE, WHAT),
    }
    for what, names in (("p", _P), ("n_observed", _N)):
        if found := next((c for c in names if c in table.header), ""):
            columns[what] = found
    values = read_results(table, settings, columns)
    if "p" not in values:
        ratio = values["log2_fold_change"] / values["se"]
        values["p"] = 2 * stats.norm.sf(ratio.abs())
    return values
