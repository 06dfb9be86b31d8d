"""Where the nodes of a subgraph are drawn, so that labels are legible and edges rarely cross."""

import textwrap
from dataclasses import dataclass
from typing import Final

import networkx as nx
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from aimwell.explain.explanation import Explanation

WIDTH: Final = 900.0
HEIGHT: Final = 560.0
_LINE: Final = 15.0  # height of a line of label text
_LETTER: Final = 7.2  # mean width of a letter of label text
_CANDIDATES: Final = 5
_Array = NDArray[np.float64]


@dataclass(frozen=True)
class PlacedNode:
    """A node on the canvas: centre (y downwards), radius and label (above or below), in pixels."""

    id: str
    x: float
    y: float
    radius: float
    lines: tuple[str, ...]
    kind: str
    attribution: float
    above: bool = False


def place_nodes(explanation: Explanation) -> dict[str, PlacedNode]:
    """Lay out the subgraph of an explanation on a canvas of 900 × 560 pixels.

    Several layouts of small stress are tried from fixed starting points; label boxes are pushed
    apart; the one with the fewest overlaps and crossings stays. No random numbers are drawn, and
    the order of rows does not matter.
    """
    nodes = explanation.nodes
    ids = [explanation.gene, *sorted(set(explanation.subgraph_nodes) - {explanation.gene})]
    size = {i: _number(nodes, i) for i in ids}
    most = max((abs(v) for v in size.values()), default=0.0) or 1.0
    radius = {i: 11.0 + 15.0 * float(np.sqrt(abs(size[i]) / most)) for i in ids}
    radius[explanation.gene] = max(radius[explanation.gene], 24.0)
    kind = {i: _text(nodes, i, "type", "gene") for i in ids}
    lines = {i: wrap_label(_text(nodes, i, "symbol", i), kind[i]) for i in ids}
    sizes = np.array([_size(lines[i], radius[i]) for i in ids])  # (n, 3)
    pairs = _pairs(explanation, ids)
    found = [_arrange(start, sizes, pairs) for start in _starts(ids, pairs)]
    xy, above = min(found, key=lambda f: _cost(f[0], f[1], sizes, pairs))
    return {
        i: PlacedNode(
            i,
            round(float(xy[k, 0]), 1),
            round(float(xy[k, 1]), 1),
            round(radius[i], 1),
            lines[i],
            kind[i],
            size[i],
            bool(above[k]),
        )
        for k, i in enumerate(ids)
    }


def wrap_label(text: str, kind: str) -> tuple[str, ...]:
    """Break a label into at most three short lines; gene symbols stay whole.

    Example:
        >>> wrap_label("Signaling by receptor tyrosine kinases", "pathway")
        ('Signaling by', 'receptor tyrosine', 'kinases')
        >>> wrap_label("EGFR", "gene")
        ('EGFR',)
    """
    if kind == "gene" and len(text) <= 18:
        return (text,)
    return tuple(textwrap.wrap(text, 18, max_lines=3, placeholder=" …")) or (text[:18],)


def _number(nodes: pd.DataFrame, key: str) -> float:
    value = float(nodes["attribution"].get(key, 0.0))
    return value if np.isfinite(value) else 0.0


def _text(nodes: pd.DataFrame, key: str, column: str, default: str) -> str:
    return str(nodes[column].get(key, default))


def _size(lines: tuple[str, ...], radius: float) -> tuple[float, float, float]:
    """Half width of the label, radius, and height of the label."""
    return _LETTER * max(len(line) for line in lines) / 2, radius, _LINE * len(lines) + 3


def _boxes(sizes: _Array, above: NDArray[np.bool_]) -> _Array:
    """Reach of each node with its label from its centre: half width, up, down; shape ``(n, 3)``."""
    half = np.maximum(sizes[:, 0], sizes[:, 1]) + 7
    bare, labelled = sizes[:, 1] + 7, sizes[:, 1] + sizes[:, 2] + 7
    up, down = np.where(above, labelled, bare), np.where(above, bare, labelled)
    return np.column_stack([half, up, down])


