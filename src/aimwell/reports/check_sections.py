"""The checks of a run by what they are about, and what an audit adds to them."""

from collections.abc import Sequence
from typing import Any, Final

import pandas as pd

from aimwell.reports.data import ReportData, in_words
from aimwell.reports.figures import Figure
from aimwell.reports.target_figures import reliability
from aimwell.trust.check import Check
from aimwell.trust.tiers import RULES

#: Group of checks → its heading and what it asks, in the order in which a reader should meet them.
GROUPS: Final = {
    "ladder": ("Ladder", "Does the network beat simpler scorers?"),
    "leakage": ("Leakage", "Has the ranking seen the answer?"),
    "bias": ("Bias", "Do well-studied genes win because they are well studied?"),
    "nulls": ("Nulls", "Would rewired edges, other labels or other samples rank as well?"),
    "stability": ("Stability", "Does the list change when it is made again?"),
    "layers": ("Layers", "What does each layer, relation and source add?"),
    "transfer": ("Transfer", "Does it hold in another network or cohort?"),
    "calibration": ("Calibration", "Are probabilities what they say?"),
    "sanity": ("Sanity", "Is known biology recovered?"),
    "explanation": ("Explanation", "Do attributions add up, and do scores follow them?"),
    "": ("Other checks", ""),
}


def check_groups(checks: Sequence[Check]) -> list[dict[str, Any]]:
    """Sort checks into groups; a group that nobody named comes last under its own name.

    Example:
        >>> found = check_groups([Check("leaks", 0.0, "<= 0", True)])
        >>> found[0]["title"], found[0]["missed"]
        ('Checks', 0)
    """
    by_group: dict[str, list[Check]] = {}
    for check in checks:
        by_group.setdefault(str(getattr(check, "group", "")), []).append(check)
    order = [g for g in GROUPS if g in by_group]
    order += [g for g in by_group if g not in GROUPS]
    found = []
    for group in order:
        title, question = GROUPS.get(group, (in_words(group), ""))
        if len(by_group) == 1 and not group:
            title = "Checks"
        rows = [{"check": c, "name": in_words(c.name)} for c in by_group[group]]
        found.append(
            {
                "key": group or "other",
                "title": title,
                "question": question,
                "rows": rows,
                "missed": sum(c.passed is False for c in by_group[group]),
            }
        )
    return found


def audit_section(report: ReportData, drawn: dict[str, Figure]) -> dict[str, Any] | None:
    """Give what an audit adds to the checks; None where nobody asked for one."""
    audit = report.audit
    counts = _tier_counts(report)
    if audit is None and not counts:
        return None
    table = getattr(audit, "reliability", pd.DataFrame())
    if len(table):
        drawn["reliability"] = reliability(table)
    return {
        "done": audit is not None,
        "tiers": counts,
        "reliability": bool(len(table)),
        "rules": [str(r) for r in getattr(audit, "rules", RULES)],
        "skipped": {in_words(str(k)): str(v) for k, v in _skipped(audit).items()},
        "layers": _left_out(getattr(audit, "layers", pd.DataFrame())),
    }


def _skipped(audit: Any) -> dict[str, Any]:
    return dict(getattr(audit, "skipped", {}))


def _tier_counts(report: ReportData) -> dict[str, int]:
    if report.tiers.empty or "tier" not in report.tiers:
        return {}
    order = ["robust", "supported", "speculative"]
    found = report.tiers["tier"].dropna().astype(str).tolist()
    named = [*order, *sorted(set(found) - set(order))]
    return {t: found.count(t) for t in named if t in found}


def _left_out(table: pd.DataFrame) -> dict[str, Any] | None:
    if table is None or not len(table):
        return None
    columns = [str(c) for c in table.columns]
    rows = [
        [in_words(v) if isinstance(v, str) else "–" if pd.isna(v) else f"{v:.3g}" for v in row]
        for row in table.itertuples(index=False, name=None)
    ]
    return {"columns": [in_words(c) for c in columns], "rows": rows}
