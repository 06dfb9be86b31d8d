"""Folds keep families whole and always have something to test."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aimwell.errors import TaskError
from aimwell.models.folds import family_folds


@st.composite
def families_and_known(draw):
    """Draw families of 1 to 60 genes, known targets among them, and a number of folds."""
    names = draw(st.lists(st.integers(0, 15), min_size=1, max_size=60))
    genes = pd.Index(sorted(f"HGNC:{i}" for i in range(len(names))))
    known = draw(st.sets(st.sampled_from(list(genes))))
    return pd.Series([f"family {v}" for v in names], genes), pd.Index(sorted(known))


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(families_and_known(), st.integers(2, 5), st.integers(0, 99))
def test_families_stay_whole_and_every_fold_tests_known_targets(drawn, k, seed):
    families, known = drawn
    assume(families[known].nunique() >= k)
    folds = pd.Series(family_folds(families, known, k, seed), families.index)
    by_family = folds.groupby(families)
    assert by_family.min().equals(by_family.max())
    assert set(folds[known]) == set(range(k))


@settings(max_examples=25, deadline=None, derandomize=True, database=None)
@given(families_and_known(), st.randoms(use_true_random=False))
def test_the_order_of_genes_and_targets_does_not_matter(drawn, random):
    families, known = drawn
    assume(families[known].nunique() >= 2)
    folds = pd.Series(family_folds(families, known, 2, 7), families.index)
    order, targets = list(families.index), list(known)
    random.shuffle(order)
    random.shuffle(targets)
    again = pd.Series(family_folds(families[order], pd.Index(targets), 2, 7), order)
    assert again.reindex(folds.index).equals(folds)


def test_targets_and_genes_are_spread_evenly():
    genes = pd.Index([f"HGNC:{i:03d}" for i in range(100)])
    families = pd.Series([f"f{i:03d}" for i in range(100)], genes)
    folds = family_folds(families, genes[::5], 4, 0)
    assert np.bincount(folds[::5]).tolist() == [5, 5, 5, 5]
    assert np.bincount(folds).tolist() == [25, 25, 25, 25]


def test_targets_are_balanced_before_genes():
    # 3 targets in 3 genes, 2 in 20, 1 in 1: the last joins the second, however large that is
    names = ["a"] * 3 + ["b"] * 20 + ["c"]
    genes = pd.Index([f"HGNC:{i:03d}" for i in range(24)])
    folds = family_folds(pd.Series(names, genes), genes[[0, 1, 2, 3, 4, 23]], 2, 0)
    assert [folds[0], folds[3], folds[23]] == [0, 1, 1]


def test_another_seed_deals_other_folds():
    genes = pd.Index([f"HGNC:{i:03d}" for i in range(40)])
    families = pd.Series([f"f{i:03d}" for i in range(40)], genes)
    dealt = {tuple(family_folds(families, genes[:10], 2, seed)) for seed in range(4)}
    assert len(dealt) == 4


def test_too_few_families_with_targets_are_refused_with_counts_and_advice():
    genes = pd.Index(["a", "b", "c", "d"])
    families = pd.Series(["x", "x", "x", "y"], genes)
    with pytest.raises(TaskError) as refusal:
        family_folds(families, genes, 3, 0)
    assert str(refusal.value) == (
        "the 4 known targets fall into 2 gene families; 3 folds need at least 3. "
        "Lower model.folds or name more known targets"
    )
