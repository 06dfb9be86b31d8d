"""Any gene-set file (GMT): MSigDB, WikiPathways with all species, or sets of one's own."""

import re
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines, split_rows, wrong_file
from aimwell.knowledge.formats import recognise_format
from aimwell.knowledge.gene_sets import GeneSets, no_parents
from aimwell.provenance import Step

WHAT: Final = "a gene-set file (GMT)"
_REACTOME: Final = "a Reactome gene-set file (GMT)"
SPECIES: Final = "Homo sapiens"
#: Databases that are told by the second field or by the name of a set.
_WIKIPATHWAYS: Final = re.compile(r"(?P<title>.*)%WikiPathways_\d+%(?P<id>WP\d+)%(?P<species>.+)")
_MSIGDB: Final = re.compile(r"https?://(www\.)?(gsea-msigdb|broadinstitute)\.org/")
_MIXED: Final = "MSigDB"
#: First word of an MSigDB set → the collection that edges name.
_COLLECTIONS: Final = {
    "HALLMARK": "MSigDB Hallmark",
    "WP": "WikiPathways",
    "REACTOME": "Reactome",
    "KEGG": "KEGG",
    "BIOCARTA": "BioCarta",
    "PID": "PID",
    "GOBP": "Gene Ontology",
    "GOCC": "Gene Ontology",
    "GOMF": "Gene Ontology",
    "GO": "Gene Ontology",
}


def read_gmt(path: Path, *, name: str = "") -> GeneSets:
    """Read sets of genes: name, description or address, then genes, separated by tabs.

    Names of WikiPathways' own file (``title%WikiPathways_date%WP1%Homo sapiens``) are taken
    apart, and other species are left out. A weight after a comma (``TP53,1.0``) is cut off.

    Args:
        path: The file, plain or gzipped.
        name: What edges call the source; by default the database that the file shows it is of
            (MSigDB where its sets are of several), or the name of the file.

    Returns:
        Sets by the id that the database gives them; sets of one's own by source and name. In
        names, underscores become spaces, so that words can be told apart.

    Raises:
        InputError: Another file, a set listed twice or without genes, or no human set.
    """
    lines = read_lines(path, WHAT)
    if recognise_format(lines) not in ("", WHAT, _REACTOME):
        raise InputError(wrong_file(path, WHAT, lines, "its first line is that of another format"))
    titles: dict[str, str] = {}
    rows: list[tuple[str, str]] = []
    foreign: list[str] = []
    databases: set[str] = set()
    listed = 0
    for number, row in split_rows(lines, path, WHAT, quoted=False):
        if not any(row):
            continue
        genes = [g.split(",")[0].strip() for g in row[2:]]
        if len(row) < 3 or not row[0].strip() or not any(genes):
            found = f"line {number} is not name, description and genes: '{lines[number - 1][:60]}'"
            raise InputError(wrong_file(path, WHAT, lines, found))
        listed += 1
        key, title, database, species = _identity(row[0].strip(), row[1], name or path.stem)
        if species != SPECIES:
            foreign.append(species)
            continue
        if key in titles:
            raise InputError(f"'{path}', line {number}: the set '{key[:60]}' is listed twice")
        databases.add(database)
        titles[key] = title
        rows += [(key, gene) for gene in dict.fromkeys(genes) if gene]
    # collections of several databases in one file: no set may go by the name of another's
    mixed = path.stem if path.stem in databases else _MIXED
    evidence = next(iter(databases)) if len(databases) == 1 else mixed
    if not titles:
        raise InputError(f"'{path}' has no set of '{SPECIES}'; it has {some(sorted(set(foreign)))}")
    step = Step(
        f"{name or evidence}: human sets",
        listed,
        len(titles),
        f"sets of {len(set(foreign))} other species" if foreign else "",
        tuple(sorted(set(foreign))[:3]),
    )
    members = pd.DataFrame(rows, columns=["set_id", "name"], dtype=str)
    named = pd.Series(titles, dtype=str).sort_index()
    return GeneSets(named, members, no_parents(), (step,), evidence=name or evidence)


def _identity(raw: str, address: str, own: str) -> tuple[str, str, str, str]:
    """Tell id, title, database and species of a set."""
    if match := _WIKIPATHWAYS.fullmatch(raw):
        return match["id"], match["title"].strip(), "WikiPathways", match["species"].strip()
    title = raw.replace("_", " ").strip()
    if _MSIGDB.match(address):
        first = raw.split("_", maxsplit=1)[0]
        return raw, title, _COLLECTIONS.get(first, _MIXED), SPECIES
    return f"{own}:{raw}", title, own, SPECIES
