"""The ladder: simple scorers on the same folds, so that a network has something to beat."""

from typing import Final

import numpy as np
import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.preprocessing import StandardScaler

from aimwell.models.baselines import (
    boosted,
    learned,
    matrix,
    neighbour_labels,
    perceptron,
    random_walk,
    regression,
    spectral_embedding,
    study_intensity,
    walk_matrix,
)
from aimwell.models.graph_rungs import graph_rungs
from aimwell.models.surroundings import evidence_strength
from aimwell.models.task import TargetTask

#: Scorers where nothing is learned from known targets.
UNLABELLED_LADDER: Final = (
    "differential statistic",
    "degree",
    "random walk from the evidence",
    "evidence of the neighbours",
    "regression: evidence around",
)
#: From simple to complex: of two that are as good, the first is recommended.
LADDER: Final = (
    "prevalence",
    "differential statistic",
    "degree",
    "study intensity",
    "random walk",
    "regression: evidence",
    "regression: evidence, degree, neighbour labels",
    "regression: spectral embedding",
    "boosting: evidence",
    "boosting: evidence, degree, neighbour labels",
    "boosting: spectral embedding",
    "MLP: evidence",
)


def ladder(task: TargetTask, *, full: bool = False) -> pd.DataFrame:
    """Score every gene by every baseline; nothing sees a label of the gene's own fold.

    The ladder is the prevalence (the same for every gene), the largest absolute statistic of the
    gene (no graph, no labels), its degree, regression on how often it is studied (relation degrees
    and set memberships), a random walk with restart from the known targets of the other folds,
    then regression and gradient boosting on its evidence, on the same with degree and known targets
    among its neighbours, and on where it lies in the graph (eigenvectors of the normalised
    adjacency), and a perceptron on its evidence. Without known targets to learn from it is the
    statistic, the degree, a walk from the evidence, the evidence of the direct neighbours, and a
    regression of a gene's evidence on that around it.

    Args:
        task: Labels, folds, features and edges.
        full: Add graph networks as they come from PyG: GCN, GraphSAGE and GATv2.

    Returns:
        One column per name in ``LADDER``, or in ``UNLABELLED_LADDER``, indexed by gene; higher is
        better.
    """
    if task.objective == "none":
        return _unlabelled_ladder(task)
    evidence = [b.values for b in task.blocks if b.kind != "graph"]
    own = np.hstack(evidence) if evidence else np.zeros((len(task.genes), 1))
    degree = next(b.values for b in task.blocks if b.kind == "graph")
    strength = [b.values[:, b.columns.index("abs_z")] for b in task.blocks if "abs_z" in b.columns]
    study, place = study_intensity(task), spectral_embedding(task)
    scores = {name: np.zeros(len(task.genes)) for name in LADDER}
    scores["differential statistic"] = (
        np.max(strength, axis=0) if strength else scores["differential statistic"]
    ).astype(float)
    scores["degree"] = degree[:, 0].astype(float)
    walk = walk_matrix(task)
    for fold in np.unique(task.folds):
        test = task.folds == fold
        labels = np.where(test, 0, task.labels)
        near = neighbour_labels(task, labels)
        scores["random walk"][test] = random_walk(walk, labels)[test]
        both, training = np.hstack([own, degree, near]), ~test & ~task.withheld
        for name, features in (
            ("study intensity", study),
            ("regression: evidence", own),
            ("regression: evidence, degree, neighbour labels", both),
            ("regression: spectral embedding", place),
        ):
            scores[name][test] = regression(features, labels, training)[test]
        for name, features in (
            ("boosting: evidence", own),
            ("boosting: evidence, degree, neighbour labels", both),
            ("boosting: spectral embedding", place),
        ):
            scores[name][test] = boosted(features, labels, training)[test]
        scores["MLP: evidence"][test] = learned(perceptron(), own, labels, training)[test]
    table = pd.DataFrame(scores, index=task.genes)
    if full:
        table = pd.concat([table, graph_rungs(task)], axis=1)
    return table


def _unlabelled_ladder(task: TargetTask) -> pd.DataFrame:
    """Score every gene without any label: by itself, by its neighbours, by both."""
    strength, seen = evidence_strength(task)
    degree = next(b.values for b in task.blocks if b.kind == "graph")
    n = len(task.genes)
    direct = matrix(task.wiring.direct)
    near = np.asarray((direct @ strength).reshape(-1, n).T)  # (n, direct channels)
    around = np.hstack([neighbour_labels(task, strength), degree])
    predicted = np.zeros(n)
    for fold in np.unique(task.folds):
        test = task.folds == fold
        scaler = StandardScaler().fit(around[~test & seen])
        model = Ridge().fit(scaler.transform(around[~test & seen]), strength[~test & seen])
        predicted[test] = model.predict(scaler.transform(around[test]))
    blocks = [b.values[:, b.columns.index("abs_z")] for b in task.blocks if "abs_z" in b.columns]
    # a walk starts where the evidence is, so it must not be negative
    start = np.max(blocks, axis=0).astype(float)
    start -= start.min()
    scores = (
        np.max(blocks, axis=0).astype(float),
        degree[:, 0].astype(float),
        random_walk(walk_matrix(task), start),
        near.sum(axis=1),
        predicted,
    )
    return pd.DataFrame(dict(zip(UNLABELLED_LADDER, scores, strict=True)), index=task.genes)
