"""Members fitted side by side are those fitted one by one, on whatever device."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.test_models_first_layer import task  # noqa: F401  a fixture

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.models import stacked
from aimwell.models.member import Unit
from aimwell.models.stacked import can_stack, fit_stacked
from aimwell.models.training import fit_member

SETTINGS = ModelSettings(folds=3, seeds=2, epochs=4, hidden=8)
UNITS = [Unit(0, 0), Unit(1, 0), Unit(1, 1)]


def test_members_side_by_side_are_those_of_one_by_one(task):  # noqa: F811
    assert can_stack(task, SETTINGS)
    together = fit_stacked(task, UNITS, SETTINGS, seed=2)
    for unit, member in zip(UNITS, together, strict=True):
        alone = fit_member(task, unit, SETTINGS, seed=2)
        assert member.unit == unit
        np.testing.assert_allclose(member.logits, alone.logits, atol=2e-3)
        assert set(member.parameters) == set(alone.parameters)
    assert np.abs(together[1].logits - together[2].logits).max() > 0.01


def test_the_same_call_gives_the_same_bits(task):  # noqa: F811
    one, other = (fit_stacked(task, UNITS[:2], SETTINGS, seed=2) for _ in range(2))
    assert all(np.array_equal(a.logits, b.logits) for a, b in zip(one, other, strict=True))


def test_short_memory_halves_the_stack_and_is_refused_for_one(task, monkeypatch):  # noqa: F811
    sizes = []

    class Small(stacked._Stack):
        def fit(self):
            sizes.append(len(self.units))
            if len(self.units) > room:
                raise torch.OutOfMemoryError("no room")
            return super().fit()

    monkeypatch.setattr(stacked, "_Stack", Small)
    room = 1
    assert [m.unit for m in fit_stacked(task, UNITS[:2], SETTINGS, seed=2)] == UNITS[:2]
    assert sizes == [2, 1, 1]
    room = 0
    with pytest.raises(TaskError, match="does not fit into the memory"):
        fit_stacked(task, UNITS[:1], SETTINGS, seed=2)


def test_other_networks_are_not_stacked(task):  # noqa: F811
    assert not can_stack(task, replace(SETTINGS, layers=3))
    assert not can_stack(task, replace(SETTINGS, early_stopping=2))