def _pairs(explanation: Explanation, ids: list[str]) -> list[tuple[int, int]]:
    place = {node: k for k, node in enumerate(ids)}
    edges = explanation.subgraph_edges
    found = {
        (min(place[a], place[b]), max(place[a], place[b]))
        for a, b in zip(edges["source_id"], edges["target_id"], strict=True)
        if a in place and b in place and a != b
    }
    return sorted(found)


def _starts(ids: list[str], pairs: list[tuple[int, int]]) -> list[_Array]:
    n = len(ids)
    if n == 1:
        return [np.array([[WIDTH / 2, HEIGHT / 2]])]
    graph = nx.Graph(pairs)
    graph.add_nodes_from(range(n))
    # a node without an edge would be thrown to infinity; it is tied to the target instead
    for part in sorted(nx.connected_components(graph), key=min)[1:]:
        graph.add_edge(0, min(part))
    lengths = dict(nx.all_pairs_shortest_path_length(graph))
    wanted = np.array([[float(lengths[i][j]) for j in range(n)] for i in range(n)])
    starts = []
    for k in range(_CANDIDATES):
        # a different order round the circle each time; 101 is a prime above any node count
        turn = 2 * np.pi * np.argsort(np.arange(n) * (2 * k + 1) % 101) / n + k
        circle = np.column_stack([np.cos(turn), np.sin(turn)])
        circle[0] = 0.01 * (k + 1), 0.0
        xy = _majorise(circle, wanted)
        starts += [_fit(xy), _fit(xy[:, ::-1])]
    return starts


def _majorise(xy: _Array, wanted: _Array) -> _Array:
    """Bring distances close to ``wanted`` by stress majorisation (Gansner et al. 2004)."""
    n = len(xy)
    weight = 1.0 / np.where(wanted > 0, wanted, np.inf) ** 2  # (n, n)
    laplacian = np.diag(weight.sum(axis=1)) - weight
    inverse = np.linalg.pinv(laplacian)
    for _ in range(80):
        apart = np.sqrt(((xy[:, None] - xy[None]) ** 2).sum(axis=2)) + np.eye(n)
        pull = -weight * wanted / np.maximum(apart, 1e-6)
        np.fill_diagonal(pull, -pull.sum(axis=1))
        xy = inverse @ (pull @ xy)
    return xy


def _fit(xy: _Array) -> _Array:
    low, high = xy.min(axis=0), xy.max(axis=0)
    span = np.where(high - low > 1e-9, high - low, 1.0)
    inner = np.array([WIDTH - 150, HEIGHT - 120])
    scaled: _Array = (xy - (low + high) / 2) / span * inner + np.array([WIDTH / 2, HEIGHT / 2])
    return scaled


def _arrange(
    xy: _Array, sizes: _Array, pairs: list[tuple[int, int]]
) -> tuple[_Array, NDArray[np.bool_]]:
    """Separate the nodes, and put each label on the side that fewer edges cross."""
    below = np.zeros(len(xy), dtype=bool)
    xy = _settle(xy, _boxes(sizes, below))
    above = _label_hits(xy, ~below, sizes, pairs) < _label_hits(xy, below, sizes, pairs)
    return _settle(xy, _boxes(sizes, above)), above


def _label_hits(
    xy: _Array, above: NDArray[np.bool_], sizes: _Array, pairs: list[tuple[int, int]]
) -> NDArray[np.int64]:
    """Count the edges that run through the label of each node, shape ``(n,)``."""
    low = np.where(above, -sizes[:, 1] - sizes[:, 2], sizes[:, 1] + 2)
    high = np.where(above, -sizes[:, 1] - 2, sizes[:, 1] + sizes[:, 2])
    line = _lines(xy, pairs)  # (e, 33, 2)
    dx = np.abs(line[:, :, None, 0] - xy[:, 0])
    dy = line[:, :, None, 1] - xy[:, 1]
    inside = (dx < sizes[:, 0]) & (dy > low) & (dy < high)  # (e, 33, n)
    hits: NDArray[np.int64] = inside.any(axis=1).sum(axis=0)
    return hits


def _lines(xy: _Array, pairs: list[tuple[int, int]]) -> _Array:
    """Points along every edge, shape ``(e, 33, 2)``."""
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    along = np.linspace(0.02, 0.98, 33)[:, None]
    start = xy[ends[:, 0], None]
    points: _Array = start + along * (xy[ends[:, 1], None] - start)
    return points


