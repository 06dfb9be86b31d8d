"""Fit several members at once, side by side as columns of one sparse product.

What a GPU needs to be busy: fifty hidden states of eighteen thousand genes travel in one product.
The members are those of ``fit_unlabelled`` to rounding, since each draws from its own generator;
only the sums are taken in another order. On a CPU single members are faster: their states fit its
cache. The code is the same on both.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.models.channels import known_channel
from aimwell.models.first_layer import FirstLayer, LabelPaths, first_layer
from aimwell.models.member import Member, Unit, member_of
from aimwell.models.propagate import SparseOperator, propagate
from aimwell.models.task import TargetTask
from aimwell.models.training import (
    Inputs,
    Learner,
    fit_unlabelled,
    new_network,
    settle,
    weight_groups,
)


def can_stack(task: TargetTask, settings: ModelSettings) -> bool:
    """Whether the members of a task can be fitted side by side; others are fitted one by one."""
    plain = settings.layers == 2 and settings.convolution == "sum"
    dropped = settings.block_dropout or settings.relation_dropout
    simple = task.objective == "positive_unlabelled" and settings.fusion == "intermediate"
    return bool(plain and simple and not dropped and not settings.early_stopping)


def fit_stacked(
    task: TargetTask,
    units: Sequence[Unit],
    settings: ModelSettings,
    seed: int,
    device: str = "cpu",
) -> list[Member]:
    """Fit members side by side on a device.

    A member whose training runs away is fitted again on its own, with the guards of
    ``fit_unlabelled``. Where the memory of the device does not suffice, half as many are taken at
    once.

    Args:
        task, settings, seed: As for ``fit_member``; ``can_stack`` must hold.
        units: The members.
        device: ``cpu`` or ``cuda``.

    Raises:
        TaskError: Not even one member fits into the memory of the device.
    """
    try:
        return _Stack(task, units, settings, seed, device).fit()
    except torch.OutOfMemoryError as error:
        torch.cuda.empty_cache()
        if len(units) == 1:
            raise TaskError(
                f"one network does not fit into the memory of '{device}'; close what else uses "
                "it, lower model.hidden, or compute on the processor"
            ) from error
    half = len(units) // 2
    parts = (units[:half], units[half:])
    return [m for part in parts for m in fit_stacked(task, part, settings, seed, device)]


@dataclass(frozen=True)
class _Fixed:
    """What all members read, on the device."""

    layer: FirstLayer
    paths: tuple[LabelPaths, ...]
    operators: tuple[SparseOperator, ...]


class _Stack:
    def __init__(
        self,
        task: TargetTask,
        units: Sequence[Unit],
        settings: ModelSettings,
        seed: int,
        device: str,
    ) -> None:
        self.task, self.units, self.settings, self.seed = task, units, settings, seed
        self.device = torch.device(device)
        self.networks, self.learners = [], []
        for unit in units:
            draw = np.random.SeedSequence([seed, unit.fold, unit.repeat]).generate_state(2)
            network = new_network(task, settings, draw)
            training = (task.folds != unit.fold) & ~task.withheld
            inputs = Inputs(task, training & (task.labels == 1), plain=network.is_plain)
            self.networks.append(network.train())
            self.learners.append(Learner(task, settings, network, inputs, training, unit))
        states = [dict(n.named_parameters()) for n in self.networks]
        self.stacked = {
            name: nn.Parameter(torch.stack([s[name].detach() for s in states]).to(self.device))
            for name in states[0]
        }
        operators = tuple(o.to(self.device, torch.float32) for o in task.wiring.operators)
        paths = tuple(learner.inputs.paths.to(self.device) for learner in self.learners)
        self.fixed = _Fixed(first_layer(task).to(self.device), paths, operators)

    def fit(self) -> list[Member]:
        """Take all steps of all members."""
        optimisers = self._optimisers()
        worst = np.zeros(len(self.units))
        for _ in range(self.settings.epochs):
            shown = [learner.show() for learner in self.learners]
            channels = torch.stack([channel for channel, _ in shown]).to(self.device)  # (b, n, 1)
            logits = self._forward(channels)
            each = [
                learner.loss(row, hidden)
                for learner, row, (_, hidden) in zip(self.learners, logits, shown, strict=True)
            ]
            losses = torch.stack(each)
            for optimiser in optimisers:
                optimiser.zero_grad()
            losses.sum().backward()  # type: ignore[no-untyped-call]
            for optimiser in optimisers:
                optimiser.step()
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

    def _forward(self, channels: Tensor) -> Tensor:
        """Give the log-odds of all genes by all members, shape ``(b, n)``."""
        p, layer, (b, n, _) = self.stacked, self.fixed.layer, channels.shape
        names = sorted(
            (k for k in p if k.startswith("encoders.")), key=lambda k: int(k.split(".")[1])
        )
        encode = torch.cat([p[k] for k in names], dim=2).transpose(1, 2)  # (b, d + c, h)
        kept = [network.kept_columns(encode.shape[1]) for network in self.networks]
        encode = encode * torch.stack(kept).to(self.device)[:, :, None]
        width, hidden = layer.inputs.shape[1], encode.shape[2]
        features, labels = encode[:, :width], encode[:, width:]
        mix = torch.cat([p["own.0"][:, None], p["through.0"]], dim=1)  # (b, r + 1, h, h)
        wide = (features[:, None] @ mix).reshape(b, -1, hidden)  # (b, (r + 1) d, h)
        flat = wide.transpose(0, 1).reshape(-1, b * hidden)
        total = (layer.arrived @ flat).view(n, b, hidden).transpose(0, 1)
        arrived = torch.stack(
            [path.arrive(one) for path, one in zip(self.fixed.paths, channels, strict=True)]
        )
        total = total + arrived @ (labels[:, None] @ mix).reshape(b, -1, hidden)
        start = layer.inputs @ features + channels @ labels
        first = torch.relu(self._normalise(total, 0))
        state = self._drop(first)
        second = torch.relu(self._normalise(self._mix(state), 1))
        joined = self._drop(torch.cat([start, first, second], dim=2))
        logits: Tensor = (joined @ p["head.weight"].transpose(1, 2)).squeeze(2) + p["head.bias"]
        return logits

    def _mix(self, state: Tensor) -> Tensor:
        """Send all states at once, shape ``(b, n, h)``: members side by side as columns."""
        b, n, hidden = state.shape
        direct, into, out = self.fixed.operators
        columns = state.transpose(0, 1).reshape(n, b * hidden)
        messages = [propagate(direct.weight, columns, direct)]
        if out.shape[0]:
            sets = propagate(into.weight, columns, into)
            messages.append(propagate(out.weight, sets, out))
        through = self.stacked["through.1"]  # (b, r, h, h)
        total = state @ self.stacked["own.1"]
        for channel, arrived in enumerate(torch.cat(messages).view(-1, n, b, hidden)):
            total = total + arrived.transpose(0, 1) @ through[:, channel]
        return total

    def _normalise(self, total: Tensor, layer: int) -> Tensor:
        mean = total.mean(dim=1, keepdim=True)
        variance = total.var(dim=1, keepdim=True, unbiased=False)
        norm = self.networks[0].norms[layer]
        assert isinstance(norm, nn.BatchNorm1d)
        scaled = (total - mean) * torch.rsqrt(variance + norm.eps)
        gain, offset = self.stacked[f"norms.{layer}.weight"], self.stacked[f"norms.{layer}.bias"]
        return scaled * gain[:, None] + offset[:, None]

    def _drop(self, states: Tensor) -> Tensor:
        """Drop from every member what it would drop on its own."""
        ones = torch.ones(states.shape[1:])
        keep = torch.stack([network.drop(ones) for network in self.networks])
        return states * keep.to(self.device)

    def _member(self, index: int, worst: float) -> Member:
        unit, network, learner = self.units[index], self.networks[index], self.learners[index]
        if not np.isfinite(worst) or worst > 100:
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
