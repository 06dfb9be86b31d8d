"""Counts of the public databases, held against those that were measured independently of aimwell.

Where aimwell counts otherwise on purpose, the name of the bar says why.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from aimwell.bench.bars import Bar, bar
from aimwell.bench.label_counts import Count, drug_counts, label_counts, name_counts
from aimwell.knowledge.files import read_table
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.interactions import Interactions
from aimwell.knowledge.sources.biogrid import read_biogrid
from aimwell.knowledge.sources.collectri import read_collectri
from aimwell.knowledge.sources.corum import read_corum
from aimwell.knowledge.sources.edge_list import read_edge_list
from aimwell.knowledge.sources.enzyme_substrate import read_enzyme_substrate
from aimwell.knowledge.sources.famplex import read_famplex
from aimwell.knowledge.sources.gmt import read_gmt
from aimwell.knowledge.sources.go import read_go_table
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.huri import read_huri
from aimwell.knowledge.sources.menche import read_menche
from aimwell.knowledge.sources.omnipath import read_omnipath
from aimwell.knowledge.sources.reactome import read_reactome
from aimwell.knowledge.sources.string import read_string

_AMBIGUOUS: Final = (
    "HI-union: distinct gene pairs (55,650 if an accession of several genes is given to the first)"
)

#: Ways to resolve a name that the independent measurement did not have.
_MORE: Final = ("LOC number", "alias (case ignored)")


def count_bars(data: Path, hgnc: Path) -> Iterator[Bar]:
    """Count what the readers find in the files of ``data``; each must equal what was measured."""
    loci = read_hgnc(hgnc)
    table = IdentifierTable.from_hgnc(loci)
    coding = int((loci["locus_group"] == "protein-coding gene").sum())
    yield _held(("HGNC: entries", len(loci), 43_882))
    yield _held(("HGNC: protein-coding genes", coding, 19_290))
    for counts in (
        name_counts(loci),
        _network_counts(data / "networks", table),
        _signalling_counts(data / "signalling"),
        _set_counts(data / "pathways"),
        drug_counts(data, table),
        label_counts(data, table),
    ):
        yield from map(_held, counts)


def _held(count: Count) -> Bar:
    name, found, expected = count
    return bar(f"count: {name}", found, "", f"== {expected}")


def _network_counts(folder: Path, table: IdentifierTable) -> Iterator[Count]:
    grid = read_biogrid(folder / "biogrid_symbol.txt")
    yield "BioGRID: rows", len(grid.table), 258_257
    genes, pairs = _genes_and_pairs(grid, table, without=_MORE)
    yield "BioGRID: genes, by symbol exactly", genes, 16_587
    yield "BioGRID: pairs of genes, by symbol exactly", pairs, 257_661
    genes, pairs = _genes_and_pairs(grid, table)
    yield "BioGRID: genes, with 27 LOC numbers and 4 names of another case", genes, 16_587 + 31
    yield "BioGRID: pairs of genes, with those", pairs, 257_661 + 123
    huri = read_huri(folder / "huri_ensembl.tsv")
    loops = huri.table["source"].cat.codes == huri.table["target"].cat.codes
    yield "HuRI: self-loops", int(loops.sum()), 480
    genes, pairs = _genes_and_pairs(huri, table)
    yield "HuRI: genes", genes, 8_210
    yield "HuRI: pairs of genes", pairs, 51_746
    union = read_huri(folder / "hi_union_uniprot_isoforms.tsv")
    yield "HI-union: rows", len(union.table), 240_570
    yield _AMBIGUOUS, _genes_and_pairs(union, table)[1], 55_240
    symbols = read_string(folder / "string_symbol.tsv")
    yield "STRING by symbol: rows", len(symbols.table), 336_548
    yield "STRING by symbol: names", len(symbols.names), 13_179
    cost = read_string(folder / "string_uniprot_cost.tsv")
    yield "STRING with costs: rows", len(cost.table), 114_653
    menche = read_menche(folder / "menche2015_Datasets_S1-S4.zip")
    yield "Menche 2015: rows", len(menche.table), 141_296
    yield "Menche 2015: genes", _genes_and_pairs(menche, table)[0], 13_272
    snap = read_edge_list(folder / "snap_ppi_cr_line_ends.csv", id_type="entrez")
    yield "BioSNAP, CR line ends: rows", len(snap.table), 342_353


def _genes_and_pairs(
    found: Interactions, table: IdentifierTable, without: tuple[str, ...] = ()
) -> tuple[int, int]:
    """Count genes and distinct pairs of two genes, of any locus."""
    report = table.resolve(found.names, protein_coding=False)
    mapped = report[(report["status"] == "mapped") & ~report["how"].isin(without)]
    ids = dict(zip(mapped["name"].tolist(), mapped["hgnc_id"].tolist(), strict=True))
    ends = (found.table[c].astype(object).tolist() for c in ("source", "target"))
    resolved = ((ids.get(a), ids.get(b)) for a, b in zip(*ends, strict=True))
    pairs = {(min(a, b), max(a, b)) for a, b in resolved if a and b and a != b}
    return len(set(itertools.chain(*pairs))), len(pairs)


def _signalling_counts(folder: Path) -> Iterator[Count]:
    regulation = read_collectri(folder / "collectri_2025.csv").steps[0]
    yield "CollecTRI: rows", regulation.rows_in, 43_178
    # AP1 has 596 rows and NFKB 799: factors of several genes
    name = "CollecTRI: rows kept (AP1 and NFKB are complexes, not genes)"
    yield name, regulation.rows_out, 43_178 - 596 - 799
    signs = read_table(folder / "collectri_2025.csv", "CollecTRI", ["weight"], separator=",")
    sign = signs["weight"].astype(float)
    yield "CollecTRI: rows that induce, in the file", int((sign > 0).sum()), 37_360
    yield "CollecTRI: rows that repress, in the file", int((sign < 0).sum()), 5_818
    signed = read_omnipath(folder / "omnipath_carnival_signed.tsv").steps[0]
    yield "OmniPath, signed: rows", signed.rows_in, 19_807
    signs = read_table(folder / "omnipath_carnival_signed.tsv", "OmniPath", ["interaction"])
    sign = signs["interaction"].astype(float)
    yield "OmniPath, signed: rows that activate", int((sign > 0).sum()), 14_350
    yield "OmniPath, signed: rows that inhibit", int((sign < 0).sum()), 5_457
    original = read_omnipath(folder / "omnipath_20201208_TFData.csv").steps[0]
    yield "OmniPath, transcription factors: rows", original.rows_in, 15_252
    sites = read_enzyme_substrate(folder / "omnipath_ptm_2025.csv")
    yield "OmniPath, kinase and site: rows", len(sites.table), 30_816


def _set_counts(folder: Path) -> Iterator[Count]:
    reactome = read_reactome(
        folder / "ReactomePathways.gmt",
        folder / "ReactomePathwaysRelation.txt",
        folder / "ReactomePathways.txt",
    )
    yield "Reactome: sets", reactome.members["set_id"].nunique(), 2_444
    yield "Reactome: memberships", len(reactome.members), 117_771
    up = reactome.parents
    yield "Reactome: relations between human pathways", len(up), 2_497
    several = int((up.groupby("set_id").size() > 1).sum())
    yield "Reactome: human pathways with several parents", several, 36
    named = reactome.names[reactome.names.index.str.startswith("R-HSA")]
    yield "Reactome: human pathways with a name", len(named), 2_477
    yield "Reactome: human roots", len(set(named.index) - set(up["set_id"])), 27
    for name, path, expected in (
        ("Hallmark", "h.all.v7.0.symbols.gmt", 50),
        ("WikiPathways", "c2.cp.wikipathways.v7.2.symbols.gmt", 500),
        ("WikiPathways 2016, human", "wikipathways_2016.gmt", 299),
    ):
        found = read_gmt(folder / path)
        yield f"{name}: sets", found.members["set_id"].nunique(), expected
    complexes = read_corum(folder / "CORUM_coreComplexes.txt")
    yield "CORUM: human complexes", complexes.members["set_id"].nunique(), 2_417
    families, _ = read_famplex(folder / "famplex_relations.csv")
    yield "FamPlex: relations", families.steps[0].rows_in, 5_284
    terms, _ = read_go_table(folder / "GO_annotations-9606-direct-expev.tsv")
    yield "Gene Ontology: terms", terms["term"].nunique(), 11_345
    yield "Gene Ontology: genes", terms["name"].nunique(), 13_997
