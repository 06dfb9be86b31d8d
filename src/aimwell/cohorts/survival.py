"""Survival as a phenotype: the score statistic of a Cox model, gene by gene.

Cox (1972), J R Stat Soc B 34:187; ties after Breslow (1974), Biometrics 30:89.
"""

from typing import Final

import numpy as np
import pandas as pd
from scipy import special

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import RESULT_COLUMNS, adjust_p
from aimwell.cohorts.pictures import refuse_pictures
from aimwell.errors import DesignError, some

#: A gene needs this many events, and twice as many samples.
MIN_EVENTS: Final = 2


def cox_scores(
    values: pd.DataFrame,
    time: "pd.Series[float]",
    event: "pd.Series[bool]",
    strata: "pd.Series[str] | None" = None,
) -> pd.DataFrame:
    """Test every gene against survival by the score statistic of a Cox model (Breslow ties).

    Args:
        values: Samples × genes; a gene is tested on the samples in which it was seen.
        time: Follow-up of every sample, positive, any unit.
        event: True where it ended with the event, False where it was censored.
        strata: Groups with hazards of their own, such as the centre.

    Returns:
        One row per gene, sorted: ``score``, ``information``, ``log_hazard_ratio`` per unit of the
        value (one Newton step from zero) and its ``se``, ``z``, ``p``, ``q``, ``n``, ``events``.

    Raises:
        DesignError: Times that are not positive, or no event.

    Example:
        >>> values = pd.DataFrame({"g": [3.0, 2.0, 1.0]}, index=["a", "b", "c"])
        >>> time, event = pd.Series([1.0, 2, 3], values.index), pd.Series(True, values.index)
        >>> cox_scores(values, time, event).loc["g", ["score", "information"]].round(6).tolist()
        [1.5, 0.916667]
    """
    refuse_pictures(values)
    table = values.sort_index(axis=0).sort_index(axis=1)
    t = time.reindex(table.index).to_numpy(float)
    if not np.all(t > 0):
        raise DesignError(
            f"follow-up must be a positive number: {some(table.index[~(t > 0)])}; leave these out"
        )
    e = event.reindex(table.index).fillna(False).to_numpy(bool)
    if not e.any():
        raise DesignError("no sample has the event, so survival cannot be tested")
    group = np.zeros(len(t)) if strata is None else pd.factorize(strata.reindex(table.index))[0]
    x = table.to_numpy(float)
    seen = ~np.isnan(x)
    mean = np.where(seen, x, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    x = np.where(seen, x - mean, 0.0)
    score, information = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for moment in sorted({(g, s) for g, s, hit in zip(group, t, e, strict=True) if hit}):
        at_risk = (group == moment[0]) & (t >= moment[1])
        ended = (group == moment[0]) & (t == moment[1]) & e
        n = np.maximum(seen[at_risk].sum(axis=0), 1)
        first, second = x[at_risk].sum(axis=0) / n, (x[at_risk] ** 2).sum(axis=0) / n
        deaths = seen[ended].sum(axis=0)
        score += x[ended].sum(axis=0) - deaths * first
        information += deaths * (second - first**2)
    able = information > 1e-12
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(able, score / np.sqrt(information), np.nan)
        step = np.where(able, score / information, np.nan)
        se = np.where(able, 1 / np.sqrt(information), np.nan)
    p = 2 * special.ndtr(-np.abs(z))
    return pd.DataFrame(
        {
            "score": score,
            "information": information,
            "log_hazard_ratio": step,
            "se": se,
            "z": z,
            "p": p,
            "q": adjust_p(p),
            "n": seen.sum(axis=0),
            "events": seen[e].sum(axis=0),
        },
        index=table.columns,
    )


def survival_statistics(
    values: pd.DataFrame, design: Design, follow_up: pd.DataFrame
) -> pd.DataFrame:
    """Turn survival scores into the statistics of a contrast.

    Args:
        values: Samples × genes, log2 scale.
        design: Of a contrast of survival.
        follow_up: ``time``, ``event`` and ``stratum`` of every sample.

    Returns:
        As of ``fit_contrast``; ``log2_fold_change`` is the logarithm to base 2 of the hazard ratio
        for twice as much of the gene, positive where more of it goes with earlier events.
        ``status`` is ``too_few`` with fewer than ``MIN_EVENTS`` events or twice as many samples.
    """
    table = values.loc[design.samples].sort_index(axis=1)
    rows = follow_up.loc[design.samples]
    found = cox_scores(table, rows["time"], rows["event"], rows["stratum"])
    seen = table.notna()
    enough = (found["events"] >= MIN_EVENTS) & (found["n"] >= 2 * MIN_EVENTS)
    tested = enough & found["z"].notna() & (found["se"] > 0)
    # natural logarithms per unit of log2 become logarithms to base 2 per doubling
    per = 1 / np.log(2)
    result = pd.DataFrame(
        {
            "log2_fold_change": found["log_hazard_ratio"] * per,
            "se": found["se"] * per,
            "t": found["z"],
            "df": np.inf,
            "p": found["p"],
            "z": found["z"],
            "log10_p": (special.log_ndtr(-found["z"].abs()) + np.log(2)) / np.log(10),
        }
    ).where(tested, np.nan)
    result["q"] = adjust_p(result["p"].to_numpy(float))
    result["mean_abundance"] = table.mean(axis=0)
    result["n_observed"] = found["n"]
    result["n_case"] = found["events"]
    result["n_control"] = found["n"] - found["events"]
    result["detection_rate"] = seen.mean(axis=0)
    result["status"] = np.where(tested, "tested", np.where(enough, "not_estimable", "too_few"))
    return result[list(RESULT_COLUMNS)]
