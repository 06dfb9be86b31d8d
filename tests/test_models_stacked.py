"""Members fitted side by side are those fitted one by one, on whatever device."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.test_models_first_layer import task  # noqa: F401  a fixture

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.models import lanes, stacked
from aimwell.models.fitting import fit_member
from aimwell.models.lanes import WAYS, Lanes, choose_way
from aimwell.models.member import Unit
from aimwell.models.stacked import can_stack, fit_stacked, members_at_once

SETTINGS = ModelSettings(folds=3, seeds=2, epochs=4, hidden=8)
UNITS = [Unit(0, 0), Unit(1, 0), Unit(1, 1)]


def test_members_side_by_side_are_those_of_one_by_one(task):  # noqa: F811
    assert can_stack(task, SETTINGS)
    together = list(fit_stacked(task, UNITS, SETTINGS, seed=2))
    for unit, member in zip(UNITS, together, strict=True):
        alone = fit_member(task, unit, SETTINGS, seed=2)
        assert member.unit == unit
        np.testing.assert_allclose(member.logits, alone.logits, atol=2e-3)
        assert set(member.parameters) == set(alone.parameters)
    assert np.abs(together[1].logits - together[2].logits).max() > 0.01


def test_the_same_call_gives_the_same_bits(task):  # noqa: F811
    one, other = (list(fit_stacked(task, UNITS[:2], SETTINGS, seed=2)) for _ in range(2))
    assert all(np.array_equal(a.logits, b.logits) for a, b in zip(one, other, strict=True))


def test_short_memory_halves_the_stack_with_a_note_and_is_refused_for_one(task, monkeypatch):  # noqa: F811
    sizes, notes = [], []

    class Small(stacked._Stack):
        def fit(self):
            sizes.append(len(self.units))
            if len(self.units) > room:
                raise torch.OutOfMemoryError("no room")
            return super().fit()

    monkeypatch.setattr(stacked, "_Stack", Small)
    room = 1
    found = fit_stacked(task, UNITS, SETTINGS, seed=2, tell=notes.append)
    assert [m.unit for m in found] == UNITS
    assert sizes == [3, 1, 1, 1]
    assert notes == ["3 networks at once do not fit into 'cpu'; 1 are tried"]
    room = 0
    with pytest.raises(TaskError, match="does not fit into the memory of 'cpu'; close what else"):
        list(fit_stacked(task, UNITS[:1], SETTINGS, seed=2))


def test_as_many_are_fitted_at_once_as_the_free_memory_has_room_for(task, monkeypatch):  # noqa: F811
    sizes = []

    class Counted(stacked._Stack):
        def fit(self):
            sizes.append(len(self.units))
            return super().fit()

    monkeypatch.setattr(stacked, "_Stack", Counted)
    each = members_at_once(task, SETTINGS, 1 << 30)
    assert 1 < each < members_at_once(task, SETTINGS, 1 << 31)
    assert members_at_once(task, SETTINGS, 0) == 1
    room = next(
        f for f in range(1 << 20, 1 << 30, 1 << 18) if members_at_once(task, SETTINGS, f) == 2
    )
    monkeypatch.setattr(stacked, "free_bytes", lambda _: room)
    list(fit_stacked(task, UNITS, SETTINGS, seed=2))
    assert sizes == [2, 1]


@pytest.mark.parametrize("way", WAYS)
def test_states_travel_every_way_as_they_do_one_by_one(task, way):  # noqa: F811
    operators = [o.to("cpu", torch.float64) for o in task.wiring.operators]
    states = torch.randn(3, len(task.genes), 4, dtype=torch.float64).requires_grad_()
    found = torch.stack(list(Lanes(operators, way).send(states)))  # (r, b, n, h)
    direct, into, out = (o.matrix.to_dense() for o in operators)
    wanted = torch.cat([direct @ states, out @ (into @ states)], dim=1).view(
        3, -1, *states.shape[1:]
    )
    torch.testing.assert_close(found, wanted.transpose(0, 1))
    worth = torch.randn_like(found)
    mine, theirs = (
        torch.autograd.grad((f * worth).sum(), states)[0] for f in (found, wanted.transpose(0, 1))
    )
    torch.testing.assert_close(mine, theirs)


def test_the_way_of_a_stack_changes_roundings_only(task):  # noqa: F811
    ways = [list(fit_stacked(task, UNITS[:2], SETTINGS, seed=2, way=way)) for way in WAYS]
    for others in ways[1:]:
        for one, other in zip(ways[0], others, strict=True):
            np.testing.assert_allclose(one.logits, other.logits, atol=2e-3)


def test_the_fastest_way_that_repeats_is_chosen_and_short_memory_excludes(task, monkeypatch):  # noqa: F811
    operators = task.wiring.operators
    told = {"columns": (1.0, False), "members": (0.9, True), "dense": (0.8, True)}
    monkeypatch.setattr(lanes, "_measure", lambda lane, _: told[lane.way])
    choice = choose_way(operators, 2, 4)
    assert (choice.way, choice.repeats, len(choice.seconds)) == ("members", True, 3)
    told["dense"] = (0.5, True)
    assert choose_way(operators, 2, 4).way == "dense"
    monkeypatch.setattr(lanes, "free_bytes", lambda _: 1000)
    assert set(choose_way(operators, 2, 4).seconds) == {"columns", "members"}

    def short(lane, _):
        raise torch.OutOfMemoryError("no room")

    monkeypatch.setattr(lanes, "_measure", short)
    with pytest.raises(torch.OutOfMemoryError):
        choose_way(operators, 2, 4)


def test_a_way_that_does_not_repeat_is_found_out(task):  # noqa: F811
    class Shaky(Lanes):
        def send(self, states):
            yield from (one * float(torch.rand(())) for one in super().send(states))

    states = torch.randn(2, len(task.genes), 4).requires_grad_()
    lane = Lanes(task.wiring.operators, "columns")
    assert lanes._measure(lane, states)[1]
    assert not lanes._measure(Shaky(task.wiring.operators, "columns"), states)[1]


def test_other_networks_are_not_stacked(task):  # noqa: F811
    assert not can_stack(task, replace(SETTINGS, layers=3))
    assert not can_stack(task, replace(SETTINGS, early_stopping=2))
