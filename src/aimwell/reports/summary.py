"""What a hurried reader must know: which scorer to trust, and what to be careful about."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from aimwell.errors import some
from aimwell.reports.data import ReportData, in_words

if TYPE_CHECKING:  # the module of the ranking loads torch, which no page needs
    from aimwell.models.ranking import Ranking

#: Name of the network in ``Ranking.metrics`` where the table does not say otherwise.
NETWORK: Final = "network"


@dataclass(frozen=True)
class Recommendation:
    """Which scorer to use, by the rule of one standard error.

    Attributes:
        scorer: Name of the recommended scorer.
        best: Scorer with the highest average precision.
        network: Name of the network among the scorers.
        standard_errors: Scorer → standard error of its average precision over known targets.
        sentence: The recommendation in plain words.
    """

    scorer: str
    best: str
    network: str
    standard_errors: dict[str, float]
    sentence: str

    @property
    def is_network(self) -> bool:
        """Whether the network is what should be used."""
        return self.scorer == self.network


def recommend(ranking: "Ranking") -> Recommendation | None:
    """Choose the simplest scorer that is within one standard error of the best.

    Scorers are taken from simple to complex: the columns of the ladder in their order, then the
    network. "Within" is judged on the paired differences between the two scorers over the known
    targets. None where there are no metrics.
    """
    metrics = ranking.metrics
    if metrics.empty or "average_precision" not in metrics.columns:
        return None
    precision = metrics["average_precision"].astype(float)
    if precision.isna().all():
        return None
    network = network_of(ranking)
    order = [str(c) for c in ranking.ladder.columns if c in precision.index]
    order += [str(name) for name in precision.index if str(name) not in order]
    best = str(precision.idxmax())
    parts = {name: _precision_at_known(ranking, name, network) for name in order}
    errors = {name: _standard_error(values) for name, values in parts.items()}
    chosen = next(n for n in order if n == best or _as_good(parts[n], parts[best]))
    sentence = _sentence(precision, chosen, best, network)
    return Recommendation(chosen, best, network, errors, sentence)


def network_of(ranking: "Ranking") -> str:
    """Name the row of the metrics that is not a baseline."""
    others = [str(n) for n in ranking.metrics.index if n not in ranking.ladder.columns]
    return others[-1] if others else NETWORK


def _precision_at_known(ranking: "Ranking", name: str, network: str) -> np.ndarray:
    """Precision at the score of every known target; the mean is the average precision."""
    if name == network:
        score = ranking.table["score"].to_numpy(float)
    elif name in ranking.ladder.columns:
        score = ranking.ladder[name].to_numpy(float)
    else:
        return np.empty(0)
    known = ranking.table["is_known"].to_numpy(bool)
    score = np.where(np.isnan(score), -np.inf, score)
    every, hits = np.sort(-score), np.sort(-score[known])
    at = -score[known]
    precision: np.ndarray = np.searchsorted(hits, at, "right") / np.maximum(
        np.searchsorted(every, at, "right"), 1
    )
    return precision


def _standard_error(values: np.ndarray) -> float:
    return float(np.std(values, ddof=1) / np.sqrt(len(values))) if len(values) > 1 else float("nan")


def _as_good(values: np.ndarray, best: np.ndarray) -> bool:
    if len(values) < 2 or len(values) != len(best):
        return False
    difference = best - values
    return bool(difference.mean() <= _standard_error(difference))


def _sentence(precision: "pd.Series[float]", chosen: str, best: str, network: str) -> str:
    def with_value(name: str) -> str:
        return f"{in_words(name).lower()} ({precision[name]:.3f})"

    others = precision.drop(index=[n for n in (network,) if n in precision.index])
    if chosen == network:
        if others.empty:
            return (
                f"The network scores {precision[network]:.3f}; no baseline was measured beside it."
            )
        runner = str(others.idxmax())
        return (
            f"The network finds known targets best: average precision {precision[network]:.3f}, "
            f"more than one standard error above every baseline; next is {with_value(runner)}."
        )
    if best == network:
        return (
            f"The network does not beat the ladder: its average precision "
            f"({precision[network]:.3f}) is within one standard error of the simpler scorer "
            f"{with_value(chosen)}. Prefer that column of targets.tsv."
        )
    beaten = f"{precision[network]:.3f}" if network in precision.index else "not measured"
    if chosen == best:
        return (
            f"The network (average precision {beaten}) does not beat the ladder: use "
            f"{with_value(best)}, a column of targets.tsv."
        )
    return (
        f"The network (average precision {beaten}) does not beat the ladder: the best scorer is "
        f"{with_value(best)}, and the simplest within one standard error of it is "
        f"{with_value(chosen)}. Prefer that column of targets.tsv."
    )


def stain_of(report: ReportData) -> str:
    """Say that the ranking has seen the answer; empty where it has not."""
    leaks = report.manifest.get("leaks") or {}
    return str(leaks.get("stain") or "")


def caveats(report: ReportData) -> list[str]:
    """List what a reader should be careful about, most important first."""
    found = []
    if stain := stain_of(report):
        found.append(stain)
    config = report.manifest.get("config")
    labels = config.get("known_targets") if isinstance(config, Mapping) else None
    if isinstance(labels, Mapping) and labels.get("note"):
        found.append(str(labels["note"]))
    for name, design in report.designs.items():
        verdict = str(design.get("verdict", "accept"))
        if verdict != "accept":
            found.append(f"{report.label_of(name)}: the design gate says “{verdict}”.")
    failed = [in_words(c.name) for c in report.checks if c.passed is False]
    if failed:
        found.append(
            f"{len(failed)} of {len(report.checks)} checks missed their limit: {some(failed)}."
        )
    top = report.ranking.table.sort_values("rank").head(10)
    seen = report.evidence.across["coverage"].reindex(top.index).fillna(0.0).astype(float)
    unseen = top.loc[seen == 0, "symbol"].tolist()
    if unseen:
        found.append(
            f"{len(unseen)} of the top ten have no measurement in this cohort and rest on their "
            f"neighbours alone: {some(unseen)}."
        )
    known = int(top["is_known"].sum())
    if known:
        found.append(
            f"{known} of the top ten {'is a' if known == 1 else 'are'} known target"
            f"{'' if known == 1 else 's'}; each was scored by networks that never saw its label."
        )
    wide = top[(top["rank_high"] - top["rank_low"]) > 0.1 * len(report.ranking.table)]
    if len(wide):
        found.append(
            f"{len(wide)} of the top ten move over more than a tenth of the genome between "
            f"ensemble members: {some(wide['symbol'])}."
        )
    return found
