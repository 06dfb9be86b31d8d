"""What a fitted network may know, and that the same inputs give the same bits."""

import io
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.metrics import roc_auc_score

from aimwell.config import ModelSettings
from aimwell.errors import TaskError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.channels import known_channel
from aimwell.models.fitting import fit_member
from aimwell.models.folds import family_folds
from aimwell.models.member import Member, Unit, member_units
from aimwell.models.task import Block, TargetTask
from aimwell.models.training import load_network
from aimwell.models.wiring import build_wiring

SHORT = ModelSettings(folds=3, seeds=1, epochs=5, hidden=8)
FOLD = Unit(1, 0)


@pytest.fixture(scope="module")
def task() -> TargetTask:
    """The starter graph with noise as evidence and thirty known targets at random."""
    graph = read_starter_graph()
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    rng = np.random.default_rng(3)
    labels = np.zeros(len(genes), np.int8)
    labels[rng.choice(len(genes), 30, replace=False)] = 1
    families = graph.nodes["gene"]["family"].reindex(genes)
    evidence = np.clip(rng.normal(size=(len(genes), 4)), -3, 3).astype(np.float32)
    degree = np.log1p(graph.degree().to_numpy(np.float32))[:, None]
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=(
            Block("rna", "rna", ("abs_z", "abs_effect", "z", "effect"), evidence),
            Block("graph", "graph", ("log_degree",), degree - degree.mean()),
        ),
        wiring=build_wiring(graph, genes),
        labels=labels,
        withheld=np.zeros(len(genes), bool),
        folds=family_folds(families, genes[labels == 1], 3, 0),
        families=families,
    )


@pytest.fixture(scope="module")
def member(task) -> Member:
    return fit_member(task, FOLD, SHORT, seed=0)


def flipped(task: TargetTask, positions: np.ndarray) -> TargetTask:
    labels = task.labels.copy()
    labels[positions] = 1 - labels[positions]
    return replace(task, labels=labels)


def same_bits(one: Member, other: Member) -> bool:
    parameters = all(
        np.array_equal(v, other.parameters[k], equal_nan=True) for k, v in one.parameters.items()
    )
    return parameters and np.array_equal(one.logits, other.logits)


def test_flipping_the_own_label_of_a_gene_leaves_its_out_of_fold_network_bit_identical(
    task, member
):
    known = np.flatnonzero((task.folds == FOLD.fold) & (task.labels == 1))[:1]
    assert same_bits(fit_member(flipped(task, known), FOLD, SHORT, seed=0), member)


def test_no_network_sees_any_label_of_its_test_fold(task, member):
    inside = np.flatnonzero(task.folds == FOLD.fold)
    everything = fit_member(flipped(task, inside), FOLD, SHORT, seed=0)
    assert same_bits(everything, member)
    assert (everything.centre, everything.scale) == (member.centre, member.scale)


def test_flipping_a_label_of_another_fold_does_change_the_network(task, member):
    # the two tests above would pass on a network that reads no labels at all
    outside = np.flatnonzero((task.folds != FOLD.fold) & (task.labels == 1))[:1]
    assert not same_bits(fit_member(flipped(task, outside), FOLD, SHORT, seed=0), member)


def test_a_withheld_gene_takes_no_part_in_training(task):
    withheld = task.withheld.copy()
    target = np.flatnonzero((task.folds != FOLD.fold) & (task.labels == 1))[:1]
    withheld[target] = True
    kept_out = replace(task, withheld=withheld)
    one = fit_member(kept_out, FOLD, SHORT, seed=0)
    other = fit_member(flipped(kept_out, target), FOLD, SHORT, seed=0)
    assert same_bits(one, other)


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not(task, member):
    torch.manual_seed(99)  # the state that another caller left behind must not matter
    assert same_bits(fit_member(task, FOLD, SHORT, seed=0), member)
    assert not np.array_equal(fit_member(task, FOLD, SHORT, seed=1).logits, member.logits)
    repeat = fit_member(task, Unit(FOLD.fold, 1), SHORT, seed=0)
    assert not np.array_equal(repeat.logits, member.logits)


