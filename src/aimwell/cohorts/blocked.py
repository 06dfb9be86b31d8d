"""Fit a contrast whose samples err together in blocks, such as several samples of a subject.

Generalised least squares with one correlation for all genes and blocks, after Smyth, Michaud and
Scott (2005), Bioinformatics 21:2067.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import LinearFit
from aimwell.cohorts.formulas import block_correlation_of, observed_patterns
from aimwell.cohorts.pictures import refuse_pictures

_RANK: Final = 1e-8
_CHUNK: Final = 512


@dataclass(frozen=True)
class BlockedFit:
    """A fit with random blocks.

    Attributes:
        fit: As of ``fit_linear``; ``residuals`` are those after the common error was taken out.
        correlation: Of two samples of one block beyond the model.
    """

    fit: LinearFit
    correlation: float


def fit_blocked(
    values: pd.DataFrame, design: Design, weights: pd.DataFrame | None = None
) -> BlockedFit:
    """Fit the model of ``design`` to every gene, samples of a block correlated.

    The correlation is learnt from the values without their weights.

    Args:
        values: Samples × genes, log2 scale, NaN is missing.
        design: With ``block``.
        weights: Inverse variances of ``values`` up to a factor per gene, same shape.

    Raises:
        DesignError: Every block has a single sample, or no gene has samples enough.
    """
    refuse_pictures(values)
    table = values.loc[design.samples].sort_index(axis=1)
    y, x = table.to_numpy(float), design.matrix.to_numpy(float)
    codes = np.array(design.block)
    within = np.asarray(codes[:, None] == codes[None, :], float)
    rho = block_correlation_of(y, x, within)
    shared = (1 - rho) * np.eye(len(y)) + rho * within
    root = np.ones_like(y)
    if weights is not None:
        root = np.sqrt(weights.loc[design.samples, table.columns].to_numpy(float))
    n, g = y.shape
    seen = ~np.isnan(y)
    effect, unscaled, variance, mean = (np.full(g, np.nan) for _ in range(4))
    influence, residuals = np.zeros((n, g)), np.zeros((n, g))
    fitted, df = np.full((n, g), np.nan), np.zeros(g)
    vector = np.array(design.vector)
    for rows, genes in observed_patterns(seen):
        if not len(rows):
            continue
        mean[genes] = y[np.ix_(rows, genes)].mean(axis=0)
        inverse = np.linalg.inv(np.linalg.cholesky(shared[np.ix_(rows, rows)]))
        for first in range(0, len(genes), _CHUNK):
            at = genes[first : first + _CHUNK]
            cells = np.ix_(rows, at)
            r = root[cells]
            model = np.einsum("ij,jg,jp->gip", inverse, r, x[rows])  # (genes, samples, columns)
            target = inverse @ (r * y[cells])
            u, s, vt = np.linalg.svd(model, full_matrices=False)
            solid = s > _RANK * s[:, :1]
            upside = np.where(solid, 1 / np.where(solid, s, 1.0), 0.0)
            lost = vector - np.einsum("gkp,gk,gkq,q->gp", vt, solid.astype(float), vt, vector)
            able = np.linalg.norm(lost, axis=1) < _RANK
            # the effect as a sum over whitened values, then over the values themselves
            part = np.einsum("p,gkp,gk,gik->ig", vector, vt, upside, u)
            terms = np.einsum("gkp,gk,gik,ig->gp", vt, upside, u, target)
            rest = target - np.einsum("gip,gp->ig", model, terms)
            effect[at] = np.where(able, terms @ vector, np.nan)
            unscaled[at] = np.where(able, np.linalg.norm(part, axis=0), np.nan)
            influence[cells] = np.where(able, inverse.T @ part, 0.0)
            residuals[cells] = rest
            fitted[cells] = x[rows] @ terms.T
            df[at] = len(rows) - solid.sum(axis=1)
            square = np.sum(rest**2, axis=0)
            variance[at] = np.where(df[at] > 0, square / np.maximum(df[at], 1), np.nan)
    fit = LinearFit(
        genes=table.columns,
        effect=effect,
        unscaled_sd=unscaled,
        variance=variance,
        df=df,
        influence=influence,
        residuals=residuals,
        fitted=fitted,
        observed=seen,
        mean_abundance=mean,
    )
    return BlockedFit(fit, rho)
