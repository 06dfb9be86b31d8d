"""Which samples a contrast uses: columns, levels and values checked, every sample lost counted."""

import difflib
import re
from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.terms import check_columns
from aimwell.config import ContrastSettings
from aimwell.config.formula import read_formula
from aimwell.errors import DesignError, some
from aimwell.provenance import Step

#: Below this share of subjects with both arms, pairing throws away more than it gains.
PAIRED_SHARE: Final = 0.8


def select_samples(
    samples: pd.DataFrame,
    sample_ids: Iterable[str],
    contrast: ContrastSettings,
    steps: list[Step],
    notes: list[str],
) -> pd.DataFrame:
    """Give the rows of the sheet that a contrast compares, every needed column known.

    Args:
        samples: Sample sheet.
        sample_ids: Samples that were measured in the layer.
        contrast: What is compared.
        steps: Receives samples in and out of every step.
        notes: Receives what was lost for a gap or a slip of the pen.

    Raises:
        DesignError: A sample without a row, an unknown column or level, or values of a condition
            that should be numbers and are not.
    """
    measured = pd.Index(sorted(set(sample_ids)))
    if len(unknown := measured.difference(samples.index)):
        raise DesignError(
            f"contrast '{contrast.name}': {len(unknown)} measured samples have no row in the "
            f"sample sheet: {some(unknown)}"
        )
    sheet = samples.loc[measured]
    named: tuple[str, ...] = (contrast.condition, contrast.stratum, contrast.time, contrast.event)
    if contrast.test == "formula":
        try:
            columns = read_formula(contrast.formula).columns
            check_columns(contrast.formula, columns, list(map(str, sheet.columns)))
        except DesignError as error:
            raise DesignError(f"contrast '{contrast.name}': {error}") from error
        named = (*named, *columns)
    others = (contrast.batch, contrast.subject, contrast.block, *contrast.covariates)
    for column in dict.fromkeys((*named, *contrast.where, *others)):
        if column:
            check_column(sheet, column, contrast)
    for column, level in contrast.where.items():
        check_level(sheet, column, level, contrast)
        keep = text_of(sheet[column]) == level
        sheet = keep_samples(
            sheet, keep, f"keep {column} = {level}", "other or missing value", steps
        )
    if contrast.test in ("arms", "interaction"):
        arms = (contrast.case, contrast.control)
        _note_lost_levels(sheet, contrast.condition, arms, notes)
        sheet = _keep_levels(sheet, contrast.condition, arms, contrast, steps)
    if contrast.test == "interaction":
        _note_lost_levels(sheet, contrast.stratum, contrast.strata, notes)
        sheet = _keep_levels(sheet, contrast.stratum, contrast.strata, contrast, steps)
    if contrast.test in ("arms", "interaction"):  # their levels were chosen above
        named = ()
    for column in dict.fromkeys((*named, *others)):
        if column:
            known = text_of(sheet[column]).notna()
            sheet = keep_samples(sheet, known, f"need {column}", f"'{column}' is missing", steps)
    return sheet


def _note_lost_levels(
    sheet: pd.DataFrame, column: str, levels: tuple[str, ...], notes: list[str]
) -> None:
    """Say which samples leave for a gap or a slip of the pen; other levels leave on purpose."""
    found = text_of(sheet[column])
    if gaps := int(found.isna().sum()):
        notes.append(f"{gaps} of {len(found)} samples are left out: '{column}' is missing")
    plain = {_plain(level): level for level in levels}
    for odd, count in found[~found.isin(levels)].value_counts().sort_index().items():
        if (meant := plain.get(_plain(str(odd)))) is not None:
            notes.append(
                f"{count} of {len(found)} samples are left out: their {column} is '{odd}', which "
                f"differs from '{meant}' by case or marks only; correct the sample sheet"
            )


def _plain(text: str) -> str:
    return re.sub(r"[^0-9a-z]", "", text.lower())


def _keep_levels(
    sheet: pd.DataFrame,
    column: str,
    levels: tuple[str, ...],
    contrast: ContrastSettings,
    steps: list[Step],
) -> pd.DataFrame:
    one, other = levels
    for level in levels:
        check_level(sheet, column, level, contrast)
    if one == other:
        what = "case and control" if column == contrast.condition else "strata"
        raise DesignError(
            f"contrast '{contrast.name}': {what} are both '{one}'; name two levels of '{column}'"
        )
    keep = text_of(sheet[column]).isin(levels)
    why = f"'{column}' is missing or another level"
    return keep_samples(sheet, keep, f"keep {one} and {other}", why, steps)


