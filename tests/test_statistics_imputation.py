"""Filling in is asked for, drawn several times, pooled by Rubin's rules, and marked everywhere."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.design import Design, build_design, imputation_stain
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.imputation import DRAWS, combine_filled, fill_missing
from aimwell.config import ContrastSettings, read_config
from aimwell.errors import ConfigError, DesignError
from aimwell.pipeline.stages import design_row

PLAIN = ContrastSettings("p", "protein", "arm", "x", "y")
METHODS = ("minprob", "downshift", "smallest", "knn")


def made(seed: int = 1, genes: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    """12 samples; half of the genes lose values, the first ten in all cases."""
    rng = np.random.default_rng(seed)
    ids = [f"s{i:02d}" for i in range(12)]
    values = rng.normal(20, 2, genes) + rng.normal(0, 0.3, (12, genes))
    values[:, : genes // 2][rng.random((12, genes // 2)) < 0.2] = np.nan
    values[::2, :10] = np.nan
    sheet = pd.DataFrame({"subject": ids, "arm": ["x", "y"] * 6}, ids)
    return pd.DataFrame(values, ids, [f"HGNC:{i}" for i in range(1, genes + 1)]), sheet


def design_of(values: pd.DataFrame, sheet: pd.DataFrame) -> Design:
    return build_design(sheet, values.index, PLAIN)


@pytest.mark.parametrize("method", METHODS)
def test_only_gaps_are_filled_and_the_order_means_nothing(method):
    values, _ = made()
    whole = fill_missing(values, method)
    assert whole.notna().all(axis=None)
    pd.testing.assert_frame_equal(whole.where(values.notna()), values)
    mixed = values.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
    again = fill_missing(mixed, method).reindex(index=whole.index, columns=whole.columns)
    pd.testing.assert_frame_equal(whole, again)


def test_what_one_sample_alone_has_is_not_filled():
    values, _ = made()
    values.iloc[1:, 0] = np.nan
    assert fill_missing(values, "minprob").iloc[1:, 0].isna().all()


def test_low_draws_lie_low_and_neighbours_lie_near():
    rng = np.random.default_rng(3)
    level = np.repeat(np.arange(15.0, 30.0), 20)
    whole = pd.DataFrame(level + rng.normal(0, 0.2, (20, 1)) + rng.normal(0, 0.1, (20, 300)))
    gone = rng.random(whole.shape) < 0.1
    filled = {m: fill_missing(whole.mask(gone), m).to_numpy()[gone] for m in METHODS}
    assert np.abs(filled["knn"] - whole.to_numpy()[gone]).mean() < 0.5
    assert filled["minprob"].mean() < 16
    assert filled["smallest"].max() < 16
    assert filled["downshift"].mean() == pytest.approx(22 - 1.8 * level.std(), abs=0.5)


def test_draws_are_pooled_by_the_rules_of_rubin():
    values, sheet = made()
    design = design_of(values, sheet)
    found = combine_filled(values, "minprob", lambda v: fit_contrast(v, design))
    gene = values.columns[0]
    tables = [fit_contrast(fill_missing(values, "minprob", k), design) for k in range(DRAWS)]
    effects = np.array([t.loc[gene, "log2_fold_change"] for t in tables])
    within = np.mean([t.loc[gene, "se"] ** 2 for t in tables])
    total = within + 1.2 * effects.var(ddof=1)
    assert found.table.loc[gene, "log2_fold_change"] == pytest.approx(effects.mean())
    assert found.table.loc[gene, "se"] == pytest.approx(np.sqrt(total))
    assert found.table.loc[gene, "df"] < tables[0].loc[gene, "df"]
    assert found.table.loc[gene, "n_case"] == 0
    assert found.filled[gene] == pytest.approx(values[gene].isna().mean())
    assert 0.5 < found.agreement < 1


def test_genes_without_gaps_keep_their_statistics_to_the_last_bit():
    values, sheet = made()
    design = design_of(values, sheet)
    bare = fit_contrast(values, design)
    whole = values.columns[values.notna().all()]
    for method in METHODS:
        found = combine_filled(values, method, lambda v: fit_contrast(v, design))
        columns = ["log2_fold_change", "se", "t", "p", "status"]
        pd.testing.assert_frame_equal(found.table.loc[whole, columns], bare.loc[whole, columns])


def test_what_was_filled_is_marked_and_stains_every_result():
    values, sheet = made()
    cohort = Cohort({"protein": Layer("protein", "protein", "log2", values)}, sheet)
    asked = replace(PLAIN, impute="minprob")
    evidence, designs = harmonise(cohort, (asked,))
    block = evidence.blocks["p"]
    gene = "HGNC:1"
    assert block.loc[gene, "observed"]
    assert block.loc[gene, "imputed"] == pytest.approx(values[gene].isna().mean())
    assert block.loc["HGNC:300", "imputed"] == 0
    assert block.loc[gene, "n_observed"] == values[gene].notna().sum()
    assert block.loc[gene, "detection"] == "off"  # as measured
    assert block.loc[gene, "coverage"] == 0
    assert "filled in by 'minprob'" in designs["p"].notes[-1]
    rows = {name: design_row(d) for name, d in designs.items()}
    assert imputation_stain(rows) == "Missing values were filled in: in 'p' by 'minprob'."
    plain, unmarked = harmonise(cohort, (PLAIN,))
    assert "imputed" not in plain.blocks["p"]
    assert not plain.blocks["p"].loc[gene, "observed"]
    assert imputation_stain({n: design_row(d) for n, d in unmarked.items()}) == ""


def test_a_sample_without_values_cannot_be_filled():
    values, sheet = made()
    values.iloc[3] = np.nan
    design = design_of(values, sheet)
    with pytest.raises(DesignError, match="no value at all, as 's03'"):
        combine_filled(values, "knn", lambda v: fit_contrast(v, design))


def test_the_prior_of_a_contrast_is_that_of_its_settings():
    values, sheet = made()
    counts = pd.Series(np.arange(1.0, 301.0), values.columns)
    layer = Layer("protein", "protein", "log2", values, peptides=counts)
    cohort = Cohort({"protein": layer}, sheet)

    def se(**settings: object) -> "pd.Series[float]":
        return harmonise(cohort, (replace(PLAIN, **settings),))[0].blocks["p"]["se"]  # type: ignore[arg-type]

    design = design_of(values, sheet)
    bare = fit_contrast(values, design)["se"]
    pd.testing.assert_series_equal(se(variance="constant"), bare)
    pd.testing.assert_series_equal(
        se(variance="constant", robust=True), fit_contrast(values, design, robust=True)["se"]
    )
    pd.testing.assert_series_equal(
        se(variance="abundance"), fit_contrast(values, design, trend=True)["se"]
    )
    pd.testing.assert_series_equal(se(), se(variance="peptides"))
    assert not np.allclose(se().dropna(), bare.dropna())
    unknown = Cohort({"protein": replace(layer, peptides=pd.Series(dtype=float))}, sheet)
    with pytest.raises(DesignError, match="do not say on how many peptides"):
        harmonise(unknown, (replace(PLAIN, variance="peptides"),))


@pytest.mark.parametrize(
    ("more", "kind", "says"),
    [
        ('impute = "minprb"', "protein", "did you mean 'minprob'"),
        ('impute = "knn"', "rna", "fills in proteins, and layer 'l' holds RNA"),
        ('impute = "knn"\nblock = "subject"', "protein", "exclude each other"),
        ('variance = "trend"', "protein", "contrasts.variance = 'trend' is not known"),
        (
            'test = "survival"\ntime = "t"\nevent = "e"\nrobust = true',
            "rna",
            "robust means nothing",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(tmp_path: Path, more: str, kind: str, says: str):
    arms = "" if "survival" in more else 'condition = "arm"\ncase = "x"\ncontrol = "y"\n'
    (tmp_path / "run.toml").write_text(
        '[run]\ntitle = "t"\noutput = "o"\n[cohort]\nsheet = { path = "s.tsv" }\nmatrices = '
        f'[{{ path = "m.tsv", layer = "l", kind = "{kind}", unit = "log2" }}]\n[[contrasts]]\n'
        f'name = "c"\nlayer = "l"\n{arms}{more}\n'
        '[[known_targets.sources]]\nreader = "genes"\ngenes = ["EGFR"]\n'
    )
    with pytest.raises(ConfigError, match=says):
        read_config(tmp_path / "run.toml")
