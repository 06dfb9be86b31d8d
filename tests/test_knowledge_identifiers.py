"""Names of every kind end as mapped, ambiguous or lost, and say why."""

import datetime
import time
from pathlib import Path

import pandas as pd
import pytest

from aimwell.errors import IdentifierError
from aimwell.knowledge.families import gene_families
from aimwell.knowledge.graph import GENE_COLUMNS, TargetGraph
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped
from aimwell.knowledge.sources.hgnc import read_hgnc

SMALL = Path(__file__).parent / "data" / "knowledge" / "hgnc_small.tsv"

# Name, status, symbol (mapped) or candidates (not mapped), beginning of how.
VERDICTS = [
    ("TP53", "mapped", "TP53", "approved symbol"),
    ("p53", "mapped", "TP53", "alias"),
    ("P53", "mapped", "TP53", "alias (case ignored)"),
    ("tp53", "mapped", "TP53", "approved symbol (case ignored)"),
    ("  TP53 ", "mapped", "TP53", "approved symbol"),
    ('"TP53"', "mapped", "TP53", "approved symbol"),
    ("Trp53", "lost", "", "mouse or rat symbol"),
    ("Tp53", "lost", "TP53", "mouse or rat symbol"),
    ("Brca1", "lost", "BRCA1", "mouse or rat symbol"),
    ("ENSMUSG00000059552", "lost", "", "gene of another species"),
    ("ENSRNOG00000010756", "lost", "", "gene of another species"),
    ("MGI:98834", "lost", "", "gene of another species"),
    ("YAL001C", "lost", "", "gene of another species"),
    ("FBgn0039044", "lost", "", "gene of another species"),
    ("sp|P02340|P53_MOUSE", "lost", "", "UniProt"),
    ("P53_MOUSE", "lost", "", "gene of another species"),
    ("C1orf43", "mapped", "C1orf43", "approved symbol"),
    ("C1ORF43", "mapped", "C1orf43", "approved symbol (case ignored)"),
    ("HER2", "mapped", "ERBB2", "alias"),
    ("CD20", "mapped", "MS4A1", "previous symbol"),
    ("VEGF", "mapped", "VEGFA", "previous symbol"),
    ("MLL2", "mapped", "KMT2D", "previous symbol"),  # alias of KMT2B: the previous symbol wins
    ("MLL4", "ambiguous", "KMT2B|KMT2D", "alias"),
    ("SEPT2", "mapped", "SEPTIN2", "previous symbol"),  # also an alias of SEPTIN6
    ("SEP2", "ambiguous", "SEPTIN6|SEPTIN8", "alias"),
    ("SEPT7", "mapped", "SEPTIN7", "previous symbol"),
    ("MARCH1", "mapped", "MARCHF1", "previous symbol"),
    ("MARC1", "mapped", "MTARC1", "previous symbol"),
    ("CPT1", "ambiguous", "CPT1A|CPT2", "previous symbol"),  # not its alias CHPT1
    ("OCT1", "ambiguous", "POU2F1|SLC22A1", "alias"),
    ("Oct4", "mapped", "POU5F1", "alias"),
    ("OCT4", "mapped", "POU5F1", "alias (case ignored)"),
    ("ND1", "ambiguous", "IVNS1ABP|MT-ND1", "alias"),
    ("MT-ND1", "mapped", "MT-ND1", "approved symbol"),
    ("DEC1", "lost", "DELEC1", "previous symbol"),  # the previous symbol of a non-coding RNA
    ("MIR21", "lost", "MIR21", "approved symbol"),
    ("hsa-miR-21-5p", "lost", "", "microRNA"),
    ("GAPDHP1", "lost", "GAPDHP1", "approved symbol"),
    ("1-Mar", "ambiguous", "MARCHF1|MTARC1", "date"),
    ("Mar-01", "ambiguous", "MARCHF1|MTARC1", "date"),
    ("01-Mar-2021", "ambiguous", "MARCHF1|MTARC1", "date"),
    ("2-Sep", "ambiguous", "SEPTIN2|SEPTIN6|SEPTIN8", "date"),
    ("7-Sep", "ambiguous", "SEPTIN7", "date"),  # one candidate is still not a name
    ("2021-09-07", "ambiguous", "SEPTIN7", "date"),
    ("2021-09-07 00:00:00", "ambiguous", "SEPTIN7", "date"),
    ("9/7/2021", "ambiguous", "SEPTIN7", "date"),
    ("1-Dec", "ambiguous", "BHLHE40|DELEC1", "date"),
    ("30-Feb", "lost", "", "date"),
    ("2.31E+13", "lost", "", "number in scientific notation"),
    ("ENSG00000141510", "mapped", "TP53", "Ensembl gene"),
    ("ENSG00000141510.17", "mapped", "TP53", "Ensembl gene, version .17 stripped"),
    ("ensg00000141510", "mapped", "TP53", "Ensembl gene"),
    ("ENSG00000182378.14_PAR_Y", "mapped", "PLCXD1", "Ensembl gene, version .14"),
    ("ENSG00000000000", "lost", "", "Ensembl gene"),
    ("ENST00000413465", "lost", "", "Ensembl transcript or protein"),
    ("9606.ENSP00000269305", "lost", "", "Ensembl transcript or protein"),
    ("7157", "mapped", "TP53", "Entrez"),
    ("7157.0", "mapped", "TP53", "Entrez"),
    ("99999999", "lost", "", "Entrez"),
    ("HGNC:11998", "mapped", "TP53", "HGNC id"),
    ("hgnc:11998", "mapped", "TP53", "HGNC id"),
    ("P04637", "mapped", "TP53", "UniProt"),
    ("P04637-2", "mapped", "TP53", "UniProt, isoform -2 stripped"),
    ("sp|P04637|P53_HUMAN", "mapped", "TP53", "UniProt"),
    ("P53_HUMAN", "lost", "", "UniProt entry name"),
    ("P04637;P04637-2", "mapped", "TP53", "group of 2"),
    ("P04637;Q00987", "ambiguous", "MDM2|TP53", "group of 2"),
    ("P04637;A0A024R1X5", "mapped", "TP53", "group of 2"),
    ("CON__P04637;P04637", "lost", "", "contaminant or decoy"),
    ("REV__P04637", "lost", "", "contaminant or decoy"),
    ("TP53 /// MDM2", "ambiguous", "MDM2|TP53", "group of 2"),
    ("TP53|7157", "mapped", "TP53", "group of 2"),
    ("CPT1|1376", "mapped", "CPT2", "group of 2"),  # the id decides where the symbol is unclear
    ("TP53;", "mapped", "TP53", "group of 1"),
    ("NA", "lost", "", "empty name"),
    ("NaN", "lost", "", "empty name"),  # although SCN11A has that alias
    ("", "lost", "", "empty name"),
    ("1007_s_at", "lost", "", "microarray probe"),
    ("ILMN_1762337", "lost", "", "microarray probe"),
    ("NM_001126112.3", "lost", "", "RefSeq accession"),
    ("LOC344382", "lost", "", "clone or locus name"),
    ("4E-BP1_pS65", "lost", "", "antibody against a modified site"),
    ("gag", "lost", "", "symbol"),
    ("ｔｐ５３", "lost", "", "symbol"),
    ("BRCA1/BRCA2", "lost", "", "symbol"),
]
WITHDRAWN = [
    ("HGNC:90001", "mapped", "TP53", "HGNC id, withdrawn HGNC:90001 followed"),
    ("OLDP53", "mapped", "TP53", "HGNC id, withdrawn HGNC:90001 followed"),
    ("OLDERP53", "mapped", "TP53", "HGNC id, withdrawn HGNC:90002 followed"),
    ("HGNC:90003", "lost", "", "HGNC id"),
    ("GONE1", "lost", "", "HGNC id"),
    ("P62805", "ambiguous", "H4C1|H4C2", "UniProt"),
]


