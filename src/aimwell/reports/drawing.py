"""A standalone picture of an explanation: one SVG without scripts, fonts or links."""

import math
from collections.abc import Collection
from html import escape
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.explain.explanation import Explanation
from aimwell.reports.colours import LIGHT, diverging
from aimwell.reports.layout import HEIGHT, WIDTH, PlacedNode, place_nodes

#: z at which the colour of a node is saturated.
Z_LIMIT: Final = 4.0
_LEGEND: Final = 64
#: Distance of the second ring of a known target from its circle.
_RING: Final = 5
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif"
#: Relations without a direction; every other one is drawn with an end mark.
UNDIRECTED: Final = ("interacts",)
NEGATIVE_RELATIONS: Final = ("inhibits", "represses")


def draw_subgraph_svg(
    explanation: Explanation,
    evidence: Evidence | None = None,
    known: Collection[str] = (),
) -> str:
    """Draw the subgraph of an explanation as a standalone SVG.

    Args:
        explanation: What to draw.
        evidence: Colours each gene by its strongest z over the contrasts; without it, nodes take
            the sign and size of their attribution.
        known: HGNC ids of known targets, drawn with a second ring.

    Returns:
        SVG text, 900 pixels wide, the same for the same explanation.
    """
    placed = place_nodes(explanation)
    edges = drawn_edges(explanation)
    most = max((abs(a) for a in edges["attribution"]), default=0.0) or 1.0
    strength = strongest_z(evidence, list(placed)) if evidence is not None else None
    top = max((abs(p.attribution) for p in placed.values()), default=0.0)
    height = HEIGHT + _LEGEND
    title = f"Why {explanation.symbol} scores: the subgraph that carries its score"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH:.0f} {height:.0f}" '
        f'width="{WIDTH:.0f}" height="{height:.0f}" role="img" font-family="{_FONT}">',
        f"<title>{_clean(title)}</title>",
        f"<desc>{_clean(explanation.sentence)}</desc>",
        f'<rect x=".5" y=".5" width="{WIDTH - 1:.0f}" height="{height - 1:.0f}" rx="10" '
        f'fill="{LIGHT["surface"]}" stroke="{LIGHT["line"]}"/>',
    ]
    parts += [
        _edge(placed[a], placed[b], (relation, attribution), most, _RING * (b in known))
        for a, b, relation, attribution in edge_rows(edges)
    ]
    for node in placed.values():
        if strength is None:
            fill = diverging(node.attribution, top)
        elif node.id in strength:
            fill = diverging(strength[node.id], Z_LIMIT)
        else:
            fill = LIGHT["surface"]
        parts.append(_node(node, fill, node.id == explanation.gene, node.id in known))
    parts.append(_legend(strength is not None, bool(set(known) & set(placed))))
    return "\n".join([*parts, "</svg>", ""])


def drawn_edges(explanation: Explanation) -> pd.DataFrame:
    """Take the subgraph edges between drawn nodes, once each, strongest last, in a fixed order."""
    edges = explanation.subgraph_edges
    shown = set(explanation.subgraph_nodes) | {explanation.gene}
    inside = edges["source_id"].isin(shown) & edges["target_id"].isin(shown)
    edges = edges[inside & (edges["source_id"] != edges["target_id"])].copy()
    edges["attribution"] = edges["attribution"].astype(float).fillna(0.0)
    order = edges.assign(size=edges["attribution"].abs())
    return order.sort_values(["size", "source_id", "target_id", "relation"]).drop(columns="size")


def strongest_z(evidence: Evidence, genes: list[str]) -> dict[str, float]:
    """Find the z of largest size over the contrasts, for the genes that any contrast observed."""
    table = pd.DataFrame({name: block["z"] for name, block in evidence.blocks.items()})
    table = table.reindex(genes).dropna(how="all").astype(float)
    if table.empty:
        return {}
    values = table.to_numpy(float)
    strongest = np.nanargmax(np.abs(values), axis=1)
    return {str(g): float(values[k, strongest[k]]) for k, g in enumerate(table.index)}


def edge_rows(edges: pd.DataFrame) -> list[tuple[str, str, str, float]]:
    """Give source, target, relation and attribution of every edge, in order."""
    columns = [edges[c].tolist() for c in ("source_id", "target_id", "relation", "attribution")]
    return [(str(a), str(b), str(c), float(d)) for a, b, c, d in zip(*columns, strict=True)]


def _edge(a: PlacedNode, b: PlacedNode, edge: tuple[str, float], most: float, ring: float) -> str:
    relation, attribution = edge
    colour = LIGHT["positive"] if attribution >= 0 else LIGHT["negative"]
    width = 1.2 + 5.0 * math.sqrt(abs(attribution) / most)
    dash = "" if attribution >= 0 else f' stroke-dasharray="{2 * width + 3:.1f} {width + 3:.1f}"'
    distance = math.hypot(b.x - a.x, b.y - a.y) or 1.0
    ux, uy = (b.x - a.x) / distance, (b.y - a.y) / distance
    ends = relation not in UNDIRECTED
    gap = b.radius + ring + (6 if ends else 0)
    stop = gap + (6 if ends else 0)
    line = (
        f'<line x1="{a.x + ux * a.radius:.1f}" y1="{a.y + uy * a.radius:.1f}" '
        f'x2="{b.x - ux * stop:.1f}" y2="{b.y - uy * stop:.1f}" stroke="{colour}" '
        f'stroke-width="{width:.1f}" stroke-opacity=".72"{dash}>'
        f"<title>{_clean(relation)}: {attribution:+.3f}</title></line>"
    )
    return line + (_end(b.x - ux * gap, b.y - uy * gap, (ux, uy), relation, colour) if ends else "")


