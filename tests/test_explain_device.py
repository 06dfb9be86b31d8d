"""Attributions of many targets at once on a device are those of one target after the other."""

import numpy as np
import pytest
import torch
from tests.test_explain_attribution import (  # noqa: F401  fixtures
    STEPS,
    chosen,
    parts_of,
    random_member,
    task,
)

from aimwell.bench.large_network import large_task
from aimwell.bench.large_network import random_member as large_member
from aimwell.errors import TaskError
from aimwell.explain import device as on_device
from aimwell.explain.attribution import Attribution, SharedPath
from aimwell.explain.baselines import BASELINES
from aimwell.explain.device import DevicePath, _runs
from aimwell.explain.gates import find_gates


def assert_same(task, one: Attribution, other: Attribution, rtol: float) -> None:  # noqa: F811
    """Compare every number with the largest of its kind."""
    assert np.array_equal(one.genes, other.genes)
    for a, b in zip(one.positions, other.positions, strict=True):
        assert np.array_equal(a, b)
    pairs = [
        *zip(parts_of(task, one), parts_of(task, other), strict=True),
        *((getattr(one.routes, k), getattr(other.routes, k)) for k in ("own", "direct", "sets")),
    ]
    largest = max(float(np.abs(a).max(initial=0)) for a, _ in pairs)
    for a, b in pairs:
        np.testing.assert_allclose(b, a, rtol=0, atol=rtol * largest)
    for k in ("score", "baseline_score"):
        assert getattr(other, k) == pytest.approx(getattr(one, k), rel=rtol, abs=rtol)
    assert other.routes.constant == pytest.approx(one.routes.constant, abs=rtol * max(largest, 1))


@pytest.mark.parametrize("name", ["zero", "controls", "empty"])
def test_a_block_of_targets_has_the_numbers_of_one_by_one(task, chosen, name):  # noqa: F811
    members = [random_member(task, seed) for seed in (0, 1)]
    settings = {"steps": STEPS, "baseline": BASELINES[name]}
    path = SharedPath(task, members, **settings)
    targets = np.array([*chosen.values(), 5, 700])
    found = list(DevicePath(task, members, **settings).attribute(targets))
    for target, one in zip(targets, found, strict=True):
        assert_same(task, path.attribute(int(target)), one, 1e-10)
    assert path.gates.again[-1] > 0  # some unit opens twice
    assert any(np.abs(f).max() > 1e-3 for f in found[0].arcs)


def test_single_precision_keeps_five_digits(task, chosen):  # noqa: F811
    member = random_member(task, 0)
    path = SharedPath(task, [member], steps=STEPS)
    single = DevicePath(task, [member], steps=STEPS, dtype=torch.float32)
    targets = np.array([*chosen.values()])
    for target, one in zip(targets, single.attribute(targets), strict=True):
        assert_same(task, path.attribute(int(target)), one, 1e-5)


def test_blocks_and_chunks_change_nothing(task, monkeypatch):  # noqa: F811
    member = random_member(task, 2)
    targets = np.arange(0, len(task.genes), 40)
    whole = list(DevicePath(task, [member], steps=STEPS).attribute(targets))
    monkeypatch.setattr(on_device, "BLOCK", 3)
    monkeypatch.setattr(on_device, "CHUNK", 5000)
    monkeypatch.setattr("aimwell.explain.device_block.CHUNK", 200)
    apart = DevicePath(task, [member], steps=STEPS)
    for one, other in zip(whole, apart.attribute(targets), strict=True):
        assert_same(task, one, other, 1e-12)


def test_short_memory_halves_the_block_and_is_refused_for_one(task, chosen, monkeypatch):  # noqa: F811
    path = DevicePath(task, [random_member(task, 2)], steps=3)
    targets = np.array([*chosen.values()])
    whole = list(path.attribute(targets))
    sizes = []

    class Small(on_device.DeviceBlock):
        def __init__(self, path, block):
            sizes.append(len(block))
            if len(block) > room:
                raise torch.OutOfMemoryError("no room")
            super().__init__(path, block)

    monkeypatch.setattr(on_device, "DeviceBlock", Small)
    room = 1  # a gene alone in its block too, whose every sum is empty
    for one, other in zip(whole, path.attribute(targets), strict=True):
        assert_same(task, one, other, 1e-12)
    assert sizes == [5, 2, 1, 1, 1, 1, 1]
    room = 0
    with pytest.raises(TaskError, match="one attribution does not fit into the memory of 'cpu'"):
        list(path.attribute(targets[:1]))


def test_a_graph_without_sets():
    small = large_task(2000, sets=False, share=1 / 60)
    member = large_member(small, 8)
    path = SharedPath(small, [member], steps=STEPS)
    targets = np.arange(0, len(small.genes), 29)
    for target, one in zip(
        targets, DevicePath(small, [member], steps=STEPS).attribute(targets), strict=True
    ):
        assert_same(small, path.attribute(int(target)), one, 1e-10)


def test_runs_of_open_steps_are_those_of_the_gates():
    rng = np.random.default_rng(0)
    polynomial = rng.normal(size=(4, 50, 8)) * np.array([0.2, 3, 9, 7])[:, None, None]
    alphas = (np.arange(20) + 0.5) / 20
    values = np.einsum("sk,knh->snh", alphas[:, None] ** np.arange(4), polynomial)
    begin, end, later, latest = (r.numpy() for r in _runs(torch.from_numpy(values > 0)))
    gates = find_gates(polynomial, alphas)
    assert np.array_equal(begin, gates.first)
    assert np.array_equal(end, gates.last)
    gene = np.repeat(np.arange(50), np.diff(gates.again))
    assert len(gene) > 0
    assert np.array_equal(later[gene, gates.unit], gates.second_first)
    assert np.array_equal(latest[gene, gates.unit], gates.second_last)
    assert (later != latest).sum() == len(gene)
