"""Bars of the gate: designs of every kind, each with the verdict that it deserves."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd

from aimwell.bench.bars import Bar, bar
from aimwell.cohorts.design import build_design
from aimwell.config import ContrastSettings
from aimwell.errors import DesignError


@dataclass(frozen=True)
class Case:
    """One design: arms of the samples (x case, y control), other columns, and the right verdict.

    Attributes:
        verdict: ``accept``, ``warn``, ``CONFOUNDED`` or ``DESIGN`` (an error of that code).
        information: Share that the gate must find; NaN where it is not held against anything.
    """

    name: str
    arms: str
    verdict: str
    columns: dict[str, list[str]] = field(default_factory=dict)
    terms: dict[str, str] = field(default_factory=dict)
    information: float = float("nan")


def _split(case_in: int, size: int = 20) -> dict[str, list[str]]:
    """So many cases and the other controls are in batch 1."""
    rest = size - case_in
    return {"batch": ["1"] * case_in + ["2"] * rest + ["1"] * rest + ["2"] * case_in}


_BATCH = {"batch": "batch"}
_PAIRED = {"subject": "subject"}
_PAIRS = [f"p{i}" for i in range(8) for _ in "xy"]
_COMBINED = ["1f", "1f", "1m", "1m", "2f", "2f", "2m", "2m"]

CASES: Final = (
    Case("no batch", "xxxxyyyy", "accept", information=1.0),
    Case("complete, balanced", "x" * 20 + "y" * 20, "accept", _split(10), _BATCH, 1.0),
    Case("partial, 15/5", "x" * 20 + "y" * 20, "accept", _split(15), _BATCH, 0.75),
    Case("partial, 18/2", "x" * 20 + "y" * 20, "warn", _split(18), _BATCH, 0.36),
    Case("partial, 19/1", "x" * 20 + "y" * 20, "CONFOUNDED", _split(19), _BATCH, 0.19),
    Case(
        "aliased: batch is the arm", "xxxxyyyy", "CONFOUNDED", {"batch": list("11112222")}, _BATCH
    ),
    Case(
        "each sample its own batch", "xxxxyyyy", "CONFOUNDED", {"batch": list("12345678")}, _BATCH
    ),
    Case(
        "one complete batch, two of one arm",
        "x" * 10 + "y" * 10,
        "accept",
        {"batch": list("1" * 5 + "3" * 5 + "2" * 5 + "3" * 5)},
        _BATCH,
        0.5,
    ),
    Case(
        "nested: batches within sites",
        "xyxyxyxy",
        "accept",
        {"batch": list("11223344"), "site": list("aaaabbbb")},
        {"batch": "batch", "covariates": "site"},
        1.0,
    ),
    Case(
        "arm is the interaction of two terms, both in the model as they are",
        "xxyyyyxx",
        "accept",
        {"batch": list("11112222"), "sex": list("ffmmffmm")},
        {"batch": "batch", "covariates": "sex"},
        1.0,
    ),
    Case(
        "aliased by interaction: batches within which the arm is fixed",
        "xxyyyyxx",
        "CONFOUNDED",
        {"batch": _COMBINED},
        _BATCH,
    ),
    Case(
        "aliased by a covariate with the same levels",
        "xxxxyyyy",
        "CONFOUNDED",
        {"sex": list("ffffmmmm")},
        {"covariates": "sex"},
    ),
    Case(
        "aliased by a number that only differs between the arms",
        "xxxxyyyy",
        "CONFOUNDED",
        {"dose": list("11113333")},
        {"covariates": "dose"},
    ),
    Case("paired, complete", "xy" * 8, "accept", {"subject": _PAIRS}, _PAIRED, 1.0),
    Case(
        "paired, both arms of a subject in one batch",
        "xy" * 8,
        "accept",
        {"subject": _PAIRS, "batch": list("1122" * 4)},
        _PAIRED | _BATCH,
        1.0,
    ),
    Case(
        "paired, arms in different batches",
        "xy" * 8,
        "CONFOUNDED",
        {"subject": _PAIRS, "batch": list("12" * 8)},
        _PAIRED | _BATCH,
    ),
    Case(
        "paired, batches crossed with arms",
        "xy" * 8,
        "accept",
        {"subject": _PAIRS, "batch": list("1221" * 4)},
        _PAIRED | _BATCH,
        1.0,
    ),
    Case(
        "paired, arms in different batches for all but one subject",
        "xy" * 8,
        "warn",
        {"subject": _PAIRS, "batch": list("12" * 7 + "21")},
        _PAIRED | _BATCH,
        1 - 0.75**2,
    ),
    Case(
        "paired, half of the subjects with their arms in different batches",
        "xy" * 8,
        "accept",
        {"subject": _PAIRS, "batch": list("11" * 4 + "21" * 4)},
        _PAIRED | _BATCH,
        0.5,
    ),
    Case("pairs of which one is complete", "xyxy", "DESIGN", {"subject": list("aabc")}, _PAIRED),
    Case("one sample in an arm", "xyyyyy", "DESIGN"),
)


def gate_bars() -> Iterator[Bar]:
    """Judge every design of ``CASES``."""
    right, gap = 0, 0.0
    for case in CASES:
        verdict, information = judge(case)
        right += verdict == case.verdict
        if case.information == case.information:
            gap = max(gap, abs(information - case.information))
        if case.name.startswith("partial"):
            wanted = case.information
            limit = f"{wanted - 0.01:g} to {wanted + 0.01:g}"
            yield bar(f"gate: {case.name}: information retained", information, "", limit)
    yield bar("gate: designs", len(CASES), "designs", ">= 12")
    yield bar("gate: designs judged right", right, f"of {len(CASES)}", f"== {len(CASES)}")
    yield bar("gate: largest error of the information retained", gap, "", "<= 0.01")


def judge(case: Case) -> tuple[str, float]:
    """Give the verdict, or the code of the error, and the information retained."""
    ids = [f"s{i:02d}" for i in range(len(case.arms))]
    sheet = pd.DataFrame({"subject": ids, "arm": list(case.arms)} | case.columns, index=ids)
    terms = case.terms
    covariates = tuple(terms.get("covariates", "").split())
    contrast = ContrastSettings(
        "c",
        "rna",
        "arm",
        "x",
        "y",
        subject=terms.get("subject", ""),
        batch=terms.get("batch", ""),
        covariates=covariates,
    )
    try:
        design = build_design(sheet, ids, contrast)
    except DesignError as error:
        if error.code != "CONFOUNDED":
            return error.code, float("nan")
        accepted = replace(contrast, accept_confounding=True)
        try:
            return error.code, build_design(sheet, ids, accepted).information
        except DesignError:
            return error.code, 0.0
    return design.verdict, design.information
