"""What the page says about each explained target, as plain values for the template."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from aimwell.explain.explanation import NOT_TESTED, Explanation, Faithfulness
from aimwell.reports.data import ReportData, in_words
from aimwell.reports.drawing import drawn_edges
from aimwell.reports.drugs import drug_rows, repurposing_rows, status_of
from aimwell.reports.export import file_stem
from aimwell.reports.figures import Figure
from aimwell.reports.network import networks_of
from aimwell.reports.target_figures import faithfulness_curves, sample_strips

#: Badge of an explanation → kind of mark and its sign, which does not rest on colour.
BADGES: Final = {
    "verified": ("good", "✓ verified"),
    "partial": ("warn", "◐ partial"),
    "not faithful": ("bad", "✕ not faithful"),
    NOT_TESTED: ("", "not tested"),
}
#: Parts of a score that a reader of a summary need not meet.
_QUIET: Final = ("starting point", "rounding")


def explained_targets(
    report: ReportData, labels: Mapping[str, str], drawn: dict[str, Figure]
) -> tuple[list[dict[str, Any]], list[list[dict[str, Any]]]]:
    """Give one article per explained target, and the subgraphs of each; draw figures."""
    table = report.ranking.table
    known = frozenset(str(g) for g in table.index[table["is_known"].astype(bool)])
    found, networks = [], []
    for k, explanation in enumerate(report.explanations):
        gene = explanation.gene
        subgraphs = networks_of(explanation, report.evidence, labels, known)
        networks.append(subgraphs)
        samples = sample_strips(report.samples, gene, labels)
        if samples is not None:
            drawn[f"samples-{k}"] = samples
        tested = _faithfulness(explanation.faithfulness)
        if tested and tested["curves"]:
            drawn[f"faithfulness-{k}"] = faithfulness_curves(tested["curves"])
        measured = [measured_in(report, name, gene) for name in report.contrasts]
        names = [labels[name] for name in report.contrasts]
        across = report.evidence.across
        found.append(
            {
                "gene": gene,
                "symbol": explanation.symbol,
                "anchor": anchor_of(explanation.symbol),
                "row": table.loc[gene].to_dict(),
                "sentence": explanation.sentence,
                "explanation": explanation,
                "network": k,
                "subgraphs": [{"share": s["share"], "nodes": len(s["nodes"])} for s in subgraphs],
                "samples": f"samples-{k}" if samples is not None else "",
                "measured_on": _scales(report),
                "faithfulness": tested,
                "curves": f"faithfulness-{k}" if f"faithfulness-{k}" in drawn else "",
                "direction": explanation.direction,
                "caveats": list(explanation.caveats),
                "baselines": _baselines(explanation),
                "trust": trust_of(report, gene),
                "drugs": list(report.drugs.get(gene, ())),
                "drug_rows": drug_rows(report, gene, explanation.direction),
                "drug_status": status_of(report, gene),
                "repurposing": repurposing_rows(report, gene),
                "shares": _shares(explanation),
                "evidence": _intervals(measured, names),
                "discordance": across["discordance"].get(gene),
                "discordance_class": in_words(str(across["discordance_class"].get(gene) or "")),
                "edges": _edges(explanation),
                "described": _described(explanation),
            }
        )
    return found, networks


def short_reason(explanation: Explanation) -> str:
    """Say in one line what makes the score: its three largest parts, in per cent."""
    score = explanation.score
    parts = {k: v for k, v in explanation.shares.items() if k not in _QUIET and v * score > 0}
    whole = sum(abs(v) for v in parts.values()) or 1.0
    first = sorted(parts, key=lambda k: (-abs(parts[k]), k))[:3]
    return " · ".join(f"{in_words(k)} {abs(parts[k]) / whole:.0%}" for k in first)


def badge_of(explanation: Explanation) -> str:
    """Name the badge of an explanation."""
    tested = explanation.faithfulness
    return tested.badge if tested is not None else NOT_TESTED


def trust_of(report: ReportData, gene: str) -> dict[str, Any]:
    """Give what the trust suite says of a gene; empty words and None where it says nothing."""
    found: dict[str, Any] = {"tier": "", "tier_reason": "", "probability": None, "null_q": None}
    found |= {"decisive_family": "", "rank_without_family": None}
    if report.tiers.empty or gene not in report.tiers.index:
        return found
    said = {str(k): v for k, v in report.tiers.loc[gene].items() if not _missing(v)}
    return found | said


def _missing(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value))


def _faithfulness(tested: Faithfulness | None) -> dict[str, Any]:
    if tested is None:
        return {}
    kind, words = BADGES.get(tested.badge, ("", tested.badge))
    numbers = [
        ("Sufficiency", tested.sufficiency, "share of the score that the subgraph alone gives"),
        ("Necessity", tested.necessity, "share of the score that is lost without it"),
        ("Sparsity", tested.sparsity, "share of the edges that it does not need"),
        ("Seeds agree", tested.seed_agreement, "overlap of the top 20 edges of the networks"),
        ("Baselines agree", tested.baseline_agreement, "the same over baselines"),
    ]
    curves = {"deletion": dict(tested.deletion), "insertion": dict(tested.insertion)}
    return {
        "badge": tested.badge,
        "kind": kind,
        "words": words,
        "rule": tested.rule,
        "numbers": [
            {"name": name, "value": value, "meaning": meaning}
            for name, value, meaning in numbers
            if not _missing(value)
        ],
        "curves": {k: v for k, v in curves.items() if v},
    }


def _baselines(explanation: Explanation) -> list[dict[str, Any]]:
    return [
        {"name": in_words(name), **{k: values.get(k) for k in _BASELINE}}
        for name, values in explanation.baselines.items()
    ]


_BASELINE: Final = ("score", "completeness_error", "agreement")


def _scales(report: ReportData) -> str:
    scales = dict.fromkeys(one.scale for one in report.samples.values())
    left = sum(one.left_out for one in report.samples.values())
    text = "; ".join(scales)
    return f"{text}; {left} further samples are not drawn" if left else text


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


def _intervals(measured: Sequence[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
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
            "evidence": _listed(r.get("evidence")),
            "detail": _listed(r.get("detail")),
            "kind": _listed(r.get("evidence_type")),
            "pubmed": _listed(r.get("pubmed_ids"), most=5),
        }
        for r in rows
    ]


def _listed(value: Any, most: int = 0) -> str:
    parts = [] if _missing(value) else [p for p in str(value).split("|") if p]
    shown = parts[:most] if most else parts
    more = f" and {len(parts) - len(shown)} more" if len(parts) > len(shown) else ""
    return ", ".join(shown) + more


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
