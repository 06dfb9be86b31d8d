"""From peptides to proteins: Tukey's median polish on log2 values, missing values kept missing."""

import logging
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.errors import AlignmentError, ConfigError, some
from aimwell.provenance import Step

_MAX_ROUNDS: Final = 20
#: Rounds end when the residuals fall by less than this share of their sum.
_TOLERANCE: Final = 1e-4
#: Samples that directLFQ shifts pair by pair before the others follow; its own default.
_QUADRATIC: Final = 10
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RolledUp:
    """Proteins made of peptides.

    Attributes:
        values: Samples × proteins, log2, sorted; NaN where no comparable peptide was seen.
        peptides: How many peptides each protein rests on.
        steps: Peptides and values that were left out.
    """

    values: pd.DataFrame
    peptides: "pd.Series[float]"
    steps: tuple[Step, ...] = ()


def roll_up(
    peptides: pd.DataFrame,
    protein: "pd.Series[str]",
    layer: str = "protein",
    method: str = "median_polish",
) -> RolledUp:
    """Summarise peptides into proteins by median polish (Tukey 1977).

    Every protein is fitted as overall level + peptide + sample on its own log2 values, and its
    value in a sample is overall level + sample. Where samples fall into groups that share no
    peptide, their levels cannot be compared: the group with the most values is kept, the others
    are missing. A peptide that was never seen is left out. ``directlfq`` leaves the fit to the
    package of that name (Ammar 2023, Mol Cell Proteomics 22:100581).

    Args:
        peptides: Samples × peptides, log2, NaN is missing.
        protein: Protein of every peptide, indexed by peptide; empty for a peptide that several
            proteins share, which is left out.
        layer: Begins the names of the steps.
        method: One of ``aimwell.config.cohort.ROLLUPS``.

    Raises:
        AlignmentError: A peptide without a row in ``protein``.
        ConfigError: ``directlfq`` is asked for and not installed.

    Example:
        >>> seen = pd.DataFrame({"AAK": [10.0, 11], "CCR": [14.0, 15], "DDK": [9.0, 9]},
        ...     index=["s1", "s2"])
        >>> found = roll_up(seen, pd.Series({"AAK": "P1", "CCR": "P1", "DDK": ""}))
        >>> found.values["P1"].tolist(), int(found.peptides["P1"]), found.steps[0].rows_out
        ([12.0, 13.0], 2, 2)
    """
    if lost := sorted(set(peptides.columns) - set(protein.index)):
        raise AlignmentError(f"{len(lost)} peptides belong to no protein: {some(lost)}")
    values = peptides.sort_index(axis=0).sort_index(axis=1)
    owner = protein.reindex(values.columns).fillna("").astype(str)
    steps: list[Step] = []
    shared = (owner == "").to_numpy()
    if shared.any():
        why = "shared by proteins of several groups; such a peptide says nothing about one of them"
        examples = tuple(map(str, values.columns[shared][:3]))
        n = len(owner)
        steps.append(
            Step(f"{layer}: peptides of one protein", n, n - int(shared.sum()), why, examples)
        )
    use = ~shared & values.notna().any(axis=0).to_numpy()
    array, owners = values.to_numpy(float)[:, use], owner.to_numpy()[use]
    order = np.argsort(owners.astype(str), kind="stable")
    names, first = np.unique(owners[order].astype(str), return_index=True)
    made = np.full((len(values), len(names)), np.nan)
    split: list[str] = []
    blocks: list[Array] = []
    for j, rows in enumerate(np.split(order, first[1:]) if len(names) else []):
        block, whole = _comparable(array[:, rows].T)
        blocks.append(block)
        if method == "median_polish":
            made[:, j] = _median_polish(block)
        if not whole:
            split.append(str(names[j]))
    if method == "directlfq" and blocks:
        made = _direct_lfq(blocks)
    if split:
        why = "samples without a peptide in common with the others are missing for these proteins"
        n = len(names)
        steps.append(
            Step(f"{layer}: comparable samples", n, n, f"{len(split)}: {why}", tuple(split[:3]))
        )
    index = pd.Index([str(n) for n in names], dtype=str)
    counts = pd.Series(np.diff([*first, len(order)]).astype(float), index=index)
    return RolledUp(pd.DataFrame(made, values.index, index), counts, tuple(steps))


