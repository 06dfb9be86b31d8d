"""limma's ``topTable`` with all genes (Ritchie et al. 2015)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.cohorts.results import column_of, open_results, read_results, se_from
from aimwell.config import TableSettings

WHAT: Final = "a limma topTable"


def read_limma(path: Path, settings: TableSettings) -> pd.DataFrame:
    """Read fold changes and p-values; the standard error is the fold change over its t.

    Raises:
        InputError: The file cannot be read, is of another format, or holds the best genes only.
    """
    table = open_results(path, WHAT)
    columns = {
        "log2_fold_change": column_of(table, ["logFC"], WHAT),
        "t": column_of(table, ["t"], WHAT),
        "p": column_of(table, ["P.Value", "PValue"], WHAT),
        "abundance": column_of(table, ["AveExpr"], WHAT),
    }
    found = read_results(table, settings, columns)
    return found.assign(se=se_from(found["log2_fold_change"], found["t"]))
