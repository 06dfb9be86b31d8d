"""Two sites export their effects; combined they are what the raw data of both give."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.counts import expressed_genes, voom
from aimwell.cohorts.design import build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.meta import combine_cohorts, summarise_contrast
from aimwell.cohorts.summaries import SiteSummary, summarise_cohort, write_summaries
from aimwell.config import ContrastSettings, read_config
from aimwell.errors import ConfoundedError, DesignError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.quality import look_at_cohort
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

RUN_FILE = """
[run]
title = "site"
output = "out"
[cohort]
unmatched_samples = "report"
sheet = {{ path = "samples.tsv" }}
matrices = [{{ path = "rna_{site}.tsv", layer = "rna", kind = "rna", unit = "counts", \
subject_pattern = "^(.*)_" }}]
[[contrasts]]
name = "rna"
layer = "rna"
condition = "condition"
case = "case"
control = "control"
[[known_targets.sources]]
reader = "genes"
path = "known_targets.txt"
"""


@pytest.fixture(scope="module")
def sites(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sites")
    graph = read_starter_graph()
    write_simulation(
        simulate_cohort(graph, SimulationSettings(subjects=16), seed=3), folder, graph.symbols
    )
    counts = pd.read_csv(folder / "rna_counts.tsv", sep="\t", index_col=0)
    for site, columns in (("a", counts.columns[:16]), ("b", counts.columns[16:])):
        counts[columns].to_csv(folder / f"rna_{site}.tsv", sep="\t")
        (folder / f"{site}.toml").write_text(RUN_FILE.format(site=site))
    return folder


def test_exports_of_two_halves_combine_to_the_numbers_of_their_raw_data(sites, monkeypatch):
    monkeypatch.chdir(sites)
    for site in ("a", "b"):
        done = CliRunner().invoke(
            app, ["cohort", "summarise", f"{site}.toml", "--output", f"site_{site}", "--json"]
        )
        assert done.exit_code == 0, done.stdout
    done = CliRunner().invoke(
        app, ["cohort", "combine", "site_a/rna.tsv", "site_b/rna.tsv", "--json"]
    )
    assert done.exit_code == 0, done.stdout
    found = pd.read_csv("combined.tsv", sep="\t", index_col="gene")

    symbols = read_starter_graph().symbols
    ids = pd.Series(symbols.index, index=symbols.to_numpy())
    sheet = pd.read_csv("samples.tsv", sep="\t", index_col=0)
    contrast = ContrastSettings("rna", "rna", "condition", "case", "control")
    wanted = {}
    for site in ("a", "b"):
        counts = pd.read_csv(f"rna_{site}.tsv", sep="\t", index_col=0).T.astype(float)
        counts.columns = ids.loc[counts.columns]
        design = build_design(sheet, counts.index, contrast)
        ready = voom(counts[expressed_genes(counts, design)], design)
        wanted[f"site_{site}"] = summarise_contrast(
            fit_contrast(ready.values, design, ready.weights)
        )
    raw = combine_cohorts(wanted)
    assert found.index.tolist() == raw.index.tolist()
    for column in ("log2_fold_change", "se", "tau2", "p", "lfsr"):
        np.testing.assert_allclose(found[column], raw[column], rtol=1e-10, atol=1e-12)
    assert set(found["weakest_without"].dropna()) <= {"site_a", "site_b"}


def test_an_export_names_no_sample_and_says_what_was_compared(sites, monkeypatch):
    monkeypatch.chdir(sites)
    CliRunner().invoke(app, ["cohort", "summarise", "a.toml", "--output", "own", "--json"])
    written = {p.name: p.read_text() for p in Path("own").iterdir()}
    assert sorted(written) == ["about.json", "rna.tsv"]
    samples = pd.read_csv("samples.tsv", sep="\t", index_col=0)
    for text in written.values():
        assert not any(s in text for s in (*samples.index, *samples["subject"]))
    about = json.loads(written["about.json"])["rna"]
    assert (about["case"], about["samples_case"], about["samples_control"]) == ("case", 8, 8)
    table = pd.read_csv("own/rna.tsv", sep="\t")
    assert list(table) == ["gene", "log2_fold_change", "se", "n_case", "n_control", "n"]
    assert (table["n"] == 16).all()


def test_a_contrast_that_cannot_be_tested_leaves_no_folder(sites, monkeypatch):
    monkeypatch.chdir(sites)
    bad = (sites / "a.toml").read_text().replace('"control"', '"controls"')
    (sites / "bad.toml").write_text(bad)
    done = CliRunner().invoke(app, ["cohort", "summarise", "bad.toml", "--output", "no", "--json"])
    assert done.exit_code == 2
    assert "did you mean 'control'" in json.loads(done.stdout)["error"]["message"]
    assert not Path("no").exists()


def test_accepted_confounding_does_not_travel():
    ids = [f"s{i:02d}" for i in range(40)]
    sheet = pd.DataFrame({"subject": ids, "arm": ["x", "y"] * 20}, index=ids)
    sheet["day"] = (sheet["arm"] == "x").map({True: "1", False: "2"})
    sheet.loc[["s00", "s01"], "day"] = ["2", "1"]
    values = pd.DataFrame(np.random.default_rng(1).normal(size=(40, 9)), ids, list("abcdefghi"))
    cohort = Cohort({"rna": Layer("rna", "rna", "log2", values)}, sheet)
    contrast = ContrastSettings("c", "rna", "arm", "x", "y", batch="day", accept_confounding=True)
    with pytest.raises(ConfoundedError, match="leave 19% of the information"):
        summarise_cohort(cohort, (contrast,))


def test_contrasts_whose_files_would_share_a_name_are_refused(tmp_path):
    one = SiteSummary(pd.DataFrame(), {})
    with pytest.raises(DesignError, match="2 contrasts give 1 names of files"):
        write_summaries(tmp_path / "x", {"a/b": one, "A b": one})
    assert not (tmp_path / "x").exists()


def test_what_sites_combined_enters_the_evidence_of_a_run_beside_its_own_strata(sites, monkeypatch):
    monkeypatch.chdir(sites)
    for site in ("a", "b"):
        arguments = ["cohort", "summarise", f"{site}.toml", "--output", f"two_{site}", "--quiet"]
        assert CliRunner().invoke(app, arguments).exit_code == 0
    combine = ["cohort", "combine", "two_a/rna.tsv", "two_b/rna.tsv", "--output", "both.tsv"]
    assert CliRunner().invoke(app, [*combine, "--quiet"]).exit_code == 0
    sheet = pd.read_csv("samples.tsv", sep="\t", index_col=0)
    sheet["sex"] = np.tile(["f", "f", "m", "m"], 8)
    sheet.to_csv("strata.tsv", sep="\t")
    text = (sites / "a.toml").read_text().replace("samples.tsv", "strata.tsv")
    strata = "".join(
        f'[[contrasts]]\nname = "rna_{sex}"\nlayer = "rna"\ncondition = "condition"\n'
        f'case = "case"\ncontrol = "control"\nwhere = {{ sex = "{sex}" }}\n'
        for sex in "fm"
    )
    strata += (
        '[[contrasts]]\nname = "differ"\nlayer = "rna"\ncondition = "condition"\ncase = "case"\n'
        'control = "control"\ntest = "interaction"\nstratum = "sex"\nstrata = ["f", "m"]\n'
        '[[cohort.tables]]\nname = "sites"\npath = "both.tsv"\nkind = "rna"\nreader = "summary"\n'
    )
    (sites / "strata.toml").write_text(text + strata)
    evidence = look_at_cohort(read_config(sites / "strata.toml")).evidence
    assert evidence is not None
    assert sorted(evidence.blocks) == ["differ", "rna", "rna_f", "rna_m", "sites"]
    both = pd.read_csv("both.tsv", sep="\t", index_col="gene")
    found = evidence.blocks["sites"].loc[both.index]
    np.testing.assert_allclose(found["log2_fold_change"], both["log2_fold_change"], rtol=1e-12)
    np.testing.assert_allclose(found["q"], both["q"], rtol=1e-9)
    # the difference of strata is that of their effects, and is tested once
    effect = {n: b["log2_fold_change"] for n, b in evidence.blocks.items()}
    near = effect["rna_f"] - effect["rna_m"]
    assert near.corr(effect["differ"]) > 0.99


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("HGNC:1\t1\t0.2\nHGNC:2\t2\t0.1\n", "", "no rows below it"),
        ("HGNC:1\t", "\t", "line 2 has no gene"),
        ("HGNC:", "ENSG", "no gene is in two of the 2 files"),
    ],
)
def test_a_summary_that_cannot_be_combined_is_refused(tmp_path, monkeypatch, old, new, says):
    monkeypatch.chdir(tmp_path)
    text = "gene\tlog2_fold_change\tse\nHGNC:1\t1\t0.2\nHGNC:2\t2\t0.1\n"
    Path("a.tsv").write_text(text)
    assert old in text
    Path("b.tsv").write_text(text.replace(old, new))
    done = CliRunner().invoke(app, ["cohort", "combine", "a.tsv", "b.tsv", "--json"])
    assert done.exit_code == 2
    assert says in json.loads(done.stdout)["error"]["message"]
    assert not Path("combined.tsv").exists()
