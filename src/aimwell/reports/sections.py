"""What each section of the page shows, as plain values for the template and its script."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.models.recommendation import Recommendation
from aimwell.reports import figures
from aimwell.reports.articles import (
    BADGES,
    anchor_of,
    badge_of,
    explained_targets,
    measured_in,
    short_reason,
    trust_of,
)
from aimwell.reports.check_sections import audit_section, check_groups
from aimwell.reports.cohort_sections import Found, found_sections, measured_sections, step_rows
from aimwell.reports.data import ReportData, in_words
from aimwell.reports.drugs import status_of
from aimwell.reports.methods import cited_sources, methods_text
from aimwell.reports.network import source_facts
from aimwell.reports.summary import caveats, stain_of

#: More genes than this are left to targets.tsv, so that the page stays light.
MAX_ROWS: Final = 25_000
_INPUT: Final = ("name", "path", "release", "licence", "url", "sha256")
_METRICS: Final = ("average_precision", "auroc", "recall_at_100", "median_rank")


def page_sections(report: ReportData) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the values of the template, and the data that the page's script reads."""
    advice = report.ranking.recommendation
    drawn: dict[str, figures.Figure] = {}
    labels = {name: report.label_of(name) for name in report.contrasts}
    table = ranked_table(report, labels)
    targets, networks = explained_targets(report, labels, drawn)
    sections = {
        "title": report.title,
        "overview": _overview(report),
        "contrasts": _contrasts(report, labels),
        "top": _top(report),
        "advice": advice,
        "caveats": caveats(report),
        "stain": stain_of(report),
        "run": _run(report),
        "steps": step_rows(report.manifest.get("steps") or ()),
        "measured": measured_sections(report.quality, labels, drawn),
        "quality": _quality(report, labels, drawn),
        "ladder": _ladder(report, advice, drawn),
        "checks": check_groups(report.checks),
        "audit": audit_section(report, drawn),
        "independent": _independent(report, drawn),
        "planted": _planted(report, drawn),
        "table": {k: table[k] for k in ("shown", "total")},
        "tiered": bool(len(report.tiers)) and "tier" in report.tiers,
        "filters": _filters(report, labels, table),
        "targets": targets,
        "methods": methods_text(report),
        "cited": cited_sources(report),
    }
    payload = {
        "table": table,
        "figures": drawn,
        "networks": networks,
        "sources": source_facts(report.manifest.get("inputs")),
    }
    return sections, payload


def _overview(report: ReportData) -> dict[str, Any]:
    table = report.ranking.table
    return {
        "genes": len(table),
        "known": int(table["is_known"].sum()),
        "contrasts": len(report.contrasts),
        "observed": int((report.evidence.across["coverage"].reindex(table.index) > 0).sum()),
        "explained": len(report.explanations),
    }


def _contrasts(report: ReportData, labels: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"name": name, "label": labels[name], "kind": report.evidence.kinds.get(name, "")}
        for name in report.contrasts
    ]


def _top(report: ReportData) -> list[dict[str, Any]]:
    table = report.ranking.table.sort_values("rank").head(10)
    explained = {e.gene: e for e in report.explanations}
    best = max(float(table["score"].max()), 1e-12) if len(table) else 1.0
    return [
        {
            "row": row,
            "gene": gene,
            "anchor": anchor_of(row["symbol"]) if gene in explained else "",
            "share": max(0.0, round(100 * float(row["score"]) / best, 1)),
            "reason": short_reason(explained[gene]) if gene in explained else "Not explained.",
            "sentence": explained[gene].sentence if gene in explained else "",
            "badge": BADGES.get(badge_of(explained[gene])) if gene in explained else None,
            "trust": trust_of(report, gene),
            "drug_status": status_of(report, gene).get("status", ""),
            "evidence": [measured_in(report, name, gene) for name in report.contrasts],
            "drugs": list(report.drugs.get(gene, ())),
        }
        for gene, row in zip(table.index.astype(str), table.to_dict("records"), strict=True)
    ]


def _run(report: ReportData) -> dict[str, Any]:
    manifest = report.manifest
    config = manifest.get("config") or {}
    seeds = manifest.get("seeds")
    versions = manifest.get("versions") or {}
    return {
        "inputs": [dict.fromkeys(_INPUT, "") | dict(i) for i in manifest.get("inputs") or ()],
        "versions": sorted((str(k), str(v)) for k, v in dict(versions).items()),
        "seeds": _flat(seeds, "seed") if seeds is not None else [],
        "config": _flat(config, ""),
    }


