"""Which networks the shared path can explain, and which need Captum."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from aimwell.errors import TaskError, some
from aimwell.models.member import Member
from aimwell.models.task import TargetTask

_NORM: Final = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
#: Parameters of two layers with linear encoders and fixed normalisation, and of nothing else.
_POLYNOMIAL: Final = (
    "own.0",
    "own.1",
    "through.0",
    "through.1",
    "head.weight",
    "head.bias",
    *(f"norms.{layer}.{name}" for layer in range(2) for name in _NORM),
)


def is_polynomial(members: Sequence[Member]) -> bool:
    """Whether what enters the first ReLU is a polynomial along the path, and there are two layers.

    Any parameter beyond those of such a network (attention, a third layer, a non-linear encoder)
    says that it is another one: Captum explains it then.
    """
    for member in members:
        names = {n for n in member.parameters if not n.startswith("encoders.")}
        encoders = {n for n in member.parameters if n.startswith("encoders.")}
        linear = {f"encoders.{i}.weight" for i in range(len(encoders))}
        if names != set(_POLYNOMIAL) or encoders != linear:
            return False
        if member.parameters["head.weight"].shape[1] != 3 * member.parameters["own.0"].shape[0]:
            return False
    return True


def check_layers(task: TargetTask, member: Member) -> None:
    """Refuse a network that this version does not know how to run.

    Raises:
        TaskError: A parameter of an unknown layer, or one that is missing, with its name.
    """
    needed = {f"encoders.{block}.weight" for block in range(len(task.blocks) + 1)}
    needed |= {"head.weight", "head.bias"}
    for layer in range(max(member.layers, 1)):
        needed |= {f"own.{layer}", f"through.{layer}"}
        needed |= {f"norms.{layer}.{name}" for name in _NORM}
    known = needed | {f"attention.{layer}" for layer in range(member.layers)}
    if found := sorted(set(member.parameters) - known):
        raise TaskError(
            f"the network {member.unit.name} has layers that cannot be explained: {some(found)}; "
            "networks of aimwell have encoders, own, through, norms, attention and head; "
            "aimwell.explain.explain_hetero explains others"
        )
    if missing := sorted(needed - set(member.parameters)):
        raise TaskError(
            f"the network {member.unit.name} lacks {some(missing)}: it was fitted to another graph "
            "or cohort, or its file is damaged; run again"
        )


def check_finite(member: Member) -> None:
    """Refuse a network whose parameters or scores are not finite numbers.

    Raises:
        TaskError: NaN or infinity, with the name of what holds it.
    """
    scores = {"logits": member.logits, "calibration": np.array([member.centre, member.scale])}
    for name, value in (*member.parameters.items(), *scores.items()):
        bad = int((~np.isfinite(np.asarray(value, dtype=float))).sum())
        if bad:
            raise TaskError(
                f"the network {member.unit.name} has {bad} values in '{name}' that are not finite "
                "numbers; its file is damaged: delete it or the run folder, and run again"
            )
