"""Figures of the page as plain plotly values; the page fills in the colours of the reader's theme.

Every text that came from outside is escaped here, because plotly reads a little HTML in it.
"""

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.reports.colours import token

Figure = dict[str, Any]
#: Points of a cloud that would fall on the same cell of such a grid are drawn once.
_GRID: Final = (160, 120)
#: Keeps a label legible where a line or a point lies under it.
HALO: Final = ", ".join([f"0 0 2px {token('surface')}"] * 4)
#: Discordance class → colour and shape of its marks, in the order of the legend.
CLASSES: Final = {
    "concordant_up": ("group1", "circle"),
    "concordant_down": ("group5", "circle"),
    "rna_only": ("group4", "diamond"),
    "protein_only": ("group6", "square"),
    "opposite": ("group2", "x"),
    "null": ("faint", "circle"),
    "undetermined": ("faint", "circle-open"),
}
#: A vertical axis of names.
CATEGORIES: Final = {"automargin": True, "showgrid": False, "ticklabelstandoff": 8}


TOP: Final = "top ten targets"
#: A legend above the figure, on one line where it fits.
LEGEND: Final = {
    "orientation": "h",
    "x": 0,
    "y": 1.02,
    "yanchor": "bottom",
    "itemsizing": "constant",
    "font": {"size": 12},
}


def volcano(
    block: pd.DataFrame,
    symbols: "pd.Series[str]",
    marked: Sequence[str],
    called: str = TOP,
) -> Figure:
    """Plot effect against significance of one contrast, with the ``marked`` genes named.

    Args:
        block: One evidence block, indexed by HGNC id.
        symbols: Symbol of every gene that may be shown, indexed by HGNC id.
        marked: HGNC ids to name, best first.
        called: What the named genes are.
    """
    seen = block[block["observed"].astype(bool) & block["p"].notna()]
    seen = seen[seen.index.isin(symbols.index)]
    x = seen["log2_fold_change"].to_numpy(float)
    y = -np.log10(np.maximum(seen["p"].to_numpy(float), 1e-300))
    found = seen["q"].to_numpy(float) < 0.05
    names = symbols.reindex(seen.index).astype(str).to_numpy()
    data = []
    for mask, colour, name in (
        (~found, token("faint"), "q ≥ 0.05"),
        (found, token("accent"), "q < 0.05"),
    ):
        keep = _spread(x, y, mask)
        data.append(_cloud(x[keep], y[keep], names[keep], colour, name))
    places = {str(gene): k for k, gene in enumerate(seen.index)}
    named = [places[gene] for gene in marked if gene in places]
    data.append(_named(x, y, names, named, called))
    layout = axes("log<sub>2</sub> fold change", "−log<sub>10</sub> p", height=330)
    layout["xaxis"]["zeroline"] = True
    return {"data": data, "layout": layout}


def layer_scatter(
    rna: pd.DataFrame,
    protein: pd.DataFrame,
    symbols: "pd.Series[str]",
    marked: Sequence[str],
    classes: "pd.Series[str] | None" = None,
    called: str = TOP,
) -> Figure:
    """Plot the effect of every gene in protein against its effect in RNA.

    Args:
        rna, protein: Evidence blocks, indexed by HGNC id.
        symbols: Symbol of every gene that may be shown, indexed by HGNC id.
        marked: HGNC ids to name, best first.
        classes: Discordance class of every gene; without it, all genes look alike.
        called: What the named genes are.
    """
    both = rna["effect"].notna() & protein["effect"].notna() & rna.index.isin(symbols.index)
    ids = rna.index[both]
    x, y = rna.loc[ids, "effect"].to_numpy(float), protein.loc[ids, "effect"].to_numpy(float)
    names = symbols.reindex(ids).astype(str).to_numpy()
    places = {str(gene): k for k, gene in enumerate(ids)}
    named = [places[gene] for gene in marked if gene in places]
    layout = axes("RNA effect (log<sub>2</sub>)", "Protein effect (log<sub>2</sub>)", height=400)
    layout["xaxis"]["zeroline"] = layout["yaxis"]["zeroline"] = True
    if classes is None:
        keep = _spread(x, y, np.ones(len(x), dtype=bool))
        data = [_cloud(x[keep], y[keep], names[keep], token("faint"), "genes in both layers")]
    else:
        data = _clouds_of_classes(x, y, names, classes.loc[ids].to_numpy(str))
        layout |= {"showlegend": True, "margin": {**layout["margin"], "t": 56}}
        layout["legend"] = {**LEGEND, "traceorder": "reversed"}
    return {"data": [*data, _named(x, y, names, named, called)], "layout": layout}


