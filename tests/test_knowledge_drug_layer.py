"""The drug layer: what acts on genes, which way, how far it has come, and who says so."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aimwell.config import RunConfig, config_from
from aimwell.errors import ConfigError, IdentifierError, InputError, LabelError
from aimwell.knowledge.drug_actions import direction_of, match_of, status_of
from aimwell.knowledge.drugs import DRUG_COLUMNS, DrugLayer, build_drug_layer
from aimwell.knowledge.graph import GENE, GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.repurposing import linked_drugs
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.starter import read_starter_drugs, read_starter_graph
from aimwell.provenance import Source

HERE = Path(__file__).parent
SMALL = HERE / "data" / "knowledge" / "hgnc_small.tsv"
TP53, MDM2, ERBB2, BRCA1 = "HGNC:11998", "HGNC:6973", "HGNC:3430", "HGNC:1100"
DRUGCENTRAL = (
    "DRUG_NAME\tACCESSION\tGENE\tTDL\tMOA\tACTION_TYPE\tORGANISM\n"
    "lapatinib\tP04626\tERBB2\tTclin\t1\tINHIBITOR\tHomo sapiens\n"
    "nutlin\tQ00987\tNOSUCH\tTchem\t1\tANTAGONIST\tHomo sapiens\n"
    "screened\tP04637\tTP53\tTchem\t\tINHIBITOR\tHomo sapiens\n"
)
HUB = (
    "!Restrictions\tnon-commercial\n"
    "pert_iname\tclinical_phase\tmoa\ttarget\tdisease_area\tindication\n"
    "Lapatinib\tPhase 3\tEGFR inhibitor\tERBB2|TP53\toncology\tbreast cancer\n"
    "oldone\tWithdrawn\tTP53 agonist|TP53 antagonist\tTP53\toncology\tcolon cancer|gout\n"
    "early\tPreclinical\tMDM2 inhibitor\tMDM2\t\t\n"
    "bare\tLaunched\tx\t\t\t\n"
)
INDICATIONS = (
    "doid_id\tdrugbank_id\tdisease\tdrug\tcategory\n"
    "DOID:1\tDB1\tcolon cancer\tLapatinib\tDM\nDOID:2\tDB1\tpain\tlapatinib\tSYM\n"
)
CATEGORIES = (
    "name\tname-2\tsource_db_name\nERBB2\tKINASE\tX\nERBB2\tCELL SURFACE\tY\nNULLGENE\tKINASE\tX\n"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    files = {
        "drugcentral.tsv": DRUGCENTRAL,
        "hub.txt": HUB,
        "indications.tsv": INDICATIONS,
        "categories.tsv": CATEGORIES,
        "essential.txt": "TP53\nBRCA1\n",
        "non-essential.txt": "ERBB2\nBRCA1\n",
        "kinases.txt": "ERBB2\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="latin-1")
    return tmp_path


def make_config(folder: Path, *sources: dict[str, Any], **more: Any) -> RunConfig:
    return config_from(
        {
            "run": {"title": "t", "output": "out", "data": str(folder)},
            "identifiers": {"hgnc": str(SMALL)},
            "graph": {"folder": "unused", "licence": more.pop("licence", "any")},
            "cohort": {"tables": [{"name": "t", "path": "p", "kind": "rna", "reader": "limma"}]},
            "known_targets": {"sources": [{"reader": "genes", "genes": ["TP53"]}]},
            "drugs": {"sources": list(sources), **more},
        }
    )


def small_graph() -> TargetGraph:
    loci = read_hgnc(SMALL).loc[sorted([TP53, MDM2, ERBB2, BRCA1])]
    genes = loci.assign(family="")[list(GENE_COLUMNS)]
    ends = {"source_id": [TP53], "target_id": [MDM2], "weight": [1.0], "evidence": ["x"]}
    edges = pd.DataFrame({**ends, "literature": [False], "clinical": [False]})
    return TargetGraph({GENE: genes}, {"induces": Relation("induces", GENE, GENE, edges)})


def build(config: RunConfig, known: tuple[KnownTargets, ...] = ()) -> DrugLayer:
    table = IdentifierTable.from_hgnc(read_hgnc(SMALL))
    return build_drug_layer(config, table, small_graph(), known)


CENTRAL = {"reader": "drugcentral", "path": "drugcentral.tsv", "licence": "CC-BY-SA-4.0"}
REHUB = {"reader": "repurposing_hub", "path": "hub.txt", "licence": "non-commercial"}


def test_a_drug_of_several_sources_is_one_row_that_names_them_all(folder: Path) -> None:
    central = {**CENTRAL, "indications": "indications.tsv"}
    layer = build(make_config(folder, central, REHUB, disease_pattern="colon"))
    assert tuple(layer.table.columns) == DRUG_COLUMNS
    rows = layer.table.set_index(["gene", "drug"])
    both = rows.loc[(ERBB2, "Lapatinib")]
    assert both["action"] == "EGFR inhibitor|inhibitor"
    assert (both["direction"], both["phase"], both["status"]) == ("inhibits", 4.0, "approved")
    assert (both["indication"], both["indicated"]) == ("breast cancer|colon cancer", "yes")
    assert both["source"] == "Drug Repurposing Hub|DrugCentral"
    assert both["licence"] == "CC-BY-SA-4.0; non-commercial"
    alone = rows.loc[(TP53, "Lapatinib")]
    assert (alone["phase"], alone["status"], alone["indicated"]) == (3.0, "in trials", "no")
    # binding without a mechanism is no drug for a gene; a symbol nobody knows goes by its accession
    assert (TP53, "screened") not in rows.index
    assert rows.loc[(MDM2, "nutlin"), "source"] == "DrugCentral"


def test_what_was_withdrawn_or_contradicts_itself_says_so(folder: Path) -> None:
    layer = build(make_config(folder, REHUB, disease_pattern="gout"))
    old = layer.table.set_index("drug").loc["oldone"]
    assert (old["status"], old["phase"], old["direction"]) == ("withdrawn", 4.0, "unknown")
    assert old["indicated"] == "yes"
    early = layer.table.set_index("drug").loc["early"]
    assert (early["status"], early["phase"], early["indicated"]) == ("preclinical", 0.0, "unknown")


def test_genes_are_approved_in_trials_or_novel_by_the_drugs_that_people_take(folder: Path) -> None:
    layer = build(make_config(folder, CENTRAL, REHUB))
    assert layer.genes["status"].to_dict() == {
        TP53: "approved",  # once, and withdrawn
        MDM2: "approved",
        ERBB2: "approved",
        BRCA1: "novel",
    }
    hub = build(make_config(folder, REHUB)).genes["status"]
    assert (hub[ERBB2], hub[MDM2]) == ("in trials", "novel")
    assert layer.names()[TP53] == ["oldone", "Lapatinib"]
    assert MDM2 not in build(make_config(folder, REHUB)).names()


def test_mechanisms_of_chembl_come_with_their_phase_and_indications(folder: Path) -> None:
    (folder / "mechanisms.csv").write_text(
        '"Parent Molecule ChEMBL ID";"Parent Molecule Name";"Max Phase";"Mechanism of Action";'
        '"Action Type";"Target ChEMBL ID";"Target Organism"\n'
        '"CHEMBL1";"LAPATINIB";"4";"ErbB-2 inhibitor";"INHIBITOR";"CHEMBL1824";"Homo sapiens"\n'
        '"CHEMBL2";"TRIED";"-1";"p53 activator";"";"CHEMBL4096";"Homo sapiens"\n'
    )
    (folder / "map.txt").write_text(
        "# x\nP04626\tCHEMBL1824\terbB-2\tSINGLE PROTEIN\nP04637\tCHEMBL4096\tp53\tSINGLE\n"
    )
    (folder / "for.csv").write_text(
        '"Parent Molecule ChEMBL ID";"MESH Heading";"EFO Terms";"Max Phase for Indication"\n'
        '"CHEMBL1";"Colonic Neoplasms";"colon carcinoma";"2"\n"CHEMBL2";"Gout";"";"1"\n'
    )
    source = {"reader": "chembl", "path": "mechanisms.csv", "targets": "map.txt"}
    rows = build(make_config(folder, source)).table.set_index("drug")
    assert rows.loc["LAPATINIB", ["phase", "status", "direction", "mechanism"]].tolist() == [
        4.0,
        "approved",
        "inhibits",
        "ErbB-2 inhibitor",
    ]
    assert rows.loc["TRIED", ["status", "direction"]].tolist() == ["unknown", "activates"]
    told = make_config(folder, {**source, "indications": "for.csv"}, disease_pattern="colon")
    rows = build(told).table.set_index("drug")
    assert rows.loc["LAPATINIB", ["phase", "indication", "indicated"]].tolist() == [
        4.0,
        "Colonic Neoplasms|colon carcinoma",
        "yes",
    ]
    assert rows.loc["TRIED", ["phase", "status", "indicated"]].tolist() == [1.0, "in trials", "no"]


def test_drugs_and_tractability_of_open_targets_join_by_ensembl_gene(folder: Path) -> None:
    erbb2 = "ENSG00000141736"
    drug = {"drugId": "CHEMBL1", "targetId": erbb2, "prefName": "LAPATINIB", "label": "gout"}
    said = {"phase": 3.0, "status": "Withdrawn", "mechanismOfAction": "ErbB-2 inhibitor"}
    pd.DataFrame([{**drug, "diseaseId": "EFO_1", **said}]).to_parquet(folder / "drugs.parquet")
    buckets = [
        {"modality": "SM", "id": "Approved Drug", "value": True},
        {"modality": "AB", "id": "Clinical", "value": True},
    ]
    targets = pd.DataFrame({"id": [erbb2], "tractability": [buckets]})
    targets.to_parquet(folder / "targets.parquet")
    layer = build(
        make_config(
            folder,
            {"reader": "open_targets_drugs", "path": "drugs.parquet", "licence": "CC0-1.0"},
            {"reader": "open_targets_tractability", "path": "targets.parquet"},
        )
    )
    row = layer.table.iloc[0]
    # a withdrawn trial is no withdrawn drug
    assert (row["gene"], row["phase"], row["status"]) == (ERBB2, 3.0, "in trials")
    assert (row["direction"], row["indication"]) == ("inhibits", "gout")
    assert (
        layer.genes.loc[ERBB2, "tractability"] == "antibody: Clinical|small molecule: Approved Drug"
    )


def test_dgidb_says_of_new_releases_which_drugs_are_approved(folder: Path) -> None:
    (folder / "dgidb.tsv").write_text(
        "gene_claim_name\tgene_name\tinteraction_source_db_name\tinteraction_type\t"
        "drug_claim_name\tdrug_name\tapproved\n"
        "HER2\tERBB2\tTTD\tinhibitor\tlap\tLAPATINIB\tTRUE\n"
        "HER2\tERBB2\tTTD\tinhibitor\tx|y\tNULL\tFALSE\n"
    )
    layer = build(make_config(folder, {"reader": "dgidb", "path": "dgidb.tsv"}))
    assert layer.table.set_index("drug")["status"].to_dict() == {
        "LAPATINIB": "approved",
        "x/y": "unknown",
    }


def test_without_a_source_of_drugs_no_gene_is_called_novel(folder: Path) -> None:
    layer = build(make_config(folder, {"reader": "essential_genes", "path": "essential.txt"}))
    assert set(layer.genes["status"]) == {""}
    assert layer.table.empty
    assert layer.table["phase"].dtype == float


def test_what_else_is_known_of_a_gene_stands_beside_it(folder: Path) -> None:
    layer = build(
        make_config(
            folder,
            {"reader": "dgidb_categories", "path": "categories.tsv"},
            {"reader": "druggable_genes", "path": "kinases.txt", "druggable_class": "on my list"},
            {"reader": "essential_genes", "path": "essential.txt"},
            {"reader": "non_essential_genes", "path": "non-essential.txt"},
        )
    )
    assert layer.genes.loc[ERBB2, "druggable_class"] == "cell surface|kinase|on my list"
    # BRCA1 is on both lists, so that neither counts
    assert layer.genes["essential"].to_dict() == {
        TP53: "essential",
        MDM2: "",
        ERBB2: "non-essential",
        BRCA1: "",
    }


def test_drugs_that_only_the_known_targets_name_are_rows_of_unknown_action(folder: Path) -> None:
    labels = pd.DataFrame(
        {"gene": [ERBB2, BRCA1], "disease": "d", "source": "DGIdb", "date": "", "strength": 1.0}
        | {"detail": ["LAPATINIB|other", ""]}
    )
    layer = build(make_config(folder, CENTRAL), (KnownTargets(labels),))
    rows = layer.table.set_index("drug")
    assert "LAPATINIB" not in rows.index
    assert rows.loc["other", ["direction", "status", "source"]].tolist() == [
        "unknown",
        "unknown",
        "DGIdb",
    ]
    assert layer.steps[-1].rows_out == 1


def test_the_licence_filter_leaves_out_sources_and_their_rows(folder: Path) -> None:
    config = make_config(folder, CENTRAL, REHUB, licence="commercial")
    layer = build(config)
    assert set(layer.table["licence"]) == {"CC-BY-SA-4.0"}
    assert [s.name for s in layer.sources] == ["DrugCentral"]
    why = [s.why for s in layer.steps if s.name == "hub.txt: licence"]
    assert why == ["left out: not for commercial use"]
    with pytest.raises(LabelError, match=r"leaves not one of 1 sources of \[drugs\]"):
        build(make_config(folder, REHUB, licence="commercial"))


def test_the_starter_graph_brings_its_own_drugs_which_a_company_may_use(folder: Path) -> None:
    config = make_config(folder)
    preset = dataclasses.replace(config.graph, folder="", preset="starter", licence="commercial")
    graph = read_starter_graph()
    bare = dataclasses.replace(config.identifiers, hgnc="")
    own = dataclasses.replace(config, graph=preset, identifiers=bare)
    layer = build_drug_layer(own, IdentifierTable.from_graph(graph), graph)
    listed = read_starter_drugs()
    assert len(layer.table) == len(listed[["drug", "symbol"]].drop_duplicates())
    assert set(layer.table["status"]) == {"approved"}
    assert set(layer.table["licence"]) == {"Apache-2.0"}
    assert layer.genes.loc["HGNC:3236", "status"] == "approved"  # EGFR
    assert layer.sources == (
        Source(
            "aimwell starter graph: drugs", "1", "Apache-2.0", "", sha256=layer.sources[0].sha256
        ),
    )


def test_other_order_of_sources_and_rows_gives_the_same_layer(folder: Path) -> None:
    one = build(make_config(folder, CENTRAL, REHUB))
    lines = HUB.split("\n")
    (folder / "hub.txt").write_text("\n".join([*lines[:2], *lines[5:1:-1], ""]))
    two = build(make_config(folder, REHUB, CENTRAL))
    pd.testing.assert_frame_equal(one.table, two.table)
    pd.testing.assert_frame_equal(one.genes, two.genes)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ({"reader": "drugcentral", "path": "hub.txt"}, InputError, "like a Drug Repurposing Hub"),
        ({"reader": "drugcentral", "path": "none.tsv"}, InputError, "there is no file"),
        ({"reader": "essential_genes", "path": "mouse.txt"}, IdentifierError, "mouse or rat"),
    ],
)
def test_faults_of_drug_files_are_named(
    folder: Path, source: dict[str, Any], error: type[Exception], message: str
) -> None:
    (folder / "mouse.txt").write_text("Trp53\nMdm2\nBrca1\n")
    with pytest.raises(error, match=message) as caught:
        build(make_config(folder, source))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("drugs", "message"),
    [
        ({"sources": [{"reader": "drugcentrall", "path": "x"}]}, "did you mean 'drugcentral'"),
        ({"sources": [{"reader": "dgidb"}]}, "the reader 'dgidb' needs 'path'"),
        ({"sources": [{"reader": "chembl", "path": "x"}]}, "needs 'targets'"),
        ({"sources": [{"reader": "druggable_genes", "path": "x"}]}, "needs 'druggable_class'"),
        (
            {"sources": [{"reader": "dgidb", "path": "x", "indications": "y"}]},
            "indications = 'y' of 'x' is not read with reader = 'dgidb'",
        ),
        ({"sources": [{"reader": "starter", "path": "x"}]}, "is not read with reader = 'starter'"),
        ({"disease_pattern": "("}, "is no regular expression"),
        ({"contrasts": ["other"]}, r"drugs.contrasts names 'other'; the run has 't'"),
        ({"contrast": ["t"]}, "unknown key 'drugs.contrast'; did you mean 'contrasts'"),
    ],
)
def test_settings_that_cannot_be_are_refused(
    folder: Path, drugs: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as caught:
        make_config(folder, *drugs.pop("sources", ()), **drugs)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("action", "direction"),
    [
        ("NEGATIVE ALLOSTERIC MODULATOR", "inhibits"),
        ("positive modulator", "activates"),
        ("ALLOSTERIC ANTAGONIST", "inhibits"),
        ("channel blocker", "inhibits"),
        ("OPENER", "activates"),
        ("allosteric modulator", "unknown"),
        ("ANTIBODY BINDING", "unknown"),
        ("SUBSTRATE", "unknown"),
        ("blocker,inhibitor", "inhibits"),
        ("dopamine receptor agonist|serotonin receptor antagonist", "unknown"),
        ("plasminogen activator inhibitor", "inhibits"),
        ("", "unknown"),
    ],
)
def test_the_words_of_databases_become_directions(action: str, direction: str) -> None:
    assert direction_of(action) == direction


def test_a_drug_matches_where_it_works_against_the_change() -> None:
    found = {
        (d, c): match_of(d, c)
        for d in ("inhibits", "activates", "unknown")
        for c in ("up", "down", "unknown")
    }
    assert {k for k, v in found.items() if v == "match"} == {
        ("inhibits", "up"),
        ("activates", "down"),
    }
    assert {k for k, v in found.items() if v == "opposed"} == {
        ("inhibits", "down"),
        ("activates", "up"),
    }
    assert status_of(0.5) == "in trials"


EDGES = pd.DataFrame(
    [
        ("a", "b", "activates", 0.1),
        ("b", "t", "inhibits", 0.2),
        ("c", "t", "interacts", 0.1),
        ("a", "p", "member_of", 0.4),
        ("t", "p", "member_of", 0.4),
        ("t", "d", "activates_signor", 0.3),
    ],
    columns=["source_id", "target_id", "relation", "attribution"],
)


def drugs_on(*genes: str, direction: str = "inhibits", status: str = "approved") -> pd.DataFrame:
    rows = {"gene": list(genes), "drug": [f"drug of {g}" for g in genes], "action": ""}
    said = {"direction": direction, "phase": 4.0, "status": status, "indication": ""}
    return pd.DataFrame({**rows, **said, "indicated": "no", "source": "s", "licence": "CC0"})


def test_a_path_of_signed_edges_carries_the_effect_to_the_target() -> None:
    edges = EDGES[EDGES["relation"] != "member_of"]
    found = linked_drugs("t", edges, drugs_on("a", "b", "c", "d"), {"t": "up"}, {})
    rows = found.set_index("gene")
    assert rows["path"].to_dict() == {
        "a": "a –activates→ b –inhibits→ t",
        "b": "b –inhibits→ t",
        "c": "c –interacts– t",
        "d": "d ←activates signor– t",
    }
    assert rows["effect_on_target"].to_dict() == {
        "a": "activates",
        "b": "activates",
        "c": "unknown",
        "d": "unknown",  # the target acts on d, which says nothing of the way back
    }
    assert rows["match"].to_dict() == {
        "a": "opposed",
        "b": "opposed",
        "c": "unknown",
        "d": "unknown",
    }
    assert found["hops"].tolist() == [1, 1, 1, 2]


def test_of_equally_short_paths_the_one_that_carries_more_is_told() -> None:
    found = linked_drugs("t", EDGES, drugs_on("a"), {}, {"p": "Pathway", "a": "A", "t": "T"})
    assert found["path"].tolist() == ["A –member of→ Pathway ←member of– T"]


def test_drugs_of_the_target_itself_and_drugs_that_nobody_takes_are_no_candidates() -> None:
    drugs = pd.concat([drugs_on("b"), drugs_on("t").assign(drug="drug of b")])
    assert linked_drugs("t", EDGES, drugs, {}, {}).empty
    for status in ("preclinical", "withdrawn", "unknown"):
        assert linked_drugs("t", EDGES, drugs_on("b", status=status), {}, {}).empty
    assert len(linked_drugs("t", EDGES, drugs_on("b", status="in trials"), {}, {})) == 1
    assert linked_drugs("t", EDGES, drugs_on("far"), {}, {}).empty


def test_the_drug_layer_of_the_public_files_has_the_measured_counts(real_data: Path) -> None:
    graph = small_graph()
    hgnc = read_hgnc(real_data / "ids/hgnc_complete_set_2024-10.txt.gz")
    table = IdentifierTable.from_hgnc(hgnc)
    whole = dataclasses.replace(graph, nodes={GENE: table.genes})
    config = make_config(
        real_data,
        {
            "reader": "drugcentral",
            "path": "drugs/drugcentral_drug.target.interaction.tsv.gz",
            "indications": "drugs/pharmacotherapydb_indications.tsv",
        },
        {"reader": "essential_genes", "path": "labels/CEGv2.txt"},
        disease_pattern="colon cancer",
    )
    settings = dataclasses.replace(config.identifiers, hgnc="ids/unused")
    layer = build_drug_layer(dataclasses.replace(config, identifiers=settings), table, whole)
    yes = layer.table[layer.table["indicated"] == "yes"]
    # the five disease-modifying drugs of colon cancer of which DrugCentral has the mechanism
    assert set(yes["drug"]) == {
        "capecitabine",
        "fluorouracil",
        "irinotecan",
        "methotrexate",
        "vincristine",
    }
    egfr = layer.table[(layer.table["gene"] == "HGNC:3236")]
    assert {"erlotinib", "gefitinib", "cetuximab"} <= set(egfr["drug"])
    assert egfr.set_index("drug").loc["erlotinib", "direction"] == "inhibits"
    assert (layer.genes["essential"] == "essential").sum() == 682
