"""CollecTRI: transcription factors and the genes they switch on or off (Müller-Dott 2023).

Read are tables with ``source``, ``target`` and a sign in ``weight`` or ``mor``, comma- or
tab-separated, as decoupler and OmnipathR give them.
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
from aimwell.knowledge.streams import first_lines, split_header, stream_table
from aimwell.provenance import Step

NAME: Final = "CollecTRI"
WHAT: Final = "a CollecTRI table"
#: Dimers that CollecTRI names as one regulator.
COMPLEXES: Final = ("AP1", "NFKB")


def read_collectri(path: Path) -> Interactions:
    """Read regulation of genes by transcription factors, named by symbol.

    ``AP1`` and ``NFKB`` are left out, and counted: each stands for any of a dozen dimers, the table
    does not say which, and resolving the names as symbols would give every edge to one gene
    (``AP1`` is an alias of JUN). Edges of their members have rows of their own. MicroRNAs stay, and
    are lost later, by name, as they are not protein-coding.

    Returns:
        Relation ``induces`` where the sign is positive, ``represses`` where it is negative; weight
        1; ``pubmed_ids`` where the table has ``references``.

    Raises:
        InputError: Another file, a malformed line, or a sign that is not 1 or -1.
    """
    lines = first_lines(path, WHAT)
    separator = "\t" if "\t" in lines[0] else ","
    header = split_header(lines, path, WHAT, separator)
    sign = next((c for c in ("weight", "mor") if c in header), "")
    if not sign or "source" not in header or "target" not in header or "confidence" in header:
        found = f"the first line is '{lines[0][:60]}' where source, target, weight was expected"
        raise InputError(wrong_file(path, WHAT, lines, found))
    papers = next((c for c in ("references", "PMID", "pmid") if c in header), "")
    columns = ["source", "target", sign, *([papers] if papers else [])]
    rows = Collector(NAME, path)
    seen = single = 0
    for block in stream_table(
        path, WHAT, header, columns, skip=1, separator=separator, quoted=True, numbers=[sign]
    ):
        signs = block[sign].to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(~np.isin(signs, (1.0, -1.0)))
        if len(wrong):
            raise InputError(
                f"'{path}', row {seen + int(wrong[0]) + 1}: the sign '{sign}' is "
                f"{signs[wrong[0]]:g}; it must be 1 (induces) or -1 (represses)"
            )
        seen += len(signs)
        known = pc.invert(
            pc.or_(
                pc.is_in(block["source"], pa.array(COMPLEXES)),
                pc.is_in(block["target"], pa.array(COMPLEXES)),
            )
        )
        part = {name: values.filter(known) for name, values in block.items()}
        single += len(part["source"])
        rows.add(
            part["source"],
            part["target"],
            relation=pc.if_else(pc.greater(part[sign], 0), "induces", "represses"),
            evidence_type="transcriptional regulation",
            pubmed_ids=_papers(part[papers]) if papers else "",
        )
    why = f"{' and '.join(COMPLEXES)} stand for dimers that the table does not name"
    return rows.finish("symbol", [Step(f"{NAME}: single genes", seen, single, why)])


def _papers(references: pa.Array) -> list[str]:
    """Take the PubMed ids from ``DB:123;456``."""
    texts = references.to_pylist()
    found = {t: "|".join(sorted(set(re.findall(r"\b\d{4,8}\b", t)))) for t in set(texts)}
    return [found[t] for t in texts]
