"""Ctrl-C is one line and status 130, at whatever moment it comes and however often."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals as a POSIX terminal sends them")

#: Runs a command; a terminal sends Ctrl-C to every process of it at the moment that follows.
PROGRAM = """
import os, signal, sys, threading, time

def hit(times=1):
    for _ in range(times):
        os.killpg(0, signal.SIGINT)

class Finder:
    done = False
    def find_spec(self, name, path, target=None):
        if name == moment and not self.done:
            self.done = True
            hit(2)

class Last:
    def __del__(self):
        hit()

def in_a_destructor(*_, **__):
    last = Last()
    del last
    time.sleep(5)
    print("went on")

def where_somebody_catches_it(*_, progress, **__):
    try:
        hit()
    except BaseException:
        pass
    progress.start("next")
    print("went on")

def where_compiled_code_makes_another_error_of_it(*_, **__):
    try:
        hit()
    except KeyboardInterrupt:
        sys.excepthook(*sys.exc_info())
        raise ImportError("the module failed to load")

def workers(before):
    def work(*_, **__):
        from aimwell.pipeline import processes
        from aimwell.pipeline.executors import run_units
        before(processes)
        for _ in run_units(time.sleep, [(9,)] * 9, 2):
            pass
    return work

def soon(processes):
    start = processes.start_server
    def started():
        found = start()
        threading.Timer(0.05, hit, [2]).start()
        return found
    processes.start_server = started

def at_the_fork(processes):
    fork, before = processes._Popen._launch, []
    def forked(self, process):
        if process._target is not processes._nothing:
            if before:
                hit(2)
            before.append(process)
        fork(self, process)
    processes._Popen._launch = forked

moment = sys.argv.pop(1)
sys.meta_path.insert(0, Finder())
from aimwell.cli import main
sys.argv[0] = "aimwell"
reads = {
    "while a server loads the libraries": workers(soon),
    "while the second worker is forked": workers(at_the_fork),
}
name = moment.replace(" ", "_")
if moment in reads or name in globals():
    import aimwell.pipeline
    sys.modules["aimwell.pipeline.run"].run = reads.get(moment) or globals()[name]
main()
"""
MOMENTS = [
    "typer",
    "pandas",
    "in a destructor",
    "where somebody catches it",
    "where compiled code makes another error of it",
    "while a server loads the libraries",
    "while the second worker is forked",
]


@pytest.mark.parametrize("moment", MOMENTS)
def test_ctrl_c_is_one_line_and_status_130(moment: str, tmp_path: Path) -> None:
    if moment.startswith("while") and sys.platform != "linux":
        pytest.skip("only Linux has a server that forks workers")
    file = tmp_path / "run.toml"
    file.write_text('run = {title = "x", data = ".", output = "out"}\n' + REST)
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, moment, "run", str(file), "--quiet"],
        cwd=tmp_path,
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={k: v for k, v in os.environ.items() if k != "AIMWELL_DATA"},
    )
    said = process.communicate(timeout=120)
    assert said == ("", "error [STOPPED]: stopped; the same command goes on from here\n")
    assert process.returncode == 130
    assert alone(process.pid)


def alone(group: int) -> bool:
    """True as soon as no process of a group is left."""
    until = time.monotonic() + 2
    while time.monotonic() < until:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.02)
    os.killpg(group, signal.SIGKILL)
    return False


REST = """
contrasts = [{name = "rna", layer = "rna", condition = "a", case = "b", control = "c"}]
known_targets = {sources = [{reader = "genes", path = "k.txt"}]}

[cohort]
matrices = [{path = "m.tsv", layer = "rna", kind = "rna", unit = "counts"}]
sheet = {path = "s.tsv"}
"""
