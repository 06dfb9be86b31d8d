"""Which reader opens a file of protein measurements."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from aimwell.cohorts.measured import Measured
from aimwell.cohorts.readers import (
    diann,
    fragpipe,
    maxquant,
    olink,
    proteome_discoverer,
    rppa,
    somascan,
    spectronaut,
)
from aimwell.cohorts.readers.matrix import read_matrix
from aimwell.config import MatrixSettings


def _rppa(path: Path, settings: MatrixSettings) -> Measured:
    return rppa.read_antibodies(read_matrix(path, settings), settings, f"'{path}'")


#: Names in ``[[cohort.matrices]]`` → what opens such a file.
PROTEIN_READERS: Final[dict[str, Callable[[Path, MatrixSettings], Measured]]] = {
    "maxquant": maxquant.read_protein_groups,
    "maxquant_peptides": maxquant.read_peptides,
    "diann": diann.read_report,
    "diann_pg_matrix": diann.read_pg_matrix,
    "fragpipe": fragpipe.read_combined_protein,
    "fragpipe_tmt": fragpipe.read_tmt_report,
    "spectronaut": spectronaut.read_report,
    "proteome_discoverer": proteome_discoverer.read_proteins,
    "olink": olink.read_npx,
    "somascan": somascan.read_adat,
    "rppa": _rppa,
}
