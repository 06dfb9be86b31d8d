"""A run reads all before it writes, resumes, and always ends with the same bytes."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from aimwell.config import RunConfig, config_from
from aimwell.errors import AimwellError, InputError, LabelError, RunError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline import RunResult, Silent, run
from aimwell.pipeline.explain import explain_run
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

CONTRAST = {"condition": "condition", "case": "case", "control": "control", "subject": "subject"}
MATRIX = {"subject_pattern": "^(.*)_"}


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a small simulated cohort."""
    folder = tmp_path_factory.mktemp("cohort")
    graph = read_starter_graph()
    settings = SimulationSettings(subjects=6)
    write_simulation(simulate_cohort(graph, settings, seed=3), folder, graph.symbols)
    return folder


def small(data: Path, output: Path, **run_settings: object) -> dict[str, object]:
    """Settings of a run that takes seconds."""
    where = {"title": "small", "data": str(data), "output": str(output), "jobs": 1}
    matrices = [
        {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts", **MATRIX},
        {
            "path": "protein_log2_ratio.tsv",
            "layer": "protein",
            "kind": "protein",
            "unit": "log2_ratio",
            **MATRIX,
        },
    ]
    return {
        "run": {**where, **run_settings},
        "cohort": {"matrices": matrices, "sheet": {"path": "samples.tsv"}},
        "contrasts": [{"name": n, "layer": n, **CONTRAST} for n in ("rna", "protein")],
        "known_targets": {"sources": [{"reader": "genes", "path": "known_targets.txt"}]},
        "model": {"folds": 3, "seeds": 2, "epochs": 3},
        "explain": {"top": 3, "steps": 8},
    }


def config_of(data: Path, output: Path, **run_settings: object) -> RunConfig:
    return config_from(small(data, output, **run_settings))


@pytest.fixture(scope="module")
def clean(cohort: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    return run(config_of(cohort, tmp_path_factory.mktemp("runs") / "clean")).folder


@pytest.fixture
def copy(clean: Path, tmp_path: Path) -> Path:
    """A copy of the clean run, to be damaged."""
    return Path(shutil.copytree(clean, tmp_path / "copy"))


def outputs(folder: Path) -> dict[str, bytes]:
    """Every file that the run wrote for its reader."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".stages" not in p.parts and p.name != ".lock"
    }


def entries(folder: Path, stage: str) -> dict[str, int]:
    """Cache entries of a stage, with the time they were made."""
    found = (folder / ".stages").glob(f"{stage}-*")
    return {p.name: (p / "done.json").stat().st_mtime_ns for p in found}


def write_toml(path: Path, settings: dict[str, object]) -> Path:
    """Write settings as a run file; JSON values of these kinds are TOML values."""

    def value(item: object) -> str:
        if isinstance(item, dict):
            return "{" + ", ".join(f"{k} = {value(v)}" for k, v in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(value(v) for v in item) + "]"
        return json.dumps(item)

    path.write_text("".join(f"{k} = {value(v)}\n" for k, v in settings.items()))
    return path


class Log(Silent):
    """Remembers what was computed and what was reused."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.reused: list[str] = []

    def start(self, what: str, total: int = 0) -> None:
        self.started.append(what)

    def reuse(self, what: str) -> None:
        self.reused.append(what)


def test_the_run_folder_holds_what_the_manifest_says(clean: Path) -> None:
    manifest = json.loads((clean / "manifest.json").read_text())
    assert set(manifest["outputs"]) == set(outputs(clean)) - {"manifest.json"}
    for name in ("targets.tsv", "targets.parquet", "evidence.parquet", "identifiers.tsv"):
        assert name in manifest["outputs"]
    assert {"checks.json", "report.html"} <= set(manifest["outputs"])
    assert len([n for n in manifest["outputs"] if n.endswith(".graphml")]) == 3
    ranks = pd.read_csv(clean / "targets.tsv", sep="\t")["rank"]
    assert ranks.tolist() == list(range(1, len(ranks) + 1))


def test_a_second_call_reuses_everything_and_writes_nothing(copy: Path, cohort: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in copy.rglob("*") if p.is_file() and p.name != ".lock"}
    log = Log()
    assert run(config_of(cohort, copy), progress=log).reused
    assert log.started == []
    after = {p: p.stat().st_mtime_ns for p in copy.rglob("*") if p.is_file() and p.name != ".lock"}
    assert after == before


def test_a_second_call_never_loads_torch(copy: Path, cohort: Path, tmp_path: Path) -> None:
    file = write_toml(tmp_path / "run.toml", small(cohort, copy))
    program = f"""
import sys
sys.argv = ["aimwell", "run", {str(file)!r}, "--quiet"]
from aimwell.cli import main
try:
    main()
finally:
    assert "torch" not in sys.modules and "torch_geometric" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True, env=plain_environment())


def test_a_run_elsewhere_with_other_processes_gives_the_same_bytes(
    clean: Path, cohort: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(cohort, tmp_path / "elsewhere"))
    result = command(write_toml(tmp_path / "r.toml", small(moved, tmp_path / "two", jobs=2)))
    assert result.returncode == 0, result.stderr
    assert outputs(tmp_path / "two") == outputs(clean)


def test_the_order_of_rows_and_columns_carries_no_meaning(
    clean: Path, cohort: Path, tmp_path: Path
) -> None:
    shuffled = Path(shutil.copytree(cohort, tmp_path / "shuffled"))
    for name in ("rna_counts.tsv", "protein_log2_ratio.tsv", "samples.tsv"):
        table = pd.read_csv(shuffled / name, sep="\t", index_col=0, dtype=str, na_filter=False)
        table = table.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2)
        table.to_csv(shuffled / name, sep="\t")
    names = (shuffled / "known_targets.txt").read_text().split()
    (shuffled / "known_targets.txt").write_text("\n".join(reversed(names)))
    result = run(config_of(shuffled, tmp_path / "run"))
    for name in ("targets.tsv", "targets.parquet", "evidence.parquet"):
        assert outputs(result.folder)[name] == outputs(clean)[name], name


KILL_WHEN: dict[str, Callable[[Path], bool]] = {
    "the first network is fitted": lambda f: len(entries(f, "member")) >= 1,
    "a target is explained": lambda f: len(entries(f, "explanation")) >= 1,
    "the tables are written": lambda f: any(f.glob(".outputs.*/targets.tsv")),
}


@pytest.mark.parametrize("moment", KILL_WHEN)
def test_kill_9_loses_no_finished_unit_and_changes_no_byte(
    moment: str, clean: Path, cohort: Path, tmp_path: Path
) -> None:
    output = tmp_path / "killed"
    settings = small(cohort, output, jobs=2)
    file = write_toml(tmp_path / "run.toml", settings)
    process = subprocess.Popen(
        [sys.executable, "-m", "aimwell", "run", str(file), "--quiet"],
        start_new_session=True,
        env=plain_environment(),
    )
    try:
        wait_for(lambda: KILL_WHEN[moment](output), process)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert process.returncode == -signal.SIGKILL
    assert not (output / "manifest.json").exists()
    kept = {stage: entries(output, stage) for stage in ("graph", "member", "explanation")}
    assert not run(config_of(cohort, output)).reused
    for stage, times in kept.items():
        now = entries(output, stage)
        assert {name: now[name] for name in times} == times
    assert outputs(output) == outputs(clean)
    assert list((output / ".stages").glob(".*")) == []
    assert {p.name for p in output.glob(".*")} == {".lock", ".stages"}


def test_two_runs_at_once_in_one_folder_are_refused(copy: Path, cohort: Path) -> None:
    changed = dataclasses.replace(
        config_of(cohort, copy), explain=dataclasses.replace(config_of(cohort, copy).explain, top=2)
    )
    before = outputs(copy)
    with FileLock(copy / ".lock"), pytest.raises(RunError, match="another run") as refusal:
        run(changed)
    assert str(copy) in str(refusal.value)
    assert outputs(copy) == before


def test_a_changed_setting_recomputes_only_what_depends_on_it(copy: Path, cohort: Path) -> None:
    settings = small(cohort, copy) | {"explain": {"top": 4, "steps": 8}}
    log = Log()
    run(config_from(settings), progress=log)
    assert {"graph", "evidence", "networks"} <= set(log.reused)
    assert not any("fitting" in stage for stage in log.started)
    assert any("explaining" in stage for stage in log.started)
    assert len(list((copy / "explanations").glob("*.json"))) == 4


def test_changed_known_targets_leave_the_evidence_alone(
    copy: Path, cohort: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(cohort, tmp_path / "moved"))
    with (moved / "known_targets.txt").open("a") as stream:
        stream.write("EGFR\n")
    log = Log()
    run(config_of(moved, copy), progress=log)
    assert {"graph", "evidence"} <= set(log.reused)
    assert any("fitting" in stage for stage in log.started)


def test_a_changed_measurement_is_noticed(copy: Path, cohort: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(cohort, tmp_path / "moved"))
    table = pd.read_csv(moved / "rna_counts.tsv", sep="\t", index_col=0)
    table.iloc[0, 0] += 1000
    table.to_csv(moved / "rna_counts.tsv", sep="\t")
    log = Log()
    assert not run(config_of(moved, copy), progress=log).reused
    assert "graph" in log.reused
    assert "evidence" in log.started


@pytest.mark.parametrize("stage", ["graph", "evidence", "member", "explanation"])
def test_a_damaged_entry_is_made_again(stage: str, copy: Path, cohort: Path, clean: Path) -> None:
    entry = sorted((copy / ".stages").glob(f"{stage}-*"))[0]
    file = next(p for p in sorted(entry.rglob("*")) if p.is_file() and p.name != "done.json")
    file.write_bytes(file.read_bytes()[:-20])
    (copy / "manifest.json").unlink()
    run(config_of(cohort, copy))
    assert outputs(copy) == outputs(clean)


@pytest.mark.parametrize("name", ["report.html", "targets.tsv", "manifest.json"])
def test_a_lost_or_changed_output_is_written_again(
    name: str, copy: Path, cohort: Path, clean: Path
) -> None:
    (copy / name).write_text("changed by hand")
    log = Log()
    run(config_of(cohort, copy), progress=log)
    assert outputs(copy) == outputs(clean)
    assert not any("fitting" in stage for stage in log.started)


def _spoil_matrix(data: Path) -> None:
    path = data / "protein_log2_ratio.tsv"
    lines = path.read_text().splitlines()
    lines[5] = lines[5].rsplit("\t", 1)[0] + "\tbroken"
    path.write_text("\n".join(lines))


FAULTS: dict[str, tuple[Callable[[Path], object], type[AimwellError]]] = {
    "a missing matrix": (lambda d: (d / "rna_counts.tsv").unlink(), InputError),
    "text in a number column": (_spoil_matrix, InputError),
    "no known target in the graph": (
        lambda d: (d / "known_targets.txt").write_text("OR4F5\n"),
        AimwellError,
    ),
    "an empty sheet": (lambda d: (d / "samples.tsv").write_text(""), InputError),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_bad_input_writes_nothing_not_even_the_folder(
    fault: str, cohort: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(cohort, tmp_path / "data"))
    spoil, kind = FAULTS[fault]
    spoil(data)
    with pytest.raises(kind) as refusal:
        run(config_of(data, tmp_path / "runs" / "bad"))
    assert "\n" not in str(refusal.value)
    assert not (tmp_path / "runs").exists()


def test_bad_input_leaves_an_earlier_run_as_it_was(
    copy: Path, cohort: Path, tmp_path: Path
) -> None:
    data = Path(shutil.copytree(cohort, tmp_path / "data"))
    (data / "known_targets.txt").write_text("OR4F5\n")
    before = outputs(copy)
    with pytest.raises((LabelError, InputError)):
        run(config_of(data, copy))
    assert outputs(copy) == before


def test_a_folder_with_other_files_is_refused(cohort: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("dear")
    with pytest.raises(RunError, match=r"thesis\.docx"):
        run(config_of(cohort, tmp_path))
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.docx"]


def test_ctrl_c_ends_with_one_line_and_the_next_call_goes_on(
    clean: Path, cohort: Path, tmp_path: Path
) -> None:
    output = tmp_path / "stopped"
    file = write_toml(tmp_path / "run.toml", small(cohort, output, jobs=2))
    process = subprocess.Popen(
        [sys.executable, "-m", "aimwell", "run", str(file), "--quiet"],
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
        env=plain_environment(),
    )
    wait_for(lambda: len(entries(output, "member")) >= 1, process)
    os.killpg(process.pid, signal.SIGINT)  # a terminal sends it to every process of the job
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert len(said.splitlines()) == 1, said
    assert said.startswith("error [STOPPED]")
    result: RunResult = run(config_of(cohort, output))
    assert outputs(result.folder) == outputs(clean)


def test_a_target_is_explained_from_the_run_folder_alone(
    copy: Path, clean: Path, tmp_path: Path
) -> None:
    ranked = pd.read_csv(copy / "targets.tsv", sep="\t")
    best, worst = ranked.iloc[0], ranked.iloc[-1]
    found = explain_run(copy, [worst["symbol"].lower(), best["hgnc_id"]], jobs=1)
    assert [e.gene for e in found] == [worst["hgnc_id"], best["hgnc_id"]]
    assert found[0].score == pytest.approx(worst["score"], abs=1e-5)
    assert (copy / "explanations" / f"{worst['symbol']}.json").is_file()
    # the file of a target that the run had explained already stays as it was
    name = f"explanations/{best['symbol']}.json"
    assert outputs(copy)[name] == outputs(clean)[name]


def test_explaining_says_what_is_wrong(copy: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'EGFR'"):
        explain_run(copy, ["EGFRR"])
    with pytest.raises(RunError, match="no finished run"):
        explain_run(tmp_path / "nowhere", ["EGFR"])
    assert not (tmp_path / "nowhere").exists()
    table = (copy / "targets.tsv").read_text()
    (copy / "targets.tsv").write_text(table.replace("hgnc_id", "id", 1))
    with pytest.raises(RunError, match=r"targets\.tsv' is not as the run wrote it"):
        explain_run(copy, ["EGFR"])
    (copy / "targets.tsv").write_text(table)
    shutil.rmtree(next((copy / ".stages").glob("evidence-*")))
    with pytest.raises(RunError, match="'evidence'"):
        explain_run(copy, ["EGFR"])


def plain_environment() -> dict[str, str]:
    """The environment without settings that reach into a run."""
    return {k: v for k, v in os.environ.items() if k != "AIMWELL_DATA"}


def command(file: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "aimwell", "run", str(file), "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        env=plain_environment(),
    )


def wait_for(ready: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    """Wait until the run has come that far; it must not end before."""
    limit = time.monotonic() + 600  # a busy machine is slow, and only a hang is wrong
    while not ready():
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < limit
        time.sleep(0.005)


def test_the_python_example_of_the_readme_runs(
    cohort: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    code = readme.split("```python\n")[1].split("```")[0]
    write_toml(tmp_path / "my.toml", small(cohort, tmp_path / "run", jobs=1))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert "symbol" in capsys.readouterr().out
