"""Fit several members at once, side by side, for a device that needs much to do at a time.

The members are those of ``fit_unlabelled`` to rounding, since each draws from its own generator;
only the sums are taken in another order. On a CPU single members are faster: their states fit its
cache. The code is the same on both.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.models.channels import known_channel
from aimwell.models.first_layer import FirstLayer, first_layer
from aimwell.models.lanes import Lanes, free_bytes, release
from aimwell.models.member import Member, Unit, member_of
from aimwell.models.network import keep_some
from aimwell.models.task import TargetTask
from aimwell.models.training import (
    Inputs,
    Learner,
    fit_unlabelled,
    new_network,
    one_torch_thread,
    settle,
    weight_groups,
)

#: States of one member that a step holds at once at its peak, gradients too. Measured on a
#: processor: 22 with one channel, 25 with two; the rest is what a GPU's allocator leaves between.
LIVE: Final = 30
LIVE_PER_CHANNEL: Final = 3
#: Share of the free memory that a stack may plan with.
ROOM: Final = 0.8
#: A loss above this is that of a training that ran away.
RAN_AWAY: Final = 100.0


def can_stack(task: TargetTask, settings: ModelSettings) -> bool:
    """Whether the members of a task can be fitted side by side; others are fitted one by one."""
    plain = settings.layers == 2 and settings.convolution == "sum"
    dropped = settings.block_dropout or settings.relation_dropout
    simple = task.objective == "positive_unlabelled" and settings.fusion == "intermediate"
    return bool(plain and simple and not dropped and not settings.early_stopping)


def members_at_once(task: TargetTask, settings: ModelSettings, free: int | None) -> int:
    """Estimate how many members fit side by side into some bytes of memory, at least one.

    Args:
        task, settings: Their sizes count.
        free: Bytes; None where they are not known, and all are tried at once.
    """
    if free is None:
        return 1 << 16
    states = LIVE + LIVE_PER_CHANNEL * len(task.wiring.channels)
    each = 4 * states * len(task.genes) * settings.hidden
    graph = sum(40 * len(o.weight) for o in task.wiring.operators)
    return max(int((ROOM * free - graph) // each), 1)


def fit_stacked(
    task: TargetTask,
    units: Sequence[Unit],
    settings: ModelSettings,
    seed: int,
    device: str = "cpu",
    *,
    way: str = "columns",
    tell: Callable[[str], None] | None = None,
) -> Iterator[Member]:
    """Fit members side by side on a device, as many at a time as its memory has room for.

    A member whose training runs away is fitted again on its own, with the guards of
    ``fit_unlabelled``. Where the memory does not suffice after all, half as many are taken at once.

    Args:
        task, settings, seed: As for ``fit_member``; ``can_stack`` must hold.
        units: The members; they come in this order.
        device: ``cpu`` or ``cuda``.
        way: How their states travel, as ``choose_way`` finds it.
        tell: Told when fewer are taken at once.

    Raises:
        TaskError: Not even one member fits into the memory of the device.
    """
    place = torch.device(device)
    size = min(members_at_once(task, settings, free_bytes(place)), len(units))
    waiting = list(units)
    while waiting:
        batch = waiting[:size]
        try:
            fitted = _fit(task, batch, settings, seed, place, way)
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                raise TaskError(
                    f"one network does not fit into the memory of '{device}'; close what else "
                    "uses it, lower model.hidden, or compute on the processor (run.device = 'cpu')"
                ) from error
            fitted, size = [], len(batch) // 2
            if tell is not None:
                tell(f"{len(batch)} networks at once do not fit into '{device}'; {size} are tried")
        if not fitted:  # what the failed step held is free only here, after its exception
            release(place)
            continue
        yield from fitted
        waiting = waiting[len(batch) :]


@dataclass(frozen=True)
class _Drawn:
    """What all members draw for one step.

    Attributes:
        channels: The known-target channels, shape ``(b, n, 1)``.
        hidden: Places of the targets to be found, per member.
        kept: Factors of the input columns, shape ``(b, d)``.
        inner, head: Bytes that decide what is dropped before layer 2 and before the head, shapes
            ``(b, n, h)`` and ``(b, n, 3 h)``; empty without dropout.
    """

    channels: Tensor
    hidden: tuple[Tensor, ...]
    kept: Tensor
    inner: Tensor
    head: Tensor


class _Draws:
    """Draws the next step of every member while the device computes this one.

    Every member has a generator of its own, so threads change nothing but the time.
    """

    def __init__(self, learners: Sequence[Learner], width: int, hidden: int) -> None:
        self.learners, self.width = learners, width
        n = len(learners[0].labels) if learners[0].settings.dropout else 0
        shapes = [(len(learners), n, part * hidden) for part in (1, 3)]
        pinned = torch.cuda.is_available()  # memory that a GPU can read while we go on
        self.room = [
            [torch.empty(shape, dtype=torch.uint8, pin_memory=pinned) for shape in shapes]
            for _ in range(2)
        ]
        self.threads = ThreadPoolExecutor(min(len(learners), os.cpu_count() or 1))
        self.waiting = self._begin(0)

    def take(self, step: int, *, last: bool) -> _Drawn:
        """Give the draws of a step, and begin with those of the next."""
        found = [future.result() for future in self.waiting]
        if last:
            self.threads.shutdown()
        else:
            self.waiting = self._begin(step + 1)
        channels, hidden, kept = zip(*found, strict=True)
        inner, head = self.room[step % 2]
        return _Drawn(torch.stack(channels), hidden, torch.stack(kept), inner, head)

    def _begin(self, step: int) -> list[Future[tuple[Tensor, Tensor, Tensor]]]:
        room = self.room[step % 2]
        return [self.threads.submit(self._draw, i, room) for i in range(len(self.learners))]

    def _draw(self, member: int, room: Sequence[Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Draw for one member, in the order in which it would on its own."""
        learner = self.learners[member]
        channel, hidden = learner.show()
        kept = learner.network.kept_columns(self.width)
        for part in room:
            if part.shape[1]:
                part[member].numpy()[:] = learner.network.drawn(part.shape[1:])
        return channel, hidden, kept


