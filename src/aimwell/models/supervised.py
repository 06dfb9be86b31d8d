"""Learn from given positives and negatives, with the first layer worked out once.

Encoder and first layer are linear in the features, so ``A_r X`` never changes while a network
learns: it is computed once for all members, and a step only multiplies it by a small matrix. Only
the label channels travel along the edges again, and the second layer is computed only for the genes
that the loss needs. The numbers are those of ``TargetNetwork.forward``, whose parameters these are.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import Tensor, nn

from aimwell.errors import TaskError
from aimwell.models.channels import label_channels
from aimwell.models.first_layer import FirstLayer, LabelPaths, arrive, first_layer
from aimwell.models.member import Member, Unit
from aimwell.models.network import TargetNetwork
from aimwell.models.propagate import SparseOperator, build_operator, propagate, take_rows
from aimwell.models.task import TargetTask
from aimwell.models.training import MOMENTUM, one_torch_thread, weight_groups
from aimwell.models.unlabelled import estimate_prior, unlabelled_risk

OPTIMISERS: Final = ("adamw", "sgd")
#: Steps between two draws of unlabelled genes.
REDRAW: Final = 10
#: Of what arrives of a label channel, when a feature's is 1.
LOUD: Final = 2.0


@dataclass(frozen=True)
class Recipe:
    """How a network learns from given positives and negatives.

    Attributes:
        epochs: Steps; each hides another part of the training labels.
        hidden: Width of every layer.
        hide: Share of the training labels that a step hides and takes the loss on.
        dropout, input_dropout: Of the hidden layers and of the input columns.
        optimiser: One of ``OPTIMISERS``.
        learning_rate, weight_decay: Of it; the decay holds for matrices only.
        unlabelled_weight: Of the non-negative risk of the unlabelled; 0 leaves them out.
        prior: Share of positives among the unlabelled; 0 estimates it, see ``inner_prior``.
        unlabelled_drawn: Genes that a step draws for that risk.
    """

    epochs: int = 60
    hidden: int = 32
    hide: float = 0.15
    dropout: float = 0.5
    input_dropout: float = 0.2
    optimiser: str = "adamw"
    learning_rate: float = 5e-3
    weight_decay: float = 5e-4
    unlabelled_weight: float = 0.0
    prior: float = 0.1
    unlabelled_drawn: int = 2500


def label_scale(task: TargetTask, training: np.ndarray) -> Tensor:
    """Scale label channels so that what arrives of them has mean square ``LOUD²``, shape ``(c,)``.

    A normalised sum over neighbours of a few hundred labels among ten thousand genes is about a
    tenth of a feature; unscaled, a network hardly learns from it in the steps that it has.

    Args:
        task: Labels and operators.
        training: True for the genes whose labels may be used, shape ``(n,)``.
    """
    channels = label_channels(task, training)
    arrived = arrive(channels, task.wiring.operators).view(
        *channels.shape[:1], -1, channels.shape[1]
    )
    size = arrived[:, 1:].square().mean(dim=(0, 1)).sqrt()
    return LOUD / torch.clamp(size, min=1e-3)


@dataclass(frozen=True)
class TrainingRows:
    """What all members of one fold share.

    Attributes:
        rows: Positions of the genes with a label outside the fold, shape ``(m,)``.
        training: True for them, shape ``(n,)``.
        scale: Of the label channels, shape ``(c,)``.
        cut: Operators of the second layer for ``rows``.
        paths: Arcs from genes in ``rows`` only: no other has a label.
    """

    rows: np.ndarray
    training: np.ndarray
    scale: Tensor
    cut: "RowOperators"
    paths: LabelPaths


def training_rows(task: TargetTask, fold: int) -> TrainingRows:
    """Prepare the labels outside one fold, once for all members that hold it out.

    Raises:
        TaskError: No known target outside the fold.
    """
    labelled = task.labels == 1
    if task.negatives is not None:
        labelled = labelled | task.negatives
    training = (task.folds != fold) & ~task.withheld & labelled
    rows = np.flatnonzero(training)
    if not (task.labels[rows] == 1).any():
        raise TaskError(f"no known target lies outside fold {fold}; use fewer folds")
    return TrainingRows(
        rows,
        training,
        label_scale(task, training),
        RowOperators.cut(task, rows),
        LabelPaths.cut(task, training),
    )


@one_torch_thread()
def fit_supervised(
    task: TargetTask,
    unit: Unit,
    recipe: Recipe,
    seed: int,
    layer: FirstLayer | None = None,
    shared: TrainingRows | None = None,
) -> Member:
    """Fit one network on the given labels outside one fold.

    Args:
        task: With ``negatives``, or without and then with ``recipe.unlabelled_weight``.
        unit: The fold to hold out and the number of the repeat.
        recipe: Sizes and rates.
        seed: With the unit it fixes every random draw.
        layer: What ``first_layer`` gave for this task; computed here where it is missing.
        shared: What ``training_rows`` gave for this task and fold, likewise.

    Raises:
        TaskError: No labels to learn from, an unknown optimiser, or training diverged.
    """
    layer = layer or first_layer(task)
    draw = np.random.SeedSequence([seed, unit.fold, unit.repeat]).generate_state(2)
    shared = shared or training_rows(task, unit.fold)
    negatives = task.negatives if task.negatives is not None else np.zeros(len(task.genes), bool)
    if not (negatives & shared.training).any() and not recipe.unlabelled_weight:
        raise TaskError(
            f"outside fold {unit.fold} no negative is given; supervised learning needs both known "
            "targets and negatives. Give some, or learn from positives and unlabelled genes"
        )
    if recipe.unlabelled_weight and not recipe.prior:
        recipe = replace(recipe, prior=inner_prior(task, layer, shared))
    network = _new_network(task, recipe, draw)
    step = _Step(task, layer, network, recipe, shared)
    optimiser = _optimiser(network, recipe)
    network.train()
    for _ in range(recipe.epochs):
        optimiser.zero_grad()
        loss = step.loss()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.eval()
    with torch.no_grad():
        # the scale becomes part of the network, which sees plain labels from here on
        _encoders(network)[-1].mul_(shared.scale)
        features = [torch.from_numpy(b.inputs) for b in task.blocks]
        operators = task.wiring.operators
        channels = label_channels(task, shared.training)
        logits = network([*features, channels], [o.weight for o in operators], operators).numpy()
    if not np.isfinite(logits).all():
        raise TaskError(
            f"training of {unit.name} diverged; lower the learning rate "
            f"(now {recipe.learning_rate:g}) or look for extreme values in the features"
        )
    rest = logits[(task.labels == 0) & ~negatives]
    rest = rest if len(rest) else logits
    parameters = {k: v.detach().numpy().copy() for k, v in network.state_dict().items()}
    return Member(unit, parameters, logits, float(rest.mean()), float(max(rest.std(), 1e-6)))


def inner_prior(task: TargetTask, layer: FirstLayer, shared: TrainingRows) -> float:
    """Estimate the prior by regression on what arrives, learned on every other training target.

    The half of the training targets that the regression did not see is held against unlabelled
    genes that it did not see either; nothing of the test fold's labels enters.
    """
    known = shared.rows[task.labels[shared.rows] == 1]
    free = np.flatnonzero(~shared.training & ~task.withheld)
    learned = np.concatenate([known[::2], free[::2]])
    columns = layer.arrived.numpy()
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000))
    model.fit(columns[learned], np.arange(len(learned)) < len(known[::2]))
    score = model.decision_function(columns)
    return estimate_prior(score[known[1::2]], score[free[1::2]])


class _Step:
    """One training step, on the genes that its loss needs."""

    def __init__(
        self,
        task: TargetTask,
        layer: FirstLayer,
        network: TargetNetwork,
        recipe: Recipe,
        shared: TrainingRows,
    ) -> None:
        self.task, self.layer, self.network, self.recipe = task, layer, network, recipe
        self.shared, self.rows = shared, shared.rows
        self.positive = task.labels == 1
        # whether a gene of the test fold is drawn must not depend on its label
        self.free = np.flatnonzero(~shared.training & ~task.withheld)
        self.taken = 0

    def loss(self) -> Tensor:
        """Hide a part of the labels and take the loss on it."""
        draw, recipe = self.network.draw, self.recipe
        n_hidden = min(max(round(recipe.hide * len(self.rows)), 1), len(self.rows) - 1)
        hidden = np.zeros(len(self.rows), bool)
        hidden[draw.permutation(len(self.rows))[:n_hidden]] = True
        visible = np.zeros(len(self.positive), bool)
        visible[self.rows[~hidden]] = True
        shown = 1 - n_hidden / len(self.rows)
        channels = label_channels(self.task, visible, shown) * self.shared.scale
        rows, cut = self.rows, self.shared.cut
        if recipe.unlabelled_weight:
            rows, cut = self._with_unlabelled()
        arrived = self.shared.paths.arrive(channels)
        logits = forward_rows(self.network, self.layer, arrived, rows, cut)
        at = torch.from_numpy(np.flatnonzero(hidden))
        truth = torch.from_numpy(self.positive[self.rows[hidden]].astype(np.float32))
        loss = torch.zeros(())
        if self.task.negatives is not None:
            loss = nn.functional.binary_cross_entropy_with_logits(logits[at], truth)
        if recipe.unlabelled_weight:
            known = logits[at][truth > 0]
            risk = unlabelled_risk(known, logits[len(self.rows) :], recipe.prior)
            loss = loss + recipe.unlabelled_weight * risk
        return loss

    def _with_unlabelled(self) -> tuple[np.ndarray, "RowOperators"]:
        """Add unlabelled genes to those of the loss; cutting costs more than a step takes."""
        if self.taken % REDRAW == 0:
            size = min(self.recipe.unlabelled_drawn, len(self.free))
            drawn = np.sort(self.network.draw.choice(self.free, size, replace=False))
            self.drawn = np.concatenate([self.rows, drawn])
            self.drawn_cut = RowOperators.cut(self.task, self.drawn)
        self.taken += 1
        return self.drawn, self.drawn_cut


@dataclass(frozen=True)
class RowOperators:
    """The direct and out-of-set operators of some genes, channel by channel, and all into sets."""

    direct: SparseOperator
    into_sets: SparseOperator
    out_of_sets: SparseOperator

    @staticmethod
    def cut(task: TargetTask, rows: np.ndarray) -> "RowOperators":
        """Cut the rows of some genes, in their order."""
        n, wiring = len(task.genes), task.wiring
        n_sets = len(wiring.channels) - wiring.n_direct
        return RowOperators(
            _cut(wiring.direct, rows, n, wiring.n_direct),
            wiring.into_sets,
            _cut(wiring.out_of_sets, rows, n, n_sets),
        )


def forward_rows(
    network: TargetNetwork,
    layer: FirstLayer,
    arrived: Tensor,
    rows: np.ndarray,
    cut: RowOperators,
) -> Tensor:
    """Give the log-odds of some genes, as ``network.forward`` gives those of all.

    Args:
        network: Its mode says whether anything is dropped.
        layer: What ``first_layer`` gave for the task.
        arrived: Label channels and what arrives of them, shape ``(n, (r + 1) · c)``.
        rows: Positions of the genes, shape ``(m,)``.
        cut: Their operators.

    Returns:
        Shape ``(m,)``.
    """
    encode = torch.cat(_encoders(network), dim=1).T  # (d + c, h)
    encode = encode * network.kept_columns(len(encode))[:, None]
    width = layer.inputs.shape[1]
    features, labels = encode[:width], encode[width:]
    mix = torch.cat([network.own[0][None], network.through[0]])  # (r + 1, h, h)
    hidden = encode.shape[1]
    total = layer.arrived @ (features @ mix).reshape(-1, hidden)
    total = torch.addmm(total, arrived, (labels @ mix).reshape(-1, hidden))
    first = torch.relu(network.norms[0](total))  # (n, h)
    at = torch.from_numpy(rows)
    start = layer.inputs[at] @ features + arrived[at, : len(labels)] @ labels
    state = network.drop(first)
    messages = [propagate(cut.direct.weight, state, cut.direct)]
    if cut.out_of_sets.shape[0]:
        sets = propagate(cut.into_sets.weight, state, cut.into_sets)
        messages.append(propagate(cut.out_of_sets.weight, sets, cut.out_of_sets, state))
    stacked = torch.cat(messages).view(-1, len(rows), hidden)
    side_by_side = stacked.transpose(0, 1).reshape(len(rows), -1)  # (m, r h)
    through = network.through[1].reshape(-1, hidden)
    second = torch.addmm(state[at] @ network.own[1], side_by_side, through)
    second = torch.relu(network.norms[1](second))
    logits: Tensor = network.head(network.drop(torch.cat([start, first[at], second], dim=1)))
    return logits.squeeze(1)


def _cut(operator: SparseOperator, rows: np.ndarray, n: int, channels: int) -> SparseOperator:
    places = (np.arange(channels)[:, None] * n + rows).ravel()
    cut, _ = take_rows(operator, places)
    to = np.repeat(np.arange(len(places)), np.diff(cut.indptr))
    weight, edge = operator.weight.numpy()[cut.data], operator.edge[cut.data]
    usual = operator.expected.rows(rows) if operator.expected is not None else None
    return replace(build_operator(to, cut.indices, weight, cut.shape, edge), expected=usual)


def _new_network(task: TargetTask, recipe: Recipe, draw: np.ndarray) -> TargetNetwork:
    channels = 1 if task.negatives is None else 2
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draw[0]))
        network = TargetNetwork(
            [b.values.shape[1] for b in task.blocks] + [channels],
            len(task.wiring.channels),
            hidden=recipe.hidden,
            dropout=recipe.dropout,
            input_dropout=recipe.input_dropout,
            seed=int(draw[1]),
        )
        # one encoder in blocks: every column starts as in a layer over all of them
        encoders = _encoders(network)
        bound = sum(e.shape[1] for e in encoders) ** -0.5
        for encoder in encoders:
            nn.init.uniform_(encoder, -bound, bound)
    return network


def _encoders(network: TargetNetwork) -> list[Tensor]:
    """Weights of every block's encoder, ``(h, d_b)`` each, the label channels last."""
    return [p for name, p in network.named_parameters() if name.startswith("encoders.")]


def _optimiser(network: TargetNetwork, recipe: Recipe) -> torch.optim.Optimizer:
    groups = weight_groups(network, recipe.weight_decay)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=recipe.learning_rate, fused=True)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=recipe.learning_rate, momentum=MOMENTUM)
    raise TaskError(
        f"there is no optimiser '{recipe.optimiser}'; choose from {', '.join(OPTIMISERS)}"
    )
