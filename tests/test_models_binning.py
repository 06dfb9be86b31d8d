"""Bins of gradient boosting are those that scikit-learn would make, and so are its predictions."""

import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.utils.class_weight import compute_sample_weight

from aimwell.models.baselines import boosting
from aimwell.models.binning import BINS, binned


def columns(rng: np.random.Generator, n: int) -> np.ndarray:
    """Columns of many kinds: continuous, skewed, few values, constant, zeros for the most part."""
    return np.stack(
        [
            rng.normal(size=n),
            np.exp(3 * rng.normal(size=n)),
            rng.integers(0, 7, n).astype(float),
            np.ones(n),
            np.where(rng.random(n) < 0.8, 0, rng.normal(size=n)),
            rng.normal(size=n).round(1),
        ],
        axis=1,
    )


@pytest.mark.parametrize("n", [200, 900])
def test_boosting_on_bins_predicts_what_it_predicts_on_values(n: int) -> None:
    rng = np.random.default_rng(n)
    values = columns(rng, n)
    labels = (values[:, 0] + values[:, 4] + rng.normal(size=n) > 2.2).astype(int)
    training = rng.random(n) < 0.8
    weights = compute_sample_weight("balanced", labels[training])
    codes = binned(values, training, weights)
    assert codes.max() < BINS
    found = []
    for features in (values, codes):
        model: HistGradientBoostingClassifier = boosting()
        model.fit(features[training], labels[training])
        found.append(model.predict_proba(features)[:, 1])
    np.testing.assert_array_equal(found[0][training], found[1][training])
    np.testing.assert_allclose(*found, atol=1e-12)


def test_heavy_rows_get_narrow_bins() -> None:
    values = np.arange(1000.0)[:, None]
    weights = np.where(values[:, 0] < 100, 9.0, 1.0)
    codes = binned(values, np.ones(1000, bool), weights)[:, 0]
    assert len(np.unique(codes[:100])) == 100
    assert len(np.unique(codes[100:])) < 200
    assert (np.diff(codes) >= 0).all()
