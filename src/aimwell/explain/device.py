"""Exact attributions of many targets at once, on a device.

The numbers are those of ``SharedPath``, target by target; what differs is how they are computed.
Every step of the path is taken for the whole graph at once, and the ways back of a block of targets
lie side by side: dense where the targets share an axis, ragged where each has a length of its own.
A processor is faster with one target after the other; a GPU needs the block.

No sum depends on the order in which threads arrive: segments are added by ``segment_reduce``, and
what is written to a place is written once. The sparse products are those of torch.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from aimwell.errors import TaskError
from aimwell.explain.attribution import POWERS, Attribution, SharedPath
from aimwell.explain.baselines import ZERO, Baseline
from aimwell.explain.device_block import DeviceBlock
from aimwell.explain.reach import Reaches
from aimwell.models.lanes import free_bytes, release
from aimwell.models.member import Member
from aimwell.models.propagate import SparseOperator
from aimwell.models.task import TargetTask

#: Numbers that one array on the way to the gates may have.
CHUNK = 1 << 26
#: Largest number of targets that are taken at a time, and the share of the free memory for them.
BLOCK = 128
ROOM = 0.3


@dataclass(frozen=True)
class DeviceGates:
    """When the units of layer 1 are open, on a device; as ``gates.Gates``, but dense.

    Attributes:
        first, last: Where the first run of every unit begins and ends in a table with a row per
            step and ``h`` columns, flat; equal where it never opens; shape ``(n, h)``.
        second_first, second_last: The same of second runs.
        twice: Whether any unit of a gene opens twice, shape ``(n,)``.
    """

    first: Tensor
    last: Tensor
    second_first: Tensor
    second_last: Tensor
    twice: Tensor


class DevicePath:
    """Everything along the path that targets share, on a device.

    Args:
        task, members, steps, baseline, reaches: As for ``SharedPath``.
        device: ``cpu`` or ``cuda``.
        dtype: Single precision is enough to look at and half the memory; sums over steps are
            differences of running sums and keep about five digits of it.

    Raises:
        TaskError: As for ``SharedPath``.
    """

    def __init__(
        self,
        task: TargetTask,
        members: Sequence[Member],
        *,
        steps: int,
        baseline: Baseline = ZERO,
        reaches: Reaches | None = None,
        device: str = "cpu",
        dtype: torch.dtype = torch.float64,
    ) -> None:
        if task.wiring.degree_corrected:
            raise TaskError(
                "on a device only networks without degree correction are explained, since every "
                "gene adds to what it takes out; use SharedPath or TargetExplainer"
            )
        path = SharedPath(task, members, steps=steps, baseline=baseline, reaches=reaches)
        self.device, self.dtype = torch.device(device), dtype
        self.n, self.steps, self.width = len(task.genes), steps, path.width
        self.widths, self.d = path.widths, sum(path.widths)
        self.n_direct, self.n_set = path.reaches.n_direct, path.reaches.n_set
        self.columns = path.columns
        self.terms = {p: self._on(x) for p, x in path.terms.items()}
        self.seen = {p: self._on(x) for p, x in path.seen.items()}
        self.in_sets = {p: self._on(x) for p, x in path.in_sets.items()}
        operators = [o.to(self.device, dtype) for o in task.wiring.operators]
        self.direct, self.into, self.out = operators
        net = path.net
        self.members = net.n
        self.own_2, self.through_2 = self._on(net.own_2), self._on(net.through_2)
        self.offset_1, self.back = self._on(net.offset_1), self._on(net.back)
        self.gain_2, self.offset_2 = self._on(net.gain_2), self._on(net.offset_2)
        self.head_1, self.head_2 = self._on(net.head_1), self._on(net.head_2)
        self.skip, self.constant = self._on(net.skip), net.constant
        self.alphas = self._on(path.alphas)
        self.powers = self.alphas[:, None] ** torch.arange(POWERS + 1, device=self.device) / steps
        self.polynomial = self._polynomial()  # (4, n, width)
        self.gates = self._gates()
        #: whether a unit of layer 2 is open at a step, shape (n, steps, width)
        self.open = torch.stack(
            [self._arriving(self._inner(a), float(a)) > 0 for a in self.alphas.tolist()], dim=1
        )
        self.scores, self.starts = self._ends(1.0), self._ends(0.0)

    def attribute(self, targets: np.ndarray) -> Iterator[Attribution]:
        """Attribute the scores of the genes at some positions, in their order.

        Where the memory of the device does not suffice, half as many are taken at a time.

        Raises:
            TaskError: It does not suffice for one.
        """
        waiting, size = np.asarray(targets, dtype=np.int64), self.block_size()
        while len(waiting):
            block = torch.from_numpy(waiting[:size]).to(self.device)
            try:
                found = list(DeviceBlock(self, block).attributions())
            except torch.OutOfMemoryError as error:
                if len(block) == 1:
                    raise TaskError(
                        f"one attribution does not fit into the memory of '{self.device}'; take "
                        "fewer steps or networks, or explain on the processor"
                    ) from error
                found, size = [], len(block) // 2
            if not found:  # what the failed block held is free only here, after its exception
                release(self.device)
                continue
            yield from found
            waiting = waiting[len(block) :]

    def block_size(self) -> int:
        """Number of targets that the memory has room for at a time."""
        wide = self.n * self.seen[next(iter(self.seen))].shape[1]
        table = self.steps * self.width * 3 * POWERS
        each = (4 * wide + table + 8 * self.n) * self.scores.element_size()
        free = free_bytes(self.device)
        return BLOCK if free is None else int(min(max(ROOM * free // each, 1), BLOCK))

    def mix(self, states: Tensor, matrices: Tensor) -> Tensor:
        """Multiply the units of every member by its own matrix, ``(k, width)`` each."""
        per_member = states.reshape(len(states), self.members, -1).transpose(0, 1)
        return (per_member @ matrices).transpose(0, 1).reshape(len(states), -1)

    def _on(self, array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array)).to(self.device, self.dtype)

    def _polynomial(self) -> Tensor:
        found = torch.zeros(POWERS, self.n, self.width, dtype=self.dtype, device=self.device)
        found[0] = self.offset_1
        for power, seen in self.seen.items():
            for hops, part in enumerate(self.columns):
                found[power + hops] += seen[:, part] @ self.back[part]
        return found

    def _inner(self, alpha: float) -> Tensor:
        """Give the state of every gene at a point of the path, shape ``(n, width)``."""
        c0, c1, c2, c3 = self.polynomial
        return torch.relu(((c3 * alpha + c2) * alpha + c1) * alpha + c0)

    def _arriving(self, inner: Tensor, alpha: float) -> Tensor:
        """Give what enters the units of layer 2 of every gene, shape ``(n, width)``."""
        total = self.mix(inner, self.own_2)
        messages = [(alpha, product(self.direct, inner))]
        if self.n_set:
            messages.append((alpha**2, product(self.out, product(self.into, inner))))
        arrived = [m * w for w, stacked in messages for m in stacked.view(-1, self.n, self.width)]
        for channel, message in enumerate(arrived):
            total += self.mix(message, self.through_2[:, channel])
        return total * self.gain_2 + self.offset_2

    def _ends(self, alpha: float) -> Tensor:
        """Give the scores of all genes at an end of the path, shape ``(n,)``."""
        inner = self._inner(alpha)
        outer = torch.relu(self._arriving(inner, alpha))
        skip = sum(alpha**p * (x @ self.skip) for p, x in self.terms.items())
        return skip + inner @ self.head_1 + outer @ self.head_2 + self.constant

    def _gates(self) -> DeviceGates:
        parts = []
        size = max(CHUNK // (self.steps * self.width), 1)
        for begin in range(0, self.n, size):
            c0, c1, c2, c3 = self.polynomial[:, None, begin : begin + size]
            a = self.alphas[:, None, None]
            parts.append(_runs(((c3 * a + c2) * a + c1) * a + c0 > 0))
        first, last, second_first, second_last = (
            torch.cat(found) * self.width + torch.arange(self.width, device=self.device)
            for found in zip(*parts, strict=True)
        )
        twice = (second_first != second_last).any(dim=1)
        return DeviceGates(first, last, second_first, second_last, twice)


def product(operator: SparseOperator, columns: Tensor) -> Tensor:
    """Multiply an operator with columns."""
    found: Tensor = operator.matrix @ columns
    return found


def _runs(is_open: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Give begin and end of the first and of the second run of open steps, ``(n, h)`` each.

    Args:
        is_open: Shape ``(steps, n, h)``; at most two runs per unit.
    """
    steps = len(is_open)
    shut = torch.zeros_like(is_open[:1])
    before, after = torch.cat([shut, is_open]), torch.cat([is_open, shut])
    opens, closes = after & ~before, before & ~after  # (steps + 1, n, h)
    begin, end = (e.to(torch.uint8).argmax(dim=0) for e in (opens, closes))
    late_begin, late_end = (
        steps - e.flip(0).to(torch.uint8).argmax(dim=0) for e in (opens, closes)
    )
    again = opens.sum(dim=0) > 1
    nothing = torch.zeros_like(begin)
    return (
        begin,
        end,
        torch.where(again, late_begin, nothing),
        torch.where(again, late_end, nothing),
    )
