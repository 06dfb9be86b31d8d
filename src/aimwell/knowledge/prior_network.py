"""What of a general knowledge graph may be a prior: genes and their sets, no drug, no disease."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from aimwell.errors import InputError
from aimwell.knowledge.gene_sets import GeneSets, no_parents
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.provenance import Step

GENE: Final = "gene"
DRUG: Final = "drug"
DISEASE: Final = "disease"
#: Kind of node as graphs write it, without case, spaces and signs → what it is here.
KINDS: Final = {
    **dict.fromkeys(("gene", "geneprotein", "protein", "gen"), GENE),
    **dict.fromkeys(("biologicalprocess", "molecularfunction", "cellularcomponent"), "term"),
    **dict.fromkeys(("bpo", "mfn", "cco"), "term"),
    **dict.fromkeys(("pathway", "pwy"), "pathway"),
    **dict.fromkeys(("complex", "proteincomplex", "macromolecularcomplex"), "complex"),
    **dict.fromkeys(("compound", "drug", "drg", "smallmolecule", "molecule"), DRUG),
    **dict.fromkeys(("pharmacologicclass", "sideeffect", "chemical"), DRUG),
    **dict.fromkeys(("disease", "dis", "symptom", "effectphenotype", "phenotype"), DISEASE),
    **dict.fromkeys(("phe", "phenotypicfeature", "diseaseorphenotypicfeature"), DISEASE),
}
SETS: Final = ("term", "pathway", "complex")
#: Relation between genes as graphs write it, without case and signs → relation here.
RELATIONS: Final = {
    **dict.fromkeys(("interacts", "gig", "proteinprotein", "ppi", "interactswith"), "interacts"),
    **dict.fromkeys(("proteinproteininteraction", "interaction", "pairwise"), "interacts"),
    **dict.fromkeys(("physicallyinteractswith", "interactswithprotein", "gengen"), "interacts"),
    **dict.fromkeys(("regulates", "grg", "transcriptionalregulation"), "regulates"),
    **dict.fromkeys(("activates", "activation", "stimulates"), "activates"),
    **dict.fromkeys(("inhibits", "inhibition"), "inhibits"),
}
#: Columns of a block of edges.
BLOCK: Final = ("source", "source_kind", "relation", "target", "target_kind")


@dataclass(frozen=True)
class PriorNetwork:
    """Edges between genes, and sets of genes, of a general knowledge graph.

    Attributes:
        interactions: Edges between genes; None where there are none.
        sets: One entry per kind of set.
        steps: Edges in the file, edges left out for each reason, and edges kept.

    Raises:
        InputError: Nothing is left.
    """

    interactions: Interactions | None
    sets: tuple[GeneSets, ...]
    steps: tuple[Step, ...]


def plain(text: str) -> str:
    """Write a kind or a relation without case, spaces and signs.

    Example:
        >>> plain("gene/protein"), plain("Gr>G")
        ('geneprotein', 'grg')
    """
    return "".join(c for c in text.lower() if c.isalnum())


class PriorCollector:
    """Sort the edges of a graph, block by block, into what is kept and what is left out, and why.

    Example:
        >>> rows = PriorCollector("toy", "toy.csv")
        >>> rows.add(pd.DataFrame([("1", "Gene", "interacts", "2", "Gene"),
        ...     ("9", "Compound", "binds", "1", "Gene")], columns=list(BLOCK)))
        >>> found = rows.finish("entrez", {})
        >>> len(found.interactions.table), [(s.rows_in, s.rows_out, s.why) for s in found.steps]
        (1, [(2, 1, 'edges of drugs'), (1, 1, 'edges of diseases and phenotypes')])
    """

    def __init__(self, database: str, path: object) -> None:
        """Make an empty one for a database and the file it comes from."""
        self.database = database
        self._path = path
        self._pairs = Collector(database, path)  # type: ignore[arg-type]
        self._count = 0
        self._kept = 0
        self._members: dict[str, list[pd.DataFrame]] = {kind: [] for kind in SETS}
        self._left: Counter[str] = Counter()
        self._odd: Counter[str] = Counter()

    def add(self, edges: pd.DataFrame) -> None:
        """Add a block with the columns ``BLOCK``."""
        self._count += len(edges)
        ends = [_mapped(edges[c], KINDS) for c in ("source_kind", "target_kind")]
        for kind, why in ((DRUG, DRUG), (DISEASE, DISEASE)):
            hit = (ends[0] == kind) | (ends[1] == kind)
            self._left[why] += int(hit.sum())
            edges, ends = edges[~hit], [end[~hit] for end in ends]
        both = (ends[0] == GENE) & (ends[1] == GENE)
        self._add_pairs(edges[both])
        taken = both
        for kind in SETS:
            for gene, other in ((0, 1), (1, 0)):
                hit = (ends[gene] == GENE) & (ends[other] == kind)
                columns = ["source", "target"] if gene == 0 else ["target", "source"]
                part = edges.loc[hit, columns].set_axis(["name", "set_id"], axis=1)
                self._members[kind].append(part)
                self._kept += len(part)
                taken = taken | hit
        self._left["other"] += int((~taken).sum())

    def _add_pairs(self, edges: pd.DataFrame) -> None:
        relation = _mapped(edges["relation"], RELATIONS)
        known = relation != ""
        self._odd.update(edges.loc[~known, "relation"].astype(str).tolist())
        if known.any():
            rows = edges[known]
            self._pairs.add(
                rows["source"].tolist(), rows["target"].tolist(), relation=relation[known].tolist()
            )
            self._kept += len(rows)

    def finish(self, id_type: str, names: Mapping[str, str]) -> PriorNetwork:
        """Make the network.

        Args:
            id_type: What the names of genes are.
            names: Set id → name. Sets without a name are left out, because nobody can tell
                whether they are named after a disease or a drug.
        """
        steps = self._steps()
        sets = []
        for kind, blocks in self._members.items():
            rows = pd.concat(blocks, ignore_index=True) if blocks else pd.DataFrame()
            if rows.empty:
                continue
            named = rows[rows["set_id"].isin(list(names))]
            if len(named) < len(rows):
                nameless = sorted(set(rows["set_id"]) - set(names))
                why = "nobody can tell whether a set without a name is named after a disease"
                what = f"{self.database}: memberships in {kind}s with a name"
                steps.append(Step(what, len(rows), len(named), why, tuple(nameless[:3])))
            if named.empty:
                continue
            members = named[["set_id", "name"]].drop_duplicates()
            members = members.sort_values(["set_id", "name"], ignore_index=True).astype(str)
            keys = sorted(members["set_id"].unique())
            titles = pd.Series([names[key] for key in keys], index=keys, dtype=str)
            sets.append(GeneSets(titles, members, no_parents(), evidence=self.database, kind=kind))
        pairs = self._pairs.finish(id_type) if self._any_pairs() else None
        if not pairs and not sets:
            lost = "; ".join(f"{s.rows_in - s.rows_out} {s.why}" for s in steps)
            raise InputError(
                f"'{self._path}' leaves no edge between genes, or of a gene and a set: {lost}; "
                "name another file"
            )
        return PriorNetwork(pairs, tuple(sets), tuple(steps))

    def _any_pairs(self) -> bool:
        return self._kept > sum(len(b) for blocks in self._members.values() for b in blocks)

    def _steps(self) -> list[Step]:
        reasons = (
            (DRUG, "edges of drugs", ()),
            (DISEASE, "edges of diseases and phenotypes", ()),
            ("other", "edges of anatomy, exposures and between sets", ()),
            ("odd", "relations between genes that are not known", tuple(sorted(self._odd))),
        )
        counts = {**self._left, "odd": sum(self._odd.values())}
        before, steps = self._count, []
        for key, why, examples in reasons:
            lost = counts.get(key, 0)
            if lost or key in (DRUG, DISEASE):
                name = f"{self.database}: without {why}"
                steps.append(Step(name, before, before - lost, why, examples[:3]))
                before -= lost
        return steps


def _mapped(column: "pd.Series[str]", table: Mapping[str, str]) -> "pd.Series[str]":
    """Look up every distinct text once; unknown ones become empty."""
    known = {text: table.get(plain(str(text)), "") for text in column.unique()}
    return column.map(known).astype(str)
