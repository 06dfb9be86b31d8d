"""Two tracks side by side: with and without features that count how well a gene is studied.

On the field's benchmark such counts alone score as high as published networks, and they lower the
rank of targets that nobody listed. So a network is measured without them (*lean*, what a run
ranks by) and with them (*full*): a large difference says how far the known targets are known for
being studied.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from aimwell.models.baselines import neighbour_labels, regression, study_intensity
from aimwell.models.member import Member
from aimwell.models.ranking import NETWORK, measure, rank_genes
from aimwell.models.task import Block, TargetTask, standardise

LEAN: Final = "lean"
FULL: Final = "full"
COUNTS: Final = "counts alone"
STUDY: Final = "study intensity"
REGRESSION: Final = "regression: evidence, degree, neighbour labels"


def full_track(task: TargetTask) -> TargetTask:
    """Add how often every gene is in each relation, as a block of features before the degree.

    Example:
        >>> from aimwell.bench.training import synthetic_task
        >>> [b.name for b in full_track(synthetic_task(2000)).blocks]
        ['study intensity', 'x']
    """
    counts = standardise(study_intensity(task))
    # as much weight for the block as for one number, as for other tables of features
    scaled = counts / np.float32(np.sqrt(max(counts.shape[1], 1)))
    block = Block(STUDY, "features", tuple(task.wiring.channels), scaled)
    return replace(task, blocks=(*task.blocks[:-1], block, task.blocks[-1]))


def track_table(
    task: TargetTask,
    members: Mapping[str, Sequence[Member]],
    rungs: pd.DataFrame,
) -> pd.DataFrame:
    """Measure network and regression in both tracks, and the counts alone.

    Args:
        task: Of the lean track.
        members: Track → networks, one or more a fold.
        rungs: The ladder of the run.

    Returns:
        One row per track and scorer, with the columns of ``measure``.
    """
    known = pd.Series(task.labels.astype(bool), task.genes)[~task.withheld & task.reported]
    rows = []
    for track, fitted in members.items():
        found = rank_genes(task, fitted, rungs).metrics.loc[NETWORK]
        rows.append({"track": track, "scorer": NETWORK, **found.to_dict()})
    scores = {
        (LEAN, REGRESSION): rungs[REGRESSION],
        (FULL, REGRESSION): pd.Series(_regression(task), task.genes),
        (COUNTS, STUDY): rungs[STUDY],
    }
    for (track, scorer), values in scores.items():
        found = measure(values.to_frame("s"), known).loc["s"]
        rows.append({"track": track, "scorer": scorer, **found.to_dict()})
    return pd.DataFrame(rows)


def _regression(task: TargetTask) -> np.ndarray:
    """The regression of the ladder, with the counts."""
    own = np.hstack([b.values for b in task.blocks] + [study_intensity(task)])
    scores = np.zeros(len(task.genes))
    for fold in np.unique(task.folds):
        test = task.folds == fold
        labels = np.where(test, 0, task.labels)
        both = np.hstack([own, neighbour_labels(task, labels)])
        scores[test] = regression(both, labels, ~test & ~task.withheld)[test]
    return scores
