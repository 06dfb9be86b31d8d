"""The recipe for discovery: what it may see, and that it finds what carries no label."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.errors import TaskError
from aimwell.knowledge.task_tables import TaskTables
from aimwell.models.discovery import DISCOVERY, TRACKS, score_discovery
from aimwell.models.table_task import NAMING, Further, build_table_task
from aimwell.models.task import TargetTask


@pytest.fixture(scope="module")
def task():
    """Sixty targets of which twenty carry no label; a feature and the edges tell them.

    Those that carry a label were named early, which says nothing of the other twenty.
    """
    rng = np.random.default_rng(7)
    names = pd.Index([f"G{i:03d}" for i in range(240)])
    target = np.arange(240) < 60
    labels = np.where(np.arange(240) < 40, 1, np.where(np.arange(240) >= 180, 0, -1))
    values = pd.DataFrame({"X: A": rng.normal(size=240) + 1.5 * target}, index=names)
    pairs = {(int(a), int(b)) for a in range(60) for b in rng.integers(0, 60, 4) if a < b}
    pairs |= {(int(a), int(b)) for a in range(240) for b in rng.integers(0, 240, 3) if a < b}
    edges = pd.DataFrame([(names[a], names[b], 1.0) for a, b in sorted(pairs)])
    folds = pd.DataFrame({"test_fold_rep0": np.where(labels >= 0, np.arange(240) % 2, -1)}, names)
    tables = TaskTables(
        edges=edges.set_axis(["a", "b", "weight"], axis=1),
        features=values,
        labels=pd.Series(labels, names),
        folds=folds,
        sources=(),
        steps=(),
    )
    named = pd.DataFrame({"year": 2000.0 - 10 * (labels == 1) + rng.normal(size=240)}, names)
    task = build_table_task(tables, 0, full=True, further=Further(named=named))
    assert [b.name for b in task.blocks] == ["X", NAMING, "graph"]
    return task


def scored(task: TargetTask) -> dict[int, pd.DataFrame]:
    return score_discovery(dict.fromkeys(TRACKS, task), seeds=1)


def test_targets_without_a_label_are_found(task):
    scores = scored(task)
    free = np.asarray(task.folds < 0)
    for table in scores.values():
        ranked = table.loc[free, DISCOVERY].rank(pct=True)
        assert ranked.iloc[:20].mean() > 0.75
        assert abs(table.loc[free].drop(columns=DISCOVERY).mean()).max() < 1e-9


def test_no_score_of_a_fold_depends_on_the_labels_in_it(task):
    held = np.flatnonzero(task.folds == 0)
    labels, negatives = task.labels.copy(), task.negatives.copy()
    labels[held], negatives[held] = 1 - labels[held], ~negatives[held]
    other = replace(task, labels=labels, negatives=negatives)
    one, two = (scored(t)[0] for t in (task, other))
    assert np.allclose(one.to_numpy(), two.to_numpy(), atol=1e-6)


def test_when_a_gene_was_named_is_learned_and_then_taken_out(task):
    """All 240 genes are scored as if named in one year: the block at prediction says nothing."""
    from aimwell.models.discovery import _Track

    track = _Track.of(task)
    naming = [b.name for b in task.blocks].index(NAMING)
    assert np.ptp(task.blocks[naming].values) > 1
    assert not track.without.blocks[naming].values.any()
    assert not np.allclose(track.layer.arrived, track.layer_without.arrived)
    free = np.flatnonzero(task.folds < 0)
    early = scored(task)[0][DISCOVERY].to_numpy()[free]
    year = task.blocks[naming].values[free, 0]
    hidden = np.arange(len(free)) >= 20  # genes that are no targets
    assert abs(np.corrcoef(early[hidden], year[hidden])[0, 1]) < 0.3


def test_a_track_that_is_missing_is_named(task):
    with pytest.raises(TaskError, match="every"):
        score_discovery({"lean": task, "full": task}, seeds=1)
