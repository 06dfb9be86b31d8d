"""Turn pairs of ids from any source into the edges of a relation: no loop, no pair twice."""

import numpy as np
import pandas as pd

from aimwell.knowledge.graph import EDGE_COLUMNS
from aimwell.provenance import Step


def build_edges(pairs: pd.DataFrame, what: str, *, directed: bool) -> tuple[pd.DataFrame, Step]:
    """Merge pairs into distinct edges.

    The weight of an edge is the largest that a source gives it; its evidence is the sources' names
    in order, joined by ``|``; it counts as literature or clinical only where every source says so,
    because the edge would stand without that one.

    Args:
        pairs: Columns ``source_id``, ``target_id``, ``weight``, ``evidence``, ``literature``,
            ``clinical`` and ``detail``, in any order.
        what: Name of the relation, for the step.
        directed: False stores each pair once, smaller id first.

    Returns:
        Edges with the columns of ``EDGE_COLUMNS`` and ``detail``, sorted by ids, and the step.

    Example:
        >>> pairs = pd.DataFrame({"source_id": ["b", "a", "a"], "target_id": ["a", "b", "a"],
        ...     "weight": [0.5, 1.0, 1.0], "evidence": ["B", "A", "A"], "literature": False,
        ...     "clinical": False, "detail": ""})
        >>> build_edges(pairs, "interacts", directed=False)[0].iloc[0, :4].astype(str).tolist()
        ['a', 'b', '1.0', 'A|B']
    """
    columns = [*EDGE_COLUMNS, "detail"]
    source, target = (pairs[c].to_numpy(object) for c in ("source_id", "target_id"))
    loops = source == target
    if not directed:
        swap = source > target
        source, target = np.where(swap, target, source), np.where(swap, source, target)
    edges = pairs.assign(source_id=source, target_id=target)[~loops][columns]
    edges = edges.drop_duplicates().sort_values(columns, ignore_index=True)
    repeated = edges.duplicated(["source_id", "target_id"], keep=False)
    if repeated.any():
        merged = _merge(edges[repeated])
        edges = pd.concat([edges[~repeated], merged]).sort_values(
            ["source_id", "target_id"], ignore_index=True
        )
    edges = edges.astype({"source_id": str, "target_id": str, "evidence": str, "detail": str})
    step = Step(
        f"{what}: distinct edges",
        len(pairs),
        len(edges),
        f"{int(loops.sum())} self-loops and {len(pairs) - int(loops.sum()) - len(edges)} "
        "repeated pairs",
    )
    return edges, step


def _merge(edges: pd.DataFrame) -> pd.DataFrame:
    def join(values: "pd.Series[str]") -> str:
        return "|".join(sorted({part for v in values for part in v.split("|") if part}))

    return edges.groupby(["source_id", "target_id"], as_index=False).agg(
        weight=("weight", "max"),
        evidence=("evidence", join),
        literature=("literature", "all"),
        clinical=("clinical", "all"),
        detail=("detail", join),
    )
