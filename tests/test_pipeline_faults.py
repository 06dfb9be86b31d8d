"""What machines do to programs: full disks, killed processes, moved clocks, files that change."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import pytest
from filelock import FileLock
from joblib.externals.loky.process_executor import TerminatedWorkerError

from aimwell.cli.answer import _refusal
from aimwell.config import config_from
from aimwell.errors import RunError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline import Silent, cache, run
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.demo import run_demo
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation

CONTRAST = {"condition": "condition", "case": "case", "control": "control", "subject": "subject"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of a small simulated cohort."""
    folder = tmp_path_factory.mktemp("cohort")
    graph = read_starter_graph()
    settings = SimulationSettings(subjects=4)
    write_simulation(simulate_cohort(graph, settings, seed=3), folder, graph.symbols)
    return folder


def settings_of(data: Path, output: Path, top: int = 2) -> dict[str, object]:
    """Settings of a run that takes a second."""
    matrix = {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
    return {
        "run": {"title": "small", "data": str(data), "output": str(output), "jobs": 1},
        "cohort": {
            "matrices": [{**matrix, "subject_pattern": "^(.*)_"}],
            "sheet": {"path": "samples.tsv"},
        },
        "contrasts": [{"name": "rna", "layer": "rna", **CONTRAST}],
        "known_targets": {"sources": [{"reader": "genes", "path": "known_targets.txt"}]},
        "model": {"folds": 2, "seeds": 1, "epochs": 2},
        "explain": {"top": top, "steps": 4},
    }


@pytest.fixture(scope="module")
def clean(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    return run(config_from(settings_of(data, tmp_path_factory.mktemp("runs") / "clean"))).folder


@pytest.fixture
def copy(clean: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(clean, tmp_path / "copy"))


def outputs(folder: Path) -> dict[str, bytes]:
    """Every file that the run wrote for its reader."""
    return {
        p.relative_to(folder).as_posix(): p.read_bytes()
        for p in sorted(folder.rglob("*"))
        if p.is_file() and ".stages" not in p.parts and p.name != ".lock"
    }


def left_behind(folder: Path) -> list[str]:
    return [p.name for p in folder.rglob(".*") if p.name not in {".lock", ".stages"}]


KILLED = """
import json, os, signal, sys
from pathlib import Path
from aimwell.config import config_from
from aimwell.pipeline import run

settings, folder, name = json.loads(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
move = Path.replace

def replace(self, target):
    if Path(target) == folder / name:
        os.kill(os.getpid(), signal.SIGKILL)
    return move(self, target)

Path.replace = replace
run(config_from(settings))
"""


@pytest.mark.skipif(os.name != "posix", reason="kills as POSIX systems do")
@pytest.mark.parametrize("name", ["checks.json", "manifest.json"])
def test_kill_9_while_outputs_are_replaced_never_mixes_two_runs(
    name: str, copy: Path, data: Path
) -> None:
    changed = settings_of(data, copy, top=3)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, json.dumps(changed), str(copy), name], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not (copy / "manifest.json").exists()  # so nobody takes it for a finished run
    run(config_from(changed))
    again = json.loads((copy / "manifest.json").read_text())
    assert set(again["outputs"]) == set(outputs(copy)) - {"manifest.json"}
    assert len(list((copy / "explanations").glob("*.json"))) == 3
    assert left_behind(copy) == []


def test_a_disk_that_fills_up_while_the_report_is_written_spoils_nothing(
    copy: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> NoReturn:
        raise OSError(28, "No space left on device", "report.html")

    before = outputs(copy)
    with monkeypatch.context() as patch:
        patch.setattr("aimwell.pipeline.outputs.write_report", full)
        with pytest.raises(OSError, match="No space left"):
            run(config_from(settings_of(data, copy, top=1)))
    assert outputs(copy) == before
    assert left_behind(copy) == []
    assert run(config_from(settings_of(data, copy))).reused


def test_what_an_earlier_run_listed_and_this_one_lacks_is_removed(copy: Path, data: Path) -> None:
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "audit.json").write_text("of the run before")
    (copy / "notes.txt").write_text("of the user")
    manifest["outputs"]["audit.json"] = "0" * 64
    manifest["outputs"]["../notes.txt"] = "0" * 64
    (copy / "manifest.json").write_text(json.dumps(manifest))
    (copy.parent / "notes.txt").write_text("elsewhere")
    run(config_from(settings_of(data, copy)))
    assert not (copy / "audit.json").exists()
    assert (copy / "notes.txt").exists()
    assert (copy.parent / "notes.txt").exists()


def test_entries_of_another_version_are_removed_once_a_run_is_complete(
    copy: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stages = StageCache(copy / ".stages")
    monkeypatch.setattr(cache, "code_hash", lambda: "another version")
    old = stages.put("member", "a" * 64, lambda folder: (folder / "x").write_text("1"))
    monkeypatch.undo()
    early = stages.put("graph", "b" * 64, lambda folder: (folder / "x").write_text("1"))
    (early / "done.json").write_text('{"x": "a record of the first form"}')
    (copy / ".stages" / "mine").mkdir()
    spoilt = settings_of(data, copy) | {"contrasts": [{"name": "r", "layer": "none", **CONTRAST}]}
    with pytest.raises(Exception, match="none"):
        run(config_from(spoilt))
    assert old.exists()  # a version that cannot finish takes nothing from the one before
    (copy / "manifest.json").unlink()
    before = {p.name for p in (copy / ".stages").iterdir()} - {old.name, early.name}
    run(config_from(settings_of(data, copy)))
    assert {p.name for p in (copy / ".stages").iterdir()} == before


class Meddler(Silent):
    """Changes an input after it was read and before the run is sure of it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, what: str, total: int = 0) -> None:
        if what == "evidence":
            self.path.write_text(self.path.read_text() + "\n")


def test_a_file_that_changes_under_a_run_is_refused_and_nothing_is_written(
    data: Path, tmp_path: Path
) -> None:
    moved = Path(shutil.copytree(data, tmp_path / "moved"))
    with pytest.raises(RunError, match=r"known_targets\.txt' changed while the run"):
        run(
            config_from(settings_of(moved, tmp_path / "out")),
            progress=Meddler(moved / "known_targets.txt"),
        )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("year", [0, 4_102_444_800], ids=["1970", "2100"])
def test_no_clock_decides_what_is_reused(year: int, copy: Path, data: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(data, tmp_path / "moved"))
    for path in (*moved.rglob("*"), *copy.rglob("*")):
        os.utime(path, (year, year))
    assert run(config_from(settings_of(moved, copy))).reused


def test_a_second_demonstration_leaves_the_files_of_the_first_alone(tmp_path: Path) -> None:
    output = tmp_path / "demo"
    (tmp_path / "demo-data").mkdir()
    (tmp_path / "demo-data" / "truth.tsv").write_text("of the first")
    output.mkdir()
    with FileLock(output / ".lock"), pytest.raises(RunError, match="another run"):
        run_demo(output, seed=9)
    assert [p.name for p in (tmp_path / "demo-data").iterdir()] == ["truth.tsv"]
    assert (tmp_path / "demo-data" / "truth.tsv").read_text() == "of the first"


RUN = 'exec "$0" -m aimwell run "$1" --quiet'


def command(data: Path, output: Path, script: str) -> "subprocess.CompletedProcess[str]":
    """Run a shell script whose ``$0`` is Python and ``$1`` a run file."""

    def value(item: object) -> str:
        if isinstance(item, Mapping):
            return "{" + ", ".join(f"{k} = {value(v)}" for k, v in item.items()) + "}"
        if isinstance(item, list):
            return "[" + ", ".join(value(v) for v in item) + "]"
        return json.dumps(item)

    settings = settings_of(data, output)
    file = data.parent / f"{output.parent.name}.toml"
    file.write_text("".join(f"{k} = {value(v)}\n" for k, v in settings.items()))
    return subprocess.run(
        ["sh", "-c", script, sys.executable, str(file)],
        capture_output=True,
        text=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "AIMWELL_DATA"},
    )


@pytest.fixture(scope="module")
def own_mounts() -> str:
    """How a process gets mounts of its own."""
    if not sys.platform.startswith("linux") or not shutil.which("unshare"):
        pytest.skip("only Linux lets a test mount a disk of its own")
    for how in ("unshare -m", "unshare -Urm"):
        tried = [*how.split(), "mount", "-t", "tmpfs", "none", "/mnt"]
        if subprocess.run(tried, capture_output=True, check=False).returncode == 0:
            return how
    pytest.skip("this system lets no test mount a disk of its own")


@pytest.mark.parametrize(
    ("options", "words"),
    [("size=600k", "No space left on device"), ("ro", "Read-only file system")],
)
def test_a_disk_that_is_full_or_read_only_is_one_line(
    options: str, words: str, own_mounts: str, data: Path, tmp_path: Path
) -> None:
    disk, kept = tmp_path / "disk", tmp_path / "kept"
    disk.mkdir()
    script = (
        f"mount -t tmpfs -o {options} none {disk} || exit 77; "
        f'"$0" -m aimwell run "$1" --quiet; status=$?; cp -a {disk} {kept}; exit $status'
    )
    done = command(data, disk / "out", f'exec {own_mounts} sh -c \'{script}\' "$0" "$1"')
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert words.lower() in done.stderr.lower()
    assert not list(kept.rglob("targets.tsv"))
    assert not list(kept.rglob("manifest.json"))
    assert not list(kept.rglob("*.partial*"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits memory as Linux does")
@pytest.mark.parametrize("kilobytes", [300_000, 1_500_000])
def test_a_limit_on_memory_is_one_line_and_nothing_is_written(
    kilobytes: int, data: Path, tmp_path: Path
) -> None:
    done = command(data, tmp_path / "out", f"ulimit -v {kilobytes}; {RUN}")
    assert done.returncode == 2, done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "ulimit -v" in done.stderr
    assert not (tmp_path / "out").exists()


REFUSED: dict[str, Callable[[], Exception]] = {
    "memory": MemoryError,
    "memory does not suffice": lambda: RuntimeError(
        "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory:"
    ),
    "raise the limit": lambda: ImportError("x.so: failed to map segment from shared object"),
    "ended from outside": lambda: TerminatedWorkerError("A worker process ... SIGKILL(-9)"),
    "no more threads": lambda: RuntimeError("can't start new thread"),
    "ulimit -f": lambda: OSError(27, "File too large"),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_the_machine_refuses_is_no_bug_of_ours(words: str) -> None:
    assert words in _refusal(REFUSED[words]())


@pytest.mark.parametrize("fault", [RuntimeError("shapes differ"), ImportError("no module x")])
def test_other_errors_of_libraries_stay_bugs(fault: Exception) -> None:
    assert _refusal(fault) == ""
