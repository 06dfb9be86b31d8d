"""A cohort as it was measured: one matrix per layer and one sheet of samples."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pandas as pd

from aimwell.errors import CohortError, some
from aimwell.provenance import Source, Step

Unit = Literal["counts", "log2", "log2_ratio", "intensity"]
UNITS: Final = ("counts", "log2", "log2_ratio", "intensity")
KINDS: Final = ("rna", "protein")


@dataclass(frozen=True)
class Layer:
    """One layer of measurements on genes.

    Attributes:
        name: As in the run file.
        kind: ``rna`` or ``protein``.
        unit: ``counts`` (non-negative whole numbers), ``log2``, ``log2_ratio`` or ``intensity``
            (positive, linear).
        values: Samples × genes; index sample ids, columns HGNC ids, both sorted; NaN is missing.
        missing_means: In words, what a missing value means in this layer.
        offsets: Same shape as ``values``, natural logarithm of the effective length that counts
            are to be divided by; empty where it does not vary between samples. Counts with
            offsets are estimates, and may be fractional.
        peptides: Peptides (or spectra) that each gene's protein rests on, indexed by gene; empty
            where the format does not say.
        not_in_every_file: Genes that some file of the layer does not list. Whether their proteins
            were looked for and not seen there, nobody knows, so their detection is not tested.
        normalise: How samples are brought to one level before a test, one of
            ``aimwell.config.cohort.NORMALISATIONS``; empty is the default of the unit.

    Raises:
        CohortError: Duplicates, infinities, or values that contradict the unit.
    """

    name: str
    kind: str
    unit: Unit
    values: pd.DataFrame
    missing_means: str = "not measured"
    offsets: pd.DataFrame = field(default_factory=pd.DataFrame)
    peptides: "pd.Series[float]" = field(default_factory=lambda: pd.Series(dtype=float))
    normalise: str = ""
    not_in_every_file: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        where = f"layer '{self.name}'"
        if self.kind not in KINDS:
            raise CohortError(f"{where} has kind '{self.kind}'; use one of {some(KINDS)}")
        if self.unit not in UNITS:
            raise CohortError(f"{where} has unit '{self.unit}'; use one of {some(UNITS, 4)}")
        for axis, ids in (("samples", self.values.index), ("genes", self.values.columns)):
            if not ids.is_unique:
                raise CohortError(f"{where} has duplicated {axis}: {some(ids[ids.duplicated()])}")
        array = self.values.to_numpy(float)
        if np.isinf(array).any():
            raise CohortError(f"{where} has {int(np.isinf(array).sum())} infinite values")
        seen = array[~np.isnan(array)]
        whole = self.offsets.size > 0 or not np.any(seen != np.round(seen))
        if self.unit == "counts" and (np.any(seen < 0) or not whole):
            raise CohortError(
                f"{where} is declared as counts but has "
                f"{int(np.sum(seen < 0))} negative and {int(np.sum(seen != np.round(seen)))} "
                "fractional values; declare unit = 'log2' if the values are logarithms"
            )
        if self.offsets.size:
            same = self.offsets.index.equals(self.values.index)
            if not same or not self.offsets.columns.equals(self.values.columns):
                raise CohortError(f"{where} has lengths of other samples or genes than its counts")
        if self.unit == "intensity" and np.any(seen <= 0):
            raise CohortError(
                f"{where} is declared as intensity but has {int(np.sum(seen <= 0))} values that "
                "are not positive; set zero_is_missing = true or declare another unit"
            )


@dataclass(frozen=True)
class FileNote:
    """What one file of measurements turned out to be.

    Attributes:
        file: Its name.
        layer: Its layer.
        reader: The reader that the run file names.
        looks_like: The format that its first lines show; empty where they are those of any table.
        unit: Unit of its values.
        samples, features: How many, before names become genes.
        missing_means: In words, what a missing value means.
    """

    file: str
    layer: str
    reader: str
    looks_like: str
    unit: str
    samples: int
    features: int
    missing_means: str


@dataclass(frozen=True)
class Cohort:
    """Layers and their sample sheet.

    Attributes:
        layers: Name → ``Layer``.
        samples: One row per sample of any layer, indexed by sample id, sorted; columns
            ``subject`` and whatever the sheet holds (condition, batch, covariates).
        sources: The files.
        identifiers: Every feature name of every file: columns ``layer``, ``name``, ``hgnc_id``,
            ``symbol``, ``status`` (mapped, ambiguous, lost), ``how``, ``candidates``.
        steps: Rows in and out of every step.
        files: What each file of measurements turned out to be.
        markers: Layer → samples × genes of the sex chromosomes, as measured.

    Raises:
        CohortError: A measured sample without a row in the sheet, or duplicate samples.
    """

    layers: Mapping[str, Layer]
    samples: pd.DataFrame
    sources: tuple[Source, ...] = ()
    identifiers: pd.DataFrame = field(default_factory=pd.DataFrame, compare=False)
    steps: tuple[Step, ...] = field(default=(), compare=False)
    files: tuple[FileNote, ...] = field(default=(), compare=False)
    markers: Mapping[str, pd.DataFrame] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.samples.index.is_unique:
            twice = self.samples.index[self.samples.index.duplicated()]
            raise CohortError(f"the sample sheet holds samples twice: {some(twice)}")
        if "subject" not in self.samples.columns:
            raise CohortError("the sample sheet has no column 'subject'")
        for layer in self.layers.values():
            unknown = layer.values.index.difference(self.samples.index)
            if len(unknown):
                raise CohortError(
                    f"layer '{layer.name}' has {len(unknown)} samples without a row in the "
                    f"sample sheet: {some(unknown)}"
                )
