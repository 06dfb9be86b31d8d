"""RNA as programs write it: each format reads as the numbers in it, every fault is named."""

import gzip
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimwell.cohorts.layer_sources import PER_SAMPLE, READERS, read_measurements
from aimwell.cohorts.measured import Measured
from aimwell.config import (
    CohortSettings,
    LabelSettings,
    MatrixSettings,
    RunConfig,
    RunSettings,
    SheetSettings,
)
from aimwell.errors import AimwellError, ConfigError, InputError
from aimwell.pipeline.keys import keys_of

FEATURECOUNTS = (
    '# Program:featureCounts v2.0.6; Command:"featureCounts" "-a" "a.gtf"\n'
    "Geneid\tChr\tStart\tEnd\tStrand\tLength\tbam/s1Aligned.sortedByCoord.out.bam\tbam/s2.bam\n"
    "ENSG00000141510\t17;17\t1;9\t5;20\t-;-\t17\t12\t0\n"
    "ENSG00000133703\t12\t1\t90\t-\t90\t3\t44\n"
)
STAR = (
    "N_unmapped\t5\t5\t5\nN_multimapping\t1\t1\t1\nN_noFeature\t9\t70\t12\nN_ambiguous\t2\t0\t0\n"
    "TP53\t100\t2\t98\nKRAS\t50\t1\t49\n"
)
RSEM = (
    "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n"
    "TP53\tT1,T2\t1000.00\t800.00\t10.50\t5\t4\nKRAS\tT3\t500.00\t0.00\t0.00\t0\t0\n"
)
SALMON = (
    "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
    "ENST01.2\t1200\t1000.0\t9\t30.5\nENST02.1\t400\t200.0\t9\t20.0\nENST03.1\t900\t700.0\t1\t7\n"
)
KALLISTO = (
    "target_id\tlength\teff_length\test_counts\ttpm\n"
    "ENST01.2\t1200\t1000\t30.5\t9\nENST02.1\t400\t200\t20\t9\nENST03.1\t900\t700\t7\t1\n"
)
GDC = (
    "# gene-model: GENCODE v36\n"
    "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\n"
    "N_unmapped\t\t\t100\t100\t100\t\n"
    "ENSG00000141510.18\tTP53\tprotein_coding\t12\t7\t5\t1.5\n"
    "ENSG00000133703.14\tKRAS\tprotein_coding\t4\t1\t3\t0.5\n"
)
GCT12 = "#1.2\n2\t2\nName\tDescription\ts1\ts2\nENSG1\tTP53\t1.5\t2\nENSG2\tKRAS\t-1\t\n"
GCT13 = (
    "#1.3\n2\t2\t1\t1\nid\tsymbol\ts1\ts2\nplate\tna\tA\tB\n"
    "ENSG1\tTP53\t1.5\t2\nENSG2\tKRAS\t-1\tNA\n"
)
CBIOPORTAL = (
    "Hugo_Symbol\tEntrez_Gene_Id\ts1\ts2\nTP53\t7157\t0\t7\n\t3845\t3\t1\nTP53\t7157\t1\t0\n"
)
TEXTS = {
    "featurecounts": FEATURECOUNTS,
    "star": STAR,
    "rsem": RSEM,
    "salmon": SALMON,
    "kallisto": KALLISTO,
    "gdc": GDC,
    "gct": GCT12,
    "cbioportal": CBIOPORTAL,
}


def how(reader: str, **changes: Any) -> MatrixSettings:
    return replace(MatrixSettings("x", layer="rna", kind="rna", reader=reader), **changes)


def read(path: Path, settings: MatrixSettings) -> Measured:
    config = RunConfig(
        run=RunSettings("t", output="out", data=str(path.parent)),
        cohort=CohortSettings((settings,), SheetSettings("sheet.tsv")),
        contrasts=(),
        known_targets=LabelSettings(()),
    )
    return read_measurements(config, replace(settings, path=str(path)))


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def numbers(values: pd.DataFrame) -> dict[str, list[float]]:
    return {str(name): row.tolist() for name, row in values.iterrows()}


