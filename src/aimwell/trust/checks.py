"""Checks that every run makes of its own ranking."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import roc_auc_score

from aimwell.cohorts.evidence import Evidence
from aimwell.errors import some
from aimwell.explain.explanation import Explanation
from aimwell.knowledge.leaks import leak_stain
from aimwell.models.accuracy import rank_correlation
from aimwell.models.ranking import NETWORK, Ranking
from aimwell.models.surroundings import evidence_strength
from aimwell.models.task import TargetTask
from aimwell.models.tracks import COUNTS, FULL, LEAN
from aimwell.trust.check import Check


def check_ranking(
    task: TargetTask,
    ranking: Ranking,
    evidence: Evidence,
    explanations: Sequence[Explanation],
) -> list[Check]:
    """Measure what a reader should know before believing a ranking.

    Args:
        task: Labels and folds.
        ranking: Scores and ladder.
        evidence: For missing values that know the labels.
        explanations: For the completeness of the attributions.
    """
    table = ranking.table.reindex(task.genes)
    return [
        *_ladder_check(ranking),
        *_surroundings_check(task, ranking),
        *_divergence_check(ranking),
        _degree_check(table),
        _stability_check(table),
        *_missingness_checks(task, evidence),
        *_completeness_check(explanations),
    ]


def layer_checks(layers: pd.DataFrame) -> list[Check]:
    """Say whether the ranking holds where one kind of measurement is missing.

    Args:
        layers: Of ``missing_layers``.
    """
    return [
        Check(
            f"without_layer: {kind}",
            float(rho),
            ">= 0.7",
            bool(rho >= 0.7),
            f"Spearman correlation of the scores with those of the same networks without {kind}; "
            "model.block_dropout makes a missing layer normal in training",
            group="stability",
        )
        for kind, rho in zip(layers["without"], layers["rank_correlation"], strict=True)
    ]


def track_checks(tracks: pd.DataFrame) -> list[Check]:
    """Say what features that count how well a gene is studied would add.

    Args:
        tracks: Of ``track_table``; may be empty.
    """
    if tracks.empty:
        return []
    table = tracks.set_index(["track", "scorer"])["average_precision"]
    network = {track: float(table[track, NETWORK]) for track in (LEAN, FULL)}
    counts = float(table[COUNTS].iloc[0])
    return [
        Check(
            "study_intensity_adds",
            network[FULL] - network[LEAN],
            meaning=f"average precision of the network with features that count how well a gene "
            f"is studied ({FULL} track, {network[FULL]:.3f}) minus without ({LEAN} track, "
            f"{network[LEAN]:.3f}, one network a fold); counts alone reach {counts:.3f}. The run "
            "ranks by the lean track",
            group="bias",
        )
    ]


def leak_check(leaks: pd.DataFrame, *, allowed: bool) -> Check:
    """Say whether the graph of a ranking held what encodes the known targets.

    Args:
        leaks: What the audit of the graph found; column ``edges``.
        allowed: Whether it was kept.
    """
    kept = float(leaks["edges"].sum()) if allowed else 0.0
    stain = leak_stain(leaks, allow=allowed)
    gone = f"{len(leaks)} relations, channels or sets with such edges were left out"
    clean = f"edges that encode the known targets; {gone if len(leaks) else 'none was found'}"
    return Check("leaks", kept, "<= 0", kept == 0, stain or clean, group="leakage")


def recovered(ranking: Ranking, genes: pd.Index) -> pd.DataFrame:
    """Say where genes that were kept out of a run landed.

    Returns:
        One row per gene: ``gene``, ``symbol``, ``rank``, ``best_share`` (rank over the number of
        genes) and the rank by every baseline; missing where the gene is not in the graph.
    """
    table = ranking.table.reindex(genes)
    rows = pd.DataFrame(
        {
            "gene": genes,
            "symbol": table["symbol"].to_numpy(),
            "rank": table["rank"].to_numpy(),
            "best_share": (table["rank"] / len(ranking.table)).to_numpy(),
        }
    )
    for name in ranking.ladder.columns:
        ranks = ranking.ladder[name].rank(ascending=False, method="average")
        rows[f"rank: {name}"] = ranks.reindex(genes).to_numpy()
    return rows.sort_values(["rank", "gene"], ignore_index=True)


def _ladder_check(ranking: Ranking) -> list[Check]:
    if ranking.metrics.empty:
        return []
    precision = ranking.metrics["average_precision"]
    rivals = precision.drop(NETWORK)
    lead = float(precision[NETWORK] - rivals.max())
    return [
        Check(
            "lead_over_the_ladder",
            lead,
            "> 0",
            lead > 0,
            "average precision of the network minus that of the best baseline "
            f"({rivals.idxmax()}), on known targets that neither saw",
            group="ladder",
        )
    ]


def _surroundings_check(task: TargetTask, ranking: Ranking) -> list[Check]:
    """Does what surrounds a gene say anything of it, where that is all there is?"""
    if ranking.predicted is None:
        return []
    strength, seen = evidence_strength(task)
    predicted = ranking.predicted.reindex(task.genes).to_numpy()
    found = stats.spearmanr(predicted[seen], strength[seen])
    rho = float(found.statistic)
    spread = 1.96 / np.sqrt(max(int(seen.sum()) - 3, 1))
    low, high = np.tanh(np.arctanh(rho) - spread), np.tanh(np.arctanh(rho) + spread)
    return [
        Check(
            "held_out_evidence",
            rho,
            "> 0",
            bool(low > 0),
            "Spearman correlation of the evidence of a gene with its prediction from the scores of "
            "its neighbours, which never saw it; with an interval above 0 the graph says something "
            "about this cohort",
            (float(low), float(high)),
            group="ladder",
        )
    ]


def _divergence_check(ranking: Ranking) -> list[Check]:
    """Tell of networks whose training ran away."""
    if not ranking.diverged:
        return []
    return [
        Check(
            "diverged_networks",
            float(len(ranking.diverged)),
            "<= 0",
            False,
            "networks whose training ran away and that were taken back to their best step: "
            f"{some(ranking.diverged)}; lower model.learning_rate",
        )
    ]


def _degree_check(table: pd.DataFrame) -> Check:
    unlabelled = table[~table["is_known"]]
    rho = rank_correlation(unlabelled["score"].to_numpy(), unlabelled["degree"].to_numpy())
    known = bool(np.isfinite(rho))  # it is not where every gene has as many neighbours
    return Check(
        "score_degree_correlation",
        rho if known else None,
        "<= 0.5",
        bool(rho <= 0.5) if known else None,
        "Spearman correlation of score and number of neighbours over genes without a label: "
        "well-studied genes have more edges",
        group="bias",
    )


def _stability_check(table: pd.DataFrame) -> Check:
    top = table.nsmallest(min(100, len(table)), "rank")
    width = float(((top["rank_high"] - top["rank_low"]) / len(table)).median())
    return Check(
        "rank_width_of_the_top",
        width,
        "<= 0.05",
        bool(width <= 0.05),
        "median distance between the best and the worst rank that single networks give to the "
        "first 100 genes, as a share of all genes",
        group="stability",
    )


def _missingness_checks(task: TargetTask, evidence: Evidence) -> list[Check]:
    """Does being measured at all tell known targets apart?"""
    known = task.labels.astype(bool)
    checks: list[Check] = []
    if not known.any():
        return checks
    for name, block in sorted(evidence.blocks.items()):
        seen = block["observed"].reindex(task.genes).eq(True).to_numpy()
        if seen.all() or not seen.any():
            continue
        area = float(roc_auc_score(known, seen.astype(float)))
        checks.append(
            Check(
                f"missingness_and_labels: {name}",
                area,
                "0.35 to 0.65",
                bool(0.35 <= area <= 0.65),
                "how well 'was it measured' alone tells known targets from other genes (0.5: not "
                "at all); the network is not told which values are missing",
                group="leakage",
            )
        )
    return checks


def _completeness_check(explanations: Sequence[Explanation]) -> list[Check]:
    if not explanations:
        return []
    errors = [e.completeness_error for e in explanations]
    spread = float(np.std([e.score - e.baseline_score for e in explanations])) or 1.0
    worst, median = max(errors) / spread, float(np.median(errors)) / spread
    return [
        Check(
            "completeness_of_attributions",
            median,
            "<= 0.01",
            median <= 0.01,
            "median gap between the sum of the attributions and the score, as a share of the "
            f"spread of the explained scores (largest: {worst:.3g})",
            group="explanation",
        )
    ]
