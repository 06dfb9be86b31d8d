"""Which reader opens a file of measurements."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from aimwell.cohorts.formats import refuse_other_format
from aimwell.cohorts.measured import Measured, declared_unit
from aimwell.cohorts.protein_sources import PROTEIN_READERS
from aimwell.cohorts.readers.cbioportal import read_cbioportal
from aimwell.cohorts.readers.featurecounts import read_featurecounts
from aimwell.cohorts.readers.gct import read_gct
from aimwell.cohorts.readers.gdc import read_gdc
from aimwell.cohorts.readers.h5ad import read_h5ad
from aimwell.cohorts.readers.h5mu import read_h5mu
from aimwell.cohorts.readers.kallisto import read_kallisto
from aimwell.cohorts.readers.matrix import read_matrix
from aimwell.cohorts.readers.parquet import read_parquet
from aimwell.cohorts.readers.rsem import read_rsem
from aimwell.cohorts.readers.salmon import read_salmon
from aimwell.cohorts.readers.star import read_star
from aimwell.cohorts.readers.xlsx import read_xlsx
from aimwell.cohorts.sample_files import is_many
from aimwell.config import MatrixSettings, RunConfig
from aimwell.errors import CohortError, ConfigError, InputError, some
from aimwell.provenance import Step


def _matrix(path: Path, settings: MatrixSettings) -> Measured:
    unit = declared_unit(f"'{path}'", settings, "a plain matrix")
    zero = "not measured or not detected (zero in the file)"
    return Measured(
        values=read_matrix(path, settings),
        unit=unit,
        missing_means=zero if settings.zero_is_missing else "not measured",
    )


#: Names in ``[[cohort.matrices]]`` → what opens such a file.
READERS: Final[dict[str, Callable[[Path, MatrixSettings], Measured]]] = {
    "matrix": _matrix,
    **PROTEIN_READERS,
    "cbioportal": read_cbioportal,
    "featurecounts": read_featurecounts,
    "gct": read_gct,
    "gdc": read_gdc,
    "h5ad": read_h5ad,
    "h5mu": read_h5mu,
    "kallisto": read_kallisto,
    "parquet": read_parquet,
    "rsem": read_rsem,
    "salmon": read_salmon,
    "star": read_star,
    "xlsx": read_xlsx,
}


#: Logarithms of RNA do not go further than this, and linear values always do.
_LARGEST_LOG: Final = 25.0
#: Readers of formats with one file per sample, whose path may be a folder or a pattern.
PER_SAMPLE: Final = ("star", "rsem", "salmon", "kallisto", "gdc")


def read_measurements(config: RunConfig, settings: MatrixSettings) -> Measured:
    """Read one file of measurements with the reader that the run file names.

    Raises:
        InputError: The file cannot be read, or is of another format.
        ConfigError: A setting that the reader needs is missing or contradicts the file.
    """
    path = config.path(settings.path)
    if settings.transcripts:
        settings = replace(settings, transcripts=str(config.path(settings.transcripts)))
    if is_many(path) and settings.reader not in PER_SAMPLE:
        what = "folder" if path.is_dir() else "pattern"
        raise InputError(
            f"'{path}' is a {what}, but reader = '{settings.reader}' reads one file; only "
            f"{some(PER_SAMPLE, 9)} have one file per sample"
        )
    refuse_other_format(path, settings.reader, settings.layer)
    measured = READERS[settings.reader](path, settings)
    linear = settings.unit == "tpm"
    if settings.unit and settings.unit != measured.unit:
        raise ConfigError(
            f"'{path}' (layer '{settings.layer}') is declared as {settings.unit}, but its format "
            f"'{settings.reader}' holds {measured.unit}; leave out 'unit'"
        )
    return _as_logs(measured, f"'{path}'", settings.layer) if linear else measured


def _as_logs(measured: Measured, where: str, layer: str) -> Measured:
    """Take logarithms of TPM, FPKM and the like, where a zero is a value.

    Raises:
        CohortError: Values that are negative or already logarithms.
    """
    values = measured.values
    array = values.to_numpy()
    if bool(np.nanmin(array) < 0):
        i, j = np.argwhere(array < 0)[0]
        raise CohortError(
            f"{where} (layer '{layer}') is declared as tpm, but {int(np.sum(array < 0))} values "
            f"are negative, for example {array[i, j]:g} for '{values.columns[j]}' in sample "
            f"'{values.index[i]}'; declare unit = 'log2' if they are logarithms"
        )
    if (high := float(np.nanmax(array))) <= _LARGEST_LOG:
        raise CohortError(
            f"{where} (layer '{layer}') is declared as tpm, but none of its values is above "
            f"{high:.3g}; these look like logarithms: declare unit = 'log2'"
        )
    if not np.any(array[~np.isnan(array)] % 1):
        raise CohortError(
            f"{where} (layer '{layer}') is declared as tpm, but every value is whole, which looks "
            "like counts; declare unit = 'counts'"
        )
    why = "log2(x + 0.5); without the counts, how precise a gene is follows from its level alone"
    step = Step(f"{layer}: logarithms of linear values", len(values), len(values), why)
    logs = values.transform(lambda x: np.log2(x + 0.5))
    return replace(measured, values=logs, unit="log2", steps=(*measured.steps, step))
