"""featureCounts of Subread: annotation columns, then one column of counts per alignment file."""

from pathlib import Path, PurePosixPath
from typing import Final

from aimwell.cohorts.columns import read_columns
from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.tables import open_table
from aimwell.config import MatrixSettings
from aimwell.errors import InputError
from aimwell.provenance import Step

WHAT: Final = "a featureCounts table"
#: Columns that describe a gene; with -g more may follow ``Length`` only by request of the user.
ANNOTATION: Final = ("Geneid", "Chr", "Start", "End", "Strand", "Length")
_ENDINGS: Final = (".bam", ".sam", ".cram")
_MARKS: Final = ("Aligned.sortedByCoord.out", "Aligned.out", ".sorted", "_sorted", ".dedup")


def read_featurecounts(path: Path, settings: MatrixSettings) -> Measured:
    """Read the counts of one table; a sample is its alignment file without folder and ending.

    Raises:
        InputError: The file cannot be read, is of another format, or two alignment files have
            the same name.
    """
    table = open_table(path, WHAT, comment="#")
    if table.header[:1] != ANNOTATION[:1] or "Length" not in table.header:
        raise InputError(
            f"'{path}' is not {WHAT}: its header begins with {table.header[0]!r} and lacks "
            f"'Geneid' or 'Length'; name the right file or reader"
        )
    samples = [c for c in table.header if c not in ANNOTATION]
    if not samples:
        raise InputError(f"'{path}' has no column of counts after 'Length'; is it the summary?")
    found = read_columns(table, ["Geneid"], samples)
    values = found.numbers.set_axis(found.text["Geneid"].to_list(), axis=0).T
    values.index = [_sample(name) for name in samples]
    return Measured(
        values=checked_matrix(values, settings, f"'{path}'"),
        unit="counts",
        missing_means="no count is missing; zero means that no read was assigned",
        steps=(
            Step(
                f"{settings.layer}: columns of counts",
                len(table.header),
                len(samples),
                "columns of the annotation",
                ANNOTATION[1:4],
            ),
        ),
    )


def _sample(column: str) -> str:
    name = PurePosixPath(column.replace("\\", "/")).name
    for ending in _ENDINGS:
        name = name.removesuffix(ending)
    for mark in _MARKS:
        name = name.removesuffix(mark)
    return name.rstrip("._-") or column
