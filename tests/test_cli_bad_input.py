"""Bad input of every kind: one clear line, exit status 2, and nothing written."""

import gzip
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.store import write_graph
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

RUN_FILE = """
[run]
title = "bad"
output = "{output}"

[cohort.sheet]
path = "samples.tsv"

[[cohort.matrices]]
path = "rna_counts.tsv"
layer = "rna"
kind = "rna"
unit = "counts"
subject_pattern = "^(.*)_"

[[cohort.matrices]]
path = "protein_log2_ratio.tsv"
layer = "protein"
kind = "protein"
unit = "log2_ratio"
subject_pattern = "^(.*)_"

[[contrasts]]
name = "rna_case"
layer = "rna"
condition = "condition"
case = "case"
control = "control"
batch = "batch"

[[known_targets.sources]]
reader = "genes"
path = "known_targets.txt"

[model]
folds = 3
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run file and a cohort that are as they should be, until a test spoils them."""
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(subjects=4), seed=5)
    write_simulation(cohort, tmp_path, graph.symbols)
    (tmp_path / "run.toml").write_text(RUN_FILE.format(output=(tmp_path / "out").as_posix()))
    return tmp_path


def edit(path: Path, change: Callable[[pd.DataFrame], object]) -> None:
    """Change a table of text in place; ``change`` may give another one."""
    table = pd.read_csv(path, sep="\t", dtype=str, na_filter=False)
    given = change(table)
    (given if isinstance(given, pd.DataFrame) else table).to_csv(path, sep="\t", index=False)


def rna(change: Callable[[pd.DataFrame], object]) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "rna_counts.tsv", change)


def protein(change: Callable[[pd.DataFrame], object]) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "protein_log2_ratio.tsv", change)


def sheet(change: Callable[[pd.DataFrame], object]) -> Callable[[Path], None]:
    return lambda folder: edit(folder / "samples.tsv", change)


