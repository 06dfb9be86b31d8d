"""What single samples measured, for the pictures of the page."""

import numpy as np
import pandas as pd

from aimwell.cohorts import samples as module
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.samples import contrast_samples
from aimwell.config import ContrastSettings
from aimwell.pipeline.tables import load_samples, save_samples


def cohort_of(n=6):
    ids = [f"s{k:02}" for k in range(n)]
    sheet = pd.DataFrame(
        {
            "subject": [f"patient {k // 2}" for k in range(n)],
            "arm": ["tumour", "normal"] * (n // 2),
        },
        index=ids,
    )
    values = pd.DataFrame(
        {"HGNC:1": np.arange(float(n)), "HGNC:2": [np.nan, *np.ones(n - 1)]}, index=ids
    )
    return Cohort({"protein": Layer("protein", "protein", "log2_ratio", values)}, sheet)


def arms(**more):
    return ContrastSettings("p", "protein", "arm", case="tumour", control="normal", **more)


def test_every_sample_stands_in_its_group_with_its_value():
    found = contrast_samples(cohort_of(), [arms()])["p"]
    assert found.groups == ("normal", "tumour")
    values = found.values.loc["HGNC:1"].to_numpy()
    in_case = np.array(found.group) == found.groups.index("tumour")
    assert sorted(values[in_case]) == [0.0, 2.0, 4.0]
    assert sorted(values[~in_case]) == [1.0, 3.0, 5.0]
    assert int(found.values.loc["HGNC:2"].isna().sum()) == 1
    assert set(found.pair) == {-1}


def test_subjects_are_numbers_and_samples_of_one_subject_share_theirs():
    found = contrast_samples(cohort_of(), [arms(subject="subject")])["p"]
    assert found.pair == (0, 0, 1, 1, 2, 2)
    assert "patient" not in str(found.facts())


def test_a_large_cohort_is_thinned_group_by_group_and_says_so(monkeypatch):
    monkeypatch.setattr(module, "MOST", 10)
    found = contrast_samples(cohort_of(40), [arms()])["p"]
    assert found.left_out == 30
    assert found.group.count(0) == found.group.count(1) == 5


def test_samples_survive_a_round_trip_and_a_choice_of_genes(tmp_path):
    found = contrast_samples(cohort_of(), [arms(subject="subject")])
    save_samples(found, tmp_path)
    again = load_samples(tmp_path)["p"]
    assert again.facts() == found["p"].facts()
    pd.testing.assert_frame_equal(again.values, found["p"].values)
    assert again.of(["HGNC:2", "HGNC:9"]).values.index.tolist() == ["HGNC:2"]