def test_featurecounts_gives_counts_of_samples_named_after_their_alignments(tmp_path: Path) -> None:
    found = read(write(tmp_path, "counts.txt", FEATURECOUNTS), how("featurecounts"))
    assert numbers(found.values) == {"s1": [12, 3], "s2": [0, 44]}
    assert list(found.values) == ["ENSG00000141510", "ENSG00000133703"]
    assert (found.unit, found.offsets.size) == ("counts", 0)


def test_the_strand_with_the_reads_is_chosen_and_recorded(tmp_path: Path) -> None:
    for name in ("a_", "b."):
        write(tmp_path, f"star/{name}ReadsPerGene.out.tab", STAR)
    found = read(tmp_path / "star", how("star"))
    assert numbers(found.values) == {"a": [98, 49], "b": [98, 49]}
    assert found.steps[0].name == "rna: column 'reverse'"
    assert "98% of the strand-specific reads are on the second strand" in found.steps[0].why
    assert found.steps[1].rows_in - found.steps[1].rows_out == 4


@pytest.mark.parametrize(
    ("first", "second", "asked", "column", "warned"),
    [
        (50, 50, "", "unstranded", False),
        (98, 2, "", "forward", False),
        (30, 70, "", "unstranded", True),
        (2, 98, "unstranded", "unstranded", True),
        (2, 98, "reverse", "reverse", False),
    ],
)
def test_doubtful_strands_are_warned_of(
    tmp_path: Path, first: int, second: int, asked: str, column: str, warned: bool
) -> None:
    text = f"N_unmapped\t1\t1\t1\nTP53\t100\t{first}\t{second}\n"
    path = write(tmp_path, "s/ReadsPerGene.out.tab", text)
    found = read(path, how("star", quantity=asked))
    assert found.values.index.tolist() == ["s"]
    assert found.steps[0].name == f"rna: column '{column}'"
    assert ("warning" in found.steps[0].why) is warned


def test_samples_of_different_strandedness_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "aReadsPerGene.out.tab", STAR)
    write(
        tmp_path, "bReadsPerGene.out.tab", STAR.replace("2\t98", "98\t2").replace("1\t49", "49\t1")
    )
    with pytest.raises(
        InputError, match=r"differ in strandedness: 'a' against 'b'|'b' against 'a'"
    ):
        read(tmp_path / "*ReadsPerGene.out.tab", how("star"))


def test_rsem_gives_fractional_counts_and_the_logarithm_of_effective_lengths(
    tmp_path: Path,
) -> None:
    write(tmp_path, "a.genes.results", RSEM)
    write(
        tmp_path,
        "b.genes.results",
        RSEM.replace("800.00", "400.00").replace("\t0.00\t0.00", "\t250\t3"),
    )
    found = read(tmp_path, how("rsem"))
    assert numbers(found.values) == {"a": [0, 10.5], "b": [3, 10.5]}
    # KRAS has no effective length in a, and takes that of b
    np.testing.assert_allclose(np.exp(found.offsets), [[250, 800], [250, 400]])


@pytest.mark.parametrize(
    ("reader", "name"), [("salmon", "quant.sf"), ("kallisto", "abundance.tsv")]
)
def test_transcripts_become_genes_with_lengths_averaged_by_abundance(
    tmp_path: Path, reader: str, name: str
) -> None:
    write(tmp_path, f"q/s1/{name}", TEXTS[reader])
    write(tmp_path, f"q/s2/{name}", gzip.compress(TEXTS[reader].encode()))
    genes = "transcript\tgene\nENST01\tG1\nENST02.1\tG1\nENST03.1\tG2\n"
    write(tmp_path, "tx2gene.tsv", genes)
    found = read(tmp_path / "q", how(reader, transcripts=str(tmp_path / "tx2gene.tsv")))
    assert numbers(found.values) == {"s1": [50.5, 7], "s2": [50.5, 7]}
    # abundances 30.5 / 1000 and 20 / 200: (30.5 + 20) reads over their sum
    np.testing.assert_allclose(np.exp(found.offsets.loc["s1"]), [50.5 / 0.1305, 700])


