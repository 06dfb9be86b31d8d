"""Complex Portal: complexes curated with stoichiometry, in ComplexTAB (CC BY 4.0)."""

import re
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_table
from aimwell.knowledge.gene_sets import GeneSets, require_acyclic
from aimwell.provenance import Step

NAME: Final = "Complex Portal"
WHAT: Final = "a Complex Portal table (ComplexTAB)"
COLUMNS: Final = (
    "#Complex ac",
    "Recommended name",
    "Taxonomy identifier",
    "Identifiers (and stoichiometry) of molecules in complex",
    "Experimental evidence",
    "Expanded participant list",
)
HUMAN: Final = "9606"
#: ``P84022(2)`` is two copies; ``[P1,P2](0)`` is one of several proteins.
_COPIES: Final = re.compile(r"\(\d+\)")
_CHAIN: Final = re.compile(r"-PRO_\d+$")
_PROTEIN: Final = re.compile(
    r"([OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})(-\d+)?"
)
_COMPLEX: Final = re.compile(r"CPX-\d+")


def read_complex_portal(path: Path) -> GeneSets:
    """Read human complexes with their proteins, those of complexes inside them included.

    Args:
        path: ``9606.tsv`` (ComplexTAB).

    Returns:
        Sets by accession (``CPX-1``) of the kind ``complex``; a complex that takes part in
        another is below it. Small molecules and nucleic acids are counted, and left out.

    Raises:
        InputError: Another file, an accession listed twice, or no human complex.
    """
    table = read_table(path, WHAT, COLUMNS, quoted=False)
    table.columns = pd.Index(["id", "name", "taxon", "direct", "evidence", "all"])
    human = table[table["taxon"] == HUMAN]
    if human.empty:
        found = some(sorted(set(table["taxon"])))
        raise InputError(f"'{path}' has no human complex (9606); it has the species {found}")
    if human["id"].duplicated().any():
        twice = human.loc[human["id"].duplicated(), "id"]
        raise InputError(f"'{path}': {len(twice)} complexes are listed twice: {some(twice)}")
    known = set(human["id"])
    rows, parents, others = [], set(), []
    columns = (human[c].tolist() for c in ("id", "direct", "all", "evidence"))
    for key, direct, expanded, evidence in zip(*columns, strict=True):
        detail = evidence if evidence not in ("", "-") else ""
        taken: dict[str, str] = {}
        for part in (*_participants(direct), *_participants(expanded)):
            if _PROTEIN.fullmatch(part):
                taken[part] = detail
            elif _COMPLEX.fullmatch(part):
                parents |= {(part, key)} if part in known else set()
            else:
                others.append(part)
        rows += [(key, part, detail) for part, detail in taken.items()]
    parted = pd.DataFrame(sorted(parents), columns=["set_id", "parent_id"], dtype=str)
    require_acyclic(parted, path)
    foreign = Step(f"{NAME}: human complexes", len(table), len(human), "other species")
    left = Step(
        f"{NAME}: proteins in complexes",
        len(rows) + len(set(others)),
        len(rows),
        "small molecules, nucleic acids and unmapped proteins",
        tuple(sorted(set(others))[:3]),
    )
    members = pd.DataFrame(rows, columns=["set_id", "name", "detail"], dtype=str)
    named = pd.Series(human["name"].tolist(), index=human["id"].tolist(), dtype=str).sort_index()
    return GeneSets(named, members, parted, (foreign, left), evidence=NAME, kind="complex")


def _participants(text: str) -> list[str]:
    """List the molecules of one field, without stoichiometry, chains and brackets.

    Example:
        >>> _participants("P84022(2)|[Q13485,Q15796](0)|P01137-PRO_0000033762(1)|CPX-9(1)")
        ['P84022', 'Q13485', 'Q15796', 'P01137', 'CPX-9']
    """
    parts = re.split(r"[|,]", _COPIES.sub("", text).replace("[", "").replace("]", ""))
    return [_CHAIN.sub("", part.strip()) for part in parts if part.strip() not in ("", "-")]
