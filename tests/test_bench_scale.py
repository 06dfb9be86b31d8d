"""The parts of the benchmark of scale that take seconds."""

from dataclasses import replace
from pathlib import Path

from aimwell.bench.scale import _fits
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.demo import demo_config
from aimwell.pipeline.keys import keys_of
from aimwell.pipeline.progress import Silent
from aimwell.pipeline.stages import Stages
from aimwell.pipeline.workers import share_task
from aimwell.simulate import simulate_cohort, write_simulation


def test_fits_are_compared_by_the_bytes_of_their_members(tmp_path: Path) -> None:
    graph = read_starter_graph()
    write_simulation(simulate_cohort(graph, seed=1), tmp_path / "cohort", graph.symbols)
    config = demo_config(tmp_path / "cohort", tmp_path / "run", seed=1, jobs=1)
    config = replace(config, model=replace(config.model, epochs=1, seeds=1, folds=3))
    stages = Stages(config, keys_of(config), StageCache(tmp_path / "stages"), Silent())
    stages.read()
    stages.keep()
    shared = share_task(stages.cache, "scale", stages.task, stages.evidence)
    one = _fits(shared, tmp_path / "one", config, 1, "local")
    assert sorted(one) == ["fold0-repeat0", "fold1-repeat0", "fold2-repeat0"]
    assert _fits(shared, tmp_path / "again", config, 1, "local") == one
    other = replace(config, run=replace(config.run, seed=config.run.seed + 1))
    assert _fits(shared, tmp_path / "other", other, 1, "local") != one
