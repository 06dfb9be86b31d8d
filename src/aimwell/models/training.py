"""Fit the members of an ensemble: one network per fold and seed."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.models.first_layer import LabelPaths, first_layer, pays
from aimwell.models.network import TargetNetwork
from aimwell.models.task import TargetTask

#: With fewer known targets in training than this, adaptive steps overfit: they move every weight
#: alike, however little the targets say of it. Plain descent then takes steps ten times as long.
FEW_TARGETS: Final = 16
MOMENTUM: Final = 0.9
DESCENT_RATE: Final = 10


@dataclass(frozen=True)
class Unit:
    """One fit: the fold that is held out and the number of the repeat."""

    fold: int
    repeat: int

    @property
    def name(self) -> str:
        """Such as ``fold2-repeat0``."""
        return f"fold{self.fold}-repeat{self.repeat}"


@dataclass(frozen=True)
class Member:
    """A fitted network and what it says about every gene when its fold is hidden.

    Attributes:
        unit: The fold that it never saw and the repeat.
        parameters: Name → array, as in the network's state.
        logits: Log-odds of all genes, the labels of the held-out fold hidden, shape ``(n,)``.
        centre, scale: Mean and standard deviation of the logits over the unlabelled genes; they
            put the members of all folds on one scale.
    """

    unit: Unit
    parameters: Mapping[str, np.ndarray]
    logits: np.ndarray
    centre: float
    scale: float

    @property
    def scores(self) -> np.ndarray:
        """Standard deviations above the average unlabelled gene, shape ``(n,)``."""
        return (self.logits - self.centre) / self.scale

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Flatten to named arrays, for ``np.savez``."""
        return {
            "unit": np.array([self.unit.fold, self.unit.repeat]),
            "logits": self.logits,
            "calibration": np.array([self.centre, self.scale]),
            **{f"parameter.{k}": v for k, v in self.parameters.items()},
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> "Member":
        """Undo ``to_arrays``."""
        return Member(
            Unit(*(int(v) for v in arrays["unit"])),
            {k.removeprefix("parameter."): v for k, v in arrays.items() if k.startswith("para")},
            arrays["logits"],
            *(float(v) for v in arrays["calibration"]),
        )


def member_units(settings: ModelSettings) -> list[Unit]:
    """List every fit of the ensemble, folds outermost."""
    return [Unit(f, r) for f in range(settings.folds) for r in range(settings.seeds)]


def known_channel(labels: np.ndarray, visible: np.ndarray, shown: float = 1.0) -> Tensor:
    """Make the known-target channel from the visible labels, shape ``(n, 1)``.

    A visible target has the value that gives the full set of targets unit mean square, so that
    five targets weigh as much as five hundred; ``shown`` is the share of targets that is visible.
    """
    size = np.sqrt(len(labels) / max(labels.sum(), 1)) / shown
    values = np.where(visible, labels, 0) * size
    return torch.from_numpy(values.astype(np.float32)[:, None])


def label_channels(task: TargetTask, visible: np.ndarray, shown: float = 1.0) -> Tensor:
    """Make the label channels of a task as its networks see them.

    Args:
        task: Its ``labels`` and ``negatives``.
        visible: True where a label may be seen, shape ``(n,)``.
        shown: Share of the labels that is visible; sums over neighbours stay on one scale.

    Returns:
        Shape ``(n, 1)``, the known targets; with given negatives ``(n, 2)``, 1 in the first column
        for a known target, in the second for a negative.
    """
    if task.negatives is None:
        # the channel is scaled by how many targets are visible, so half of the share is in it
        return known_channel(task.labels * visible, visible, shown**0.5)
    values = np.stack([visible & (task.labels == 1), visible & task.negatives], axis=1) / shown
    return torch.from_numpy(values.astype(np.float32))


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Compute on one thread: sums split over threads end in other bits.

    A fit must not depend on how many threads there are.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class Inputs:
    """What a network reads at every step, with what no step changes worked out once.

    Args:
        task: Features and operators.
        labelled: True for the genes whose label may be shown, shape ``(n,)``.
    """

    def __init__(self, task: TargetTask, labelled: np.ndarray) -> None:
        self.task, self.operators = task, task.wiring.operators
        self.layer = first_layer(task) if pays(task) else None
        self.paths = LabelPaths.cut(task, labelled)

    def logits(self, network: TargetNetwork, channels: Tensor) -> Tensor:
        """Give the log-odds of all genes from the label channels ``(n, c)``, shape ``(n,)``."""
        if self.layer is None:
            blocks = [torch.from_numpy(b.values) for b in self.task.blocks]
            weights = [o.weight for o in self.operators]
            found: Tensor = network([*blocks, channels], weights, self.operators)
            return found
        arrived = self.paths.arrive(channels)
        return network.forward_from(self.layer, channels, arrived, self.operators)


@one_torch_thread()
def fit_member(task: TargetTask, unit: Unit, settings: ModelSettings, seed: int) -> Member:
    """Fit one network without the labels of one fold.

    Every step shows a random part of the training targets as input and takes the loss on the
    hidden rest against the unlabelled genes, each side weighing the same: unlabelled genes are
    weak negatives, never facts. Genes of the held-out fold take no part in the loss.

    Args:
        task: Graph, features, labels and folds.
        unit: The fold to hold out and the number of the repeat.
        settings: Sizes and rates.
        seed: With the unit it fixes every random draw.

    Raises:
        TaskError: Training diverged.
    """
    draw = np.random.SeedSequence([seed, unit.fold, unit.repeat]).generate_state(2)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draw[0]))  # for the initial weights; all else draws from ``draw[1]``
        network = TargetNetwork(
            [b.values.shape[1] for b in task.blocks] + [1],
            len(task.wiring.channels),
            hidden=settings.hidden,
            dropout=settings.dropout,
            input_dropout=settings.input_dropout,
            seed=int(draw[1]),
        )
    training = (task.folds != unit.fold) & ~task.withheld
    labels = np.where(training, task.labels, 0)
    optimiser = _optimiser(network, settings, int(labels.sum()))
    inputs = Inputs(task, labels == 1)
    network.train()
    for _ in range(settings.epochs):
        _step(network, optimiser, inputs, labels, training, settings.hide)
    logits = _settle(network, inputs, labels)
    if not np.isfinite(logits).all():
        raise TaskError(
            f"training of {unit.name} diverged; lower model.learning_rate "
            f"(now {settings.learning_rate:g}) or look for extreme values in the evidence"
        )
    unlabelled = logits[labels == 0]
    return Member(
        unit,
        {k: v.detach().numpy().copy() for k, v in network.state_dict().items()},
        logits,
        float(unlabelled.mean()),
        float(max(unlabelled.std(), 1e-6)),
    )


