"""salmon ``quant.sf``, one file per sample."""

from pathlib import Path
from typing import Final

from aimwell.cohorts.estimates import EstimateFormat, read_estimates
from aimwell.cohorts.measured import Measured
from aimwell.config import MatrixSettings

SALMON: Final = EstimateFormat(
    what="salmon quant.sf",
    files="quant.sf*",
    endings=("quant.sf",),
    name="Name",
    length="EffectiveLength",
    count="NumReads",
)


def read_salmon(path: Path, settings: MatrixSettings) -> Measured:
    """Read estimated counts of transcripts with their effective lengths.

    Raises:
        InputError: A file cannot be read or is of another format.
    """
    return read_estimates(path, settings, SALMON)
