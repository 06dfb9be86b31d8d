"""FragPipe: combined_protein.tsv (label-free) and the abundance tables of tmt-report."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.cohort import Unit
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.vendor_tables import (
    Sieve,
    choose_quantity,
    finish,
    gather,
    is_contaminant,
    open_vendor_table,
    plain,
    sample_columns,
)
from aimwell.config import MatrixSettings
from aimwell.errors import ConfigError, InputError, some

#: Quantity in the run file → how its columns end.
SUFFIXES: Final = {
    "maxlfq": "MaxLFQ Intensity",
    "maxlfq_unique": "MaxLFQ Unique Intensity",
    "intensity": "Intensity",
    "unique_intensity": "Unique Intensity",
    "total_intensity": "Total Intensity",
}
#: What stands beside the samples in a table of tmt-report, marks and case ignored.
_TMT_FACTS: Final = re.compile(
    "index|numberpsm|gene|proteinid|maxpepprob|protein|organism|referenceintensity|start|end|"
    "protein id|entry name|protein description|indistinguishable proteins"
)


def read_combined_protein(path: Path, settings: MatrixSettings) -> Measured:
    """Read ``combined_protein.tsv``: proteins × samples, zero is missing.

    The feature is ``Protein ID``; its peptides are the combined total peptides. ``quantity`` is
    ``maxlfq`` (default), ``maxlfq_unique``, ``intensity``, ``unique_intensity`` or
    ``total_intensity``.

    Raises:
        InputError: Another file, or none of the asked columns (with those that exist).
        ConfigError: An unknown quantity.
    """
    table = open_vendor_table(path, "a combined_protein.tsv of FragPipe")
    names = table.text(table.need("Protein ID"))
    chosen = choose_quantity(settings, tuple(SUFFIXES), "maxlfq", table.where)
    offered = {q: sample_columns(table, "", s) for q, s in SUFFIXES.items()}
    ends = tuple(f" {plain(s)}" for q, s in SUFFIXES.items() if q != "intensity")
    # every other quantity ends in `Intensity`, too
    offered["intensity"] = {
        s: c for s, c in offered["intensity"].items() if not plain(c).endswith(ends)
    }
    columns = offered[chosen]
    if not columns:
        found = [f"{q} ({len(c)} samples)" for q, c in offered.items() if c]
        raise InputError(
            f"{table.where} has no columns 'SAMPLE {SUFFIXES[chosen]}' (quantity = '{chosen}'); it "
            f"has {some(found, 9)}; set quantity to what the file has"
        )
    sieve = _sieve(settings, names, table.text(table.find("Protein") or table.need("Protein ID")))
    values = gather(table, columns, names, sieve)
    counted = table.find("Combined Total Peptides", "Combined Unique Peptides", "Total Peptides")
    peptides = None
    if counted:
        peptides = pd.Series(table.numbers(counted)[sieve.kept], index=values.columns)
    means = "not detected (FragPipe writes 0)"
    return finish(values, "intensity", means, sieve, table.where, peptides=peptides)


def read_tmt_report(path: Path, settings: MatrixSettings) -> Measured:
    """Read a table of ``tmt-report``: log2 abundances, or log2 ratios to the reference.

    ``quantity`` is ``abundance`` (default) or ``ratio``; a table of the other kind is refused. The
    feature is the protein, or the gene in ``abundance_gene_*``; its peptides are the spectra
    (``NumberPSM``), the count that the variance of isobaric labels depends on (Zhu 2020).

    Raises:
        InputError: Another file, or one on peptides or sites.
        ConfigError: An unknown quantity, or one that the values contradict.
    """
    table = open_vendor_table(path, "an abundance or ratio table of FragPipe's tmt-report")
    names = table.text(table.need("Index"))
    spectra = table.need("NumberPSM")
    for odd in ("SequenceWindow", "Peptide"):
        if table.find(odd):
            raise InputError(
                f"{table.where} holds peptides or sites, not proteins; name the table with 'gene' "
                "or 'protein' in its name"
            )
    chosen = choose_quantity(settings, ("abundance", "ratio"), "abundance", table.where)
    columns = {c: c for c in table.header if not _TMT_FACTS.fullmatch(plain(c))}
    if not columns:
        raise InputError(f"{table.where} has no sample beside the facts on proteins")
    sieve = _sieve(settings, names, table.text(table.find("Protein") or table.need("Index")))
    values = gather(table, columns, names, sieve)
    seen = values.to_numpy()[values.notna().to_numpy()]
    centred = bool(len(seen)) and abs(float(np.median(seen))) < 2 and bool(np.mean(seen < 0) > 0.05)
    if centred != (chosen == "ratio") and len(seen) >= 20:
        found = "ratios around zero" if centred else "abundances"
        other = "ratio" if centred else "abundance"
        raise ConfigError(
            f"{table.where} (layer '{settings.layer}'): quantity = '{chosen}', but the values are "
            f"{found} (median {float(np.median(seen)):.2f}); set quantity = '{other}'"
        )
    unit: Unit = "log2_ratio" if chosen == "ratio" else "log2"
    peptides = pd.Series(table.numbers(spectra)[sieve.kept], index=values.columns)
    return finish(
        values,
        unit,
        "not quantified in the plex (tmt-report leaves the cell empty)",
        sieve,
        table.where,
        zero_is_missing=False,
        peptides=peptides,
    )


def _sieve(settings: MatrixSettings, names: "np.ndarray", proteins: "np.ndarray") -> Sieve:
    sieve = Sieve(settings.layer, names)
    decoys = np.array([str(p).startswith("rev_") for p in proteins], bool)
    sieve.drop(decoys, "decoys", "reversed sequences")
    foreign = np.array([is_contaminant(str(p)) for p in proteins], bool)
    sieve.drop(foreign, "contaminants", "marked as contaminants")
    return sieve