@one_torch_thread()
def _fit(
    task: TargetTask,
    units: Sequence[Unit],
    settings: ModelSettings,
    seed: int,
    device: torch.device,
    way: str,
) -> list[Member]:
    return _Stack(task, units, settings, seed, device, way).fit()


class _Stack:
    def __init__(
        self,
        task: TargetTask,
        units: Sequence[Unit],
        settings: ModelSettings,
        seed: int,
        device: torch.device,
        way: str,
    ) -> None:
        self.task, self.units, self.settings, self.seed = task, units, settings, seed
        self.device = device
        self.networks, self.learners = [], []
        inputs: dict[int, Inputs] = {}
        for unit in units:
            draw = np.random.SeedSequence([seed, unit.fold, unit.repeat]).generate_state(2)
            network = new_network(task, settings, draw)
            training = (task.folds != unit.fold) & ~task.withheld
            if unit.fold not in inputs:
                known = training & (task.labels == 1)
                inputs[unit.fold] = Inputs(task, known, plain=network.is_plain)
            self.networks.append(network.train())
            self.learners.append(
                Learner(task, settings, network, inputs[unit.fold], training, unit)
            )
        states = [dict(n.named_parameters()) for n in self.networks]
        self.stacked = {
            name: nn.Parameter(torch.stack([s[name].detach() for s in states]).to(device))
            for name in states[0]
        }
        self.layer: FirstLayer = first_layer(task).to(device)
        operators = [o.to(device, torch.float32) for o in task.wiring.operators]
        self.lanes = Lanes(operators, way)

    def fit(self) -> list[Member]:
        """Take all steps of all members."""
        optimisers = self._optimisers()
        worst = np.zeros(len(self.units))
        epochs = self.settings.epochs
        draws = _Draws(self.learners, self.layer.inputs.shape[1] + 1, self.settings.hidden)
        for step in range(epochs):
            drawn = draws.take(step, last=step == epochs - 1)
            logits = self._forward(drawn)
            each = [
                learner.loss(row, hidden)
                for learner, row, hidden in zip(self.learners, logits, drawn.hidden, strict=True)
            ]
            losses = torch.stack(each)
            for optimiser in optimisers:
                optimiser.zero_grad()
            losses.sum().backward()  # type: ignore[no-untyped-call]
            for optimiser in optimisers:
                optimiser.step()
            # waits for the device, so that the bytes of this step may be drawn over
            worst = np.maximum(worst, losses.detach().cpu().nan_to_num(np.inf).numpy())
        return [self._member(i, float(worst[i])) for i in range(len(self.units))]

    def _optimisers(self) -> list[torch.optim.Optimizer]:
        """Make the optimiser of the first member over all: they have one kind and one rate."""
        single = self.learners[0].optimiser
        kinds = {type(learner.optimiser) for learner in self.learners}
        if len(kinds) > 1:
            raise ValueError("members of one stack must share their optimiser")
        groups = []
        names = {id(p): name for name, p in self.networks[0].named_parameters()}
        for plain, made in zip(
            weight_groups(self.networks[0], 0.0), single.param_groups, strict=True
        ):
            parameters: list[Tensor] = plain["params"]  # type: ignore[assignment]
            stacked = [self.stacked[names[id(p)]] for p in parameters]
            groups.append({"params": stacked, "weight_decay": made["weight_decay"]})
        first = single.param_groups[0]
        if isinstance(single, torch.optim.SGD):
            return [torch.optim.SGD(groups, lr=first["lr"], momentum=first["momentum"])]
        return [torch.optim.AdamW(groups, lr=first["lr"])]

    def _forward(self, drawn: _Drawn) -> Tensor:
        """Give the log-odds of all genes by all members, shape ``(b, n)``."""
        p, layer = self.stacked, self.layer
        channels = drawn.channels.to(self.device)
        b, n, _ = channels.shape
        names = sorted(
            (k for k in p if k.startswith("encoders.")), key=lambda k: int(k.split(".")[1])
        )
        encode = torch.cat([p[k] for k in names], dim=2).transpose(1, 2)  # (b, d + 1, h)
        encode = encode * drawn.kept.to(self.device)[:, :, None]
        width, hidden = layer.inputs.shape[1], encode.shape[2]
        features, labels = encode[:, :width], encode[:, width:]
        mix = torch.cat([p["own.0"][:, None], p["through.0"]], dim=1)  # (b, r + 1, h, h)
        wide = (features[:, None] @ mix).reshape(b, -1, hidden)  # (b, (r + 1) d, h)
        flat = wide.transpose(0, 1).reshape(-1, b * hidden)
        total = (layer.arrived @ flat).view(n, b, hidden).transpose(0, 1)
        arrived = torch.cat([channels, *self.lanes.send(channels)], dim=2)  # (b, n, r + 1)
        total = total + arrived @ (labels[:, None] @ mix).reshape(b, -1, hidden)
        start = layer.inputs @ features + channels @ labels
        first = torch.relu(self._normalise(total, 0))
        second = torch.relu(self._normalise(self._mix(self._drop(first, drawn.inner)), 1))
        joined = self._drop(torch.cat([start, first, second], dim=2), drawn.head)
        logits: Tensor = (joined @ p["head.weight"].transpose(1, 2)).squeeze(2) + p["head.bias"]
        return logits

    def _mix(self, state: Tensor) -> Tensor:
        """Send all states along all channels and mix what arrives, shape ``(b, n, h)``."""
        through = self.stacked["through.1"]  # (b, r, h, h)
        total = state @ self.stacked["own.1"]
        for channel, arrived in enumerate(self.lanes.send(state)):
            total = total + arrived @ through[:, channel]
        return total

    def _normalise(self, total: Tensor, layer: int) -> Tensor:
        mean = total.mean(dim=1, keepdim=True)
        variance = total.var(dim=1, keepdim=True, unbiased=False)
        norm = self.networks[0].norms[layer]
        assert isinstance(norm, nn.BatchNorm1d)
        scaled = (total - mean) * torch.rsqrt(variance + norm.eps)
        gain, offset = self.stacked[f"norms.{layer}.weight"], self.stacked[f"norms.{layer}.bias"]
        return scaled * gain[:, None] + offset[:, None]

    def _drop(self, states: Tensor, draw: Tensor) -> Tensor:
        """Drop from every member what it would drop on its own."""
        if not draw.shape[1]:
            return states
        return keep_some(states, draw.to(self.device, non_blocking=True), self.settings.dropout)

    def _member(self, index: int, worst: float) -> Member:
        unit, network, learner = self.units[index], self.networks[index], self.learners[index]
        if not np.isfinite(worst) or worst > RAN_AWAY:
            return fit_unlabelled(self.task, unit, self.settings, self.seed)
        own = dict(network.named_parameters())
        with torch.no_grad():
            for name, values in self.stacked.items():
                own[name].copy_(values[index].cpu())
        channel = known_channel(learner.labels, learner.labels.astype(bool))
        logits = settle(network, lambda: learner.inputs.logits(network, channel))
        if not np.isfinite(logits).all():
            return fit_unlabelled(self.task, unit, self.settings, self.seed)
        return member_of(unit, network, logits, learner.labels == 0)
