"""DoRothEA: transcription factors and their targets with a level of confidence (GPL-3 data)."""

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aimwell.errors import InputError, some
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import first_lines, split_header, stream_table

NAME: Final = "DoRothEA"
WHAT: Final = "a DoRothEA table"
#: Level → weight: decoupler divides the sign by 1 to 4 from A to D; E goes on from there.
LEVELS: Final = {"A": 1.0, "B": 1 / 2, "C": 1 / 3, "D": 1 / 4, "E": 1 / 5}


def read_dorothea(path: Path) -> Interactions:
    """Read regulation of genes by transcription factors, named by symbol.

    Args:
        path: A table with ``tf`` or ``source``, ``confidence``, ``target``, and ``mor`` or
            ``weight`` (the sign of the regulation), comma- or tab-separated.

    Returns:
        Relation ``induces`` or ``represses`` by the sign, ``regulates`` where it is 0; ``weight``
        by ``LEVELS``; ``evidence_type`` is the level, so that ``channels`` can keep A to C.

    Raises:
        InputError: Another file, a malformed line, or an unknown level.
    """
    lines = first_lines(path, WHAT)
    separator = "\t" if "\t" in lines[0] else ","
    header = split_header(lines, path, WHAT, separator)
    factor = next((c for c in ("tf", "source") if c in header), "")
    sign = next((c for c in ("mor", "weight") if c in header), "")
    if not factor or not sign or not {"confidence", "target"} <= set(header):
        found = (
            f"the first line is '{lines[0][:60]}' where tf, confidence, target, mor was expected"
        )
        raise InputError(wrong_file(path, WHAT, lines, found))
    rows = Collector(NAME, path)
    for block in stream_table(
        path,
        WHAT,
        header,
        [factor, "confidence", "target", sign],
        skip=1,
        separator=separator,
        quoted=True,
        numbers=[sign],
    ):
        level = block["confidence"]
        if strange := sorted(set(level.unique().to_pylist()) - set(LEVELS)):
            raise InputError(f"'{path}' has the confidence {some(strange)}; known: A, B, C, D, E")
        signs = np.nan_to_num(block[sign].to_numpy(zero_copy_only=False))
        relation = np.where(signs > 0, "induces", np.where(signs < 0, "represses", "regulates"))
        weights = pa.array(list(LEVELS.values())).take(pc.index_in(level, pa.array(list(LEVELS))))
        rows.add(
            block[factor],
            block["target"],
            relation=pa.array(relation.tolist(), pa.string()),
            weight=weights.to_numpy(),
            evidence_type=level,
        )
    return rows.finish("symbol")
