"""AnnData ``.h5ad``: bulk samples, or single cells that are summed per donor and cell type."""

from pathlib import Path
from typing import Final

from aimwell.cohorts.anndata_files import measure, opened, take
from aimwell.cohorts.measured import Measured
from aimwell.config import MatrixSettings

WHAT: Final = "an AnnData file (.h5ad)"


def read_h5ad(path: Path, settings: MatrixSettings) -> Measured:
    """Read raw counts, or the matrix that ``quantity`` names.

    Raises:
        InputError: The file cannot be read or has no raw counts.
        ConfigError: anndata is not installed.
    """
    with opened(path, WHAT) as file:
        return measure(take(file, settings, settings.quantity, f"'{path}'"), settings, f"'{path}'")
