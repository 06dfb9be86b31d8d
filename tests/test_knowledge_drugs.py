"""Drugs, mechanisms, indications and associations are read as published, then become labels."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.errors import AimwellError, InputError
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.parquet import hash_of
from aimwell.knowledge.sources.chembl import read_chembl_indications, read_chembl_mechanisms
from aimwell.knowledge.sources.dgidb import read_dgidb, read_dgidb_categories
from aimwell.knowledge.sources.gene_list import read_gene_list
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.open_targets import (
    read_associations,
    read_gold_standards,
    read_known_drugs,
    read_tractability,
)

DGIDB_OLD = (
    "gene_name\tgene_claim_name\tentrez_id\tinteraction_claim_source\tinteraction_types\t"
    "drug_claim_name\tdrug_name\n"
    "ERBB2\tHER2\t2064\tTTD\tinhibitor\tlap\tLAPATINIB\n"
    "ERBB2\tHER2\t2064\tChEMBL\tinhibitor\tlap\tLAPATINIB\n"
    "ERBB2\tHER2\t2064\tDTC\t\tx\tASPIRIN\n\t5-HT\t\tTTD\tagonist\tx\tX\n"
    "TP53\tp53\t7157\tTTD\tactivator\tonly claimed\t\n"
)
DGIDB_NEW = (
    "gene_claim_name\tgene_concept_id\tgene_name\tinteraction_source_db_name\tinteraction_type\t"
    "interaction_score\tdrug_claim_name\tdrug_concept_id\tdrug_name\tapproved\n"
    "HER2\thgnc:3430\tERBB2\tTTD\tinhibitor\t1\tlap\trxcui:1\tLAPATINIB\tTRUE\n"
    "5-HT\tNULL\tNULL\tTTD\tagonist\tNULL\tx\tNULL\tNULL\tFALSE\n"
)
MECHANISMS = (
    '"Parent Molecule ChEMBL ID";"Parent Molecule Name";"Max Phase";"Mechanism of Action";'
    '"Action Type";"Target ChEMBL ID";"Target Organism"\n'
    '"CHEMBL1";"LAPATINIB";"4";"Receptor; inhibitor";"INHIBITOR";"CHEMBL1824";"Homo sapiens"\n'
    '"CHEMBL2";"";"2";"x";"INHIBITOR";"CHEMBL9";"Homo sapiens"\n'
    '"CHEMBL3";"Y";"4";"x";"INHIBITOR";"CHEMBL8";"Rattus norvegicus"\n'
)
MAPPING = (
    "# ChEMBL_34 map\nP04626\tCHEMBL1824\terbB-2\tSINGLE PROTEIN\n"
    "P00533\tCHEMBL1824\tEGFR\tPROTEIN FAMILY\n"
)
INDICATIONS = (
    '"Parent Molecule ChEMBL ID";"MESH Heading";"EFO Terms";"Max Phase for Indication"\n'
    '"CHEMBL1";"Breast Neoplasms";"breast carcinoma";"4.0"\n"CHEMBL2";"Gout";"";"2"\n'
)


def write(folder: Path, text: str, name: str = "drugs.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def parquet(folder: Path, name: str, rows: list[dict[str, object]], parts: int = 1) -> Path:
    """Write a data set in parts, as Open Targets publishes it."""
    path = folder / name
    path.mkdir(exist_ok=True)
    table = pd.DataFrame(rows)
    for k in range(parts):
        table.iloc[k::parts].to_parquet(path / f"part-0000{k}.snappy.parquet")
    (path / "_SUCCESS").touch()
    return path


def test_dgidb_of_both_releases_merges_sources_and_needs_a_stated_type(tmp_path: Path) -> None:
    pairs, steps = read_dgidb(write(tmp_path, DGIDB_OLD))
    assert pairs.to_numpy().tolist() == [
        ["LAPATINIB", "ERBB2", "inhibitor", "ChEMBL|TTD", ""],
        ["only claimed", "TP53", "activator", "TTD", ""],
    ]
    assert [(s.rows_in, s.rows_out) for s in steps] == [(5, 4), (4, 3), (3, 2)]
    assert len(read_dgidb(write(tmp_path, DGIDB_OLD), stated_only=False)[0]) == 3
    new, _ = read_dgidb(write(tmp_path, DGIDB_NEW))
    assert new.to_numpy().tolist() == [["LAPATINIB", "ERBB2", "inhibitor", "TTD", "yes"]]


def test_a_chembl_target_of_several_proteins_gives_each(tmp_path: Path) -> None:
    mapping = write(tmp_path, MAPPING, "map.txt")
    pairs, steps = read_chembl_mechanisms(write(tmp_path, MECHANISMS), mapping)
    assert pairs[["drug", "gene", "mechanism"]].to_numpy().tolist() == [
        ["LAPATINIB", "P00533", "Receptor; inhibitor"],
        ["LAPATINIB", "P04626", "Receptor; inhibitor"],
    ]
    assert [(s.rows_in, s.rows_out) for s in steps] == [(3, 2), (2, 1)]
    comma = MECHANISMS.replace(";", "\t").replace("Receptor\t", "Receptor;")
    tabs, _ = read_chembl_mechanisms(write(tmp_path, comma), mapping)
    pd.testing.assert_frame_equal(tabs, pairs)


def test_chembl_indications_have_phases(tmp_path: Path) -> None:
    table = read_chembl_indications(write(tmp_path, INDICATIONS))
    assert table["phase"].tolist() == [4.0, 2.0]
    assert table["disease"].tolist() == ["Breast Neoplasms|breast carcinoma", "Gout"]
    with pytest.raises(InputError, match="row 2: 'late' is no clinical phase"):
        read_chembl_indications(write(tmp_path, INDICATIONS.replace('"2"', '"late"')))
    with pytest.raises(InputError, match=r"line 2 is not an accession .*'nonsense'"):
        read_chembl_mechanisms(
            write(tmp_path, MECHANISMS), write(tmp_path, "# x\nnonsense\n", "map.txt")
        )


@pytest.mark.parametrize("parts", [1, 2])
def test_open_targets_reads_a_folder_of_parts(tmp_path: Path, parts: int) -> None:
    drug = {"drugId": "CHEMBL1", "prefName": "LAPATINIB", "status": "Completed", "phase": 4.0}
    drug |= {"targetId": "ENSG00000141736", "diseaseId": "EFO_1", "label": "breast carcinoma"}
    rows = [drug, drug | {"phase": 2.0, "label": None}, drug]
    table = read_known_drugs(parquet(tmp_path, "known_drug", rows, parts))
    assert table[["gene", "drug", "disease", "phase"]].to_numpy().tolist() == [
        ["ENSG00000141736", "LAPATINIB", "EFO_1", 2.0],
        ["ENSG00000141736", "LAPATINIB", "breast carcinoma", 4.0],
    ]


def test_open_targets_tractability_keeps_the_buckets_that_hold(tmp_path: Path) -> None:
    buckets = [
        {"modality": "SM", "id": "Approved Drug", "value": True},
        {"modality": "AB", "id": "Advanced Clinical", "value": False},
    ]
    rows = [{"id": "ENSG2", "tractability": buckets}, {"id": "ENSG1", "tractability": None}]
    table = read_tractability(parquet(tmp_path, "targets", rows))
    assert table.to_numpy().tolist() == [["ENSG2", "SM", "Approved Drug"]]


def test_open_targets_associations_take_names_of_diseases(tmp_path: Path) -> None:
    rows = [
        {"diseaseId": "EFO_1", "targetId": "ENSG1", "score": 0.7},
        {"diseaseId": "EFO_2", "targetId": "ENSG1", "score": 0.0},
    ]
    diseases = parquet(tmp_path, "diseases", [{"id": "EFO_1", "name": "colon cancer"}])
    table = read_associations(parquet(tmp_path, "associations", rows), diseases)
    assert table.to_numpy().tolist() == [["ENSG1", "colon cancer", 0.7]]
    rows[0]["score"] = 1.5
    with pytest.raises(InputError, match="1 scores lie outside"):
        read_associations(parquet(tmp_path, "wrong", rows))


def test_another_data_set_no_parquet_and_an_empty_folder_are_refused(tmp_path: Path) -> None:
    wrong = parquet(tmp_path, "x", [{"id": "a"}])
    with pytest.raises(InputError, match=r"lacks the columns 'drugId', .*; it has 'id'"):
        read_known_drugs(wrong)
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_known_drugs(write(tmp_path, "PAR1 not really", "a.parquet"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no \.parquet file"):
        read_known_drugs(tmp_path / "empty")
    with pytest.raises(InputError, match="there is no file or folder"):
        read_known_drugs(tmp_path / "absent")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=6))
def test_no_damage_makes_a_reader_of_parquet_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, changes: list[tuple[float, int]]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    row = {"drugId": "C1", "targetId": "ENSG1", "diseaseId": "E1", "phase": 4.0, "label": "x"}
    data = bytearray(next(parquet(folder, "whole", [row]).glob("*.parquet")).read_bytes())
    # the names of columns are in the last half
    for place, byte in changes:
        data[len(data) // 2 + int(place * len(data) / 2)] = byte
    (folder / "damaged.parquet").write_bytes(data)
    try:
        read_known_drugs(folder / "damaged.parquet")
    except AimwellError as error:
        assert "\n" not in str(error)  # noqa: PT017  a reader may also accept


def test_a_name_of_a_column_that_is_no_text_is_refused(tmp_path: Path) -> None:
    rows = [{"drugId": "C1", "targetId": "ENSG1", "diseaseId": "E1", "phase": 4.0}]
    path = next(parquet(tmp_path, "drugs", rows).glob("*.parquet"))
    path.write_bytes(path.read_bytes().replace(b"diseaseId", b"disease\xb3d"))
    with pytest.raises(InputError, match="cannot be read as Parquet"):
        read_known_drugs(path)
    rows[0]["phase"] = 9.0
    with pytest.raises(InputError, match=r"1 phases lie outside \[-1, 4\], such as 9"):
        read_known_drugs(parquet(tmp_path, "late", rows))


def test_the_hash_of_a_folder_follows_its_files(tmp_path: Path) -> None:
    folder = parquet(tmp_path, "x", [{"id": "a"}])
    before = hash_of(folder)
    assert hash_of(folder) == before
    (folder / "_SUCCESS").write_text("changed")
    assert hash_of(folder) != before


@settings(deadline=None)  # a busy machine is no fault of a reader
@given(st.binary(max_size=100), st.sampled_from(["dgidb", "chembl"]), st.integers(0, 400))
def test_no_damage_makes_a_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, reader: str, at: int
) -> None:
    text, read = {
        "dgidb": (DGIDB_OLD, read_dgidb),
        "chembl": (INDICATIONS, read_chembl_indications),
    }[reader]
    good = text.encode()
    path = tmp_path_factory.getbasetemp() / "fuzz-drugs.txt"
    path.write_bytes(good[:at] + noise + good[at + len(noise) :])
    try:
        read(path)  # type: ignore[operator]
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017  a reader may also accept


def test_gene_lists_have_the_measured_counts(real_data: Path) -> None:
    """NEGv1 has 928 rows: one is blank, and SLC34A1 stands there twice."""
    folder = real_data / "labels"
    sizes = {
        "CEGv2.txt": 684,
        "NEGv1.txt": 928 - 2,
        "OncoKB_cancerGeneList.tsv": 1_064,
        "fda_approved_drug_targets.tsv": 385,
        "drug_targets_nelson.tsv": 201,
    }
    assert {name: len(read_gene_list(folder / name)) for name in sizes} == sizes


def test_gold_standards_have_the_measured_counts(real_data: Path) -> None:
    """Of 526 Ensembl genes, 524 are in HGNC; the other two Ensembl has retired."""
    path = real_data / "labels/opentargets_gwas_gold_standards.191108.tsv"
    table, step = read_gold_standards(path)
    assert step.rows_in == 2_435
    loci = read_hgnc(real_data / "ids/hgnc_complete_set_2024-10.txt.gz")
    genes = sorted(table["gene"].unique())
    report = IdentifierTable.from_hgnc(loci).resolve(genes, protein_coding=False)
    assert (len(genes), report.loc[report["status"] == "mapped", "hgnc_id"].nunique()) == (526, 524)


def test_dgidb_has_the_measured_counts(real_data: Path, tmp_path: Path) -> None:
    """Of 20,284 lines the last is cut short, which a reader must see."""
    path = real_data / "drugs/dgidb_interactions_subset.tsv"
    with pytest.raises(InputError, match="line 20285: 2 fields, but the header names 11"):
        read_dgidb(path)
    whole = path.read_text(encoding="utf-8").rsplit("\n", maxsplit=1)[0]
    _, steps = read_dgidb(write(tmp_path, whole + "\n"))
    assert (steps[0].rows_in, steps[0].rows_out) == (20_283, 19_564)
    categories = read_dgidb_categories(real_data / "drugs/dgidb_categories_subset.tsv")
    assert len(categories) == 19_970
