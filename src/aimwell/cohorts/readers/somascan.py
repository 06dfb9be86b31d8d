"""SomaScan: ``.adat`` text files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.cohorts.affinity import accession_group, best_reagent
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.tables import NUMBER, refuse_repeats
from aimwell.cohorts.vendor_tables import Sieve, choose_quantity, finish
from aimwell.config import MatrixSettings
from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines

MISSING_MEANS: Final = "SomaScan has no missing values; an empty cell is not measured"


@dataclass(frozen=True)
class _Adat:
    """Facts on samples, facts on aptamers, and the signals between them."""

    where: str
    samples: pd.DataFrame
    aptamers: pd.DataFrame
    signals: npt.NDArray[np.float64]


def read_adat(path: Path, settings: MatrixSettings) -> Measured:
    """Read relative fluorescence units: samples × human proteins.

    Only rows of ``SampleType`` ``Sample`` are kept, and only aptamers of human proteins (no
    controls, spuriomers, other organisms). Flagged samples (``RowCheck``) are kept and counted
    (``quantity = "rfu"``, the default) or left out (``"rfu_passed"``). Where several aptamers bind
    a protein, one without a flag and with the highest median signal is taken.

    Raises:
        InputError: Another file, a cut one, or two rows of one ``SampleId``.
        ConfigError: An unknown quantity.
    """
    adat = _parse(path)
    chosen = choose_quantity(settings, ("rfu", "rfu_passed"), "rfu", adat.where)
    names = _need(adat, adat.samples, "SampleId").to_numpy()
    rows = Sieve(settings.layer, names)
    if "SampleType" in adat.samples:
        other = (adat.samples["SampleType"] != "Sample").to_numpy()
        rows.drop(other, "samples of subjects", "calibrators, buffers and quality controls")
    flagged = np.zeros(len(names), bool)
    if "RowCheck" in adat.samples:
        flagged = adat.samples["RowCheck"].str.upper().eq("FLAG").to_numpy()
    if chosen == "rfu_passed":
        rows.drop(flagged, "samples without a flag", "RowCheck is FLAG")
    else:
        rows.note(flagged, "samples with a flag", "flagged samples (RowCheck) are kept")
    rows.require(adat.where)
    refuse_repeats([str(n) for n in names[rows.kept]], adat.where, "sample")
    columns = _human_proteins(adat, settings)
    refuse_repeats([str(n) for n in columns.names[columns.kept]], adat.where, "aptamer")
    wide = pd.DataFrame(
        adat.signals[np.ix_(rows.kept, columns.kept)],
        index=pd.Index(names[rows.kept].tolist(), dtype=str),
        columns=pd.Index(columns.names[columns.kept].tolist(), dtype=str),
    )
    facts = adat.aptamers[columns.kept].set_axis(wide.columns)
    good = facts["ColCheck"].str.upper().ne("FLAG") if "ColCheck" in facts else True
    rank = wide.median().fillna(0).rank() + np.where(good, len(wide.columns), 0)
    values = best_reagent(wide, facts["UniProt"].map(accession_group), rank, columns, "aptamers")
    columns.steps[:0] = rows.steps
    plates = adat.samples[rows.kept].set_axis(wide.index)
    stated = (
        plates[["PlateId"]].rename(columns={"PlateId": "plate"}) if "PlateId" in plates else None
    )
    return finish(values, "intensity", MISSING_MEANS, columns, adat.where, stated=stated)


def _human_proteins(adat: _Adat, settings: MatrixSettings) -> Sieve:
    sieve = Sieve(settings.layer, _need(adat, adat.aptamers, "SeqId").to_numpy())
    proteins = _need(adat, adat.aptamers, "UniProt")
    if "Type" in adat.aptamers:
        other = ~adat.aptamers["Type"].isin(["Protein", ""]).to_numpy()
        sieve.drop(other, "aptamers of proteins", "controls, spuriomers and deprecated aptamers")
    if "Organism" in adat.aptamers:
        foreign = ~adat.aptamers["Organism"].str.lower().isin(["human", ""]).to_numpy()
        sieve.drop(foreign, "aptamers of human proteins", "proteins of other organisms")
    sieve.drop((proteins == "").to_numpy(), "aptamers with a UniProt id", "no UniProt id")
    if "ColCheck" in adat.aptamers:
        flagged = adat.aptamers["ColCheck"].str.upper().eq("FLAG").to_numpy()
        sieve.note(flagged, "aptamers with a flag", "flagged aptamers (ColCheck) are kept")
    sieve.require(adat.where)
    return sieve


def _need(adat: _Adat, facts: pd.DataFrame, column: str) -> "pd.Series[str]":
    if column not in facts:
        raise InputError(
            f"{adat.where} has no '{column}'; it has {some(facts.columns, 6)}; "
            "export the ADAT again"
        )
    return facts[column]


def _parse(path: Path) -> _Adat:
    lines = read_lines(path, "an ADAT file of SomaScan")
    where = f"'{path}'"
    begin = next((i for i, line in enumerate(lines) if line.startswith("^TABLE_BEGIN")), None)
    if begin is None:
        raise InputError(f"{where} is no ADAT file: it has no line '^TABLE_BEGIN'; name the .adat")
    cells = [line.split("\t") for line in lines[begin + 1 :]]
    top = next((i for i, row in enumerate(cells) if row[0].strip()), None)
    if not top or top + 1 >= len(cells):
        raise InputError(f"{where} has no samples below '^TABLE_BEGIN'; the file may be cut off")
    at = next((j for j, cell in enumerate(cells[0]) if cell.strip()), 0)
    width = len(cells[0])
    facts = {}
    for i, row in enumerate(cells[:top]):
        if len(row) != width or not row[at].strip():
            raise InputError(f"{where}: line {begin + 2 + i} does not fit the facts on aptamers")
        facts[row[at].strip()] = [cell.strip() for cell in row[at + 1 :]]
    header = [cell.strip() for cell in cells[top][:at]]
    body = [(begin + 2 + i, row) for i, row in enumerate(cells) if i > top and any(row)]
    refuse_repeats([name for name in header if name], where, "column")
    known: list[list[str]] = []
    signals: list[list[float]] = []
    for line, row in body:
        if len(row) != width:
            raise InputError(
                f"{where}: line {line} has {len(row)} cells, the facts on aptamers have {width}; "
                "the file may be cut off"
            )
        known.append([cell.strip() for cell in row[:at]])
        signals.append([_number(cell.strip(), where, line) for cell in row[at + 1 :]])
    if not body:
        raise InputError(f"{where} has no samples below '^TABLE_BEGIN'; the file may be cut off")
    samples = pd.DataFrame(known, columns=header, dtype=str)
    return _Adat(where, samples, pd.DataFrame(facts, dtype=str), np.array(signals, float))


def _number(cell: str, where: str, line: int) -> float:
    if not cell or cell in ("NA", "NaN"):
        return float("nan")
    if not NUMBER.fullmatch(cell) or not np.isfinite(float(cell)):
        raise InputError(f"{where}: line {line}: {cell[:40]!r} is no signal; export the ADAT again")
    return float(cell)
