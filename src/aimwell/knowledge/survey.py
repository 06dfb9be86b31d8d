"""A graph looked at from every side: degrees, hubs, coverage, sources and how they overlap."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aimwell.knowledge.graph import GENE, Relation, TargetGraph
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.overlap import ends_of, pairs_and_genes, source_overlap, source_table
from aimwell.knowledge.summary import GraphSummary, component_sizes, graph_summary
from aimwell.provenance import Step

#: Approved protein-coding genes of HGNC, 2024-10; for graphs that do not say how many there were.
GENOME: Final = 19_290
_GENOME_STEP: Final = "genes of the graph"
HUBS: Final = 25
RELATION_COLUMNS: Final = (
    "source_type",
    "target_type",
    "directed",
    "edges",
    "sources",
    "targets",
    "mean_weight",
    "with_papers",
    "with_date",
    "literature",
    "clinical",
)


@dataclass(frozen=True)
class GeneListCoverage:
    """How much of a list of genes a graph holds.

    Attributes:
        names: How many names the list has.
        inside: HGNC ids of the genes of the list that are in the graph, sorted.
        outside: One row per name that is not: ``name``, ``symbol``, ``why``.
    """

    names: int
    inside: tuple[str, ...]
    outside: pd.DataFrame


@dataclass(frozen=True)
class GraphSurvey:
    """Everything that the page of a graph shows.

    Attributes:
        summary: Counts and quantiles.
        relations: One row per relation, columns ``RELATION_COLUMNS``: node types, edges, distinct
            nodes at both ends, and how many edges have papers, a date, or rest on text mining or
            clinical data alone.
        degrees: Relation → how many nodes have how many edges: index degree (from 1 on, ascending),
            values counts. Of a relation between genes the neighbours of a gene, of one from genes
            to sets the genes of a set. ``""`` stands for all relations between genes together.
        components: Size of a connected component over relations between genes → how many there
            are, largest first.
        unconnected: Node type → nodes without any edge.
        sources: One row per database, columns ``SOURCE_COLUMNS``; ``alone`` counts edges that no
            other database has, ``pairs`` the pairs of genes, whatever the relation.
        overlap: One row per two databases, columns ``OVERLAP_COLUMNS``.
        hubs: Genes with the most neighbours: ``symbol``, ``name``, ``neighbours``, ``share`` of the
            other genes, ``sets``, and ``neighbours: <relation>`` for every relation between genes.
        genome: How many protein-coding genes there are.
        covered: What is covered → ``genes``, and with a list also ``listed``: how many genes of
            the graph, and of the list, have an edge of the relation.
        listed: A list of genes against the graph, where there is one.
        steps: Rows in and out of every step that built the graph.
    """

    summary: GraphSummary
    relations: pd.DataFrame
    degrees: Mapping[str, "pd.Series[int]"]
    components: "pd.Series[int]"
    unconnected: Mapping[str, int]
    sources: pd.DataFrame
    overlap: pd.DataFrame
    hubs: pd.DataFrame
    genome: int
    covered: pd.DataFrame
    listed: GeneListCoverage | None
    steps: tuple[Step, ...]


def survey_graph(
    graph: TargetGraph,
    names: tuple[str, ...] = (),
    table: IdentifierTable | None = None,
) -> GraphSurvey:
    """Look at a graph from every side.

    Args:
        graph: Any graph.
        names: A list of genes that should be covered, by any name.
        table: Resolves ``names``; by default the graph's own genes.

    Example:
        >>> from aimwell.knowledge.sources.starter import read_starter_graph
        >>> found = survey_graph(read_starter_graph(), ("EGFR", "not-a-gene"))
        >>> found.listed.names, len(found.listed.inside), found.listed.outside["name"].tolist()
        (2, 1, ['not-a-gene'])
    """
    listed = list_coverage(graph, names, table) if names else None
    degrees = {r.name: _degrees(r) for r in _to_or_between_genes(graph)}
    degree = graph.degree()
    degrees[""] = _counted(degree[degree > 0])
    sizes = pd.Series(component_sizes(graph))
    pairs, genes = pairs_and_genes(graph)
    return GraphSurvey(
        summary=graph_summary(graph),
        relations=_relations(graph),
        degrees=degrees,
        components=sizes.value_counts().sort_index(ascending=False),
        unconnected=_unconnected(graph),
        sources=source_table(graph, pairs, genes),
        overlap=source_overlap(pairs, genes),
        hubs=_hubs(graph, degree),
        genome=next((s.rows_in for s in graph.steps if s.name == _GENOME_STEP), GENOME),
        covered=_covered(graph, listed),
        listed=listed,
        steps=graph.steps,
    )


_NOT_NAMED: Final = "no gene of this graph has the name; an HGNC table (--hgnc) would know others"


def list_coverage(
    graph: TargetGraph, names: tuple[str, ...], table: IdentifierTable | None = None
) -> GeneListCoverage:
    """Say which genes of a list are in the graph, and why each other one is not.

    Args:
        graph: Any graph.
        names: Names of genes.
        table: Resolves them; by default the graph's own genes.
    """
    found = (table or IdentifierTable.from_graph(graph)).resolve(list(names))
    mapped = found["status"] == "mapped"
    inside = mapped & found["hgnc_id"].isin(graph.genes)
    why = found["reason"].mask(mapped, "a gene, but without an edge or a set in this graph")
    if table is None:  # the graph's own genes cannot tell a gene without an edge from no gene
        why = why.mask(found["reason"].str.startswith("unknown symbol"), _NOT_NAMED)
    outside = found.assign(why=why)[~inside][["name", "symbol", "why"]].reset_index(drop=True)
    genes = tuple(sorted(set(found.loc[inside, "hgnc_id"])))
    return GeneListCoverage(len(names), genes, outside)


def _to_or_between_genes(graph: TargetGraph) -> list[Relation]:
    return [*graph.gene_relations(), *graph.set_relations()]


def _degrees(relation: Relation) -> "pd.Series[int]":
    edges = relation.edges
    ends = [edges["target_id"]] if relation.target_type != GENE else [*ends_of(edges)]
    if len(ends) == 1:
        return _counted(ends[0].value_counts())
    both = pd.concat(
        [
            edges[["source_id", "target_id"]].set_axis(["a", "b"], axis=1),
            edges[["target_id", "source_id"]].set_axis(["a", "b"], axis=1),
        ]
    )
    if relation.directed:  # a pair with an edge each way is one neighbour
        both = both.drop_duplicates()
    return _counted(both["a"].value_counts())


def _counted(degree: "pd.Series[int]") -> "pd.Series[int]":
    return degree.value_counts().sort_index()


def _relations(graph: TargetGraph) -> pd.DataFrame:
    rows = {}
    for name, relation in sorted(graph.relations.items()):
        edges = relation.edges
        said = {c: edges[c].astype(str).ne("") for c in ("pubmed_ids", "date") if c in edges}
        rows[name] = (
            relation.source_type,
            relation.target_type,
            relation.directed,
            len(edges),
            edges["source_id"].nunique(),
            edges["target_id"].nunique(),
            float(edges["weight"].mean()) if len(edges) else np.nan,
            int(said["pubmed_ids"].sum()) if "pubmed_ids" in said else 0,
            int(said["date"].sum()) if "date" in said else 0,
            int(edges["literature"].sum()),
            int(edges["clinical"].sum()),
        )
    return pd.DataFrame.from_dict(rows, orient="index", columns=list(RELATION_COLUMNS))


def _unconnected(graph: TargetGraph) -> dict[str, int]:
    touched: dict[str, set[str]] = {kind: set() for kind in graph.nodes}
    for relation in graph.relations.values():
        touched[relation.source_type].update(relation.edges["source_id"].unique())
        touched[relation.target_type].update(relation.edges["target_id"].unique())
    return {
        kind: len(table) - int(table.index.isin(sorted(touched[kind])).sum())
        for kind, table in sorted(graph.nodes.items())
    }


def _hubs(graph: TargetGraph, degree: "pd.Series[int]") -> pd.DataFrame:
    # ties by id, so that the order of rows has no say
    order = degree.sort_index().sort_values(ascending=False, kind="stable")
    top = order[order > 0].head(HUBS)
    genes = graph.nodes[GENE].loc[top.index]
    table = pd.DataFrame(
        {
            "symbol": genes["symbol"],
            "name": genes["name"],
            "neighbours": top,
            "share": top / max(len(graph.genes) - 1, 1),
            "sets": sum(
                (
                    r.edges["source_id"].value_counts().reindex(top.index, fill_value=0)
                    for r in graph.set_relations()
                ),
                start=pd.Series(0, index=top.index),
            ),
        }
    )
    for relation in graph.gene_relations():
        source, target = ends_of(relation.edges)
        near = relation.edges[source.isin(top.index) | target.isin(top.index)]
        both = pd.concat(
            [
                near[["source_id", "target_id"]].set_axis(["a", "b"], axis=1),
                near[["target_id", "source_id"]].set_axis(["a", "b"], axis=1),
            ]
        ).drop_duplicates()
        counts = both["a"].value_counts().reindex(top.index, fill_value=0)
        table[f"neighbours: {relation.name}"] = counts
    return table


def _covered(graph: TargetGraph, listed: GeneListCoverage | None) -> pd.DataFrame:
    """Genes with an edge of each relation, and of each kind of relation together."""
    found: dict[str, set[str]] = {"between genes": set(), "to sets": set()}
    for relation in _to_or_between_genes(graph):
        both = relation.target_type == GENE
        ends = ends_of(relation.edges)[: 2 if both else 1]
        genes = {gene for end in ends for gene in end.unique()}
        found[relation.name] = genes
        found["between genes" if both else "to sets"] |= genes
    rows = {"in the graph": set(graph.genes), **found}
    table = pd.DataFrame({"genes": {name: len(genes) for name, genes in rows.items()}})
    if listed:
        wanted = set(listed.inside)
        table["listed"] = [len(genes & wanted) for genes in rows.values()]
    return table
