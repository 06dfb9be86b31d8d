"""SIGNOR: causal relations between human signalling proteins, curated from papers (CC BY-SA 4.0).

Read are the releases as CSV with ``;`` or ``,`` and as TSV, and beside them the tables of complexes
and protein families. The causalTAB release is for the reader ``psi_mitab``.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from aimwell.errors import InputError
from aimwell.knowledge.complexes import expand_complexes
from aimwell.knowledge.files import read_lines, split_rows, wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import (
    first_lines,
    require_columns,
    scores_of,
    split_header,
    stream_table,
)
from aimwell.provenance import Step

NAME: Final = "SIGNOR"
WHAT: Final = "a SIGNOR table"
GROUPS: Final = "a SIGNOR table of complexes or families"
ENDS: Final = ("TYPEA", "IDA", "TYPEB", "IDB")
COLUMNS: Final = (*ENDS, "EFFECT", "MECHANISM", "RESIDUE", "TAX_ID", "PMID", "DIRECT")
_TRANSCRIPTION: Final = "transcriptional"
_GROUP: Final = re.compile(r"SIGNOR-(C|PF)\d+")


def read_signor(
    path: Path, *, complexes: Path | None = None, families: Path | None = None
) -> Interactions:
    """Read causal relations between proteins, named by UniProt accession.

    ``TAX_ID`` is the species in whose cells a relation was shown; SIGNOR gives the human proteins
    all the same, so that rows of other species stay, with the species in ``detail``. Rows with a
    chemical, phenotype, RNA or stimulus are left out, and counted: chemicals acting on proteins are
    drug–target edges.

    Args:
        path: The table of relations.
        complexes: ``SIGNOR_complexes.csv``. A complex gives its relations to its members, each with
            an equal share of the weight, because the table does not say which one acts. Without
            this file, rows of complexes are left out, and counted.
        families: ``SIGNOR_PF.csv``, the same for protein families.

    Returns:
        By effect and mechanism: ``activates``, ``inhibits``, ``induces``, ``represses`` (the last
        two for transcription and for quantity by expression), ``interacts`` where the effect is
        unknown or a complex forms. ``weight`` is the score; a record without one counts as the
        lowest of the file, or 1 where none has a score.

    Raises:
        InputError: Another file, a malformed line, an unknown effect, or a score out of range.
    """
    lines = first_lines(path, WHAT)
    separator = next((s for s in ("\t", ";", ",") if s in lines[0]), "\t")
    header = [name.upper() for name in split_header(lines, path, WHAT, separator)]
    require_columns(header, COLUMNS, path, WHAT, lines)
    members: dict[str, tuple[str, ...]] = {}
    for table in (complexes, families):
        if table:
            members |= read_signor_groups(table)
    scored = ["SCORE"] if "SCORE" in header else []
    blocks = list(
        stream_table(
            path,
            WHAT,
            header,
            [*COLUMNS, *scored],
            skip=1,
            separator=separator,
            quoted=separator != "\t",
            numbers=scored,
        )
    )
    if not blocks:
        raise InputError(f"'{path}' has a header and no rows; it should be {WHAT}")
    table = pa.concat_tables([pa.table(block) for block in blocks]).combine_chunks()
    return _relations(table, path, members, bool(scored))


def _relations(
    table: pa.Table, path: Path, members: Mapping[str, tuple[str, ...]], scored: bool
) -> Interactions:
    weight = np.ones(len(table))
    if scored:
        numbers = table["SCORE"].combine_chunks()
        lowest = pc.min(numbers).as_py()
        weight = scores_of(numbers, path, "SCORE", 0, missing=1.0 if lowest is None else lowest)
    text = {name: table[name].to_pylist() for name in COLUMNS}
    relation = [
        _relation(effect, mechanism, path, row)
        for row, (effect, mechanism) in enumerate(
            zip(text["EFFECT"], text["MECHANISM"], strict=True), 1
        )
    ]
    ends = [
        [_end(kind, key) for kind, key in zip(text[f"TYPE{end}"], text[f"ID{end}"], strict=True)]
        for end in "AB"
    ]

    def found(name: str) -> Sequence[str]:
        return members.get(name, ()) if _GROUP.fullmatch(name) else (name,) if name else ()

    rows, source, target, share = expand_complexes(ends[0], ends[1], found)
    groups = {name for end in ends for name in end if _GROUP.fullmatch(name)}
    absent = sorted(groups - set(members))
    proteins = sum(bool(a and b) for a, b in zip(*ends, strict=True))
    used = len(np.unique(rows))
    why = "complexes and families whose members no table names"
    steps = [
        Step(f"{NAME}: relations of proteins", len(table), proteins, "chemicals, phenotypes, RNA"),
        Step(f"{NAME}: relations with members", proteins, used, why, tuple(absent[:3])),
        Step(f"{NAME}: complexes as their members", used, len(rows), "one relation per member"),
    ]
    collected = Collector(NAME, path)
    weight = weight[rows] * share
    positive = weight > 0
    keep = np.flatnonzero(positive)
    if not positive.all():
        steps.append(Step(f"{NAME}: scores", len(rows), len(keep), "a score of 0"))

    def pick(values: Sequence[str]) -> list[str]:
        return [values[i] for i in rows[keep].tolist()]

    collected.add(
        [source[i] for i in keep.tolist()],
        [target[i] for i in keep.tolist()],
        weight=weight[keep],
        relation=pick(relation),
        evidence_type=pick([m or "not stated" for m in text["MECHANISM"]]),
        pubmed_ids=pick([p if p.isdigit() else "" for p in text["PMID"]]),
        detail=pick([_detail(*f) for f in zip(text["RESIDUE"], text["TAX_ID"], strict=True)]),
    )
    return collected.finish("uniprot", steps)


def _relation(effect: str, mechanism: str, path: Path, row: int) -> str:
    words = effect.strip().strip('"').lower()
    transcription = _TRANSCRIPTION in mechanism.lower() or "expression" in words
    if words in ("unknown", "form complex", ""):
        return "interacts"
    if words.startswith("up-regulates"):
        return "induces" if transcription else "activates"
    if words.startswith("down-regulates"):
        transcription = transcription or "repression" in words
        return "represses" if transcription else "inhibits"
    raise InputError(
        f"'{path}', row {row}: the effect '{effect[:40]}' is not known; SIGNOR writes "
        "up-regulates…, down-regulates…, form complex or unknown"
    )


def _end(kind: str, key: str) -> str:
    """Give the accession of a protein, the id of a complex or family, or nothing."""
    if kind.strip().lower() in ("protein", "complex", "proteinfamily"):
        return re.sub(r"[_-]PRO_\d+$", "", key.strip())
    return ""


def _detail(residue: str, species: str) -> str:
    shown = f"shown in taxon {species}" if species not in ("", "9606", "-1") else ""
    return "|".join(part for part in (residue, shown) if part)


def read_signor_groups(path: Path) -> dict[str, tuple[str, ...]]:
    """Read complexes or families: id → UniProt accessions.

    Raises:
        InputError: Another file, or a malformed line.
    """
    lines = read_lines(path, GROUPS)
    separator = next((s for s in (";", "\t") if s in lines[0]), ",")
    rows = split_rows(lines, path, GROUPS, separator=separator)
    header = next(rows, (0, [""]))[1]
    if len(header) != 3 or "SIGNOR ID" not in header[0]:
        raise InputError(wrong_file(path, GROUPS, lines, f"it starts '{lines[0][:60]}'"))
    groups = {}
    for line, row in rows:
        if not any(row):
            continue
        if len(row) != 3:
            raise InputError(f"'{path}', line {line}: {len(row)} fields where 3 were expected")
        groups[row[0]] = tuple(part.strip() for part in row[2].split(",") if part.strip())
    nested = {key: _leaves(key, groups) for key in groups}
    return {key: found for key, found in nested.items() if found}


def _leaves(key: str, groups: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """List the proteins of a group whose members may be groups themselves."""
    found, waiting, seen = [], [key], set()
    while waiting:
        part = waiting.pop()
        if part not in groups:
            found += [] if _GROUP.fullmatch(part) else [part]
        elif part not in seen:  # groups inside groups may share parts many times over
            seen.add(part)
            waiting += reversed(groups[part])
    return tuple(dict.fromkeys(found))
