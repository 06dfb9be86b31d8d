"""What a contrast asks of a model: the tested columns, what stands beside them, and the groups."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.selection import check_level, condition_numbers, middle, numbers_of, text_of
from aimwell.cohorts.terms import build_model
from aimwell.config import ContrastSettings
from aimwell.config.formula import asked_columns, read_formula
from aimwell.errors import ConfoundedError, DesignError, some

#: Patterns of the tested columns that are groups of samples; with more they are cut into halves.
MOST_GROUPS: Final = 8


@dataclass(frozen=True)
class Asked:
    """The tested part of a model.

    Attributes:
        tested: Samples × columns that are tested together, mostly one.
        beside: Columns that no model can leave out, such as the main effects of an interaction:
            the information that is left is judged beside them.
        groups: Of every sample 1 for case, 2 more for the first of two strata; of several levels
            their number, the reference 0.
        names: What the groups are called, by their numbers.
        scale: Units of the condition in one unit of the tested column.
        terms: Columns of batch and covariates, where the formula says them; else None.
    """

    tested: pd.DataFrame
    beside: pd.DataFrame
    groups: np.ndarray
    names: tuple[str, ...] = ()
    scale: float = 1.0
    terms: pd.DataFrame | None = None


def what_is_asked(sheet: pd.DataFrame, contrast: ContrastSettings) -> Asked:
    """Give the tested columns of a contrast.

    Raises:
        DesignError: A condition without two levels or values, or a formula that cannot be used.
        ConfoundedError: Other terms of a formula add up to the tested one.
    """
    if contrast.test == "formula":
        return _formula(sheet, contrast)
    none = pd.DataFrame(index=sheet.index)
    if contrast.test == "slope":
        return _slope(sheet, contrast, none)
    if contrast.test == "any":
        return _levels(sheet, contrast, none)
    case = (text_of(sheet[contrast.condition]) == contrast.case).to_numpy(float)
    name = f"{contrast.condition}[{contrast.case}]"
    if contrast.test == "arms":
        return Asked(pd.DataFrame({name: case}, sheet.index), none, case.astype(int))
    first = (text_of(sheet[contrast.stratum]) == contrast.strata[0]).to_numpy(float)
    stratum = f"{contrast.stratum}[{contrast.strata[0]}]"
    beside = pd.DataFrame({name: case, stratum: first}, index=sheet.index)
    both = pd.DataFrame({f"{name}:{stratum}": case * first}, sheet.index)
    return Asked(both, beside, (case + 2 * first).astype(int))


def _slope(sheet: pd.DataFrame, contrast: ContrastSettings, none: pd.DataFrame) -> Asked:
    numbers = condition_numbers(sheet, contrast)
    if numbers.nunique() < 2:
        raise DesignError(
            f"contrast '{contrast.name}': '{contrast.condition}' has {numbers.nunique()} "
            f"different values in {len(numbers)} samples of layer '{contrast.layer}', at least "
            "2 are needed for a slope"
        )
    # columns of very different size would be lost to rounding beside each other
    scale = float(numbers.std(ddof=1))
    column = ((numbers - numbers.mean()) / scale).rename(contrast.condition)
    upper = (numbers > middle(numbers.to_numpy(float))).to_numpy(int)
    return Asked(column.to_frame(), none, upper, scale=scale)


def _levels(sheet: pd.DataFrame, contrast: ContrastSettings, none: pd.DataFrame) -> Asked:
    """Compare all levels of the condition with a reference; tested together they are any change."""
    text = text_of(sheet[contrast.condition])
    if contrast.control:
        check_level(sheet, contrast.condition, contrast.control, contrast)
    levels = sorted(map(str, text.unique()))
    numbers = numbers_of(sheet[contrast.condition])
    if numbers is not None and len(levels) > MOST_GROUPS:
        raise DesignError(
            f"contrast '{contrast.name}': '{contrast.condition}' holds {len(levels)} different "
            "numbers, too many to be groups; set test = 'slope'"
        )
    if len(levels) < 2:
        raise DesignError(
            f"contrast '{contrast.name}': '{contrast.condition}' is {some(levels)} in every sample "
            f"of layer '{contrast.layer}' after all filters; at least 2 levels are needed"
        )
    first = contrast.control or levels[0]
    names = (first, *(level for level in levels if level != first))
    tested = pd.DataFrame(
        {f"{contrast.condition}[{name}]": (text == name).to_numpy(float) for name in names[1:]},
        sheet.index,
    )
    groups = np.array([names.index(level) for level in text])
    return Asked(tested, none, groups, tuple(f"{contrast.condition} = '{n}'" for n in names))


def _formula(sheet: pd.DataFrame, contrast: ContrastSettings) -> Asked:
    read = read_formula(contrast.formula)
    coded = pd.DataFrame(
        {
            name: text_of(sheet[name])
            if name in read.factors or (numbers := numbers_of(sheet[name])) is None
            else numbers
            for name in read.columns
        },
        index=sheet.index,
    )
    asked = asked_columns(contrast)
    reference = {}
    if contrast.control:
        if len(asked) != 1:
            raise DesignError(
                f"contrast '{contrast.name}': control = '{contrast.control}' names the level that "
                f"others are compared with, but '{contrast.coefficient}' is no term of one column; "
                "leave it out"
            )
        check_level(sheet, asked[0], contrast.control, contrast)
        reference = {asked[0]: contrast.control}
    try:
        model = build_model(coded, contrast.formula, contrast.coefficient, reference)
    except DesignError as error:
        kind = ConfoundedError if isinstance(error, ConfoundedError) else DesignError
        raise kind(f"contrast '{contrast.name}': {error}") from error
    matrix = model.matrix.drop(columns="intercept")
    scale = 1.0
    for name in matrix:
        column = matrix[name]
        if not set(column) <= {0.0, 1.0}:
            # as of a slope; the effect of a single column is given per unit again
            spread = float(column.std(ddof=1)) or 1.0
            matrix[name] = (column - column.mean()) / spread
            scale = spread if model.tested == (name,) else scale
    term = {c: set(t.split(":")) for c, t in zip(model.matrix, model.terms, strict=True)}
    mine = term[model.tested[0]]
    # main effects of a tested interaction, and interactions of a tested main effect
    kin = [c for c in matrix if c not in model.tested and (term[c] <= mine or term[c] >= mine)]
    rest = [c for c in matrix if c not in model.tested and c not in kin]
    tested = matrix[list(model.tested)]
    groups, names = _patterns(tested)
    if len(asked) == 1 and numbers_of(coded[asked[0]]) is None:
        levels = coded[asked[0]].groupby(groups).unique()
        names = tuple(
            f"{asked[0]} = {' or '.join(repr(str(level)) for level in sorted(found))}"
            for found in levels
        )
    return Asked(tested, matrix[kin], groups, names, scale, matrix[rest])


def _patterns(tested: pd.DataFrame) -> tuple[np.ndarray, tuple[str, ...]]:
    """Group samples by what they have in the tested columns, or cut them into halves."""
    patterns = tested.drop_duplicates()
    if len(patterns) > MOST_GROUPS or not set(np.unique(tested)) <= {0.0, 1.0}:
        first = tested.iloc[:, 0].to_numpy(float)
        name = str(tested.columns[0])
        upper = (first > middle(first)).astype(int)
        return upper, (f"{name} in the lower half", f"{name} in the upper half")
    rows = sorted(map(tuple, patterns.to_numpy()))
    place = {row: number for number, row in enumerate(rows)}
    groups = np.array([place[tuple(row)] for row in tested.to_numpy()])
    names = tuple(
        " and ".join(str(c) for c, v in zip(tested.columns, row, strict=True) if v)
        or f"no {' or '.join(map(str, tested.columns))}"
        for row in rows
    )
    return groups, names