def _comparable(block: Array) -> tuple[Array, bool]:
    """Keep the largest set of samples that peptides connect; the first of equals by order."""
    seen = ~np.isnan(block)  # (peptides, samples)
    if len(block) == 1 or bool(seen.all(axis=1).any()):
        return block, True
    left = seen.any(axis=0)
    best: npt.NDArray[np.bool_] = np.zeros(block.shape[1], bool)
    size, groups = 0, 0
    while left.any():
        groups += 1
        group = np.zeros_like(left)
        group[np.flatnonzero(left)[0]] = True
        while True:
            wider = np.asarray(seen[seen[:, group].any(axis=1)].any(axis=0))
            if np.array_equal(wider, group):
                break
            group = wider
        if (n := int(seen[:, group].sum())) > size:
            best, size = group, n
        left &= ~group
    if groups == 1:
        return block, True
    return np.where(best, block, np.nan), False


def _direct_lfq(blocks: list[Array]) -> Array:
    """Fit every block of peptides × samples by directLFQ; samples × proteins, log2."""
    try:
        from directlfq import config, protein_intensity_estimation
    except ImportError as error:
        raise ConfigError(
            "rollup = 'directlfq' needs directlfq, which is not installed; "
            "pip install 'aimwell[directlfq]'"
        ) from error
    config.COPY_NUMPY_ARRAYS_DERIVED_FROM_PANDAS = True  # pandas 3 lends arrays to read only
    config.LOG_PROCESSED_PROTEINS = False
    logging.getLogger("directlfq").setLevel(logging.WARNING)
    logging.getLogger(protein_intensity_estimation.__name__).setLevel(logging.WARNING)
    owners = np.repeat(np.arange(len(blocks)), [len(b) for b in blocks])
    ions = np.arange(len(owners))
    names = [config.PROTEIN_ID, config.QUANT_ID]
    index = pd.MultiIndex.from_arrays([owners, ions], names=names)
    stacked = pd.DataFrame(np.vstack(blocks), index=index)
    found, _ = protein_intensity_estimation.estimate_protein_intensities(
        stacked, min_nonan=1, num_samples_quadratic=_QUADRATIC, num_cores=1
    )
    table = found.set_index(config.PROTEIN_ID).reindex(range(len(blocks))).to_numpy(float)
    with np.errstate(divide="ignore"):
        return np.where(table > 0, np.log2(table), np.nan).T


def _median_polish(block: Array) -> Array:
    """Overall level plus sample effects of a peptides × samples block."""
    rest = block[~np.isnan(block).all(axis=1)]
    if len(rest) == 1:
        return np.array(rest[0])
    overall, columns = 0.0, np.zeros(rest.shape[1])
    rows = np.zeros(len(rest))
    before = np.inf
    for _ in range(_MAX_ROUNDS):
        by_row = _medians(rest)
        rest = rest - by_row[:, None]
        rows += by_row
        shift = float(_medians(columns[None, :])[0])
        columns, overall = columns - shift, overall + shift
        by_column = _medians(rest.T)
        rest = rest - by_column
        columns = columns + by_column
        shift = float(_medians(rows[None, :])[0])
        rows, overall = rows - shift, overall + shift
        size = float(np.nansum(np.abs(rest)))
        if before - size <= _TOLERANCE * max(size, 1e-300) or size == 0:
            break
        before = size
    level: Array = overall + columns
    return level


def _medians(block: Any) -> Array:
    """Median of every row over what is there; NaN where nothing is."""
    ordered = np.sort(block, axis=1)  # NaN last
    n = (~np.isnan(ordered)).sum(axis=1)
    at = np.arange(len(ordered))
    low = ordered[at, np.maximum((n - 1) // 2, 0)]
    high = ordered[at, np.minimum(n // 2, ordered.shape[1] - 1)]
    return np.asarray(np.where(n > 0, (low + high) / 2, np.nan))
