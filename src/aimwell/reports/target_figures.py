"""Figures of one target: its values sample by sample, and how its explanation was tested."""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import pandas as pd

from aimwell.cohorts.samples import ContrastSamples
from aimwell.reports.colours import GROUPS, token
from aimwell.reports.figures import LEGEND, Figure, axes

#: Kind of subgraph → its name, colour, dash and mark.
_KINDS: Final = {
    "this": ("this explanation", "accent", "solid", "circle"),
    "random": ("random", "faint", "dot", "x"),
    "degree": ("by degree", "group4", "dash", "diamond"),
    "pagerank": ("by PageRank", "group6", "dashdot", "square"),
}
_TITLES: Final = {
    "deletion": "score left without its first nodes",
    "insertion": "score from its first nodes alone",
}


def sample_strips(
    samples: Mapping[str, ContrastSamples], gene: str, labels: Mapping[str, str]
) -> Figure | None:
    """Plot the value of every sample, group by group, one panel per contrast.

    Returns:
        None where no contrast has a value of the gene.
    """
    shown = [
        (name, one, one.values.loc[gene].to_numpy(float))
        for name, one in samples.items()
        if gene in one.values.index and one.values.loc[gene].notna().any()
    ]
    if not shown:
        return None
    data: list[Figure] = []
    layout = axes("", "", height=300)
    layout |= {"dragmode": False, "margin": {"l": 12, "r": 12, "t": 40, "b": 40}}
    layout["annotations"] = []
    del layout["xaxis"], layout["yaxis"]
    gap = 0.07
    width = (1 - gap * (len(shown) - 1)) / len(shown)
    for number, (name, one, values) in enumerate(shown):
        suffix = "" if number == 0 else str(number + 1)
        start = number * (width + gap)
        panel = axes("", escape(one.scale).replace("log2", "log<sub>2</sub>"), height=0)
        layout[f"xaxis{suffix}"] = panel["xaxis"] | {
            "domain": [round(start, 4), round(start + width, 4)],
            "anchor": f"y{suffix}",
            "showgrid": False,
        }
        layout[f"yaxis{suffix}"] = panel["yaxis"] | {"anchor": f"x{suffix}", "automargin": True}
        layout["annotations"].append(_heading(labels.get(name, name), start))
        data += [
            _strip(one, values, k, suffix) for k in range(len(one.groups)) if k in set(one.group)
        ]
    return {"data": data, "layout": layout}


def _heading(text: str, start: float) -> Figure:
    return {
        "text": escape(text),
        "x": round(start, 4),
        "y": 1,
        "xref": "paper",
        "yref": "paper",
        "xanchor": "left",
        "yanchor": "bottom",
        "showarrow": False,
        "font": {"size": 12.5, "color": token("muted")},
    }


def _strip(one: ContrastSamples, values: Any, group: int, suffix: str) -> Figure:
    at = [k for k, g in enumerate(one.group) if g == group]
    seen = [round(float(values[k]), 3) for k in at if math.isfinite(values[k])]
    role = GROUPS[group % len(GROUPS)]
    name = escape(one.groups[group])
    return {
        "type": "box",
        "name": f"{name}<br>{len(seen)} of {len(at)}",
        "y": seen,
        "xaxis": f"x{suffix}",
        "yaxis": f"y{suffix}",
        "boxpoints": "all",
        "jitter": 0.5,
        "pointpos": 0,
        "fillcolor": "rgba(0,0,0,0)",
        "line": {"width": 1.3, "color": token("muted")},
        "marker": {
            "size": 5,
            "opacity": 0.65,
            "color": token(role),
            "symbol": "circle" if group % 2 == 0 else "diamond",
        },
        "hoverinfo": "y",
    }


def faithfulness_curves(curves: Mapping[str, Mapping[str, Sequence[float]]]) -> Figure:
    """Plot what is left of a score, and what comes back, against the number of nodes."""
    layout = axes("", "", height=300)
    layout |= {"dragmode": False, "showlegend": True, "legend": LEGEND}
    layout["margin"] = {"l": 12, "r": 12, "t": 62, "b": 44}
    del layout["xaxis"], layout["yaxis"]
    data = []
    width = 0.5 - 0.04 if len(curves) == 2 else 1.0
    for number, (which, kinds) in enumerate(curves.items()):
        suffix = "" if number == 0 else str(number + 1)
        start = number * 0.54
        panel = axes("nodes", _TITLES.get(which, which), height=0)
        layout[f"xaxis{suffix}"] = panel["xaxis"] | {
            "domain": [start, min(start + width, 1.0)],
            "anchor": f"y{suffix}",
            "rangemode": "tozero",
        }
        layout[f"yaxis{suffix}"] = panel["yaxis"] | {
            "anchor": f"x{suffix}",
            "tickformat": ".0%",
            "automargin": True,
            "zeroline": True,
        }
        for kind, shares in kinds.items():
            name, role, dash, mark = _KINDS.get(kind, (kind, "faint", "dot", "x"))
            data.append(
                {
                    "type": "scatter",
                    "mode": "lines+markers",
                    "name": escape(name),
                    "legendgroup": escape(kind),
                    "showlegend": number == 0,
                    "x": list(range(len(shares))),
                    "y": [None if pd.isna(s) else round(float(s), 4) for s in shares],
                    "xaxis": f"x{suffix}",
                    "yaxis": f"y{suffix}",
                    "line": {
                        "color": token(role),
                        "dash": dash,
                        "width": 3 if kind == "this" else 1.6,
                    },
                    "marker": {"symbol": mark, "size": 6, "color": token(role)},
                    "hovertemplate": f"{escape(name)}, %{{x}} nodes: %{{y:.0%}}<extra></extra>",
                }
            )
    return {"data": data, "layout": layout}


def reliability(table: pd.DataFrame) -> Figure:
    """Plot how often genes are known targets against how often they were predicted to be.

    Args:
        table: Columns ``predicted``, ``observed``, ``low``, ``high`` (shares) and ``genes``.
    """
    x = [float(v) for v in table["predicted"]]
    y = [float(v) for v in table["observed"]]
    low, high = (table[c].astype(float).tolist() for c in ("low", "high"))
    top = max([*x, *high, 1e-6]) * 1.05
    points = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": [round(v, 5) for v in x],
        "y": [round(v, 5) for v in y],
        "error_y": {
            "type": "data",
            "symmetric": False,
            "array": [round(b - a, 5) for a, b in zip(y, high, strict=True)],
            "arrayminus": [round(a - b, 5) for a, b in zip(y, low, strict=True)],
            "color": token("muted"),
            "thickness": 1.2,
            "width": 4,
        },
        "line": {"color": token("accent"), "width": 2},
        "marker": {"size": 8, "color": token("accent")},
        "customdata": [int(n) for n in table["genes"]],
        "hovertemplate": (
            "predicted %{x:.2%}, observed %{y:.2%} of %{customdata:,} genes<extra></extra>"
        ),
    }
    perfect = {
        "type": "scatter",
        "mode": "lines",
        "x": [0, top],
        "y": [0, top],
        "line": {"color": token("faint"), "dash": "dot", "width": 1.5},
        "hoverinfo": "skip",
    }
    layout = axes("predicted share of known targets", "observed share", height=340)
    layout["dragmode"] = False
    for axis in ("xaxis", "yaxis"):
        layout[axis] |= {"tickformat": ".1%" if top < 0.2 else ".0%", "range": [0, top]}
    return {"data": [perfect, points], "layout": layout}
