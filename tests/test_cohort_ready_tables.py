"""Finished results stand in for a cohort, and tables of features go beside it."""

import dataclasses
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.cohorts.evidence import BLOCK_COLUMNS, VALUE_COLUMNS
from aimwell.cohorts.gene_features import read_features
from aimwell.cohorts.ready_tables import (
    RESULT_READERS,
    ReadyTables,
    join_tables,
    read_ready_tables,
)
from aimwell.config import TABLE_READERS, FeatureSettings, RunConfig, TableSettings, config_from
from aimwell.errors import AimwellError, CohortError, ConfigError, InputError
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.task import build_task
from aimwell.pipeline import run

GRAPH = read_starter_graph()
TABLE = IdentifierTable.from_graph(GRAPH)
GENES = GRAPH.symbols.sort_values()
SYMBOLS = GENES.to_list()
HEADERS = {
    "deseq2": '"","baseMean","log2FoldChange","lfcSE","stat","pvalue","padj"',
    "limma": '"","logFC","AveExpr","t","P.Value","adj.P.Val","B"',
    "edger": '"","logFC","logCPM","F","PValue","FDR"',
    "summary": "gene,beta,se,n",
}


def results(seed: int = 1) -> pd.DataFrame:
    """Effects of every gene of the starter graph, a tenth of them real."""
    rng = np.random.default_rng(seed)
    n = len(SYMBOLS)
    se = rng.uniform(0.1, 0.4, n)
    beta = np.where(rng.random(n) < 0.1, rng.normal(0, 1, n), 0) + rng.normal(0, se)
    return pd.DataFrame({"beta": beta, "se": se, "level": rng.uniform(1, 9, n)}, index=SYMBOLS)


def as_written(rows: pd.DataFrame, program: str) -> str:
    """Write the same effects as each program does."""
    lines = [HEADERS[program]]
    for gene, (beta, se, level) in zip(rows.index, rows.to_numpy().tolist(), strict=True):
        t, p = beta / se, 2 * stats.norm.sf(abs(beta / se))
        cells = {
            "deseq2": (2**level, beta, se, t, p, "NA"),
            "limma": (beta, level, t, p, p, 0),
            "edger": (beta, level, t * t, p, p),
            "summary": (beta, se, 12),
        }[program]
        name = gene if program == "summary" else f'"{gene}"'
        lines.append(",".join([name, *(str(c) for c in cells)]))
    return "\n".join(lines) + "\n"


def setting(program: str, **changes: Any) -> dict[str, Any]:
    return {"name": "site", "path": "site.csv", "kind": "rna", "reader": program, **changes}


def config_of(folder: Path, *tables: dict[str, Any], **cohort: Any) -> RunConfig:
    known = {"sources": [{"reader": "genes", "genes": SYMBOLS[::9]}]}
    return config_from(
        {
            "run": {"title": "t", "output": str(folder / "out"), "data": str(folder), "jobs": 1},
            "cohort": {"tables": list(tables), **cohort},
            "known_targets": known,
            "model": {"folds": 3, "seeds": 1, "epochs": 2},
            "explain": {"top": 2, "steps": 4},
        }
    )


def read(folder: Path, text: str, program: str, **changes: Any) -> ReadyTables:
    (folder / "site.csv").write_text(text)
    return read_ready_tables(config_of(folder, setting(program, **changes)), TABLE)


def test_every_reader_of_results_is_known() -> None:
    assert set(RESULT_READERS) == set(TABLE_READERS)


@pytest.mark.parametrize("program", TABLE_READERS)
def test_every_program_gives_the_same_evidence_of_the_same_effects(
    tmp_path: Path, program: str
) -> None:
    rows = results()
    block = read(tmp_path, as_written(rows, program), program).blocks["site"]
    assert list(block.columns) == list(BLOCK_COLUMNS)
    wanted = rows.set_axis(GENES.index).sort_index()
    np.testing.assert_allclose(block["log2_fold_change"], wanted["beta"])
    np.testing.assert_allclose(block["se"], wanted["se"])
    np.testing.assert_allclose(block["z"], wanted["beta"] / wanted["se"], rtol=1e-6)
    shrunken = read(tmp_path, as_written(rows, "summary"), "summary").blocks["site"]
    columns = ["effect", "effect_se", "lfsr", "p", "q"]
    np.testing.assert_allclose(block[columns], shrunken[columns], rtol=1e-6, atol=1e-300)


def test_the_number_of_samples_is_the_tables_or_that_of_the_run_file(tmp_path: Path) -> None:
    found = read(tmp_path, as_written(results(), "summary"), "summary")
    assert set(found.blocks["site"]["n_observed"]) == {12}
    found = read(tmp_path, as_written(results(), "limma"), "limma", samples=40)
    assert set(found.blocks["site"]["n_observed"]) == {40}


