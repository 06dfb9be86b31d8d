"""Does a ranking say more than how well a gene is studied?"""

from typing import Final

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.isotonic import IsotonicRegression

from aimwell.models.accuracy import accuracy, matched_auroc, rank_correlation
from aimwell.models.baselines import study_intensity
from aimwell.models.ranking import NETWORK, Ranking
from aimwell.models.task import TargetTask
from aimwell.trust.check import Check

#: Baselines that only count how often a gene was looked at.
POPULARITY: Final = ("degree", "study intensity")
GROUP: Final = "bias"


def check_bias(task: TargetTask, ranking: Ranking, scores: np.ndarray) -> list[Check]:
    """Measure what degree and annotation explain of a ranking.

    Args:
        task: Labels and wiring.
        ranking: For the baselines.
        scores: Of the network, out of fold, in the order of ``task.genes``, shape ``(n,)``.
    """
    kept = ~task.withheld
    known = task.labels.astype(bool)
    degree, annotation = degree_of(task), annotation_of(task)
    free = kept & ~known
    checks = []
    for name, equal in (("degree", degree), ("annotation", annotation)):
        if not known.any():
            break
        area = matched_auroc(known[kept], scores[kept], equal[kept])
        low, high = matched_interval(known[kept], scores[kept], equal[kept])
        passed = None if np.isnan(area) else bool(low > 0.5)
        checks.append(
            Check(
                f"{name}_matched_auroc",
                _number(area),
                "> 0.5 by its interval",
                passed,
                "AUROC over pairs of a known target and another gene of the same decile of "
                + ("neighbours" if name == "degree" else "relations and sets")
                + ": what is left when being well studied does not count",
                None if np.isnan(area) else (low, high),
                GROUP,
            )
        )
    for name, equal in (("degree", degree), ("annotation", annotation)):
        rho = rank_correlation(scores[free], equal[free])
        checks.append(
            Check(
                f"rank_{name}_correlation",
                _number(rho),
                "<= 0.5",
                bool(rho <= 0.5) if np.isfinite(rho) else None,
                f"Spearman correlation of score and {name} over genes without a label",
                group=GROUP,
            )
        )
    if not known.any():
        return checks
    return [*checks, *_popularity(ranking), *_without_degree(task, scores)]


def degree_of(task: TargetTask) -> np.ndarray:
    """Log number of neighbours, standardised, shape ``(n,)``."""
    return np.asarray(next(b for b in task.blocks if b.kind == "graph").values[:, 0], float)


def annotation_of(task: TargetTask) -> np.ndarray:
    """Mean z-score over channels of how often a gene is in each, shape ``(n,)``."""
    counts = study_intensity(task)
    spread = counts.std(axis=0)
    used = spread > 0
    if not used.any():
        return np.zeros(len(task.genes))
    centred = (counts[:, used] - counts[:, used].mean(axis=0)) / spread[used]
    return np.asarray(centred.mean(axis=1))


def without_degree(
    scores: np.ndarray, degree: np.ndarray, annotation: np.ndarray, fit: np.ndarray
) -> np.ndarray:
    """Take out of a score what degree and annotation explain of it.

    The expected score of a gene of this degree, then of this annotation, is estimated by monotone
    regression on genes without a label and subtracted; monotone, because only the belief that
    well-studied genes score higher is to go.

    Args:
        scores: Shape ``(n,)``.
        degree, annotation: Shape ``(n,)``.
        fit: True for the genes to estimate from, shape ``(n,)``.

    Returns:
        Scores in standard deviations over those genes, shape ``(n,)``.

    Example:
        >>> degree = np.arange(50.0)
        >>> rest = without_degree(2 * degree, degree, np.zeros(50), np.ones(50, bool))
        >>> bool(np.abs(rest).max() < 1e-6)
        True
    """
    left = scores.astype(float)
    for explains in (degree, annotation):
        if np.ptp(explains[fit]) > 0:
            curve = IsotonicRegression(out_of_bounds="clip").fit(explains[fit], left[fit])
            left = left - curve.predict(explains)
    spread = left[fit].std()
    centred = left - left[fit].mean()
    return np.asarray(centred / spread if spread > 1e-9 else np.round(centred, 9))


def matched_interval(
    truth: np.ndarray, scores: np.ndarray, equal: np.ndarray, draws: int = 200
) -> tuple[float, float]:
    """Give the 95 % interval of a matched AUROC over the known targets drawn again."""
    rng = np.random.default_rng(0)
    positive, rest = np.flatnonzero(truth), np.flatnonzero(~truth)
    place = stats.rankdata(equal, method="average") - 0.5
    stratum = np.minimum((place * 10 / len(truth)).astype(int), 9)
    # of each known target, the share of genes of its stratum that it beats
    beats = np.full(len(positive), np.nan)
    size = np.zeros(len(positive))
    for number in np.unique(stratum[positive]):
        others = np.sort(scores[rest[stratum[rest] == number]])
        mine = stratum[positive] == number
        if len(others):
            own = scores[positive[mine]]
            below, upto = (np.searchsorted(others, own, side) for side in ("left", "right"))
            beats[mine], size[mine] = (below + upto) / (2 * len(others)), len(others)
    used = ~np.isnan(beats)
    if not used.any():
        return float("nan"), float("nan")
    beats, size = beats[used], size[used]
    again = rng.integers(0, len(beats), (draws, len(beats)))
    areas = (beats * size)[again].sum(axis=1) / size[again].sum(axis=1)
    low, high = np.quantile(areas, [0.025, 0.975])
    return float(low), float(high)


def _popularity(ranking: Ranking) -> list[Check]:
    precision = ranking.metrics["average_precision"]
    counted = [name for name in POPULARITY if name in precision.index]
    if not counted:
        return []
    best = str(precision[counted].idxmax())
    lead = float(precision[NETWORK] - precision[best])
    return [
        Check(
            "lead_over_popularity",
            lead,
            "> 0",
            lead > 0,
            f"average precision of the network minus that of {best} alone "
            f"({precision[best]:.3f}), which knows nothing but how often a gene was looked at",
            group=GROUP,
        )
    ]


def _without_degree(task: TargetTask, scores: np.ndarray) -> list[Check]:
    kept, known = ~task.withheld, task.labels.astype(bool)
    rest = without_degree(scores, degree_of(task), annotation_of(task), kept & ~known)
    before, after = accuracy(known[kept], scores[kept]), accuracy(known[kept], rest[kept])
    meaning = (
        "{} that is lost when what degree and annotation explain is taken out of the score "
        "({:.3f} to {:.3f}); audit.remove_degree adds that ranking to targets.tsv"
    )
    if not task.wiring.degree_corrected:
        meaning += (
            "; model.degree_feature = false and model.degree_correction = true keep it from the "
            "networks instead, before they learn"
        )
    return [
        Check(
            f"price_of_removing_degree: {name}",
            one - other,
            meaning=meaning.format(name, one, other),
            group=GROUP,
        )
        for name, one, other in zip(("average precision", "AUROC"), before, after, strict=True)
    ]


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None


def popularity_table(ranking: Ranking) -> pd.DataFrame:
    """Give accuracy of the network beside that of the counts."""
    return ranking.metrics.loc[[n for n in (NETWORK, *POPULARITY) if n in ranking.metrics.index]]
