"""A plain list of genes: one name a line, or the first column of a table."""

from pathlib import Path
from typing import Final

from aimwell.errors import InputError
from aimwell.knowledge.files import read_lines, wrong_file
from aimwell.knowledge.formats import recognise_format

NAME: Final = "gene list"
WHAT: Final = "a list of genes, one name a line"
#: First words that are a header and no gene.
HEADERS: Final = frozenset(
    {
        "gene",
        "genes",
        "symbol",
        "gene_symbol",
        "hgnc_id",
        "hgnc_symbol",
        "hugo symbol",
        "hugo_symbol",
    }
)


def read_gene_list(path: Path) -> tuple[str, ...]:
    """Read gene names: the first field of every line, without comments (``#``) and a header.

    Returns:
        The names as written, each once, in file order.

    Raises:
        InputError: Not a list of names.
    """
    lines = read_lines(path, WHAT)
    if recognise_format(lines):
        raise InputError(wrong_file(path, WHAT, lines, "its first line is that of another format"))
    names: list[str] = []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        name = line.split("\t")[0].split(",")[0].strip().strip('"')
        if len(name) > 60 or len(name.split()) > 3:
            raise InputError(
                f"'{path}', line {number}: '{name[:40]}…' is no gene name; give one name a line"
            )
        if name and not (not names and name.lower() in HEADERS):
            names.append(name)
    if not names:
        raise InputError(f"'{path}' names no gene; it should be {WHAT}")
    return tuple(dict.fromkeys(names))
