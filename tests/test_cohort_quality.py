"""Odd samples are found, ordinary ones are left in peace, and the sheet's sex is questioned."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.check import check_cohort
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.quality import check_presence, check_sex, find_outliers, sex_markers
from aimwell.cohorts.reading import read_cohort
from aimwell.config import read_config
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.hgnc import read_hgnc

ROOT = Path(__file__).resolve().parents[1]


def counts(seed: int = 1, samples: int = 24) -> pd.DataFrame:
    """Two tissues with other genes in each, libraries that differ up to twofold."""
    rng = np.random.default_rng(seed)
    level = rng.gamma(1, 200, (2, 400))
    depth = rng.uniform(0.7, 1.4, samples)[:, None]
    values = rng.poisson(
        level[np.arange(samples) % 2] * depth * rng.gamma(20, 0.05, (samples, 400))
    )
    names = [f"s{i:02}" for i in range(samples)]
    return pd.DataFrame(values.astype(float), names, [f"HGNC:{i:04}" for i in range(400)])


def of(values: pd.DataFrame) -> Layer:
    return Layer("rna", "rna", "counts", values)


@pytest.mark.parametrize("seed", range(5))
def test_ordinary_samples_of_two_tissues_are_no_outliers(seed: int) -> None:
    assert find_outliers(of(counts(seed))) == ()


def test_a_small_library_and_a_degraded_sample_are_found() -> None:
    values = counts()
    rng = np.random.default_rng(2)
    values.loc["s03"] = (values.loc["s03"] / 30).round()
    values.loc["s08"] = rng.permutation(values.loc["s08"].to_numpy())
    found = {(o.sample, o.measure) for o in find_outliers(of(values))}
    assert ("s03", "total") in found
    assert ("s08", "likeness") in found
    assert {sample for sample, _ in found} == {"s03", "s08"}


def test_a_sample_with_few_proteins_is_found() -> None:
    rng = np.random.default_rng(3)
    values = pd.DataFrame(rng.normal(20, 3, 300) + rng.normal(0, 0.3, (12, 300)))
    values = values.set_axis([f"s{i:02}" for i in range(12)])
    values = values.mask(rng.random(values.shape) < 0.1)
    values.loc["s05"] = values.loc["s05"].mask(rng.random(300) < 0.5)
    found = find_outliers(Layer("protein", "protein", "log2", values))
    assert [(o.sample, o.measure) for o in found] == [("s05", "detection")]


def with_sexes(stated: list[str], true: list[str]) -> Cohort:
    values = counts(samples=len(true))
    men = np.array([s == "male" for s in true])
    values["XIST"] = np.where(men, 1.0, 900.0)
    values["ENSG00000129824.15"] = np.where(men, 700.0, 0.0)
    sheet = pd.DataFrame({"subject": values.index, "Sex": stated}, index=values.index)
    return Cohort({"rna": of(values)}, sheet, markers={"rna": sex_markers(values)})


def test_a_sample_whose_genes_contradict_the_sheet_is_named() -> None:
    true = ["male", "female"] * 4
    found = check_sex(with_sexes(["M", "F", "M", "M", "male", "female", "m", "unknown"], true))[0]
    assert (found.male, found.female, found.unclear) == (4, 4, 0)
    assert found.contradictions == {"s03": ("male", "female")}
    assert found.genes == ("RPS4Y1", "XIST")
    assert found.column == "Sex"


def test_samples_of_one_subject_with_two_sexes_are_named() -> None:
    cohort = with_sexes(["M"] * 6, ["male"] * 5 + ["female"])
    sheet = cohort.samples.assign(subject=["a", "a", "b", "b", "c", "c"]).drop(columns="Sex")
    found = check_sex(replace(cohort, samples=sheet))[0]
    assert (found.subjects, found.column, found.contradictions) == (("c",), "", {})


def test_without_genes_of_both_chromosomes_nothing_is_said() -> None:
    cohort = with_sexes(["M"] * 6, ["male"] * 6)
    only = {"rna": cohort.markers["rna"][["XIST"]]}
    assert check_sex(replace(cohort, markers=only)) == ()


@pytest.mark.parametrize(
    ("second", "pattern"),
    [("abc", "vertical"), ("def", "diagonal"), ("bcd", "mosaic"), ("", "one layer")],
)
def test_the_pattern_of_layers_over_subjects_is_named(second: str, pattern: str) -> None:
    def layer(name: str, kind: str, samples: str) -> Layer:
        ids = [f"{name}_{s}" for s in samples]
        return Layer(name, kind, "log2", pd.DataFrame({"g": 1.0}, index=ids))

    layers = {"r": layer("r", "rna", "abc")}
    layers |= {"p": layer("p", "protein", second)} if second else {}
    ids = [i for one in layers.values() for i in one.values.index]
    sheet = pd.DataFrame({"subject": [i[-1] for i in ids]}, index=ids)
    assert check_presence(Cohort(layers, sheet)).pattern == pattern


def test_the_colon_cohort_is_described_as_its_authors_do(real_data: Path) -> None:
    config = read_config(ROOT / "examples" / "coad" / "coad.toml", data=str(real_data))
    table = IdentifierTable.from_hgnc(read_hgnc(config.path(config.identifiers.hgnc)))
    cohort = read_cohort(config, table)
    found = check_cohort(cohort, config.contrasts)
    assert found.presence.pattern == "mosaic"
    assert {f.layer for f in found.files} == set(cohort.layers)
    assert all("approved symbol" in kinds for kinds in found.names.values())
    share = len({o.sample for o in found.outliers}) / len(cohort.samples)
    assert share < 0.1


def test_the_female_cell_line_among_the_airway_samples_is_found(real_data: Path) -> None:
    """All four lines are called male; the two samples of N061011 express XIST and no Y gene."""
    folder = real_data / "cohorts" / "airway"
    values = pd.read_csv(folder / "airway_rawcounts.csv", index_col=0).T.astype(float).sort_index()
    sheet = pd.read_csv(folder / "airway_metadata.csv", index_col=0).loc[values.index]
    sheet = sheet.assign(subject=sheet["celltype"], sex="male")
    cohort = Cohort({"rna": of(values)}, sheet, markers={"rna": sex_markers(values)})
    found = check_sex(cohort)[0]
    odd = sheet.index[sheet["celltype"] == "N061011"]
    assert sorted(found.contradictions) == sorted(odd)
    assert (found.female, found.male, found.subjects) == (2, 6, ())
    assert find_outliers(of(values)) == ()
