"""The score of one gene when nodes are taken out of the graph, exactly and without the rest."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from aimwell.explain.attribution import Wide, beside
from aimwell.explain.background import Background
from aimwell.explain.baselines import network_inputs
from aimwell.explain.preconditions import is_polynomial
from aimwell.explain.reach import Reach, distinct
from aimwell.explain.receptive_field import receptive_field
from aimwell.models.member import Member
from aimwell.models.task import TargetTask
from aimwell.models.training import load_network


@dataclass(frozen=True)
class Keep:
    """Which genes and sets stay; what goes has no features and no edges.

    Attributes:
        genes: Shape ``(n,)``, bool.
        sets: Shape ``(s,)``, bool.
    """

    genes: np.ndarray
    sets: np.ndarray

    @staticmethod
    def none(n: int, n_sets: int) -> "Keep":
        """Keep nothing: the score is that of the baseline without features and edges."""
        return Keep(np.zeros(n, dtype=bool), np.zeros(n_sets, dtype=bool))


def perturbed_score(
    task: TargetTask, members: Sequence[Member], reach: Reach
) -> Callable[[Keep | None], float]:
    """Make a function that gives the mean score of one gene when only some nodes are kept.

    Weights are those of the whole graph: nothing is normalised anew.
    """
    if is_polynomial(members):
        return _Wired(task, members, reach).score
    return _by_network(task, members, reach)


class _Wired:
    """Layer 1 for the genes that layer 2 reads, from masked features."""

    def __init__(self, task: TargetTask, members: Sequence[Member], reach: Reach) -> None:
        self.net = Wide(members)
        self.reach, self.n = reach, len(task.genes)
        self.genes = distinct(self.n, reach.genes, reach.direct.source, reach.into.source)
        features = np.hstack([x[self.genes] for x in network_inputs(task, members[0])])
        self.features = features  # (g, d)
        self.inner = np.searchsorted(self.genes, reach.genes)
        self.direct = reach.direct.matrix[:, self.genes]
        self.into = reach.into.matrix[:, self.genes]
        self.out = reach.out.matrix[:, reach.outer_sets]
        self.own_sets = np.searchsorted(reach.outer_sets, reach.sets)
        self.own_into = self.into[self.own_sets][:, self.inner]  # (k, m)
        self.own_out = reach.own_out.matrix[:, reach.sets].toarray()  # (r_s, k)
        self.background = Background(task.wiring) if task.wiring.degree_corrected else None
        self.direct_entries = [e for e in reach.entries if e.order < 2]
        self.set_entries = [e for e in reach.entries if e.order == 2]
        self.first_set = len(members[0].parameters["through.0"]) - self.own_out.shape[0]

    def score(self, keep: Keep | None) -> float:
        """Score the target with what is kept."""
        net, place = self.net, self.reach.place
        genes = np.ones(len(self.genes)) if keep is None else keep.genes[self.genes].astype(float)
        outer = self.reach.outer_sets
        sets = np.ones(len(outer)) if keep is None else keep.sets[outer].astype(float)
        kept = genes[self.inner]
        here = kept[place]  # the target itself may go
        x = self.features * genes[:, None]
        inner = self._layer_1(x, np.asarray(self.into @ x) * sets[:, None], kept)
        total = net.mix(inner[[place]], net.own_2)
        for entry in self.direct_entries:
            weight = entry.weight * kept[entry.genes] * here
            total += net.mix((weight @ inner[entry.genes])[None], net.through_2[:, entry.channel])
        for entry in self.set_entries:
            leaving = self.own_out[entry.channel - self.first_set] * sets[self.own_sets] * here
            weight = (leaving @ self.own_into) * kept
            total += net.mix((weight @ inner)[None], net.through_2[:, entry.channel])
        last = np.maximum(total[0] * net.gain_2 + net.offset_2, 0)
        own = float(x[self.inner[place]] @ net.skip)
        return own + float(inner[place] @ net.head_1 + last @ net.head_2) + net.constant

    def _layer_1(self, x: np.ndarray, in_sets: np.ndarray, kept: np.ndarray) -> np.ndarray:
        """Give layer 1 of the genes that stay; a gene that is gone gets and sends nothing."""
        net, m, place = self.net, len(kept), self.reach.place
        there = np.flatnonzero(kept)
        direct, out = self.direct, self.out
        if 2 * len(there) < m:
            there = np.union1d(there, place)
            direct, out = (
                a[(np.arange(a.shape[0] // m)[:, None] * m + there).ravel()] for a in (direct, out)
            )
        else:
            there = np.arange(m)
        arriving = [beside(a @ states, len(there)) for a, states in ((direct, x), (out, in_sets))]
        seen = [x[self.inner[there]], *(a * kept[there, None] for a in arriving)]
        total = np.hstack(seen) @ net.back + net.offset_1
        if self.background is not None and m == self.n:
            row = self.background.row[:, there] * kept[there]
            total += row.T @ self.background.sent(x, net.back)
        inner = np.zeros((m, len(net.offset_1)))
        inner[there] = np.maximum(total, 0)
        return inner


def _by_network(
    task: TargetTask, members: Sequence[Member], reach: Reach
) -> Callable[[Keep | None], float]:
    """Run the networks themselves on the receptive field."""
    field = receptive_field(task.wiring, reach.target, members[0].layers)
    networks = [load_network(task, m).double() for m in members]
    blocks = [torch.from_numpy(x[field.genes]) for x in network_inputs(task, members[0])]
    m, into_of = len(field.genes), field.operators[1]

    def score(keep: Keep | None) -> float:
        genes = np.ones(m) if keep is None else keep.genes[field.genes].astype(float)
        sets = np.ones(len(field.sets)) if keep is None else keep.sets[field.sets].astype(float)
        weights, operators = [], []
        for number, operator in enumerate(field.operators):
            rows = np.repeat(np.arange(operator.shape[0]), np.diff(operator.row_start.numpy()))
            to = sets[rows] if operator is into_of else genes[rows % m]
            of = (sets if number == 2 else genes)[operator.column.numpy()]
            weights.append(operator.weight.double() * torch.from_numpy(to * of))
            usual = operator.expected and operator.expected.times(
                torch.from_numpy(genes), torch.from_numpy(genes)
            )
            operators.append(replace(operator, expected=usual))
        masked = [b * torch.from_numpy(genes)[:, None] for b in blocks]
        total = 0.0
        with torch.no_grad():
            for network, member in zip(networks, members, strict=True):
                logit = float(network(masked, weights, operators)[field.target])
                total += (logit - member.centre) / (len(members) * member.scale)
        return total

    return score
