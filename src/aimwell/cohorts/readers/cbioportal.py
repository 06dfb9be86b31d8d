"""Matrices of cBioPortal: columns of the gene, then one column per sample."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.columns import read_columns
from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured, declared_unit
from aimwell.cohorts.tables import open_table
from aimwell.config import MatrixSettings
from aimwell.errors import ConfigError, InputError
from aimwell.provenance import Step

WHAT: Final = "a cBioPortal matrix"
GENE_COLUMNS: Final = ("Hugo_Symbol", "Entrez_Gene_Id", "Composite.Element.REF", "Cytoband")
LOG: Final = "log2_plus_1"


def read_cbioportal(path: Path, settings: MatrixSettings) -> Measured:
    """Read a matrix; genes are named by symbol, or by Entrez id where it is blank.

    cBioPortal's RNA is linear. ``quantity = "log2_plus_1"`` takes log2(x + 1), and the unit is
    log2 then. Of rows that name one gene, the one with the highest mean is kept and counted.

    Raises:
        InputError: The file cannot be read, is of another format, or holds z-scores.
        ConfigError: No unit is declared, or an unknown ``quantity``.
    """
    where = f"'{path}'"
    if settings.quantity not in ("", LOG):
        raise ConfigError(f"quantity = '{settings.quantity}' of {where} is not known; use '{LOG}'")
    unit = "log2" if settings.quantity else declared_unit(where, settings, WHAT)
    if "zscore" in path.name.lower().replace("-", "").replace("_", ""):
        raise InputError(
            f"{where} holds z-scores, which no longer say how large a change is; name the file of "
            "the same study without 'zscores'"
        )
    table = open_table(path, WHAT, comment="#")
    of_gene = [c for c in GENE_COLUMNS if c in table.header]
    if not {"Hugo_Symbol", "Entrez_Gene_Id"} & set(of_gene):
        raise InputError(
            f"{where} is not {WHAT}: it has neither 'Hugo_Symbol' nor 'Entrez_Gene_Id'; name the "
            "right file or reader"
        )
    samples = [c for c in table.header if c not in of_gene]
    if not samples:
        raise InputError(f"{where} has columns of genes and none of samples")
    found = read_columns(table, of_gene, samples)
    names = _names(found.text)
    if "" in names.to_list():
        line = found.lines[names.to_list().index("")]
        raise InputError(f"{where}: line {line} names no gene")
    values, steps = _one_row_per_name(found.numbers.set_axis(names, axis=0), settings)
    if settings.quantity:
        if (values < 0).to_numpy().any():
            raise InputError(
                f"{where} has values below zero, so it is not linear; leave out quantity and "
                "declare unit = 'log2' or 'log2_ratio'"
            )
        values = values.transform(np.log1p) / np.log(2)
        steps.append(Step(f"{settings.layer}: log2(x + 1)", len(values), len(values), "as asked"))
    return Measured(
        values=checked_matrix(values.T, settings, where),
        unit=unit,
        missing_means="zero in the file" if settings.zero_is_missing else "an empty cell or NA",
        steps=tuple(steps),
    )


def _names(text: pd.DataFrame) -> "pd.Series[str]":
    columns = [text[c] for c in ("Hugo_Symbol", "Entrez_Gene_Id") if c in text]
    first = columns[0].replace("NA", "")
    return first.where(first != "", columns[-1].replace("NA", "")).astype(str)


def _one_row_per_name(
    values: pd.DataFrame, settings: MatrixSettings
) -> tuple[pd.DataFrame, list[Step]]:
    ordered = values.assign(_mean=values.mean(axis=1)).sort_values(
        ["_mean", *values.columns[:1]], ascending=False, kind="stable"
    )
    kept = ordered[~ordered.index.duplicated()].drop(columns="_mean")
    kept = kept.loc[values.index.unique()]
    gone = values.index[values.index.duplicated()].unique()
    why = "rows of one gene: kept the one with the highest mean" if len(gone) else ""
    name = f"{settings.layer}: one row per name"
    return kept, [Step(name, len(values), len(kept), why, tuple(map(str, gone[:3])))]
