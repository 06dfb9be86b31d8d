"""Graph networks as they come from PyG, on the same folds: rungs that a user may ask for."""

import warnings
from typing import Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from aimwell.models.baselines import walk_matrix
from aimwell.models.channels import known_channel
from aimwell.models.task import TargetTask
from aimwell.models.training import one_torch_thread

GRAPH_RUNGS: Final = ("GCN", "GraphSAGE", "GATv2")
HIDDEN: Final = 32
EPOCHS: Final = 60
RATE: Final = 5e-3
HIDE: Final = 0.5


@one_torch_thread()
def graph_rungs(task: TargetTask, epochs: int = EPOCHS) -> pd.DataFrame:
    """Score every gene by two-layer networks of PyG, each learned without the gene's fold.

    They see what the network sees (features, degree, known targets as a channel under masked-label
    training), but one relation: the distinct gene–gene pairs. Sets and directions they cannot tell.

    Args:
        task: Labels, folds, features and edges.
        epochs: Steps of training.

    Returns:
        One column per name in ``GRAPH_RUNGS``, indexed by gene.
    """
    pairs = walk_matrix(task).tocoo()
    edges = torch.from_numpy(np.stack([pairs.col, pairs.row]).astype(np.int64))  # (2, e)
    features = torch.from_numpy(np.hstack([b.values for b in task.blocks]))
    found = {name: np.zeros(len(task.genes)) for name in GRAPH_RUNGS}
    for name in GRAPH_RUNGS:
        for fold in np.unique(task.folds):
            test = task.folds == fold
            labels = np.where(test | task.withheld, 0, task.labels)
            training = ~test & ~task.withheld
            scores = _fit(name, features, edges, labels, training, int(fold), epochs)
            found[name][test] = scores[test]
    return pd.DataFrame(found, index=task.genes)


class _Network(nn.Module):
    def __init__(self, name: str, width: int) -> None:
        super().__init__()
        with warnings.catch_warnings():
            # torch_geometric compiles a function on import in a way that torch has deprecated
            warnings.filterwarnings("ignore", message=r"`torch\.jit", category=DeprecationWarning)
            from torch_geometric import nn as pyg
        layer = {"GCN": pyg.GCNConv, "GraphSAGE": pyg.SAGEConv, "GATv2": pyg.GATv2Conv}[name]
        self.first, self.second = layer(width, HIDDEN), layer(HIDDEN, HIDDEN)
        self.head = nn.Linear(HIDDEN, 1)

    def forward(self, features: Tensor, edges: Tensor) -> Tensor:
        """Give one log-odds per gene, shape ``(n,)``."""
        state = torch.relu(self.first(features, edges))
        state = nn.functional.dropout(state, 0.5, self.training)
        state = torch.relu(self.second(state, edges))
        state = nn.functional.dropout(state, 0.5, self.training)
        logits: Tensor = self.head(state)[:, 0]
        return logits


def _fit(
    name: str,
    features: Tensor,
    edges: Tensor,
    labels: np.ndarray,
    training: np.ndarray,
    fold: int,
    epochs: int,
) -> np.ndarray:
    """Learn known against unlabelled, both sides weighing the same; standardised log-odds."""
    known, rest = np.flatnonzero(labels), torch.from_numpy(training & (labels == 0))
    rng = np.random.default_rng([fold, GRAPH_RUNGS.index(name)])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(fold)
        network = _Network(name, features.shape[1] + 1)
        optimiser = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=5e-4)
        for _ in range(epochs):
            hidden = rng.permutation(known)[: max(round(HIDE * len(known)), 1)]
            visible = labels.astype(bool)
            visible[hidden] = False
            channel = known_channel(labels, visible, 1 - HIDE)
            logits = network(torch.cat([features, channel], dim=1), edges)
            positive = nn.functional.softplus(-logits[torch.from_numpy(hidden)]).mean()
            loss = 0.5 * positive + 0.5 * nn.functional.softplus(logits[rest]).mean()
            optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    network.eval()
    with torch.no_grad():
        channel = known_channel(labels, labels.astype(bool))
        logits = network(torch.cat([features, channel], dim=1), edges)
    scores: np.ndarray = logits.numpy().astype(float)
    others = scores[labels == 0]
    return np.asarray((scores - others.mean()) / max(float(others.std()), 1e-9))
