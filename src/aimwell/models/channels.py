"""What a network sees of a task: the labels that are not hidden, and the features."""

import numpy as np
import torch
from torch import Tensor

from aimwell.models.task import TargetTask


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
        for a known target, in the second for a negative. Zero where nothing is learned from labels.
    """
    if task.objective == "none":
        return torch.zeros(len(task.genes), 1)
    if task.negatives is None:
        # the channel is scaled by how many targets are visible, so half of the share is in it
        return known_channel(task.labels * visible, visible, shown**0.5)
    values = np.stack([visible & (task.labels == 1), visible & task.negatives], axis=1) / shown
    return torch.from_numpy(values.astype(np.float32))


def visible_blocks(task: TargetTask, fold: int) -> list[np.ndarray]:
    """Give the feature blocks as the networks of a fold see them at prediction.

    Without known targets to learn from, a gene is scored by what surrounds it: the networks of its
    fold never see its own evidence, so nothing of it can come back through its neighbours.
    """
    if task.objective != "none":
        return [b.inputs for b in task.blocks]
    visible = (task.folds != fold)[:, None].astype(np.float32)
    return [b.inputs if b.kind == "graph" else b.inputs * visible for b in task.blocks]
