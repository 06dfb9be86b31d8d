"""Shrink effects of any layer on one scale: adaptive shrinkage after Stephens (2017).

Biostatistics 18:275. The prior is a mixture of normals around zero, learnt from all genes.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import special

#: Dirichlet weight of the component at zero, which makes the share of null genes conservative.
NULL_WEIGHT: Final = 10.0
_MAX_ROUNDS: Final = 5000
_TOLERANCE: Final = 1e-7


@dataclass(frozen=True)
class Shrunken:
    """Posterior of every effect.

    Attributes:
        effect: Posterior mean, shape ``(n,)``; NaN where the input is NaN.
        effect_se: Posterior standard deviation, shape ``(n,)``.
        lfsr: Local false sign rate: chance that the sign of the effect is wrong, shape ``(n,)``.
        prior_sd: Standard deviations of the prior components, the first is 0.
        prior_weight: Their shares, adding up to 1.
    """

    effect: np.ndarray
    effect_se: np.ndarray
    lfsr: np.ndarray
    prior_sd: np.ndarray
    prior_weight: np.ndarray


def shrink_effects(effect: np.ndarray, se: np.ndarray) -> Shrunken:
    """Shrink effects towards zero by as much as their own distribution suggests.

    Args:
        effect: Estimates, shape ``(n,)``; NaN is missing.
        se: Their standard errors, positive, shape ``(n,)``.

    Example:
        >>> one = shrink_effects(np.array([5.0, 0.1, -0.1, 0.0]), np.full(4, 0.5))
        >>> bool(one.lfsr[0] < 0.001), bool(one.lfsr[1] > 0.4), bool(0 < one.effect[0] < 5)
        (True, True, True)
    """
    known = np.isfinite(effect) & np.isfinite(se) & (se > 0)
    posterior_mean, posterior_sd, lfsr = (np.full(len(effect), np.nan) for _ in range(3))
    if not known.any():
        return Shrunken(posterior_mean, posterior_sd, lfsr, np.zeros(1), np.ones(1))
    b, s = effect[known], se[known]
    prior_sd = _grid(b, s)
    log_density = _log_density(b, s, prior_sd)
    weight = _fit_weights(np.exp(log_density - log_density.max(axis=1, keepdims=True)))

    with np.errstate(divide="ignore"):
        share = special.softmax(log_density + np.log(weight), axis=1)
    shrink = prior_sd**2 / (prior_sd**2 + s[:, None] ** 2)
    mean, sd = shrink * b[:, None], np.sqrt(shrink) * s[:, None]
    posterior_mean[known] = (share * mean).sum(axis=1)
    centred = mean - posterior_mean[known][:, None]
    posterior_sd[known] = np.sqrt((share * (centred**2 + sd**2)).sum(axis=1))
    below = special.ndtr(-mean[:, 1:] / sd[:, 1:])
    above = special.ndtr(mean[:, 1:] / sd[:, 1:])
    wrong = np.minimum((share[:, 1:] * below).sum(axis=1), (share[:, 1:] * above).sum(axis=1))
    lfsr[known] = np.clip(share[:, 0] + wrong, 0.0, 1.0)
    return Shrunken(posterior_mean, posterior_sd, lfsr, prior_sd, weight)


def _grid(b: np.ndarray, s: np.ndarray) -> np.ndarray:
    smallest = float(s.min()) / 10
    excess = float(np.max(b**2 - s**2))
    largest = 2 * np.sqrt(excess) if excess > 0 else 8 * smallest
    steps = int(np.ceil(np.log2(max(largest / smallest, 2.0)) * 2))
    return np.concatenate([[0.0], largest * 2.0 ** (-np.arange(steps, -1, -1) / 2)])


def _log_density(b: np.ndarray, s: np.ndarray, prior_sd: np.ndarray) -> np.ndarray:
    variance = s[:, None] ** 2 + prior_sd**2
    return np.asarray(-0.5 * (b[:, None] ** 2 / variance + np.log(2 * np.pi * variance)))


def _fit_weights(density: np.ndarray) -> np.ndarray:
    """Maximise the penalised likelihood by expectation and maximisation; it is concave."""
    k = density.shape[1]
    weight = np.full(k, 1.0 / k)
    pseudo = np.zeros(k)
    pseudo[0] = NULL_WEIGHT - 1
    previous = -np.inf
    for _ in range(_MAX_ROUNDS):
        total = density @ weight
        counts = weight * (density.T @ (1 / total)) + pseudo
        weight = counts / counts.sum()
        value = float(np.log(total).sum() + pseudo[0] * np.log(max(weight[0], 1e-300)))
        if value - previous < _TOLERANCE * len(density):
            break
        previous = value
    return weight
