"""Bars of the viewer: how long a browser waits for any gene of a run, alone and among others."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final
from wsgiref.util import setup_testing_defaults

import numpy as np

from aimwell.bench.bars import Bar, bar
from aimwell.pipeline.explorer import Explorer
from aimwell.pipeline.viewer import Viewer

GENES: Final = 100
USERS: Final = 10


def viewer_bars(folder: Path, genes: int = GENES) -> Iterator[Bar]:
    """Ask the viewer of a run for genes drawn at random, none twice.

    Args:
        folder: A finished run.
        genes: How many; as many again are shared among ten users at once.
    """
    begun = time.perf_counter()
    explorer = Explorer(folder)
    viewer = Viewer([explorer])
    yield bar("viewer: reading the run", time.perf_counter() - begun, "s")
    names = np.random.default_rng(0).permutation(explorer.symbols.index.astype(str))
    alone, together = names[:genes], names[genes : 2 * genes]
    # the first gene of every fold makes what the others share
    waits = [_ask(viewer, f"gene={gene}")[1] for gene in alone]
    yield bar("viewer: slowest first question of a fold", max(waits), "ms")
    later = waits[len(waits) // 4 :]
    yield bar("viewer: any gene, median", float(np.median(later)), "ms", "<= 300")
    yield bar("viewer: any gene, slowest of the last three quarters", max(later), "ms", "<= 300")
    off = explorer.switches()[0]["key"]
    changed = [_ask(viewer, f"gene={gene}&off={off}")[1] for gene in alone[: max(genes // 5, 1)]]
    yield bar("viewer: one layer off, median", float(np.median(changed)), "ms")
    tested = [_ask(viewer, f"gene={gene}&test=1")[1] for gene in alone[: max(genes // 10, 1)]]
    yield bar("viewer: with the test of the explanation, median", float(np.median(tested)), "ms")
    with ThreadPoolExecutor(USERS) as pool:
        answers = list(pool.map(lambda gene: _ask(viewer, f"gene={gene}"), together))
    failed = sum(status != 200 for status, _ in answers)
    yield bar("viewer: ten users at once, answers that failed", failed, "", "== 0")
    slowest = max(wait for _, wait in answers)
    yield bar("viewer: ten users at once, slowest answer", slowest, "ms")


def _ask(viewer: Viewer, query: str) -> tuple[int, float]:
    """Status of an answer, and how long it took in milliseconds."""
    environ: dict[str, Any] = {"PATH_INFO": "/api/explain", "QUERY_STRING": query}
    setup_testing_defaults(environ)
    told: list[str] = []
    begun = time.perf_counter()
    b"".join(viewer(environ, lambda status, _: told.append(status)))
    return int(told[0][:3]), 1000 * (time.perf_counter() - begun)
