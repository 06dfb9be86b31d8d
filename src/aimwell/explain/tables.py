"""Tables of the nodes and edges that carry a score, with names and where they come from."""

from functools import cached_property
from typing import Final

import numpy as np
import pandas as pd

from aimwell.explain.attribution import Attribution
from aimwell.knowledge.graph import GENE
from aimwell.models.task import TargetTask

KNOWN_BLOCK: Final = "known targets"
KEPT: Final = 200  # nodes and edges that are listed one by one; the shares hold all of them
#: What a database says of an edge beside its names, where it says it.
PROVENANCE: Final = ("evidence_type", "pubmed_ids")
TOP: Final = 20  # edges that are compared between networks and baselines


class Tables:
    """Names of everything that can be attributed, looked up by position.

    Nodes are numbered genes first, then sets.
    """

    def __init__(self, task: TargetTask) -> None:
        self.task = task
        self.n = len(task.genes)
        self.blocks = [*(b.name for b in task.blocks), KNOWN_BLOCK]
        self.ids = np.concatenate(
            [task.genes.to_numpy(object), task.wiring.set_ids.get_level_values(1).to_numpy(object)]
        )
        self.kinds = [str(k) for k in task.wiring.set_ids.get_level_values(0)]
        self.edge_of = [o.edge for o in task.wiring.operators]
        self.n_edges = len(task.wiring.edges)

    @cached_property
    def ends(self) -> np.ndarray:
        """Nodes at both ends of every edge, shape ``(2, e)``."""
        task, edges = self.task, self.task.wiring.edges
        source = task.genes.get_indexer(pd.Index(edges["source_id"]))
        target = np.array(task.genes.get_indexer(pd.Index(edges["target_id"])))
        relations = edges["relation"].to_numpy(object)
        for relation in task.graph.set_relations():
            rows = np.flatnonzero(relations == relation.name)
            names = pd.MultiIndex.from_arrays(
                [[relation.target_type] * len(rows), edges["target_id"].to_numpy(object)[rows]]
            )
            target[rows] = self.n + task.wiring.set_ids.get_indexer(names)
        return np.stack([source, target])

    @cached_property
    def starts(self) -> dict[str, int]:
        """Row of ``Wiring.edges`` at which every relation begins."""
        found, known = {}, 0
        for relation in (*self.task.graph.gene_relations(), *self.task.graph.set_relations()):
            found[relation.name] = known
            known += len(relation.edges)
        return found

    @cached_property
    def symbols(self) -> np.ndarray:
        """Symbol of every gene, by position."""
        return self.task.graph.symbols.reindex(self.task.genes).to_numpy(object)

    @cached_property
    def licences(self) -> dict[str, str]:
        """Licence of every source."""
        return {s.name: s.licence for s in self.task.graph.sources}

    def edge_values(self, part: Attribution) -> tuple[np.ndarray, np.ndarray]:
        """Sum the attributions of all arcs of an edge: rows of ``Wiring.edges`` and values."""
        rows = np.concatenate(
            [e[p] for e, p in zip(self.edge_of, part.positions, strict=True)]
        ).astype(np.int64)
        values = np.concatenate(part.arcs)
        if len(rows) * 16 < self.n_edges:
            edges, place = np.unique(rows, return_inverse=True)
            total = np.bincount(place, values, minlength=len(edges))
        else:
            total = np.bincount(rows, values, minlength=self.n_edges)
            edges = np.arange(self.n_edges)
        carrying = np.flatnonzero(total)
        return edges[carrying], total[carrying]

    def node_values(self, part: Attribution) -> np.ndarray:
        """Attribution of every gene per block, shape ``(n, blocks)``."""
        values = np.zeros((self.n, len(part.features)))
        values[part.genes] = np.stack([f.sum(axis=1) for f in part.features], axis=1)
        return values

    def edges(self, rows: np.ndarray, values: np.ndarray) -> pd.DataFrame:
        """List edges with their attributions, sources, licences and what else is known of them."""
        table = self.task.wiring.edges.iloc[rows].reset_index(drop=True)
        table.insert(4, "attribution", values)
        relations = table["relation"].to_numpy(object)
        found = {c: np.full(len(table), "", dtype=object) for c in PROVENANCE}
        for name in sorted(set(relations)):
            edges = self.task.graph.relations[name].edges
            at = np.flatnonzero(relations == name)
            for column in (c for c in PROVENANCE if c in edges.columns):
                told = edges[column].iloc[rows[at] - self.starts[name]]
                found[column][at] = told.fillna("").astype(str).to_numpy(object)
        for column, said in found.items():
            table[column] = said.astype(str)
        table["licence"] = [self._licence(e) for e in table["evidence"]]
        return table

    def nodes(self, places: np.ndarray, values: np.ndarray, drawn: pd.DataFrame) -> pd.DataFrame:
        """List genes, then sets, with their attribution per block.

        A set has no features: its attribution is that of the drawn edges at it.
        """
        genes = places[places < self.n]
        ids = pd.Index(self.ids[genes])
        table = pd.DataFrame(values[genes], index=ids, columns=self.blocks)
        table.insert(0, "attribution", values[genes].sum(axis=1))
        table.insert(0, "type", GENE)
        table.insert(0, "symbol", self.symbols[genes].astype(str))
        sets = places[places >= self.n]
        if not len(sets):
            return table
        rows = []
        for place in sets:
            name, kind = str(self.ids[place]), self.kinds[place - self.n]
            at = (drawn["source_id"] == name) | (drawn["target_id"] == name)
            rows.append(
                dict.fromkeys(self.blocks, 0.0)
                | {
                    "symbol": str(self.task.graph.nodes[kind].loc[name, "name"]),
                    "type": kind,
                    "attribution": float(drawn.loc[at, "attribution"].sum()),
                }
            )
        more = pd.DataFrame(rows, index=pd.Index([str(self.ids[p]) for p in sets]))
        return pd.concat([table, more[table.columns]])

    def _licence(self, evidence: str) -> str:
        found = dict.fromkeys(self.licences.get(name, "") for name in str(evidence).split("|"))
        return "|".join(licence for licence in found if licence)


def strongest(values: np.ndarray, number: int) -> np.ndarray:
    """Places of the values that are largest without their sign, in rising order of place."""
    if len(values) <= number:
        return np.arange(len(values))
    size = np.abs(values)
    least = np.partition(size, len(size) - number)[len(size) - number]
    above, equal = np.flatnonzero(size > least), np.flatnonzero(size == least)
    # ties go to the earlier place, so that equal values give one answer
    return np.sort(np.concatenate([above, equal[: number - len(above)]]))


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Jaccard overlap of two lists of edges; 1 where both are empty.

    Example:
        >>> overlap(np.array([1, 2, 3]), np.array([2, 3, 4]))
        0.5
    """
    both = len(np.intersect1d(one, other))
    either = len(np.union1d(one, other))
    return both / either if either else 1.0
