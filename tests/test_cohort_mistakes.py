"""Mistakes that look like good data: one clear line from ``cohort check``, and nothing written."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.knowledge.sources.starter import read_starter_graph

SAMPLES = [f"P{i:02d}_{arm}" for i in range(6) for arm in ("case", "control")]
RUN_FILE = """
[run]
title = "mistakes"
output = "out"
[cohort]
sheet = {{ path = "samples.tsv" }}
matrices = [{{ path = "m.tsv", layer = "x", kind = "{kind}", unit = "{unit}" }}]
[[contrasts]]
name = "c"
layer = "x"
condition = "condition"
case = "case"
control = "control"
covariates = {covariates}
[[known_targets.sources]]
reader = "genes"
genes = ["EGFR", "MET"]
"""


def counts() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    symbols = read_starter_graph().symbols.to_list()[:200]
    mean = np.exp(rng.normal(6, 1.5, 200))[:, None] * np.exp(rng.normal(0, 0.2, (200, 12)))
    return pd.DataFrame(rng.poisson(mean), symbols, SAMPLES)


def sheet() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "subject": [s[:3] for s in SAMPLES],
            "condition": [s[4:] for s in SAMPLES],
            "age": [str(40 + 3 * i) for i in range(12)],
        },
        index=pd.Index(SAMPLES, name="sample"),
    )


def check(
    folder: Path,
    values: pd.DataFrame,
    samples: pd.DataFrame,
    kind: str = "rna",
    unit: str = "counts",
    covariates: str = "[]",
) -> tuple[int, str]:
    values.to_csv(folder / "m.tsv", sep="\t", index_label="gene")
    samples.to_csv(folder / "samples.tsv", sep="\t")
    run_file = RUN_FILE.format(kind=kind, unit=unit, covariates=covariates)
    (folder / "run.toml").write_text(run_file)
    before = sorted(folder.iterdir())
    done = CliRunner().invoke(app, ["cohort", "check", str(folder / "run.toml"), "--json"])
    assert sorted(folder.iterdir()) == before
    told = json.loads(done.stdout)
    if "error" in told:
        return done.exit_code, told["error"]["message"]
    contrast = told["contrasts"][0]
    return done.exit_code, "; ".join([contrast["problem"], *contrast["notes"]])


def test_logarithms_given_as_intensities_are_refused(tmp_path):
    status, message = check(
        tmp_path, np.log2(counts() + 1) + 12, sheet(), kind="protein", unit="intensity"
    )
    assert status == 2
    assert "look like logarithms: declare unit = 'log2'" in message
    assert "m.tsv' (layer 'x')" in message


def test_rounded_logarithms_given_as_counts_are_refused(tmp_path):
    status, message = check(tmp_path, np.log2(counts() + 1).round().astype(int), sheet())
    assert status == 2
    assert "these look like rounded logarithms" in message


def test_few_counts_of_a_shallow_library_are_not_taken_for_logarithms(tmp_path):
    assert check(tmp_path, counts() // 200, sheet())[0] == 0


@pytest.mark.parametrize(
    ("rename", "message"),
    [
        (str.lower, "12 differ only by case or marks, as 'p00_case' and 'P00_case'"),
        (lambda s: f"{s}.bam", "one name begins with the other, as 'P00_case.bam' and 'P00_case'"),
        (
            lambda s: f"{SAMPLES.index(s) + 1}-Sep",
            "12 look like dates that a spreadsheet made of names, as '1-Sep'",
        ),
        (
            lambda s: f"{SAMPLES.index(s) + 1:02d}/09/2024",
            "12 look like dates that a spreadsheet made of names, as '01/09/2024'",
        ),
        (
            lambda s: f"F1: 126, Sample, {s}",
            "one name ends with the other, as 'F1: 126, Sample, P00_case' and 'P00_case'",
        ),
        (
            lambda s: f"2024-09-{SAMPLES.index(s) + 1:02d}",
            "12 look like dates that a spreadsheet made of names, as '2024-09-01'",
        ),
    ],
)
def test_names_that_a_program_changed_are_recognised(
    tmp_path: Path, rename: Callable[[str], str], message: str
):
    status, told = check(tmp_path, counts().rename(columns=rename), sheet())
    assert status == 2
    assert message in told


def test_a_word_among_the_numbers_of_a_covariate_is_refused(tmp_path):
    spoilt = sheet()
    spoilt.loc["P02_case", "age"] = "unknown"
    status, message = check(tmp_path, counts(), spoilt, covariates='["age"]')
    assert status == 2
    assert "the covariate 'age' holds numbers, but 'unknown' for 'P02_case' and 1 such" in message


def test_a_subject_measured_twice_in_one_arm_is_told(tmp_path):
    twice = sheet().assign(subject=["P00"] * 4 + [s[:3] for s in SAMPLES[4:]])
    status, message = check(tmp_path, counts(), twice)
    assert status == 0
    assert "1 subjects have several samples in one arm ('P00')" in message
    assert "block = 'subject'" in message


def test_a_sample_that_is_a_copy_of_another_is_refused(tmp_path):
    status, message = check(tmp_path, counts().assign(P04_case=counts()["P01_case"]), sheet())
    assert status == 2
    assert "the samples 'P01_case', 'P04_case' have the same value in all 200" in message


def test_samples_that_lack_a_covariate_are_counted(tmp_path):
    gaps = sheet()
    gaps.loc[["P01_case", "P02_control"], "age"] = ["NA", ""]
    status, message = check(tmp_path, counts(), gaps, covariates='["age"]')
    assert status == 0
    assert "2 of 12 samples are left out: 'age' is missing, as for 'P01_case'" in message


def test_levels_with_a_slip_of_the_pen_and_gaps_are_told(tmp_path):
    spoilt = sheet()
    spoilt.loc[["P01_case", "P02_case"], "condition"] = ["Case", "CASE."]
    spoilt.loc["P03_control", "condition"] = ""
    status, message = check(tmp_path, counts(), spoilt)
    assert status == 0
    assert "1 of 12 samples are left out: 'condition' is missing" in message
    assert "1 of 12 samples are left out: their condition is 'Case', which differs" in message
    assert "their condition is 'CASE.', which differs from 'case' by case or marks" in message


def test_a_covariate_that_nobody_has_is_named_where_no_sample_is_left(tmp_path):
    status, message = check(tmp_path, counts(), sheet().assign(age=""), covariates='["age"]')
    assert status == 2
    assert "samples that were left out: 12 because 'age' is missing" in message


def test_genes_in_columns_are_recognised_before_samples_are_missed(tmp_path):
    status, message = check(tmp_path, counts().T, sheet())
    assert status == 2
    assert "set genes_in = 'columns'" in message


@pytest.mark.filterwarnings("ignore")  # anndata knows no other text than objects
def test_cells_without_a_donor_say_what_they_need(tmp_path):
    anndata = pytest.importorskip("anndata")
    values = (
        np.random.default_rng(1).poisson(np.geomspace(0.1, 300, 200), (240, 200)).astype(np.float32)
    )
    obs = pd.DataFrame(index=pd.Index([f"c{i}" for i in range(240)], dtype=object))
    data = anndata.AnnData(values, obs, pd.DataFrame(index=counts().index.astype(object)))
    with pd.option_context("future.infer_string", False):
        data.write(tmp_path / "m.h5ad")
    (tmp_path / "samples.tsv").write_text(sheet().to_csv(sep="\t"))
    text = RUN_FILE.format(kind="rna", unit="counts", covariates="[]").replace(
        '"m.tsv"', '"m.h5ad", reader = "h5ad"'
    )
    (tmp_path / "run.toml").write_text(text)
    done = CliRunner().invoke(app, ["cohort", "check", str(tmp_path / "run.toml"), "--json"])
    assert done.exit_code == 2
    assert "if they are single cells, name the columns of their donor" in done.stdout


@pytest.mark.parametrize(
    ("kind", "reader", "says"),
    [("rna", "maxquant", "reads protein only"), ("protein", "star", "reads rna only")],
)
def test_a_format_of_another_kind_of_layer_is_refused(tmp_path, kind, reader, says):
    text = RUN_FILE.format(kind=kind, unit="", covariates="[]").replace(
        'unit = ""', f'reader = "{reader}"'
    )
    (tmp_path / "run.toml").write_text(text)
    done = CliRunner().invoke(app, ["cohort", "check", str(tmp_path / "run.toml"), "--json"])
    assert done.exit_code == 2
    assert says in json.loads(done.stdout)["error"]["message"]


def test_tpm_with_zeros_is_tested_on_logarithms_and_said_to_hold_no_counts(tmp_path):
    tpm = counts() * 0.37
    tpm.iloc[:5] = 0.0
    status, message = check(tmp_path, tpm, sheet(), unit="tpm")
    assert status == 0
    for wrong, says in (
        (np.log2(tpm + 1), "look like logarithms"),
        (tpm - 1, "values are negative"),
        (counts(), "looks like counts"),
    ):
        status, message = check(tmp_path, wrong, sheet(), unit="tpm")
        assert status == 2
        assert says in message
    status, message = check(tmp_path, tpm, sheet(), unit="tpm", kind="protein")
    assert status == 2
    assert "set kind = 'rna'" in message
