"""The colon cohort up to its networks, for the benchmarks that explain it."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from aimwell.bench.coad import EXAMPLE
from aimwell.cohorts.evidence import Evidence
from aimwell.config import read_config
from aimwell.models.member import Member
from aimwell.models.task import TargetTask
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.keys import keys_of
from aimwell.pipeline.progress import Silent
from aimwell.pipeline.run import STAGES
from aimwell.pipeline.stages import Stages


@dataclass(frozen=True)
class Colon:
    """Task, evidence and networks of the colon cohort."""

    task: TargetTask
    evidence: Evidence
    members: tuple[Member, ...]

    def best(self, number: int) -> pd.Index:
        """Ids of the genes with the highest scores out of fold, best first."""
        genes = self.task.genes
        scores = np.zeros(len(genes))
        for fold in sorted({m.unit.fold for m in self.members}):
            mine = [m.scores for m in self.members if m.unit.fold == fold]
            at = self.task.folds == fold
            scores[at] = np.mean(mine, axis=0)[at]
        order = np.argsort(-scores, kind="stable")
        return genes[order[:number]]


def fit_colon(data: str, folder: Path, *, seed: int | None = None) -> Colon:
    """Read the colon cohort and fit its ensemble; another seed gives an independent ensemble.

    The folds stay those of the example's seed, so that both ensembles hide the same labels.

    Args:
        data: Folder of the public files.
        folder: What is made is kept there.
        seed: Of the networks; the example's if not given.
    """
    config = read_config(EXAMPLE, data=data)
    config = dataclasses.replace(
        config,
        run=dataclasses.replace(config.run, output=str(folder)),
        explain=dataclasses.replace(config.explain, top=0),
    )
    stages = Stages(config, keys_of(config), StageCache(folder / STAGES), Silent())
    stages.read()
    stages.keep()
    if seed is not None:
        config = dataclasses.replace(config, run=dataclasses.replace(config.run, seed=seed))
        keys = dataclasses.replace(stages.keys, task=f"{stages.keys.task}-{seed}")
        stages.config, stages.keys = config, keys
    stages.fit()
    return Colon(stages.task, stages.evidence, tuple(stages.members))


def by_fold(task: TargetTask, genes: pd.Index, size: int) -> Sequence[pd.Index]:
    """Share genes out in blocks of one fold."""
    folds = task.folds[task.positions(genes)]
    parts = [genes[folds == f] for f in np.unique(folds)]
    return [p[i : i + size] for p in parts for i in range(0, len(p), size)]
