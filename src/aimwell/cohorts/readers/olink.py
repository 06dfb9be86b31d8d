"""Olink: NPX in long form, CSV or Parquet."""

import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.affinity import accession_group, best_reagent
from aimwell.cohorts.long_tables import one_value_per_pair
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.vendor_tables import (
    Sieve,
    VendorTable,
    choose_quantity,
    finish,
    open_vendor_table,
)
from aimwell.config import MatrixSettings

MISSING_MEANS: Final = "failed or not assayed; a value below the limit of detection is a value"
#: What Olink calls its own samples and assays where no column says what they are. A sample of a
#: subject may be called ``P01_control``, too.
_CONTROL_SAMPLE: Final = re.compile(
    r"(control|ctrl)[ _-]?(sample|smp).*"
    r"|(neg|negative|pos|positive|plate|sample|inter-?plate)[ _-]?(control|ctrl)([ _-].*|\d*)"
    r"|(ipc|nc|sc|pc)[ _-]?\d*",
    re.IGNORECASE,
)
_CONTROL_ASSAY: Final = re.compile(
    r"(inc|ext|det|amp)[a-z/]*[ _-](control|ctrl)([ _-].*|\d*)", re.IGNORECASE
)


def read_npx(path: Path, settings: MatrixSettings) -> Measured:
    """Read NPX (log2): one row per sample and assay.

    Control samples, control assays and values whose quality control failed are left out. Values
    with a warning are kept and counted (``quantity = "npx"``, the default) or left out
    (``"npx_passed"``). A value below the limit of detection is a value: it is kept and counted.
    Where several panels have a protein, the assay with the most values above the limit is taken.

    Raises:
        InputError: Another file, or a sample with two values for one assay.
        ConfigError: An unknown quantity.
    """
    table = open_vendor_table(path, "an NPX file of Olink in long form")
    chosen = choose_quantity(settings, ("npx", "npx_passed"), "npx", table.where)
    samples = table.text(table.need("SampleID"))
    assays = table.text(table.need("OlinkID"))
    proteins = np.array([accession_group(p) for p in table.text(table.need("UniProt"))], object)
    npx = table.numbers(table.need("NPX"))
    sieve = Sieve(settings.layer, assays)
    _drop_controls(table, samples, sieve)
    warned, failed = _quality(table)
    sieve.drop(failed, "values that passed quality control", "quality control failed")
    if chosen == "npx_passed":
        sieve.drop(warned, "values without a warning", "quality control warned")
    else:
        sieve.note(warned, "values with a warning", "values with a quality warning are kept")
    sieve.drop(np.array([p == "" for p in proteins]), "assays of a protein", "no UniProt id")
    above = np.isfinite(npx)
    if found := table.find("LOD", "PlateLOD", "MaxLOD"):
        with np.errstate(invalid="ignore"):
            below = npx < table.numbers(found)
        sieve.note(below, "values above the limit", "values below the limit of detection are kept")
        above &= ~below
    sieve.require(table.where)
    kept = sieve.kept
    wide = one_value_per_pair(samples[kept], assays[kept], npx[kept], table.where, "NPX")
    facts = pd.DataFrame({"assay": assays[kept], "protein": proteins[kept], "above": above[kept]})
    per_assay = facts.groupby("assay").agg(protein=("protein", "first"), above=("above", "sum"))
    values = best_reagent(wide, per_assay["protein"], per_assay["above"], sieve, "assays")
    return finish(
        values,
        "log2",
        MISSING_MEANS,
        sieve,
        table.where,
        zero_is_missing=False,
        stated=_plates(table, samples, kept),
    )


def _drop_controls(table: VendorTable, samples: "np.ndarray[Any, Any]", sieve: Sieve) -> None:
    kind = table.find("SampleType", "Sample_Type")
    if kind:
        control = np.array([k.upper() not in ("SAMPLE", "") for k in table.text(kind)], bool)
    else:
        control = np.array([bool(_CONTROL_SAMPLE.fullmatch(s)) for s in samples], bool)
    sieve.drop(control, "samples of subjects", "control samples of the plate")
    kind = table.find("AssayType")
    if kind:
        control = np.array([k.lower() not in ("assay", "") for k in table.text(kind)], bool)
    else:
        names = table.text(table.find("Assay") or table.need("OlinkID"))
        control = np.array([bool(_CONTROL_ASSAY.fullmatch(n)) for n in names], bool)
    sieve.drop(control, "assays of proteins", "control assays of the plate")


def _quality(table: VendorTable) -> "tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]":
    warned = np.zeros(table.rows, bool)
    failed = np.zeros(table.rows, bool)
    for name in ("QC_Warning", "SampleQC", "AssayQC", "Assay_Warning"):
        if found := table.find(name):
            marks = np.array([cell.lower() for cell in table.text(found)], dtype=object)
            warned |= np.array([m.startswith("warn") for m in marks], bool)
            failed |= np.array([m.startswith(("fail", "excluded")) for m in marks], bool)
    return warned, failed


def _plates(
    table: VendorTable, samples: "np.ndarray[Any, Any]", kept: "np.ndarray[Any, Any]"
) -> pd.DataFrame:
    if not (found := table.find("PlateID")):
        return pd.DataFrame()
    pairs = pd.DataFrame({"sample": samples[kept], "plate": table.text(found)[kept]})
    plates = pairs.groupby("sample")["plate"].agg(lambda p: "+".join(sorted(set(p))))
    return plates.to_frame()
