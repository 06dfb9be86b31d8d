"""What a graph holds, in numbers: for ``aimwell graph show`` and for the report."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from aimwell.knowledge.graph import TargetGraph
from aimwell.provenance import Source

QUANTILES: Final = (0.0, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class GraphSummary:
    """A graph in numbers.

    Attributes:
        nodes: Node type → count.
        edges: Relation → count.
        set_sizes: Relation from genes to sets → quantiles of genes per set.
        degree: Quantile, as text → distinct gene neighbours of a gene.
        components: Number of connected components over gene–gene relations, lone genes left out.
        largest_component: Genes in the largest of them.
        isolated: Genes without any gene neighbour (members of sets only), by symbol, sorted.
        sources: Databases with release and licence.
    """

    nodes: Mapping[str, int]
    edges: Mapping[str, int]
    set_sizes: Mapping[str, Mapping[str, float]]
    degree: Mapping[str, float]
    components: int
    largest_component: int
    isolated: tuple[str, ...]
    sources: tuple[Source, ...]


def graph_summary(graph: TargetGraph) -> GraphSummary:
    """Count nodes, edges, degrees, components and isolated genes.

    Example:
        >>> from aimwell.knowledge.sources.starter import read_starter_graph
        >>> graph_summary(read_starter_graph()).degree["0.5"] > 1
        True
    """
    degree = graph.degree()
    sizes = component_sizes(graph)
    lone = degree.index[degree.to_numpy() == 0]
    return GraphSummary(
        nodes={kind: len(table) for kind, table in sorted(graph.nodes.items())},
        edges={name: len(r.edges) for name, r in sorted(graph.relations.items())},
        set_sizes={
            r.name: _quantiles(r.edges.groupby("target_id").size()) for r in graph.set_relations()
        },
        degree=_quantiles(degree),
        components=int((sizes > 1).sum()),
        largest_component=int(sizes.max(initial=0)),
        isolated=tuple(sorted(graph.symbols[lone].tolist())),
        sources=graph.sources,
    )


def component_sizes(graph: TargetGraph) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Count the genes of every connected component over all gene–gene relations, descending."""
    rows, columns = graph.gene_pairs()
    n = len(graph.genes)
    adjacency = coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(n, n))
    _, label = connected_components(adjacency, directed=False)
    return np.sort(np.bincount(label).astype(np.int64))[::-1]


def _quantiles(values: "pd.Series[int]") -> dict[str, float]:
    if values.empty:
        return {}
    return {str(q): float(values.quantile(q)) for q in QUANTILES}