def _settle(xy: _Array, boxes: _Array) -> _Array:
    """Push overlapping boxes apart along the axis that needs the smaller move."""
    # plain numbers: looking single ones up in an array is what would take the time
    x, y = xy[:, 0].tolist(), xy[:, 1].tolist()
    half, up, down = (column.tolist() for column in boxes.T)
    for _ in range(60):
        moved = False
        for i in range(len(x)):
            for j in range(i + 1, len(x)):
                dx = half[i] + half[j] - abs(x[i] - x[j])
                if dx <= 0:
                    continue
                dy = min(y[i] + down[i], y[j] + down[j]) - max(y[i] - up[i], y[j] - up[j])
                if dy <= 0:
                    continue
                moved = True
                if dx < dy:
                    step = (dx / 2 + 1) * (1.0 if x[i] >= x[j] else -1.0)
                    x[i], x[j] = x[i] + step, x[j] - step
                else:
                    step = (dy / 2 + 1) * (1.0 if y[i] >= y[j] else -1.0)
                    y[i], y[j] = y[i] + step, y[j] - step
        x = [min(max(v, h + 4), WIDTH - h - 4) for v, h in zip(x, half, strict=True)]
        y = [min(max(v, u + 4), HEIGHT - d - 4) for v, u, d in zip(y, up, down, strict=True)]
        if not moved:
            break
    return np.column_stack([x, y])


def _overlaps(xy: _Array, boxes: _Array) -> int:
    """Count the pairs of boxes that overlap."""
    i, j = np.triu_indices(len(xy), 1)
    dx = boxes[i, 0] + boxes[j, 0] - np.abs(xy[i, 0] - xy[j, 0])
    top = np.maximum(xy[i, 1] - boxes[i, 1], xy[j, 1] - boxes[j, 1])
    bottom = np.minimum(xy[i, 1] + boxes[i, 2], xy[j, 1] + boxes[j, 2])
    return int(((dx > 0) & (bottom - top > 0)).sum())


def _cost(
    xy: _Array, above: NDArray[np.bool_], sizes: _Array, pairs: list[tuple[int, int]]
) -> float:
    """Weigh overlapping boxes, edges through nodes and labels, crossings and edge length."""
    overlaps = _overlaps(xy, _boxes(sizes, above))
    crossings = _crossings(xy, pairs)
    ends = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    away = _lines(xy, pairs)[:, :, None] - xy  # (e, 33, n, 2)
    near = np.hypot(away[..., 0], away[..., 1]).min(axis=1) < sizes[:, 1] + 3  # (e, n)
    near[np.arange(len(ends))[:, None], ends] = False
    through = int(near.sum())
    labels = int(_label_hits(xy, above, sizes, pairs).sum())
    length = sum(float(np.hypot(*(xy[a] - xy[b]))) for a, b in pairs) / (WIDTH * max(len(pairs), 1))
    return 100.0 * overlaps + 8.0 * through + 6.0 * labels + 4.0 * crossings + length


def _crossings(xy: _Array, pairs: list[tuple[int, int]]) -> int:
    """Count the pairs of edges that cross; edges of one node do not."""
    if len(pairs) < 2:
        return 0
    ends = np.array(pairs)  # (e, 2)
    i, j = np.triu_indices(len(pairs), 1)
    apart = (ends[i][:, :, None] != ends[j][:, None, :]).all(axis=(1, 2))
    i, j = i[apart], j[apart]
    a, b, c, d = xy[ends[i, 0]], xy[ends[i, 1]], xy[ends[j, 0]], xy[ends[j, 1]]

    def side(p: _Array, q: _Array, r: _Array) -> _Array:
        turned: _Array = (q[:, 0] - p[:, 0]) * (r[:, 1] - p[:, 1])
        return turned - (q[:, 1] - p[:, 1]) * (r[:, 0] - p[:, 0])

    over = side(a, b, c) * side(a, b, d) < 0
    return int((over & (side(c, d, a) * side(c, d, b) < 0)).sum())
