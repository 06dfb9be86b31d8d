"""MaxQuant: proteinGroups.txt, and peptides.txt rolled up into proteins."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.measured import Measured
from aimwell.cohorts.rollup import roll_up
from aimwell.cohorts.vendor_tables import (
    Sieve,
    VendorTable,
    choose_quantity,
    finish,
    gather,
    is_contaminant,
    open_vendor_table,
    plain,
    sample_columns,
)
from aimwell.config import MatrixSettings
from aimwell.errors import InputError, some

#: Quantity in the run file → how its columns begin.
PREFIXES: Final = {
    "lfq": "LFQ intensity",
    "intensity": "Intensity",
    "ibaq": "iBAQ",
    "reporter": "Reporter intensity corrected",
}
MISSING_MEANS: Final = "not detected (MaxQuant writes 0)"
_NOT_SAMPLES: Final = ("peptides",)  # `iBAQ peptides` counts theoretical peptides


def read_protein_groups(path: Path, settings: MatrixSettings) -> Measured:
    """Read ``proteinGroups.txt``: one row per protein group, zero is missing.

    Decoys, contaminants and groups that only a modified site identifies are left out. The feature
    is ``Majority protein IDs``; its peptides are the razor and unique ones. ``quantity`` is
    ``lfq`` (default), ``intensity``, ``ibaq`` or ``reporter`` (corrected reporter intensities,
    whose samples are called ``channel experiment``).

    Raises:
        InputError: Another file, none of the asked columns (with those that exist), or SILAC.
        ConfigError: An unknown quantity.
    """
    table = open_vendor_table(path, "a proteinGroups.txt of MaxQuant")
    names = table.text(table.need("Majority protein IDs", "Protein IDs"))
    columns = _quantity_columns(table, settings)
    sieve = _sieve(table, settings, names)
    values = gather(table, columns, names, sieve)
    counted = table.find("Razor + unique peptides", "Unique peptides", "Peptides")
    peptides = None
    if counted:
        peptides = pd.Series(table.numbers(counted)[sieve.kept], index=values.columns)
    return finish(
        values,
        "intensity",
        MISSING_MEANS,
        sieve,
        table.where,
        peptides=peptides,
        stated=_channels(columns, settings),
    )


def read_peptides(path: Path, settings: MatrixSettings) -> Measured:
    """Read ``peptides.txt`` and roll the peptides of each protein group up by median polish.

    Peptides of several groups (``Unique (Groups)`` is ``no``) are reported and left out. The
    feature is ``Leading razor protein``, which is the group's first protein for such peptides.
    ``quantity`` is ``intensity`` (default), ``lfq`` or ``reporter``.

    Raises:
        InputError: As ``read_protein_groups``; no peptide is left.
        ConfigError: An unknown quantity.
    """
    table = open_vendor_table(path, "a peptides.txt of MaxQuant")
    sequences = table.text(table.need("Sequence"))
    owners = table.text(table.need("Leading razor protein"))
    unique = np.array([c.lower() == "yes" for c in table.text(table.need("Unique (Groups)"))])
    columns = _quantity_columns(table, settings, default="intensity")
    sieve = _sieve(table, settings, owners)
    sieve.drop(owners == "", "peptides of a protein", "no leading razor protein")
    peptides = gather(table, columns, sequences, sieve)
    if bool((peptides < 0).any(axis=None)):
        raise InputError(f"{table.where} holds negative intensities; export the original table")
    logs = peptides.mask(peptides == 0).transform(np.log2)
    owner = pd.Series(np.where(unique, owners, "")[sieve.kept], index=peptides.columns, dtype=str)
    made = roll_up(logs, owner, settings.layer, settings.rollup)
    sieve.steps += made.steps
    if not made.values.shape[1]:
        raise InputError(f"{table.where}: no peptide belongs to one protein group alone")
    return finish(
        made.values.transform(np.exp2),
        "intensity",
        MISSING_MEANS,
        sieve,
        table.where,
        zero_is_missing=False,
        peptides=made.peptides,
        stated=_channels(columns, settings),
    )


def _sieve(table: VendorTable, settings: MatrixSettings, names: "np.ndarray") -> Sieve:
    sieve = Sieve(settings.layer, names)
    decoys = table.flags(table.find("Reverse"))
    decoys |= np.array([str(n).startswith("REV__") for n in names], bool)
    sieve.drop(decoys, "decoys", "reversed sequences")
    foreign = table.flags(table.find("Potential contaminant", "Contaminant"))
    foreign |= np.array([is_contaminant(str(n)) for n in names], bool)
    sieve.drop(foreign, "contaminants", "marked as contaminants")
    by_site = table.flags(table.find("Only identified by site"))
    sieve.drop(by_site, "identified by peptides", "only a modified site identifies them")
    return sieve


def _quantity_columns(
    table: VendorTable, settings: MatrixSettings, default: str = "lfq"
) -> dict[str, str]:
    chosen = choose_quantity(settings, tuple(PREFIXES), default, table.where)
    if any(plain(column).startswith("ratio h l") for column in table.header):
        raise InputError(
            f"{table.where} holds SILAC ratios, whose heavy and light intensities are one sample; "
            "write the ratios of each sample to a matrix and read it with unit = 'log2_ratio'"
        )
    offered = {name: _samples(table, name) for name in PREFIXES}
    if not offered[chosen]:
        found = {f"{name} ({len(c)} samples)" for name, c in offered.items() if c}
        totals = [c for c in table.header if plain(c) in map(plain, PREFIXES.values())]
        there = f"it has {some(sorted(found), 9)}" if found else "it has none per sample"
        if not found and totals:
            there += f", only the totals {some(totals)}"
        raise InputError(
            f"{table.where} has no columns '{PREFIXES[chosen]} SAMPLE' (quantity = '{chosen}'); "
            f"{there}; set quantity to what the file has"
        )
    return offered[chosen]


def _samples(table: VendorTable, quantity: str) -> dict[str, str]:
    columns = sample_columns(table, PREFIXES[quantity], besides=_NOT_SAMPLES)
    if quantity == "reporter":
        # with experiments named, the plain channel is their sum
        within = {s: c for s, c in columns.items() if not s.isdigit()}
        return within or columns
    return columns


def _channels(columns: dict[str, str], settings: MatrixSettings) -> pd.DataFrame:
    if settings.quantity != "reporter":
        return pd.DataFrame()
    parts = {s: m.groups() for s in columns if (m := re.fullmatch(r"(\d+)[\W_]*(.*)", s))}
    return pd.DataFrame.from_dict(parts, orient="index", columns=["channel", "plex"]).astype(str)
