"""HIPPIE: human interactions of many databases with one confidence score (free to use, cite it).

Read is ``hippie_current.txt``: six columns without a header. The MITAB release is for the reader
``psi_mitab``.
"""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aimwell.errors import InputError
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import first_lines, scores_of, stream_table
from aimwell.provenance import Step

NAME: Final = "HIPPIE"
WHAT: Final = "a HIPPIE table"
HEADER: Final = ("uniprot_a", "entrez_a", "uniprot_b", "entrez_b", "score", "details")


def read_hippie(path: Path) -> Interactions:
    """Read interactions of human proteins, named by Entrez id.

    Returns:
        Relation ``interacts``; ``weight`` is the score, rows with score 0 left out and counted;
        ``evidence_type`` names the experiments, ``pubmed_ids`` the papers, ``detail`` the databases
        that HIPPIE has the pair from.

    Raises:
        InputError: Another file, a malformed line, or a score outside [0, 1].
    """
    lines = first_lines(path, WHAT)
    fields = lines[0].split("\t")
    if len(fields) != len(HEADER) or not re.fullmatch(r"\d*", fields[1]):
        found = f"line 1 is not two proteins, a score and details: '{lines[0][:60]}'"
        raise InputError(wrong_file(path, WHAT, lines, found))
    rows = Collector(NAME, path)
    seen = kept = 0
    for block in stream_table(path, WHAT, HEADER, HEADER[1:], skip=0, numbers=["score"]):
        score = scores_of(block["score"], path, "score", seen, missing=0.0)
        seen += len(score)
        positive = score > 0
        kept += int(np.count_nonzero(positive))
        part = {name: values.filter(pa.array(positive)) for name, values in block.items()}
        rows.add(
            part["entrez_a"],
            part["entrez_b"],
            weight=score[positive],
            evidence_type=_list(part["details"], "experiments"),
            pubmed_ids=_list(part["details"], "pmids"),
            detail=_list(part["details"], "sources"),
        )
    steps = [Step(f"{NAME}: pairs with a score", seen, kept, "a score of 0 or none")]
    return rows.finish("entrez", steps)


def _list(details: pa.Array, key: str) -> pa.Array:
    """Take one list, ``key:a,b``, from the details, as ``a|b``."""
    found = pc.extract_regex(details, rf"(?:^|;){key}:(?P<list>[^;]*)")
    return pc.replace_substring(pc.fill_null(pc.struct_field(found, "list"), ""), ",", "|")
