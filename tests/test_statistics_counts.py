"""Counts become weighted log2 abundances with the numbers of edgeR, limma and R."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.counts import expressed_genes, lowess, tmm_factors, voom
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import fit_contrast
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
