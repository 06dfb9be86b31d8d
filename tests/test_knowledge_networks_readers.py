"""Every network format becomes the same table: who, with whom, how, how surely, and who says so."""

import gzip
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.errors import IdentifierError, InputError
from aimwell.knowledge.interactions import Interactions, require_id_type
from aimwell.knowledge.sources.biogrid import read_biogrid
from aimwell.knowledge.sources.collectri import read_collectri
from aimwell.knowledge.sources.dorothea import read_dorothea
from aimwell.knowledge.sources.edge_list import read_edge_list
from aimwell.knowledge.sources.enzyme_substrate import read_enzyme_substrate
from aimwell.knowledge.sources.graphml import read_graphml
from aimwell.knowledge.sources.hippie import read_hippie
from aimwell.knowledge.sources.huri import read_huri
from aimwell.knowledge.sources.menche import read_menche
from aimwell.knowledge.sources.omnipath import read_omnipath
from aimwell.knowledge.sources.psi_mitab import read_psi_mitab
from aimwell.knowledge.sources.sif import read_sif
from aimwell.knowledge.sources.signor import read_signor, read_signor_groups
from aimwell.knowledge.sources.string import (
    CHANNELS,
    combine_channels,
    read_string,
    read_string_aliases,
    read_string_info,
)

NETWORKS = Path(__file__).parent / "data" / "knowledge" / "networks"
EDGE_LIST = partial(
    read_edge_list, columns=("from", "to"), weight_column="confidence", id_type="symbol"
)
READERS: dict[str, Callable[[Path], Interactions]] = {
    "biogrid": read_biogrid,
    "collectri": read_collectri,
    "dorothea": read_dorothea,
    "edge_list": EDGE_LIST,
    "enzyme_substrate": read_enzyme_substrate,
    "graphml": read_graphml,
    "hippie": read_hippie,
    "huri": read_huri,
    "menche": read_menche,
    "omnipath": read_omnipath,
    "psi_mitab": read_psi_mitab,
    "sif": read_sif,
    "signor": read_signor,
    "string": read_string,
}


def rows(found: Interactions, *columns: str) -> list[tuple[object, ...]]:
    wanted = ["source", "target", *columns]
    return [tuple(r) for r in found.table[wanted].astype(object).to_numpy().tolist()]


def step(found: Interactions, part: str) -> tuple[int, int]:
    return next((s.rows_in, s.rows_out) for s in found.steps if part in s.name)


# STRING ------------------------------------------------------------------------------------------


def test_string_names_proteins_by_their_hgnc_id_or_else_their_gene() -> None:
    assert read_string_aliases(NETWORKS / "string_aliases.txt") == {
        "ENSP00000269305": "HGNC:11998",
        "ENSP00000258149": "HGNC:6973",
        "ENSP00000418960": "ENSG00000012048",
    }  # the protein with two HGNC ids is nobody's
    assert read_string_info(NETWORKS / "string_info.txt")["ENSP00000418960"] == "BRCA1"


def test_string_links_leave_other_species_out_and_count_them() -> None:
    found = read_string(NETWORKS / "string_links.txt", aliases=NETWORKS / "string_aliases.txt")
    assert rows(found, "weight", "relation") == [
        ("HGNC:11998", "HGNC:6973", 0.999, "interacts"),
        ("HGNC:6973", "HGNC:11998", 0.999, "interacts"),
        ("HGNC:11998", "ENSG00000012048", 0.4, "interacts"),
    ]
    assert step(found, "human proteins") == (4, 3)
    # without channels nobody can tell what text mining gave
    assert found.table["literature"].all()


def test_a_string_threshold_is_counted() -> None:
    found = read_string(
        NETWORKS / "string_links.txt", info=NETWORKS / "string_info.txt", min_score=0.7
    )
    assert rows(found) == [("TP53", "MDM2"), ("MDM2", "TP53")]
    assert step(found, "scores") == (3, 2)


