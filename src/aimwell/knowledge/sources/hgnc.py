"""HGNC complete set: the approved human genes, their other names, ids and gene groups (CC0)."""

import re
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_table

WHAT: Final = "a HGNC complete set"
#: Columns that are read; those after ``name`` may hold several values, joined by ``|``.
COLUMNS: Final = (
    "hgnc_id",
    "symbol",
    "name",
    "locus_group",
    "status",
    "alias_symbol",
    "prev_symbol",
    "gene_group",
    "gene_group_id",
    "entrez_id",
    "ensembl_gene_id",
    "uniprot_ids",
)
#: Columns that name transcripts, in the release of the whole set but not in every export.
OPTIONAL: Final = ("mane_select", "refseq_accession")


def read_hgnc(path: Path) -> pd.DataFrame:
    """Read the HGNC complete set (``hgnc_complete_set.txt``, plain or gzipped).

    Returns:
        One row per locus, indexed by HGNC id and sorted by it, all text; columns ``symbol``,
        ``name``, ``locus_group``, ``status``, ``alias_symbol``, ``prev_symbol``, ``gene_group``,
        ``gene_group_id``, ``entrez_id``, ``ensembl_gene_id``, ``uniprot_ids``,
        and where the file has them ``mane_select`` and ``refseq_accession``.

    Raises:
        InputError: Not this table, a malformed id, or an id or approved symbol that occurs twice.
    """
    table = read_table(path, WHAT, COLUMNS, optional=OPTIONAL)
    wrong = table[~table["hgnc_id"].str.fullmatch(r"HGNC:\d+")]
    if len(wrong):
        found = wrong["hgnc_id"].iloc[0][:40]
        raise InputError(
            f"'{path}', row {wrong.index[0] + 1}: '{found}' is no HGNC id such as 'HGNC:11998'; "
            "download the complete set again"
        )
    table = table.set_index("hgnc_id").sort_index()
    approved = table.loc[table["status"] == "Approved", "symbol"]
    for kind, names in (("HGNC ids", table.index), ("approved symbols", pd.Index(approved))):
        if not names.is_unique:
            twice = sorted(set(names[names.duplicated()]))
            raise InputError(f"'{path}': {len(twice)} {kind} occur twice: {some(twice)}")
    return table


def successors(name: str) -> tuple[str, ...]:
    """Read from the name of a withdrawn entry which genes replace it; none where none does.

    Example:
        >>> successors("symbol withdrawn, see HGNC:9591")
        ('HGNC:9591',)
        >>> successors("symbol withdrawn, see [BRCA1](/data/gene-symbol-report/BRCA1)")
        ('BRCA1',)
        >>> successors("symbol withdrawn, see HGNC:1100 HGNC:1101")
        ('HGNC:1100', 'HGNC:1101')
        >>> successors("entry withdrawn")
        ()
    """
    found = re.search(r"\bsee (?:also )?\[?([A-Za-z0-9][A-Za-z0-9:@_-]*(?: HGNC:\d+)*)", name)
    return tuple(found.group(1).split()) if found else ()
