"""Protein at equal RNA: least squares gene by gene, and planted shifts found as RNA moves."""

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.translation import translation_shifts
from aimwell.config import ContrastSettings
from aimwell.errors import AlignmentError


def paired(genes: int, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, Design]:
    """40 samples, two arms and batches; protein follows RNA by .6, ten genes shift beyond it."""
    rng = np.random.default_rng(seed)
    ids = [f"s{i:02d}" for i in range(40)]
    sheet = pd.DataFrame({"subject": ids, "arm": list("xy") * 20, "batch": list("aabb") * 10}, ids)
    case = (sheet["arm"] == "x").to_numpy()[:, None]
    rna = rng.normal(8, 1, (40, genes)) + case * rng.normal(0, 1, genes)
    protein = 0.6 * rna + rng.normal(0, 0.4, rna.shape)
    protein[:, :10] += 0.8 * case
    protein[rng.random(protein.shape) < 0.15] = np.nan
    names = [f"g{i:03d}" for i in range(genes)]
    contrast = ContrastSettings("c", "protein", "arm", "x", "y", batch="batch")
    design = build_design(sheet, ids, contrast)
    return pd.DataFrame(rna, ids, names), pd.DataFrame(protein, ids, names), design


def test_shift_and_slope_are_those_of_least_squares_with_the_rna_in_the_model():
    rna, protein, design = paired(40, 1)
    found = translation_shifts(rna, protein, design)
    at = design.matrix.columns.get_loc(design.coefficient)
    for gene in protein:
        seen = protein[gene].notna().to_numpy()
        model = np.column_stack([design.matrix.to_numpy(), rna[gene]])[seen]
        terms = np.linalg.lstsq(model, protein[gene].to_numpy()[seen], rcond=None)[0]
        assert found.loc[gene, "shift"] == pytest.approx(terms[at])
        assert found.loc[gene, "slope"] == pytest.approx(terms[-1])
        assert found.loc[gene, "n"] == seen.sum()


def test_planted_shifts_are_found_and_proteins_that_follow_their_rna_are_not():
    rna, protein, design = paired(600, 2)
    found = translation_shifts(rna, protein, design)
    assert (found["q"].iloc[:10] < 0.05).sum() >= 9
    assert 0.03 < (found["p"].iloc[10:] < 0.05).mean() < 0.07
    # the same proteins change, most of them, because their RNA does
    assert (fit_contrast(protein, design)["q"].iloc[10:] < 0.05).mean() > 0.2


def test_genes_without_enough_pairs_or_without_varying_rna_are_not_tested():
    rna, protein, design = paired(30, 3)
    rna["g000"] = 5.0
    protein.loc[design.samples[2:], "g001"] = np.nan
    found = translation_shifts(rna, protein, design)
    assert found.loc["g000", "status"] == "not_estimable"
    assert found.loc["g001", "status"] == "too_few"
    assert found.loc[["g000", "g001"], "p"].isna().all()


def test_layers_without_a_common_sample_are_refused():
    rna, protein, design = paired(5, 4)
    with pytest.raises(AlignmentError, match="no sample has RNA and protein"):
        translation_shifts(rna.add_prefix("r_", axis=0), protein, design)
