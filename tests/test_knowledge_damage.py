"""Whatever is wrong with a file, every reader reads it or refuses it in one line that names it."""

import bz2
import contextlib
import gzip
import io
import math
import random
import re
import signal
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.bench.graph import write_run_file
from aimwell.config import read_config
from aimwell.errors import AimwellError
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.interactions import Interactions
from aimwell.knowledge.sources.biogrid import read_biogrid
from aimwell.knowledge.sources.chembl import read_chembl_indications, read_chembl_mechanisms
from aimwell.knowledge.sources.collectri import read_collectri
from aimwell.knowledge.sources.complex_portal import read_complex_portal
from aimwell.knowledge.sources.corum import read_corum
from aimwell.knowledge.sources.dgidb import read_dgidb, read_dgidb_categories
from aimwell.knowledge.sources.dorothea import read_dorothea
from aimwell.knowledge.sources.drugcentral import read_drugcentral
from aimwell.knowledge.sources.edge_list import read_edge_list
from aimwell.knowledge.sources.enzyme_substrate import read_enzyme_substrate
from aimwell.knowledge.sources.famplex import read_famplex
from aimwell.knowledge.sources.gene_list import read_gene_list
from aimwell.knowledge.sources.gmt import read_gmt
from aimwell.knowledge.sources.go import read_gaf, read_go_table, read_obo
from aimwell.knowledge.sources.graphml import read_graphml
from aimwell.knowledge.sources.hetionet import read_hetionet, read_hetionet_associations
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.hgnc_withdrawn import read_hgnc_withdrawn
from aimwell.knowledge.sources.hippie import read_hippie
from aimwell.knowledge.sources.huri import read_huri
from aimwell.knowledge.sources.menche import read_menche
from aimwell.knowledge.sources.ncbi_gene import read_gene_history, read_gene_info
from aimwell.knowledge.sources.omnipath import read_omnipath
from aimwell.knowledge.sources.open_targets import (
    read_gold_standards,
)
from aimwell.knowledge.sources.pharmacotherapydb import read_pharmacotherapydb
from aimwell.knowledge.sources.primekg import read_primekg
from aimwell.knowledge.sources.psi_mitab import read_psi_mitab
from aimwell.knowledge.sources.reactome import read_reactome, read_reactome_mapping
from aimwell.knowledge.sources.repurposing_hub import read_repurposing_hub
from aimwell.knowledge.sources.sif import read_sif
from aimwell.knowledge.sources.signor import read_signor, read_signor_groups
from aimwell.knowledge.sources.signor_complexes import read_signor_complexes
from aimwell.knowledge.sources.string import read_string, read_string_aliases, read_string_info
from aimwell.knowledge.sources.string_names import read_string_names
from aimwell.knowledge.sources.uniprot_idmapping import (
    read_secondary_accessions,
    read_uniprot_idmapping,
)