def test_string_edges_that_only_text_mining_knows_are_flagged() -> None:
    path, info = NETWORKS / "string_links_detailed.txt", NETWORKS / "string_info.txt"
    found = read_string(path, info=info, min_score=0.4)
    assert rows(found, "weight", "evidence_type", "literature") == [
        ("TP53", "MDM2", 0.999, "coexpression|database|experiments|textmining", False),
        ("TP53", "BRCA1", 0.4, "textmining", True),
        ("MDM2", "BRCA1", 0.5, "experiments", False),
    ]


def test_string_channels_combine_by_the_published_formula() -> None:
    path, info = NETWORKS / "string_links_detailed.txt", NETWORKS / "string_info.txt"
    found = read_string(path, info=info, channels=["experiments", "database"])
    # by hand: prior 0.041 taken from 0.8 and 0.9, complements multiplied, prior put back
    first, second = (0.8 - 0.041) / 0.959, (0.9 - 0.041) / 0.959
    by_hand = (1 - (1 - first) * (1 - second)) * 0.959 + 0.041
    assert found.table["weight"].tolist() == pytest.approx([by_hand, 0.5], abs=1e-8)
    assert not found.table["literature"].any()


def test_homology_lowers_co_occurrence_and_text_mining_in_full_links() -> None:
    path, info = NETWORKS / "string_links_full.txt", NETWORKS / "string_info.txt"
    found = read_string(path, info=info, channels=["cooccurence", "textmining"])
    first, second = (0.3 - 0.041) / 0.959 * 0.1, (0.8 - 0.041) / 0.959 * 0.1
    by_hand = (1 - (1 - first) * (1 - second)) * 0.959 + 0.041
    assert found.table["weight"].tolist() == pytest.approx([by_hand], abs=1e-8)


def test_direct_and_transferred_evidence_join_before_homology() -> None:
    values = {c: np.array([0.0]) for c in CHANNELS}
    values |= {"textmining": np.array([0.5]), "textmining_transferred": np.array([0.5])}
    values |= {"homology": np.array([0.5])}
    one = (0.5 - 0.041) / 0.959
    by_hand = (1 - (1 - one) ** 2) * 0.5 * 0.959 + 0.041
    assert combine_channels(values, CHANNELS, 1)[0] == pytest.approx(by_hand, abs=1e-8)


