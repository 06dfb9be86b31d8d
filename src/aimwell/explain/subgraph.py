"""From attributions to a connected subgraph that a person can read."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

LEAST_GAIN = 0.005


def grow_subgraph(
    target: str, nodes: "pd.Series[float]", edges: pd.DataFrame, *, max_nodes: int
) -> tuple[str, ...]:
    """Grow a connected subgraph around a target by the largest gain per added node.

    Every step adds one neighbour, or a neighbour behind one in between, whichever brings most of
    the score per node; it stops at ``max_nodes`` or when a step brings under half a percent of
    what there is to explain.

    Args:
        target: Id of the target.
        nodes: Attribution of every node, indexed by id.
        edges: Columns ``source_id``, ``target_id``, ``attribution``.
        max_nodes: Largest number of nodes, the target included.

    Returns:
        Node ids, the target first, in the order in which they joined.

    Example:
        >>> edges = pd.DataFrame({"source_id": ["a", "b", "c"], "target_id": ["t", "t", "b"],
        ...     "attribution": [0.1, 0.3, 0.5]})
        >>> grow_subgraph("t", pd.Series({"t": 0.2, "a": 0.0, "b": 0.1, "c": 0.4}), edges,
        ...     max_nodes=3)
        ('t', 'b', 'c')
    """
    worth = {str(k): float(v) for k, v in nodes.items()}
    links = _links(edges)
    total = sum(abs(v) for v in worth.values()) + float(edges["attribution"].abs().sum())
    direction = np.sign(nodes.sum() + edges["attribution"].sum()) or 1.0
    inside = [target]
    while len(inside) < max_nodes:
        best, gain = _best_step(inside, links, worth, direction, max_nodes - len(inside))
        if gain < LEAST_GAIN * total:
            break
        inside.extend(best)
    return tuple(inside)


def _links(edges: pd.DataFrame) -> dict[str, dict[str, float]]:
    links: dict[str, dict[str, float]] = {}
    rows = zip(edges["source_id"], edges["target_id"], edges["attribution"], strict=True)
    for a, b, value in rows:
        for one, other in ((a, b), (b, a)):
            near = links.setdefault(one, {})
            near[other] = near.get(other, 0.0) + float(value)
    return links


def _best_step(
    inside: list[str],
    links: Mapping[str, Mapping[str, float]],
    worth: Mapping[str, float],
    direction: float,
    room: int,
) -> tuple[list[str], float]:
    """Find the best next node, or pair of nodes, and its gain per node."""
    members = set(inside)

    def gain(node: str, extra: tuple[str, ...] = ()) -> float:
        joined = members.union(extra)
        own = worth.get(node, 0.0)
        return direction * (own + sum(v for k, v in links[node].items() if k in joined))

    border = sorted({k for node in inside for k in links.get(node, {})} - members)
    singles = {node: gain(node) for node in border}
    best: tuple[list[str], float] = ([], -np.inf)
    for node in border:
        if singles[node] > best[1]:
            best = ([node], singles[node])
    if room > 1:
        # look behind the most promising neighbours only: the rest cannot catch up in one edge
        for node in sorted(border, key=lambda k: (-singles[k], k))[:50]:
            for behind in sorted(set(links[node]) - members - {node}):
                mean = (singles[node] + gain(behind, (node,))) / 2
                if mean > best[1]:
                    best = ([node, behind], mean)
    return best