KNOWLEDGE: Final = Path(__file__).parent / "data" / "knowledge"
NETWORKS: Final = KNOWLEDGE / "networks"
OTHERS: Final = KNOWLEDGE / "readers"
SECONDS: Final = 20
Reader = Callable[[Path], Any]
CHANNELS: Final = partial(read_string, channels=("experiments", "database"))
EDGE_LIST: Final = partial(read_edge_list, columns=("from", "to"), weight_column="confidence")
GRAPHML: Final = partial(read_graphml, name_attribute="symbol", weight_attribute="weight")
#: Every reader of text, the file it reads well, and secondary files as cases of their own.
TEXTS: Final[dict[str, tuple[Path, Reader]]] = {
    "biogrid tab2": (NETWORKS / "biogrid_tab2.txt", read_biogrid),
    "biogrid tab3": (NETWORKS / "biogrid_tab3.txt", read_biogrid),
    "chembl indications": (OTHERS / "chembl_indications.csv", read_chembl_indications),
    "chembl mechanisms": (
        OTHERS / "chembl_mechanisms.csv",
        lambda path: read_chembl_mechanisms(path, OTHERS / "chembl_map.txt"),
    ),
    "chembl targets": (
        OTHERS / "chembl_map.txt",
        lambda path: read_chembl_mechanisms(OTHERS / "chembl_mechanisms.csv", path),
    ),
    "collectri": (NETWORKS / "collectri.csv", read_collectri),
    "complex portal": (OTHERS / "complex_portal.tsv", read_complex_portal),
    "corum": (OTHERS / "corum.txt", read_corum),
    "corum 5": (OTHERS / "corum_5.txt", read_corum),
    "dgidb": (OTHERS / "dgidb.tsv", read_dgidb),
    "dgidb 2022": (OTHERS / "dgidb_2022.tsv", read_dgidb),
    "dgidb categories": (OTHERS / "dgidb_categories.tsv", read_dgidb_categories),
    "dorothea": (NETWORKS / "dorothea.csv", read_dorothea),
    "drugcentral": (OTHERS / "drugcentral.tsv", read_drugcentral),
    "edge list": (OTHERS / "edge_list.csv", EDGE_LIST),
    "edge list without a header": (OTHERS / "huri.tsv", read_edge_list),
    "enzyme substrate": (NETWORKS / "enzsub.tsv", read_enzyme_substrate),
    "famplex": (OTHERS / "famplex.csv", read_famplex),
    "gene list": (OTHERS / "gene_list.txt", read_gene_list),
    "gmt": (OTHERS / "wikipathways.gmt", read_gmt),
    "go annotations": (OTHERS / "goa.gaf", read_gaf),
    "go ontology": (OTHERS / "go.obo", read_obo),
    "go table": (OTHERS / "go_table.tsv", read_go_table),
    "gold standards": (OTHERS / "gold_standards.tsv", read_gold_standards),
    "graphml": (NETWORKS / "network.graphml", read_graphml),
    "hetionet": (OTHERS / "hetionet.sif", read_hetionet),
    "hetionet associations": (OTHERS / "hetionet_associations.tsv", read_hetionet_associations),
    "hetionet json": (OTHERS / "hetionet.json", read_hetionet),
    "hetionet nodes": (
        OTHERS / "hetionet_nodes.tsv",
        lambda path: read_hetionet(OTHERS / "hetionet.sif", path),
    ),
    "hgnc": (KNOWLEDGE / "hgnc_small.tsv", read_hgnc),
    "hgnc withdrawn": (OTHERS / "withdrawn.txt", read_hgnc_withdrawn),
    "hippie": (NETWORKS / "hippie.txt", read_hippie),
    "huri": (OTHERS / "huri.tsv", read_huri),
    "menche": (NETWORKS / "menche.tsv", read_menche),
    "ncbi gene": (OTHERS / "gene_info.txt", read_gene_info),
    "ncbi history": (OTHERS / "gene_history.txt", read_gene_history),
    "omnipath": (NETWORKS / "omnipath.tsv", read_omnipath),
    "pharmacotherapydb": (OTHERS / "pharmacotherapydb.tsv", read_pharmacotherapydb),
    "primekg": (OTHERS / "primekg.csv", read_primekg),
    "psi-mitab 2.5": (NETWORKS / "mitab25.txt", read_psi_mitab),
    "psi-mitab 2.7": (NETWORKS / "mitab27.txt", read_psi_mitab),
    "reactome": (OTHERS / "reactome.gmt", read_reactome),
    "reactome hierarchy": (
        OTHERS / "reactome_relation.txt",
        lambda path: read_reactome(OTHERS / "reactome.gmt", path),
    ),
    "reactome mapping": (OTHERS / "uniprot2reactome.txt", read_reactome_mapping),
    "reactome names": (
        OTHERS / "reactome_names.txt",
        lambda path: read_reactome(OTHERS / "reactome.gmt", None, path),
    ),
    "repurposing hub": (OTHERS / "repurposing_hub.txt", read_repurposing_hub),
    "sif": (NETWORKS / "pathway_commons.sif", read_sif),
    "signor": (NETWORKS / "signor.tsv", read_signor),
    "signor complexes": (OTHERS / "signor_complexes.csv", read_signor_complexes),
    "signor groups": (OTHERS / "signor_complexes.csv", read_signor_groups),
    "string": (NETWORKS / "string_links.txt", read_string),
    "string aliases": (NETWORKS / "string_aliases.txt", read_string_aliases),
    "string channels": (NETWORKS / "string_links_full.txt", CHANNELS),
    "string info": (NETWORKS / "string_info.txt", read_string_info),
    "string names": (NETWORKS / "string_aliases.txt", read_string_names),
    "uniprot idmapping": (OTHERS / "idmapping.dat", read_uniprot_idmapping),
    "uniprot secondary": (OTHERS / "sec_ac.txt", read_secondary_accessions),
}
#: Readers that read the format of another one too, or of any list of names.
ALSO: Final[dict[str, set[str]]] = {
    "biogrid tab2": {"biogrid_tab3.txt"},
    "biogrid tab3": {"biogrid_tab2.txt"},
    "corum": {"corum_5.txt"},
    "corum 5": {"corum.txt"},
    "dgidb": {"dgidb_2022.tsv"},
    "dgidb 2022": {"dgidb.tsv"},
    "edge list without a header": {"edge_list.csv"},
    "gene list": {"edge_list.csv"},
    "gmt": {"reactome.gmt"},
    "hetionet": {"hetionet.json"},
    "hetionet json": {"hetionet.sif"},
    "psi-mitab 2.5": {"mitab27.txt"},
    "psi-mitab 2.7": {"mitab25.txt"},
    "string": {"string_links_full.txt"},
    "string names": {"string_info.txt"},
}
#: Files that could be anything: nothing in them says of which database they are.
ANYTHING: Final = {"gene_list.txt", "edge_list.csv"}
Damage = Callable[[bytes, random.Random], bytes]


