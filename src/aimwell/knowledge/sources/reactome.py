"""Reactome pathways: the gene-set file (GMT), the hierarchy and the names (CC0)."""

import re
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines, split_rows, wrong_file
from aimwell.knowledge.gene_sets import GeneSets, inherited, no_parents, require_acyclic
from aimwell.provenance import Step

NAME: Final = "Reactome"
GMT: Final = "a Reactome gene-set file (GMT)"
HIERARCHY: Final = "a Reactome pathway hierarchy"
NAMES: Final = "Reactome pathway names"
MAPPING: Final = "a Reactome mapping such as UniProt2Reactome"
_ID: Final = re.compile(r"R-[A-Z]{3}-\d+")
_HUMAN: Final = "R-HSA-"


def read_reactome(gmt: Path, hierarchy: Path | None = None, names: Path | None = None) -> GeneSets:
    """Read human pathways.

    Args:
        gmt: ``ReactomePathways.gmt``: name, id, symbols.
        hierarchy: ``ReactomePathwaysRelation.txt``: parent id, child id; all species.
        names: ``ReactomePathways.txt``: id, name, species; all species.

    Returns:
        Sets by Reactome id, members as symbols, and parents where a hierarchy is given. Names come
        from the GMT, else from ``names``, else they are the id.

    Raises:
        InputError: Another file, a set listed twice, a malformed line, or a cyclic hierarchy.
    """
    titles, members, steps = _read_gmt(gmt)
    parents = no_parents()
    if hierarchy:
        parents, step = _read_hierarchy(hierarchy)
        steps.append(step)
    if names:
        every, step = _read_names(names)
        titles = every | titles
        steps.append(step)
    for key in (*parents["set_id"], *parents["parent_id"]):
        titles.setdefault(key, key)
    named = pd.Series(titles, dtype=str).sort_index()
    return GeneSets(named, members, parents, tuple(steps), evidence=NAME)


def read_reactome_mapping(path: Path, hierarchy: Path | None = None) -> GeneSets:
    """Read human pathways from ``UniProt2Reactome.txt`` or its Ensembl and NCBI counterparts.

    Args:
        path: Identifier, pathway id, address, pathway name, evidence code, species; the lowest
            level, or all levels.
        hierarchy: ``ReactomePathwaysRelation.txt``; then genes are handed up to the pathways
            above, which the file of the lowest level does not list.

    Returns:
        Sets by Reactome id; ``detail`` is the evidence code (``TAS`` or ``IEA``).

    Raises:
        InputError: Another file, a malformed line, no human pathway, or a cyclic hierarchy.
    """
    lines = read_lines(path, MAPPING)
    titles: dict[str, str] = {}
    rows: dict[tuple[str, str, str], None] = {}
    foreign, count = [], 0
    for number, row in split_rows(lines, path, MAPPING, quoted=False):
        if not any(row):
            continue
        count += 1
        if len(row) != 6 or not row[0] or not _ID.fullmatch(row[1]):
            found = (
                f"line {number} is not identifier, pathway, address, name, evidence and species: "
                f"'{lines[number - 1][:60]}'"
            )
            raise InputError(wrong_file(path, MAPPING, lines, found))
        if row[1].startswith(_HUMAN):
            titles[row[1]] = row[3].strip()
            rows[(row[1], row[0], row[4])] = None
        else:
            foreign.append(row[1])
    if not rows:
        raise InputError(f"'{path}' has no human pathway (R-HSA-…): {some(foreign)}")
    steps = [_human_only(f"{NAME}: human memberships", count, len(rows), foreign)]
    members = pd.DataFrame(list(rows), columns=["set_id", "name", "detail"], dtype=str)
    parents = no_parents()
    if hierarchy:
        parents, step = _read_hierarchy(hierarchy)
        steps.append(step)
    for key in (*parents["set_id"], *parents["parent_id"]):
        titles.setdefault(key, key)
    named = pd.Series(titles, dtype=str).sort_index()
    sets = GeneSets(named, members, parents, tuple(steps), evidence=NAME)
    return inherited(sets) if hierarchy else sets


def _read_gmt(path: Path) -> tuple[dict[str, str], pd.DataFrame, list[Step]]:
    lines = read_lines(path, GMT)
    titles: dict[str, str] = {}
    rows: list[tuple[str, str]] = []
    foreign, listed = [], 0
    for number, row in split_rows(lines, path, GMT, quoted=False):
        if not any(row):
            continue
        if len(row) < 3 or not _ID.fullmatch(row[1]):
            found = (
                f"line {number} is not name, Reactome id and symbols: '{lines[number - 1][:60]}'"
            )
            raise InputError(wrong_file(path, GMT, lines, found))
        listed += 1
        if not row[1].startswith(_HUMAN):
            foreign.append(row[1])
            continue
        if row[1] in titles:
            found = f"line {number}: the pathway {row[1]} is listed twice"
            raise InputError(wrong_file(path, GMT, lines, found))
        titles[row[1]] = row[0].strip()
        rows += [(row[1], gene) for gene in dict.fromkeys(row[2:]) if gene]
    if not rows:
        raise InputError(f"'{path}' has no human pathway (R-HSA-…): {some(foreign)}")
    members = pd.DataFrame(rows, columns=["set_id", "name"], dtype=str)
    step = _human_only("Reactome: human pathways", listed, len(titles), foreign)
    return titles, members, [step]


def _read_hierarchy(path: Path) -> tuple[pd.DataFrame, Step]:
    lines = read_lines(path, HIERARCHY)
    pairs, foreign = set(), []
    count = 0
    for number, row in split_rows(lines, path, HIERARCHY, quoted=False):
        if not any(row):
            continue
        count += 1
        if len(row) != 2 or not all(_ID.fullmatch(key) for key in row):
            found = f"line {number} is not parent id and child id: '{lines[number - 1][:60]}'"
            raise InputError(wrong_file(path, HIERARCHY, lines, found))
        if row[0].startswith(_HUMAN) and row[1].startswith(_HUMAN):
            pairs.add((row[1], row[0]))
        else:
            foreign.append(row[1])
    if not pairs:
        raise InputError(f"'{path}' has no human pathways (R-HSA-…): {some(foreign)}")
    parents = pd.DataFrame(sorted(pairs), columns=["set_id", "parent_id"], dtype=str)
    require_acyclic(parents, path)
    return parents, _human_only("Reactome: human hierarchy", count, len(pairs), foreign)


def _read_names(path: Path) -> tuple[dict[str, str], Step]:
    lines = read_lines(path, NAMES)
    titles: dict[str, str] = {}
    foreign = []
    count = 0
    for number, row in split_rows(lines, path, NAMES, quoted=False):
        if not any(row):
            continue
        count += 1
        if len(row) != 3 or not _ID.fullmatch(row[0]):
            found = f"line {number} is not id, name and species: '{lines[number - 1][:60]}'"
            raise InputError(wrong_file(path, NAMES, lines, found))
        if row[0].startswith(_HUMAN):
            titles[row[0]] = row[1].strip()
        else:
            foreign.append(row[0])
    if not titles:
        raise InputError(f"'{path}' has no human pathways (R-HSA-…): {some(foreign)}")
    return titles, _human_only("Reactome: human pathway names", count, len(titles), foreign)


def _human_only(name: str, rows_in: int, rows_out: int, foreign: list[str]) -> Step:
    why = "other species and repeated lines are left out" if rows_in > rows_out else ""
    return Step(name, rows_in, rows_out, why, tuple(sorted(set(foreign))[:3]))
