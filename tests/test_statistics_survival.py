"""Survival against genes: the score statistic is the slope of the likelihood that Cox wrote."""

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.survival import cox_scores
from aimwell.errors import DesignError


def cohort(n: int, genes: int, seed: int, slope: float = 0.0) -> tuple[pd.DataFrame, pd.DataFrame]:
    rng = np.random.default_rng(seed)
    ids = [f"s{i:03d}" for i in range(n)]
    values = rng.normal(8, 1, (n, genes))
    hazard = np.exp(slope * (values[:, 0] - 8))
    time = np.ceil(rng.exponential(20 / hazard))  # whole months: ties
    sheet = pd.DataFrame({"time": time, "event": rng.random(n) < 0.7}, index=ids)
    sheet["site"] = rng.choice(["a", "b"], n)
    return pd.DataFrame(values, ids, [f"g{i:03d}" for i in range(genes)]), sheet


def log_likelihood(beta: float, x: np.ndarray, time: np.ndarray, event: np.ndarray) -> float:
    """Partial likelihood with Breslow's ties, term by term."""
    return float(
        sum(
            beta * x[i] - np.log(np.exp(beta * x[time >= time[i]]).sum())
            for i in range(len(x))
            if event[i]
        )
    )


def test_score_and_information_are_derivatives_of_the_partial_likelihood():
    values, sheet = cohort(60, 5, 1)
    values = values.mask(np.random.default_rng(2).random(values.shape) < 0.1)
    found = cox_scores(values, sheet["time"], sheet["event"])
    for gene in values:
        seen = values[gene].notna().to_numpy()
        x = values[gene].to_numpy()[seen]
        x = x - x.mean()
        parts = x, sheet["time"].to_numpy()[seen], sheet["event"].to_numpy()[seen]
        down, here, up = (log_likelihood(b, *parts) for b in (-1e-4, 0.0, 1e-4))
        assert found.loc[gene, "score"] == pytest.approx((up - down) / 2e-4, abs=1e-5)
        curvature = -(up - 2 * here + down) / 1e-8
        assert found.loc[gene, "information"] == pytest.approx(curvature, abs=1e-3)


def test_strata_add_up_scores_of_groups():
    values, sheet = cohort(60, 4, 3)
    whole = cox_scores(values, sheet["time"], sheet["event"], sheet["site"])
    parts = [
        cox_scores(values[sheet["site"] == s], *(sheet.loc[sheet["site"] == s, c] for c in names))
        for s in ("a", "b")
        for names in (("time", "event"),)
    ]
    assert np.abs(whole["score"] - parts[0]["score"] - parts[1]["score"]).max() < 1e-10
    total = parts[0]["information"] + parts[1]["information"]
    assert np.abs(whole["information"] - total).max() < 1e-10


def test_a_hazard_that_rises_with_a_gene_is_found_with_its_sign_and_the_others_keep_the_level():
    values, sheet = cohort(150, 2000, 4, slope=0.7)
    found = cox_scores(values, sheet["time"], sheet["event"])
    assert found.loc["g000", "z"] > 4
    assert found.loc["g000", "log_hazard_ratio"] == pytest.approx(0.7, abs=0.3)
    assert 0.035 < (found["p"].iloc[1:] < 0.05).mean() < 0.065


def test_the_order_of_samples_does_not_matter():
    values, sheet = cohort(50, 20, 5)
    mixed = values.sample(frac=1, random_state=1)
    one, other = (cox_scores(v, sheet["time"], sheet["event"]) for v in (values, mixed))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def test_times_that_are_not_positive_and_cohorts_without_events_are_refused():
    values, sheet = cohort(10, 2, 6)
    with pytest.raises(DesignError, match="positive number: 's000'"):
        cox_scores(values, sheet["time"].mask(sheet.index == "s000", 0.0), sheet["event"])
    with pytest.raises(DesignError, match="no sample has the event"):
        cox_scores(values, sheet["time"], sheet["event"] & False)
