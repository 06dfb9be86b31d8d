"""A cohort becomes evidence: nothing filled in, nothing lost silently, order without meaning."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.evidence import BLOCK_COLUMNS, DETECTION_COLUMNS, VALUE_COLUMNS
from aimwell.cohorts.harmonise import harmonise
from aimwell.config import ContrastSettings
from aimwell.errors import ConfoundedError, DesignError

RNA = ContrastSettings("rna_xy", "rna", "arm", "x", "y")
PROTEIN = ContrastSettings("protein_xy", "protein", "arm", "x", "y", batch="batch")
N, GENES = 24, 400
#: Every second planted effect is negative, so that no layer shifts as a whole.
SIGN = np.where(np.arange(GENES) % 2, -1.0, 1.0)
BOTH, RNA_ONLY, PROTEIN_ONLY = slice(0, 30), slice(30, 50), slice(50, 70)


def planted_cohort(seed: int = 1) -> Cohort:
    """Counts of RNA and intensities of protein in the same subjects, with planted effects."""
    rng = np.random.default_rng(seed)
    ids = [f"s{i:02d}" for i in range(N)]
    arm = np.array(["x", "y"] * (N // 2))
    batch = np.repeat(["a", "b", "c"], N // 3)
    sheet = pd.DataFrame({"subject": ids, "arm": arm, "batch": batch}, index=ids)
    genes = [f"HGNC:{1000 + i}" for i in range(GENES)]
    case = (arm == "x").astype(float)[:, None]
    rna, protein = np.zeros((2, GENES))
    rna[BOTH] = rna[RNA_ONLY] = protein[PROTEIN_ONLY] = 2.0
    protein[BOTH] = 1.4
    rna, protein = rna * SIGN, protein * SIGN
    mean = np.exp(rng.normal(6, 1, GENES)) * 2.0 ** (case * rna)
    mean = mean * np.exp(rng.normal(0, 0.15, mean.shape))
    counts = rng.poisson(mean).astype(float)
    counts[:, -5:] = 0
    logs = rng.normal(22, 1, GENES) + case * protein + rng.normal(0, 0.15, (N, GENES))
    logs += (batch == "b")[:, None] * rng.normal(0, 1, GENES)
    logs[rng.random(logs.shape) < 0.15] = np.nan
    logs[arm == "x", 80] = np.nan
    keep = slice(0, GENES - 40)
    layers = {
        "rna": Layer("rna", "rna", "counts", pd.DataFrame(counts, ids, genes)),
        "protein": Layer(
            "protein", "protein", "intensity", pd.DataFrame(2.0 ** logs[:, keep], ids, genes[keep])
        ),
    }
    return Cohort(layers, sheet)


@pytest.fixture(scope="module")
def planted():
    cohort = planted_cohort()
    return cohort, *harmonise(cohort, (RNA, PROTEIN))


def test_planted_effects_are_found_in_both_layers_and_little_else(planted):
    _, evidence, _ = planted
    for name, genes in (("rna_xy", np.r_[0:50]), ("protein_xy", np.r_[0:30, 50:70])):
        block = evidence.blocks[name]
        hits = set(np.flatnonzero(block["q"] < 0.05))
        assert len(hits & set(genes)) >= 49
        assert len(hits - set(genes)) <= 8
        assert (block["effect"] * SIGN).iloc[:30].median() == pytest.approx(
            {"rna_xy": 2.0, "protein_xy": 1.4}[name], abs=0.2
        )


def test_planted_discordance_is_named(planted):
    classes = planted[1].across["discordance_class"]
    assert (classes.iloc[BOTH].iloc[0::2] == "concordant_up").sum() >= 14
    assert (classes.iloc[BOTH].iloc[1::2] == "concordant_down").sum() >= 14
    assert classes.iloc[RNA_ONLY].isin(["rna_only", "undetermined"]).all()
    assert (classes.iloc[RNA_ONLY] == "rna_only").sum() >= 8
    assert (classes.iloc[PROTEIN_ONLY] == "protein_only").sum() >= 5
    assert not classes.iloc[100:].isin(["opposite", "concordant_up", "concordant_down"]).any()


def test_protein_only_genes_exceed_what_rna_predicts_and_rna_only_genes_fall_short(planted):
    z = planted[1].across["discordance"] * SIGN
    assert (z.iloc[PROTEIN_ONLY] > 2).all()
    assert (z.iloc[RNA_ONLY] < -2).all()


def test_what_was_not_observed_is_masked_and_nan(planted):
    _, evidence, _ = planted
    block = evidence.blocks["protein_xy"]
    assert not block["observed"].iloc[80]
    assert block.iloc[80][list(VALUE_COLUMNS)].isna().all()
    assert 0 < block["n_observed"].iloc[80] <= N // 2
    assert not block["observed"].iloc[-40:].any()
    assert (block["n_observed"].iloc[-40:] == 0).all()
    assert not evidence.blocks["rna_xy"]["observed"].iloc[-5:].any()
    assert evidence.across["coverage"].iloc[[0, 80, -1]].tolist() == [1.0, 0.5, 0.0]
    assert evidence.across["discordance_class"].iloc[80] == "undetermined"


def test_every_lost_gene_and_sample_is_counted_in_a_step(planted):
    _, evidence, _ = planted
    steps = {step.name: step for step in evidence.steps}
    counts = steps["rna_xy: genes with enough counts"]
    assert (counts.rows_in, counts.rows_out) == (GENES, GENES - 5)
    lost = steps["protein_xy: genes with enough samples"]
    assert (lost.rows_in - lost.rows_out, lost.examples) == (1, ("HGNC:1080",))
    for name in ("rna_xy", "protein_xy"):
        tested = steps[f"{name}: genes tested"].rows_out
        assert tested == evidence.blocks[name]["observed"].sum()
    assert "protein per RNA" in steps["discordance: rna_xy against protein_xy"].why


def test_blocks_have_all_columns_over_one_sorted_union_of_genes(planted):
    _, evidence, designs = planted
    assert evidence.genes.tolist() == sorted(f"HGNC:{1000 + i}" for i in range(GENES))
    for name, block in evidence.blocks.items():
        more = DETECTION_COLUMNS if evidence.kinds[name] == "protein" else ()
        assert tuple(block.columns) == (*BLOCK_COLUMNS, *more)
    assert evidence.kinds == {"rna_xy": "rna", "protein_xy": "protein"}
    assert list(designs) == ["rna_xy", "protein_xy"]


def test_the_order_of_rows_columns_and_contrasts_changes_no_bit(planted):
    cohort, evidence, _ = planted
    layers = {
        name: replace(
            layer,
            values=layer.values.sample(frac=1, random_state=1).sample(
                frac=1, axis=1, random_state=2
            ),
        )
        for name, layer in reversed(cohort.layers.items())
    }
    shuffled = Cohort(layers, cohort.samples.sample(frac=1, random_state=3))
    again, _ = harmonise(shuffled, (PROTEIN, RNA))
    for name, block in evidence.blocks.items():
        pd.testing.assert_frame_equal(block, again.blocks[name], check_exact=True)
    pd.testing.assert_frame_equal(evidence.across, again.across, check_exact=True)


def test_a_louder_sample_changes_nothing_after_median_normalisation(planted):
    cohort, evidence, _ = planted
    loud = cohort.layers["protein"]
    values = loud.values.copy()
    values.iloc[4] *= 16
    values.iloc[9] /= 8
    again, _ = harmonise(
        replace(cohort, layers={"protein": replace(loud, values=values)}), (PROTEIN,)
    )
    found = again.blocks["protein_xy"]["log2_fold_change"]
    wanted = evidence.blocks["protein_xy"]["log2_fold_change"].reindex(found.index)
    np.testing.assert_allclose(found, wanted, atol=1e-9)


def test_a_global_shift_between_arms_is_noted_before_normalisation_removes_it(planted):
    cohort, _, designs = planted
    assert designs["protein_xy"].notes == ()
    layer = cohort.layers["protein"]
    values = layer.values.mul(np.where(cohort.samples["arm"] == "x", 2.0, 1.0), axis=0)
    _, shifted = harmonise(
        replace(cohort, layers={"protein": replace(layer, values=values)}), (PROTEIN,)
    )
    assert "a global change is plausible" in shifted["protein_xy"].notes[0]


def test_log_values_are_tested_as_they_are():
    rng = np.random.default_rng(4)
    ids = [f"s{i}" for i in range(8)]
    sheet = pd.DataFrame({"subject": ids, "arm": ["x", "y"] * 4}, index=ids)
    values = pd.DataFrame(rng.normal(size=(8, 50)), ids, [f"HGNC:{i:02d}" for i in range(50)])
    cohort = Cohort({"p": Layer("p", "protein", "log2_ratio", values)}, sheet)
    contrast = ContrastSettings("c", "p", "arm", "x", "y")
    evidence, designs = harmonise(cohort, (contrast,))
    table = fit_contrast(values, designs["c"])
    block = evidence.blocks["c"]
    for column in ("log2_fold_change", "se", "z", "p", "q"):
        pd.testing.assert_series_equal(block[column], table[column])
    assert block["abundance_percentile"].isna().all()  # a ratio is no abundance


def test_without_a_matching_pair_of_contrasts_discordance_is_undetermined(planted):
    cohort, _, _ = planted
    evidence, _ = harmonise(cohort, (RNA,))
    assert set(evidence.across["discordance_class"]) == {"undetermined"}
    assert evidence.across["discordance"].isna().all()
    assert "no condition is compared in both" in evidence.steps[-1].why


def test_a_confounded_contrast_stops_the_harmonisation(planted):
    cohort, _, _ = planted
    sheet = cohort.samples.assign(batch=cohort.samples["arm"])
    with pytest.raises(ConfoundedError, match="protein_xy"):
        harmonise(replace(cohort, samples=sheet), (RNA, PROTEIN))


def test_an_unknown_layer_is_refused_with_the_known_ones(planted):
    cohort, _, _ = planted
    with pytest.raises(DesignError, match="layer 'rnaa'; the cohort has 'protein', 'rna'"):
        harmonise(cohort, (replace(RNA, layer="rnaa"),))


def test_no_contrast_is_refused(planted):
    with pytest.raises(DesignError, match="no contrast"):
        harmonise(planted[0], ())


def test_permuted_arms_give_no_evidence():
    cohort = planted_cohort()
    arm = np.random.default_rng(12).permutation(cohort.samples["arm"])
    evidence, _ = harmonise(replace(cohort, samples=cohort.samples.assign(arm=arm)), (RNA, PROTEIN))
    for block in evidence.blocks.values():
        assert (block["lfsr"] < 0.05).sum() <= 3


def log_cohort(kind: str, unit: str, n: int, scale: float) -> tuple[Cohort, ContrastSettings]:
    """Log values whose noise falls with abundance, without any effect but that of ``HGNC:000``."""
    rng = np.random.default_rng(6)
    ids = [f"s{i}" for i in range(n)]
    sheet = pd.DataFrame({"subject": ids, "arm": ["x", "y"] * (n // 2)}, index=ids)
    mean = np.linspace(0, 10, 600)
    noise = rng.normal(size=(n, 600)) * np.exp(-scale * mean)
    values = pd.DataFrame(mean + noise, ids, [f"HGNC:{i:03d}" for i in range(600)])
    layer = Layer("layer", kind, unit, values)
    return Cohort({"layer": layer}, sheet), ContrastSettings("c", "layer", "arm", "x", "y")


@pytest.mark.parametrize(("kind", "trend"), [("rna", True), ("protein", False)])
def test_log_values_of_rna_get_a_prior_that_follows_abundance(kind, trend):
    cohort, contrast = log_cohort(kind, "log2", 6, 0.3)
    evidence, designs = harmonise(cohort, (contrast,))
    table = fit_contrast(cohort.layers["layer"].values, designs["c"], trend=trend)
    pd.testing.assert_series_equal(evidence.blocks["c"]["p"], table["p"])


def test_few_samples_are_not_mistaken_for_certainty():
    # t of 8 on 4 degrees of freedom is a p-value of .001, not one of 1e-15
    cohort, contrast = log_cohort("protein", "log2", 6, 0.0)
    values = cohort.layers["layer"].values * 0.0
    rng = np.random.default_rng(7)
    values += rng.normal(size=values.shape) / np.sqrt(rng.chisquare(1, 600) / 1)
    layer = replace(cohort.layers["layer"], values=values)
    block = harmonise(replace(cohort, layers={"layer": layer}), (contrast,))[0].blocks["c"]
    assert (block["q"] < 0.05).sum() == 0
    assert (block["lfsr"] < 0.05).sum() == 0
