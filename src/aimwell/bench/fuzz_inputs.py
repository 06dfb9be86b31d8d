"""Sound inputs for every command, and which files each command reads."""

import gzip
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from aimwell.bench.children import small_settings, to_toml
from aimwell.bench.fuzz_formats import GENES, formats, write_format
from aimwell.config import config_from
from aimwell.config.cohort import PROTEIN_READERS
from aimwell.pipeline.progress import Silent

#: Small files in the formats of the databases; they are in the repository, not in the wheel.
KNOWLEDGE: Final = Path(__file__).parents[3] / "tests" / "data" / "knowledge"
_N: Final = "databases/networks/"
_R: Final = "databases/readers/"
GRAPH_SOURCES: Final[tuple[dict[str, Any], ...]] = (
    {"reader": "biogrid", "path": _N + "biogrid_tab2.txt"},
    {"reader": "biogrid", "path": _N + "biogrid_tab3.txt"},
    {"reader": "collectri", "path": _N + "collectri.csv"},
    {"reader": "dorothea", "path": _N + "dorothea.csv"},
    {"reader": "edge_list", "path": _R + "edge_list.csv", "id_type": "mixed", "licence": "CC0-1.0"},
    {"reader": "enzyme_substrate", "path": _N + "enzsub.tsv"},
    {"reader": "graphml", "path": _N + "network.graphml", "source_column": "symbol"},
    {"reader": "hippie", "path": _N + "hippie.txt"},
    {"reader": "huri", "path": _R + "huri.tsv"},
    {"reader": "menche", "path": _N + "menche.tsv"},
    {"reader": "omnipath", "path": _N + "omnipath.tsv"},
    {"reader": "psi_mitab", "path": _N + "mitab27.txt"},
    {"reader": "sif", "path": _N + "pathway_commons.sif"},
    {
        "reader": "signor",
        "path": _N + "signor.tsv",
        "complexes": _N + "signor_complexes.csv",
        "families": _N + "signor_complexes.csv",
    },
    {
        "reader": "string",
        "path": _N + "string_links_full.txt",
        "aliases": _N + "string_aliases.txt",
        "info": _N + "string_info.txt",
    },
    {
        "reader": "reactome",
        "path": _R + "reactome.gmt",
        "hierarchy": _R + "reactome_relation.txt",
        "names": _R + "reactome_names.txt",
    },
    {"reader": "reactome_mapping", "path": _R + "uniprot2reactome.txt"},
    {"reader": "gmt", "path": _R + "wikipathways.gmt"},
    {"reader": "corum", "path": _R + "corum.txt"},
    {"reader": "corum", "path": _R + "corum_5.txt"},
    {"reader": "complex_portal", "path": _R + "complex_portal.tsv"},
    {"reader": "signor_complexes", "path": _R + "signor_complexes.csv"},
    {"reader": "famplex", "path": _R + "famplex.csv"},
    {"reader": "go", "path": _R + "goa.gaf", "hierarchy": _R + "go.obo"},
    {"reader": "hetionet", "path": _R + "hetionet.json"},
    {"reader": "hetionet", "path": _R + "hetionet.sif", "names": _R + "hetionet_nodes.tsv"},
    {"reader": "primekg", "path": _R + "primekg.csv"},
    {
        "reader": "optimuskg",
        "path": "databases/optimus_edges.parquet",
        "names": "databases/optimus_nodes.parquet",
    },
    {"reader": "biocypher", "path": "databases/biocypher"},
)
MAPPINGS: Final[tuple[dict[str, Any], ...]] = (
    {"reader": "uniprot", "path": _R + "idmapping.dat"},
    {"reader": "uniprot_secondary", "path": _R + "sec_ac.txt"},
    {"reader": "ncbi_gene", "path": _R + "gene_info.txt"},
    {"reader": "ncbi_history", "path": _R + "gene_history.txt"},
    {"reader": "string", "path": _N + "string_aliases.txt"},
)
_TREATS: Final = {"indications": _R + "pharmacotherapydb.tsv", "disease_pattern": "cancer"}
_CHEMBL: Final = {
    "path": _R + "chembl_mechanisms.csv",
    "targets": _R + "chembl_map.txt",
    "indications": _R + "chembl_indications.csv",
}
LABELS: Final[tuple[dict[str, Any], ...]] = (
    {"reader": "genes", "path": _R + "gene_list.txt"},
    {"reader": "drugcentral", "path": _R + "drugcentral.tsv", **_TREATS},
    {
        "reader": "repurposing_hub",
        "path": _R + "repurposing_hub.txt",
        "disease_pattern": ".*",
        "phase": "Phase 1",
    },
    {"reader": "dgidb", "path": _R + "dgidb_2022.tsv", **_TREATS},
    {"reader": "dgidb_categories", "path": _R + "dgidb_categories.tsv", "category": "KINASE"},
    {"reader": "chembl", "disease_pattern": "breast", **_CHEMBL},
    {
        "reader": "open_targets_drugs",
        "path": "databases/known_drugs.parquet",
        "disease_pattern": "cancer",
    },
    {
        "reader": "open_targets_associations",
        "path": "databases/associations.parquet",
        "indications": "databases/diseases.parquet",
        "disease_pattern": "cancer",
    },
    {
        "reader": "open_targets_gold_standards",
        "path": _R + "gold_standards.tsv",
        "disease_pattern": "gout",
    },
    {
        "reader": "hetionet_associations",
        "path": _R + "hetionet_associations.tsv",
        "disease_pattern": "cancer",
    },
)
DRUGS: Final[tuple[dict[str, Any], ...]] = (
    {"reader": "starter"},
    {
        "reader": "drugcentral",
        "path": _R + "drugcentral.tsv",
        "indications": _R + "pharmacotherapydb.tsv",
    },
    {"reader": "repurposing_hub", "path": _R + "repurposing_hub.txt"},
    {"reader": "dgidb", "path": _R + "dgidb.tsv"},
    {"reader": "chembl", **_CHEMBL},
    {"reader": "open_targets_drugs", "path": "databases/known_drugs.parquet"},
    {"reader": "open_targets_tractability", "path": "databases/tractability.parquet"},
    {"reader": "dgidb_categories", "path": _R + "dgidb_categories.tsv"},
    {"reader": "druggable_genes", "path": _R + "gene_list.txt", "druggable_class": "listed"},
    {"reader": "essential_genes", "path": _R + "gene_list.txt"},
    {"reader": "non_essential_genes", "path": "data/known_targets.txt"},
)
HGNC: Final = "databases/hgnc.tsv"
WITHDRAWN: Final = _R + "withdrawn.txt"
TABLES: Final[dict[str, tuple[str, str]]] = {
    "deseq2": (
        '"","baseMean","log2FoldChange","lfcSE","stat","pvalue","padj"',
        '"{g}",9,{b},.5,{t},{p},{p}',
    ),
    "limma": ('"","logFC","AveExpr","t","P.Value","adj.P.Val","B"', '"{g}",{b},9,{t},{p},{p},0'),
    "edger": ('"","logFC","logCPM","F","PValue","FDR"', '"{g}",{b},9,{f},{p},{p}'),
    "summary": ("gene,beta,se,n", "{g},{b},.5,12"),
}


