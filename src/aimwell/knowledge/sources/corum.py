"""CORUM: protein complexes of mammals, curated from single experiments (CC BY-NC 4.0)."""

import re
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_table
from aimwell.knowledge.gene_sets import GeneSets, no_parents
from aimwell.provenance import Step

NAME: Final = "CORUM"
WHAT: Final = "a CORUM table"
#: Columns up to release 4.1 (``coreComplexes.txt``), and those since release 5.
COLUMNS: Final = (
    "ComplexID",
    "ComplexName",
    "Organism",
    "subunits(UniProt IDs)",
    "PubMed ID",
)
COLUMNS_5: Final = ("complex_id", "complex_name", "organism", "subunits_uniprot_id", "pmid")


def read_corum(path: Path, *, organism: str = "Human") -> GeneSets:
    """Read complexes with their subunits as UniProt accessions.

    Args:
        path: ``coreComplexes.txt``, ``allComplexes.txt`` or ``corum_…Complexes.txt``.
        organism: Complexes of other organisms are left out, and counted.

    Returns:
        Sets ``CORUM:id`` of the kind ``complex``; ``detail`` names the publication.

    Raises:
        InputError: Another file, an id listed twice, or no complex of the organism.
    """
    table = read_table(path, WHAT, COLUMNS, or_else=COLUMNS_5)
    table.columns = pd.Index(["id", "name", "organism", "subunits", "pmid"])
    human = table[table["organism"] == organism]
    if human.empty:
        found = some(sorted(set(table["organism"])))
        raise InputError(f"'{path}' has no complex of '{organism}'; it has {found}")
    if human["id"].duplicated().any():
        twice = human.loc[human["id"].duplicated(), "id"]
        raise InputError(f"'{path}': {len(twice)} complexes are listed twice: {some(twice)}")
    rows = []
    columns = (human[c].tolist() for c in ("id", "subunits", "pmid"))
    for key, subunits, pmid in zip(*columns, strict=True):
        detail = f"PMID:{pmid}" if pmid.isdigit() else ""
        accessions = dict.fromkeys(re.split(r"[;,()\s]+", subunits))
        rows += [(f"{NAME}:{key}", a, detail) for a in accessions if a and a != "None"]
    step = Step(
        f"{NAME}: complexes of {organism}",
        len(table),
        len(human),
        "other organisms",
        tuple(sorted(set(table["organism"]) - {organism})[:3]),
    )
    members = pd.DataFrame(rows, columns=["set_id", "name", "detail"], dtype=str)
    titles = pd.Series(human["name"].tolist(), index=[f"{NAME}:{k}" for k in human["id"]])
    named = titles.astype(str).sort_index()
    return GeneSets(named, members, no_parents(), (step,), evidence=NAME, kind="complex")
