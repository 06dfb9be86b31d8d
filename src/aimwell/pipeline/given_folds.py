"""Folds that somebody gives: a table of genes and numbers."""

import csv
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped

COLUMNS: Final = ("gene", "fold")


def read_folds(path: Path, table: IdentifierTable, min_mapped: float) -> "pd.Series[int]":
    """Read a table with the columns ``gene`` and ``fold``, separated by tabs or commas.

    Args:
        path: The table.
        table: Resolves names.
        min_mapped: Smallest acceptable share of names that are genes.

    Returns:
        Fold of every gene that it names, indexed by HGNC id.

    Raises:
        InputError: A missing file or column, a fold that is no whole number, or a gene in two
            folds; ``IdentifierError``: too few names are genes.
    """
    if not path.is_file():
        raise InputError(f"there is no file '{path}', which model.folds_file names")
    try:
        given = pd.read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False)
    except (ValueError, csv.Error) as error:  # no text, no table, nothing, no separator
        raise InputError(f"'{path}' is no table of folds: {error}") from error
    if missing := [c for c in COLUMNS if c not in given.columns]:
        raise InputError(
            f"'{path}' lacks the columns {some(missing)}; it has {some(given.columns, 6)}"
        )
    wrong = given.loc[~given["fold"].str.fullmatch(r"\s*\d{1,4}\s*"), "fold"]
    if len(wrong):
        raise InputError(
            f"'{path}': {len(wrong)} folds are no whole numbers from 0: {some(wrong)}; give each "
            "gene one fold"
        )
    report = table.resolve(given["gene"])
    where = f"folds of '{path}'"
    require_mapped(report, min_mapped, where)
    kept = (report["status"] == "mapped").to_numpy()
    folds = pd.Series(
        given["fold"].astype(int).to_numpy()[kept], report["hgnc_id"].to_numpy()[kept]
    )
    two = folds.groupby(level=0).nunique()
    if (two > 1).any():
        raise InputError(
            f"'{path}' puts {int((two > 1).sum())} genes into two folds: "
            f"{some(two.index[two > 1])}; give each gene one fold"
        )
    return folds.groupby(level=0).first()
