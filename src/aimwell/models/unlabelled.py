"""Learn from positives and unlabelled examples: the risk, and the share of hidden positives.

Sources: Kiryo et al. 2017 (non-negative risk); Garg et al. 2021 (best bin estimation).
"""

import numpy as np
import torch
from torch import Tensor, nn


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
