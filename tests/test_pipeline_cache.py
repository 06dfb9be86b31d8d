"""Entries of the cache are whole, absent or made again; nothing in between."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.config import config_from
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.keys import input_names
from aimwell.pipeline.tables import load_arrays, save_arrays


def test_an_entry_is_found_only_under_the_key_it_was_put_with(tmp_path: Path) -> None:
    cache = StageCache(tmp_path)
    cache.put("toy", "a" * 64, lambda folder: (folder / "x").write_text("1"))
    assert cache.has("toy", "a" * 64)
    assert not cache.has("toy", "b" * 64)
    assert not cache.has("other", "a" * 64)


def test_a_stage_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def save(folder: Path) -> None:
        (folder / "x").write_text("half")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        StageCache(tmp_path / "cache").put("toy", "k" * 64, save)
    assert list((tmp_path / "cache").iterdir()) == []


def test_kill_9_while_saving_leaves_no_entry_and_the_next_call_makes_it(tmp_path: Path) -> None:
    program = f"""
import os, signal
from pathlib import Path
from aimwell.pipeline.cache import StageCache
def save(folder):
    (folder / "x").write_text("half of it")
    os.kill(os.getpid(), signal.SIGKILL)
StageCache(Path({str(tmp_path)!r})).put("toy", "k" * 64, save)
"""
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == -signal.SIGKILL
    cache = StageCache(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    assert not cache.has("toy", "k" * 64)
    cache.sweep()
    assert list(tmp_path.iterdir()) == []
    cache.put("toy", "k" * 64, lambda folder: (folder / "x").write_text("all"))
    assert (cache.path("toy", "k" * 64) / "x").read_text() == "all"


@pytest.mark.parametrize("damage", ["change", "remove", "empty the record", "not JSON"])
def test_a_damaged_entry_counts_as_absent(tmp_path: Path, damage: str) -> None:
    cache = StageCache(tmp_path)
    entry = cache.put("toy", "k" * 64, lambda folder: (folder / "x").write_text("good"))
    {
        "change": lambda: (entry / "x").write_text("evil"),
        "remove": (entry / "x").unlink,
        "empty the record": lambda: (entry / "done.json").write_text(""),
        "not JSON": lambda: (entry / "done.json").write_text("[1]"),
    }[damage]()
    assert not cache.has("toy", "k" * 64)
    cache.put("toy", "k" * 64, lambda folder: (folder / "x").write_text("again"))
    assert cache.has("toy", "k" * 64)
    assert (entry / "x").read_text() == "again"


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    arrays = {
        "a": np.array([[1.5, np.nan], [-0.0, np.inf]], dtype=np.float32),
        "b": np.arange(3),
        "scalar": np.array(7),
        "none": np.empty((0, 4)),
        "turned": np.arange(6.0).reshape(2, 3).T,
        "yes": np.array([True, False]),
    }
    save_arrays(arrays, tmp_path / "m.parquet")
    found = load_arrays(tmp_path / "m.parquet")
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array, strict=True)
        assert found[name].flags.writeable


def test_arrays_of_anything_but_numbers_are_neither_written_nor_read(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="'x' holds no numbers"):
        save_arrays({"x": np.array([{"y": 1}], dtype=object)}, tmp_path / "m.parquet")
    assert not (tmp_path / "m.parquet").exists()
    rows = {"name": ["x"], "dtype": ["|O"], "shape": [[1]], "bytes": [b"12345678"]}
    pd.DataFrame(rows).to_parquet(tmp_path / "evil.parquet")
    with pytest.raises(ValueError, match="holds no numbers"):
        load_arrays(tmp_path / "evil.parquet")
    pd.DataFrame(rows | {"dtype": ["<f8"], "shape": [[9]]}).to_parquet(tmp_path / "short.parquet")
    with pytest.raises(ValueError, match="reshape"):
        load_arrays(tmp_path / "short.parquet")


def test_a_text_too_long_for_a_path_is_no_input(tmp_path: Path) -> None:
    source = {"reader": "repurposing_hub", "path": "known.txt", "disease_pattern": "a" * 5000}
    matrix = {"path": "rna.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
    contrast = {"name": "c", "layer": "rna", "condition": "arm", "case": "a", "control": "b"}
    (tmp_path / "known.txt").write_text("EGFR\n")
    config = config_from(
        {
            "run": {"title": "t", "output": "out", "data": str(tmp_path)},
            "cohort": {"sheet": {"path": "samples.tsv"}, "matrices": [matrix]},
            "contrasts": [contrast],
            "known_targets": {"sources": [source]},
        }
    )
    assert input_names(config) == {"known.txt"}
