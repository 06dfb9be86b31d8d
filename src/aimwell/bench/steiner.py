"""How close grown subgraphs come to the best there is, and to NetworkX's Steiner trees."""

from collections.abc import Iterable, Iterator
from typing import Final

import networkx as nx
import numpy as np
import pandas as pd
from networkx.algorithms.approximation import steiner_tree
from scipy.optimize import Bounds, LinearConstraint, milp

from aimwell.bench.bars import Bar, bar
from aimwell.explain.subgraph import Prizes
from aimwell.explain.targets import OneTarget

#: Drawn cases: how many, their nodes, and the chance of an edge between two.
CASES: Final = 30
NODES: Final = (12, 16, 20)
DENSITIES: Final = (0.12, 0.25)
#: Of a real target so many of the strongest edges, which an exact answer can be had for.
EDGES: Final = 30
#: Nodes of a subgraph.
BUDGET: Final = 7
GROWTH, TREE = "growth", "NetworkX Steiner tree"


def steiner_bars(name: str, cases: Iterable[tuple[Prizes, int]]) -> Iterator[Bar]:
    """Compare growth and Steiner trees with the exact optimum.

    Args:
        name: Of the cases.
        cases: Prizes and target, small enough for an exact answer.
    """
    found = compare_methods(cases)
    name = f"subgraphs of {BUDGET} nodes, {len(found)} {name}"
    for method in (GROWTH, TREE):
        share = found[method] / found["exact"]
        yield bar(f"{name}: share of the exact optimum, mean, {method}", float(share.mean()))
        yield bar(f"{name}: the same, worst case, {method}", float(share.min()))
        exact = float((share > 1 - 1e-6).mean())
        yield bar(f"{name}: share of cases with the optimum, {method}", exact)
    wins = float((found[GROWTH] >= found[TREE] - 1e-9).mean())
    yield bar(f"{name}: share of cases in which growth is as good as the tree or better", wins)


def compare_methods(cases: Iterable[tuple[Prizes, int]]) -> pd.DataFrame:
    """Give what the subgraphs of each method are worth, one row per case."""
    rows = []
    for prizes, target in cases:
        grown = prizes.value(np.array(prizes.grow(target, BUDGET, 0.0)))
        tree = prizes.value(np.array(tree_nodes(prizes, target, BUDGET)))
        rows.append({"exact": exact_value(prizes, target, BUDGET), GROWTH: grown, TREE: tree})
    return pd.DataFrame(rows)


def drawn_cases(number: int = CASES) -> Iterator[tuple[Prizes, int]]:
    """Draw small graphs."""
    for seed in range(number):
        yield drawn_prizes(seed), 0


def real_cases(targets: Iterable[OneTarget]) -> Iterator[tuple[Prizes, int]]:
    """Take what the strongest edges of real targets are worth, in the direction of their score."""
    for one in targets:
        prizes, local = one.prizes(EDGES)
        sign = 1.0 if one.part.score >= one.part.baseline_score else -1.0
        signed = Prizes(sign * prizes.nodes, prizes.ends, sign * prizes.edges)
        yield signed, int(np.searchsorted(local, one.position))


def drawn_prizes(seed: int) -> Prizes:
    """Draw a connected graph whose nodes and edges are worth something, most of them little.

    Attributions are heavy-tailed and of both signs, and so are these.
    """
    rng = np.random.default_rng(seed)
    n, density = NODES[seed % len(NODES)], DENSITIES[seed % len(DENSITIES)]
    chosen = np.triu(rng.random((n, n)) < density, 1)
    for node in range(1, n):  # a tree through all, so that nothing is out of reach
        chosen[rng.integers(node), node] = True
    ends = np.argwhere(chosen).T
    worth = [rng.exponential(1, size) ** 2 - 0.3 for size in (n, ends.shape[1])]
    return Prizes(worth[0], ends, worth[1])


def tree_nodes(prizes: Prizes, target: int, size: int) -> list[int]:
    """Join the target to the best nodes by Steiner trees of NetworkX, as many as the budget takes.

    The best nodes are those that are worth most with half of the edges at them. The trees are those
    of Kou, Markowsky & Berman 1981, with edges that cost the less, the more they are worth; the
    best of all trees within the budget is taken.
    """
    edges = prizes.edges
    graph: nx.Graph[int] = nx.Graph()
    for a, b, cost in zip(*prizes.ends, edges.max() - edges + 1e-3 * np.ptp(edges), strict=True):
        graph.add_edge(int(a), int(b), weight=float(cost))
    worth = prizes.nodes + sum(
        np.bincount(end, np.maximum(edges, 0) / 2, minlength=len(prizes.nodes))
        for end in prizes.ends
    )
    graph.add_node(target)
    graph = graph.subgraph(nx.node_connected_component(graph, target))
    order = [int(node) for node in np.argsort(-worth) if node != target and node in graph]
    best = [target]
    for number in range(1, min(size, len(order) + 1)):
        terminals = [target, *order[:number]]
        tree = steiner_tree(graph, terminals, weight="weight", method="kou")
        nodes = sorted(int(node) for node in tree)
        if len(nodes) <= size and prizes.value(np.array(nodes)) > prizes.value(np.array(best)):
            best = nodes
    return best


def exact_value(prizes: Prizes, target: int, size: int) -> float:
    """Give the largest value of a connected subgraph of at most ``size`` nodes around a target.

    An integer program for HiGHS: a node or an edge is in or out, an edge only where both its ends
    are, and one unit flows from the target to every node that is in, along edges that are in reach.
    """
    n, e = len(prizes.nodes), prizes.ends.shape[1]
    cost = -np.concatenate([prizes.nodes, prizes.edges, np.zeros(2 * e)])
    rows, low, high = [], [], []

    def add(parts: dict[int, float], least: float, most: float) -> None:
        row = np.zeros(n + 3 * e)
        for place, factor in parts.items():
            row[place] += factor
        rows.append(row)
        low.append(least)
        high.append(most)

    for k in range(e):
        a, b = (int(v) for v in prizes.ends[:, k])
        add({n + k: 1, a: -1}, -np.inf, 0)
        add({n + k: 1, b: -1}, -np.inf, 0)
        add({n + k: 1, a: -1, b: -1}, -1, np.inf)  # an edge between two that are in counts
        for way in range(2):
            for end in (a, b):
                add({n + e + way * e + k: 1, end: -size}, -np.inf, 0)
    for node in range(n):
        if node == target:
            continue
        parts = {node: -1.0}
        for k in range(e):
            a, b = (int(v) for v in prizes.ends[:, k])
            for way, (out, to) in enumerate(((a, b), (b, a))):
                if node in (out, to):
                    place = n + e + way * e + k
                    parts[place] = parts.get(place, 0) + (1.0 if node == to else -1.0)
        add(parts, 0, 0)
    add(dict.fromkeys(range(n), 1.0), 0, size)
    add({target: 1.0}, 1, 1)
    found = milp(
        cost,
        constraints=LinearConstraint(np.array(rows), low, high),
        bounds=Bounds(0, np.concatenate([np.ones(n + e), np.full(2 * e, size)])),
        integrality=np.concatenate([np.ones(n + e), np.zeros(2 * e)]),
    )
    return -float(found.fun or 0.0)
