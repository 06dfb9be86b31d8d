"""Learn from positives and unlabelled examples: the risk, and the share of hidden positives.

Sources: Kiryo et al. 2017 (non-negative risk); Garg et al. 2021 (best bin estimation).
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from aimwell.models.task import TargetTask


def unlabelled_risk(known: Tensor, unlabelled: Tensor, prior: float) -> Tensor:
    """Non-negative risk of positives and unlabelled examples, from their log-odds.

    Args:
        known: Log-odds of known positives.
        unlabelled: Log-odds of unlabelled examples.
        prior: Share of positives among the unlabelled, in (0, 1).

    Example:
        >>> risk = unlabelled_risk(torch.tensor([0.0]), torch.tensor([0.0]), 0.5)
        >>> round(float(risk), 4)
        0.6931
    """
    softplus = nn.functional.softplus
    if not len(known):
        return softplus(unlabelled).mean()
    positive = prior * softplus(-known).mean()
    negative = softplus(unlabelled).mean() - prior * softplus(known).mean()
    return positive + torch.clamp(negative, min=0.0)


def ranking_risk(known: Tensor, unlabelled: Tensor) -> Tensor:
    """Logistic loss over all pairs of a known positive and an unlabelled example.

    Example:
        >>> round(float(ranking_risk(torch.tensor([1.0]), torch.tensor([1.0, 1.0]))), 4)
        0.6931
    """
    pairs: Tensor = nn.functional.softplus(unlabelled[None, :] - known[:, None]).mean()
    return pairs


def task_prior(
    task: "TargetTask", labels: np.ndarray, training: np.ndarray, fold: int, parts: int = 3
) -> float:
    """Estimate the share of hidden targets among the unlabelled training genes of a task.

    Every training gene is scored by a regression on the evidence, the degree and the known targets
    around it that was fitted without its part of the families.

    Args:
        task: Features, edges and families.
        labels: 1 for the known targets that may be seen, shape ``(n,)``.
        training: True for genes that may be used, shape ``(n,)``.
        fold: The held-out fold; it seeds the parts.
        parts: Number of inner parts.

    Returns:
        In (0, 1); at least the share that the known targets themselves have.
    """
    from aimwell.models.baselines import neighbour_labels, regression
    from aimwell.models.folds import family_folds

    share = float(labels.sum() / max(training.sum(), 1))
    known = task.genes[labels == 1]
    parts = min(parts, task.families[labels == 1].nunique())
    if parts < 2:
        return share
    part = family_folds(task.families, known, parts, fold)
    own = np.hstack([b.values for b in task.blocks])
    scores = np.zeros(len(labels))
    for number in range(parts):
        test = part == number
        seen = np.where(test, 0, labels)
        columns = np.hstack([own, neighbour_labels(task, seen)])
        scores[test] = regression(columns, seen, training & ~test)[test]
    rest = training & (labels == 0)
    return max(estimate_prior(scores[labels == 1], scores[rest]), share)


def estimate_prior(known: np.ndarray, unlabelled: np.ndarray) -> float:
    """Estimate which share of the unlabelled are positives, from scores that saw neither.

    Above any threshold lie at least the positives among the unlabelled, in the proportion in which
    it keeps the known ones; the threshold that bounds the share most tightly is taken, with room
    for chance in small tails (best bin estimation, Garg et al. 2021).

    Args:
        known: Scores of known targets that took no part in learning the score, shape ``(k,)``.
        unlabelled: Scores of unlabelled genes, shape ``(u,)``.

    Returns:
        In (0, 1).

    Example:
        >>> rng = np.random.default_rng(0)
        >>> rest = np.concatenate([rng.normal(3, 1, 200), rng.normal(0, 1, 800)])
        >>> round(estimate_prior(rng.normal(3, 1, 200), rest), 1)
        0.2
    """
    ordered_known, ordered = np.sort(known), np.sort(unlabelled)
    bound = ordered_known[: max(len(known) - 9, 1)]  # at least ten known targets above, if any
    q_known = 1 - np.searchsorted(ordered_known, bound) / len(known)
    q_rest = 1 - np.searchsorted(ordered, bound) / len(unlabelled)
    slack = np.sqrt(np.log(20) / 2) * (1 / np.sqrt(len(known)) + 1 / np.sqrt(len(unlabelled)))
    best = int(np.argmin((q_rest + slack) / q_known))
    return float(np.clip(q_rest[best] / q_known[best], 1e-3, 1 - 1e-3))