def test_an_unknown_string_channel_is_refused_with_those_there_are() -> None:
    with pytest.raises(InputError, match="no channel 'gossip'; it has 'neighborhood', 'fusion'"):
        read_string(NETWORKS / "string_links_detailed.txt", channels=["gossip"])
    with pytest.raises(InputError, match=r"protein\.links does not"):
        read_string(NETWORKS / "string_links.txt", channels=["database"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("protein1 protein2 combined_score\nA B 1001\n", r"row 1: the score .* is 1001;"),
        ("protein1 protein2 combined_score\nA B 5\nA C -3\n", r"row 2: the score .* is -3;"),
        ("protein1 protein2 combined_score\nA B 5\nA C high\n", r"line 3: 'high' in the column"),
        ("protein1 protein2 combined_score\nA B 5\nA C\n", r"line 3: 2 fields where 3"),
        ("protein1 protein2 combined_score\n", "a header and no rows"),
        ("protein1 protein2 combined_score\n10090.ENSMUSP1 10090.ENSMUSP2 7\n", "no human protein"),
        ("protein1\tprotein2\tcost\nP1\tP2\t1.6\n", r"row 1: the score '1.5 - cost' is -0.1"),
        ("Gene1\tGene2\tGene1\nA\tB\tC\n", "the column 'Gene1' 2 times"),
    ],
)
def test_faults_of_string_files_are_located(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "links.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as caught:
        read_string(path)
    assert "\n" not in str(caught.value)


# BioGRID, MITAB, HIPPIE, HuRI, Menche ------------------------------------------------------------


@pytest.mark.parametrize("file", ["biogrid_tab2.txt", "biogrid_tab3.txt"])
def test_biogrid_tables_give_evidence_papers_years_and_modifications(file: str) -> None:
    found = read_biogrid(NETWORKS / file)
    assert found.id_type == "entrez"
    assert rows(found, "evidence_type", "pubmed_ids", "date", "detail") == [
        ("7157", "4193", "physical|Two-hybrid", "1000001", "1999", "Low Throughput"),
        (
            "4193",
            "7157",
            "physical|Biochemical Activity",
            "1000002",
            "2004",
            "Low Throughput|Ubiquitination",
        ),
        ("7157", "672", "genetic|Synthetic Lethality", "", "2010", "Low Throughput"),
        ("2064", "2064", "physical|Affinity Capture-MS", "1000003", "2015", "High Throughput"),
    ]
    assert step(found, "human partners") == (6, 5)
    assert step(found, "with a name") == (5, 4)


@pytest.mark.parametrize("file", ["mitab26.txt", "mitab27.txt"])
def test_mitab_keeps_human_physical_pairs_and_counts_the_others(file: str) -> None:
    found = read_psi_mitab(NETWORKS / file)
    assert rows(found, "weight", "evidence_type", "pubmed_ids", "date", "detail") == [
        ("P04637", "Q00987", 0.56, "physical association", "1000004", "2003", "spoke expansion"),
        ("P04637", "P38398", 1.0, "direct interaction", "1000004", "2008-05-21", ""),
        ("ENSG00000141736", "Q00987", 0.56, "physical association", "1000004", "2003", ""),
    ]
    assert step(found, "human partners") == (8, 6)
    assert step(found, "shown to interact") == (6, 5)
    assert step(found, "physical") == (5, 4)
    assert step(found, "with a name") == (4, 3)


def test_mitab_25_of_biogrid_and_hippie_needs_no_header() -> None:
    found = read_psi_mitab(NETWORKS / "mitab25.txt")
    assert rows(found, "weight", "date") == [
        ("7157", "4193", 1.0, "2001"),  # a score of 3.2 is none of the known scales
        ("P04637", "Q00987", 0.82, ""),
    ]


def test_hippie_scores_are_weights_and_a_score_of_zero_is_no_edge() -> None:
    found = read_hippie(NETWORKS / "hippie.txt")
    assert rows(found, "weight", "evidence_type", "pubmed_ids", "detail") == [
        ("7157", "4193", 0.97, "in vivo|Two-hybrid", "1000001|1000002", "HPRD|BioGRID")
    ]
    assert [(s.rows_in, s.rows_out) for s in found.steps] == [(3, 2), (2, 1)]


def test_menche_keeps_its_seven_kinds_of_evidence_and_reads_its_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        archive.write(NETWORKS / "menche.tsv", "data/DataS1_interactome.tsv")
        archive.writestr("data/DataS2_disease_genes.tsv", "x")
    expected = [("7157", "4193", "binary|literature"), ("7157", "672", "kinase")]
    for path in (NETWORKS / "menche.tsv", tmp_path / "m.zip"):
        found = read_menche(path)
        assert rows(found, "evidence_type") == expected
        assert not found.table["literature"].any()  # curated, not mined


def test_an_archive_with_two_interactomes_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "m.zip", "w") as archive:
        for folder in "ab":
            archive.write(NETWORKS / "menche.tsv", f"{folder}/DataS1_interactome.tsv")
    with pytest.raises(InputError, match="zip archive with 2 files like"):
        read_menche(tmp_path / "m.zip")


def test_huri_tells_ensembl_from_uniprot_by_the_first_line(tmp_path: Path) -> None:
    path = tmp_path / "h.tsv"
    path.write_text("ENSG00000141510\tENSG00000135679.3\n")
    assert read_huri(path).id_type == "ensembl_gene"
    path.write_text("P04637-2\tQ00987\nA0A0A0MT20\tQ00987-1\n")
    assert read_huri(path).id_type == "uniprot"


# Signalling --------------------------------------------------------------------------------------


def test_signor_effects_become_signed_relations_and_chemicals_stay_out() -> None:
    found = read_signor(NETWORKS / "signor.tsv")
    assert rows(found, "relation", "weight", "pubmed_ids", "detail") == [
        ("Q00987", "P04637", "inhibits", 0.5, "1000006", ""),
        ("P04637", "Q00987", "induces", 0.5, "1000006", "shown in taxon 10090"),
        ("P04626", "P04637", "interacts", 0.3, "", ""),  # unscored: the lowest score of the file
        ("P38398", "P04637", "interacts", 0.3, "1000006", ""),
        ("P04637", "P15692", "represses", 0.5, "1000006", ""),
    ]
    assert step(found, "relations of proteins") == (8, 7)
    assert step(found, "relations with members") == (7, 5)


