"""From matrix files to one layer: units checked, names turned into genes, files joined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, cast

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.cohorts.cohort import Layer, Unit
from aimwell.cohorts.lengths import sum_counts
from aimwell.cohorts.measured import Measured
from aimwell.config import MatrixSettings
from aimwell.errors import CohortError, some
from aimwell.provenance import Step

#: No measurement reaches 2^50, so larger values are not logarithms.
_LARGEST_LOG2: Final = 50
#: Beyond this a single value is a slip of the pen, and its square no number any more.
_LARGEST_VALUE_LOG2: Final = 1000
#: Above 2^53 whole numbers are no longer exact, and no instrument counts that far.
_LARGEST_COUNT: Final = 2**53
#: Files of one layer may differ this much: a 16-fold shift, or spreads 4 times as wide.
_LARGEST_SHIFT_LOG2: Final = 4.0
_LARGEST_SPREAD_RATIO: Final = 4.0
_FEW_SHARED: Final = 20
#: Fewer features say nothing of a scale; logarithms differ by less than this factor.
_FEW_FOR_SCALE: Final = 100
_LOG_RANGE: Final = 8.0
#: Intensities of proteins spread over orders of magnitude; their ratios do not.
_RATIO_LIKE: Final = 0.95


@dataclass(frozen=True)
class MatrixFile:
    """One file as read: samples × feature names, both sorted, and what else its reader found."""

    path: Path
    settings: MatrixSettings
    values: pd.DataFrame
    measured: Measured

    @property
    def where(self) -> str:
        """The file and its layer, for messages."""
        return f"'{self.path}' (layer '{self.settings.layer}')"


def check_unit(file: MatrixFile) -> None:
    """Refuse values that contradict the declared unit.

    Raises:
        CohortError: Counts that are negative, fractional or too large, or a sample without one;
            logarithms that are counts or linear values, ratios of which none is below zero, or
            intensities that are not positive.
    """
    unit = file.settings.unit
    _refuse_copies(file)
    if unit in ("counts", "log2", "log2_ratio") and file.settings.normalise:
        _check_normalisation(file)
    array = file.values.to_numpy()
    seen = array[~np.isnan(array)]
    if unit == "counts":
        _refuse_cells(file, array < 0, "negative", "counts are 0, 1, 2 …; declare the true unit")
        hint = "declare unit = 'log2' if they are logarithms, 'intensity' if they are scaled"
        if not file.measured.offsets.size:  # with lengths they are estimates
            _refuse_cells(file, array % 1 != 0, "fractional", hint)
        _refuse_cells(file, array > _LARGEST_COUNT, "too large", "correct or remove them")
        _refuse_rounded_logarithms(file, seen)
        empty = file.values.index[np.nansum(array, axis=1) == 0]
        if len(empty):
            raise CohortError(
                f"{file.where}: {len(empty)} of {len(array)} samples have no count above zero: "
                f"{some(empty)}; remove them from the file and the sheet"
            )
    elif unit == "intensity":
        hint = "set zero_is_missing = true" if seen.min() == 0 else "declare unit = 'log2'"
        _refuse_cells(file, array <= 0, "not positive", f"{hint} or declare the true unit")
        _refuse_ratios(file)
        _refuse_logarithms(file, seen)
    else:
        _check_logarithms(file, seen)
        limit = f"beyond ±{_LARGEST_VALUE_LOG2}"
        _refuse_cells(file, np.abs(array) > _LARGEST_VALUE_LOG2, limit, "correct or remove them")


def _refuse_copies(file: MatrixFile) -> None:
    """Refuse two samples with the same numbers: one of them is a copy under another name."""
    if file.values.shape[1] < _FEW_FOR_SCALE:
        return
    again = file.values.duplicated(keep=False)
    for sample in file.values.index[again]:
        row = file.values.loc[sample]
        if row.nunique() < _FEW_SHARED:
            continue
        same = file.values.index[again & file.values.eq(row).sum(axis=1).eq(row.notna().sum())]
        raise CohortError(
            f"{file.where}: the samples {some(same)} have the same value in all "
            f"{row.notna().sum()} features, so one is a copy of the other under another name; "
            "remove it from the file and the sheet"
        )


def _refuse_rounded_logarithms(file: MatrixFile, seen: npt.NDArray[np.float64]) -> None:
    """Refuse whole numbers that rise too little to be counts of a library."""
    if file.values.shape[1] < _FEW_FOR_SCALE or file.settings.kind != "rna":
        return
    middle, high = float(np.median(seen)), float(seen.max())
    if middle >= 3 and high <= _LARGEST_LOG2 and high / middle < _LOG_RANGE:
        raise CohortError(
            f"{file.where} is declared as counts, but of {len(seen)} values none is above "
            f"{high:g} and half are at least {middle:g}; these look like rounded logarithms: give "
            "the counts themselves, or the logarithms with their decimals and unit = 'log2'"
        )


def _refuse_logarithms(file: MatrixFile, seen: npt.NDArray[np.float64]) -> None:
    """Refuse logarithms given as intensities, which spread over orders of magnitude."""
    if file.values.shape[1] < _FEW_FOR_SCALE:
        return
    low, middle, high = np.percentile(seen, [1, 50, 99])
    if seen.max() <= _LARGEST_LOG2 and middle >= 3 and high / low < _LOG_RANGE:
        raise CohortError(
            f"{file.where} is declared as intensity, but of {len(seen)} values none is above "
            f"{seen.max():.3g} and nearly all lie between {low:.3g} and {high:.3g}; these look "
            "like logarithms: declare unit = 'log2'"
        )


def _check_normalisation(file: MatrixFile) -> None:
    chosen, unit = file.settings.normalise, file.settings.unit
    if unit == "counts":
        raise CohortError(
            f"{file.where} holds counts, whose libraries are scaled by TMM; leave out normalise"
        )
    if chosen == "variance_stabilising":
        raise CohortError(
            f"{file.where}: normalise = '{chosen}' needs intensities, and the file holds {unit}; "
            "use 'none', 'median' or 'quantile'"
        )


def _refuse_ratios(file: MatrixFile) -> None:
    """Refuse ratios to a reference that are given as intensities: they lie around one."""
    if file.settings.kind != "protein":
        return
    levels = file.values.median(axis=0).dropna().to_numpy()
    if len(levels) < _FEW_SHARED or not 0.5 < float(np.median(levels)) < 2:
        return
    near = float(np.mean((levels > 1 / 8) & (levels < 8)))
    if near > _RATIO_LIKE:
        raise CohortError(
            f"{file.where} is declared as intensity, but {near:.0%} of {len(levels)} proteins have "
            f"a median between 1/8 and 8, around {float(np.median(levels)):.2f}; these look like "
            "ratios to a reference: take log2 of them and declare unit = 'log2_ratio'"
        )


def _check_logarithms(file: MatrixFile, seen: npt.NDArray[np.float64]) -> None:
    unit = file.settings.unit
    if np.all(seen % 1 == 0) and seen.max() > _LARGEST_LOG2:
        raise CohortError(
            f"{file.where} is declared as {unit}, but every value is whole and the largest is "
            f"{seen.max():g}, which looks like counts; declare unit = 'counts'"
        )
    if (high := float(np.percentile(np.abs(seen), 99))) > _LARGEST_LOG2:
        raise CohortError(
            f"{file.where} is declared as {unit}, but 1 % of the values exceed {high:g}, and 2^"
            f"{high:.0f} is no measurement; the values look linear: declare unit = 'intensity' or "
            "take logarithms"
        )
    if unit == "log2_ratio" and len(seen) >= 100 and seen.min() >= 0:
        raise CohortError(
            f"{file.where} is declared as log2_ratio, but none of {len(seen)} values is negative; "
            "log ratios lie on both sides of zero: declare unit = 'log2', or take logarithms"
        )


def _refuse_cells(file: MatrixFile, bad: npt.NDArray[np.bool_], what: str, hint: str) -> None:
    bad = bad & file.values.notna().to_numpy()
    if not bad.any():
        return
    i, j = np.argwhere(bad)[0]
    raise CohortError(
        f"{file.where} is declared as {file.settings.unit}, but {int(bad.sum())} of "
        f"{int(file.values.notna().to_numpy().sum())} values are {what}, for example "
        f"{file.values.iloc[i, j]:g} for '{file.values.columns[j]}' in sample "
        f"'{file.values.index[i]}'; {hint}"
    )


def check_files(files: Sequence[MatrixFile]) -> None:
    """Refuse files of one layer that cannot be joined.

    Raises:
        CohortError: Files differ in kind or unit, or share a sample.
    """
    first = files[0]
    for i, other in enumerate(files[1:], start=1):
        for key in ("kind", "unit", "zero_is_missing", "normalise"):
            a, b = getattr(first.settings, key), getattr(other.settings, key)
            if a != b:
                raise CohortError(
                    f"layer '{first.settings.layer}' joins files that differ in {key}: "
                    f"'{first.path}' has {a!r}, '{other.path}' has {b!r}; "
                    "give them different layers, or convert one"
                )
        estimated = [f.measured.offsets.size > 0 for f in (first, other)]
        if len(set(estimated)) > 1:
            one, two = (first, other) if estimated[0] else (other, first)
            raise CohortError(
                f"layer '{first.settings.layer}' joins counts with effective lengths, '{one.path}',"
                f" and counts without, '{two.path}'; give them different layers"
            )
        for earlier in files[:i]:
            both = earlier.values.index.intersection(other.values.index)
            if len(both):
                raise CohortError(
                    f"{len(both)} samples of layer '{first.settings.layer}' are in two files, "
                    f"'{earlier.path}' and '{other.path}': {some(both)}; every sample may be "
                    "measured once per layer, so rename or remove one of each"
                )


def build_layer(files: Sequence[MatrixFile], genes: "pd.Series[str]", steps: list[Step]) -> Layer:
    """Join the files of one layer over samples and their feature names into genes.

    Several names of one gene: counts are added up (missing where any part is); of other RNA the
    name with the highest mean is kept; of proteins the name measured in most samples, then the
    one with the highest median. The choice is made once for all files; a file that lacks the
    chosen name gives its next best one.

    Args:
        files: All files of the layer, as ``check_files`` passed them.
        genes: HGNC id of every feature name that has one, indexed by name.
        steps: Receives what was lost or merged, and why.

    Raises:
        CohortError: Files differ in scale or share no gene.
    """
    first = files[0].settings
    named = [replace(f, values=f.values[f.values.columns.intersection(genes.index)]) for f in files]
    order = _preference(named, genes, steps)
    ready = [replace(f, values=_to_genes(f, genes, order)) for f in named]
    values = _join(ready, steps) if len(ready) > 1 else ready[0].values
    values = values.sort_index(axis=0).sort_index(axis=1)
    seen = ~np.isnan(values.to_numpy()).all(axis=0)
    if not seen.all():
        steps.append(
            Step(
                f"{first.layer}: genes with a value",
                values.shape[1],
                int(seen.sum()),
                "missing in every sample",
                tuple(values.columns[~seen][:3]),
            )
        )
    lengths = [_lengths(f, genes) for f in named if f.measured.offsets.size]
    offsets = pd.concat(lengths) if lengths else pd.DataFrame()
    return Layer(
        name=first.layer,
        kind=first.kind,
        unit=cast(Unit, first.unit),
        values=values.loc[:, seen],
        missing_means="; ".join(sorted({f.measured.missing_means for f in files})),
        offsets=offsets.reindex(values.index, columns=values.columns[seen]) if lengths else offsets,
        peptides=_peptides(named, genes, order, values.columns[seen]),
        normalise=first.normalise,
        not_in_every_file=_not_in_every_file(ready),
    )


def _not_in_every_file(files: Sequence[MatrixFile]) -> frozenset[str]:
    lists = [frozenset(map(str, f.values.columns)) for f in files]
    return frozenset().union(*lists) - lists[0].intersection(*lists)


def _peptides(
    files: Sequence[MatrixFile], genes: "pd.Series[str]", order: pd.Index, wanted: pd.Index
) -> "pd.Series[float]":
    """Count the peptides of the name that stands for each gene; the fewest over files."""
    if not all(f.measured.peptides.size for f in files):
        return pd.Series(dtype=float)
    parts = []
    for file in files:
        mine = order.intersection(file.values.columns, sort=False)  # best first
        alone = file.values.columns.difference(mine)
        names = [*alone, *mine]
        of_gene = pd.Index(genes.loc[names].to_list())
        counts = file.measured.peptides.reindex(names).set_axis(of_gene)
        parts.append(counts[~of_gene.duplicated()])
    return pd.concat(parts).groupby(level=0).min().reindex(wanted)


def _lengths(file: MatrixFile, genes: "pd.Series[str]") -> pd.DataFrame:
    """Average the lengths of the names of each gene by their abundance."""
    values = file.values
    offsets = file.measured.offsets.loc[values.index, values.columns]
    return sum_counts(values, offsets, genes.loc[values.columns].to_list())[1]


def _preference(
    files: Sequence[MatrixFile], genes: "pd.Series[str]", steps: list[Step]
) -> pd.Index:
    """List the names that share a gene with another name, best first."""
    settings = files[0].settings
    used = pd.Index(sorted(set().union(*(f.values.columns for f in files))))
    of_gene = genes.loc[used]
    shared = used[of_gene.duplicated(keep=False).to_numpy()]
    if not len(shared):
        return shared
    stacked = pd.concat([f.values.reindex(columns=shared) for f in files]).sort_index()
    table = pd.DataFrame({"gene": of_gene.loc[shared], "observed": stacked.notna().sum()})
    is_rna = settings.kind == "rna"
    table["level"] = stacked.mean() if is_rna else stacked.median()
    table["name"] = table.index
    by = ["level", "name"] if is_rna else ["observed", "level", "name"]
    table = table.sort_values(by, ascending=[b == "name" for b in by], na_position="last")
    rule = "kept the name with the highest mean" if is_rna else "kept the name measured most often"
    rule = "counts added up" if settings.unit == "counts" else rule
    examples = table.groupby("gene", sort=True)["name"].agg(" > ".join)
    steps.append(
        Step(
            f"{settings.layer}: one row per gene",
            len(used),
            int(of_gene.nunique()),
            f"{len(examples)} genes have several names: {rule}",
            tuple(f"{gene}: {names}" for gene, names in examples.iloc[:3].items()),
        )
    )
    return table.index


def _to_genes(file: MatrixFile, genes: "pd.Series[str]", order: pd.Index) -> pd.DataFrame:
    values = file.values
    mine = order.intersection(values.columns, sort=False)  # best first
    alone = values.columns.difference(mine)
    single = values[alone].set_axis(genes.loc[alone].to_numpy(), axis=1)
    if not len(mine):
        return single
    several, of_gene = values[mine], genes.loc[mine].to_numpy()
    if file.settings.unit == "counts":
        lacking = several.isna().T.groupby(of_gene).any().T
        merged = several.T.groupby(of_gene).sum().T.mask(lacking)
    else:
        best = ~pd.Index(of_gene).duplicated()
        merged = several.loc[:, best].set_axis(of_gene[best], axis=1)
    return pd.concat([single, merged], axis=1)


def _join(files: Sequence[MatrixFile], steps: list[Step]) -> pd.DataFrame:
    layer = files[0].settings.layer
    shared = set.intersection(*(set(f.values.columns) for f in files))
    if not shared:
        raise CohortError(
            f"the {len(files)} files of layer '{layer}' share no gene; are they the same assay?"
        )
    for other in files[1:]:
        _refuse_other_scale(files[0], other)
    joined = pd.concat([f.values for f in files])
    partial = sorted(set(joined.columns) - shared)
    steps.append(
        Step(
            f"{layer}: join {len(files)} files over samples",
            len(joined.columns),
            len(joined.columns),
            f"{len(joined)} samples; {len(partial)} genes are not in every file "
            "and count as missing in the samples of the others",
            tuple(partial[:3]),
        )
    )
    return joined


def _refuse_other_scale(one: MatrixFile, other: MatrixFile) -> None:
    shared = one.values.columns.intersection(other.values.columns).sort_values()
    a, b = (_log2(f).loc[:, shared].sort_index() for f in (one, other))
    shifts = (a.median() - b.median()).dropna()
    if len(shifts) < _FEW_SHARED:
        return
    shift = float(shifts.median())
    spreads = [float(np.subtract(*np.nanpercentile(x, [75, 25]))) for x in (a, b)]
    ratio = max(spreads) / max(min(spreads), 1e-12)
    if abs(shift) > _LARGEST_SHIFT_LOG2 or ratio > _LARGEST_SPREAD_RATIO:
        raise CohortError(
            f"layer '{one.settings.layer}' joins files on different scales: over "
            f"{len(shifts)} shared genes '{one.path}' and '{other.path}' differ by {abs(shift):.1f}"
            f" in the median and {ratio:.1f}-fold in spread (on the log2 scale); "
            "bring them to one scale, or give them different layers"
        )


def _log2(file: MatrixFile) -> pd.DataFrame:
    linear = file.settings.unit in ("counts", "intensity")
    return file.values.transform(lambda x: np.log2(x + 1)) if linear else file.values
