"""From peptides to tests of proteins: numbers by hand, other implementations, planted truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.detection import compare_detection
from aimwell.cohorts.differential import fit_linear, moderate
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.normalise import normalise
from aimwell.cohorts.reading import read_cohort
from aimwell.cohorts.rollup import roll_up
from aimwell.config import ContrastSettings, RunConfig
from aimwell.config.reading import config_from
from aimwell.errors import AlignmentError, CohortError, ConfigError
from aimwell.knowledge.identifiers import IdentifierTable

XY = ContrastSettings("xy", "protein", "arm", case="y", control="x")


def samples(n: int, **columns: object) -> pd.DataFrame:
    ids = [f"s{i:02d}" for i in range(n)]
    half = ["x"] * (n // 2) + ["y"] * (n - n // 2)
    return pd.DataFrame({"subject": ids, "arm": half, **columns}, index=ids)


def design_of(sheet: pd.DataFrame, **terms: object) -> Design:
    return build_design(sheet, sheet.index, ContrastSettings(**(vars(XY) | terms)))


# --- peptides to proteins -------------------------------------------------------------------------


def one_protein(rows: list[list[float]]) -> pd.Series:
    """Peptides × samples of one protein, rolled up."""
    frame = pd.DataFrame(np.array(rows, float).T)
    frame.index = pd.Index([f"s{i}" for i in range(len(frame))])
    frame.columns = pd.Index([f"p{i}" for i in range(frame.shape[1])])
    return roll_up(frame, pd.Series("P", index=frame.columns)).values["P"]


def test_median_polish_gives_tukeys_numbers_of_a_table_by_hand():
    # rows − medians (2, 5, 6): (−1 0 1), (−1 0 2), (0 −5 1); their median 5 is the overall level;
    # columns − medians (−1, 0, 1) leaves one value that fits no sum, and the second sweep adds 0
    assert one_protein([[1, 2, 3], [4, 5, 7], [6, 1, 7]]).tolist() == [4, 5, 6]


def test_additive_peptides_give_back_their_samples_whatever_is_missing():
    rng = np.random.default_rng(3)
    sample, peptide = rng.normal(0, 1, 8), rng.normal(20, 3, 7)
    block = peptide[:, None] + sample
    block[rng.random(block.shape) < 0.3] = np.nan
    block[0] = peptide[0] + sample
    found = one_protein(block.tolist())
    np.testing.assert_allclose(found - found.mean(), sample - sample.mean(), atol=1e-5)


def test_one_wild_peptide_does_not_move_a_protein():
    quiet = [[10, 11, 12], [14, 15, 16], [17, 18, 19], [12, 13, 14], [13, 14, 15]]
    wild = [*quiet[:4], [13, 99, -50]]
    np.testing.assert_allclose(one_protein(wild) - one_protein(wild).mean(), [-1, 0, 1], atol=1e-9)


def test_samples_without_a_shared_peptide_are_not_compared():
    nan = np.nan
    found = one_protein([[10, 11, nan, nan], [12, 13, nan, nan], [nan, nan, 30, 31]])
    assert found.isna().tolist() == [False, False, True, True]
    assert found.iloc[1] - found.iloc[0] == pytest.approx(1)


def test_shared_peptides_are_left_out_and_counted():
    frame = pd.DataFrame({"a": [1.0, 2], "b": [5.0, 9]}, index=["s1", "s2"])
    made = roll_up(frame, pd.Series({"a": "P1", "b": ""}))
    assert made.values["P1"].tolist() == [1, 2]
    assert [(s.rows_in, s.rows_out, s.examples) for s in made.steps] == [(2, 1, ("b",))]
    with pytest.raises(AlignmentError, match="1 peptides belong to no protein: 'b'"):
        roll_up(frame, pd.Series({"a": "P1"}))


# --- one level ------------------------------------------------------------------------------------


def drifting(seed: int = 1) -> tuple[pd.DataFrame, np.ndarray]:
    """Proteins whose samples are shifted, and the fewer seen the further a sample is down."""
    rng = np.random.default_rng(seed)
    level, shift = rng.normal(24, 2, 2000), rng.normal(0, 1, 8)
    values = level + shift[:, None] + rng.normal(0, 0.2, (8, 2000))
    values[values < 22.5] = np.nan
    return pd.DataFrame(values, [f"s{i}" for i in range(8)]), shift - shift.mean()


def test_median_differences_find_the_shift_that_missing_values_hide_from_medians():
    values, shift = drifting()
    taken = (values - normalise(values, "median", linear=False)).mean(axis=1).to_numpy()
    naive = values.median(axis=1).to_numpy()
    assert np.abs(taken - shift).max() < 0.02
    assert np.abs(naive - naive.mean() - shift).max() > 0.3


def test_quantiles_are_equal_after_quantile_normalisation():
    values, _ = drifting()
    made = normalise(values.fillna(22.0) + np.arange(2000) * 1e-9, "quantile", linear=False)
    first = np.sort(made.iloc[0])
    assert all(np.allclose(np.sort(made.iloc[i]), first) for i in range(8))


def test_variance_stabilising_takes_offset_and_scale_out_and_evens_the_spread():
    rng = np.random.default_rng(2)
    level = rng.normal(5.5, 1.5, 600)
    offset, scale = rng.normal(60, 10, (6, 1)), np.exp(rng.normal(0, 0.3, (6, 1)))
    clean = np.exp(level + rng.normal(0, 0.1, (6, 600))) + rng.normal(0, 20, (6, 600))
    values = pd.DataFrame(offset + scale * clean).where(lambda v: v > 0)
    spread = normalise(values, "median", linear=True).std().groupby(pd.qcut(level, 4)).mean()
    made = normalise(values, "variance_stabilising", linear=True)
    even = made.std().groupby(pd.qcut(level, 4)).mean()
    assert spread.max() / spread.min() > 1.5
    assert even.max() / even.min() < 1.15
    assert made.median(axis=1).std() < 0.05  # by scale alone they differ by 0.43


def test_variance_stabilising_of_purely_multiplicative_noise_is_the_logarithm():
    rng = np.random.default_rng(4)
    values = pd.DataFrame(np.exp(rng.normal(8, 2, 500) + rng.normal(0, 0.2, (4, 500))))
    made = normalise(values, "variance_stabilising", linear=True)
    slope = np.polyfit(np.log2(values.iloc[0]), made.iloc[0], 1)[0]
    assert slope == pytest.approx(1, abs=0.01)
    with pytest.raises(CohortError, match="needs intensities"):
        normalise(values, "variance_stabilising", linear=False)


# --- on or off ------------------------------------------------------------------------------------


def detected(pattern: str, sheet: pd.DataFrame, level: float = 25.0) -> pd.DataFrame:
    gene = [level if mark == "1" else np.nan for mark in pattern]
    rest = np.linspace(15, 24, 19)
    others = pd.DataFrame([rest] * len(sheet), sheet.index, [f"HGNC:{i}" for i in range(2, 21)])
    return pd.concat([pd.Series(gene, sheet.index, name="HGNC:1"), others], axis=1)


@pytest.mark.parametrize("pattern", ["0000011111", "0100011110", "1000001111", "0110010110"])
def test_without_strata_the_detection_test_is_fishers(pattern):
    sheet = samples(10)
    found = compare_detection(detected(pattern, sheet), design_of(sheet))
    a, b = pattern[5:].count("1"), pattern[:5].count("1")
    expected = stats.fisher_exact([[a, 5 - a], [b, 5 - b]]).pvalue
    assert found.loc["HGNC:1", "detection_p"] == pytest.approx(expected, abs=1e-12)


def test_within_pairs_the_detection_test_is_mcnemars():
    sheet = samples(20, subject=[f"p{i % 10}" for i in range(20)])
    pattern = "0000000011" + "1111111001"  # seven pairs on, one off, two alike
    found = compare_detection(detected(pattern, sheet), design_of(sheet, subject="subject"))
    expected = stats.binomtest(7, 8).pvalue
    assert found.loc["HGNC:1", "detection_p"] == pytest.approx(expected, abs=1e-12)


def test_detection_that_follows_the_batch_is_no_evidence():
    # batch b holds most of the cases and alone detects the protein
    sheet = samples(20, batch=list("aaaaaaaabb" + "aabbbbbbbb"))
    pattern = "".join("1" if b == "b" else "0" for b in sheet["batch"])
    values = detected(pattern, sheet)
    blind = compare_detection(values, design_of(sheet)).loc["HGNC:1", "detection_p"]
    aware = compare_detection(values, design_of(sheet, batch="batch")).loc["HGNC:1"]
    assert blind < 0.05
    assert np.isnan(aware["detection_p"])


def test_a_protein_of_one_arm_has_a_bound_and_swapping_arms_mirrors_it():
    sheet = samples(10)
    values = detected("0000011111", sheet)
    on = compare_detection(values, design_of(sheet)).loc["HGNC:1"]
    off = compare_detection(values, design_of(sheet, case="x", control="y")).loc["HGNC:1"]
    # 5 % quantile of what the controls see: 15, 15.5 … 24 at position .9
    assert on["detection"] == "on"
    assert off["detection"] == "off"
    assert on["at_least"] == pytest.approx(25 - 15.45)
    assert off["at_least"] == pytest.approx(-on["at_least"])
    assert on["detection_p"] == off["detection_p"]


def test_a_bound_is_missing_where_it_says_nothing():
    sheet = samples(10)
    design = design_of(sheet)
    low = compare_detection(detected("0000011111", sheet, level=15.2), design)
    ratios = compare_detection(detected("0000011111", sheet), design, ratios=True)
    assert np.isnan(low.loc["HGNC:1", "at_least"])
    assert np.isnan(ratios.loc["HGNC:1", "at_least"])
    assert low.loc["HGNC:1", "detection"] == "on"


def test_detection_by_chance_is_rarely_called():
    rng = np.random.default_rng(5)
    sheet = samples(12)
    values = pd.DataFrame(rng.normal(24, 1, (12, 4000)), sheet.index)
    values = values.mask(rng.random(values.shape) < rng.uniform(0, 1, 4000))
    values = values.set_axis([f"HGNC:{i:04d}" for i in range(4000)], axis=1)
    found = compare_detection(values, design_of(sheet))
    assert (found["detection_p"] < 0.05).mean() < 0.05
    sided = found["detection"] != ""
    assert sided.sum() > 100  # picked by eye they would all look telling
    assert (found.loc[sided, "detection_q"] < 0.05).sum() == 0


def test_a_protein_that_a_file_does_not_list_is_not_called_undetected(tmp_path, table):
    rng = np.random.default_rng(12)
    sheet = samples(12)
    sheet.to_csv(tmp_path / "sheet.tsv", sep="\t", index_label="sample")
    values = pd.DataFrame(np.exp2(rng.normal(25, 2, (40, 12))), SYMBOLS, sheet.index)
    values.iloc[1, :6] = np.nan  # listed in both files, never seen in one
    values.iloc[:, :6].drop(index="GENE00").to_csv(tmp_path / "x.tsv", sep="\t", index_label="p")
    values.iloc[:, 6:].to_csv(tmp_path / "y.tsv", sep="\t", index_label="p")
    made = config(tmp_path, *({"path": f"{arm}.tsv", "unit": "intensity"} for arm in "xy"))
    block = harmonise(read_cohort(made, table), made.contrasts)[0].blocks["xy"]
    assert block["detection"].tolist() == ["", "on", *[""] * 38]
    assert block["detection_p"].notna().sum() == 1


# --- variance and peptides ------------------------------------------------------------------------


def test_the_prior_variance_follows_the_number_of_peptides():
    rng = np.random.default_rng(6)
    sheet = samples(6)
    peptides = rng.choice([1, 2, 4, 8, 16], 8000)
    sd = np.sqrt(0.02 + 0.4 / peptides)
    genes = [f"HGNC:{i:04d}" for i in range(8000)]
    values = pd.DataFrame(rng.normal(0, sd, (6, 8000)), sheet.index, genes)
    design, counts = design_of(sheet), pd.Series(peptides.astype(float), index=genes)
    fit = fit_linear(values, design)
    plain, informed = moderate(fit, design), moderate(fit, design, peptides=counts)
    one = peptides == 1
    # without counts, single peptides look significant too often, and many peptides too rarely
    assert (plain["p"][one] < 0.05).mean() > 0.07
    assert 0.04 < (informed["p"][one] < 0.05).mean() < 0.06
    assert 0.04 < (informed["p"][peptides == 16] < 0.05).mean() < 0.06
    with pytest.raises(AlignmentError, match="1 proteins have no number of peptides: 'HGNC:0000'"):
        moderate(fit, design, peptides=counts.drop("HGNC:0000"))


# --- from files to evidence -----------------------------------------------------------------------


SYMBOLS = [f"GENE{i:02d}" for i in range(40)]


@pytest.fixture
def table() -> IdentifierTable:
    blank = [""] * len(SYMBOLS)
    columns = "name alias_symbol prev_symbol gene_group gene_group_id entrez_id ensembl_gene_id"
    loci = pd.DataFrame(
        {"symbol": SYMBOLS, "locus_group": "protein-coding gene", "status": "Approved"}
        | dict.fromkeys(columns.split(), blank)
        | {"uniprot_ids": [f"P{i:05d}" for i in range(40)]},
        index=[f"HGNC:{i:02d}" for i in range(40)],
    )
    return IdentifierTable.from_hgnc(loci)


def config(folder: Path, *matrices: dict[str, object]) -> RunConfig:
    contrast = {"name": "xy", "layer": "protein", "condition": "arm", "case": "y", "control": "x"}
    return config_from(
        {
            "run": {"title": "t", "output": "o", "data": str(folder)},
            "graph": {"preset": "starter"},
            "cohort": {
                "sheet": {"path": "sheet.tsv"},
                "matrices": [{"layer": "protein", "kind": "protein", **m} for m in matrices],
            },
            "contrasts": [contrast],
            "known_targets": {"sources": [{"reader": "genes", "genes": ["GENE01"]}]},
        }
    )


def write_groups(folder: Path, values: pd.DataFrame, peptides: list[int]) -> None:
    top = ["Majority protein IDs", "Razor + unique peptides"]
    lines = ["\t".join([*top, *(f"LFQ intensity {s}" for s in values.columns)])]
    for name, count, row in zip(values.index, peptides, values.to_numpy(), strict=True):
        lines.append("\t".join([name, str(count), *(f"{v:.6g}" for v in row)]))
    (folder / "proteinGroups.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_maxquant_files_become_evidence_with_counts_detection_and_missing_kept(tmp_path, table):
    rng = np.random.default_rng(7)
    sheet = samples(12)
    sheet.to_csv(tmp_path / "sheet.tsv", sep="\t", index_label="sample")
    ids = [f"P{i:05d}" for i in range(40)]
    linear = np.exp2(rng.normal(25, 1.5, 40)[:, None] + rng.normal(0, 0.2, (40, 12)))
    values = pd.DataFrame(linear, ids, sheet.index)
    values.iloc[3, 6:] *= 4
    values.iloc[5, :6] = 0  # the control arm never shows it
    counts = rng.integers(1, 20, 40).tolist()
    write_groups(tmp_path, values, counts)
    made = config(tmp_path, {"path": "proteinGroups.txt", "reader": "maxquant"})
    cohort = read_cohort(made, table)
    assert cohort.layers["protein"].peptides.tolist() == counts
    block = harmonise(cohort, made.contrasts)[0].blocks["xy"]
    assert block.loc["HGNC:03", "log2_fold_change"] == pytest.approx(2, abs=0.3)
    off = block.loc["HGNC:05"]
    assert np.isnan(off["log2_fold_change"])
    assert off["detection"] == "on"
    assert off["detection_p"] == pytest.approx(2 / 924)
    assert (block["detection"] != "").sum() == 1


def test_plexes_are_joined_by_their_references(tmp_path, table):
    rng = np.random.default_rng(8)
    ids = [f"P{i:05d}" for i in range(40)]
    truth = np.exp2(rng.normal(20, 2, 40))[:, None] * np.exp2(rng.normal(0, 0.5, (40, 8)))
    for name, part in (("a", truth[:, :4]), ("b", truth[:, 4:])):
        # a plex draws another handful of ions of every protein, the pool along with the samples
        drawn = np.exp2(rng.normal(0, 2, 40))[:, None]
        pool = truth.mean(axis=1, keepdims=True)
        columns = [*(f"{name}{i}" for i in range(4)), f"{name}_pool"]
        frame = pd.DataFrame(np.hstack([part, pool]) * drawn, ids, columns)
        frame.to_csv(tmp_path / f"{name}.tsv", sep="\t", index_label="protein")
    names = [f"{p}{i}" for p in "ab" for i in range(4)]
    sheet = pd.DataFrame({"arm": list("xyxyxyxy")}, index=names)
    sheet.to_csv(tmp_path / "sheet.tsv", sep="\t", index_label="sample")
    each = [{"path": f"{p}.tsv", "unit": "intensity", "reference": "_pool$"} for p in "ab"]
    cohort = read_cohort(config(tmp_path, *each), table)
    logs = np.log2(cohort.layers["protein"].values.to_numpy())
    wanted = np.log2(truth.T)
    np.testing.assert_allclose(logs - logs.mean(axis=0), wanted - wanted.mean(axis=0), atol=1e-8)
    step = next(s for s in cohort.steps if "reference channels" in s.name)
    assert (step.rows_in, step.rows_out, step.examples) == (10, 8, ("a_pool", "b_pool"))
    each[1]["reference"] = "nothing"
    with pytest.raises(CohortError, match="1 of 2 plexes have no reference channel"):
        read_cohort(config(tmp_path, *each), table)
    each[1]["reference"] = ""
    with pytest.raises(CohortError, match=r"b\.tsv' has no 'reference'"):
        read_cohort(config(tmp_path, *each), table)
    each = [{**m, "reference": "_pool$", "plex_pattern": "^([a-z"} for m in each]
    with pytest.raises(ConfigError, match=r"plex_pattern .* is no regular expression"):
        read_cohort(config(tmp_path, *each), table)


def test_ratios_given_as_intensities_and_impossible_normalisations_are_refused(tmp_path, table):
    sheet = samples(6)
    sheet.to_csv(tmp_path / "sheet.tsv", sep="\t", index_label="sample")
    ratios = np.exp2(np.random.default_rng(9).normal(0, 0.7, (40, 6)))
    frame = pd.DataFrame(ratios, SYMBOLS, sheet.index)
    frame.to_csv(tmp_path / "m.tsv", sep="\t", index_label="protein")
    one = {"path": "m.tsv", "unit": "intensity"}
    with pytest.raises(CohortError, match="look like ratios to a reference: take log2"):
        read_cohort(config(tmp_path, one), table)
    (frame * 1e6).to_csv(tmp_path / "m.tsv", sep="\t", index_label="protein")
    assert read_cohort(config(tmp_path, one), table).layers["protein"].unit == "intensity"
    np.log2(frame).to_csv(tmp_path / "m.tsv", sep="\t", index_label="protein")
    glog = {"path": "m.tsv", "unit": "log2_ratio", "normalise": "variance_stabilising"}
    with pytest.raises(CohortError, match="needs intensities, and the file holds log2_ratio"):
        read_cohort(config(tmp_path, glog), table)
    with pytest.raises(ConfigError, match="normalise = 'vsn' is not known"):
        config(tmp_path, {**glog, "normalise": "vsn"})


@pytest.mark.parametrize("method", ["none", "median", "quantile", "variance_stabilising"])
def test_a_layer_is_brought_to_one_level_as_its_files_ask(method):
    rng = np.random.default_rng(10)
    sheet = samples(8)
    # the cases were loaded twice as much
    load = np.where(sheet["arm"] == "y", 2.0, 1.0)[:, None]
    values = np.exp2(rng.normal(25, 2, 60) + rng.normal(0, 0.1, (8, 60))) * load
    genes = [f"HGNC:{i:02d}" for i in range(60)]
    frame = pd.DataFrame(values, sheet.index, genes)
    layer = Layer("protein", "protein", "intensity", frame, normalise=method)
    block = harmonise(Cohort({"protein": layer}, sheet), (XY,))[0].blocks["xy"]
    expected = 1.0 if method == "none" else 0.0
    assert block["log2_fold_change"].mean() == pytest.approx(expected, abs=0.1)


@pytest.mark.filterwarnings("ignore")  # of the package, which compiles itself
def test_directlfq_gives_the_planted_levels_and_keeps_gaps_missing():
    pytest.importorskip("directlfq")
    rng = np.random.default_rng(8)
    level = rng.normal(0, 1, (8, 6))  # (samples, proteins)
    owner = np.repeat(np.arange(6), 5)
    values = 20 + level[:, owner] + rng.normal(0, 2, 30) + rng.normal(0, 0.02, (8, 30))
    values[rng.random(values.shape) < 0.1] = np.nan
    values[2, owner == 3] = np.nan
    values[:4, 20:23] = np.nan  # protein 4: the halves share no peptide
    values[4:, 23:25] = np.nan
    names = [f"p{i:02d}" for i in range(30)]
    frame = pd.DataFrame(values, [f"s{i}" for i in range(8)], names)
    of = pd.Series([f"P{i}" for i in owner], names)
    found = roll_up(frame, of, method="directlfq")
    polished = roll_up(frame, of)
    pd.testing.assert_series_equal(found.peptides, polished.peptides)
    pd.testing.assert_frame_equal(found.values.isna(), polished.values.isna())
    planted = pd.DataFrame(level, frame.index, found.values.columns)
    for table in (found.values, polished.values):
        off = (table - planted).drop(columns="P4")
        assert (off - off.mean()).abs().max(axis=None) < 0.1
