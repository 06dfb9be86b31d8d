"""What a score is worth as a probability, and which targets may be chosen at a controlled error.

Sources: Platt 1999 (logistic calibration); Elkan & Noto 2008 (known targets are a random part of
all targets); Naeini et al. 2015 (ECE); Bates et al. 2023 and Jin & Candès 2023 (conformal p-values
and selection by them).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from sklearn.linear_model import LogisticRegression

from aimwell.models.task import TargetTask
from aimwell.models.unlabelled import estimate_prior
from aimwell.trust.check import Check
from aimwell.trust.nulls import q_values

GROUP: Final = "calibration"
BINS: Final = 10
#: Known targets from which on the scores say how many there are, and what is assumed below.
ENOUGH: Final = 200
ASSUMED: Final = 0.5
#: Genes that a curve rests on at its upper end; above them it is level.
TAIL: Final = 20
#: The error of a calibration that a reader may ignore.
LARGEST_ERROR: Final = 0.02
_Numbers = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Calibration:
    """Probabilities out of fold, and how well they hold.

    Attributes:
        named: Chance that a gene of this score is a *known* target, shape ``(n,)``.
        probability: The same, corrected for targets that nobody knows yet, shape ``(n,)``.
        share_known: Share of all targets that is known.
        assumed: Whether that share is an assumption, not an estimate.
        reliability: One row per bin: ``predicted``, ``observed``, ``low``, ``high``, ``genes``.
        ece: Expected calibration error of ``named``, with its 95 % interval.
    """

    named: _Numbers
    probability: _Numbers
    share_known: float
    assumed: bool
    reliability: pd.DataFrame
    ece: tuple[float, float, float]


def calibrate(
    scores: np.ndarray, known: np.ndarray, folds: np.ndarray, share_known: float = 0.0
) -> Calibration:
    """Turn scores into probabilities; no gene takes part in the calibration of its own.

    A logistic curve with one bend, level above the ``TAIL`` highest scores, is fitted on the other
    folds. If known targets are a random part
    of all targets, the chance to be a target is that of being a known one divided by the share of
    targets that is known. Scores bound that share from one side only, and loosely where few
    targets are known: then half is assumed.

    Args:
        scores: Out of fold, shape ``(n,)``.
        known: True for known targets, shape ``(n,)``.
        folds: Fold of every gene, shape ``(n,)``.
        share_known: Share of all targets that is known, in (0, 1]; 1 where negatives are given; 0
            estimates it from ``ENOUGH`` known targets on, and below assumes ``ASSUMED``.
    """
    known = known.astype(bool)
    named = np.zeros(len(scores))
    for fold in np.unique(folds):
        test = folds == fold
        named[test] = _curve(scores[~test], known[~test])(scores[test])
    assumed = not share_known and int(known.sum()) < ENOUGH
    if assumed:
        share_known = ASSUMED
    elif not share_known:
        prior = estimate_prior(scores[known], scores[~known])
        share_known = float(known.sum() / (known.sum() + prior * (~known).sum()))
    probability = np.clip(named / share_known, 0, 1)
    table = reliability_table(named, known)
    ece = ece_interval(named, known)
    return Calibration(named, probability, share_known, assumed, table, ece)


def expected_error(probability: np.ndarray, truth: np.ndarray, bins: int = BINS) -> float:
    """Expected calibration error over bins of equal numbers of genes.

    Example:
        >>> expected_error(np.array([0.5, 0.5]), np.array([True, False]), bins=1)
        0.0
    """
    place = stats.rankdata(probability, method="ordinal") - 1
    number = (place * bins / len(place)).astype(int)
    size = np.bincount(number, minlength=bins)
    gap = np.bincount(number, weights=probability - truth, minlength=bins)
    return float(np.abs(gap).sum() / size.sum())


def ece_interval(
    probability: np.ndarray, truth: np.ndarray, draws: int = 200
) -> tuple[float, float, float]:
    """Give the error with its 95 % interval over genes drawn again.

    Drawing again adds noise, and noise adds to the error: the interval is reflected at the value
    (the basic bootstrap) and held above 0.
    """
    rng = np.random.default_rng(0)
    value = expected_error(probability, truth)
    again = []
    for _ in range(draws):
        rows = rng.integers(0, len(truth), len(truth))
        again.append(expected_error(probability[rows], truth[rows]))
    low, high = np.quantile(again, [0.025, 0.975])
    return value, max(0.0, float(2 * value - high)), max(value, float(2 * value - low))


def reliability_table(probability: np.ndarray, truth: np.ndarray, bins: int = BINS) -> pd.DataFrame:
    """Compare predicted and observed shares in bins of equal numbers of genes.

    The lowest bins of a genome hold next to nothing, so that the bins are finer towards the top:
    half of the genes, a quarter, an eighth and so on.

    Returns:
        Columns ``predicted``, ``observed``, ``low``, ``high`` (95 % Wilson interval), ``genes``.
    """
    place = (stats.rankdata(-probability, method="ordinal") - 0.5) / len(probability)
    number = np.minimum(np.floor(-np.log2(place)).astype(int), bins - 1)
    rows = []
    for one in range(bins):
        inside = number == one
        if inside.sum() < 5:
            continue
        hits, size = int(truth[inside].sum()), int(inside.sum())
        interval = stats.binomtest(hits, size).proportion_ci(method="wilson")
        rows.append(
            {
                "predicted": float(probability[inside].mean()),
                "observed": hits / size,
                "low": float(interval.low),
                "high": float(interval.high),
                "genes": size,
            }
        )
    return pd.DataFrame(rows, columns=["predicted", "observed", "low", "high", "genes"])


def conformal_p(scores: np.ndarray, null: np.ndarray) -> _Numbers:
    """Give every score its conformal p-value against scores of examples that are no targets.

    Args:
        scores: Shape ``(n,)``.
        null: Scores of examples that took no part in learning the score, at least one.

    Returns:
        ``(1 + number of null scores as high) / (1 + number)``, shape ``(n,)``.

    Example:
        >>> conformal_p(np.array([5.0, 0.0]), np.array([1.0, -1, 2])).tolist()
        [0.25, 0.75]
    """
    ordered = np.sort(null)
    above = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((1 + above) / (1 + len(ordered)))


def select(p: np.ndarray, rate: float) -> npt.NDArray[np.bool_]:
    """Choose genes so that at most ``rate`` of the chosen are expected to be wrong.

    Conformal p-values that share their null examples depend on each other positively, so that the
    procedure of Benjamini and Hochberg holds for them (Bates et al. 2023).
    """
    chosen: npt.NDArray[np.bool_] = q_values(p) <= rate
    return chosen


def check_calibration(
    task: TargetTask, scores: np.ndarray, share_known: float = 0.0
) -> tuple[Calibration, list[Check]]:
    """Calibrate the scores of a run and say how well the probabilities hold.

    Args:
        task: Labels and folds.
        scores: Out of fold, shape ``(n,)``.
        share_known: As for ``calibrate``.
    """
    kept = ~task.withheld
    known = task.labels.astype(bool)
    found = calibrate(scores[kept], known[kept], task.folds[kept], share_known)
    value, low, high = found.ece
    checks = _given(task, scores) if task.negatives is not None else []
    checks += [
        Check(
            "expected_calibration_error",
            value,
            f"<= {LARGEST_ERROR}",
            value <= LARGEST_ERROR,
            "mean gap between the predicted and the observed share of known targets, over ten "
            "bins of genes, out of fold",
            (low, high),
            GROUP,
        ),
        Check(
            "share_of_targets_that_is_known",
            found.share_known,
            meaning=("assumed" if found.assumed else "estimated or given")
            + " share of all targets that is known; the column probability is divided by it, and "
            "stands and falls with it (audit.known_share)",
            group=GROUP,
        ),
    ]
    whole = Calibration(
        _spread_out(found.named, kept, scores),
        _spread_out(found.probability, kept, scores),
        found.share_known,
        found.assumed,
        found.reliability,
        found.ece,
    )
    return whole, checks


def _given(task: TargetTask, scores: np.ndarray) -> list[Check]:
    """Calibrate known targets against the given negatives alone: there nothing is unlabelled."""
    assert task.negatives is not None
    known = task.labels.astype(bool)
    labelled = (known | task.negatives) & ~task.withheld
    found = calibrate(scores[labelled], known[labelled], task.folds[labelled], 1.0)
    value, low, high = found.ece
    return [
        Check(
            "calibration_error_among_given",
            value,
            f"<= {LARGEST_ERROR}",
            value <= LARGEST_ERROR,
            f"mean gap between the predicted and the observed share of known targets among them "
            f"and the {int(task.negatives.sum())} given negatives, out of fold; few labels make it "
            "large by chance alone, see its interval",
            (low, high),
            GROUP,
        )
    ]


def _curve(scores: np.ndarray, truth: np.ndarray):  # type: ignore[no-untyped-def]
    """Fit a logistic curve with one bend, as scores of rare targets have long tails.

    It ends where the data do: the one score far above all others is worth what the highest are.
    """
    place = np.quantile(scores, 0.95)
    last = np.sort(scores)[-min(TAIL, len(scores))]

    def columns(values: np.ndarray) -> np.ndarray:
        reached = np.minimum(values, last)
        return np.column_stack([reached, np.maximum(reached - place, 0)])

    model = LogisticRegression(C=10.0, max_iter=1000).fit(columns(scores), truth)
    return lambda values: model.predict_proba(columns(values))[:, 1]


def _spread_out(values: np.ndarray, kept: np.ndarray, scores: np.ndarray) -> _Numbers:
    """Give genes that were kept out the value of the gene whose score is nearest."""
    whole = np.empty(len(kept))
    whole[kept] = values
    order = np.argsort(scores[kept])
    ordered = scores[kept][order]
    near = np.clip(np.searchsorted(ordered, scores[~kept]), 0, len(ordered) - 1)
    whole[~kept] = values[order][near]
    return whole
