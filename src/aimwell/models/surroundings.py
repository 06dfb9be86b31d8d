"""Learn without known targets: predict the held-out evidence of a gene from its surroundings.

Every gene gets a support, worked out from the evidence around it alone; the evidence of a gene is
then predicted from the support of its neighbours. Training hides the evidence of a random part of
the genes and predicts it: a gene has support if, being active, it would explain what is seen around
it. The support is the score. So what is asked of a gene is not whether it changed itself, which any
differential test answers, but whether its surroundings changed as if it had.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.models.around import STRENGTH
from aimwell.models.channels import label_channels, visible_blocks
from aimwell.models.first_layer import arrive
from aimwell.models.member import Member, Unit, member_of
from aimwell.models.network import TargetNetwork
from aimwell.models.task import Block, TargetTask
from aimwell.models.training import LOOK, new_network, one_torch_thread, settle
from aimwell.models.wiring import Wiring

#: Share of genes whose evidence a step hides and predicts, chosen on simulated cohorts for tuning.
HIDDEN: Final = 0.3


def evidence_strength(task: TargetTask) -> tuple[np.ndarray, np.ndarray]:
    """Average how strongly every gene changed over the layers that saw it.

    Returns:
        Mean standardised size of z, shape ``(n,)``, and True where any layer saw the gene.
    """
    total, count = np.zeros(len(task.genes)), np.zeros(len(task.genes))
    for block in _evidence(task):
        seen = np.ones(len(total), bool) if block.observed is None else block.observed
        total += np.where(seen, block.values[:, block.columns.index(STRENGTH[0])], 0)
        count += seen
    return total / np.maximum(count, 1), count > 0


@one_torch_thread()
def fit_surroundings(task: TargetTask, unit: Unit, settings: ModelSettings, seed: int) -> Member:
    """Fit one network that scores genes by the evidence around them.

    Args:
        task: Evidence, graph and folds; no label is read.
        unit: The fold whose evidence stays hidden, and the number of the repeat.
        settings: ``epochs``, ``hidden``, ``dropout``, ``learning_rate``, ``weight_decay``.
        seed: With the unit it fixes every random draw.

    Returns:
        A member like any other: the score of a gene of its fold is made without its evidence.

    Raises:
        TaskError: Nothing was measured outside the fold, or training diverged.
    """
    draw = np.random.SeedSequence([seed, unit.fold, unit.repeat]).generate_state(2)
    evidence, seen = evidence_strength(task)
    open_genes = task.folds != unit.fold
    if not (open_genes & seen).any():
        raise TaskError(
            f"no gene outside fold {unit.fold} was measured, so there is nothing to predict; check "
            "that the names of the cohort are those of the graph"
        )
    blocks = visible_blocks(task, unit.fold)
    places = [(b, c) for b, c in _places(task)]
    columns = torch.from_numpy(np.stack([blocks[b][:, c] for b, c in places], axis=1))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(draw[0]))
        model = _Support(len(places), len(task.wiring.channels), settings)
    rng = np.random.default_rng(int(draw[1]))
    model.learn(task, columns, (evidence, seen & open_genes), settings, rng, unit)
    network = _as_network(task, model, places, settings, draw)
    inputs = [*(torch.from_numpy(b) for b in blocks), label_channels(task, open_genes)]
    operators = task.wiring.operators
    weights = [o.weight for o in operators]
    logits = settle(network, lambda: network(inputs, weights, operators))
    return member_of(unit, network, logits, np.ones(len(logits), bool))


@one_torch_thread()
@torch.no_grad()
def predicted_evidence(task: TargetTask, members: Sequence[Member]) -> np.ndarray:
    """Predict the evidence of every gene from the support of its neighbours.

    The support comes from the members of the gene's own fold, which never saw its evidence, so
    that the prediction is of something held out.

    Returns:
        Mean over the members of what arrives along all channels, shape ``(n,)``.
    """
    predicted = np.zeros(len(task.genes))
    for fold in np.unique(task.folds):
        mine = [m.scores for m in members if m.unit.fold == fold]
        support = torch.from_numpy(np.mean(mine, axis=0, dtype=np.float32))[:, None]
        arrived = _sent(task.wiring, support).sum(dim=(1, 2)).numpy()
        predicted[task.folds == fold] = arrived[task.folds == fold]
    return predicted


class _Support(nn.Module):
    """Support of a gene from what arrives of the evidence, and evidence from arriving support."""

    def __init__(self, columns: int, channels: int, settings: ModelSettings) -> None:
        super().__init__()
        self.width = max(settings.hidden, columns)
        self.dropout = settings.dropout
        self.mix = nn.Linear(channels * columns, self.width, bias=False)
        self.norm = nn.BatchNorm1d(self.width)
        self.read = nn.Linear(self.width, 1, bias=False)
        self.along = nn.Parameter(torch.zeros(channels))
        self.offset = nn.Parameter(torch.zeros(2))
        with torch.no_grad():
            # either sign of the support explains the evidence as well: begin where more evidence
            # around a gene means more support
            self.mix.weight.abs_()
            self.read.weight.abs_()

    def forward(self, arrived: Tensor, keep: Tensor | None = None) -> Tensor:
        """Give the support, shape ``(n, 1)``; ``keep`` are factors of the hidden layer."""
        hidden = torch.relu(self.norm(self.mix(arrived)))
        support: Tensor = self.read(hidden if keep is None else hidden * keep)
        return support

    def learn(
        self,
        task: TargetTask,
        columns: Tensor,
        held: tuple[np.ndarray, np.ndarray],
        settings: ModelSettings,
        rng: np.random.Generator,
        unit: Unit,
    ) -> None:
        """Take all steps; each hides the evidence of some genes and predicts it."""
        evidence, usable = held
        truth = torch.from_numpy(evidence.astype(np.float32))
        degree = torch.from_numpy(task.blocks[-1].values[:, 0])
        optimiser = torch.optim.AdamW(
            self.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
        )
        self.train()
        n = len(evidence)
        for step in range(1, settings.epochs + 1):
            hidden = rng.random(n) < HIDDEN
            visible = torch.from_numpy((~hidden).astype(np.float32))[:, None]
            arrived = _sent(task.wiring, columns * visible).reshape(n, -1)
            keep = None
            if self.dropout:
                drawn = rng.random((n, self.width), dtype=np.float32) >= self.dropout
                keep = torch.from_numpy(drawn.astype(np.float32) / (1 - self.dropout))
            support = self(arrived, keep)
            support = (support - support.mean()) / (support.std() + 1e-6)
            messages = _sent(task.wiring, support)[:, :, 0]  # (n, r)
            predicted = messages @ nn.functional.softplus(self.along)
            predicted = predicted + self.offset[0] + self.offset[1] * degree
            at = torch.from_numpy(np.flatnonzero(hidden & usable))
            loss = (predicted[at] - truth[at]).square().mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
            if (step % LOOK == 0 or step == settings.epochs) and not torch.isfinite(loss):
                raise TaskError(
                    f"training of {unit.name} diverged by step {step} of {settings.epochs}; lower "
                    f"model.learning_rate (now {settings.learning_rate:g}). Networks that were "
                    "fitted before are kept"
                )


def _sent(wiring: Wiring, columns: Tensor) -> Tensor:
    """Give what arrives of columns along every channel, shape ``(n, r, c)``."""
    n, width = columns.shape
    return arrive(columns, wiring.operators)[:, width:].view(n, -1, width)


def _evidence(task: TargetTask) -> list[Block]:
    found = [b for b in task.blocks if set(STRENGTH) <= set(b.columns)]
    if not found:
        raise TaskError(
            "nothing was measured that could be predicted; without known targets a run needs "
            "contrasts, or finished results in [[cohort.tables]]"
        )
    return found


def _places(task: TargetTask) -> list[tuple[int, int]]:
    """Block and column of every number that says how strongly a gene changed."""
    wanted = {id(b) for b in _evidence(task)}
    return [
        (number, block.columns.index(name))
        for number, block in enumerate(task.blocks)
        if id(block) in wanted
        for name in STRENGTH
    ]


@torch.no_grad()
def _as_network(
    task: TargetTask,
    model: _Support,
    places: list[tuple[int, int]],
    settings: ModelSettings,
    draw: np.ndarray,
) -> TargetNetwork:
    """Write the support as a network like all others: one layer, read by the head.

    So it is kept, scored and explained by the same code. Its second layer is there and weighs
    nothing.
    """
    network = new_network(task, replace(settings, hidden=model.width, fusion="intermediate"), draw)
    for parameter in network.parameters():
        parameter.zero_()
    parameters = dict(network.named_parameters())
    for row, (block, column) in enumerate(places):
        parameters[f"encoders.{block}.weight"][row, column] = 1.0
    channels, k = len(task.wiring.channels), len(places)
    mix = model.mix.weight.view(model.width, channels, k).permute(1, 2, 0)  # (r, k, h)
    network.through[0][:, :k] = mix
    network.norms[0].load_state_dict(model.norm.state_dict())
    parameters["norms.1.weight"].fill_(1.0)
    network.head.weight[0, model.width : 2 * model.width] = model.read.weight[0]
    return network
