"""Build the graph, the identifier table and the known targets that a run file asks for."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from aimwell.config import GraphSource, RunConfig
from aimwell.errors import ConfigError, GraphError
from aimwell.knowledge.edges import build_edges
from aimwell.knowledge.gene_sets import GeneSets, within_sizes, without_leaks
from aimwell.knowledge.graph import GENE, Relation, TargetGraph
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped
from aimwell.knowledge.known_targets import build_known_targets
from aimwell.knowledge.sources.biogrid import read_biogrid
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.reactome import read_reactome
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.store import read_graph
from aimwell.provenance import Source, Step, sha256_of

__all__ = ["build_graph", "build_known_targets", "identifier_table"]

#: Names that the evidence of an edge is known by.
EVIDENCE = {"biogrid": "BioGRID", "reactome": "Reactome"}


def build_graph(config: RunConfig) -> TargetGraph:
    """Build the graph of ``[graph]``: the starter graph, a graph folder, or databases.

    From databases, the nodes are the protein-coding genes with at least one edge or set
    membership, and the sets that pass ``without_leaks`` and ``within_sizes``. Relations are
    ``interacts`` (undirected; a pair of several databases is one edge that names them all),
    ``member_of`` and ``part_of``. The same rows in another order give the same graph.

    Raises:
        ConfigError: Databases are named, but no HGNC table.
        InputError: A file that cannot be read, or too few of its names are genes.
        GraphError: A graph folder that was changed, or databases without a single edge.
    """
    if config.graph.preset:
        return read_starter_graph()
    if config.graph.folder:
        return read_graph(config.path(config.graph.folder))
    if not config.identifiers.hgnc:
        raise ConfigError(
            "[graph] names databases, which needs identifiers.hgnc: the path of the HGNC complete "
            "set that resolves their names"
        )
    table = _hgnc_table(config)
    sources: list[Source] = [table.source] if table.source else []
    steps = list(table.steps)
    pairs: list[pd.DataFrame] = []
    every: list[GeneSets] = []
    for database in config.graph.sources:
        sources.append(_source(config, database))
        if database.reader == "biogrid":
            pairs.append(_interactions(config, database, table, steps))
        else:
            every.append(_gene_sets(config, database, table, steps))
    relations = {}
    if pairs:
        edges, step = build_edges(pd.concat(pairs), "interacts", directed=False)
        relations["interacts"] = Relation("interacts", GENE, GENE, edges, directed=False)
        steps.append(step)
    set_nodes = _add_sets(every, relations, steps)
    genes = _genes_with_edges(table, relations, steps)
    return TargetGraph({GENE: genes, **set_nodes}, relations, tuple(sources), tuple(steps))


def identifier_table(config: RunConfig, graph: TargetGraph) -> IdentifierTable:
    """Make the table that resolves the names of cohorts and known targets.

    It is the HGNC table of ``identifiers.hgnc`` or, where none is named, the graph's own genes.
    """
    if config.identifiers.hgnc:
        return _hgnc_table(config)
    return IdentifierTable.from_graph(graph)


def _hgnc_table(config: RunConfig) -> IdentifierTable:
    path = config.path(config.identifiers.hgnc)
    loci = read_hgnc(path)
    source = Source(
        "HGNC complete set",
        path.name,
        "CC0-1.0",
        "https://www.genenames.org",
        sha256=sha256_of(path),
    )
    return IdentifierTable.from_hgnc(loci, source)


def _source(config: RunConfig, database: GraphSource) -> Source:
    path = config.path(database.path)
    read_first = path.is_file()  # a missing file is the reader's to refuse, with a better message
    return Source(
        EVIDENCE[database.reader],
        database.release,
        database.licence or "unknown",
        database.url,
        sha256=sha256_of(path) if read_first else "",
    )


def _interactions(
    config: RunConfig, database: GraphSource, table: IdentifierTable, steps: list[Step]
) -> pd.DataFrame:
    path = config.path(database.path)
    raw = read_biogrid(path)
    names = sorted({*raw["source"].unique(), *raw["target"].unique()})
    ids = _to_genes(names, table, config.identifiers.min_mapped, path, steps)
    evidence = EVIDENCE[database.reader]
    ends = {"source_id": raw["source"].map(ids), "target_id": raw["target"].map(ids)}
    kept = pd.DataFrame(ends).dropna()
    steps.append(
        Step(
            f"{evidence}: interactions of protein-coding genes",
            len(raw),
            len(kept),
            "a partner is not mapped to a protein-coding gene",
        )
    )
    return _certain(kept, evidence)


def _gene_sets(
    config: RunConfig, database: GraphSource, table: IdentifierTable, steps: list[Step]
) -> GeneSets:
    """Read sets, map their members, and keep those that may enter the graph."""
    path = config.path(database.path)
    sets = read_reactome(
        path,
        config.path(database.hierarchy) if database.hierarchy else None,
        config.path(database.names) if database.names else None,
    )
    steps += sets.steps
    names = sorted(sets.members["name"].unique())
    ids = _to_genes(names, table, config.identifiers.min_mapped, path, steps)
    genes = sets.members["name"].map(ids)
    members = sets.members.assign(name=genes)[genes.notna()].drop_duplicates()
    evidence = EVIDENCE[database.reader]
    steps.append(
        Step(
            f"{evidence}: members that are protein-coding genes",
            len(sets.members),
            len(members),
            "other molecules, and names of one gene twice in a set",
        )
    )
    clean = without_leaks(GeneSets(sets.names, members, sets.parents))
    fit = within_sizes(clean, config.graph.min_set_size, config.graph.max_set_size)
    steps += fit.steps
    return fit


def _to_genes(
    names: list[str], table: IdentifierTable, minimum: float, path: Path, steps: list[Step]
) -> dict[str, str]:
    report = table.resolve(names)
    require_mapped(report, minimum, f"'{path}'")
    mapped = report[report["status"] == "mapped"]
    others = report[report["status"] != "mapped"]
    locus = others["reason"].str.contains("not protein-coding", regex=False)
    counts = others["status"].mask(locus, "not protein-coding").value_counts().sort_index()
    steps.append(
        Step(
            f"{path.name}: names to genes",
            len(report),
            len(mapped),
            ", ".join(f"{count} {status}" for status, count in counts.items()),
            tuple(others["name"].iloc[:3]),
        )
    )
    return dict(zip(mapped["name"].tolist(), mapped["hgnc_id"].tolist(), strict=True))


def _add_sets(
    every: Sequence[GeneSets], relations: dict[str, Relation], steps: list[Step]
) -> dict[str, pd.DataFrame]:
    """Add the sets' relations; return their nodes."""
    if not every:
        return {}
    members = pd.concat([s.members for s in every])
    parents = pd.concat([s.parents for s in every])
    belongs = pd.DataFrame({"source_id": members["name"], "target_id": members["set_id"]})
    within = pd.DataFrame({"source_id": parents["set_id"], "target_id": parents["parent_id"]})
    for name, kind, pairs in (("member_of", GENE, belongs), ("part_of", "pathway", within)):
        edges, step = build_edges(_certain(pairs, EVIDENCE["reactome"]), name, directed=True)
        relations[name] = Relation(name, kind, "pathway", edges)
        steps.append(step)
    kept = sorted(members["set_id"].unique())
    names = pd.concat([s.names for s in every])
    names = names[~names.index.duplicated()]
    return {"pathway": pd.DataFrame({"name": names.reindex(kept)}, index=pd.Index(kept, dtype=str))}


def _certain(pairs: pd.DataFrame, evidence: str) -> pd.DataFrame:
    """Give pairs of a database without scores the weight 1."""
    return pairs.assign(weight=1.0, evidence=evidence, literature=False, clinical=False, detail="")


def _genes_with_edges(
    table: IdentifierTable, relations: dict[str, Relation], steps: list[Step]
) -> pd.DataFrame:
    seen: set[str] = set()
    for relation in relations.values():
        if relation.source_type == GENE:
            seen.update(relation.edges["source_id"].unique())
        if relation.target_type == GENE:
            seen.update(relation.edges["target_id"].unique())
    if not seen:
        raise GraphError("the databases of [graph] give not one edge; name at least one other")
    genes = table.genes.loc[sorted(seen)]
    why = "genes without an edge or a set cannot be reached by any network"
    steps.append(Step("genes of the graph", len(table.genes), len(genes), why))
    return genes