def keep_samples(
    sheet: pd.DataFrame, keep: "pd.Series[bool]", name: str, why: str, steps: list[Step]
) -> pd.DataFrame:
    """Keep some rows, and count the others in a step."""
    if not keep.all():
        gone = tuple(map(str, sheet.index[~keep][:3]))
        steps.append(Step(f"samples: {name}", len(sheet), int(keep.sum()), why, gone))
    return sheet.loc[keep]


def pair_samples(
    sheet: pd.DataFrame, contrast: ContrastSettings, steps: list[Step], notes: list[str]
) -> tuple[pd.DataFrame, int]:
    """Keep subjects within which the condition differs, and count them.

    Raises:
        DesignError: Fewer than two such subjects.
    """
    subject = text_of(sheet[contrast.subject])
    arms = text_of(sheet[contrast.condition]).groupby(subject).nunique()
    both = arms.index[arms >= 2]
    slope = contrast.test in ("slope", "any")
    needed = f"'{contrast.case}' and '{contrast.control}'"
    needed = f"two values of '{contrast.condition}'" if slope else f"both {needed}"
    if len(both) < 2:
        raise DesignError(
            f"contrast '{contrast.name}' pairs samples by '{contrast.subject}', but {len(both)} of "
            f"{len(arms)} subjects have {needed} and at "
            "least 2 are needed; leave out 'subject' to compare the arms unpaired"
        )
    share = len(both) / len(arms)
    if share < PAIRED_SHARE:
        notes.append(
            f"only {len(both)} of {len(arms)} subjects have "
            f"{needed if slope else 'both arms'}; the others carry no "
            "information in a paired model, so consider the unpaired contrast"
        )
    why = f"the subject lacks '{contrast.case}' or '{contrast.control}'"
    why = f"the subject has one value of '{contrast.condition}'" if slope else why
    name = "need two values of a subject" if slope else "need both arms of a subject"
    return keep_samples(sheet, subject.isin(both), name, why, steps), len(both)


def condition_numbers(sheet: pd.DataFrame, contrast: ContrastSettings) -> "pd.Series[float]":
    """Read the condition of a slope as numbers.

    Raises:
        DesignError: Text that is no number, or the same number everywhere.
    """
    return numbers_or_refuse(
        sheet, contrast.condition, contrast, "name case and control to compare its levels"
    )


def numbers_or_refuse(
    sheet: pd.DataFrame, column: str, contrast: ContrastSettings, hint: str
) -> "pd.Series[float]":
    """Read a column as numbers.

    Raises:
        DesignError: Text that is no number, or an infinite one.
    """
    values = sheet[column]
    if values.dtype == bool:
        values = values.astype(object).map(str)
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    bad = numbers.index[~np.isfinite(numbers)]
    if len(bad):
        raise DesignError(
            f"contrast '{contrast.name}': '{column}' must hold numbers for test = "
            f"'{contrast.test}', found {str(sheet.loc[bad[0], column])!r} for '{bad[0]}' and "
            f"{len(bad)} such samples in all; correct the sample sheet, or {hint}"
        )
    return numbers


def follow_up(sheet: pd.DataFrame, contrast: ContrastSettings) -> pd.DataFrame:
    """Read ``time`` and ``event`` of every sample, and the ``stratum`` whose hazard it shares.

    Raises:
        DesignError: Times that are not positive numbers, an event that is neither 0 nor 1 and has
            no ``event_level``, fewer than two events, or a subject with several samples.
    """
    time = numbers_or_refuse(sheet, contrast.time, contrast, "leave these samples out")
    what = f"contrast '{contrast.name}': '{contrast.time}'"
    if len(bad := time.index[time <= 0]):
        raise DesignError(
            f"{what} must be a positive time, found {time[bad[0]]:g} for '{bad[0]}' and {len(bad)} "
            "such samples in all; correct the sample sheet, or leave these samples out"
        )
    found = text_of(sheet[contrast.event])
    if contrast.event_level:
        check_level(sheet, contrast.event, contrast.event_level, contrast)
        event = found == contrast.event_level
    else:
        words = found.str.lower()
        if len(odd := sorted(set(words) - {"0", "1", "true", "false"})):
            raise DesignError(
                f"contrast '{contrast.name}': '{contrast.event}' holds {some(odd)}; write 1 where "
                "the event came and 0 where it did not, or say which level is the event in "
                "event_level"
            )
        event = words.isin(["1", "true"])
    if event.sum() < 2 or len(event) < 4:
        raise DesignError(
            f"contrast '{contrast.name}': {int(event.sum())} of {len(event)} samples of layer "
            f"'{contrast.layer}' have the event after all filters; at least 2 events in 4 samples "
            "are needed"
        )
    if "subject" in sheet.columns:
        subject = text_of(sheet["subject"]).dropna()
        if len(twice := sorted(set(subject[subject.duplicated()]))):
            raise DesignError(
                f"contrast '{contrast.name}': {len(twice)} subjects have several samples "
                f"({some(twice)}), but each dies once; keep one of each with where"
            )
    stratum = text_of(sheet[contrast.batch]) if contrast.batch else pd.Series("", sheet.index)
    return pd.DataFrame({"time": time, "event": event.astype(bool), "stratum": stratum.astype(str)})


