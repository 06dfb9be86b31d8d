"""Counts of drugs, labels and names in the public files, held against independent measurements.

Where aimwell counts otherwise on purpose, the name of the bar says why.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.knowledge.files import read_table
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.interactions import Interactions
from aimwell.knowledge.sources.biogrid import read_biogrid
from aimwell.knowledge.sources.dgidb import read_dgidb_categories
from aimwell.knowledge.sources.drugcentral import read_drugcentral
from aimwell.knowledge.sources.gene_list import read_gene_list
from aimwell.knowledge.sources.hetionet import SIF, read_hetionet_associations
from aimwell.knowledge.sources.huri import read_huri
from aimwell.knowledge.sources.menche import read_menche
from aimwell.knowledge.sources.open_targets import read_gold_standards
from aimwell.knowledge.sources.pharmacotherapydb import read_pharmacotherapydb
from aimwell.knowledge.sources.reactome import read_reactome
from aimwell.knowledge.sources.repurposing_hub import read_repurposing_hub
from aimwell.knowledge.sources.string import read_string
from aimwell.knowledge.streams import stream_table

Count = tuple[str, int, int]
_LISTS: Final = (
    ("core-essential genes (CEGv2)", "CEGv2.txt", 684),
    ("non-essential genes (NEGv1; 928 rows, one blank, SLC34A1 twice)", "NEGv1.txt", 926),
    ("OncoKB", "OncoKB_cancerGeneList.tsv", 1_064),
    ("targets of approved drugs", "fda_approved_drug_targets.tsv", 385),
    ("targets of Nelson 2012", "drug_targets_nelson.tsv", 201),
)
_CANCERS: Final = r"cancer|melanoma|glioma|lymphoma|leukemia|sarcoma|carcinoma"


def name_counts(loci: pd.DataFrame) -> Iterator[Count]:
    """Count the traps among the names of HGNC, upper and lower case told apart."""
    live = loci[loci["status"] == "Approved"]
    approved = set(live["symbol"])
    aliases, before = (
        Counter(n for text in live[c] for n in set(text.split("|")) if n)
        for c in ("alias_symbol", "prev_symbol")
    )
    yield "HGNC: aliases of several genes", sum(n > 1 for n in aliases.values()), 1_076
    yield "HGNC: aliases that are another's approved symbol", len(approved & set(aliases)), 460
    yield "HGNC: previous symbols that are another's", len(approved & set(before)), 230
    yield "HGNC: previous symbols of several genes", sum(n > 1 for n in before.values()), 85


def drug_counts(data: Path, table: IdentifierTable) -> Iterator[Count]:
    """Count drugs, indications and targets, and how many targets each network reaches."""
    folder = data / "drugs"
    path = folder / "drugcentral_drug.target.interaction.tsv.gz"
    bound, steps = read_drugcentral(path, mechanism_only=False)
    yield "DrugCentral: rows", steps[0].rows_in, 16_702
    yield "DrugCentral: human rows", steps[0].rows_out, 12_217
    yield "DrugCentral: drugs with a human target", bound["drug"].nunique(), 2_102
    clinical = _genes(bound.loc[bound["tdl"] == "Tclin", "accession"].unique(), table)
    yield "DrugCentral: Tclin genes, by accession", len(clinical), 617
    every = read_pharmacotherapydb(folder / "pharmacotherapydb_indications.tsv")
    for category, expected in (("DM", 755), ("SYM", 390), ("NOT", 243)):
        name = f"PharmacotherapyDB: pairs judged {category}"
        yield name, int((every["category"] == category).sum()), expected
    yield "PharmacotherapyDB: diseases", every["disease"].nunique(), 97
    for what, key, expected in (("indications", "doid_id", 671), ("targets", "GeneID", 2_991)):
        file = folder / f"drugcentral_rephetio_{what}.tsv"
        rows = read_table(file, f"DrugCentral's {what} for Rephetio", [key], quoted=False)
        yield f"DrugCentral's {what} for Rephetio: rows", len(rows), expected
    modifying = every[(every["category"] == "DM") & every["disease"].str.contains(_CANCERS)]
    names = set(modifying["drug"].str.lower())
    yield "PharmacotherapyDB: drugs that modify a cancer", len(names), 104
    acting, _ = read_drugcentral(path)
    hit = acting.loc[acting["drug"].str.lower().isin(names), "gene"].unique()
    yield "DrugCentral: genes that these act on", len(_genes(hit, table)), 80
    hub = read_repurposing_hub(folder / "repurposing_drugs_20200324.txt")
    yield "Drug Repurposing Hub: drugs", hub["drug"].nunique(), 6_798
    categories = read_dgidb_categories(folder / "dgidb_categories_subset.tsv")
    yield "DGIdb: rows of categories", len(categories), 19_970
    yield from _reached(data, table, clinical)


def label_counts(data: Path, table: IdentifierTable) -> Iterator[Count]:
    """Count lists of genes, genes of diseases, and the edges of Hetionet's sample."""
    folder = data / "labels"
    for name, file, expected in _LISTS:
        yield f"genes of the list: {name}", len(read_gene_list(folder / file)), expected
    pairs = read_hetionet_associations(folder / "hetionet_DaG-association.tsv")
    yield "Hetionet: pairs of disease and gene", len(pairs), 12_623
    yield "Hetionet: diseases of these", pairs["doid"].nunique(), 134
    yield "Hetionet: genes of these", pairs["entrez"].nunique(), 5_392
    gold, step = read_gold_standards(folder / "opentargets_gwas_gold_standards.191108.tsv")
    yield "GWAS gold standards: rows", step.rows_in, 2_435
    known = _genes(gold["gene"].unique(), table)
    yield "GWAS gold standards: genes (526 ids, two retired by Ensembl)", len(known), 524
    columns = ("source", "metaedge", "target")
    blocks = stream_table(
        data / "formats/hetionet-v1.0-edges-5k.sif.gz", SIF, columns, columns, skip=1
    )
    kinds: Counter[str] = Counter()
    for block in blocks:
        kinds.update(block["metaedge"].to_pylist())
    yield "Hetionet's sample: edges", kinds.total(), 99_676
    yield "Hetionet's sample: kinds of edges", len(kinds), 24


