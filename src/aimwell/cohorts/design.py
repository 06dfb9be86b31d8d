"""Which samples a contrast compares, the model that compares them, and whether it may be tested."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.asked import what_is_asked
from aimwell.cohorts.gate import Verdict, information_retained, judge, refuse_inestimable
from aimwell.cohorts.selection import (
    check_arms,
    condition_numbers,
    follow_up,
    numbers_of,
    pair_samples,
    select_samples,
    text_of,
)
from aimwell.config import ContrastSettings
from aimwell.errors import ConfoundedError, DesignError, some
from aimwell.provenance import Step

#: A covariate with at least this share of numbers, and more of them than this, is one of numbers.
_MOSTLY: Final = 0.5
_MANY_LEVELS: Final = 5


@dataclass(frozen=True)
class Design:
    """A linear model for one contrast.

    Attributes:
        contrast: Name of the contrast.
        matrix: Samples × columns, samples sorted. The first ``n_blocks`` columns are indicators
            that put every sample into exactly one block (a subject, or all samples together as
            ``intercept``); the coefficient follows (in an interaction, condition and stratum stand
            before it), then batch and covariates.
        n_blocks: How many columns are blocks.
        coefficient: The column whose coefficient is the log2 fold change, case over control; of a
            slope, ``scale`` times the log2 fold change per unit of the condition.
        also: Columns that are tested together with it, which follow it; mostly none.
        vector: The contrast, one number per column.
        n_case, n_control: Samples per arm; of a slope, samples above and below ``middle`` of the
            condition; of survival, samples with the event and censored ones; of several levels,
            samples of all others and of the reference.
        n_pairs: Subjects with both arms; 0 without pairing.
        information: Share of the information on the condition that batch and covariates leave,
            1 − R²(condition ~ batch + covariates) within blocks, in [0, 1].
        verdict: ``accept``, ``warn``, or ``refuse`` where the user accepted the confounding.
        notes: What a reader should know, in words.
        steps: Samples in and out of every step.
        test: As in the settings of the contrast.
        scale: Units of the condition in one unit of the coefficient's column.
        groups: Of every sample 1 for case, 2 more for the first of two strata; of several levels
            their number, the reference 0. A gene needs two observed samples in each group that
            there is.
        group_names: What groups are called, by their numbers; empty where the contrast says it.
        block: Of every sample the block that it errs together with; empty without random blocks.
        imputed: What missing values were filled in by; empty where nothing was.
    """

    contrast: str
    matrix: pd.DataFrame
    n_blocks: int
    coefficient: str
    vector: tuple[float, ...]
    n_case: int
    n_control: int
    n_pairs: int
    information: float
    verdict: Verdict
    notes: tuple[str, ...] = ()
    steps: tuple[Step, ...] = field(default=(), compare=False)
    test: str = "arms"
    scale: float = 1.0
    groups: tuple[int, ...] = ()
    block: tuple[str, ...] = ()
    imputed: str = ""
    also: tuple[str, ...] = ()
    group_names: tuple[str, ...] = ()

    @property
    def tested(self) -> tuple[str, ...]:
        """Columns that are tested together."""
        return (self.coefficient, *self.also)

    @property
    def smallest_group(self) -> int:
        """Samples of the smaller arm, or of the smallest of several levels."""
        if self.also:
            return int(np.unique(self.groups, return_counts=True)[1].min())
        return min(self.n_case, self.n_control)

    @property
    def samples(self) -> pd.Index:
        """Sample ids that are compared, sorted."""
        return self.matrix.index

    @property
    def is_case(self) -> np.ndarray:
        """True for samples of the case arm, shape ``(samples,)``."""
        groups = np.array(self.groups)
        return np.asarray(groups > 0 if self.group_names else groups % 2 == 1)

    @property
    def arms(self) -> tuple[str, str]:
        """What cases and controls are called in a sentence."""
        if self.test == "slope":
            return "the upper half", "the lower half"
        if self.also:
            return "the other levels", self.group_names[0]
        if self.group_names:
            return self.group_names[1], self.group_names[0]
        return ("event", "censored") if self.test == "survival" else ("case", "control")


def build_design(
    samples: pd.DataFrame, sample_ids: Iterable[str], contrast: ContrastSettings
) -> Design:
    """Build the model of one contrast and judge how far batch and condition are confounded.

    Subjects are fixed effects: only those with both arms carry information, the others leave with
    a step. Numeric covariates are centred and scaled, others become indicators.

    Args:
        samples: Sample sheet, indexed by sample id.
        sample_ids: Samples that were measured in the layer.
        contrast: What is compared with what, and what else enters the model.

    Raises:
        DesignError: An unknown column or level, or an arm with fewer than two samples.
        ConfoundedError: Batch and covariates explain the condition, wholly or nearly.

    Example:
        >>> sheet = pd.DataFrame({"subject": list("abcd"), "arm": ["x", "x", "y", "y"]},
        ...     index=["s1", "s2", "s3", "s4"])
        >>> design = build_design(sheet, sheet.index,
        ...     ContrastSettings("xy", "rna", "arm", case="y", control="x"))
        >>> design.coefficient, design.n_case, design.information, design.verdict
        ('arm[y]', 2, 1.0, 'accept')
    """
    steps: list[Step] = []
    notes: list[str] = []
    sheet = select_samples(samples, sample_ids, contrast, steps, notes)
    if contrast.test == "survival":
        return _survival(sheet, contrast, notes, steps)
    if contrast.test == "slope":
        condition_numbers(sheet, contrast)  # refused before anything is said of halves
    pairs = 0
    if contrast.subject:
        sheet, pairs = pair_samples(sheet, contrast, steps, notes)
    asked = what_is_asked(sheet, contrast)
    groups = asked.groups
    check_arms(groups, contrast, steps, asked.names)
    block = _random_blocks(sheet, groups, contrast)
    _note_repeats(sheet, groups, contrast, notes)
    terms = _nuisance_terms(sheet, contrast, notes) if asked.terms is None else asked.terms
    blocks = _blocks(sheet, contrast)
    beside = _independent(asked.beside, blocks, notes, paired=pairs > 0)
    base = pd.concat([blocks, beside], axis=1)
    terms = _independent(terms, base, notes, paired=pairs > 0)
    columns = asked.tested.to_numpy(float)
    information = information_retained(columns, terms, base)
    refuse_inestimable(columns, terms, base, sheet, contrast)
    verdict = judge(information, sheet, contrast, notes)
    _note_levels(asked.names, groups, columns.shape[1], notes)
    matrix = pd.concat([base, asked.tested, terms], axis=1)
    first = pd.Series(groups).map(lambda group: group % 2 if not asked.names else group > 0)
    return Design(
        contrast=contrast.name,
        matrix=matrix,
        n_blocks=blocks.shape[1],
        coefficient=str(asked.tested.columns[0]),
        vector=tuple(float(i == base.shape[1]) for i in range(matrix.shape[1])),
        n_case=int(first.sum()),
        n_control=int(len(first) - first.sum()),
        n_pairs=pairs,
        information=information,
        verdict=verdict,
        notes=tuple(notes),
        steps=tuple(steps),
        test=contrast.test,
        scale=asked.scale,
        groups=tuple(map(int, groups)),
        block=block,
        also=tuple(map(str, asked.tested.columns[1:])),
        group_names=asked.names,
    )


def _note_levels(
    names: tuple[str, ...], groups: np.ndarray, columns: int, notes: list[str]
) -> None:
    """Say what is compared where case and control do not."""
    if names:
        sizes = ", ".join(f"{n} ({int((groups == k).sum())})" for k, n in enumerate(names))
        several = "any difference, by a moderated F test whose effect has no direction, between"
        how = several if columns > 1 else "compared are"
        notes.append(f"{how} {sizes}")


def _survival(
    sheet: pd.DataFrame, contrast: ContrastSettings, notes: list[str], steps: list[Step]
) -> Design:
    """Describe a contrast of survival; batches have hazards of their own."""
    found = follow_up(sheet, contrast)
    whole = _comparisons(found.assign(stratum=""))
    information = _comparisons(found) / whole if whole > 0 else 0.0
    if information <= 0:
        raise ConfoundedError(
            f"contrast '{contrast.name}': no sample outlives another of the same "
            f"'{contrast.batch}', so nothing can be compared; leave out batch"
            if contrast.batch
            else f"contrast '{contrast.name}': no sample outlives another, so nothing can be "
            f"compared; is '{contrast.time}' the follow-up?"
        )
    verdict = judge(information, sheet, contrast, notes)
    event = found["event"].astype(float).rename(contrast.event)
    terms = _nuisance_terms(sheet, contrast, notes)
    intercept = pd.DataFrame({"intercept": 1.0}, index=sheet.index)
    matrix = pd.concat([intercept, event.to_frame(), terms], axis=1)
    return Design(
        contrast=contrast.name,
        matrix=matrix,
        n_blocks=1,
        coefficient=contrast.event,
        vector=tuple(float(i == 1) for i in range(matrix.shape[1])),
        n_case=int(event.sum()),
        n_control=int((1 - event).sum()),
        n_pairs=0,
        information=information,
        verdict=verdict,
        notes=tuple(notes),
        steps=tuple(steps),
        test="survival",
        groups=tuple(map(int, event)),
    )


def _comparisons(found: pd.DataFrame) -> float:
    """Information that events give on a gene which has nothing to do with anything else."""
    total = 0.0
    for _, rows in found.groupby("stratum"):
        time, event = rows["time"].to_numpy(float), rows["event"].to_numpy(bool)
        total += sum(1 - 1 / float(np.sum(time >= moment)) for moment in time[event])
    return total


def _note_repeats(
    sheet: pd.DataFrame, groups: np.ndarray, contrast: ContrastSettings, notes: list[str]
) -> None:
    """Say where several samples of a subject in one arm are taken for several subjects."""
    if contrast.subject or contrast.block or "subject" not in sheet.columns:
        return
    subject = text_of(sheet["subject"])
    again = pd.DataFrame({"subject": subject, "group": groups}).dropna().duplicated(keep=False)
    if len(names := sorted(set(subject[again[again].index]))):
        notes.append(
            f"{len(names)} subjects have several samples in one arm ({some(names)}), which are "
            "taken for independent, so p-values are too small; set block = 'subject'"
        )


def _random_blocks(
    sheet: pd.DataFrame, groups: np.ndarray, contrast: ContrastSettings
) -> tuple[str, ...]:
    if not contrast.block:
        return ()
    block = text_of(sheet[contrast.block]).astype(str)
    sizes = block.value_counts()
    if sizes.max() < 2:
        raise DesignError(
            f"contrast '{contrast.name}': every '{contrast.block}' has a single sample, so nothing "
            "goes together; leave out block"
        )
    table = pd.crosstab(block, groups)
    if not (table > 0).sum(axis=1).ge(2).any() and (few := (table > 0).sum(axis=0)).min() < 2:
        raise ConfoundedError(
            f"contrast '{contrast.name}': each '{contrast.block}' lies in one group of samples, "
            f"and one of the groups has {few.min()} of them, so the condition cannot be told apart "
            "from it; at least 2 are needed in each"
        )
    return tuple(block)


def imputation_stain(designs: Mapping[str, Mapping[str, object]]) -> str:
    """Say in one sentence which contrasts rest on values that were filled in.

    Example:
        >>> imputation_stain({"a": {"imputed": "knn"}, "b": {"imputed": ""}})
        "Missing values were filled in: in 'a' by 'knn'."
    """
    filled = [
        f"in '{n}' by '{f['imputed']}'" for n, f in sorted(designs.items()) if f.get("imputed")
    ]
    return f"Missing values were filled in: {', '.join(filled)}." if filled else ""


def _blocks(sheet: pd.DataFrame, contrast: ContrastSettings) -> pd.DataFrame:
    if not contrast.subject:
        return pd.DataFrame({"intercept": 1.0}, index=sheet.index)
    return _indicators(text_of(sheet[contrast.subject]), contrast.subject, drop_first=False)


def _nuisance_terms(
    sheet: pd.DataFrame, contrast: ContrastSettings, notes: list[str]
) -> pd.DataFrame:
    parts = [pd.DataFrame(index=sheet.index)]
    for column in dict.fromkeys([contrast.batch, *contrast.covariates]):
        if not column:
            continue
        text = text_of(sheet[column])
        if text.nunique() < 2:
            notes.append(f"'{column}' is '{text.iloc[0]}' in every sample, so it is left out")
            continue
        numbers = None if column == contrast.batch else numbers_of(sheet[column])
        if numbers is None:
            if column != contrast.batch:
                _refuse_spoilt_numbers(text, column, contrast)
            parts.append(_indicators(text, column, drop_first=True))
        else:
            scaled = (numbers - numbers.mean()) / numbers.std(ddof=1)
            parts.append(scaled.rename(column).to_frame())
    return pd.concat(parts, axis=1)


def _refuse_spoilt_numbers(text: "pd.Series[str]", column: str, contrast: ContrastSettings) -> None:
    """Refuse a covariate of numbers in which a word turns every number into a level of its own."""
    numbers = pd.to_numeric(text, errors="coerce").astype(float)
    known = np.isfinite(numbers)
    if known.mean() >= _MOSTLY and numbers[known].nunique() > _MANY_LEVELS:
        bad = text.index[~known]
        raise DesignError(
            f"contrast '{contrast.name}': the covariate '{column}' holds numbers, but "
            f"'{text[bad[0]]}' for '{bad[0]}' and {len(bad)} such samples in all; leave the cell "
            "empty where it is not known, or write every value as a word"
        )


def _indicators(text: pd.Series, column: str, *, drop_first: bool) -> pd.DataFrame:
    levels = sorted(text.unique())[int(drop_first) :]
    return pd.DataFrame(
        {f"{column}[{level}]": (text == level).to_numpy(float) for level in levels},
        index=text.index,
    )


def _independent(
    terms: pd.DataFrame, blocks: pd.DataFrame, notes: list[str], *, paired: bool
) -> pd.DataFrame:
    """Leave out columns that blocks and earlier columns already explain; the fit stays the same."""
    kept: list[str] = []
    basis = blocks.to_numpy() / np.sqrt(blocks.to_numpy().sum(axis=0))
    for column in terms.columns:
        x = terms[column].to_numpy(float)
        rest = x - basis @ (basis.T @ x)
        rest -= basis @ (basis.T @ rest)
        if np.linalg.norm(rest) > 1e-8 * max(float(np.linalg.norm(x)), 1.0):
            kept.append(column)
            basis = np.column_stack([basis, rest / np.linalg.norm(rest)])
        else:
            by = "the subjects and earlier terms" if paired else "earlier terms"
            notes.append(f"'{column}' is already explained by {by}, so it is left out")
    return terms[kept]
