"""Explanations of networks with degree correction: its background counts as Captum counts it."""

from dataclasses import replace

import numpy as np
import pytest
from tests.test_explain_attribution import (  # noqa: F401  fixtures among them
    ATOL,
    KINDS,
    STEPS,
    captum_on_the_whole_graph,
    chosen,
    member,
    parts_of,
    random_member,
    task,
)

from aimwell.errors import TaskError
from aimwell.explain import perturbed
from aimwell.explain.attribution import SharedPath
from aimwell.explain.baselines import BASELINES
from aimwell.explain.captum_path import attribute_by_captum
from aimwell.explain.device import DevicePath
from aimwell.explain.perturbed import Keep, perturbed_score
from aimwell.explain.reach import Reaches
from aimwell.models.task import TargetTask
from aimwell.models.wiring import build_wiring


@pytest.fixture(scope="module")
def corrected(task) -> TargetTask:  # noqa: F811
    return replace(task, wiring=build_wiring(task.graph, task.genes, degree_corrected=True))


@pytest.fixture(scope="module")
def path(corrected, member) -> SharedPath:  # noqa: F811
    return SharedPath(corrected, [member], steps=STEPS)


@pytest.mark.parametrize("kind", KINDS)
def test_attributions_equal_captum_on_the_whole_graph(corrected, member, path, chosen, kind):  # noqa: F811
    found = path.attribute(chosen[kind])
    wanted = captum_on_the_whole_graph(corrected, member, chosen[kind], STEPS)
    parts = parts_of(corrected, found)
    for one, other in zip(parts, wanted, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=ATOL)
    if kind != "alone":  # genes without a way to the target have a part in the background
        far = np.setdiff1d(
            np.arange(len(corrected.genes)), path.reaches.of(chosen[kind]).near.genes
        )
        assert max(np.abs(p[far]).max() for p in parts[: len(found.features)]) > 10 * ATOL


@pytest.mark.parametrize("baseline", ["zero", "controls"])
def test_several_networks_and_other_baselines_equal_captum_too(corrected, chosen, baseline):  # noqa: F811
    members = [random_member(corrected, seed) for seed in (3, 4)]
    path = SharedPath(corrected, members, steps=STEPS, baseline=BASELINES[baseline])
    target = chosen["hub"]
    wanted = attribute_by_captum(
        corrected, members, target, steps=STEPS, baseline=BASELINES[baseline]
    )
    found = path.attribute(target)
    assert found.score == pytest.approx(wanted.score, abs=1e-9)
    assert found.baseline_score == pytest.approx(wanted.baseline_score, abs=1e-9)
    for one, other in zip(parts_of(corrected, found), parts_of(corrected, wanted), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=ATOL)


@pytest.mark.parametrize("kind", ["hub", "only in sets"])
def test_the_ways_of_a_score_add_up(corrected, member, chosen, kind):  # noqa: F811
    found = SharedPath(corrected, [member], steps=400).attribute(chosen[kind])
    routes = found.routes
    total = sum(float(v.sum()) for v in (routes.own, routes.direct, routes.sets)) + routes.constant
    wanted = found.score - found.baseline_score
    assert total == pytest.approx(found.total, abs=1e-9)
    assert total == pytest.approx(wanted, abs=0.01 * max(abs(wanted), 1))


def test_the_score_without_some_nodes_is_the_networks(corrected, member, chosen):  # noqa: F811
    target = chosen["ordinary"]
    reach = Reaches(corrected.wiring).of(target)
    fast = perturbed_score(corrected, [member], reach)
    slow = perturbed._by_network(corrected, [member], reach)
    n, s = len(corrected.genes), corrected.wiring.into_sets.shape[0]
    rng = np.random.default_rng(1)
    assert fast(None) == pytest.approx(slow(None), abs=1e-9)
    for share in (0.9, 0.1):
        keep = Keep(rng.random(n) < share, rng.random(s) < share)
        keep.genes[target] = True
        assert fast(keep) == pytest.approx(slow(keep), abs=1e-9)
    assert abs(fast(keep) - fast(None)) > 0.01


def test_a_device_refuses_what_it_would_leave_out(corrected, member):  # noqa: F811
    with pytest.raises(TaskError, match="only networks without degree correction"):
        DevicePath(corrected, [member], steps=2)
