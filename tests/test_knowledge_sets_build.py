"""Sets of all kinds and priors enter the graph, each by its name; labels come from drugs."""

import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aimwell import config as settings
from aimwell.config import LABEL_READERS, MAPPING_READERS, RunConfig, config_from
from aimwell.errors import ConfigError, LabelError
from aimwell.knowledge import identifier_sources, label_sources, prior_sources, set_sources
from aimwell.knowledge.build import build_graph, build_known_targets, identifier_table
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.store import read_graph, write_graph

SMALL = Path(__file__).parent / "data" / "knowledge" / "hgnc_small.tsv"
FILES = {
    "corum.txt": [
        "ComplexID\tComplexName\tOrganism\tsubunits(UniProt IDs)\tPubMed ID",
        "1\tp53-MDM2\tHuman\tP04637;Q00987\t11",
        "2\tAlone\tHuman\tP04637\t12",
        "3\tRepair\tHuman\tP38398;Q00987;P04626\t13",
    ],
    "own.gmt": ["Growth\tx\tTP53\tERBB2\tVEGFA", "Lung cancer\tx\tTP53\tERBB2\tVEGFA"],
    "reactome.gmt": ["Repair\tR-HSA-1\tTP53\tBRCA1\tMDM2"],
    "u2r.txt": [
        f"{key}\tR-HSA-1\thttps://x\tRepair\tTAS\tHomo sapiens" for key in ("P04637", "P04626")
    ]
    + ["P38398\tR-HSA-1\thttps://x\tRepair\tIEA\tHomo sapiens"],
    "famplex.csv": [f"HGNC,{gene},isa,FPLX,Guard" for gene in ("TP53", "BRCA1", "MDM2")],
    "go.tsv": [
        "go_id\tgo_name\tgo_domain\ttax_id\tgene_ids",
        "GO:0000002\tapoptosis\tbiological_process\t9606\t7157|4193",
        "GO:0000003\tactivity\tmolecular_function\t9606\t672",
    ],
    "go.obo": [
        "format-version: 1.4\n\n[Term]\nid: GO:0000002\nname: apoptosis\nnamespace: "
        "biological_process\n\n[Term]\nid: GO:0000003\nname: activity\nnamespace: "
        "molecular_function\nrelationship: part_of GO:0000002 ! apoptosis"
    ],
    "hetionet.sif": [
        "source\tmetaedge\ttarget",
        "Gene::7157\tGiG\tGene::4193",
        "Compound::DB1\tCbG\tGene::672",
        "Gene::672\tGr>G\tGene::7157",
    ],
}
HEADERS = ("corum.txt", "go.tsv", "hetionet.sif")


def write_files(folder: Path, seed: int = 0) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "hgnc.tsv").write_text(SMALL.read_text())
    for name, lines in FILES.items():
        first = 1 if name in HEADERS else 0
        rows = lines[first:]
        random.Random(seed).shuffle(rows) if seed else None
        (folder / name).write_text("\n".join([*lines[:first], *rows]) + "\n")
    return folder


def make_config(folder: Path, sources: list[dict[str, Any]], **more: Any) -> RunConfig:
    matrix = {"path": "m", "layer": "rna", "kind": "rna", "unit": "log2"}
    contrast = {"name": "c", "layer": "rna", "condition": "x", "case": "a", "control": "b"}
    genes = {"sources": [{"reader": "genes", "genes": ["TP53"]}]}
    return config_from(
        {
            "run": {"title": "t", "output": "out", "data": str(folder)},
            "identifiers": {"hgnc": "hgnc.tsv", **more.get("identifiers", {})},
            "graph": {"sources": sources, "min_set_size": 3},
            "cohort": {"matrices": [matrix], "sheet": {"path": "s"}},
            "contrasts": [contrast],
            "known_targets": more.get("known_targets", genes),
        }
    )


ALL = [
    {"reader": "corum", "path": "corum.txt", "licence": "CC BY-NC 4.0"},
    {"reader": "gmt", "path": "own.gmt", "name": "Lab sets"},
    {"reader": "reactome", "path": "reactome.gmt"},
    {"reader": "reactome_mapping", "path": "u2r.txt", "name": "Reactome TAS"},
    {"reader": "famplex", "path": "famplex.csv"},
    {"reader": "go", "path": "go.tsv", "hierarchy": "go.obo"},
    {"reader": "hetionet", "path": "hetionet.sif"},
]


