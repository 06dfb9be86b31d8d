"""FamPlex: families and complexes by the names that texts use for them (CC0)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines, split_rows, wrong_file
from aimwell.knowledge.gene_sets import GeneSets, require_acyclic
from aimwell.provenance import Step

NAME: Final = "FamPlex"
WHAT: Final = "a FamPlex relation table"
RELATIONS: Final = ("isa", "partof")
_GENES: Final = ("HGNC", "UP")


def read_famplex(path: Path) -> list[GeneSets]:
    """Read ``relations.csv``: namespace, name, ``isa`` or ``partof``, namespace, name.

    An entry is a complex if something is part of it, or if a complex is a kind of it; any other
    is a family. Each holds the genes of all entries below it, because few entries list genes
    themselves.

    Returns:
        Families, then complexes, where there are any; sets by ``FPLX:name``. Entries of one kind
        keep their hierarchy.

    Raises:
        InputError: Another file, an unknown relation, or a cyclic hierarchy.
    """
    lines = read_lines(path, WHAT)
    below: dict[str, set[tuple[str, str]]] = {}  # set → (namespace, name) directly below
    assembled: set[str] = set()
    count, genes = 0, set()
    for number, row in split_rows(lines, path, WHAT, separator=","):
        if not any(row):
            continue
        if len(row) != 5 or row[2] not in RELATIONS or row[3] != "FPLX":
            found = f"line {number} is no relation to a FamPlex entry: '{lines[number - 1][:60]}'"
            raise InputError(wrong_file(path, WHAT, lines, found))
        if row[0] not in (*_GENES, "FPLX"):
            raise InputError(
                f"'{path}', line {number}: unknown namespace '{row[0][:40]}'; known: HGNC, UP, FPLX"
            )
        count += 1
        below.setdefault(row[4], set()).add((row[0], row[1]))
        if row[2] == "partof":
            assembled.add(row[4])
        if row[0] in _GENES:
            genes.add(row[1])
    if not below:
        raise InputError(f"'{path}' has no relation; it should be {WHAT}")
    parents = {(n, key) for key, parts in below.items() for space, n in parts if space == "FPLX"}
    both = pd.DataFrame(sorted(parents), columns=["set_id", "parent_id"], dtype=str)
    names = sorted({*below, *both["set_id"]})
    titles = pd.Series([n.replace("_", " ") for n in names], index=names, dtype=str)
    require_acyclic(both, path)
    complexes = _complexes(below, assembled)
    members = [(key, gene) for key in names for gene in sorted(_genes_below(key, below))]
    step = Step(f"{NAME}: memberships, direct and inherited", count, len(members))
    every: list[GeneSets] = []
    for kind in ("family", "complex"):
        inside = [n for n in names if (n in complexes) == (kind == "complex")]
        kept = [pair for pair in members if pair[0] in set(inside)]
        if not kept:
            continue
        up = [p for p in sorted(parents) if p[0] in set(inside) and p[1] in set(inside)]
        every.append(
            GeneSets(
                titles.reindex(inside).rename(lambda n: f"FPLX:{n}"),
                _prefixed(kept, ["set_id", "name"], 1),
                _prefixed(up, ["set_id", "parent_id"], 2),
                () if every else (step,),
                evidence=NAME,
                kind=kind,
            )
        )
    if not every:
        raise InputError(f"'{path}' names not one gene: {some(names)}")
    return every


def _complexes(below: dict[str, set[tuple[str, str]]], assembled: set[str]) -> set[str]:
    """Add to the complexes whatever a complex is a kind of."""
    found = set(assembled)
    grown = True
    while grown:
        more = {
            key
            for key, parts in below.items()
            if key not in found and any(s == "FPLX" and n in found for s, n in parts)
        }
        found |= more
        grown = bool(more)
    return found


def _genes_below(key: str, below: dict[str, set[tuple[str, str]]]) -> set[str]:
    found, waiting, seen = set(), [key], {key}
    while waiting:
        for space, name in below.get(waiting.pop(), ()):
            if space in _GENES:
                found.add(name)
            elif name not in seen:
                seen.add(name)
                waiting.append(name)
    return found


def _prefixed(pairs: list[tuple[str, str]], columns: list[str], sets: int) -> pd.DataFrame:
    """Make a table of pairs whose first ``sets`` columns name FamPlex entries."""
    table = pd.DataFrame(pairs, columns=columns, dtype=str)
    for column in columns[:sets]:
        table[column] = "FPLX:" + table[column]
    return table
