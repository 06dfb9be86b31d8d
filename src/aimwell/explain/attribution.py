"""Exact integrated gradients, with everything that targets share computed once.

The path runs straight from a baseline without edges to the data: at ``a`` in (0, 1] every edge
weight is ``a`` times its value, every feature ``x0 + a (x - x0)``. Encoders are linear and the
normalisation is fixed, so what enters the first ReLU is a cubic in ``a``,

    z1(a) = BatchNorm(C0 + a C1 + a^2 C2 + a^3 C3),

the same for all targets. Three things follow.

1. A unit of layer 1 is open in two runs of steps at most (``gates``). Sums over the steps are
   differences of running sums: their cost does not depend on the number of steps.
2. What reaches layer 1 is linear in the features. The way back ends in feature space: an arc's
   attribution is a dot product as long as the features are many, not as the network is wide.
3. All members of a fold see the same input. They are one wide network up to there, so the arcs are
   multiplied once, whatever the size of the ensemble.

The numbers are those of Captum's ``IntegratedGradients`` (midpoint rule) on the whole graph.

Source: Sundararajan, Taly & Yan 2017 (integrated gradients).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import scipy.sparse as sp

from aimwell.errors import TaskError
from aimwell.explain.baselines import ZERO, Baseline, baseline_inputs, network_inputs
from aimwell.explain.gates import find_gates, no_gates
from aimwell.explain.preconditions import is_polynomial
from aimwell.explain.products import dots
from aimwell.explain.reach import Arcs, Entry, Reach, Reaches, distinct
from aimwell.models.member import Member
from aimwell.models.task import TargetTask

#: Powers of the path variable that a sum over steps is taken with.
POWERS = 4
#: How layer 2 reads a gene: as itself, over an edge, through a set.
OWN, DIRECT, SETS = "own", "direct", "sets"


@dataclass(frozen=True)
class Attribution:
    """What every input contributes to one score, where it contributes anything.

    Attributes:
        score, baseline_score: On the data and on the baseline, mean over the members.
        genes: Positions of genes whose features may contribute, sorted, ``g`` of them; all others
            contribute exactly nothing.
        features: One array ``(g, d_b)`` per block, the known-target channel last.
        positions: Per operator, the arcs that may contribute.
        arcs: Per operator, their attributions.
        routes: Credit by the way it took, see ``Routes``; None for a network of another kind.
    """

    score: float
    baseline_score: float
    genes: np.ndarray
    features: tuple[np.ndarray, ...]
    positions: tuple[np.ndarray, ...]
    arcs: tuple[np.ndarray, ...]
    routes: "Routes | None" = field(default=None, compare=False)

    @property
    def total(self) -> float:
        """Sum of all attributions."""
        return sum(float(a.sum()) for a in (*self.features, *self.arcs))

    @property
    def completeness_error(self) -> float:
        """|sum of attributions - (score - baseline score)|."""
        return abs(self.total - (self.score - self.baseline_score))

    def feature_arrays(self, n: int) -> list[np.ndarray]:
        """Spread features over all ``n`` genes, one array ``(n, d_b)`` per block."""
        whole = [np.zeros((n, f.shape[1])) for f in self.features]
        for array, values in zip(whole, self.features, strict=True):
            array[self.genes] = values
        return whole

    def arc_arrays(self, sizes: Sequence[int]) -> list[np.ndarray]:
        """Spread attributions over all arcs of the operators, ``sizes`` of them."""
        whole = [np.zeros(size) for size in sizes]
        for array, at, values in zip(whole, self.positions, self.arcs, strict=True):
            array[at] = values
        return whole


@dataclass(frozen=True)
class Routes:
    """The same score split by the whole way that a message took.

    A message is a product of one feature and the edges on its way, and integrated gradients give
    each factor an equal part. Here a feature is given the whole product, so that the parts add up
    to ``score - baseline_score`` and no credit is left over for edges as such.

    Attributes:
        own: What the target's features bring without a set on the way, per feature column.
        direct: What other genes' features bring over interactions alone, per column.
        sets: What features bring over at least one pathway or complex, per column.
        constant: What neighbours send whatever is known of them: the worth of being connected.
    """

    own: np.ndarray
    direct: np.ndarray
    sets: np.ndarray
    constant: float


class SharedPath:
    """Everything along the path of the members of one fold that no target changes.

    Args:
        task: Graph, features and labels.
        members: Fitted networks that hide the same fold; attributions are of their mean score.
        steps: Steps of the midpoint rule.
        baseline: Where the path begins.
        reaches: Cuts targets out of the graph; made here if it is not shared.
        genes: Positions of the genes that layer 2 will read, where they are known beforehand.

    Raises:
        TaskError: Members of different folds, or networks that are no such polynomial.
    """

    def __init__(
        self,
        task: TargetTask,
        members: Sequence[Member],
        *,
        steps: int,
        baseline: Baseline = ZERO,
        reaches: Reaches | None = None,
        genes: np.ndarray | None = None,
    ) -> None:
        _check(members)
        self.reaches = reaches or Reaches(task.wiring)
        self.alphas = (np.arange(steps) + 0.5) / steps
        inputs = network_inputs(task, members[0])
        begin = baseline_inputs(task, members[0], baseline)
        self.widths = [x.shape[1] for x in inputs]
        data, start = np.hstack(inputs), np.hstack(begin)
        #: power of the path variable → features that enter with it
        terms = {1: data - start, 0: start}
        self.terms = {power: x for power, x in terms.items() if x.any()} or {1: terms[1]}
        self.delta = terms[1]
        self.net = Wide(members)
        n = len(task.genes)
        r = self.reaches
        direct, into, out = r.direct.matrix(), r.into.matrix(), r.out.matrix()
        self.in_sets = {p: np.asarray(into @ x) for p, x in self.terms.items()}
        self.seen = {
            p: np.hstack([x, beside(direct @ x, n), beside(out @ self.in_sets[p], n)])
            for p, x in self.terms.items()
        }  # (n, d (1 + r)): own features and those that arrive through each channel
        self.width = self.net.offset_1.size
        self.background = r.background
        #: power → what the background is worth at layer 1, per channel, shape (r, width)
        self.usual = {
            p: r.background.sent(x, self.net.back)
            for p, x in self.terms.items()
            if r.background is not None
        }
        self.hum: dict[int, np.ndarray] = {}
        self.local = np.full(n, -1)
        self.rows = np.zeros((0, POWERS, self.width))
        self.runs = np.zeros((2, 0, self.width), dtype=np.int64)
        self.gates = no_gates(self.width)
        if genes is not None:
            self.prepare(genes)

    def prepare(self, genes: np.ndarray) -> None:
        """Work out when the units of some genes are open; done at need for all others."""
        new = genes[self.local[genes] < 0]
        if not len(new):
            return
        if 4 * (len(self.rows) + len(new)) > len(self.local):
            new = np.flatnonzero(self.local < 0)  # many small steps would copy what is there
        polynomial = np.zeros((POWERS, len(new), self.width))
        polynomial[0] = self.net.offset_1
        for power, seen in self.seen.items():
            for hops, part in enumerate(self.columns):
                polynomial[power + hops] += seen[new, part] @ self.net.back[part]
        for power, usual in self.usual.items():
            assert self.background is not None
            polynomial[power] += self.background.row[:, new].T @ usual
        gates = find_gates(polynomial, self.alphas)
        unit = np.arange(self.width)
        runs = np.stack([gates.first, gates.last]) * np.int64(self.width) + unit
        self.local[new] = len(self.rows) + np.arange(len(new))
        self.rows = np.concatenate([self.rows, polynomial.transpose(1, 0, 2)])  # (·, 4, width)
        #: where runs begin and end in a table of running sums with a row per step
        self.runs = np.concatenate([self.runs, runs], axis=1)
        self.gates = self.gates.joined(gates)

    @property
    def columns(self) -> tuple[slice, slice, slice]:
        """Columns of own features, of those over direct channels and of those through sets."""
        d, r = sum(self.widths), self.reaches
        first, second = d * (1 + r.n_direct), d * (1 + r.n_direct + r.n_set)
        return slice(0, d), slice(d, first), slice(first, second)

    def attribute(self, target: int | Reach) -> Attribution:
        """Attribute the score of the gene at position ``target``."""
        reach = target if isinstance(target, Reach) else self.reaches.of(target)
        return _OneTarget(self, reach).attribution()


class Wide:
    """The members side by side, as one network with ``members × hidden`` units.

    Heads are divided by the scale and the number of members, so what they give is the mean score.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        parts = [{k: np.asarray(v, np.float64) for k, v in m.parameters.items()} for m in members]
        self.n, self.hidden = len(members), parts[0]["own.0"].shape[0]
        affine = [[_affine(p, layer) for p in parts] for layer in range(2)]
        self.offset_1 = np.concatenate([offset for _, offset in affine[0]])
        self.gain_2 = np.concatenate([gain for gain, _ in affine[1]])
        self.offset_2 = np.concatenate([offset for _, offset in affine[1]])
        self.own_2 = np.stack([p["own.1"] for p in parts])  # (members, h, h)
        self.through_2 = np.stack([p["through.1"] for p in parts])  # (members, r, h, h)
        back = []
        for p, (gain, _) in zip(parts, affine[0], strict=True):
            blocks = [p[f"encoders.{b}.weight"].T for b in range(_encoders(p))]
            encoder = np.vstack(blocks)  # (d, h)
            layers = [p["own.0"], *p["through.0"]]
            back.append(np.vstack([encoder @ w for w in layers]) * gain)
        #: from features, own and arriving, to layer 1: shape (d (1 + r), width)
        self.back = np.hstack(back)
        share = [1 / (len(members) * m.scale) for m in members]
        heads = [np.split(p["head.weight"][0] * s, 3) for p, s in zip(parts, share, strict=True)]
        self.head_1 = np.concatenate([b for _, b, _ in heads])
        self.head_2 = np.concatenate([c for _, _, c in heads])
        self.skip = np.zeros(len(back[0]) // (1 + len(parts[0]["through.0"])))
        for p, (a, _, _) in zip(parts, heads, strict=True):
            self.skip += np.vstack([p[f"encoders.{b}.weight"].T for b in range(_encoders(p))]) @ a
        self.constant = sum(
            s * (float(p["head.bias"][0]) - m.centre)
            for p, m, s in zip(parts, members, share, strict=True)
        )

    def mix(self, states: np.ndarray, matrices: np.ndarray) -> np.ndarray:
        """Multiply the units of every member by its own matrix, ``(k, width)`` each."""
        per_member = states.reshape(len(states), self.n, self.hidden).transpose(1, 0, 2)
        mixed: np.ndarray = np.matmul(per_member, matrices).transpose(1, 0, 2)
        return mixed.reshape(len(states), -1)


class _OneTarget:
    """The way forward and back for one target."""

    def __init__(self, path: SharedPath, reach: Reach) -> None:
        self.path, self.reach, self.net = path, reach, path.net
        path.prepare(reach.genes)
        local = path.local[reach.genes]
        self.runs = path.runs[:, local]  # (2, m, width)
        self.rows = path.rows[local]  # (m, 4, width)
        self.twice = path.gates.second(local)
        self.width = path.width
        self.table_size = (len(path.alphas) + 1) * self.width

    def attribution(self) -> Attribution:
        path, reach = self.path, self.reach
        score, start = self._ends()
        self._sums_of_way_back()
        d = sum(path.widths)
        columns = path.seen[next(iter(path.seen))].shape[1]
        m = len(reach.genes)
        #: power → what layer 1 sends back to the features it saw, shape (m, d (1 + r))
        self.sent = {p: np.zeros((m, columns)) for p in path.terms}
        #: power, edges of layer 2 on the way and kind of the way → credit per column
        self.credit: dict[tuple[int, int, str], np.ndarray] = {}
        #: the same for what the background brings to layer 1, per channel and unit
        self.usual: dict[tuple[int, int, str], np.ndarray] = {}
        self.constant = 0.0
        self._own()
        products = {e.channel: self._entry(e) for e in reach.entries if e.order == 1}
        back_home = self._back_home(d)
        products |= {e.channel: self._entry(e) for e in reach.entries if e.order == 2}
        for entry in (e for e in reach.entries if e.order == 0):
            self._entry(entry)
        genes, features, positions, arcs = self._to_inputs()
        self._layer_2_arcs(products, arcs)
        kept = np.split(features, np.cumsum(path.widths)[:-1], axis=1)
        return Attribution(
            score=score,
            baseline_score=start,
            genes=genes,
            features=tuple(kept),
            positions=positions,
            arcs=tuple(arcs),
            routes=self._routes(back_home),
        )

    def _ends(self) -> tuple[float, float]:
        """Score on the data and on the baseline."""
        net, path, place = self.net, self.path, self.reach.place
        scores = []
        for value in (1.0, 0.0):
            inner = np.maximum(self.rows.sum(axis=1) if value else self.rows[:, 0], 0)
            total = net.mix(inner[[place]], net.own_2)
            for entry in (e for e in self.reach.entries if value or not e.order):
                arrived = entry.weight @ inner[entry.genes]
                total += net.mix(arrived[None], net.through_2[:, entry.channel])
            outer = np.maximum(total[0] * net.gain_2 + net.offset_2, 0)
            skip = sum(
                value**p * float(x[self.reach.target] @ net.skip) for p, x in path.terms.items()
            )
            scores.append(
                skip + float(inner[place] @ net.head_1 + outer @ net.head_2) + net.constant
            )
        return scores[0], scores[1]

    def _forward(self) -> np.ndarray:
        """Give what enters layer 2 at every step, shape ``(steps, width)``."""
        net, alphas, place = self.net, self.path.alphas, self.reach.place
        powers = alphas[:, None] ** np.arange(POWERS)  # (steps, 4)
        own = np.maximum(powers @ self.rows[place], 0)
        self.own_open = own > 0
        total = net.mix(own, net.own_2)
        for entry in self.reach.entries:
            coefficients = self._running(entry) if entry.order else self._hum(entry)
            # (steps, 4, width)
            arrived = np.einsum("sk,skh->sh", powers * alphas[:, None] ** entry.order, coefficients)
            total += net.mix(arrived, net.through_2[:, entry.channel])
        arriving: np.ndarray = total * net.gain_2 + net.offset_2
        return arriving

    def _running(self, entry: Entry) -> np.ndarray:
        """Sum the polynomials of the units that are open, at every step: ``(steps, 4, width)``."""
        size, width = self.table_size, self.width
        rows = self.rows[entry.genes] * entry.weight[:, None, None]  # (m_c, 4, width)
        first, last = self.runs[:, entry.genes].reshape(2, -1)
        table = np.empty((POWERS, size))
        for power in range(POWERS):
            values = rows[:, power].ravel()
            table[power] = np.bincount(first, values, minlength=size)
            table[power] -= np.bincount(last, values, minlength=size)
        row, within = self._twice_in(entry)
        if len(row):
            gates = self.path.gates
            unit = gates.unit[row]
            values = rows[within, :, unit].T  # (4, k)
            for power in range(POWERS):
                np.add.at(table[power], gates.second_first[row] * width + unit, values[power])
                np.subtract.at(table[power], gates.second_last[row] * width + unit, values[power])
        changes = table.reshape(POWERS, -1, width)[:, :-1]
        return np.cumsum(changes, axis=1).transpose(1, 0, 2)

    def _hum(self, entry: Entry) -> np.ndarray:
        """Give the same for the background, whose sum over the genes all targets share."""
        background, channel = self.path.background, entry.channel
        assert background is not None
        if channel not in self.path.hum:
            shared = replace(entry, weight=background.column[channel])
            self.path.hum[channel] = self._running(shared)
        found: np.ndarray = background.row[channel, self.reach.target] * self.path.hum[channel]
        return found

    def _sums_of_way_back(self) -> None:
        """Sum what comes back through layer 2 over the steps, with every power that is needed."""
        net, alphas = self.net, self.path.alphas
        back = (self._forward() > 0) * (net.gain_2 * net.head_2)  # (steps, width)
        steps = len(alphas)
        powers = alphas[:, None] ** np.arange(POWERS + 1) / steps  # (steps, 5)
        self.back_steps, self.powers = back, powers
        running = np.zeros((POWERS + 1, steps + 1, self.width))
        np.cumsum(powers.T[:, :, None] * back, axis=1, out=running[:, 1:])
        self.running = running

    def _own(self) -> None:
        """Send back what the target's own state at layer 1 is worth."""
        net, place = self.net, self.reach.place
        slope = self.own_open * (net.mix(self.back_steps, net.own_2.transpose(0, 2, 1)))
        slope += self.own_open * net.head_1
        sums = np.zeros((POWERS, self.width))  # the power below 0 is never read: no edge to credit
        sums[1:] = self.powers[:, :3].T @ slope
        self._send(np.array([place]), np.ones(1), sums[None], 0, OWN)

    def _entry(self, entry: Entry) -> np.ndarray:
        """Send back through one channel; return the worth of every arriving message per weight."""
        net = self.net
        turned = net.through_2[:, entry.channel].transpose(0, 2, 1)
        # no edge leads to the background, so the power below 0 is never read there
        chosen = np.take(self.running, np.arange(POWERS) + entry.order - 1, axis=0, mode="clip")
        # (4, steps + 1, width)
        turned_back = net.mix(chosen.reshape(-1, self.width), turned).reshape(chosen.shape)
        by_step = np.ascontiguousarray(turned_back.transpose(1, 2, 0))
        table: np.ndarray = by_step.reshape(-1, POWERS)  # a row per step and unit, as in ``runs``
        first, last = (runs[entry.genes] for runs in self.runs)
        sums: np.ndarray = np.take(table, last, axis=0)
        sums -= np.take(table, first, axis=0)  # (m_c, width, 4)
        row, within = self._twice_in(entry)
        if len(row):
            gates = self.path.gates
            unit = gates.unit[row]
            more = table[gates.second_last[row] * self.width + unit]
            more = more - table[gates.second_first[row] * self.width + unit]
            sums[within, unit] += more
        way = DIRECT if entry.channel < self.path.reaches.n_direct else SETS
        return self._send(entry.genes, entry.weight, sums.transpose(0, 2, 1), entry.order, way)

    def _twice_in(self, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
        """Second runs of an entry's genes: rows of their table, and places in the entry."""
        place, row = self.twice
        of_gene = np.full(len(self.reach.genes), -1)
        of_gene[entry.genes] = np.arange(len(entry.genes))
        within = of_gene[place]
        kept = within >= 0
        return row[kept], within[kept]

    def _send(
        self, genes: np.ndarray, weight: np.ndarray, sums: np.ndarray, order: int, way: str
    ) -> np.ndarray:
        """Turn sums over steps, shape ``(m_c, 4, width)``, into what the features are worth."""
        path, at = self.path, self.reach.genes[genes]
        worth: np.ndarray = sums[:, 0] @ self.net.offset_1
        self.constant += order * float(weight @ worth)
        for power, seen in path.seen.items():
            sent = np.empty((len(genes), seen.shape[1]))
            for hops, part in enumerate(path.columns):
                if part.stop > part.start:
                    np.matmul(sums[:, power + hops], self.net.back[part].T, out=sent[:, part])
            valued = sent * seen[at]
            worth += valued.sum(axis=1)
            _add(self.credit, (power, order, way), weight @ valued)
            sent *= weight[:, None]
            self.sent[power][genes] += sent
        for power, usual in path.usual.items():
            assert path.background is not None
            row = path.background.row[:, at]
            worth += ((row.T @ usual) * sums[:, power]).sum(axis=1)
            _add(self.usual, (power, order, way), (row * weight) @ sums[:, power])
        return worth

    def _to_inputs(
        self,
    ) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...], list[np.ndarray]]:
        """Multiply what layer 1 sends back into features and arcs."""
        path, reach = self.path, self.reach
        own, direct, through = path.columns
        d = own.stop
        cuts = (reach.direct, reach.into, reach.out)
        genes = distinct(len(path.delta), reach.genes, reach.direct.source, reach.into.source)
        features = np.zeros((len(genes), d))
        arcs = [np.zeros(len(cut.source)) for cut in cuts]
        for power, term in path.terms.items():
            sent = self.sent[power]
            beside = below(sent[:, direct], d)
            arcs[0] += dots(reach.direct, beside, term)
            to_sets = below(sent[:, through], d)
            at_sets = np.zeros((len(reach.outer_sets), d))
            if len(reach.outer_sets):
                arcs[2] += dots(reach.out, to_sets, path.in_sets[power])
                at_sets = np.asarray(reach.out.matrix.T @ to_sets)[reach.outer_sets]
                arcs[1] += dots(reach.into, at_sets, term)
            if power == 1:
                features += (reach.direct.matrix.T @ beside)[genes]
                if len(reach.outer_sets):
                    features += (reach.into.matrix.T @ at_sets)[genes]
                features[np.searchsorted(genes, reach.genes)] += sent[:, own]
                features += self._to_background(genes)
                features[np.searchsorted(genes, reach.target)] += self.net.skip
                features *= term[genes]
        arcs = [values * cut.weight for values, cut in zip(arcs, cuts, strict=True)]
        return genes, features, tuple(cut.position for cut in cuts), arcs

    def _to_background(self, genes: np.ndarray) -> np.ndarray | float:
        """What layer 1 sends back to the features of all genes through the background."""
        back = self.path.background
        if back is None:
            return 0.0
        total = np.sum([sums for (p, *_), sums in self.usual.items() if p == 1], axis=0)
        found: np.ndarray = back.column[:, genes].T @ back.returned(total, self.net.back)
        return found

    def _layer_2_arcs(self, products: dict[int, np.ndarray], arcs: list[np.ndarray]) -> None:
        """Add what the arcs of layer 2 are worth; they are among those of layer 1."""
        reach, n_direct = self.reach, self.path.reaches.n_direct
        m, k = len(reach.genes), len(reach.sets)
        member = np.searchsorted(reach.genes, reach.own_into.source)
        into_row = _rows_within(reach.into, np.searchsorted(reach.outer_sets, reach.sets))
        for entry in (e for e in reach.entries if e.order):
            product = products[entry.channel]
            if entry.order == 1:
                row = entry.channel * m + reach.place
                part = slice(reach.direct.start[row], reach.direct.start[row + 1])
                arcs[0][part] += entry.weight * product
                continue
            of_gene = np.zeros(m)
            of_gene[entry.genes] = product
            carried = reach.own_into.weight * of_gene[member]
            per_set = np.bincount(reach.own_into.row, carried, minlength=k)
            c = entry.channel - n_direct
            own = slice(reach.own_out.start[c], reach.own_out.start[c + 1])
            at = np.searchsorted(reach.sets, reach.own_out.source[own])
            row = c * m + reach.place
            part = slice(reach.out.start[row], reach.out.start[row + 1])
            arcs[2][part] += reach.own_out.weight[own] * per_set[at]
            leaving = np.zeros(k)
            leaving[at] = reach.own_out.weight[own]
            arcs[1][into_row] += leaving[reach.own_into.row] * carried

    def _back_home(self, d: int) -> np.ndarray:
        """Credit of the target's own features that come back over two interactions.

        Called when only direct channels have sent back; shape ``(d,)``.
        """
        reach = self.reach
        home = np.flatnonzero(reach.direct.source == reach.target)
        credit = np.zeros(d)
        for power, term in self.path.terms.items():
            sent = self.sent[power].copy()
            sent[reach.place] = 0  # what the target's own state sends has crossed one edge, not two
            beside = below(sent[:, self.path.columns[1]], d)
            back = reach.direct.weight[home] @ beside[reach.direct.row[home]]
            credit += (power + 2) * back * term[reach.target]
        return credit

    def _routes(self, back_home: np.ndarray) -> Routes:
        path = self.path
        d = sum(path.widths)
        own, direct, sets = np.zeros((3, d))
        for (power, order, way), credit in self.credit.items():
            for hops, part in enumerate(path.columns):
                # a message with a feature that moves along the path has one factor more
                whole = (power + hops + order) * credit[part].reshape(-1, d).sum(axis=0)
                if way == SETS or hops == 2:
                    sets += whole
                elif way == OWN and hops == 0:
                    own += whole
                else:
                    direct += whole
        for (power, order, way), sums in self.usual.items():
            assert path.background is not None
            totals = path.background.column @ path.terms[power]
            credit = (power + order) * totals * path.background.returned(sums, self.net.back)
            near = 0 if way == SETS else path.reaches.n_direct
            direct += credit[:near].sum(axis=0)
            sets += credit[near:].sum(axis=0)
        if 1 in path.terms:
            own += path.terms[1][self.reach.target] * self.net.skip
        return Routes(own + back_home, direct - back_home, sets, self.constant)


