"""One recipe for finding targets that nobody listed: learn from the unlabelled genes too.

Given negatives are chosen, and what they have in common (they are little studied) is then what a
model learns. Unlabelled genes are what a user has. Two networks and two regressions learn from the
known targets, the given negatives and all unlabelled genes as weak negatives, and their
standardised scores are averaged: networks see how evidence arrives in two steps, regressions what
arrives in one.
"""

from typing import Final

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from aimwell.models.baselines import neighbour_labels
from aimwell.models.first_layer import FirstLayer, first_layer
from aimwell.models.member import Unit
from aimwell.models.supervised import Recipe, fit_supervised, training_rows
from aimwell.models.task import TargetTask

DISCOVERY: Final = "networks and regressions that learn from unlabelled genes"
NEAR: Final = "regression, unlabelled: evidence, degree, neighbour labels"
ARRIVING: Final = "regression, unlabelled: the same and what arrives of the evidence"
#: Weight of an unlabelled gene as a negative, and of the risk of the unlabelled in each track.
WEAK: Final = 0.5
RISKS: Final = {"full": 0.5, "lean": 1.0}
#: Inverse strength of the penalties, for few columns and for many.
PENALTY: Final = {NEAR: 0.05, ARRIVING: 0.003}


def score_discovery(
    tasks: dict[str, TargetTask], seeds: int, seed: int = 0
) -> dict[int, pd.DataFrame]:
    """Score every gene by the recipe and its parts, learned outside each fold.

    Whether a gene of the held-out fold counts as unlabelled does not depend on its label.

    Args:
        tasks: The same genes and folds in the tracks ``full`` and ``lean``.
        seeds: Networks per fold and track.
        seed: Of all draws.

    Returns:
        Fold → one column per part and ``DISCOVERY``, standardised over the genes in no fold (over
        all, where there is none), indexed by gene.
    """
    layers = {track: first_layer(task) for track, task in tasks.items()}
    full = tasks["full"]
    rest = full.folds < 0 if (full.folds < 0).any() else np.ones(len(full.genes), bool)
    scores = {}
    for fold in (int(f) for f in np.unique(full.folds) if f >= 0):
        parts = {
            f"network, unlabelled, {track}": _network(
                tasks[track], layers[track], fold, seeds, seed, RISKS[track]
            )
            for track in RISKS
        }
        parts |= _regressions(full, layers["full"], fold)
        table = pd.DataFrame(parts, index=full.genes)
        table = (table - table[rest].mean()) / table[rest].std()
        table[DISCOVERY] = table.mean(axis=1)
        scores[fold] = table
    return scores


def _network(
    task: TargetTask, layer: FirstLayer, fold: int, seeds: int, seed: int, risk: float
) -> np.ndarray:
    shared, recipe = training_rows(task, fold), Recipe(unlabelled_weight=risk)
    members = [
        fit_supervised(task, Unit(fold, number), recipe, seed, layer, shared)
        for number in range(seeds)
    ]
    return np.asarray(np.mean([m.logits for m in members], axis=0, dtype=float))


def _regressions(task: TargetTask, layer: FirstLayer, fold: int) -> dict[str, np.ndarray]:
    """Fit both regressions on every gene; the held-out fold is unlabelled like all others."""
    outside = task.folds != fold
    given = task.negatives if task.negatives is not None else np.zeros(len(outside), bool)
    positive, negative = (task.labels == 1) & outside, given & outside
    near = np.hstack([neighbour_labels(task, side.astype(float)) for side in (positive, negative)])
    weight = np.where(positive | negative, 1.0, WEAK)
    use = ~task.withheld
    found = {}
    for name, columns in ((NEAR, layer.inputs.numpy()), (ARRIVING, layer.arrived.numpy())):
        features = np.hstack([columns, near])
        pipe = make_pipeline(
            StandardScaler(), LogisticRegression(C=PENALTY[name], max_iter=2000)
        ).fit(features[use], positive[use], logisticregression__sample_weight=weight[use])
        found[name] = np.asarray(pipe.decision_function(features))
    return found
