"""With degree correction, only who is connected counts: what degrees alone explain is gone."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from tests.test_models_first_layer import task  # noqa: F401  a fixture

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.knowledge.graph import GENE_COLUMNS, Relation, TargetGraph
from aimwell.models import training
from aimwell.models.channels import label_channels
from aimwell.models.first_layer import LabelPaths, arrive, first_layer
from aimwell.models.fitting import fit_member
from aimwell.models.lanes import WAYS, Lanes
from aimwell.models.member import Unit
from aimwell.models.network import TargetNetwork
from aimwell.models.propagate import mix_messages, propagate
from aimwell.models.stacked import fit_stacked
from aimwell.models.supervised import RowOperators, forward_rows
from aimwell.models.task import Block, TargetTask
from aimwell.models.training import predict
from aimwell.models.wiring import Wiring, build_wiring
from aimwell.pipeline.explorer import without
from aimwell.trust.bias import degree_of
from aimwell.trust.rewiring import rewire_graph

N = 150
GENES = pd.Index([f"HGNC:{i:03d}" for i in range(N)])


def edges(source: np.ndarray, target: list[str], weight: np.ndarray | float = 1.0) -> pd.DataFrame:
    table = pd.DataFrame({"source_id": GENES[source], "target_id": target, "weight": weight})
    return table.assign(evidence="hand", literature=False, clinical=False)


@pytest.fixture(scope="module")
def graph() -> TargetGraph:
    """The first genes are hubs of everything; relations of all three kinds."""
    rng = np.random.default_rng(2)
    chance = np.geomspace(4, 0.4, N)
    both = 3 * np.outer(chance, chance) / chance.sum()
    a, b = np.nonzero(np.triu(rng.random((N, N)) < both, 1))
    c, d = np.nonzero((rng.random((N, N)) < both) & ~np.eye(N, dtype=bool))
    e, f = np.nonzero(rng.random((N, 30)) < chance[:, None] * np.geomspace(0.02, 0.1, 30))
    relations = (
        Relation("interacts", "gene", "gene", edges(a, list(GENES[b])), directed=False),
        Relation("activates", "gene", "gene", edges(c, list(GENES[d]))),
        Relation("member_of", "gene", "pathway", edges(e, [f"P{s:02d}" for s in f])),
    )
    nodes = {
        "gene": pd.DataFrame(dict.fromkeys(GENE_COLUMNS, GENES), index=GENES),
        "pathway": pd.DataFrame({"name": "p"}, index=[f"P{s:02d}" for s in range(30)]),
    }
    return TargetGraph(nodes, {r.name: r for r in relations})


def sent(wiring: Wiring, columns: torch.Tensor) -> torch.Tensor:
    """Give what arrives along every channel, shape ``(r, n, d)``."""
    n, d = columns.shape
    return arrive(columns, wiring.operators).view(n, -1, d)[:, 1:].transpose(0, 1)


def in_double(wiring: Wiring) -> Wiring:
    direct, into, out = (o.to("cpu", torch.float64) for o in wiring.operators)
    return replace(wiring, direct=direct, into_sets=into, out_of_sets=out)


def corrected(task: TargetTask) -> TargetTask:  # noqa: F811
    return replace(task, wiring=build_wiring(task.graph, task.genes, degree_corrected=True))


def test_nothing_is_left_of_the_component_that_every_graph_with_these_degrees_has(graph):
    weighted = dict(graph.relations)
    pairs = weighted["interacts"].edges
    weights = np.random.default_rng(1).uniform(0.2, 1, len(pairs))
    weighted["interacts"] = replace(weighted["interacts"], edges=pairs.assign(weight=weights))
    wiring = build_wiring(replace(graph, relations=weighted), GENES, degree_corrected=True)
    assert wiring.channels == ("activates", "activates reversed", "interacts", "member_of")
    anything = sent(wiring, torch.randn(N, 2))
    usual = wiring.direct.expected
    for channel, (row, column) in enumerate(zip(usual.row, usual.column, strict=True)):
        assert sent(wiring, column[:, None])[channel].abs().max() < 1e-6
        assert (row @ anything[channel]).abs().max() < 1e-5
    # through sets every gene takes a mean, and the walk comes to rest
    assert sent(wiring, torch.ones(N, 1))[3].abs().max() < 1e-6
    assert (wiring.out_of_sets.expected.column[0] @ anything[3]).abs().max() < 1e-6


def test_in_expectation_nothing_arrives_over_rewired_graphs(graph):
    rng = np.random.default_rng(3)
    columns = torch.from_numpy(np.abs(rng.normal(size=(N, 3))).astype(np.float32))
    total: dict[bool, list[torch.Tensor]] = {False: [], True: []}
    for _ in range(60):
        rewired, found = rewire_graph(graph, rng, swaps=3)
        assert not any(f.problem for f in found)
        for way, arrived in total.items():
            arrived.append(sent(build_wiring(rewired, GENES, degree_corrected=way), columns))
    plain, left = (torch.stack(total[way]).mean(0).square().mean((1, 2)) for way in (False, True))
    # what remains is what a graph without loops and double edges differs by, and the draws
    assert (left < 0.02 * plain).all(), (left / plain).tolist()
    spread = torch.stack(total[True]).std(0).mean((1, 2))
    assert (spread > 0.05).all()  # single graphs do say something


def test_gradients_agree_with_finite_differences_and_edges_get_none_of_the_expected_part(graph):
    with_it, without = (
        in_double(build_wiring(graph, GENES, degree_corrected=way)).operators
        for way in (True, False)
    )
    rng = np.random.default_rng(4)
    state = torch.from_numpy(rng.normal(size=(N, 2))).requires_grad_()
    weights = [o.weight.clone().requires_grad_() for o in with_it]

    def along(operators, state, *weights):
        direct, into, out = operators
        sets = propagate(weights[1], state, into)
        parts = [propagate(weights[0], state, direct), propagate(weights[2], sets, out, state)]
        return torch.cat(parts)

    check = torch.autograd.gradcheck
    assert check(lambda *given: along(with_it, *given), (state, *weights), fast_mode=True)
    worth = torch.from_numpy(rng.normal(size=(4 * N, 2)))
    mine, theirs = (
        torch.autograd.grad((along(way, state, *weights) * worth).sum(), weights)
        for way in (with_it, without)
    )
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_mixed_messages_are_those_of_single_products(graph):
    wiring = in_double(build_wiring(graph, GENES, degree_corrected=True))
    rng = np.random.default_rng(4)
    state, own, through = (
        torch.from_numpy(rng.normal(size=shape)).requires_grad_()
        for shape in ((N, 3), (3, 2), (4, 3, 2))
    )
    total = mix_messages(state, own, through, wiring.operators)
    wanted = state @ own + (sent(wiring, state) @ through).sum(0)
    torch.testing.assert_close(total, wanted, rtol=0, atol=1e-12)
    worth = torch.randn_like(total)
    mine, theirs = (
        torch.autograd.grad((t * worth).sum(), (state, own, through)) for t in (total, wanted)
    )
    for one, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_every_way_to_a_score_is_that_of_the_whole_network(task):  # noqa: F811
    task = corrected(task)
    torch.manual_seed(0)
    widths = [b.values.shape[1] for b in task.blocks]
    network = TargetNetwork([*widths, 1], len(task.wiring.channels), hidden=8).eval()
    blocks = [torch.from_numpy(b.values) for b in task.blocks]
    channel, operators = label_channels(task, task.folds != 0), task.wiring.operators
    with torch.no_grad():
        whole = network([*blocks, channel], [o.weight for o in operators], operators)
        layer, seen = first_layer(task), LabelPaths.cut(task, task.labels == 1).arrive(channel)
        rows = np.array([40, 3, 77])
        cut = RowOperators.cut(task, rows)
        found = network.forward_from(layer, channel, seen, operators)
        some = forward_rows(network, layer, seen, rows, cut)
        bare = build_wiring(task.graph, task.genes).operators
        other = network([*blocks, channel], [o.weight for o in bare], bare)
    torch.testing.assert_close(found, whole, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(some, whole[rows], rtol=1e-5, atol=1e-5)
    assert (whole - other).abs().max() > 0.05


@pytest.mark.parametrize("way", WAYS)
def test_states_travel_every_way_as_they_do_one_by_one(graph, way):
    wiring = in_double(build_wiring(graph, GENES, degree_corrected=True))
    states = torch.randn(3, N, 4, dtype=torch.float64)
    found = torch.stack(list(Lanes(wiring.operators, way).send(states)))  # (r, b, n, h)
    wanted = torch.stack([sent(wiring, s) for s in states], dim=1)
    torch.testing.assert_close(found, wanted, rtol=0, atol=1e-12)


def test_members_side_by_side_are_those_of_one_by_one(task):  # noqa: F811
    task = corrected(task)
    settings = ModelSettings(folds=3, seeds=1, epochs=4, hidden=8)
    units = [Unit(0, 0), Unit(1, 0)]
    for unit, member in zip(units, fit_stacked(task, units, settings, seed=2), strict=True):
        alone = fit_member(task, unit, settings, seed=2)
        np.testing.assert_allclose(member.logits, alone.logits, atol=2e-3)


def test_a_relation_that_is_switched_off_sends_nothing_expected_either(task):  # noqa: F811
    task = corrected(task)
    for name in ("interacts", "activates", "member_of"):
        off = without(task, {name}).wiring
        arrived = sent(off, torch.randn(len(task.genes), 2)).abs().amax((1, 2))
        assert ((arrived == 0) == torch.tensor([r == name for r in off.relations])).all()


def test_attention_is_refused_beside_it(task):  # noqa: F811
    settings = ModelSettings(folds=3, seeds=1, epochs=1, hidden=8, convolution="attention")
    with pytest.raises(TaskError, match="learns the weights of edges; leave one of them out"):
        fit_member(corrected(task), Unit(0, 0), settings, seed=0)


@pytest.mark.parametrize("objective", ["positive_unlabelled", "supervised"])
@pytest.mark.parametrize("fast", [True, False], ids=["worked out", "step by step"])
def test_networks_that_are_not_told_the_degree_do_not_read_it(task, objective, fast, monkeypatch):  # noqa: F811
    monkeypatch.setattr(training, "pays", lambda task: fast)
    rng = np.random.default_rng(6)
    negatives = (task.labels == 0) & (rng.random(len(task.genes)) < 0.2)
    given = negatives if objective == "supervised" else None
    settings = ModelSettings(folds=3, seeds=1, epochs=2, hidden=8, objective=objective)
    logits = []
    for hidden in (True, True, False):
        degree = rng.normal(size=(len(task.genes), 1)).astype(np.float32)
        told = Block("graph", "graph", ("log_degree",), degree, hidden=hidden)
        blocks = (*task.blocks, told)
        one = replace(task, blocks=blocks, objective=objective, negatives=given)
        member = fit_member(one, Unit(0, 0), settings, seed=0)
        logits.append(member.logits)
        np.testing.assert_allclose(predict(one, member), member.scores, atol=1e-4)
        assert np.array_equal(degree_of(one), degree[:, 0])
    assert np.array_equal(logits[0], logits[1])
    assert np.abs(logits[0] - logits[2]).max() > 0.01


def test_a_graph_without_edges_has_nothing_to_expect(graph):
    empty = {n: replace(r, edges=r.edges.iloc[:0]) for n, r in graph.relations.items()}
    wiring = build_wiring(replace(graph, relations=empty), GENES, degree_corrected=True)
    assert sent(wiring, torch.ones(N, 2)).abs().max() == 0
    bare = build_wiring(replace(graph, relations={}), GENES, degree_corrected=True)
    assert bare.direct.expected is None
    assert not bare.degree_corrected
