"""Units give the same results wherever they run, and what fails is tried again, then named."""

import ast
import errno
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pandas as pd
import pytest

from aimwell.errors import ConfigError, LabelError, RunError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.wiring import build_wiring
from aimwell.pipeline import executors, processes
from aimwell.pipeline.executors import check_executor, run_units, slurm_cluster
from aimwell.pipeline.shared import INDEX, load_shared, save_shared

UNITS = '''
import os, signal, time
from pathlib import Path

from aimwell.errors import LabelError

held = []

def double(number):
    return 2 * number

def keep(megabytes):
    """Hold on to memory, long enough for loky to look how much it is; give the process."""
    held.append(bytearray(b"x" * (megabytes << 20)))
    time.sleep(1.1)
    return os.getpid()

def fail_until(folder, number, tries, kind):
    """Fail in one way until the unit was begun ``tries`` times."""
    begun = Path(folder) / f"{number}-{len(list(Path(folder).glob(f'{number}-*')))}"
    begun.touch()
    if len(list(Path(folder).glob(f"{number}-*"))) > tries:
        return number
    if kind == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    faults = {"bug": KeyError("x"), "input": LabelError("no targets"), "disk": OSError(28, "full")}
    raise faults[kind]
'''


@pytest.fixture(scope="module")
def units(tmp_path_factory: pytest.TempPathFactory) -> Iterator[object]:
    """A module that worker processes can import, too."""
    folder = tmp_path_factory.mktemp("units")
    (folder / "units_of_a_test.py").write_text(UNITS)
    before = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), before])
    sys.path.insert(0, str(folder))
    import units_of_a_test

    yield units_of_a_test
    sys.path.remove(str(folder))
    os.environ["PYTHONPATH"] = before


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_unit_that_fails_twice_is_done_the_third_time(units, tmp_path: Path, jobs: int) -> None:
    calls = [(str(tmp_path), 0, 0, "bug"), (str(tmp_path), 1, 2, "bug")]
    assert sorted(run_units(units.fail_until, calls, jobs)) == [0, 1]
    assert len(list(tmp_path.glob("1-*"))) == 3


def test_a_unit_that_always_fails_is_named_and_the_others_are_done(units, tmp_path: Path) -> None:
    calls = [(str(tmp_path), 0, 9, "bug"), (str(tmp_path), 1, 0, "bug")]
    with pytest.raises(RuntimeError, match=r"the fit of b failed 3 times: KeyError: 'x'"):
        list(run_units(units.fail_until, calls, 1, names=["the fit of b", "the fit of c"]))
    assert (tmp_path / "1-0").exists()


def test_what_the_user_can_put_right_is_not_tried_again(units, tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="no targets"):
        list(run_units(units.fail_until, [(str(tmp_path), 0, 9, "input")], 1))
    assert len(list(tmp_path.glob("0-*"))) == 1


def test_what_the_machine_refuses_keeps_its_kind(units, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="full") as caught:
        list(run_units(units.fail_until, [(str(tmp_path), 0, 9, "disk")], 1, names=["the fit"]))
    assert caught.value.errno == errno.ENOSPC
    assert caught.value.__notes__ == ["in the fit, 3 times"]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_killed_worker_is_replaced_and_its_units_are_done(units, tmp_path: Path) -> None:
    calls = [(str(tmp_path), i, int(i == 1), "kill") for i in range(4)]
    assert sorted(run_units(units.fail_until, calls, 2)) == [0, 1, 2, 3]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_unit_that_takes_every_worker_with_it_is_named(units, tmp_path: Path) -> None:
    calls = [(str(tmp_path), i, 99 * (i == 2), "kill") for i in range(4)]
    names = [f"the fit {i}" for i in range(4)]
    with pytest.raises(RunError, match=r"'the fit 2' ended 3 times without a word"):
        list(run_units(units.fail_until, calls, 2, names=names))


@pytest.mark.filterwarnings("error")
def test_a_worker_that_holds_on_to_memory_is_kept_without_a_word(units, recwarn) -> None:
    pytest.importorskip("psutil", reason="loky looks at the memory of workers only with psutil")
    found = list(run_units(units.keep, [(1,), (1,), (350,), (350,), (1,), (1,)], 2))
    assert len(set(found)) == 2
    assert [str(warning.message) for warning in recwarn] == []


@pytest.mark.parametrize("fault", [EOFError, ConnectionRefusedError, BrokenPipeError])
def test_a_server_that_ends_before_it_forks_is_replaced(units, monkeypatch, fault) -> None:
    whole, faults = processes.pool_of, [fault, fault]

    def pool_of(jobs: int) -> object:
        if faults:
            raise faults.pop()
        return whole(jobs)

    monkeypatch.setattr(processes, "pool_of", pool_of)
    assert sorted(run_units(units.double, [(1,), (2,)], 2)) == [2, 4]


def test_an_executor_without_its_package_says_how_to_install_it(monkeypatch) -> None:
    monkeypatch.setitem(executors.PACKAGES, "dask", "no_such_package")
    with pytest.raises(ConfigError, match=r"no_such_package.*pip install 'aimwell\[cluster\]'"):
        check_executor("dask://there:8786")


@pytest.mark.enable_socket
@pytest.mark.filterwarnings("default")
def test_dask_gives_the_results_of_serial_work_and_fails_like_it(units, tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="pip install 'aimwell[cluster]'")
    try:
        found = sorted(run_units(units.double, [(i,) for i in range(5)], 2, "dask"))
        assert found == [0, 2, 4, 6, 8]
        calls, names = [(str(tmp_path), 0, 99, "bug")] * 2, ["the fit of a"] * 2
        with pytest.raises(RuntimeError, match="the fit of a failed 3 times"):
            list(run_units(units.fail_until, calls, 2, "dask", names))
    finally:
        client = executors._dask_client("dask", "", 2)
        client.cluster.close()
        client.close()
        executors._dask_client.cache_clear()