@dataclass(frozen=True)
class Case:
    """A command and the files that it reads, by name or pattern, below the folder of inputs."""

    arguments: tuple[str, ...]
    reads: tuple[str, ...]


def files_of(*groups: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """Name every file of some sources, once; a folder becomes a pattern of the files in it."""
    names = (
        str(value)
        for source in (s for group in groups for s in group)
        for value in source.values()
        if isinstance(value, str) and value.startswith(("databases/", "data/"))
    )
    return tuple(dict.fromkeys(n if Path(n).suffix else f"{n}/*" for n in names))


def cases() -> list[Case]:
    """List every command that reads files, with all files that it reads."""
    cohort = ("data/rna_counts.tsv", "data/protein_log2_ratio.tsv", "data/samples.tsv")
    graph = ("graph/graph.json", "graph/nodes-*.parquet", "graph/edges-*.parquet")
    run = ("finished/manifest.json", "finished/targets.tsv")
    kept = (*run, "finished/.stages/*/*", "finished/.stages/kept.json")
    made = ("--output", "made")
    found = [
        Case(("run", "run.toml"), ("run.toml", *cohort, "data/known_targets.txt")),
        Case(("run", "folder.toml"), (*graph, "folds.tsv", "features.tsv")),
        Case(("run", "tables.toml"), ("tables.toml", *(f"tables/{r}.csv" for r in TABLES))),
        Case(
            ("run", "run.toml", "--diseases", "diseases.tsv", *made),
            ("diseases.tsv", "data/known_targets.txt"),
        ),
        Case(("cohort", "check", "run.toml"), ("run.toml", *cohort)),
        Case(("cohort", "qc", "run.toml", "--html", "page.html"), ("run.toml", *cohort)),
        Case(("cohort", "summarise", "run.toml", *made), ("run.toml", *cohort)),
        Case(("cohort", "combine", "a.tsv", "b.tsv"), ("a.tsv", "b.tsv")),
        Case(("graph", "build", "run.toml", *made), ("run.toml",)),
        Case(("graph", "build", "folder.toml", *made), ("folder.toml", *graph)),
        Case(("graph", "audit", "run.toml"), ("run.toml", "data/known_targets.txt")),
        Case(
            ("graph", "show", "graph", "--html", "page.html", "--genes", "data/known_targets.txt"),
            (*graph, "data/known_targets.txt"),
        ),
        Case(
            ("graph", "fetch", "huri", "--from", "mirror", *made),
            ("mirror/HuRI.tsv", "mirror/aimwell.lock.json"),
        ),
        Case(("graph", "fetch", "--output", "mirror"), ("mirror/*.t*", "mirror/aimwell.lock.json")),
        Case(("explain", "finished", "EGFR", "--jobs", "1"), kept),
        Case(("compare", "finished", "EGFR", "MET", "--jobs", "1"), kept),
        Case(("modules", "finished", "--top", "2", "--output", "modules.tsv"), kept),
        Case(("view", "finished", "--port", "0"), kept),
        Case(
            ("audit", "finished", "--only", "leakage,bias,transfer,calibration,sanity"),
            (*kept, "data/controls.txt"),
        ),
        Case(
            ("reproduce", "finished", "--data", "data", "--output", "out", "--jobs", "1"),
            (*run, *cohort, "data/known_targets.txt"),
        ),
    ]
    for reader in formats():
        pattern = (f"formats/{reader}.*", f"formats/{reader}_genes.tsv", f"formats/{reader}/**/*")
        found.append(Case(("cohort", "check", f"formats/{reader}.toml"), pattern))
    if KNOWLEDGE.is_dir():
        databases = files_of(GRAPH_SOURCES, MAPPINGS, ({"hgnc": HGNC, "withdrawn": WITHDRAWN},))
        build = ("graph", "build", "databases.toml", *made)
        found += [
            Case(build, ("databases.toml", *databases)),
            Case(("graph", "audit", "databases.toml"), files_of(LABELS)),
            Case(("run", "drugs.toml"), files_of(DRUGS)),
        ]
    return found


CASES: Final = tuple(cases())


def lay_out(data: Path, sound: Path, *, finished: bool = True) -> int:
    """Make sound inputs of every case: run files, formats, graphs, lists, a finished run.

    Args:
        data: The files of a small simulated cohort.
        sound: The folder to fill.
        finished: With a finished run, and what is made from it.

    Returns:
        An exit status, for a process that does nothing else.
    """
    from aimwell.knowledge.sources.starter import read_starter_graph
    from aimwell.knowledge.store import write_graph
    from aimwell.pipeline import run

    shutil.copytree(data, sound / "data")
    graph = read_starter_graph()
    write_graph(graph, sound / "graph")
    genes = graph.nodes["gene"]
    genes = pd.DataFrame({"symbol": graph.symbols, "accession": genes["uniprot_ids"]})
    _write_lists(sound, genes)
    settings = small_settings(Path("data"), Path("out"))
    _write(sound / "run.toml", settings)
    folds = {"folds_by": "given", "folds_file": "../folds.tsv"}
    features = [{"name": "mine", "path": "../features.tsv"}]
    _write(
        sound / "folder.toml",
        settings
        | {"graph": {"folder": "../graph"}, "model": settings["model"] | folds}
        | {"cohort": settings["cohort"] | {"features": features}},
    )
    _write_tables(sound, settings, genes)
    _write_formats(sound, settings, genes)
    _write_mirror(sound / "mirror")
    if KNOWLEDGE.is_dir():
        _write_databases(sound, settings, graph.nodes["gene"])
    if not finished:
        return 0
    controls = {"positive_controls": "controls.txt", "other_targets": "controls.txt"}
    run(config_from(small_settings(sound / "data", sound / "finished") | {"audit": controls}))
    dealt = pd.read_csv(sound / "finished" / "folds.tsv", sep="\t")
    dealt = dealt.rename(columns={"hgnc_id": "gene"})[["gene", "fold"]]
    dealt.to_csv(sound / "folds.tsv", sep="\t", index=False)
    return 0


def _write(path: Path, settings: dict[str, Any]) -> None:
    path.write_text(to_toml(settings), encoding="utf-8")


def _write_lists(sound: Path, genes: pd.DataFrame) -> None:
    """Write what has one line per gene: features, controls, summaries, diseases."""
    symbols = genes["symbol"].tolist()
    (sound / "data" / "controls.txt").write_text("\n".join(symbols[::40]) + "\n", encoding="utf-8")
    rows = "".join(f"{s}\t{i % 7}\t{i / 3:.3f}\n" for i, s in enumerate(symbols))
    (sound / "features.tsv").write_text(f"gene\tone\ttwo\n{rows}", encoding="utf-8")
    rows = "".join(f"{s}\t{i / 7:.3f}\t{0.1 + i % 5}\n" for i, s in enumerate(symbols[:40]))
    for name in ("a.tsv", "b.tsv"):
        (sound / name).write_text(f"gene\tlog2_fold_change\tse\n{rows}", encoding="utf-8")
    lines = "disease\tpath\nfirst\tknown_targets.txt\nsecond\tknown_targets.txt\n"
    (sound / "diseases.tsv").write_text(lines, encoding="utf-8")


def _write_tables(sound: Path, settings: dict[str, Any], genes: pd.DataFrame) -> None:
    """Write finished results as four programs do, and a run file that takes them."""
    (sound / "tables").mkdir()
    listed = []
    for number, (reader, (header, line)) in enumerate(TABLES.items()):
        effects = [(i * (number + 3)) % 17 / 8 - 1 for i in range(len(genes))]
        rows = [
            line.format(g=g, b=b, t=2 * b, f=4 * b * b, p=math.erfc(abs(2 * b) / math.sqrt(2)))
            for g, b in zip(genes["symbol"], effects, strict=True)
        ]
        text = "\n".join([header, *rows]) + "\n"
        (sound / "tables" / f"{reader}.csv").write_text(text, encoding="utf-8")
        path = f"../tables/{reader}.csv"
        listed.append({"name": reader, "path": path, "kind": "rna", "reader": reader})
    bare = {k: v for k, v in settings.items() if k != "contrasts"}
    _write(sound / "tables.toml", bare | {"cohort": {"tables": listed}})


def _write_formats(sound: Path, settings: dict[str, Any], genes: pd.DataFrame) -> None:
    """Write the RNA of the cohort as every program does, each with a run file of its own."""
    table = pd.read_csv(sound / "data" / "rna_counts.tsv", sep="\t", index_col=0)
    named = genes[genes["accession"] != ""].drop_duplicates("accession").set_index("symbol")
    shared = [s for s in table.index if s in named.index][:GENES]
    counts = table.loc[shared]
    folder = sound / "formats"
    for reader in formats():
        rows = named.loc[shared].reset_index()
        said = write_format(folder, reader, counts.reset_index(drop=True), rows)
        kind = "protein" if reader in PROTEIN_READERS else "rna"
        matrix = {"reader": reader, "layer": "layer", "kind": kind}
        sheet = "samples.tsv"
        if reader == "proteome_discoverer":  # which says of each sample in which file it was
            sheet = "proteome_discoverer.tsv"
            rows = pd.read_csv(sound / "data" / "samples.tsv", sep="\t").set_index("sample")
            rows = rows.loc[counts.columns].reset_index()
            rows["sample"] = [f"F{i}: {s}, Sample" for i, s in enumerate(rows["sample"], 1)]
            rows.to_csv(sound / "data" / sheet, sep="\t", index=False)
        arms = settings["contrasts"][0] | {"name": "arms", "layer": "layer"}
        one = {
            "run": settings["run"] | {"data": "."},
            "cohort": {"matrices": [matrix | said], "sheet": {"path": f"../data/{sheet}"}},
            "contrasts": [arms],
        }
        _write(folder / f"{reader}.toml", settings | one)


def _write_mirror(folder: Path) -> None:
    """Write a folder of databases as fetching leaves it, locked."""
    from aimwell.knowledge.catalog import read_catalog
    from aimwell.knowledge.fetch import Origin, fetch_databases

    folder.mkdir()
    catalog = read_catalog()
    pairs = "".join(f"ENSG{i:011d}\tENSG{i + 1:011d}\n" for i in range(50)).encode()
    for name in ("huri", "hippie"):
        file = folder / catalog[name].file
        file.write_bytes(gzip.compress(pairs) if file.suffix == ".gz" else pairs)
    fetch_databases(["huri", "hippie"], folder, catalog, _Silent(), origin=Origin(folder))


class _Silent(Silent):
    def note(self, line: str) -> None:
        """Say nothing."""


def _write_databases(sound: Path, settings: dict[str, Any], genes: pd.DataFrame) -> None:
    """Copy small files of every database, write those in Parquet, and run files of all."""
    folder = sound / "databases"
    shutil.copytree(KNOWLEDGE, folder)
    small = pd.read_csv(folder / "hgnc_small.tsv", sep="\t", dtype=str, keep_default_na=False)
    more = genes.reset_index().reindex(columns=small.columns, fill_value="")
    more = more[~more["symbol"].isin(small["symbol"])].assign(
        locus_group="protein-coding gene", locus_type="gene with protein product", status="Approved"
    )
    every_gene = pd.concat([small, more.astype(str)]).drop_duplicates("hgnc_id")
    every_gene.to_csv(sound / HGNC, sep="\t", index=False)
    _write_parquet(folder)
    with (sound / _R / "pharmacotherapydb.tsv").open("a", encoding="utf-8") as stream:
        stream.write("DOID:1\tDB2\tcancer\tlapatinib\tDM\t1\n")
    gold = sound / _R / "gold_standards.tsv"
    text = gold.read_text(encoding="utf-8")
    gold.write_text(text.replace("ENSG1\t", "ENSG00000141510\t"), encoding="utf-8")
    (folder / "biocypher").mkdir()
    for name, text in BIOCYPHER.items():
        (folder / "biocypher" / name).write_text(text, encoding="utf-8")
    here = settings["run"] | {"data": "."}
    names = {"hgnc": HGNC, "withdrawn": WITHDRAWN, "min_mapped": 0.01}
    sizes = {"min_set_size": 1, "min_complex_size": 1}
    cohort = settings["cohort"]
    files = [m | {"path": f"data/{m['path']}"} for m in cohort["matrices"]]
    every = settings | {
        "run": here,
        "cohort": {"matrices": files, "sheet": {"path": "data/samples.tsv"}},
        "known_targets": {"sources": [{"reader": "genes", "path": "data/known_targets.txt"}]},
    }
    _write(sound / "drugs.toml", every | {"drugs": {"sources": [*DRUGS]}})
    _write(
        sound / "databases.toml",
        every
        | {"identifiers": names | {"mappings": [*MAPPINGS]}}
        | {"graph": sizes | {"sources": [*GRAPH_SOURCES]}}
        | {"known_targets": {"sources": [*LABELS]}},
    )


BIOCYPHER: Final = {
    "Protein-header.csv": ":ID;name;:LABEL\n",
    "Protein-part000.csv": '"uniprot:P04637";"p53";"Protein"\n"uniprot:Q00987";"mdm2";"Protein"\n',
    "Pathway-header.csv": ":ID;name;:LABEL\n",
    "Pathway-part000.csv": '"R-HSA-1";"Signaling";"Pathway"\n',
    "Edges-header.csv": ":START_ID;:END_ID;:TYPE\n",
    "Edges-part000.csv": '"uniprot:P04637";"uniprot:Q00987";"INTERACTS_WITH"\n'
    '"uniprot:P04637";"R-HSA-1";"TAKES_PART"\n',
}


def _write_parquet(folder: Path) -> None:
    """Write the data sets of Open Targets and OptimusKG, a row or two each."""
    gene, other, disease = "ENSG00000141510", "ENSG00000135679", "EFO_1"
    buckets = [{"modality": "SM", "id": "Approved Drug", "value": True}]
    drug = {"drugId": "CHEMBL1", "prefName": "NUTLIN", "status": "Completed", "phase": 4.0}
    frames: dict[str, list[dict[str, Any]]] = {
        "known_drugs": [{**drug, "targetId": gene, "diseaseId": disease, "label": "cancer"}],
        "associations": [{"diseaseId": disease, "targetId": gene, "score": 0.7}],
        "diseases": [{"id": disease, "name": "cancer"}],
        "tractability": [{"id": gene, "tractability": buckets}],
        "optimus_nodes": [
            {"id": gene, "label": "GEN", "properties": '{"symbol": "TP53"}'},
            {"id": other, "label": "GEN", "properties": ""},
        ],
        "optimus_edges": [{"from": gene, "to": other, "relation": "INTERACTS_WITH"}],
    }
    for name, rows in frames.items():
        pd.DataFrame(rows).to_parquet(folder / f"{name}.parquet")
