"""Counts become weighted log2 abundances with the numbers of edgeR, limma and R."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aimwell.cohorts.counts import _within, expressed_genes, lowess, tmm_factors, voom
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import fit_contrast, fit_linear
from aimwell.config import ContrastSettings
from aimwell.errors import CohortError

DATA = Path(__file__).parent / "data" / "statistics"


@pytest.fixture
def counts() -> pd.DataFrame:
    return pd.read_csv(DATA / "counts.csv", index_col=0)


@pytest.fixture
def design(counts: pd.DataFrame) -> Design:
    sheet = pd.DataFrame({"subject": counts.index, "arm": ["y", "x"] * 4}, index=counts.index)
    return build_design(sheet, sheet.index, ContrastSettings("toy", "rna", "arm", "x", "y"))


def test_the_same_genes_are_expressed_as_in_edger(counts, design):
    wanted = pd.read_csv(DATA / "counts_voom.csv")["gene"]
    assert expressed_genes(counts, design).tolist() == wanted.tolist()


def test_tmm_factors_are_those_of_edger(counts, design):
    wanted = pd.read_csv(DATA / "counts_tmm.csv", index_col="sample")["factor"]
    found = tmm_factors(counts[expressed_genes(counts, design)])
    np.testing.assert_allclose(found, wanted.reindex(found.index), rtol=1e-10)


def test_voom_weights_effects_and_p_values_are_those_of_limma(counts, design):
    wanted = pd.read_csv(DATA / "counts_voom.csv", index_col="gene")
    ready = voom(counts[expressed_genes(counts, design)], design)
    np.testing.assert_allclose(ready.weights.loc["s1"], wanted["first_weight"], rtol=1e-9)
    table = fit_contrast(ready.values, design, ready.weights)
    np.testing.assert_allclose(table["log2_fold_change"], wanted["log2_fold_change"], atol=1e-10)
    np.testing.assert_allclose(table["log10_p"], np.log10(wanted["p"]), atol=1e-8)


def test_lowess_is_that_of_r_with_ties_and_an_outlier():
    table = pd.read_csv(DATA / "lowess.csv")
    found = lowess(table["x"].to_numpy(), table["y"].to_numpy(), span=0.4)
    np.testing.assert_allclose(found, table["smooth"], rtol=1e-9)


def test_deeper_sequencing_alone_changes_no_factor(counts):
    deeper = counts.mul(np.arange(1, 9), axis=0)
    # relative counts are the same; only the precision weights move a little
    np.testing.assert_allclose(tmm_factors(deeper), tmm_factors(counts), rtol=0.02)


def test_one_huge_gene_is_trimmed_away():
    rng = np.random.default_rng(1)
    table = pd.DataFrame(
        rng.poisson(200, (4, 300)), list("abcd"), [f"g{i:03d}" for i in range(300)]
    )
    table.iloc[3, 0] = 60_000  # doubles the library of sample d without any other gene changing
    factors = tmm_factors(table)
    effective = factors * table.sum(axis=1)
    np.testing.assert_allclose(effective / effective.mean(), 1, atol=0.03)
    assert np.exp(np.log(factors).mean()) == pytest.approx(1)


def test_higher_counts_weigh_more(counts, design):
    ready = voom(counts, design)
    mean, weight = counts.mean(), ready.weights.mean()
    assert weight[mean > 300].min() > weight[mean < 5].max()


def test_a_sample_without_counts_is_refused_by_name(counts):
    counts.loc["s3"] = 0
    with pytest.raises(CohortError, match="without a single count: 's3'"):
        tmm_factors(counts)


def test_a_gene_needs_counts_in_as_many_samples_as_the_smaller_arm():
    ids = [f"s{i}" for i in range(6)]
    sheet = pd.DataFrame({"subject": ids, "arm": list("xxxxyy")}, index=ids)
    design = build_design(sheet, ids, ContrastSettings("toy", "rna", "arm", "x", "y"))
    table = pd.DataFrame({"rest": 1000, "two": 0, "one": 0, "low": 2}, index=ids)
    table.loc[["s0", "s5"], "two"] = 20
    table.loc["s1", "one"] = 40
    assert expressed_genes(table, design).tolist() == ["rest", "two"]


def lengths_study() -> tuple[pd.DataFrame, pd.DataFrame, Design]:
    rng = np.random.default_rng(11)
    samples = [f"s{i}" for i in range(8)]
    counts = pd.DataFrame(
        rng.poisson(rng.gamma(2, 200, 300), (8, 300)).astype(float),
        samples,
        [f"HGNC:{i:03}" for i in range(300)],
    )
    sheet = pd.DataFrame({"subject": samples, "arm": ["x", "y"] * 4}, index=samples)
    design = build_design(sheet, samples, ContrastSettings("c", "rna", "arm", "y", "x"))
    return counts, pd.DataFrame(np.log(1000.0), counts.index, counts.columns), design


def test_a_gene_that_only_grows_longer_does_not_change() -> None:
    counts, lengths, design = lengths_study()
    plain = voom(counts, design, offsets=lengths)
    longer, more = lengths.copy(), counts.copy()
    gene = counts.columns[7]
    more.loc[design.samples[design.is_case], gene] *= 4
    longer.loc[design.samples[design.is_case], gene] += np.log(4)
    found = voom(more, design, offsets=longer)
    fit, before = fit_linear(found.values, design), fit_linear(plain.values, design)
    at = list(found.values.columns).index(gene)
    change = fit.effect[at] - before.effect[at]
    assert abs(change) < 0.01  # the half count that is added before the logarithm
    naive = fit_linear(voom(more, design).values, design)
    assert naive.effect[at] - before.effect[at] == pytest.approx(2, abs=0.05)


def test_lengths_that_do_not_vary_between_samples_change_nothing() -> None:
    counts, lengths, design = lengths_study()
    by_gene = lengths + np.linspace(-1, 3, 300)
    with_lengths, without = voom(counts, design, offsets=by_gene), voom(counts, design)
    pd.testing.assert_frame_equal(with_lengths.values, without.values, rtol=1e-12)
    pd.testing.assert_frame_equal(with_lengths.weights, without.weights, rtol=1e-9)


def test_a_count_keeps_its_precision_when_it_is_divided_by_a_length() -> None:
    counts, lengths, design = lengths_study()
    lengths.loc["s0"] += np.log(100)  # as many reads as before, from longer transcripts
    shifted = voom(counts, design, offsets=lengths).weights
    np.testing.assert_allclose(shifted, voom(counts, design).weights, rtol=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_trimming_is_by_mean_ranks_of_ties(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 12, int(rng.integers(1, 60))).astype(float)
    for trim in (0.05, 0.3):
        cut, rank = np.floor(len(x) * trim), stats.rankdata(x)
        wanted = (rank >= cut + 1) & (rank <= len(x) - cut)
        np.testing.assert_array_equal(_within(x, trim), wanted)
