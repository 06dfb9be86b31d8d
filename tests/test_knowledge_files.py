"""A file that cannot be read is refused in one line that says what it is instead."""

import gzip
import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aimwell.errors import InputError
from aimwell.knowledge.files import read_lines, read_table
from aimwell.knowledge.sources.biogrid import read_biogrid
from aimwell.knowledge.sources.drugcentral import read_drugcentral
from aimwell.knowledge.sources.gene_list import read_gene_list
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.pharmacotherapydb import read_pharmacotherapydb
from aimwell.knowledge.sources.reactome import read_reactome
from aimwell.knowledge.sources.repurposing_hub import read_repurposing_hub

READERS: dict[str, Callable[[Path], object]] = {
    "hgnc": read_hgnc,
    "biogrid": read_biogrid,
    "reactome": read_reactome,
    "drugcentral": read_drugcentral,
    "pharmacotherapydb": read_pharmacotherapydb,
    "repurposing_hub": read_repurposing_hub,
    "gene_list": read_gene_list,
}
# Bytes of a file, and what every reader must say about it.
BROKEN = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\r\n\t\n", "is empty"),
    "cut gzip": (gzip.compress(b"a\tb\n" * 999)[:-30], "damaged or incomplete gzip"),
    "no gzip": (b"\x1f\x8bnonsense", "damaged or incomplete gzip"),
    "empty gzip": (gzip.compress(b""), "is empty"),
    "utf-16": ("node1 node2\nA B\n".encode("utf-16"), "UTF-16"),
    "binary": (b"PAR1\x00\x01\x02", "a Parquet file"),
}


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("kind", BROKEN)
def test_every_reader_refuses_a_broken_file_in_one_line(
    tmp_path: Path, reader: str, kind: str
) -> None:
    path = tmp_path / "data.txt"
    path.write_bytes(BROKEN[kind][0])
    with pytest.raises(InputError, match=BROKEN[kind][1]) as caught:
        READERS[reader](path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize("reader", READERS)
def test_a_pipe_is_refused_and_not_waited_for(tmp_path: Path, reader: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe or device"):
        READERS[reader](tmp_path / "pipe")


@pytest.mark.parametrize("reader", READERS)
def test_every_reader_refuses_a_missing_file_a_folder_and_an_archive_of_several(
    tmp_path: Path, reader: str
) -> None:
    with pytest.raises(InputError, match="there is no file"):
        READERS[reader](tmp_path / "absent.txt")
    with pytest.raises(InputError, match="is a folder"):
        READERS[reader](tmp_path)
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "A")
        archive.writestr("b.txt", "B")
    with pytest.raises(InputError, match=r"zip archive with 2 files.*holds 'a.txt', 'b.txt'"):
        READERS[reader](tmp_path / "a.zip")


WRONG = {
    "<!DOCTYPE html>\n<html><body>404</body></html>\n": "a web page",
    "protein1 protein2 combined_score\n9606.ENSP0 9606.ENSP1 400\n": "STRING links",
    "hgnc_id\tsymbol\tname\nHGNC:5\tA1BG\tx\n": "a HGNC complete set",
    "#BioGRID Interaction ID\tEntrez Gene Interactor A\n1\t2\n": "BioGRID TAB2",
    "#ID(s) interactor A\tID(s) interactor B\nx\ty\n": "a PSI-MITAB file",
    "doid_id\tdrugbank_id\tdisease\tdrug\tcategory\nD\tB\td\tx\tXX\n": "PharmacotherapyDB|'XX'",
    "node1 node2\nTP53\n": "a BioGRID symbol edge list|line 2: 1 symbols",
    "A name\tR-HSA-1\tTP53\tMDM2\nB\n": "a Reactome gene-set file|line 2 is not",
}


@pytest.mark.parametrize("reader", [r for r in READERS if r != "gene_list"])
@pytest.mark.parametrize("text", WRONG)
def test_a_wrong_file_is_recognised_by_every_reader(tmp_path: Path, reader: str, text: str) -> None:
    path = tmp_path / "wrong.txt"
    path.write_text(text)
    with pytest.raises(InputError, match=WRONG[text]) as caught:
        READERS[reader](path)
    assert "\n" not in str(caught.value)


@given(st.binary(max_size=300), st.sampled_from(sorted(READERS)))
def test_no_bytes_make_a_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, reader: str
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz.txt"
    path.write_bytes(data)
    try:
        READERS[reader](path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017  a reader may also accept


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_byte_order_mark_and_gzip_change_nothing(
    tmp_path: Path, end: str, mark: str, packed: bool
) -> None:
    data = (mark + end.join(["node1 node2", "TP53 MDM2", "β-x Y", "", ""])).encode()
    path = tmp_path / "misnamed.bin"
    path.write_bytes(gzip.compress(data) if packed else data)
    assert read_lines(path, "a test") == ["node1 node2", "TP53 MDM2", "β-x Y"]


def test_undecodable_bytes_are_located(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(b"a\nb\nM\xfcller\n")
    with pytest.raises(InputError, match=r"not UTF-8 text: byte 0xfc in line 3"):
        read_lines(path, "a test")
    assert read_lines(path, "a test", encoding="latin-1")[2] == "Müller"


def test_a_table_keeps_quoted_separators_and_the_asked_columns(tmp_path: Path) -> None:
    path = tmp_path / "t.tsv"
    path.write_text('! note\nx\ty\tz\n1\t"a\tb"\t\n2\t"say ""hi"""\tNA\n\n')
    table = read_table(path, "a test", ["z", "y"], comment="!")
    assert table.to_dict("list") == {"z": ["", "NA"], "y": ["a\tb", 'say "hi"']}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x\ty\n1\n", "line 2: 1 fields, but the header names 2"),
        ("x\ty\n1\t2\n1\t2\t3\n", "line 3: 3 fields"),
        ('x\ty\n1\t"open\n2\t3\n', "stray quote"),
        ("x\tq\n1\t2\n", "lacks the columns 'y'"),
        ("x\ty\tx\n1\t2\t3\n", "the column 'x' 2 times"),
        ("x\ty\n", "a header and no rows"),
    ],
)
def test_a_malformed_table_is_refused_with_its_line(
    tmp_path: Path, text: str, message: str
) -> None:
    path = tmp_path / "t.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_table(path, "a test", ["x", "y"])
