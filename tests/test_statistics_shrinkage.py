"""Effects are shrunk on one scale, and RNA is compared with protein on it."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aimwell.cohorts.design import build_design
from aimwell.cohorts.differential import fit_linear
from aimwell.cohorts.discordance import compare_layers, effect_covariance
from aimwell.cohorts.shrinkage import shrink_effects
from aimwell.config import ContrastSettings
from aimwell.errors import AlignmentError


def test_the_posterior_is_that_of_the_fitted_mixture_integrated_by_hand():
    rng = np.random.default_rng(1)
    b, s = rng.normal(0, 1.5, 200), np.full(200, 0.8)
    found = shrink_effects(b, s)
    x = np.linspace(-12, 12, 20_001)
    for i in (0, 7, 199):
        parts = [
            w * stats.norm.pdf(x, 0, sd) * stats.norm.pdf(b[i], x, s[i])
            for w, sd in zip(found.prior_weight[1:], found.prior_sd[1:], strict=True)
            if sd > 0.05
        ]
        density = np.sum(parts, axis=0)
        step = x[1] - x[0]
        narrow = [
            (w, sd) for w, sd in zip(found.prior_weight, found.prior_sd, strict=True) if sd <= 0.05
        ]
        at_zero = sum(w * stats.norm.pdf(b[i], 0, np.hypot(s[i], sd)) for w, sd in narrow)
        total = density.sum() * step + at_zero
        mean = (density * x).sum() * step / total
        assert found.effect[i] == pytest.approx(mean, abs=0.02)


def test_the_prior_recovers_the_share_and_the_size_of_real_effects():
    rng = np.random.default_rng(2)
    truth = np.where(rng.random(20_000) < 0.3, rng.normal(0, 2, 20_000), 0.0)
    se = rng.uniform(0.3, 0.6, 20_000)
    found = shrink_effects(truth + rng.normal(0, se), se)
    assert found.prior_weight @ found.prior_sd**2 == pytest.approx(0.3 * 4, rel=0.05)
    assert found.prior_weight[found.prior_sd < 0.1].sum() == pytest.approx(0.7, abs=0.06)
    raw_error = np.mean(se**2)
    assert np.mean((found.effect - truth) ** 2) < 0.5 * raw_error


def test_among_genes_called_certain_few_signs_are_wrong():
    rng = np.random.default_rng(3)
    truth = np.where(rng.random(20_000) < 0.5, rng.normal(0, 1, 20_000), 0.0)
    estimate = truth + rng.normal(0, 0.4, 20_000)
    found = shrink_effects(estimate, np.full(20_000, 0.4))
    certain = found.lfsr < 0.05
    assert certain.sum() > 1000
    wrong = np.sign(found.effect[certain]) != np.sign(truth[certain])
    assert wrong.mean() < 0.05
    assert wrong.mean() == pytest.approx(found.lfsr[certain].mean(), abs=0.006)


def test_pure_noise_is_shrunk_to_nothing():
    noise = np.random.default_rng(4).normal(0, 0.5, 5000)
    found = shrink_effects(noise, np.full(5000, 0.5))
    assert np.abs(found.effect).max() < 0.1
    assert found.lfsr.min() > 0.3


def test_the_same_estimate_is_shrunk_more_where_it_is_less_certain():
    rng = np.random.default_rng(5)
    b = np.append(rng.normal(0, 1, 500), [2.0, 2.0])
    s = np.append(np.full(500, 0.4), [0.2, 1.0])
    found = shrink_effects(b, s)
    assert 2 > found.effect[-2] > found.effect[-1] > 0
    assert found.lfsr[-2] < found.lfsr[-1]


def test_flipping_all_signs_flips_the_posterior():
    rng = np.random.default_rng(6)
    b, s = rng.normal(0, 1, 300), rng.uniform(0.2, 0.8, 300)
    up, down = shrink_effects(b, s), shrink_effects(-b, s)
    np.testing.assert_allclose(up.effect, -down.effect, atol=1e-12)
    np.testing.assert_allclose(up.lfsr, down.lfsr, atol=1e-12)


def test_missing_effects_stay_missing():
    found = shrink_effects(np.array([1.0, np.nan, 2.0]), np.array([0.5, np.nan, 0.5]))
    assert np.isnan([found.effect[1], found.effect_se[1], found.lfsr[1]]).all()
    assert np.isfinite(found.effect[[0, 2]]).all()
    assert np.isnan(shrink_effects(np.array([np.nan]), np.array([np.nan])).effect).all()


def effects(rows: list[tuple[float, float, float]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["log2_fold_change", "se", "lfsr"]).astype(float)


def test_classes_follow_from_signs_certainty_and_equivalence():
    sure, unsure = (2.0, 0.05, 0.0), (0.3, 0.3, 0.4)
    none, wide = (0.01, 0.05, 0.5), (0.1, 0.05, 0.5)
    minus = (-2.0, 0.05, 0.0)
    missing = (np.nan, np.nan, np.nan)
    cases = [
        (sure, sure, "concordant_up"),
        (minus, minus, "concordant_down"),
        (sure, minus, "opposite"),
        (sure, none, "rna_only"),
        (none, sure, "protein_only"),
        (sure, wide, "rna_only"),
        (sure, unsure, "undetermined"),  # the protein may well have changed
        (none, none, "null"),
        (sure, missing, "undetermined"),
    ]
    found = compare_layers(effects([c[0] for c in cases]), effects([c[1] for c in cases]))
    assert found.table["discordance_class"].tolist() == [c[2] for c in cases]


def test_an_imprecise_protein_is_never_called_discordant():
    rna = effects([(2.0, 0.05, 0.0)] * 8)
    protein = effects([(-2.0, 0.05, 0.0)] * 7 + [(-2.0, 0.5, 0.0)])
    classes = compare_layers(rna, protein).table["discordance_class"]
    assert classes.tolist() == ["opposite"] * 7 + ["undetermined"]


def simulated_pair(genes: int, scale: float, spread: float, seed: int):
    rng = np.random.default_rng(seed)
    rna, se_r, se_p = rng.normal(0, 1, genes), 0.2, 0.15
    protein = scale * rna + rng.normal(0, spread, genes)
    tables = []
    for truth, se in ((rna, se_r), (protein, se_p)):
        estimate = truth + rng.normal(0, se, genes)
        lfsr = shrink_effects(estimate, np.full(genes, se)).lfsr
        tables.append(pd.DataFrame({"log2_fold_change": estimate, "se": se, "lfsr": lfsr}))
    return tables


def test_the_common_scale_and_the_spread_are_recovered():
    rna, protein = simulated_pair(6000, 0.6, 0.1, seed=1)
    found = compare_layers(rna, protein)
    # ordinary regression would be attenuated by noise in RNA; this is not
    assert found.scale == pytest.approx(0.6, abs=0.02)
    assert found.spread == pytest.approx(0.01, abs=0.004)
    assert found.reliability_rna == pytest.approx(1 / 1.04, abs=0.01)


def test_discordance_is_standard_normal_where_protein_follows_rna():
    rna, protein = simulated_pair(6000, 0.6, 0.0, seed=2)
    z = compare_layers(rna, protein).table["discordance"]
    assert stats.kstest(z, "norm").pvalue > 0.001
    assert np.mean(np.abs(z) > 1.96) == pytest.approx(0.05, abs=0.01)


def test_planted_discordant_genes_are_the_most_extreme():
    rna, protein = simulated_pair(3000, 0.6, 0.0, seed=3)
    protein.loc[:19, "log2_fold_change"] += 3.0
    z = compare_layers(rna, protein).table["discordance"]
    assert set(z.nlargest(20).index) == set(range(20))


def test_with_too_few_anchors_the_scale_is_one():
    found = compare_layers(effects([(2.0, 0.1, 0.0)] * 5), effects([(1.0, 0.1, 0.0)] * 5))
    assert (found.scale, found.anchors) == (1.0, 5)


def test_tables_with_other_genes_are_refused():
    one = effects([(1.0, 0.1, 0.0)])
    with pytest.raises(AlignmentError, match="one gene index"):
        compare_layers(one, one.set_axis(["HGNC:1"]))


def test_the_covariance_of_two_effects_is_that_of_repeated_cohorts():
    # each "gene" is one repetition of the same null experiment, so their spread is the truth
    rng = np.random.default_rng(7)
    ids, genes, rho = [f"s{i:02d}" for i in range(24)], 4000, 0.6
    sheet = pd.DataFrame({"subject": ids, "arm": ["x", "y"] * 12}, index=ids)
    shared = rng.normal(size=(24, genes))
    names = [f"g{i:04d}" for i in range(genes)]
    layers, missing = [], rng.random((24, genes)) < 0.2
    for _ in range(2):
        noise = np.sqrt(rho) * shared + np.sqrt(1 - rho) * rng.normal(size=(24, genes))
        layers.append(pd.DataFrame(noise, ids, names))
    layers[1] = layers[1].mask(missing).iloc[:20]
    fits = []
    for layer in layers:
        settings = ContrastSettings("toy", "any", "arm", "x", "y")
        design = build_design(sheet, layer.index, settings)
        fit = fit_linear(layer, design)
        fits.append((fit, design, pd.Series(fit.unscaled_sd * np.sqrt(fit.variance), fit.genes)))
    found = effect_covariance(fits[0], fits[1], sheet, "arm")
    truth = np.cov(fits[0][0].effect, fits[1][0].effect)[0, 1]
    assert found.mean() == pytest.approx(truth, rel=0.08)


def test_without_shared_subjects_effects_do_not_covary():
    rng = np.random.default_rng(8)
    ids = [f"s{i}" for i in range(8)]
    sheet = pd.DataFrame({"subject": ids, "arm": ["x", "y"] * 4}, index=ids)
    values = pd.DataFrame(rng.normal(size=(8, 3)), ids, list("abc"))
    fits = []
    for part in (ids[:4], ids[4:]):
        design = build_design(sheet, part, ContrastSettings("toy", "any", "arm", "x", "y"))
        fit = fit_linear(values, design)
        fits.append((fit, design, pd.Series(1.0, fit.genes)))
    assert effect_covariance(fits[0], fits[1], sheet, "arm").tolist() == [0, 0, 0]


def test_a_covariance_that_is_known_keeps_scale_and_discordance_right():
    rng = np.random.default_rng(9)
    truth = rng.normal(0, 1, 6000)
    se_r, se_p, rho = 0.5, 0.4, 0.7
    noise = rng.multivariate_normal(
        [0, 0], [[se_r**2, rho * se_r * se_p], [rho * se_r * se_p, se_p**2]], 6000
    )
    lfsr = np.zeros(6000)  # every gene is an anchor, so that nothing is selected
    rna = pd.DataFrame({"log2_fold_change": truth + noise[:, 0], "se": se_r, "lfsr": lfsr})
    protein = pd.DataFrame(
        {"log2_fold_change": 0.5 * truth + noise[:, 1], "se": se_p, "lfsr": lfsr}
    )
    covariance = pd.Series(rho * se_r * se_p, index=rna.index)
    told, untold = compare_layers(rna, protein, covariance), compare_layers(rna, protein)
    assert told.scale == pytest.approx(0.5, abs=0.02)
    assert abs(untold.scale - 0.5) > 0.03
    assert np.std(told.table["discordance"]) == pytest.approx(1, abs=0.03)
    assert np.std(untold.table["discordance"]) < 0.9
