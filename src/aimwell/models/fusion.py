"""Late fusion: an expert per kind of measurement, and a combiner that says whom to believe.

The experts of one fold and repeat are written as one network, block by block, with the combiner in
its head. So the fused network is kept, scored and explained like any other.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression

from aimwell.config import ModelSettings
from aimwell.models.channels import known_channel
from aimwell.models.folds import inner_split
from aimwell.models.member import Member, Unit, member_of
from aimwell.models.network import TargetNetwork
from aimwell.models.task import TargetTask
from aimwell.models.training import (
    Inputs,
    fit_unlabelled,
    load_network,
    one_torch_thread,
    predict,
    settle,
)

#: The combiner begins with equal weights, as if this many known targets had asked for them.
CAUTION: Final = 10.0


def measured_kinds(task: TargetTask) -> list[str]:
    """Name the kinds of blocks that were measured or described, such as ``rna``, sorted."""
    return sorted({b.kind for b in task.blocks if b.kind != "graph"})


def without(task: TargetTask, kinds: set[str]) -> TargetTask:
    """Give the task as it is when the blocks of some kinds were not measured."""
    blocks = tuple(
        replace(b, values=np.zeros_like(b.values), observed=np.zeros(len(b.values), bool))
        if b.kind in kinds
        else b
        for b in task.blocks
    )
    return replace(task, blocks=blocks)


def missing_layers(task: TargetTask, members: Sequence[Member]) -> pd.DataFrame:
    """Rank again as if one kind of measurement were missing, with the networks as they are.

    Returns:
        One row per kind that can be missing: ``without`` and ``rank_correlation``, Spearman's with
        the scores from all of them, out of fold. Empty with fewer than two kinds.
    """
    kinds = measured_kinds(task)
    rows = []
    for kind in kinds if len(kinds) > 1 and task.objective != "none" else []:
        bare, scores = without(task, {kind}), np.zeros((2, len(task.genes)))
        for fold in np.unique(task.folds):
            mine = [m for m in members if m.unit.fold == fold]
            at = task.folds == fold
            scores[0, at] = np.mean([m.scores for m in mine], axis=0)[at]
            scores[1, at] = np.mean([predict(bare, m) for m in mine], axis=0)[at]
        rows.append({"without": kind, "rank_correlation": float(spearmanr(*scores).statistic)})
    return pd.DataFrame(rows, columns=["without", "rank_correlation"])


@one_torch_thread()
def fit_late(task: TargetTask, unit: Unit, settings: ModelSettings, seed: int) -> Member:
    """Fit one expert per kind of measurement and combine them on genes that none learned from.

    An inner split of the training genes, another one for every repeat, is kept from the experts;
    a logistic regression of its labels on their scores says how much to believe each, drawn towards
    equal weights where few targets speak.

    Args:
        task, unit, settings, seed: As for ``fit_member``.
    """
    draw = np.random.SeedSequence([seed, unit.fold, unit.repeat, 1]).generate_state(1)
    training = (task.folds != unit.fold) & ~task.withheld
    inner = inner_split(task.families, task.labels, training, np.random.default_rng(int(draw[0])))
    kinds = measured_kinds(task)
    single = replace(settings, fusion="intermediate")
    experts = [
        fit_unlabelled(without(task, set(kinds) - {kind}), unit, single, seed, left_out=inner)
        for kind in kinds
    ]
    if len(experts) < 2:
        return fit_unlabelled(task, unit, single, seed)
    scores = np.stack([e.scores for e in experts], axis=1)  # (n, experts)
    weights = combiner(scores[inner], task.labels[inner] == 1)
    network = _joined(task, kinds, experts, weights)
    labels = np.where(training, task.labels, 0)
    inputs = Inputs(task, labels == 1, plain=network.is_plain)
    channel = known_channel(labels, labels.astype(bool))
    logits = settle(network, lambda: inputs.logits(network, channel))
    return member_of(unit, network, logits, labels == 0)


def combiner(scores: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Say how much to believe each expert, from targets that none of them learned from.

    Args:
        scores: Shape ``(m, experts)``, standardised.
        known: True for known targets, shape ``(m,)``.

    Returns:
        Weights that are not negative and add up to 1, shape ``(experts,)``.

    Example:
        >>> combiner(np.zeros((3, 2)), np.zeros(3, bool)).tolist()
        [0.5, 0.5]
    """
    equal = np.full(scores.shape[1], 1 / scores.shape[1])
    count = int(known.sum())
    if not 0 < count < len(known):
        return equal
    model = LogisticRegression(class_weight="balanced", max_iter=1000).fit(scores, known)
    found = np.clip(model.coef_[0], 0, None)
    if not found.sum():
        return equal
    return np.asarray((count * found / found.sum() + CAUTION * equal) / (count + CAUTION))


@torch.no_grad()
def _joined(
    task: TargetTask, kinds: list[str], experts: list[Member], weights: np.ndarray
) -> TargetNetwork:
    """Write experts side by side as one network: block-diagonal layers, weighted heads."""
    parts = [dict(load_network(task, expert).state_dict()) for expert in experts]
    h, depth = len(parts[0]["own.0"]), experts[0].layers
    widths = [parts[0][f"encoders.{b}.weight"].shape[1] for b in range(len(task.blocks) + 1)]
    network = TargetNetwork(widths, len(task.wiring.channels), hidden=h * len(parts), layers=depth)
    whole = network.state_dict()  # its tensors are the network's own
    for values in whole.values():
        if values.is_floating_point():
            values.zero_()
    for number, (kind, part) in enumerate(zip(kinds, parts, strict=True)):
        at = slice(number * h, (number + 1) * h)
        share = float(weights[number]) / experts[number].scale
        for name, values in part.items():
            stem, _, _ = name.partition(".")
            if stem == "encoders":
                block = int(name.split(".")[1])
                seen = ("graph", kind)  # and, last, the known targets
                if block == len(task.blocks) or task.blocks[block].kind in seen:
                    whole[name][at] = values
            elif stem == "own":
                whole[name][at, at] = values
            elif stem == "through":
                whole[name][:, at, at] = values
            elif stem == "norms" and values.dim():
                whole[name][at] = values
        head = part["head.weight"].view(depth + 1, h)
        whole["head.weight"].view(depth + 1, len(parts), h)[:, number] = share * head
        whole["head.bias"] += share * (part["head.bias"] - experts[number].centre)
    return network
