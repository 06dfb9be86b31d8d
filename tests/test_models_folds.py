"""Folds keep families whole and always have something to test."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aimwell.errors import AimwellError, TaskError
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.folds import deal_folds, family_folds, inner_split, study_of
from aimwell.pipeline.given_folds import read_folds


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


# -- kinds of folds


@pytest.fixture(scope="module")
def starter():
    return read_starter_graph()


def is_split(values, groups):
    """Tell for every group whether its members have more than one value."""
    by_group = pd.Series(np.asarray(values)).groupby(np.asarray(groups))
    return by_group.min() != by_group.max()


def known_of(graph, every=25):
    return pd.Index(sorted(graph.genes)[::every])


@pytest.mark.parametrize("by", ["family", "complex", "degree", "study"])
def test_every_kind_of_fold_keeps_groups_whole_and_tests_known_targets(starter, by):
    known = known_of(starter)
    folds = deal_folds(by, starter, known, k=3, seed=0)
    table = folds.table
    assert not is_split(table["fold"], table["group"]).any()
    assert all((table.loc[known, "fold"] == f).any() for f in folds.reported)
    families = starter.nodes["gene"]["family"].astype(str).reindex(table.index)
    assert not is_split(table["fold"], families).any()


def test_folds_by_complex_keep_subunits_together(starter):
    folds = deal_folds("complex", starter, known_of(starter), k=3, seed=0)
    members = starter.relations["subunit_of"].edges
    fold = members["source_id"].map(folds.table["fold"])
    split = is_split(fold, members["target_id"]).sum()
    (step,) = folds.steps
    assert split <= step.rows_in - step.rows_out  # only those that are counted as skipped
    plain = deal_folds("family", starter, known_of(starter), k=3, seed=0).table["fold"]
    mixed = is_split(members["source_id"].map(plain), members["target_id"])
    assert mixed.sum() > split


def test_folds_by_degree_are_strata_of_families(starter):
    folds = deal_folds("degree", starter, known_of(starter), k=3, seed=0)
    degree = np.log1p(starter.degree().reindex(folds.table.index))
    mean = degree.groupby(folds.table["group"]).mean()
    fold = folds.table.groupby("group")["fold"].first()
    ends = mean.groupby(fold).agg(["min", "max"])
    assert (ends["max"].to_numpy()[:-1] <= ends["min"].to_numpy()[1:]).all()


def test_the_study_holdout_tests_the_least_studied(starter):
    known = known_of(starter)
    folds = deal_folds("study", starter, known, k=5, seed=0)
    assert folds.reported == (0,)
    assert folds.numbers == (0, 1)
    study = pd.Series(study_of(starter, folds.table.index), folds.table.index)
    by_fold = study[known].groupby(folds.table.loc[known, "fold"]).mean()
    assert by_fold[0] < by_fold[1]


def test_folds_by_date_never_let_a_late_family_teach(starter):
    known = known_of(starter)
    dates = {g: f"20{10 + i % 10}-01-01" for i, g in enumerate(known)}
    folds = deal_folds("date", starter, known, k=5, seed=0, dates=dates)
    early = folds.table.loc[known, "fold"] == 1
    cut = max(dates[g] for g in known[early])
    assert all(dates[g] > cut or not early[g] for g in known if dates[g] > cut)
    assert min(dates[g] for g in known[~early]) <= max(dates.values())
    assert folds.reported == (0,)
    assert early.sum() >= len(known) // 3


def test_folds_by_date_need_every_date(starter):
    known = known_of(starter)
    dates = dict.fromkeys(known[1:], "2015-01-01")
    with pytest.raises(TaskError, match=rf"1 of {len(known)} have none: '{known[0]}'"):
        deal_folds("date", starter, known, k=5, seed=0, dates=dates)


def test_given_folds_are_taken_and_filled_by_family(starter):
    known = known_of(starter)
    families = starter.nodes["gene"]["family"].astype(str)
    given = pd.Series({g: i % 2 for i, g in enumerate(known)})
    given = given.groupby(families[known].to_numpy()).transform("first")
    folds = deal_folds("given", starter, known, k=5, seed=0, given=given)
    assert folds.table.loc[known, "fold"].equals(given.rename("fold").astype(np.int64))
    (step,) = folds.steps
    assert (step.rows_in, step.rows_out) == (len(starter.genes), len(known))


def test_given_folds_that_split_a_family_are_refused_as_a_leak(starter):
    families = starter.nodes["gene"]["family"].astype(str)
    large = families.value_counts().index[0]
    pair = families.index[families == large][:2]
    known = known_of(starter)
    given = pd.Series({**dict.fromkeys(known, 0), pair[0]: 0, pair[1]: 1})
    with pytest.raises(TaskError, match="give each other's label away"):
        deal_folds("given", starter, known, k=2, seed=0, given=given)


def test_given_folds_that_leave_out_a_known_target_are_refused(starter):
    known = known_of(starter)
    given = pd.Series({g: i % 2 for i, g in enumerate(known[1:])})
    with pytest.raises(TaskError, match=f"leave out 1 of {len(known)} known targets"):
        deal_folds("given", starter, known, k=2, seed=0, given=given)


def test_known_targets_of_one_family_are_refused_with_what_can_be_done(starter):
    families = starter.nodes["gene"]["family"].astype(str)
    known = families.index[families == families.value_counts().index[0]]
    with pytest.raises(TaskError, match=r"all belong to the family .* model.objective = 'none'"):
        deal_folds("family", starter, known, k=3, seed=0)


def test_an_inner_split_stays_inside_the_training_genes_and_keeps_families_whole(starter):
    folds = deal_folds("family", starter, known_of(starter), k=3, seed=0)
    labels, training = folds.table["is_known"].to_numpy().astype(int), folds.array != 0
    inner = inner_split(folds.table["group"], labels, training, np.random.default_rng(0))
    assert inner.any()
    assert not (inner & ~training).any()
    assert not is_split(inner[training], folds.table["group"].to_numpy()[training]).any()
    assert 0 < labels[inner].sum() < labels[training].sum()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is no table of folds"),
        ("\n\n", "is no table of folds"),
        ("abc", "lacks the columns|is no table of folds"),
        ("gene\tfold\nTP53\tone\n", "1 folds are no whole numbers"),
        ('gene\tfold\n"TP53\t1\n', "is no table of folds|lacks|resolve"),
        ("gene\tfold\nTP53\t0\nTP53\t1\n", "puts 1 genes into two folds: 'HGNC:11998'"),
        ("\0\0\0", "is no table of folds|lacks"),
    ],
    ids=["empty", "blank", "one word", "no number", "a quote", "twice", "NUL"],
)
def test_a_damaged_table_of_folds_is_refused(text, words, tmp_path, starter):
    path = tmp_path / "folds.tsv"
    path.write_text(text)
    with pytest.raises(AimwellError, match=words):
        read_folds(path, IdentifierTable.from_graph(starter), 0.5)
