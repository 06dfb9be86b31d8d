"""The gate: whether batch and covariates leave enough of what a contrast asks to test it."""

from collections.abc import Mapping
from typing import Final, Literal

import numpy as np
import pandas as pd

from aimwell.cohorts.selection import numbers_of, text_of
from aimwell.cohorts.terms import column_space
from aimwell.config import ContrastSettings
from aimwell.config.formula import asked_columns, nuisance_columns
from aimwell.errors import ConfoundedError, DesignError, some

Verdict = Literal["accept", "warn", "refuse"]
ACCEPT_INFORMATION: Final = 0.5
WARN_INFORMATION: Final = 0.2


def information_retained(tested: np.ndarray, terms: pd.DataFrame, blocks: pd.DataFrame) -> float:
    """Give the share of information on the condition that batch and covariates leave.

    Compared within blocks only: what subjects take away, every paired model takes away.

    Of several tested columns it is that of the comparison of which least is left.
    """
    x = blocks.to_numpy(float)
    both = np.column_stack([tested, terms.to_numpy(float)])
    within = both - x @ np.linalg.lstsq(x, both, rcond=1e-10)[0]
    asked, others = within[:, : tested.shape[1]], within[:, tested.shape[1] :]
    if not others.shape[1] or not np.any(asked):
        return 1.0
    space = column_space(asked)
    rest = space - others @ np.linalg.lstsq(others, space, rcond=1e-10)[0]
    least = float(np.linalg.svd(rest, compute_uv=False).min()) ** 2
    return min(max(least, 0.0), 1.0)


def refuse_inestimable(
    tested: np.ndarray,
    terms: pd.DataFrame,
    blocks: pd.DataFrame,
    sheet: pd.DataFrame,
    contrast: ContrastSettings,
) -> None:
    """Refuse a contrast that no model can separate from other terms, or that leaves no noise.

    Raises:
        ConfoundedError: A tested column follows from the others.
        DesignError: As many coefficients as samples.
    """
    others = np.column_stack([blocks.to_numpy(float), terms.to_numpy(float)])
    centred = tested - tested.mean(axis=0)
    space = column_space(centred)
    rest = space - others @ np.linalg.lstsq(others, space, rcond=1e-10)[0]
    lost = space.shape[1] < tested.shape[1]
    if lost or np.linalg.svd(rest, compute_uv=False).min() ** 2 < 1e-8:
        raise ConfoundedError(
            f"contrast '{contrast.name}': '{asked_columns(contrast)[0]}' cannot be told apart from "
            f"{_nuisance_names(contrast)}: {_aliased(sheet, contrast)}. No model can separate "
            "them; measure both arms in one batch, or leave the term out and say why"
        )
    parameters = others.shape[1] + tested.shape[1]
    if len(tested) <= parameters:
        raise DesignError(
            f"contrast '{contrast.name}' has {len(tested)} samples for {parameters} coefficients, "
            "so nothing is left to estimate the noise; use fewer covariates or more samples"
        )


def _aliased(sheet: pd.DataFrame, contrast: ContrastSettings) -> str:
    """Say which levels of batch and categorical covariates hold a single arm."""
    if contrast.test == "survival":
        return f"many of '{contrast.batch}' have few samples"
    name = asked_columns(contrast)[0]
    condition = text_of(sheet[name])
    found = []
    two = contrast.test in ("arms", "interaction")
    arms = (contrast.case, contrast.control) if two else ()
    for column in nuisance_columns(contrast):
        if column != contrast.batch and numbers_of(sheet[column]) is not None:
            continue
        text = text_of(sheet[column])
        if not two:
            single = condition.groupby(text).nunique()
            if levels := sorted(single.index[single == 1]):
                found.append(f"'{column}' {some(levels)} with a single '{name}'")
        for arm in arms:
            levels = sorted(set(text[condition == arm]) - set(text[condition != arm]))
            if levels:
                found.append(f"'{column}' {some(levels)} only in '{arm}'")
    return "; ".join(found) or "together they add up to it"


def _nuisance_names(contrast: ContrastSettings) -> str:
    names = nuisance_columns(contrast)
    if contrast.subject and not names:
        names = [contrast.subject]
    return " and ".join(f"'{name}'" for name in names)


def grade(information: float) -> Verdict:
    """Give the verdict that a share of information retained deserves."""
    if information >= ACCEPT_INFORMATION:
        return "accept"
    return "warn" if information >= WARN_INFORMATION else "refuse"


def judge(
    information: float, sheet: pd.DataFrame, contrast: ContrastSettings, notes: list[str]
) -> Verdict:
    """Give the verdict on a contrast, and say in ``notes`` what is not fine.

    Raises:
        ConfoundedError: Too little information is left, and nobody accepted that.
    """
    on = asked_columns(contrast)[0]
    what = f"{information:.0%} of the information on '{on}'"
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
