"""Test one contrast gene by gene: least squares that keep missing values missing, moderated t.

The model is that of Smyth (2004), SAGMB 3:3, written from the paper.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import pandas as pd
from scipy import special, stats

from aimwell.cohorts.design import Design
from aimwell.cohorts.moderation import squeeze_variances
from aimwell.cohorts.pictures import refuse_pictures
from aimwell.errors import AlignmentError, DesignError, some

RESULT_COLUMNS: Final = (
    "log2_fold_change",
    "se",
    "t",
    "df",
    "p",
    "q",
    "z",
    "log10_p",
    "mean_abundance",
    "n_observed",
    "n_case",
    "n_control",
    "detection_rate",
    "status",
)
MIN_PER_ARM: Final = 2
_CHUNK: Final = 512
_RANK_TOLERANCE: Final = 1e-8


@dataclass(frozen=True)
class LinearFit:
    """Least squares of every gene on its own observed samples.

    Attributes:
        genes: Shape ``(g,)``, sorted.
        effect: Estimated contrast, NaN where it cannot be estimated, shape ``(g,)``.
        unscaled_sd: Its standard error for unit variance, shape ``(g,)``.
        variance: Residual variance, NaN without residual degrees of freedom, shape ``(g,)``.
        df: Residual degrees of freedom, shape ``(g,)``.
        influence: Part of each sample in the effect, which is Σ influence × sqrt(weight) × value;
            shape ``(samples, g)``, 0 where missing.
        residuals: Times the square root of the weight, shape ``(samples, g)``, 0 where missing.
        fitted: Fitted values, NaN where missing, shape ``(samples, g)``.
        observed: Shape ``(samples, g)``.
        mean_abundance: Mean of the observed values, shape ``(g,)``.
    """

    genes: pd.Index
    effect: np.ndarray
    unscaled_sd: np.ndarray
    variance: np.ndarray
    df: np.ndarray
    influence: np.ndarray
    residuals: np.ndarray
    fitted: np.ndarray
    observed: np.ndarray
    mean_abundance: np.ndarray


def fit_contrast(
    values: pd.DataFrame,
    design: Design,
    weights: pd.DataFrame | None = None,
    *,
    trend: bool = False,
    robust: bool = False,
) -> pd.DataFrame:
    """Test the contrast of ``design`` for every gene with a moderated t statistic.

    Args:
        values: Samples × genes, log2 scale, NaN is missing; more samples than the design are fine.
        design: Model and contrast.
        weights: Inverse variances of ``values`` up to a factor per gene, same shape.
        trend: Let the prior variance depend on the mean abundance.
        robust: Protect the prior variance from hypervariable genes.

    Returns:
        One row per gene, sorted, with ``RESULT_COLUMNS``. ``status`` is ``tested``, ``too_few``
        (fewer than two observed samples in an arm, or no residual degrees of freedom) or
        ``not_estimable`` (the observed samples cannot separate condition from other terms);
        statistics are NaN unless tested. ``z`` and ``log10_p`` stay finite where ``p`` underflows.

    Raises:
        AlignmentError: ``values`` or ``weights`` lack samples or genes.

    Example:
        >>> from aimwell.config import ContrastSettings
        >>> from aimwell.cohorts.design import build_design
        >>> sheet = pd.DataFrame({"subject": list("abcd"), "arm": ["x", "x", "y", "y"]},
        ...     index=["s1", "s2", "s3", "s4"])
        >>> design = build_design(sheet, sheet.index,
        ...     ContrastSettings("xy", "rna", "arm", case="y", control="x"))
        >>> values = pd.DataFrame({"HGNC:1": [1.0, 2, 5, 6], "HGNC:2": [1.0, np.nan, 5, 6]},
        ...     index=sheet.index)
        >>> fit_contrast(values, design)[["log2_fold_change", "n_control", "status"]]
                log2_fold_change  n_control   status
        HGNC:1               4.0          2   tested
        HGNC:2               NaN          1  too_few
    """
    return moderate(fit_linear(values, design, weights), design, trend=trend, robust=robust)


def fit_linear(
    values: pd.DataFrame, design: Design, weights: pd.DataFrame | None = None
) -> LinearFit:
    """Fit the model of ``design`` to every gene, on the samples that have a value.

    Blocks (the intercept, or subjects) are absorbed by centring within them (Frisch–Waugh–Lovell),
    which gives the coefficients, residuals and degrees of freedom of the full model; genes that
    miss the same samples share one factorisation.

    Raises:
        DesignError: Values that were corrected for a picture, or weights that are not positive.
    """
    refuse_pictures(values)
    genes = values.columns.sort_values()
    y = _aligned(values, design.samples, genes, "values")
    observed = ~np.isnan(y)
    w = np.where(observed, 1.0, 0.0)
    if weights is not None:
        w = np.where(observed, _aligned(weights, design.samples, genes, "weights"), 0.0)
        if not np.all((w[observed] > 0) & np.isfinite(w[observed])):
            raise DesignError(
                "every weight of an observed value must be a positive number; of counts they are "
                "not where samples do not differ beyond the model, as copies of one subject"
            )
    n, g = y.shape
    count = observed.sum(axis=0)
    with np.errstate(invalid="ignore"):
        mean = np.where(count > 0, np.where(observed, y, 0.0).sum(axis=0), np.nan) / np.maximum(
            count, 1
        )
    y = np.where(observed, y - mean, 0.0)
    fit = LinearFit(
        genes=genes,
        effect=np.full(g, np.nan),
        unscaled_sd=np.full(g, np.nan),
        variance=np.full(g, np.nan),
        df=np.zeros(g),
        influence=np.zeros((n, g)),
        residuals=np.zeros((n, g)),
        fitted=np.full((n, g), np.nan),
        observed=observed,
        mean_abundance=mean,
    )
    for patterns, members in _patterns(w):
        _fit_patterns(fit, y, w, design, patterns, members)
    fit.fitted[observed] += np.broadcast_to(mean, (n, g))[observed]
    return fit


def _aligned(table: pd.DataFrame, samples: pd.Index, genes: pd.Index, what: str) -> np.ndarray:
    for axis, wanted, found in (("samples", samples, table.index), ("genes", genes, table.columns)):
        if not found.is_unique:
            raise AlignmentError(f"{what} hold {axis} twice: {some(found[found.duplicated()])}")
        if len(missing := wanted.difference(found)):
            raise AlignmentError(f"{what} lack {len(missing)} {axis}: {some(missing)}")
    # one memory layout, or sums of the same numbers would differ in their last bit
    return np.ascontiguousarray(table.reindex(index=samples, columns=genes).to_numpy(float))


def _patterns(w: np.ndarray) -> Iterator[tuple[np.ndarray, list[np.ndarray]]]:
    """Yield distinct columns of ``w`` in chunks, with the genes that share each of them."""
    # weights of counts differ in every gene, and hashing them costs far less than sorting
    members: dict[bytes, list[int]] = {}
    for gene, column in enumerate(np.ascontiguousarray(w.T)):
        members.setdefault(column.tobytes(), []).append(gene)
    groups = [np.array(genes) for genes in members.values()]
    for first in range(0, len(groups), _CHUNK):
        chunk = groups[first : first + _CHUNK]
        yield w[:, [genes[0] for genes in chunk]], chunk


def _fit_patterns(
    fit: LinearFit,
    y: np.ndarray,
    w: np.ndarray,
    design: Design,
    patterns: np.ndarray,
    members: list[np.ndarray],
) -> None:
    matrix = design.matrix.to_numpy(float)
    blocks, x = matrix[:, : design.n_blocks], matrix[:, design.n_blocks :]
    vector = np.array(design.vector[design.n_blocks :])
    root = np.sqrt(patterns)  # (n, k)
    centred = np.zeros((x.shape[1], *patterns.shape))  # a model may have blocks only
    for term, column in enumerate(x.T):
        centred[term] = _within_blocks(column[:, None], patterns, blocks)
    weighted = np.moveaxis(centred * root, (0, 1, 2), (2, 1, 0))  # (k, n, terms)
    u, s, vt = np.linalg.svd(weighted, full_matrices=False)
    solid = s > _RANK_TOLERANCE * np.maximum(s[:, :1], np.sqrt(patterns.max(axis=0))[:, None])
    inverse = np.where(solid, 1.0 / np.where(solid, s, 1.0), 0.0)
    solve = (vt.swapaxes(1, 2) * inverse[:, None, :]) @ u.swapaxes(1, 2)  # (k, terms, n)
    lost = vector - np.einsum("krt,kr,krs,s->kt", vt, solid.astype(float), vt, vector)
    estimable = np.linalg.norm(lost, axis=1) < _RANK_TOLERANCE
    influence = np.einsum("t,ktn->nk", vector, solve)
    used = (blocks.T @ (patterns > 0) > 0).sum(axis=0)
    df = (patterns > 0).sum(axis=0) - used - solid.sum(axis=1)

    genes = np.concatenate(members)
    pattern = np.repeat(np.arange(len(members)), [len(m) for m in members])
    for first in range(0, len(genes), _CHUNK):
        at, k = genes[first : first + _CHUNK], pattern[first : first + _CHUNK]
        scaled = root[:, k] * y[:, at]
        terms = np.einsum("ktn,nk->tk", solve[k], scaled)
        rest = _within_blocks(y[:, at] - x @ terms, w[:, at], blocks)
        fit.residuals[:, at] = root[:, k] * rest
        fit.fitted[:, at] = np.where(fit.observed[:, at], y[:, at] - rest, np.nan)
        fit.influence[:, at] = np.where(estimable[k], influence[:, k], 0.0)
        fit.effect[at] = np.where(estimable[k], vector @ terms, np.nan)
        length = np.linalg.norm(influence[:, k], axis=0)
        fit.unscaled_sd[at] = np.where(estimable[k], length, np.nan)
        fit.df[at] = df[k]
        square = np.sum(fit.residuals[:, at] ** 2, axis=0)
        fit.variance[at] = np.where(df[k] > 0, square / np.maximum(df[k], 1), np.nan)


def _within_blocks(columns: np.ndarray, w: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Subtract from every column its weighted mean in each block; 0 where the weight is 0."""
    total = blocks.T @ w
    mean = (blocks.T @ (w * columns)) / np.where(total > 0, total, 1.0)
    return np.where(w > 0, columns - blocks @ mean, 0.0)


