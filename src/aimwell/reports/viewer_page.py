"""The page of the viewer, and what it is told of one target."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from aimwell.explain.explanation import Explanation
from aimwell.provenance import to_plain
from aimwell.reports.articles import explained_targets
from aimwell.reports.data import ReportData
from aimwell.reports.figures import Figure
from aimwell.reports.network import source_facts
from aimwell.reports.page import render_page

#: What the viewer shows of a target beside its subgraphs and figures.
_SHOWN = (
    "gene",
    "symbol",
    "sentence",
    "direction",
    "caveats",
    "shares",
    "evidence",
    "discordance_class",
    "drugs",
    "drug_rows",
    "drug_status",
    "faithfulness",
    "trust",
    "measured_on",
)
_ROW = ("rank", "rank_low", "rank_high", "score", "score_low", "score_high", "is_known", "degree")


def render_viewer(
    runs: Sequence[Mapping[str, Any]], inputs: Iterable[Any], limits: tuple[int, int]
) -> str:
    """Give the page of the viewer as text.

    Args:
        runs: Per run ``title``, ``folder``, ``switches``, ``nodes`` and ``genes``.
        inputs: Per run the inputs of its manifest, whose names edges carry.
        limits: Smallest and largest size of a subgraph.
    """
    sources: dict[str, dict[str, str]] = {}
    for listed in inputs:
        sources |= source_facts(listed)
    payload = {
        "figures": {},
        "networks": [],
        "runs": [dict(run) for run in runs],
        "sources": sources,
        "limits": list(limits),
    }
    title = " and ".join(str(run["title"]) for run in runs)
    return render_page("viewer.html", "viewer.js", {"title": title, "runs": runs}, payload)


def target_view(report: ReportData, explanation: Explanation) -> dict[str, Any]:
    """Give everything that the viewer shows of one target, as plain values.

    Args:
        report: The run.
        explanation: Of the gene, maybe with layers switched off; its score stands beside that of
            the run in ``row``.
    """
    labels = {name: report.label_of(name) for name in report.contrasts}
    drawn: dict[str, Figure] = {}
    shown = replace(report, explanations=[explanation])
    (article,), (subgraphs,) = explained_targets(shown, labels, drawn)
    view = {key: article[key] for key in _SHOWN}
    view |= {
        "score": explanation.score,
        "baseline_score": explanation.baseline_score,
        "completeness_error": explanation.completeness_error,
        "row": {key: article["row"].get(key) for key in _ROW},
        "networks": subgraphs,
        "samples": drawn.get("samples-0"),
        "curves": drawn.get("faithfulness-0"),
    }
    plain: dict[str, Any] = to_plain(view)
    return plain