def test_a_gtf_says_which_gene_a_transcript_belongs_to(tmp_path: Path) -> None:
    row = '1\tx\t{}\t1\t9\t.\t+\t.\tgene_id "{}"; transcript_id "{}"; tag "b";\n'
    text = (
        "#!v\n" + row.format("exon", "G1", "ENST01.2") + row.format("transcript", "G1", "ENST02.1")
    )
    write(tmp_path, "a.gtf", text + row.format("transcript", "G2", "ENST03.1"))
    path = write(tmp_path, "s/quant.sf", SALMON)
    found = read(path, how("salmon", transcripts=str(tmp_path / "a.gtf")))
    assert numbers(found.values) == {"s": [50.5, 7]}


def test_names_of_gencode_name_the_gene_themselves(tmp_path: Path) -> None:
    text = SALMON.replace("ENST01.2", "ENST01.2|G1.4|-|").replace("ENST02.1", "ENST02.1|G1.4|-|")
    found = read(write(tmp_path, "s/quant.sf", text), how("salmon"))
    assert numbers(found.values) == {"s": [50.5]}
    assert found.steps[1].examples == ("ENST03.1",)


def test_gdc_counts_are_unstranded_unless_asked_otherwise(tmp_path: Path) -> None:
    write(tmp_path, "u1/u1.rna_seq.augmented_star_gene_counts.tsv", GDC)
    assert numbers(read(tmp_path, how("gdc")).values) == {"u1": [12, 4]}
    found = read(tmp_path, how("gdc", quantity="stranded_second"))
    assert numbers(found.values) == {"u1": [5, 3]}
    with pytest.raises(ConfigError, match="TPM and FPKM have lost the precision"):
        read(tmp_path, how("gdc", quantity="tpm_unstranded"))


@pytest.mark.parametrize("text", [GCT12, GCT13])
def test_both_releases_of_gct_read_alike(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "m.gct", text)
    found = read(path, how("gct", unit="log2"))
    np.testing.assert_array_equal(found.values, [[1.5, -1], [2, np.nan]])
    assert list(found.values) == ["ENSG1", "ENSG2"]
    second = "symbol" if text == GCT13 else "Description"
    assert list(read(path, how("gct", unit="log2", names_in=second)).values) == ["TP53", "KRAS"]


def test_annotation_of_samples_in_gct_is_stated(tmp_path: Path) -> None:
    found = read(write(tmp_path, "m.gct", GCT13), how("gct", unit="log2"))
    assert found.stated.to_dict("index") == {"s1": {"plate": "A"}, "s2": {"plate": "B"}}


def test_cbioportal_names_genes_by_symbol_then_by_entrez_id(tmp_path: Path) -> None:
    path = write(tmp_path, "data_mrna.txt", CBIOPORTAL)
    found = read(path, how("cbioportal", quantity="log2_plus_1"))
    assert (found.unit, list(found.values)) == ("log2", ["TP53", "3845"])
    np.testing.assert_allclose(found.values, [[0, 2], [3, 1]])
    assert (found.steps[0].rows_in, found.steps[0].rows_out) == (3, 2)
    with pytest.raises(InputError, match="z-scores"):
        read(
            write(tmp_path, "data_mrna_median_Zscores.txt", CBIOPORTAL),
            how("cbioportal", unit="log2"),
        )


def as_parquet(frame: pd.DataFrame, path: Path) -> Path:
    frame.to_parquet(path)
    return path


FRAME = pd.DataFrame({"s1": [1.5, -2.0], "s2": [np.nan, 4]}, index=pd.Index(["A", "B"], name="g"))


@pytest.mark.parametrize(
    "frame", [FRAME, FRAME.reset_index(), FRAME.reset_index().assign(s2=[None, 4])]
)
def test_parquet_reads_names_from_its_index_or_its_text_column(
    tmp_path: Path, frame: pd.DataFrame
) -> None:
    found = read(as_parquet(frame, tmp_path / "m.parquet"), how("parquet", unit="log2"))
    np.testing.assert_array_equal(found.values, [[1.5, -2], [np.nan, 4]])
    assert list(found.values) == ["A", "B"]


def test_parquet_with_two_columns_of_text_asks_which_holds_the_names(tmp_path: Path) -> None:
    frame = FRAME.reset_index().assign(other=["x", "y"])
    path = as_parquet(frame, tmp_path / "m.parquet")
    with pytest.raises(InputError, match=r"2 columns of text .'g', 'other'.*set names_in"):
        read(path, how("parquet", unit="log2"))
    with pytest.raises(InputError, match="1 columns hold no numbers: 'other'"):
        read(path, how("parquet", unit="log2", names_in="g"))


