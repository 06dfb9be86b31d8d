"""The commands of ``aimwell cohort``. Each imports what it needs when it runs."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import typer

from aimwell.cli.answer import Answer
from aimwell.cli.options import Data, Debug, Json, Quiet, RunFile, read_run_file

cohort_app = typer.Typer(
    help="Look at a cohort before running it.",
    epilog="Example:  aimwell cohort check examples/coad/coad.toml",
    no_args_is_help=True,
)


@cohort_app.command("combine", epilog="Example:  aimwell cohort combine siteA.tsv siteB.tsv")
def cohort_combine(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Summary statistics, one per cohort.")
    ],
    output: Annotated[
        Path, typer.Option("--output", metavar="FILE", help="The combined table.")
    ] = Path("combined.tsv"),
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Combine effects of several cohorts, which need not share data of patients.

    Each file has the columns gene, log2_fold_change and se, and is called by its name.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cohorts.meta import combine_files

        bars.start("combining cohorts")
        found, facts = combine_files(files, output)
        bars.finish()
        answer.give({"table": output, "cohorts": len(files), **facts})
        if answer.in_words:
            best = found[found["replicated"]].sort_values(["lfsr", "p"]).index[:10]
            print(f"{facts['genes']} genes, {facts['shared']} of them in two cohorts or more")
            print(f"{facts['replicated']} replicated, such as {', '.join(best) or 'none'}")
            print(f"Table:   {output.resolve()}")


@cohort_app.command("summarise", epilog="Example:  aimwell cohort summarise coad.toml --output a")
def cohort_summarise(
    file: RunFile,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="Folder of the tables.")
    ] = Path("summaries"),
    data: Data = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Write effects, standard errors and numbers of samples per gene, to combine with other sites.

    No sample and no patient is named in them.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cohorts.reading import read_cohort
        from aimwell.cohorts.summaries import summarise_cohort, write_summaries
        from aimwell.knowledge.build import build_graph, identifier_table
        from aimwell.knowledge.sources.starter import read_starter_graph

        config = read_run_file(file, data)
        bars.start("testing the contrasts of the cohort")
        graph = read_starter_graph() if config.identifiers.hgnc else build_graph(config)
        cohort = read_cohort(config, identifier_table(config, graph))
        found = summarise_cohort(cohort, config.contrasts)
        tables = write_summaries(output, found)
        bars.finish()
        answer.give({"tables": tables, "contrasts": {n: s.about for n, s in found.items()}})
        if answer.in_words:
            for path, (name, summary) in zip(tables, found.items(), strict=True):
                print(f"{name}: {summary.about['genes']:,} genes in {path.resolve()}")


@cohort_app.command("check", epilog="Example:  aimwell cohort check examples/coad/coad.toml")
def cohort_check(
    file: RunFile,
    data: Data = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say what is in the files of a cohort and whether each contrast can be tested.

    Exit status 2 if one of them cannot.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import words
        from aimwell.cohorts.check import check_cohort
        from aimwell.cohorts.reading import read_cohort
        from aimwell.cohorts.ready_tables import read_ready_tables
        from aimwell.knowledge.build import build_graph, identifier_table
        from aimwell.knowledge.sources.starter import read_starter_graph

        config = read_run_file(file, data)
        bars.start("reading the cohort")
        # with an HGNC table the graph has no say in what a name means
        graph = read_starter_graph() if config.identifiers.hgnc else build_graph(config)
        table = identifier_table(config, graph)
        cohort, ready = read_cohort(config, table), read_ready_tables(config, table)
        found = check_cohort(cohort, config.contrasts)
        found = dataclasses.replace(found, files=(*found.files, *ready.files))
        steps = (*cohort.steps, *ready.steps)
        bars.finish()
        answer.give({**_plain(found), "steps": steps})
        if answer.in_words:
            words.tell_cohort(found, steps)
        if not all(contrast.testable for contrast in found.contrasts):
            raise typer.Exit(2)


@cohort_app.command("qc", epilog="Example:  aimwell cohort qc coad.toml --html quality.html")
def cohort_qc(
    file: RunFile,
    html: Annotated[Path, typer.Option("--html", metavar="FILE", help="The page to write.")] = Path(
        "quality.html"
    ),
    data: Data = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show the quality of a cohort on one page: layers, levels, gaps, batches, gate and effects."""
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.pipeline.quality import look_at_cohort
        from aimwell.reports.cohort_page import write_cohort_page

        config = read_run_file(file, data)
        bars.start("reading the cohort and testing its contrasts")
        report = look_at_cohort(config)
        write_cohort_page(html, report)
        bars.finish()
        answer.give({"page": html, "quality": report.facts, "designs": report.designs})
        if answer.in_words:
            print(f"Page:    {html.resolve()}")


def _plain(value: object) -> dict[str, Any]:
    from aimwell.provenance import to_plain

    plain: dict[str, Any] = to_plain(value)
    return plain
