"""Other ways to ask the same question, to compare with: on the receptive field, by autograd."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from aimwell.explain.attribution import Attribution
from aimwell.explain.baselines import CONTROLS, ZERO, baseline_inputs, network_inputs
from aimwell.explain.perturbed import Keep, perturbed_score
from aimwell.explain.reach import Reaches
from aimwell.explain.receptive_field import ReceptiveField, receptive_field
from aimwell.models.member import Member
from aimwell.models.task import TargetTask
from aimwell.models.training import load_network


class Comparison:
    """One target of some members, for methods that know nothing of the path.

    Args:
        task: Graph, features and labels.
        members: Networks that hide the same fold; the score is their mean.
        target: Position of the gene.
    """

    def __init__(self, task: TargetTask, members: Sequence[Member], target: int) -> None:
        self.task, self.members, self.target = task, members, target
        self.field: ReceptiveField = receptive_field(task.wiring, target, members[0].layers)
        self.networks = [load_network(task, m).double() for m in members]
        genes = self.field.genes
        self.inputs = self._with_edges([x[genes] for x in network_inputs(task, members[0])], 1)
        self.starts = [
            self._with_edges([x[genes] for x in baseline_inputs(task, members[0], b)], 0)
            for b in (ZERO, CONTROLS)
        ]

    def input_x_gradient(self) -> Attribution:
        """Input times gradient at the data."""
        point = [t.clone().requires_grad_() for t in self.inputs]
        gradients = torch.autograd.grad(self._scores(*(t[None] for t in point))[0], point)
        return self._attribution([g * t for g, t in zip(gradients, self.inputs, strict=True)])

    def gradient_shap(self, *, samples: int = 20, seed: int = 0) -> Attribution:
        """GradientSHAP (Lundberg & Lee 2017): gradients at random points from random baselines.

        Args:
            samples: Points; each lies between the data and ``zero`` or ``controls``.
            seed: Fixes the draws.
        """
        rng = np.random.default_rng(seed)
        total = [torch.zeros_like(t) for t in self.inputs]
        for _ in range(samples):
            start, alpha = self.starts[rng.integers(len(self.starts))], rng.random()
            steps = [t - s for t, s in zip(self.inputs, start, strict=True)]
            point = [(s + alpha * d).requires_grad_() for s, d in zip(start, steps, strict=True)]
            score = self._scores(*(t[None] for t in point))[0]
            gradients = torch.autograd.grad(score, point)
            total = [
                t + gradient * step / samples
                for t, gradient, step in zip(total, gradients, steps, strict=True)
            ]
        return self._attribution(total)

    def leave_one_edge_out(self, edges: np.ndarray) -> np.ndarray:
        """Fall of the score when single edges go, with all their arcs; shape of ``edges``.

        Args:
            edges: Rows of ``Wiring.edges``.
        """
        full = self._score(self.inputs)
        n_blocks = len(self.inputs) - 3
        of = [
            operator.edge[arcs]
            for operator, arcs in zip(self.task.wiring.operators, self.field.arcs, strict=True)
        ]
        falls = []
        for edge in edges:
            inputs = list(self.inputs)
            for number, rows in enumerate(of):
                stays = torch.from_numpy(rows != edge)
                inputs[n_blocks + number] = inputs[n_blocks + number] * stays
            falls.append(full - self._score(inputs))
        return np.array(falls)

    def leave_one_node_out(self, nodes: np.ndarray) -> np.ndarray:
        """Fall of the score when single nodes go, with features and edges; shape of ``nodes``.

        Args:
            nodes: Positions of genes; sets are numbered behind them.
        """
        reach = Reaches(self.task.wiring).of(self.target)
        score: Callable[[Keep | None], float] = perturbed_score(self.task, self.members, reach)
        n, s = len(self.task.genes), self.task.wiring.into_sets.shape[0]
        full, falls = score(None), []
        for node in nodes:
            kept = np.ones(n + s, dtype=bool)
            kept[node] = False
            falls.append(full - score(Keep(kept[:n], kept[n:])))
        return np.array(falls)

    def _with_edges(self, blocks: list[np.ndarray], share: float) -> list[Tensor]:
        weights = [share * o.weight.double() for o in self.field.operators]
        return [*(torch.from_numpy(b) for b in blocks), *weights]

    def _score(self, inputs: Sequence[Tensor]) -> float:
        with torch.no_grad():
            return float(self._scores(*(t[None] for t in inputs))[0])

    def _scores(self, *batch: Tensor) -> Tensor:
        rows = []
        for one in zip(*batch, strict=True):
            total = 0 * sum(t.sum() for t in one)
            for network, member in zip(self.networks, self.members, strict=True):
                logits = network(one[:-3], one[-3:], self.field.operators)
                logit = logits[self.field.target]
                total = total + (logit - member.centre) / (len(self.members) * member.scale)
            rows.append(total)
        return torch.stack(rows)

    def _attribution(self, values: Sequence[Tensor]) -> Attribution:
        arrays = [v.detach().numpy() for v in values]
        return Attribution(
            score=self._score(self.inputs),
            baseline_score=self._score(self.starts[0]),
            genes=self.field.genes,
            features=tuple(arrays[:-3]),
            positions=self.field.arcs,
            arcs=tuple(arrays[-3:]),
        )
