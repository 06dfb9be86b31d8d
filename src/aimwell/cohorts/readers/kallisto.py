"""kallisto ``abundance.tsv``, one file per sample."""

from pathlib import Path
from typing import Final

from aimwell.cohorts.estimates import EstimateFormat, read_estimates
from aimwell.cohorts.measured import Measured
from aimwell.config import MatrixSettings

KALLISTO: Final = EstimateFormat(
    what="kallisto abundance.tsv",
    files="abundance.tsv*",
    endings=("abundance.tsv",),
    name="target_id",
    length="eff_length",
    count="est_counts",
)


def read_kallisto(path: Path, settings: MatrixSettings) -> Measured:
    """Read estimated counts of transcripts with their effective lengths.

    Raises:
        InputError: A file cannot be read or is of another format.
    """
    return read_estimates(path, settings, KALLISTO)