def moderate(
    fit: LinearFit,
    design: Design,
    *,
    trend: bool = False,
    robust: bool = False,
    peptides: "pd.Series[float] | None" = None,
) -> pd.DataFrame:
    """Turn a fit into moderated statistics; see ``fit_contrast`` for the columns.

    Every gene with residual degrees of freedom informs the prior variance, tested or not. With
    ``peptides``, the number that each protein rests on, the prior variance is a smooth function of
    its logarithm instead of the abundance: few peptides, large variance (DEqMS, Zhu 2020, Mol Cell
    Proteomics 19:1047).

    Raises:
        AlignmentError: A gene of the fit without a number of peptides.
    """
    covariate = fit.mean_abundance if trend else None
    if peptides is not None:
        counts = peptides.reindex(fit.genes)
        if counts.isna().any():
            raise AlignmentError(
                f"{int(counts.isna().sum())} proteins have no number of peptides: "
                f"{some(counts.index[counts.isna()])}"
            )
        covariate = np.log2(np.maximum(counts.to_numpy(float), 1.0))
    squeezed = squeeze_variances(fit.variance, fit.df, covariate, robust=robust)
    n_case = fit.observed[design.is_case].sum(axis=0)
    n_control = fit.observed[~design.is_case].sum(axis=0)
    groups = np.array(design.groups)
    fewest = np.min([fit.observed[groups == g].sum(axis=0) for g in np.unique(groups)], axis=0)
    enough = (fewest >= MIN_PER_ARM) & (fit.df >= 1)
    effect = fit.effect / design.scale
    se = fit.unscaled_sd * np.sqrt(squeezed.variance) / design.scale
    tested = enough & np.isfinite(effect) & np.isfinite(se) & (se > 0)
    effect, se = np.where(tested, effect, np.nan), np.where(tested, se, np.nan)
    t = effect / se
    df = np.where(tested, squeezed.df, np.nan)
    log_p = log_p_of_t(t, df)
    p = np.exp(log_p)
    with np.errstate(invalid="ignore"):
        z = np.sign(t) * -special.ndtri_exp(np.minimum(log_p - np.log(2), np.log(0.5)))
    n_observed = fit.observed.sum(axis=0)
    status = np.where(tested, "tested", np.where(enough, "not_estimable", "too_few"))
    table = pd.DataFrame(
        {
            "log2_fold_change": effect,
            "se": se,
            "t": t,
            "df": df,
            "p": p,
            "q": adjust_p(p),
            "z": z,
            "log10_p": log_p / np.log(10),
            "mean_abundance": fit.mean_abundance,
            "n_observed": n_observed,
            "n_case": n_case,
            "n_control": n_control,
            "detection_rate": n_observed / len(fit.observed),
            "status": status,
        },
        index=fit.genes,
    )
    return table[list(RESULT_COLUMNS)]


