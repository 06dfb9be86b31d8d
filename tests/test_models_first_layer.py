"""A first layer worked out once gives the numbers of a network that works it out each time."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from aimwell.config import ModelSettings
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models import propagate as propagation
from aimwell.models import training
from aimwell.models.first_layer import LabelPaths, arrive, first_layer, pays
from aimwell.models.fitting import fit_member
from aimwell.models.folds import family_folds
from aimwell.models.member import Unit
from aimwell.models.network import TargetNetwork
from aimwell.models.propagate import build_operator, mix_messages, propagate
from aimwell.models.task import Block, TargetTask
from aimwell.models.wiring import build_wiring


@pytest.fixture(scope="module")
def task() -> TargetTask:
    """The starter graph, two blocks of noise and thirty known targets."""
    graph = read_starter_graph()
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    rng = np.random.default_rng(5)
    labels = np.zeros(len(genes), np.int8)
    labels[rng.choice(len(genes), 30, replace=False)] = 1
    families = graph.nodes["gene"]["family"].reindex(genes)
    values = rng.normal(size=(2, len(genes), 3)).astype(np.float32)
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=(Block("rna", "rna", tuple("abc"), values[0]), Block("x", "x", ("a",), values[1])),
        wiring=build_wiring(graph, genes),
        labels=labels,
        withheld=np.zeros(len(genes), bool),
        folds=family_folds(families, genes[labels == 1], 3, 0),
        families=families,
    )


def network_and_channel(task: TargetTask) -> tuple[TargetNetwork, torch.Tensor]:
    torch.manual_seed(0)
    widths = [b.values.shape[1] for b in task.blocks]
    network = TargetNetwork([*widths, 1], len(task.wiring.channels), hidden=8, seed=7).double()
    return network, torch.from_numpy(task.labels.astype(float)[:, None])


def test_logits_gradients_and_draws_are_those_of_the_whole_network(task):
    network, channel = network_and_channel(task)
    operators = tuple(o.to("cpu", torch.float64) for o in task.wiring.operators)
    blocks = [torch.from_numpy(b.values.astype(float)) for b in task.blocks]
    inputs = torch.cat(blocks, dim=1)
    layer = replace(first_layer(task), inputs=inputs, arrived=arrive(inputs, operators))
    network.train()
    found = []
    for fast in (False, True):
        network.draw = np.random.default_rng(7)
        network.zero_grad()
        if fast:
            arrived = arrive(channel, operators)
            logits = network.forward_from(layer, channel, arrived, operators)
        else:
            logits = network([*blocks, channel], [o.weight for o in operators], operators)
        logits.square().mean().backward()
        gradients = {name: p.grad.clone() for name, p in network.named_parameters()}
        found.append((logits.detach(), gradients, network.draw.random()))
    torch.testing.assert_close(found[0][0], found[1][0], rtol=1e-10, atol=1e-11)
    for name, gradient in found[0][1].items():
        torch.testing.assert_close(gradient, found[1][1][name], rtol=1e-9, atol=1e-11, msg=name)
    assert found[0][2] == found[1][2]


def test_labels_arrive_as_along_all_arcs_if_only_the_rest_of_the_arcs_is_left_out(task):
    channel = torch.from_numpy(task.labels.astype(np.float32)[:, None])
    cut = LabelPaths.cut(task, task.labels == 1)
    assert len(cut.direct.values()) < len(task.wiring.direct.weight) / 2
    whole = arrive(channel, task.wiring.operators)
    torch.testing.assert_close(cut.arrive(channel), whole, rtol=1e-6, atol=1e-7)


def test_wide_features_are_sent_along_the_edges_each_step_and_give_the_same_network(
    task, monkeypatch
):
    settings = ModelSettings(folds=3, seeds=1, epochs=4, hidden=8)
    fast = fit_member(task, Unit(0, 0), settings, seed=0)
    monkeypatch.setattr(training, "pays", lambda task: False)
    plain = fit_member(task, Unit(0, 0), settings, seed=0)
    assert not np.array_equal(fast.logits, plain.logits)  # they do take different ways
    np.testing.assert_allclose(fast.logits, plain.logits, atol=2e-4)


def test_it_pays_for_a_few_columns_and_not_for_thousands(task):
    assert pays(task)
    wide = np.zeros((len(task.genes), 5000), np.float32)
    names = tuple(str(i) for i in range(5000))
    assert not pays(replace(task, blocks=(Block("wide", "features", names, wide),)))


@pytest.mark.parametrize("sets", [0, 3])
@pytest.mark.parametrize("wide", [1, 64], ids=["one product", "the other"])
def test_mixed_messages_agree_with_finite_differences(sets, wide, monkeypatch):
    monkeypatch.setattr(propagation, "WIDE", wide)
    rng = np.random.default_rng(1)

    def operator(rows: int, columns: int):
        pairs = np.argwhere(rng.random((rows, columns)) < 0.4)
        weight = rng.normal(size=len(pairs))
        parts = (pairs[:, 0], pairs[:, 1], weight, (rows, columns), np.arange(len(pairs)))
        return build_operator(*parts).to("cpu", torch.float64)

    operators = (operator(10, 5), operator(sets, 5), operator(5 if sets else 0, sets))
    channels = 3 if sets else 2
    state, own, through = (
        torch.from_numpy(rng.normal(size=shape)).requires_grad_()
        for shape in ((5, 4), (4, 4), (channels, 4, 4))
    )
    total = mix_messages(state, own, through, operators)
    direct, into, out = operators
    messages = [*propagate(direct.weight, state, direct).view(2, 5, 4)]
    if sets:
        messages.append(propagate(out.weight, propagate(into.weight, state, into), out))
    wanted = state @ own + sum(m @ w for m, w in zip(messages, through, strict=True))
    torch.testing.assert_close(total, wanted, rtol=0, atol=1e-12)
    assert torch.autograd.gradcheck(
        lambda *inputs: mix_messages(*inputs, operators), (state, own, through)
    )
