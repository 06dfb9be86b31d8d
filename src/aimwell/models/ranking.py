"""The ranking: one row per gene, scored only by networks that never saw its label."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

from aimwell.errors import AlignmentError, TaskError
from aimwell.models.member import Member
from aimwell.models.recommendation import Recommendation, recommend
from aimwell.models.surroundings import predicted_evidence
from aimwell.models.task import TargetTask

NETWORK: Final = "network"
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
            over the ensemble members that never saw the gene's label, in standard deviations above
            the average unlabelled gene; ``score_low`` and ``score_high`` are the lowest and the
            highest of the members, ``rank_low`` and ``rank_high`` the same for ranks (1 is best).
        ladder: Out-of-fold score of every baseline, same index; one column each.
        metrics: One row per scorer (the network and each baseline); columns ``average_precision``,
            ``auroc``, ``recall_at_100``, ``median_rank`` of the known targets, genome-wide, over
            the folds that are reported; empty without known targets.
        recommendation: Which scorer to use; None without known targets.
        diverged: Networks whose training ran away and whose best step was kept.
        predicted: Where nothing was learned from known targets, the evidence of every gene as
            predicted from its surroundings alone, same index as the table.

    Raises:
        AlignmentError: Missing columns, or ladder and ranking with different genes.
    """

    table: pd.DataFrame
    ladder: pd.DataFrame
    metrics: pd.DataFrame = field(default_factory=pd.DataFrame)
    diverged: tuple[str, ...] = ()
    predicted: "pd.Series[float] | None" = None
    recommendation: Recommendation | None = None

    def __post_init__(self) -> None:
        if missing := [c for c in RANKING_COLUMNS if c not in self.table.columns]:
            raise AlignmentError(f"a ranking lacks the columns {missing}")
        if not self.ladder.index.equals(self.table.index):
            raise AlignmentError("ladder and ranking do not share their genes")


def rank_genes(task: TargetTask, members: Sequence[Member], ladder: pd.DataFrame) -> Ranking:
    """Average the members that never saw a gene's label and rank all genes.

    Args:
        task: Labels, folds and names.
        members: Fitted networks; every fold needs at least one.
        ladder: Scores of the baselines, indexed by gene.

    Raises:
        TaskError: A fold without a member.
    """
    n = len(task.genes)
    low, high, mean = np.full(n, np.nan), np.full(n, np.nan), np.full(n, np.nan)
    rank_low, rank_high = np.zeros(n, int), np.zeros(n, int)
    for fold in np.unique(task.folds):
        mine = task.folds == fold
        scores = np.array([m.scores for m in _of_fold(members, int(fold))])  # (members, n)
        ranks = np.array([_ranks(s) for s in scores])
        mean[mine] = scores.mean(axis=0)[mine]
        low[mine], high[mine] = scores.min(axis=0)[mine], scores.max(axis=0)[mine]
        rank_low[mine], rank_high[mine] = ranks.min(axis=0)[mine], ranks.max(axis=0)[mine]
    table = pd.DataFrame(
        {
            "symbol": task.graph.symbols.reindex(task.genes),
            "rank": _ranks(mean),
            "score": mean,
            "score_low": low,
            "score_high": high,
            "rank_low": np.minimum(rank_low, _ranks(mean)),
            "rank_high": np.maximum(rank_high, _ranks(mean)),
            "is_known": task.labels.astype(bool),
            "fold": task.folds,
            "degree": task.graph.degree().reindex(task.genes),
        },
        index=task.genes,
    ).sort_values("rank")
    scorers = pd.concat([pd.Series(mean, task.genes, name=NETWORK), ladder], axis=1)
    known = pd.Series(task.labels.astype(bool), task.genes)[~task.withheld & task.reported]
    metrics, advice = pd.DataFrame(), None
    if known.any():
        metrics = measure(scorers, known)
        advice = recommend(scorers, known, pd.Series(task.families.to_numpy(), task.genes), NETWORK)
    diverged = tuple(m.unit.name for m in members if m.diverged_at)
    predicted = None
    if task.objective == "none":
        predicted = pd.Series(predicted_evidence(task, members), task.genes).reindex(table.index)
    return Ranking(table, ladder.reindex(table.index), metrics, diverged, predicted, advice)


def measure(scorers: pd.DataFrame, known: "pd.Series[bool]") -> pd.DataFrame:
    """Measure how early every scorer ranks the known targets among all genes.

    Args:
        scorers: One column of scores per scorer, indexed by gene; higher is better.
        known: True for the genes to find; genes missing here are left out.

    Returns:
        One row per scorer: ``average_precision``, ``auroc``, ``recall_at_100``, ``median_rank``,
        ``prevalence``. Ties count as ties: average precision takes a group of equal scores as one
        step and ranks are midranks.
    """
    truth = known.to_numpy(bool)
    rows = {}
    for name in scorers.columns:
        scores = scorers[name].reindex(known.index).to_numpy(float)
        midrank = pd.Series(-scores).rank(method="average").to_numpy()
        rows[name] = {
            "average_precision": float(average_precision_score(truth, scores)),
            "auroc": float(roc_auc_score(truth, scores)),
            "recall_at_100": float((midrank[truth] <= 100).mean()),
            "median_rank": float(np.median(midrank[truth])),
            "prevalence": float(truth.mean()),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def _of_fold(members: Sequence[Member], fold: int) -> list[Member]:
    found = [m for m in members if m.unit.fold == fold]
    if not found:
        raise TaskError(f"no network was fitted without fold {fold}; fit it before ranking")
    return sorted(found, key=lambda m: m.unit.repeat)


def _ranks(scores: np.ndarray) -> np.ndarray:
    """Rank from 1, best first; equal scores keep the order of their genes."""
    ranks = np.empty(len(scores), dtype=np.int64)
    # nine decimals: the last bits of a sum must not decide an order
    ranks[np.lexsort((np.arange(len(scores)), -np.round(scores, 9)))] = np.arange(
        1, len(scores) + 1
    )
    return ranks
