"""Exact integrated gradients, with everything that targets share computed once.

The path runs straight from "nothing observed, no edges, no known targets" to the data: at ``a``
in (0, 1] every feature and every edge weight is ``a`` times its value. Encoders are linear and
the normalisation is fixed, so what enters the first ReLU is a polynomial in ``a``,

    z1(a) = BatchNorm(a C1 + a^2 C2 + a^3 C3),

with C1 from the gene itself, C2 from its edges and C3 through its sets. The three matrices do not
depend on the target. What is left per target is the way back from one output: the steps are summed
over the genes that layer 2 reads, and only then multiplied into the edges of layer 1, so the cost
of the edges does not depend on the number of steps. The numbers are those of Captum's
``IntegratedGradients`` (midpoint rule) on the whole graph.

Source: Sundararajan, Taly & Yan 2017 (integrated gradients).
"""

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from aimwell.models.propagate import SparseOperator, take_rows
from aimwell.models.task import TargetTask
from aimwell.models.training import Member, label_channels, visible_blocks

CHUNK = 1 << 17  # numbers per array in the sum over steps: 1 MB, which stays in the cache


@dataclass(frozen=True)
class Attribution:
    """What every input contributes to one score of one network.

    Attributes:
        score, baseline_score: On the data and on the baseline.
        features: One array ``(n, d_b)`` per block, the known-target channel last; exactly zero
            outside the receptive field.
        arcs: One array per operator, in the order of its arcs.
    """

    score: float
    baseline_score: float
    features: tuple[np.ndarray, ...]
    arcs: tuple[np.ndarray, ...]

    @property
    def completeness_error(self) -> float:
        """|sum of attributions - (score - baseline score)|."""
        total = sum(float(a.sum()) for a in (*self.features, *self.arcs))
        return abs(total - (self.score - self.baseline_score))


def network_inputs(task: TargetTask, member: Member) -> list[np.ndarray]:
    """Give every block as the member sees it at prediction, float64; its own fold is hidden."""
    channel = label_channels(task, task.folds != member.unit.fold).numpy()
    return [b.astype(np.float64) for b in (*visible_blocks(task, member.unit.fold), channel)]


class SharedPath:
    """Everything along the path of one network that no target changes.

    Args:
        task: Graph, features and labels.
        member: A fitted network.
        steps: Steps of the midpoint rule.
    """

    def __init__(self, task: TargetTask, member: Member, *, steps: int) -> None:
        p = {k: np.asarray(v, dtype=np.float64) for k, v in member.parameters.items()}
        wiring = task.wiring
        self.wiring, self.member, self.steps = wiring, member, steps
        self.alphas = (np.arange(steps) + 0.5) / steps
        self.inputs = network_inputs(task, member)
        self.encoders = [p[f"encoders.{b}.weight"].T for b in range(len(self.inputs))]  # (d, h)
        self.own = [p["own.0"], p["own.1"]]
        self.through = [p["through.0"], p["through.1"]]  # (r, h, h)
        self.gain, self.offset = zip(*(_affine(p, layer) for layer in range(2)), strict=True)
        self.head = np.split(p["head.weight"][0], 3)
        self.bias = float(p["head.bias"][0])
        self.direct, self.into, self.out = (_matrix(o) for o in wiring.operators)
        n, d = len(task.genes), wiring.n_direct
        self.start: np.ndarray = np.hstack(self.inputs) @ np.vstack(self.encoders)  # (n, h)
        self.in_sets: np.ndarray = self.into @ self.start  # (s, h)
        self.polynomial = [self.start @ self.own[0], np.zeros_like(self.start)]
        self.polynomial.append(np.zeros_like(self.start))
        for power, matrix, state, first in (
            (1, self.direct, self.start, 0),
            (2, self.out, self.in_sets, d),
        ):
            arrived = np.asarray(matrix @ state).reshape(-1, n, state.shape[1])
            for channel, message in enumerate(arrived):
                self.polynomial[power] += message @ self.through[0][first + channel]

    def attribute(self, target: int) -> Attribution:
        """Attribute the score of the gene at position ``target``."""
        inner = _Inner(self, target)
        inner.sum_over_steps()
        features, arcs = inner.to_inputs()
        scale, centre = self.member.scale, self.member.centre
        return Attribution(
            score=(inner.logit(1.0) - centre) / scale,
            baseline_score=(inner.logit(0.0) - centre) / scale,
            features=tuple(f / scale for f in features),
            arcs=tuple(a / scale for a in arcs),
        )


