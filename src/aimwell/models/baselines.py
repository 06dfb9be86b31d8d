"""The ladder: simple scorers on the same folds, so that a network has something to beat."""

import warnings
from typing import Final

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.linalg import eigsh
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from aimwell.models.propagate import SparseOperator
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
#: Dimensions of the spectral embedding.
SPECTRAL: Final = 32
#: Below this many genes all eigenvectors are cheaper than some.
DENSE: Final = 500
RESTART: Final = 0.5
WALK_STEPS: Final = 50


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
            scores[name][test] = _learned(_boosting(), features, labels, training)[test]
        scores["MLP: evidence"][test] = _learned(_perceptron(), own, labels, training)[test]
    table = pd.DataFrame(scores, index=task.genes)
    if full:
        from aimwell.models.graph_rungs import graph_rungs

        table = pd.concat([table, graph_rungs(task)], axis=1)
    return table


def _unlabelled_ladder(task: TargetTask) -> pd.DataFrame:
    """Score every gene without any label: by itself, by its neighbours, by both."""
    from aimwell.models.surroundings import evidence_strength

    strength, seen = evidence_strength(task)
    degree = next(b.values for b in task.blocks if b.kind == "graph")
    n = len(task.genes)
    direct = _matrix(task.wiring.direct)
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


def spectral_embedding(task: TargetTask) -> np.ndarray:
    """Place every gene by the leading eigenvectors of the normalised adjacency, labels unseen.

    Returns:
        Shape ``(n, d)`` with at most ``SPECTRAL`` columns.
    """
    n = len(task.genes)
    walk = walk_matrix(task)
    degree = np.diff(walk.tocsc().indptr)
    root = np.sqrt(np.maximum(degree, 1))
    symmetric = sp.csr_matrix(sp.diags(1 / root) @ walk @ sp.diags(root))
    wanted = min(SPECTRAL, n - 2)
    if n <= DENSE:
        return np.asarray(np.linalg.eigh(symmetric.toarray())[1][:, -wanted:])
    # a start that is given: one that is drawn would end in other last bits each time
    start = np.cos(np.arange(n) + 1.0)
    values, vectors = eigsh(symmetric, k=wanted, v0=start, tol=1e-4, maxiter=2000)
    return np.asarray(vectors[:, np.argsort(values)])


def _boosting() -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        max_iter=50,
        learning_rate=0.06,
        max_leaf_nodes=8,
        l2_regularization=5.0,
        early_stopping=False,
        class_weight="balanced",
        random_state=0,
    )


def _perceptron() -> MLPClassifier:
    return MLPClassifier((32,), alpha=1.0, max_iter=30, learning_rate_init=5e-3, random_state=0)


def _learned(
    model: HistGradientBoostingClassifier | MLPClassifier,
    features: np.ndarray,
    labels: np.ndarray,
    training: np.ndarray,
) -> np.ndarray:
    """Fit a classifier on the training genes; standardised log-odds of all."""
    scaled = StandardScaler().fit(features[training]).transform(features)
    with warnings.catch_warnings():
        # a fixed number of rounds is the recipe, not a failure
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(scaled[training], labels[training])
    chance = np.clip(model.predict_proba(scaled)[:, 1], 1e-9, 1 - 1e-9)
    logits = np.log(chance / (1 - chance))
    rest = logits[labels == 0]
    return np.asarray((logits - rest.mean()) / max(rest.std(), 1e-9))


def study_intensity(task: TargetTask) -> np.ndarray:
    """Count, per channel, the arcs and sets of every gene; log1p, shape ``(n, channels)``."""
    wiring, n = task.wiring, len(task.genes)
    counts = np.concatenate([np.diff(o.row_start) for o in (wiring.direct, wiring.out_of_sets)])
    return np.asarray(np.log1p(counts.reshape(-1, n).T.astype(float)))


def neighbour_labels(task: TargetTask, labels: np.ndarray) -> np.ndarray:
    """Sum the known targets around every gene per channel, its own label left out.

    Returns:
        Shape ``(n, channels)``.
    """
    n = len(labels)
    direct, into, out = (_matrix(o) for o in task.wiring.operators)
    near = [(direct @ labels.astype(float)).reshape(-1, n)]
    if out.shape[0]:
        through = (out @ (into @ labels.astype(float))).reshape(-1, n)
        # a gene reaches itself through its sets; that share of the sum is its own label
        itself = sp.vstack([into.T] * (out.shape[0] // n)).tocsr()
        loop = np.asarray(out.multiply(itself).sum(axis=1)).reshape(-1, n)
        near.append(through - loop * labels)
    return np.asarray(np.concatenate(near).T)


def random_walk(walk: sp.csr_matrix, labels: np.ndarray) -> np.ndarray:
    """Walk with restart from the known targets; stationary probability, shape ``(n,)``."""
    start = labels / max(labels.sum(), 1)
    state = start.astype(float)
    for _ in range(WALK_STEPS):
        state = (1 - RESTART) * (walk @ state) + RESTART * start
    return np.asarray(state)


def walk_matrix(task: TargetTask) -> sp.csr_matrix:
    """Column-stochastic walk over the distinct gene–gene pairs, both directions."""
    n = len(task.genes)
    arcs = _matrix(task.wiring.direct).tocoo()
    ones = np.ones(arcs.nnz)
    once = sp.csr_matrix(sp.coo_matrix((ones, (arcs.row % n, arcs.col)), shape=(n, n)))
    once.data[:] = 1
    either = sp.csr_matrix(once.maximum(once.T))
    degree = np.asarray(either.sum(axis=0)).ravel()
    return sp.csr_matrix(either @ sp.diags(1 / np.maximum(degree, 1)))


def _matrix(operator: SparseOperator) -> sp.csr_matrix:
    parts = (operator.weight.double().numpy(), operator.column.numpy(), operator.row_start.numpy())
    return sp.csr_matrix(parts, shape=operator.shape)


def regression(features: np.ndarray, labels: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Fit balanced logistic regression on the training genes; standardised log-odds of all."""
    scaler = StandardScaler().fit(features[training])
    scaled = scaler.transform(features)
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=1000)
    model.fit(scaled[training], labels[training])
    logits = model.decision_function(scaled)
    rest = logits[labels == 0]
    return np.asarray((logits - rest.mean()) / max(rest.std(), 1e-9))
