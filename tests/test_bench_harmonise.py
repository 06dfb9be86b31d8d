"""The benchmark of cohorts judges what it says, and its known truth is the truth."""

import numpy as np
import pytest

from aimwell.bench.bars import BENCHES
from aimwell.bench.harmonise import FIXTURE, missing_bars, model_bars
from aimwell.bench.harmonise_gate import CASES, gate_bars, judge
from aimwell.bench.harmonise_layers import simulate_layers


def test_the_benchmark_can_be_asked_for():
    assert "harmonise" in BENCHES


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_every_design_is_judged_as_it_deserves(case):
    verdict, information = judge(case)
    assert verdict == case.verdict
    assert np.isnan(case.information) or abs(information - case.information) < 1e-12


def test_the_gate_bars_are_all_met():
    assert all(row.passed for row in gate_bars())


def test_missing_values_against_limma_are_measured_and_met():
    rows = list(missing_bars(FIXTURE))
    assert len(rows) == 2
    assert all(row.passed and row.value > 0 for row in rows)


def test_models_beyond_two_arms_against_limma_are_measured_and_met():
    assert [row.passed for row in model_bars(FIXTURE)] == [True] * 4


def test_simulated_layers_hold_the_effects_that_the_truth_names():
    cohort, truth = simulate_layers(3)
    case = (cohort.samples["arm"] == "case").to_numpy()
    rna, protein = (cohort.layers[n].values for n in ("rna", "protein"))
    change = [t[case].mean() - t[~case].mean() for t in (rna, protein)]
    gap = (change[1] - 0.6 * change[0]).abs()
    assert gap[truth["discordant"]].median() > 3 * gap[~truth["discordant"]].median()
    missing = protein.isna().mean()
    assert missing[truth["low_coverage"]].mean() == pytest.approx(0.6, abs=0.02)
