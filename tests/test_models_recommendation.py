"""Which scorer is recommended, and how far its lead is to be believed."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score

from aimwell.models.recommendation import jackknife_error, recommend, without_each

N = 2000


def places(*at: int) -> tuple[list[str], np.ndarray]:
    """Scores that put the known targets, the first genes, at the given ranks from 0."""
    score = np.empty(N)
    score[: len(at)] = -np.array(at, float)
    score[len(at) :] = -np.setdiff1d(np.arange(N), at)[: N - len(at)]
    return [f"g{i:04d}" for i in range(N)], score


def advise(families: "list[str] | None" = None, **scorers: "list[int]"):
    """Recommend between scorers, each given by the ranks at which it puts the known targets."""
    genes = places(0)[0]
    count = len(next(iter(scorers.values())))
    table = pd.DataFrame({k: places(*at)[1] for k, at in scorers.items()}, genes)
    known = pd.Series(np.arange(N) < count, genes)
    return recommend(table, known, pd.Series([*(families or genes[:count]), *genes[count:]], genes))


def test_a_network_that_clearly_wins_is_recommended():
    advice = advise(degree=list(range(100, 120)), network=list(range(20)))
    assert advice.is_network
    assert (advice.known, advice.families) == (20, 20)
    assert "finds known targets best" in advice.sentence


def test_a_network_that_ties_with_a_simple_scorer_is_not_recommended():
    even = list(range(0, 40, 2))
    advice = advise(network=even, degree=even)
    assert (advice.scorer, advice.best) == ("degree", "degree")
    assert "does not beat the ladder" in advice.sentence


def test_a_network_that_loses_says_so_and_names_the_winner():
    advice = advise(degree=list(range(20)), network=list(range(100, 120)))
    assert advice.scorer == advice.best == "degree"
    assert "use degree (1.000)" in advice.sentence


#: Ranks of twenty targets, from very early to very late, as on a real cohort.
SPREAD = [2, 5, 11, 20, 34, 50, 75, 100, 140, 190, 250, 320, 400, 500, 620, 750, 900, 1100, 1300]


def test_a_lead_at_every_target_counts_though_the_scorers_themselves_are_uncertain():
    """The error of the difference decides, not that of each average precision."""
    ahead = [int(0.8 * at) for at in SPREAD]
    advice = advise(walk=SPREAD, network=ahead)
    row = advice.scorers.loc["walk"]
    assert row["lead"] < row["standard_error"]  # by separate errors it would be a tie
    assert row["lead"] < advice.scorers.loc["network", "standard_error"]
    assert row["lead_error"] < row["lead"]
    assert advice.is_network


def test_a_lead_that_hangs_on_one_target_does_not_count():
    ahead = [0, *(at + 3 for at in SPREAD[1:])]
    advice = advise(walk=[600, *SPREAD[1:]], network=ahead)
    row = advice.scorers.loc["walk"]
    assert row["lead"] > 0.05
    assert row["lead"] <= row["lead_error"]
    assert advice.scorers.loc["network", "average_precision"] > 1.5 * row["average_precision"]
    assert advice.scorer == "walk"
    assert f"{row['lead']:.3f} with a standard error of {row['lead_error']:.3f}" in advice.sentence


def test_relatives_that_rise_together_are_one_observation():
    late = [300 + 40 * i for i in range(12)]
    early = [*range(5), *late[5:]]
    alone = advise(walk=late, network=early)
    together = advise(["kin"] * 5 + [f"f{i}" for i in range(7)], walk=late, network=early)
    assert together.families == 8
    assert together.scorers.loc["walk", "lead"] == alone.scorers.loc["walk", "lead"]
    error = "lead_error"
    assert together.scorers.loc["walk", error] > 1.8 * alone.scorers.loc["walk", error]


def test_leaving_a_family_out_is_the_average_precision_of_the_others():
    rng = np.random.default_rng(5)
    score, truth = rng.integers(0, 30, 200).astype(float), rng.random(200) < 0.15
    groups = rng.integers(0, 6, int(truth.sum()))
    whole, left = without_each(score, truth, groups)
    assert whole == pytest.approx(average_precision_score(truth, score))
    at = np.flatnonzero(truth)
    for group in range(6):
        stay = np.setdiff1d(np.arange(200), at[groups == group])
        assert left[group] == pytest.approx(average_precision_score(truth[stay], score[stay]))


def test_the_error_is_that_of_other_known_targets_of_the_same_kind():
    """Over many draws of targets the lead varies as the jackknife of one draw says."""
    rng = np.random.default_rng(9)
    leads, errors = [], []
    for _ in range(150):
        quality = rng.normal(2.0, 1.5, 30)
        truth = np.arange(600) < 30
        base = np.r_[quality, np.zeros(570)] + rng.normal(0, 1, 600)
        pair = [base + rng.normal(0, s, 600) for s in (0.5, 0.8)]
        found = [without_each(s, truth, np.arange(30)) for s in pair]
        leads.append(found[0][0] - found[1][0])
        errors.append(jackknife_error(found[0][1] - found[1][1]))
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(leads), rel=0.3)


def test_one_family_gives_no_error_and_the_best_is_named():
    advice = advise(["kin"] * 3, walk=[5, 6, 7], network=[0, 1, 2])
    assert advice.scorer == "network"
    assert np.isnan(advice.scorers.loc["walk", "lead_error"])
