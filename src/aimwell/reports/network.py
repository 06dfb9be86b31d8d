"""A subgraph as plain values that the page's script draws: places, parts of the score, sources."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.explain.explanation import Explanation, Subgraph
from aimwell.reports.drawing import NEGATIVE_RELATIONS, UNDIRECTED, drawn_edges, strongest_z
from aimwell.reports.layout import HEIGHT, WIDTH, place_nodes

#: PubMed ids that are listed one by one; the exports of a run hold all of them.
_PAPERS = 20


def networks_of(
    explanation: Explanation,
    evidence: Evidence,
    labels: Mapping[str, str],
    known: frozenset[str] = frozenset(),
) -> list[dict[str, Any]]:
    """Give every subgraph of an explanation, the one that carries most first.

    Args:
        explanation: What to draw.
        evidence: Colours each gene by its strongest z over the contrasts.
        labels: Contrast → its name in words.
        known: HGNC ids of known targets.

    Returns:
        Per subgraph ``nodes`` and ``edges`` in the order in which they are drawn, ``share`` of the
        score that it carries (None where nobody said) and ``sign``.
    """
    whole = Subgraph(explanation.subgraph_nodes, explanation.subgraph_edges, float("nan"), 1)
    found = []
    for one in explanation.subgraphs or (whole,):
        shown = replace(explanation, subgraph_nodes=one.nodes, subgraph_edges=one.edges)
        share = _round(one.share, 4)
        found.append({**network_of(shown, evidence, labels, known), "share": share})
    return found


def network_of(
    explanation: Explanation,
    evidence: Evidence,
    labels: Mapping[str, str],
    known: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Give the subgraph of an explanation, with the place of every node."""
    placed = place_nodes(explanation)
    number = {key: k for k, key in enumerate(placed)}
    strength = strongest_z(evidence, list(placed))
    table = explanation.nodes
    nodes = []
    for key, node in placed.items():
        symbol = str(table["symbol"].get(key, key))
        nodes.append(
            {
                "id": key,
                "label": symbol,
                "lines": list(node.lines),
                "kind": node.kind,
                "x": node.x,
                "y": node.y,
                "r": node.radius,
                "above": node.above,
                "part": _round(node.attribution, 4),
                "z": _round(strength[key], 2) if key in strength else None,
                "target": key == explanation.gene,
                "known": key in known,
                "facts": _facts(key, evidence, labels) if node.kind == "gene" else [],
            }
        )
    edges = [_edge(row, number) for row in drawn_edges(explanation).to_dict("records")]
    return {"width": WIDTH, "height": HEIGHT, "nodes": nodes, "edges": edges}


def source_facts(inputs: Any) -> dict[str, dict[str, str]]:
    """Give release, licence and address of every input by the name that edges carry.

    Example:
        >>> source_facts([{"name": "Reactome", "licence": "CC0-1.0", "url": "", "release": "91"}])
        {'Reactome': {'release': '91', 'licence': 'CC0-1.0', 'url': ''}}
    """
    keys = ("release", "licence", "url")
    return {
        str(one.get("name")): {k: str(one.get(k) or "") for k in keys}
        for one in inputs or ()
        if one.get("name")
    }


def _edge(row: Mapping[Any, Any], number: Mapping[str, int]) -> dict[str, Any]:
    relation = str(row["relation"])
    papers = [p for p in _parts(row.get("pubmed_ids")) if p.isdigit()]
    edge = {
        "a": number[row["source_id"]],
        "b": number[row["target_id"]],
        "relation": relation.replace("_", " "),
        "part": _round(row["attribution"], 4),
        "weight": _round(row["weight"], 3),
        "directed": relation not in UNDIRECTED,
        "lowers": relation in NEGATIVE_RELATIONS,
        "sources": _parts(row.get("evidence")),
        "mechanism": ", ".join(_parts(row.get("detail"))),
        "kind": ", ".join(_parts(row.get("evidence_type"))),
        "pubmed": papers[:_PAPERS],
        "papers": len(papers),
        "date": ", ".join(_parts(row.get("date"))),
    }
    # what nobody stated takes no room on the page
    return {k: v for k, v in edge.items() if v not in ("", [])}


def _parts(value: object) -> list[str]:
    if value is None or (isinstance(value, float) and value != value):  # noqa: PLR0124 - NaN
        return []
    return [part for part in str(value).split("|") if part]


def _facts(key: str, evidence: Evidence, labels: Mapping[str, str]) -> list[list[str]]:
    found = []
    for name, block in evidence.blocks.items():
        if key in block.index and bool(block["observed"][key]):
            effect, z, q = (float(block[c][key]) for c in ("effect", "z", "q"))
            said = f"effect {effect:+.2f}, z {z:+.1f}, q {q:.1g}".replace("-", "−")
        else:
            said = "not observed"
        found.append([labels[name], said])
    return found


def _round(value: Any, digits: int) -> float | None:
    return None if pd.isna(value) else round(float(value), digits)
