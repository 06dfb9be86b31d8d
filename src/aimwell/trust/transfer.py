"""Does a ranking hold elsewhere: in another cohort, and for the targets of another disease?"""

from typing import Final

import numpy as np
import pandas as pd

from aimwell.models.accuracy import accuracy, matched_auroc, rank_correlation
from aimwell.models.task import TargetTask
from aimwell.trust.bias import degree_of
from aimwell.trust.check import Check
from aimwell.trust.sanity import FEWEST
from aimwell.trust.stability import rank_biased_overlap, ranks_of, top_overlap

GROUP: Final = "transfer"


def check_other_ranking(
    task: TargetTask, scores: np.ndarray, other: "pd.Series[float]", name: str, k: int
) -> list[Check]:
    """Compare with the ranking of another run, such as that of another cohort or another network.

    Args:
        task: Genes of this run.
        scores: Shape ``(n,)``.
        other: Score of every gene of the other run, by HGNC id.
        name: Of the other run.
        k: Size of the top.
    """
    mine = pd.Series(scores, task.genes)
    shared = mine.index.intersection(other.index)
    if len(shared) < 20:
        said = f"'{name}' shares {len(shared)} genes with this run, and 20 are needed"
        return [Check(f"other_run: {name}", None, meaning=said, group=GROUP)]
    one, two = mine[shared].to_numpy(), other[shared].to_numpy(float)
    first, second = ranks_of(one), ranks_of(two)
    k = min(k, max(len(shared) // 10, 1))
    free = task.labels[task.genes.get_indexer(shared)] == 0
    rho = rank_correlation(one[free], two[free])
    return [
        Check(
            f"other_run_rank_correlation: {name}",
            rho,
            meaning=f"Spearman correlation with '{name}' over {int(free.sum())} genes that are no "
            "known targets here",
            group=GROUP,
        ),
        Check(
            f"other_run_top_overlap: {name}",
            top_overlap(first, second, k),
            meaning=f"share of the first {k} genes that are among the first {k} of '{name}' "
            f"({k / len(shared):.3f} by chance)",
            group=GROUP,
        ),
        Check(
            f"other_run_rank_biased_overlap: {name}",
            rank_biased_overlap(first, second),
            meaning=f"agreement with '{name}' in which early ranks weigh more",
            group=GROUP,
        ),
    ]


def check_other_targets(
    task: TargetTask, scores: np.ndarray, genes: pd.Index, name: str, limit: str = ""
) -> list[Check]:
    """Ask how early targets come that the run did not learn from.

    Args:
        task: Genes and labels.
        scores: Shape ``(n,)``.
        genes: Targets of another disease, or kept out of the run; known ones are not counted.
        name: What they are.
        limit: ``"> 0.5"`` where they should come early; empty where the number only informs.
    """
    # every label of another disease is a fair question to a ranking that never saw it
    free = task.labels == 0
    mine = np.asarray(task.genes.isin(genes)) & free
    if mine.sum() < FEWEST:
        said = f"{name}: {int(mine.sum())} are in the graph and not known here; {FEWEST} are needed"
        return [Check(f"transfer_auroc: {name}", None, limit, None, said, group=GROUP)]
    precision, area = accuracy(mine[free], scores[free])
    matched = matched_auroc(mine[free], scores[free], degree_of(task)[free])
    known = task.labels.astype(bool) & ~task.withheld
    own = accuracy(known[~task.withheld], scores[~task.withheld])[1]
    return [
        Check(
            f"transfer_auroc: {name}",
            area,
            limit,
            bool(area > 0.5) if limit else None,
            f"AUROC of {int(mine.sum())} {name} among genes without a label (known targets of "
            f"this run, out of fold: {own:.3f}); as high means that the ranking knows targets in "
            "general",
            group=GROUP,
        ),
        Check(
            f"transfer_average_precision: {name}",
            precision,
            meaning=f"average precision of the same; {mine.sum() / free.sum():.4f} by chance",
            group=GROUP,
        ),
        Check(
            f"transfer_degree_matched_auroc: {name}",
            matched if np.isfinite(matched) else None,
            meaning="the same AUROC over pairs of the same decile of neighbours",
            group=GROUP,
        ),
    ]
