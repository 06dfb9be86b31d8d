"""Statistics of trust: laws, known answers, and planted failures that must be found."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from aimwell.models.accuracy import matched_auroc
from aimwell.trust.bias import matched_interval, without_degree
from aimwell.trust.calibration import (
    calibrate,
    conformal_p,
    expected_error,
    reliability_table,
    select,
)
from aimwell.trust.nulls import q_values, ranking_p, standing_out, target_p, worst_p
from aimwell.trust.stability import (
    left_out_table,
    nogueira_stability,
    rank_biased_overlap,
    rank_interval,
    ranks_of,
    top_overlap,
)


def draws(rng: np.random.Generator, count: int, n: int) -> np.ndarray:
    """Rankings that share a mean and a spread per gene, and a level per draw."""
    mean, spread = rng.normal(size=n), rng.lognormal(0, 0.7, n)
    level = rng.normal(size=(count, 1))
    shared = rng.normal(size=(1, n))
    return mean + spread * (rng.normal(size=(count, n)) + 0.5 * level * shared)


def test_p_values_of_targets_are_uniform_where_the_run_is_one_of_the_draws() -> None:
    rng = np.random.default_rng(0)
    one_gene_each = []
    for _ in range(300):
        scores = draws(rng, 11, 200)
        p = target_p(scores[0], scores[1:], rng.normal(size=200))
        one_gene_each.append(p[rng.integers(200)])
    assert stats.kstest(one_gene_each, "uniform").pvalue > 0.05
    assert min(one_gene_each) < 0.02


def test_over_which_draw_is_the_run_the_p_values_never_fall_below_their_level() -> None:
    # for any scores whatever: it is a property of ranks, not of these
    scores = draws(np.random.default_rng(1), 6, 90) ** 3
    degree = np.arange(90.0)
    p = np.array(
        [target_p(scores[i], np.delete(scores, i, axis=0), degree) for i in range(len(scores))]
    )
    for level in (0.01, 0.05, 0.1, 0.5):
        assert (p <= level).mean() <= level + 1e-12


def test_genes_that_stand_out_get_small_p_values_and_others_do_not() -> None:
    rng = np.random.default_rng(2)
    scores = draws(rng, 21, 500)
    spread = scores[1:].std(axis=0)
    scores[0, :5] = scores[1:].mean(axis=0)[:5] + 8 * spread[:5]
    p = target_p(scores[0], scores[1:], rng.normal(size=500))
    assert p[:5].max() < 0.002
    assert (q_values(p)[5:] <= 0.1).sum() <= 1
    assert (q_values(p)[:5] <= 0.1).all()


def test_standing_out_is_measured_against_the_other_draws_of_the_gene() -> None:
    scores = np.array([[3.0, 0.0], [0.0, 0.0], [2.0, 0.0]])
    floor = np.quantile(scores.std(axis=0), 0.2)
    expected = (3.0 - 1.0) / (1.0 + floor)
    assert standing_out(scores)[0, 0] == pytest.approx(expected)


def test_the_p_value_of_a_ranking_is_its_rank() -> None:
    null = np.arange(19) / 100
    assert ranking_p(0.5, null)[0] == pytest.approx(0.05)
    assert ranking_p(-1.0, null)[0] == 1.0
    rng = np.random.default_rng(3)
    ours = [ranking_p(*split(rng.normal(size=20))) for _ in range(400)]
    assert stats.kstest([normal for _, normal in ours], "uniform").pvalue > 0.05


def split(values: np.ndarray) -> tuple[float, np.ndarray]:
    return float(values[0]), values[1:]


def test_a_target_must_stand_out_against_every_null() -> None:
    table = pd.DataFrame({"edges": [0.001, 0.001], "labels": [0.002, 0.9]}, index=["a", "b"])
    assert worst_p(table).tolist() == [0.002, 0.9]


def test_a_ranking_by_degree_alone_is_told_apart_by_matching() -> None:
    rng = np.random.default_rng(4)
    degree = rng.lognormal(2, 1, 4000)
    truth = rng.random(4000) < 0.02 * degree / degree.mean()
    assert roc_auc_score(truth, degree) > 0.65
    low, high = matched_interval(truth, np.log(degree) + rng.normal(0, 0.3, 4000), degree)
    assert low < 0.55
    planted = np.log(degree) + 2.0 * truth
    low, _ = matched_interval(truth, planted, degree)
    assert low > 0.7
    area = matched_auroc(truth, planted, degree)
    assert low <= area <= matched_interval(truth, planted, degree)[1]
    del high


def test_what_degree_explains_can_be_taken_out() -> None:
    rng = np.random.default_rng(5)
    degree, signal = rng.normal(size=3000), rng.normal(size=3000)
    scores = np.tanh(degree) * 3 + signal
    rest = without_degree(scores, degree, np.zeros(3000), np.ones(3000, bool))
    assert abs(stats.spearmanr(rest, degree).statistic) < 0.05
    assert stats.spearmanr(rest, signal).statistic > 0.95


def test_ranks_and_overlaps_of_rankings_worked_out_by_hand() -> None:
    assert ranks_of(np.array([0.1, 0.9, 0.9, -1])).tolist() == [3, 1, 2, 4]
    one, other = np.array([1, 2, 3, 4]), np.array([2, 1, 4, 3])
    assert top_overlap(one, other, 2) == 1.0
    # agreement at depths 1 to 4: 0, 1, 2/3, 1
    weight = 0.5 ** np.arange(4.0)
    expected = (weight * [0, 1, 2 / 3, 1]).sum() / weight.sum()
    assert rank_biased_overlap(one, other, 0.5) == pytest.approx(expected)
    low, high = rank_interval(np.array([[1, 9], [2, 8], [3, 7]]))
    assert (low.tolist(), high.tolist()) == ([1, 7], [3, 9])


def test_stability_is_one_for_equal_lists_and_zero_for_lists_at_random() -> None:
    rng = np.random.default_rng(6)
    order = rng.permutation(400) + 1
    assert nogueira_stability(np.array([order] * 5), 40) == 1.0
    chance = [
        nogueira_stability(np.array([rng.permutation(400) + 1 for _ in range(5)]), 40)
        for _ in range(40)
    ]
    assert abs(np.mean(chance)) < 0.02


def test_a_layer_that_carries_the_signal_is_worth_more_than_one_that_does_not() -> None:
    rng = np.random.default_rng(7)
    known = rng.random(1000) < 0.05
    signal, noise = known * 2.0 + rng.normal(0, 0.5, 1000), rng.normal(0, 0.1, 1000)
    table = left_out_table(
        signal + noise, {"signal": noise, "noise": signal}, known, 100
    ).set_index("left_out")
    assert table.loc["signal", "adds_average_precision"] > 0.5
    assert abs(table.loc["noise", "adds_average_precision"]) < 0.1
    assert table.loc["signal", "median_rank_change"] > table.loc["noise", "median_rank_change"]


def hidden_targets(seed: int, n: int = 20_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, all targets, and the third of them that is known."""
    rng = np.random.default_rng(seed)
    target = rng.random(n) < 0.06
    scores = rng.normal(0, 1, n) + 2.5 * target
    return scores, target, target & (rng.random(n) < 1 / 3)


