"""DrugCentral drug–target table: which gene is the mechanism of which drug (CC BY-SA 4.0)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_table
from aimwell.provenance import Step

NAME: Final = "DrugCentral"
WHAT: Final = "a DrugCentral target table"
COLUMNS: Final = ("DRUG_NAME", "ACCESSION", "GENE", "TDL", "MOA", "ACTION_TYPE", "ORGANISM")
_PARALLEL: Final = ("GENE", "ACCESSION", "TDL")


def read_drugcentral(
    path: Path, *, organism: str = "Homo sapiens", mechanism_only: bool = True
) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    """Read drug–target pairs; a complex (``A|B``) gives one row per subunit.

    Args:
        path: ``drug.target.interaction.tsv``, plain or gzipped.
        organism: Rows of other organisms are left out.
        mechanism_only: Keep only targets flagged as mechanism of action (``MOA`` = 1).

    Returns:
        Columns ``drug``, ``gene`` (symbol as written), ``accession`` (UniProt), ``tdl`` (target
        development level, empty where the file gives another number of levels than of genes),
        ``action``; no row twice, sorted. And the steps.

    Raises:
        InputError: Another file, no row of the organism, or lists that are not parallel.
    """
    table = read_table(path, WHAT, COLUMNS)
    human = table[table["ORGANISM"] == organism]
    if human.empty:
        found = some(sorted(set(table["ORGANISM"])))
        raise InputError(f"'{path}' has no row of '{organism}'; it has {found}")
    steps = [Step(f"{NAME}: {organism}", len(table), len(human), "other organisms")]
    if mechanism_only:
        kept = human[human["MOA"].isin(["1", "1.0"])]
        steps.append(
            Step(f"{NAME}: mechanism of action", len(human), len(kept), "binding without MOA flag")
        )
        human = kept
    rows = []
    columns = [human[c].tolist() for c in ("DRUG_NAME", *_PARALLEL, "ACTION_TYPE")]
    for line, (drug, *lists, action) in zip(human.index, zip(*columns, strict=True), strict=True):
        genes, accessions, levels = (text.split("|") for text in lists)
        if len(genes) != len(accessions):
            raise InputError(
                f"'{path}', row {line + 1}: GENE and ACCESSION of '{drug}' have {len(genes)} and "
                f"{len(accessions)} parts; they must be parallel"
            )
        if len(levels) != len(genes):
            levels = [""] * len(genes)  # one level for two genes: nobody says whose it is
        rows += [(drug, *target, action) for target in zip(genes, accessions, levels, strict=True)]
    pairs = pd.DataFrame(rows, columns=["drug", "gene", "accession", "tdl", "action"], dtype=str)
    distinct = pairs.drop_duplicates().sort_values(list(pairs.columns), ignore_index=True)
    steps.append(Step(f"{NAME}: distinct pairs", len(pairs), len(distinct), "repeated records"))
    return distinct, tuple(steps)
