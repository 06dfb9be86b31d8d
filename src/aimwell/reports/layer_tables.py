"""Tables across layers for people and programs: where protein leaves RNA, and what sets seem to do.

Both go beside the ranking and never into it.
"""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.cohorts.evidence import COMPARISON_COLUMNS, Evidence
from aimwell.provenance import write_atomically

DISCORDANCE: Final = "discordance.tsv"
ACTIVITY: Final = "activity.tsv"
_EFFECTS: Final = ("effect", "effect_se", "lfsr")


def discordance_table(evidence: Evidence, symbols: Mapping[str, str]) -> pd.DataFrame:
    """Rank the genes of every compared pair of contrasts by how far protein leaves RNA.

    Args:
        evidence: With its ``comparisons``.
        symbols: HGNC id → symbol; a gene without one is called by its id.

    Returns:
        ``rna`` and ``protein`` (the contrasts), ``rank`` within them (1: least likely by chance),
        ``symbol``, ``hgnc_id``, shrunken effects of both layers (``rna_effect`` …), and
        ``COMPARISON_COLUMNS``.
    """
    columns = [f"{layer}_{c}" for layer in ("rna", "protein") for c in _EFFECTS]
    first = ["rna", "protein", "rank", "symbol", "hgnc_id"]
    parts = []
    for pair, found in evidence.comparisons.items():
        table = found.copy()
        for layer, contrast in zip(("rna", "protein"), pair, strict=True):
            table[layer] = contrast
            for column in _EFFECTS:
                table[f"{layer}_{column}"] = evidence.blocks[contrast][column].reindex(table.index)
        table["hgnc_id"] = table.index
        table["symbol"] = [symbols.get(str(g), str(g)) for g in table.index]
        table["strength"] = -table["discordance"].abs()
        table = table.sort_values(["strength", "hgnc_id"], kind="stable")
        table["rank"] = range(1, len(table) + 1)
        parts.append(table[[*first, *columns, *COMPARISON_COLUMNS]])
    if not parts:
        return pd.DataFrame(columns=[*first, *columns, *COMPARISON_COLUMNS])
    return pd.concat(parts, ignore_index=True)


def write_tsv(path: Path, table: pd.DataFrame) -> Path:
    """Write a table with 8 significant digits."""
    text = io.StringIO()
    table.to_csv(text, sep="\t", index=False, float_format="%.8g", lineterminator="\n")
    with write_atomically(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
    return path
