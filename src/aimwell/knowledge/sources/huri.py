"""HuRI and HI-union: systematic yeast two-hybrid maps of the human interactome (CC BY 4.0).

Read are the lists of two columns without a header: Ensembl genes (``HuRI.tsv``, ``HI-union.tsv``),
or UniProt accessions with isoforms. The ``.psi`` files are for the reader ``psi_mitab``.
"""

import re
from pathlib import Path
from typing import Final

from aimwell.errors import InputError
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import first_lines, stream_table

NAME: Final = "HuRI"
WHAT: Final = "a HuRI pair list"
HEADER: Final = ("first", "second")
_KINDS: Final = {
    "ensembl_gene": re.compile(r"ENSG\d{11}(\.\d+)?"),
    "uniprot": re.compile(r"([OPQ]\d[A-Z0-9]{3}\d|[A-NR-Z]\d(?:[A-Z][A-Z0-9]{2}\d){1,2})(-\d+)?"),
}


def read_huri(path: Path) -> Interactions:
    """Read pairs of human genes or proteins.

    Returns:
        Relation ``interacts`` with weight 1 and the evidence type ``two-hybrid``.

    Raises:
        InputError: Another file, or a malformed line.
    """
    lines = first_lines(path, WHAT)
    fields = lines[0].split("\t")
    kind = next((k for k, p in _KINDS.items() if all(p.fullmatch(f) for f in fields)), "")
    if len(fields) != 2 or not kind:
        found = f"line 1 is not two Ensembl genes or two UniProt accessions: '{lines[0][:60]}'"
        raise InputError(wrong_file(path, WHAT, lines, found))
    rows = Collector(NAME, path)
    for block in stream_table(path, WHAT, HEADER, HEADER, skip=0):
        rows.add(block["first"], block["second"], evidence_type="two-hybrid")
    return rows.finish(kind)
