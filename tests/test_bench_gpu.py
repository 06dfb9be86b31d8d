"""The benchmark of a GPU runs everywhere: each part with its bar, and a fault costs one bar."""

import json
import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from tests.conftest import ROOT

from aimwell.bench import BenchOptions, gpu, run_bench
from aimwell.bench.gpu_products import sddmm_bytes, spmm_bytes
from aimwell.errors import ConfigError
from aimwell.models.propagate import build_operator

#: What the bars of a GPU are, in words that their names hold, and their limits.
BARS = {
    "gpu: 4 members, 3 epochs": "<= 60",
    "of the copy bandwidth": ">= 0.6",
    "genes attributed": "<= 60",
    "processor's, the same network": ">= 0.9999",
    "trained on each": ">= 0.9999",
    "same bits": "== 1",
    "repeats its bits": "== 1",
    "largest difference to the processor": "<= 1e-5",
    "largest difference to Captum": "<= 1e-5",
}


#: What aimwell has beside torch, numpy, scipy and pandas, and a bare machine has not.
ABSENT = ("sklearn", "joblib", "threadpoolctl", "pyarrow", "typer", "rich", "filelock", "plotly")
PROGRAM = """
import runpy, sys
sys.modules.update(dict.fromkeys({absent!r}))
sys.argv = {arguments!r}
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def bench(*arguments):
    """Call the script as on a machine without aimwell, without its packages and without any GPU."""
    surroundings = {"PATH": os.environ["PATH"], "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    script = [str(ROOT / "scripts" / "bench_gpu"), *arguments]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM.format(absent=ABSENT, arguments=script)],
        capture_output=True,
        text=True,
        check=False,
        env=surroundings,
    )


def test_all_parts_run_on_the_processor_and_give_valid_json(tmp_path):
    done = bench("--device", "cpu", "--small", "--json", str(tmp_path / "bars.json"))
    assert done.returncode == 0, done.stderr
    rows = json.loads((tmp_path / "bars.json").read_text())
    assert not [row["name"] for row in rows if "failed" in row["name"]]
    for words, limit in BARS.items():
        held = [row for row in rows if words in row["name"] and row["limit"]]
        assert [row["limit"] for row in held] == [limit], words
        assert isinstance(held[0]["value"], float)
        assert held[0]["passed"] is not None
    passed = {row["name"]: row["passed"] for row in rows if row["limit"]}
    assert [name for name, hit in passed.items() if not hit and "bandwidth" not in name] == []
    assert all("on the processor" in row["machine"] for row in rows)
    assert len(done.stdout.splitlines()) == len(rows) + 1


def test_without_a_gpu_it_says_so_in_one_line(tmp_path):
    done = bench("--json", str(tmp_path / "bars.json"))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert "finds no GPU; nothing was measured" in done.stderr
    assert not (tmp_path / "bars.json").exists()


def test_the_command_without_a_gpu_gives_one_row_that_measures_nothing(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    (row,) = run_bench("gpu")
    assert row.name == "gpu: not measured: torch finds no GPU"
    assert math.isnan(row.value)
    assert row.passed is None


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(ConfigError, match="--device 'nothing' cannot be used"):
        list(run_bench("gpu", options=BenchOptions(device="nothing")))


def test_a_part_that_fails_is_a_missed_bar():
    def part():
        yield gpu.bar("one", 1.0)
        raise torch.OutOfMemoryError("no room\nfor it")

    first, missed = gpu._guarded("training", part)
    assert first.name == "one"
    assert missed.name == "gpu: training failed: OutOfMemoryError: no room for it"
    assert missed.passed is False


def test_bytes_are_those_of_a_count_by_hand():
    # two rows, three sources, four arcs, five columns
    at = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 2])
    operator = build_operator(*at, np.ones(4), (2, 3), np.zeros(4, int))
    compulsory, gather, operations = spmm_bytes(operator, 5)
    # the matrix read, the result written, columns and weights of arcs, and three row starts
    assert compulsory == 3 * 5 * 4 + 2 * 5 * 4 + 4 * 8 + 4 * 4 + 3 * 8
    assert gather == 4 * 5 * 4
    assert operations == 2 * 4 * 5
    assert sddmm_bytes(operator, 5) == (compulsory + 4 * 4, gather, operations)