def _flat(value: object, at: str) -> list[tuple[str, str]]:
    """List nested settings as dotted keys and values, leaving out the empty ones."""
    if isinstance(value, Mapping):
        return [p for k in value for p in _flat(value[k], f"{at}.{k}" if at else str(k))]
    if isinstance(value, Sequence) and not isinstance(value, str):
        if any(isinstance(v, Mapping) for v in value):
            return [p for k, v in enumerate(value) for p in _flat(v, f"{at}[{k}]")]
        value = ", ".join(str(v) for v in value)
    text = "" if value is None else str(value)
    return [(at, text)] if text else []


def _quality(
    report: ReportData, labels: Mapping[str, str], drawn: dict[str, figures.Figure]
) -> dict[str, Any]:
    ranked = report.ranking.table
    marked = [str(g) for g in ranked.sort_values("rank").index[:10]]
    found = Found(
        evidence=report.evidence,
        symbols=ranked["symbol"].astype(str),
        labels=labels,
        designs=report.designs,
        pairs=report.layer_pairs(),
        marked=marked,
    )
    return found_sections(found, drawn)


def _ladder(
    report: ReportData, advice: Recommendation | None, drawn: dict[str, figures.Figure]
) -> list[dict[str, Any]]:
    if advice is None:
        return []
    metrics = report.ranking.metrics.copy()
    metrics["standard_error"] = advice.scorers["standard_error"].reindex(metrics.index)
    metrics = metrics.sort_values("average_precision", ascending=False, kind="stable")
    shown = metrics.rename(index=lambda name: in_words(str(name)))
    chance = float(report.ranking.table["is_known"].mean())
    drawn["ladder"] = figures.ladder(shown, in_words(advice.scorer), round(chance, 5))
    best = {
        c: metrics[c].min() if c == "median_rank" else metrics[c].max()
        for c in _METRICS
        if c in metrics.columns
    }
    return [
        {
            "name": in_words(str(name)),
            "is_network": str(name) == advice.network,
            "recommended": str(name) == advice.scorer,
            "error": row["standard_error"],
            "cells": [
                {"key": c, "value": row.get(c), "best": c in best and row.get(c) == best[c]}
                for c in _METRICS
            ],
        }
        for name, row in zip(metrics.index, metrics.to_dict("records"), strict=True)
    ]


def _independent(report: ReportData, drawn: dict[str, figures.Figure]) -> dict[str, Any] | None:
    table = report.independent
    if table.empty:
        return None
    total = len(report.ranking.table)
    if "rank" in table.columns:
        table = table.sort_values("rank", kind="stable")
        drawn["independent"] = figures.rank_strip({"check genes": _ranks(report, table)}, total)
    return {**_plain(table), **_landing(table, total)}


def _planted(report: ReportData, drawn: dict[str, figures.Figure]) -> dict[str, Any] | None:
    table = report.planted
    if table is None or table.empty:
        return None
    total = len(report.ranking.table)
    table = table.sort_values("rank", kind="stable")
    hidden = table["held_back"].astype(bool)
    drawn["planted"] = figures.rank_strip(
        {
            "given as known": _ranks(report, table[~hidden]),
            "held back": _ranks(report, table[hidden]),
        },
        total,
    )
    # a held-back target is looked for among the genes that were not given
    ranking = report.ranking.table
    given = np.sort(ranking.loc[ranking["is_known"], "rank"].to_numpy())
    found = table[hidden].copy()
    if "rank" in found.columns:
        found["rank"] -= np.searchsorted(given, found["rank"].fillna(0))
    return {**_plain(table), **_landing(found, total - len(given))}


def _landing(table: pd.DataFrame, total: int) -> dict[str, Any]:
    ranks = table["rank"].dropna() if "rank" in table.columns else pd.Series(dtype=float)
    if ranks.empty:
        return {"n": len(table), "ranked": 0}
    median = float(ranks.median())
    return {
        "n": len(table),
        "ranked": len(ranks),
        "median": median,
        "best_share": 100 * median / max(total, 1),
        "in_100": int((ranks <= 100).sum()),
        "total": total,
    }


def _ranks(report: ReportData, table: pd.DataFrame) -> list[tuple[str, float]]:
    symbols = report.ranking.table["symbol"]
    column = next((c for c in ("gene", "hgnc_id", "symbol") if c in table.columns), None)
    genes = table.index if column is None else table[column]
    return [
        (str(symbols.get(str(gene), gene)), float(rank))
        for gene, rank in zip(genes, table["rank"], strict=True)
        if pd.notna(rank)
    ]


