"""The reference: the same integrated gradients, taken by Captum.

Captum knows nothing of the network, so every step is a forward and a backward pass: it serves as
the number that the factorised path must equal, and as the fallback for a network that is not
polynomial along the path.
"""

from collections.abc import Sequence

import numpy as np
import torch
from captum.attr import IntegratedGradients
from torch import Tensor

from aimwell.explain.attribution import Attribution
from aimwell.explain.baselines import ZERO, Baseline, baseline_inputs, network_inputs
from aimwell.explain.reach import Reach
from aimwell.explain.receptive_field import receptive_field
from aimwell.models.member import Member
from aimwell.models.network import TargetNetwork
from aimwell.models.propagate import SparseOperator
from aimwell.models.task import TargetTask
from aimwell.models.training import load_network


def attribute_by_captum(
    task: TargetTask,
    members: Sequence[Member],
    target: int,
    *,
    steps: int,
    baseline: Baseline = ZERO,
) -> Attribution:
    """Attribute the mean score of one gene by some networks, on its receptive field.

    Args:
        task: Graph, features and labels.
        members: Networks that never saw the gene's fold.
        target: Position of the gene.
        steps: Number of steps along the path (midpoint rule).
        baseline: Where the path begins.

    Returns:
        Attributions of everything in the receptive field; nothing else can contribute.
    """
    field = receptive_field(task.wiring, target, members[0].layers)
    genes = torch.from_numpy(field.genes)
    score = start = 0.0
    totals: list[np.ndarray] = []
    for member in members:
        ends = [
            [torch.from_numpy(b)[genes] for b in inputs]
            for inputs in (network_inputs(task, member), baseline_inputs(task, member, baseline))
        ]
        last, first, values = integrate(
            load_network(task, member).double(),
            ends[0],
            field.operators,
            field.target,
            steps,
            ends[1],
        )
        share = 1 / (len(members) * member.scale)
        score += share * (last - member.centre)
        start += share * (first - member.centre)
        values = [share * v for v in values]
        totals = [t + v for t, v in zip(totals, values, strict=True)] if totals else values
    n_blocks = len(task.blocks) + 1
    return Attribution(
        score=score,
        baseline_score=start,
        genes=field.genes,
        features=tuple(totals[:n_blocks]),
        positions=field.arcs,
        arcs=tuple(totals[n_blocks:]),
    )


def integrate(
    network: TargetNetwork,
    blocks: Sequence[Tensor],
    operators: Sequence[SparseOperator],
    target: int,
    steps: int,
    begin: Sequence[Tensor] | None = None,
) -> tuple[float, float, list[np.ndarray]]:
    """Run Captum's integrated gradients for one gene of any (part of a) graph.

    Args:
        network: In evaluation mode, float64.
        blocks: Inputs ``(m, d_b)``, float64.
        operators: Their weights are inputs too.
        target: Row of the gene.
        steps: Steps of the midpoint rule.
        begin: Features at the beginning of the path, zeros if not given; edges begin at 0.

    Returns:
        Log-odds on the data, log-odds on the baseline, and attributions: one array per block,
        then one per operator.
    """
    inputs = [*blocks, *(o.weight.double() for o in operators)]
    n_blocks = len(blocks)

    def score(*batch: Tensor) -> Tensor:
        # Captum adds a leading axis of steps; graphs differ along it, so each is its own pass
        rows = []
        for one in zip(*batch, strict=True):
            logits = network(one[:n_blocks], one[n_blocks:], operators)
            # an input without influence must still be part of the graph of computation
            rows.append(logits[target] + 0 * sum(t.sum() for t in one))
        return torch.stack(rows)

    batch = tuple(t[None] for t in inputs)
    given = [*(begin or []), *(torch.zeros_like(t) for t in inputs[len(begin or []) :])]
    start = tuple(t[None] for t in given)
    values = IntegratedGradients(score, multiply_by_inputs=True).attribute(
        batch, start, n_steps=steps, method="riemann_middle", internal_batch_size=1
    )
    with torch.no_grad():
        ends = float(score(*batch)), float(score(*start))
    return *ends, [v[0].detach().numpy() for v in values]


class CaptumPath:
    """The same question for networks that are no polynomial, answered by Captum.

    Args:
        task: Graph, features and labels.
        members: Networks that hide the same fold.
        steps: Steps of the midpoint rule.
        baseline: Where the path begins.
    """

    def __init__(
        self,
        task: TargetTask,
        members: Sequence[Member],
        *,
        steps: int,
        baseline: Baseline = ZERO,
    ) -> None:
        self.task, self.members, self.steps, self.baseline = task, members, steps, baseline

    def prepare(self, genes: np.ndarray) -> None:
        """Do nothing: no part of the work is shared between targets."""

    def attribute(self, target: int | Reach) -> Attribution:
        """Attribute the score of the gene at position ``target``."""
        place = target.target if isinstance(target, Reach) else target
        return attribute_by_captum(
            self.task, self.members, place, steps=self.steps, baseline=self.baseline
        )
