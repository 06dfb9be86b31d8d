"""Several groups and free formulas from the run file: the numbers of limma, and what is refused."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.check import check_cohort
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.design import build_design
from aimwell.cohorts.evidence import has_direction
from aimwell.cohorts.formulas import fit_model
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.several import log_p_of_f, moderate_several
from aimwell.cohorts.summaries import summarise_cohort
from aimwell.cohorts.terms import build_model
from aimwell.config import ContrastSettings
from aimwell.config.formula import asked_columns, read_formula
from aimwell.config.reading import config_from
from aimwell.errors import ConfigError, ConfoundedError, DesignError
from aimwell.pipeline.drugs import changes_of
from aimwell.trust.resampling import bootstrap_samples, permute_samples

ANY = ContrastSettings("g", "protein", "arm", test="any", covariates=("sex",))


def asked(formula: str, coefficient: str, **more) -> ContrastSettings:
    return ContrastSettings(
        "f", "protein", test="formula", formula=formula, coefficient=coefficient, **more
    )


def evidence_of(values, sheet, contrast):
    cohort = Cohort({"protein": Layer("protein", "protein", "log2", values)}, sheet)
    evidence, designs = harmonise(cohort, (contrast,))
    return evidence.blocks[contrast.name], designs[contrast.name]


@pytest.mark.parametrize(
    ("model", "contrast"),
    [
        ("groups", ANY),
        ("groups", asked("~ sex + arm", "arm")),
        ("slope", asked("~ sex + dose", "dose")),
        ("interaction", asked("~ arm * sex", "sex:arm")),
        ("one_interaction", asked("~ arm * sex", "arm[c]:sex[m]")),
    ],
)
def test_contrasts_of_the_run_file_have_the_numbers_of_limma(values, sheet, limma, model, contrast):
    wanted = limma[limma["model"] == model].set_index("gene")
    block, _ = evidence_of(values, sheet, contrast)
    block = block.loc[wanted.index]
    assert np.abs(np.log10(block["p"]) - np.log10(wanted["p"])).max() < 1e-8
    if wanted["effect"].notna().all():
        assert np.abs(block["log2_fold_change"] - wanted["effect"]).max() < 1e-9


def test_a_random_block_beside_a_formula_has_the_numbers_of_limma(values, sheet, limma):
    wanted = limma[limma["model"] == "block"].set_index("gene")
    block, _ = evidence_of(values, sheet, asked("~ dose", "dose", block="subject"))
    assert np.abs(np.log10(block["p"])[wanted.index] - np.log10(wanted["p"])).max() < 1e-3


def test_several_groups_with_gaps_are_least_squares_and_need_two_samples_each(values, sheet):
    holes = values.mask(np.random.default_rng(2).random(values.shape) < 0.15)
    holes.loc[sheet.index[sheet["arm"] == "c"][1:], "HGNC:003"] = np.nan
    fit, table = moderate_several(holes, build_design(sheet, sheet.index, ANY))
    wanted = fit_model(holes, build_model(sheet, "~ arm + sex", "arm"))
    tested = table.index[table["status"] == "tested"]
    assert table.loc["HGNC:003", "status"] == "too_few"
    assert np.abs(table["t"] / wanted["statistic"] - 1)[tested].max() < 1e-9
    assert np.abs(table["p"] / wanted["p"] - 1)[tested].max() < 1e-8
    assert (table["z"][tested] >= 0).all()
    assert list(fit.genes) == list(table.index)


def test_two_groups_by_any_are_the_two_arms(values, sheet):
    two = sheet[sheet["arm"] != "c"]
    one, _ = evidence_of(values.loc[two.index], two, ANY)
    arms = ContrastSettings("c", "protein", "arm", "b", "a", covariates=("sex",))
    other, _ = evidence_of(values.loc[two.index], two, arms)
    np.testing.assert_allclose(one["p"], other["p"], rtol=1e-8)
    np.testing.assert_allclose(one["z"], other["z"], rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(one["log2_fold_change"], other["log2_fold_change"], atol=1e-9)


def test_the_span_is_the_largest_difference_of_two_levels(values, sheet):
    plain = replace(ANY, covariates=())
    block, design = evidence_of(values, sheet, plain)
    mean = values.groupby(sheet["arm"]).mean()
    np.testing.assert_allclose(block["log2_fold_change"], mean.max() - mean.min(), atol=1e-9)
    assert design.also == ("arm[c]",)
    sizes = sheet["arm"].value_counts()
    assert f"arm = 'a' ({sizes['a']})" in " ".join(design.notes)
    turned, other = evidence_of(values, sheet, replace(plain, control="b"))
    assert other.coefficient == "arm[a]"
    np.testing.assert_allclose(turned["p"], block["p"], rtol=1e-9)


def test_counts_are_tested_with_their_weights():
    rng = np.random.default_rng(8)
    ids = [f"s{i:02d}" for i in range(18)]
    sheet = pd.DataFrame({"subject": ids, "arm": list("abc") * 6, "day": list("112233") * 3}, ids)
    mean = np.exp(rng.normal(5, 1, 300))[None, :] * np.ones((18, 1))
    mean[2::3, :10] *= 4
    counts = pd.DataFrame(rng.poisson(mean * rng.gamma(20, 1 / 20, mean.shape)), ids)
    counts.columns = [f"HGNC:{i:03d}" for i in range(300)]
    cohort = Cohort({"rna": Layer("rna", "rna", "counts", counts.astype(float))}, sheet)
    contrast = ContrastSettings("g", "rna", "arm", test="any", batch="day")
    block = harmonise(cohort, (contrast,))[0].blocks["g"]
    assert set(block["p"].sort_values().index[:10]) == set(counts.columns[:10])
    assert 0.01 < (block["p"].iloc[10:] < 0.05).mean() < 0.09
    assert abs(block["log2_fold_change"].iloc[:10].median() - 2) < 0.4


def test_the_gate_judges_the_comparison_of_which_least_is_left(sheet):
    ids = [f"s{i:02d}" for i in range(24)]
    mixed = pd.DataFrame(
        {"stage": list("aabbcc") * 4, "plate": list("xyxyxy") * 4, "subject": ids}, ids
    )
    contrast = ContrastSettings("g", "rna", "stage", test="any", batch="plate")
    assert build_design(mixed, ids, contrast).information == pytest.approx(1.0)
    # all of stage c but one on a plate of its own
    odd = mixed.assign(plate=mixed["plate"].mask(mixed["stage"] == "c", "z"))
    odd.loc[odd.index[odd["stage"] == "c"][0], "plate"] = "x"
    with pytest.raises(ConfoundedError, match=r"leave .* of the information on 'stage'"):
        build_design(odd, ids, contrast)
    nested = mixed.assign(plate=mixed["plate"].mask(mixed["stage"] == "c", "z"))
    formula = ContrastSettings(
        "f", "rna", test="formula", formula="~ plate + stage", coefficient="stage"
    )
    with pytest.raises(ConfoundedError, match="cannot be told apart"):
        build_design(nested, ids, contrast)
    with pytest.raises(ConfoundedError, match="contrast 'f': 'stage' cannot be told apart"):
        build_design(nested, ids, formula)


def test_main_effects_of_an_interaction_are_no_confounding(sheet):
    design = build_design(sheet, sheet.index, asked("~ arm * sex", "arm[c]:sex[m]"))
    assert (design.information, design.verdict) == (pytest.approx(1.0), "accept")
    assert design.group_names == ("no arm[c]:sex[m]", "arm[c]:sex[m]")


def test_numbers_are_groups_where_the_formula_says_so(values, sheet):
    plates = sheet.assign(plate=np.arange(len(sheet)) // 5 + 1.0)
    design = build_design(plates, plates.index, asked("~ factor(plate) + arm", "arm[b]"))
    assert design.group_names == ("arm = 'a' or 'c'", "arm = 'b'")
    assert {"plate[2]", "plate[3]", "plate[4]"} <= set(design.matrix.columns)
    slope = build_design(plates, plates.index, asked("~ plate + arm", "arm[b]"))
    assert "plate" in slope.matrix.columns


def test_a_sample_without_a_term_is_left_out_and_counted(values, sheet):
    gaps = sheet.assign(dose=sheet["dose"].astype(object).where(sheet.index != "s01", None))
    cohort = Cohort({"protein": Layer("protein", "protein", "log2", values)}, gaps)
    (found,) = check_cohort(cohort, [asked("~ arm + dose", "dose")]).contrasts
    assert found.testable
    assert any("'dose' is missing" in note for note in found.notes)


RUN = {
    "run": {"title": "t", "output": "o"},
    "cohort": {
        "sheet": {"path": "s.tsv"},
        "matrices": [{"path": "m.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}],
    },
    "known_targets": {"sources": [{"reader": "genes", "genes": ["EGFR"]}]},
}


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"formula": "~ stage"}, "'contrasts.coefficient' is missing"),
        ({"formula": "stage", "coefficient": "stage"}, "must begin with '~'"),
        ({"formula": "y ~ stage", "coefficient": "stage"}, "must begin with '~'"),
        ({"formula": "~ stage + ", "coefficient": "stage"}, "has an empty term"),
        ({"formula": "~ stage + sex", "coefficient": "age"}, "no part of the formula"),
        (
            {"formula": "~ stage", "coefficient": "stage", "batch": "day"},
            "write it into the formula",
        ),
        ({"test": "any"}, "'contrasts.condition' is missing"),
        ({"test": "any", "condition": "stage", "case": "x"}, "contrasts.case means nothing"),
        ({"test": "any", "condition": "stage", "block": "s"}, "contrasts.block means nothing"),
    ],
)
def test_a_contrast_that_cannot_be_asked_is_refused_where_it_stands(settings, message):
    contrast = {"name": "c", "layer": "rna", "test": "formula", **settings}
    with pytest.raises(ConfigError, match=message):
        config_from({**RUN, "contrasts": [contrast]}, "run.toml")


@pytest.mark.parametrize(
    ("formula", "coefficient", "message"),
    [
        ("~ arm + sexx", "arm[b]", "names 'sexx'; did you mean 'sex'"),
        ("~ log(dose)", "log(dose)", "know '\\+', ':', '\\*' and factor"),
        ("~ 0 + arm", "arm", "there is always an intercept"),
        ("~ (1|subject) + arm", "arm", "random blocks are named by 'block'"),
        ("~ arm + sex", "arm[z]", "'arm\\[z\\]' is no term"),
        ("~ arm + sex", "arm[a]", "no term of"),
    ],
)
def test_a_formula_that_does_not_fit_the_sheet_says_why(sheet, formula, coefficient, message):
    with pytest.raises(DesignError, match=message) as error:
        build_design(sheet, sheet.index, asked(formula, coefficient))
    assert str(error.value).startswith("contrast 'f': ")
    assert "\n" not in str(error.value)


def test_several_columns_refuse_what_needs_a_single_effect(values, sheet):
    with pytest.raises(DesignError, match="block needs a single effect"):
        evidence_of(values, sheet, asked("~ arm", "arm", block="subject"))
    cohort = Cohort({"protein": Layer("protein", "protein", "log2", values)}, sheet)
    with pytest.raises(DesignError, match="tests 2 columns together"):
        summarise_cohort(cohort, (ANY,))


def test_permuted_and_resampled_cohorts_know_what_a_formula_asks(values, sheet):
    contrast = asked("~ sex + arm", "arm[b]")
    assert asked_columns(contrast) == ("arm",)
    cohort = Cohort(
        {"protein": Layer("protein", "protein", "log2", values)}, sheet.assign(subject=sheet.index)
    )
    mixed = permute_samples(cohort, (contrast,), np.random.default_rng(0)).samples
    assert mixed["sex"].equals(sheet["sex"])
    assert not mixed["arm"].equals(sheet["arm"])
    drawn = bootstrap_samples(cohort, (contrast,), np.random.default_rng(0)).samples
    assert drawn["arm"].value_counts().equals(sheet["arm"].value_counts())


def test_terms_are_read_in_any_order_and_each_once():
    assert read_formula("~ a*b + b:a + a").terms == (("a",), ("b",), ("a", "b"))


def test_the_p_value_of_a_huge_f_stays_finite():
    far = log_p_of_f(np.array([1e12, 1e6]), 3, np.array([60.0, np.inf]))
    assert np.isfinite(far).all()
    near = log_p_of_f(np.array([800.0]), 3, np.array([600.0]))
    assert near[0] == pytest.approx(np.log(1e-300), rel=0.5)


def test_a_difference_of_several_levels_says_no_direction(values, sheet):
    cohort = Cohort({"protein": Layer("protein", "protein", "log2", values)}, sheet)
    arms = ContrastSettings("c", "protein", "arm", "b", "a")
    evidence, _ = harmonise(cohort, (ANY, arms))
    assert not has_direction(evidence.blocks["g"])
    assert has_direction(evidence.blocks["c"])
    sure = evidence.blocks["g"].assign(lfsr=0.0, effect=1.0)
    marked = replace(evidence, blocks={**evidence.blocks, "g": sure})
    assert changes_of(marked, ("g",)) == {}
    both = marked.blocks["c"].assign(lfsr=0.0)
    marked = replace(marked, blocks={**marked.blocks, "c": both})
    assert set(changes_of(marked, ("g", "c")).values()) == {"up", "down"}