def normal_se(table: pd.DataFrame) -> np.ndarray:
    """Standard errors for which a normal gives the p-value of the t test.

    So few samples are not mistaken for certainty (Lu and Stephens 2019, arXiv:1901.10679).

    Args:
        table: With ``log2_fold_change``, ``se``, ``z`` and ``df``, as ``moderate`` gives them.
    """
    effect = table["log2_fold_change"].to_numpy(float)
    z, se = table["z"].to_numpy(float), table["se"].to_numpy(float)
    small = np.abs(z) < 1e-3
    at_zero = se * stats.norm.pdf(0) / stats.t.pdf(0, table["df"].to_numpy(float))
    return np.where(small, at_zero, np.abs(effect) / np.where(small, 1.0, np.abs(z)))


def log_p_of_t(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    """Compute the natural logarithm of two-sided p-values, finite however large ``t`` is.

    Example:
        >>> log_p_of_t(np.array([1.0, 1e200]), np.array([1.0, 1.0])).round(3).tolist()
        [-0.693, -460.969]
    """
    t, df = np.abs(np.asarray(t, float)), np.asarray(df, float)
    p = 2 * special.stdtr(df, -t)
    with np.errstate(divide="ignore"):
        log_p = np.log(p)
    far = np.isfinite(t) & (p < 1e-280)
    if far.any():
        log_p[far] = _log_p_far_out(t[far], df[far])
    return cast(np.ndarray, log_p)


def _log_p_far_out(t: np.ndarray, df: np.ndarray) -> np.ndarray:
    # p = I_x(df/2, 1/2), x = df/(df+t²), by the series of the incomplete beta function, DLMF 8.17.8
    a = df / 2
    log_x = -np.log1p(t / df * t) if np.all(t < 1e150) else -2 * np.log(t / np.sqrt(df))
    x = np.exp(log_x)
    term, total = np.ones_like(x), np.ones_like(x)
    for k in range(200_000):
        term = term * x * (a + 0.5 + k) / (a + 1 + k)
        total = total + term
        if np.all(term < 1e-17 * total):
            break
    log_rest = 0.5 * np.log(-np.expm1(log_x))
    return cast(
        np.ndarray, a * log_x + log_rest - np.log(a) - special.betaln(a, 0.5) + np.log(total)
    )


def adjust_p(p: np.ndarray) -> np.ndarray:
    """Compute false discovery rates by Benjamini and Hochberg (1995); NaN stays NaN.

    Example:
        >>> adjust_p(np.array([0.01, 0.04, np.nan, 0.03])).round(3).tolist()
        [0.03, 0.04, nan, 0.04]
    """
    q = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    scaled = p[order] * len(order) / np.arange(1, len(order) + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q