@pytest.mark.enable_socket
@pytest.mark.filterwarnings("default")
def test_a_job_of_slurm_has_one_core_and_the_partition_that_was_named() -> None:
    pytest.importorskip("dask_jobqueue", reason="pip install 'aimwell[cluster]'")
    cluster = slurm_cluster("long", jobs=0)
    try:
        script = cluster.job_script()
    finally:
        cluster.close()
    assert "#SBATCH -p long" in script
    assert "#SBATCH --cpus-per-task=1" in script


def test_what_workers_read_is_what_was_shared_and_is_not_copied(tmp_path: Path) -> None:
    graph = read_starter_graph()
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    wiring = build_wiring(graph, genes, degree_corrected=True)
    save_shared((graph, wiring), tmp_path)
    again, rewired = load_shared(tmp_path)
    for kind, table in graph.nodes.items():
        pd.testing.assert_frame_equal(again.nodes[kind], table)
    for name, relation in graph.relations.items():
        pd.testing.assert_frame_equal(again.relations[name].edges, relation.edges)
    assert again.sources == graph.sources
    assert again.steps == graph.steps
    pd.testing.assert_frame_equal(rewired.edges, wiring.edges)
    assert rewired.set_ids.equals(wiring.set_ids)
    for one, other in zip(wiring.operators, rewired.operators, strict=True):
        assert one.shape == other.shape
        assert np.array_equal(one.weight.numpy(), other.weight.numpy())
        assert np.array_equal(one.transposed_column.numpy(), other.transposed_column.numpy())
        if one.expected is not None:
            assert np.array_equal(one.expected.column.numpy(), other.expected.column.numpy())
    assert rewired.degree_corrected
    assert "npy" in Path("/proc/self/maps").read_text(encoding="utf-8")


def test_a_shared_folder_rebuilds_no_other_class(tmp_path: Path) -> None:
    (tmp_path / INDEX).write_text('{"kind": "Popen", "fields": {"args": "true"}}')
    with pytest.raises(RunError, match=r"cannot read .*Popen"):
        load_shared(tmp_path)


ONCE = """
import os, sys, time
sys.path.insert(0, os.path.dirname(__file__))
from aimwell.pipeline.executors import run_units
import units_of_a_script as units

print("begun", os.getpid(), flush=True)
here = list(run_units(units.where, [()] * 2, 2))
print(here, flush=True)
for _ in run_units(units.wait, [()] * 9, 2):
    pass
"""
UNITS_OF_A_SCRIPT = """
import os, sys, time

def where():
    time.sleep(0.2)
    server = os.getppid()
    threads = len(os.listdir(f"/proc/{server}/task"))
    return server, os.getpid(), threads, "torch" in sys.modules

def wait():
    time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a server that forks workers")
def test_workers_share_one_server_without_threads_and_end_with_the_script(tmp_path: Path) -> None:
    script = tmp_path / "script.py"  # with no guard around what it does
    script.write_text(ONCE)
    (tmp_path / "units_of_a_script.py").write_text(UNITS_OF_A_SCRIPT)
    process = subprocess.Popen(
        [sys.executable, str(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == f"begun {process.pid}\n"
        found = ast.literal_eval(process.stdout.readline())
    finally:
        process.kill()
        rest = process.communicate()
    assert rest == ("", "")  # which waits until no worker holds them
    servers = {server for server, *_ in found}
    assert len(servers) == 1
    assert process.pid not in servers
    assert {(threads, loaded) for *_, threads, loaded in found} == {(1, True)}
    until = time.monotonic() + 5
    while any(is_running(p) for p in {*servers, *(worker for _, worker, *_ in found)}):
        assert time.monotonic() < until
        time.sleep(0.02)


def is_running(number: int) -> bool:
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_without_a_server_each_worker_loads_for_itself(units, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(processes, "start_server", lambda: False)
    assert sorted(run_units(units.double, [(i,) for i in range(5)], 2)) == [0, 2, 4, 6, 8]
    calls = [(str(tmp_path), i, int(i == 1), "kill") for i in range(4)]
    assert sorted(run_units(units.fail_until, calls, 2)) == [0, 1, 2, 3]


def test_a_server_that_ends_while_it_loads_is_named(units, monkeypatch) -> None:
    def lost(jobs: int) -> NoReturn:
        raise EOFError

    monkeypatch.setattr(processes, "pool_of", lost)
    with pytest.raises(RunError, match=r"ended 3 times without a word"):
        list(run_units(units.double, [(1,), (2,)], 2))


def test_ctrl_c_waits_until_workers_are_begun_or_ended() -> None:
    reached = []

    def begin() -> None:
        with processes.interrupts_later():
            signal.raise_signal(signal.SIGINT)
            reached.append("the end")

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # Dask has one of its own
    try:
        with pytest.raises(KeyboardInterrupt):
            begin()
    finally:
        signal.signal(signal.SIGINT, before)
    assert reached == ["the end"]


def test_results_that_nobody_wants_are_not_worked_out(units, tmp_path: Path) -> None:
    calls = [(str(tmp_path), i, 0, "bug") for i in range(200)]
    results = run_units(units.fail_until, calls, 2)
    next(results)
    results.close()  # type: ignore[attr-defined]
    begun = len(list(tmp_path.iterdir()))
    assert begun < 50
    assert sorted(run_units(units.double, [(1,), (2,)], 2)) == [2, 4]
    assert len(list(tmp_path.iterdir())) == begun