def rows(graph: TargetGraph, relation: str) -> list[tuple[str, str, str]]:
    edges = graph.relations[relation].edges
    symbol = graph.symbols
    columns = (edges[c] for c in ("source_id", "target_id", "evidence"))
    return [(symbol.get(a, a), b, evidence) for a, b, evidence in zip(*columns, strict=True)]


@pytest.fixture
def graph(tmp_path: Path) -> TargetGraph:
    return build_graph(make_config(write_files(tmp_path / "data"), ALL))


def test_complexes_become_nodes_with_subunits_and_publications(graph: TargetGraph) -> None:
    assert graph.nodes["complex"]["name"].to_dict() == {"CORUM:1": "p53-MDM2", "CORUM:3": "Repair"}
    assert sorted(rows(graph, "subunit_of")) == [
        ("BRCA1", "CORUM:3", "CORUM"),
        ("ERBB2", "CORUM:3", "CORUM"),
        ("MDM2", "CORUM:1", "CORUM"),
        ("MDM2", "CORUM:3", "CORUM"),
        ("TP53", "CORUM:1", "CORUM"),
    ]
    assert set(graph.relations["subunit_of"].edges["detail"]) == {"PMID:11", "PMID:13"}


def test_a_membership_of_two_files_names_both_databases(graph: TargetGraph) -> None:
    found = {(gene, key): evidence for gene, key, evidence in rows(graph, "member_of")}
    assert found["TP53", "R-HSA-1"] == "Reactome|Reactome TAS"
    assert found["ERBB2", "R-HSA-1"] == "Reactome TAS"
    assert found["TP53", "Lab sets:Growth"] == "Lab sets"
    assert not any("cancer" in key for _, key in found)


def test_families_and_terms_are_kinds_of_their_own(graph: TargetGraph) -> None:
    assert [r[0] for r in rows(graph, "belongs_to")] == ["BRCA1", "TP53", "MDM2"]
    assert {r[1:] for r in rows(graph, "annotated_with")} == {("GO:0000002", "Gene Ontology")}
    assert sorted(r[0] for r in rows(graph, "annotated_with")) == ["BRCA1", "MDM2", "TP53"]
    assert graph.nodes["term"]["name"].to_dict() == {"GO:0000002": "apoptosis"}


def test_a_prior_gives_edges_between_genes_and_says_what_it_left_out(graph: TargetGraph) -> None:
    assert [r[2] for r in rows(graph, "interacts")] == ["Hetionet"]
    assert [r[:2] for r in rows(graph, "regulates")] == [("BRCA1", "HGNC:11998")]
    step = next(s for s in graph.steps if "without edges of drugs" in s.name)
    assert (step.rows_in, step.rows_out) == (3, 2)


def test_the_graph_is_the_same_from_shuffled_rows_and_sources(
    tmp_path: Path, graph: TargetGraph
) -> None:
    other = build_graph(make_config(write_files(tmp_path / "other", seed=7), ALL[::-1]))
    for folder, one in (("a", graph), ("b", other)):
        write_graph(one, tmp_path / folder)
    for path in sorted((tmp_path / "a").glob("*.parquet")):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name
    again = read_graph(tmp_path / "a")
    assert {n: len(r.edges) for n, r in again.relations.items()} == {
        n: len(r.edges) for n, r in graph.relations.items()
    }


