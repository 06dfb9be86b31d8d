"""Bars of speed, memory, and of the same evidence whatever the order and the surroundings."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.bench.bars import Bar, bar
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.counts import voom
from aimwell.cohorts.design import build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.reading import read_cohort
from aimwell.config import ContrastSettings, read_config
from aimwell.errors import AimwellError
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.demo import demo_config
from aimwell.simulate import simulate_cohort

EXAMPLE: Final = Path(__file__).parents[3] / "examples" / "coad" / "coad.toml"
GENES, SAMPLES = 20_000, 500
_THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def speed_bars(data: str) -> Iterator[Bar]:
    """Time voom and moderation on one core, and all layers of the colon cohort with ``data``."""
    seconds, cpu, gigabytes = map(float, _child("time_voom", one_core=True).split())
    name = f"speed: voom and eBayes, {GENES:,} genes × {SAMPLES} samples, one core"
    yield bar(f"{name}: wall", seconds, "s", "<= 20")
    yield bar(f"{name}: processor time", cpu, "s")
    yield bar(f"{name}: peak memory, data included", gigabytes, "GB", "< 2")
    if not data:
        return
    config = read_config(EXAMPLE, data=data)
    table = IdentifierTable.from_hgnc(read_hgnc(config.path(config.identifiers.hgnc)))
    cohort = read_cohort(config, table)
    begun, used = time.monotonic(), time.process_time()
    harmonise(cohort, config.contrasts)
    yield bar("speed: CPTAC colon, all layers: wall", time.monotonic() - begun, "s", "<= 30")
    yield bar("speed: the same, processor time", time.process_time() - used, "s")


def time_voom() -> None:
    """Print wall seconds, processor seconds and the peak memory in GB of one large test."""
    rng = np.random.default_rng(0)
    ids = [f"s{i:03d}" for i in range(SAMPLES)]
    mean = np.exp(rng.normal(5, 1.5, GENES)) * rng.uniform(0.5, 2, (SAMPLES, 1))
    counts = rng.negative_binomial(5, 5 / (5 + mean)).astype(float)
    del mean
    table = pd.DataFrame(counts, ids, [f"HGNC:{i:05d}" for i in range(GENES)])
    sheet = pd.DataFrame({"subject": ids, "arm": list("xy") * (SAMPLES // 2)}, index=ids)
    sheet["batch"] = rng.choice(list("abc"), SAMPLES)
    design = build_design(sheet, ids, ContrastSettings("c", "rna", "arm", "x", "y", batch="batch"))
    begun, used = time.monotonic(), time.process_time()
    ready = voom(table, design)
    fit_contrast(ready.values, design, ready.weights)
    wall, cpu = time.monotonic() - begun, time.process_time() - used
    print(wall, cpu, _peak())


def _peak() -> float:
    status = Path("/proc/self/status")
    if not status.is_file():
        return float("nan")
    lines = dict(line.split(":", 1) for line in status.read_text().splitlines() if ":" in line)
    return int(lines["VmHWM"].split()[0]) / 2**20


def repeat_bars() -> Iterator[Bar]:
    """Make the evidence of one cohort in other orders and surroundings, each in its own process."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        here = ("0", "1", "C.UTF-8", folder)
        variants = {
            "other order of samples and genes": ("1", "1", "C.UTF-8", folder),
            "two threads": ("0", "2", "C.UTF-8", folder),
            "another locale": ("0", "1", "tr_TR.UTF-8", folder),
            "another working folder": ("0", "1", "C.UTF-8", Path(folder.anchor)),
        }
        first = _evidence(folder / "first.parquet", *here)
        for name, surroundings in variants.items():
            other = _evidence(folder / "other.parquet", *surroundings)
            gap = _relative_gap(first, other)
            yield bar(f"repeat, evidence, {name}: largest relative difference", gap, "", "<= 1e-8")


def _evidence(path: Path, seed: str, threads: str, locale: str, cwd: Path) -> pd.DataFrame:
    _child("write_evidence", str(path), seed, threads=threads, locale=locale, cwd=cwd)
    return pd.read_parquet(path)


def _relative_gap(one: pd.DataFrame, other: pd.DataFrame) -> float:
    if not (one.index.equals(other.index) and one.columns.equals(other.columns)):
        return float("inf")
    a, b = (t.select_dtypes("number").to_numpy(float) for t in (one, other))
    if not np.array_equal(np.isnan(a), np.isnan(b)):
        return float("inf")
    text = one.select_dtypes(exclude="number").equals(other.select_dtypes(exclude="number"))
    size = np.maximum(np.maximum(np.abs(a), np.abs(b)), 1e-300)
    return float(np.nanmax(np.abs(a - b) / size)) if text else float("inf")


def write_evidence(path: str, seed: str) -> None:
    """Write the evidence of the demonstration, its tables shuffled unless ``seed`` is 0."""
    simulated = simulate_cohort(read_starter_graph(), seed=1)
    rna, protein, samples = simulated.rna, simulated.protein, simulated.samples
    if seed != "0":
        rng = np.random.default_rng(int(seed))
        rna, protein = (
            t.iloc[rng.permutation(t.shape[0]), rng.permutation(t.shape[1])] for t in (rna, protein)
        )
        samples = samples.iloc[rng.permutation(len(samples))]
    layers = {
        "rna": Layer("rna", "rna", "counts", rna),
        "protein": Layer("protein", "protein", "log2_ratio", protein),
    }
    config = demo_config(Path(), Path("runs/demo"), seed=1, jobs=1)
    evidence = harmonise(Cohort(layers, samples), config.contrasts)[0]
    blocks = [b.add_prefix(f"{n}_") for n, b in sorted(evidence.blocks.items())]
    pd.concat([*blocks, evidence.across], axis=1).to_parquet(path)


def _child(
    function: str,
    *arguments: str,
    one_core: bool = False,
    threads: str = "1",
    locale: str = "C.UTF-8",
    cwd: Path | None = None,
) -> str:
    """Call a function of this module in a process of its own and give what it printed."""
    script = (
        "import os, sys\n"
        f"if {one_core} and hasattr(os, 'sched_setaffinity'):\n"
        "    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:1])\n"
        f"from aimwell.bench.harmonise_speed import {function}\n"
        f"{function}(*sys.argv[1:])\n"
    )
    places = [str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")]
    surroundings = {
        **os.environ,
        **dict.fromkeys(_THREADS, threads),
        "LC_ALL": locale,
        "PYTHONPATH": os.pathsep.join(p for p in places if p),
    }
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        check=False,
        env=surroundings,
        cwd=cwd,
    )
    if done.returncode:
        raise AimwellError(f"measuring '{function}' failed: {done.stderr.strip()[-300:]}")
    return done.stdout
