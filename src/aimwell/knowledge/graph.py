"""The graph of what is known: typed nodes, typed edges, and where each came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from aimwell.errors import GraphError, some
from aimwell.provenance import Source, Step

GENE: Final = "gene"
GENE_COLUMNS: Final = ("symbol", "name", "entrez_id", "ensembl_gene_id", "uniprot_ids", "family")
SET_COLUMNS: Final = ("name",)
EDGE_COLUMNS: Final = ("source_id", "target_id", "weight", "evidence", "literature", "clinical")


@dataclass(frozen=True)
class Relation:
    """All edges of one kind.

    Attributes:
        name: ``interacts``, ``activates``, ``member_of`` …
        source_type, target_type: Node types at the two ends.
        edges: Columns ``source_id``, ``target_id``, ``weight`` in (0, 1], ``evidence`` (names of
            the sources, joined by ``|``), ``literature`` and ``clinical`` (bool); sorted by ids.
            A ``detail`` column (mechanism, site) may follow; relations of interactions also have
            ``evidence_type``, ``pubmed_ids`` and ``date``, as ``Interactions`` describes them.
        directed: False where an edge holds both ways; then each pair is stored once, with
            ``source_id < target_id``.
    """

    name: str
    source_type: str
    target_type: str
    edges: pd.DataFrame
    directed: bool = True


@dataclass(frozen=True)
class TargetGraph:
    """Nodes per type, edges per relation, and the sources of both.

    Attributes:
        nodes: Node type → table indexed by id. ``gene`` is indexed by HGNC id and has the columns
            of ``GENE_COLUMNS``; set nodes (``pathway``, ``complex``) have ``name``.
        relations: Relation name → ``Relation``.
        sources: Every database that gave a node or an edge.
        steps: Rows in and out of every step that built the graph.

    Raises:
        GraphError: Missing columns, duplicate ids or edges, self-loops, edges to unknown nodes,
            or weights outside (0, 1].

    Example:
        >>> genes = pd.DataFrame({c: ["a", "b"] for c in GENE_COLUMNS}, index=["HGNC:1", "HGNC:2"])
        >>> edges = pd.DataFrame({"source_id": ["HGNC:1"], "target_id": ["HGNC:2"],
        ...     "weight": [1.0], "evidence": ["toy"], "literature": [False], "clinical": [False]})
        >>> graph = TargetGraph({"gene": genes},
        ...     {"activates": Relation("activates", "gene", "gene", edges)})
        >>> graph.degree().tolist()
        [1, 1]
    """

    nodes: Mapping[str, pd.DataFrame]
    relations: Mapping[str, Relation]
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if GENE not in self.nodes:
            raise GraphError(f"a graph needs nodes of type 'gene'; found {some(self.nodes)}")
        for kind, table in self.nodes.items():
            wanted = GENE_COLUMNS if kind == GENE else SET_COLUMNS
            if missing := [c for c in wanted if c not in table.columns]:
                raise GraphError(f"{kind} nodes lack the columns {some(missing)}")
            if not table.index.is_unique:
                twice = table.index[table.index.duplicated()]
                raise GraphError(f"{len(twice)} {kind} ids occur twice: {some(twice)}")
        for relation in self.relations.values():
            self._check(relation)

    def _check(self, relation: Relation) -> None:
        edges = relation.edges
        where = f"relation '{relation.name}'"
        if missing := [c for c in EDGE_COLUMNS if c not in edges.columns]:
            raise GraphError(f"{where} lacks the columns {some(missing)}")
        for kind, ids in (
            (relation.source_type, edges["source_id"]),
            (relation.target_type, edges["target_id"]),
        ):
            if kind not in self.nodes:
                raise GraphError(f"{where} joins nodes of an unknown type '{kind}'")
            distinct = pd.Index(ids.unique())
            unknown = distinct[self.nodes[kind].index.get_indexer(distinct) < 0]
            if len(unknown):
                raise GraphError(
                    f"edges of {where} end at {len(unknown)} unknown {kind} nodes: {some(unknown)}"
                )
        loops = edges["source_id"] == edges["target_id"]
        if loops.any():
            raise GraphError(f"{where} has {int(loops.sum())} self-loops")
        if edges.duplicated(["source_id", "target_id"]).any():
            raise GraphError(f"{where} holds the same edge twice")
        if not relation.directed and (edges["source_id"] > edges["target_id"]).any():
            raise GraphError(f"undirected {where} must store each pair once, smaller id first")
        weight = edges["weight"].to_numpy(float)
        if not np.all((weight > 0) & (weight <= 1)):
            raise GraphError(f"{where} has weights outside (0, 1]")

    @property
    def genes(self) -> pd.Index:
        """HGNC ids of the genes, sorted, shape ``(n,)``."""
        return self.nodes[GENE].index

    @property
    def symbols(self) -> "pd.Series[str]":
        """Approved symbol of every gene, indexed by HGNC id."""
        return self.nodes[GENE]["symbol"]

    def gene_relations(self) -> list[Relation]:
        """Relations between genes, in name order."""
        return [
            r
            for _, r in sorted(self.relations.items())
            if r.source_type == GENE and r.target_type == GENE
        ]

    def set_relations(self) -> list[Relation]:
        """Relations from genes to sets (pathways, complexes), in name order."""
        return [
            r
            for _, r in sorted(self.relations.items())
            if r.source_type == GENE and r.target_type != GENE
        ]

    def degree(self) -> "pd.Series[int]":
        """Count the distinct gene neighbours of every gene over all gene–gene relations."""
        pairs = [
            frame
            for r in self.gene_relations()
            for frame in (
                r.edges[["source_id", "target_id"]].set_axis(["a", "b"], axis=1),
                r.edges[["target_id", "source_id"]].set_axis(["a", "b"], axis=1),
            )
        ]
        if not pairs:
            return pd.Series(0, index=self.genes, name="degree")
        counts = pd.concat(pairs).drop_duplicates().groupby("a").size()
        return counts.reindex(self.genes, fill_value=0).astype(int).rename("degree")
