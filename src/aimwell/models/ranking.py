"""The ranking: one row per gene, scored only by networks that never saw its label."""

from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from aimwell.errors import AlignmentError

RANKING_COLUMNS: Final = (
    "symbol",
    "rank",
    "score",
    "score_low",
    "score_high",
    "rank_low",
    "rank_high",
    "is_known",
    "fold",
    "degree",
)


@dataclass(frozen=True)
class Ranking:
    """Scores with their spread and the ladder of baselines beside them.

    Attributes:
        table: Index HGNC id; columns of ``RANKING_COLUMNS``; sorted by rank. ``score`` is the mean
            probability over ensemble members, ``score_low``/``score_high`` the lowest and highest
            of the members, ``rank_low``/``rank_high`` the same for ranks (1 is best).
        ladder: Out-of-fold score of every baseline, same index; one column each.
        metrics: One row per scorer (the network and each baseline); columns ``average_precision``,
            ``auroc``, ``recall_at_100``, ``median_rank`` of the known targets, genome-wide.
    """

    table: pd.DataFrame
    ladder: pd.DataFrame
    metrics: pd.DataFrame = field(default_factory=pd.DataFrame)

    def __post_init__(self) -> None:
        if missing := [c for c in RANKING_COLUMNS if c not in self.table.columns]:
            raise AlignmentError(f"a ranking lacks the columns {missing}")
        if not self.ladder.index.equals(self.table.index):
            raise AlignmentError("ladder and ranking do not share their genes")