def workbook(path: Path, change: Callable[[Any], object] = lambda _: None) -> Path:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["gene", "s1", "s2"], ["TP53", 1.5, None], ["KRAS", "NA", -2]):
        book.active.append(row)
    change(book)
    book.save(path)
    book.close()
    return path


def test_a_workbook_reads_like_the_matrix_in_it(tmp_path: Path) -> None:
    found = read(workbook(tmp_path / "m.xlsx"), how("xlsx", unit="log2"))
    np.testing.assert_array_equal(found.values, [[1.5, np.nan], [np.nan, -2]])
    assert list(found.values) == ["TP53", "KRAS"]


def fill(cell: str, value: object) -> Callable[[Any], object]:
    return lambda book: book.active.__setitem__(cell, value)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: b.active.merge_cells("B2:B3"), "1 merged cells: 'B2:B3'.*unmerge"),
        (fill("B2", "=1+1"), "cell B2 holds '=1\\+1', which is a formula"),
        (fill("B2", "high"), "cell B2 holds 'high', which is no number"),
        (fill("A3", "TP53"), "1 feature names occur more than once: 'TP53'"),
        (fill("C1", None), "sample number 2 has no name"),
        (lambda b: b.create_sheet("two"), "2 sheets: 'Sheet', 'two'; set quantity"),
    ],
)
def test_a_workbook_with_a_fault_is_refused_with_its_cell(
    tmp_path: Path, change: Callable[[Any], object], says: str
) -> None:
    with pytest.raises(InputError, match=says):
        read(workbook(tmp_path / "m.xlsx", change), how("xlsx", unit="log2"))


def test_a_gene_that_excel_made_a_date_is_named_as_excel_shows_it(tmp_path: Path) -> None:
    import datetime

    path = workbook(tmp_path / "m.xlsx", fill("A3", datetime.datetime(2020, 9, 2)))
    assert list(read(path, how("xlsx", unit="log2")).values) == ["TP53", "2-Sep"]


@pytest.mark.parametrize(
    ("reader", "old", "new", "says"),
    [
        ("featurecounts", "\t12\t0\n", "\t12\n", "first is line 3 with 7"),
        ("featurecounts", "\t44", "\tx", r"line 4, column 'bam/s2.bam' holds 'x'"),
        ("featurecounts", "ENSG00000133703", "ENSG00000141510", "occur more than once"),
        (
            "featurecounts",
            "bam/s2.bam",
            "other/s1.bam",
            "1 sample names occur more than once: 's1'",
        ),
        ("star", "KRAS", "TP53", "1 feature names occur more than once"),
        ("star", "\t49", "", "first is line 6 with 3"),
        ("rsem", "\t0.00\t0.00", "\t0.00\t4", "counts and no effective length, for example 'KRAS'"),
        ("rsem", "10.50", "-1", "'TP53'.*has the count -1"),
        ("salmon", "30.5", "NA", "count nan"),
        ("kallisto", "1000", "inf", "'inf', which is no number"),
        ("gdc", "\t12\t", "\t1e999\t", "no number"),
        ("gct", "2\t2\n", "3\t2\n", "line 2 says 3 rows, but there are 2"),
        ("gct", "2\t2\n", "2\t3\n", "line 2 says 3 samples, but the header in line 3 has 2"),
        ("gct", "2\t2\n", "two\n", "must hold 2 whole numbers"),
        ("cbioportal", "\t3845\t3", "\t\t3", "line 3 names no gene"),
    ],
)
def test_a_fault_is_refused_with_its_place(
    tmp_path: Path, reader: str, old: str, new: str, says: str
) -> None:
    assert old in TEXTS[reader]
    path = write(tmp_path, "s.txt", TEXTS[reader].replace(old, new, 1))
    with pytest.raises(InputError, match=says) as caught:
        read(path, how(reader, unit="log2" if reader in ("gct", "cbioportal") else ""))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("reader", sorted(TEXTS))
def test_a_file_of_another_program_is_named(tmp_path: Path, reader: str) -> None:
    path = write(tmp_path, "s.txt", TEXTS[reader])
    other = "matrix" if reader == "featurecounts" else "featurecounts"
    with pytest.raises(
        InputError, match=rf"looks like .*reader = '{other}'; set reader = '{reader}'"
    ):
        read(path, how(other, unit="log2"))


