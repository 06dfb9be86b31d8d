"""Commands about the reasons of scores: of single targets, of two side by side, of many at once."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aimwell.cli.answer import Answer
from aimwell.cli.options import Debug, Jobs, Json, Quiet

if TYPE_CHECKING:
    import pandas as pd

Run = Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")]
Table = Annotated[str, typer.Option("--output", metavar="FILE", help="Write the table as TSV too.")]


def explain(
    folder: Run,
    genes: Annotated[
        list[str] | None, typer.Argument(metavar="GENE...", help="Symbols or HGNC ids.")
    ] = None,
    every: Annotated[
        bool, typer.Option("--all", help="Every gene of the run, in two compact tables.")
    ] = False,
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
        from aimwell.errors import InputError
        from aimwell.pipeline.explain import explain_every_gene, explain_run

        if every == bool(genes):
            raise InputError(
                "name genes or give --all, not both" if every else "name genes, or give --all"
            )
        if every:
            begun = time.monotonic()
            table, paths = explain_every_gene(folder, jobs=jobs or 2, progress=bars)
            bars.finish()
            seconds = round(time.monotonic() - begun, 2)
            answer.give(
                {"table": paths[0], "edges": paths[1], "genes": len(table), "seconds": seconds}
            )
            if answer.in_words:
                print(f"{len(table):,} genes explained in {seconds:.0f} s")
                print(f"Table:   {paths[0].resolve()}")
                print(f"Edges:   {paths[1].resolve()}")
            return
        found = explain_run(folder, genes or [], jobs=jobs or 2, progress=bars)
        bars.finish()
        answer.give([words.explanation_facts(e) for e in found])
        if answer.in_words:
            words.tell_explanations(found, folder)


def compare(  # noqa: PLR0913, PLR0917  one option each
    folder: Run,
    gene: Annotated[str, typer.Argument(metavar="GENE", help="Symbol or HGNC id.")],
    other: Annotated[
        str, typer.Argument(metavar="[OTHER]", help="Another gene; the same if it is left out.")
    ] = "",
    second: Annotated[
        Path | None, typer.Option("--with", metavar="RUN2", help="Take the second from this run.")
    ] = None,
    output: Table = "",
    jobs: Jobs = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Say what tells two targets apart, or one target in two runs: shares and nodes.

    Nodes are those of either subgraph, with what they are worth to both.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.cli import words
        from aimwell.errors import InputError
        from aimwell.explain.modules import compare_targets
        from aimwell.pipeline.explain import explain_two

        if not other and second is None:
            raise InputError(f"name what to compare '{gene}' with: another gene, or --with RUN2")
        places, names = (folder, second or folder), (gene, other or gene)
        one, two = explain_two(places, names, jobs=jobs or 2, progress=bars)
        bars.finish()
        table = compare_targets(one, two)
        _keep(table, output)
        rows = table.set_axis(["what", "name", "first", "second", "difference"], axis=1)
        both = [words.explanation_facts(e) for e in (one, two)]
        answer.give({"first": both[0], "second": both[1], "rows": rows.to_dict("records")})
        if answer.in_words:
            _tell_comparison(table)


def modules(  # noqa: PLR0913, PLR0917  one option each
    folder: Run,
    genes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[GENE...]", help="Symbols or HGNC ids; the best if left out."),
    ] = None,
    top: Annotated[
        int, typer.Option("--top", min=2, help="How many of the best, where none is named.")
    ] = 50,
    least: Annotated[
        int, typer.Option("--least", min=2, help="Targets that must share an edge.")
    ] = 2,
    output: Table = "",
    jobs: Jobs = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Find the parts of the graph that carry the scores of several targets.

    An edge counts that is in the subgraphs of enough of them; edges that hang together are one
    module.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.errors import InputError
        from aimwell.explain.modules import shared_modules
        from aimwell.pipeline.explain import explain_run, targets_of

        wanted = targets_of(folder, genes or [], top)
        if len(wanted) < least:
            raise InputError(
                f"an edge that {least} targets share needs as many targets; {len(wanted)} given"
            )
        found = explain_run(folder, wanted, jobs=jobs or 2, progress=bars)
        bars.finish()
        table = shared_modules(found, least=least)
        symbols = {str(i): str(s) for e in found for i, s in e.nodes["symbol"].items()}
        for column in ("nodes", "targets"):
            named = ["|".join(symbols[i] for i in ids.split("|")) for ids in table[column]]
            table.insert(len(table.columns), f"{column[:-1]}_symbols", named)
        _keep(table, output)
        answer.give({"targets": len(found), "modules": _module_facts(table)})
        if answer.in_words:
            _tell_modules(table, len(found))


def _keep(table: "pd.DataFrame", output: str) -> None:
    """Write a table as TSV, where that was asked for."""
    if not output:
        return
    from aimwell.provenance import write_atomically

    with write_atomically(Path(output)) as temporary:
        table.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")


def _tell_comparison(table: "pd.DataFrame") -> None:
    from aimwell.cli.words import print_table

    first, second = (str(name) for name in table.columns[2:4])
    for what, title in (("share", "What makes the scores"), ("node", "What the subgraphs hold")):
        rows = table[table["what"] == what].drop(columns="what")
        print()
        print_table(
            title,
            (("part of the score", "gene or set")[what == "node"], first, second, "difference"),
            (
                (name, *(f"{v:+.3f}" for v in values))
                for name, *values in rows.itertuples(index=False)
            ),
        )


def _tell_modules(table: "pd.DataFrame", targets: int) -> None:
    from aimwell.cli.words import print_table

    print()
    print_table(
        f"{len(table)} modules that the subgraphs of {targets} targets share",
        ("targets", "genes and sets", "attribution"),
        (
            (row["target_symbols"], row["node_symbols"], f"{row['attribution']:+.2f}")
            for row in table.replace(r"\|", ", ", regex=True).to_dict("records")
        ),
    )


def _module_facts(table: "pd.DataFrame") -> list[dict[str, Any]]:
    lists = ("nodes", "targets", "node_symbols", "target_symbols")
    rows = table.to_dict("records")
    return [{str(k): v.split("|") if k in lists else v for k, v in row.items()} for row in rows]