@pytest.fixture(scope="module")
def small() -> IdentifierTable:
    return IdentifierTable.from_hgnc(read_hgnc(SMALL))


@pytest.fixture(scope="module")
def whole(real_data: Path) -> IdentifierTable:
    return IdentifierTable.from_hgnc(read_hgnc(real_data / "ids/hgnc_complete_set_2024-10.txt.gz"))


def judge(table: IdentifierTable, name: object) -> tuple[str, str, str]:
    row = table.resolve([name]).iloc[0]
    return row["status"], row["symbol"] or row["candidates"], row["how"]


@pytest.mark.parametrize(("name", "status", "gene", "how"), VERDICTS + WITHDRAWN)
def test_every_trap_gets_its_verdict(
    small: IdentifierTable, name: str, status: str, gene: str, how: str
) -> None:
    found = judge(small, name)
    assert found[:2] == (status, gene)
    assert found[2].startswith(how)


def test_the_whole_of_hgnc_gives_the_same_verdicts(whole: IdentifierTable) -> None:
    report = whole.resolve([name for name, *_ in VERDICTS])
    found = [(r.name, r.status, r.symbol or r.candidates) for r in report.itertuples(index=False)]
    assert found == [(name.strip() and name, status, gene) for name, status, gene, _ in VERDICTS]


