"""Models beyond two arms, against the numbers of limma and against least squares by hand."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.design import build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.formulas import block_correlation, fit_model
from aimwell.cohorts.terms import build_model
from aimwell.config import ContrastSettings
from aimwell.errors import AlignmentError, DesignError

DATA = Path(__file__).parent / "data" / "statistics"


@pytest.mark.parametrize(
    ("name", "formula", "test"),
    [
        ("groups", "~ arm + sex", "arm"),
        ("slope", "~ sex + dose", "dose"),
        ("interaction", "~ arm * sex", "arm:sex"),
        ("one_interaction", "~ arm + sex + arm:sex", "arm[c]:sex[m]"),
    ],
)
def test_groups_slopes_and_interactions_have_the_numbers_of_limma(
    values, sheet, limma, name, formula, test
):
    wanted = limma[limma["model"] == name].set_index("gene")
    found = fit_model(values, build_model(sheet, formula, test)).loc[wanted.index]
    assert np.abs(found["statistic"] / wanted["statistic"] - 1).max() < 1e-9
    assert np.abs(np.log10(found["p"]) - np.log10(wanted["p"])).max() < 1e-8
    assert np.abs((found["effect"] - wanted["effect"]).fillna(0)).max() < 1e-9


def test_random_blocks_have_the_correlation_and_the_numbers_of_limma(values, sheet, limma):
    model = build_model(sheet, "~ dose", "dose")
    rho = float((DATA / "designs_correlation.txt").read_text())
    assert block_correlation(values, model, sheet["subject"]) == pytest.approx(rho, abs=1e-5)
    wanted = limma[limma["model"] == "block"].set_index("gene")
    found = fit_model(values, model, block=sheet["subject"]).loc[wanted.index]
    assert np.abs(found["effect"] - wanted["effect"]).max() < 1e-5
    assert np.abs(np.log10(found["p"]) - np.log10(wanted["p"])).max() < 1e-3


def test_two_groups_are_the_contrast_of_two_arms_with_missing_values_too(values, sheet):
    two = sheet[sheet["arm"] != "c"]
    holes = values.mask(np.random.default_rng(1).random(values.shape) < 0.15)
    sheet_two = two.assign(subject=two.index)
    contrast = ContrastSettings("c", "protein", "arm", "b", "a", covariates=("sex",))
    wanted = fit_contrast(holes, build_design(sheet_two, two.index, contrast))
    found = fit_model(holes, build_model(two, "~ arm + sex", "arm"))
    tested = wanted.index[wanted["status"] == "tested"]
    assert np.abs(found["effect"] - wanted["log2_fold_change"])[tested].max() < 1e-10
    assert np.abs(found["p"] / wanted["p"] - 1)[tested].max() < 1e-8


def test_groups_without_a_difference_keep_the_level():
    rng = np.random.default_rng(3)
    ids = [f"s{i:02d}" for i in range(24)]
    sheet = pd.DataFrame(
        {"arm": list("abcd") * 6, "subject": [f"p{i // 4}" for i in range(24)]}, ids
    )
    shared = np.repeat(rng.normal(0, 0.7, (6, 3000)), 4, axis=0)
    values = pd.DataFrame(rng.normal(0, 1, (24, 3000)) + shared, ids)
    model = build_model(sheet, "~ arm", "arm")
    assert 0.035 < (fit_model(values, model, block=sheet["subject"])["p"] < 0.05).mean() < 0.065
    assert (fit_model(values, model)["p"] < 0.05).mean() < 0.035


def test_a_gene_that_misses_a_group_is_not_tested_for_all_groups(values, sheet):
    holes = values.copy()
    holes.loc[sheet["arm"] == "c", "HGNC:001"] = np.nan
    found = fit_model(holes, build_model(sheet, "~ arm", "arm"))
    assert found.loc["HGNC:001", "status"] == "not_estimable"
    assert np.isnan(found.loc["HGNC:001", "p"])


def test_the_reference_level_turns_the_effect_around(values, sheet):
    two = sheet[sheet["arm"] != "c"]
    one = fit_model(values, build_model(two, "~ arm", "arm"))
    other = fit_model(values, build_model(two, "~ arm", "arm", {"arm": "b"}))
    assert np.abs(one["effect"] + other["effect"]).max() < 1e-10


@pytest.mark.parametrize(
    ("formula", "test", "message"),
    [
        ("~ arm + age", "arm", "names 'age'"),
        ("~ arm + sex", "dose", "no term of"),
        ("~ arm + + sex", "arm", "empty term"),
        ("~ subject + sex", "sex", "cannot be told apart"),
    ],
)
def test_a_formula_that_cannot_be_used_says_why(sheet, formula, test, message):
    nested = sheet.assign(sex=sheet["subject"].isin(["p1", "p2"]).map({True: "f", False: "m"}))
    with pytest.raises(DesignError, match=message):
        build_model(nested, formula, test)


def test_a_missing_covariate_and_a_missing_block_are_refused(values, sheet):
    with pytest.raises(DesignError, match="'dose' is missing for 1 samples"):
        build_model(sheet.assign(dose=sheet["dose"].mask(sheet.index == "s01")), "~ dose", "dose")
    with pytest.raises(AlignmentError, match="without a block: 's01'"):
        fit_model(values, build_model(sheet, "~ dose", "dose"), block=sheet["subject"].drop("s01"))
