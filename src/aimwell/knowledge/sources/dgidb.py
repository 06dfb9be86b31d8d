"""DGIdb: drug–gene interactions of many databases, and categories of druggable genes (mixed)."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.errors import InputError
from aimwell.knowledge.files import read_table
from aimwell.provenance import Step

NAME: Final = "DGIdb"
INTERACTIONS: Final = "DGIdb interactions"
CATEGORIES: Final = "DGIdb categories"
#: Columns of the releases up to 2022, and since 5.0 (2023).
_OLD: Final = (
    "gene_name",
    "gene_claim_name",
    "interaction_claim_source",
    "interaction_types",
    "drug_name",
    "drug_claim_name",
)
_NEW: Final = (
    "gene_name",
    "gene_claim_name",
    "interaction_source_db_name",
    "interaction_type",
    "drug_name",
    "drug_claim_name",
)
#: Column of the releases since 5.0 that says whether a drug is approved.
_APPROVED: Final = ("approved",)
_NONE: Final = frozenset({"", "NULL", "n/a"})


def read_dgidb(path: Path, *, stated_only: bool = True) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    """Read ``interactions.tsv`` of any release.

    Args:
        path: The file.
        stated_only: Keep only interactions whose type is stated (``inhibitor``, ``agonist`` …);
            the others say that a drug and a gene were named together.

    Returns:
        Columns ``drug``, ``gene`` (symbol as normalised by DGIdb), ``action``, ``source``
        (databases, joined by ``|``) and ``approved`` (``yes`` where the release says so, else
        empty); one row per drug, gene and action, sorted. And the steps.

    Raises:
        InputError: Another file, or nothing left.
    """
    table = read_table(path, INTERACTIONS, _OLD, or_else=_NEW, quoted=False, optional=_APPROVED)
    approved = table.iloc[:, len(_OLD)].str.upper().eq("TRUE") if len(table.columns) > 6 else False
    table = table.iloc[:, : len(_OLD)]
    table.columns = pd.Index(["gene", "gene_claim", "source", "action", "drug", "drug_claim"])
    table = table.assign(approved=np.where(approved, "yes", ""))
    table = table.mask(table.isin(list(_NONE)), "")
    known = table[table["gene"] != ""]
    steps = [
        Step(
            f"{NAME}: claims with a gene",
            len(table),
            len(known),
            "gene names that DGIdb could not normalise",
            tuple(sorted(set(table.loc[table["gene"] == "", "gene_claim"]))[:3]),
        )
    ]
    drug = known["drug"].where(known["drug"] != "", known["drug_claim"])
    pairs = known.assign(drug=drug)[["drug", "gene", "action", "source", "approved"]]
    if stated_only:
        stated = pairs[pairs["action"] != ""]
        steps.append(
            Step(f"{NAME}: the type is stated", len(pairs), len(stated), "no type of interaction")
        )
        pairs = stated
    if pairs.empty:
        raise InputError(f"'{path}' states the type of no interaction; is it {INTERACTIONS}?")
    merged = pairs.groupby(["drug", "gene", "action"], as_index=False).agg(
        source=("source", lambda names: "|".join(sorted(set(names) - {""}))),
        approved=("approved", "max"),
    )
    steps.append(Step(f"{NAME}: distinct interactions", len(pairs), len(merged), "several sources"))
    return pd.DataFrame(merged, dtype=str), tuple(steps)


def read_dgidb_categories(path: Path) -> pd.DataFrame:
    """Read ``categories.tsv``: which genes are kinases, clinically actionable or druggable.

    Returns:
        Columns ``gene``, ``category``, ``sources``; one row per line, sorted.

    Raises:
        InputError: Another file.
    """
    old = ("entrez_gene_symbol", "category", "category_sources")
    new = ("name", "name-2", "source_db_name")
    table = read_table(path, CATEGORIES, old, or_else=new, quoted=False)
    table.columns = pd.Index(["gene", "category", "sources"])
    return table.sort_values(["gene", "category", "sources"], ignore_index=True)
