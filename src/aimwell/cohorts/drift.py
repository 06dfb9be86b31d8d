"""Drift over the order of measurement: levels and single genes that rise or fall run by run."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.differential import adjust_p
from aimwell.cohorts.normalise import normalise
from aimwell.cohorts.quality import log_values
from aimwell.cohorts.selection import numbers_of, text_of
from aimwell.config import ContrastSettings

#: Columns of the sheet that are taken for the order of measurement, marks and case ignored.
ORDER_COLUMNS: Final = (
    "runorder",
    "runnumber",
    "runindex",
    "injectionorder",
    "injectionnumber",
    "acquisitionorder",
    "acquisitionnumber",
)
#: Fewer samples say nothing of a drift.
MIN_SAMPLES: Final = 8
#: p of a trend in the level, and share of genes with a trend, from which a layer is said to drift.
LEVEL_P: Final = 0.01
GENE_SHARE: Final = 0.05


@dataclass(frozen=True)
class DriftCheck:
    """Whether a layer drifts over the order in which its samples were measured.

    Attributes:
        column: Column of the sheet with the order.
        samples: Samples with an order.
        level: Spearman correlation of the order with the level of a sample (log2 of counts, or the
            median of logarithms), and its p in ``level_p``.
        genes: Share of the genes with q < 0.05 for a trend over the order, after all samples were
            brought to one level.
        condition: Contrast → share of the variance of the order that lies between its arms: where
            it is large, a drift looks like an effect.
        drifts: Whether the level or more than a few genes do.
    """

    layer: str
    column: str
    samples: int
    level: float
    level_p: float
    genes: float
    condition: dict[str, float]
    drifts: bool


def check_drift(cohort: Cohort, contrasts: Iterable[ContrastSettings]) -> tuple[DriftCheck, ...]:
    """Look for drift in every layer, where the sheet has a column with the order of measurement."""
    contrasts = tuple(contrasts)
    columns = [
        str(c)
        for c in cohort.samples.columns
        if re.sub(r"[^a-z]", "", str(c).lower()).endswith(ORDER_COLUMNS)
    ]
    found = []
    for name in sorted(cohort.layers):
        sheet = cohort.samples.loc[cohort.layers[name].values.index]
        for column in sorted(columns):
            order = numbers_of(sheet[column].dropna())
            if order is None or len(order) < MIN_SAMPLES or order.nunique() < MIN_SAMPLES:
                continue
            mine = [c for c in contrasts if c.layer == name and c.test == "arms"]
            found.append(_drift(cohort, cohort.layers[name], order.astype(float), mine))
    return tuple(found)


def _drift(
    cohort: Cohort, layer: Layer, order: "pd.Series[float]", contrasts: list[ContrastSettings]
) -> DriftCheck:
    values = layer.values.loc[order.index]
    logs = log_values(layer).loc[order.index]
    level = np.log2(values.sum(axis=1) + 1) if layer.unit == "counts" else logs.median(axis=1)
    trend = stats.spearmanr(order, level)
    flat = np.ptp(level.to_numpy()) == 0
    rho, p = (0.0, 1.0) if flat else (float(trend.statistic), float(trend.pvalue))
    even = logs if layer.unit == "counts" else normalise(logs, "median", linear=False)
    share = float((_trend_q(even, order) < 0.05).mean())
    column = str(order.name)
    return DriftCheck(
        layer.name,
        column,
        len(order),
        rho,
        p,
        share,
        {c.name: _between_arms(cohort.samples.loc[order.index], order, c) for c in contrasts},
        p < LEVEL_P or share > GENE_SHARE,
    )


def _trend_q(logs: pd.DataFrame, order: "pd.Series[float]") -> np.ndarray:
    """False discovery rates of a monotonic trend, gene by gene over its own samples."""
    seen = logs.notna().to_numpy()
    x = np.where(seen, np.broadcast_to(order.to_numpy()[:, None], seen.shape), np.nan)
    ranks = [pd.DataFrame(v).rank().to_numpy() for v in (x, logs.to_numpy(float))]
    n = seen.sum(axis=0)
    enough = n >= MIN_SAMPLES
    with np.errstate(invalid="ignore", divide="ignore"):
        a, b = (np.where(seen, r - np.nansum(r, axis=0) / np.maximum(n, 1), 0.0) for r in ranks)
        r = (a * b).sum(axis=0) / np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
        t = r * np.sqrt((n - 2) / np.maximum(1 - r**2, 1e-12))
        p = 2 * stats.t.sf(np.abs(t), np.maximum(n - 2, 1))
    return adjust_p(np.where(enough & np.isfinite(r), p, np.nan))


def _between_arms(
    sheet: pd.DataFrame, order: "pd.Series[float]", contrast: ContrastSettings
) -> float:
    if contrast.condition not in sheet.columns:
        return 0.0
    arm = text_of(sheet[contrast.condition])
    mine = order[arm.isin([contrast.case, contrast.control])]
    total = float(((mine - mine.mean()) ** 2).sum())
    if total <= 0:
        return 0.0
    means = mine.groupby(arm[mine.index]).transform("mean")
    return float(((means - mine.mean()) ** 2).sum()) / total
