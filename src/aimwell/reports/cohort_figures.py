"""Figures of the quality of a cohort, as plain plotly values; every text from outside is escaped.

They read what ``aimwell.cohorts.qc.quality_facts`` collected, and compute nothing.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

from aimwell.reports.colours import GROUPS, token
from aimwell.reports.figures import CATEGORIES, LEGEND, Figure, axes

#: Shapes of the marks of groups, so that no group is told by its colour alone.
_SHAPES: Final = ("circle", "diamond", "square", "triangle-up", "cross", "star")
#: Names of groups longer than this are cut in legends.
_LONGEST: Final = 24
_LEVELS: Final = ("low", "q1", "median", "q3", "high")


def presence(rows: Mapping[str, Any]) -> Figure:
    """Plot which subjects have which layers, one column per subject."""
    subjects = [escape(str(s)) for s in rows["subjects"]]
    names = [escape(str(n)) for n in rows["layers"]]
    heat = {
        "type": "heatmap",
        "x": list(range(1, len(subjects) + 1)),
        "y": names[::-1],
        "z": [[min(int(n), 2) for n in counts] for counts in rows["samples"]][::-1],
        "text": [
            [
                f"{s}: {int(n)} sample{'' if n == 1 else 's'}"
                for s, n in zip(subjects, c, strict=True)
            ]
            for c in rows["samples"]
        ][::-1],
        "hovertemplate": "%{text}<br>%{y}<extra></extra>",
        "zmin": 0,
        "zmax": 2,
        # three flat steps: none, one, several
        "colorscale": [
            [0.0, token("neutral")],
            [0.25, token("neutral")],
            [0.25, token("accent")],
            [0.75, token("accent")],
            [0.75, token("positive")],
            [1.0, token("positive")],
        ],
        "showscale": False,
        "xgap": 1 if len(subjects) <= 250 else 0,
        "ygap": 3,
    }
    layout = axes("subjects", "", height=96 + 34 * len(names))
    layout["xaxis"]["showgrid"] = False
    layout["yaxis"] |= CATEGORIES
    return {"data": [heat], "layout": layout}


def sample_boxes(samples: Mapping[str, Any], column: str) -> Figure:
    """Plot the spread of values of every sample, samples of one group together."""
    data = []
    for number, (name, at, places) in enumerate(_grouped(samples, column)):
        data.append(
            {
                "type": "box",
                "name": _short(name),
                "x": places,
                **{
                    key: [samples[part][k] for k in at]
                    for key, part in zip(
                        ("lowerfence", "q1", "median", "q3", "upperfence"), _LEVELS, strict=True
                    )
                },
                "text": [escape(str(samples["sample"][k])) for k in at],
                "line": {"width": 1, "color": token(_role(number))},
                "fillcolor": token(_role(number)),
                "opacity": 0.8,
                "boxpoints": False,
                "hoverinfo": "skip",
            }
        )
        data.append(_marks(data[-1], places, [samples["median"][k] for k in at], at, samples))
    layout = _sample_axes("log<sub>2</sub> value", len(samples["sample"]))
    return {"data": data, "layout": _with_legend(layout)}


def _marks(
    box: Figure, places: list[int], values: list[float], at: list[int], samples: Mapping[str, Any]
) -> Figure:
    """Unseen marks on the medians, which say whose they are."""
    detected = [samples["detected"][k] for k in at]
    return {
        "type": "scatter",
        "mode": "markers",
        "x": places,
        "y": values,
        "text": box["text"],
        "customdata": detected,
        "marker": {"size": 6, "color": token("ink"), "opacity": 0},
        "showlegend": False,
        "hovertemplate": "%{text}<br>median %{y:.2f}, %{customdata:,} genes seen<extra></extra>",
    }


def sample_totals(samples: Mapping[str, Any], column: str) -> Figure:
    """Plot the reads of every library, samples of one group together."""
    data = [
        {
            "type": "bar",
            "name": _short(name),
            "x": places,
            "y": [samples["total"][k] for k in at],
            "text": [escape(str(samples["sample"][k])) for k in at],
            "textposition": "none",
            "customdata": [samples["detected"][k] for k in at],
            "marker": {"color": token(_role(number))},
            "hovertemplate": "%{text}<br>%{y:,} reads, %{customdata:,} genes seen<extra></extra>",
        }
        for number, (name, at, places) in enumerate(_grouped(samples, column))
    ]
    layout = _sample_axes("reads", len(samples["sample"]))
    layout["yaxis"]["rangemode"] = "tozero"
    layout["bargap"] = 0.15
    return {"data": data, "layout": _with_legend(layout)}


def missing_by_level(missing: Mapping[str, Any]) -> Figure:
    """Plot how often a gene is missing against its level where it is seen."""
    ratio, counts = missing["unit"] == "log2_ratio", missing["unit"] == "counts"
    cloud = {
        "type": "scatter",
        "mode": "markers",
        "x": missing["level"],
        "y": [round(100 * v, 2) for v in missing["missing"]],
        "marker": {"size": 4, "color": token("faint"), "opacity": 0.6},
        "hovertemplate": "%{x:.2f}: %{y:.1f} %<extra></extra>",
    }
    line = {
        "type": "scatter",
        "mode": "lines",
        "x": [x for x, _ in missing["curve"]],
        "y": [round(100 * y, 3) for _, y in missing["curve"]],
        "line": {"color": token("accent"), "width": 3},
        "hovertemplate": "mean of a twentieth of the genes: %{y:.1f} %<extra></extra>",
    }
    level = "mean log<sub>2</sub> " + ("ratio" if ratio else "level where seen")
    layout = axes(level, "zero (%)" if counts else "missing (%)", height=320)
    layout["yaxis"]["range"] = [-3, 103]
    return {"data": [cloud, line], "layout": layout}


def components(picture: Mapping[str, Any], groups: Sequence[str]) -> Figure:
    """Plot the places of samples, coloured by the levels of one column.

    Args:
        picture: ``sample``, ``x``, ``y`` and ``shares``.
        groups: Level of every sample.
    """
    data = []
    for number, (name, at) in enumerate(_levels(groups)):
        role = _role(number)
        data.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": _short(name),
                "x": [picture["x"][k] for k in at],
                "y": [picture["y"][k] for k in at],
                "text": [escape(f"{picture['sample'][k]}: {groups[k]}") for k in at],
                "marker": {
                    "size": 8,
                    "color": token(role),
                    "opacity": 0.85,
                    "symbol": _SHAPES[number] if number < len(_SHAPES) else "x-thin-open",
                    "line": {"width": 0.6, "color": token("surface")},
                },
                "hovertemplate": "%{text}<extra></extra>",
            }
        )
    first, second = (f"component {k + 1} ({s:.0%})" for k, s in enumerate(picture["shares"]))
    layout = axes(first, second, height=360)
    return {"data": data, "layout": _with_legend(layout)}


def _levels(groups: Sequence[str]) -> list[tuple[str, list[int]]]:
    """Positions of every level; levels beyond those that have a colour go together, last."""
    order = sorted(set(groups))
    if len(order) > len(GROUPS):
        sizes = Counter(groups)
        order = sorted(sorted(order, key=lambda g: (-sizes[g], g))[: len(GROUPS)])
    found = [(name, [k for k, g in enumerate(groups) if g == name]) for name in order]
    rest = [k for k, g in enumerate(groups) if g not in set(order)]
    others = len(set(groups)) - len(order)
    return [*found, (f"{others} others", rest)] if rest else found


def _grouped(samples: Mapping[str, Any], column: str) -> list[tuple[str, list[int], list[int]]]:
    """Each group's name, its samples, and where they stand on the axis."""
    groups = samples["groups"].get(column) or ["all samples"] * len(samples["sample"])
    found, start = [], 1
    for name, at in _levels(groups):
        found.append((name, at, list(range(start, start + len(at)))))
        start += len(at)
    return found


def _sample_axes(title: str, n: int) -> Figure:
    layout = axes(f"{n} samples", title, height=300)
    layout["xaxis"] |= {"showgrid": False, "showticklabels": False, "range": [0, n + 1]}
    layout["dragmode"] = False
    return layout


def _with_legend(layout: Figure) -> Figure:
    return layout | {
        "showlegend": True,
        "legend": LEGEND,
        "margin": {**layout["margin"], "t": 48},
    }


def _role(number: int) -> str:
    return GROUPS[number] if number < len(GROUPS) else "faint"


def _short(name: str) -> str:
    return escape(_cut(name))


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"
