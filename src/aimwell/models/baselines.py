"""Simple scorers and what they read of a graph: the rungs of the ladder."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import LinearOperator, eigsh
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from aimwell.models.binning import binned
from aimwell.models.propagate import SparseOperator
from aimwell.models.task import TargetTask

#: Dimensions of the spectral embedding.
SPECTRAL: Final = 32
#: Up to this many genes all eigenvectors are about as cheap as some.
DENSE: Final = 1000
#: Fewest genes of a part that can have a positive eigenvalue besides 1, and what is not positive.
SMALLEST: Final = 4
FLAT: Final = 1e-6
RESTART: Final = 0.5
#: What scikit-learn warns of when a fit ends early.
INTERRUPTED: Final = "Training interrupted"
WALK_STEPS: Final = 50


def spectral_embedding(task: TargetTask) -> np.ndarray:
    """Place every gene by the smoothest eigenvectors of the normalised adjacency, labels unseen.

    Each connected part of the graph is embedded for itself: its leading eigenvector, of eigenvalue
    1, says no more than the degree and is left out, and the parts' other vectors are taken by
    eigenvalue, the largest first. So vectors of several parts are never mixed, and neither they nor
    their signs depend on who computes them.

    Returns:
        Shape ``(n, d)`` with at most ``SPECTRAL`` columns, at least one; zero for a gene without
        neighbours.
    """
    n = len(task.genes)
    walk = walk_matrix(task)
    root = np.sqrt(np.maximum(np.diff(walk.tocsc().indptr), 1))
    symmetric = sp.csr_matrix(sp.diags(1 / root) @ walk @ sp.diags(root))
    _, part = connected_components(symmetric, directed=False)
    found = []
    for number in np.flatnonzero(np.bincount(part) >= SMALLEST):
        at = np.flatnonzero(part == number)
        values, vectors = _smooth_vectors(symmetric[at][:, at], root[at])
        found += [(-v, int(at[0]), at, x) for v, x in zip(values, vectors.T, strict=True)]
    found.sort(key=lambda one: one[:2])
    place = np.zeros((n, min(max(len(found), 1), SPECTRAL)))
    for column, (_, _, at, vector) in enumerate(found[:SPECTRAL]):
        place[at, column] = vector
    return place


def _smooth_vectors(part: sp.csr_matrix, root: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Give the positive eigenvalues of a connected part but the trivial 1, and their vectors.

    Returns:
        At most ``SPECTRAL`` values, and the vectors as columns, the entry of largest size positive.
    """
    n, trivial = len(root), root / np.linalg.norm(root)
    if n <= DENSE:
        values, vectors = np.linalg.eigh(part.toarray() - np.outer(trivial, trivial))
    else:
        rest = LinearOperator((n, n), lambda x: part @ x - trivial * (trivial @ x), dtype=float)
        # a start that is given: one that is drawn would end in other last bits each time
        start = np.cos(np.arange(n) + 1.0)
        values, vectors = eigsh(rest, k=SPECTRAL, which="LA", v0=start, maxiter=5000)
    smooth = np.flatnonzero(values > FLAT)[-SPECTRAL:]
    values, vectors = values[smooth], vectors[:, smooth]
    # of entries that differ by rounding the first decides
    largest = np.argmax(np.abs(vectors).round(6), axis=0)
    signs = np.sign(vectors[largest, np.arange(len(smooth))])
    return values, vectors * signs


def boosting() -> HistGradientBoostingClassifier:
    """Make the gradient boosting of the ladder."""
    return HistGradientBoostingClassifier(
        max_iter=50,
        learning_rate=0.06,
        max_leaf_nodes=8,
        l2_regularization=5.0,
        early_stopping=False,
        class_weight="balanced",
        random_state=0,
    )


def boosted(features: np.ndarray, labels: np.ndarray, training: np.ndarray) -> np.ndarray:
    """Fit gradient boosting on the training genes; standardised log-odds of all."""
    weights = compute_sample_weight("balanced", labels[training])
    return learned(boosting(), binned(features, training, weights), labels, training)


def perceptron() -> MLPClassifier:
    """Make the perceptron of the ladder."""
    return MLPClassifier((32,), alpha=1.0, max_iter=30, learning_rate_init=5e-3, random_state=0)


@contextmanager
def fixed_rounds() -> Iterator[None]:
    """Fit for a number of rounds, which is the recipe: too few for scikit-learn is no failure.

    Nor may there be fewer: its perceptrons take Ctrl-C for an order to be content with what they
    learned so far.

    Raises:
        KeyboardInterrupt: As elsewhere.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("error", message=INTERRUPTED)
        try:
            yield
        except UserWarning as warning:
            if not str(warning).startswith(INTERRUPTED):
                raise
            raise KeyboardInterrupt from warning


def log_odds(chance: np.ndarray) -> np.ndarray:
    """Turn probabilities into log-odds that are finite, shape as given.

    A classifier that computes in single precision says 1 where it is sure, and one less a
    billionth is 1 there, too.

    Example:
        >>> log_odds(np.array([0.5, 1.0], dtype=np.float32)).round(1).tolist()
        [0.0, 20.7]
    """
    inside = np.clip(np.asarray(chance, dtype=float), 1e-9, 1 - 1e-9)
    return np.asarray(np.log(inside / (1 - inside)))


def learned(
    model: HistGradientBoostingClassifier | MLPClassifier,
    features: np.ndarray,
    labels: np.ndarray,
    training: np.ndarray,
) -> np.ndarray:
    """Fit a classifier on the training genes; standardised log-odds of all."""
    scaled = StandardScaler().fit(features[training]).transform(features)
    with fixed_rounds():
        model.fit(scaled[training], labels[training])
    logits = log_odds(model.predict_proba(scaled)[:, 1])
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
    direct, into, out = (matrix(o) for o in task.wiring.operators)
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
    arcs = matrix(task.wiring.direct).tocoo()
    ones = np.ones(arcs.nnz)
    once = sp.csr_matrix(sp.coo_matrix((ones, (arcs.row % n, arcs.col)), shape=(n, n)))
    once.data[:] = 1
    either = sp.csr_matrix(once.maximum(once.T))
    degree = np.asarray(either.sum(axis=0)).ravel()
    return sp.csr_matrix(either @ sp.diags(1 / np.maximum(degree, 1)))


def matrix(operator: SparseOperator) -> sp.csr_matrix:
    """Give an operator as a matrix of scipy, in double precision."""
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
