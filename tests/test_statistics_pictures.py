"""Corrected values are for the eye: what they show, and that no test takes them."""

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.counts import voom
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.pictures import remove_batch
from aimwell.config import ContrastSettings
from aimwell.errors import DesignError


def unbalanced(first: int, size: int = 20) -> Design:
    """So many of the cases in batch 1, as many of the controls in batch 2."""
    ids = [f"s{i:02d}" for i in range(2 * size)]
    batch = ["b1"] * first + ["b2"] * (size - first)
    sheet = pd.DataFrame({"subject": ids, "arm": ["x"] * size + ["y"] * size}, ids)
    sheet["batch"] = batch + ["b2"] * first + ["b1"] * (size - first)
    return build_design(sheet, ids, ContrastSettings("c", "rna", "arm", "x", "y", batch="batch"))


def values_of(design: Design, genes: int, shift: float, seed: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    batch = design.matrix["batch[b2]"].to_numpy()[:, None]
    values = rng.normal(8, 1, (len(design.samples), genes)) + shift * batch
    return pd.DataFrame(values, design.samples, [f"g{i:04d}" for i in range(genes)])


def test_a_picture_keeps_the_fold_change_and_loses_the_batch():
    design = unbalanced(15)
    values = values_of(design, 50, 3.0)
    picture = remove_batch(values, design).picture
    arms = design.is_case
    kept = picture[arms].mean() - picture[~arms].mean()
    wanted = fit_contrast(values, design)["log2_fold_change"]
    assert np.abs(kept - wanted).max() < 1e-10
    assert np.abs(picture.mean() - values.mean()).max() < 1e-10


def test_missing_values_stay_missing_and_do_not_move_other_genes():
    design = unbalanced(15)
    values = values_of(design, 30, 3.0)
    holes = values.mask(np.random.default_rng(1).random(values.shape) < 0.2)
    holes["g0000"] = values["g0000"]
    picture = remove_batch(holes, design).picture
    assert (picture.isna() == holes.isna()).all(axis=None)
    whole = remove_batch(values, design).picture
    assert np.abs(picture["g0000"] - whole["g0000"]).max() < 1e-10


@pytest.mark.parametrize("test", [fit_contrast, voom])
def test_every_test_refuses_a_picture_and_says_what_to_test_instead(test):
    design = unbalanced(15)
    picture = remove_batch(values_of(design, 20, 1.0), design)
    with pytest.raises(DesignError, match=r"corrected for batch\[b2\] .* as they were measured"):
        test(picture, design)


def test_whoever_corrects_and_then_tests_finds_what_is_not_there():
    # the trap: the correction passes for knowledge, 1/sqrt(.36) of the true precision is claimed
    design = unbalanced(18)
    values = values_of(design, 4000, 2.0)
    honest = fit_contrast(values, design)["p"]
    sheet = pd.DataFrame({"subject": design.samples, "arm": "y"}, index=design.samples)
    sheet.loc[design.is_case, "arm"] = "x"
    plain = build_design(sheet, sheet.index, ContrastSettings("c", "rna", "arm", "x", "y"))
    trap = fit_contrast(remove_batch(values, design).picture, plain)["p"]
    assert 0.04 < (honest < 0.05).mean() < 0.06
    assert (trap < 0.05).mean() > 0.2