def _plain(table: pd.DataFrame) -> dict[str, Any]:
    shown = table if isinstance(table.index, pd.RangeIndex) else table.reset_index()
    rows = [[_cell(v) for v in row] for row in shown.itertuples(index=False, name=None)]
    return {"columns": [in_words(str(c)) for c in shown.columns], "rows": rows}


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return "–" if value != value else f"{value:.6g}"  # noqa: PLR0124 - NaN
    return "–" if value is None or value is pd.NA else str(value)


def ranked_table(report: ReportData, labels: Mapping[str, str]) -> dict[str, Any]:
    """Give the ranked table by column, rounded for reading."""
    table = report.ranking.table.sort_values("rank", kind="stable")
    total = len(table)
    table = table.head(MAX_ROWS)
    explained = {e.gene for e in report.explanations}
    across = report.evidence.across.reindex(table.index)
    columns: list[dict[str, Any]] = [
        _column("rank", "Rank", "rank", table["rank"]),
        _column("symbol", "Symbol", "symbol", table["symbol"].astype(str)),
        _column("score", "Score", "score", table["score"], 4),
        _column("interval", "Score interval", "interval", table["score_low"], 3)
        | {"high": _values(table["score_high"], 3)},
        _column("ranks", "Rank interval", "interval", table["rank_low"])
        | {"high": _values(table["rank_high"])},
        *_trust_columns(report, table),
        _column("known", "Known", "flag", table["is_known"].astype(int)),
        _column("degree", "Degree", "whole", table["degree"]),
    ]
    for k, (name, block) in enumerate(report.evidence.blocks.items()):
        seen = block.reindex(table.index)
        columns += [
            _column(f"effect{k}", "Effect", "effect", seen["effect"], 2) | {"group": labels[name]},
            _column(f"q{k}", "q", "q", seen["q"].map(_short)) | {"group": labels[name]},
        ]
    columns.append(_column("discordance", "RNA–protein z", "effect", across["discordance"], 2))
    status = [status_of(report, str(g)).get("status", "") for g in table.index]
    if any(status):
        columns.append(_column("status", "Status", "text", status))
    drugs = ["; ".join(report.drugs.get(str(g), ())) for g in table.index]
    columns.append(_column("drugs", "Drugs", "text", drugs))
    anchors = [anchor_of(s) if g in explained else "" for g, s in table["symbol"].items()]
    ids = [str(g) for g in table.index]
    return {
        "columns": columns,
        "ids": ids,
        "anchors": anchors,
        "shown": len(table),
        "total": total,
    }


#: Columns of the trust suite that the ranked table shows: name, heading, kind, digits.
_TRUST: Final = (
    ("tier", "Tier", "tier", None),
    ("probability", "Probability", "score", 4),
    ("null_q", "Null q", "q", None),
    ("rank_without_family", "Rank without a family", "whole", None),
)


def _trust_columns(report: ReportData, table: pd.DataFrame) -> list[dict[str, Any]]:
    trust = report.tiers.reindex(table.index)
    found = []
    for key, label, kind, digits in _TRUST:
        if key not in trust or trust[key].isna().all():
            continue
        values = trust[key].map(_short) if kind == "q" else trust[key]
        found.append(_column(key, label, kind, values, digits))
    return found


def _filters(
    report: ReportData, labels: Mapping[str, str], table: Mapping[str, Any]
) -> dict[str, Any]:
    """What the ranked table can be filtered by."""
    values = {c["key"]: c["values"] for c in table["columns"]}
    return {
        "tiers": list(dict.fromkeys(v for v in values.get("tier", ()) if v)),
        "layers": [{"number": k, "label": labels[n]} for k, n in enumerate(report.contrasts)],
        "statuses": list(dict.fromkeys(v for v in values.get("status", ()) if v)),
        "explained": bool(report.explanations),
    }


def _column(
    key: str, label: str, kind: str, values: Any, digits: int | None = None
) -> dict[str, Any]:
    return {"key": key, "label": label, "kind": kind, "values": _values(values, digits)}


def _values(values: Any, digits: int | None = None) -> list[Any]:
    plain = [None if pd.isna(v) or v in (np.inf, -np.inf) else v for v in values]
    return plain if digits is None else [v if v is None else round(v, digits) for v in plain]


def _short(value: float) -> float:
    return float(f"{value:.2g}")
