"""Other cohorts that might have been: conditions permuted, subjects drawn again, values shaken."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.config import ContrastSettings
from aimwell.config.formula import asked_columns

#: A condition with more values than this among the subjects is a number, not a group.
MOST_LEVELS: Final = 8


def permute_samples(
    cohort: Cohort, contrasts: Sequence[ContrastSettings], rng: np.random.Generator
) -> Cohort:
    """Give every condition to other samples, as if it had nothing to do with what was measured.

    Where a condition varies inside subjects, each subject's levels are swapped or left with equal
    chance; where it belongs to the subject, subjects of one batch exchange it. All layers see the
    same exchange. Time and event of a survival stay together; batch and covariates stay where they
    are.

    Args:
        cohort: As it was read.
        contrasts: Those that are tested; their conditions are permuted, each column once.
        rng: Draws the exchange.
    """
    sheet = cohort.samples.copy()
    seen: set[tuple[str, ...]] = set()
    for contrast in sorted(contrasts, key=lambda c: c.name):
        columns = asked_columns(contrast)
        if columns in seen:
            continue
        seen.add(columns)
        same = [c for c in contrasts if asked_columns(c) == columns]
        rows = np.zeros(len(sheet), bool)
        for one in same:
            rows |= _used(cohort.samples, one)
        inside = cohort.samples[rows]
        if inside.empty:
            continue
        batch = next((c.batch for c in same if c.batch), "")
        paired = next((c.subject for c in same if c.subject), "subject")
        if _varies(inside, columns, paired):
            order = _swap_inside(inside, paired, rng)
        else:
            strata = [batch] if batch else []
            strata += [c.stratum for c in same if c.stratum][:1]
            order = _exchange(inside, strata, rng)
        for column in columns:
            values = inside[column].to_numpy()[order]
            sheet.loc[rows, column] = values
    return replace(cohort, samples=sheet)


def bootstrap_samples(
    cohort: Cohort, contrasts: Sequence[ContrastSettings], rng: np.random.Generator
) -> Cohort:
    """Draw subjects with replacement inside every combination of conditions and batch.

    A subject brings all its samples in all layers; a subject drawn twice comes back under a name
    of its own, so that pairs stay pairs.

    Args:
        cohort: As it was read.
        contrasts: Their conditions and batches make the strata.
        rng: Draws the subjects.
    """
    sheet = cohort.samples
    subject = sheet["subject"].astype(str)
    stratum = _signatures(sheet, contrasts)
    drawn: list[tuple[str, str]] = []
    for _, names in sorted(stratum.groupby(stratum).groups.items()):
        members = np.array(sorted(names))
        for copy, name in _numbered(rng.choice(members, len(members))):
            drawn.append((name, name if copy == 0 else f"{name}#{copy}"))
    rows_of = {s: index.to_numpy() for s, index in subject.groupby(subject).groups.items()}
    old = np.concatenate([rows_of[name] for name, _ in drawn])
    tail = np.concatenate([np.repeat(new[len(name) :], len(rows_of[name])) for name, new in drawn])
    again = pd.Series(old, index=[f"{s}{t}" for s, t in zip(old, tail, strict=True)])
    samples = sheet.loc[again.to_numpy()].set_axis(again.index, axis=0)
    # pairs and blocks of a copy are its own
    named = {"subject", *(c.subject for c in contrasts), *(c.block for c in contrasts)} - {""}
    for column in sorted(named):
        samples[column] = samples[column].astype(str) + tail
    layers = {name: _drawn(layer, again) for name, layer in cohort.layers.items()}
    samples.index.name = sheet.index.name
    return replace(cohort, layers=layers, samples=samples.sort_index())


def shake(values: np.ndarray, rng: np.random.Generator, share: float) -> np.ndarray:
    """Add normal noise of ``share`` of the spread of every column; zeros (missing) stay zero."""
    noise = rng.normal(0, 1, values.shape) * values.std(axis=0, keepdims=True) * share
    shaken: np.ndarray = (values + np.where(values == 0, 0, noise)).astype(values.dtype)
    return shaken


def _used(sheet: pd.DataFrame, contrast: ContrastSettings) -> np.ndarray:
    """Tell the samples that a contrast compares."""
    rows = np.ones(len(sheet), bool)
    for column, value in contrast.where.items():
        rows &= sheet[column].astype(str).to_numpy() == value
    for column in asked_columns(contrast):
        rows &= sheet[column].notna().to_numpy()
    if contrast.case and contrast.control:
        levels = sheet[contrast.condition].astype(str)
        rows &= levels.isin([contrast.case, contrast.control]).to_numpy()
    return rows


def _varies(sheet: pd.DataFrame, columns: tuple[str, ...], paired: str) -> bool:
    """Tell whether at least half of the subjects have several levels."""
    levels = sheet.groupby(paired)[columns[0]].nunique()
    return bool((levels > 1).mean() >= 0.5)


def _swap_inside(sheet: pd.DataFrame, paired: str, rng: np.random.Generator) -> np.ndarray:
    """Turn the order of samples inside every subject, or leave it, with equal chance."""
    order = np.arange(len(sheet))
    subjects = sheet[paired].astype(str)
    for name in sorted(subjects.unique()):
        places = np.flatnonzero(subjects.to_numpy() == name)
        order[places] = places[rng.permutation(len(places))]
    return order


def _exchange(sheet: pd.DataFrame, strata: list[str], rng: np.random.Generator) -> np.ndarray:
    """Let the subjects of one stratum exchange their values; gives the row to take from."""
    first = sheet.reset_index(drop=True).drop_duplicates("subject")
    key = pd.Series("", index=first.index)
    for column in strata:
        key = key + "\x1f" + _words(first[column])
    taken: dict[str, int] = {}
    for _, rows in sorted(first.groupby(key).groups.items()):
        places = np.array(sorted(rows, key=lambda r: str(first.loc[r, "subject"])))
        for place, other in zip(places, rng.permutation(places), strict=True):
            taken[str(first.loc[place, "subject"])] = int(other)
    return np.array([taken[s] for s in sheet["subject"].astype(str)])


def _signatures(sheet: pd.DataFrame, contrasts: Sequence[ContrastSettings]) -> "pd.Series[str]":
    """Name the stratum of every subject: its levels of every condition, and its batches."""
    columns: list[str] = []
    for contrast in contrasts:
        held = [contrast.event] if contrast.test == "survival" else asked_columns(contrast)
        columns += [*held, *([contrast.batch] if contrast.batch else [])]
        columns += [contrast.stratum] if contrast.stratum else []
    kept = [c for c in dict.fromkeys(columns) if sheet[c].astype(str).nunique() <= MOST_LEVELS]
    names = sheet["subject"].astype(str)
    text = names.map(lambda _: "")
    for column in kept:
        text = text + "\x1f" + _words(sheet[column])
    return text.groupby(names).agg(lambda values: "\x1e".join(sorted(values)))


def _words(column: pd.Series) -> "pd.Series[str]":
    """Write a column as text; what is missing is a level of its own."""
    return column.astype(str).where(column.notna(), "")


def _numbered(names: np.ndarray) -> list[tuple[int, str]]:
    count: dict[str, int] = {}
    found = []
    for name in names.tolist():
        found.append((count.get(name, 0), name))
        count[name] = count.get(name, 0) + 1
    return found


def _drawn(layer: Layer, again: "pd.Series[str]") -> Layer:
    mine = again[again.isin(layer.values.index)].sort_index()
    rows = mine.tolist()

    def take(table: pd.DataFrame) -> pd.DataFrame:
        return table.loc[rows].set_axis(mine.index, axis=0)

    offsets = take(layer.offsets) if layer.offsets.size else layer.offsets
    return replace(layer, values=take(layer.values), offsets=offsets)
