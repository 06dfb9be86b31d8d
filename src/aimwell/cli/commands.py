"""The commands. Each imports what it needs when it runs, so that ``--help`` answers at once."""

import dataclasses
import io
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

import aimwell
from aimwell.cli.answer import Answer

if TYPE_CHECKING:
    from aimwell.config import RunConfig

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress, no summary; only errors.")]
Debug = Annotated[bool, typer.Option("--debug", help="Print the traceback of a bug.")]
RunFile = Annotated[Path, typer.Argument(metavar="RUN.toml", help="The run file.")]
Data = Annotated[
    str,
    typer.Option(
        "--data", envvar="AIMWELL_DATA", metavar="DIR", help="Folder of the inputs (run.data)."
    ),
]
Output = Annotated[str, typer.Option("--output", metavar="DIR", help="Run folder (run.output).")]
Jobs = Annotated[int, typer.Option("--jobs", min=0, help="Processes (run.jobs); 0 as in the file.")]

app = typer.Typer(
    name="aimwell",
    help="Rank drug targets for a disease cohort and show why.",
    epilog="Begin with:  aimwell demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
graph_app = typer.Typer(
    help="Build and look at graphs of known biology.",
    epilog="Example:  aimwell graph show starter",
    no_args_is_help=True,
)
cohort_app = typer.Typer(
    help="Look at a cohort before running it.",
    epilog="Example:  aimwell cohort check examples/coad/coad.toml",
    no_args_is_help=True,
)
app.add_typer(graph_app, name="graph")
app.add_typer(cohort_app, name="cohort")


def main() -> None:
    """Run the command line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without our dashes must not stop us
            stream.reconfigure(errors="replace")
    try:
        app()
    except KeyboardInterrupt:  # before a command began its work
        print("error [STOPPED]: stopped", file=sys.stderr)
        sys.exit(130)
    finally:
        # all is said: what remains is to end the workers, which Ctrl-C would turn into a traceback
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _version(wanted: bool) -> None:
    if wanted:
        print(f"aimwell {aimwell.__version__}")
        raise typer.Exit


@app.callback()
def everything(
    _version_wanted: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Rank drug targets for a disease cohort and show why."""


@app.command(epilog="Example:  aimwell demo --output runs/demo")
def demo(
    output: Output = "runs/demo",
    seed: Annotated[int, typer.Option(min=0, help="Of the simulated cohort and the run.")] = 1,
    jobs: Jobs = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run every stage on the embedded graph and a simulated cohort with planted targets."""
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import words
        from aimwell.pipeline.demo import run_demo

        begun = time.monotonic()
        result = run_demo(Path(output), seed=seed, jobs=jobs or 2, progress=bars)
        seconds = time.monotonic() - begun
        bars.finish()
        answer.give(words.demo_facts(result, seconds))
        if answer.in_words:
            words.tell_demo(result, seconds)


@app.command(epilog="Example:  aimwell run examples/coad/coad.toml --data ~/databases")
def run(
    file: RunFile,
    data: Data = "",
    output: Output = "",
    jobs: Jobs = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Go from databases and omics files to ranked targets with an explanation page.

    Stopped or killed, the same command goes on where it was; what has not changed is reused.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import words
        from aimwell.pipeline.run import run as run_pipeline

        begun = time.monotonic()
        result = run_pipeline(_read(file, data, output, jobs), progress=bars)
        seconds = time.monotonic() - begun
        bars.finish()
        answer.give(words.run_facts(result, seconds))
        if answer.in_words:
            words.tell_run(result, seconds)


@app.command(epilog="Example:  aimwell explain runs/coad EGFR MET")
def explain(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    genes: Annotated[list[str], typer.Argument(metavar="GENE...", help="Symbols or HGNC ids.")],
    jobs: Jobs = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Explain targets of a finished run, also such that are not among its best.

    Needs the run folder only; writes the files of each target to its folder explanations.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import words
        from aimwell.pipeline.explain import explain_run

        found = explain_run(folder, genes, jobs=jobs or 2, progress=bars)
        bars.finish()
        answer.give([words.explanation_facts(e) for e in found])
        if answer.in_words:
            words.tell_explanations(found, folder)


@app.command(epilog="Example:  aimwell bench coad --data ~/databases --json")
def bench(
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]", help="One of demo, coad, attribution, graph, identifiers."
        ),
    ] = "",
    data: Data = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure the bars that the project holds itself to, each with its limit.

    The exit status is 0 whether or not a bar is met. Takes minutes to an hour.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.bench import BENCHES, run_bench
        from aimwell.cli import words

        rows = []
        for one in [name] if name else BENCHES:
            bars.start(f"measuring {one}")
            for row in run_bench(one, data):
                rows.append(row)  # an hour's numbers must not wait for the last of them
                bars.note(f"{row.name}: {row.value:.4g} {row.unit}  {row.limit}".rstrip())
        bars.finish()
        answer.give(rows)
        if answer.in_words:
            words.tell_bench(rows)


@graph_app.command("fetch", epilog="Example:  aimwell graph fetch string huri --output databases")
def graph_fetch(  # noqa: PLR0913, PLR0917  one option each
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Entries of --list; if none, all that is locked."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", metavar="DIR", help="The folder of databases.")
    ] = Path("databases"),
    folder: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIR", help="Copy from a folder, without the internet."),
    ] = None,
    mirror: Annotated[
        str, typer.Option("--mirror", metavar="URL", help="Fetch from here, by the same names.")
    ] = "",
    update: Annotated[
        bool, typer.Option("--update", help="Take what is published now, and lock that.")
    ] = False,
    list_all: Annotated[
        bool, typer.Option("--list", help="Show the catalogue and fetch nothing.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Download public databases from their official addresses, and verify them ever after.

    The first download writes aimwell.lock.json with the sha256 of each file; a file that differs
    from it is refused. Stopped, the same command goes on where it was.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import words
        from aimwell.knowledge.catalog import read_catalog
        from aimwell.knowledge.fetch import Origin, fetch_databases

        catalog = read_catalog()
        if list_all:
            bars.finish()
            answer.give(list(catalog.values()))
            if answer.in_words:
                words.tell_catalog(catalog.values())
            return
        origin = Origin(folder, mirror)
        found = fetch_databases(names or [], output, catalog, bars, origin=origin, update=update)
        bars.finish()
        answer.give(found)
        if answer.in_words:
            words.tell_fetched(found, output)


@graph_app.command("build", epilog="Example:  aimwell graph build coad.toml --output graphs/coad")
def graph_build(
    file: RunFile,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="The graph folder.")],
    data: Data = "",
    licence: Annotated[
        str, typer.Option("--licence", help="any or commercial (graph.licence).")
    ] = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Build the graph that a run file asks for and write it as a graph folder."""
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import words
        from aimwell.knowledge.build import build_graph
        from aimwell.knowledge.store import write_graph
        from aimwell.knowledge.summary import graph_summary

        config = _read(file, data, licence=licence)
        bars.start("building the graph")
        graph = build_graph(config)
        write_graph(graph, output)
        summary = graph_summary(graph)
        bars.finish()
        answer.give({"folder": output, "summary": summary, "steps": graph.steps})
        if answer.in_words:
            words.tell_steps(graph.steps)
            words.tell_graph(summary)
            print(f'\nThe graph is in {output}; use it with [graph] folder = "{output}"')


@graph_app.command("show", epilog="Example:  aimwell graph show starter")
def graph_show(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A graph folder, or 'starter'.")],
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what a graph holds: nodes, edges, degrees, sources and licences."""
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import words
        from aimwell.knowledge.sources.starter import read_starter_graph
        from aimwell.knowledge.store import read_graph
        from aimwell.knowledge.summary import graph_summary

        bars.start("reading the graph")
        graph = read_starter_graph() if folder == "starter" else read_graph(Path(folder))
        summary = graph_summary(graph)
        bars.finish()
        answer.give({"summary": summary})
        if answer.in_words:
            words.tell_graph(summary)


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
        from aimwell.knowledge.build import build_graph, identifier_table
        from aimwell.knowledge.sources.starter import read_starter_graph

        config = _read(file, data)
        bars.start("reading the cohort")
        # with an HGNC table the graph has no say in what a name means
        graph = read_starter_graph() if config.identifiers.hgnc else build_graph(config)
        cohort = read_cohort(config, identifier_table(config, graph))
        found = check_cohort(cohort, config.contrasts)
        bars.finish()
        answer.give({**_plain(found), "steps": cohort.steps})
        if answer.in_words:
            words.tell_cohort(found, cohort.steps)
        if not all(contrast.testable for contrast in found.contrasts):
            raise typer.Exit(2)


def _read(file: Path, data: str, output: str = "", jobs: int = 0, licence: str = "") -> "RunConfig":
    from aimwell.config import read_config

    config = read_config(file, data=data, output=output, licence=licence)
    if jobs:
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, jobs=jobs))
    return config


def _plain(value: object) -> dict[str, Any]:
    from aimwell.provenance import to_plain

    plain: dict[str, Any] = to_plain(value)
    return plain
