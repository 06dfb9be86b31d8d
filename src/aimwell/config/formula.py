"""Formulas of contrasts, such as ``~ batch + stage + sex``, and what a contrast asks about."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from aimwell.config.cohort import ContrastSettings
from aimwell.errors import DesignError

_FACTOR: Final = re.compile(r"factor\(\s*([^()]+?)\s*\)")


@dataclass(frozen=True)
class Formula:
    """The terms of a formula.

    Attributes:
        terms: Each the columns whose product it is, main effects first.
        factors: Columns written as ``factor(x)``: their numbers are names of groups.
    """

    terms: tuple[tuple[str, ...], ...]
    factors: frozenset[str] = frozenset()

    @property
    def columns(self) -> list[str]:
        """Every column of the sample sheet that the formula names, each once."""
        return list(dict.fromkeys(name for term in self.terms for name in term))


def read_formula(formula: str) -> Formula:
    """Read ``~ a + b + a:b``; ``a*b`` is both and their interaction, ``factor(a)`` a group.

    Raises:
        DesignError: An empty term, or one that is no name of a column.

    Example:
        >>> read_formula("~ factor(plate) + arm * sex")
        ... # doctest: +NORMALIZE_WHITESPACE
        Formula(terms=(('plate',), ('arm',), ('sex',), ('arm', 'sex')),
                factors=frozenset({'plate'}))
    """
    left, mark, right = formula.partition("~")
    if left.strip() or not mark:
        raise DesignError(
            f"the formula '{formula}' must begin with '~', since every gene of the layer stands on "
            "its left; write '~ batch + stage'"
        )
    factors = frozenset(_FACTOR.findall(right))
    found: dict[tuple[str, ...], None] = {}
    for part in _FACTOR.sub(r"\1", right).split("+"):
        crossed = [[name.strip() for name in piece.split(":")] for piece in part.split("*")]
        if not all(name for piece in crossed for name in piece):
            raise DesignError(f"the formula '{formula}' has an empty term; write '~ a + b + a:b'")
        single = [tuple(dict.fromkeys(piece)) for piece in crossed]
        for size in range(1, len(single) + 1):
            for term in _choose(single, size):
                # b:a is a:b
                if not any(set(term) == set(other) for other in found):
                    found[tuple(dict.fromkeys(term))] = None
    return Formula(tuple(sorted(found, key=len)), factors)


def plain_term(term: str) -> str:
    """Write a term without ``factor()`` and blanks, as the columns of a model are named.

    Example:
        >>> plain_term("factor(plate) : arm")
        'plate:arm'
    """
    return ":".join(part.strip() for part in _FACTOR.sub(r"\1", term).split(":"))


def asked_columns(contrast: ContrastSettings) -> tuple[str, ...]:
    """Columns of the sample sheet that hold what a contrast asks about."""
    if contrast.test == "survival":
        return contrast.time, contrast.event
    if contrast.test != "formula":
        return (contrast.condition,) if contrast.condition else ()
    asked = re.sub(r"\[[^\]]*\]", "", plain_term(contrast.coefficient)).split(":")
    return tuple(c for c in read_formula(contrast.formula).columns if c in asked)


def compared_columns(contrast: ContrastSettings) -> tuple[str, ...]:
    """The same where they tell samples apart; the follow-up of a survival does not."""
    return () if contrast.test == "survival" else asked_columns(contrast)


def nuisance_columns(contrast: ContrastSettings) -> list[str]:
    """Columns that stand in the model beside what a contrast asks about."""
    named = [contrast.batch, *contrast.covariates]
    if contrast.test == "formula":
        asked = asked_columns(contrast)
        named = [c for c in read_formula(contrast.formula).columns if c not in asked]
    return [c for c in dict.fromkeys(named) if c]


def _choose(parts: list[tuple[str, ...]], size: int) -> Iterator[tuple[str, ...]]:
    if size == 0:
        yield ()
        return
    for i, part in enumerate(parts):
        for rest in _choose(parts[i + 1 :], size - 1):
            yield part + rest
