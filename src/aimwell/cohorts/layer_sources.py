"""Which reader opens a file of measurements."""

from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

from aimwell.cohorts.cohort import Unit
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.readers.matrix import read_matrix
from aimwell.config import MatrixSettings, RunConfig
from aimwell.errors import ConfigError


def _matrix(path: Path, settings: MatrixSettings) -> Measured:
    if not settings.unit:
        raise ConfigError(
            f"'{path}' (layer '{settings.layer}') is a plain matrix, which does not say what its "
            "numbers are; declare unit = 'counts', 'log2', 'log2_ratio' or 'intensity'"
        )
    zero = "not measured or not detected (zero in the file)"
    return Measured(
        values=read_matrix(path, settings),
        unit=cast(Unit, settings.unit),
        missing_means=zero if settings.zero_is_missing else "not measured",
    )


#: Names in ``[[cohort.matrices]]`` → what opens such a file.
READERS: Final[dict[str, Callable[[Path, MatrixSettings], Measured]]] = {"matrix": _matrix}


def read_measurements(config: RunConfig, settings: MatrixSettings) -> Measured:
    """Read one file of measurements with the reader that the run file names.

    Raises:
        InputError: The file cannot be read, or is of another format.
        ConfigError: A setting that the reader needs is missing or contradicts the file.
    """
    path = config.path(settings.path)
    measured = READERS[settings.reader](path, settings)
    if settings.unit and settings.unit != measured.unit:
        raise ConfigError(
            f"'{path}' (layer '{settings.layer}') is declared as {settings.unit}, but its format "
            f"'{settings.reader}' holds {measured.unit}; leave out 'unit'"
        )
    return measured
