"""BioGRID physical interactions as pairs of symbols, the export that NDEx offers (MIT)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError
from aimwell.knowledge.files import read_lines, split_rows, wrong_file

NAME: Final = "BioGRID"
WHAT: Final = "a BioGRID symbol edge list"
HEADER: Final = ("node1", "node2")


def read_biogrid(path: Path) -> pd.DataFrame:
    """Read interactions of human proteins: a header ``node1 node2``, then two symbols a line.

    Returns:
        Columns ``source``, ``target``: symbols as written, one row per line of the file.

    Raises:
        InputError: Another file (a BioGRID TAB or MITAB release included), or a malformed line.
    """
    lines = read_lines(path, WHAT)
    separator = "\t" if "\t" in lines[0] else " "
    rows = split_rows(lines, path, WHAT, separator=separator, quoted=False)
    header = next(rows)[1]
    if tuple(header) != HEADER:
        found = f"the first line is '{lines[0][:60]}' where 'node1 node2' was expected"
        raise InputError(wrong_file(path, WHAT, lines, found))
    source, target = [], []  # two flat lists: a list per line would keep the collector busy
    for line, row in rows:
        if len(row) != 2 or not all(row):
            if not any(row):
                continue
            raise InputError(
                f"'{path}', line {line}: {len([f for f in row if f])} symbols where two were "
                f"expected ('{separator.join(row)[:60]}'); the file is damaged"
            )
        source.append(row[0])
        target.append(row[1])
    if not source:
        raise InputError(f"'{path}' has a header and no interactions; download it again")
    return pd.DataFrame({"source": source, "target": target}, dtype=str)
