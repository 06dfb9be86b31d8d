"""HGNC's withdrawn entries, and the genes that replaced them (CC0)."""

import re
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_table

NAME: Final = "HGNC withdrawn entries"
WHAT: Final = "HGNC's list of withdrawn entries (withdrawn.txt)"
#: The last column's name has changed between releases; it lists ``HGNC id|symbol|status``.
COLUMNS: Final = ("HGNC_ID", "STATUS", "WITHDRAWN_SYMBOL")
MERGED: Final = (
    "MERGED_INTO_REPORT(S) (i.e HGNC_ID|SYMBOL|STATUS)",
    "MERGED_INTO_REPORT(S) (i.e HGNC_ID/SYMBOL/STATUS)",
    "MERGED_INTO_REPORT(S)",
)
STATUSES: Final = ("Entry Withdrawn", "Merged/Split")


def read_hgnc_withdrawn(path: Path) -> pd.DataFrame:
    """Read withdrawn entries, to be given to ``IdentifierTable.from_hgnc``.

    Returns:
        Indexed by HGNC id and sorted; columns ``symbol``, ``status`` and ``name``, which says
        ``symbol withdrawn, see HGNC:1 HGNC:2`` where entries took its place.

    Raises:
        InputError: Another file, a malformed id, an unknown status, or an id listed twice.
    """
    table = read_table(path, WHAT, COLUMNS, optional=MERGED)
    if len(table.columns) == len(COLUMNS):
        raise InputError(f"'{path}' lacks the column '{MERGED[0]}', which names the successors")
    table.columns = pd.Index(["id", "status", "symbol", "into"])
    wrong = table[~table["id"].str.fullmatch(r"HGNC:\d+")]
    if len(wrong):
        raise InputError(
            f"'{path}', row {wrong.index[0] + 1}: '{wrong['id'].iloc[0][:40]}' is no HGNC id"
        )
    if unknown := sorted(set(table["status"]) - set(STATUSES)):
        raise InputError(f"'{path}': unknown status {some(unknown)}; known: {some(STATUSES)}")
    if table["id"].duplicated().any():
        raise InputError(f"'{path}': {some(table.loc[table['id'].duplicated(), 'id'])} twice")
    successors = [" ".join(re.findall(r"HGNC:\d+", text)) for text in table["into"]]
    names = [f"symbol withdrawn, see {ids}" if ids else "entry withdrawn" for ids in successors]
    kept = table.assign(name=names).set_index("id")[["symbol", "status", "name"]]
    return kept.rename_axis("hgnc_id").sort_index()