def test_one_and_two_threads_give_the_same_bits(task, member):
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            found.append(fit_member(task, FOLD, SHORT, seed=0))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert same_bits(*found)


def test_a_member_survives_a_file_that_may_hold_no_python_objects(task, member):
    file = io.BytesIO()
    np.savez(file, **member.to_arrays())
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        again = Member.from_arrays(dict(arrays))
    assert again.unit == member.unit
    assert same_bits(again, member)
    assert set(again.parameters) == set(member.parameters)
    assert np.array_equal(again.scores, member.scores)


def test_a_loaded_network_repeats_the_logits_of_its_member(task, member):
    labels = np.where(task.folds == FOLD.fold, 0, task.labels)
    inputs = [torch.from_numpy(b.values) for b in task.blocks]
    inputs.append(known_channel(labels, labels.astype(bool)))
    operators = task.wiring.operators
    with torch.no_grad():
        logits = load_network(task, member)(inputs, [o.weight for o in operators], operators)
    np.testing.assert_allclose(logits.numpy(), member.logits, atol=1e-5)


def test_scores_are_standard_deviations_above_the_average_unlabelled_gene(task, member):
    unlabelled = (task.labels == 0) | (task.folds == FOLD.fold)
    assert member.scores[unlabelled].mean() == pytest.approx(0, abs=1e-5)
    assert member.scores[unlabelled].std() == pytest.approx(1, abs=1e-5)


def test_the_known_channel_has_unit_mean_square_however_many_are_known():
    for known in (1, 5, 50):
        labels = np.repeat([1, 0], [known, 100 - known])
        channel = known_channel(labels, labels.astype(bool)).numpy()
        assert (channel**2).mean() == pytest.approx(1)
        assert (channel[known:] == 0).all()


def test_a_half_shown_known_channel_makes_up_for_the_hidden_half():
    labels = np.repeat([1, 0], [10, 90])
    visible = np.arange(100) < 5
    half = known_channel(labels, visible, 0.5).numpy()
    assert half.sum() == pytest.approx(known_channel(labels, labels.astype(bool)).numpy().sum())
    assert (half[5:] == 0).all()


def test_every_fold_and_repeat_is_fitted_once():
    units = member_units(ModelSettings(folds=2, seeds=3))
    assert [u.name for u in units] == [f"fold{f}-repeat{r}" for f in (0, 1) for r in (0, 1, 2)]


def test_a_huge_learning_rate_is_refused_as_divergence(task):
    settings = replace(SHORT, learning_rate=1e30)
    with pytest.raises(
        TaskError, match=r"fold1-repeat0 diverged at step \d of 5, .* \(now 1e\+30\)"
    ):
        fit_member(task, FOLD, settings, seed=0)


def test_an_infinite_feature_is_refused_as_divergence(task):
    values = task.blocks[0].values.copy()
    values[7, 0] = np.inf
    broken = replace(task, blocks=(replace(task.blocks[0], values=values), task.blocks[1]))
    with pytest.raises(TaskError, match=r"diverged at step 1 .* look for extreme values"):
        fit_member(broken, FOLD, SHORT, seed=0)


def test_a_planted_signal_is_found_out_of_fold_and_a_shuffled_one_is_not(task):
    settings = replace(SHORT, epochs=25, hidden=16)
    values = task.blocks[0].values.copy()
    values[:, 0] += 2 * task.labels
    signal = replace(task, blocks=(replace(task.blocks[0], values=values), task.blocks[1]))
    shuffle = np.random.default_rng(0).permutation(len(values))
    noise = replace(task, blocks=(replace(task.blocks[0], values=values[shuffle]), task.blocks[1]))
    found = []
    for planted in (signal, noise):
        scores = np.zeros(len(task.genes))
        for fold in range(3):
            mine = task.folds == fold
            scores[mine] = fit_member(planted, Unit(fold, 0), settings, seed=0).scores[mine]
        found.append(roc_auc_score(task.labels, scores))
    assert found[0] > 0.85
    assert 0.3 < found[1] < 0.7
