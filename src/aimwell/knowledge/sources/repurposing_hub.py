"""Drug Repurposing Hub: phase, targets and indications of drugs (non-commercial use only)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_table

NAME: Final = "Drug Repurposing Hub"
WHAT: Final = "a Drug Repurposing Hub table"
COLUMNS: Final = ("pert_iname", "clinical_phase", "moa", "target", "disease_area", "indication")


def read_repurposing_hub(path: Path) -> pd.DataFrame:
    """Read drugs with their targets (``repurposing_drugs_….txt``, latin-1, ``!`` comments).

    Returns:
        Columns ``drug``, ``phase``, ``gene`` (symbol as written), ``indication`` and ``moa`` (what
        the drug does, of all its targets; both several, joined by ``|``); one row per drug and
        target, drugs without targets included with an empty gene.

    Raises:
        InputError: Another file, or one without any clinical phase.
    """
    table = read_table(path, WHAT, COLUMNS, comment="!", encoding="latin-1")
    if not table["clinical_phase"].str.contains("Launched|Phase|Preclinical").any():
        found = some(sorted(set(table["clinical_phase"])))
        raise InputError(f"'{path}' names no clinical phase such as 'Launched'; it has {found}")
    genes = table["target"].str.split("|")
    return (
        table.assign(gene=genes)
        .explode("gene", ignore_index=True)
        .rename(columns={"pert_iname": "drug", "clinical_phase": "phase"})[
            ["drug", "phase", "gene", "indication", "moa"]
        ]
        .astype(str)
    )
