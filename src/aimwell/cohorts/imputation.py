"""Fill in missing values, where somebody asks for it: drawn several times, and always marked.

A filled value is a guess about the very thing that is asked, so nothing here is a default, what was
filled is marked, and the spread between draws enters the standard error (Rubin 1987, Multiple
Imputation for Nonresponse in Surveys; degrees of freedom after Barnard and Rubin 1999, Biometrika
86:948).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special, stats
from sklearn.impute import KNNImputer

from aimwell.cohorts.differential import RESULT_COLUMNS, adjust_p, log_p_of_t
from aimwell.errors import DesignError

Array = npt.NDArray[np.float64]
#: Draws of a method that draws; the others give one answer.
DRAWS: Final = 5
NEIGHBOURS: Final = 10
#: Quantile around which the low tail of a sample is drawn (MinProb; Lazar 2016, J Proteome Res
#: 15:1116), and the down-shift and width of Perseus (Tyanova 2016, Nat Methods 13:731).
_LOW: Final = 0.01
_DOWN, _WIDTH = 1.8, 0.3


@dataclass(frozen=True)
class Imputed:
    """Statistics over all draws.

    Attributes:
        table: As ``moderate`` gives it; samples are counted as measured.
        filled: Share of the compared samples that were filled in, by gene.
        agreement: Smallest rank correlation of |t| between two draws; 1 with a single one.
    """

    table: pd.DataFrame
    filled: "pd.Series[float]"
    agreement: float


def fill_missing(values: pd.DataFrame, method: str, draw: int = 0) -> pd.DataFrame:
    """Fill the missing values of genes that at least two samples have.

    ``minprob`` draws around the 1 % quantile of the sample, as wide as the median gene;
    ``downshift`` 1.8 standard deviations below the mean of the sample; ``smallest`` takes the
    smallest value of the sample; ``knn`` the mean of the ten genes most alike, for values missing
    at random only.

    Args:
        values: Samples × genes, log2, NaN is missing.
        method: One of ``aimwell.config.cohort.IMPUTERS``.
        draw: Number of the draw, which fixes it.

    Example:
        >>> gap = pd.DataFrame({"a": [1.0, 2.0, np.nan], "b": [5.0, 6.0, 7.0]})
        >>> fill_missing(gap, "smallest")["a"].tolist()
        [1.0, 2.0, 7.0]
    """
    ordered = values.sort_index(axis=0).sort_index(axis=1)
    fillable = ordered.columns[ordered.notna().sum() >= 2]
    array = ordered[fillable].to_numpy(float).copy()
    gone = np.isnan(array)
    if not gone.any():
        return values
    if method == "knn":
        array = KNNImputer(n_neighbors=NEIGHBOURS).fit_transform(array.T).T
    else:
        rng = np.random.default_rng(draw)
        width = float(np.nanmedian(np.nanstd(array, axis=0, ddof=1)))
        for row, lacks in zip(array, gone, strict=True):
            seen, n = row[~lacks], int(lacks.sum())
            if method == "minprob":
                row[lacks] = rng.normal(float(np.quantile(seen, _LOW)), width, n)
            elif method == "downshift":
                sd = float(seen.std(ddof=1)) if len(seen) > 1 else 0.0
                row[lacks] = rng.normal(float(seen.mean()) - _DOWN * sd, _WIDTH * sd, n)
            else:
                row[lacks] = float(seen.min())
    made = ordered.copy()
    made[fillable] = array
    return made.reindex(index=values.index, columns=values.columns)


def combine_filled(
    values: pd.DataFrame, method: str, test: Callable[[pd.DataFrame], pd.DataFrame]
) -> Imputed:
    """Test every draw and combine them.

    Args:
        values: Samples × genes as measured, log2; samples in the order of the design.
        method: As in ``fill_missing``.
        test: Gives the statistics of one matrix, as ``moderate`` does.

    Raises:
        DesignError: A sample without a value.
    """
    empty = values.index[values.isna().all(axis=1)]
    if len(empty):
        raise DesignError(
            f"{len(empty)} samples have no value at all, as '{empty[0]}'; nothing can be filled in "
            "for them, so remove them"
        )
    draws = DRAWS if method in ("minprob", "downshift") else 1
    tables = [test(fill_missing(values, method, draw)) for draw in range(draws)]
    measured = test(values)
    filled = values.isna().mean().reindex(measured.index)
    table = _combined(tables, measured, filled)
    t = np.abs([one["t"].to_numpy(float) for one in tables])
    known = np.isfinite(t).all(axis=0)
    ranks = stats.rankdata(t[:, known], axis=1)
    alike = np.corrcoef(ranks) if draws > 1 and known.sum() > 2 else np.ones((1, 1))
    return Imputed(table, filled.where(table["status"] == "tested", 0.0), float(alike.min()))


def _combined(
    tables: list[pd.DataFrame], measured: pd.DataFrame, filled: "pd.Series[float]"
) -> pd.DataFrame:
    """Pool effects and errors of genes that were filled; the others are as they were measured."""
    m = len(tables)
    effects = np.array([t["log2_fold_change"].to_numpy(float) for t in tables])
    within = np.mean([t["se"].to_numpy(float) ** 2 for t in tables], axis=0)
    between = (1 + 1 / m) * effects.var(axis=0, ddof=1) if m > 1 else np.zeros(effects.shape[1])
    df = np.mean([t["df"].to_numpy(float) for t in tables], axis=0)
    total = within + between
    with np.errstate(invalid="ignore", divide="ignore"):
        share = between / total
        old = np.where(share > 0, (m - 1) / share**2, np.inf)
        seen = np.where(np.isfinite(df), (df + 1) / (df + 3) * df, np.inf) * (1 - share)
        pooled = np.where(share > 0, 1 / (1 / old + 1 / seen), df)
    effect, se = effects.mean(axis=0), np.sqrt(total)
    log_p = log_p_of_t(effect / se, pooled)
    with np.errstate(invalid="ignore"):
        z = -special.ndtri_exp(np.minimum(log_p - np.log(2), np.log(0.5)))
    table = measured.copy()
    gone = (filled > 0).to_numpy()
    for column, found in {
        "log2_fold_change": effect,
        "se": se,
        "t": effect / se,
        "df": pooled,
        "p": np.exp(log_p),
        "z": np.sign(effect) * z,
        "log10_p": log_p / np.log(10),
    }.items():
        table[column] = np.where(gone, found, measured[column])
    table["status"] = np.where(gone, tables[0]["status"], measured["status"])
    table["q"] = adjust_p(table["p"].to_numpy(float))
    return table[list(RESULT_COLUMNS)]


def imputation_note(method: str, values: pd.DataFrame, found: Imputed) -> str:
    """Say what was filled in, and how far it matters."""
    genes = int((found.filled > 0).sum())
    draws = f"{DRAWS} draws rank proteins alike to {found.agreement:.2f}; " if genes else ""
    draws = draws if method in ("minprob", "downshift") else ""
    return (
        f"missing values were filled in by '{method}': {values.isna().to_numpy().mean():.0%} of "
        f"all values, {genes} of {len(found.table)} proteins; {draws}fold changes of these "
        "proteins rest on guesses, so no target gains trust by them"
    )
