"""How the states of many members travel along one graph, and which way is fastest on a device.

Three ways give the same numbers to rounding. ``columns``: members side by side, one sparse product
for all. ``members``: one sparse product each, whose state is small enough for a cache. ``dense``:
the graph as a full matrix, one large product, where the memory has room for it. Which is fastest
depends on the device, so it is measured there, on the graph at hand.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import torch
from torch import Tensor

from aimwell.models.propagate import SparseOperator, propagate

WAYS: Final = ("columns", "members", "dense")
#: Products whose bits are compared and whose times are taken, after one that warms up.
TRIES: Final = 4
#: A way replaces one named before it only where it is faster than this share of its time: two that
#: are alike must not take turns, since each rounds in its own way.
CLEARLY: Final = 0.8
#: Share of the free memory that full matrices may take.
ROOM: Final = 0.25


@dataclass(frozen=True)
class Choice:
    """The way that was chosen.

    Attributes:
        way: One of ``WAYS``.
        repeats: Whether its products came out the same to the bit every time.
        seconds: Way → time of one step forward and back, of those that fitted into the memory.
    """

    way: str
    repeats: bool = True
    seconds: Mapping[str, float] = field(default_factory=dict)


class Lanes:
    """Sends the states of many members along all channels of a graph.

    Args:
        operators: Direct, into sets, out of sets, on the device.
        way: One of ``WAYS``.
    """

    def __init__(self, operators: Sequence[SparseOperator], way: str) -> None:
        self.operators, self.way = tuple(operators), way
        dense = way == "dense"
        self.full = [o.matrix.to_dense() if dense and o.shape[0] else None for o in operators]

    def send(self, states: Tensor) -> Iterator[Tensor]:
        """Give what arrives along every channel, ``(b, n, h)`` each.

        Args:
            states: Of all members, shape ``(b, n, h)``.
        """
        n = states.shape[1]
        yield from torch.split(self._along(0, states), n, dim=1)
        if self.operators[2].shape[0]:
            yield from torch.split(self._along(2, self._along(1, states), states), n, dim=1)

    def _along(self, which: int, states: Tensor, genes: Tensor | None = None) -> Tensor:
        """Multiply one operator with every state: ``(b, sources, h)`` to ``(b, rows, h)``.

        Args:
            which: Its place among the operators.
            states: Of the sources.
            genes: Of the genes, where the sources are sets.
        """
        operator, full = self.operators[which], self.full[which]
        genes = states if genes is None else genes
        if self.way == "members":
            each = zip(states, genes, strict=True)
            return torch.stack([propagate(operator.weight, s, operator, g) for s, g in each])
        b, _, hidden = states.shape
        columns, all_genes = (s.transpose(0, 1).flatten(1) for s in (states, genes))
        if full is not None:
            arrived = operator.unexpected(full @ columns, columns, all_genes)
        else:
            arrived = propagate(operator.weight, columns, operator, all_genes)
        return arrived.view(-1, b, hidden).transpose(0, 1)


def choose_way(operators: Sequence[SparseOperator], members: int, hidden: int) -> Choice:
    """Measure every way on the device of the operators, forward and back, and choose one.

    A way whose bits differ from one product to the next is taken only if all do. The first of
    those that are about as fast is taken.

    Args:
        operators: As for ``Lanes``.
        members, hidden: How many states there will be, and their width.

    Raises:
        torch.OutOfMemoryError: No way fits into the memory.
    """
    device = operators[0].weight.device
    generator = torch.Generator().manual_seed(0)
    shape = (members, operators[0].shape[1], hidden)
    states = torch.randn(shape, generator=generator).to(device).requires_grad_()
    seconds: dict[str, float] = {}
    repeats: dict[str, bool] = {}
    for way in WAYS:
        if way == "dense" and not _has_room(operators):
            continue
        try:
            seconds[way], repeats[way] = _measure(Lanes(operators, way), states)
        except torch.OutOfMemoryError:
            release(device)
    if not seconds:
        raise torch.OutOfMemoryError(f"{members} states of {hidden} columns do not fit")
    able = [way for way in seconds if repeats[way]] or list(seconds)
    best = able[0]
    for way in able[1:]:
        if seconds[way] < CLEARLY * seconds[best]:
            best = way
    return Choice(best, repeats[best], seconds)


def _measure(lanes: Lanes, states: Tensor) -> tuple[float, bool]:
    """Give the shortest time of a step forward and back, and whether its bits repeat."""
    found, times = [], []
    for _ in range(1 + TRIES):
        settle_device(states.device)
        begun = time.perf_counter()
        total = sum(lanes.send(states), start=torch.zeros((), device=states.device))
        (gradient,) = torch.autograd.grad(total.square().sum(), states)
        settle_device(states.device)
        times.append(time.perf_counter() - begun)
        found.append((total.detach(), gradient))
        found = [found[0], found[-1]]
        if not all(torch.equal(one, other) for one, other in zip(*found, strict=True)):
            return min(times[1:] or times), False
    return min(times[1:]), True


def settle_device(device: torch.device) -> None:
    """Wait until a device has done what it was told; a processor always has."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def release(device: torch.device) -> None:
    """Give memory back that torch keeps for later, after there was too little of it."""
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.empty_cache()


def free_bytes(device: torch.device) -> int | None:
    """Say how much memory a device has left, None where it does not tell."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    from aimwell.models.memory import memory_free

    return memory_free()


def _has_room(operators: Sequence[SparseOperator]) -> bool:
    """Whether the operators as full matrices, which take gradients of their own size, may be."""
    free = free_bytes(operators[0].weight.device)
    needed = sum(4 * o.shape[0] * o.shape[1] for o in operators)
    return free is None or needed <= ROOM * free
