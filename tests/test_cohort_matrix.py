"""Matrices and sheets: every fault is named, everything else is read exactly."""

import gzip
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimwell.cohorts.readers.matrix import read_matrix
from aimwell.cohorts.readers.sheet import read_sheet
from aimwell.config import MatrixSettings, SheetSettings
from aimwell.errors import AimwellError, InputError

RATIO = MatrixSettings("x", layer="protein", kind="protein", unit="log2_ratio")
GOOD = "gene\ts1\ts2\nTP53\t1.5\t-2\nKRAS\tNA\t0.25\n"


def write(folder: Path, text: str | bytes, name: str = "m.tsv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def expected() -> pd.DataFrame:
    values = [[1.5, np.nan], [-2.0, 0.25]]
    return pd.DataFrame(values, index=["s1", "s2"], columns=["TP53", "KRAS"])


@pytest.mark.parametrize(
    "content",
    [
        GOOD.encode(),
        gzip.compress(GOOD.encode()),
        GOOD.replace("\t", ",").encode(),
        GOOD.replace("\t", ";").encode(),
        GOOD.replace("\n", "\r\n").encode(),
        GOOD.replace("\n", "\r").encode(),
        b"\xef\xbb\xbf" + GOOD.encode(),
        GOOD.replace("gene", "").encode(),
        GOOD.replace("NA", "").encode(),
        GOOD.replace("NA", "null").encode(),
        GOOD.replace("NA", " NaN ").encode(),
        GOOD.replace("TP53", '"TP53"').encode(),
        GOOD.replace("1.5", "+1.5").encode(),
        GOOD.replace("\nKRAS", "\n\nKRAS").encode() + b"\n\n",
        GOOD.rstrip("\n").encode(),
        b"\n" + GOOD.encode(),
        GOOD.replace("gene\t", "").encode(),  # as R writes it
    ],
)
def test_every_spelling_of_one_matrix_reads_as_the_same_numbers(
    tmp_path: Path, content: bytes
) -> None:
    pd.testing.assert_frame_equal(read_matrix(write(tmp_path, content), RATIO), expected())


def test_genes_in_columns_read_as_their_transpose(tmp_path: Path) -> None:
    path = write(tmp_path, "sample,TP53,KRAS\ns1,1.5,NA\ns2,-2,0.25\n")
    found = read_matrix(path, replace(RATIO, genes_in="columns"))
    pd.testing.assert_frame_equal(found, expected())


def test_numbers_are_read_to_the_last_bit(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(size=200) * 10.0 ** np.arange(-100, 100)
    rows = "".join(f"G{i}\t{v!r}\n" for i, v in enumerate(values.tolist()))
    found = read_matrix(write(tmp_path, "gene\ts1\n" + rows), RATIO)
    assert found.loc["s1"].tolist() == values.tolist()


def test_zero_counts_as_missing_only_where_asked(tmp_path: Path) -> None:
    path = write(tmp_path, "g\ts1\nA\t0\nB\t3\n")
    assert read_matrix(path, RATIO).loc["s1"].tolist() == [0, 3]
    asked = read_matrix(path, replace(RATIO, zero_is_missing=True))
    assert asked.loc["s1"].isna().tolist() == [True, False]


def test_a_gene_named_like_a_missing_value_keeps_its_name(tmp_path: Path) -> None:
    assert list(read_matrix(write(tmp_path, "g\ts1\nNA\t1\nnan\t2\n"), RATIO)) == ["NA", "nan"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (gzip.compress(b""), "is empty"),
        (gzip.compress(GOOD.encode())[:-9], "damaged or incomplete gzip"),
        (gzip.compress(GOOD.encode())[:14], "damaged or incomplete gzip"),
        (b"gene\ts1\ts2\n", "header but no rows"),
        (b"gene\ts1\ts2\n\n\n", "header but no rows"),
        (b"gene\nTP53\n", "one column in its header"),
        (GOOD.encode("utf-16"), "UTF-16"),
        (GOOD.replace("KRAS", "KR\xc4S").encode("latin-1"), "line 3"),
        (b"PK\x03\x04abc", "zip archive"),
        (GOOD.replace("KRAS", "TP53").encode(), "1 gene names occur more than once: 'TP53'"),
        (GOOD.replace("s2", "s1").encode(), "1 sample names occur more than once: 's1'"),
        (GOOD.replace("s2", "").encode(), "column 3 has no name"),
        (GOOD.replace("KRAS", " ").encode(), "line 3 has no gene name"),
        (GOOD.replace("-2", "low").encode(), r"line 2 \('TP53'\), column 's2': 'low'"),
        (GOOD.replace("-2", "1,5").encode(), "decimal point"),
        (GOOD.replace("-2", "0x1F").encode(), "'0x1F'"),
        (GOOD.replace("-2", "1_0").encode(), "'1_0'"),
        (GOOD.replace("-2", "٣").encode(), "not numbers"),
        (b"g\tname\ts1\nA\tx\t1\nB\ty\t2\n", "remove what holds text in place of numbers: 'name'"),
        (GOOD.replace("-2", "inf").encode(), r"1 infinite values, the first in line 2.*'s2'"),
        (GOOD.replace("-2", "-Infinity").encode(), "infinite"),
        (GOOD.replace("-2", "1e999").encode(), "infinite"),
        (GOOD.replace("\t-2", "").encode(), "the first is line 2 with 2"),
        (GOOD.replace("-2", "-2\t9").encode(), "the first is line 2 with 4"),
        (GOOD.replace("\nKRAS", "\n\n\nKRAS").replace("\t0.25", "").encode(), "line 5 with 2"),
        (GOOD.replace("\nKRAS", "\n\n\nKRAS").replace("0.25", "x").encode(), "line 5"),
        # R's way would give s2 the numbers of s1
        (GOOD.replace("\ts1", "").encode(), "as many cells as the header"),
        (GOOD.replace("gene\ts1", "s1").replace("-2", "").encode(), "as many cells as the header"),
        (GOOD.replace("1.5", "").encode(), "1 of 2 samples have no value at all: 's1'"),
    ],
)
def test_a_faulty_matrix_is_refused_with_the_place_of_the_fault(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = write(tmp_path, content)
    with pytest.raises(InputError, match=says) as caught:
        read_matrix(path, RATIO)
    assert "m.tsv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        read_matrix(tmp_path / "none.tsv", RATIO)
    with pytest.raises(InputError, match="is a folder"):
        read_matrix(tmp_path, RATIO)


def test_a_sample_of_zeros_is_refused_where_zero_is_missing(tmp_path: Path) -> None:
    path = write(tmp_path, "g\ts1\ts2\nA\t0\t1\nB\t0\t1\n")
    with pytest.raises(InputError, match="once zeros count as missing: 's1'"):
        read_matrix(path, replace(RATIO, zero_is_missing=True))


ALPHABET = st.sampled_from([*'\t\t\n\n,;"10.-eNA \r\0\xe9', "TP53", "inf", "nan", "\ufeff"])


@given(
    st.one_of(st.binary(max_size=80), st.lists(ALPHABET, max_size=60).map("".join).map(str.encode)),
    st.booleans(),
    st.integers(0, 60),
)
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_give_a_matrix_or_a_clear_error(
    tmp_path: Path, content: bytes, packed: bool, cut: int
) -> None:
    path = write(tmp_path, gzip.compress(content)[: 20 + cut] if packed else content)
    for read, how in (
        (read_matrix, RATIO),
        (read_matrix, replace(RATIO, genes_in="columns")),
        (read_sheet, SheetSettings("x")),
        (read_sheet, SheetSettings("x", samples_in="columns")),
    ):
        with suppress(AimwellError):
            found = read(path, how)
            assert found.index.is_unique
            assert found.columns.is_unique
            assert found.size


SHEET = "id,tissue,age,site,grade\ns1,tumour,61,01,1\ns2,normal,NA,02,2\ns3,,59.5,10,3\n"


def test_a_sheet_column_is_numeric_only_where_every_value_is_a_number(tmp_path: Path) -> None:
    found = read_sheet(write(tmp_path, SHEET), SheetSettings("x"))
    assert found["age"].tolist()[::2] == [61.0, 59.5]
    assert found["grade"].dtype == np.int64
    assert found["site"].tolist() == ["01", "02", "10"]
    assert found["tissue"].isna().tolist() == [False, False, True]


def test_a_transposed_sheet_reads_like_the_sheet(tmp_path: Path) -> None:
    upright = read_sheet(write(tmp_path, SHEET), SheetSettings("x"))
    cells = [line.split(",") for line in SHEET.splitlines()]
    turned = "\n".join("\t".join(column) for column in zip(*cells, strict=True))
    path = write(tmp_path, gzip.compress(turned.encode()), "t.tsi.gz")
    found = read_sheet(path, SheetSettings("x", per="subject", samples_in="columns"))
    pd.testing.assert_frame_equal(found, upright)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("s2,", "s1,", "1 sample names occur more than once: 's1'"),
        ("age", "tissue", "1 attribute names occur more than once: 'tissue'"),
        ("s2,", ",", "line 3 has no name"),
        ("s2,normal", "s2", "line 3 has 4 cells, the header has 5"),
        (SHEET[25:], "", "no rows"),
        ("age", "", "column 3 has no name"),
    ],
)
def test_a_faulty_sheet_is_refused(tmp_path: Path, old: str, new: str, says: str) -> None:
    path = write(tmp_path, SHEET.replace(old, new))
    with pytest.raises(InputError, match=says):
        read_sheet(path, SheetSettings("x"))


def test_a_repeated_subject_in_a_transposed_sheet_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "attribute\tp1\tp1\nage\t1\t2\n")
    with pytest.raises(InputError, match="1 subject names occur more than once: 'p1'"):
        read_sheet(path, SheetSettings("x", per="subject", samples_in="columns"))
