"""The databases of a graph: what each gives, under which licence, and what two of them share."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.sparse import csr_array

from aimwell.knowledge.graph import GENE, TargetGraph, distinct, places_of
from aimwell.knowledge.licences import classify_licence

SOURCE_COLUMNS: Final = (
    "release",
    "licence",
    "commercial",
    "why",
    "edges",
    "alone",
    "pairs",
    "genes",
)
OVERLAP_COLUMNS: Final = (
    "first",
    "second",
    "shared_pairs",
    "jaccard_pairs",
    "shared_genes",
    "jaccard_genes",
)
Ints = npt.NDArray[np.int64]


def pairs_and_genes(graph: TargetGraph) -> tuple[dict[str, Ints], dict[str, Ints]]:
    """Give the pairs of genes, and the genes, of every database, each as sorted numbers."""
    n = len(graph.genes)
    pairs: dict[str, list[Ints]] = {}
    genes: dict[str, list[Ints]] = {}
    for relation in graph.relations.values():
        kinds = (relation.source_type, relation.target_type)
        ends = [
            places_of(column, graph.genes) if kind == GENE else None
            for kind, column in zip(kinds, ends_of(relation.edges), strict=True)
        ]
        for name, rows in _origins(relation.edges):
            found = [end[rows] for end in ends if end is not None]
            genes.setdefault(name, []).extend(np.flatnonzero(np.bincount(p)) for p in found)
            if len(found) == 2:
                low, high = np.minimum(*found), np.maximum(*found)
                pairs.setdefault(name, []).append(low * n + high)
    return _distinct(pairs), _distinct(genes)


def source_overlap(pairs: Mapping[str, Ints], genes: Mapping[str, Ints]) -> pd.DataFrame:
    """Count what every two databases share, over all relations, from ``pairs_and_genes``.

    A pair is two genes with an edge, in whichever direction and relation; ``jaccard`` is the
    number that both have over the number that at least one has. Databases of sets have no pairs,
    so of them only the genes can be compared.

    Returns:
        Columns ``OVERLAP_COLUMNS``, sorted by the names of the databases.
    """
    names = sorted(genes)
    shared_pairs, shared_genes = _shared(pairs, names), _shared(genes, names)
    rows = [
        (
            names[i],
            names[j],
            int(shared_pairs[i, j]),
            _jaccard(shared_pairs, i, j),
            int(shared_genes[i, j]),
            _jaccard(shared_genes, i, j),
        )
        for i in range(len(names))
        for j in range(i + 1, len(names))
    ]
    return pd.DataFrame(rows, columns=list(OVERLAP_COLUMNS))


def source_table(
    graph: TargetGraph, pairs: Mapping[str, Ints], genes: Mapping[str, Ints]
) -> pd.DataFrame:
    """Describe every database: those that edges name, and those that gave names alone.

    Args:
        graph: Any graph.
        pairs: Of ``pairs_and_genes``.
        genes: Of ``pairs_and_genes``.

    Returns:
        Columns ``SOURCE_COLUMNS``, indexed by name, sorted.
    """
    edges: dict[str, int] = {}
    alone: dict[str, int] = {}
    for relation in graph.relations.values():
        evidence = relation.edges["evidence"]
        for name, rows in _origins(relation.edges):
            edges[name] = edges.get(name, 0) + len(rows)
            only = int((evidence.iloc[rows] == name).sum())
            alone[name] = alone.get(name, 0) + only
    facts: dict[str, tuple[list[str], list[str]]] = {}
    for source in graph.sources:
        said = facts.setdefault(source.name, ([], []))
        said[0].append(source.release)
        said[1].append(source.licence)
    table = {}
    for name in sorted({*facts, *edges}):
        releases, licences = facts.get(name, ([], []))
        licence = "; ".join(sorted(set(licences))) or "not stated"
        verdict = classify_licence("" if licence in ("unknown", "not stated") else licence)
        table[name] = (
            "; ".join(sorted(set(releases))),
            licence,
            {True: "yes", False: "no", None: "unknown"}[verdict.commercial],
            verdict.why,
            edges.get(name, 0),
            alone.get(name, 0),
            len(pairs.get(name, ())),
            len(genes.get(name, ())),
        )
    return pd.DataFrame.from_dict(table, orient="index", columns=list(SOURCE_COLUMNS))


def ends_of(edges: pd.DataFrame) -> "tuple[pd.Series[str], pd.Series[str]]":
    """Give both ends of edges."""
    return edges["source_id"], edges["target_id"]


def _origins(edges: pd.DataFrame) -> list[tuple[str, npt.NDArray[np.intp]]]:
    """Rows of every database that the evidence of edges names."""
    codes, texts = pd.factorize(edges["evidence"].astype(str))
    rows: dict[str, list[int]] = {}
    for code, text in enumerate(texts):
        for name in {part for part in str(text).split("|") if part}:
            rows.setdefault(name, []).append(code)
    return [(name, np.flatnonzero(np.isin(codes, found))) for name, found in sorted(rows.items())]


def _distinct(parts: Mapping[str, list[Ints]]) -> dict[str, Ints]:
    empty = [np.zeros(0, np.int64)]
    return {name: distinct(np.concatenate(found or empty)) for name, found in parts.items()}


def _shared(members: Mapping[str, Ints], names: list[str]) -> npt.NDArray[np.int64]:
    """Sizes of all intersections, shape ``(d, d)``; the diagonal holds the sizes themselves."""
    every = [members.get(name, np.zeros(0, np.int64)) for name in names]
    if len(names) < 2:
        return np.array([[len(found) for found in every]], np.int64)
    union = distinct(np.concatenate(every))
    column = np.concatenate([np.searchsorted(union, found) for found in every])
    row = np.repeat(np.arange(len(names)), [len(found) for found in every])
    shape = (len(names), len(union))
    held = csr_array((np.ones(len(row), np.int64), (row, column)), shape=shape)
    return np.asarray((held @ held.T).todense(), np.int64)


def _jaccard(shared: npt.NDArray[np.int64], i: int, j: int) -> float:
    union = shared[i, i] + shared[j, j] - shared[i, j]
    return float(shared[i, j] / union) if union else float("nan")
