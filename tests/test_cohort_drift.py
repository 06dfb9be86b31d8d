"""Drift over the order of measurement is found, and its absence is, too."""

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.check import check_cohort
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.drift import check_drift
from aimwell.config import ContrastSettings

CONTRAST = ContrastSettings("c", "p", "arm", "x", "y")


def study(level: float, genes: int, seed: int = 1) -> Cohort:
    """24 runs in random order; the level rises, or some genes do by 1 over all runs."""
    rng = np.random.default_rng(seed)
    ids = [f"s{i:02d}" for i in range(24)]
    order = rng.permutation(24)
    values = rng.normal(20, 2, 400) + rng.normal(0, 0.3, (24, 400)) + level * order[:, None] / 23
    values[:, :genes] += order[:, None] / 23
    values[rng.random(values.shape) < 0.1] = np.nan
    sheet = pd.DataFrame({"subject": ids, "arm": list("xy") * 12, "Injection order": order}, ids)
    layer = Layer("p", "protein", "log2", pd.DataFrame(values, ids, [f"g{i}" for i in range(400)]))
    return Cohort({"p": layer}, sheet)


def test_a_level_that_rises_run_by_run_is_told_and_no_gene_is():
    (found,) = check_drift(study(2.0, 0), [CONTRAST])
    assert found.drifts
    assert found.level > 0.8
    assert found.genes < 0.02
    assert found.column == "Injection order"


def test_genes_that_rise_are_told_though_the_level_stands():
    (found,) = check_drift(study(0.0, 80), [CONTRAST])
    assert found.drifts
    assert found.genes == pytest.approx(0.2, abs=0.05)


@pytest.mark.parametrize("seed", range(5))
def test_runs_without_drift_are_called_steady(seed):
    (found,) = check_drift(study(0.0, 0, seed), [CONTRAST])
    assert not found.drifts


def test_arms_measured_one_after_the_other_are_told():
    cohort = study(0.0, 0)
    late = cohort.samples["Injection order"] >= 12
    cohort.samples["arm"] = np.where(late, "x", "y")
    (found,) = check_drift(cohort, [CONTRAST])
    assert found.condition["c"] == pytest.approx(0.75, abs=0.01)
    cohort.samples["arm"] = np.where(cohort.samples["Injection order"] % 2, "x", "y")
    assert check_drift(cohort, [CONTRAST])[0].condition["c"] < 0.01


def test_without_an_order_nothing_is_said_and_the_check_carries_it_otherwise():
    cohort = study(1.0, 0)
    assert check_cohort(cohort, [CONTRAST]).drifts[0].drifts
    bare = Cohort(cohort.layers, cohort.samples.drop(columns="Injection order"))
    assert check_cohort(bare, [CONTRAST]).drifts == ()
    words = Cohort(cohort.layers, cohort.samples.assign(**{"Injection order": "first"}))
    assert check_drift(words, [CONTRAST]) == ()
