"""Where the path begins: what the score is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from aimwell.errors import ConfigError, some
from aimwell.models.channels import label_channels, visible_blocks
from aimwell.models.member import Member
from aimwell.models.task import TargetTask


@dataclass(frozen=True)
class Baseline:
    """A point to begin the path at; there are never edges or known targets in it.

    Attributes:
        name: ``zero``: every gene is the average gene, or not measured. ``controls``: the cases
            are as the controls, so no gene changes: |z| and |effect| are at their least, which is
            below those of the average gene; what was not measured stays so. ``empty``: the
            features are those of the data and only the edges are missing. Anything else is a
            baseline of the user's.
        features: For a baseline of the user's, block → values, ``(d,)`` or ``(n, d)``, in the
            standardised units of the task; blocks that are not named begin at 0.
    """

    name: str
    features: Mapping[str, np.ndarray] = field(default_factory=dict)


ZERO: Final = Baseline("zero")
CONTROLS: Final = Baseline("controls")
EMPTY: Final = Baseline("empty")
BASELINES: Final = {b.name: b for b in (ZERO, CONTROLS, EMPTY)}


def network_inputs(task: TargetTask, member: Member) -> list[np.ndarray]:
    """Give every block as the member sees it at prediction, float64; its own fold is hidden."""
    channel = label_channels(task, task.folds != member.unit.fold).numpy()
    return [b.astype(np.float64) for b in (*visible_blocks(task, member.unit.fold), channel)]


def baseline_inputs(task: TargetTask, member: Member, baseline: Baseline) -> list[np.ndarray]:
    """Give every block at the beginning of the path, float64, as ``network_inputs`` does.

    Raises:
        ConfigError: A block that the task does not have, or values of another shape.
    """
    data = network_inputs(task, member)
    if baseline.name == EMPTY.name:
        return data
    names = [b.name for b in task.blocks]
    if unknown := sorted(set(baseline.features) - set(names)):
        raise ConfigError(
            f"the baseline '{baseline.name}' has features for {some(unknown)}, which the task "
            f"lacks; its blocks are {some(names, 9)}"
        )
    inputs = [np.zeros_like(x) for x in data]
    for block, values, begin in zip(task.blocks, data, inputs, strict=False):
        if baseline.name == CONTROLS.name and block.unchanged is not None:
            seen = values.any(axis=1)  # what the network does not see stays as it is
            begin[seen] = block.unchanged
        if block.name in baseline.features:
            given = np.asarray(baseline.features[block.name], dtype=np.float64)
            if given.shape not in ((begin.shape[1],), begin.shape):
                raise ConfigError(
                    f"the baseline '{baseline.name}' has values of shape {given.shape} for "
                    f"'{block.name}', needed {begin.shape} or {begin.shape[1:]}"
                )
            begin[:] = given
    return inputs