def _clouds_of_classes(
    x: np.ndarray, y: np.ndarray, names: np.ndarray, classes: np.ndarray
) -> list[Figure]:
    data = []
    classes = np.where(np.isin(classes, list(CLASSES)), classes, "undetermined")
    for name, (role, shape) in reversed(CLASSES.items()):  # what says nothing lies below
        keep = _spread(x, y, classes == name)
        if not len(keep):
            continue
        cloud = _cloud(x[keep], y[keep], names[keep], token(role), name.replace("_", " "))
        quiet = role == "faint"
        cloud["marker"] |= {"symbol": shape, "size": 4 if quiet else 6}
        cloud["name"] = cloud["name"].replace("rna", "RNA")
        cloud["hovertemplate"] = (
            f"%{{text}}: {cloud['name']}<br>%{{x:.2f}}, %{{y:.2f}}<extra></extra>"
        )
        data.append(cloud)
    return data


def coverage(
    evidence: Evidence, genes: pd.Index, labels: Mapping[str, str], noun: str = "ranked genes"
) -> Figure:
    """Plot which share of the genes each contrast observed."""
    shares = [
        float(block["observed"].reindex(genes).astype(bool).mean())
        for block in evidence.blocks.values()
    ]
    names = [escape(labels[name]) for name in evidence.blocks]
    seen = {
        "type": "bar",
        "orientation": "h",
        "y": names[::-1],
        "x": [round(100 * s, 2) for s in shares][::-1],
        "marker": {"color": token("accent")},
        "text": [f"{s:.0%}" for s in shares][::-1],
        "textposition": "auto",
        "hovertemplate": f"%{{y}}: %{{x:.1f}} % of {noun} observed<extra></extra>",
    }
    layout = axes(f"{noun} observed (%)", "", height=110 + 44 * len(names))
    layout["xaxis"]["range"] = [0, 100]
    layout["dragmode"] = False  # nothing to zoom into
    layout["yaxis"] |= CATEGORIES
    return {"data": [seen], "layout": layout}


def ladder(table: pd.DataFrame, recommended: str, chance: float) -> Figure:
    """Plot the average precision of every scorer, with one standard error.

    Args:
        table: Index scorer in words; columns ``average_precision`` and ``standard_error``.
        recommended: Scorer that is drawn in the accent colour.
        chance: Share of known targets among the ranked genes.
    """
    table = table.iloc[::-1]
    bar = {
        "type": "bar",
        "orientation": "h",
        "y": [escape(str(name)) for name in table.index],
        "x": _rounded(table["average_precision"]),
        "error_x": {
            "type": "data",
            "array": _rounded(table["standard_error"].fillna(0.0)),
            "color": token("muted"),
            "thickness": 1.2,
            "width": 4,
        },
        "marker": {
            "color": [token("accent" if n == recommended else "faint") for n in table.index]
        },
        "hovertemplate": "%{y}: average precision %{x:.3f}<extra></extra>",
    }
    layout = axes("average precision on known targets", "", height=110 + 36 * len(table))
    layout["xaxis"]["rangemode"] = "tozero"
    layout["dragmode"] = False  # nothing to zoom into
    layout["yaxis"] |= CATEGORIES
    layout["shapes"] = [
        {
            "type": "line",
            "x0": chance,
            "x1": chance,
            "y0": 0,
            "y1": 1,
            "yref": "paper",
            "line": {"color": token("ink"), "dash": "dot", "width": 1},
        }
    ]
    layout["annotations"] = [
        {
            "x": chance,
            "y": 1,
            "yref": "paper",
            "yanchor": "bottom",
            "text": "chance",
            "showarrow": False,
            "font": {"size": 11, "color": token("muted")},
        }
    ]
    return {"data": [bar], "layout": layout}


