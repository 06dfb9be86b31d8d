"""Drugs beside the targets: joined after the ranking, never a part of it."""

from typing import Any, Final

import pandas as pd

from aimwell.reports.data import ReportData

#: What a drug has to do to the target → what drugs that do so are said to do.
_WANTED: Final = {"inhibit": "inhibits", "activate": "activates"}
#: What the table of drugs calls a match with the change in cases.
_WORDS: Final = {"match": "matches", "opposed": "opposite"}
_COLUMNS: Final = (
    "drug",
    "action",
    "mechanism",
    "direction",
    "match",
    "indicated",
    "phase",
    "indication",
    "status",
    "source",
    "licence",
)


def drug_rows(report: ReportData, gene: str, direction: str) -> list[dict[str, str]]:
    """List the drugs of a gene, the furthest first, with how each fits the wanted direction.

    Args:
        report: Its ``drug_table``.
        gene: HGNC id.
        direction: ``inhibit``, ``activate`` or ``unknown``: what a drug would have to do.
    """
    table = report.drug_table
    if table.empty:
        return []
    mine = table[table["gene"].astype(str) == gene]
    rows = [
        dict.fromkeys(_COLUMNS, "") | {str(k): _text(v) for k, v in row.items()}
        for row in mine.to_dict("records")
    ]
    for row in rows:
        row["match"] = _WORDS.get(row["match"]) or match_of(row["direction"], direction)
    return sorted(rows, key=lambda r: (-_phase(r.get("phase", "")), r.get("drug", "")))


def match_of(does: str, wanted: str) -> str:
    """Compare what a drug does with what the evidence asks for.

    Example:
        >>> match_of("inhibits", "inhibit"), match_of("activates", "inhibit")
        ('matches', 'opposite')
        >>> match_of("unknown", "inhibit")
        'unknown'
    """
    if wanted not in _WANTED or does not in _WANTED.values():
        return "unknown"
    return "matches" if does == _WANTED[wanted] else "opposite"


def repurposing_rows(report: ReportData, gene: str) -> list[dict[str, str]]:
    """List drugs that act around a target, with the path that links them, the shortest first."""
    table = report.repurposing
    if table.empty:
        return []
    mine = table[table["target"].astype(str) == gene]
    return [
        dict.fromkeys((*_COLUMNS, "path", "hops", "effect_on_target"), "")
        | {str(k): _text(v) for k, v in row.items()}
        for row in mine.to_dict("records")
    ]


def status_of(report: ReportData, gene: str) -> dict[str, str]:
    """Give status, tractability, essentiality and class of a gene; {} where nobody said."""
    table = report.drug_status
    if table.empty or gene not in table.index:
        return {}
    return {str(k): text for k, v in table.loc[gene].items() if (text := _text(v))}


def _text(value: Any) -> str:
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(str(v) for v in value)
    return str(value).replace("|", ", ")


def _phase(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 4.5 if text.lower() in ("approved", "launched") else -1.0