def toml(old: str, new: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / "run.toml"
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    return change


def cell(row: int, column: int, value: str) -> Callable[[pd.DataFrame], None]:
    def change(table: pd.DataFrame) -> None:
        table.iloc[row, column] = value

    return change


def truncated_gzip(folder: Path) -> None:
    path = folder / "rna_counts.tsv"
    whole = gzip.compress(path.read_bytes())
    (folder / "rna_counts.tsv.gz").write_bytes(whole[: len(whole) // 2])
    toml("rna_counts.tsv", "rna_counts.tsv.gz")(folder)


def duplicated_sample(folder: Path) -> None:
    path = folder / "rna_counts.tsv"
    header, rest = path.read_text().split("\n", 1)
    names = header.split("\t")
    names[2] = names[1]
    path.write_text("\t".join(names) + "\n" + rest)


def changed_graph(folder: Path) -> None:
    write_graph(read_starter_graph(), folder / "graph")
    path = folder / "graph" / "edges-activates.parquet"
    pd.read_parquet(path).iloc[1:].to_parquet(path)
    with (folder / "run.toml").open("a") as stream:
        stream.write('\n[graph]\nfolder = "graph"\n')


def one_case(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[table["condition"] == "case", "condition"] = ["case", "other", "other", "other"]
    return table


def foreign_names(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(gene=[f"AT1G{i:05d}" for i in range(len(table))])


#: What is wrong → what does it, and words that the line must hold.
FAULTS: dict[str, tuple[Callable[[Path], object], tuple[str, ...]]] = {
    "a missing matrix": (lambda f: (f / "rna_counts.tsv").unlink(), ("rna_counts.tsv",)),
    "a missing gene list": (lambda f: (f / "known_targets.txt").unlink(), ("known_targets.txt",)),
    "an empty matrix": (
        lambda f: (f / "rna_counts.tsv").write_text(""),
        ("rna_counts.tsv", "empty"),
    ),
    "a truncated gzip": (truncated_gzip, ("rna_counts.tsv.gz", "incomplete gzip")),
    "a duplicated gene": (
        rna(lambda t: pd.concat([t, t.iloc[[3]]])),
        ("rna_counts.tsv", "gene"),
    ),
    "a duplicated sample": (duplicated_sample, ("rna_counts.tsv", "P001_case", "sample")),
    "text in a number column": (
        rna(cell(2, 3, "high")),
        ("rna_counts.tsv", "'high'", "line 4", "P002_case"),
    ),
    "an all-missing column": (
        protein(lambda t: t.assign(P002_case="NA")),
        ("protein_log2_ratio.tsv", "P002_case"),
    ),
    "an infinite value": (
        protein(cell(2, 3, "inf")),
        ("protein_log2_ratio.tsv", "infinite", "line 4"),
    ),
    "negative counts": (rna(cell(2, 3, "-4")), ("rna", "counts", "negative")),
    "a count that nothing can count": (
        rna(cell(2, 3, "1" + "0" * 20)),
        ("rna_counts.tsv", "too large", "P002_case"),
    ),
    "a sample without a single count": (
        rna(lambda t: t.assign(P002_case="0")),
        ("rna_counts.tsv", "P002_case", "remove"),
    ),
    "no counts at all": (
        rna(lambda t: t.assign(**dict.fromkeys(t.columns[1:], "0"))),
        ("rna_counts.tsv", "8 of 8"),
    ),
    "a logarithm beyond every number": (
        protein(cell(2, 3, "1e300")),
        ("protein_log2_ratio.tsv", "beyond", "P002_case"),
    ),
    "genes in columns that are declared as rows": (
        lambda f: pd.read_csv(f / "rna_counts.tsv", sep="\t", index_col=0).T.to_csv(
            f / "rna_counts.tsv", sep="\t", index_label="gene"
        ),
        ("rna_counts.tsv", "genes_in = 'columns'"),
    ),
    "one fold": (toml("folds = 3", "folds = 1"), ("model.folds = 1", "[2, 1000]")),
    "a path that is too long": (
        toml('"rna_counts.tsv"', f'"{"a" * 5000}"'),
        ("long", "a" * 20),
    ),
    "fractional counts": (rna(cell(2, 3, "4.5")), ("rna", "counts", "fractional", "log2")),
    "a sample of the sheet without a measurement": (
        sheet(lambda t: pd.concat([t, t.iloc[[0]].assign(sample="P999_case", subject="P999")])),
        ("P999_case", "unmatched_samples"),
    ),
    "a measured sample that the sheet does not know": (
        sheet(lambda t: t[t["sample"] != "P002_case"]),
        ("P002_case", "unmatched_samples"),
    ),
    "a condition with one sample": (sheet(one_case), ("rna_case", "'case'", "1 ")),
    "a batch that equals the condition": (
        sheet(lambda t: t.assign(batch=t["condition"])),
        ("rna_case", "batch", "condition"),
    ),
    "an unknown key": (toml('kind = "rna"', 'knid = "rna"'), ("'cohort.matrices[0].knid'", "kind")),
    "an unknown contrast level": (
        toml('case = "case"', 'case = "tumour"'),
        ("'tumour'", "condition", "control"),
    ),
    "an unknown condition": (
        toml('condition = "condition"', 'condition = "arm"'),
        ("'arm'", "condition"),
    ),
    "known targets outside the graph": (
        lambda f: (f / "known_targets.txt").write_text("OR4F5\nOR4F16\n"),
        ("known_targets.txt", "'OR4F16'"),
    ),
    "names that are not human genes": (rna(foreign_names), ("rna_counts.tsv", "AT1G00000")),
    "a changed graph folder": (changed_graph, ("edges-activates.parquet", "changed")),
    "not TOML": (toml("[run]", "[run"), ("run.toml", "TOML")),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_is_one_clear_line_and_nothing_is_written(fault: str, folder: Path) -> None:
    spoil, words = FAULTS[fault]
    spoil(folder)
    before = sorted(folder.rglob("*"))
    done = CliRunner().invoke(
        app, ["run", str(folder / "run.toml"), "--quiet"], env={"AIMWELL_DATA": ""}
    )
    assert done.exit_code == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert [w for w in words if w not in done.stderr] == [], done.stderr
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize("command", ["demo", "graph build"])
@pytest.mark.parametrize(
    ("place", "words"),
    [("file.txt", "is a file"), ("file.txt/below", "cannot write"), ("mine", "name another")],
)
def test_an_output_that_cannot_be_written_or_is_not_ours_is_refused(
    command: str, place: str, words: str, folder: Path
) -> None:
    (folder / "file.txt").write_text("keep")
    for name in ("mine", "mine-data"):
        (folder / name).mkdir()
        (folder / name / "samples.tsv").write_text("keep")
    before = sorted(folder.rglob("*"))
    given = [str(folder / "run.toml")] if command == "graph build" else []
    if command == "demo" and place == "mine":
        (folder / "mine" / "samples.tsv").unlink()  # what stands beside it is to be kept, too
        before = sorted(folder.rglob("*"))
    done = CliRunner().invoke(
        app,
        [*command.split(), *given, "--output", str(folder / place), "--quiet"],
        env={"AIMWELL_DATA": ""},
    )
    assert done.exit_code == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert words in done.stderr
    assert sorted(folder.rglob("*")) == before
    assert (folder / "mine-data" / "samples.tsv").read_text() == "keep"


@pytest.mark.parametrize("place", ["run.toml/below.x", "run.toml/far/below.x", "made"])
@pytest.mark.parametrize("option", ["show starter --html", "audit run.toml --edges"])
def test_a_file_that_can_have_no_place_is_refused(option: str, place: str, folder: Path) -> None:
    (folder / "made").mkdir()
    before = sorted(folder.rglob("*"))
    what = option.replace("run.toml", str(folder / "run.toml")).split()
    done = CliRunner().invoke(
        app, ["graph", *what, str(folder / place), "--quiet"], env={"AIMWELL_DATA": ""}
    )
    assert done.exit_code == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert str(folder / place) in done.stderr
    assert "name a" in done.stderr
    assert sorted(folder.rglob("*")) == before


def test_a_folder_in_the_place_of_the_run_file_is_called_a_folder(folder: Path) -> None:
    done = CliRunner().invoke(app, ["run", str(folder)], env={"AIMWELL_DATA": ""})
    assert done.exit_code == 2
    assert "is a folder; name the run file in it" in done.stderr


def test_the_unspoiled_input_can_be_tested(folder: Path) -> None:
    done = CliRunner().invoke(
        app, ["cohort", "check", str(folder / "run.toml")], env={"AIMWELL_DATA": ""}
    )
    assert done.exit_code == 0, done.output


def test_genes_of_another_species_are_called_what_they_are(folder: Path) -> None:
    rna(lambda t: t.assign(gene=[f"ENSMUSG{i:011d}" for i in range(len(t))]))(folder)
    done = CliRunner().invoke(
        app, ["run", str(folder / "run.toml"), "--quiet"], env={"AIMWELL_DATA": ""}
    )
    assert done.exit_code == 2
    assert "another species" in done.stderr
