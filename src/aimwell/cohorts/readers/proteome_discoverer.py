"""Proteome Discoverer: the table of proteins with its abundances."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

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
from aimwell.errors import InputError, some

#: Quantity in the run file → form of its columns; ``F1`` is the number of the study's file.
COLUMNS: Final = {
    "abundance": re.compile(r"Abundances?\W+(F\d+\b.*?)\W*", re.IGNORECASE),
    "normalised": re.compile(r"Abundances?\W+Normali[sz]ed\W+(F\d+\b.*?)\W*", re.IGNORECASE),
}
_CHANNEL: Final = re.compile(r"(F\d+)\W+(12[6-9][NC]?|13[0-5][NCD]*)\b")
MISSING_MEANS: Final = "not quantified (Proteome Discoverer leaves the cell empty)"


def read_proteins(path: Path, settings: MatrixSettings) -> Measured:
    """Read the exported table ``Proteins``: master proteins × samples.

    Contaminants, proteins that are no master of their group, and proteins without high confidence
    are left out. ``quantity`` is ``abundance`` (default) or ``normalised``. A sample is called by
    what follows ``Abundance:`` in its column, such as ``F1: 126, Sample, tumour``.

    Raises:
        InputError: Another table (spectra, peptides), or none of the asked columns.
        ConfigError: An unknown quantity.
    """
    table = open_vendor_table(path, "a table of proteins of Proteome Discoverer")
    if table.find("Annotated Sequence") or table.find("Spectrum File"):
        raise InputError(
            f"{table.where} is a table of spectra or peptides of Proteome Discoverer; export the "
            "table 'Proteins' instead"
        )
    names = table.text(table.need("Accession"))
    chosen = choose_quantity(settings, tuple(COLUMNS), "abundance", table.where)
    offered = {
        quantity: [(m.group(1), c) for c in table.header if (m := form.fullmatch(c))]
        for quantity, form in COLUMNS.items()
    }
    if not offered[chosen]:
        found = [f"{q} ({len(c)} samples)" for q, c in offered.items() if c]
        raise InputError(
            f"{table.where} has no columns of quantity '{chosen}' ('Abundance: F1: …'); it has "
            f"{some(found)}; set quantity to what the file has, or export the abundances"
        )
    refuse_repeats([sample for sample, _ in offered[chosen]], table.where, "sample")
    columns = dict(offered[chosen])
    sieve = _sieve(table, settings, names)
    values = gather(table, columns, names, sieve)
    counted = table.find("# Unique Peptides", "X..Unique.Peptides", "# Peptides", "X..Peptides")
    peptides = None
    if counted:
        peptides = pd.Series(table.numbers(counted)[sieve.kept], index=values.columns)
    parts = {sample: m.groups() for sample in columns if (m := _CHANNEL.match(sample))}
    stated = pd.DataFrame.from_dict(parts, orient="index", columns=["plex", "channel"])
    return finish(
        values,
        "intensity",
        MISSING_MEANS,
        sieve,
        table.where,
        peptides=peptides,
        stated=stated.astype(str),
    )


def _sieve(table: VendorTable, settings: MatrixSettings, names: "np.ndarray") -> Sieve:
    sieve = Sieve(settings.layer, names)
    foreign = table.flags(table.find("Contaminant"))
    foreign |= np.array([is_contaminant(str(n)) for n in names], bool)
    sieve.drop(foreign, "contaminants", "marked as contaminants")
    if found := table.find("Master"):
        minor = np.array([cell not in ("IsMasterProtein", "") for cell in table.text(found)], bool)
        sieve.drop(minor, "master proteins", "another protein stands for their group")
    if found := table.find("Protein FDR Confidence: Combined", "Protein FDR Confidence"):
        unsure = np.array([cell.lower() not in ("high", "") for cell in table.text(found)], bool)
        sieve.drop(unsure, "proteins of high confidence", "confidence below high")
    return sieve
