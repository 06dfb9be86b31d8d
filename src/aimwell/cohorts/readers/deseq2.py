"""Results of DESeq2 (Love, Huber and Anders 2014), as ``write.csv(results(dds))`` writes them."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.cohorts.results import column_of, open_results, read_results
from aimwell.config import TableSettings

WHAT: Final = "a DESeq2 result"


def read_deseq2(path: Path, settings: TableSettings) -> pd.DataFrame:
    """Read fold changes, their standard errors and p-values; NA is a gene that was not tested.

    Raises:
        InputError: The file cannot be read or is of another format.
    """
    table = open_results(path, WHAT)
    columns = {
        "log2_fold_change": column_of(table, ["log2FoldChange"], WHAT),
        "se": column_of(table, ["lfcSE"], WHAT),
        "p": column_of(table, ["pvalue"], WHAT),
        "abundance": column_of(table, ["baseMean"], WHAT),
    }
    return read_results(table, settings, columns)
