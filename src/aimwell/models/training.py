"""Fit the members of an ensemble: one network per fold and seed."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.models.around import strength_around
from aimwell.models.channels import known_channel, label_channels, visible_blocks
from aimwell.models.first_layer import LabelPaths, first_layer, pays
from aimwell.models.folds import inner_split
from aimwell.models.member import Member, Unit, member_of
from aimwell.models.network import TargetNetwork
from aimwell.models.task import TargetTask
from aimwell.models.unlabelled import ranking_risk, task_prior, unlabelled_risk

#: With fewer known targets in training than this, adaptive steps overfit: they move every weight
#: alike, however little the targets say of it. Plain descent then takes steps ten times as long.
FEW_TARGETS: Final = 16
MOMENTUM: Final = 0.9
DESCENT_RATE: Final = 10
#: Weight of the distance to ``strength_around`` in the loss of so few targets.
AROUND: Final = 0.1
#: Steps between two looks at how training goes.
LOOK: Final = 5
#: A loss this many times the best one is no fluctuation.
BLOWN_UP: Final = 10.0


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
        plain: Whether the network is such that the first layer can be worked out once.
    """

    def __init__(self, task: TargetTask, labelled: np.ndarray, *, plain: bool = True) -> None:
        self.task, self.operators = task, task.wiring.operators
        self.layer = first_layer(task) if plain and pays(task) else None
        self.paths = LabelPaths.cut(task, labelled)

    def logits(self, network: TargetNetwork, channels: Tensor) -> Tensor:
        """Give the log-odds of all genes from the label channels ``(n, c)``, shape ``(n,)``."""
        if self.layer is None:
            blocks = [torch.from_numpy(b.inputs) for b in self.task.blocks]
            weights = [o.weight for o in self.operators]
            found: Tensor = network([*blocks, channels], weights, self.operators)
            return found
        arrived = self.paths.arrive(channels)
        return network.forward_from(self.layer, channels, arrived, self.operators)


def fit_unlabelled(
    task: TargetTask,
    unit: Unit,
    settings: ModelSettings,
    seed: int,
    left_out: np.ndarray | None = None,
) -> Member:
    """Fit one network from known targets and unlabelled genes.

    Args:
        task, unit, settings, seed: As for ``fit_member``.
        left_out: True for further genes that take no part in the loss and show no label, shape
            ``(n,)``.
    """
    draw = np.random.SeedSequence([seed, unit.fold, unit.repeat]).generate_state(2)
    network = new_network(task, settings, draw)
    training = (task.folds != unit.fold) & ~task.withheld
    if left_out is not None:
        training &= ~left_out
    validation = np.zeros(len(training), bool)
    if settings.early_stopping:
        # a draw of its own: a network must not depend on whether it was stopped
        inner = np.random.default_rng(np.random.SeedSequence([int(draw[1]), 1]))
        validation = inner_split(task.families, task.labels, training, inner)
    inputs = Inputs(task, training & (task.labels == 1), plain=network.is_plain)
    learner = Learner(task, settings, network, inputs, training & ~validation, unit)
    diverged = learner.learn(validation)
    labels = np.where(training, task.labels, 0)
    channel = known_channel(labels, labels.astype(bool))
    logits = settle(network, lambda: inputs.logits(network, channel))
    if not np.isfinite(logits).all():
        raise TaskError(learner.refusal(settings.epochs))
    return member_of(unit, network, logits, labels == 0, diverged)


def new_network(task: TargetTask, settings: ModelSettings, draw: np.ndarray) -> TargetNetwork:
    """Make an untrained network for a task; ``draw`` holds the seeds of weights and of training.

    Raises:
        TaskError: Attention on a graph whose expected messages are those of fixed weights.
    """
    if settings.convolution == "attention" and task.wiring.degree_corrected:
        raise TaskError(
            "degree correction takes out what edges of fixed weights are expected to send, and "
            "attention learns the weights of edges; leave one of them out"
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draw[0]))  # for the initial weights; all else draws from ``draw[1]``
        network = TargetNetwork(
            [b.values.shape[1] for b in task.blocks] + [1],
            len(task.wiring.channels),
            hidden=settings.hidden,
            dropout=settings.dropout,
            input_dropout=settings.input_dropout,
            seed=int(draw[1]),
            block_dropout=0.0 if settings.fusion == "early" else settings.block_dropout,
            relation_dropout=settings.relation_dropout,
            layers=settings.layers,
            attention=settings.convolution == "attention",
        )
        if settings.fusion == "early":
            # one encoder in parts: every column starts as in a layer over all of them
            weights = [p for name, p in network.named_parameters() if name.startswith("encoders.")]
            bound = sum(w.shape[1] for w in weights) ** -0.5
            for weight in weights:
                nn.init.uniform_(weight, -bound, bound)
    return network


def load_network(task: TargetTask, member: Member) -> TargetNetwork:
    """Rebuild the network of a member, ready to predict."""
    state = {k: torch.from_numpy(np.asarray(v)) for k, v in member.parameters.items()}
    network = TargetNetwork(
        [state[f"encoders.{i}.weight"].shape[1] for i in range(len(task.blocks) + 1)],
        len(task.wiring.channels),
        hidden=state["own.0"].shape[0],
        layers=member.layers,
        attention="attention.0" in state,
    )
    network.load_state_dict(state)
    return network.eval()


