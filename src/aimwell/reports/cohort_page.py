"""The page of a cohort's quality: one HTML file that opens offline and loads nothing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.provenance import write_atomically
from aimwell.reports.cohort_sections import Found, found_sections, measured_sections, step_rows
from aimwell.reports.data import label_of
from aimwell.reports.figures import Figure
from aimwell.reports.page import render_page


@dataclass(frozen=True)
class CohortReport:
    """A cohort, ready to be read.

    Attributes:
        title: Of the run.
        facts: What ``aimwell.cohorts.qc.quality_facts`` collected.
        contrasts: Settings of every contrast: ``name``, ``layer``, ``case``, ``control``.
        steps: ``stage``, ``name``, ``rows_in``, ``rows_out``, ``why``, ``examples``.
        evidence: Of the contrasts that can be tested; None where there is none.
        designs: Contrast → ``n_case``, ``n_control``, ``pairs``, ``information_retained``,
            ``verdict``, ``notes``.
        symbols: Symbols, indexed by HGNC id; a gene without one is called by its id.
    """

    title: str
    facts: Mapping[str, Any]
    contrasts: Sequence[Mapping[str, Any]] = ()
    steps: Sequence[Mapping[str, Any]] = ()
    evidence: Evidence | None = None
    designs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    symbols: Mapping[str, str] = field(default_factory=dict)


def write_cohort_page(path: Path, report: CohortReport) -> None:
    """Write the page of a cohort, atomically; the same cohort gives the same bytes."""
    text = render_cohort_page(report)
    with write_atomically(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def render_cohort_page(report: CohortReport) -> str:
    """Give the page as text."""
    values, drawn = cohort_sections(report)
    return render_page("cohort.html", "", values, {"figures": drawn})


def cohort_sections(report: CohortReport) -> tuple[dict[str, Any], dict[str, Figure]]:
    """Give the values of the template, and the figures that it places."""
    drawn: dict[str, Figure] = {}
    labels = {str(c["name"]): label_of(str(c["name"]), c) for c in report.contrasts}
    check = report.facts["check"]
    testable = sum(not c["problem"] for c in check["contrasts"])
    values = {
        "title": report.title or "Untitled cohort",
        "overview": {
            "layers": len(check["layers"]),
            "samples": sum(layer["samples"] for layer in check["layers"]),
            "subjects": sum(check["presence"]["subjects"].values()),
            "contrasts": len(check["contrasts"]),
            "testable": testable,
        },
        "measured": measured_sections(report.facts, labels, drawn),
        "quality": _tested(report, labels, drawn),
        "steps": step_rows(report.steps),
    }
    return values, drawn


def _tested(
    report: CohortReport, labels: Mapping[str, str], drawn: dict[str, Figure]
) -> dict[str, Any]:
    evidence = report.evidence
    if evidence is None:
        return {"contrasts": [], "pairs": [], "seen_by": [], "genes": 0}
    names = [str(report.symbols.get(str(g)) or g) for g in evidence.genes]
    symbols = pd.Series(names, index=evidence.genes)
    known = {n: labels.get(n, label_of(n, {})) for n in evidence.blocks}
    found = Found(evidence, symbols, known, report.designs, _pairs(report), noun="measured genes")
    return found_sections(found, drawn)


def _pairs(report: CohortReport) -> list[tuple[str, str]]:
    if report.evidence is None:
        return []
    if report.evidence.comparisons:
        return list(report.evidence.comparisons)
    kinds = report.evidence.kinds
    groups = {
        str(c["name"]): tuple(str(c.get(k, "")) for k in ("condition", "case", "control"))
        for c in report.contrasts
    }
    return [
        (rna, protein)
        for rna in report.evidence.blocks
        for protein in report.evidence.blocks
        if kinds[rna] == "rna" and kinds[protein] == "protein" and rna in groups
        if groups[rna] == groups.get(protein)
    ]
