"""What is in a cohort, and which of its contrasts can be tested."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from aimwell.cohorts.cohort import Cohort, FileNote, Layer
from aimwell.cohorts.design import build_design
from aimwell.cohorts.drift import DriftCheck, check_drift
from aimwell.cohorts.quality import (
    Outlier,
    PresenceCheck,
    SexCheck,
    check_presence,
    check_sex,
    find_outliers,
)
from aimwell.cohorts.swaps import SwapCheck, check_swaps
from aimwell.config import ContrastSettings
from aimwell.errors import DesignError
from aimwell.provenance import Step


@dataclass(frozen=True)
class LayerCheck:
    """One layer in numbers.

    Attributes:
        missing: Share of the cells without a value.
        low, median, high: Smallest, middle and largest value, in the unit of the layer.
        looks_like: What the values themselves suggest: ``counts``, ``log2 ratios``,
            ``logarithms`` or ``linear values``.
    """

    name: str
    kind: str
    unit: str
    samples: int
    genes: int
    missing: float
    low: float
    median: float
    high: float
    looks_like: str


@dataclass(frozen=True)
class ContrastCheck:
    """Whether one contrast can be tested, and with how many samples.

    Attributes:
        n_case, n_control: Samples that the test would use; if it cannot be tested, all samples
            of the layer with that level.
        n_pairs: Subjects with both arms; 0 without pairing.
        batches: Batch → arm → samples; empty without a batch.
        information: Share of the information on the condition that batch and covariates leave.
        verdict: ``accept``, ``warn`` or ``refuse``.
        problem: Why it cannot be tested; empty if it can.
        notes: What a reader should know.
    """

    name: str
    layer: str
    n_case: int
    n_control: int
    n_pairs: int = 0
    batches: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    information: float = float("nan")
    verdict: str = "refuse"
    problem: str = ""
    notes: tuple[str, ...] = ()

    @property
    def testable(self) -> bool:
        """Whether the contrast can be tested."""
        return not self.problem


@dataclass(frozen=True)
class CohortCheck:
    """Everything that ``aimwell cohort check`` says of a cohort.

    Attributes:
        files: What each file turned out to be.
        names: Layer → kind of name, such as ``approved symbol`` → how many of them became genes.
        presence: Which subjects have which layers.
        outliers: Samples far from the others.
        sexes: What genes of the sex chromosomes say.
        drifts: What changes over the order of measurement, where the sheet has one.
    """

    layers: tuple[LayerCheck, ...]
    contrasts: tuple[ContrastCheck, ...]
    swaps: tuple[SwapCheck, ...] = ()
    files: tuple[FileNote, ...] = ()
    names: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    presence: PresenceCheck = field(default_factory=lambda: PresenceCheck("one layer", {}))
    outliers: tuple[Outlier, ...] = ()
    sexes: tuple[SexCheck, ...] = ()
    drifts: tuple[DriftCheck, ...] = ()


def check_cohort(cohort: Cohort, contrasts: Iterable[ContrastSettings]) -> CohortCheck:
    """Describe every layer and try the design of every contrast; a bad one is told, not raised.

    Example:
        >>> ids = ["s1", "s2", "s3", "s4"]
        >>> values = pd.DataFrame({"HGNC:1": [1.0, -1.0, 0.5, None]}, index=ids)
        >>> sheet = pd.DataFrame({"subject": ids, "arm": ["x", "x", "y", "z"]}, index=ids)
        >>> cohort = Cohort({"protein": Layer("protein", "protein", "log2_ratio", values)}, sheet)
        >>> found = check_cohort(cohort, [ContrastSettings("xy", "protein", "arm", "y", "x")])
        >>> found.layers[0].missing, found.layers[0].looks_like
        (0.25, 'log2 ratios')
        >>> found.contrasts[0].testable, found.contrasts[0].n_case, found.contrasts[0].n_control
        (False, 1, 2)
    """
    contrasts = tuple(contrasts)
    return CohortCheck(
        layers=tuple(_describe(cohort.layers[name]) for name in sorted(cohort.layers)),
        contrasts=tuple(_try(cohort, contrast) for contrast in contrasts),
        swaps=check_swaps(cohort, contrasts),
        files=cohort.files,
        names=_kinds_of_names(cohort.identifiers),
        presence=check_presence(cohort),
        outliers=tuple(o for n in sorted(cohort.layers) for o in find_outliers(cohort.layers[n])),
        sexes=check_sex(cohort),
        drifts=check_drift(cohort, contrasts),
    )


def _kinds_of_names(identifiers: pd.DataFrame) -> dict[str, dict[str, int]]:
    if identifiers.empty:
        return {}
    mapped = identifiers[identifiers["status"] == "mapped"]
    # 'Ensembl gene, version .12 stripped' is an Ensembl gene
    kinds = mapped["how"].str.split(",").str[0]
    counts = kinds.groupby(mapped["layer"]).value_counts()
    return {
        str(layer): {str(kind): int(n) for kind, n in counts[layer].items()}
        for layer in sorted(set(mapped["layer"]))
    }


def _describe(layer: Layer) -> LayerCheck:
    array = layer.values.to_numpy(float)
    seen = array[~np.isnan(array)]
    low, median, high = (float(v) for v in np.quantile(seen, [0, 0.5, 1]))
    return LayerCheck(
        name=layer.name,
        kind=layer.kind,
        unit=layer.unit,
        samples=layer.values.shape[0],
        genes=layer.values.shape[1],
        missing=1 - len(seen) / array.size,
        low=low,
        median=median,
        high=high,
        looks_like=_guess(seen, layer.kind),
    )


def _guess(seen: np.ndarray, kind: str) -> str:
    # intensities of proteins are often written as whole numbers
    if kind == "rna" and np.all(seen % 1 == 0) and seen.min() >= 0 and seen.max() > 50:
        return "counts"
    if np.percentile(np.abs(seen), 99) > 50:
        return "linear values"
    return "log2 ratios" if np.mean(seen < 0) > 0.1 else "logarithms"


def _try(cohort: Cohort, contrast: ContrastSettings) -> ContrastCheck:
    measured = cohort.layers[contrast.layer].values.index
    try:
        design = build_design(cohort.samples, measured, contrast)
    except DesignError as error:
        return _untestable(cohort.samples.loc[measured], contrast, str(error))
    return ContrastCheck(
        name=contrast.name,
        layer=contrast.layer,
        n_case=design.n_case,
        n_control=design.n_control,
        n_pairs=design.n_pairs,
        batches=_batches(cohort.samples.loc[design.samples], contrast),
        information=design.information,
        verdict=design.verdict,
        notes=(*design.notes, *_samples_left_out(design.steps)),
    )


def _samples_left_out(steps: Iterable[Step]) -> list[str]:
    """Say which samples a missing value in the sheet takes away; filters were asked for."""
    return [
        f"{step.rows_in - step.rows_out} of {step.rows_in} samples are left out: {step.why}, as "
        f"for '{step.examples[0]}'"
        for step in steps
        if step.name.startswith("samples: need ") and step.why.endswith("is missing")
    ]


def _untestable(sheet: pd.DataFrame, contrast: ContrastSettings, problem: str) -> ContrastCheck:
    for column, level in contrast.where.items():
        if column in sheet.columns:
            sheet = sheet[levels_of(sheet[column]) == level]
    known = contrast.condition in sheet.columns
    arms = levels_of(sheet[contrast.condition]) if known else pd.Series(dtype=object)
    return ContrastCheck(
        name=contrast.name,
        layer=contrast.layer,
        n_case=int((arms == contrast.case).sum()),
        n_control=int((arms == contrast.control).sum()),
        batches=_batches(sheet, contrast),
        problem=problem,
    )


def _batches(sheet: pd.DataFrame, contrast: ContrastSettings) -> dict[str, dict[str, int]]:
    if contrast.batch not in sheet.columns or contrast.condition not in sheet.columns:
        return {}
    if not contrast.case:
        return {}  # a slope has no arms to count
    arms, batches = levels_of(sheet[contrast.condition]), levels_of(sheet[contrast.batch])
    return {
        str(batch): {
            arm: int(((batches == batch) & (arms == arm)).sum())
            for arm in (contrast.case, contrast.control)
        }
        for batch in sorted(batches.dropna().unique())
    }


def levels_of(values: "pd.Series[str]") -> "pd.Series[str]":
    """Write levels as text, whole numbers without a decimal point, as the design does."""
    whole = pd.api.types.is_float_dtype(values) and bool((values.dropna() % 1 == 0).all())
    plain = values.astype("Int64") if whole else values
    return plain.astype(object).map(str, na_action="ignore")
