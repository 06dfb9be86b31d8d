"""What assays with antibodies and aptamers share: several reagents of one protein."""

import re

import pandas as pd

from aimwell.cohorts.vendor_tables import Sieve
from aimwell.provenance import Step


def accession_group(text: str) -> str:
    """Write the proteins that one reagent binds as a group: ``P1_P2`` and ``P1 P2`` are ``P1;P2``.

    Example:
        >>> accession_group("P29459_P29460"), accession_group("Q8NEV9, Q14213")
        ('P29459;P29460', 'Q8NEV9;Q14213')
    """
    return ";".join(part for part in re.split(r"[\s,|_;]+", text.strip()) if part)


def best_reagent(
    values: pd.DataFrame,
    protein: "pd.Series[str]",
    rank: "pd.Series[float]",
    sieve: Sieve,
    what: str,
) -> pd.DataFrame:
    """Let one reagent stand for each protein: the highest rank, then the first by name.

    Args:
        values: Samples × reagents.
        protein: Protein of each reagent, indexed by reagent.
        rank: How good each reagent is, indexed by reagent.
        sieve: Receives the step.
        what: What the reagents are, for the step: ``assays``, ``aptamers``.

    Returns:
        Samples × proteins.

    Example:
        >>> wide = pd.DataFrame({"r1": [1.0], "r2": [2.0]})
        >>> same = pd.Series({"r1": "P1", "r2": "P1"})
        >>> best_reagent(wide, same, pd.Series({"r1": 3, "r2": 9}), Sieve("x", []), "assays")
            P1
        0  2.0
    """
    order = pd.DataFrame(
        {"protein": protein, "rank": rank, "name": protein.index}, index=protein.index
    ).sort_values(["protein", "rank", "name"], ascending=[True, False, True])
    order = order.loc[order.index.isin(values.columns)]
    best = order.drop_duplicates("protein")
    if len(best) < len(order):
        several = order[order["protein"].duplicated(keep=False)]
        examples = several.groupby("protein")["name"].agg(" > ".join)
        sieve.steps.append(
            Step(
                f"{sieve.layer}: one of several {what}",
                len(order),
                len(best),
                f"{len(examples)} proteins have several {what}; the one that measures best is kept",
                tuple(f"{name}: {reagents}" for name, reagents in examples.iloc[:3].items()),
            )
        )
    chosen = values[best.index.tolist()]
    return chosen.set_axis(pd.Index(best["protein"].tolist(), dtype=str), axis=1)
