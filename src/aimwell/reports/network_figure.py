"""The subgraph of an explanation as a plotly figure: colour is evidence, size is attribution."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from aimwell.cohorts.evidence import Evidence
from aimwell.explain.explanation import Explanation
from aimwell.reports.colours import token
from aimwell.reports.drawing import (
    NEGATIVE_RELATIONS,
    UNDIRECTED,
    Z_LIMIT,
    drawn_edges,
    strongest_z,
)
from aimwell.reports.figures import HALO, Figure
from aimwell.reports.layout import HEIGHT, WIDTH, place_nodes

_SYMBOLS: Final = {"gene": "circle", "pathway": "square", "complex": "hexagon"}


def subgraph_figure(
    explanation: Explanation,
    evidence: Evidence,
    labels: Mapping[str, str],
    known: frozenset[str] = frozenset(),
) -> Figure:
    """Draw the subgraph of an explanation: colour is evidence, size and width attribution."""
    placed = place_nodes(explanation)
    edges = drawn_edges(explanation).to_dict("records")
    most = max((abs(e["attribution"]) for e in edges), default=0.0) or 1.0
    spot = {key: (node.x, HEIGHT - node.y) for key, node in placed.items()}
    names = {key: " ".join(node.lines) for key, node in placed.items()}
    symbols = explanation.nodes["symbol"]
    names |= {key: str(symbols[key]) for key in placed if key in symbols.index}
    data = [
        _line(spot[e["source_id"]], spot[e["target_id"]], e["attribution"], most) for e in edges
    ]
    data.append(_marks(edges, spot, names))
    strength = strongest_z(evidence, list(placed))
    ids = list(placed)
    nodes = {
        "type": "scatter",
        "mode": "markers+text",
        "x": [spot[i][0] for i in ids],
        "y": [spot[i][1] for i in ids],
        "text": [
            "<b>" * (i == explanation.gene)
            + "<br>".join(escape(line) for line in placed[i].lines)
            + "</b>" * (i == explanation.gene)
            for i in ids
        ],
        "textposition": [f"{'top' if placed[i].above else 'bottom'} center" for i in ids],
        "textfont": {"shadow": HALO},
        "customdata": [_node_detail(i, explanation, evidence, labels, known) for i in ids],
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {
            "size": [2 * placed[i].radius for i in ids],
            "symbol": [_SYMBOLS.get(placed[i].kind, "hexagon") for i in ids],
            "color": [round(strength.get(i, 0.0), 2) for i in ids],
            "cmin": -Z_LIMIT,
            "cmax": Z_LIMIT,
            "colorscale": [
                [0, token("negative")],
                [0.5, token("neutral")],
                [1, token("positive")],
            ],
            "opacity": 1,
            "line": {
                "width": [4 if i == explanation.gene else (3 if i in known else 1.2) for i in ids],
                "color": [
                    token("accent" if i == explanation.gene else "ink" if i in known else "muted")
                    for i in ids
                ],
            },
        },
    }
    data.append(nodes)
    hidden = {"visible": False, "fixedrange": False}
    layout = {
        "height": 560,
        "margin": {"l": 4, "r": 4, "t": 4, "b": 4},
        "xaxis": {**hidden, "range": [0, WIDTH]},
        "yaxis": {**hidden, "range": [0, HEIGHT], "scaleanchor": "x"},
        "showlegend": False,
        "hovermode": "closest",
        "dragmode": "pan",
    }
    return {"data": data, "layout": layout}


def _line(a: tuple[float, float], b: tuple[float, float], value: float, most: float) -> Figure:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": [a[0], b[0]],
        "y": [a[1], b[1]],
        "opacity": 0.75,
        "hoverinfo": "skip",
        "line": {
            "color": token("positive" if value >= 0 else "negative"),
            "width": round(1.2 + 5 * math.sqrt(abs(value) / most), 1),
            "dash": "solid" if value >= 0 else "9px,5px",
        },
    }


def _marks(
    edges: Sequence[Mapping[Any, Any]],
    spot: Mapping[str, tuple[float, float]],
    names: Mapping[str, str],
) -> Figure:
    """Put a mark on every edge: its direction, and the place to point at for its details."""
    x, y, symbol, angle, colour, text = [], [], [], [], [], []
    for edge in edges:
        a, b = spot[edge["source_id"]], spot[edge["target_id"]]
        x.append(round(a[0] + 0.55 * (b[0] - a[0]), 1))
        y.append(round(a[1] + 0.55 * (b[1] - a[1]), 1))
        relation = str(edge["relation"])
        lowering = "line-ew-open" if relation in NEGATIVE_RELATIONS else "triangle-up"
        symbol.append("circle" if relation in UNDIRECTED else lowering)
        angle.append(round(math.degrees(math.atan2(b[0] - a[0], b[1] - a[1])), 1))
        colour.append(token("positive" if edge["attribution"] >= 0 else "negative"))
        text.append(_edge_detail(edge, names))
    return {
        "type": "scatter",
        "mode": "markers",
        "x": x,
        "y": y,
        "customdata": text,
        "hovertemplate": "%{customdata}<extra></extra>",
        "marker": {
            "symbol": symbol,
            "angle": angle,
            "size": [7 if s == "circle" else 12 for s in symbol],
            "color": colour,
            "line": {"color": colour, "width": [3 if "open" in s else 0 for s in symbol]},
        },
    }


def _edge_detail(edge: Mapping[Any, Any], names: Mapping[str, str]) -> str:
    source, target = (escape(names[edge[k]]) for k in ("source_id", "target_id"))
    lines = [
        f"<b>{source} {escape(str(edge['relation']).replace('_', ' '))} {target}</b>",
        f"part of the score: {edge['attribution']:+.3f} · weight {float(edge['weight']):.2f}",
    ]
    for key, title in (("evidence", "sources"), ("detail", "mechanism")):
        value = edge.get(key)
        if isinstance(value, str) and value:
            shown = value.replace("|", ", ")
            lines.append(f"{title}: {escape(shown[:90] + ('…' if len(shown) > 90 else ''))}")
    return "<br>".join(lines)


def _node_detail(
    key: str,
    explanation: Explanation,
    evidence: Evidence,
    labels: Mapping[str, str],
    known: frozenset[str],
) -> str:
    table = explanation.nodes
    present = key in table.index
    symbol = str(table["symbol"][key]) if present else key
    kind = str(table["type"][key]) if present else "node"
    value = float(table["attribution"][key]) if present else 0.0
    words = f"{kind}, known target" if key in known else kind
    lines = [f"<b>{escape(symbol)}</b> · {escape(words)}", f"part of the score: {value:+.3f}"]
    for name, block in evidence.blocks.items():
        if key in block.index and bool(block["observed"][key]):
            effect, z = float(block["effect"][key]), float(block["z"][key])
            lines.append(f"{escape(labels[name])}: effect {effect:+.2f}, z {z:+.1f}")
        elif kind == "gene":
            lines.append(f"{escape(labels[name])}: not observed")
    return "<br>".join(lines)