def test_probabilities_hold_for_known_targets_and_nearly_for_hidden_ones() -> None:
    scores, target, known = hidden_targets(8)
    folds = np.arange(len(scores)) % 5
    found = calibrate(scores, known, folds)
    assert found.ece[0] < 0.005
    assert found.ece[1] <= found.ece[0] <= found.ece[2]
    # corrected, the probabilities are those of being a target, known or not
    assert expected_error(found.probability, target) < 0.02
    assert expected_error(found.named, target) > 0.03
    assert np.corrcoef(found.probability, target)[0, 1] > 0.5


def test_a_score_far_above_all_others_is_worth_what_the_highest_are() -> None:
    scores, _, known = hidden_targets(12)
    far = int(np.argmax(scores))
    raised = scores.copy()
    raised[far] += 100
    folds = np.arange(len(scores)) % 5
    one, other = (calibrate(s, known, folds).named for s in (scores, raised))
    assert other[far] == one[far] == other.max()


def test_a_spoilt_calibration_is_seen() -> None:
    scores, _, known = hidden_targets(9)
    found = calibrate(scores, known, np.arange(len(scores)) % 5)
    assert expected_error(np.sqrt(found.named), known) > 0.05
    table = reliability_table(found.named, known)
    assert table["genes"].sum() == len(known)
    inside = (table["low"] <= table["predicted"]) & (table["predicted"] <= table["high"])
    assert inside.mean() >= 0.6


def test_no_gene_takes_part_in_the_calibration_of_its_own() -> None:
    scores, _, known = hidden_targets(10, 2000)
    folds = np.arange(2000) % 4
    turned = known.copy()
    turned[folds == 1] = ~turned[folds == 1]
    one, other = (calibrate(scores, k, folds, 1.0).named for k in (known, turned))
    assert np.array_equal(one[folds == 1], other[folds == 1])
    assert not np.array_equal(one[folds == 0], other[folds == 0])


def test_selection_keeps_its_false_discovery_rate() -> None:
    rng = np.random.default_rng(11)
    wrong, found = [], []
    for _ in range(200):
        null, genes = rng.normal(size=500), rng.normal(size=300)
        genes[:30] += 3
        chosen = select(conformal_p(genes, null), 0.2)
        wrong.append(chosen[30:].sum() / max(chosen.sum(), 1))
        found.append(chosen[:30].mean())
    assert np.mean(wrong) <= 0.2
    assert np.mean(found) > 0.5
