"""Files that come packed or as folders are read in bounded memory, or refused by name."""

import bz2
import contextlib
import gzip
import io
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.errors import AimwellError, InputError
from aimwell.knowledge.archives import MAX_RATIO, open_unpacked
from aimwell.knowledge.files import read_lines
from aimwell.knowledge.sources.biocypher import read_biocypher
from aimwell.knowledge.sources.open_targets import (
    read_associations,
    read_known_drugs,
    read_tractability,
)
from aimwell.knowledge.sources.primekg import read_optimuskg
from aimwell.knowledge.sources.sif import read_sif
from aimwell.knowledge.sources.starter import find_starter, read_starter_drugs, read_starter_graph
from aimwell.knowledge.sources.string import read_string

ZEROS = b"0 0 0\n" * 200_000
PACK: dict[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "bzip2": bz2.compress}


def zipped(**files: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


PACK["zip"] = lambda data: zipped(links=data)


def refusal(call: Callable[[], object], name: str) -> str:
    """Tell how a call was refused; empty where it was not."""
    try:
        call()
    except AimwellError as error:
        assert name in str(error)  # noqa: PT017  a call may also succeed
        assert "\n" not in str(error)  # noqa: PT017
        return str(error)
    return ""


@pytest.mark.parametrize("kind", PACK)
@pytest.mark.parametrize("read", [read_string, read_sif], ids=["in blocks", "whole"])
def test_what_unpacks_without_end_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, read: Callable[[Path], object]
) -> None:
    monkeypatch.setattr("aimwell.knowledge.archives.FREE_BYTES", 1 << 20)
    path = tmp_path / "bomb"
    path.write_bytes(PACK[kind](b"protein1 protein2 combined_score\n" + b"A B 1\n" * 500_000))
    assert path.stat().st_size * MAX_RATIO < 3_000_000
    assert "unpacks to more than 200 times its size" in refusal(lambda: read(path), "bomb")


@pytest.mark.parametrize("kind", PACK)
def test_no_more_is_unpacked_than_the_limit_and_a_block(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr("aimwell.knowledge.archives.FREE_BYTES", 1 << 20)
    path = tmp_path / "bomb"
    path.write_bytes(PACK[kind](b"A B 1\n" * 500_000))
    limit, given = max(1 << 20, MAX_RATIO * path.stat().st_size), 0
    with open_unpacked(path, "a test") as stream:
        while given <= limit - (1 << 16):
            given += len(stream.read(1 << 16))
        with pytest.raises(InputError, match="200 times"):
            stream.read(1 << 17)


def test_what_is_small_may_be_packed_as_tightly_as_it_will(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    path.write_bytes(gzip.compress(ZEROS))
    assert len(ZEROS) > MAX_RATIO * path.stat().st_size
    assert len(read_lines(path, "zeros")) == 200_000


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (zipped(a=b"A B\n", b=b"A B\n"), "zip archive with 2 files.*holds 'a', 'b'; unpack it"),
        (zipped(), "zip archive|binary"),
        (b"PK\x03\x04" + b"x" * 50, "damaged or incomplete zip archive"),
        (zipped(a=b"A B\n")[:-9], "damaged or incomplete zip archive"),
        (b"BZhx", "damaged or incomplete bzip2 file"),
        (bz2.compress(ZEROS)[:-4], "damaged or incomplete bzip2 file"),
    ],
)
def test_archives_that_give_no_single_file_are_refused(
    tmp_path: Path, data: bytes, message: str
) -> None:
    path = tmp_path / "packed"
    path.write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_lines(path, "a test")


def test_a_file_with_a_password_is_refused(tmp_path: Path) -> None:
    data = bytearray(zipped(a=b"A B\n"))
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + at] |= 1  # the flag of an encrypted file
    path = tmp_path / "secret.zip"
    path.write_bytes(bytes(data))
    with pytest.raises(InputError, match=r"secret\.zip' is a zip archive that cannot be opened"):
        read_lines(path, "a test")


def test_the_pattern_chooses_among_the_files_of_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "two.zip"
    path.write_bytes(zipped(**{"d/a.tsv": b"one", "d/b.txt": b"two", "__MACOSX/d/a.tsv": b"x"}))
    with open_unpacked(path, "a test", "*.tsv") as stream:
        assert stream.read() == b"one"
    with (
        pytest.raises(InputError, match=r"with 0 files like '\*\.csv'"),
        open_unpacked(path, "a test", "*.csv"),
    ):
        pass


def test_a_name_that_no_disk_allows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: File name too long"):
        read_lines(tmp_path / ("x" * 400), "a test")


def known_drugs() -> pd.DataFrame:
    rows = [("CHEMBL1", "ENSG1", "EFO_1", 4.0, "LAPATINIB"), ("CHEMBL2", "ENSG2", "EFO_1", 2.0, "")]
    return pd.DataFrame(rows, columns=["drugId", "targetId", "diseaseId", "phase", "prefName"])


def targets() -> pd.DataFrame:
    bucket = {"modality": "SM", "id": "Approved Drug", "value": True}
    return pd.DataFrame({"id": ["ENSG1", "ENSG2"], "tractability": [[bucket], None]})


def associations() -> pd.DataFrame:
    rows = [("EFO_1", "ENSG1", 0.7), ("EFO_2", "ENSG1", 0.0)]
    return pd.DataFrame(rows, columns=["diseaseId", "targetId", "score"])