def middle(numbers: np.ndarray) -> float:
    """Give the value that cuts numbers into halves as equal as their ties allow.

    Example:
        >>> middle(np.array([0.0, 0, 0, 1, 1])), middle(np.array([1.0, 2, 4, 90]))
        (0.5, 3.0)
    """
    levels, counts = np.unique(numbers, return_counts=True)
    below = np.cumsum(counts)[:-1]
    at = int(np.argmin(np.abs(2 * below - len(numbers))))
    return float((levels[at] + levels[at + 1]) / 2)


def check_column(sheet: pd.DataFrame, column: str, contrast: ContrastSettings) -> None:
    """Refuse a column that the sheet does not have."""
    if column not in sheet.columns:
        names = [str(c) for c in sheet.columns]
        raise DesignError(
            f"contrast '{contrast.name}': the sample sheet has no column '{column}'"
            f"{_nearest(column, names)}; it has {some(sorted(names), 30)}"
        )


def check_level(sheet: pd.DataFrame, column: str, level: str, contrast: ContrastSettings) -> None:
    """Refuse a level that no sample has."""
    counts = text_of(sheet[column]).value_counts().sort_index()
    if level not in counts.index:
        levels = ", ".join(f"'{name}' ({count})" for name, count in counts.items())
        raise DesignError(
            f"contrast '{contrast.name}': no sample of layer '{contrast.layer}' has "
            f"{column} = '{level}'{_nearest(level, [str(c) for c in counts.index])}; "
            f"levels and samples: {levels or 'none'}"
        )


def check_arms(
    groups: np.ndarray,
    contrast: ContrastSettings,
    steps: Sequence[Step] = (),
    names: Sequence[str] = (),
) -> None:
    """Refuse a contrast of which a group has fewer than two samples.

    Args:
        groups: Of every sample: 1 for case (the upper half), 2 more for the first stratum.
        contrast: What is compared.
        steps: Where samples were lost.
        names: What the groups are called, where case and control do not say it.
    """
    lost = [f"{s.rows_in - s.rows_out} because {s.why}" for s in steps if s.rows_out < s.rows_in]
    called = dict(enumerate(names)) if names else group_words(contrast)
    for group, words in sorted(called.items(), reverse=True):
        count = int((groups == group).sum())
        if count < 2:
            raise DesignError(
                f"contrast '{contrast.name}': {count} samples of layer '{contrast.layer}' have "
                f"{words} after all filters, at least 2 are needed"
                + (f"; samples that were left out: {', '.join(lost)}" if lost else "")
            )


def group_words(contrast: ContrastSettings) -> dict[int, str]:
    """Name the groups whose samples are counted."""
    if contrast.test == "slope":
        return {
            1: f"{contrast.condition} in the upper half",
            0: f"{contrast.condition} in the lower half",
        }
    arms = {1: contrast.case, 0: contrast.control}
    words = {k: f"{contrast.condition} = '{arm}'" for k, arm in arms.items()}
    if contrast.test == "arms":
        return words
    strata = {2: contrast.strata[0], 0: contrast.strata[1]}
    return {
        a + s: f"{words[a]} and {contrast.stratum} = '{level}'"
        for s, level in strata.items()
        for a in arms
    }


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near:
        near = [k for k in known if k.lower() == name.lower()]
    return f"; did you mean '{near[0]}'?" if near else ""


def text_of(values: pd.Series) -> pd.Series:
    """Read a column as text; blank is missing, and 1.0 of a column with gaps is '1'."""
    missing = values.isna()
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    text = values.astype(object).where(~missing, None).map(_strip, na_action="ignore")
    return text.astype(object)


def _strip(value: object) -> str | None:
    return str(value).strip() or None


def numbers_of(values: pd.Series) -> pd.Series | None:
    """Read a column as finite numbers, or say that it is none by giving nothing."""
    if values.dtype == bool:
        return None
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers if np.isfinite(numbers).all() else None