def rank_strip(groups: Mapping[str, Sequence[tuple[str, float]]], n_genes: int) -> Figure:
    """Mark the ranks of groups of genes on a logarithmic line from 1 to ``n_genes``."""
    data = [
        {
            "type": "scatter",
            "mode": "markers",
            "x": [rank for _, rank in members],
            "y": [escape(name)] * len(members),
            "text": [escape(symbol) for symbol, _ in members],
            "marker": {
                "symbol": "line-ns",
                "size": 20,
                "line": {"width": 2, "color": token("accent")},
            },
            "hovertemplate": "%{text}: rank %{x:,}<extra></extra>",
        }
        for name, members in groups.items()
    ]
    layout = axes("rank (logarithmic; 1 is best)", "", height=100 + 44 * len(groups))
    layout["xaxis"] |= {"type": "log", "range": [-0.05, math.log10(max(n_genes, 2)) + 0.02]}
    layout["yaxis"] |= CATEGORIES
    layout["xaxis"] |= {"dtick": 1, "tickformat": ","}
    layout["dragmode"] = False  # nothing to zoom into
    return {"data": data, "layout": layout}


def _spread(x: np.ndarray, y: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Keep one point per cell of a fine grid, so that a cloud of a genome stays light."""
    at = np.flatnonzero(mask & np.isfinite(x) & np.isfinite(y))
    if len(at) < 2000:
        return at
    cells = [
        np.floor((v[at] - v[at].min()) / max(float(np.ptp(v[at])), 1e-12) * n).astype(int)
        for v, n in zip((x, y), _GRID, strict=True)
    ]
    _, first = np.unique(np.stack(cells), axis=1, return_index=True)
    kept: np.ndarray = at[np.sort(first)]
    return kept


def _cloud(x: np.ndarray, y: np.ndarray, text: np.ndarray, colour: str, name: str) -> Figure:
    return {
        "type": "scatter",
        "mode": "markers",
        "name": name,
        "x": _rounded(x),
        "y": _rounded(y),
        "text": [escape(t) for t in text],
        "marker": {"size": 4, "color": colour, "opacity": 0.65},
        "hovertemplate": "%{text}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
    }


def _named(x: np.ndarray, y: np.ndarray, text: np.ndarray, at: list[int], name: str) -> Figure:
    """Mark the best targets; a name that would cover another one is left to the pointer."""
    shown: list[str] = []
    taken: list[tuple[float, float]] = []
    spans = [max(float(np.ptp(v)), 1e-9) if len(v) else 1.0 for v in (x, y)]
    x, y, text = x[at], y[at], text[at]
    for a, b, label in zip(x, y, text, strict=True):
        clear = all(abs(a - c) / spans[0] > 0.25 or abs(b - d) / spans[1] > 0.06 for c, d in taken)
        shown.append(escape(label) if clear else "")
        if clear:
            taken.append((a, b))
    return {
        "type": "scatter",
        "mode": "markers+text",
        "name": name,
        "x": _rounded(x),
        "y": _rounded(y),
        "text": shown,
        "hovertext": [escape(t) for t in text],
        "hovertemplate": "%{hovertext}<br>%{x:.2f}, %{y:.2f}<extra></extra>",
        "textposition": "top center",
        "textfont": {"size": 11, "color": token("ink"), "shadow": HALO},
        "cliponaxis": False,
        "marker": {
            "size": 8,
            "color": token("positive"),
            "line": {"width": 1, "color": token("surface")},
        },
    }


def axes(x: str, y: str, *, height: int) -> Figure:
    """Give the layout of a figure with titled axes and without a legend."""
    axis = {"zeroline": False, "gridcolor": token("line"), "zerolinecolor": token("faint")}
    return {
        "height": height,
        "margin": {"l": 56 if y else 12, "r": 16, "t": 24, "b": 48},
        "xaxis": {**axis, "title": _titled(x), "automargin": True},
        "yaxis": {**axis, "title": _titled(y)},
        "showlegend": False,
        "hovermode": "closest",
    }


def _titled(text: str) -> Figure:
    return {"text": text, "standoff": 8, "font": {"size": 12.5, "color": token("muted")}}


def _rounded(values: Any) -> list[float]:
    return [round(float(v), 4) for v in values]
