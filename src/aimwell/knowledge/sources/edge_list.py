"""Any list of edges, two names a line, whose columns and kind of names the run file declares."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from aimwell.errors import InputError, some
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.formats import PAIRS, recognise_format
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import (
    first_lines,
    scores_of,
    skip_comments,
    split_header,
    stream_table,
)
from aimwell.provenance import Step

NAME: Final = "edge list"
WHAT: Final = "an edge list"
SEPARATORS: Final = ("\t", ",", ";", " ")
#: First words of lists that are no pairs of genes, whatever their columns.
_FOREIGN: Final = ("a web page", "an XML file", "a JSON file", "a HGNC complete set")


def read_edge_list(
    path: Path,
    *,
    id_type: str = "mixed",
    relation: str = "interacts",
    columns: tuple[str, str] = ("", ""),
    weight_column: str = "",
) -> Interactions:
    """Read edges between genes.

    Args:
        path: Fields separated by tab, comma, semicolon or space; comments (``#``) come first.
        id_type: What the names are.
        relation: What every edge says.
        columns: Names of the columns of source and target, in the header line. Without them the
            file has no header, and its first two columns are the names.
        weight_column: The column with weights in (0, 1]; edges of weight 0 are left out, and
            counted. Without one, every weight is 1.

    Raises:
        InputError: Another file, a missing column, a malformed line, or a weight out of range.
    """
    lines = first_lines(path, WHAT)
    if (guess := recognise_format(lines)) in _FOREIGN:
        raise InputError(wrong_file(path, WHAT, lines, f"it starts '{lines[0][:40]}'"))
    titled = any((*columns, weight_column))
    if not titled and guess not in ("", *PAIRS):
        raise InputError(
            f"'{path}' looks like {guess}, not like {WHAT}: take the reader of that format, or "
            "set source_column and target_column to the columns that hold the genes"
        )
    skip = skip_comments(lines, "#")
    if titled and skip and not set(columns) <= set(_fields(lines, skip)):
        skip -= 1  # the header line itself starts with '#'
    skip = min(skip, len(lines) - 1)
    separator = next((s for s in SEPARATORS if s in lines[skip]), "\t")
    if titled:
        header = split_header(lines, path, WHAT, separator, skip)
        if missing := [c or "?" for c in (*columns, *_some(weight_column)) if c not in header]:
            hint = f"; it looks like {guess}" if guess else ""
            raise InputError(
                f"'{path}' lacks the columns {some(missing)}; it has {some(header, 8)}{hint}; "
                "set source_column and target_column to those that hold the genes"
            )
    else:
        header = [f"column {i + 1}" for i in range(len(lines[skip].split(separator)))]
        columns = (header[0], header[-1] if len(header) < 2 else header[1])
        if len(header) < 2:
            raise InputError(
                wrong_file(path, WHAT, lines, f"line {skip + 1} is one field: '{lines[skip][:40]}'")
            )
    rows = Collector(NAME, path, str.strip)
    seen = kept = 0
    for block in stream_table(
        path,
        WHAT,
        header,
        [*columns, *_some(weight_column)],
        skip=skip + int(titled),
        separator=separator,
        quoted=True,
        numbers=_some(weight_column),
    ):
        size = len(block[columns[0]])
        weight = np.ones(size)
        if weight_column:
            weight = scores_of(block[weight_column], path, weight_column, seen)
        seen += size
        positive = weight > 0
        kept += int(positive.sum())
        mask = positive.tolist()
        source, target = (block[c].filter(mask) for c in columns)
        rows.add(source, target, weight=weight[positive], relation=relation)
    steps = [Step(f"{path.name}: weights", seen, kept, "a weight of 0")] if kept < seen else []
    return rows.finish(id_type, steps)


def _some(name: str) -> list[str]:
    return [name] if name else []


def _fields(lines: Sequence[str], skip: int) -> list[str]:
    line = lines[min(skip, len(lines) - 1)]
    separator = next((s for s in SEPARATORS if s in line), "\t")
    return [name.strip().strip('"') for name in line.split(separator)]
