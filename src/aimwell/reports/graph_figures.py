"""Figures of the page of a graph, as plain plotly values; every text from outside is escaped."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

import numpy as np
import pandas as pd

from aimwell.reports.colours import token
from aimwell.reports.figures import CATEGORIES, Figure, axes

#: Colours and dashes of lines; past the last a line is drawn like the first again.
_LINES: Final = (
    ("accent", "solid"),
    ("positive", "solid"),
    ("negative", "solid"),
    ("warn", "solid"),
    ("good", "solid"),
    ("bad", "solid"),
    ("muted", "solid"),
    ("accent", "dot"),
    ("positive", "dot"),
    ("negative", "dot"),
)
#: Points of a line that a reader could tell apart on a logarithmic axis.
_POINTS: Final = 120
#: Names that fit beside the cells of a square figure.
_LONGEST: Final = 28


def edges_by_relation(relations: pd.DataFrame, gene: str) -> Figure:
    """Plot how many edges each relation has, on a logarithmic axis.

    Args:
        relations: Indexed by relation; columns ``source_type``, ``target_type``, ``edges``.
        gene: The node type of genes.
    """
    table = relations.sort_values("edges", kind="stable")
    among = table["target_type"] == gene
    to_sets = (table["source_type"] == gene) & ~among
    roles = np.where(among, "accent", np.where(to_sets, "negative", "faint"))
    bar = _bars(table.index, table["edges"], [token(r) for r in roles], "%{y}: %{x:,} edges")
    bar["text"] = [f"{n:,}" for n in table["edges"]]
    bar["textposition"] = "outside"
    bar["cliponaxis"] = False
    layout = _bar_axes("edges (logarithmic)", len(table))
    top = math.log10(max(int(table["edges"].max()), 10)) if len(table) else 1.0
    layout["xaxis"] |= {"type": "log", "range": [0, top * 1.16], "dtick": 1, "tickformat": ","}
    return {"data": [bar], "layout": layout}


def distribution(
    degrees: "Mapping[str, pd.Series[int]]", what: str, whose: str, total: str = ""
) -> Figure:
    """Plot which share of nodes has at least so many edges, a line per relation.

    Args:
        degrees: Relation → counts of nodes, indexed by degree, ascending.
        what: What is counted, for the horizontal axis, such as ``neighbours``.
        whose: What has them, for the vertical axis, such as ``genes``.
        total: Name of the line that is drawn strongest.
    """
    data = []
    for number, (name, counts) in enumerate(degrees.items()):
        x, share = _at_least(counts)
        colour, dash = _LINES[number % len(_LINES)]
        strong = name == total
        line = {
            "color": token("ink" if strong else colour),
            "dash": dash,
            "width": 3 if strong else 1.8,
        }
        data.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": escape(name),
                "x": x,
                "y": share,
                "line": line,
                "hovertemplate": f"%{{fullData.name}}: %{{y:.3g}} % of {whose} have "
                f"%{{x:,}} {what} or more<extra></extra>",
            }
        )
    layout = axes(f"{what} (logarithmic)", f"{whose} with at least so many (%)", height=400)
    layout["xaxis"] |= {"type": "log", "tickformat": ",", "dtick": 1}
    layout["yaxis"] |= {"type": "log", "dtick": 1, "tickformat": "~g", "automargin": True}
    layout |= _legend()
    return {"data": data, "layout": layout}


def coverage_bars(table: pd.DataFrame, genome: int, listed: int) -> Figure:
    """Plot which share of the genome, and of a list of genes, has an edge of each kind.

    Args:
        table: Index what is covered; column ``genes`` and, with a list, ``listed``.
        genome: Number of protein-coding genes.
        listed: Number of names of the list; 0 without one.
    """
    table = table.iloc[::-1]
    bars = [("all protein-coding genes", table["genes"], genome, "faint" if listed else "accent")]
    if listed:
        bars.append(("your list", table["listed"], listed, "accent"))
    data = []
    for name, counts, whole, role in bars:
        share = [round(100 * int(n) / max(whole, 1), 2) for n in counts]
        bar = _bars(table.index, share, token(role), f"%{{y}}: %{{x:.1f}} % of {name}")
        bar |= {
            "name": name,
            "text": [_of_all(s) for s in share],
            "textposition": "outside",
            "textfont": {"size": 10.5},
            "cliponaxis": False,
        }
        data.append(bar)
    layout = _bar_axes("share covered (%)", len(table) * (1 if len(bars) == 1 else 1.35) + 1)
    layout["xaxis"] |= {"range": [0, 109], "dtick": 20}
    if listed:
        layout |= _legend()
        layout["legend"]["traceorder"] = "reversed"
    return {"data": data, "layout": layout}


def overlap_map(names: Sequence[str], shared: np.ndarray, counts: np.ndarray, what: str) -> Figure:
    """Plot how much every two databases share, as a triangle of coloured cells.

    Args:
        names: Databases.
        shared: Jaccard indices, shape ``(d, d)``.
        counts: How many are shared, shape ``(d, d)``; the diagonal holds their own number.
        what: What is shared, such as ``pairs``.
    """
    d = len(names)
    below = np.tri(d, k=-1, dtype=bool)
    z = [[_percent(shared[i, j]) if below[i, j] else None for j in range(d)] for i in range(d)]
    hover = [
        [
            f"{escape(names[i])} and {escape(names[j])}: {int(counts[i, j]):,} {what}, "
            f"{_words(shared[i, j])}"
            for j in range(d)
        ]
        for i in range(d)
    ]
    short = _shortened(names)
    cells = {
        "type": "heatmap",
        # the first has no cell to its left, the last none below it
        "x": short[:-1],
        "y": short[1:],
        "z": [row[:-1] for row in z[1:]],
        "text": [[_digits(v) for v in row[:-1]] for row in z[1:]],
        "texttemplate": "%{text}" if d <= 16 else "",
        "textfont": {"size": 11},
        "customdata": [row[:-1] for row in hover[1:]],
        "hovertemplate": "%{customdata}<extra></extra>",
        "hoverongaps": False,
        "zmin": 0,
        "zmax": 100,
        "colorscale": [[0, token("neutral")], [0.5, token("faint")], [1, token("accent")]],
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
    }
    layout = axes("", "", height=150 + 30 * d)
    layout["yaxis"] |= CATEGORIES | {"autorange": "reversed", "type": "category"}
    layout["xaxis"] |= {"showgrid": False, "type": "category", "tickangle": -38, "title": None}
    layout["dragmode"] = False  # nothing to zoom into
    return {"data": [cells], "layout": layout}


def edges_by_source(sources: pd.DataFrame) -> Figure:
    """Plot how many edges each database gives, and how many of them it alone gives.

    Args:
        sources: Indexed by name; columns ``edges`` and ``alone``.
    """
    table = sources.sort_values("edges", kind="stable")
    alone = _bars(table.index, table["alone"], token("accent"), "%{y}: %{x:,} edges it alone has")
    others = _bars(
        table.index,
        table["edges"] - table["alone"],
        token("faint"),
        "%{y}: %{x:,} edges that others have too",
    )
    alone["name"], others["name"] = "it alone has", "others have too"
    layout = _bar_axes("edges", len(table)) | _legend() | {"barmode": "stack"}
    layout["legend"]["traceorder"] = "normal"
    layout["xaxis"]["tickformat"] = "~s"
    return {"data": [alone, others], "layout": layout}


def _at_least(counts: "pd.Series[int]") -> tuple[list[int], list[float]]:
    """Give degrees, thinned for a logarithmic axis, and the share of nodes that reach them."""
    degree = counts.index.to_numpy(int)
    reach = counts.to_numpy(float)[::-1].cumsum()[::-1]
    share = 100 * reach / max(float(reach.max(initial=0)), 1)
    step = np.round(np.log10(np.maximum(degree, 1)) * _POINTS / 4).astype(int)
    keep = np.flatnonzero(np.diff(step, append=-1) != 0)
    first = np.zeros(1, int) if len(degree) else np.zeros(0, int)
    keep = np.unique(np.concatenate([first, keep]))
    return degree[keep].tolist(), [float(f"{v:.4g}") for v in share[keep]]


def _bars(names: "pd.Index | pd.Series[str]", x: object, colour: object, hover: str) -> Figure:
    values = [float(v) for v in x]  # type: ignore[attr-defined]
    return {
        "type": "bar",
        "orientation": "h",
        "y": [escape(str(name)) for name in names],
        "x": [int(v) if v.is_integer() else v for v in values],
        "marker": {"color": colour},
        "hovertemplate": f"{hover}<extra></extra>",
    }


def _bar_axes(title: str, bars: float) -> Figure:
    layout = axes(title, "", height=round(110 + 28 * bars))
    layout["yaxis"] |= {**CATEGORIES, "type": "category"}
    layout["dragmode"] = False  # nothing to zoom into
    return layout


def _legend() -> Figure:
    below = {"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"}
    return {"showlegend": True, "legend": {**below, "font": {"size": 12}}}


def _shortened(names: Sequence[str]) -> list[str]:
    """Cut long names, unless two of them would then be one row of the figure."""
    short = [n if len(n) <= _LONGEST else f"{n[: _LONGEST - 1]}…" for n in names]
    return [escape(n) for n in (short if len(set(short)) == len(names) else names)]


def _percent(share: float) -> float | None:
    return round(100 * float(share), 2) if math.isfinite(share) else None


def _of_all(percent: float) -> str:
    return f"{percent:.0f} %" if percent == 0 or percent >= 1 else "<1 %"


def _digits(percent: float | None) -> str:
    if percent is None:
        return ""
    return "<1" if 0 < percent < 1 else f"{percent:.0f}"


def _words(share: float) -> str:
    return f"{100 * share:.1f} % of all that either has" if math.isfinite(share) else "none of both"
