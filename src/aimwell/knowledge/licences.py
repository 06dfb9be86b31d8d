"""Which licences let a company use a source, and the sources of a graph that may stay."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

import pandas as pd

from aimwell.config import DrugSource, GraphSource, LabelSource, NameMapping, RunConfig
from aimwell.errors import GraphError, some
from aimwell.knowledge.graph import TargetGraph
from aimwell.provenance import Step

_Licensed = TypeVar("_Licensed", GraphSource, NameMapping, LabelSource, DrugSource)
_VERSION: Final = r"(?: v?\d(?:\.\d)?)?(?: international| unported| universal| deed)?"
#: Whole licence text, in small letters and with spaces for signs → why it may be used commercially.
COMMERCIAL: Final = (
    (rf"cc ?0{_VERSION}|creative commons zero{_VERSION}", "CC0: no conditions"),
    (r"public domain|(?:us|u s) government work|pddl(?: 1\.0)?|unlicense", "public domain"),
    (rf"cc by sa{_VERSION}", "CC BY-SA: name the source, share what is made of it alike"),
    (rf"cc by{_VERSION}", "CC BY: name the source"),
    (rf"creative commons attribution share ?alike{_VERSION}", "CC BY-SA: as CC BY, share alike"),
    (rf"creative commons attribution{_VERSION}", "CC BY: name the source"),
    (r"(?:expat |the )?mit(?: licen[cs]e)?|isc(?: licen[cs]e)?", "permissive"),
    (r"(?:the )?apache(?: software)?(?: licen[cs]e)?(?: version)?(?: 2(?:\.0)?)?", "permissive"),
    (r"(?:[0234] clause )?bsd(?: [0234] clause)?(?: licen[cs]e)?", "permissive"),
    (r"odbl(?: 1\.0)?|odc by(?: 1\.0)?", "open data: name the source"),
)
#: Part of a licence text → why it may not. One such part decides, whatever else the text says.
RESTRICTED: Final = (
    (r"\bnc\b|non ?commercial|not for commercial|no commercial", "not for commercial use"),
    (r"academi|research (?:use )?only|non ?profit|education|individual use", "academic use only"),
    (r"\bnd\b|no ?deriv", "no derived works, and a graph is one"),
    (r"proprietary|all rights reserved|no redistribution|registration", "needs an agreement"),
)


@dataclass(frozen=True)
class LicenceClass:
    """What a licence text means for a company: ``commercial`` is None where nobody can tell."""

    commercial: bool | None
    why: str


def classify_licence(text: str) -> LicenceClass:
    """Tell whether a licence lets a source be used commercially.

    Several licences, joined by ``and``, ``;`` or ``,``, must all do so. A text that is not
    understood as a whole is unknown.

    Example:
        >>> [classify_licence(t).commercial for t in ("CC-BY-SA-4.0", "CC BY-NC 4.0", "see web")]
        [True, False, None]
    """
    plain = re.sub(r"[\s_\-()/]+", " ", text.lower()).strip()
    for pattern, why in RESTRICTED:
        if re.search(pattern, plain):
            return LicenceClass(False, why)
    if re.search(r"\bcommercial use (?:is )?(?:allowed|permitted)", plain):
        return LicenceClass(True, "states that commercial use is allowed")
    reasons = []
    for part in re.split(r"\s*(?:[;,]| and |\+)\s*", plain):
        why = next((w for p, w in COMMERCIAL if re.fullmatch(p, part)), "")
        if not why:
            said = f"'{text}' is not a licence known here" if text else "no licence is stated"
            return LicenceClass(None, said)
        reasons.append(why)
    return LicenceClass(True, "; ".join(dict.fromkeys(reasons)))


def commercial_sources(config: RunConfig) -> tuple[RunConfig, tuple[Step, ...]]:
    """Keep the databases that may be used commercially, before anything is read of the others.

    An edge that several databases have then rests on those that stay: its weight, its evidence
    and its papers are theirs alone. Files of further names are held to the same.

    Returns:
        The settings with what stays, and the steps that say what was left out and why, each.

    Raises:
        GraphError: No database stays.
    """
    sources, steps = commercial_only(config.graph.sources, "sources for commercial use")
    names, more = commercial_only(config.identifiers.mappings, "files of names for commercial use")
    if not sources:
        texts = [f"{s.name} {s.why}".replace(": licence", "") for s in steps[1:]]
        raise GraphError(
            f"licence = 'commercial' leaves not one of {len(steps) - 1} sources: {some(texts)}; "
            "state the licence of each in graph.sources.licence"
        )
    graph = replace(config.graph, sources=sources)
    identifiers = replace(config.identifiers, mappings=names)
    return replace(config, graph=graph, identifiers=identifiers), (*steps, *more)


def commercial_only(
    items: Sequence[_Licensed], name: str
) -> tuple[tuple[_Licensed, ...], list[Step]]:
    """Keep what may be used commercially; the steps say what was left out and why, each."""
    kept: list[_Licensed] = []
    left: list[Step] = []
    for item in items:
        found = classify_licence(_stated(item.licence))
        if found.commercial:
            kept.append(item)
        else:
            left.append(Step(f"{item.path}: licence", 1, 0, f"left out: {found.why}"))
    if not items:
        return (), []
    why = f"{len(left)} are restricted, or their licence is not known"
    return tuple(kept), [Step(name, len(items), len(kept), why if left else ""), *left]


def require_commercial(graph: TargetGraph, where: str) -> tuple[Step, ...]:
    """Refuse a graph that is built already and has a source that may not be used commercially.

    Merged weights cannot be taken apart again, so leaving edges out would not be enough.

    Raises:
        GraphError: A source is restricted or its licence unknown.
    """
    found = [(s, classify_licence(_stated(s.licence))) for s in graph.sources]
    bad: Sequence[str] = [f"{s.name} ({c.why})" for s, c in found if not c.commercial]
    if bad or not found:
        raise GraphError(
            f"{where} may not be used commercially: {some(bad) if bad else 'it names no source'}; "
            "build it again from its sources with licence = 'commercial'"
        )
    return (Step("sources for commercial use", len(found), len(found)),)


def evidence_licences(graph: TargetGraph) -> dict[str, str]:
    """Name the licence of every source that edges may name, several joined by ``; ``.

    Example:
        >>> from aimwell.knowledge.sources.starter import read_starter_graph
        >>> evidence_licences(read_starter_graph())
        {'aimwell starter graph': 'Apache-2.0'}
    """
    found: dict[str, set[str]] = {}
    for source in graph.sources:
        found.setdefault(source.name, set()).add(source.licence)
    return {name: "; ".join(sorted(texts)) for name, texts in sorted(found.items())}


def edge_licences(edges: pd.DataFrame, licences: Mapping[str, str]) -> "pd.Series[str]":
    """Name the licences behind each edge: those of all its sources, joined by ``; ``.

    Args:
        edges: With the column ``evidence``, names of sources joined by ``|``.
        licences: Of ``evidence_licences``; a source that is not in it is ``unknown``.

    Returns:
        One text per edge, on the index of ``edges``.

    Example:
        >>> edges = pd.DataFrame({"evidence": ["STRING", "BioGRID|STRING"]})
        >>> edge_licences(edges, {"STRING": "CC BY 4.0", "BioGRID": "MIT"}).tolist()
        ['CC BY 4.0', 'CC BY 4.0; MIT']
    """
    known: dict[str, str] = {}
    for evidence in edges["evidence"].unique():
        behind = (licences.get(part, "unknown") for part in str(evidence).split("|"))
        known[str(evidence)] = "; ".join(sorted({t for text in behind for t in text.split("; ")}))
    return edges["evidence"].astype(str).map(known)


def _stated(licence: str) -> str:
    return "" if licence == "unknown" else licence