def test_a_lost_name_always_says_why(small: IdentifierTable) -> None:
    report = small.resolve([name for name, *_ in VERDICTS + WITHDRAWN])
    assert ((report["status"] == "mapped") == (report["reason"] == "")).all()
    assert ((report["status"] == "mapped") == (report["hgnc_id"] != "")).all()


def test_names_that_are_no_text_are_read_for_what_they_are(small: IdentifierTable) -> None:
    names = [7157, 7157.0, None, float("nan"), pd.NaT, datetime.date(2021, 9, 7)]
    names.append(pd.Timestamp("2021-09-07"))
    statuses = [judge(small, name)[0] for name in names]
    assert statuses == ["mapped", "mapped", "lost", "lost", "lost", "ambiguous", "ambiguous"]


def test_the_report_keeps_order_and_repeats(small: IdentifierTable) -> None:
    report = small.resolve(["MDM2", "x", "TP53", "MDM2"])
    assert report["symbol"].tolist() == ["MDM2", "", "TP53", "MDM2"]
    assert report["name"].tolist() == ["MDM2", "x", "TP53", "MDM2"]


def test_other_loci_resolve_when_asked_for(small: IdentifierTable) -> None:
    report = small.resolve(["MIR21", "DEC1"], protein_coding=False)
    assert report["symbol"].tolist() == ["MIR21", "DELEC1"]


def test_the_order_of_hgnc_rows_changes_nothing(small: IdentifierTable) -> None:
    names = [name for name, *_ in VERDICTS + WITHDRAWN]
    turned = IdentifierTable.from_hgnc(small.loci.iloc[::-1].sort_index())
    pd.testing.assert_frame_equal(small.resolve(names), turned.resolve(names))


def test_a_graph_resolves_by_its_own_genes() -> None:
    row = ["TP53", "tumor protein p53", "7157", "ENSG00000141510", "P04637|Q00987", "TP53"]
    genes = pd.DataFrame([row], columns=list(GENE_COLUMNS), index=["HGNC:11998"], dtype=str)
    table = IdentifierTable.from_graph(TargetGraph({"gene": genes}, {}))
    names = ["TP53", "ENSG00000141510.3", "7157", "Q00987", "HGNC:11998", "p53"]
    assert table.resolve(names)["status"].tolist() == ["mapped"] * 5 + ["lost"]


@pytest.mark.parametrize(
    ("names", "kind", "advice"),
    [
        (["1007_s_at", "1053_at", "117_at"], "microarray probes", "annotation table"),
        (["ENSMUSG00000059552", "ENSMUSG00000020184"], "genes of another species", "orthologues"),
        (["Trp53", "Brca1", "Mdm2"], "mouse or rat symbols", "orthologues"),
        (["NM_000546", "NM_007294"], "RefSeq accessions", "Ensembl"),
        (["1-Mar", "2-Sep"], "dates", "as text"),
    ],
)
def test_too_few_mapped_names_are_described(
    small: IdentifierTable, names: list[str], kind: str, advice: str
) -> None:
    with pytest.raises(IdentifierError, match=f"0%, 50% needed.*{kind}.*{advice}") as caught:
        require_mapped(small.resolve(names), 0.5, "'x.tsv'")
    assert str(caught.value).startswith(f"'x.tsv': 0 of {len(names)} names")
    assert "\n" not in str(caught.value)


