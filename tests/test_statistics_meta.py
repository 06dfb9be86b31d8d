"""Several cohorts into one effect: numbers by hand, another route to them, and laws."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import optimize, stats
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.cohorts.design import build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.meta import (
    combine_cohorts,
    read_summary,
    summarise_contrast,
    write_summary,
)
from aimwell.config import ContrastSettings
from aimwell.errors import CohortError, InputError


def cohorts_of(effects: list[float], errors: list[float]) -> dict[str, pd.DataFrame]:
    return {
        f"c{i}": pd.DataFrame({"log2_fold_change": [b], "se": [s]}, index=["g"])
        for i, (b, s) in enumerate(zip(effects, errors, strict=True))
    }


def random_cohorts(k: int, genes: int, tau: float, seed: int = 1) -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    names = [f"g{i:04d}" for i in range(genes)]
    se = rng.uniform(0.1, 0.5, (k, genes))
    b = rng.normal(0, tau, (k, genes)) + rng.normal(0, se)
    return {
        f"c{i}": pd.DataFrame({"log2_fold_change": b[i], "se": se[i]}, index=names)
        for i in range(k)
    }


def test_equal_errors_give_the_plain_mean_and_the_spread_beyond_them():
    # mean 2; squares 1 + 0 + 1 over 2 degrees of freedom = 1 = error .25 + between .75
    row = combine_cohorts(cohorts_of([1.0, 2.0, 3.0], [0.5, 0.5, 0.5])).loc["g"]
    assert row["log2_fold_change"] == pytest.approx(2.0)
    assert row["tau2"] == pytest.approx(0.75, abs=1e-12)
    assert row["heterogeneity"] == pytest.approx(8.0)
    assert row["i2"] == pytest.approx(0.75)
    assert row["se"] == pytest.approx(np.sqrt(1 / 3))
    assert row["p"] == pytest.approx(2 * stats.t.sf(2 * np.sqrt(3), 2))
    assert row["low"] == pytest.approx(2 - stats.t.ppf(0.975, 1) * np.sqrt(0.75 + 1 / 3))


def test_cohorts_that_agree_by_luck_are_not_made_more_certain_than_their_errors():
    row = combine_cohorts(cohorts_of([1.0, 1.0, 1.0], [0.3, 0.3, 0.3])).loc["g"]
    assert row["tau2"] == 0
    assert row["se"] == pytest.approx(0.3 / np.sqrt(3))


def test_the_variance_between_cohorts_solves_its_equation_found_by_another_route():
    cohorts = random_cohorts(5, 200, 0.6)
    found = combine_cohorts(cohorts)
    b = np.array([c["log2_fold_change"] for c in cohorts.values()])
    s = np.array([c["se"] for c in cohorts.values()])

    def wanted(g: int) -> float:
        def gap(tau2: float) -> float:
            w = 1 / (s[:, g] ** 2 + tau2)
            return float(np.sum(w * (b[:, g] - np.sum(w * b[:, g]) / w.sum()) ** 2)) - 4

        return 0.0 if gap(0) <= 0 else float(optimize.brentq(gap, 0, 100, xtol=1e-14))

    assert np.abs(found["tau2"] - [wanted(g) for g in range(200)]).max() < 1e-10
    assert 0 < (found["tau2"] == 0).mean() < 0.5


def test_the_test_keeps_its_level_where_cohorts_differ():
    p = combine_cohorts(random_cohorts(4, 8000, 0.5, seed=3))["p"]
    assert 0.03 < (p < 0.05).mean() < 0.06
    common = combine_cohorts(random_cohorts(4, 8000, 0.5, seed=3))["p_common"]
    assert (common < 0.05).mean() > 0.3


def test_one_cohort_alone_keeps_its_own_effect_and_is_never_replicated():
    one = pd.DataFrame({"log2_fold_change": [2.0, 1.0], "se": [0.1, 0.1]}, index=["a", "b"])
    other = pd.DataFrame({"log2_fold_change": [1.0], "se": [0.1]}, index=["b"])
    found = combine_cohorts({"one": one, "other": other})
    assert found.loc["a", "p"] == pytest.approx(2 * stats.norm.sf(20))
    assert found["cohorts"].tolist() == [1, 2]
    assert np.isnan(found.loc["a", "i2"])
    assert np.isnan(found.loc["a", "weakest_p"])
    assert found["replicated"].tolist() == [False, True]


def test_leaving_out_names_the_cohort_that_the_effect_rests_on():
    row = combine_cohorts(cohorts_of([2.0, 0.1, 0.1], [0.1, 0.1, 0.1])).loc["g"]
    assert row["weakest_without"] == "c0"
    assert row["weakest_p"] == pytest.approx(2 * stats.norm.sf(0.1 / (0.1 / np.sqrt(2))))
    assert not row["replicated"]


def test_opposite_signs_are_never_replicated():
    row = combine_cohorts(cohorts_of([2.0, 2.0, -2.0], [0.1, 0.1, 0.1])).loc["g"]
    assert not row["same_sign"]
    assert not row["replicated"]


def test_the_order_and_the_names_of_cohorts_and_genes_do_not_matter():
    cohorts = random_cohorts(3, 50, 0.3)
    shuffled = {n: cohorts[n].sample(frac=1, random_state=2) for n in reversed(cohorts)}
    pd.testing.assert_frame_equal(combine_cohorts(cohorts), combine_cohorts(shuffled))


def test_sites_that_share_only_summaries_get_the_numbers_of_the_raw_data(tmp_path: Path):
    rng = np.random.default_rng(8)
    ids = [f"s{i:02d}" for i in range(40)]
    sheet = pd.DataFrame({"subject": ids, "arm": list("xy") * 20}, index=ids)
    values = pd.DataFrame(rng.normal(8, 1, (40, 300)), ids, [f"g{i:03d}" for i in range(300)])
    values = values.mask(rng.random(values.shape) < 0.1)
    contrast = ContrastSettings("c", "protein", "arm", "x", "y")
    raw, sent = {}, {}
    for site, part in (("one", ids[:18]), ("two", ids[18:])):
        table = fit_contrast(values.loc[part], build_design(sheet, part, contrast))
        raw[site] = summarise_contrast(table)
        write_summary(tmp_path / f"{site}.tsv", raw[site])
        sent[site] = read_summary(tmp_path / f"{site}.tsv")
    here, there = combine_cohorts(raw), combine_cohorts(sent)
    pd.testing.assert_frame_equal(here, there, check_exact=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gene\tlog2_fold_change\na\t1\n", "lacks the columns 'se'"),
        ("gene\tlog2_fold_change\tse\na\t1\t0\n", "1 effects or standard errors .* 'a'"),
        ("gene\tlog2_fold_change\tse\na\t1\t1\na\t1\t1\n", "1 genes twice: 'a'"),
        ("gene\tlog2_fold_change\tse\na\tup\t1\n", "text in its column 'log2_fold_change'"),
        ("", "cannot be read"),
    ],
)
def test_a_summary_that_cannot_be_used_is_refused_with_its_place(tmp_path, text, message):
    path = tmp_path / "site.tsv"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_summary(path)


def test_a_single_cohort_cannot_be_combined():
    with pytest.raises(CohortError, match="1 cohorts are given, at least 2"):
        combine_cohorts(cohorts_of([1.0], [1.0]))


def test_the_command_combines_files_and_says_how_much_replicated(tmp_path):
    rng = np.random.default_rng(2)
    real = np.where(np.arange(200) < 20, 2.0, 0.0)
    for name in ("a", "b", "c"):
        table = pd.DataFrame({"log2_fold_change": real + rng.normal(0, 0.2, 200), "se": 0.2})
        write_summary(tmp_path / f"{name}.tsv", table.set_axis([f"g{i:03d}" for i in range(200)]))
    files = [str(tmp_path / f"{name}.tsv") for name in ("a", "b", "c")]
    output = tmp_path / "all.tsv"
    done = CliRunner().invoke(app, ["cohort", "combine", *files, "--output", str(output), "--json"])
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert (facts["genes"], facts["shared"]) == (200, 200)
    table = pd.read_csv(output, sep="\t", index_col="gene")
    assert facts["replicated"] == table["replicated"].sum() >= 19
    assert table["replicated"].iloc[20:].sum() <= 1


def test_one_file_given_twice_is_refused(tmp_path):
    table = pd.DataFrame({"log2_fold_change": [1.0], "se": [0.2]}, index=["a"])
    write_summary(tmp_path / "site.tsv", table)
    file = str(tmp_path / "site.tsv")
    done = CliRunner().invoke(app, ["cohort", "combine", file, file, "--json"])
    assert done.exit_code == 2
    assert "several files are named 'site'" in json.loads(done.stdout)["error"]["message"]
