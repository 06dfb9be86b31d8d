"""The ladder where negatives are given: simple scorers on the folds of a benchmark."""

from typing import Final

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aimwell.errors import TaskError
from aimwell.models.baselines import (
    fixed_rounds,
    log_odds,
    neighbour_labels,
    random_walk,
    study_intensity,
    walk_matrix,
)
from aimwell.models.first_layer import FirstLayer
from aimwell.models.table_task import STUDY
from aimwell.models.task import TargetTask

REGRESSION: Final = "regression: evidence, degree, neighbour labels"
BOOSTING: Final = "boosting: the same and what arrives of the evidence"
#: Rungs that know neither edges nor degrees.
ALONE: Final = ("regression: evidence", "MLP: evidence")
GIVEN_LADDER: Final = (
    "degree",
    "study intensity",
    "random walk",
    *ALONE,
    REGRESSION,
    "boosting: evidence, degree, neighbour labels",
    BOOSTING,
)
#: Inverse strength of the penalty, chosen on repetition 0: it helps regression by .002.
PENALTY: Final = 0.05
#: Boosting that sees a tenth of many columns at a split is averaged over this many draws of them.
DRAWS: Final = 2


def given_ladder(task: TargetTask, layer: FirstLayer, fold: int) -> pd.DataFrame:
    """Score every gene by every baseline, learned outside one fold.

    The neighbour labels of a gene leave its own label out and those of the fold; so a gene of the
    training set and one of the test fold see the same kind of thing.

    Args:
        task: With ``negatives``.
        layer: What ``first_layer`` gave: the evidence, and what arrives of it.
        fold: The fold that is held out.

    Returns:
        One column per name in ``GIVEN_LADDER``, indexed by gene: log-odds, or what orders genes.

    Raises:
        TaskError: The task gives no negatives.
    """
    positive, negative = _sides(task, fold)
    near = np.hstack([neighbour_labels(task, side.astype(float)) for side in (positive, negative)])
    degree = task.blocks[-1].values
    both = np.hstack([layer.inputs.numpy(), near])
    all_of_it = np.hstack([layer.arrived.numpy(), near])
    alone = evidence_alone(task, layer, fold)

    def learned(model: object, columns: np.ndarray) -> np.ndarray:
        return _learned(model, columns, positive, negative)

    walk = random_walk(walk_matrix(task), positive.astype(float))
    scores = (
        degree[:, 0].astype(float),
        learned(_regression(), _studied(task)),
        walk,
        *(alone[name].to_numpy() for name in ALONE),
        learned(_regression(), both),
        learned(_boosting(0.3), both),
        np.mean([learned(_boosting(0.1, draw), all_of_it) for draw in range(DRAWS)], axis=0),
    )
    return pd.DataFrame(dict(zip(GIVEN_LADDER, scores, strict=True)), index=task.genes)


def evidence_alone(task: TargetTask, layer: FirstLayer, fold: int) -> pd.DataFrame:
    """Score every gene by its own evidence, without an edge or a degree; as ``given_ladder``.

    Returns:
        One column per name in ``ALONE``.
    """
    sides = _sides(task, fold)
    evidence = layer.inputs.numpy()[:, : -task.blocks[-1].values.shape[1]]
    models = (_regression(), _perceptron())
    scores = {n: _learned(m, evidence, *sides) for n, m in zip(ALONE, models, strict=True)}
    return pd.DataFrame(scores, index=task.genes)


def _sides(task: TargetTask, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """True for the known targets, and for the negatives, outside one fold."""
    if task.negatives is None:
        raise TaskError("this ladder needs given negatives; use the ladder of unlabelled genes")
    outside = task.folds != fold
    return (task.labels == 1) & outside, task.negatives & outside


def _learned(
    model: object, columns: np.ndarray, positive: np.ndarray, negative: np.ndarray
) -> np.ndarray:
    """Learn from the genes of two sides; log-odds of all genes, shape ``(n,)``."""
    training = np.flatnonzero(positive | negative)
    pipe = make_pipeline(StandardScaler(), model)
    with fixed_rounds():
        pipe.fit(columns[training], positive[training])
    return log_odds(pipe.predict_proba(columns)[:, 1])


def _studied(task: TargetTask) -> np.ndarray:
    """Take the counts of every relation where the task has them, else those of its channels."""
    counted = [b.values for b in task.blocks if b.kind == STUDY]
    return np.hstack(counted) if counted else study_intensity(task)


def _regression() -> LogisticRegression:
    return LogisticRegression(C=PENALTY, max_iter=2000)


def _perceptron() -> MLPClassifier:
    return MLPClassifier(
        (32,), alpha=1.0, early_stopping=True, max_iter=100, learning_rate_init=5e-3, random_state=0
    )


def _boosting(columns: float, draw: int = 0) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=150,
        learning_rate=0.06,
        max_leaf_nodes=8,
        l2_regularization=5.0,
        max_features=columns,
        random_state=draw,
    )