def _lines(data: bytes) -> list[bytes]:
    return data.split(b"\n")


def _separator(data: bytes) -> bytes:
    first = data.split(b"\n", maxsplit=1)[0]
    return next((s for s in (b"\t", b";", b",") if s in first), b" ")


def _in_a_line(data: bytes, rng: random.Random, change: Callable[[bytes], bytes]) -> bytes:
    lines = _lines(data)
    at = rng.randrange(len(lines))
    lines[at] = change(lines[at])
    return b"\n".join(lines)


def _in_a_field(data: bytes, rng: random.Random, new: bytes) -> bytes:
    separator = _separator(data)

    def change(line: bytes) -> bytes:
        fields = line.split(separator)
        fields[rng.randrange(len(fields))] = new
        return separator.join(fields)

    return _in_a_line(data, rng, change)


def _in_a_column(data: bytes, rng: random.Random, change: Callable[[int, bytes], bytes]) -> bytes:
    separator = _separator(data)
    rows = [line.split(separator) for line in _lines(data)]
    at = rng.randrange(max(len(row) for row in rows))
    for number, row in enumerate(rows):
        if at < len(row) and any(row):
            row[at] = change(number, row[at])
    return b"\n".join(separator.join(row) for row in rows)


def _without_column(data: bytes, rng: random.Random) -> bytes:
    separator = _separator(data)
    rows = [line.split(separator) for line in _lines(data)]
    at = rng.randrange(max(len(row) for row in rows))
    return b"\n".join(separator.join(row[:at] + row[at + 1 :]) for row in rows)


def _shuffled(data: bytes, rng: random.Random) -> bytes:
    lines = _lines(data)
    rng.shuffle(lines)
    return b"\n".join(lines)


def _circles(data: bytes, rng: random.Random) -> bytes:
    """Say every relation of two things the other way round, too."""
    separator = _separator(data)
    turned = []
    for line in _lines(data):
        fields = line.split(separator)
        if len(fields) > 1:
            i, j = rng.sample(range(len(fields)), 2)
            fields[i], fields[j] = fields[j], fields[i]
        turned.append(separator.join(fields))
    return data + b"\n".join(turned)


def _numbers(new: bytes) -> Damage:
    def change(data: bytes, rng: random.Random) -> bytes:
        places = list(re.finditer(rb"(?<![\w.])\d+(\.\d+)?(?![\w.])", data))
        for place in rng.sample(places, min(len(places), 3))[::-1] if places else []:
            data = data[: place.start()] + new + data[place.end() :]
        return data

    return change


