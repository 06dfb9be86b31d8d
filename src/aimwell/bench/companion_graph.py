"""The graph beside the published tables of a benchmark: public databases, one by one."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.bench.companion_cohorts import FILES, TOGETHER, with_together
from aimwell.config import config_from
from aimwell.errors import ConfigError
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.edges import build_edges
from aimwell.knowledge.graph import GENE, Relation, TargetGraph
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.provenance import Source, Step

HGNC: Final = "ids/hgnc_complete_set_2024-10.txt.gz"
FAMILY: Final = "family"
BELONGS: Final = "belongs_to"
#: Gene groups of HGNC with fewer or more genes of the graph are left out.
FAMILY_SIZES: Final = (2, 200)
_GO: Final = "pathways/GO_annotations-9606-direct-expev.tsv"
#: Reader, path and further settings of every database.
DATABASES: Final[tuple[tuple[str, str, dict[str, Any]], ...]] = (
    ("string", "networks/string_symbol.tsv", {"name": "STRING", "separate": True}),
    ("biogrid", "networks/biogrid_symbol.txt", {"name": "BioGRID", "separate": True}),
    ("huri", "networks/huri_ensembl.tsv", {"name": "HuRI", "separate": True}),
    (
        "huri",
        "networks/hi_union_uniprot_isoforms.tsv",
        {"name": "HI-union", "separate": True},
    ),
    ("menche", "networks/menche2015_Datasets_S1-S4.zip", {"name": "Menche", "separate": True}),
    ("collectri", "signalling/collectri_2025.csv", {"name": "CollecTRI", "separate": True}),
    (
        "omnipath",
        "signalling/omnipath_carnival_signed.tsv",
        {"name": "OmniPath", "separate": True},
    ),
    (
        "enzyme_substrate",
        "signalling/omnipath_ptm_2025.csv",
        {"name": "PTM", "separate": True},
    ),
    (
        "reactome",
        "pathways/ReactomePathways.gmt",
        {
            "hierarchy": "pathways/ReactomePathwaysRelation.txt",
            "names": "pathways/ReactomePathways.txt",
        },
    ),
    ("gmt", "pathways/h.all.v7.0.symbols.gmt", {"name": "Hallmark"}),
    ("gmt", "pathways/c2.cp.wikipathways.v7.2.symbols.gmt", {"name": "WikiPathways"}),
    ("corum", "pathways/CORUM_coreComplexes.txt", {}),
    ("go", _GO, {"aspects": ["molecular_function"]}),
)
#: Terms of biological processes and cellular components, a relation of their own.
PROCESSES: Final = "annotated_with_process"
#: Families and complexes of signalling proteins, of FamPlex.
SIGNALLING: Final = {
    "belongs_to": "belongs_to_signalling_family",
    "subunit_of": "subunit_of_signalling_complex",
}
_FAMPLEX: Final = "pathways/famplex_relations.csv"
#: What knowledge messages travel along; the rest is only counted, in the full track.
KNOWLEDGE: Final = ("interacts_string", "member_of", "annotated_with", BELONGS)
#: The relations of both tracks.
MESSAGES: Final = (*KNOWLEDGE, *TOGETHER)
#: Relations that are no measure of study intensity, or were added after it had been defined.
UNCOUNTED: Final = (PROCESSES, *SIGNALLING.values(), *TOGETHER)
#: What only the recipe for discovery takes beside ``MESSAGES``.
DISCOVERING: Final = (PROCESSES, *SIGNALLING.values())


def companion_graph(data: Path) -> TargetGraph:
    """Build the graph beside the tables from public files.

    It holds ``DATABASES``, the gene groups of HGNC, the relations ``DISCOVERING``, and which genes
    rise and fall together in public cohorts.

    Raises:
        ConfigError: ``data`` lacks one of the files.
    """
    names = [HGNC, *(path for _, path, _ in DATABASES), _FAMPLEX, *FILES]
    if missing := [name for name in names if not (data / name).is_file()]:
        raise ConfigError(
            f"'{data}' lacks {len(missing)} of {len(names)} databases, the first is "
            f"'{missing[0]}'; name a graph folder with --graph, or 'none' for the benchmark's own "
            "network alone"
        )
    graph = with_gene_groups(_built(data, DATABASES), read_hgnc(data / HGNC))
    aspects = {"aspects": ["biological_process", "cellular_component"]}
    terms = _built(data, (("go", _GO, aspects),))
    graph = _with_relations(graph, terms, {"annotated_with": PROCESSES})
    families = _built(data, (("famplex", _FAMPLEX, {}),), min_set_size=FAMILY_SIZES[0])
    return with_together(_with_relations(graph, families, SIGNALLING), data)


def _built(
    data: Path, databases: Sequence[tuple[str, str, dict[str, Any]]], **settings: Any
) -> TargetGraph:
    sources = [{"reader": r, "path": p, **more} for r, p, more in databases]
    raw: dict[str, Any] = {
        "run": {"title": "companion", "output": "unused", "data": str(data)},
        "identifiers": {"hgnc": HGNC},
        "graph": {"sources": sources, **settings},
        "known_targets": {"sources": [{"reader": "genes", "genes": ["TP53"]}]},
        "cohort": {"tables": [{"name": "none", "path": "none", "kind": "rna", "reader": "limma"}]},
    }
    return build_graph(config_from(raw))


def _with_relations(graph: TargetGraph, other: TargetGraph, names: dict[str, str]) -> TargetGraph:
    """Add set relations of another graph, on the genes of this one, by other names."""
    nodes, relations = dict(graph.nodes), dict(graph.relations)
    for old, new in names.items():
        found = other.relations[old]
        edges = found.edges[found.edges["source_id"].isin(graph.genes)].reset_index(drop=True)
        kind = found.target_type
        both = pd.concat([nodes[kind], other.nodes[kind]]) if kind in nodes else other.nodes[kind]
        nodes[kind] = both[~both.index.duplicated()].sort_index()
        relations[new] = Relation(new, GENE, kind, edges)
    sources = (*graph.sources, *(s for s in other.sources if s not in graph.sources))
    return replace(
        graph, nodes=nodes, relations=relations, sources=sources, steps=(*graph.steps, *other.steps)
    )


def naming(data: Path) -> pd.DataFrame:
    """Tell how early and how often a gene was named: a measure of how long it has been studied.

    Args:
        data: Folder with ``HGNC``.

    Returns:
        Indexed by symbol; the year of approval, logarithms of how many previous and other symbols
        there are, and of the numbers of Entrez and HGNC, which were given out in order.
    """
    wanted = [
        "hgnc_id",
        "symbol",
        "status",
        "alias_symbol",
        "prev_symbol",
        "entrez_id",
        "date_approved_reserved",
    ]
    table = pd.read_csv(data / HGNC, sep="\t", dtype=str, usecols=wanted, low_memory=False)
    table = table[table["status"] == "Approved"].set_index("symbol")

    def names(column: str) -> "pd.Series[float]":
        text = table[column].fillna("")
        return (text.str.count(r"\|") + 1).where(text != "", 0).map(np.log1p)

    return pd.DataFrame(
        {
            "year of approval": pd.to_datetime(table["date_approved_reserved"]).dt.year,
            "previous symbols": names("prev_symbol"),
            "other symbols": names("alias_symbol"),
            "Entrez number": np.log(table["entrez_id"].astype(float)),
            "HGNC number": np.log(table["hgnc_id"].str.removeprefix("HGNC:").astype(float)),
        }
    )


def with_gene_groups(graph: TargetGraph, hgnc: pd.DataFrame) -> TargetGraph:
    """Add the gene groups of HGNC as sets of the kind ``family``.

    Args:
        graph: Its genes; a relation ``belongs_to`` must not be there yet.
        hgnc: As ``read_hgnc`` gives it.
    """
    genes = hgnc[["gene_group_id", "gene_group"]]
    genes = genes[genes.index.isin(graph.genes) & (genes["gene_group_id"] != "")]
    rows = [
        (gene, f"HGNC.GROUP:{number}", name)
        for gene, numbers, names in genes.itertuples()
        for number, name in zip(numbers.split("|"), names.split("|"), strict=True)
    ]
    table = pd.DataFrame(rows, columns=["source_id", "target_id", "name"])
    size = table.groupby("target_id")["source_id"].transform("size")
    kept = table[size.between(*FAMILY_SIZES)]
    step = Step(
        "gene groups of HGNC",
        table["target_id"].nunique(),
        kept["target_id"].nunique(),
        f"fewer than {FAMILY_SIZES[0]} or more than {FAMILY_SIZES[1]} genes of the graph",
    )
    pairs = kept.assign(weight=1.0, evidence="HGNC", literature=False, clinical=False, detail="")
    edges, merged = build_edges(pairs, BELONGS, directed=True)
    nodes = kept.drop_duplicates("target_id").set_index("target_id")[["name"]].sort_index()
    return replace(
        graph,
        nodes={**graph.nodes, FAMILY: nodes.rename_axis(None)},
        relations={**graph.relations, BELONGS: Relation(BELONGS, GENE, FAMILY, edges)},
        sources=(*graph.sources, Source("HGNC gene groups", "not stated", "CC0")),
        steps=(*graph.steps, step, merged),
    )
