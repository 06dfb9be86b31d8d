"""Kinds of networks: what each may do, and that all of them are kept, loaded and told apart."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.fitting import fit_member
from aimwell.models.folds import family_folds
from aimwell.models.fusion import combiner, fit_late, without
from aimwell.models.member import Member, Unit
from aimwell.models.memory import bytes_needed, require_memory
from aimwell.models.network import TargetNetwork
from aimwell.models.task import Block, TargetTask
from aimwell.models.training import fit_unlabelled, load_network, predict
from aimwell.models.unlabelled import task_prior
from aimwell.models.wiring import build_wiring

SHORT = ModelSettings(folds=3, seeds=1, epochs=6, hidden=8)
FOLD = Unit(1, 0)


@pytest.fixture(scope="module")
def task() -> TargetTask:
    """The starter graph; RNA tells known targets from others, protein is noise."""
    graph = read_starter_graph()
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    rng = np.random.default_rng(3)
    labels = np.zeros(len(genes), np.int8)
    labels[rng.choice(len(genes), 60, replace=False)] = 1
    families = graph.nodes["gene"]["family"].reindex(genes)
    columns = ("abs_z", "abs_effect", "z", "effect")
    noise = rng.normal(size=(2, len(genes), 4)).astype(np.float32)
    noise[0, labels == 1, :2] += 2
    degree = np.log1p(graph.degree().reindex(genes).to_numpy(np.float32))[:, None]
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=(
            Block("protein", "protein", columns, noise[1]),
            Block("rna", "rna", columns, noise[0]),
            Block("graph", "graph", ("log_degree",), degree - degree.mean()),
        ),
        wiring=build_wiring(graph, genes),
        labels=labels,
        withheld=np.zeros(len(genes), bool),
        folds=family_folds(families, genes[labels == 1], 3, 0),
        families=families,
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"layers": 3},
        {"convolution": "attention"},
        {"fusion": "early"},
        {"fusion": "late"},
        {"loss": "ranking"},
        {"loss": "non_negative"},
        {"block_dropout": 0.3, "relation_dropout": 0.3},
        {"early_stopping": 1},
    ],
    ids=lambda c: "-".join(map(str, c.values())),
)
def test_every_kind_of_network_is_another_one_and_survives_its_file(task, changes):
    member = fit_member(task, FOLD, replace(SHORT, **changes), 0)
    plain = fit_member(task, FOLD, SHORT, 0)
    assert not np.array_equal(member.logits, plain.logits)
    again = Member.from_arrays(member.to_arrays())
    np.testing.assert_allclose(predict(task, again), member.scores, atol=2e-4)
    exact = changes.get("layers", 2) == 2 and changes.get("convolution") != "attention"
    assert member.is_polynomial is exact


def test_a_fit_repeats_bit_by_bit_and_never_sees_its_fold(task):
    hidden = np.where(task.folds == 1, 0, task.labels).astype(np.int8)
    for changes in ({"fusion": "late"}, {"convolution": "attention"}, {"early_stopping": 1}):
        settings = replace(SHORT, **changes)
        member = fit_member(task, FOLD, settings, 0)
        blind = fit_member(replace(task, labels=hidden), FOLD, settings, 0)
        assert np.array_equal(member.logits, blind.logits)


def test_untrained_attention_leaves_every_weight_as_it_is(task):
    inputs = [torch.from_numpy(b.values) for b in task.blocks] + [torch.zeros(len(task.genes), 1)]
    operators = task.wiring.operators
    found = []
    for attention in (False, True):
        torch.manual_seed(0)
        network = TargetNetwork(
            [b.shape[1] for b in inputs],
            len(task.wiring.channels),
            hidden=8,
            attention=attention,
        ).eval()
        found.append(network(inputs, [o.weight for o in operators], operators))
    torch.testing.assert_close(found[0], found[1])


def test_attention_keeps_the_mean_weight_of_the_arcs_at_a_gene(task):
    torch.manual_seed(0)
    network = TargetNetwork([4], len(task.wiring.channels), hidden=8, attention=True)
    operator = task.wiring.direct
    look = torch.randn(2, len(task.wiring.channels), 8)
    weights = network._weigh(
        torch.randn(len(task.genes), 8), torch.ones_like(operator.weight), operator, look
    )
    row = np.repeat(np.arange(operator.shape[0]), np.diff(operator.row_start.numpy()))
    mean = np.bincount(row, weights=weights.detach().numpy()) / np.maximum(np.bincount(row), 1)
    np.testing.assert_allclose(mean[np.unique(row)], 1, atol=1e-5)
    assert weights.std() > 0.1


def test_late_fusion_is_the_weighted_sum_of_its_experts(task):
    late = fit_late(task, FOLD, replace(SHORT, fusion="late"), 0)
    network = load_network(task, late)
    assert network.own[0].shape == (16, 16)
    assert not network.own[0][:8, 8:].any()
    # the protein expert (first) cannot read RNA, nor the other way round
    assert not network.encoders[1].weight[:8].any()
    assert not network.encoders[0].weight[8:].any()
    bare = predict(without(task, {"protein"}), late)
    assert np.corrcoef(bare, late.scores)[0, 1] > 0.5


def test_the_combiner_believes_the_expert_that_knows():
    rng = np.random.default_rng(0)
    known = rng.random(400) < 0.2
    scores = rng.normal(size=(400, 2))
    scores[known, 1] += 2
    weights = combiner(scores, known)
    assert weights.sum() == pytest.approx(1)
    assert weights[1] > 0.8
    few = combiner(scores[:8], known[:8])
    assert abs(few[1] - 0.5) < 0.2


def test_a_network_that_saw_gaps_in_training_keeps_its_order_without_a_layer(task):
    settings = replace(SHORT, epochs=20, block_dropout=0.4)
    member = fit_member(task, FOLD, settings, 0)
    bare = predict(without(task, {"protein"}), member)
    test = task.folds == 1
    assert np.isfinite(bare).all()
    assert np.corrcoef(bare[test], member.scores[test])[0, 1] > 0.7


def test_the_best_network_is_kept_when_training_runs_away(task, monkeypatch):
    from aimwell.models import training

    plain = training.Learner._step
    count = iter(range(1, 100))

    def spoil(self):
        loss = plain(self)
        if next(count) == 6:
            with torch.no_grad():
                self.network.head.weight.fill_(float("nan"))
            return float("nan")
        return loss

    monkeypatch.setattr(training.Learner, "_step", spoil)
    member = fit_unlabelled(task, FOLD, SHORT, 0)
    assert member.diverged_at == 6
    assert np.isfinite(member.logits).all()


def test_the_prior_is_a_share_and_at_least_that_of_the_known(task):
    training = task.folds != 1
    labels = np.where(training, task.labels, 0)
    prior = task_prior(task, labels, training, 1)
    assert labels.sum() / training.sum() <= prior < 1


def test_a_machine_that_is_too_small_is_told_before_anything_is_fitted(task):
    needed = bytes_needed(task, SHORT)
    require_memory(task, SHORT, needed)
    with pytest.raises(TaskError, match=r"needs about .* GB are free; lower model.hidden"):
        require_memory(task, SHORT, needed - 1)
    require_memory(task, SHORT, 2 * needed, jobs=2)
    with pytest.raises(TaskError, match=r"3 networks at once .* lower run.jobs \(--jobs\) to 2"):
        require_memory(task, SHORT, 3 * needed - 1, jobs=3)
    assert bytes_needed(task, replace(SHORT, hidden=64)) > 4 * needed