def _reached(data: Path, table: IdentifierTable, clinical: set[str]) -> Iterator[Count]:
    """Count the Tclin genes that have a partner other than themselves in each network."""
    folder = data / "networks"
    grid = _partnered(read_biogrid(folder / "biogrid_symbol.txt"), table)
    yield "Tclin genes in BioGRID", len(grid & clinical), 567
    sets = read_reactome(data / "pathways/ReactomePathways.gmt")
    placed = _genes(sets.members["name"].unique(), table)
    yield "Tclin genes in BioGRID with a Reactome pathway", len(grid & clinical & placed), 556
    for name, found, expected in (
        ("Menche 2015", read_menche(folder / "menche2015_Datasets_S1-S4.zip"), 571),
        ("STRING by symbol", read_string(folder / "string_symbol.tsv"), 589),
        ("HuRI", read_huri(folder / "huri_ensembl.tsv"), 172),
    ):
        yield f"Tclin genes in {name}", len(_partnered(found, table) & clinical), expected


def _partnered(found: Interactions, table: IdentifierTable) -> set[str]:
    report = table.resolve(found.names, protein_coding=False)
    mapped = report[report["status"] == "mapped"]
    ids = dict(zip(mapped["name"].tolist(), mapped["hgnc_id"].tolist(), strict=True))
    ends = (found.table[c].astype(object).map(ids) for c in ("source", "target"))
    a, b = ends
    pairs = a.notna() & b.notna() & (a != b)
    return set(a[pairs]) | set(b[pairs])


def _genes(names: Iterable[str], table: IdentifierTable) -> set[str]:
    report = table.resolve(names, protein_coding=False)
    return set(report.loc[report["status"] == "mapped", "hgnc_id"])
