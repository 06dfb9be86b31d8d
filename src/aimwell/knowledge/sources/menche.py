"""Menche et al. 2015 (Science 347:1257601): an interactome of seven kinds of evidence.

Read is ``DataS1_interactome.tsv``, alone or inside the archive that the journal offers.
"""

from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from aimwell.errors import InputError
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import first_lines, skip_comments, stream_table

NAME: Final = "Menche 2015"
WHAT: Final = "the interactome of Menche 2015"
MEMBER: Final = "*DataS1_interactome.tsv"
HEADER: Final = ("gene_ID_1", "gene_ID_2", "data_source(s)")


def read_menche(path: Path) -> Interactions:
    """Read interactions of human genes, named by Entrez id.

    Returns:
        Relation ``interacts`` with weight 1; ``evidence_type`` is a choice of ``binary``,
        ``complexes``, ``kinase``, ``literature``, ``metabolic``, ``regulatory`` and ``signaling``,
        joined by ``|``. Their ``literature`` is curated from papers, not mined from text.

    Raises:
        InputError: Another file, or a malformed line.
    """
    lines = first_lines(path, WHAT, MEMBER)
    skip = skip_comments(lines, "# ")
    skip += skip_comments(lines[skip:], "#") if skip else 0
    fields = [f.strip() for f in lines[skip - 1 if skip else 0].lstrip("# ").split("\t")]
    if tuple(fields) != HEADER:
        found = f"no line names the columns {', '.join(HEADER)}; it starts '{lines[0][:60]}'"
        raise InputError(wrong_file(path, WHAT, lines, found))
    rows = Collector(NAME, path)
    for block in stream_table(path, WHAT, HEADER, HEADER, skip=max(skip, 1), member=MEMBER):
        kinds = pc.replace_substring(block[HEADER[2]], ";", "|")
        rows.add(block[HEADER[0]], block[HEADER[1]], evidence_type=kinds)
    return rows.finish("entrez")
