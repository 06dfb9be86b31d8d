"""PSI-MITAB 2.5 to 2.8: the tabular standard of IntAct, BioGRID, HIPPIE, HuRI and many others.

The licence is that of the database that wrote the file (IntAct: CC BY 4.0).
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from aimwell.errors import InputError
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Encoder, Interactions
from aimwell.knowledge.streams import first_lines, stream_table
from aimwell.provenance import Step

NAME: Final = "PSI-MITAB"
WHAT: Final = "a PSI-MITAB file"
#: Column of the standard, counted from 0.
COLUMNS: Final = {
    "id_a": 0,
    "id_b": 1,
    "other_a": 2,
    "other_b": 3,
    "author": 7,
    "publication": 8,
    "taxon_a": 9,
    "taxon_b": 10,
    "type": 11,
    "confidence": 14,
}
LATER: Final = {"expansion": 15, "created": 30, "negative": 35}
#: Columns of 2.5, 2.6, 2.7 and 2.8; between them a database may add columns of its own.
WIDTHS: Final = (15, 36, 42, 46)
_TEST: Final = re.compile(r"[\w ./-]+:\S")
_NAMES: Final = (
    re.compile(
        r"uniprotkb:([OPQ]\d[A-Z0-9]{3}\d|[A-NR-Z]\d(?:[A-Z][A-Z0-9]{2}\d){1,2})(?:-\d+)?"
        r"(?:-PRO_\d+)?(?=[|(\"]|$)"
    ),
    re.compile(r"(?:entrez gene/locuslink|entrezgene/locuslink|entrez gene|entrezgene):(\d+)"),
    re.compile(r"(?:ensembl|ensemblgenomes?):(ENSG\d{11})"),
    re.compile(r"hgnc:\"?(HGNC:\d+)"),
)
_SCORES: Final = re.compile(
    r"(?:^|\|)(?:(?:intact-miscore|intact_miscore|miscore|mint-score|hippie):)?"
    r"([01](?:\.\d+)?(?:[eE]-\d+)?)(?=\||\(|$)"
)
_HUMAN: Final = re.compile(r"taxid:9606(?=\D|$)")
_YEAR: Final = re.compile(r"(?:\(|-)((?:19|20)\d\d)(?=\)|-|$|[a-z]?\))")
_GENETIC: Final = re.compile(r"genetic|suppress|epistasis|MI:0208")


def read_psi_mitab(path: Path) -> Interactions:
    """Read interactions of human genes and proteins, from a file with or without a header.

    A partner is named by the first of these that the file gives for it: UniProt accession (isoform
    and chain stripped), Entrez id, Ensembl gene, HGNC id. Partners without any of them (chemicals,
    RNA, complexes as a whole) are left out, and so are rows of other species, rows that the
    database marks as negative (shown not to interact) and genetic interactions, each counted.

    Returns:
        Relation ``interacts``; ``weight`` is the score that the database itself gives (IntAct's
        miscore, HIPPIE's or MINT's score), else 1; ``evidence_type`` the type of interaction;
        ``date`` the year of the paper, else the day the record was made; ``detail`` the expansion
        that made pairs out of a larger group.

    Raises:
        InputError: Another file, a malformed line, or no human interaction.
    """
    lines = first_lines(path, WHAT)
    fields = lines[0].split("\t")
    titled = bool(
        re.match(r"#?ID\(?s\)? interactor A|#?unique identifier for interactor A", lines[0], re.I)
    )
    if len(fields) < WIDTHS[0] or not (titled or all(map(_TEST.match, fields[:2]))):
        found = f"line 1 is not 15 or more columns of database:identifier: '{lines[0][:60]}'"
        raise InputError(wrong_file(path, WHAT, lines, found))
    header = [str(i) for i in range(len(fields))]
    columns = dict(COLUMNS)
    if len(fields) >= WIDTHS[1]:
        columns |= LATER
    parsers = {name: Encoder(parse) for name, parse in _PARSERS.items()}
    rows = Collector(NAME, path)
    counts = np.zeros(4, int)
    wanted = [str(i) for i in columns.values()]
    for block in stream_table(path, WHAT, header, wanted, skip=int(titled)):
        part = {name: block[str(i)] for name, i in columns.items()}
        counts += _add(rows, part, parsers)
    reasons = (
        ("human partners", "a partner of another species"),
        ("shown to interact", "marked as negative"),
        ("physical", "genetic interactions"),
    )
    steps = [
        Step(f"{NAME}: {name}", int(counts[i]), int(counts[i + 1]), why)
        for i, (name, why) in enumerate(reasons)
    ]
    if not counts[1]:
        raise InputError(
            f"'{path}' has no interaction of two human partners (taxid:9606) in {counts[0]} rows; "
            "download the file of Homo sapiens"
        )
    return rows.finish("mixed", steps)


def _add(rows: Collector, part: dict[str, pa.Array], parsers: dict[str, Encoder]) -> Sequence[int]:
    human = _is(part["taxon_a"], parsers["taxon"]) & _is(part["taxon_b"], parsers["taxon"])
    shown = human.copy()
    if "negative" in part:
        shown &= ~np.asarray(pc.equal(pc.utf8_lower(part["negative"]), "true"))
    kept = shown & ~_is(part["type"], parsers["genetic"])
    mask = pa.array(kept)
    left = {name: values.filter(mask) for name, values in part.items()}
    date = _parsed(left["author"], parsers["year"])
    if "created" in left:
        made = pc.replace_substring(left["created"], "/", "-")
        date = pc.if_else(pc.equal(date, ""), pc.if_else(pc.equal(made, "-"), "", made), date)
    rows.add(
        *(
            _parsed(
                pc.binary_join_element_wise(left[f"id_{end}"], left[f"other_{end}"], "|"),
                parsers["name"],
            )
            for end in "ab"
        ),
        weight=_weights(left["confidence"], parsers["score"]),
        evidence_type=_parsed(left["type"], parsers["type"]),
        pubmed_ids=_parsed(left["publication"], parsers["papers"]),
        date=date,
        detail=_parsed(left["expansion"], parsers["type"]) if "expansion" in left else "",
    )
    return len(human), int(human.sum()), int(shown.sum()), int(kept.sum())


def _parsed(values: pa.Array, parser: Encoder) -> pa.Array:
    codes = parser.encode(values)
    return pa.array(parser.texts, pa.string()).take(pa.array(codes))


def _is(values: pa.Array, parser: Encoder) -> npt.NDArray[np.bool_]:
    """Tell where the parser finds anything."""
    codes = parser.encode(values)
    found: npt.NDArray[np.bool_] = np.array([bool(t) for t in parser.texts], bool)[codes]
    return found


def _weights(values: pa.Array, parser: Encoder) -> npt.NDArray[np.float64]:
    codes = parser.encode(values)
    numbers = np.array([float(t) if t else 1.0 for t in parser.texts])
    found: npt.NDArray[np.float64] = numbers[codes]
    return found


def _name(text: str) -> str:
    for pattern in _NAMES:
        if match := pattern.search(text):
            return match[1]
    return ""


def _score(text: str) -> str:
    match = _SCORES.search(text)
    # a score of 0 would be no edge; the record was made all the same
    return match[1] if match and 0 < float(match[1]) <= 1 else ""


def _terms(text: str) -> str:
    """Read ``psi-mi:"MI:0915"(physical association)|…`` as ``physical association|…``."""
    names = re.findall(r"\(([^()]*(?:\([^()]*\))?[^()]*)\)", text)
    return "|".join(sorted({n.strip('"') for n in names})) if names else text.strip("-")


_PARSERS: Final = {
    "name": _name,
    "taxon": lambda text: "yes" if _HUMAN.search(text) else "",
    "genetic": lambda text: "yes" if _GENETIC.search(text) else "",
    "year": lambda text: min((m[1] for m in _YEAR.finditer(text)), default=""),
    "type": _terms,
    "papers": lambda text: "|".join(sorted(set(re.findall(r"pubmed:(\d+)", text)))),
    "score": _score,
}