def test_genes_that_were_not_tested_are_counted_and_stay_unobserved(tmp_path: Path) -> None:
    rows = as_written(results(), "deseq2").split("\n")
    rows[5] = f'"{SYMBOLS[4]}",0,NA,NA,NA,NA,NA'
    rows[6] = f'"{SYMBOLS[5]}",50,1.5,0.5,3,NA,NA'
    ready = read(tmp_path, "\n".join(rows), "deseq2")
    assert len(ready.blocks["site"]) == len(SYMBOLS) - 2
    step = ready.steps[0]
    assert (step.rows_in - step.rows_out, step.examples) == (2, (SYMBOLS[4], SYMBOLS[5]))
    whole = join_tables(None, ready).with_genes(GRAPH.genes).blocks["site"]
    assert not whole.loc[GENES.index[4], "observed"]
    assert whole.loc[GENES.index[4], list(VALUE_COLUMNS)].isna().all()


def test_of_several_rows_of_one_gene_the_best_known_is_kept(tmp_path: Path) -> None:
    text = as_written(results(), "summary") + f"{GENES.index[0]},7,0.001,3\n"
    ready = read(tmp_path, text, "summary")
    assert ready.blocks["site"].loc[GENES.index[0], "log2_fold_change"] == 7
    assert any(s.name == "site: one row per gene" for s in ready.steps)


def test_tables_that_r_writes_without_a_name_for_row_names_are_read(tmp_path: Path) -> None:
    text = as_written(results(), "limma").replace('"",', "", 1).replace(",", "\t")
    assert len(read(tmp_path, text, "limma").blocks["site"]) == len(SYMBOLS)


def test_a_table_without_p_above_half_is_told_to_be_cut(tmp_path: Path) -> None:
    rows = results()
    best = rows[(rows["beta"] / rows["se"]).abs() > 1.5]
    with pytest.raises(InputError, match=r"cut to its best genes.*number = Inf"):
        read(tmp_path, as_written(best, "limma"), "limma")


@pytest.mark.parametrize(
    ("program", "old", "new", "says"),
    [
        ("deseq2", "log2FoldChange", "lfc", "no column 'log2FoldChange'"),
        ("limma", "P.Value", "pv", "no column 'P.Value'"),
        ("edger", "logCPM", "cpm", "no column 'logCPM'"),
        ("summary", "beta", "b", "no column 'beta' but 'gene', 'b'"),
        ("summary", "se,n\n", "se,p\n", "has p = 12, outside"),
    ],
)
def test_a_table_of_another_format_is_refused(
    tmp_path: Path, program: str, old: str, new: str, says: str
) -> None:
    with pytest.raises(InputError, match=says):
        read(tmp_path, as_written(results(), program).replace(old, new), program)


def test_a_table_of_another_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="looks like a DESeq2 result, but reader = 'limma'; set"):
        read(tmp_path, as_written(results(), "deseq2"), "limma")


def test_a_table_without_a_single_effect_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CohortError, match="no row with an effect"):
        read(tmp_path, "gene,beta,se\nTP53,1,0\nKRAS,NA,1\n", "summary")


def test_rna_and_protein_tables_that_compare_the_same_give_the_discordance(tmp_path: Path) -> None:
    rows = results()
    (tmp_path / "r.csv").write_text(as_written(rows, "deseq2"))
    rows = rows.assign(beta=rows["beta"] * 0.8)
    (tmp_path / "p.csv").write_text(as_written(rows, "limma"))
    tables = (
        setting("deseq2", name="r", path="r.csv", compares="a against b"),
        setting("limma", name="p", path="p.csv", kind="protein", compares="a against b"),
    )
    joined = join_tables(None, read_ready_tables(config_of(tmp_path, *tables), TABLE))
    assert joined.across["discordance"].notna().all()
    assert set(joined.across["coverage"]) == {1.0}
    assert joined.steps[-1].name == "discordance: r against p"
    apart = (tables[0], {**tables[1], "compares": "something else"})
    other = join_tables(None, read_ready_tables(config_of(tmp_path, *apart), TABLE))
    assert other.across["discordance"].isna().all()


def test_a_run_with_results_and_features_alone_ends_with_a_page(tmp_path: Path) -> None:
    (tmp_path / "site.csv").write_text(as_written(results(), "deseq2"))
    rng = np.random.default_rng(5)
    embedding = pd.DataFrame(rng.normal(size=(len(SYMBOLS) - 3, 4)), SYMBOLS[3:], list("abcd"))
    embedding.rename_axis("gene").to_parquet(tmp_path / "embedding.parquet")
    features = [{"name": "embedding", "path": "embedding.parquet"}]
    config = config_of(tmp_path, setting("deseq2"), features=features)
    result = run(config)
    assert result.page.is_file()
    evidence = pd.read_parquet(result.folder / "evidence.parquet")
    assert evidence["site_observed"].all()
    assert int(evidence["embedding_a"].isna().sum()) == 3
    before = result.page.read_bytes()
    assert run(config).page.read_bytes() == before
    text = embedding.rename_axis("gene").to_csv(sep="\t")
    (tmp_path / "embedding.parquet").write_text(text.replace("\t", ","))
    assert run(config).reused is False


