"""The columns of a model that a formula such as ``~ batch + stage + sex`` asks for."""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aimwell.config.formula import plain_term, read_formula
from aimwell.errors import ConfoundedError, DesignError, some

_RANK: Final = 1e-8


@dataclass(frozen=True)
class FormulaModel:
    """A linear model from a formula, and the columns that are tested in it.

    Attributes:
        matrix: Samples × columns, sorted by sample, the intercept first.
        tested: Columns whose effects are tested together.
        terms: Term of every column, such as ``arm:sex``; empty for the intercept.
    """

    matrix: pd.DataFrame
    tested: tuple[str, ...]
    terms: tuple[str, ...] = ()


def check_columns(formula: str, wanted: Sequence[str], known: Sequence[str]) -> None:
    """Refuse what the sample sheet does not have, and what formulas here do not know.

    Raises:
        DesignError: With the nearest column, or what can be written.
    """
    missing = [name for name in wanted if name not in known]
    if not missing:
        return
    first = missing[0]
    if re.search(r"[()|^/%<>=-]", first) or first in ("0", "1", "."):
        raise DesignError(
            f"the formula '{formula}' has '{first}', and formulas know '+', ':', '*' and factor() "
            "only; there is always an intercept, random blocks are named by 'block', and a "
            "function of a column is a column of its own in the sample sheet"
        )
    near = difflib.get_close_matches(first, known, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise DesignError(
        f"the formula '{formula}' names {some(missing)}{hint}; the sample sheet has "
        f"{some(sorted(known), 30)}"
    )


def build_model(
    samples: pd.DataFrame, formula: str, test: str, reference: Mapping[str, str] | None = None
) -> FormulaModel:
    """Build a model such as ``~ arm + sex + arm:age`` and choose what is tested.

    Args:
        samples: Sample sheet; rows with missing values in a used column are refused.
        formula: Columns joined by ``+``; ``a:b`` is their interaction, ``a*b`` both and it.
            Numbers enter as they are, unless as ``factor(a)``; everything else as indicators of
            all levels but one.
        test: A term of the formula, or one column of the model such as ``arm[b]``.
        reference: Column → level that the others are compared with; by default the first.

    Raises:
        DesignError: An unknown column, term or level, or missing values.
        ConfoundedError: Columns that add up to the tested ones.

    Example:
        >>> sheet = pd.DataFrame({"arm": list("aabbcc"), "age": [1.0, 2, 3, 4, 5, 7]})
        >>> build_model(sheet, "~ age + arm", "arm").tested
        ('arm[b]', 'arm[c]')
        >>> build_model(sheet, "~ age + arm", "age").matrix.columns.tolist()
        ['intercept', 'age', 'arm[b]', 'arm[c]']
    """
    sheet = samples.sort_index()
    read = read_formula(formula)
    wanted = sorted(read.columns)
    check_columns(formula, wanted, list(map(str, sheet.columns)))
    for name in wanted:
        gone = sheet.index[sheet[name].isna()]
        if len(gone):
            raise DesignError(
                f"'{name}' is missing for {len(gone)} samples ({some(gone)}); leave these samples "
                "out or the term"
            )
    coded = {
        n: _coded(sheet[n], n, (reference or {}).get(n), text=n in read.factors) for n in wanted
    }
    parts: dict[str, pd.DataFrame] = {}
    for term in read.terms:
        columns = coded[term[0]]
        for name in term[1:]:
            columns = _product(columns, coded[name])
        parts[":".join(term)] = columns
    intercept = pd.DataFrame({"intercept": 1.0}, index=sheet.index)
    matrix = pd.concat([intercept, *parts.values()], axis=1)
    test = plain_term(test)
    same = {name for name in parts if set(name.split(":")) == set(test.split(":"))}
    if same:
        tested = tuple(map(str, parts[same.pop()].columns))
    elif test in matrix.columns[1:]:
        tested = (test,)
    else:
        raise DesignError(
            f"'{test}' is no term of '{formula}'; choose from {some(parts, 20)} or one column of "
            f"{some(matrix.columns[1:], 20)}"
        )
    rest = matrix.drop(columns=list(tested)).to_numpy(float)
    gained = _rank(matrix.to_numpy(float)) - _rank(rest)
    if gained < len(tested):
        raise ConfoundedError(
            f"'{test}' cannot be told apart from the other terms of '{formula}': of "
            f"{len(tested)} columns, {gained} can be estimated; leave out a term"
        )
    terms = ("", *(term for term, columns in parts.items() for _ in columns))
    return FormulaModel(matrix, tested, terms)


def _coded(values: pd.Series, name: str, reference: str | None, *, text: bool) -> pd.DataFrame:
    numeric = pd.api.types.is_numeric_dtype(values) and values.dtype != bool
    if reference is None and numeric and not text:
        return pd.DataFrame({name: values.astype(float)})
    words = values.astype(str)
    levels = sorted(words.unique())
    first = levels[0] if reference is None else reference
    if first not in levels:
        raise DesignError(f"'{name}' has no level '{first}'; it has {some(levels, 20)}")
    if len(levels) < 2:
        raise DesignError(f"'{name}' is '{levels[0]}' in every sample; leave the term out")
    kept = [level for level in levels if level != first]
    return pd.DataFrame({f"{name}[{k}]": (words == k).astype(float) for k in kept})


def _product(one: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({f"{a}:{b}": one[a] * other[b] for a in one for b in other})


def column_space(matrix: np.ndarray) -> np.ndarray:
    """Give an orthonormal basis of the columns, shape ``(rows, rank)``."""
    if not matrix.shape[1]:
        return np.zeros((matrix.shape[0], 0))
    u, s, _ = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(u[:, s > _RANK * max(float(s[0]), 1e-300)])


def _rank(matrix: np.ndarray) -> int:
    # columns of very different size, such as a dose in nanomolar, must not hide each other
    size = np.linalg.norm(matrix, axis=0)
    return int(column_space(matrix / np.where(size > 0, size, 1.0)).shape[1])
