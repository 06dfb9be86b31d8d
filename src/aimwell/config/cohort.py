"""Settings of a cohort: its files, its sample sheet, and what is compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: Readers of measurements that ``[[cohort.matrices]]`` may name.
COHORT_READERS: Final = ("matrix",)


@dataclass(frozen=True)
class MatrixSettings:
    """One file of measurements of one layer.

    ``reader`` is one of ``COHORT_READERS``. A plain ``matrix`` needs ``unit``; the other readers
    know theirs. ``quantity`` chooses among the columns that a format offers for each sample.
    ``subject_pattern`` is a regular expression whose first group is the subject in a sample name.
    ``set`` gives every sample of the file fixed columns in the sample sheet.
    """

    path: str
    layer: str
    kind: str
    unit: str = ""
    reader: str = "matrix"
    quantity: str = ""
    genes_in: str = "rows"
    zero_is_missing: bool = False
    subject_pattern: str = "^(.*)$"
    set: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class SheetSettings:
    """The sample sheet; ``per`` says whether its ids name samples or subjects."""

    path: str
    per: str = "sample"
    samples_in: str = "rows"
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class CohortSettings:
    """Matrices, their sheet, and what to do with samples that only one of them knows."""

    matrices: tuple[MatrixSettings, ...]
    sheet: SheetSettings
    unmatched_samples: str = "refuse"


@dataclass(frozen=True)
class ContrastSettings:
    """One comparison in one layer.

    ``subject`` names the column that pairs samples; ``batch`` and ``covariates`` are columns of
    the sheet that enter the model; ``where`` keeps the samples whose columns have these values.
    """

    name: str
    layer: str
    condition: str
    case: str
    control: str
    subject: str = ""
    batch: str = ""
    covariates: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    accept_confounding: bool = False
