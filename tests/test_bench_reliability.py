"""The benchmark of reliability kills what it says it kills, and damages what it says it damages."""

import random
import signal
import sys
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.test_cli_docs import commands
from typer.testing import CliRunner

from aimwell import config
from aimwell.bench.children import Ended, in_child, small_settings, to_toml, write_inputs
from aimwell.bench.damage import damage
from aimwell.bench.fuzz import contents, faults
from aimwell.bench.fuzz_formats import OTHERS, PER_SAMPLE, WIDE
from aimwell.bench.fuzz_inputs import (
    CASES,
    DRUGS,
    GRAPH_SOURCES,
    LABELS,
    MAPPINGS,
    TABLES,
    Case,
    lay_out,
)
from aimwell.bench.reliability import _is_whole, outputs
from aimwell.cli import app

posix = pytest.mark.skipif(sys.platform == "win32", reason="kills as POSIX systems do")
# Python warns of forks in a process with threads, of which a test runner has some
pytestmark = pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")


@posix
def test_a_child_gives_its_status_and_what_it_said(tmp_path: Path) -> None:
    def work() -> int:
        print("said")
        return 7

    ended = in_child(work, tmp_path / "log")
    assert (ended.status, ended.said, ended.hung) == (7, "said\n", False)


@posix
def test_a_child_that_fails_never_goes_on_as_its_parent(tmp_path: Path) -> None:
    def work() -> int:
        raise ValueError("inside")

    ended = in_child(work, tmp_path / "log")
    assert ended.status == 1
    assert "ValueError: inside" in ended.said


@posix
def test_a_child_is_killed_at_its_moment_and_at_the_limit(tmp_path: Path) -> None:
    def work() -> int:
        time.sleep(60)
        return 0

    killed = in_child(work, tmp_path / "log", kill_after=0.05)
    assert (killed.status, killed.hung) == (-signal.SIGKILL, False)
    hung = in_child(work, tmp_path / "log", limit=0.05)
    assert (hung.status, hung.hung) == (-signal.SIGKILL, True)


def test_settings_survive_the_way_through_toml(tmp_path: Path) -> None:
    settings = small_settings(tmp_path / "data", tmp_path / "out")
    assert tomllib.loads(to_toml(settings)) == settings


def test_only_files_of_one_run_stand_under_a_manifest(tmp_path: Path) -> None:
    one, two = {"manifest.json": b"1", "a": b"1"}, {"manifest.json": b"2", "a": b"2"}
    (tmp_path / ".stages").mkdir()
    (tmp_path / ".stages" / "x").write_text("kept")
    (tmp_path / "a").write_text("1")
    assert _is_whole(tmp_path, (one, two))  # no manifest: nobody takes it for finished
    (tmp_path / "manifest.json").write_text("1")
    assert outputs(tmp_path) == one
    assert _is_whole(tmp_path, (one, two))
    (tmp_path / "a").write_text("2")
    assert not _is_whole(tmp_path, (one, two))


def test_every_kind_of_fault_is_counted(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text("damaged")
    before = contents(tmp_path)
    told = "error [INPUT]: no"

    def found(status: int, said: str = told, *, hung: bool = False) -> list[str]:
        return list(faults(Ended(status, 1, said, hung=hung), before, tmp_path))

    assert found(0) == []
    assert found(2) == []
    assert found(1) == ["tracebacks"]
    assert found(0, "Traceback (most") == ["tracebacks"]
    assert found(-9, hung=True) == ["hangs"]
    kept = tmp_path / "finished" / ".stages" / "member-1"
    kept.mkdir(parents=True)
    (kept / "done.json").write_text("a whole stage may appear")
    assert found(2) == []
    (kept / ".x.partial").write_text("a half one may not")
    assert found(2) == ["partial"]
    (kept / ".x.partial").unlink()
    (tmp_path / "run.toml").write_text("inputs are never touched")
    assert found(2) == ["partial"]
    assert found(0) == []


@pytest.mark.parametrize("name", ["run.toml", "table.tsv", "facts.json", "names.txt", "x.parquet"])
def test_damage_is_drawn_by_its_seed_and_changes_the_file(name: str, tmp_path: Path) -> None:
    sound = {"run.toml": b"a = 1\nb = 'x'\n", "facts.json": b'{"a": 1, "b": [2]}'}
    before = sound.get(name, b"gene\tS1\tS2\nTP53\t1\t2\nKRAS\t3\t4\n")
    changed = 0
    for seed in range(40):
        results = []
        for _ in range(2):
            (tmp_path / name).write_bytes(before)
            what = damage(tmp_path / name, random.Random(seed))
            results.append((what, (tmp_path / name).read_bytes()))
        assert results[0] == results[1] or "encode" in results[0][0]  # gzip stores the time
        changed += results[0][1] != before
    assert changed > 30


@pytest.mark.parametrize("data", [b"", b"\x89HDF\r\n\x1a\n\0\0", b"a;b\n1;2\n"])
def test_any_file_can_be_damaged(data: bytes, tmp_path: Path) -> None:
    for seed in range(60):
        (tmp_path / "file.h5ad").write_bytes(data)
        assert damage(tmp_path / "file.h5ad", random.Random(seed))


def test_every_command_that_reads_files_is_given_damaged_ones() -> None:
    tried = {" ".join(case.arguments) for case in CASES}
    # a demonstration and a server read nothing, a benchmark is what calls this, a schema is fixed
    others = {"demo", "mcp", "bench", "schema"}
    untried = [c for c in commands() if not any(f"{t} ".startswith(f"{c} ") for t in tried)]
    assert set(untried) == others


def test_every_reader_of_the_run_file_is_given_damaged_files() -> None:
    def readers(sources: Sequence[dict[str, Any]]) -> list[str]:
        return sorted({source["reader"] for source in sources})

    graph = (*config.INTERACTION_READERS, *config.SET_READERS, *config.PRIOR_READERS)
    assert readers(GRAPH_SOURCES) == sorted(graph)
    assert readers(MAPPINGS) == sorted(config.MAPPING_READERS)
    assert readers(LABELS) == sorted(config.LABEL_READERS)
    assert readers(DRUGS) == sorted(config.DRUG_LAYER_READERS)
    assert sorted(TABLES) == sorted(config.TABLE_READERS)
    assert sorted([*WIDE, *PER_SAMPLE, *OTHERS]) == sorted(config.COHORT_READERS)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound inputs of every command, without the finished run."""
    folder = tmp_path_factory.mktemp("fuzz")
    write_inputs(folder / "data")
    lay_out(folder / "data", folder / "sound", finished=False)
    return folder / "sound"


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.arguments[:2] in {("cohort", "check"), ("graph", "audit")}],
    ids=lambda case: case.arguments[-1],
)
def test_sound_files_of_every_format_are_read(
    case: Case, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(sound)
    done = CliRunner().invoke(app, [*case.arguments, "--quiet"])
    assert done.exit_code == 0, done.output
    for pattern in case.reads:
        if not case.arguments[-1].startswith("formats/"):
            assert list(sound.glob(pattern)), pattern
