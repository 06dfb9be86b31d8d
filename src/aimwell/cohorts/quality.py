"""Samples that do not look like the others, sexes that do not fit the sheet, and missing layers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd

from aimwell.cohorts.cohort import Cohort, Layer

#: Distance from the median, in robust standard deviations, beyond which a sample is told.
FAR: Final = 5.0
#: Differences too small to matter, whatever the spread: of log2 totals, of shares of genes, of
#: correlations.
SMALL: Final = {"total": 1.0, "detection": 0.05, "likeness": 0.1}
_FEW_SAMPLES: Final = 6
_MOST_GENES: Final = 3000
#: Genes that one sex expresses → names under which files know them.
SEX_GENES: Final = {
    "XIST": ("XIST", "ENSG00000229807", "7503", "HGNC:12810"),
    "RPS4Y1": ("RPS4Y1", "ENSG00000129824", "6192", "HGNC:10425"),
    "DDX3Y": ("DDX3Y", "ENSG00000067048", "8653", "HGNC:2699"),
    "KDM5D": ("KDM5D", "ENSG00000012817", "8284", "HGNC:11115"),
    "EIF1AY": ("EIF1AY", "ENSG00000198692", "9086", "HGNC:3252"),
    "UTY": ("UTY", "ENSG00000183878", "7404", "HGNC:12638"),
}
#: log2 by which Y genes must lie above XIST, or below it, to tell the sex.
SEX_MARGIN: Final = 1.0
_SEX_COLUMNS: Final = ("sex", "gender")
Presence = Literal["one layer", "vertical", "diagonal", "mosaic"]


@dataclass(frozen=True)
class Outlier:
    """A sample that lies far from the others of its layer.

    Attributes:
        measure: ``total`` (log2 of counts, or the median of log values), ``detection`` (share of
            genes seen), or ``likeness`` (upper quartile of the correlations with other samples).
        value, median: Of the sample, and over all samples.
        distance: In robust standard deviations.
    """

    layer: str
    sample: str
    measure: str
    value: float
    median: float
    distance: float


@dataclass(frozen=True)
class SexCheck:
    """What the genes of the sex chromosomes say of the samples of one layer.

    Attributes:
        genes: The genes that were found.
        female, male, unclear: Numbers of samples by their genes.
        column: Column of the sheet that states the sex; empty where none does.
        contradictions: Sample → what the sheet and what the genes say.
        subjects: Subjects whose samples differ.
    """

    layer: str
    genes: tuple[str, ...]
    female: int
    male: int
    unclear: int
    column: str
    contradictions: Mapping[str, tuple[str, str]]
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class PresenceCheck:
    """Which subjects have which layers.

    Attributes:
        pattern: ``vertical`` (all subjects have all layers), ``diagonal`` (no subject has two),
            ``mosaic`` (some have), or ``one layer``.
        subjects: Layers joined by `` + `` → number of subjects that have just these.
    """

    pattern: Presence
    subjects: Mapping[str, int]


def find_outliers(layer: Layer) -> tuple[Outlier, ...]:
    """Find samples with an odd total, few genes, or little likeness to any quarter of the others.

    A group of its own, such as a tissue, is no outlier as long as it makes up a quarter.

    Example:
        >>> rng = np.random.default_rng(1)
        >>> values = pd.DataFrame(rng.poisson(50, (8, 100)) + np.arange(100) ** 2 / 50)
        >>> values = values.round().set_axis([f"s{i}" for i in range(8)])
        >>> values.loc["s3"] = (values.loc["s3"] / 40).round()
        >>> layer = Layer("rna", "rna", "counts", values)
        >>> [(o.sample, o.measure) for o in find_outliers(layer)]
        [('s3', 'total')]
    """
    values = layer.values
    if len(values) < _FEW_SAMPLES:
        return ()
    logs = log_values(layer)
    total = np.log2(values.sum(axis=1) + 1) if layer.unit == "counts" else logs.median(axis=1)
    seen = values > 0 if layer.unit == "counts" else values.notna()
    measures = {"total": total, "detection": seen.mean(axis=1), "likeness": _likeness(logs)}
    found = []
    for measure, numbers in measures.items():
        middle = float(numbers.median())
        spread = 1.4826 * float((numbers - middle).abs().median())
        distance = (numbers - middle) / max(spread, SMALL[measure] / FAR)
        if measure != "total":
            distance = distance.clip(upper=0)  # only too little is odd
        found += [
            Outlier(layer.name, str(s), measure, float(numbers[s]), middle, float(distance[s]))
            for s in numbers.index[(distance.abs() > FAR).to_numpy()]
        ]
    return tuple(sorted(found, key=lambda o: (o.sample, list(measures).index(o.measure))))


def log_values(layer: Layer) -> pd.DataFrame:
    """Give the values of a layer on a log2 scale; counts per million, plus one."""
    values = layer.values
    if layer.unit == "counts":
        size = values.sum(axis=1).clip(lower=1)
        return (values.div(size, axis=0) * 1e6 + 1).transform(np.log2)
    return values.transform(np.log2) if layer.unit == "intensity" else values


def _likeness(logs: pd.DataFrame) -> "pd.Series[float]":
    """Upper quartile of the correlations of each sample with the others, on what both have."""
    known = logs.notna().mean()
    spread = logs.var(axis=0)
    use = spread[(known >= 0.5) & (spread > 0)].sort_values(ascending=False, kind="stable")
    table = logs[sorted(use.index[:_MOST_GENES])]
    if table.shape[1] < 3:
        return pd.Series(1.0, index=logs.index)
    centred = (table - table.mean()).to_numpy(float)
    mask = ~np.isnan(centred)
    # correlation of levels, not of changes: a mixed-up or degraded sample loses the levels
    level = np.where(mask, table.to_numpy(float), 0.0)
    n = mask.astype(float) @ mask.T
    sums, squares = level @ mask.T, level**2 @ mask.T
    with np.errstate(invalid="ignore", divide="ignore"):
        cov = level @ level.T / n - sums * sums.T / n**2
        var = squares / n - (sums / n) ** 2
        r = cov / np.sqrt(var * var.T)
    r[~np.isfinite(r)] = 0.0
    np.fill_diagonal(r, np.nan)
    return pd.Series(np.nanquantile(r, 0.75, axis=1), index=logs.index)


def sex_markers(values: pd.DataFrame) -> pd.DataFrame:
    """Take the genes of the sex chromosomes out of a file, under whatever name it has them.

    Args:
        values: Samples × feature names as written; versions of Ensembl ids are ignored.

    Returns:
        Samples × those of ``SEX_GENES`` that were found.
    """
    bare = pd.Series(values.columns, index=values.columns.str.replace(r"\.\d+$", "", regex=True))
    bare = bare[~bare.index.duplicated()]
    found = {gene: n for gene, names in SEX_GENES.items() for n in names if n in bare.index}
    return pd.DataFrame({gene: values[bare[name]] for gene, name in sorted(found.items())})


def check_sex(cohort: Cohort) -> tuple[SexCheck, ...]:
    """Compare XIST and genes of the Y chromosome with what the sheet says, per RNA layer.

    Tumours lose the Y chromosome and XIST, so a contradiction is a question, not a verdict.
    """
    return tuple(
        _check_sex(cohort, cohort.layers[name], cohort.markers[name])
        for name in sorted(cohort.layers)
        if cohort.layers[name].kind == "rna" and _tells(cohort.markers.get(name))
    )


def _tells(markers: pd.DataFrame | None) -> bool:
    return markers is not None and "XIST" in markers and markers.shape[1] > 1


def _check_sex(cohort: Cohort, layer: Layer, markers: pd.DataFrame) -> SexCheck:
    markers = markers.loc[layer.values.index]
    if layer.unit == "counts":
        size = layer.values.sum(axis=1).clip(lower=1)
        markers = (markers.div(size, axis=0) * 1e6 + 1).transform(np.log2)
    elif layer.unit == "intensity":
        markers = (markers.clip(lower=0) + 1).transform(np.log2)
    difference = markers.drop(columns="XIST").mean(axis=1) - markers["XIST"]
    if layer.unit == "log2_ratio":  # each gene is relative to its own reference
        difference = difference - (difference.min() + difference.max()) / 2
    told = pd.Series("unclear", index=difference.index)
    told[difference > SEX_MARGIN] = "male"
    told[difference < -SEX_MARGIN] = "female"
    sheet = cohort.samples.loc[difference.index]
    columns = [c for c in sheet.columns if str(c).strip().lower() in _SEX_COLUMNS]
    contradictions: dict[str, tuple[str, str]] = {}
    if columns:
        stated = sheet[columns[0]].astype(object).map(_sex, na_action="ignore")
        odd = stated.isin(["male", "female"]) & (told != "unclear") & (stated != told)
        contradictions = {str(s): (str(stated[s]), str(told[s])) for s in told.index[odd]}
    clear = told[told != "unclear"]
    several = clear.groupby(sheet.loc[clear.index, "subject"]).nunique()
    return SexCheck(
        layer=layer.name,
        genes=tuple(map(str, markers.columns)),
        female=int((told == "female").sum()),
        male=int((told == "male").sum()),
        unclear=int((told == "unclear").sum()),
        column=str(columns[0]) if columns else "",
        contradictions=contradictions,
        subjects=tuple(map(str, several.index[several > 1])),
    )


def _sex(value: object) -> str:
    text = str(value).strip().lower()
    return {"m": "male", "f": "female", "w": "female", "woman": "female", "man": "male"}.get(
        text, text
    )


def check_presence(cohort: Cohort) -> PresenceCheck:
    """Say which subjects have which layers.

    Example:
        >>> sheet = pd.DataFrame({"subject": ["p", "p", "q"]}, index=["a", "b", "c"])
        >>> one = Layer("rna", "rna", "log2", pd.DataFrame({"g": [1.0, 2.0]}, index=["a", "c"]))
        >>> two = Layer("protein", "protein", "log2", pd.DataFrame({"g": [1.0]}, index=["b"]))
        >>> check_presence(Cohort({"rna": one, "protein": two}, sheet))
        PresenceCheck(pattern='mosaic', subjects={'protein + rna': 1, 'rna': 1})
    """
    has: dict[str, list[str]] = {}
    for name in sorted(cohort.layers):
        for subject in cohort.samples.loc[cohort.layers[name].values.index, "subject"].unique():
            has.setdefault(str(subject), []).append(name)
    counts: dict[str, int] = {}
    for names in has.values():
        counts[" + ".join(names)] = counts.get(" + ".join(names), 0) + 1
    sizes = {len(names) for names in has.values()}
    pattern: Presence = "mosaic"
    if len(cohort.layers) < 2:
        pattern = "one layer"
    elif sizes == {len(cohort.layers)}:
        pattern = "vertical"
    elif sizes == {1}:
        pattern = "diagonal"
    return PresenceCheck(pattern, dict(sorted(counts.items())))
