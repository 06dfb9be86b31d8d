"""``aimwell reproduce``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from aimwell.cli.answer import Answer
from aimwell.cli.options import Data, Debug, Jobs, Json, Quiet

if TYPE_CHECKING:
    from aimwell.pipeline.reproduce import Reproduction


def reproduce(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a finished run.")],
    output: Annotated[
        str, typer.Option("--output", metavar="DIR", help="Where to run again (RUN-again).")
    ] = "",
    data: Data = "",
    jobs: Jobs = 0,
    as_json: Json = False,
    quiet: Quiet = False,
    debug: Debug = False,
) -> None:
    """Run again from the manifest of a run, in another folder, and compare every file.

    Exit status 0 if the ranked table is the same to the byte, 2 if it differs.
    """
    answer = Answer(as_json, quiet, debug)
    with answer.reporting() as bars:
        from aimwell.pipeline.reproduce import reproduce_run

        found = reproduce_run(
            folder,
            output=Path(output) if output else None,
            data=data,
            jobs=jobs or 2,
            progress=bars,
        )
        bars.finish()
        answer.give({**vars(found), "same": not (found.differing or found.missing)})
        if answer.in_words:
            _tell(found)
        if not found.same_table:
            raise typer.Exit(2)


def _tell(found: "Reproduction") -> None:
    """Print whether the table is the same, what differs, and which versions do."""
    if found.same_table:
        print("The ranked table is the same to the byte.")
    else:
        print("The ranked table differs.")
    if found.first_difference:
        print(f"First difference: {found.first_difference}")
    if others := (*found.differing, *found.missing):
        more = f" and {len(others) - 5} more" if len(others) > 5 else ""
        print(f"Files that differ or are missing: {', '.join(others[:5])}{more}")
    for column, change in list(found.largest_change.items())[:8]:
        print(f"Largest change of {column}: {change:.3g}")
    if found.rank_correlation is not None and not found.same_table:
        print(f"Rank correlation of the scores: {found.rank_correlation:.6f}")
    for name, (then, now) in found.versions.items():
        print(f"Version of {name}: {then} then, {now} now")
    print(f"Folder:  {found.folder.resolve()}")
