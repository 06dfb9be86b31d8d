"""Which samples are compared, by which model, and when that must not be done."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.cli.options import read_run_file
from aimwell.cohorts.design import build_design
from aimwell.cohorts.gate import confounding_stain
from aimwell.config import ContrastSettings
from aimwell.errors import ConfoundedError, DesignError


def sheet_of(arms: str, **columns: object) -> pd.DataFrame:
    ids = [f"s{i:02d}" for i in range(len(arms))]
    given = {"subject": ids, "arm": list(arms)} | columns
    return pd.DataFrame(given, index=ids)


def contrast(**changes: object) -> ContrastSettings:
    settings = {"name": "toy", "layer": "rna", "condition": "arm", "case": "x", "control": "y"}
    return ContrastSettings(**(settings | changes))


def two_batches(case_first: int, control_first: int, size: int = 20) -> pd.DataFrame:
    """Batch b1 holds so many of either arm, batch b2 fills both arms up to ``size``."""
    batch = []
    for first in (case_first, control_first):
        batch += ["b1"] * first + ["b2"] * (size - first)
    return sheet_of("x" * size + "y" * size, batch=batch)


@pytest.mark.parametrize(
    ("case_first", "control_first", "information", "verdict"),
    [(10, 10, 1.0, "accept"), (15, 5, 0.75, "accept"), (18, 2, 0.36, "warn")],
)
def test_the_gate_grades_partial_confounding(case_first, control_first, information, verdict):
    sheet = two_batches(case_first, control_first)
    design = build_design(sheet, sheet.index, contrast(batch="batch"))
    assert design.information == pytest.approx(information, abs=1e-12)
    assert design.verdict == verdict


def test_nearly_full_confounding_is_refused_with_the_share_and_the_way_out():
    sheet = two_batches(19, 1)
    with pytest.raises(ConfoundedError, match=r"19% .*accept_confounding = true"):
        build_design(sheet, sheet.index, contrast(batch="batch"))


def test_accepted_confounding_is_still_marked_as_refused():
    sheet = two_batches(19, 1)
    design = build_design(sheet, sheet.index, contrast(batch="batch", accept_confounding=True))
    assert design.information == pytest.approx(0.19)
    assert design.verdict == "refuse"
    assert "accepted by accept_confounding" in design.notes[-1]


@pytest.mark.parametrize("accept", [False, True])
def test_a_batch_that_is_the_condition_is_refused_whatever_the_user_accepts(accept):
    sheet = sheet_of("xxxyyy", batch=["b1"] * 3 + ["b2"] * 3)
    settings = contrast(batch="batch", accept_confounding=accept)
    with pytest.raises(ConfoundedError, match="'batch' 'b1' only in 'x'; 'batch' 'b2' only in 'y'"):
        build_design(sheet, sheet.index, settings)


def test_a_covariate_that_is_the_condition_is_refused():
    sheet = sheet_of("xxxyyy", sex=["f"] * 3 + ["m"] * 3)
    with pytest.raises(ConfoundedError, match="'sex' 'f' only in 'x'"):
        build_design(sheet, sheet.index, contrast(covariates=("sex",)))


def test_two_covariates_that_add_up_to_the_condition_are_refused():
    # the arm is x exactly where a and b differ: neither alone explains it, their sum with c does
    sheet = sheet_of("xxxxyyyy", a=[1.0, 2, 3, 4, 1, 2, 3, 4], b=[2.0, 3, 4, 5, 1, 2, 3, 4])
    with pytest.raises(ConfoundedError, match="together they add up to it"):
        build_design(sheet, sheet.index, contrast(covariates=("a", "b")))


def test_an_unknown_column_names_the_nearest_one():
    sheet = sheet_of("xxyy", Gender=list("fmfm"))
    with pytest.raises(DesignError, match="no column 'gender'; did you mean 'Gender'"):
        build_design(sheet, sheet.index, contrast(covariates=("gender",)))


def test_an_unknown_level_lists_all_levels_with_their_counts():
    sheet = sheet_of("xxyyy")
    with pytest.raises(
        DesignError, match=r"arm = 'case'; levels and samples: 'x' \(2\), 'y' \(3\)"
    ):
        build_design(sheet, sheet.index, contrast(case="case"))


def test_an_unknown_level_in_where_is_refused():
    sheet = sheet_of("xxyy", tissue=["tumour"] * 4)
    with pytest.raises(DesignError, match="did you mean 'tumour'"):
        build_design(sheet, sheet.index, contrast(where={"tissue": "tumor"}))


def test_where_keeps_matching_samples_and_records_the_others():
    sheet = sheet_of("xxyyxy", tissue=["t"] * 4 + ["n"] * 2)
    design = build_design(sheet, sheet.index, contrast(where={"tissue": "t"}))
    assert design.samples.tolist() == ["s00", "s01", "s02", "s03"]
    assert [(s.rows_in, s.rows_out, s.examples) for s in design.steps] == [(6, 4, ("s04", "s05"))]


def test_an_arm_with_one_sample_is_refused_with_the_count():
    sheet = sheet_of("xyyy")
    with pytest.raises(DesignError, match="1 samples of layer 'rna' have arm = 'x'"):
        build_design(sheet, sheet.index, contrast())


def test_samples_without_a_covariate_leave_with_a_step_and_an_example():
    sheet = sheet_of("xxxyyyx", age=[40, np.nan, 50, 42, 51, 60, 70], sex=list("mfmf mf"))
    design = build_design(sheet, sheet.index, contrast(covariates=("age", "sex")))
    assert design.samples.tolist() == ["s00", "s02", "s03", "s05", "s06"]
    assert [s.examples for s in design.steps] == [("s01",), ("s04",)]
    assert "'age' is missing" in design.steps[0].why


def test_numeric_covariates_are_centred_and_scaled_and_text_becomes_indicators():
    sheet = sheet_of("xxxyyy", age=["40", "50", "60", "40", "50", "60"], site=list("bacabc"))
    design = build_design(sheet, sheet.index, contrast(covariates=("age", "site")))
    names = ["intercept", "arm[x]", "age", "site[b]", "site[c]"]
    assert design.matrix.columns.tolist() == names
    assert design.matrix["age"].mean() == pytest.approx(0, abs=1e-15)
    assert design.matrix["age"].std(ddof=1) == pytest.approx(1)
    assert design.matrix["site[b]"].tolist() == [1, 0, 0, 0, 1, 0]
    assert design.vector == (0, 1, 0, 0, 0)


def test_numbers_as_batch_names_are_a_factor_not_a_slope():
    sheet = sheet_of("xxxyyy", batch=[1, 2, 3, 1, 2, 3])
    design = build_design(sheet, sheet.index, contrast(batch="batch"))
    assert design.matrix.columns.tolist()[2:] == ["batch[2]", "batch[3]"]


def test_a_constant_covariate_is_noted_not_refused():
    sheet = sheet_of("xxyy", sex=["f"] * 4)
    design = build_design(sheet, sheet.index, contrast(covariates=("sex",)))
    assert design.matrix.columns.tolist() == ["intercept", "arm[x]"]
    assert design.notes == ("'sex' is 'f' in every sample, so it is left out",)


def test_a_level_that_only_dropped_samples_had_leaves_no_column():
    sheet = sheet_of("xxyyz", site=list("ababc"))
    design = build_design(sheet, sheet.index, contrast(covariates=("site",)))
    assert design.matrix.columns.tolist() == ["intercept", "arm[x]", "site[b]"]


def test_a_batch_nested_in_another_term_is_noted_and_the_condition_stays_testable():
    sheet = sheet_of("xyxyxy", batch=list("aabbcc"), site=list("ppppqq"))
    design = build_design(sheet, sheet.index, contrast(batch="batch", covariates=("site",)))
    assert design.matrix.columns.tolist()[2:] == ["batch[b]", "batch[c]"]
    assert "'site[q]' is already explained" in design.notes[0]


def test_pairing_keeps_subjects_with_both_arms_and_records_the_rest():
    sheet = sheet_of("xyxyxyxyxyx", subject=list("aabbccddeef"))
    design = build_design(sheet, sheet.index, contrast(subject="subject"))
    assert (design.n_pairs, design.n_case, design.n_control, design.n_blocks) == (5, 5, 5, 5)
    assert [(s.rows_in, s.rows_out, s.examples) for s in design.steps] == [(11, 10, ("s10",))]
    assert "lacks" in design.steps[0].why


def test_pairing_without_two_complete_subjects_is_refused():
    sheet = sheet_of("xyxy", subject=list("aabc"))
    with pytest.raises(DesignError, match="1 of 3 subjects have both 'x' and 'y'"):
        build_design(sheet, sheet.index, contrast(subject="subject"))


def test_a_covariate_of_the_subject_drops_out_of_a_paired_model():
    sheet = sheet_of("xyxyxy", subject=list("aabbcc"), sex=list("ffmmff"))
    design = build_design(sheet, sheet.index, contrast(subject="subject", covariates=("sex",)))
    assert design.matrix.columns.tolist()[3:] == ["arm[x]"]
    assert "explained by the subjects" in design.notes[0]


def test_as_many_coefficients_as_samples_are_refused():
    sheet = sheet_of("xxyy", a=[1.0, 2, 4, 8], b=[1.0, 5, 2, 2])
    with pytest.raises(DesignError, match="4 samples for 4 coefficients"):
        build_design(sheet, sheet.index, contrast(covariates=("a", "b"), accept_confounding=True))


def test_the_order_of_samples_does_not_change_the_design():
    sheet = two_batches(15, 5)
    shuffled = sheet.sample(frac=1, random_state=3)
    first = build_design(sheet, sheet.index, contrast(batch="batch"))
    second = build_design(shuffled, shuffled.index[::-1], contrast(batch="batch"))
    pd.testing.assert_frame_equal(first.matrix, second.matrix)


def test_a_measured_sample_without_a_row_in_the_sheet_is_refused():
    sheet = sheet_of("xxyy")
    with pytest.raises(DesignError, match="1 measured samples have no row"):
        build_design(sheet, [*sheet.index, "s99"], contrast())


def test_the_information_of_a_paired_contrast_is_what_the_batch_leaves_within_subjects():
    # in half of the subjects the batch is the arm, in the others it says nothing
    subject, batch = [f"p{i // 2}" for i in range(16)], list("11" * 4 + "21" * 4)
    sheet = sheet_of("xy" * 8, subject=subject, batch=batch)
    design = build_design(sheet, sheet.index, contrast(subject="subject", batch="batch"))
    assert design.information == pytest.approx(0.5)


def test_accepted_confounding_stains_every_result_and_nothing_else_does():
    refused = {"verdict": "refuse", "information_retained": 0.19}
    fine = {"verdict": "warn", "information_retained": 0.3}
    assert "19% of the information on 'bad'" in confounding_stain({"bad": refused, "good": fine})
    assert confounding_stain({"good": fine}) == ""


def test_the_option_accepts_the_confounding_of_every_contrast():
    example = Path(__file__).resolve().parents[1] / "examples" / "coad" / "coad.toml"
    config = read_run_file(example, "data", accept_confounding=True)
    assert all(c.accept_confounding for c in config.contrasts)
    assert not any(c.accept_confounding for c in read_run_file(example, "data").contrasts)
