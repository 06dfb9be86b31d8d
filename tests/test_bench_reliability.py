"""The benchmark of reliability kills what it says it kills, and damages what it says it damages."""

import random
import signal
import sys
import time
import tomllib
from pathlib import Path

import pytest

from aimwell.bench.children import Ended, in_child, small_settings, to_toml
from aimwell.bench.fuzz import COMMANDS, _faults, damage
from aimwell.bench.reliability import _is_whole, outputs

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
    assert list(_faults(Ended(0, 1, ""), tmp_path)) == []
    assert list(_faults(Ended(2, 1, "error [INPUT]: no"), tmp_path)) == []
    assert list(_faults(Ended(1, 1, "error [BUG]"), tmp_path)) == ["tracebacks"]
    assert list(_faults(Ended(0, 1, "Traceback (most"), tmp_path)) == ["tracebacks"]
    assert list(_faults(Ended(-9, 200, "", hung=True), tmp_path)) == ["hangs"]
    (tmp_path / "out").mkdir()
    assert list(_faults(Ended(2, 1, "error [INPUT]: no"), tmp_path)) == ["partial"]


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


def test_every_command_that_reads_files_is_given_damaged_ones() -> None:
    assert {"run", "reproduce", "explain", "graph build", "cohort check"} <= set(COMMANDS)