def _end(x: float, y: float, along: tuple[float, float], relation: str, colour: str) -> str:
    """Draw an arrow head, or a bar where the relation lowers its target."""
    ux, uy = along
    if relation in NEGATIVE_RELATIONS:
        return (
            f'<line x1="{x - uy * 7:.1f}" y1="{y + ux * 7:.1f}" x2="{x + uy * 7:.1f}" '
            f'y2="{y - ux * 7:.1f}" stroke="{colour}" stroke-width="3"/>'
        )
    bx, by = x - ux * 11, y - uy * 11
    points = f"{x:.1f},{y:.1f} {bx - uy * 5.5:.1f},{by + ux * 5.5:.1f} "
    points += f"{bx + uy * 5.5:.1f},{by - ux * 5.5:.1f}"
    return f'<polygon points="{points}" fill="{colour}"/>'


def _node(node: PlacedNode, fill: str, is_target: bool, is_known: bool) -> str:
    stroke = LIGHT["accent"] if is_target else LIGHT["muted"]
    style = f'fill="{fill}" stroke="{stroke}" stroke-width="{4 if is_target else 1.4}"'
    shape = _shape(node, style)
    ring = _RING if is_known else 0
    if is_known:
        shape = (
            f'<circle cx="{node.x}" cy="{node.y}" r="{node.radius + ring:.1f}" '
            f'fill="{LIGHT["surface"]}" stroke="{LIGHT["ink"]}" stroke-width="1.2"/>'
        ) + shape
    weight = 700 if is_target else (600 if node.kind == "gene" else 400)
    size = 15 if is_target else 13
    first = node.y + node.radius + ring + 16
    if node.above:
        first = node.y - node.radius - ring - 7 - 15 * (len(node.lines) - 1)
    spans = "".join(
        f'<tspan x="{node.x}" y="{first + 15 * k:.1f}">{_clean(line)}</tspan>'
        for k, line in enumerate(node.lines)
    )
    return (
        f"<g>{shape}"
        f'<text text-anchor="middle" font-size="{size}" font-weight="{weight}" '
        f'fill="{LIGHT["ink"]}" stroke="{LIGHT["surface"]}" stroke-width="4" '
        f'paint-order="stroke" stroke-linejoin="round">{spans}</text></g>'
    )


def _shape(node: PlacedNode, style: str) -> str:
    if node.kind == "gene":
        return f'<circle cx="{node.x}" cy="{node.y}" r="{node.radius}" {style}/>'
    r = node.radius * 0.92
    if node.kind == "pathway":
        return (
            f'<rect x="{node.x - r:.1f}" y="{node.y - r:.1f}" width="{2 * r:.1f}" '
            f'height="{2 * r:.1f}" rx="5" {style}/>'
        )
    corners = " ".join(
        f"{node.x + node.radius * math.cos(k * math.pi / 3):.1f},"
        f"{node.y + node.radius * math.sin(k * math.pi / 3):.1f}"
        for k in range(6)
    )
    return f'<polygon points="{corners}" {style}/>'


def _legend(by_evidence: bool, with_known: bool) -> str:
    y = HEIGHT + 24
    what = ("lower in cases", "higher in cases") if by_evidence else ("lowers", "raises the score")
    steps = "".join(
        f'<rect x="{118 + 13 * k}" y="{y - 10}" width="13" height="13" '
        f'fill="{diverging(k - 4.0, 4.0)}"/>'
        for k in range(9)
    )
    left = (
        f'<text x="110" y="{y + 1}" text-anchor="end">{what[0]}</text>{steps}'
        f'<text x="243" y="{y + 1}">{what[1]}</text>'
    )
    lines = (
        f'<line x1="372" x2="408" y1="{y - 4}" y2="{y - 4}" stroke="{LIGHT["positive"]}" '
        f'stroke-width="4"/><text x="416" y="{y + 1}">edge raises the score</text>'
        f'<line x1="566" x2="602" y1="{y - 4}" y2="{y - 4}" stroke="{LIGHT["negative"]}" '
        f'stroke-width="4" stroke-dasharray="9 5"/><text x="610" y="{y + 1}">lowers it</text>'
    )
    note = "Size and width: how much of the score. Ring: the target"
    note += "; double ring: known target." if with_known else "."
    return (
        f'<g font-size="12" fill="{LIGHT["muted"]}">'
        f'<line x1="24" x2="{WIDTH - 24:.0f}" y1="{HEIGHT + 2:.0f}" y2="{HEIGHT + 2:.0f}" '
        f'stroke="{LIGHT["line"]}"/>{left}{lines}'
        f'<text x="24" y="{y + 24}">{note} Circle: gene; square: pathway; hexagon: complex.</text>'
        "</g>"
    )


def _clean(text: str) -> str:
    """Escape text for XML and drop characters that XML forbids."""
    return escape("".join(c for c in text if c >= " " or c in "\t\n"))
