"""Spectronaut: the protein pivot report and the long report."""

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.long_tables import one_value_per_pair
from aimwell.cohorts.measured import Measured
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

MISSING_MEANS: Final = "not detected or filtered (Spectronaut writes 'Filtered', NaN, or 1)"
MAX_Q: Final = 0.01
_MISSING: Final = ("Filtered", "filtered", "Profiled", "n. def.")
#: A quantity of 1 or less is what Spectronaut puts where it saw nothing.
_FLOOR: Final = 1.0
_PIVOT: Final = re.compile(r"(?:\[\d+\]\s*)?(.+?)[._ ]PG[._ ]Quantity", re.IGNORECASE)
_RAW: Final = re.compile(r"\.(raw|htrms|d|wiff2?|mzml|bgms)$", re.IGNORECASE)


def read_report(path: Path, settings: MatrixSettings) -> Measured:
    """Read a report with ``PG.Quantity``: a column per run (pivot), or a row per run (long).

    The long report is filtered by ``PG.Qvalue`` and ``EG.Qvalue`` ≤ 0.01 where it has them, and
    freed of decoys; the pivot is as Spectronaut filtered it. The feature is ``PG.ProteinGroups``.

    Raises:
        InputError: Another file, a protein with two values in one run, or nothing passes.
        ConfigError: An unknown quantity.
    """
    table = open_vendor_table(path, "a protein report of Spectronaut")
    names = table.text(table.need("PG.ProteinGroups", "PG.ProteinAccessions"))
    choose_quantity(settings, ("pg_quantity",), "pg_quantity", table.where)
    sieve = Sieve(settings.layer, names)
    foreign = np.array([is_contaminant(str(n)) for n in names], bool)
    sieve.drop(foreign, "contaminants", "marked as contaminants")
    if table.find("R.FileName", "R.Label"):
        return _long(table, names, sieve)
    found = [(m.group(1), c) for c in table.header if (m := _PIVOT.fullmatch(c))]
    if not found:
        raise InputError(
            f"{table.where} is no protein report of Spectronaut: it has neither R.FileName (long) "
            "nor columns 'RUN.PG.Quantity' (pivot); export a report with PG.Quantity"
        )
    runs = {_RAW.sub("", run): column for run, column in found}
    refuse_repeats([_RAW.sub("", run) for run, _ in found], table.where, "run")
    values = gather(table, runs, names, sieve, _MISSING)
    counted = table.find(
        "PG.NrOfStrippedSequencesIdentified (Experiment-wide)",
        "PG.NrOfStrippedSequencesIdentified",
        "PG.NrOfStrippedSequencesMeasured",
    )
    peptides = None
    if counted:
        peptides = pd.Series(table.numbers(counted, _MISSING)[sieve.kept], index=values.columns)
    return _finish(values, sieve, table, peptides)


def _long(table: VendorTable, names: "np.ndarray[Any, Any]", sieve: Sieve) -> Measured:
    files = table.text(table.need("R.FileName", "R.Label"))
    runs = np.array([_RAW.sub("", run) for run in files], dtype=object)
    sieve.drop(table.flags(table.find("EG.IsDecoy", "PG.IsDecoy")), "decoys", "decoy precursors")
    sieve.drop(names == "", "rows of a protein", "no protein group")
    for column in ("PG.Qvalue", "EG.Qvalue"):
        if found := table.find(column):
            with np.errstate(invalid="ignore"):
                bad = ~(table.numbers(found, _MISSING) <= MAX_Q)
            sieve.drop(bad, f"{column} ≤ {MAX_Q:g}", "rows that are not certain")
    quantity = table.need("PG.Quantity")
    sieve.require(table.where)
    kept = sieve.kept
    seen = table.numbers(quantity, _MISSING)[kept]
    values = one_value_per_pair(runs[kept], names[kept], seen, table.where, quantity)
    peptides = None
    if sequence := table.find("PEP.StrippedSequence", "EG.PrecursorId", "EG.ModifiedPeptide"):
        pairs = pd.DataFrame({"g": names[kept], "p": table.text(sequence)[kept]})
        peptides = pairs.groupby("g")["p"].nunique()
    return _finish(values, sieve, table, peptides)


def _finish(
    values: pd.DataFrame, sieve: Sieve, table: VendorTable, peptides: "pd.Series[Any] | None"
) -> Measured:
    if bool((values < 0).any(axis=None)):
        raise InputError(
            f"{table.where} holds negative quantities; PG.Quantity is linear, so export it without "
            "a logarithm"
        )
    seen = values.mask(values <= _FLOOR)
    return finish(seen, "intensity", MISSING_MEANS, sieve, table.where, peptides=peptides)