def test_every_reader_that_the_run_file_may_name_exists() -> None:
    assert set(settings.SET_READERS) == set(set_sources.SET_READERS)
    assert set(settings.PRIOR_READERS) == set(prior_sources.PRIOR_NAMES)
    assert set(MAPPING_READERS) == set(identifier_sources.MAPPING_READERS)
    assert set(LABEL_READERS) == set(label_sources.LABEL_NAMES) == set(label_sources._READERS)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("graph", {"reader": "corun", "path": "x"}, "graph.sources.reader = 'corun' .* 'corum'"),
        ("mappings", {"reader": "uniprott", "path": "x"}, "mappings.reader = .* 'uniprot'"),
        ("labels", {"reader": "chembel", "path": "x"}, "sources.reader = 'chembel' .* 'chembl'"),
    ],
)
def test_a_misspelt_reader_is_refused_with_the_nearest(
    tmp_path: Path, key: str, value: dict[str, Any], message: str
) -> None:
    source = [value] if key == "graph" else [{"reader": "biogrid", "path": "x"}]
    more = {"identifiers": {"mappings": [value]}} if key == "mappings" else {}
    more |= {"known_targets": {"sources": [value]}} if key == "labels" else {}
    with pytest.raises(ConfigError, match=message):
        make_config(tmp_path, source, **more)


def test_mapping_files_of_the_run_file_are_sources_and_resolve(tmp_path: Path) -> None:
    folder = write_files(tmp_path / "data")
    (folder / "map.dat").write_text("P04637\tSTRING\t9606.ENSP00000269305\n")
    (folder / "own.gmt").write_text("Growth\tx\t9606.ENSP00000269305\tERBB2\tVEGFA\n")
    mapping = {"reader": "uniprot", "path": "map.dat", "release": "2024_05", "licence": "CC BY 4.0"}
    config = make_config(folder, ALL[1:2], identifiers={"mappings": [mapping]})
    graph = build_graph(config)
    assert "TP53" in set(graph.symbols)
    source = next(s for s in graph.sources if s.name == "UniProt id mapping")
    assert (source.release, source.licence, len(source.sha256)) == ("2024_05", "CC BY 4.0", 64)


def test_a_failing_online_helper_fails_no_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Broken:
        def querymany(self, qterms: list[str], **options: Any) -> list[dict[str, Any]]:
            raise TimeoutError("the service does not answer")

    folder = write_files(tmp_path / "data")
    (folder / "own.gmt").write_text("Growth\tx\tNOSUCHGENE1\tTP53\tERBB2\tVEGFA\n")
    monkeypatch.setattr("aimwell.knowledge.sources.mygene_online._mygene", Broken)
    config = make_config(folder, ALL[1:2], identifiers={"online": True})
    graph = build_graph(config)
    step = next(s for s in graph.steps if s.name.startswith("mygene.info"))
    assert "TimeoutError" in step.why
    assert sorted(graph.symbols) == ["ERBB2", "TP53", "VEGFA"]


def write_labels(folder: Path) -> Path:
    write_files(folder)
    (folder / "indications.tsv").write_text(
        "doid_id\tdrugbank_id\tdisease\tdrug\tcategory\nD\tB\tbreast cancer\tlapatinib\tDM\n"
    )
    (folder / "dgidb.tsv").write_text(
        "gene_name\tgene_claim_name\tinteraction_claim_source\tinteraction_types\tdrug_name\t"
        "drug_claim_name\nERBB2\tHER2\tTTD\tinhibitor\tLAPATINIB\tx\nTP53\tp53\tTTD\tx\tOTHER\tx\n"
    )
    (folder / "categories.tsv").write_text(
        "entrez_gene_symbol\tgene_long_name\tcategory_sources\tcategory\nTP53\tx\tGO\tKINASE\n"
    )
    (folder / "mechanisms.csv").write_text(
        "Parent Molecule ChEMBL ID;Parent Molecule Name;Mechanism of Action;Action Type;"
        "Target ChEMBL ID;Target Organism\nCHEMBL1;LAPATINIB;x;INHIBITOR;CHEMBL5;Homo sapiens\n"
    )
    (folder / "targets.txt").write_text("# map\nP04626\tCHEMBL5\tx\tSINGLE PROTEIN\n")
    (folder / "phases.csv").write_text(
        "Parent Molecule ChEMBL ID;MESH Heading;EFO Terms;Max Phase for Indication\n"
        "CHEMBL1;Breast Neoplasms;breast cancer;4\n"
    )
    drug = {"drugId": "C", "targetId": "ENSG00000141510", "diseaseId": "E", "prefName": "x"}
    drugs = pd.DataFrame([drug | {"phase": 4.0, "label": "breast cancer"}])
    drugs.to_parquet(folder / "known.parquet")
    scores = pd.DataFrame(
        [("E", "ENSG00000141510", 0.75), ("E", "ENSG00000135679", 0.25)],
        columns=["diseaseId", "targetId", "score"],
    )
    scores.to_parquet(folder / "scores.parquet")
    pd.DataFrame([("E", "breast cancer")], columns=["id", "name"]).to_parquet(
        folder / "diseases.parquet"
    )
    (folder / "associations.tsv").write_text(
        "doid_id\tdoid_name\tentrez_gene_id\tgene_symbol\tsources\tlicense\n"
        "D\tbreast cancer\t672\tUNKNOWN9\tx\tCC0\n"
    )
    head = ["gold_standard_info.gene_id", "gold_standard_info.highest_confidence"]
    head += ["metadata.date_added", "trait_info.standard_trait_name"]
    head += ["trait_info.reported_trait_name"]
    gold = ["ENSG00000141510\tHigh\t2019-07-29\tbreast cancer\tx"]
    gold += ["ENSG00000141510\tHigh\t2018-01-02\tbreast cancer\ty"]
    gold += ["ENSG00000135679\tLow\t2019-07-29\tbreast cancer\tx"]
    (folder / "gold.tsv").write_text("\n".join(["\t".join(head), *gold]) + "\n")
    return folder


