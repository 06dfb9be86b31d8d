"""One check of a result: a number, its limit, and what it means."""

from dataclasses import dataclass
from typing import Final

#: What a check is about, in the order in which a reader should meet them.
GROUPS: Final = (
    "ladder",
    "leakage",
    "bias",
    "nulls",
    "stability",
    "transfer",
    "calibration",
    "sanity",
    "layers",
    "explanation",
)


@dataclass(frozen=True)
class Check:
    """A measured property of a ranking.

    Attributes:
        name: Short and stable, such as ``rank_degree_correlation``.
        value: The number, or None where it could not be measured.
        limit: The bound that it is held against, in words, such as ``"<= 0.3"``.
        passed: None for a number that only informs.
        meaning: One plain sentence for the reader.
        interval: Lower and upper bound, where known.
        group: One of ``GROUPS``; empty where a check belongs to none.
    """

    name: str
    value: float | None
    limit: str = ""
    passed: bool | None = None
    meaning: str = ""
    interval: tuple[float, float] | None = None
    group: str = ""