def _check(members: Sequence[Member]) -> None:
    folds = {m.unit.fold for m in members}
    if len(folds) != 1:
        raise TaskError(
            f"one path needs networks of one fold, {len(folds)} folds were given: networks of "
            "different folds see different known targets"
        )
    if not is_polynomial(members):
        raise TaskError(
            "the shared path needs two layers of fixed weights and linear encoders; networks of "
            "another kind are explained by Captum (CaptumPath, which TargetExplainer takes itself)"
        )


def _add(
    to: dict[tuple[int, int, str], np.ndarray], key: tuple[int, int, str], values: np.ndarray
) -> None:
    to[key] = to[key] + values if key in to else values


def _encoders(parameters: dict[str, np.ndarray]) -> int:
    return sum(name.startswith("encoders.") for name in parameters)


def _affine(parameters: dict[str, np.ndarray], layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Give BatchNorm at prediction as gain and offset."""
    mean, variance, weight, bias = (
        parameters[f"norms.{layer}.{k}"] for k in ("running_mean", "running_var", "weight", "bias")
    )
    gain = weight / np.sqrt(variance + 1e-5)
    return gain, bias - mean * gain


def beside(stacked: np.ndarray | sp.spmatrix, n: int) -> np.ndarray:
    """Put channels that are one below the other side by side: ``(r n, d)`` to ``(n, r d)``."""
    array = np.asarray(stacked)
    d = array.shape[1]
    return array.reshape(-1, n, d).transpose(1, 0, 2).reshape(n, -1)


def below(beside: np.ndarray, d: int) -> np.ndarray:
    """Undo ``beside``."""
    m = len(beside)
    return np.ascontiguousarray(beside.reshape(m, -1, d).transpose(1, 0, 2)).reshape(-1, d)


def _rows_within(arcs: Arcs, rows: np.ndarray) -> np.ndarray:
    """Places of the arcs of some rows."""
    parts = [np.arange(arcs.start[r], arcs.start[r + 1]) for r in rows]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)
