"""UniProt id mapping: the other ids of every human accession, and secondary ones (CC BY 4.0)."""

import re
from pathlib import Path
from typing import Final

from aimwell.errors import InputError
from aimwell.knowledge.files import read_lines, wrong_file
from aimwell.knowledge.name_maps import NameMap, name_map
from aimwell.knowledge.streams import first_lines, stream_table
from aimwell.provenance import Step

NAME: Final = "UniProt id mapping"
WHAT: Final = "a UniProt id mapping (HUMAN_9606_idmapping.dat)"
SECONDARY: Final = "UniProt's list of secondary accessions (sec_ac.txt)"
#: Type of id in the file → kind of name that it gives.
_KINDS: Final = {
    "UniProtKB-ID": "UniProt entry name",
    "Ensembl_TRS": "Ensembl transcript",
    "Ensembl_PRO": "Ensembl protein",
    "Ensembl": "Ensembl gene",
    "RefSeq": "RefSeq",
    "RefSeq_NT": "RefSeq",
    "STRING": "Ensembl protein",
    "GeneID": "Entrez",
}
_ACCESSION: Final = re.compile(r"[A-Z0-9]{6,10}(-\d+)?")
_FIELDS: Final = 3


def read_uniprot_idmapping(path: Path) -> NameMap:
    """Read ``HUMAN_9606_idmapping.dat`` (accession, type, id), plain or gzipped.

    Where the file gives a HGNC id for an accession, names point to it; otherwise to the accession
    without its isoform.

    Raises:
        InputError: Another file, a malformed line, or no id of a kind that is read.
    """
    lines = first_lines(path, WHAT)
    first = lines[0].split("\t")
    if len(first) != _FIELDS or not _ACCESSION.fullmatch(first[0]):
        raise InputError(wrong_file(path, WHAT, lines, f"the first line is '{lines[0][:60]}'"))
    hgnc: dict[str, str] = {}
    rows: list[tuple[str, str, str]] = []
    count = 0
    header = ("accession", "type", "id")
    for block in stream_table(path, WHAT, header, header, skip=0):
        columns = (block[name].to_pylist() for name in header)
        for accession, kind, key in zip(*columns, strict=True):
            count += 1
            plain = accession.partition("-")[0]
            if kind == "HGNC":
                hgnc[plain] = key
            elif kind in _KINDS:
                rows.append((_KINDS[kind], _without_version(key.removeprefix("9606.")), plain))
    if not rows:
        raise InputError(f"'{path}' gives no Ensembl, RefSeq, Entrez or STRING id; is it {WHAT}?")
    why = "ids of databases whose names are not used"
    step = Step(f"{NAME}: ids of genes, transcripts and proteins", count, len(rows), why)
    mapped = ((kind, name, hgnc.get(target, target)) for kind, name, target in rows)
    return name_map(mapped, NAME, (step,))


def read_secondary_accessions(path: Path) -> NameMap:
    """Read ``sec_ac.txt``: accessions that were merged into others, after a page of text.

    Raises:
        InputError: Another file, or no pair of accessions.
    """
    lines = read_lines(path, SECONDARY)
    start = next((i for i, line in enumerate(lines) if line.startswith("Secondary AC")), None)
    if start is None:
        raise InputError(wrong_file(path, SECONDARY, lines, "it has no line 'Secondary AC'"))
    pairs = [line.split() for line in lines[start + 1 :] if not line.startswith("_")]
    rows = [
        ("UniProt", pair[0], pair[1])
        for pair in pairs
        if len(pair) == 2 and all(_ACCESSION.fullmatch(part) for part in pair)
    ]
    if not rows:
        raise InputError(f"'{path}' names no pair of accessions below 'Secondary AC'")
    filled = sum(bool(pair) for pair in pairs)
    step = Step("UniProt: secondary accessions", filled, len(rows), "lines without two accessions")
    return name_map(rows, "UniProt", (step,))


def _without_version(name: str) -> str:
    return name.partition(".")[0] if name.startswith(("ENS", "NM_", "NP_", "NR_", "X")) else name
