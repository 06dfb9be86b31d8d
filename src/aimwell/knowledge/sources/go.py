"""Gene Ontology: terms (OBO), annotations (GAF), and what a term inherits (CC BY 4.0)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines, read_table, split_rows, wrong_file
from aimwell.knowledge.formats import recognise_format
from aimwell.knowledge.gene_sets import GeneSets, inherited, no_parents, require_acyclic
from aimwell.provenance import Step

NAME: Final = "Gene Ontology"
OBO: Final = "a gene ontology (OBO)"
GAF: Final = "a gene annotation file (GAF)"
TABLE: Final = "a table of GO terms and their genes"
ASPECTS: Final = {"P": "biological_process", "F": "molecular_function", "C": "cellular_component"}
#: A gene of a term is a gene of every term that it is a kind of or a part of.
INHERITED: Final = ("is_a", "part_of")
_TABLE_COLUMNS: Final = ("go_id", "go_name", "go_domain", "tax_id", "gene_ids")


@dataclass(frozen=True)
class Ontology:
    """Terms and what lies above them.

    Attributes:
        terms: Indexed by GO id; columns ``name``, ``namespace``. Obsolete terms are left out.
        other_ids: Id that was merged into a term → the term; obsolete ids are no keys.
        parents: Columns ``term``, ``parent``, ``relation`` (``is_a``, ``part_of``, …).
        step: Terms in the file, terms that are current.
    """

    terms: pd.DataFrame
    other_ids: dict[str, str]
    parents: pd.DataFrame
    step: Step


def read_obo(path: Path) -> Ontology:
    """Read an ontology in OBO 1.2 or 1.4 (``go-basic.obo``, a slim).

    Raises:
        InputError: Another file, a term without id or name, or no term at all.
    """
    lines = read_lines(path, OBO)
    if not lines[0].startswith("format-version:"):
        found = f"the first line is '{lines[0][:60]}' where 'format-version:' was expected"
        raise InputError(wrong_file(path, OBO, lines, found))
    rows, others, parents = [], {}, []
    obsolete = []
    for number, stanza in _terms(lines):
        values = {tag: value[0] for tag, value in stanza.items()}
        key = values.get("id", "")
        if not key or "name" not in values:
            raise InputError(f"'{path}', line {number}: a term has no id or no name")
        if values.get("is_obsolete") == "true":
            obsolete.append(key)
            continue
        rows.append((key, values["name"], values.get("namespace", "")))
        others.update(dict.fromkeys(stanza.get("alt_id", ()), key))
        parents += [(key, target, "is_a") for target in stanza.get("is_a", ())]
        for relation in stanza.get("relationship", ()):
            kind, _, target = relation.partition(" ")
            parents.append((key, target, kind))
    if not rows:
        raise InputError(f"'{path}' has no current term; it should be {OBO}")
    table = pd.DataFrame(rows, columns=["id", "name", "namespace"], dtype=str)
    if table["id"].duplicated().any():
        twice = table.loc[table["id"].duplicated(), "id"]
        raise InputError(f"'{path}': {len(twice)} terms are defined twice: {some(twice)}")
    step = Step(
        f"{NAME}: current terms",
        len(rows) + len(obsolete),
        len(rows),
        "obsolete terms" if obsolete else "",
        tuple(sorted(obsolete)[:3]),
    )
    above = pd.DataFrame(parents, columns=["term", "parent", "relation"], dtype=str)
    require_acyclic(above[above["relation"].isin(INHERITED)], path)
    return Ontology(table.set_index("id").sort_index(), others, above, step)


def _terms(lines: Sequence[str]) -> list[tuple[int, dict[str, list[str]]]]:
    """Cut the file into ``[Term]`` stanzas: number of the first line, tag → values."""
    found: list[tuple[int, dict[str, list[str]]]] = []
    inside = False
    for number, line in enumerate(lines, 1):
        if line.startswith("["):
            inside = line.strip() == "[Term]"
            if inside:
                found.append((number, {}))
            continue
        tag, colon, value = line.partition(":")
        if inside and colon:
            clean = value.strip() if tag in ("name", "def") else value.partition("!")[0].strip()
            found[-1][1].setdefault(tag, []).append(clean)
    return found


def read_gaf(
    path: Path, *, codes: Sequence[str] = (), taxon: str = "9606"
) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    """Read annotations of one species (GAF 2.0 to 2.2, 17 columns).

    Args:
        path: ``goa_human.gaf``, plain or gzipped.
        codes: Evidence codes to keep, such as ``IDA``; empty keeps all.
        taxon: NCBI taxon of the annotated genes.

    Returns:
        Columns ``name`` (accession or symbol as the file keys it), ``term``, ``aspect`` (as in
        an OBO namespace), ``code``, ``detail`` (PubMed ids, else the reference, and the date).
        Annotations with the qualifier ``NOT`` are left out. And the steps.

    Raises:
        InputError: Another file, a malformed line, or nothing left.
    """
    lines = read_lines(path, GAF)
    if not lines[0].startswith("!") or recognise_format(lines) not in ("", GAF):
        found = f"the first line is '{lines[0][:60]}' where '!gaf-version' was expected"
        raise InputError(wrong_file(path, GAF, lines, found))
    body = [(n, line) for n, line in enumerate(lines, 1) if line and not line.startswith("!")]
    rows, foreign, denied, other = [], 0, 0, 0
    for (number, line), (_, row) in zip(
        body, split_rows((line for _, line in body), path, GAF, quoted=False), strict=True
    ):
        if len(row) < 15 or row[8] not in ASPECTS or not row[4]:
            raise InputError(
                f"'{path}', line {number}: {len(row)} fields where an annotation has 15 to 17: "
                f"'{line[:60]}'; download it again"
            )
        if taxon not in row[12].replace("taxon:", "").split("|")[0]:
            foreign += 1
        elif "NOT" in row[3].split("|"):
            denied += 1
        elif codes and row[6] not in codes:
            other += 1
        else:
            papers = [ref for ref in row[5].split("|") if ref.startswith("PMID:")] or [row[5]]
            detail = "|".join([*papers, f"{row[6]} {row[13]}"])
            rows.append((row[1], row[4], ASPECTS[row[8]], row[6], detail))
    if not rows:
        raise InputError(
            f"'{path}' has no annotation left of {len(body)}: {foreign} are of other species than "
            f"{taxon}, {denied} deny, {other} have another evidence code than {some(codes, 5)}"
        )
    human = Step(f"{NAME}: taxon {taxon}", len(body), len(body) - foreign, "other species")
    kept = Step(
        f"{NAME}: annotations that hold",
        len(body) - foreign,
        len(rows),
        f"{denied} with the qualifier NOT, {other} with another evidence code",
    )
    table = pd.DataFrame(rows, columns=["name", "term", "aspect", "code", "detail"], dtype=str)
    return table, (human, kept)


def read_go_table(path: Path, *, taxon: str = "9606") -> tuple[pd.DataFrame, tuple[Step, ...]]:
    """Read a table with one row per term: id, name, domain, and Entrez ids joined by ``|``.

    Returns:
        Columns as ``read_gaf`` gives them (``code`` and ``detail`` are empty), and ``title``.

    Raises:
        InputError: Another file, or no term of the species.
    """
    table = read_table(path, TABLE, _TABLE_COLUMNS)
    human = table[table["tax_id"] == taxon]
    if human.empty:
        raise InputError(f"'{path}' has no term of the species {taxon}")
    long = human.assign(name=human["gene_ids"].str.split("|")).explode("name", ignore_index=True)
    long = long[long["name"] != ""].rename(
        columns={"go_id": "term", "go_domain": "aspect", "go_name": "title"}
    )
    step = Step(f"{NAME}: terms of taxon {taxon}", len(table), len(human), "other species")
    kept = long.assign(code="", detail="")[["name", "term", "aspect", "code", "detail", "title"]]
    return kept.astype(str).reset_index(drop=True), (step,)


def go_sets(
    annotations: pd.DataFrame,
    ontology: Ontology | None = None,
    *,
    aspects: Sequence[str] = (),
    propagate: bool = True,
    steps: tuple[Step, ...] = (),
) -> GeneSets:
    """Make sets of annotations; each term takes over the genes of the terms below it.

    Args:
        annotations: What ``read_gaf`` or ``read_go_table`` returned.
        ontology: Names, merged ids and hierarchy; without one, sets stay as annotated.
        aspects: Namespaces to keep; empty keeps all three.
        propagate: Whether genes are handed up along ``is_a`` and ``part_of``.
        steps: What the readers recorded.

    Returns:
        Sets by GO id of the kind ``term``; inherited memberships have an empty detail.

    Raises:
        InputError: No annotation of the aspects, an unknown aspect, or a cyclic ontology.
    """
    if unknown := sorted(set(aspects) - set(ASPECTS.values())):
        raise InputError(f"unknown aspects {some(unknown)} of GO; known: {some(ASPECTS.values())}")
    direct = annotations[annotations["aspect"].isin(list(aspects))] if aspects else annotations
    if direct.empty:
        raise InputError(f"no GO annotation is of the aspects {some(aspects)}")
    notes = [*steps]
    if aspects:
        notes.append(Step(f"{NAME}: {', '.join(aspects)}", len(annotations), len(direct)))
    titles = dict(zip(direct["term"], direct.get("title", direct["term"]), strict=True))
    parents = no_parents()
    members = direct.rename(columns={"term": "set_id"})[["set_id", "name", "detail"]]
    members = members.drop_duplicates()
    if ontology:
        members, titles, parents = _place(members, titles, ontology, aspects, notes)
    for key in (*parents["set_id"], *parents["parent_id"]):
        titles.setdefault(key, key)
    members = members.sort_values(["set_id", "name", "detail"], ignore_index=True)
    named = pd.Series(titles, dtype=str).sort_index()
    sets = GeneSets(named, members, parents, tuple(notes), evidence=NAME, kind="term")
    return inherited(sets) if ontology and propagate else sets


def _place(
    members: pd.DataFrame,
    titles: dict[str, str],
    ontology: Ontology,
    aspects: Sequence[str],
    notes: list[Step],
) -> tuple[pd.DataFrame, dict[str, str], pd.DataFrame]:
    """Follow merged ids, count terms the ontology does not know, and take its hierarchy."""
    current = members["set_id"].map(lambda key: ontology.other_ids.get(key, key))
    members = members.assign(set_id=current.astype(str)).drop_duplicates()
    terms = set(members["set_id"])
    unknown = sorted(terms - set(ontology.terms.index))
    notes += [
        ontology.step,
        Step(
            f"{NAME}: annotated terms that the ontology defines",
            len(terms),
            len(terms) - len(unknown),
            "the others stay as annotated, without anything above them" if unknown else "",
            tuple(unknown[:3]),
        ),
    ]
    wanted = ontology.terms
    if aspects:
        wanted = wanted[wanted["namespace"].isin(list(aspects))]
    up = ontology.parents
    up = up[up["relation"].isin(INHERITED)]
    up = up[up["term"].isin(wanted.index) & up["parent"].isin(wanted.index)]
    parents = up.rename(columns={"term": "set_id", "parent": "parent_id"})
    parents = parents[["set_id", "parent_id"]].drop_duplicates()
    defined = ontology.terms["name"]
    named = titles | dict(zip(defined.index.tolist(), defined.tolist(), strict=True))
    return members, named, parents.sort_values(["set_id", "parent_id"], ignore_index=True)
