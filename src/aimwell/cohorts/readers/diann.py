"""DIA-NN: report.parquet (or .tsv) with its q-values, and report.pg_matrix.tsv."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.long_tables import one_value_per_pair
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.rollup import roll_up
from aimwell.cohorts.tables import refuse_repeats
from aimwell.cohorts.vendor_tables import (
    Sieve,
    VendorTable,
    choose_quantity,
    finish,
    gather,
    is_contaminant,
    open_vendor_table,
)
from aimwell.config import MatrixSettings
from aimwell.errors import InputError

MISSING_MEANS: Final = "not detected (DIA-NN leaves the cell empty)"
#: Filters of the report: column → largest q-value. The precursor, then its protein group, in the
#: run and in the library; 0.05 for a protein in one run is DIA-NN's own advice.
FILTERS: Final = {
    "Q.Value": 0.01,
    "Lib.Q.Value": 0.01,
    "PG.Q.Value": 0.05,
    "Lib.PG.Q.Value": 0.01,
}
_FACTS: Final = (
    "Protein.Group",
    "Protein.Ids",
    "Protein.Names",
    "Genes",
    "First.Protein.Description",
    "Proteotypic",
    "N.Sequences",
    "N.Proteotypic.Sequences",
)
_RAW: Final = re.compile(r"\.(raw|mzml|d|wiff2?|dia|htrms|bruker)(\.dia)?$", re.IGNORECASE)


def read_report(path: Path, settings: MatrixSettings) -> Measured:
    """Read the long report: one row per precursor and run, filtered by its q-values.

    ``quantity`` is ``maxlfq`` (default: ``PG.MaxLFQ`` as it stands) or ``precursor``
    (``Precursor.Normalised``, proteotypic precursors rolled up by median polish).

    Raises:
        InputError: Another file, a protein with two values in one run, or nothing passes.
        ConfigError: An unknown quantity.
    """
    table = open_vendor_table(path, "a report of DIA-NN")
    groups = table.text(table.need("Protein.Group"))
    runs = np.array([_run_name(r) for r in table.text(table.need("Run", "File.Name"))], object)
    chosen = choose_quantity(settings, ("maxlfq", "precursor"), "maxlfq", table.where)
    column = table.need("PG.MaxLFQ" if chosen == "maxlfq" else "Precursor.Normalised")
    sieve = Sieve(settings.layer, groups)
    sieve.drop(table.flags(table.find("Decoy")), "decoys", "decoy precursors")
    foreign = np.array([is_contaminant(g) for g in groups], bool)
    sieve.drop(foreign, "contaminants", "marked as contaminants")
    sieve.drop(groups == "", "precursors of a protein", "no protein group")
    for name, limit in FILTERS.items():
        if found := table.find(name):
            with np.errstate(invalid="ignore"):
                bad = ~(table.numbers(found) <= limit)
            sieve.drop(bad, f"{name} ≤ {limit:g}", "precursors and runs that are not certain")
    precursors = table.text(table.need("Precursor.Id", "Stripped.Sequence"))
    if chosen == "precursor":
        return _from_precursors(table, (runs, precursors, groups), column, sieve, settings.rollup)
    sieve.require(table.where)
    kept = sieve.kept
    seen = table.numbers(column)[kept]
    values = one_value_per_pair(runs[kept], groups[kept], seen, table.where, column)
    counts = (
        pd.DataFrame({"g": groups[kept], "p": precursors[kept]})
        .groupby("g")["p"]
        .nunique()
        .astype(float)
    )
    return finish(values, "intensity", MISSING_MEANS, sieve, table.where, peptides=counts)


def read_pg_matrix(path: Path, settings: MatrixSettings) -> Measured:
    """Read ``report.pg_matrix.tsv``: protein groups × runs, already filtered by DIA-NN.

    A run is called by its file name without folder and extension, be it a Windows path. Peptides
    are the proteotypic sequences, where the release of DIA-NN counts them.

    Raises:
        InputError: Another file, or two runs of one name.
    """
    table = open_vendor_table(path, "a report.pg_matrix.tsv of DIA-NN")
    names = table.text(table.need("Protein.Group"))
    choose_quantity(settings, ("maxlfq",), "maxlfq", table.where)
    runs = [c for c in table.header if c not in _FACTS]
    if not runs:
        raise InputError(f"{table.where} has no run beside the facts on proteins; export it again")
    refuse_repeats([_run_name(c) for c in runs], table.where, "run")
    sieve = Sieve(settings.layer, names)
    foreign = np.array([is_contaminant(n) for n in names], bool)
    sieve.drop(foreign, "contaminants", "marked as contaminants")
    values = gather(table, {_run_name(c): c for c in runs}, names, sieve)
    counted = table.find("N.Proteotypic.Sequences", "N.Sequences")
    peptides = None
    if counted:
        peptides = pd.Series(table.numbers(counted)[sieve.kept], index=values.columns)
    return finish(values, "intensity", MISSING_MEANS, sieve, table.where, peptides=peptides)


def _from_precursors(
    table: VendorTable,
    names: "tuple[np.ndarray, np.ndarray, np.ndarray]",
    column: str,
    sieve: Sieve,
    method: str,
) -> Measured:
    runs, precursors, groups = names
    if found := table.find("Proteotypic"):
        shared = ~table.flags(found)
        sieve.drop(shared, "proteotypic precursors", "shared by several proteins")
    sieve.require(table.where)
    kept = sieve.kept
    seen = table.numbers(column)[kept]
    wide = one_value_per_pair(runs[kept], precursors[kept], seen, table.where, column)
    if bool((wide < 0).any(axis=None)):
        raise InputError(f"{table.where}: column '{column}' holds negative intensities")
    owners = pd.DataFrame({"g": groups[kept]}, index=precursors[kept])["g"]
    several = owners.groupby(level=0).nunique()
    owner = owners.groupby(level=0).first().where(several == 1, "").astype(str)
    made = roll_up(wide.mask(wide == 0).transform(np.log2), owner, sieve.layer, method)
    sieve.steps += made.steps
    return finish(
        made.values.transform(np.exp2),
        "intensity",
        MISSING_MEANS,
        sieve,
        table.where,
        zero_is_missing=False,
        peptides=made.peptides,
    )


def _run_name(path: str) -> str:
    r"""Give the name of a run without folder and extension.

    Example:
        >>> _run_name("R:\\data\\62_Slot1-54.d"), _run_name("/x/a.raw.dia"), _run_name("plain")
        ('62_Slot1-54', 'a', 'plain')
    """
    return _RAW.sub("", re.split(r"[\\/]", path.rstrip("\\/"))[-1])