@one_torch_thread()
@torch.no_grad()
def predict(task: TargetTask, member: Member) -> np.ndarray:
    """Score every gene of a task by a fitted network, in the scale of ``Member.scores``.

    The task may lack what the network was fitted with: a block of zeros is a layer that was not
    measured. The labels of the member's own fold stay hidden.
    """
    visible = label_channels(task, task.folds != member.unit.fold)
    blocks = [torch.from_numpy(b) for b in visible_blocks(task, member.unit.fold)]
    operators = task.wiring.operators
    logits = load_network(task, member)(
        [*blocks, visible], [o.weight for o in operators], operators
    )
    scores: np.ndarray = (logits.numpy() - member.centre) / member.scale
    return scores


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


class Learner:
    """Takes the steps of one network, and keeps the best of it."""

    def __init__(
        self,
        task: TargetTask,
        settings: ModelSettings,
        network: TargetNetwork,
        inputs: Inputs,
        training: np.ndarray,
        unit: Unit,
    ) -> None:
        self.settings, self.network, self.inputs, self.unit = settings, network, inputs, unit
        self.task, self.training = task, training
        self.labels = np.where(training, task.labels, 0)
        self.known = np.flatnonzero(self.labels)
        self.optimiser = _optimiser(network, settings, len(self.known))
        self.around = strength_around(task) if len(self.known) < FEW_TARGETS else None
        self.prior = settings.prior
        if settings.loss == "non_negative" and not self.prior:
            self.prior = task_prior(task, self.labels, training, unit.fold)

    def learn(self, validation: np.ndarray) -> int:
        """Take all steps, or as many as help the validation genes.

        Returns:
            The step at which training ran away, and the best network was taken back; 0 else.

        Raises:
            TaskError: It ran away before a network was worth keeping.
        """
        best, kept, waited = float("inf"), None, 0
        stopping = bool(validation.any())
        self.network.train()
        for step in range(1, self.settings.epochs + 1):
            loss = self._step()
            if not np.isfinite(loss) or (kept is not None and loss > BLOWN_UP * max(best, 0.1)):
                if kept is None:
                    raise TaskError(self.refusal(step))
                self.network.load_state_dict(kept)
                return step
            if step % LOOK and step != self.settings.epochs:
                continue
            now = self._validate(validation) if stopping else loss
            if now < best or not stopping:
                best, waited = min(now, best), 0
                kept = {k: v.detach().clone() for k, v in self.network.state_dict().items()}
            else:
                waited += 1
                if waited >= self.settings.early_stopping:
                    break
        if stopping and kept is not None:
            self.network.load_state_dict(kept)
        return 0

    def refusal(self, step: int) -> str:
        """Say that nothing came of it."""
        return (
            f"training of {self.unit.name} diverged at step {step} of {self.settings.epochs}, "
            f"before there was a network to keep; lower model.learning_rate "
            f"(now {self.settings.learning_rate:g}) or look for extreme values in the evidence. "
            "Networks that were fitted before are kept"
        )

    def _step(self) -> float:
        channel, hidden = self.show()
        loss = self.loss(self.inputs.logits(self.network, channel), hidden)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimiser.step()
        return float(loss.detach())

    def show(self) -> tuple[Tensor, Tensor]:
        """Hide a part of the targets: the channel of the rest, and where the hidden ones are."""
        known = self.known
        n_hidden = min(max(round(self.settings.hide * len(known)), 1), len(known))
        hidden = self.network.draw.permutation(known)[:n_hidden]
        visible = self.labels.astype(bool)
        visible[hidden] = False
        shown = max(1 - n_hidden / len(known), 1 / len(known))
        return known_channel(self.labels, visible, shown), torch.from_numpy(hidden)

    def loss(self, logits: Tensor, hidden: Tensor) -> Tensor:
        """Take the loss on the hidden targets and the unlabelled genes."""
        rest = torch.from_numpy(self.training & (self.labels == 0)).to(logits.device)
        loss = self._risk(logits[hidden.to(logits.device)], logits[rest])
        if self.around is not None:
            # a handful of targets leaves most of a network open; what is known without any fills in
            around = self.around.to(logits.device)
            loss = loss + AROUND * (logits - logits.mean() - around).square().mean()
        return loss

    def _risk(self, known: Tensor, unlabelled: Tensor) -> Tensor:
        if self.settings.loss == "non_negative":
            return unlabelled_risk(known, unlabelled, self.prior)
        if self.settings.loss == "ranking":
            return ranking_risk(known, unlabelled)
        positive = nn.functional.softplus(-known).mean()
        negative = nn.functional.softplus(unlabelled).mean()
        return 0.5 * positive + 0.5 * negative

    @torch.no_grad()
    def _validate(self, validation: np.ndarray) -> float:
        """Take the loss on genes that no step learns from, nothing dropped."""
        channel = known_channel(self.labels, self.labels.astype(bool))
        self.network.eval()
        logits = self.inputs.logits(self.network, channel)
        self.network.train()
        truth = self.task.labels.astype(bool)
        sides = (torch.from_numpy(validation & side) for side in (truth, ~truth))
        return float(self._risk(*(logits[side] for side in sides)))


@torch.no_grad()
def settle(network: TargetNetwork, forward: Callable[[], Tensor]) -> np.ndarray:
    """Take batch statistics on the undisturbed input, freeze them, and predict every gene.

    Args:
        network: Left in evaluation mode.
        forward: Gives the log-odds of all genes by the network.
    """
    network.train()
    rates = ("dropout", "input_dropout", "block_dropout", "relation_dropout")
    before = {rate: getattr(network, rate) for rate in rates}
    for rate in rates:
        setattr(network, rate, 0.0)
    for norm in network.norms:
        assert isinstance(norm, nn.BatchNorm1d)
        norm.momentum = 1.0
    forward()
    for rate, value in before.items():
        setattr(network, rate, value)
    network.eval()
    logits: np.ndarray = forward().numpy()
    return logits