def test_signor_complexes_share_their_weight_among_their_members() -> None:
    complexes = NETWORKS / "signor_complexes.csv"
    assert read_signor_groups(complexes)["SIGNOR-C2"] == ("P04637", "P38398", "P04626")
    found = read_signor(NETWORKS / "signor.tsv", complexes=complexes)
    shared = [r for r in rows(found, "weight", "detail") if r[-1] == "Ser166"]
    assert shared == [("P04637", "Q00987", 0.3, "Ser166"), ("P38398", "Q00987", 0.3, "Ser166")]
    absent = next(s for s in found.steps if "relations with members" in s.name)
    assert (absent.rows_in, absent.rows_out, absent.examples) == (7, 6, ("SIGNOR-C9",))


def test_omnipath_signs_follow_the_consensus_and_complexes_their_names() -> None:
    found = read_omnipath(NETWORKS / "omnipath.tsv")
    assert set(rows(found, "relation", "weight", "evidence_type")) == {
        ("P04637", "Q00987", "activates", 1.0, "post_translational"),
        ("Q00987", "P04637", "inhibits", 1.0, "post_translational"),  # the consensus decides
        ("Q00987", "P38398", "activates", 1.0, "post_translational"),  # no consensus: both
        ("Q00987", "P38398", "inhibits", 1.0, "post_translational"),
        ("P04637", "P15692", "represses", 0.5, "transcriptional"),
        ("P38398", "P15692", "represses", 0.5, "transcriptional"),
        ("P04626", "P15692", "regulates", 1.0, "post_translational"),
        ("P04626", "P38398", "interacts", 1.0, "post_translational"),
    }
    assert step(found, "human partners") == (7, 6)
    assert "1000007|1000008" in found.table["pubmed_ids"].tolist()


def test_a_gene_whose_symbol_has_an_underscore_is_no_complex(tmp_path: Path) -> None:
    path = tmp_path / "c.tsv"
    path.write_text(
        "source\tinteraction\ttarget\nGTF2H2C_2\t1\tA_CHEBI_29035_C4B_2\nCHEBI_18420\t1\tA\n"
    )
    found = read_omnipath(path)
    assert rows(found, "weight", "relation") == [
        ("GTF2H2C_2", "A", 0.5, "activates"),
        ("GTF2H2C_2", "C4B_2", 0.5, "activates"),
    ]
    assert step(found, "proteins at both ends") == (2, 1)
    assert step(found, "complexes as their members") == (1, 2)


def test_collectri_leaves_dimers_out_that_would_be_read_as_one_gene() -> None:
    found = read_collectri(NETWORKS / "collectri.csv")
    assert rows(found, "relation") == [
        ("TP53", "MDM2", "induces"),
        ("TP53", "VEGFA", "represses"),
        ("hsa-miR-21", "TP53", "represses"),
    ]
    assert step(found, "single genes") == (4, 3)


def test_dorothea_levels_are_weights_and_signs_are_relations() -> None:
    found = read_dorothea(NETWORKS / "dorothea.csv")
    assert rows(found, "relation", "weight", "evidence_type") == [
        ("TP53", "MDM2", "induces", 1.0, "A"),
        ("TP53", "VEGFA", "represses", pytest.approx(1 / 3), "C"),
        ("BRCA1", "ERBB2", "induces", 0.2, "E"),
        ("BRCA1", "ERBB2", "regulates", 0.5, "B"),
    ]


def test_enzymes_regulate_the_proteins_whose_sites_they_change(tmp_path: Path) -> None:
    found = read_enzyme_substrate(NETWORKS / "enzsub.tsv")
    assert rows(found, "relation", "evidence_type", "detail", "pubmed_ids") == [
        ("P04626", "P04637", "regulates", "phosphorylation", "S15", "1000009")
    ]
    assert step(found, "single proteins") == (2, 1)
    path = tmp_path / "ksn.csv"
    path.write_text('"target","source","weight","likelihood"\n"TP53_S15","ATM",1,1\n')
    assert rows(read_enzyme_substrate(path), "detail") == [("ATM", "TP53", "S15")]