def test_features_are_standardised_and_what_is_missing_is_average(tmp_path: Path) -> None:
    (tmp_path / "site.csv").write_text(as_written(results(), "summary"))
    values = np.arange(len(SYMBOLS) - 1) * 1000.0
    rows = "".join(f"{g},{v},5\n" for g, v in zip(SYMBOLS[1:], values.tolist(), strict=True))
    (tmp_path / "f.csv").write_text("gene,frequency,flat\n" + rows)
    features = [{"name": "mutations", "path": "f.csv"}]
    config = config_of(tmp_path, setting("summary"), features=features)
    evidence = join_tables(None, read_ready_tables(config, TABLE))
    assert evidence.features["mutations"].loc[GENES.index[1], "frequency"] == 0
    from aimwell.knowledge.build import build_known_targets

    known = build_known_targets(config.known_targets.sources, config, TABLE, "")
    task = build_task(GRAPH, evidence, known, folds=3, seed=0)
    block = next(b for b in task.blocks if b.name == "mutations")
    at = task.positions(GENES.index[:1])[0]
    assert block.kind == "features"
    assert block.values[at].tolist() == [0, 0]
    seen = np.delete(block.values[:, 0], at)
    assert seen.mean() == pytest.approx(0, abs=1e-6)
    assert seen.std() == pytest.approx(1 / np.sqrt(2), rel=1e-5)


@pytest.mark.parametrize(
    ("cohort", "says"),
    [
        ({}, "the key 'cohort.matrices' is missing; .*finished results in \\[\\[cohort.tables"),
        ({"tables": [setting("sas")]}, "cohort.tables.reader = 'sas' is not known"),
        ({"tables": [setting("limma"), setting("edger")]}, "share a name: 'site', 'site'"),
        ({"tables": [setting("limma", name="graph")]}, "other than 'graph'"),
        (
            {"matrices": [{"path": "x", "layer": "x", "kind": "rna"}]},
            "the key 'cohort.sheet' is missing",
        ),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, cohort: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=says):
        config_of(tmp_path, *cohort.pop("tables", []), **cohort)


def test_results_alone_can_be_checked(tmp_path: Path) -> None:
    (tmp_path / "site.csv").write_text(as_written(results(), "deseq2"))
    (tmp_path / "run.toml").write_text(
        '[run]\ntitle = "t"\noutput = "out"\n[[cohort.tables]]\nname = "site"\n'
        'path = "site.csv"\nkind = "rna"\nreader = "deseq2"\n'
        '[[known_targets.sources]]\nreader = "genes"\ngenes = ["EGFR"]\n'
    )
    done = CliRunner().invoke(app, ["cohort", "check", str(tmp_path / "run.toml")])
    assert done.exit_code == 0
    said = " ".join(done.output.split())
    assert "site.csv: site, read as deseq2, looks like a DESeq2 result" in said


@pytest.mark.parametrize(
    ("file", "reader"), [("plain.csv.gz", "limma"), ("deseq2.csv.gz", "deseq2")]
)
def test_tables_of_r_say_what_r_says(real_data: Path, file: str, reader: str) -> None:
    path = real_data / "reference" / "gse60450" / file
    wanted = pd.read_csv(path, index_col=0)
    found = RESULT_READERS[reader](path, TableSettings("r", file, "rna", reader))
    known = found.notna().all(axis=1).to_numpy()
    statistic = wanted["t" if reader == "limma" else "stat"].to_numpy()
    ratio = (found["log2_fold_change"] / found["se"]).to_numpy()
    np.testing.assert_allclose(ratio[known], statistic[known], rtol=1e-6)
    assert known.sum() > 15_000


PIECES = st.sampled_from(["\t", ",", "\n", "x", "-1", "0", "1e400", "NA", '"', "#", "\0"])


@given(st.sampled_from(TABLE_READERS), st.data())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_table_gives_a_result_or_a_clear_error(
    tmp_path: Path, program: str, data: st.DataObject
) -> None:
    text = as_written(results().iloc[:30], program)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        to = min(len(text), at + data.draw(st.sampled_from([0, 1, 5, 60])))
        text = text[:at] + data.draw(PIECES) + text[to:]
    path = tmp_path / "t.csv"
    path.write_text(text)
    wanted = TableSettings("t", "t.csv", "rna", program)
    config = config_of(tmp_path, dataclasses.asdict(wanted))
    config = dataclasses.replace(
        config, identifiers=dataclasses.replace(config.identifiers, min_mapped=0.0)
    )
    with suppress(AimwellError):
        block = join_tables(None, read_ready_tables(config, TABLE)).blocks["t"]
        assert np.isfinite(block.loc[block["observed"], list(VALUE_COLUMNS)].to_numpy()).all()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gene\ta\nTP53\t1\n\t2\n", "line 3 has no gene name"),
        ("gene\ta\nTP53\t1\nTP53\t2\n", "1 gene names occur more than once: 'TP53'"),
        ("gene\ta\tb\nTP53\t1\tNA\nKRAS\t2\t\n", "1 of 2 features have no value at all: 'b'"),
    ],
)
def test_a_faulty_table_of_features_is_refused_in_its_own_words(tmp_path, text, says):
    (tmp_path / "f.tsv").write_text(text)
    with pytest.raises(InputError, match=says):
        read_features(tmp_path / "f.tsv", FeatureSettings("f", "f.tsv"))
