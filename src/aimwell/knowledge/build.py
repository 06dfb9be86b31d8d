"""Build the graph, the identifier table and the known targets that a run file asks for."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.config import INTERACTION_READERS, PRIOR_READERS, GraphSource, RunConfig
from aimwell.errors import ConfigError, GraphError
from aimwell.knowledge.dates import graph_as_of, interactions_as_of
from aimwell.knowledge.edges import build_edges
from aimwell.knowledge.gene_sets import (
    SET_RELATIONS,
    GeneSets,
    leaking_sets,
    with_genes,
    within_sizes,
    without_leaks,
)
from aimwell.knowledge.graph import GENE, Relation, TargetGraph
from aimwell.knowledge.identifier_sources import hgnc_table
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped
from aimwell.knowledge.interaction_sources import NAMES, read_interactions
from aimwell.knowledge.interactions import Interactions, require_id_type
from aimwell.knowledge.known_targets import build_known_targets
from aimwell.knowledge.licences import commercial_sources, require_commercial
from aimwell.knowledge.merging import build_relations, records_of, relation_name
from aimwell.knowledge.parquet import hash_of
from aimwell.knowledge.presets import with_preset
from aimwell.knowledge.prior_sources import PRIOR_NAMES, read_prior
from aimwell.knowledge.set_sources import SET_NAMES, read_sets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.store import read_graph
from aimwell.provenance import Source, Step

__all__ = ["build_graph", "build_known_targets", "identifier_table"]

#: Step of sets that encode an answer and stay, for whoever looks at the graph later.
LEAKS_KEPT: Final = "sets named after a disease, a mutant or a drug"
#: Names that the evidence of an edge is known by.
EVIDENCE = {**NAMES, **SET_NAMES, **PRIOR_NAMES}


def build_graph(config: RunConfig) -> TargetGraph:
    """Build the graph of ``[graph]``: a preset, a graph folder, or databases.

    From databases, the nodes are the protein-coding genes with at least one edge or set
    membership, and the sets that pass ``without_leaks`` and ``within_sizes``. Relations are those
    of the readers: ``interacts`` (undirected), ``activates``, ``inhibits``, ``induces``,
    ``represses`` and ``regulates`` (directed), ``member_of``, ``part_of`` and those of complexes. A
    pair of several databases is one edge that names them all, or an edge in a relation per
    database, as ``merge`` and ``separate`` say. The same rows in another order give the same graph.

    Raises:
        ConfigError: Databases are named, but no HGNC table.
        InputError: A file that cannot be read, or too few of its names are genes.
        GraphError: A graph folder that was changed, databases without a single edge, or none that
            ``licence`` allows.
    """
    config = with_preset(config)
    if config.graph.preset or config.graph.folder:
        return _built_before(config)
    if not config.identifiers.hgnc:
        raise ConfigError(
            "[graph] names databases, which needs identifiers.hgnc: the path of the HGNC complete "
            "set that resolves their names"
        )
    allowed: tuple[Step, ...] = ()
    if config.graph.licence == "commercial":
        config, allowed = commercial_sources(config)
    table = hgnc_table(config)
    sources: list[Source] = [*([table.source] if table.source else []), *table.mapping_sources]
    steps = [*allowed, *table.steps]
    groups: dict[str, tuple[str, list[pd.DataFrame]]] = {}
    every: list[GeneSets] = []
    for database in config.graph.sources:
        sources.append(_source(config, database))
        if database.reader in INTERACTION_READERS:
            # without a name here: the links read are freed before relations are built
            _add_interactions(
                groups, read_interactions(database, config), config, database, table, steps
            )
        elif database.reader in PRIOR_READERS:
            prior = read_prior(database, config)
            steps += prior.steps
            if prior.interactions:
                _add_interactions(groups, prior.interactions, config, database, table, steps)
            every += _gene_sets(prior.sets, config, database, table, steps)
        else:
            read = read_sets(database, config)
            if read:  # a file of sets may say itself what edges call it
                sources[-1] = replace(sources[-1], name=read[0].evidence)
            every += _gene_sets(read, config, database, table, steps)
    relations, merged = build_relations(
        groups, table.genes.index, config.graph.merge, config.graph.max_degree
    )
    steps += merged
    groups.clear()  # records of ten million links take room that checking the graph needs
    set_nodes = _add_sets(every, relations, steps)
    if config.graph.as_of:
        count = sum(len(r.edges) for r in relations.values() if r.target_type != GENE)
        why = "databases of sets give no dates; choose a release of that time"
        steps.append(Step("set memberships without a date, kept", count, count, why))
    genes = _genes_with_edges(table, relations, steps)
    return TargetGraph({GENE: genes, **set_nodes}, relations, tuple(sources), tuple(steps))


def identifier_table(config: RunConfig, graph: TargetGraph) -> IdentifierTable:
    """Make the table that resolves the names of cohorts and known targets.

    It is the HGNC table of ``identifiers.hgnc`` or, where none is named, the graph's own genes.
    """
    config = with_preset(config)
    if config.identifiers.hgnc:
        return hgnc_table(config)
    return IdentifierTable.from_graph(graph)


def _built_before(config: RunConfig) -> TargetGraph:
    folder = config.graph.folder
    graph = read_graph(config.path(folder)) if folder else read_starter_graph()
    if config.graph.licence == "commercial":
        where = f"the graph '{folder}'" if folder else "the starter graph"
        graph = replace(graph, steps=(*graph.steps, *require_commercial(graph, where)))
    return graph_as_of(graph, config.graph.as_of) if config.graph.as_of else graph


def _source(config: RunConfig, database: GraphSource) -> Source:
    path = config.path(database.path)
    return Source(
        database.name or EVIDENCE.get(database.reader, path.stem),
        database.release,
        database.licence or "unknown",
        database.url,
        # a missing file is the reader's to refuse, with a better message
        sha256=hash_of(path) if path.exists() else "",
    )


def _add_interactions(
    groups: dict[str, tuple[str, list[pd.DataFrame]]],
    found: Interactions,
    config: RunConfig,
    database: GraphSource,
    table: IdentifierTable,
    steps: list[Step],
) -> None:
    """Add the interactions of a database to the groups that become relations."""
    path = config.path(database.path)
    if config.graph.as_of:
        origin = database.name or EVIDENCE[database.reader]
        found = interactions_as_of(found, config.graph.as_of, origin)
    steps += found.steps
    names = require_id_type(found.names.tolist(), found.id_type, f"'{path}'")
    ids = _to_genes(names, table, config.identifiers.min_mapped, path, steps)
    origin = database.name or EVIDENCE[database.reader]
    records, done = records_of(found, ids, table.genes.index, origin, database.weight)
    steps += done
    alone = database.separate or config.graph.merge == "separate"
    for kind, rows in records.items():
        name = relation_name(kind, origin if alone else "")
        groups.setdefault(name, (kind, []))[1].append(rows)


def _gene_sets(
    read: Sequence[GeneSets],
    config: RunConfig,
    database: GraphSource,
    table: IdentifierTable,
    steps: list[Step],
) -> list[GeneSets]:
    """Map the members of sets, and keep the sets that may enter the graph."""
    if not read:
        return []
    names = sorted({name for sets in read for name in sets.members["name"].unique()})
    ids = _to_genes(names, table, config.identifiers.min_mapped, config.path(database.path), steps)
    smallest = {"complex": config.graph.min_complex_size}
    kept = []
    for sets in read:
        low = smallest.get(sets.kind, config.graph.min_set_size)
        found = with_genes(sets, ids)
        found = _marked(found) if config.graph.allow_leak else without_leaks(found)
        fit = within_sizes(found, low, config.graph.max_set_size)
        steps += fit.steps
        kept.append(fit)
    return kept


def _marked(sets: GeneSets) -> GeneSets:
    """Keep the sets that encode an answer, and say how many they are."""
    leaking = sorted(leaking_sets(sets))
    if not leaking:
        return sets
    names = tuple(str(sets.names[key]) for key in leaking[:3])
    step = Step(LEAKS_KEPT, len(leaking), len(leaking), "kept by allow_leak", names)
    return replace(sets, steps=(*sets.steps, step))


def _to_genes(
    names: list[str], table: IdentifierTable, minimum: float, path: Path, steps: list[Step]
) -> dict[str, str]:
    report = table.resolve(names)
    if table.helper:
        steps += table.helper.steps
        table.helper.steps.clear()
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
    """Add the relations of all sets, kind by kind; return the nodes of each kind."""
    nodes = {}
    for kind in sorted({sets.kind for sets in every}):
        same = [sets for sets in every if sets.kind == kind]
        belongs, within = [], []
        for sets in same:
            member, parent = sets.members, sets.parents
            ends = {"source_id": member["name"], "target_id": member["set_id"]}
            belongs.append(
                _certain(pd.DataFrame(ends), sets.evidence).assign(detail=member["detail"])
            )
            ends = {"source_id": parent["set_id"], "target_id": parent["parent_id"]}
            within.append(_certain(pd.DataFrame(ends), sets.evidence))
        to_set, to_parent = SET_RELATIONS[kind]
        for name, start, pairs in ((to_set, GENE, belongs), (to_parent, kind, within)):
            edges, step = build_edges(pd.concat(pairs), name, directed=True)
            if len(edges) or kind == "pathway":
                relations[name] = Relation(name, start, kind, edges)
                steps.append(step)
        kept = sorted({key for sets in same for key in sets.members["set_id"].unique()})
        every_name = {pair for sets in same for pair in sets.names.items()}
        names = pd.Series(dict(sorted(every_name, reverse=True)), dtype=str).reindex(kept)
        nodes[kind] = pd.DataFrame({"name": names}, index=pd.Index(kept, dtype=str))
    return nodes


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
