"""What a reader of measurements returns, whatever the vendor and the format."""

from dataclasses import dataclass, field
from typing import cast

import pandas as pd

from aimwell.cohorts.cohort import Unit
from aimwell.config import MatrixSettings
from aimwell.errors import ConfigError
from aimwell.provenance import Step


@dataclass(frozen=True)
class Measured:
    """One file of one layer as its vendor wrote it.

    Attributes:
        values: Samples × feature names as written, float64, NaN where missing; in file order.
        unit: Unit of the values. Readers of one vendor know it; of a plain matrix it is declared.
        missing_means: In words, what a missing value means in this format.
        peptides: Peptides (or precursors) that a feature rests on, indexed by feature name; empty
            where the format does not say.
        offsets: Samples × feature names, natural logarithm of the effective length by which counts
            are to be divided; empty where it does not vary between samples.
        stated: Samples × columns that the file itself says of its samples (batch, plate, channel).
        steps: Rows in and out within the file: decoys, contaminants, failed controls.
    """

    values: pd.DataFrame
    unit: Unit
    missing_means: str = "not measured"
    peptides: "pd.Series[float]" = field(default_factory=lambda: pd.Series(dtype=float))
    offsets: pd.DataFrame = field(default_factory=pd.DataFrame)
    stated: pd.DataFrame = field(default_factory=pd.DataFrame)
    steps: tuple[Step, ...] = ()


def declared_unit(where: str, settings: MatrixSettings, format_name: str) -> Unit:
    """Take the unit that the run file declares, for formats that do not say what numbers are.

    Raises:
        ConfigError: None is declared.
    """
    if not settings.unit:
        raise ConfigError(
            f"{where} (layer '{settings.layer}') is {format_name}, which does not say what its "
            "numbers are; declare unit = 'counts', 'tpm', 'log2', 'log2_ratio' or 'intensity'"
        )
    return cast(Unit, settings.unit)
