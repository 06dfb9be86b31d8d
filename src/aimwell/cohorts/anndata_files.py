"""Matrices, annotations and sums over cells of files in the AnnData layout (HDF5)."""

import re
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import sparse

from aimwell.cohorts.cohort import Unit
from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.sample_files import refuse_no_file
from aimwell.config import MatrixSettings
from aimwell.errors import ConfigError, InputError, some
from aimwell.provenance import Step

#: Where raw counts are looked for, the likeliest place first; then come all other layers.
_PLACES: Final = ("layers/counts", "layers/raw_counts", "layers/raw", "raw/X", "X")
#: More rows than this are cells, not samples.
_MOST_SAMPLES: Final = 5000
#: Visits every group, attribute and description of a dataset, as reading does.
_LOOK: Final = """
import sys, h5py

def look(name, thing):
    dict(thing.attrs)
    if isinstance(thing, h5py.Dataset):
        thing.shape, thing.dtype, thing.chunks, thing.fillvalue

with h5py.File(sys.argv[1], "r") as file:
    look("/", file)
    file.visititems(look)
"""
#: Kind of a layer → how 10x Genomics calls its features.
_FEATURE_TYPES: Final = {"rna": "Gene Expression", "protein": "Antibody Capture"}


@dataclass(frozen=True)
class Cells:
    """What was taken out of a file.

    Attributes:
        values: Observations × features, dense or sparse.
        obs: One row per observation.
        names: Feature names.
        place: Which matrix it was, such as ``layers/counts``.
        var: One row per feature.
    """

    values: Any
    obs: pd.DataFrame
    names: list[str]
    place: str
    var: pd.DataFrame


@contextmanager
def opened(path: Path, what: str) -> Iterator[Any]:
    """Open an HDF5 file; whatever is wrong inside it becomes one clear line.

    Raises:
        InputError: The file cannot be read or is of another layout.
        ConfigError: anndata is not installed.
    """
    refuse_no_file(path, what)
    try:
        import h5py
    except ImportError as error:
        raise ConfigError(
            f"'{path}' needs anndata, which is not installed; pip install 'aimwell[anndata]'"
        ) from error
    _refuse_crash(path, what)
    try:
        with warnings.catch_warnings(), h5py.File(path, "r") as file:
            warnings.simplefilter("ignore")  # of layouts that are old but can be read
            yield file
    except (InputError, ConfigError):
        raise
    except Exception as error:  # a damaged file fails in whatever part is read first
        reason = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise InputError(f"'{path}' cannot be read as {what}: {reason}; save it again") from error


