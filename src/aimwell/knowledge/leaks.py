"""What in a graph already says which genes are the known targets, and the graph without it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.errors import GraphError
from aimwell.knowledge.gene_sets import LEAKING
from aimwell.knowledge.graph import GENE, Relation, TargetGraph
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.prior_network import DISEASE, DRUG, KINDS, plain
from aimwell.provenance import Step

LEAK_COLUMNS: Final = (
    "kind",
    "name",
    "relation",
    "edges",
    "known_targets",
    "why",
    "examples",
    "sources",
)
LEAKING_EDGE_COLUMNS: Final = (
    "relation",
    "source_id",
    "source",
    "target_id",
    "target",
    "evidence",
    "leak",
    "why",
)
#: A set is the list of known targets under another name where it shares at least this many genes
#: with it, and at least half of the genes that either has.
LIST_GENES: Final = 5
LIST_SHARE: Final = 0.5
_RELATION: Final = re.compile(r"drug|disease|treats|indication|phenotype", re.IGNORECASE)
_FLAGS: Final = {
    "literature": "would not stand without text mining, which reads the papers about the targets",
    "clinical": "comes from patients or drugs",
}
_NAMED: Final = "named after a disease, a mutant or a drug, or below such a set"
_LISTED: Final = "its members are, by half or more, the list of known targets"
_WITHIN: Final = "an end of it is a set that leaks"
_Mask = npt.NDArray[np.bool_]
_Masks = dict[str, _Mask]
_Sets = dict[str, set[str]]
_Places = dict[str, list[tuple[str, str, npt.NDArray[np.intp]]]]
_Row = tuple[str, str, str, int, int, str, str, str]


def audit_leaks(graph: TargetGraph, known: KnownTargets) -> pd.DataFrame:
    """List every relation, channel and set that encodes the known targets.

    Returns:
        One row per leak with the columns ``LEAK_COLUMNS``: ``kind`` (``relation``, ``channel`` or
        ``set``), what it is called, the relation its edges are in, how many edges it has, how many
        known targets they touch, why it leaks, examples, and the databases behind its edges,
        joined by ``|``. An edge may be in several rows.

    Example:
        >>> from aimwell.knowledge.sources.starter import read_starter_graph
        >>> graph = read_starter_graph()
        >>> table = pd.DataFrame({"gene": graph.genes[:1], "disease": "d", "source": "s",
        ...     "date": "", "strength": 1.0, "detail": ""})
        >>> len(audit_leaks(graph, KnownTargets(table)))
        0
    """
    return _find(graph, known)[0]


def leaking_edges(graph: TargetGraph, known: KnownTargets) -> pd.DataFrame:
    """List every single edge that encodes the known targets.

    Returns:
        Columns ``LEAKING_EDGE_COLUMNS``: where the edge is, the symbols or names of its ends, the
        databases behind it, the names of the leaks of ``audit_leaks`` that it is in, and why it
        leaks; sorted.
    """
    _, masks, _, places = _find(graph, known)
    parts = []
    for name, mask in sorted(masks.items()):
        relation, rows = graph.relations[name], np.flatnonzero(mask)
        said: dict[int, list[tuple[str, str]]] = {int(row): [] for row in rows}
        for leak, why, where in places[name]:
            for row in where.tolist():
                said[row].append((leak, why))
        edges = relation.edges.iloc[rows][["source_id", "target_id", "evidence"]]
        found = [said[int(row)] or [("", _WITHIN)] for row in rows]
        ends = {
            "source": _titles(graph, relation.source_type, edges["source_id"]),
            "target": _titles(graph, relation.target_type, edges["target_id"]),
            "leak": ["|".join(dict.fromkeys(leak for leak, _ in f)) for f in found],
            "why": ["; ".join(dict.fromkeys(why for _, why in f)) for f in found],
        }
        parts.append(edges.assign(relation=name, **ends))
    every = pd.concat(parts)[list(LEAKING_EDGE_COLUMNS)]
    return every.sort_values(list(LEAKING_EDGE_COLUMNS[:4]), ignore_index=True)


def without_leaks(
    graph: TargetGraph, known: KnownTargets, *, allow: bool = False
) -> tuple[TargetGraph, pd.DataFrame]:
    """Remove what ``audit_leaks`` lists; with ``allow``, keep it and say so in the steps.

    Sets that leak leave with their edges; genes that lose their last edge leave too.

    Returns:
        The graph and the table of ``audit_leaks``.

    Raises:
        GraphError: Nothing is left.
    """
    table, masks, sets, _ = _find(graph, known)
    before = sum(len(r.edges) for r in graph.relations.values())
    lost = sum(int(mask.sum()) for mask in masks.values())
    names = tuple(dict.fromkeys(table["name"].tolist()))[:3]
    if allow:
        why = "kept by allow_leak: every result of this graph has seen the answer"
        step = Step("edges that encode the known targets", lost, lost, why, names)
        return replace(graph, steps=(*graph.steps, step)), table
    why = "; ".join(dict.fromkeys(table["why"].tolist()))
    step = Step("edges that do not encode the known targets", before, before - lost, why, names)
    if not lost:
        return replace(graph, steps=(*graph.steps, step)), table
    if lost == before:
        raise GraphError(
            f"every edge of the graph encodes the known targets ({why}); name another source, or "
            "of STRING its links.detailed with channels other than textmining"
        )
    relations = {
        name: replace(r, edges=r.edges[~masks[name]].reset_index(drop=True))
        for name, r in graph.relations.items()
        if not masks[name].all() or not len(masks[name])
    }
    nodes = {
        kind: rows if kind == GENE else rows[~rows.index.isin(sorted(sets.get(kind, ())))]
        for kind, rows in graph.nodes.items()
        if KINDS.get(plain(kind)) not in (DRUG, DISEASE)
    }
    had, have = _touched(graph.relations), _touched(relations)
    gone = had - have
    nodes[GENE] = nodes[GENE][~nodes[GENE].index.isin(sorted(gone))]
    genes = Step("genes with an edge left", len(graph.genes), len(nodes[GENE]))
    steps = (*graph.steps, step, genes)
    return TargetGraph(nodes, relations, graph.sources, steps), table


def leak_stain(table: pd.DataFrame, *, allow: bool) -> str:
    """Say what every result of a graph that keeps its leaks must say; empty where it is clean.

    Args:
        table: Of ``audit_leaks``.
        allow: Whether the leaks were kept.

    Example:
        >>> leak_stain(pd.DataFrame({"edges": [3, 1]}), allow=True)
        'Leaks were allowed: 2 relations, channels or sets with 4 edges encode the known targets,
        so the ranking has seen the answer.'
        >>> leak_stain(pd.DataFrame({"edges": [3, 1]}), allow=False)
        ''
    """
    if not allow or table.empty:
        return ""
    return (
        f"Leaks were allowed: {len(table)} relations, channels or sets with "
        f"{int(table['edges'].sum()):,} edges encode the known targets, so the ranking has seen "
        "the answer."
    )


def _find(graph: TargetGraph, known: KnownTargets) -> tuple[pd.DataFrame, _Masks, _Sets, _Places]:
    """Give the table, and which edges of each relation, which sets, and which rows of edges leak.

    Of the rows of edges: relation → name of the leak, why it is one, and its edges' places.
    """
    places: _Places = {name: [] for name in graph.relations}
    sets = {kind: _leaking_sets(graph, known, kind) for kind in graph.nodes if kind != GENE}
    rows: list[_Row] = []
    masks = {}
    genes = known.genes
    for name, relation in sorted(graph.relations.items()):
        edges = relation.edges
        mask = np.zeros(len(edges), bool)
        if why := _forbidden(relation):
            masks[name] = ~mask
            rows.append(_row("relation", name, relation, ~mask, genes, why, ()))
            places[name].append((name, why, np.arange(len(edges))))
            continue
        for flag, because in _FLAGS.items():
            flagged = edges[flag].to_numpy(bool)
            if flagged.any():
                sources = sorted(set(edges.loc[flagged, "evidence"].unique()))
                rows.append(_row("channel", flag, relation, flagged, genes, because, sources))
                places[name].append((flag, because, np.flatnonzero(flagged)))
                mask |= flagged
        for kind, column in (
            (relation.source_type, "source_id"),
            (relation.target_type, "target_id"),
        ):
            leaking = sets.get(kind, {})
            inside = edges[column].isin(sorted(leaking)).to_numpy(bool)
            mask |= inside
            if column == "target_id" and relation.source_type == GENE and inside.any():
                titles = graph.nodes[kind]["name"].astype(str).to_dict()
                for key, part in edges[inside].groupby("target_id").groups.items():
                    one = np.zeros(len(edges), bool)
                    one[edges.index.get_indexer(part)] = True
                    text = leaking[str(key)]
                    places[name].append((titles[str(key)], text, np.flatnonzero(one)))
                    rows.append(_row("set", titles[str(key)], relation, one, genes, text, (key,)))
        masks[name] = mask
    table = pd.DataFrame(rows, columns=list(LEAK_COLUMNS))
    return table, masks, {kind: set(found) for kind, found in sets.items()}, places


def _row(
    kind: str,
    name: str,
    relation: Relation,
    mask: _Mask,
    genes: pd.Index,
    why: str,
    examples: "tuple[object, ...] | list[str]",
) -> _Row:
    edges = relation.edges[mask]
    touched = set(edges["source_id"]) | set(edges["target_id"])
    shown = "|".join(str(e) for e in examples[:3])
    behind = {part for text in edges["evidence"].unique() for part in str(text).split("|")}
    origins = "|".join(sorted(behind))
    return kind, name, relation.name, len(edges), len(touched & set(genes)), why, shown, origins


def _titles(graph: TargetGraph, kind: str, ids: "pd.Series[str]") -> list[str]:
    table = graph.nodes[kind]
    return table["symbol" if kind == GENE else "name"].astype(str).reindex(ids).tolist()


def _forbidden(relation: Relation) -> str:
    """Say why a relation as a whole must not be in the graph of a task; empty if it may."""
    for kind in (relation.source_type, relation.target_type):
        if KINDS.get(plain(kind)) in (DRUG, DISEASE):
            return f"edges of {kind} nodes: they say what is a target of what"
    if _RELATION.search(relation.name):
        return "a relation of drugs or diseases: it says what is a target of what"
    return ""


def _leaking_sets(graph: TargetGraph, known: KnownTargets, kind: str) -> dict[str, str]:
    """Give the sets of a kind that leak, and why."""
    named = _disease_names(known)
    names = graph.nodes[kind]["name"].astype(str)
    found = {
        str(key): _NAMED
        for key, name in zip(names.index, names, strict=True)
        if LEAKING.search(name) or (named and named.search(name))
    }
    below = [r for r in graph.relations.values() if r.source_type == r.target_type == kind]
    waiting = list(found)
    children: dict[str, list[str]] = {}
    for relation in below:
        ends = relation.edges[["source_id", "target_id"]].astype(str)
        for child, parent in ends.itertuples(index=False):
            children.setdefault(parent, []).append(child)
    while waiting:
        for child in children.get(waiting.pop(), ()):
            if child not in found:
                found[child] = _NAMED
                waiting.append(child)
    listed = set(known.genes)
    for relation in graph.set_relations():
        if relation.target_type != kind:
            continue
        hit = relation.edges["source_id"].isin(sorted(listed))
        size = relation.edges.groupby("target_id").size()
        shared = relation.edges[hit].groupby("target_id").size()
        share = shared / (size.reindex(shared.index) + len(listed) - shared)
        for key in shared.index[(shared >= LIST_GENES) & (share >= LIST_SHARE)]:
            found.setdefault(str(key), _LISTED)
    return found


def _disease_names(known: KnownTargets) -> "re.Pattern[str] | None":
    """Match the diseases of the task by their whole names, of five letters and more."""
    texts = {part for d in known.table["disease"].unique() for part in re.split(r"[|;]", str(d))}
    whole = sorted(t.strip() for t in texts if re.fullmatch(r"[\w ,'’-]{5,}", t.strip()))
    told = [re.escape(t) for t in whole if t not in ("not stated", "simulated")]
    return re.compile(rf"\b(?:{'|'.join(told)})\b", re.IGNORECASE) if told else None


def _touched(relations: Mapping[str, Relation]) -> set[str]:
    found: set[str] = set()
    for relation in relations.values():
        if relation.source_type == GENE:
            found.update(relation.edges["source_id"].unique())
        if relation.target_type == GENE:
            found.update(relation.edges["target_id"].unique())
    return found
