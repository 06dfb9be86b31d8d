"""Score again as if the known targets of one family were not known.

Known targets reach a network through an input channel, so a family of them is hidden by taking
its entries out of that channel: the networks are those of the run, and nothing is fitted anew.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from aimwell.models.channels import label_channels, visible_blocks
from aimwell.models.first_layer import LabelPaths, first_layer, pays
from aimwell.models.member import Member
from aimwell.models.supervised import RowOperators, forward_rows
from aimwell.models.task import TargetTask
from aimwell.models.training import load_network, one_torch_thread


def known_families(task: TargetTask) -> dict[str, np.ndarray]:
    """Give the families of known targets: what folds keep together, so complexes where they do.

    Returns:
        Name → True for its known targets, shape ``(n,)``; sorted by name. Empty where nothing is
        learned from known targets.
    """
    if task.objective == "none":
        return {}
    stays = task.families if task.dealt is None else task.dealt.table["group"]
    group, known = stays.astype(str).to_numpy(), task.labels == 1
    return {str(name): known & (group == name) for name in sorted(set(group[known]))}


@one_torch_thread()
@torch.no_grad()
def scores_without(
    task: TargetTask, members: Sequence[Member], families: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Score every gene out of fold with one family of known targets hidden at a time.

    What the other targets say, and the scale of every network, stay as they were: a gene that no
    path leads to from the family keeps its score, to rounding. The networks of the fold that a
    family belongs to never saw it, so they say what they said.

    Args:
        task: Labels and folds.
        members: Fitted networks; those of a fold score its genes.
        families: Name → True for its known targets, shape ``(n,)``.

    Returns:
        Name → scores, shape ``(n,)``, in the order of ``families``.
    """
    layer = first_layer(task) if pays(task) else None
    operators = task.wiring.operators
    found = {name: np.zeros(len(task.genes)) for name in families}
    for fold in np.unique(task.folds):
        mine = [m for m in members if m.unit.fold == fold]
        networks = [load_network(task, m) for m in mine]
        rows = np.flatnonzero(task.folds == fold)
        cut = RowOperators.cut(task, rows)  # of the second layer only these genes are asked for
        blocks = [torch.from_numpy(b) for b in visible_blocks(task, int(fold))]
        channels = label_channels(task, task.folds != fold)
        paths = LabelPaths.cut(task, (channels != 0).any(dim=1).numpy())
        for name, known in families.items():
            seen = bool((known & (task.folds != fold)).any())
            left = torch.where(torch.from_numpy(known)[:, None], 0, channels)
            arrived = paths.arrive(left)
            for member, network in zip(mine, networks, strict=True):
                logits = member.logits[rows]
                if seen and layer is not None and network.is_plain:
                    logits = forward_rows(network, layer, arrived, rows, cut).numpy()
                elif seen:
                    weights = [o.weight for o in operators]
                    logits = network([*blocks, left], weights, operators).numpy()[rows]
                found[name][rows] += (logits - member.centre) / member.scale / len(mine)
    return found