def _refuse_crash(path: Path, what: str) -> None:
    """Look through a file in a process of its own first: some damage crashes the HDF5 library."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", _LOOK, str(path)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode < 0:  # ended by a signal; what is merely wrong is told when it is read
        raise InputError(
            f"'{path}' cannot be read as {what}: it is damaged in a way that ends the HDF5 library "
            "itself; get the file again"
        )


def take(group: Any, settings: MatrixSettings, place: str, where: str) -> Cells:
    """Take observations, features and one matrix out of an AnnData group.

    Args:
        group: The open file, or one modality of it.
        settings: ``unit`` and ``names_in`` are used.
        place: ``X``, ``raw`` or the name of a layer; empty looks for raw counts.
        where: The file, for messages.

    Raises:
        InputError: No such matrix, or no raw counts.
    """
    from anndata.io import read_elem

    if "obs" not in group or "var" not in group:
        raise InputError(
            f"{where} has no tables 'obs' and 'var' but {some(group, 6)}; is it an AnnData file?"
        )
    obs = read_elem(group["obs"])
    found = _matrices(group)
    wanted = {"raw": "raw/X", "X": "X"}.get(place, f"layers/{place.removeprefix('layers/')}")
    if place and wanted not in found:
        raise InputError(f"{where} has no matrix '{place}'; it has {some(found, 9)}")
    if not found:
        raise InputError(f"{where} has no matrix: neither X, nor raw, nor layers")
    plain = bool(settings.unit) and settings.unit != "counts"
    if not place and plain:
        wanted = "X" if "X" in found else found[0]
    elif not place:
        wanted = _raw_counts(group, found, where)
    values = read_elem(group[wanted])
    var = read_elem(group["raw/var" if wanted == "raw/X" else "var"])
    if values.shape != (len(obs), len(var)):
        raise InputError(
            f"{where}: {wanted} has shape {values.shape}, but there are {len(obs)} observations "
            f"and {len(var)} features"
        )
    names = _names(var, settings.names_in, where)
    obs.index = obs.index.astype(str)
    return Cells(values, obs, names, wanted, var)


def _matrices(group: Any) -> list[str]:
    found = [p for p in _PLACES if p in group]
    layers = sorted(f"layers/{name}" for name in group["layers"]) if "layers" in group else []
    return [*found, *(name for name in layers if name not in found)]


def _raw_counts(group: Any, found: Sequence[str], where: str) -> str:
    seen = []
    for place in found:
        low, high, whole = _look(group[place])
        if whole and low >= 0 and high > 0:
            return place
        kind = "whole" if whole else "fractional"
        seen.append(f"{place} ({kind} numbers from {low:g} to {high:g})")
    raise InputError(
        f"{where} has no raw counts, only {', '.join(seen)}; save the counts in "
        "layers['counts'], or name a matrix in quantity and declare its unit"
    )


def _look(node: Any) -> tuple[float, float, bool]:
    """Smallest and largest value of a stored matrix, and whether all are whole numbers."""
    data = node["data"] if hasattr(node, "keys") else node
    low, high, whole = np.inf, -np.inf, True
    step = max(1, (1 << 24) // max(int(np.prod(data.shape[1:])), 1))
    for start in range(0, data.shape[0], step):
        part = np.asarray(data[start : start + step], dtype=float)
        if not part.size or np.isnan(part).all():
            continue
        low, high = min(low, float(np.nanmin(part))), max(high, float(np.nanmax(part)))
        whole = whole and bool(np.all(part % 1 == 0))
    if hasattr(node, "keys"):
        low, high = min(low, 0.0), max(high, 0.0)
    return low, high, whole and np.isfinite(high)


def _names(var: pd.DataFrame, asked: str, where: str) -> list[str]:
    if not asked:
        return [str(name) for name in var.index]
    if asked not in var.columns:
        raise InputError(f"{where}: 'var' has no column '{asked}'; it has {some(var.columns, 9)}")
    return ["" if pd.isna(name) else str(name) for name in var[asked]]


def measure(cells: Cells, settings: MatrixSettings, where: str) -> Measured:
    """Turn observations into samples: as they are, or summed over donors and cell types.

    Raises:
        InputError: Cells without a donor column, or none left to sum.
        ConfigError: Values of single cells that are no counts are to be summed.
    """
    steps = [Step(f"{settings.layer}: matrix '{cells.place}'", len(cells.obs), len(cells.obs))]
    cells = _one_kind(cells, settings, steps)
    unit: Unit = settings.unit or "counts"  # type: ignore[assignment]
    stated = pd.DataFrame()
    if settings.donor:
        if unit != "counts":
            raise ConfigError(
                f"{where}: only counts can be added up over cells, but unit = '{unit}'; leave out "
                "'donor', or name the raw counts in quantity"
            )
        values, stated = _sums(cells, settings, where, steps)
    elif settings.cell_type:
        raise ConfigError(f"{where}: cell_type is set and donor is not; name the column of donors")
    else:
        if len(cells.obs) > _MOST_SAMPLES:
            raise InputError(
                f"{where} has {len(cells.obs)} observations, which are cells rather than samples; "
                f"set donor to one of {some(cells.obs.columns, 9)}, and cell_type if you have it"
            )
        values = pd.DataFrame(_dense(cells.values), cells.obs.index, cells.names)
    return Measured(
        values=checked_matrix(_added_up(values, unit, settings, steps), settings, where),
        unit=unit,
        missing_means="no count is missing; zero means that no molecule was seen"
        if unit == "counts"
        else "NaN in the file",
        stated=stated,
        steps=tuple(steps),
    )


def _one_kind(cells: Cells, settings: MatrixSettings, steps: list[Step]) -> Cells:
    """Keep the genes of a file that holds antibodies too, or the antibodies."""
    wanted = _FEATURE_TYPES.get(settings.kind, "")
    if "feature_types" not in cells.var or wanted not in set(cells.var["feature_types"]):
        return cells
    mine = (cells.var["feature_types"] == wanted).to_numpy()
    if mine.all():
        return cells
    gone = tuple(n for n, m in zip(cells.names, mine, strict=True) if not m)[:3]
    name = f"{settings.layer}: features of kind '{wanted}'"
    steps.append(Step(name, len(mine), int(mine.sum()), "features of another kind", gone))
    names = [n for n, m in zip(cells.names, mine, strict=True) if m]
    kept = cells.values[:, np.flatnonzero(mine)]
    return Cells(kept, cells.obs, names, cells.place, cells.var[mine])


def _sums(
    cells: Cells, settings: MatrixSettings, where: str, steps: list[Step]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    columns = [c for c in (settings.donor, settings.cell_type) if c]
    for column in columns:
        if column not in cells.obs:
            raise InputError(
                f"{where}: 'obs' has no column '{column}'; it has {some(cells.obs.columns, 9)}"
            )
    groups = cells.obs[columns].astype(object)
    known = groups.notna().all(axis=1).to_numpy()
    groups = groups[known].astype(str)
    steps.append(
        Step(
            f"{settings.layer}: cells with {' and '.join(columns)}",
            len(known),
            int(known.sum()),
            "" if known.all() else "not stated",
        )
    )
    sizes = groups.groupby(columns, sort=True).size()
    kept = sizes[sizes >= settings.min_cells]
    gone = [" of ".join(map(str, reversed(_tuple(k)))) for k in sizes.index.difference(kept.index)]
    steps.append(
        Step(
            f"{settings.layer}: sums over cells",
            len(sizes),
            len(kept),
            f"fewer than {settings.min_cells} cells" if gone else f"{int(kept.sum())} cells",
            tuple(gone[:3]),
        )
    )
    if not len(kept):
        raise InputError(
            f"{where}: none of {len(sizes)} sums has min_cells = {settings.min_cells} cells, the "
            f"largest has {int(sizes.max()) if len(sizes) else 0}; lower min_cells"
        )
    keys = pd.MultiIndex.from_frame(groups) if len(columns) > 1 else pd.Index(groups[columns[0]])
    row = kept.index.get_indexer(keys)
    mine = np.flatnonzero(row >= 0)
    picked = sparse.csr_matrix(
        (np.ones(len(mine)), (row[mine], np.flatnonzero(known)[mine])),
        shape=(len(kept), len(known)),
    )
    dense = _dense(picked @ cells.values)
    samples = [":".join(map(str, _tuple(key))) for key in kept.index]
    stated = pd.DataFrame({"subject": [str(_tuple(k)[0]) for k in kept.index]}, index=samples)
    if settings.cell_type:
        stated["cell_type"] = [str(_tuple(k)[1]) for k in kept.index]
    stated["cells"] = kept.to_numpy()
    return pd.DataFrame(dense, samples, cells.names), stated


def _dense(values: Any) -> np.ndarray:
    whole: Any = values.toarray() if hasattr(values, "toarray") else values
    return np.asarray(whole, dtype=float)


def _tuple(key: object) -> tuple[object, ...]:
    return key if isinstance(key, tuple) else (key,)


def _added_up(
    values: pd.DataFrame, unit: Unit, settings: MatrixSettings, steps: list[Step]
) -> pd.DataFrame:
    """Add up counts of one name; anndata's ``-1``, ``-2`` for repeated names are taken off."""
    bare = [re.sub(r"(?<=[A-Za-z0-9])-\d+$", "", n) for n in values.columns]
    known = set(values.columns)
    names = [b if b in known else n for b, n in zip(bare, values.columns, strict=True)]
    if unit != "counts" or len(set(names)) == len(names):
        return values
    summed = values.T.groupby(np.asarray(names, dtype=object), sort=True).sum().T
    twice = sorted({n for n in names if names.count(n) > 1})[:3] if len(names) < 10_000 else []
    why = "counts of one name added up"
    steps.append(
        Step(f"{settings.layer}: one row per name", len(names), len(summed.T), why, tuple(twice))
    )
    return summed
