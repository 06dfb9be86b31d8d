"""Is ``targets.tsv`` the same to the byte: over reruns, processes, and shuffled inputs?"""

import dataclasses
import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from aimwell.bench.bars import Bar, bar
from aimwell.config import RunConfig
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.demo import demo_config
from aimwell.pipeline.run import run
from aimwell.simulate import simulate_cohort, write_simulation

MATRICES = ("rna_counts.tsv", "protein_log2_ratio.tsv")


def same_bytes(name: str) -> Iterator[Bar]:
    """Compare the ranked tables of the demonstration, run four ways."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        graph = read_starter_graph()
        write_simulation(simulate_cohort(graph, seed=1), folder / "data", graph.symbols)
        config = demo_config(folder / "data", folder / "first", seed=1, jobs=2)
        first = _targets(config, folder / "first", jobs=2)
        yield _same(f"{name}: rerun in another folder", first, config, folder / "again", jobs=2)
        yield _same(f"{name}: one process instead of two", first, config, folder / "one", jobs=1)
        shuffled = folder / "shuffled"
        for file in (folder / "data").iterdir():
            shuffle_table(file, shuffled / file.name, columns=file.name in MATRICES)
        moved = dataclasses.replace(config, run=dataclasses.replace(config.run, data=str(shuffled)))
        yield _same(f"{name}: shuffled rows and columns", first, moved, folder / "mixed", jobs=2)


def shuffle_table(source: Path, target: Path, *, columns: bool) -> None:
    """Copy a tab-separated table with its rows, and its columns if asked, in another order.

    The first line stays first, whether it is a header or not, and so do comment lines above it that
    begin with ``!`` or ``#``.
    """
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="latin-1", newline="") as stream:
        lines = stream.read().splitlines()
    rng = np.random.default_rng(7)
    top = next((i for i, line in enumerate(lines) if not line.startswith(("!", "#"))), 0)
    head = top + 1
    rows = [line.split("\t") for line in lines[top:]] if columns else None
    if rows is not None:
        order = [0, *(1 + rng.permutation(len(rows[0]) - 1))]
        lines = lines[:top] + ["\t".join(row[i] for i in order) for row in rows]
    body = [lines[head + i] for i in rng.permutation(len(lines) - head)]
    target.parent.mkdir(parents=True, exist_ok=True)
    written = gzip.open if target.suffix == ".gz" else open
    with written(target, "wt", encoding="latin-1", newline="") as stream:
        stream.write("\n".join([*lines[:head], *body]) + "\n")


def _targets(config: RunConfig, output: Path, *, jobs: int) -> bytes:
    settings = dataclasses.replace(config.run, output=str(output), jobs=jobs)
    return (run(dataclasses.replace(config, run=settings)).folder / "targets.tsv").read_bytes()


def _same(name: str, first: bytes, config: RunConfig, output: Path, *, jobs: int) -> Bar:
    same = _targets(config, output, jobs=jobs) == first
    return bar(f"repeat: {name}: targets.tsv byte-identical", float(same), "", "== 1")
