"""edgeR's ``topTags`` with all genes (Robinson, McCarthy and Smyth 2010)."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.results import column_of, open_results, read_results, se_from, z_of
from aimwell.config import TableSettings

WHAT: Final = "an edgeR result"


def read_edger(path: Path, settings: TableSettings) -> pd.DataFrame:
    """Read fold changes and p-values of the quasi-likelihood, likelihood ratio or exact test.

    edgeR states no standard errors. F and LR of one coefficient are squared statistics, so the
    standard error is the fold change over their root; of an exact test it follows from p.

    Raises:
        InputError: The file cannot be read, is of another format, or holds the best genes only.
    """
    table = open_results(path, WHAT)
    columns = {
        "log2_fold_change": column_of(table, ["logFC"], WHAT),
        "p": column_of(table, ["PValue"], WHAT),
        "abundance": column_of(table, ["logCPM"], WHAT),
    }
    squared = next((c for c in ("F", "LR") if c in table.header), "")
    found = read_results(table, settings, columns, [squared] if squared else [])
    effect = found["log2_fold_change"]
    root = found[squared].clip(lower=0).transform(np.sqrt) if squared else z_of(effect, found["p"])
    return found.assign(se=se_from(effect, root))
