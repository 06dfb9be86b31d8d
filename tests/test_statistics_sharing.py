"""What layers share: planted variances come back, free of the errors of measurement."""

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.sharing import share_layers
from aimwell.errors import AlignmentError

Planted = tuple[pd.DataFrame, pd.DataFrame, np.ndarray]


def drawn(
    share: float, noise: float, seed: int = 1
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(seed)
    shared, a, b = rng.normal(0, 1, (3, 20_000))
    own = np.sqrt(1 - share)
    errors = noise * rng.normal(0, 1, (2, 20_000))
    rna = np.sqrt(share) * shared + own * a + errors[0]
    protein = 0.5 * (np.sqrt(share) * shared + own * b) + errors[1]
    tables = [pd.DataFrame({"log2_fold_change": x, "se": noise}) for x in (rna, protein)]
    return tables[0], tables[1], np.sqrt(share) * shared


@pytest.mark.parametrize("share", [0.0, 0.3, 0.8])
@pytest.mark.parametrize("noise", [0.1, 0.6])
def test_the_planted_share_comes_back_whatever_the_errors(share, noise):
    rna, protein, truth = drawn(share, noise)
    found = share_layers(rna, protein)
    assert found.share == pytest.approx(share, abs=0.04)
    if share:
        # a posterior mean regresses the truth with slope 1
        slope = np.polyfit(found.table["shared"], truth, 1)[0]
        assert slope == pytest.approx(1, abs=0.06)


def test_errors_that_both_layers_share_are_no_shared_change():
    rng = np.random.default_rng(2)
    common = rng.normal(0, 0.5, 20_000)
    own = rng.normal(0, 1, (2, 20_000))
    rna, protein = (pd.DataFrame({"log2_fold_change": x + common, "se": 0.5}) for x in own)
    assert share_layers(rna, protein).share > 0.15
    known = pd.Series(0.25, index=rna.index)
    assert share_layers(rna, protein, known).share == pytest.approx(0, abs=0.03)


def test_layers_that_show_no_more_than_their_errors_share_nothing_that_can_be_known():
    rng = np.random.default_rng(3)
    flat = pd.DataFrame({"log2_fold_change": 0.1 * rng.normal(0, 1, 500), "se": 0.2})
    found = share_layers(flat, flat)
    assert np.isnan(found.share)
    assert found.table.isna().all(axis=None)
    assert np.isnan(share_layers(flat.iloc[:5], flat.iloc[:5]).share)
    with pytest.raises(AlignmentError, match="one gene index"):
        share_layers(flat, flat.iloc[1:])
