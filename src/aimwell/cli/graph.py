"""The commands of ``aimwell graph``. Each imports what it needs when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from aimwell.cli.answer import Answer
from aimwell.cli.options import AllowLeak, AsOf, Data, Debug, Json, Quiet, RunFile, read_run_file

graph_app = typer.Typer(
    help="Build and look at graphs of known biology.",
    epilog="Example:  aimwell graph show starter",
    no_args_is_help=True,
)


@graph_app.command("fetch", epilog="Example:  aimwell graph fetch string huri --output databases")
def graph_fetch(  # noqa: PLR0913, PLR0917  one option each
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME", help="Entries of --list, or a preset; if none, all locked."),
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
        from aimwell.knowledge.presets import entries_of

        catalog = read_catalog()
        if list_all:
            bars.finish()
            answer.give(list(catalog.values()))
            if answer.in_words:
                words.tell_catalog(catalog.values())
            return
        origin = Origin(folder, mirror)
        wanted = entries_of(names or [])
        found = fetch_databases(wanted, output, catalog, bars, origin=origin, update=update)
        bars.finish()
        answer.give(found)
        if answer.in_words:
            words.tell_fetched(found, output)


@graph_app.command("build", epilog="Example:  aimwell graph build coad.toml --output graphs/coad")
def graph_build(  # noqa: PLR0913, PLR0917  one option each
    file: RunFile,
    output: Annotated[Path, typer.Option("--output", metavar="DIR", help="The graph folder.")],
    data: Data = "",
    licence: Annotated[
        str, typer.Option("--licence", help="any or commercial (graph.licence).")
    ] = "",
    allow_leak: AllowLeak = False,
    as_of: AsOf = "",
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

        config = read_run_file(file, data, licence=licence, allow_leak=allow_leak, as_of=as_of)
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


@graph_app.command("show", epilog="Example:  aimwell graph show starter --html starter.html")
def graph_show(
    folder: Annotated[str, typer.Argument(metavar="FOLDER", help="A graph folder, or 'starter'.")],
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Write one page with plots.")
    ] = None,
    genes: Annotated[
        Path | None,
        typer.Option("--genes", metavar="FILE", help="A list of genes that should be covered."),
    ] = None,
    hgnc: Annotated[
        Path | None,
        typer.Option("--hgnc", metavar="FILE", help="HGNC complete set, for other names of genes."),
    ] = None,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Show what a graph holds: nodes, edges, degrees, hubs, coverage, sources and licences."""
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import graph_words
        from aimwell.errors import InputError
        from aimwell.knowledge.identifiers import IdentifierTable
        from aimwell.knowledge.sources.gene_list import read_gene_list
        from aimwell.knowledge.sources.hgnc import read_hgnc
        from aimwell.knowledge.sources.starter import read_starter_graph
        from aimwell.knowledge.store import read_graph
        from aimwell.knowledge.survey import survey_graph

        if html and html.is_dir():
            raise InputError(f"--html: '{html}' is a folder; name a file in it, such as graph.html")
        bars.start("reading the graph")
        graph = read_starter_graph() if folder == "starter" else read_graph(Path(folder))
        names = read_gene_list(genes) if genes else ()
        table = IdentifierTable.from_hgnc(read_hgnc(hgnc)) if hgnc else None
        survey = survey_graph(graph, names, table)
        if html:
            from aimwell.reports.graph_page import write_graph_page

            bars.start("writing the page")
            title = "The starter graph" if folder == "starter" else Path(folder).resolve().name
            write_graph_page(html, survey, title)
        bars.finish()
        answer.give(graph_words.survey_facts(survey) | {"page": html})
        if answer.in_words:
            graph_words.tell_survey(survey)
            if html:
                print(f"\nPage:    {html.resolve()}")


@graph_app.command("audit", epilog="Example:  aimwell graph audit coad.toml --edges leaks.tsv")
def graph_audit(
    file: RunFile,
    edges: Annotated[
        Path | None, typer.Option("--edges", metavar="FILE", help="List every single edge as TSV.")
    ] = None,
    data: Data = "",
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """List what in the graph of a run file encodes its known targets, and what becomes of it."""
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import graph_words
        from aimwell.errors import InputError
        from aimwell.knowledge.audit import audit_run
        from aimwell.provenance import write_atomically

        if edges and edges.is_dir():
            raise InputError(f"--edges: '{edges}' is a folder; name a file in it")
        config = read_run_file(file, data)
        bars.start("auditing the graph")
        found = audit_run(config)
        if edges:
            with write_atomically(edges) as temporary:
                found.edges.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
        bars.finish()
        answer.give(graph_words.audit_facts(found))
        if answer.in_words:
            graph_words.tell_audit(found, edges)
