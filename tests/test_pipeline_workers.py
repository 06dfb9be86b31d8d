"""Processes that a run starts end with it, and there are never more than there is work."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aimwell.pipeline.workers import in_processes

JOB = """
import os, sys, time
from pathlib import Path
from aimwell.pipeline.workers import in_processes

def work(folder, number, seconds):
    (Path(folder) / f"{number}.partial").write_text(str(os.getpid()))
    (Path(folder) / f"{number}.partial").rename(Path(folder) / f"{number}.pid")
    time.sleep(seconds)

if __name__ == "__main__":
    import job
    folder, seconds = sys.argv[1], float(sys.argv[2])
    list(in_processes(job.work, [(folder, 0, seconds), (folder, 1, seconds)], 2))
    time.sleep(300)
"""


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()


def _within(seconds: float, happened: object) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if happened():  # type: ignore[operator]
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc, as on Linux")
@pytest.mark.parametrize("seconds", [1, 300], ids=["idle", "busy"])
def test_workers_of_a_killed_run_end_soon(tmp_path: Path, seconds: int) -> None:
    (tmp_path / "job.py").write_text(JOB)
    paths = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    process = subprocess.Popen(
        [sys.executable, str(tmp_path / "job.py"), str(tmp_path), str(seconds)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    workers: list[int] = []
    try:
        assert _within(60, lambda: len(list(tmp_path.glob("*.pid"))) == 2)
        workers = [int(p.read_text()) for p in sorted(tmp_path.glob("*.pid"))]
        time.sleep(1.5)
        assert all(_alive(pid) for pid in workers)
        process.kill()
        process.wait()
        assert _within(10, lambda: not any(_alive(pid) for pid in workers))
    finally:
        for pid in (process.pid, *workers):
            if _alive(pid):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def test_more_processes_than_calls_are_never_started() -> None:
    assert sorted(in_processes(abs, [(-1,), (-2,)], 1_000_000)) == [1, 2]
