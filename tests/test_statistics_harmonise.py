"""A cohort becomes evidence: nothing filled in, nothing lost silently, order without meaning."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.activity import graph_activities, regulons
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.evidence import (
    BLOCK_COLUMNS,
    COMPARISON_COLUMNS,
    COVERAGE_COLUMNS,
    DETECTION_COLUMNS,
    VALUE_COLUMNS,
)
from aimwell.cohorts.harmonise import harmonise
from aimwell.config import ContrastSettings
from aimwell.errors import ConfoundedError, DesignError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.tables import load_evidence, save_evidence
from aimwell.reports.layer_tables import discordance_table

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
        assert tuple(block.columns) == (*BLOCK_COLUMNS, *COVERAGE_COLUMNS, *more)
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


@pytest.fixture(scope="module")
def evidence():
    return harmonise(planted_cohort(), (RNA, PROTEIN))[0]


def test_a_pair_has_its_own_table_and_ranked_list(evidence):
    table = evidence.comparisons["rna_xy", "protein_xy"]
    assert tuple(table.columns) == COMPARISON_COLUMNS
    both = evidence.blocks["rna_xy"]["observed"] & evidence.blocks["protein_xy"]["observed"]
    assert table.index.tolist() == both.index[both].tolist()
    pd.testing.assert_series_equal(
        table["discordance"], evidence.across["discordance"].dropna(), check_exact=True
    )
    ranked = discordance_table(evidence, {"HGNC:1060": "GENE60"})
    assert ranked["rank"].tolist() == list(range(1, len(table) + 1))
    assert ranked["discordance_p"].is_monotonic_increasing
    # planted in RNA or protein alone
    assert {int(g.removeprefix("HGNC:")) - 1000 for g in ranked["hgnc_id"][:25]} <= {*range(30, 70)}
    assert "GENE60" in set(ranked["symbol"])
    top = ranked.iloc[0]
    block = evidence.blocks["protein_xy"].loc[top["hgnc_id"]]
    assert top["protein_effect"] == block["effect"]


def test_protein_at_equal_rna_finds_what_protein_does_alone(evidence):
    table = evidence.comparisons["rna_xy", "protein_xy"]
    number = table.index.str.removeprefix("HGNC:").astype(int) - 1000
    assert (table["shift_q"][(number >= 50) & (number < 70)] < 0.05).mean() > 0.9
    assert (table["shift_p"][number >= 100] < 0.05).mean() < 0.1
    steps = {s.name: s.why for s in evidence.steps}
    assert "24 samples" in steps["protein at equal RNA: protein_xy given rna_xy"]


def test_without_common_samples_effects_are_compared_and_samples_are_not():
    cohort = planted_cohort()
    rna = cohort.layers["rna"].values.add_prefix("r_", axis=0)
    sheet = pd.concat(
        [cohort.samples, cohort.samples.set_index(rna.index).assign(subject=rna.index)]
    )
    layers = {**cohort.layers, "rna": replace(cohort.layers["rna"], values=rna)}
    found = harmonise(Cohort(layers, sheet), (RNA, PROTEIN))[0]
    table = found.comparisons["rna_xy", "protein_xy"]
    assert table["discordance"].notna().all()
    assert table["shift_p"].isna().all()
    assert "no sample has both layers" in {s.why for s in found.steps}


def test_contrasts_of_other_people_are_no_pair_and_every_stratum_is_one():
    cohort = planted_cohort()
    sheet = cohort.samples.assign(sex=np.tile(["f", "f", "m", "m"], 6))
    contrasts = [
        replace(c, name=f"{c.layer}_{sex}", where={"sex": sex}, batch="")
        for c in (RNA, PROTEIN)
        for sex in "fm"
    ]
    found = harmonise(replace(cohort, samples=sheet), (RNA, PROTEIN, *contrasts))[0]
    assert sorted(found.comparisons) == [
        ("rna_f", "protein_f"),
        ("rna_m", "protein_m"),
        ("rna_xy", "protein_xy"),
    ]


def test_a_restriction_that_holds_for_all_samples_of_the_other_layer_is_none():
    cohort = planted_cohort()
    protein = replace(PROTEIN, where={"batch": "a"}, batch="")
    values = cohort.layers["rna"].values.iloc[:8]
    layers = {**cohort.layers, "rna": replace(cohort.layers["rna"], values=values)}
    found = harmonise(Cohort(layers, cohort.samples), (RNA, protein))[0]
    assert list(found.comparisons) == [("rna_xy", "protein_xy")]


def test_comparisons_survive_the_disk(evidence, tmp_path: Path):
    save_evidence(evidence, tmp_path)
    again = load_evidence(tmp_path)
    assert list(again.comparisons) == list(evidence.comparisons)
    for name, table in evidence.comparisons.items():
        pd.testing.assert_frame_equal(again.comparisons[name], table)


def test_coverage_is_that_of_the_arm_that_has_least():
    cohort = planted_cohort()
    values = cohort.layers["protein"].values.copy()
    gene = values.columns[200]
    values[gene] = 5.0 + np.arange(24)
    values.loc[cohort.samples["arm"].eq("x"), gene] = [1.0, 2.0, 3.0, *[np.nan] * 9]
    layer = Layer("protein", "protein", "intensity", values)
    block = harmonise(replace(cohort, layers={"protein": layer}), (PROTEIN,))[0].blocks[
        "protein_xy"
    ]
    assert block.loc[gene, "coverage"] == 0.25
    assert block.loc[gene, "weight"] == 0.5
    never = block.index[80]  # one arm never shows it
    assert not block.loc[never, "observed"]
    assert block.loc[never, ["coverage", "weight"]].tolist() == [0, 0]


def test_a_kinase_that_is_turned_off_leads_the_signalling_of_its_contrast(evidence):
    graph = read_starter_graph()
    targets = regulons(graph, {"activates": 1.0, "inhibits": -1.0})
    largest = targets["set"].value_counts().index[0]
    mine = targets[targets["set"] == largest]
    rng = np.random.default_rng(4)
    block = evidence.blocks["protein_xy"].reindex(graph.genes)
    block["observed"] = True
    block["z"] = rng.normal(0, 1, len(block))
    block.loc[mine["gene"], "z"] -= 3 * np.sign(mine["weight"].to_numpy())
    across = evidence.across.reindex(graph.genes)
    planted = replace(
        evidence, blocks={"p": block}, kinds={"p": "protein"}, across=across, comparisons={}
    )
    found = graph_activities(planted, graph)
    assert set(found["kind"]) == {"transcription", "signalling", "pathway", "complex"}
    first = found[found["kind"] == "signalling"].iloc[0]
    assert first["set"] == largest
    assert first["activity"] < -5
    assert first["name"] == graph.symbols[largest]


def test_a_contrast_that_tested_nothing_has_no_activity(evidence):
    graph = read_starter_graph()
    bare = evidence.with_genes(graph.genes)
    block = bare.blocks["protein_xy"].assign(observed=False, **dict.fromkeys(VALUE_COLUMNS, np.nan))
    assert graph_activities(replace(bare, blocks={"p": block}), graph).empty