LABELS: list[tuple[dict[str, Any], str, str]] = [
    ({"reader": "dgidb", "path": "dgidb.tsv", "indications": "indications.tsv"}, "ERBB2", "1.0"),
    ({"reader": "dgidb_categories", "path": "categories.tsv", "category": "KINASE"}, "TP53", "1.0"),
    (
        {
            "reader": "chembl",
            "path": "mechanisms.csv",
            "targets": "targets.txt",
            "indications": "phases.csv",
        },
        "ERBB2",
        "1.0",
    ),
    ({"reader": "open_targets_drugs", "path": "known.parquet"}, "TP53", "1.0"),
    (
        {
            "reader": "open_targets_associations",
            "path": "scores.parquet",
            "indications": "diseases.parquet",
        },
        "TP53",
        "0.75",
    ),
    ({"reader": "open_targets_gold_standards", "path": "gold.tsv"}, "TP53", "1.0"),
    ({"reader": "hetionet_associations", "path": "associations.tsv"}, "BRCA1", "1.0"),
]


def known(folder: Path, source: dict[str, Any]) -> pd.DataFrame:
    labels = {"sources": [{"disease_pattern": "breast", **source}]}
    config = make_config(folder, ALL, known_targets=labels)
    graph = build_graph(config)
    table = identifier_table(config, graph)
    found = build_known_targets(config.known_targets.sources, config, table).table
    return found.assign(symbol=[graph.symbols.get(g, g) for g in found["gene"]])


@pytest.mark.parametrize(("source", "symbol", "strength"), LABELS)
def test_labels_of_every_database_become_known_targets(
    tmp_path: Path, source: dict[str, Any], symbol: str, strength: str
) -> None:
    table = known(write_labels(tmp_path / "data"), source)
    assert table["symbol"].tolist() == [symbol]
    assert table["strength"].astype(str).tolist() == [strength]


def test_the_earliest_date_of_a_label_is_kept(tmp_path: Path) -> None:
    table = known(write_labels(tmp_path / "data"), LABELS[5][0])
    assert table["date"].tolist() == ["2018-01-02"]


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        (LABELS[1][0] | {"category": "DM"}, LabelError, "no category 'DM'; it has 'KINASE'"),
        (LABELS[2][0] | {"targets": ""}, ConfigError, "'chembl' needs 'targets'"),
        (LABELS[3][0] | {"disease_pattern": "gout"}, LabelError, "nothing matches disease_pattern"),
        (LABELS[4][0] | {"disease_pattern": "gout"}, LabelError, "nothing matches"),
        (LABELS[0][0] | {"indications": ""}, ConfigError, "'dgidb' needs 'indications'"),
        ({"reader": "open_targets_drugs"}, ConfigError, "needs 'path', the file"),
    ],
)
def test_faults_of_labels_are_named(
    tmp_path: Path, source: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        known(write_labels(tmp_path / "data"), source)
    assert "\n" not in str(caught.value)