class _Inner:
    """The genes that layer 2 reads for one target, and the way back through them."""

    def __init__(self, path: SharedPath, target: int) -> None:
        self.path, wiring = path, path.wiring
        n, self.n_direct = path.start.shape[0], wiring.n_direct
        self.n_set = len(wiring.channels) - self.n_direct
        at = np.array([target])
        self.direct = _cut(path.direct, wiring.direct, _rows(at, n, self.n_direct))
        self.out = _cut(path.out, wiring.out_of_sets, _rows(at, n, self.n_set))
        self.sets = np.unique(self.out.indices)
        self.into = _cut(path.into, wiring.into_sets, self.sets)
        self.genes = np.unique(np.concatenate([at, self.direct.indices, self.into.indices]))
        self.target = int(np.searchsorted(self.genes, target))
        self.reach = np.vstack(
            [
                self.direct.matrix[:, self.genes].toarray(),
                (self.out.matrix[:, self.sets] @ self.into.matrix)[:, self.genes].toarray(),
            ]
        )  # (r, m): how layer 2 weighs every gene, per channel
        self.polynomial = [c[self.genes] for c in path.polynomial]

    def logit(self, alpha: float) -> float:
        """Log-odds of the target at one point of the path."""
        h1, _ = self._layer_1(np.array([alpha]))
        z2 = self._layer_2(h1, np.array([alpha]))
        a, b, c = self.path.head
        start = alpha * self.path.start[self.genes[self.target]]
        return float(start @ a + h1[self.target, 0] @ b + np.maximum(z2[0], 0) @ c + self.path.bias)

    def sum_over_steps(self) -> None:
        """Average over the path: gradients at layer 1 (three powers) and layer-2 products."""
        path, (m, h) = self.path, self.polynomial[0].shape
        self.gradient = [np.zeros((m, h)) for _ in range(3)]  # mean of a^k dscore/dz1
        self.product = np.zeros((len(self.reach), m))
        size = max(CHUNK // (m * h), 1)
        for first in range(0, path.steps, size):
            alphas = path.alphas[first : first + size]
            k = len(alphas)
            h1, open_1 = self._layer_1(alphas)
            z2 = self._layer_2(h1, alphas)
            back = (z2 > 0) * (path.gain[1] * path.head[2])  # (k, h)
            into_channel = np.einsum("kh,rgh->rkg", back, path.through[1])  # (r, k, h)
            power = np.ones(len(self.reach))
            power[self.n_direct :] = 2
            arriving = into_channel * alphas[None, :, None] ** power[:, None, None]
            # the derivative to a weight has one power of a less than the message itself
            lower = into_channel * alphas[None, :, None] ** (power[:, None, None] - 1)
            self.product += lower.reshape(-1, k * h) @ h1.reshape(m, k * h).T
            slope = (self.reach.T @ arriving.reshape(-1, k * h)).reshape(m, k, h)
            slope[self.target] += back @ path.own[1].T + path.head[1]
            slope *= open_1
            for order in range(3):
                self.gradient[order] += np.einsum("mkh,k->mh", slope, alphas**order)
        self.gradient = [g * path.gain[0] / path.steps for g in self.gradient]
        self.product /= path.steps

    def to_inputs(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Multiply the averaged gradients into features and arcs."""
        path, wiring = self.path, self.path.wiring
        arcs = [np.zeros(len(o.weight)) for o in wiring.operators]
        self._layer_2_arcs(arcs)
        n = path.start.shape[0]
        to_start = np.zeros_like(path.start)
        to_start[self.genes] = self.gradient[0] @ path.own[0].T
        to_start[self.genes[self.target]] += path.head[0]
        through = path.through[0]
        into_channel = np.einsum("mh,rgh->rmg", self.gradient[1], through[: self.n_direct])
        cut = _cut(path.direct, wiring.direct, _rows(self.genes, n, self.n_direct))
        flat = into_channel.reshape(-1, to_start.shape[1])
        arcs[0][cut.positions] += cut.weights * _dots(flat, cut.rows, path.start, cut.indices)
        to_start += cut.matrix.T @ flat
        if self.n_set:
            into_set = np.einsum("mh,rgh->rmg", self.gradient[2], through[self.n_direct :])
            flat = into_set.reshape(-1, to_start.shape[1])
            cut = _cut(path.out, wiring.out_of_sets, _rows(self.genes, n, self.n_set))
            arcs[2][cut.positions] += cut.weights * _dots(flat, cut.rows, path.in_sets, cut.indices)
            sets = np.unique(cut.indices)
            at_sets = np.asarray(cut.matrix[:, sets].T @ flat)  # (sets, h)
            cut = _cut(path.into, wiring.into_sets, sets)
            arcs[1][cut.positions] += cut.weights * _dots(
                at_sets, cut.rows, path.start, cut.indices
            )
            to_start += cut.matrix.T @ at_sets
        features = [x * (to_start @ e.T) for x, e in zip(path.inputs, path.encoders, strict=True)]
        return features, arcs

    def _layer_1(self, alphas: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a = alphas[None, :, None]
        c1, c2, c3 = (c[:, None, :] for c in self.polynomial)
        z1 = a * (c1 + a * (c2 + a * c3))  # (m, k, h)
        z1 *= self.path.gain[0]
        z1 += self.path.offset[0]
        is_open = z1 > 0
        return z1 * is_open, is_open

    def _layer_2(self, h1: np.ndarray, alphas: np.ndarray) -> np.ndarray:
        m, k, h = h1.shape
        path = self.path
        arrived = (self.reach @ h1.reshape(m, k * h)).reshape(-1, k, h)
        arrived[: self.n_direct] *= alphas[None, :, None]
        arrived[self.n_direct :] *= alphas[None, :, None] ** 2
        total = h1[self.target] @ path.own[1] + np.einsum("rkg,rgh->kh", arrived, path.through[1])
        z2: np.ndarray = total * path.gain[1] + path.offset[1]
        return z2

    def _layer_2_arcs(self, arcs: list[np.ndarray]) -> None:
        place = np.searchsorted(self.genes, self.direct.indices)
        value = self.product[self.direct.rows, place]
        arcs[0][self.direct.positions] += self.direct.weights * value
        if not self.n_set:
            return
        product = self.product[self.n_direct :]  # (r_s, m)
        per_set = product @ self.into.matrix[:, self.genes].T.toarray()  # (r_s, sets)
        of_set = np.searchsorted(self.sets, self.out.indices)
        arcs[2][self.out.positions] += self.out.weights * per_set[self.out.rows, of_set]
        leaving = self.out.matrix[:, self.sets].toarray()  # (r_s, sets)
        member = np.searchsorted(self.genes, self.into.indices)
        value = np.einsum("ra,ra->a", leaving[:, self.into.rows], product[:, member])
        arcs[1][self.into.positions] += self.into.weights * value


@dataclass(frozen=True)
class _Cut:
    """Rows of an operator: their arcs one by one, and as a matrix."""

    matrix: sp.csr_matrix
    rows: np.ndarray
    indices: np.ndarray
    positions: np.ndarray
    weights: np.ndarray


def _cut(whole: sp.csr_matrix, operator: SparseOperator, rows: np.ndarray) -> _Cut:
    cut, _ = take_rows(operator, rows)
    positions = cut.data
    weights = whole.data[positions]
    matrix = sp.csr_matrix((weights, cut.indices, cut.indptr), shape=cut.shape)
    of_row = np.repeat(np.arange(len(rows)), np.diff(cut.indptr))
    return _Cut(matrix, of_row, cut.indices, positions, weights)


def _dots(
    left: np.ndarray, left_rows: np.ndarray, right: np.ndarray, right_rows: np.ndarray
) -> np.ndarray:
    """Dot products of chosen rows, shape ``(e,)``, a block of arcs at a time."""
    result = np.empty(len(left_rows))
    size = max(CHUNK // max(left.shape[1], 1), 1)
    for first in range(0, len(result), size):
        part = slice(first, first + size)
        result[part] = np.einsum("eh,eh->e", left[left_rows[part]], right[right_rows[part]])
    return result


def _rows(places: np.ndarray, n: int, channels: int) -> np.ndarray:
    """Rows of ``places`` in every one of the stacked channels."""
    rows: np.ndarray = (np.arange(channels)[:, None] * n + places[None, :]).ravel()
    return rows


def _affine(parameters: dict[str, np.ndarray], layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Give BatchNorm at prediction as gain and offset."""
    mean, variance, weight, bias = (
        parameters[f"norms.{layer}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
    )
    gain = weight / np.sqrt(variance + 1e-5)
    return gain, bias - mean * gain


def _matrix(operator: SparseOperator) -> sp.csr_matrix:
    parts = (operator.weight.double().numpy(), operator.column.numpy(), operator.row_start.numpy())
    return sp.csr_matrix(parts, shape=operator.shape)