# General formats ---------------------------------------------------------------------------------


@pytest.mark.parametrize("separator", ["\t", ",", ";", " "])
def test_an_edge_list_may_have_any_separator_and_column_order(
    tmp_path: Path, separator: str
) -> None:
    lines = ["# mine", "confidence,to,x,from", "0.5,MDM2,q,TP53", "0,BRCA1,q,TP53"]
    path = tmp_path / "e.txt"
    path.write_text("\n".join(lines).replace(",", separator) + "\n")
    found = EDGE_LIST(path)
    assert rows(found, "weight") == [("TP53", "MDM2", 0.5)]
    assert step(found, "weights") == (2, 1)


def test_an_edge_list_without_a_header_is_its_first_two_columns(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("1394,2778\r6331,17999\r")
    assert rows(read_edge_list(path, id_type="entrez")) == [("1394", "2778"), ("6331", "17999")]


def test_sif_lines_may_name_several_targets() -> None:
    found = read_sif(NETWORKS / "pathway_commons.sif", id_type="symbol")
    assert rows(found, "relation", "evidence_type") == [
        ("TP53", "MDM2", "interacts", "in-complex-with"),
        ("TP53", "BRCA1", "interacts", "in-complex-with"),
        ("ERBB2", "TP53", "regulates", "controls-state-change-of"),
        ("BRCA1", "ERBB2", "inhibits", "inhibits"),
        ("BRCA1", "VEGFA", "interacts", "chatters-with"),
    ]
    assert step(found, "edges") == (6, 5)


def test_graphml_takes_names_weights_and_relations_from_attributes() -> None:
    path = NETWORKS / "network.graphml"
    found = read_graphml(path, name_attribute="symbol", weight_attribute="score")
    assert rows(found, "weight", "relation") == [
        ("TP53", "MDM2", 0.5, "activates"),
        ("TP53", "BRCA1", 1.0, "interacts"),
    ]
    with pytest.raises(InputError, match="no attribute 'label'; it has 'interaction', 'score'"):
        read_graphml(path, name_attribute="label")


def test_a_bomb_of_xml_entities_is_refused(tmp_path: Path) -> None:
    layers = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 12))
    path = tmp_path / "bomb.graphml"
    path.write_text(f'<!DOCTYPE x [<!ENTITY e0 "ha">{layers}]>\n<graphml>&e11;</graphml>')
    with pytest.raises(InputError):
        read_graphml(path)


def test_names_that_are_not_of_the_declared_kind_are_refused() -> None:
    with pytest.raises(IdentifierError, match="2 of 3 names are no uniprot ids, such as 'TP53'"):
        require_id_type(["P04637", "TP53", "MDM2"], "uniprot", "'x'")
    assert require_id_type(["7157", "TP53"], "mixed", "'x'") == ["7157", "TP53"]


# Every reader ------------------------------------------------------------------------------------

