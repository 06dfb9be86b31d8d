"""The commands. Each imports what it needs when it runs, so that ``--help`` answers at once."""

import dataclasses
import io
import signal
import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer

import aimwell
from aimwell.cli.agents import mcp, schema
from aimwell.cli.answer import Answer
from aimwell.cli.audit import audit
from aimwell.cli.explain import compare, explain, modules
from aimwell.cli.graph import graph_app
from aimwell.cli.options import (
    AcceptConfounding,
    AllowLeak,
    AsOf,
    Data,
    Debug,
    Device,
    Executor,
    Jobs,
    Json,
    Output,
    Quiet,
    RunFile,
    numbers,
    read_run_file,
)
from aimwell.cli.reproduce import reproduce

app = typer.Typer(
    name="aimwell",
    help="Rank drug targets for a disease cohort and show why.",
    epilog="Begin with:  aimwell demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
cohort_app = typer.Typer(
    help="Look at a cohort before running it.",
    epilog="Example:  aimwell cohort check examples/coad/coad.toml",
    no_args_is_help=True,
)
app.add_typer(graph_app, name="graph")
app.add_typer(cohort_app, name="cohort")
app.command(epilog="Example:  aimwell audit runs/coad --data ~/databases")(audit)


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
def run(  # noqa: PLR0913, PLR0917  one option each
    file: RunFile,
    data: Data = "",
    output: Output = "",
    jobs: Jobs = 0,
    executor: Executor = "",
    device: Device = "",
    diseases: Annotated[
        str,
        typer.Option("--diseases", metavar="TSV", help="One run per row, on a shared graph."),
    ] = "",
    allow_leak: AllowLeak = False,
    accept_confounding: AcceptConfounding = False,
    as_of: AsOf = "",
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
        config = read_run_file(
            file,
            data,
            output,
            jobs,
            allow_leak=allow_leak,
            as_of=as_of,
            accept_confounding=accept_confounding,
            executor=executor,
            device=device,
        )
        if diseases:
            from aimwell.pipeline.diseases import read_diseases, run_diseases

            table = run_diseases(config, read_diseases(Path(diseases)), bars)
            bars.finish()
            answer.give(table.to_dict("records"))
            if answer.in_words:
                words.tell_diseases(table, Path(config.run.output))
            return
        result = run_pipeline(config, progress=bars)
        seconds = time.monotonic() - begun
        bars.finish()
        answer.give(words.run_facts(result, seconds))
        if answer.in_words:
            words.tell_run(result, seconds)


app.command(epilog="Example:  aimwell explain runs/coad EGFR MET")(explain)
app.command(epilog="Example:  aimwell compare runs/coad EGFR MET")(compare)
app.command(epilog="Example:  aimwell modules runs/coad --top 20")(modules)
app.command(epilog="Example:  aimwell schema graph show")(schema)
app.command(epilog="Example:  aimwell mcp --folder runs")(mcp)
app.command(epilog="Example:  aimwell reproduce runs/coad --data ~/databases")(reproduce)


@app.command(epilog="Example:  aimwell view runs/coad")
def view(  # noqa: PLR0913, PLR0917  one option each
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[RUN2]", help="A second run to compare with.")
    ] = None,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; all but loopback need a token.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="0 is any free one.")
    ] = 8711,
    token: Annotated[
        str, typer.Option("--token", envvar="AIMWELL_TOKEN", help="What a browser must show.")
    ] = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Explore a finished run in the browser: any gene explained at once, what-if, comparison.

    Answers until Ctrl-C. Reads the run folder and nothing else.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli.view import hosts_of, listen, serve, token_for
        from aimwell.errors import RunError

        secret = token_for(host, token)
        if secret and quiet and not (token or as_json):
            raise RunError(
                "--quiet would hide the token that this address needs; give one with --token"
            )
        server = listen(host, port)  # a port in use is told before minutes are spent
        try:
            from aimwell.pipeline.explorer import Explorer
            from aimwell.pipeline.viewer import Viewer

            runs = [Explorer(one, bars) for one in (folder, other) if one is not None]
            hosts = hosts_of(host, server.server_port)
            viewer = Viewer(runs, hosts=hosts, token=secret)
        except BaseException:
            server.server_close()
            raise
        bars.finish()
        address = f"http://{host}:{server.server_port}/{f'?token={secret}' if secret else ''}"
        answer.give({"url": address, "runs": [str(run.folder) for run in runs]})
        if answer.in_words:
            print(f"Viewer:  {address}")
            if secret:
                print("From another machine, put the name of this one in place of the address.")
            print("Stop it with Ctrl-C.")
        sys.stdout.flush()
        serve(server, viewer)


@app.command(epilog="Example:  aimwell bench coad --data ~/databases --json")
def bench(  # noqa: PLR0913, PLR0917  one option each
    name: Annotated[
        str,
        typer.Argument(
            metavar="[NAME]",
            help="One of demo, coad, attribution, graph, identifiers, harmonise, cancer-genes, "
            "planted, training, scale, gpu, edges, trust, reliability.",
        ),
    ] = "",
    data: Data = "",
    task: Annotated[
        str, typer.Option("--task", metavar="DIR", help="cancer-genes: folder of its tables.")
    ] = "",
    folds: Annotated[
        str, typer.Option("--folds", metavar="0,1", help="cancer-genes: repetitions to measure.")
    ] = "",
    graph: Annotated[
        str,
        typer.Option("--graph", metavar="DIR", help="cancer-genes: a graph to add, or 'none'."),
    ] = "",
    output: Annotated[
        str, typer.Option("--output", metavar="DIR", help="cancer-genes: for predictions.tsv.")
    ] = "",
    unlabelled: Annotated[
        float,
        typer.Option("--unlabelled", min=0, help="cancer-genes: weight of unlabelled genes."),
    ] = 0.0,
    grouped: Annotated[
        bool,
        typer.Option("--grouped", help="cancer-genes: on folds of whole families and complexes."),
    ] = False,
    device: Annotated[
        str, typer.Option("--device", metavar="WHERE", help="gpu: cuda, cuda:N or cpu.")
    ] = "",
    small: Annotated[
        bool, typer.Option("--small", help="gpu: every part on a tiny graph.")
    ] = False,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Measure the bars that the project holds itself to, each with its limit.

    The exit status is 0 whether or not a bar is met. Takes minutes to an hour.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.bench import BENCHES, BenchOptions, run_bench
        from aimwell.cli import words

        options = BenchOptions(
            *(task, graph, numbers(folds, "--folds"), 0, output, unlabelled, grouped),
            device=device,
            small=small,
        )
        rows = []
        for one in [name] if name else BENCHES:
            bars.start(f"measuring {one}")
            for row in run_bench(one, data, options):
                rows.append(row)  # an hour's numbers must not wait for the last of them
                bars.note(f"{row.name}: {row.value:.4g} {row.unit}  {row.limit}".rstrip())
        bars.finish()
        answer.give(rows)
        if answer.in_words:
            words.tell_bench(rows)


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
