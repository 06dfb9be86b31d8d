"""The commands. Each imports what it needs when it runs, so that ``--help`` answers at once."""

import io
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

import aimwell
from aimwell.cli.agents import mcp, schema
from aimwell.cli.answer import Answer
from aimwell.cli.audit import audit
from aimwell.cli.cohort import cohort_app
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
app.add_typer(graph_app, name="graph")
app.add_typer(cohort_app, name="cohort")
app.command(epilog="Example:  aimwell audit runs/coad --data ~/databases")(audit)


def call() -> None:
    """Run the command that this process was called with."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal without our dashes must not stop us
            stream.reconfigure(errors="replace")
    app()


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
            help="One of demo, coad, attribution, faithfulness, graph, identifiers, harmonise, "
            "cancer-genes, planted, training, scale, gpu, edges, trust, families, reliability.",
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
