"""Models beyond two arms: several groups, numbers, interactions, and random blocks.

Written from Smyth (2004), SAGMB 3:3, for the moderated F, and Smyth, Michaud and Scott (2005),
Bioinformatics 21:2067, for the correlation within blocks.
"""

from collections.abc import Iterator
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from aimwell.cohorts.differential import adjust_p, log_p_of_t
from aimwell.cohorts.moderation import squeeze_variances
from aimwell.cohorts.pictures import refuse_pictures
from aimwell.cohorts.terms import FormulaModel, column_space
from aimwell.errors import AlignmentError, DesignError, some

_RANK: Final = 1e-8
#: Share of genes cut at either end when their correlations within blocks are averaged.
TRIM: Final = 0.15
MODEL_COLUMNS: Final = ("effect", "se", "statistic", "df_tested", "df", "p", "q", "n", "status")


def fit_model(
    values: pd.DataFrame,
    model: FormulaModel,
    *,
    block: "pd.Series[str] | None" = None,
    trend: bool = False,
    robust: bool = False,
) -> pd.DataFrame:
    """Test the chosen columns of a model for every gene, moderated, missing values left missing.

    Args:
        values: Samples × genes, log2 scale.
        model: Model and tested columns.
        block: Block of every sample, such as the subject. Samples of a block are correlated,
            equally in every gene and block, so that subjects without both arms count too.
        trend: Let the prior variance depend on the mean abundance.
        robust: Protect the prior variance from hypervariable genes.

    Returns:
        One row per gene, sorted, with ``MODEL_COLUMNS``. With one tested column ``effect`` (per
        unit of it), ``se`` and ``statistic`` are those of a moderated t; with several ``statistic``
        is a moderated F on ``df_tested`` and ``df``, and there is no single effect. ``status`` is
        ``tested`` or ``not_estimable``.

    Raises:
        AlignmentError: Samples without values or without a block.
    """
    refuse_pictures(values)
    samples = model.matrix.index
    if len(gone := samples.difference(values.index)):
        raise AlignmentError(f"values lack {len(gone)} samples of the model: {some(gone)}")
    table = values.loc[samples].sort_index(axis=1)
    y, x = table.to_numpy(float), model.matrix.to_numpy(float)
    within = None if block is None else _same_block(block, samples)
    shared = np.eye(len(samples))
    if within is not None:
        rho = block_correlation_of(y, x, within)
        shared = (1 - rho) * shared + rho * within
    at = [model.matrix.columns.get_loc(c) for c in model.tested]
    fitted = _fit(y, x, shared, np.array(at, int))
    effect, unscaled, extra, q, variance, df = fitted
    seen = ~np.isnan(y)
    count = seen.sum(axis=0)
    mean = np.where(seen, y, 0.0).sum(axis=0) / np.maximum(count, 1)
    squeezed = squeeze_variances(variance, df, mean if trend else None, robust=robust)
    tested = (q == len(at)) & (df > 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        f = extra / q / squeezed.variance
        single = len(at) == 1
        statistic = effect / (unscaled * np.sqrt(squeezed.variance)) if single else f
        total = squeezed.df
        p = np.exp(log_p_of_t(statistic, total)) if single else stats.f.sf(f, q, total)
    known = {
        "effect": effect if single else np.full(len(q), np.nan),
        "se": unscaled * np.sqrt(squeezed.variance) if single else np.full(len(q), np.nan),
        "statistic": statistic,
        "df_tested": q.astype(float),
        "df": total,
        "p": p,
    }
    result = pd.DataFrame(
        {name: np.where(tested, column, np.nan) for name, column in known.items()},
        index=table.columns,
    )
    result["q"] = adjust_p(result["p"].to_numpy(float))
    result["n"] = count
    result["status"] = np.where(tested, "tested", "not_estimable")
    return result[list(MODEL_COLUMNS)]


def block_correlation(values: pd.DataFrame, model: FormulaModel, block: "pd.Series[str]") -> float:
    """Estimate how far samples of one block go together beyond the model, over all genes."""
    samples = model.matrix.index
    y = values.loc[samples].sort_index(axis=1).to_numpy(float)
    return block_correlation_of(y, model.matrix.to_numpy(float), _same_block(block, samples))


def _same_block(block: "pd.Series[str]", samples: pd.Index) -> np.ndarray:
    names = block.reindex(samples)
    if names.isna().any():
        raise AlignmentError(f"samples without a block: {some(samples[names.isna()])}")
    codes = names.astype(str).to_numpy()
    return np.asarray(codes[:, None] == codes[None, :], float)


def observed_patterns(seen: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Give the observed rows of every pattern of missing values, and the genes that have it."""
    members: dict[bytes, list[int]] = {}
    for gene, column in enumerate(np.ascontiguousarray(seen.T)):
        members.setdefault(column.tobytes(), []).append(gene)
    for genes in members.values():
        yield np.flatnonzero(seen[:, genes[0]]), np.array(genes)


def _fit(
    y: np.ndarray, x: np.ndarray, shared: np.ndarray, tested: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Effect and its unscaled error (one column), extra squares, their df, variance, df."""
    g = y.shape[1]
    effect, unscaled, extra, variance = (np.full(g, np.nan) for _ in range(4))
    q, df = np.zeros(g, int), np.zeros(g)
    rest = np.setdiff1d(np.arange(x.shape[1]), tested)
    for rows, genes in observed_patterns(~np.isnan(y)):
        if not len(rows):
            continue
        root = np.linalg.cholesky(shared[np.ix_(rows, rows)])
        both = np.linalg.solve(root, np.column_stack([x[rows], y[np.ix_(rows, genes)]]))
        z, target = both[:, : x.shape[1]], both[:, x.shape[1] :]
        full, reduced = column_space(z), column_space(z[:, rest])
        left = np.sum((target - full @ (full.T @ target)) ** 2, axis=0)
        more = np.sum((target - reduced @ (reduced.T @ target)) ** 2, axis=0)
        df[genes] = len(rows) - full.shape[1]
        q[genes] = full.shape[1] - reduced.shape[1]
        extra[genes] = np.maximum(more - left, 0.0)
        if df[genes[0]] > 0:
            variance[genes] = left / df[genes[0]]
        if len(tested) == 1 and q[genes[0]] == 1:
            # what is left of the tested column beside the others carries its coefficient
            own = z[:, tested[0]] - reduced @ (reduced.T @ z[:, tested[0]])
            effect[genes] = own @ target / (own @ own)
            unscaled[genes] = 1 / np.sqrt(own @ own)
    return effect, unscaled, extra, q, variance, df


def block_correlation_of(y: np.ndarray, x: np.ndarray, within: np.ndarray) -> float:
    """Average restricted maximum likelihood estimates of all genes on the scale of arctanh."""
    largest = int(within.sum(axis=0).max())
    if largest < 2:
        raise DesignError("every block has a single sample, so nothing goes together; leave it out")
    low, high = 0.01 - 1 / (largest - 1), 0.99
    found: list[np.ndarray] = []
    for rows, genes in observed_patterns(~np.isnan(y)):
        space = column_space(x[rows])
        free = len(rows) - space.shape[1]
        if free < 3:
            continue
        whole, _ = np.linalg.qr(np.column_stack([space, np.eye(len(rows))]))
        q = whole[:, space.shape[1] : len(rows)]
        d, u = np.linalg.eigh(q.T @ within[np.ix_(rows, rows)] @ q)
        if np.ptp(d) < _RANK:
            continue
        found.append(_most_likely((u.T @ q.T @ y[np.ix_(rows, genes)]) ** 2, d, low, high))
    if not found:
        raise DesignError("no gene has samples enough to learn how blocks go together")
    z = np.arctanh(np.concatenate(found))
    return float(np.tanh(stats.trim_mean(z, TRIM)))


def _most_likely(square: np.ndarray, d: np.ndarray, low: float, high: float) -> np.ndarray:
    """Golden section search of every gene at once; ``square`` is directions × genes."""
    m = len(d)

    def misfit(rho: np.ndarray) -> np.ndarray:
        v = 1 - rho + rho * d[:, None]
        v = np.maximum(v, 1e-12)
        return np.asarray(
            np.log(v).sum(axis=0) + m * np.log(np.maximum((square / v).sum(axis=0), 1e-300))
        )

    grid = np.linspace(low, high, 41)
    best = np.argmin([misfit(np.full(square.shape[1], r)) for r in grid], axis=0)
    a, b = grid[np.maximum(best - 1, 0)], grid[np.minimum(best + 1, len(grid) - 1)]
    shrink = (np.sqrt(5) - 1) / 2
    for _ in range(60):
        c, e = b - shrink * (b - a), a + shrink * (b - a)
        left = misfit(c) < misfit(e)
        a, b = np.where(left, a, c), np.where(left, e, b)
    return np.asarray((a + b) / 2)
