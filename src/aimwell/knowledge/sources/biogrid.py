"""BioGRID: interactions curated from papers (MIT).

Read are the releases TAB2 and TAB3 and the export of NDEx, a header ``node1 node2`` and pairs of
symbols. Its PSI-MITAB release is for the reader ``psi_mitab``.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from aimwell.errors import InputError
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import first_lines, require_columns, split_header, stream_table
from aimwell.provenance import Step

NAME: Final = "BioGRID"
WHAT: Final = "a BioGRID symbol edge list"
TAB: Final = "a BioGRID TAB2 or TAB3 table"
HEADER: Final = ("node1", "node2")
HUMAN: Final = "9606"
COLUMNS: Final = (
    "Entrez Gene Interactor A",
    "Entrez Gene Interactor B",
    "Experimental System",
    "Experimental System Type",
    "Author",
    "Organism ID Interactor A",
    "Organism ID Interactor B",
    "Throughput",
    "Modification",
)
#: TAB3 wrote these under other names than TAB2 in some releases.
_RENAMED: Final = {
    "Organism Interactor A": "Organism ID Interactor A",
    "Organism Interactor B": "Organism ID Interactor B",
    "Pubmed ID": "Publication Source",
    "Post Translational Modification": "Modification",
}


def read_biogrid(path: Path) -> Interactions:
    """Read interactions of human genes.

    Returns:
        Relation ``interacts`` with weight 1. From TAB2 and TAB3, names are Entrez ids;
        ``evidence_type`` is the experimental system with its type (``physical|Two-hybrid``),
        ``date`` the year of the paper, ``detail`` the throughput and, where one was seen, the
        modification. Genetic interactions are read, too: keep the channel ``physical`` to leave
        them out. From the list of pairs, names are symbols, and nothing else is known. Rows with a
        partner of another species are left out, and counted.

    Raises:
        InputError: Another file, a malformed line, or no human interaction.
    """
    lines = first_lines(path, WHAT)
    if lines[0].lstrip("#").startswith("BioGRID Interaction ID"):
        return _read_tab(path, lines)
    return _read_pairs(path, lines)


def _read_pairs(path: Path, lines: Sequence[str]) -> Interactions:
    separator = "\t" if "\t" in lines[0] else " "
    if tuple(lines[0].split(separator)) != HEADER:
        found = f"the first line is '{lines[0][:60]}' where 'node1 node2' was expected"
        raise InputError(wrong_file(path, WHAT, lines, found))
    rows = Collector(NAME, path)
    for block in stream_table(path, WHAT, HEADER, HEADER, skip=1, separator=separator):
        rows.add(block["node1"], block["node2"], evidence_type="physical")
    return rows.finish("symbol")


def _read_tab(path: Path, lines: Sequence[str]) -> Interactions:
    header = [_RENAMED.get(name, name) for name in split_header(lines, path, TAB)]
    require_columns(header, COLUMNS, path, TAB, lines)
    publication = "Publication Source" if "Publication Source" in header else ""
    columns = [*COLUMNS, *([publication] if publication else [])]
    rows = Collector(NAME, path, lambda name: "" if name == "-" else name)
    seen = human = 0
    for block in stream_table(path, TAB, header, columns, skip=1):
        seen += len(block["Author"])
        ours = pc.and_(
            pc.equal(block["Organism ID Interactor A"], HUMAN),
            pc.equal(block["Organism ID Interactor B"], HUMAN),
        )
        part = {name: values.filter(ours) for name, values in block.items()}
        human += len(part["Author"])
        rows.add(
            part["Entrez Gene Interactor A"],
            part["Entrez Gene Interactor B"],
            evidence_type=_join(part["Experimental System Type"], part["Experimental System"]),
            pubmed_ids=_pubmed(part[publication]) if publication else "",
            date=_year(part["Author"]),
            detail=_join(part["Throughput"], part["Modification"]),
        )
    steps = [Step(f"{NAME}: human partners", seen, human, "a partner of another species")]
    if not human:
        raise InputError(
            f"'{path}' has no interaction of two human genes (organism {HUMAN}) in {seen} rows; "
            "download the file of Homo sapiens, or of all organisms"
        )
    return rows.finish("entrez", steps)


def _join(first: pa.Array, second: pa.Array) -> pa.Array:
    blank = pc.is_in(second, pa.array(["-", ""]))
    joined = pc.binary_join_element_wise(first, second, "|")
    return pc.if_else(blank, first, joined)


def _pubmed(values: pa.Array) -> pa.Array:
    digits = pc.extract_regex(values, r"(?i)^(?:PUBMED:)?(?P<id>\d+)$")
    return pc.fill_null(pc.struct_field(digits, "id"), "")


def _year(authors: pa.Array) -> pa.Array:
    years = pc.extract_regex(authors, r"\((?P<year>(?:19|20)\d\d)\)")
    return pc.fill_null(pc.struct_field(years, "year"), "")