def nodes() -> pd.DataFrame:
    rows = [("E1", "GEN", '{"symbol": "A"}'), ("E2", "GEN", ""), ("GO:1", "BPO", '{"name": "d"}')]
    return pd.DataFrame(rows, columns=["id", "label", "properties"])


def links() -> pd.DataFrame:
    rows = [("E1", "E2", "INTERACTS_WITH"), ("GO:1", "E2", "ANNOTATES")]
    return pd.DataFrame(rows, columns=["from", "to", "relation"])


def optimuskg(path: Path) -> object:
    (path.parent / "nodes").mkdir(exist_ok=True)
    nodes().to_parquet(path.parent / "nodes" / "nodes.parquet")
    return read_optimuskg(path, path.parent / "nodes")


def optimuskg_nodes(path: Path) -> object:
    links().to_parquet(path.parent / "links-part.parquet")
    return read_optimuskg(path.parent / "links-part.parquet", path)


PARQUET: dict[str, tuple[Callable[[], pd.DataFrame], Callable[[Path], Any]]] = {
    "known drugs": (known_drugs, read_known_drugs),
    "tractability": (targets, read_tractability),
    "associations": (associations, read_associations),
    "optimuskg edges": (links, optimuskg),
    "optimuskg nodes": (nodes, optimuskg_nodes),
}
VALUES: dict[str, Any] = {
    "words": "high",
    "numbers": 7,
    "huge numbers": 1e300,
    "not a number": np.nan,
    "lists": [["x"]],
    "dictionaries": {"modality": 5},
    "bytes": b"\xff\xfe",
    "nothing": None,
    "brackets": "[" * 9_000,
    "truth": True,
}


@pytest.mark.parametrize("reader", PARQUET)
@pytest.mark.parametrize("value", VALUES)
def test_a_parquet_column_of_any_type_is_read_or_refused(
    tmp_path: Path, reader: str, value: str
) -> None:
    table, read = PARQUET[reader]
    path = tmp_path / "part.parquet"
    for column in table().columns:
        changed = table().astype({column: object})
        changed[column] = pd.Series([VALUES[value]] * len(changed), dtype=object)
        changed.to_parquet(path)
        refusal(lambda: read(path), "part.parquet")
        table().drop(columns=column).to_parquet(path)
        refusal(lambda: read(path), "part.parquet")


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(PARQUET)), st.integers(0, 2**32), st.booleans())
def test_no_damage_to_a_parquet_file_makes_a_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, reader: str, seed: int, cut: bool
) -> None:
    table, read = PARQUET[reader]
    path = tmp_path_factory.getbasetemp() / "damaged-part.parquet"
    table().to_parquet(path)
    data, rng = bytearray(path.read_bytes()), random.Random(seed)
    for _ in range(rng.randint(1, 6)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    path.write_bytes(bytes(data[: rng.randrange(len(data))] if cut else data))
    refusal(lambda: read(path), "part.parquet")


@pytest.mark.parametrize("cut", [1, 20, 100])
def test_every_table_of_the_starter_graph_may_be_damaged(tmp_path: Path, cut: int) -> None:
    whole = find_starter()
    for table in sorted(path.name for path in whole.glob("*.tsv")):
        folder = tmp_path / f"{table}-{cut}"
        shutil.copytree(whole, folder)
        lines = (whole / table).read_bytes().split(b"\n")
        random.Random(cut).shuffle(lines)
        (folder / table).write_bytes(b"\n".join(lines)[:-cut])
        refusal(lambda: (read_starter_graph(folder), read_starter_drugs(folder)), str(folder))  # noqa: B023
        (folder / table).unlink()
        text = refusal(lambda: (read_starter_graph(folder), read_starter_drugs(folder)), table)  # noqa: B023
        assert ("there is no file" in text) == (table != "REVIEWED.tsv")


BIOCYPHER = {
    "Protein-header.csv": ":ID;name;:LABEL\n",
    "Protein-part000.csv": '"uniprot:P04637";"p53";"Protein"\n"uniprot:Q00987";"mdm2";"Protein"\n',
    "Edges-header.csv": ":START_ID;:END_ID;:TYPE\n",
    "Edges-part000.csv": '"uniprot:P04637";"uniprot:Q00987";"INTERACTS_WITH"\n',
}


@settings(deadline=None, max_examples=40)
@given(st.sampled_from(sorted(BIOCYPHER)), st.integers(0, 2**32))
def test_no_damage_to_a_biocypher_folder_makes_the_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, file: str, seed: int
) -> None:
    folder = tmp_path_factory.getbasetemp() / "biocypher"
    folder.mkdir(exist_ok=True)
    for name, text in BIOCYPHER.items():
        (folder / name).write_text(text)
    rng = random.Random(seed)
    data = bytearray((folder / file).read_bytes())
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(data))
        data[at : at + rng.randint(0, 4)] = rng.choice([b'"', b";", b"\n", b"\0", b"\xff", b":ID"])
    (folder / file).write_bytes(bytes(data))
    refusal(lambda: read_biocypher(folder), "biocypher")
    with contextlib.suppress(FileNotFoundError):
        (folder / file).unlink()
    refusal(lambda: read_biocypher(folder), "biocypher")
