"""The graph of what is known: typed nodes, typed edges, and where each came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.errors import GraphError, some
from aimwell.provenance import Source, Step

GENE: Final = "gene"
GENE_COLUMNS: Final = ("symbol", "name", "entrez_id", "ensembl_gene_id", "uniprot_ids", "family")
SET_COLUMNS: Final = ("name",)
EDGE_COLUMNS: Final = ("source_id", "target_id", "weight", "evidence", "literature", "clinical")
Places = npt.NDArray[np.int64]


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
        source = self._ends(where, relation.source_type, edges["source_id"])
        target = self._ends(where, relation.target_type, edges["target_id"])
        loops = edges["source_id"] == edges["target_id"]
        if loops.any():
            raise GraphError(f"{where} has {int(loops.sum())} self-loops")
        pairs = source * len(self.nodes[relation.target_type]) + target
        if not np.all(pairs[1:] > pairs[:-1]) and len(distinct(pairs)) < len(pairs):
            raise GraphError(f"{where} holds the same edge twice")
        if not relation.directed and (edges["source_id"] > edges["target_id"]).any():
            raise GraphError(f"undirected {where} must store each pair once, smaller id first")
        weight = edges["weight"].to_numpy(float)
        if not np.all((weight > 0) & (weight <= 1)):
            raise GraphError(f"{where} has weights outside (0, 1]")

    def _ends(self, where: str, kind: str, ids: "pd.Series[str]") -> Places:
        if kind not in self.nodes:
            raise GraphError(f"{where} joins nodes of an unknown type '{kind}'")
        found = places_of(ids, self.nodes[kind].index)
        if (found < 0).any():
            unknown = ids[found < 0].unique()
            raise GraphError(
                f"edges of {where} end at {len(unknown)} unknown {kind} nodes: {some(unknown)}"
            )
        return found

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

    def gene_pairs(self) -> Places:
        """Give the distinct pairs of genes over all gene–gene relations, whatever their direction.

        Returns:
            Places in ``genes``, shape ``(2, e)``: the smaller one first; sorted.
        """
        n = max(len(self.genes), 1)
        numbers = [np.empty(0, np.int64)]
        for relation in self.gene_relations():
            a, b = (places_of(relation.edges[c], self.genes) for c in ("source_id", "target_id"))
            numbers.append(np.minimum(a, b) * n + np.maximum(a, b))
        found = distinct(np.concatenate(numbers))
        return np.stack([found // n, found % n])

    def degree(self) -> "pd.Series[int]":
        """Count the distinct gene neighbours of every gene over all gene–gene relations."""
        counts = np.bincount(self.gene_pairs().ravel(), minlength=len(self.genes))
        return pd.Series(counts, index=self.genes, name="degree")


def places_of(ids: "pd.Series[str]", index: pd.Index) -> Places:
    """Find the place of each id in ``index``, -1 where it is not there, shape ``(e,)``.

    Example:
        >>> places_of(pd.Series(["b", "a", "x"]), pd.Index(["a", "b"])).tolist()
        [1, 0, -1]
    """
    # pandas hashes every text in Python, which takes ten times as long
    import pyarrow as pa  # large, and only checks of ids need it
    import pyarrow.compute as pc

    text = pa.large_string()
    found = pc.index_in(pa.array(ids, text), value_set=pa.array(index, text))
    places: Places = found.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return places


def distinct(numbers: Places) -> Places:
    """Give the distinct numbers, sorted: as ``np.unique``, which hashes and is slower here."""
    ordered = np.sort(numbers)
    new = np.ones(len(ordered), bool)
    new[1:] = ordered[1:] != ordered[:-1]
    return ordered[new]
