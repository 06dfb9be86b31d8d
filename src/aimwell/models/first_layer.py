"""What no training step changes: the features, and where they arrive.

Encoder and first layer are linear in the features, so ``A_r X`` never changes while a network
learns. It is computed once, and a step only multiplies it by a small matrix; only the label
channels travel along the edges again, and only from the genes that have a label.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from aimwell.models.propagate import SparseOperator, propagate, sparse_matrix
from aimwell.models.task import TargetTask

#: Numbers of a wide row that are multiplied in the time in which one arc is followed.
CHEAPER_THAN_AN_ARC: Final = 8
#: Numbers that what arrives may take: 512 MB.
LARGEST: Final = 1 << 27


@dataclass(frozen=True)
class FirstLayer:
    """The inputs and where they arrive.

    Attributes:
        inputs: All blocks side by side, shape ``(n, d)``.
        arrived: The inputs and what arrives of them along every channel, shape
            ``(n, (r + 1) · d)``.
    """

    inputs: Tensor
    arrived: Tensor

    def to(self, device: torch.device | str) -> "FirstLayer":
        """Copy to a device."""
        return FirstLayer(self.inputs.to(device), self.arrived.to(device))


def first_layer(task: TargetTask) -> FirstLayer:
    """Send all features along all channels, once for every member of an ensemble."""
    inputs = torch.from_numpy(np.hstack([b.inputs for b in task.blocks]))
    return FirstLayer(inputs, arrive(inputs, task.wiring.operators))


def pays(task: TargetTask) -> bool:
    """True where a product with what arrived is cheaper than following every arc.

    Hundreds of feature columns over dozens of channels arrive as more numbers than there are
    messages; then each step sends the encoded features instead.
    """
    width = sum(b.values.shape[1] for b in task.blocks) * (len(task.wiring.channels) + 1)
    arcs = sum(len(o.weight) for o in task.wiring.operators)
    numbers = len(task.genes) * width
    return bool(numbers <= min(CHEAPER_THAN_AN_ARC * arcs, LARGEST))


def arrive(columns: Tensor, operators: Sequence[SparseOperator]) -> Tensor:
    """Give columns and what arrives of them along every channel, shape ``(n, (r + 1) · c)``."""
    direct, into, out = operators
    sets = propagate(into.weight, columns, into) if out.shape[0] else None
    parts = [columns, propagate(direct.weight, columns, direct)]
    if sets is not None:
        parts.append(propagate(out.weight, sets, out, columns))
    return _by_gene(parts, columns)


@dataclass(frozen=True)
class LabelPaths:
    """The arcs that a label can take: those from genes that have one.

    Attributes:
        direct, into, out: As the operators of the wiring, as sparse matrices.
        operators: Direct and out of the sets, whole: what they are expected to send is taken out.
    """

    direct: Tensor
    into: Tensor
    out: Tensor
    operators: tuple[SparseOperator, SparseOperator]

    @staticmethod
    def cut(task: TargetTask, labelled: np.ndarray) -> "LabelPaths":
        """Keep the arcs from genes that may have a label, True in shape ``(n,)``."""
        direct, into, out = task.wiring.operators
        parts = (_from(direct, labelled), _from(into, labelled), _from(out, None))
        return LabelPaths(*parts, (direct, out))

    def arrive(self, channels: Tensor) -> Tensor:
        """Give label channels and what arrives of them, shape ``(n, (r + 1) · c)``."""
        direct, out = self.operators
        parts = [channels, direct.unexpected(self.direct @ channels, channels, None)]
        if self.out.shape[0]:
            parts.append(out.unexpected(self.out @ (self.into @ channels), channels, channels))
        return _by_gene(parts, channels)


def _by_gene(parts: Sequence[Tensor], columns: Tensor) -> Tensor:
    """Put channels that lie one below the other side by side."""
    n, width = columns.shape
    stacked = torch.cat(list(parts)).view(-1, n, width)
    return stacked.transpose(0, 1).reshape(n, -1).contiguous()


def _from(operator: SparseOperator, sources: np.ndarray | None) -> Tensor:
    """Keep the arcs from some sources."""
    if sources is None:
        return sparse_matrix(operator.row_start, operator.column, operator.weight, operator.shape)
    kept = sources[operator.column.numpy()]
    start = np.concatenate([[0], np.cumsum(kept)])[operator.row_start.numpy()]
    at = torch.from_numpy(kept)
    return sparse_matrix(
        torch.from_numpy(start), operator.column[at], operator.weight[at], operator.shape
    )
