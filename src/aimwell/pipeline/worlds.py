"""Fit the networks of other worlds in processes of their own and keep what they say."""

import dataclasses
import functools
import json
import warnings
from pathlib import Path

import numpy as np

from aimwell.cohorts.reading import read_cohort
from aimwell.cohorts.ready_tables import read_ready_tables
from aimwell.config import AuditSettings, RunConfig
from aimwell.errors import AimwellError
from aimwell.knowledge.build import identifier_table
from aimwell.knowledge.store import read_graph
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.keys import Keys
from aimwell.pipeline.progress import Silent
from aimwell.pipeline.stages import Stages
from aimwell.pipeline.tables import load_arrays, save_arrays
from aimwell.pipeline.workers import one_thread
from aimwell.trust.variants import Scored, Variant, World, score_variant

STAGE = "audit"


def world_of(stages: Stages, *, measured: bool) -> World:
    """Collect what a run was made of.

    Args:
        stages: After ``read``.
        measured: Read the measurements too, from ``run.data``.
    """
    config = stages.config
    withheld = stages.check.genes if stages.check else None
    cohort = ready = None
    if measured:
        # names are those of the whole graph, as when the run read them
        whole = read_graph(stages.cache.path("graph", stages.keys.graph) / "graph")
        table = identifier_table(config, whole)
        cohort, ready = read_cohort(config, table), read_ready_tables(config, table)
    return World(
        stages.graph,
        stages.measured,
        stages.known,
        withheld,
        config.model.folds,
        config.run.seed,
        cohort,
        ready,
        config.contrasts,
        config.model,
        stages.negatives,
        stages.given_folds,
    )


def score_and_keep(
    config: RunConfig,
    keys: Keys,
    folder: Path,
    variant: Variant,
    key: str,
    settings: AuditSettings,
    measured: bool,
) -> str:
    """Score one world and put it into the cache; give its key.

    A draw in which the contrasts cannot be tested is kept with its reason, so that it is counted.
    """
    with warnings.catch_warnings(), one_thread():
        warnings.simplefilter("ignore")
        world = _world(_Inputs(config, keys, folder, measured))
        try:
            scored = score_variant(world, variant, config.model, settings)
        except AimwellError as error:
            reason = str(error)

            def save_reason(entry: Path) -> None:
                (entry / "failed.json").write_text(json.dumps(reason), encoding="utf-8")

            StageCache(folder).put(STAGE, key, save_reason)
            return key
    arrays = {"scores": scored.scores.astype(np.float32), "labels": scored.labels}
    StageCache(folder).put(STAGE, key, lambda entry: save_arrays(arrays, entry / "scored.parquet"))
    return key


def read_scored(folder: Path, key: str) -> Scored | str:
    """Read what ``score_and_keep`` kept: a ranking, or why there is none."""
    entry = StageCache(folder).path(STAGE, key)
    if (entry / "failed.json").is_file():
        return str(json.loads((entry / "failed.json").read_text(encoding="utf-8")))
    arrays = load_arrays(entry / "scored.parquet")
    return Scored(arrays["scores"].astype(float), arrays["labels"])


@dataclasses.dataclass(frozen=True)
class _Inputs:
    """What a world is read from; equal ones are read once per process."""

    config: RunConfig = dataclasses.field(compare=False)
    keys: Keys = dataclasses.field(compare=False)
    folder: Path
    measured: bool
    whole: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "whole", self.keys.whole)


@functools.lru_cache(maxsize=1)
def _world(inputs: _Inputs) -> World:
    stages = Stages(inputs.config, inputs.keys, StageCache(inputs.folder), Silent())
    stages.read()
    return world_of(stages, measured=inputs.measured)
