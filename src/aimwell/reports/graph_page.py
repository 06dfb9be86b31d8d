"""The page of a graph: one HTML file that opens offline and loads nothing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.knowledge.graph import GENE
from aimwell.knowledge.survey import GeneListCoverage, GraphSurvey
from aimwell.provenance import write_atomically
from aimwell.reports import graph_figures as figures
from aimwell.reports.data import in_words
from aimwell.reports.figures import Figure
from aimwell.reports.page import render_page

#: Name of the line of all relations between genes together.
TOGETHER: Final = "all together"
#: Relations that a figure of distributions shows, those with most edges; the table has all.
MOST_LINES: Final = 8
#: Names outside the graph, and lone genes, that the page lists; the command's answer has all.
MOST_NAMES: Final = 200


def write_graph_page(path: Path, survey: GraphSurvey, title: str) -> None:
    """Write the page of a graph, atomically; the same graph gives the same bytes."""
    text = render_graph_page(survey, title)
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def render_graph_page(survey: GraphSurvey, title: str) -> str:
    """Give the page as text."""
    values, drawn = graph_sections(survey, title)
    return render_page("graph.html", "", values, {"figures": drawn})


def graph_sections(survey: GraphSurvey, title: str) -> tuple[dict[str, Any], dict[str, Figure]]:
    """Give the values of the template, and the figures that it places."""
    drawn: dict[str, Figure] = {}
    summary = survey.summary
    listed = survey.listed
    values = {
        "title": title,
        "overview": _overview(survey),
        "nodes": [
            {"kind": in_words(kind), "count": count, "lone": survey.unconnected.get(kind, 0)}
            for kind, count in summary.nodes.items()
        ],
        "relations": [
            {"name": name, **row}
            for name, row in zip(
                survey.relations.index,
                survey.relations.to_dict("records"),
                strict=True,
            )
        ],
        "components": [
            {"size": size, "count": count, "genes": size * count}
            for size, count in zip(survey.components.index, survey.components, strict=True)
        ][:12],
        "lone": {"count": len(summary.isolated), "names": summary.isolated[:MOST_NAMES]},
        "hubs": _hubs(survey.hubs),
        "covered": _covered(survey),
        "listed": _listed(listed) if listed else None,
        "sources": [
            {"name": name, **row}
            for name, row in zip(
                survey.sources.index, survey.sources.to_dict("records"), strict=True
            )
        ],
        "overlap": survey.overlap[survey.overlap["shared_genes"] > 0]
        .sort_values(
            ["jaccard_pairs", "jaccard_genes"],
            ascending=False,
            kind="stable",
            na_position="last",
        )
        .to_dict("records"),
        "steps": survey.steps,
        "cautions": _cautions(survey),
    }
    drawn["relations"] = figures.edges_by_relation(survey.relations, GENE)
    _add_distributions(survey, drawn)
    drawn["coverage"] = figures.coverage_bars(
        survey.covered, survey.genome, listed.names if listed else 0
    )
    giving = survey.sources[survey.sources["edges"] > 0]
    drawn["sources"] = figures.edges_by_source(giving)
    for key, size in (("pairs", "pairs"), ("genes", "genes")):
        with_some = [str(n) for n in giving.index[giving[size] > 0]]
        if len(with_some) > 1:
            drawn[f"overlap-{key}"] = _overlap(survey, with_some, key)
    return {**values, "figures": sorted(drawn)}, drawn


def _overview(survey: GraphSurvey) -> dict[str, Any]:
    summary = survey.summary
    genes = summary.nodes[GENE]
    return {
        "genes": genes,
        "share": 100 * genes / max(survey.genome, 1),
        "sets": sum(n for kind, n in summary.nodes.items() if kind != GENE),
        "edges": sum(summary.edges.values()),
        "relations": len(summary.edges),
        "sources": int((survey.sources["edges"] > 0).sum()),
        "genome": survey.genome,
        "median": summary.degree.get("0.5", 0.0),
        "most": summary.degree.get("1.0", 0.0),
        "largest": summary.largest_component,
        "components": summary.components,
    }


def _cautions(survey: GraphSurvey) -> list[str]:
    """List what a reader of the graph should be careful about."""
    kept = sum(step.rows_out for step in survey.steps if step.why.startswith("kept by allow_leak"))
    found = []
    if kept:
        found.append(
            f"Leaks were allowed: {kept:,} sets or edges that encode an answer were kept; a run on "
            "this graph leaves them out unless it is told to keep them too."
        )
    sources = survey.sources
    for verdict, words in (
        ("no", "may not be used commercially"),
        ("unknown", "have a licence that does not say whether a company may use them"),
    ):
        names = [str(n) for n in sources.index[sources["commercial"] == verdict]]
        if names:
            shown = ", ".join(names[:MOST_LINES])
            more = f" and {len(names) - MOST_LINES} more" if len(names) > MOST_LINES else ""
            found.append(f"{len(names)} of {len(sources)} sources {words}: {shown}{more}.")
    edges = max(int(survey.relations["edges"].sum()), 1)
    for column, words in (("literature", "text mining"), ("clinical", "clinical or drug data")):
        count = int(survey.relations[column].sum())
        if count:
            found.append(
                f"{count:,} edges ({count / edges:.0%}) rest on {words} alone; a run leaves them "
                "out unless leaks are allowed."
            )
    hubs = survey.hubs
    if len(hubs):
        degree = survey.degrees[""]
        every = float((degree.index.to_numpy(float) * degree.to_numpy(float)).sum())
        share = float(hubs["neighbours"].sum()) / max(every, 1)
        found.append(
            f"The {len(hubs)} largest hubs hold {share:.0%} of all ends of edges: what is well "
            "studied has many neighbours."
        )
    return found


def _add_distributions(survey: GraphSurvey, drawn: dict[str, Figure]) -> None:
    table = survey.relations.sort_values("edges", ascending=False, kind="stable")
    among = table["target_type"] == GENE
    to_sets = (table["source_type"] == GENE) & ~among
    for key, chosen, what, whose in (
        ("neighbours", among, "neighbours", "genes"),
        ("set-sizes", to_sets, "genes", "sets"),
    ):
        names = [str(n) for n in table.index[chosen] if len(survey.degrees[str(n)])]
        lines = {name: survey.degrees[name] for name in names[:MOST_LINES]}
        if key == "neighbours" and len(names) > 1:
            lines = {TOGETHER: survey.degrees[""], **lines}
        if lines:
            drawn[key] = figures.distribution(lines, what, whose, TOGETHER)


def _overlap(survey: GraphSurvey, names: Sequence[str], key: str) -> Figure:
    place = {name: k for k, name in enumerate(names)}
    table = survey.overlap
    table = table[table["first"].isin(names) & table["second"].isin(names)]
    a, b = (table[c].map(place).to_numpy(int) for c in ("first", "second"))
    share = np.full((len(names), len(names)), np.nan)
    counts = np.zeros(share.shape, np.int64)
    for i, j in ((a, b), (b, a)):
        share[i, j] = table[f"jaccard_{key}"].to_numpy(float)
        counts[i, j] = table[f"shared_{key}"].to_numpy(np.int64)
    return figures.overlap_map(names, share, counts, key)


def _hubs(hubs: pd.DataFrame) -> list[dict[str, Any]]:
    prefix = "neighbours: "
    columns = [c for c in hubs.columns if c.startswith(prefix)]
    most = max(int(hubs["neighbours"].max()), 1) if len(hubs) else 1
    rows = []
    for gene, row in zip(hubs.index, hubs.to_dict("records"), strict=True):
        parts = [(c.removeprefix(prefix), row[c]) for c in columns if row[c]]
        parts.sort(key=lambda part: -part[1])
        shown = {c: row[c] for c in ("symbol", "name", "neighbours", "sets")}
        share, meter = 100 * row["share"], round(100 * row["neighbours"] / most, 1)
        rows.append({**shown, "gene": gene, "share": share, "meter": meter, "parts": parts})
    return rows


def _covered(survey: GraphSurvey) -> list[dict[str, Any]]:
    names = survey.listed.names if survey.listed else 0
    return [
        {
            "name": what,
            "genes": row["genes"],
            "share": 100 * row["genes"] / max(survey.genome, 1),
            "listed": row.get("listed"),
            "listed_share": 100 * row["listed"] / names if names else None,
        }
        for what, row in zip(survey.covered.index, survey.covered.to_dict("records"), strict=True)
    ]


def _listed(listed: GeneListCoverage) -> Mapping[str, Any]:
    return {
        "names": listed.names,
        "inside": len(listed.inside),
        "outside": len(listed.outside),
        "rows": listed.outside.head(MOST_NAMES).to_dict("records"),
    }
