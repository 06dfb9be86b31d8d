"""Contrasts beyond two arms, from settings to evidence: slopes, interactions, blocks, survival."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.blocked import fit_blocked
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.design import build_design
from aimwell.cohorts.differential import fit_contrast, moderate
from aimwell.cohorts.evidence import BLOCK_COLUMNS
from aimwell.cohorts.formulas import fit_model
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.survival import cox_scores
from aimwell.cohorts.terms import build_model
from aimwell.config import ContrastSettings
from aimwell.config.reading import config_from
from aimwell.errors import ConfigError, ConfoundedError, DesignError

SLOPE = ContrastSettings("dose", "protein", "dose", covariates=("sex",), test="slope")
SURVIVAL = ContrastSettings("death", "rna", test="survival", time="months", event="died")


def evidence_of(
    values: pd.DataFrame, sheet: pd.DataFrame, contrast: ContrastSettings
) -> pd.DataFrame:
    layer = Layer(contrast.layer, "protein", "log2", values)
    return harmonise(Cohort({contrast.layer: layer}, sheet), (contrast,))[0].blocks[contrast.name]


def test_a_slope_has_the_numbers_of_limma(values, sheet, limma):
    wanted = limma[limma["model"] == "slope"].set_index("gene")
    block = evidence_of(values, sheet, SLOPE).loc[wanted.index]
    assert set(BLOCK_COLUMNS) <= set(block.columns)
    assert np.abs(block["log2_fold_change"] - wanted["effect"]).max() < 1e-9
    assert np.abs(np.log10(block["p"]) - np.log10(wanted["p"])).max() < 1e-8


def test_a_slope_over_two_values_is_the_contrast_of_two_arms_with_missing_values_too(values, sheet):
    two = sheet[sheet["arm"] != "c"].assign(number=lambda s: (s["arm"] == "b") * 2.0)
    holes = values.mask(np.random.default_rng(1).random(values.shape) < 0.5).loc[two.index]
    arms = ContrastSettings("c", "protein", "arm", "b", "a", covariates=("sex",))
    slope = replace(SLOPE, condition="number")
    wanted, found = (fit_contrast(holes, build_design(two, two.index, c)) for c in (arms, slope))
    assert wanted["status"].tolist() == found["status"].tolist()
    assert set(wanted["status"]) == {"tested", "too_few"}
    assert np.abs(wanted["log2_fold_change"] / 2 - found["log2_fold_change"]).max() < 1e-10
    assert np.abs(wanted["log10_p"] - found["log10_p"]).max() < 1e-8


def test_the_unit_of_a_slope_changes_its_effects_and_nothing_else(values, sheet):
    other = sheet.assign(dose=sheet["dose"] * 1e9 + 5e9)
    one, two = evidence_of(values, sheet, SLOPE), evidence_of(values, other, SLOPE)
    for column in ("log2_fold_change", "se", "effect", "effect_se"):
        np.testing.assert_allclose(one[column], two[column] * 1e9, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(one["lfsr"], two["lfsr"], atol=1e-6)
    np.testing.assert_allclose(one["p"], two["p"], rtol=1e-7)


def test_an_interaction_has_the_numbers_of_limma_and_is_the_difference_of_strata(values, sheet):
    two = sheet[sheet["arm"] != "c"]
    contrast = ContrastSettings(
        "i", "protein", "arm", "b", "a", test="interaction", stratum="sex", strata=("m", "f")
    )
    design = build_design(two, two.index, contrast)
    assert design.information == pytest.approx(1.0)
    found = fit_contrast(values, design)
    wanted = fit_model(values, build_model(two, "~ arm * sex", "arm:sex"))
    assert np.abs(found["log2_fold_change"] - wanted["effect"]).max() < 1e-10
    assert np.abs(found["p"] / wanted["p"] - 1).max() < 1e-8
    mean = values.loc[two.index].groupby([two["arm"], two["sex"]]).mean()
    by_hand = mean.loc[("b", "m")] - mean.loc[("a", "m")] - mean.loc[("b", "f")]
    by_hand = by_hand + mean.loc[("a", "f")]
    assert np.abs(found["log2_fold_change"] - by_hand).max() < 1e-10


def test_an_interaction_needs_two_samples_in_each_arm_of_each_stratum(values, sheet):
    two = sheet[sheet["arm"] != "c"].copy()
    gone = two.index[(two["arm"] == "b") & (two["sex"] == "m")]
    contrast = ContrastSettings(
        "i", "protein", "arm", "b", "a", test="interaction", stratum="sex", strata=("m", "f")
    )
    holes = values.copy()
    holes.loc[gone[1:], "HGNC:001"] = np.nan
    found = fit_contrast(holes, build_design(two, two.index, contrast))
    assert found.loc["HGNC:001", "status"] == "too_few"
    with pytest.raises(DesignError, match="1 samples of layer 'protein' have arm = 'b' and sex"):
        build_design(two.drop(gone[1:]), two.index.drop(gone[1:]), contrast)


def test_random_blocks_have_the_numbers_of_limma(values, sheet, limma):
    wanted = limma[limma["model"] == "block"].set_index("gene")
    contrast = replace(SLOPE, covariates=(), block="subject")
    block = evidence_of(values, sheet, contrast).loc[wanted.index]
    assert np.abs(block["log2_fold_change"] - wanted["effect"]).max() < 1e-5
    assert np.abs(np.log10(block["p"]) - np.log10(wanted["p"])).max() < 1e-3


def test_random_blocks_with_missing_values_and_weights_are_generalised_least_squares(values, sheet):
    rng = np.random.default_rng(4)
    holes = values.mask(rng.random(values.shape) < 0.2)
    weights = pd.DataFrame(rng.uniform(0.5, 2, values.shape), values.index, values.columns)
    design = build_design(sheet, sheet.index, replace(SLOPE, block="subject"))
    found = fit_blocked(holes, design, weights)
    table = moderate(found.fit, design)
    for gene in ("HGNC:001", "HGNC:007"):
        seen = holes[gene].notna()
        x, y = design.matrix[seen].to_numpy(), holes.loc[seen, gene].to_numpy()
        same = np.equal.outer(*(sheet.loc[seen, "subject"].to_numpy(),) * 2)
        shared = np.where(same, found.correlation, 0.0)
        np.fill_diagonal(shared, 1.0)
        scale = 1 / np.sqrt(weights.loc[seen, gene].to_numpy())
        inverse = np.linalg.inv(shared * np.outer(scale, scale))
        terms = np.linalg.solve(x.T @ inverse @ x, x.T @ inverse @ y)
        rest = y - x @ terms
        at = found.fit.genes.get_loc(gene)
        effect = terms @ design.vector
        assert table.loc[gene, "log2_fold_change"] == pytest.approx(effect / design.scale, abs=1e-9)
        assert found.fit.variance[at] == pytest.approx(
            rest @ inverse @ rest / (len(y) - x.shape[1]), rel=1e-9
        )
        told = found.fit.influence[seen.to_numpy(), at] / scale
        assert told @ y == pytest.approx(effect, abs=1e-9)


def test_blocks_of_one_sample_and_one_block_per_half_are_refused(sheet):
    with pytest.raises(DesignError, match="every 'name' has a single sample"):
        build_design(sheet.assign(name=sheet.index), sheet.index, replace(SLOPE, block="name"))
    one = sheet.assign(half=np.where(sheet["dose"] > sheet["dose"].median(), "up", "down"))
    one["dose"] = (one["half"] == "up") * 1.0
    with pytest.raises(ConfoundedError, match="cannot be told apart"):
        build_design(one, one.index, replace(SLOPE, block="half"))


def survivors(n: int = 60, slope: float = 1.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(7)
    ids = [f"s{i:02d}" for i in range(n)]
    values = pd.DataFrame(rng.normal(8, 1, (n, 80)), ids, [f"HGNC:{i:03d}" for i in range(80)])
    hazard = np.exp(slope * (values["HGNC:000"] - 8))
    sheet = pd.DataFrame({"subject": ids, "months": rng.exponential(20 / hazard)}, index=ids)
    sheet["died"] = (rng.random(n) < 0.7).astype(int)
    sheet["site"] = rng.choice(["a", "b"], n)
    return values, sheet


def test_survival_gives_the_hazard_ratio_of_twice_as_much_with_the_p_of_the_score_test():
    values, sheet = survivors()
    contrast = replace(SURVIVAL, batch="site")
    block = evidence_of(values, sheet, contrast)
    wanted = cox_scores(values, sheet["months"], sheet["died"] == 1, sheet["site"])
    assert np.abs(block["p"] - wanted["p"]).max() < 1e-12
    assert np.abs(block["log2_fold_change"] * np.log(2) - wanted["log_hazard_ratio"]).max() < 1e-12
    assert block["z"].idxmax() == "HGNC:000"
    assert block.loc["HGNC:000", ["log2_fold_change", "effect"]].gt(0).all()
    design = build_design(sheet, sheet.index, contrast)
    assert (design.n_case, design.n_control) == (sheet["died"].sum(), (1 - sheet["died"]).sum())
    assert 0.9 < design.information < 1


def test_survival_says_which_level_is_the_event_and_counts_who_has_no_follow_up():
    _, sheet = survivors()
    words = sheet.assign(died=sheet["died"].map({1: "dead", 0: "alive"}))
    words.loc["s05", "months"] = np.nan
    design = build_design(words, words.index, replace(SURVIVAL, event_level="dead"))
    assert [(s.name, s.rows_in - s.rows_out) for s in design.steps] == [("samples: need months", 1)]
    with pytest.raises(DesignError, match="'died' holds 'alive', 'dead'; write 1"):
        build_design(words, words.index, SURVIVAL)


def _months(sheet: pd.DataFrame) -> None:
    sheet["months"] = sheet["months"].astype(object)
    sheet.loc["s03", "months"] = "lost"


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.__setitem__("months", s["months"] - 1000), "must be a positive time, found"),
        (_months, "must hold numbers for test = 'survival', found 'lost' for 's03'"),
        (lambda s: s.__setitem__("died", 0), "0 of 60 samples .* have the event"),
        (lambda s: s.__setitem__("subject", "one"), "1 subjects have several samples"),
        (lambda s: s.pop("died"), "no column 'died'"),
    ],
)
def test_survival_that_cannot_be_tested_says_why(spoil, message):
    _, sheet = survivors()
    spoil(sheet)
    with pytest.raises(DesignError, match=message):
        build_design(sheet, sheet.index, SURVIVAL)


def test_survival_within_batches_of_one_sample_is_confounded():
    _, sheet = survivors()
    alone = replace(SURVIVAL, batch="subject")
    with pytest.raises(ConfoundedError, match="no sample outlives another of the same 'subject'"):
        build_design(sheet, sheet.index, alone)


def test_the_gate_judges_slopes(sheet):
    nested = sheet.assign(
        batch=(sheet["dose"] > sheet["dose"].median()).map({True: "1", False: "0"})
    )
    near = nested.assign(dose=(nested["batch"] == "1") * 10.0 + np.arange(len(nested)) % 3)
    contrast = replace(SLOPE, covariates=(), batch="batch")
    x = near["dose"] - near["dose"].mean()
    within = near["dose"] - near.groupby("batch")["dose"].transform("mean")
    wanted = float((within**2).sum() / (x**2).sum())
    with pytest.raises(ConfoundedError, match=f"'batch' leave {wanted:.0%} of the information"):
        build_design(near, near.index, contrast)
    accepted = build_design(near, near.index, replace(contrast, accept_confounding=True))
    assert accepted.information == pytest.approx(wanted)
    aliased = near.assign(dose=(near["batch"] == "1") * 2.0)
    with pytest.raises(ConfoundedError, match=r"'batch' '0', '1' with a single 'dose'"):
        build_design(aliased, aliased.index, contrast)


@pytest.mark.parametrize(
    ("dose", "message"),
    [
        ("high", "must hold numbers for test = 'slope', found 'high'"),
        (np.inf, "must hold numbers for test = 'slope', found 'inf'"),
    ],
)
def test_a_slope_over_what_is_no_number_is_refused(sheet, dose, message):
    bad = sheet.astype({"dose": object})
    bad.loc[bad.index[2], "dose"] = dose
    with pytest.raises(DesignError, match=message):
        build_design(bad, bad.index, SLOPE)


def test_a_slope_over_one_number_or_with_one_sample_apart_is_refused(sheet):
    with pytest.raises(DesignError, match="'dose' has 1 different values in"):
        build_design(sheet.assign(dose=3), sheet.index, SLOPE)
    alone = sheet.assign(dose=(sheet.index == sheet.index[0]) * 1.0)
    with pytest.raises(DesignError, match="1 samples of layer 'protein' have dose in the upper"):
        build_design(alone, alone.index, SLOPE)


def test_a_missing_number_leaves_with_a_step(sheet):
    gaps = sheet.assign(dose=sheet["dose"].mask(sheet.index == sheet.index[3]))
    design = build_design(gaps, gaps.index, SLOPE)
    assert [(s.name, s.examples) for s in design.steps] == [
        ("samples: need dose", (sheet.index[3],))
    ]


BASE = {
    "run": {"title": "t", "output": "o"},
    "graph": {"preset": "starter"},
    "cohort": {
        "sheet": {"path": "s.tsv"},
        "matrices": [{"path": "m.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}],
    },
    "known_targets": {"sources": [{"reader": "genes", "genes": ["EGFR"]}]},
}


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"condition": "age"}, "'contrasts.case' is missing.*numbers needs test = 'slope'"),
        ({"test": "slop", "condition": "age"}, "'slop' is not known; did you mean 'slope'"),
        ({"test": "slope"}, "'contrasts.condition' is missing"),
        ({"test": "slope", "condition": "age", "case": "x"}, "contrasts.case means nothing"),
        ({"test": "survival", "time": "t"}, "'contrasts.event' is missing"),
        (
            {"test": "survival", "time": "t", "event": "e", "covariates": ["age"]},
            "contrasts.covariates means nothing to test = 'survival'",
        ),
        (
            {"test": "slope", "condition": "age", "block": "s", "subject": "s"},
            "contrasts.block and contrasts.subject exclude each other",
        ),
        (
            {
                "test": "interaction",
                "condition": "arm",
                "case": "x",
                "control": "y",
                "stratum": "sex",
                "strata": ["f"],
            },
            "contrasts.strata has 1 levels",
        ),
    ],
)
def test_settings_that_do_not_fit_their_test_are_refused(keys, message):
    with pytest.raises(ConfigError, match=message):
        config_from({**BASE, "contrasts": [{"name": "c", "layer": "rna", **keys}]})
