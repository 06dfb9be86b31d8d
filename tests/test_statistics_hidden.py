"""Batches that nobody wrote down: found where planted, not where nothing is, never by accident."""

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.hidden import find_hidden_batches, with_hidden_batches
from aimwell.config import ContrastSettings


def cohort(first: int, shift: float, seed: int) -> tuple[pd.DataFrame, Design, np.ndarray]:
    """40 samples, a hidden batch with ``first`` of 20 cases; a third of the genes show it."""
    rng = np.random.default_rng(seed)
    ids = [f"s{i:02d}" for i in range(40)]
    batch = np.array([0] * first + [1] * (20 - first) + [1] * first + [0] * (20 - first))
    genes = 1200
    show = rng.random(genes) < 1 / 3
    values = rng.normal(8, 1, (40, genes))
    values += shift * batch[:, None] * np.where(show, rng.normal(0, 1, genes), 0)
    case = np.arange(40) < 20
    values[:, :100] += 1.5 * case[:, None]
    sheet = pd.DataFrame({"subject": ids, "arm": np.where(case, "x", "y")}, index=ids)
    design = build_design(sheet, ids, ContrastSettings("c", "rna", "arm", "x", "y"))
    return pd.DataFrame(values, ids, [f"g{i:04d}" for i in range(genes)]), design, batch


@pytest.mark.parametrize("first", [10, 15])
def test_a_planted_batch_is_found_once_and_where_it_is(first):
    values, design, batch = cohort(first, 2.0, 1)
    found = find_hidden_batches(values, design)
    assert found.variates.columns.tolist() == ["hidden_1"]
    assert abs(np.corrcoef(found.variates["hidden_1"], batch)[0, 1]) > 0.95
    # 15 of 20 against 5 of 20 share a quarter of their variance with the condition
    wanted = (2 * first / 20 - 1) ** 2
    assert found.with_condition[0] == pytest.approx(wanted, abs=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_independent_noise_and_a_real_effect_hide_no_batch(seed):
    values, design, _ = cohort(10, 0.0, seed)
    assert find_hidden_batches(values, design).variates.shape[1] == 0


def test_a_batch_in_the_model_gives_its_variance_back():
    values, design, _ = cohort(15, 2.0, 2)
    better = with_hidden_batches(design, find_hidden_batches(values, design))
    assert better.information == pytest.approx(0.75, abs=0.08)
    assert "1 hidden batches are in the model" in better.notes[-1]
    plain, adjusted = fit_contrast(values, design), fit_contrast(values, better)
    null = values.columns[100:]
    assert (plain.loc[null, "p"] < 0.05).mean() > 0.15
    assert 0.03 < (adjusted.loc[null, "p"] < 0.05).mean() < 0.075


def test_a_hidden_batch_that_nearly_is_the_condition_warns():
    values, design, _ = cohort(19, 4.0, 3)
    found = find_hidden_batches(values, design)
    assert max(found.with_condition) > 0.5
    assert "more than half of 'arm[x]'" in found.notes[-1]


def test_the_order_of_samples_and_genes_does_not_matter():
    values, design, _ = cohort(15, 2.0, 4)
    mixed = values.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    one, other = find_hidden_batches(values, design), find_hidden_batches(mixed, design)
    pd.testing.assert_frame_equal(one.variates, other.variates, check_exact=True)


def test_too_few_genes_are_not_searched():
    values, design, _ = cohort(15, 2.0, 4)
    found = find_hidden_batches(values.iloc[:, :50], design)
    assert found.variates.shape[1] == 0
    assert "too few to search" in found.notes[0]