BROKEN = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\r\n\t\n", "is empty"),
    "cut gzip": (gzip.compress(b"a\tb\n" * 99)[:-12], "damaged or incomplete gzip"),
    "no gzip": (b"\x1f\x8bnonsense", "damaged or incomplete gzip"),
    "utf-16": ("node1 node2\nA B\n".encode("utf-16"), "UTF-16"),
    "binary": (b"PAR1\x00\x01\x02", "a Parquet file"),
}
FILES = {  # every fixture, and which reader it is for
    "biogrid_tab3.txt": "biogrid",
    "collectri.csv": "collectri",
    "dorothea.csv": "dorothea",
    "enzsub.tsv": "enzyme_substrate",
    "hippie.txt": "hippie",
    "menche.tsv": "menche",
    "mitab25.txt": "psi_mitab",
    "mitab27.txt": "psi_mitab",
    "omnipath.tsv": "omnipath",
    "signor.tsv": "signor",
    "string_links.txt": "string",
}
LOOKS = {
    "biogrid_tab3.txt": "BioGRID TAB3",
    "collectri.csv": "a CollecTRI table",
    "dorothea.csv": "a DoRothEA table",
    "enzsub.tsv": "a table of enzymes and substrates",
    "hippie.txt": "a HIPPIE table",
    "menche.tsv": "the interactome of Menche 2015",
    "mitab25.txt": "a PSI-MITAB file",
    "mitab27.txt": "a PSI-MITAB file",
    "omnipath.tsv": "an OmniPath table",
    "signor.tsv": "a SIGNOR table",
    "string_links.txt": "STRING links",
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", BROKEN)
def test_every_network_reader_refuses_a_broken_file_in_one_line(
    tmp_path: Path, reader: str, kind: str
) -> None:
    path = tmp_path / "data.txt"
    path.write_bytes(BROKEN[kind][0])
    with pytest.raises(InputError, match=BROKEN[kind][1]) as caught:
        READERS[reader](path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
def test_every_network_reader_refuses_a_missing_file_and_a_folder(
    tmp_path: Path, reader: str
) -> None:
    with pytest.raises(InputError, match="there is no file"):
        READERS[reader](tmp_path / "absent.txt")
    with pytest.raises(InputError, match="is a folder"):
        READERS[reader](tmp_path)


@pytest.mark.parametrize("reader", [r for r in READERS if r not in ("sif", "edge_list")])
@pytest.mark.parametrize("file", FILES)
def test_every_network_reader_says_what_another_database_looks_like(reader: str, file: str) -> None:
    if FILES[file] == reader:
        READERS[reader](NETWORKS / file)
        return
    with pytest.raises(InputError, match=LOOKS[file]) as caught:
        READERS[reader](NETWORKS / file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("end", ["\r\n", "\r"])
def test_line_ends_byte_order_mark_and_gzip_change_no_network(
    tmp_path: Path, file: str, end: str
) -> None:
    text = (NETWORKS / file).read_text()
    path = tmp_path / "misnamed"
    path.write_bytes(gzip.compress(("\ufeff" + text.replace("\n", end)).encode()))
    reader = READERS[FILES[file]]
    pd.testing.assert_frame_equal(reader(path).table, reader(NETWORKS / file).table)


@pytest.mark.parametrize("file", FILES)
def test_a_cut_line_of_any_network_is_refused_with_its_place(tmp_path: Path, file: str) -> None:
    lines = (NETWORKS / file).read_text().splitlines()
    separator = next(s for s in ("\t", ",", " ") if s in lines[-1])
    lines[-1] = lines[-1].split(separator)[0]
    path = tmp_path / file
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(InputError, match=rf"line {len(lines)}: 1 fields where"):
        READERS[FILES[file]](path)


def test_bytes_that_are_no_text_are_located_in_a_long_file(tmp_path: Path) -> None:
    path = tmp_path / "links.txt"
    head = b"protein1 protein2 combined_score\n"
    path.write_bytes(head + b"A B\xc3\xa9 7\n" * 20_000 + b"A M\xfcller 7\n")
    with pytest.raises(InputError, match="not UTF-8 text: byte 0xfc in line 20002"):
        read_string(path)


def test_a_gzip_that_ends_after_millions_of_good_rows_is_refused(tmp_path: Path) -> None:
    rows_of_text = "".join(f"P{i % 977} Q{i % 991} {i % 1000}\n" for i in range(200_000))
    packed = gzip.compress(f"protein1 protein2 combined_score\n{rows_of_text}".encode())
    path = tmp_path / "links.txt.gz"
    path.write_bytes(packed[: len(packed) * 9 // 10])
    with pytest.raises(InputError, match="damaged or incomplete gzip"):
        read_string(path)


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(sorted(READERS)))
def test_no_bytes_make_a_network_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, reader: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz-network.txt"
    path.write_bytes(data)
    try:
        READERS[reader](path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017  a reader may also accept


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(sorted(FILES)))
def test_no_change_of_a_real_layout_makes_a_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, file: str
) -> None:
    text = bytearray((NETWORKS / file).read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    path = tmp_path_factory.getbasetemp() / "fuzz-layout.txt"
    path.write_bytes(bytes(text))
    try:
        READERS[FILES[file]](path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017
