"""The command that audits a finished run."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aimwell.cli.answer import Answer
from aimwell.cli.options import Data, Debug, Jobs, Json, Quiet

if TYPE_CHECKING:
    from aimwell.trust.audit import Audit


def audit(  # noqa: PLR0913, PLR0917  one option each
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    only: Annotated[
        str,
        typer.Option(
            "--only",
            metavar="PARTS",
            help="Some of leakage, bias, nulls, stability, layers, transfer, calibration, sanity.",
        ),
    ] = "",
    rewires: Annotated[
        int, typer.Option("--rewires", min=-1, help="Rewired graphs (audit.rewires); -1 as there.")
    ] = -1,
    other: Annotated[
        str,
        typer.Option("--with", metavar="RUN", help="Another finished run to compare with."),
    ] = "",
    data: Data = "",
    jobs: Jobs = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say how far the ranking of a finished run can be believed, target by target.

    Repeats the run with rewired edges, other known targets, other samples and more, and adds what
    it finds to the folder. Exit status 2 if the run has seen its labels. Stopped, it goes on.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.pipeline.audit import AuditRequest, audit_run, parts_of
        from aimwell.trust.leakage import seen_labels

        begun = time.monotonic()
        request = AuditRequest(parts_of(only), rewires, data, other, jobs or 2)
        found = audit_run(folder, request, bars)
        bars.finish()
        answer.give(audit_facts(found, folder, time.monotonic() - begun))
        if answer.in_words:
            tell_audit(found, folder, time.monotonic() - begun)
        if seen_labels(found.checks):
            raise typer.Exit(2)


def audit_facts(found: "Audit", folder: Path, seconds: float) -> dict[str, Any]:
    """Give an audit as plain facts."""
    return {
        "folder": folder,
        "seconds": round(seconds, 2),
        "tiers": found.genes["tier"].value_counts().to_dict(),
        "checks": found.checks,
        "layers": found.layers.to_dict("records"),
        "skipped": found.skipped,
        "rules": found.rules,
    }


def tell_audit(found: "Audit", folder: Path, seconds: float) -> None:
    """Print every check by group, what was left out, and the tiers with their rules."""
    shown = {True: "held", False: "MISSED", None: ""}
    group = ""
    for check in found.checks:
        if check.group != group:
            group = check.group
            print(f"\n{group}")
        value = "not measured" if check.value is None else f"{check.value:.4g}"
        told = f"  {check.name:<52} {value:>12}  {check.limit:<28} {shown[check.passed]}"
        print(told.rstrip())
    print()
    for check in (c for c in found.checks if c.passed is False):
        print(f"missed: {check.name}: {check.meaning}")
    for what, why in found.skipped.items():
        print(f"not done: {what}: {why}")
    print()
    for rule in found.rules:
        print(rule)
    counts = found.genes["tier"].value_counts()
    told = ", ".join(f"{counts.get(t, 0):,} {t}" for t in ("robust", "supported", "speculative"))
    print(f"\nTiers:   {told}")
    print(f"Page:    {(folder / 'report.html').resolve()}")
    print(f"Done in {seconds:.0f} s.")
