"""How strongly everything around a gene changed: what can be said without any known target."""

from typing import Final

import numpy as np
import torch
from torch import Tensor

from aimwell.models.propagate import propagate
from aimwell.models.task import TargetTask

#: Columns that say how strongly a gene changed, whichever way.
STRENGTH: Final = ("abs_z", "abs_effect")


def strength_around(task: TargetTask) -> Tensor | None:
    """Average the strength of change that arrives at every gene along the edges between genes.

    Every column of strength of every layer is sent along every direct channel, standardised over
    the genes, and averaged; the average is standardised again. No label and nothing of the gene's
    own evidence enters; with degree correction, next to nothing: its part in what is expected.

    Args:
        task: Its blocks and its wiring.

    Returns:
        Shape ``(n,)``, float32; None where nothing was measured or no edge joins two genes.
    """
    columns = [
        block.values[:, block.columns.index(name)]
        for block in task.blocks
        for name in STRENGTH
        if name in block.columns
    ]
    direct = task.wiring.direct
    if not columns or not direct.shape[0]:
        return None
    sent = torch.from_numpy(np.stack(columns, axis=1))
    arrived = propagate(direct.weight, sent, direct).view(-1, len(task.genes), len(columns))
    return _standard(_standard(arrived.transpose(0, 1).flatten(1)).mean(dim=1))


def _standard(values: Tensor) -> Tensor:
    centred = values - values.mean(dim=0)
    return centred / torch.clamp(centred.square().mean(dim=0).sqrt(), min=1e-6)
