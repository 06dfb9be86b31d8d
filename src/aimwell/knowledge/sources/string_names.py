"""STRING's names of its proteins (``9606.ENSP…``): the aliases or the info file (CC BY 4.0)."""

import re
from pathlib import Path
from typing import Final

from aimwell.errors import InputError
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.name_maps import NameMap, name_map
from aimwell.knowledge.streams import first_lines, stream_table
from aimwell.provenance import Step

NAME: Final = "STRING"
WHAT: Final = "STRING protein aliases or protein info"
_HEADER: Final = re.compile(r"#{0,2} ?(string_protein_id|protein_external_id)\b")
#: Source of an alias → how good it is; the best one of a protein decides.
_BEST: Final = (
    re.compile(r".*hgnc_id.*", re.IGNORECASE),
    re.compile(r"Ensembl_gene"),
    re.compile(r"(Ensembl_)?UniProt(_AC)?|BLAST_UniProt_AC|Ensembl_UniProt", re.IGNORECASE),
)
_TARGETS: Final = (
    re.compile(r"(HGNC:)?\d+"),
    re.compile(r"ENSG\d{11}"),
    re.compile(r"[A-Z0-9]{6,10}"),
)


def read_string_names(path: Path) -> NameMap:
    """Read ``9606.protein.aliases`` or ``9606.protein.info`` (since version 11).

    Of the aliases, the HGNC id counts, or else the Ensembl gene, or else accessions; of the info
    file, the preferred name.

    Raises:
        InputError: Another file, or no human protein.
    """
    lines = first_lines(path, WHAT)
    if not _HEADER.match(lines[0]):
        raise InputError(wrong_file(path, WHAT, lines, f"the first line is '{lines[0][:60]}'"))
    header = re.split(r"\s*##\s*|\t", lines[0].strip("# "))
    header = [name.strip() for name in header if name.strip()]
    aliases = "alias" in header
    second, third = ("alias", "source") if aliases else ("preferred_name", "preferred_name")
    if second not in header or third not in header:
        raise InputError(wrong_file(path, WHAT, lines, f"the first line is '{lines[0][:60]}'"))
    best: dict[str, tuple[int, set[str]]] = {}
    count, human = 0, set()
    for block in stream_table(path, WHAT, header, (header[0], second, third), skip=1):
        columns = (block[name].to_pylist() for name in (header[0], second, third))
        for protein, name, source in zip(*columns, strict=True):
            count += 1
            if not protein.startswith("9606.ENSP"):
                continue
            human.add(protein)
            rank = _rank(name, source) if aliases else 0
            if rank is not None and rank <= best.get(protein, (rank, ()))[0]:
                target = f"HGNC:{name}" if aliases and rank == 0 and name.isdigit() else name
                held = best.get(protein, (rank, set()))
                kept = held[1] if held[0] == rank else set()
                best[protein] = (rank, kept | {target})
    if not best:
        raise InputError(f"'{path}' names no human protein (9606.ENSP…) among {count} rows")
    why = "proteins without a HGNC id, Ensembl gene or accession"
    step = Step(f"{NAME}: human proteins with a gene", len(human), len(best), why)
    rows = [
        ("Ensembl protein", protein.removeprefix("9606."), target)
        for protein, (_, targets) in best.items()
        for target in targets
    ]
    return name_map(rows, NAME, (step,))


def _rank(name: str, source: str) -> int | None:
    for rank, (pattern, form) in enumerate(zip(_BEST, _TARGETS, strict=True)):
        if any(pattern.fullmatch(word) for word in source.split()) and form.fullmatch(name):
            return rank
    return None
