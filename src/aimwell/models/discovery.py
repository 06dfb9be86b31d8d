"""One recipe for finding targets that nobody listed.

Three things make it differ from a scorer of given positives and negatives. Given negatives are
chosen, and what they have in common (they are little studied) is then what a model learns: here
every unlabelled gene counts as a negative too, which is what a user has. How early a gene was named
is learned as an input of its own, so that it explains what it can, and is *taken out* at
prediction: all genes are scored as if they had been named at the same time. And regressions have
strong penalties, which spread the weight over all relations along which known targets are near.

Two networks and three regressions see the same known targets in different ways; their
standardised scores are averaged.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor

from aimwell.errors import TaskError
from aimwell.models.baselines import neighbour_labels
from aimwell.models.first_layer import FirstLayer, first_layer
from aimwell.models.member import Unit
from aimwell.models.supervised import Recipe, TrainingRows, fit_supervised, training_rows
from aimwell.models.table_task import NAMING
from aimwell.models.task import TargetTask
from aimwell.models.training import predict

DISCOVERY: Final = "networks and regressions that learn from unlabelled genes"
#: The regressions, and the inverse strength of their penalties.
NEAR: Final = "regression, unlabelled, lean: evidence, degree, neighbour labels"
EVERY: Final = "regression, unlabelled, full: the same along every relation"
ARRIVING: Final = "regression, unlabelled, full: and what arrives of the evidence"
PENALTY: Final = {NEAR: 0.003, EVERY: 0.001, ARRIVING: 0.001}
#: Weight of the risk of the unlabelled in the networks.
RISKS: Final = {"lean": 2.0, "full": 1.0}
TRACKS: Final = ("lean", "full", "every")


@dataclass(frozen=True)
class _Track:
    """A task, and the same with the block ``NAMING`` at its mean."""

    task: TargetTask
    layer: FirstLayer
    without: TargetTask
    layer_without: FirstLayer

    @staticmethod
    def of(task: TargetTask) -> "_Track":
        blocks = tuple(
            replace(b, values=np.zeros_like(b.values)) if b.name == NAMING else b
            for b in task.blocks
        )
        without = replace(task, blocks=blocks)
        return _Track(task, first_layer(task), without, first_layer(without))

    def own_naming(self) -> Tensor:
        """Give what arrives, and of naming only the gene's own, shape ``(n, (r + 1) · d)``.

        When the neighbours were named could not be taken out again without changing what arrives.
        """
        return torch.hstack(
            [self.layer.inputs, self.layer_without.arrived[:, self.layer.inputs.shape[1] :]]
        )


def score_discovery(
    tasks: dict[str, TargetTask], seeds: int, seed: int = 0
) -> dict[int, pd.DataFrame]:
    """Score every gene by the recipe and its parts, learned outside each fold.

    Whether a gene of the held-out fold counts as unlabelled does not depend on its label.

    Args:
        tasks: The same genes and folds as ``lean``, as ``full``, and ``every``, in which known
            targets are looked for along all relations.
        seeds: Networks per fold and track.
        seed: Of all draws.

    Returns:
        Fold → one column per part and ``DISCOVERY``, standardised over the genes in no fold (over
        all, where there is none), indexed by gene.

    Raises:
        TaskError: A task of ``TRACKS`` is missing.
    """
    if missing := [name for name in TRACKS if name not in tasks]:
        raise TaskError(f"the recipe for discovery needs the tasks {', '.join(missing)} as well")
    full = tasks["full"]
    tracks = {name: _Track.of(tasks[name]) for name in ("lean", "full")}
    rest = full.folds < 0 if (full.folds < 0).any() else np.ones(len(full.genes), bool)
    scores = {}
    for fold in (int(f) for f in np.unique(full.folds) if f >= 0):
        parts = {
            f"network, unlabelled, {name}": _network(tracks[name], fold, seeds, seed, risk)
            for name, risk in RISKS.items()
        }
        parts |= _regressions(tracks, tasks["every"], fold)
        table = pd.DataFrame(parts, index=full.genes)
        table = (table - table[rest].mean()) / table[rest].std()
        table[DISCOVERY] = table.mean(axis=1)
        scores[fold] = table
    return scores


def _network(track: _Track, fold: int, seeds: int, seed: int, risk: float) -> np.ndarray:
    shared: TrainingRows = training_rows(track.task, fold)
    recipe = Recipe(unlabelled_weight=risk)
    members = [
        fit_supervised(track.task, Unit(fold, number), recipe, seed, track.layer, shared)
        for number in range(seeds)
    ]
    scores = [predict(track.without, member) for member in members]
    return np.asarray(np.mean(scores, axis=0, dtype=float))


def _regressions(tracks: dict[str, _Track], every: TargetTask, fold: int) -> dict[str, np.ndarray]:
    """Fit the regressions on every gene; the held-out fold is unlabelled like all others."""
    lean, full = tracks["lean"], tracks["full"]
    known = (full.task.labels == 1) & (full.task.folds != fold)
    given = full.task.negatives
    absent = np.zeros(len(known), bool) if given is None else given & (full.task.folds != fold)

    def near(task: TargetTask) -> np.ndarray:
        return np.hstack([neighbour_labels(task, side.astype(float)) for side in (known, absent)])

    close, closer = near(full.task), near(every)
    columns = {
        NEAR: (lean.layer.inputs, lean.layer.inputs, close),
        EVERY: (full.layer.inputs, full.layer_without.inputs, closer),
        ARRIVING: (full.own_naming(), full.layer_without.arrived, close),
    }
    use = ~full.task.withheld
    found = {}
    for name, (learned, asked, labels) in columns.items():
        pipe = make_pipeline(
            StandardScaler(), LogisticRegression(C=PENALTY[name], max_iter=2000)
        ).fit(np.hstack([learned.numpy(), labels])[use], known[use])
        found[name] = np.asarray(pipe.decision_function(np.hstack([asked.numpy(), labels])))
    return found
