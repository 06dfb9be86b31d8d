"""Graphs with the same degrees and other edges: what a ranking owes to who is joined to whom.

Two edges ``a–b`` and ``c–d`` become ``a–d`` and ``c–b``: every node keeps its degree in every
relation, a directed relation keeps in- and out-degrees, memberships keep the size of every set.
Sources: Maslov & Sneppen 2002 (swaps); Milo et al. 2003 (ten swaps an edge suffice in practice);
Lazareva et al. 2021 (why a network method has to show that its edges matter).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.knowledge.graph import GENE, Relation, TargetGraph, distinct, places_of

#: Rounds of swaps without the wanted number after which a relation counts as too dense.
ROUNDS: Final = 40
#: Share of edges that may survive: more, and the graph is hardly another one.
LARGEST_KEPT: Final = 0.5
_Ids = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Rewired:
    """What became of one relation.

    Attributes:
        name: Of the relation.
        edges: Their number.
        swaps: Swaps per edge.
        kept: Share of edges that are where they were.
        problem: Why it could not be rewired; empty where it could.
    """

    name: str
    edges: int
    swaps: float
    kept: float
    problem: str = ""


def rewire_graph(
    graph: TargetGraph, rng: np.random.Generator, swaps: int = 10
) -> tuple[TargetGraph, list[Rewired]]:
    """Rewire every relation that carries messages and keep every degree in it.

    Args:
        graph: Its nodes stay as they are.
        rng: Draws the swaps.
        swaps: Swaps per edge, accepted ones.

    Returns:
        The rewired graph, and what became of each relation; one that cannot be rewired (too dense,
        or too few edges) keeps its edges and says so.
    """
    found, relations = [], dict(graph.relations)
    for relation in (*graph.gene_relations(), *graph.set_relations()):
        relations[relation.name], what = rewire_relation(graph, relation, rng, swaps)
        found.append(what)
    return replace(graph, relations=relations), found


def rewire_relation(
    graph: TargetGraph, relation: Relation, rng: np.random.Generator, swaps: int = 10
) -> tuple[Relation, Rewired]:
    """Rewire one relation; see ``rewire_graph``."""
    sources = pd.Index(sorted(graph.nodes[relation.source_type].index))
    targets = pd.Index(sorted(graph.nodes[relation.target_type].index))
    edges = relation.edges
    head = places_of(edges["source_id"], sources)
    tail = places_of(edges["target_id"], targets)
    same_type = relation.source_type == relation.target_type
    new_head, new_tail, done = swap_edges(
        head, tail, len(targets), rng, swaps, directed=relation.directed, loops=not same_type
    )
    same = np.isin(new_head * len(targets) + new_tail, head * len(targets) + tail)
    kept = float(same.sum() / max(len(same), 1))
    what = Rewired(relation.name, len(edges), done / max(len(edges), 1), kept)
    if problem := _problem(what, swaps):
        return relation, replace(what, problem=problem)
    moved = edges.assign(source_id=sources[new_head], target_id=targets[new_tail])
    order = np.lexsort((new_tail, new_head))
    moved = moved.iloc[order].reset_index(drop=True)
    kinds = (relation.source_type, relation.target_type)
    return Relation(relation.name, *kinds, moved, relation.directed), what


def swap_edges(
    head: _Ids,
    tail: _Ids,
    width: int,
    rng: np.random.Generator,
    swaps: int,
    *,
    directed: bool,
    loops: bool = False,
) -> tuple[_Ids, _Ids, int]:
    """Swap the ends of random pairs of edges, many pairs at a time.

    A round pairs all edges at random and proposes a swap for every pair; proposals that would make
    a loop, an edge that exists, or the same edge as another proposal are dropped, as in the serial
    chain.

    Args:
        head, tail: Ends of every edge, shape ``(e,)``; no edge twice.
        width: Number of nodes at the tail side.
        rng: Draws pairs.
        swaps: Accepted swaps wanted per edge.
        directed: Keep heads apart from tails; otherwise each pair is stored smaller end first.
        loops: Whether head and tail count different things, so that no edge can be a loop.

    Returns:
        New ends, shape ``(e,)`` each, and the number of accepted swaps; fewer than wanted where
        the graph is too dense.

    Example:
        >>> head, tail = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4])
        >>> a, b, done = swap_edges(head, tail, 5, np.random.default_rng(0), 5, directed=False)
        >>> np.bincount(np.concatenate([a, b])).tolist(), bool((a < b).all())
        ([1, 2, 2, 2, 1], True)
    """
    head, tail = head.copy(), tail.copy()
    wanted, done, half = swaps * len(head), 0, len(head) // 2
    for _ in range(ROUNDS * max(swaps, 1)):
        if done >= wanted or half == 0:
            break
        order = rng.permutation(len(head))
        first, second = order[:half], order[half : 2 * half]
        a, b, c, d = head[first], tail[first], head[second], tail[second]
        if not directed:
            turned = rng.random(half) < 0.5
            c, d = np.where(turned, d, c), np.where(turned, c, d)
        one, other = _pair(a, d, directed=directed), _pair(c, b, directed=directed)
        keys = [p[0] * width + p[1] for p in (one, other)]
        good = _new(keys, head * width + tail)
        if not loops:
            good &= (one[0] != one[1]) & (other[0] != other[1])
        for places, ends in ((first, one), (second, other)):
            head[places[good]], tail[places[good]] = ends[0][good], ends[1][good]
        done += int(good.sum())
    return head, tail, done


def drop_edges(graph: TargetGraph, rng: np.random.Generator, share: float) -> TargetGraph:
    """Leave out a random share of the edges of every relation; nodes stay."""
    relations = {}
    for name, relation in sorted(graph.relations.items()):
        keep = rng.random(len(relation.edges)) >= share
        relations[name] = replace(relation, edges=relation.edges[keep].reset_index(drop=True))
    return replace(graph, relations=relations)


def without_relation(graph: TargetGraph, name: str) -> TargetGraph:
    """Leave out the edges of one relation; nodes stay."""
    relation = graph.relations[name]
    emptied = replace(relation, edges=relation.edges.iloc[:0].reset_index(drop=True))
    return replace(graph, relations={**graph.relations, name: emptied})


def without_source(graph: TargetGraph, source: str) -> TargetGraph:
    """Leave out the edges that only one database reports; nodes stay."""
    relations = {
        name: replace(r, edges=r.edges[r.edges["evidence"] != source].reset_index(drop=True))
        for name, r in graph.relations.items()
    }
    return replace(graph, relations=relations)


def edge_sources(graph: TargetGraph) -> list[str]:
    """Name the databases behind the edges that carry messages, sorted."""
    found: set[str] = set()
    for relation in graph.relations.values():
        if relation.source_type == GENE:
            for text in relation.edges["evidence"].unique():
                found.update(str(text).split("|"))
    return sorted(found)


def _pair(a: _Ids, b: _Ids, *, directed: bool) -> tuple[_Ids, _Ids]:
    return (a, b) if directed else (np.minimum(a, b), np.maximum(a, b))


def _new(keys: list[_Ids], existing: _Ids) -> npt.NDArray[np.bool_]:
    """Tell which proposals make two edges that neither exist nor are proposed twice."""
    both = np.concatenate(keys)
    ordered = np.sort(both)
    twice = distinct(ordered[1:][ordered[1:] == ordered[:-1]])
    bad = np.isin(both, existing) | np.isin(both, twice)
    half = len(keys[0])
    good: npt.NDArray[np.bool_] = ~(bad[:half] | bad[half:])
    return good


def _problem(what: Rewired, swaps: int) -> str:
    if what.edges < 4:
        return f"it has {what.edges} edges, and fewer than four cannot be rewired"
    if what.swaps < swaps:
        return (
            f"it is too dense: after {ROUNDS * swaps} rounds {what.swaps:.1f} swaps an edge were "
            f"possible, and {swaps} are needed"
        )
    if what.kept > LARGEST_KEPT:
        return f"it is too dense: {what.kept:.0%} of its edges come back in any rewiring"
    return ""
