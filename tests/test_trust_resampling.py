"""Permuted and resampled cohorts keep what they must keep and lose what they must lose."""

from collections import Counter

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.harmonise import harmonise
from aimwell.config import ContrastSettings
from aimwell.trust.resampling import bootstrap_samples, permute_samples, shake

PAIRED = ContrastSettings("paired", "rna", "arm", case="y", control="x", subject="subject")
GROUPS = ContrastSettings("groups", "rna", "type", case="q", control="p", batch="batch")


def cohort(effect: float = 3.0) -> Cohort:
    """Twenty subjects with two samples each; half of the genes follow the arm, half the type."""
    rng = np.random.default_rng(0)
    subjects = [f"S{i:02d}" for i in range(20)]
    sheet = pd.DataFrame(
        {
            "subject": np.repeat(subjects, 2),
            "arm": np.tile(["x", "y"], 20),
            "type": np.repeat(np.where(np.arange(20) % 2, "p", "q"), 2),
            "batch": np.repeat(np.where(np.arange(20) % 4 < 2, "one", "two"), 2),
        },
        index=[f"{s}{a}" for s in subjects for a in "xy"],
    ).sort_index()
    genes = [f"HGNC:{i:03d}" for i in range(100, 160)]
    values = rng.normal(size=(40, 60))
    values[:, :20] += effect * (sheet["arm"] == "y").to_numpy()[:, None]
    values[:, 20:40] += effect * (sheet["type"] == "q").to_numpy()[:, None]
    table = pd.DataFrame(values, sheet.index, genes)
    return Cohort({"rna": Layer("rna", "rna", "log2", table)}, sheet)


def test_pairs_are_swapped_inside_subjects_and_groups_between_them() -> None:
    whole = cohort()
    mixed = permute_samples(whole, (PAIRED, GROUPS), np.random.default_rng(1)).samples
    assert (mixed.groupby("subject")["arm"].nunique() == 2).all()
    assert mixed.groupby("subject")["type"].nunique().max() == 1
    assert (mixed["arm"] != whole.samples["arm"]).mean() > 0.2
    assert (mixed["type"] != whole.samples["type"]).mean() > 0.2
    # inside a batch, as many of each type as before
    before, after = (s.groupby(["batch", "type"]).size().to_dict() for s in (whole.samples, mixed))
    assert before == after


def test_permuted_samples_leave_nothing_to_find() -> None:
    whole = cohort()
    found, _ = harmonise(whole, (PAIRED, GROUPS))
    assert (found.blocks["paired"]["p"][:20] < 1e-4).all()
    assert (found.blocks["groups"]["p"][20:40] < 1e-2).all()
    p = {"paired": [], "groups": []}
    for seed in range(40):
        mixed = permute_samples(whole, (PAIRED, GROUPS), np.random.default_rng(seed))
        null, _ = harmonise(mixed, (PAIRED, GROUPS))
        for name, kept in p.items():
            kept.append(null.blocks[name]["p"].iloc[30 if name == "groups" else 10])
    for kept in p.values():
        assert stats.kstest(kept, "uniform").pvalue > 0.01


def test_subjects_come_back_with_their_pairs_and_the_strata_keep_their_size() -> None:
    whole = cohort()
    again = bootstrap_samples(whole, (PAIRED, GROUPS), np.random.default_rng(2))
    sheet = again.samples
    assert len(sheet) == 40
    assert (sheet.groupby("subject")["arm"].nunique() == 2).all()
    assert sheet.groupby(["batch", "type"]).size().to_dict() == (
        whole.samples.groupby(["batch", "type"]).size().to_dict()
    )
    drawn = Counter(s.split("#")[0] for s in sheet["subject"].unique())
    assert max(drawn.values()) > 1
    assert len(drawn) < 20
    copy = next(s for s in sheet.index if "#" in s)
    original = copy.split("#")[0]
    values = again.layers["rna"].values
    assert values.loc[copy].tolist() == whole.layers["rna"].values.loc[original].tolist()


@pytest.mark.parametrize("column", ["type", "batch"])
def test_samples_without_a_condition_or_batch_are_a_stratum_of_their_own(column: str) -> None:
    whole = cohort()
    sheet = whole.samples.copy()
    sheet.loc[sheet["subject"].isin(["S00", "S01", "S02"]), column] = np.nan
    unknown = Cohort(whole.layers, sheet)
    for draw in range(5):
        again = bootstrap_samples(unknown, (PAIRED, GROUPS), np.random.default_rng(draw)).samples
        assert again[column].isna().sum() == 6
        mixed = permute_samples(unknown, (PAIRED, GROUPS), np.random.default_rng(draw)).samples
        pd.testing.assert_series_equal(mixed[column].isna(), sheet[column].isna())


def test_numbers_of_a_survival_stay_together() -> None:
    whole = cohort()
    time = pd.Series(np.arange(40.0), whole.samples.index)
    sheet = whole.samples.assign(days=time, event=np.where(time > 20, "dead", "alive"))
    contrast = ContrastSettings(
        "survival", "rna", test="survival", time="days", event="event", event_level="dead"
    )
    mixed = permute_samples(
        Cohort(whole.layers, sheet), (contrast,), np.random.default_rng(3)
    ).samples
    assert ((mixed["days"] > 20) == (mixed["event"] == "dead")).all()
    assert mixed["days"].tolist() != sheet["days"].tolist()


@pytest.mark.parametrize("share", [0.01, 0.1])
def test_shaking_moves_values_by_a_share_of_their_spread_and_leaves_gaps(share: float) -> None:
    values = np.random.default_rng(4).normal(0, [[1.0, 5.0]], (5000, 2)).astype(np.float32)
    values[:100] = 0
    moved = shake(values, np.random.default_rng(5), share)
    assert (moved[:100] == 0).all()
    spread = (moved - values)[100:].std(axis=0) / values.std(axis=0)
    assert spread == pytest.approx([share, share], rel=0.1)
