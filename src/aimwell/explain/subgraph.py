"""From attributions to connected subgraphs that a person can read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

LEAST_GAIN: Final = 0.005


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
    names = sorted({target, *nodes.index, *edges["source_id"], *edges["target_id"]})
    index = pd.Index(names)
    worth = nodes.reindex(index).fillna(0.0).to_numpy(float)
    ends = np.stack([index.get_indexer(pd.Index(edges[c])) for c in ("source_id", "target_id")])
    values = edges["attribution"].to_numpy(float)
    direction = np.sign(nodes.sum() + values.sum()) or 1.0
    prizes = Prizes(direction * worth, ends, direction * values)
    total = float(np.abs(worth).sum() + np.abs(values).sum())
    found = prizes.grow(int(index.get_loc(target)), max_nodes, LEAST_GAIN * total)
    return tuple(names[i] for i in found)


@dataclass(frozen=True)
class Prizes:
    """What nodes and edges are worth; edges count where both ends are in.

    Attributes:
        nodes: Shape ``(n,)``.
        ends: Shape ``(2, e)``.
        edges: Shape ``(e,)``.
    """

    nodes: np.ndarray
    ends: np.ndarray
    edges: np.ndarray

    def value(self, inside: np.ndarray) -> float:
        """Sum over a set of nodes and the edges between them."""
        member = np.zeros(len(self.nodes), dtype=bool)
        member[inside] = True
        between = member[self.ends[0]] & member[self.ends[1]]
        return float(self.nodes[inside].sum() + self.edges[between].sum())

    def grow(self, target: int, max_nodes: int, least: float) -> list[int]:
        """Grow from ``target`` by the largest gain per node, one node or a pair at a time."""
        # both ways, parallel edges joined: a gain is read off in one look
        n = len(self.nodes)
        key = np.concatenate([self.ends[0] * n + self.ends[1], self.ends[1] * n + self.ends[0]])
        pairs, place = np.unique(key, return_inverse=True)
        link = np.bincount(place, np.tile(self.edges, 2), minlength=len(pairs))
        one, other = pairs // n, pairs % n
        begin = np.searchsorted(one, np.arange(n + 1))
        gain = self.nodes.astype(float).copy()
        near, member = np.zeros(n, dtype=bool), np.zeros(n, dtype=bool)
        inside: list[int] = []

        def join(node: int) -> None:
            inside.append(node)
            member[node] = True
            part = slice(begin[node], begin[node + 1])
            gain[other[part]] += link[part]
            near[other[part]] = True

        join(target)
        while len(inside) < max_nodes:
            border = np.flatnonzero(near & ~member)
            if not len(border):
                break
            best = int(border[np.argmax(gain[border])])
            step, most = [best], gain[best]
            if len(inside) + 1 < max_nodes:
                behind = (near & ~member)[one] & ~member[other]
                mean = (gain[one[behind]] + gain[other[behind]] + link[behind]) / 2
                if len(mean) and mean.max() > most + 1e-12 * abs(most):
                    at = int(np.argmax(mean))
                    step, most = [int(one[behind][at]), int(other[behind][at])], mean[at]
            if most < least:
                break
            for node in step:
                join(node)
        return inside

    def without(self, nodes: list[int]) -> "Prizes":
        """Take the edges of some nodes away, so that another subgraph is found."""
        gone = np.zeros(len(self.nodes), dtype=bool)
        gone[nodes] = True
        kept = ~(gone[self.ends[0]] | gone[self.ends[1]])
        return Prizes(self.nodes, self.ends[:, kept], self.edges[kept])


def distinct_subgraphs(
    prizes: Prizes, target: int, *, max_nodes: int, number: int, direction: float
) -> Iterator[tuple[list[int], int]]:
    """Find several subgraphs that share nothing but the target.

    The first is the one in the direction of the score. Then its nodes are taken away, and the next
    is the better of the two that raise and lower the score most, and so on.

    Args:
        prizes: Attributions as they are.
        target: Node that all of them hold.
        max_nodes: Of each.
        number: How many at most.
        direction: Sign of the score above its baseline.

    Yields:
        Nodes, target first, and the sign of what they do to the score.
    """
    total = float(np.abs(prizes.nodes).sum() + np.abs(prizes.edges).sum())
    own = prizes.nodes[target]
    for turn in range(number):
        found = []
        for sign in (direction,) if turn == 0 else (direction, -direction):
            signed = Prizes(sign * prizes.nodes, prizes.ends, sign * prizes.edges)
            inside = signed.grow(target, max_nodes, LEAST_GAIN * total)
            worth = signed.value(np.array(inside))
            found.append((worth - (sign * own if turn else 0), inside, int(sign)))
        worth, inside, sign_found = max(found, key=lambda f: f[0])
        if turn and (len(inside) == 1 or worth <= 0):
            return
        yield inside, sign_found
        prizes = prizes.without(inside[1:])
