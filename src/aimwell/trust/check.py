"""One check of a result: a number, its limit, and what it means."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Check:
    """A measured property of a ranking.

    Attributes:
        name: Short and stable, such as ``rank_degree_correlation``.
        value: The number, or None where it could not be measured.
        interval: Lower and upper bound, where known.
        limit: The bound that it is held against, in words, such as ``"<= 0.3"``.
        passed: None for a number that only informs.
        meaning: One plain sentence for the reader.
    """

    name: str
    value: float | None
    limit: str = ""
    passed: bool | None = None
    meaning: str = ""
    interval: tuple[float, float] | None = None
