"""Mapping files, withdrawn entries and the online helper add names; HGNC has the last word."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.errors import InputError
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.name_maps import NameMap, name_map
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.hgnc_withdrawn import read_hgnc_withdrawn
from aimwell.knowledge.sources.mygene_online import BATCH, OnlineHelper
from aimwell.knowledge.sources.ncbi_gene import read_gene_history, read_gene_info
from aimwell.knowledge.sources.string_names import read_string_names
from aimwell.knowledge.sources.uniprot_idmapping import (
    read_secondary_accessions,
    read_uniprot_idmapping,
)

HERE = Path(__file__).parent
SMALL = HERE / "data" / "knowledge" / "hgnc_small.tsv"
ADVERSARIAL = HERE / "data" / "knowledge" / "adversarial.tsv"
IDMAPPING = (
    "P04637\tUniProtKB-ID\tP53_HUMAN\nP04637\tHGNC\tHGNC:11998\n"
    "P04637-2\tEnsembl_TRS\tENST00000420246.6\nP04637\tEnsembl_PRO\tENSP00000269305.4\n"
    "P04637\tSTRING\t9606.ENSP00000269305\nP04637\tRefSeq\tNP_000537.3\nP04637\tPDB\t1A1U\n"
    "Q00987\tEnsembl_TRS\tENST00000258149\n"
)
SECONDARY = (
    "UniProt - Swiss-Prot Protein Knowledgebase\n\nSecondary AC     Primary AC\n"
    "_______________________________\nQ15086     P04637\nQ9BTM4     P04637\nA1AAA1     P04637\n"
    "A1AAA1     Q00987\n"
)
GENE_INFO = (
    "#tax_id\tGeneID\tSymbol\tdbXrefs\tx\n"
    "9606\t7157\tTP53\tMIM:191170|HGNC:HGNC:11998|Ensembl:ENSG00000141510\tx\n"
    "9606\t99900001\tNEWER\tHGNC:HGNC:6973|Ensembl:ENSG00000999999\tx\n"
    "9606\t5\tLOC5\t-\tx\n10090\t22059\tTrp53\tMGI:MGI:98834\tx\n"
)
HISTORY = (
    "#tax_id\tGeneID\tDiscontinued_GeneID\tDiscontinued_Symbol\tDiscontinue_Date\n"
    "9606\t7157\t111111\tOLD\t20080101\n9606\t-\t222222\tGONE\t20080101\n"
    "10090\t22059\t333333\tMouse\t20080101\n"
)
ALIASES = (
    "#string_protein_id\talias\tsource\n"
    "9606.ENSP00000269305\tHGNC:11998\tEnsembl_HGNC_hgnc_id\n"
    "9606.ENSP00000269305\tLFS1\tEnsembl_HGNC_alias_symbol\n"
    "9606.ENSP00000258149\tENSG00000135679\tEnsembl_gene\n"
    "9606.ENSP00000000009\tnothing\tBLAST_KEGG_NAME\n10090.ENSMUSP00000001\tx\tEnsembl_gene\n"
)
INFO = (
    "#string_protein_id\tpreferred_name\tprotein_size\tannotation\n"
    "9606.ENSP00000269305\tTP53\t393\tCellular tumor antigen p53.\n"
)
WITHDRAWN = (
    "HGNC_ID\tSTATUS\tWITHDRAWN_SYMBOL\tMERGED_INTO_REPORT(S) (i.e HGNC_ID|SYMBOL|STATUS)\n"
    "HGNC:90101\tMerged/Split\tOLDONE\tHGNC:11998|TP53|Approved\n"
    "HGNC:90102\tMerged/Split\tSPLIT\tHGNC:11998|TP53|Approved, HGNC:6973|MDM2|Approved\n"
    "HGNC:90103\tEntry Withdrawn\tGONEFOREVER\t\n"
    "HGNC:90104\tMerged/Split\tOLDER\tHGNC:90101|OLDONE|Merged/Split\n"
)


def write(folder: Path, text: str, name: str = "names.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small() -> IdentifierTable:
    return IdentifierTable.from_hgnc(read_hgnc(SMALL))


def verdicts(table: IdentifierTable, names: list[str]) -> list[tuple[str, str]]:
    report = table.resolve(names)
    return [(r.status, r.symbol or r.candidates) for r in report.itertuples(index=False)]


def test_uniprot_gives_transcripts_proteins_string_ids_and_entry_names(
    tmp_path: Path, small: IdentifierTable
) -> None:
    found = read_uniprot_idmapping(write(tmp_path, IDMAPPING))
    names = ["ENST00000420246", "ENST00000420246.9", "9606.ENSP00000269305", "ENSP00000269305.4"]
    names += ["NP_000537", "P53_HUMAN", "ENST00000258149.8"]
    assert {v[0] for v in verdicts(small, names)} == {"lost"}
    after = verdicts(small.with_names([found]), names)
    assert after == [("mapped", "TP53")] * 6 + [("mapped", "MDM2")]
    assert (found.steps[0].rows_in, found.steps[0].rows_out) == (8, 6)


def test_secondary_accessions_resolve_and_those_of_two_proteins_are_ambiguous(
    tmp_path: Path, small: IdentifierTable
) -> None:
    table = small.with_names([read_secondary_accessions(write(tmp_path, SECONDARY))])
    assert verdicts(table, ["Q15086", "Q15086-2", "A1AAA1", "Q15086;P04637"]) == [
        ("mapped", "TP53"),
        ("mapped", "TP53"),
        ("ambiguous", "MDM2|TP53"),
        ("mapped", "TP53"),
    ]


def test_ncbi_gives_newer_and_retired_entrez_ids(tmp_path: Path, small: IdentifierTable) -> None:
    info = read_gene_info(write(tmp_path, GENE_INFO))
    history = read_gene_history(write(tmp_path, HISTORY))
    table = small.with_names([info, history])
    names = ["99900001", "LOC99900001", "ENSG00000999999.1", "111111", "222222", "333333"]
    assert (
        verdicts(table, names)
        == [("mapped", "MDM2")] * 3 + [("mapped", "TP53")] + [("lost", "")] * 2
    )
    assert [(s.rows_in, s.rows_out) for s in info.steps] == [(4, 3), (3, 2)]
    assert [(s.rows_in, s.rows_out) for s in history.steps] == [(3, 2), (2, 1)]


def test_string_ids_resolve_by_aliases_or_by_the_preferred_name(
    tmp_path: Path, small: IdentifierTable
) -> None:
    found = read_string_names(write(tmp_path, ALIASES))
    table = small.with_names([found])
    names = ["9606.ENSP00000269305", "9606.ENSP00000258149", "9606.ENSP00000000009"]
    assert verdicts(table, names) == [("mapped", "TP53"), ("mapped", "MDM2"), ("lost", "")]
    assert (found.steps[0].rows_in, found.steps[0].rows_out) == (3, 2)
    info = small.with_names([read_string_names(write(tmp_path, INFO))])
    assert verdicts(info, names[:1]) == [("mapped", "TP53")]


def test_no_mapping_file_changes_what_hgnc_says(small: IdentifierTable) -> None:
    rows = [("Entrez", "7157", "MDM2"), ("Ensembl gene", "ENSG00000141510", "MDM2")]
    rows += [("UniProt", "P04637", "MDM2"), ("RefSeq", "NM_1", "nonsense")]
    table = small.with_names([name_map(rows, "wrong", ())])
    names = ["7157", "ENSG00000141510", "P04637"]
    assert verdicts(table, names) == [("mapped", "TP53")] * 3
    assert table.steps[-1].examples == ("nonsense",)
    with pytest.raises(InputError, match="wrong: unknown kinds of names 'symbol'"):
        NameMap(pd.DataFrame([["symbol", "x", "y"]], columns=["kind", "name", "target"]), "wrong")


def test_the_first_of_two_mapping_files_decides(small: IdentifierTable) -> None:
    first, second = (
        name_map([("RefSeq", "NM_000001", symbol)], symbol, ()) for symbol in ("TP53", "MDM2")
    )
    assert verdicts(small.with_names([first, second]), ["NM_000001.2"]) == [("mapped", "TP53")]
    assert verdicts(small.with_names([second, first]), ["NM_000001.2"]) == [("mapped", "MDM2")]


def test_withdrawn_entries_lead_to_what_replaced_them(tmp_path: Path) -> None:
    withdrawn = read_hgnc_withdrawn(write(tmp_path, WITHDRAWN))
    table = IdentifierTable.from_hgnc(read_hgnc(SMALL), withdrawn=withdrawn)
    names = ["OLDONE", "HGNC:90101", "HGNC:90104", "SPLIT", "HGNC:90102", "GONEFOREVER", "TP53"]
    assert verdicts(table, names) == [
        ("mapped", "TP53"),
        ("mapped", "TP53"),
        ("mapped", "TP53"),
        ("ambiguous", "MDM2|TP53"),
        ("ambiguous", "MDM2|TP53"),
        ("lost", ""),
        ("mapped", "TP53"),
    ]
    assert table.resolve(["OLDONE"])["how"].item() == "HGNC id, withdrawn HGNC:90101 followed"
    assert table.resolve(["GONEFOREVER"])["reason"].item().startswith("withdrawn by HGNC")


def test_a_withdrawn_file_without_successors_is_refused(tmp_path: Path) -> None:
    text = WITHDRAWN.replace("MERGED_INTO_REPORT(S) (i.e HGNC_ID|SYMBOL|STATUS)", "INTO")
    with pytest.raises(InputError, match="lacks the column 'MERGED_INTO_REPORT"):
        read_hgnc_withdrawn(write(tmp_path, text))
    with pytest.raises(InputError, match="unknown status 'Maybe'"):
        read_hgnc_withdrawn(write(tmp_path, WITHDRAWN.replace("Entry Withdrawn", "Maybe")))


def test_a_group_is_ambiguous_unless_its_first_member_may_decide(small: IdentifierTable) -> None:
    names = ["Q00987;P04637", "A0A024R1X5;P04637;Q00987", "P04637;P04637-2", "TP53"]
    assert verdicts(small, names[:2]) == [("ambiguous", "MDM2|TP53")] * 2
    report = small.resolve(names, razor=True)
    assert report["symbol"].tolist() == ["MDM2", "TP53", "TP53", "TP53"]
    assert report["candidates"].tolist() == ["MDM2|TP53", "MDM2|TP53", "", ""]
    assert report["how"].str.contains("multi_gene").tolist() == [True, True, False, False]


class Stub:
    """Stands in for ``mygene.MyGeneInfo``; counts what it is asked."""

    def __init__(self, answers: dict[str, list[str]], fail_at: int = -1) -> None:
        self.answers = answers
        self.fail_at = fail_at
        self.asked: list[list[str]] = []

    def querymany(self, qterms: list[str], **options: Any) -> list[dict[str, Any]]:
        if len(self.asked) == self.fail_at:
            raise ConnectionError("no route to host\nsecond line")
        self.asked.append(qterms)
        assert options["species"] == "human"
        return [
            {"query": name, "HGNC": number}
            for name in qterms
            for number in self.answers.get(name, ())
        ] + [{"query": name, "notfound": True} for name in qterms if name not in self.answers]


def test_the_helper_is_asked_only_for_lost_names_and_never_twice(
    tmp_path: Path, small: IdentifierTable
) -> None:
    stub = Stub({"ENST00000420246": ["11998"], "NM_000001": ["11998", "6973"], "FLJ1": ["777"]})
    cache = tmp_path / "mygene.json"
    table = replace(small, helper=OnlineHelper(cache, stub))
    names = ["TP53", "Trp53", "1-Mar", "CPT1", "ENST00000420246", "NM_000001", "FLJ1", "NOPE1"]
    assert verdicts(table, names)[4:] == [
        ("mapped", "TP53"),
        ("ambiguous", "MDM2|TP53"),
        ("lost", ""),  # the answer is no gene of this HGNC table
        ("lost", ""),
    ]
    assert stub.asked == [["ENST00000420246", "FLJ1", "NM_000001", "NOPE1"]]
    assert table.resolve(names)["how"][4] == "mygene.info (online)"
    fresh = replace(small, helper=OnlineHelper(cache, Stub({}, fail_at=0)))
    assert verdicts(fresh, names) == verdicts(table, names)
    assert len(stub.asked) == 1
    assert json.loads(cache.read_text())["NOPE1"] == []


def test_without_a_helper_nothing_is_asked(small: IdentifierTable) -> None:
    assert small.helper is None
    assert verdicts(small, ["NM_000001"]) == [("lost", "")]


def test_the_helper_asks_in_batches_and_keeps_those_before_a_failure(tmp_path: Path) -> None:
    names = [f"G{i:05d}" for i in range(2 * BATCH + 5)]
    stub = Stub({"G00000": ["5"]}, fail_at=2)
    helper = OnlineHelper(tmp_path / "cache.json", stub)
    assert helper.ask(names) == {"G00000": ("HGNC:5",)}
    assert [len(batch) for batch in stub.asked] == [BATCH, BATCH]
    step = helper.steps[0]
    assert (step.rows_in, step.rows_out) == (2 * BATCH + 5, 1)
    assert step.why.endswith(
        "it failed and was left (ConnectionError: no route to host second line)"
    )
    again = OnlineHelper(tmp_path / "cache.json", Stub({}))
    again.ask(names)
    assert [len(batch) for batch in again.client.asked] == [5]  # type: ignore[union-attr]


@pytest.mark.parametrize("content", ["{", "[1]", '{"a": 1}', "\x00"])
def test_a_file_that_is_no_cache_fails_nothing_and_is_left_alone(
    tmp_path: Path, content: str
) -> None:
    cache = write(tmp_path, content)
    helper = OnlineHelper(cache, Stub({"A": ["5"]}))
    assert helper.ask(["A"]) == {}
    assert cache.read_text() == content
    assert "it failed and was left" in helper.steps[0].why


def test_a_cache_that_cannot_be_written_fails_nothing(tmp_path: Path) -> None:
    write(tmp_path, "a file", "file")
    helper = OnlineHelper(tmp_path / "file" / "cache.json", Stub({"A": ["5"]}))
    assert helper.ask(["A"]) == {"A": ("HGNC:5",)}
    assert "it failed and was left" in helper.steps[0].why


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "uniprot": (read_uniprot_idmapping, IDMAPPING),
    "secondary": (read_secondary_accessions, SECONDARY),
    "gene_info": (read_gene_info, GENE_INFO),
    "history": (read_gene_history, HISTORY),
    "string": (read_string_names, ALIASES),
    "withdrawn": (read_hgnc_withdrawn, WITHDRAWN),
}


@pytest.mark.parametrize("reader", READERS)
def test_a_file_of_another_format_is_refused_in_one_line(tmp_path: Path, reader: str) -> None:
    for text in ("<!DOCTYPE html>\n<html></html>\n", "node1 node2\nTP53 MDM2\n"):
        with pytest.raises(InputError, match=r"it looks like a (web page|BioGRID)") as caught:
            READERS[reader][0](write(tmp_path, text))
        assert "\n" not in str(caught.value)


@settings(deadline=None)  # a busy machine is no fault of a reader
@given(st.binary(max_size=120), st.sampled_from(sorted(READERS)), st.integers(0, 300))
def test_no_damage_makes_a_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, reader: str, at: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz-names.txt"
    good = READERS[reader][1].encode()
    path.write_bytes(good[:at] + noise + good[at + len(noise) :])
    try:
        READERS[reader][0](path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017  a reader may also accept


def test_every_adversarial_name_gets_its_verdict(real_data: Path) -> None:
    with ADVERSARIAL.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in stream if not line.startswith("# ")]
    rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len({row["name"] for row in rows}) >= 250
    loci = read_hgnc(real_data / "ids/hgnc_complete_set_2024-10.txt.gz")
    found = verdicts(IdentifierTable.from_hgnc(loci), [row["name"] for row in rows])
    wrong = [
        (row["name"], answer)
        for row, answer in zip(rows, found, strict=True)
        if (row["status"], row["answer"] or "") != answer
    ]
    assert wrong == []


def test_a_transcript_of_mane_resolves_by_hgnc_alone(real_data: Path) -> None:
    table = IdentifierTable.from_hgnc(read_hgnc(real_data / "ids/hgnc_complete_set_2024-10.txt.gz"))
    names = ["ENST00000269305", "ENST00000269305.9", "NM_000546.6", "LOC7157"]
    assert verdicts(table, names) == [("mapped", "TP53")] * 4
