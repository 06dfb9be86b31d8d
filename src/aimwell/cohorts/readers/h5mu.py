"""MuData ``.h5mu``: one modality of several, as samples or as sums over cells."""

from dataclasses import replace
from pathlib import Path
from typing import Final

from aimwell.cohorts.anndata_files import measure, opened, take
from aimwell.cohorts.measured import Measured
from aimwell.config import MatrixSettings
from aimwell.errors import InputError, some

WHAT: Final = "a MuData file (.h5mu)"


def read_h5mu(path: Path, settings: MatrixSettings) -> Measured:
    """Read the modality that ``quantity`` names, such as ``rna`` or ``prot/counts``.

    The columns of donors and cell types may stand in the modality or in the file as a whole.

    Raises:
        InputError: The file cannot be read, has no such modality, or no raw counts in it.
        ConfigError: anndata is not installed.
    """
    where = f"'{path}'"
    with opened(path, WHAT) as file:
        from anndata.io import read_elem

        if "mod" not in file:
            raise InputError(f"{where} is not {WHAT}: it has no modalities; try reader = 'h5ad'")
        modalities = sorted(file["mod"])
        name, _, place = settings.quantity.partition("/")
        if name not in modalities:
            asked = f"no modality '{name}'" if name else "several matrices"
            raise InputError(
                f"{where} has {asked}; set quantity to one of its modalities: {some(modalities, 9)}"
            )
        cells = take(file["mod"][name], settings, place, f"{where}, modality '{name}'")
        whole = read_elem(file["obs"]) if "obs" in file else None
        wanted = [c for c in (settings.donor, settings.cell_type) if c and c not in cells.obs]
        if whole is not None and wanted:
            whole.index = whole.index.astype(str)
            shared = whole.reindex(cells.obs.index)
            for column in wanted:
                found = next((c for c in (column, f"{name}:{column}") if c in shared), "")
                if found:
                    cells = replace(cells, obs=cells.obs.assign(**{column: shared[found]}))
        return measure(cells, settings, f"{where}, modality '{name}'")
