"""ChEMBL: mechanisms of action of drugs, their targets and indications (CC BY-SA 3.0)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError
from aimwell.knowledge.files import read_lines, read_table, wrong_file
from aimwell.provenance import Step

NAME: Final = "ChEMBL"
MECHANISMS: Final = "ChEMBL's drug mechanisms"
INDICATIONS: Final = "ChEMBL's drug indications"
MAPPING: Final = "ChEMBL's mapping to UniProt (chembl_uniprot_mapping.txt)"
_MECHANISMS: Final = (
    "Parent Molecule ChEMBL ID",
    "Parent Molecule Name",
    "Mechanism of Action",
    "Action Type",
    "Target ChEMBL ID",
    "Target Organism",
)
_PHASE: Final = "Max Phase"
_INDICATIONS: Final = (
    "Parent Molecule ChEMBL ID",
    "MESH Heading",
    "EFO Terms",
    "Max Phase for Indication",
)


def read_chembl_mechanisms(
    path: Path, targets: Path, *, organism: str = "Homo sapiens"
) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    """Read the export of *Drug Mechanisms*, and give each target its proteins.

    Args:
        path: The export, separated by ``;``, comma or tab.
        targets: ``chembl_uniprot_mapping.txt``: accession, target, name, kind of target.
        organism: Targets of other organisms are left out.

    Returns:
        Columns ``drug``, ``molecule`` (ChEMBL id), ``gene`` (accession), ``action``,
        ``mechanism``, ``phase`` (highest clinical phase, missing where not stated); a target of
        several proteins gives a row for each. And the steps.

    Raises:
        InputError: Another file, or nothing left.
    """
    separator = _separator(path, MECHANISMS)
    table = read_table(path, MECHANISMS, _MECHANISMS, separator=separator, optional=(_PHASE,))
    phase = _phases(table[_PHASE], path) if _PHASE in table else float("nan")
    table = table[list(_MECHANISMS)]
    table.columns = pd.Index(["molecule", "drug", "mechanism", "action", "target", "organism"])
    table = table.assign(phase=phase)
    human = table[table["organism"] == organism]
    proteins = _read_mapping(targets)
    joined = human.merge(proteins, on="target")
    lost = sorted(set(human["target"]) - set(proteins["target"]))
    if joined.empty:
        raise InputError(
            f"'{path}' and '{targets}' share no target of '{organism}'; are they of one release?"
        )
    drug = joined["drug"].where(joined["drug"] != "", joined["molecule"])
    columns = ["drug", "molecule", "gene", "action", "mechanism", "phase"]
    pairs = joined.assign(drug=drug)[columns].drop_duplicates()
    steps = (
        Step(f"{NAME}: mechanisms in {organism}", len(table), len(human), "other organisms"),
        Step(
            f"{NAME}: targets that are proteins",
            int(human["target"].nunique()),
            int(human["target"].nunique()) - len(lost),
            "nucleic acids, small molecules, cells" if lost else "",
            tuple(lost[:3]),
        ),
    )
    return pairs.sort_values(columns, ignore_index=True), steps


def read_chembl_indications(path: Path) -> pd.DataFrame:
    """Read the export of *Drug Indications*.

    Returns:
        Columns ``molecule`` (ChEMBL id), ``disease`` (MeSH heading and EFO terms, joined by
        ``|``) and ``phase`` (highest clinical phase; 4 is approved, -1 where not stated).

    Raises:
        InputError: Another file, or a phase that is no number.
    """
    table = read_table(path, INDICATIONS, _INDICATIONS, separator=_separator(path, INDICATIONS))
    table.columns = pd.Index(["molecule", "mesh", "efo", "phase"])
    phase = _phases(table["phase"], path).fillna(-1)
    disease = (table["mesh"] + "|" + table["efo"]).str.strip("|")
    return pd.DataFrame({"molecule": table["molecule"], "disease": disease, "phase": phase})


def _phases(texts: "pd.Series[str]", path: Path) -> "pd.Series[float]":
    """Read clinical phases, missing where blank or -1."""
    phase = pd.to_numeric(texts.replace("", "-1"), errors="coerce")
    if wrong := (~phase.between(-1, 4)).to_numpy().nonzero()[0].tolist():
        found = texts.iloc[wrong[0]][:40]
        raise InputError(f"'{path}', row {wrong[0] + 1}: '{found}' is no clinical phase (-1 to 4)")
    return phase.where(phase >= 0)


def _read_mapping(path: Path) -> pd.DataFrame:
    """Read accession and target; the header is a comment that names the release."""
    lines = read_lines(path, MAPPING)
    rows = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split("\t")
        if len(fields) < 2 or not fields[1].startswith("CHEMBL"):
            found = f"line {number} is not an accession and a ChEMBL target: '{line[:60]}'"
            raise InputError(wrong_file(path, MAPPING, lines, found))
        rows.append((fields[0], fields[1]))
    if not rows:
        raise InputError(f"'{path}' maps no target; it should be {MAPPING}")
    return pd.DataFrame(sorted(set(rows)), columns=["gene", "target"], dtype=str)


def _separator(path: Path, what: str) -> str:
    first = read_lines(path, what)[0]
    return max((";", "\t", ","), key=first.count)
