"""What was known on a day: rows with a later date leave, rows without a date stay and are counted.

A year alone counts as its last day, because nobody can tell that it was earlier.
"""

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.interactions import Interactions, keep_rows
from aimwell.provenance import Step

ISO: Final = re.compile(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?")
_Mask = npt.NDArray[np.bool_]


def last_day(date: str) -> str:
    """Give the last day that an ISO date, month or year can mean; empty where it is none.

    Example:
        >>> last_day("2018"), last_day("2018-02"), last_day("2018-02-03"), last_day("spring")
        ('2018-12-31', '2018-02-31', '2018-02-03', '')
    """
    found = ISO.fullmatch(date.strip()[:10])
    if not found:
        return ""
    return f"{found[1]}-{found[2] or '12'}-{found[3] or '31'}"


def known_by(dates: Iterable[str], as_of: str) -> tuple[_Mask, int]:
    """Tell which dates are not after a day, and how many are none; those count as not after.

    Example:
        >>> keep, undated = known_by(["1999", "2018", "", "2017-12-31"], "2018-01-01")
        >>> keep.tolist(), undated
        ([True, False, True, True], 1)
    """
    limit = last_day(as_of)
    days = [last_day(str(date)) for date in dates]
    return np.array([day <= limit for day in days], bool), sum(not day for day in days)


def interactions_as_of(found: Interactions, as_of: str, origin: str) -> Interactions:
    """Keep the interactions of a database that were reported by a day, and those without a date."""
    codes = found.table["date"].cat.codes.to_numpy()
    texts = found.table["date"].cat.categories
    keep, _ = known_by(texts, as_of)
    bare = np.array([not last_day(str(text)) for text in texts], bool)
    undated = int(bare[codes].sum())
    why = f"reported later; {undated} without a date are kept"
    kept = keep_rows(found, keep[codes], f"{origin}: known by {as_of}", why)
    # the undated are worth a word also where nothing was left out
    return replace(kept, steps=(*kept.steps[:-1], replace(kept.steps[-1], why=why)))


def graph_as_of(graph: TargetGraph, as_of: str) -> TargetGraph:
    """Keep the edges of a graph whose earliest report is not after a day, and those without one.

    The weight of an edge that stays may still owe something to later reports: build the graph from
    its sources to leave them out too. Nodes stay.
    """
    relations, steps = {}, []
    for name, relation in graph.relations.items():
        edges = relation.edges
        dates = edges["date"] if "date" in edges else pd.Series("", index=edges.index)
        keep, undated = known_by(dates, as_of)
        why = f"first reported later; {undated} without a date are kept"
        steps.append(Step(f"{name}: known by {as_of}", len(edges), int(keep.sum()), why))
        relations[name] = replace(relation, edges=edges[keep].reset_index(drop=True))
    return replace(graph, relations=relations, steps=(*graph.steps, *steps))


def labels_as_of(found: pd.DataFrame, as_of: str, where: str) -> tuple[pd.DataFrame, Step]:
    """Keep the known targets that were known by a day, and those without a date."""
    keep, undated = known_by(found["date"], as_of)
    why = f"known later; {undated} without a date are kept"
    step = Step(f"{where}: known by {as_of}", len(found), int(keep.sum()), why)
    return found[keep].reset_index(drop=True), step