def load_network(task: TargetTask, member: Member) -> TargetNetwork:
    """Rebuild the network of a member, ready to predict."""
    state = {k: torch.from_numpy(np.asarray(v)) for k, v in member.parameters.items()}
    network = TargetNetwork(
        [state[f"encoders.{i}.weight"].shape[1] for i in range(len(task.blocks) + 1)],
        len(task.wiring.channels),
        hidden=state["head.weight"].shape[1] // 3,
    )
    network.load_state_dict(state)
    return network.eval()


def _optimiser(
    network: TargetNetwork, settings: ModelSettings, n_known: int
) -> torch.optim.Optimizer:
    groups = weight_groups(network, settings.weight_decay)
    if n_known < FEW_TARGETS:
        rate = min(DESCENT_RATE * settings.learning_rate, 1.0)
        return torch.optim.SGD(groups, lr=rate, momentum=MOMENTUM)
    return torch.optim.AdamW(groups, lr=settings.learning_rate)


def weight_groups(network: TargetNetwork, decay: float) -> list[dict[str, object]]:
    """Group the parameters for an optimiser: only matrices decay."""
    matrices = [p for p in network.parameters() if p.dim() > 1]
    rest = [p for p in network.parameters() if p.dim() == 1]
    return [{"params": matrices, "weight_decay": decay}, {"params": rest, "weight_decay": 0.0}]


def _step(
    network: TargetNetwork,
    optimiser: torch.optim.Optimizer,
    inputs: Inputs,
    labels: np.ndarray,
    training: np.ndarray,
    hide: float,
) -> None:
    known = np.flatnonzero(labels)
    n_hidden = min(max(round(hide * len(known)), 1), len(known))
    hidden = network.draw.permutation(known)[:n_hidden]
    visible = labels.astype(bool)
    visible[hidden] = False
    channel = known_channel(labels, visible, max(1 - n_hidden / len(known), 1 / len(known)))
    logits = inputs.logits(network, channel)
    unlabelled = torch.from_numpy(training & (labels == 0))
    positive = nn.functional.softplus(-logits[torch.from_numpy(hidden)]).mean()
    negative = nn.functional.softplus(logits[unlabelled]).mean()
    optimiser.zero_grad()
    loss: Tensor = 0.5 * positive + 0.5 * negative
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


@torch.no_grad()
def _settle(network: TargetNetwork, inputs: Inputs, labels: np.ndarray) -> np.ndarray:
    """Take batch statistics on the undisturbed input, freeze them, and predict every gene."""
    channel = known_channel(labels, labels.astype(bool))
    rates = (network.dropout, network.input_dropout)
    network.dropout = network.input_dropout = 0.0
    for norm in network.norms:
        assert isinstance(norm, nn.BatchNorm1d)
        norm.momentum = 1.0
    inputs.logits(network, channel)
    network.dropout, network.input_dropout = rates
    network.eval()
    logits: np.ndarray = inputs.logits(network, channel).numpy()
    return logits
