"""The recipe for discovery: what it may see, and that it finds what carries no label."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from aimwell.knowledge.task_tables import TaskTables
from aimwell.models.discovery import DISCOVERY, score_discovery
from aimwell.models.table_task import build_table_task


@pytest.fixture(scope="module")
def task():
    """Sixty targets of which twenty carry no label; a feature and the edges tell them."""
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
    return build_table_task(tables, 0)


def test_targets_without_a_label_are_found(task):
    scores = score_discovery({"full": task, "lean": task}, seeds=1)
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
    one, two = (score_discovery({"full": t, "lean": t}, seeds=1)[0] for t in (task, other))
    assert np.allclose(one.to_numpy(), two.to_numpy(), atol=1e-6)
