"""Which samples a contrast compares, the model that compares them, and whether it may be tested."""

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
import pandas as pd

from aimwell.config import ContrastSettings
from aimwell.errors import ConfoundedError, DesignError, some
from aimwell.provenance import Step

Verdict = Literal["accept", "warn", "refuse"]
ACCEPT_INFORMATION: Final = 0.5
WARN_INFORMATION: Final = 0.2
#: Below this share of subjects with both arms, pairing throws away more than it gains.
PAIRED_SHARE: Final = 0.8


@dataclass(frozen=True)
class Design:
    """A linear model for one contrast.

    Attributes:
        contrast: Name of the contrast.
        matrix: Samples × columns, samples sorted. The first ``n_blocks`` columns are indicators
            that put every sample into exactly one block (a subject, or all samples together as
            ``intercept``); the coefficient follows, then batch and covariates.
        n_blocks: How many columns are blocks.
        coefficient: The column whose coefficient is the log2 fold change, case over control.
        vector: The contrast, one number per column.
        n_case, n_control: Samples per arm.
        n_pairs: Subjects with both arms; 0 without pairing.
        information: Share of the information on the condition that batch and covariates leave,
            1 − R²(condition ~ batch + covariates) within blocks, in [0, 1].
        verdict: ``accept``, ``warn``, or ``refuse`` where the user accepted the confounding.
        notes: What a reader should know, in words.
        steps: Samples in and out of every step.
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

    @property
    def samples(self) -> pd.Index:
        """Sample ids that are compared, sorted."""
        return self.matrix.index

    @property
    def is_case(self) -> np.ndarray:
        """True for samples of the case arm, shape ``(samples,)``."""
        return self.matrix[self.coefficient].to_numpy() > 0.5


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
    sheet = _select(samples, sample_ids, contrast, steps)
    pairs = 0
    if contrast.subject:
        sheet, pairs = _pair(sheet, contrast, steps, notes)
    _check_arms(sheet, contrast)
    terms = _nuisance_terms(sheet, contrast, notes)
    case = (_text(sheet[contrast.condition]) == contrast.case).to_numpy(float)
    blocks = _blocks(sheet, contrast)
    terms = _independent(terms, blocks, notes, paired=pairs > 0)
    information = _information_retained(case, terms, blocks)
    coefficient = f"{contrast.condition}[{contrast.case}]"
    _check_estimable(case, terms, blocks, sheet, contrast)
    verdict = _judge(information, sheet, contrast, notes)
    matrix = pd.concat(
        [blocks, pd.DataFrame({coefficient: case}, index=sheet.index), terms], axis=1
    )
    return Design(
        contrast=contrast.name,
        matrix=matrix,
        n_blocks=blocks.shape[1],
        coefficient=coefficient,
        vector=tuple(float(i == blocks.shape[1]) for i in range(matrix.shape[1])),
        n_case=int(case.sum()),
        n_control=int((1 - case).sum()),
        n_pairs=pairs,
        information=information,
        verdict=verdict,
        notes=tuple(notes),
        steps=tuple(steps),
    )


def confounding_stain(designs: Mapping[str, Mapping[str, object]]) -> str:
    """Say in one sentence which contrasts were tested although the gate refused them.

    Args:
        designs: Contrast → facts with ``verdict`` and ``information_retained``.

    Returns:
        The sentence that every result has to carry; empty where no contrast was refused.

    Example:
        >>> confounding_stain({"a": {"verdict": "refuse", "information_retained": 0.19}})
        "Confounding was accepted: batch and covariates leave 19% of the information on 'a'."
    """
    refused = [
        f"{facts['information_retained']:.0%} of the information on '{name}'"
        for name, facts in sorted(designs.items())
        if facts.get("verdict") == "refuse"
    ]
    if not refused:
        return ""
    return f"Confounding was accepted: batch and covariates leave {', '.join(refused)}."


def _select(
    samples: pd.DataFrame, sample_ids: Iterable[str], contrast: ContrastSettings, steps: list[Step]
) -> pd.DataFrame:
    measured = pd.Index(sorted(set(sample_ids)))
    if len(unknown := measured.difference(samples.index)):
        raise DesignError(
            f"contrast '{contrast.name}': {len(unknown)} measured samples have no row in the "
            f"sample sheet: {some(unknown)}"
        )
    sheet = samples.loc[measured]
    columns = [contrast.condition, *contrast.where, *contrast.covariates]
    columns += [c for c in (contrast.batch, contrast.subject) if c]
    for column in columns:
        _check_column(sheet, column, contrast)
    for column, level in contrast.where.items():
        _check_level(sheet, column, level, contrast)
        keep = _text(sheet[column]) == level
        sheet = _keep(sheet, keep, f"keep {column} = {level}", "other or missing value", steps)
    for level in (contrast.case, contrast.control):
        _check_level(sheet, contrast.condition, level, contrast)
    if contrast.case == contrast.control:
        raise DesignError(
            f"contrast '{contrast.name}': case and control are both '{contrast.case}'; "
            f"name two levels of '{contrast.condition}'"
        )
    condition = _text(sheet[contrast.condition])
    sheet = _keep(
        sheet,
        condition.isin([contrast.case, contrast.control]),
        f"keep {contrast.case} and {contrast.control}",
        f"'{contrast.condition}' is missing or another level",
        steps,
    )
    for column in dict.fromkeys([contrast.batch, contrast.subject, *contrast.covariates]):
        if column:
            known = _text(sheet[column]).notna()
            sheet = _keep(sheet, known, f"need {column}", f"'{column}' is missing", steps)
    return sheet


def _keep(
    sheet: pd.DataFrame, keep: pd.Series, name: str, why: str, steps: list[Step]
) -> pd.DataFrame:
    if not keep.all():
        gone = tuple(map(str, sheet.index[~keep][:3]))
        steps.append(Step(f"samples: {name}", len(sheet), int(keep.sum()), why, gone))
    return sheet.loc[keep]


def _pair(
    sheet: pd.DataFrame, contrast: ContrastSettings, steps: list[Step], notes: list[str]
) -> tuple[pd.DataFrame, int]:
    subject = _text(sheet[contrast.subject])
    arms = _text(sheet[contrast.condition]).groupby(subject).nunique()
    both = arms.index[arms == 2]
    if len(both) < 2:
        raise DesignError(
            f"contrast '{contrast.name}' pairs samples by '{contrast.subject}', but {len(both)} of "
            f"{len(arms)} subjects have both '{contrast.case}' and '{contrast.control}' and at "
            "least 2 are needed; leave out 'subject' to compare the arms unpaired"
        )
    share = len(both) / len(arms)
    if share < PAIRED_SHARE:
        notes.append(
            f"only {len(both)} of {len(arms)} subjects have both arms; the others carry no "
            "information in a paired model, so consider the unpaired contrast"
        )
    why = f"the subject lacks '{contrast.case}' or '{contrast.control}'"
    return _keep(sheet, subject.isin(both), "need both arms of a subject", why, steps), len(both)


def _blocks(sheet: pd.DataFrame, contrast: ContrastSettings) -> pd.DataFrame:
    if not contrast.subject:
        return pd.DataFrame({"intercept": 1.0}, index=sheet.index)
    return _indicators(_text(sheet[contrast.subject]), contrast.subject, drop_first=False)


def _nuisance_terms(
    sheet: pd.DataFrame, contrast: ContrastSettings, notes: list[str]
) -> pd.DataFrame:
    parts = [pd.DataFrame(index=sheet.index)]
    for column in dict.fromkeys([contrast.batch, *contrast.covariates]):
        if not column:
            continue
        text = _text(sheet[column])
        if text.nunique() < 2:
            notes.append(f"'{column}' is '{text.iloc[0]}' in every sample, so it is left out")
            continue
        numbers = None if column == contrast.batch else _numbers(sheet[column])
        if numbers is None:
            parts.append(_indicators(text, column, drop_first=True))
        else:
            scaled = (numbers - numbers.mean()) / numbers.std(ddof=1)
            parts.append(scaled.rename(column).to_frame())
    return pd.concat(parts, axis=1)


def _indicators(text: pd.Series, column: str, *, drop_first: bool) -> pd.DataFrame:
    levels = sorted(text.unique())[int(drop_first) :]
    return pd.DataFrame(
        {f"{column}[{level}]": (text == level).to_numpy(float) for level in levels},
        index=text.index,
    )


def _numbers(values: pd.Series) -> pd.Series | None:
    if values.dtype == bool:
        return None
    numbers = pd.to_numeric(values, errors="coerce").astype(float)
    return numbers if np.isfinite(numbers).all() else None


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


def _information_retained(case: np.ndarray, terms: pd.DataFrame, blocks: pd.DataFrame) -> float:
    """Compare arms within blocks only: what subjects take away, every paired model takes away."""
    x = blocks.to_numpy(float)
    both = np.column_stack([case, terms.to_numpy(float)])
    within = both - x @ ((x.T @ both) / x.sum(axis=0)[:, None])
    centred, others = within[:, 0], within[:, 1:]
    total = float(np.sum(centred**2))
    if not others.shape[1] or total <= 0:
        return 1.0
    fitted = others @ np.linalg.lstsq(others, centred, rcond=1e-10)[0]
    rest = float(np.sum((centred - fitted) ** 2) / total)
    return min(max(rest, 0.0), 1.0)


def _check_estimable(
    case: np.ndarray,
    terms: pd.DataFrame,
    blocks: pd.DataFrame,
    sheet: pd.DataFrame,
    contrast: ContrastSettings,
) -> None:
    others = np.column_stack([blocks.to_numpy(float), terms.to_numpy(float)])
    rest = case - others @ np.linalg.lstsq(others, case, rcond=1e-10)[0]
    if np.sum(rest**2) < 1e-8 * np.sum((case - case.mean()) ** 2):
        raise ConfoundedError(
            f"contrast '{contrast.name}': '{contrast.condition}' cannot be told apart from "
            f"{_nuisance_names(contrast)}: {_aliased(sheet, contrast)}. No model can separate "
            "them; measure both arms in one batch, or leave the term out and say why"
        )
    parameters = others.shape[1] + 1
    if len(case) <= parameters:
        raise DesignError(
            f"contrast '{contrast.name}' has {len(case)} samples for {parameters} coefficients, so "
            "nothing is left to estimate the noise; use fewer covariates or more samples"
        )


def _aliased(sheet: pd.DataFrame, contrast: ContrastSettings) -> str:
    """Say which levels of batch and categorical covariates hold a single arm."""
    condition = _text(sheet[contrast.condition])
    found = []
    for column in dict.fromkeys([contrast.batch, *contrast.covariates]):
        if not column or (column != contrast.batch and _numbers(sheet[column]) is not None):
            continue
        text = _text(sheet[column])
        for arm in (contrast.case, contrast.control):
            levels = sorted(set(text[condition == arm]) - set(text[condition != arm]))
            if levels:
                found.append(f"'{column}' {some(levels)} only in '{arm}'")
    return "; ".join(found) or "together they add up to it"


def _nuisance_names(contrast: ContrastSettings) -> str:
    names = [c for c in dict.fromkeys([contrast.batch, *contrast.covariates]) if c]
    return " and ".join(f"'{name}'" for name in names)


def grade(information: float) -> Verdict:
    """Give the verdict that a share of information retained deserves."""
    if information >= ACCEPT_INFORMATION:
        return "accept"
    return "warn" if information >= WARN_INFORMATION else "refuse"


def _judge(
    information: float, sheet: pd.DataFrame, contrast: ContrastSettings, notes: list[str]
) -> Verdict:
    what = f"{information:.0%} of the information on '{contrast.condition}'"
    verdict = grade(information)
    if verdict == "accept":
        return verdict
    if verdict == "warn":
        notes.append(
            f"{_nuisance_names(contrast)} leave {what} ({_aliased(sheet, contrast)}); "
            "effects are less precise than the number of samples suggests"
        )
        return verdict
    if not contrast.accept_confounding:
        raise ConfoundedError(
            f"contrast '{contrast.name}': {_nuisance_names(contrast)} leave {what}, at least "
            f"{WARN_INFORMATION:.0%} is needed ({_aliased(sheet, contrast)}); balance the arms, or "
            "set accept_confounding = true (--accept-confounding) to go on with every result marked"
        )
    notes.append(f"{_nuisance_names(contrast)} leave {what}; accepted by accept_confounding")
    return verdict


def _check_column(sheet: pd.DataFrame, column: str, contrast: ContrastSettings) -> None:
    if column not in sheet.columns:
        names = [str(c) for c in sheet.columns]
        raise DesignError(
            f"contrast '{contrast.name}': the sample sheet has no column '{column}'"
            f"{_nearest(column, names)}; it has {some(sorted(names), 30)}"
        )


def _check_level(sheet: pd.DataFrame, column: str, level: str, contrast: ContrastSettings) -> None:
    counts = _text(sheet[column]).value_counts().sort_index()
    if level not in counts.index:
        levels = ", ".join(f"'{name}' ({count})" for name, count in counts.items())
        raise DesignError(
            f"contrast '{contrast.name}': no sample of layer '{contrast.layer}' has "
            f"{column} = '{level}'{_nearest(level, [str(c) for c in counts.index])}; "
            f"levels and samples: {levels or 'none'}"
        )


def _check_arms(sheet: pd.DataFrame, contrast: ContrastSettings) -> None:
    condition = _text(sheet[contrast.condition])
    for arm in (contrast.case, contrast.control):
        count = int((condition == arm).sum())
        if count < 2:
            raise DesignError(
                f"contrast '{contrast.name}': {count} samples of layer '{contrast.layer}' have "
                f"{contrast.condition} = '{arm}' after all filters, at least 2 are needed; "
                "look for missing covariates in the sample sheet"
            )


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    if not near:
        near = [k for k in known if k.lower() == name.lower()]
    return f"; did you mean '{near[0]}'?" if near else ""


def _text(values: pd.Series) -> pd.Series:
    """Read a column as text; blank is missing, and 1.0 of a column with gaps is '1'."""
    missing = values.isna()
    if pd.api.types.is_float_dtype(values) and (values.dropna() % 1 == 0).all():
        values = values.astype("Int64")
    text = values.astype(object).where(~missing, None).map(_strip, na_action="ignore")
    return text.astype(object)


def _strip(value: object) -> str | None:
    return str(value).strip() or None
