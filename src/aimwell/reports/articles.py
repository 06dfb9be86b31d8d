"""What the page says about each explained target, as plain values for the template."""

from collections.abc import Mapping
from typing import Any

import pandas as pd

from aimwell.explain.explanation import Explanation
from aimwell.reports.data import ReportData, in_words
from aimwell.reports.drawing import drawn_edges
from aimwell.reports.export import file_stem
from aimwell.reports.figures import Figure
from aimwell.reports.network_figure import subgraph_figure


def explained_targets(
    report: ReportData, labels: Mapping[str, str], drawn: dict[str, Figure]
) -> list[dict[str, Any]]:
    """Give one article per explained target, and draw its subgraph into ``drawn``."""
    table = report.ranking.table
    known = frozenset(str(g) for g in table.index[table["is_known"].astype(bool)])
    found = []
    for k, explanation in enumerate(report.explanations):
        key = f"subgraph-{k}"
        drawn[key] = subgraph_figure(explanation, report.evidence, labels, known)
        measured = [measured_in(report, name, explanation.gene) for name in report.contrasts]
        names = [labels[name] for name in report.contrasts]
        found.append(
            {
                "gene": explanation.gene,
                "symbol": explanation.symbol,
                "anchor": anchor_of(explanation.symbol),
                "row": table.loc[explanation.gene].to_dict(),
                "sentence": explanation.sentence,
                "explanation": explanation,
                "figure": key,
                "drugs": list(report.drugs.get(explanation.gene, ())),
                "shares": _shares(explanation),
                "evidence": _intervals(measured, names),
                "discordance": report.evidence.across["discordance"].get(explanation.gene),
                "discordance_class": report.evidence.across["discordance_class"].get(
                    explanation.gene
                ),
                "edges": _edges(explanation),
                "described": _described(explanation),
            }
        )
    return found


def _shares(explanation: Explanation) -> list[dict[str, Any]]:
    most = max((abs(v) for v in explanation.shares.values()), default=0.0) or 1.0
    return [
        {
            "name": in_words(name),
            "value": value,
            "spread": explanation.spread.get(name),
            "left": round(50 - 50 * abs(value) / most, 2) if value < 0 else 50,
            "width": round(50 * abs(value) / most, 2),
        }
        for name, value in explanation.shares.items()
    ]


def _intervals(measured: list[dict[str, Any]], names: list[str]) -> list[dict[str, Any]]:
    """Place effects and intervals on one axis, in percent of its width."""
    ends = [abs(m[k]) for m in measured if m["observed"] for k in ("low", "high")]
    reach: float = max([*ends, 0.25]) * 1.05

    def at(value: float) -> float:
        return round(50 + 50 * value / reach, 2)

    rows = []
    for m, name in zip(measured, names, strict=True):
        row = {**m, "label": name}
        if m["observed"]:
            row |= {"x": at(m["effect"]), "from": at(m["low"]), "to": at(m["high"])}
        rows.append(row)
    return rows


def _edges(explanation: Explanation) -> list[dict[str, Any]]:
    symbols = explanation.nodes["symbol"]
    rows = drawn_edges(explanation).iloc[::-1].to_dict("records")
    return [
        {
            "source": str(symbols.get(r["source_id"], r["source_id"])),
            "relation": str(r["relation"]).replace("_", " "),
            "target": str(symbols.get(r["target_id"], r["target_id"])),
            "attribution": r["attribution"],
            "weight": r["weight"],
            "evidence": str(r.get("evidence") or "").replace("|", ", "),
            "detail": str(r.get("detail") or "").replace("|", ", "),
        }
        for r in rows
    ]


def _described(explanation: Explanation) -> str:
    n, e = len(explanation.subgraph_nodes), len(explanation.subgraph_edges)
    return (
        f"Subgraph around {explanation.symbol}: {n} nodes and {e} edges; "
        "the table of edges below it says the same in words."
    )


def measured_in(report: ReportData, contrast: str, gene: str) -> dict[str, Any]:
    """Give what one contrast says about a gene, with a 95 % interval."""
    block = report.evidence.blocks[contrast]
    if not bool(block["observed"][gene]):
        return {"observed": False, "why": one_sided(block, gene)}
    effect, error = float(block["effect"][gene]), float(block["effect_se"][gene])
    return {
        "observed": True,
        "effect": effect,
        "low": effect - 1.96 * error,
        "high": effect + 1.96 * error,
        "q": float(block["q"][gene]),
        "z": float(block["z"][gene]),
        "n": int(block["n_observed"][gene]) if pd.notna(block["n_observed"][gene]) else None,
        "detection": float(block["detection_rate"][gene]),
        "found": bool(block["q"][gene] < 0.05),
    }


def one_sided(block: pd.DataFrame, gene: str) -> str:
    """Say of a protein without a fold change in which arm alone it was seen; else nothing.

    Example:
        >>> row = {"detection": "on", "detection_q": 0.002, "at_least": 1.25}
        >>> one_sided(pd.DataFrame(row, index=["HGNC:1"]), "HGNC:1")
        'seen in the case arm only (q 0.002); log2 fold change at least +1.25'
    """
    side = str(block["detection"][gene]) if "detection" in block else ""
    if side not in ("on", "off"):
        return ""
    arm, least = ("case", "at least") if side == "on" else ("control", "at most")
    text = f"seen in the {arm} arm only"
    if pd.notna(q := block["detection_q"][gene]):
        text += f" (q {float(q):.1g})"
    if pd.notna(bound := block["at_least"][gene]):
        text += f"; log2 fold change {least} {float(bound):+.2f}"
    return text


def anchor_of(symbol: object) -> str:
    """Name the place of a target in the page."""
    return f"target-{file_stem(str(symbol))}"