def test_proteins_given_as_rna_counts_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "p.txt", "Protein IDs\tMajority protein IDs\tPeptides\nP1\tP1\t3\n")
    with pytest.raises(InputError, match="looks like MaxQuant proteinGroups, but reader = 'feat"):
        read(path, how("featurecounts"))


def test_files_of_different_annotations_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "s1/quant.sf", SALMON)
    write(tmp_path, "s2/quant.sf", SALMON.replace("ENST03.1", "ENST04.1"))
    with pytest.raises(InputError, match=r"differ in 2 features: 'ENST03.1', 'ENST04.1'"):
        read(tmp_path, how("salmon"))


def test_a_folder_without_such_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no file 'quant.sf"):
        read(tmp_path, how("salmon"))
    with pytest.raises(InputError, match="no file matches"):
        read(tmp_path / "*.sf", how("salmon"))
    with pytest.raises(
        InputError, match="is a folder, but reader = 'featurecounts' reads one file"
    ):
        read(tmp_path, how("featurecounts"))


def test_one_sample_from_two_files_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "a/s.genes.results", RSEM)
    write(tmp_path, "b/s.genes.results", RSEM)
    with pytest.raises(InputError, match="1 samples come from several files, 's' from"):
        read(tmp_path, how("rsem"))


def test_a_run_depends_on_every_file_of_a_folder_or_pattern(tmp_path: Path) -> None:
    for sample in ("s1", "s2"):
        write(tmp_path, f"q/{sample}/quant.sf", SALMON)
    whole = RunConfig(
        run=RunSettings("t", output="out", data=str(tmp_path)),
        cohort=CohortSettings(
            (how("salmon", path="q"), how("salmon", path="q/*/quant.sf", layer="again")),
            SheetSettings("sheet.tsv"),
        ),
        contrasts=(),
        known_targets=LabelSettings(()),
    )
    before = keys_of(whole)
    assert {"q", "q/*/quant.sf"} <= set(before.files)
    assert keys_of(whole) == before
    write(tmp_path, "q/s2/quant.sf", SALMON.replace("30.5", "31.5"))
    after = keys_of(whole)
    assert after.evidence != before.evidence
    assert after.known == before.known
    write(tmp_path, "q/s3/quant.sf", SALMON)
    assert keys_of(whole).evidence != after.evidence


PIECES = st.sampled_from(
    ["\t", "\n", "x", "-1", "0", "1e400", "NaN", '"', "|", "#", "\0", "\ufeff"]
)


@given(st.sampled_from(sorted(TEXTS)), st.data())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_file_gives_a_result_or_a_clear_error(
    tmp_path: Path, reader: str, data: st.DataObject
) -> None:
    text = TEXTS[reader]
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        to = min(len(text), at + data.draw(st.sampled_from([0, 1, 5, 60])))
        text = text[:at] + data.draw(PIECES) + text[to:]
    path = write(tmp_path, "s.txt", text)
    with suppress(AimwellError):
        found = READERS[reader](path, how(reader, unit="log2"))
        assert np.isfinite(found.values.to_numpy()).any()
        assert not np.isinf(found.values.to_numpy()).any()
        assert found.values.index.is_unique
        assert found.values.columns.is_unique


@given(st.sampled_from(["parquet", "xlsx", "h5ad", "h5mu"]), st.binary(max_size=200), st.integers())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_give_a_clear_error(tmp_path: Path, reader: str, noise: bytes, seed: int) -> None:
    whole = {"parquet": b"PAR1", "xlsx": b"PK\x03\x04", "h5ad": b"\x89HDF\r\n\x1a\n"}
    content = whole.get(reader, b"") + noise if seed % 2 else noise
    path = write(tmp_path, "s.bin", content)
    with pytest.raises(AimwellError):
        READERS[reader](path, how(reader, unit="log2"))


def test_every_reader_with_a_file_per_sample_takes_one_file_too(tmp_path: Path) -> None:
    for reader in PER_SAMPLE:
        found = read(write(tmp_path, f"{reader}.txt", TEXTS[reader]), how(reader))
        assert found.values.index.tolist() == [reader]
