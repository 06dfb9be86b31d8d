"""One run folder belongs to one run, also where two of them begin before it is there."""

from pathlib import Path

import pytest
from filelock import FileLock

from aimwell.config import config_from
from aimwell.errors import RunError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline import Silent, run
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation


class Overtaken(Silent):
    """While one run reads, another makes the folder and holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = FileLock(folder / ".lock")

    def start(self, what: str, total: int = 0) -> None:
        if what == "evidence":
            assert not self.folder.exists()
            self.folder.mkdir()
            self.lock.acquire()


def test_a_run_that_was_overtaken_while_it_read_is_refused(tmp_path: Path) -> None:
    graph, folder = read_starter_graph(), tmp_path / "out"
    cohort = simulate_cohort(graph, SimulationSettings(subjects=4), seed=5)
    write_simulation(cohort, tmp_path / "data", graph.symbols)
    matrix = {"path": "rna_counts.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}
    contrast = {"name": "rna", "layer": "rna", "condition": "condition"}
    config = config_from(
        {
            "run": {"title": "two", "output": str(folder), "data": str(tmp_path / "data")},
            "cohort": {
                "matrices": [{**matrix, "subject_pattern": "^(.*)_"}],
                "sheet": {"path": "samples.tsv"},
            },
            "contrasts": [{**contrast, "case": "case", "control": "control"}],
            "known_targets": {"sources": [{"reader": "genes", "path": "known_targets.txt"}]},
            "model": {"folds": 3},
        }
    )
    other = Overtaken(folder)
    try:
        with pytest.raises(RunError, match="another run is working"):
            run(config, progress=other)
    finally:
        other.lock.release()
    assert [p.name for p in folder.iterdir() if p.name != ".lock"] == []
