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

from aimwell.explain.attribution import Attribution, network_inputs
from aimwell.explain.receptive_field import receptive_field
from aimwell.models.network import TargetNetwork
from aimwell.models.propagate import SparseOperator
from aimwell.models.task import TargetTask
from aimwell.models.training import Member, load_network


def attribute_by_captum(
    task: TargetTask, member: Member, target: int, *, steps: int
) -> Attribution:
    """Attribute the score of one gene by one network, on its receptive field.

    Args:
        task: Graph, features and labels.
        member: A network that never saw the gene's fold.
        target: Position of the gene.
        steps: Number of steps along the path (midpoint rule).

    Returns:
        Attributions on the whole graph, zero where nothing can flow to the target.
    """
    field = receptive_field(task.wiring, target)
    inputs = [torch.from_numpy(b) for b in network_inputs(task, member)]
    local = [block[torch.from_numpy(field.genes)] for block in inputs]
    score, baseline, values = integrate(
        load_network(task, member).double(), local, field.operators, field.target, steps
    )
    features = []
    for whole, part in zip(inputs, values[: len(inputs)], strict=True):
        full = np.zeros(tuple(whole.shape))
        full[field.genes] = part
        features.append(full / member.scale)
    arcs = []
    for operator, part, position in zip(
        task.wiring.operators, values[len(inputs) :], field.arcs, strict=True
    ):
        full = np.zeros(len(operator.weight))
        full[position] = part
        arcs.append(full / member.scale)
    return Attribution(
        score=(score - member.centre) / member.scale,
        baseline_score=(baseline - member.centre) / member.scale,
        features=tuple(features),
        arcs=tuple(arcs),
    )


def integrate(
    network: TargetNetwork,
    blocks: Sequence[Tensor],
    operators: Sequence[SparseOperator],
    target: int,
    steps: int,
) -> tuple[float, float, list[np.ndarray]]:
    """Run Captum's integrated gradients for one gene of any (part of a) graph.

    Args:
        network: In evaluation mode, float64.
        blocks: Inputs ``(m, d_b)``, float64.
        operators: Their weights are inputs too.
        target: Row of the gene.
        steps: Steps of the midpoint rule.

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
    zeros = tuple(torch.zeros_like(t) for t in batch)
    values = IntegratedGradients(score, multiply_by_inputs=True).attribute(
        batch, zeros, n_steps=steps, method="riemann_middle", internal_batch_size=1
    )
    with torch.no_grad():
        ends = float(score(*batch)), float(score(*zeros))
    return *ends, [v[0].detach().numpy() for v in values]
