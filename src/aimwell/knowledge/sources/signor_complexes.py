"""SIGNOR's complexes and protein families, the lists behind its ``SIGNOR-C…`` (CC BY-NC 4.0)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines, split_rows, wrong_file
from aimwell.knowledge.gene_sets import GeneSets, require_acyclic
from aimwell.provenance import Step

NAME: Final = "SIGNOR"
WHAT: Final = "a list of SIGNOR complexes or families"
#: Column of the name → kind of set.
_KINDS: Final = {
    "COMPLEX NAME": "complex",
    "PROT. FAMILY NAME": "family",
    "FAMILY NAME": "family",
}


def read_signor_complexes(path: Path) -> GeneSets:
    """Read ``SIGNOR_complexes.csv`` or ``SIGNOR_PF.csv``: id; name; members, all quoted with ``;``.

    Returns:
        Sets by SIGNOR id, of the kind ``complex`` or ``family``; a listed complex that is a
        member of another is below it. Members that are no proteins are counted, and left out.

    Raises:
        InputError: Another file, a malformed line, or an id listed twice.
    """
    lines = read_lines(path, WHAT)
    table = list(split_rows(lines, path, WHAT, separator=";"))
    header = [name.strip().upper() for name in table[0][1]]
    if len(header) != 3 or header[0] != "SIGNOR ID" or header[1] not in _KINDS:
        found = f"the first line is '{lines[0][:60]}'"
        raise InputError(wrong_file(path, WHAT, lines, found))
    titles: dict[str, str] = {}
    listed: list[tuple[str, str]] = []
    for number, row in table[1:]:
        if not any(row):
            continue
        if len(row) != 3 or not row[0].startswith("SIGNOR-"):
            raise InputError(
                f"'{path}', line {number}: expected id, name and members, found "
                f"'{';'.join(row)[:60]}'; the file is damaged"
            )
        if row[0] in titles:
            raise InputError(f"'{path}', line {number}: '{row[0][:40]}' is listed twice")
        titles[row[0]] = row[1].strip()
        names = dict.fromkeys(name.strip() for name in row[2].split(","))
        listed += [(row[0], name) for name in names if name]
    if not listed:
        raise InputError(f"'{path}' has a header and no members: {some(titles)}")
    inside = sorted((name, key) for key, name in listed if name in titles)
    parents = pd.DataFrame(inside, columns=["set_id", "parent_id"], dtype=str)
    require_acyclic(parents, path)
    rows = [(key, name) for key, name in listed if ":" not in name and "SIGNOR-" not in name]
    left = sorted({name for _, name in listed} - {name for _, name in rows})
    step = Step(
        f"{NAME}: proteins in {_KINDS[header[1]]} lists",
        len(listed),
        len(rows),
        "small molecules, and complexes or families inside others" if left else "",
        tuple(left[:3]),
    )
    return GeneSets(
        pd.Series(titles, dtype=str).sort_index(),
        pd.DataFrame(rows, columns=["set_id", "name"], dtype=str),
        parents,
        (step,),
        evidence=NAME,
        kind=_KINDS[header[1]],
    )
