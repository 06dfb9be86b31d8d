"""RSEM ``genes.results`` and ``isoforms.results``, one file per sample."""

from pathlib import Path
from typing import Final

from aimwell.cohorts.estimates import EstimateFormat, read_estimates
from aimwell.cohorts.measured import Measured
from aimwell.config import MatrixSettings

RSEM: Final = EstimateFormat(
    what="RSEM genes.results",
    files="*.genes.results*",
    endings=(".genes.results", ".isoforms.results"),
    name="gene_id",
    length="effective_length",
    count="expected_count",
)


def read_rsem(path: Path, settings: MatrixSettings) -> Measured:
    """Read expected counts with their effective lengths.

    Raises:
        InputError: A file cannot be read or is of another format.
    """
    return read_estimates(path, settings, RSEM)
