"""NCBI Gene: Entrez ids with their Ensembl and HGNC ids, and ids that were retired (public)."""

from pathlib import Path
from typing import Final

from aimwell.errors import InputError, some
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.name_maps import NameMap, name_map
from aimwell.knowledge.streams import first_lines, stream_table
from aimwell.provenance import Step

NAME: Final = "NCBI Gene"
INFO: Final = "NCBI's gene_info"
HISTORY: Final = "NCBI's gene_history"
_INFO: Final = ("tax_id", "GeneID", "Symbol", "dbXrefs")
_HISTORY: Final = ("tax_id", "GeneID", "Discontinued_GeneID", "Discontinued_Symbol")
HUMAN: Final = "9606"


def read_gene_info(path: Path) -> NameMap:
    """Read ``Homo_sapiens.gene_info`` (or that of all species): Entrez and Ensembl ids.

    An Entrez id points to the HGNC id beside it; genes that HGNC does not know are left out, and
    counted.

    Raises:
        InputError: Another file, or no human gene.
    """
    rows, human, count = [], 0, 0
    for taxon, gene, _, links in _read(path, INFO, _INFO):
        count += 1
        if taxon != HUMAN:
            continue
        human += 1
        parts = links.split("|")
        ids = [part.removeprefix("HGNC:") for part in parts if part.startswith("HGNC:HGNC:")]
        for target in ids:
            rows.append(("Entrez", gene, target))
            rows += [
                ("Ensembl gene", part.removeprefix("Ensembl:"), target)
                for part in parts
                if part.startswith("Ensembl:ENSG")
            ]
    if not rows:
        raise InputError(f"'{path}' has no human gene with a HGNC id among {count} rows")
    named = len({gene for kind, gene, _ in rows if kind == "Entrez"})
    steps = (
        Step(f"{NAME}: human genes", count, human, "other species"),
        Step(f"{NAME}: genes with a HGNC id", human, named, "genes that HGNC has not named"),
    )
    return name_map(rows, NAME, steps)


def read_gene_history(path: Path) -> NameMap:
    """Read ``gene_history``: Entrez ids that were replaced by others.

    Raises:
        InputError: Another file, or no replaced human id.
    """
    rows, human, count = [], 0, 0
    for taxon, gene, old, _ in _read(path, HISTORY, _HISTORY):
        count += 1
        if taxon == HUMAN:
            human += 1
            rows += [("retired Entrez", old, gene)] if gene not in ("", "-") else []
    if not rows:
        raise InputError(f"'{path}' has no human id that was replaced among {count} rows")
    steps = (
        Step(f"{NAME}: retired human ids", count, human, "other species"),
        Step(f"{NAME}: retired ids with a successor", human, len(rows), "ids without successor"),
    )
    return name_map(rows, NAME, steps)


def _read(path: Path, what: str, columns: tuple[str, ...]) -> "list[tuple[str, ...]]":
    lines = first_lines(path, what)
    header = lines[0].removeprefix("#").split("\t")
    if missing := [c for c in columns if c not in header]:
        raise InputError(wrong_file(path, what, lines, f"it lacks the columns {some(missing, 4)}"))
    rows: list[tuple[str, ...]] = []
    for block in stream_table(path, what, header, columns, skip=1):
        rows += zip(*(block[name].to_pylist() for name in columns), strict=True)
    return rows
