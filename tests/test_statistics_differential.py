"""Moderated tests against numbers by hand, another implementation, and laws that must hold."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import special, stats

from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import adjust_p, fit_contrast, fit_linear, log_p_of_t
from aimwell.cohorts.moderation import squeeze_variances, trigamma_inverse
from aimwell.config import ContrastSettings
from aimwell.errors import AlignmentError, DesignError

DATA = Path(__file__).parent / "data" / "statistics"
XY = ContrastSettings("toy", "protein", "arm", "x", "y")


def design_of(sheet: pd.DataFrame, **terms: object) -> Design:
    return build_design(sheet, sheet.index, ContrastSettings(**(vars(XY) | terms)))


def simulated(
    genes: int, pairs: int, missing: float, seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    ids = [f"s{i:03d}" for i in range(2 * pairs)]
    sheet = pd.DataFrame(
        {
            "subject": [f"p{i // 2:03d}" for i in range(2 * pairs)],
            "arm": ["x", "y"] * pairs,
            "batch": rng.choice(list("abc"), 2 * pairs),
            "age": rng.normal(60, 10, 2 * pairs),
        },
        index=ids,
    )
    values = rng.normal(22, 1, (2 * pairs, genes)) + np.repeat(rng.normal(0, 2, pairs), 2)[:, None]
    values[rng.random(values.shape) < missing] = np.nan
    columns = [f"HGNC:{i:05d}" for i in range(genes)]
    return pd.DataFrame(values, ids, columns), sheet


def least_squares_by_gene(y: np.ndarray, design: Design, w: np.ndarray) -> tuple[float, ...]:
    """Effect, unscaled standard error, variance and df of one gene, the plain way."""
    seen = ~np.isnan(y)
    root = np.sqrt(w[seen])
    x, target = design.matrix.to_numpy()[seen] * root[:, None], y[seen] * root
    inverse = np.linalg.pinv(x, rcond=1e-10)
    c = np.array(design.vector)
    if np.linalg.norm(c - c @ inverse @ x) > 1e-8:
        return np.nan, np.nan, np.nan, np.nan
    rest = target - x @ (inverse @ target)
    df = seen.sum() - np.linalg.matrix_rank(x)
    variance = rest @ rest / df if df else np.nan
    return c @ inverse @ target, np.linalg.norm(c @ inverse), variance, df


def test_two_arms_give_the_difference_of_means_and_the_pooled_variance():
    sheet = pd.DataFrame({"subject": list("abcd"), "arm": list("xxyy")}, index=list("abcd"))
    fit = fit_linear(pd.DataFrame({"g": [5.0, 7, 1, 2]}, index=sheet.index), design_of(sheet))
    # means 6 and 1.5; squares 2 and .5 on 2 df; 1/2 + 1/2 = 1
    assert fit.effect[0] == pytest.approx(4.5)
    assert fit.variance[0] == pytest.approx(1.25)
    assert (fit.unscaled_sd[0], fit.df[0]) == (pytest.approx(1.0), 2)


def test_a_prior_with_known_answer_moderates_a_known_variance():
    # equal log variances leave nothing beyond chance: infinite prior df, prior variance the mean
    squeezed = squeeze_variances(np.full(5, 2.0), np.full(5, 4.0))
    assert np.isinf(squeezed.prior_df).all()
    assert squeezed.variance.tolist() == [2.0] * 5
    assert squeezed.df.tolist() == [20.0] * 5


def test_the_prior_recovers_what_the_variances_were_drawn_from():
    rng = np.random.default_rng(5)
    d0, s0, d = 6.0, 0.4, 8
    sigma2 = d0 * s0 / rng.chisquare(d0, 40_000)
    squeezed = squeeze_variances(sigma2 * rng.chisquare(d, 40_000) / d, np.full(40_000, float(d)))
    assert squeezed.prior_df[0] == pytest.approx(d0, rel=0.05)
    assert squeezed.prior_variance[0] == pytest.approx(s0, rel=0.02)


def test_hypervariable_genes_move_the_plain_prior_but_not_the_robust_one():
    rng = np.random.default_rng(6)
    s2 = 4.0 / rng.chisquare(4, 5000) * rng.chisquare(8, 5000) / 8
    s2[:150] *= 500
    df = np.full(5000, 8.0)
    plain, robust = squeeze_variances(s2, df), squeeze_variances(s2, df, robust=True)
    assert plain.prior_df.max() < 2.5
    assert robust.prior_df.max() == pytest.approx(4, abs=0.8)
    assert np.median(robust.prior_df[:150]) < 0.5 < np.median(robust.prior_df[150:])


@pytest.mark.parametrize("x", [1e-8, 1e-3, 0.7, 30.0, 1e8])
def test_trigamma_inverse_inverts_trigamma(x):
    assert special.polygamma(1, trigamma_inverse(x)) == pytest.approx(x, rel=1e-3)


@pytest.mark.parametrize(
    ("model", "terms", "options", "limit"),
    [
        ("batch", {"batch": "batch"}, {}, 1e-10),
        ("batch_trend", {"batch": "batch"}, {"trend": True}, 1e-10),
        ("paired", {"subject": "subject"}, {}, 1e-10),
        ("batch_robust", {"batch": "batch"}, {"robust": True}, 0.1),
    ],
)
def test_missing_values_give_the_numbers_of_limma(model, terms, options, limit):
    values = pd.read_csv(DATA / "missing_values.csv", index_col=0)
    sheet = pd.read_csv(DATA / "missing_samples.csv", index_col=0)
    wanted = pd.read_csv(DATA / "missing_limma.csv").query("model == @model").set_index("gene")
    design = design_of(sheet, case="case", control="control", **terms)
    table = fit_contrast(values, design, **options)
    assert set(table.index[table["status"] == "tested"]) == set(wanted.index)
    found = table.loc[wanted.index]
    assert np.abs(found["log2_fold_change"] - wanted["log2_fold_change"]).max() < 1e-10
    assert np.abs(found["log10_p"] - np.log10(wanted["p"])).max() < limit
    assert np.corrcoef(found["log10_p"], np.log10(wanted["p"]))[0, 1] > 0.9999


@pytest.mark.parametrize("terms", [{"subject": "subject"}, {}])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_fit_equals_least_squares_gene_by_gene(terms, weighted):
    values, sheet = simulated(60, 8, 0.35)
    design = design_of(sheet, batch="batch", covariates=("age",), **terms)
    w = np.ones(values.shape)
    if weighted:
        w = np.random.default_rng(2).uniform(0.2, 5, values.shape)
    weights = pd.DataFrame(w, values.index, values.columns) if weighted else None
    fit = fit_linear(values, design, weights)
    plain = np.array(
        [least_squares_by_gene(values.iloc[:, g].to_numpy(), design, w[:, g]) for g in range(60)]
    )
    estimable = ~np.isnan(plain[:, 0])
    assert estimable.sum() > 0
    np.testing.assert_array_equal(estimable, ~np.isnan(fit.effect))
    np.testing.assert_allclose(fit.effect, plain[:, 0], atol=1e-10)
    np.testing.assert_allclose(fit.unscaled_sd, plain[:, 1], rtol=1e-9)
    np.testing.assert_array_equal(fit.df[estimable], plain[estimable, 3])
    with_df = estimable & (fit.df > 0)
    np.testing.assert_allclose(fit.variance[with_df], plain[with_df, 2], rtol=1e-8, atol=1e-12)


def test_a_paired_model_equals_the_one_sample_test_of_differences():
    values, sheet = simulated(50, 9, 0.2)
    fit = fit_linear(values, design_of(sheet, subject="subject"))
    difference = values.iloc[0::2].to_numpy() - values.iloc[1::2].to_numpy()
    n = (~np.isnan(difference)).sum(axis=0)
    np.testing.assert_allclose(fit.effect, np.nanmean(difference, axis=0), atol=1e-12)
    np.testing.assert_array_equal(fit.df, n - 1)
    # the variance of a difference is twice that of a sample
    np.testing.assert_allclose(
        fit.unscaled_sd * np.sqrt(fit.variance),
        np.nanstd(difference, axis=0, ddof=1) / np.sqrt(n),
        rtol=1e-10,
    )


def test_influence_times_values_is_the_effect():
    values, sheet = simulated(20, 8, 0.2)
    fit = fit_linear(values, design_of(sheet, batch="batch"))
    np.testing.assert_allclose((fit.influence * values.fillna(0)).sum(axis=0), fit.effect)


def test_a_gene_that_misses_the_only_mixed_batch_is_not_estimable():
    batch, arm = list("aaaabbbbcccc"), list("xxxxyyyyxyxy")
    ids = [f"s{i:02d}" for i in range(12)]
    sheet = pd.DataFrame({"subject": ids, "arm": arm, "batch": batch}, index=ids)
    values = pd.DataFrame(np.random.default_rng(0).normal(size=(12, 4)), ids, list("pqrs"))
    values.loc[sheet["batch"] == "c", "q"] = np.nan
    table = fit_contrast(values, design_of(sheet, batch="batch"))
    assert table["status"].tolist() == ["tested", "not_estimable", "tested", "tested"]
    assert table.loc["q", ["p", "z", "se", "log2_fold_change"]].isna().all()
    assert table.loc["q", ["n_case", "n_control"]].tolist() == [4, 4]


def test_a_gene_that_cannot_be_tested_still_informs_the_prior():
    values, sheet = simulated(40, 6, 0.0)
    values.iloc[0::2, 0] = np.nan
    values.iloc[:, 0] *= 40
    design = design_of(sheet)
    with_gene, without = fit_contrast(values, design), fit_contrast(values.iloc[:, 1:], design)
    assert with_gene["status"].iloc[0] == "too_few"
    assert not np.allclose(with_gene["t"].iloc[1:], without["t"])


def test_counts_and_detection_rates_say_what_was_observed():
    values, sheet = simulated(3, 4, 0.0)
    values.iloc[[0, 2, 4], 1] = np.nan
    table = fit_contrast(values, design_of(sheet))
    assert table[["n_observed", "n_case", "n_control"]].iloc[1].tolist() == [5, 1, 4]
    assert table["detection_rate"].tolist() == [1.0, 5 / 8, 1.0]
    assert table["status"].tolist() == ["tested", "too_few", "tested"]


def test_the_order_of_samples_and_genes_does_not_change_a_single_bit():
    values, sheet = simulated(80, 10, 0.2)
    design = design_of(sheet, batch="batch")
    shuffled = values.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    again = design_of(sheet.sample(frac=1, random_state=4), batch="batch")
    pd.testing.assert_frame_equal(
        fit_contrast(values, design, trend=True),
        fit_contrast(shuffled, again, trend=True),
        check_exact=True,
    )


def test_swapping_case_and_control_flips_the_sign_and_nothing_else():
    values, sheet = simulated(30, 8, 0.2)
    one = fit_contrast(values, design_of(sheet, batch="batch"))
    other = fit_contrast(values, design_of(sheet, batch="batch", case="y", control="x"))
    np.testing.assert_allclose(one["log2_fold_change"], -other["log2_fold_change"], atol=1e-12)
    np.testing.assert_allclose(one["p"], other["p"], rtol=1e-8)


def test_pure_noise_gives_five_percent_of_p_values_below_five_percent():
    values, sheet = simulated(20_000, 10, 0.1, seed=9)
    rng = np.random.default_rng(10)
    sd = 1 / np.sqrt(rng.chisquare(6, 20_000) / 6)
    noise = pd.DataFrame(rng.normal(size=values.shape) * sd, values.index, values.columns)
    noise = noise.where(values.notna())
    share = float((fit_contrast(noise, design_of(sheet, batch="batch"))["p"] < 0.05).mean())
    assert 0.045 <= share <= 0.055


def test_planted_effects_are_found_and_shuffled_arms_find_nothing():
    values, sheet = simulated(1000, 20, 0.2, seed=3)
    values.loc[sheet["arm"] == "x", values.columns[:50]] += 2.0
    design = design_of(sheet, subject="subject")
    found = fit_contrast(values, design)
    hits = found.index[found["q"] < 0.05]
    assert len(hits.intersection(values.columns[:50])) >= 48
    assert len(hits.difference(values.columns[:50])) <= 6
    flipped = sheet.copy()
    swap = np.random.default_rng(8).random(20) < 0.5
    flipped["arm"] = np.where(
        np.repeat(swap, 2), sheet["arm"].map({"x": "y", "y": "x"}), sheet["arm"]
    )
    assert (fit_contrast(values, design_of(flipped, subject="subject"))["q"] < 0.05).sum() <= 2


def test_p_values_far_out_equal_exact_ones_and_z_stays_finite():
    mpmath = pytest.importorskip("mpmath")
    cases = [(60.0, 200.0), (1e4, 90.0), (45.0, 1e4), (500.0, 1e5), (1e20, 15.0)]
    for t, df in cases:
        with mpmath.workdps(60):
            x = mpmath.mpf(df) / (mpmath.mpf(df) + mpmath.mpf(t) ** 2)
            # hyp2f1 form of the incomplete beta function
            a = mpmath.mpf(df) / 2
            beta = mpmath.beta(a, 0.5)
            series = mpmath.hyp2f1(a + 0.5, 1, a + 1, x)
            exact = mpmath.log(x**a * mpmath.sqrt(1 - x) / (a * beta) * series)
        assert log_p_of_t(np.array([t]), np.array([df]))[0] == pytest.approx(float(exact), rel=1e-9)


def test_z_is_the_normal_quantile_with_the_sign_of_the_effect():
    values, sheet = simulated(30, 8, 0.0)
    values.iloc[0::2, 0] += 1e6
    table = fit_contrast(values, design_of(sheet, subject="subject"))
    assert np.isfinite(table["z"]).all()
    ordinary = table.iloc[1:]
    wanted = np.sign(ordinary["t"]) * stats.norm.isf(ordinary["p"] / 2)
    np.testing.assert_allclose(ordinary["z"], wanted, rtol=1e-9)


def test_false_discovery_rates_by_hand():
    p = np.array([0.01, 0.02, 0.03, 0.5])
    assert adjust_p(p).tolist() == pytest.approx([0.04, 0.04, 0.04, 0.5])


def test_values_without_a_sample_of_the_design_are_refused():
    values, sheet = simulated(3, 4, 0.0)
    with pytest.raises(AlignmentError, match="values lack 1 samples: 's000'"):
        fit_contrast(values.iloc[1:], design_of(sheet))


def test_a_weight_that_is_not_positive_is_refused():
    values, sheet = simulated(3, 4, 0.0)
    weights = values * 0
    with pytest.raises(DesignError, match="positive"):
        fit_contrast(values, design_of(sheet), weights)