def test_enough_mapped_names_pass_and_none_at_all_do_not(small: IdentifierTable) -> None:
    require_mapped(small.resolve(["TP53", "x"]), 0.5, "here")
    with pytest.raises(IdentifierError, match="not one name"):
        require_mapped(small.resolve([]), 0.0, "here")


def test_twenty_thousand_names_resolve_in_a_second(whole: IdentifierTable) -> None:
    names = [*whole.genes["symbol"][:10_000], *whole.genes["ensembl_gene_id"][:10_000]]
    start = time.process_time()
    report = whole.resolve(names)
    assert time.process_time() - start < 1.0
    assert (report["status"] == "mapped").sum() == 19_986


def test_the_traps_of_hgnc_are_as_many_as_measured(whole: IdentifierTable) -> None:
    names = whole._index
    assert len(whole.loci) == 43_882
    assert len(whole.genes) == 19_290
    assert sum(len(genes) > 1 for genes in names["alias"].values()) == 1_076
    assert sum(len(genes) > 1 for genes in names["previous symbol"].values()) == 85


def groups(rows: list[tuple[str, str]]) -> pd.DataFrame:
    ids = [f"HGNC:{i}" for i in range(len(rows))]
    table = pd.DataFrame({"symbol": [f"G{i}" for i in range(len(rows))]}, index=ids, dtype=str)
    return table.assign(gene_group=[n for n, _ in rows], gene_group_id=[i for _, i in rows])


def test_families_merge_small_groups_first_and_skip_what_grows_too_large() -> None:
    pairs = [("A", "1"), ("A|C", "1|3"), ("B|C", "2|3"), ("B", "2"), ("C", "3"), ("", "")]
    family, step = gene_families(groups(pairs), largest_share=0.5)
    assert family.tolist() == ["A", "A", "B", "B", "G4", "G5"]  # C would join 5 of 6 genes
    assert (step.rows_in, step.rows_out, step.examples) == (3, 2, ("C",))
    together, _ = gene_families(groups(pairs), largest_share=1.0)
    assert together.tolist() == ["C", "C", "C", "C", "C", "G5"]


def test_families_of_hgnc_are_never_split_and_stay_small(whole: IdentifierTable) -> None:
    coding = whole.loci.loc[whole.genes.index]
    family, step = gene_families(coding)
    assert family.value_counts().iloc[0] <= 0.03 * len(coding)
    split = 0
    for _, members in (
        coding.assign(group=coding["gene_group_id"].str.split("|"), family=family)
        .explode("group")
        .query("group != ''")
        .groupby("group")
    ):
        split += len(set(members["family"])) > 1
    assert split == step.rows_in - step.rows_out  # only the skipped groups are spread out
    chained, _ = gene_families(coding, largest_share=1.0)
    assert chained.value_counts().iloc[0] == 11_711
    assert family["HGNC:7729"] == family["HGNC:1717"]  # SEPTIN2, SEPTIN7


def test_dates_of_a_whole_file_are_turned_back_where_nothing_else_can_be_meant() -> None:
    table = IdentifierTable.from_hgnc(read_hgnc(SMALL))

    def found(*names: str) -> list[tuple[str, str]]:
        report = table.resolve(names, whole_file=True)
        return list(zip(report["status"], report["symbol"] + report["candidates"], strict=True))

    both = [("mapped", "SEPTIN7"), ("mapped", "POU5F1"), ("mapped", "TP53")]
    assert found("7-Sep", "4-Oct", "TP53") == both
    report = table.resolve(["7-Sep", "4-Oct"], whole_file=True)
    assert report["how"][0] == "date, turned back to SEPT7 or SEP7"
    # by itself a date may be a typing error, and a list is no file
    assert found("7-Sep", "TP53")[0] == ("ambiguous", "SEPTIN7")
    assert table.resolve(["7-Sep", "4-Oct"])["status"].tolist() == ["ambiguous"] * 2
    # the gene is there by its name, so that the date must be another
    assert found("7-Sep", "4-Oct", "SEPTIN7")[0] == ("ambiguous", "SEPTIN7")
    # several genes may be meant, or several dates mean one
    assert found("1-Mar", "4-Oct") == [("ambiguous", "MARCHF1|MTARC1"), ("mapped", "POU5F1")]
    assert found("7-Sep", "07-Sep")[0] == ("ambiguous", "SEPTIN7")
