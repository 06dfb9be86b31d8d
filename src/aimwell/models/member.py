"""The members of an ensemble: which fit each is, and what is kept of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from aimwell.config import ModelSettings
from aimwell.models.network import TargetNetwork


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
        diverged_at: Step at which training ran away and the best network before it was kept; 0
            where it did not.
    """

    unit: Unit
    parameters: Mapping[str, np.ndarray]
    logits: np.ndarray
    centre: float
    scale: float
    diverged_at: int = 0

    @property
    def layers(self) -> int:
        """Number of message-passing layers."""
        return sum(name.startswith("own.") for name in self.parameters)

    @property
    def is_polynomial(self) -> bool:
        """Whether two fixed-weight layers make it, so that the exact explanation holds."""
        return self.layers == 2 and not any(k.startswith("attention.") for k in self.parameters)

    @property
    def scores(self) -> np.ndarray:
        """Standard deviations above the average unlabelled gene, shape ``(n,)``."""
        return (self.logits - self.centre) / self.scale

    def to_arrays(self) -> dict[str, np.ndarray]:
        """Flatten to named arrays, to be stored."""
        return {
            "unit": np.array([self.unit.fold, self.unit.repeat]),
            "logits": self.logits,
            "calibration": np.array([self.centre, self.scale]),
            "diverged": np.array([self.diverged_at]),
            **{f"parameter.{k}": v for k, v in self.parameters.items()},
        }

    @staticmethod
    def from_arrays(arrays: Mapping[str, np.ndarray]) -> "Member":
        """Undo ``to_arrays``."""
        return Member(
            Unit(*(int(v) for v in arrays["unit"])),
            {k.removeprefix("parameter."): v for k, v in arrays.items() if k.startswith("para")},
            arrays["logits"],
            float(arrays["calibration"][0]),
            float(arrays["calibration"][1]),
            int(arrays["diverged"][0]),
        )


def member_units(settings: ModelSettings, folds: Sequence[int] | None = None) -> list[Unit]:
    """List every fit of the ensemble, folds outermost.

    Args:
        settings: Its ``folds`` and ``seeds``.
        folds: The folds of the task, where they are not ``settings.folds`` in number.
    """
    numbers = range(settings.folds) if folds is None else folds
    return [Unit(f, r) for f in numbers for r in range(settings.seeds)]


def member_of(
    unit: Unit, network: TargetNetwork, logits: np.ndarray, rest: np.ndarray, diverged: int = 0
) -> Member:
    """Freeze a network; ``rest`` is True for the genes whose scores set the scale."""
    return Member(
        unit,
        {k: v.detach().numpy().copy() for k, v in network.state_dict().items()},
        logits,
        float(logits[rest].mean()),
        float(max(logits[rest].std(), 1e-6)),
        diverged,
    )
