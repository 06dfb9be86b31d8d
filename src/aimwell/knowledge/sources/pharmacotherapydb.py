"""PharmacotherapyDB: which drug treats which disease, judged by physicians (CC0)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_table

NAME: Final = "PharmacotherapyDB"
WHAT: Final = "PharmacotherapyDB indications"
COLUMNS: Final = ("doid_id", "drugbank_id", "disease", "drug", "category")
#: Disease-modifying, symptomatic, not an indication.
CATEGORIES: Final = ("DM", "SYM", "NOT")


def read_pharmacotherapydb(path: Path) -> pd.DataFrame:
    """Read disease–drug pairs.

    Returns:
        Columns ``doid_id``, ``drugbank_id``, ``disease``, ``drug``, ``category`` (``DM``, ``SYM``
        or ``NOT``); one row per line.

    Raises:
        InputError: Another file, or an unknown category.
    """
    table = read_table(path, WHAT, COLUMNS)
    unknown = sorted(set(table["category"]) - set(CATEGORIES))
    if unknown:
        raise InputError(f"'{path}': unknown categories {some(unknown)}; known: DM, SYM, NOT")
    return table
