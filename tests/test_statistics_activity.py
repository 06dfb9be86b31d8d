"""What regulators seem to do: the regression by hand, and a planted one found with its sign."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aimwell.cohorts.activity import memberships, regulons, set_activities
from aimwell.errors import CohortError
from aimwell.knowledge.sources.starter import read_starter_graph


@pytest.fixture(scope="module")
def sets() -> pd.DataFrame:
    return regulons(read_starter_graph())


def test_activities_are_slopes_of_a_regression_over_all_genes(sets):
    graph = read_starter_graph()
    z = pd.Series(np.random.default_rng(1).normal(size=len(graph.genes)), index=graph.genes)
    found = set_activities(z, sets)
    assert len(found) > 5
    for name in found.index:
        mine = sets[sets["set"] == name].set_index("gene")["weight"]
        line = stats.linregress(mine.reindex(z.index).fillna(0.0), z)
        assert found.loc[name, "activity"] == pytest.approx(line.slope / line.stderr)
        assert found.loc[name, "p"] == pytest.approx(line.pvalue)


def test_a_factor_that_is_turned_down_is_first_and_negative(sets):
    graph = read_starter_graph()
    z = pd.Series(np.random.default_rng(2).normal(size=len(graph.genes)), index=graph.genes)
    largest = sets["set"].value_counts().index[0]
    mine = sets[sets["set"] == largest]
    z[mine["gene"]] -= 3 * np.sign(mine["weight"].to_numpy())
    found = set_activities(z, sets)
    assert found["p"].idxmin() == largest
    assert found.loc[largest, "activity"] < -5


def test_repression_counts_against_induction(sets):
    assert (sets["weight"] < 0).any()
    assert (sets["weight"] > 0).any()


def test_pathways_of_the_graph_are_sets_without_sign():
    members = memberships(read_starter_graph())
    assert (members["weight"] == 1).all()
    assert members["set"].nunique() > 100


def test_sets_with_few_measured_genes_are_not_judged(sets):
    z = pd.Series([1.0, 2.0, 3.0], index=sets["gene"].unique()[:3])
    assert set_activities(z, sets).empty


def test_without_statistics_there_is_nothing_to_say(sets):
    with pytest.raises(CohortError, match="0 genes with a statistic"):
        set_activities(pd.Series(dtype=float), sets)
