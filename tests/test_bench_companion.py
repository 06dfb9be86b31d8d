"""What stands beside the tables of a benchmark: neighbours in samples, and the age of names."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.bench import companion_cohorts
from aimwell.bench.companion_cohorts import (
    FILES,
    SEEN,
    TOGETHER,
    measured_features,
    nearest,
    with_together,
)
from aimwell.bench.companion_graph import naming
from aimwell.knowledge.graph import GENE, GENE_COLUMNS, TargetGraph
from aimwell.models.wiring import build_wiring

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def values() -> pd.DataFrame:
    """Two groups of six genes that follow a factor each, a constant and one that is hardly seen."""
    factors = RNG.normal(size=(2, 40))
    rows = np.repeat(factors, 6, axis=0) + 0.3 * RNG.normal(size=(12, 40))
    rows = np.vstack([rows, np.ones(40), np.where(np.arange(40) < 20, factors[0], np.nan)])
    return pd.DataFrame(rows, index=[f"G{i:02d}" for i in range(14)])


def test_neighbours_are_those_of_the_own_group(values):
    pairs = nearest(values, 4)
    group = {f"G{i:02d}": i // 6 for i in range(12)}
    assert set(pairs.to_numpy().ravel()) == set(group)  # not the constant, not the unseen one
    assert (pairs["source_id"].map(group) == pairs["target_id"].map(group)).all()
    assert (pairs["source_id"] < pairs["target_id"]).all()
    assert not pairs.duplicated().any()


def test_neighbours_do_not_depend_on_order_scale_or_level(values):
    other = (values * 3 + 7).sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    one, two = (
        v.sort_values(list(v)).reset_index(drop=True)
        for v in (nearest(values, 4), nearest(other, 4))
    )
    pd.testing.assert_frame_equal(one, two)


def test_a_gene_that_is_seen_often_enough_is_kept(values):
    gone = values.copy()
    gone.iloc[0, : int(40 * (1 - SEEN))] = np.nan
    assert "G00" in set(nearest(gone, 4).to_numpy().ravel())
    gone.iloc[0, : int(40 * (1 - SEEN)) + 1] = np.nan
    assert "G00" not in set(nearest(gone, 4).to_numpy().ravel())


def test_what_rises_together_holds_both_ways(values, monkeypatch):
    ids = pd.Index([f"HGNC:{i:02d}" for i in range(14)])
    nodes = pd.DataFrame({c: list(values.index) for c in GENE_COLUMNS}, index=ids)
    monkeypatch.setattr(companion_cohorts, "_matrix", lambda _: values)
    monkeypatch.setattr(companion_cohorts, "_breast", lambda _: values + 10)
    graph = with_together(TargetGraph({GENE: nodes}, {}, (), ()), Path())
    assert set(graph.relations) == set(TOGETHER)
    assert not any(relation.directed for relation in graph.relations.values())
    # one channel each, in which every neighbour is heard by the other
    assert build_wiring(graph, ids).channels == tuple(sorted(TOGETHER))


def test_the_public_cohorts_give_every_gene_its_own_numbers(real_data):
    if missing := [name for name in FILES if not (real_data / name).is_file()]:
        pytest.skip(f"needs {missing[0]}")
    table = measured_features(real_data)
    assert table.index.is_unique
    assert np.isfinite(table.loc["TP53", "mutations: last residue"])
    # TP53 has 393 residues; its mutations are among the most frequent of all
    assert np.exp(table.loc["TP53", "mutations: last residue"]) <= 393
    assert table["mutations: all, tumours alike"].rank(ascending=False)["APC"] <= 10
    names = naming(real_data)
    assert names.index.is_unique
    assert names.loc["TP53", "year of approval"] < 1995