def _scattered(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        at = rng.randrange(len(changed))
        changed[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
    return bytes(changed) or b"x"


def _zipped(data: bytes, *names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, data)
    return packed.getvalue()


DAMAGES: Final[dict[str, Damage]] = {
    "bytes lost at the end": lambda data, rng: data[: rng.randint(1, len(data))],
    "bytes lost at the start": lambda data, rng: data[rng.randint(1, len(data)) :] or b"\n",
    "bytes changed": _scattered,
    "CR alone": lambda data, rng: data.replace(b"\n", b"\r"),
    "CRLF": lambda data, rng: data.replace(b"\n", b"\r\n"),
    "mixed line ends": lambda data, rng: b"".join(
        line + rng.choice([b"\r", b"\n", b"\r\n", b"\n\r", b"\x0b"]) for line in _lines(data)
    ),
    "byte-order mark": lambda data, rng: b"\xef\xbb\xbf" + data,
    "byte-order mark inside": lambda data, rng: _in_a_field(data, rng, b"\xef\xbb\xbfx"),
    "UTF-16": lambda data, rng: data.decode().encode("utf-16"),
    "latin-1": lambda data, rng: _in_a_field(data, rng, b"M\xfcller"),
    "other alphabets": lambda data, rng: _in_a_field(data, rng, "\u2028β\u202eא🧬\x85".encode()),
    "control characters": lambda data, rng: _in_a_field(data, rng, b"\x1c\x1e\x0c\x1b[2J"),
    "a NUL byte": lambda data, rng: _in_a_field(data, rng, b"\0"),
    "a field too many": lambda data, rng: _in_a_line(
        data, rng, lambda line: line + _separator(data) + b"more"
    ),
    "a field too few": lambda data, rng: _in_a_line(
        data, rng, lambda line: line.rpartition(_separator(data))[0]
    ),
    "a blank field": lambda data, rng: _in_a_field(data, rng, b""),
    "a blank column": lambda data, rng: _in_a_column(data, rng, lambda n, v: v if n == 0 else b""),
    "a huge field": lambda data, rng: _in_a_field(data, rng, b"A" * 300_000),
    "a huge number": lambda data, rng: _in_a_field(data, rng, b"9" * 5_000),
    "the header in the middle": lambda data, rng: _in_a_line(
        data, rng, lambda line: line + b"\n" + _lines(data)[0]
    ),
    "no header": lambda data, rng: b"\n".join(_lines(data)[1:]) or b"\n",
    "nothing but the header": lambda data, rng: _lines(data)[0] + b"\n",
    "blank lines": lambda data, rng: data.replace(b"\n", b"\n\n\n"),
    "comments": lambda data, rng: _in_a_line(data, rng, lambda line: line + b"\n# a comment\n#"),
    "a stray quote": lambda data, rng: _in_a_line(
        data, rng, lambda line: line[: len(line) // 2] + b'"' + line[len(line) // 2 :]
    ),
    "quoted separators": lambda data, rng: _in_a_field(
        data, rng, b'"a' + _separator(data) + b'b ""c"""'
    ),
    "other separators": lambda data, rng: data.replace(_separator(data), b"|"),
    "a column lost": _without_column,
    "a column renamed": lambda data, rng: _in_a_column(
        data, rng, lambda n, v: b"new_name" if n == 0 else v
    ),
    "a column twice": lambda data, rng: b"\n".join(
        line + _separator(data) + line.split(_separator(data))[0] if line else line
        for line in _lines(data)
    ),
    "rows twice": lambda data, rng: data + b"\n".join(_lines(data)[1:]),
    "rows in another order": _shuffled,
    "circles": _circles,
    "numbers out of range": _numbers(b"1e300"),
    "negative numbers": _numbers(b"-5"),
    "not a number": _numbers(b"nan"),
    "infinite numbers": _numbers(b"-inf"),
    "numbers with a comma": _numbers(b"0,5"),
    "words for numbers": _numbers(b"high"),
    "another species": lambda data, rng: (
        data.replace(b"9606", b"10090")
        .replace(b"Homo sapiens", b"Mus musculus")
        .replace(b"Human", b"Mouse")
        .replace(b"R-HSA", b"R-MMU")
        .replace(b"human", b"mouse")
    ),
    "brackets without end": lambda data, rng: data.replace(b'"', b"[", 1) + b"[" * 9_000,
    "a web page": lambda data, rng: b"<!DOCTYPE html>\n<html>" + data + b"</html>\n",
    "gzip": lambda data, rng: gzip.compress(data),
    "gzip cut short": lambda data, rng: gzip.compress(data)[: -rng.randint(1, 20)],
    "gzip with changed bytes": lambda data, rng: b"\x1f\x8b" + _scattered(gzip.compress(data), rng),
    "gzip and more": lambda data, rng: gzip.compress(data) + b"more",
    "bzip2 cut short": lambda data, rng: bz2.compress(data)[: -rng.randint(1, 20)],
    "a zip archive": lambda data, rng: _zipped(data, "__MACOSX/._a", "a.txt", ".DS_Store"),
    "a zip archive of two": lambda data, rng: _zipped(data, "a.txt", "folder/b.txt"),
    "a zip archive changed": lambda data, rng: (
        b"PK\x03\x04" + _scattered(_zipped(data, "a.txt"), rng)
    ),
    "a zip archive cut short": lambda data, rng: _zipped(data, "a.txt")[: -rng.randint(1, 40)],
}


@contextlib.contextmanager
def in_time() -> Iterator[None]:
    """Stop what takes more processor time than any small file may, however busy the machine."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"not done after {SECONDS} s of processor time")

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def read_or_refuse(reader: Reader, path: Path, named: str = "") -> Any:
    """Read a file; None where it was refused, which must be in one line that names the file."""
    with in_time():
        try:
            found = reader(path)
        except AimwellError as error:
            text = str(error)
            assert (named or path.name) in text, text
            assert "\n" not in text
            assert "\r" not in text
            assert len(text) < 1_500
            return None
    if isinstance(found, Interactions):
        assert all(math.isfinite(w) and 0 < w <= 1 for w in found.table["weight"])
        assert "" not in found.names
    return found


@pytest.mark.parametrize("reader", TEXTS)
def test_every_reader_reads_its_file_plain_and_alone_in_an_archive(
    tmp_path: Path, reader: str
) -> None:
    path, read = TEXTS[reader]
    plain = read(path)
    data = path.read_bytes()
    packed = [gzip.compress(data), bz2.compress(data), DAMAGES["a zip archive"](data, random)]  # type: ignore[arg-type]
    for kind in packed:
        other = tmp_path / path.name
        other.write_bytes(kind)
        again = read_or_refuse(read, other)
        assert str(vars(again) if hasattr(again, "__dict__") else again) == str(
            vars(plain) if hasattr(plain, "__dict__") else plain
        )


@pytest.mark.parametrize("reader", TEXTS)
def test_a_file_of_another_format_is_refused_by_the_name_of_that_format(reader: str) -> None:
    own, read = TEXTS[reader]
    accepted, nameless = set(), set()
    for other in sorted({path for path, _ in TEXTS.values()} - {own}):
        try:
            read(other)
        except AimwellError as error:
            if "it looks like" not in str(error) and "' looks like" not in str(error):
                nameless.add(other.name)
        else:
            accepted.add(other.name)
    assert accepted == ALSO.get(reader, set())
    # of STRING's links it is the right file, of which another release is needed
    assert nameless <= ANYTHING | ({"string_links.txt"} if reader == "string channels" else set())


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_reader_bears_the_damage_or_refuses_the_file_by_name(
    tmp_path: Path, damage: str
) -> None:
    for k, (path, read) in enumerate(TEXTS.values()):
        other = tmp_path / "damaged-file"
        other.write_bytes(DAMAGES[damage](path.read_bytes(), random.Random(k)))
        read_or_refuse(read, other)


@pytest.mark.parametrize("reader", TEXTS)
def test_every_reader_refuses_a_folder_and_what_is_not_there(tmp_path: Path, reader: str) -> None:
    _, read = TEXTS[reader]
    (tmp_path / "folder").mkdir()
    with pytest.raises(AimwellError, match="folder' is a folder; name the file inside"):
        read(tmp_path / "folder")
    with pytest.raises(AimwellError, match=r"there is no file '.*absent'"):
        read(tmp_path / "absent")


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(sorted(TEXTS)),
    st.lists(st.sampled_from(sorted(DAMAGES)), min_size=1, max_size=3),
    st.integers(0, 2**32),
)
def test_no_mixture_of_damages_makes_a_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, reader: str, damages: list[str], seed: int
) -> None:
    path, read = TEXTS[reader]
    data, rng = path.read_bytes(), random.Random(seed)
    for damage in damages:
        with contextlib.suppress(UnicodeDecodeError):  # UTF-16 of what is no text any more
            data = DAMAGES[damage](data, rng) or b"x"
    other = tmp_path_factory.getbasetemp() / "damaged-mixture"
    other.write_bytes(data)
    read_or_refuse(read, other)


GRAPHS: Final[dict[str, tuple[Path, dict[str, str]]]] = {
    "biogrid": (NETWORKS / "biogrid_tab3.txt", {}),
    "collectri": (NETWORKS / "collectri.csv", {}),
    "complex_portal": (OTHERS / "complex_portal.tsv", {}),
    "corum": (OTHERS / "corum.txt", {}),
    "dorothea": (NETWORKS / "dorothea.csv", {}),
    "edge_list": (OTHERS / "huri.tsv", {"id_type": "ensembl_gene", "licence": "CC0-1.0"}),
    "enzyme_substrate": (NETWORKS / "enzsub.tsv", {}),
    "famplex": (OTHERS / "famplex.csv", {}),
    "gmt": (OTHERS / "wikipathways.gmt", {}),
    "go": (OTHERS / "goa.gaf", {"hierarchy": str(OTHERS / "go.obo")}),
    "graphml": (NETWORKS / "network.graphml", {"source_column": "symbol"}),
    "hetionet": (OTHERS / "hetionet.sif", {}),
    "hippie": (NETWORKS / "hippie.txt", {}),
    "huri": (OTHERS / "huri.tsv", {}),
    "menche": (NETWORKS / "menche.tsv", {}),
    "omnipath": (NETWORKS / "omnipath.tsv", {}),
    "primekg": (OTHERS / "primekg.csv", {}),
    "psi_mitab": (NETWORKS / "mitab27.txt", {}),
    "reactome": (OTHERS / "reactome.gmt", {}),
    "sif": (NETWORKS / "pathway_commons.sif", {}),
    "signor": (NETWORKS / "signor.tsv", {}),
    "signor_complexes": (OTHERS / "signor_complexes.csv", {}),
    "string": (NETWORKS / "string_links.txt", {"info": str(NETWORKS / "string_info.txt")}),
}


@settings(deadline=None, max_examples=25)
@given(st.sampled_from(sorted(GRAPHS)), st.sampled_from(sorted(DAMAGES)), st.integers(0, 2**32))
def test_a_graph_of_a_damaged_file_is_built_or_refused(
    tmp_path_factory: pytest.TempPathFactory, reader: str, damage: str, seed: int
) -> None:
    path, more = GRAPHS[reader]
    folder = tmp_path_factory.getbasetemp()
    (folder / "damaged-graph").write_bytes(
        DAMAGES[damage](path.read_bytes(), random.Random(seed)) or b"x"
    )
    source = {"reader": reader, "path": "damaged-graph", **more}
    sizes = "min_set_size = 1\nmin_complex_size = 1\n"
    run_file = write_run_file(folder, folder, KNOWLEDGE / "hgnc_small.tsv", [source], sizes)
    config = read_config(run_file)
    config = replace(config, identifiers=replace(config.identifiers, min_mapped=0.01))
    try:
        graph = build_graph(config)
    except AimwellError as error:
        assert "\n" not in str(error)  # noqa: PT017  it may also be built
        return
    for relation in graph.relations.values():
        assert relation.edges["weight"].between(0, 1, inclusive="right").all()
