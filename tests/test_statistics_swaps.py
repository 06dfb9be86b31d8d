"""Planted swaps between RNA and protein are found, and nothing where there is none."""

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.swaps import check_swaps, compare_samples
from aimwell.config import ContrastSettings

Layers = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]


def paired(n: int, seed: int, swapped: list[int] | None = None, genes: int = 900) -> Layers:
    """Layers that share a signal of median gene-wise correlation .4; ``swapped`` is a cycle."""
    rng = np.random.default_rng(seed)
    ids = [f"s{i:03d}" for i in range(n)]
    signal = rng.normal(0, 1, (n, 12)) @ rng.normal(0, 0.3, (12, genes))
    signal += rng.normal(0, 0.6, (n, genes))
    share = rng.beta(2, 2, genes)
    r = signal + rng.normal(0, 0.7, (n, genes))
    p = share * signal + rng.normal(0, 0.6, (n, genes))
    order = np.arange(n)
    if swapped:
        order[swapped] = np.roll(swapped, 1)
    p[rng.random(p.shape) < 0.1] = np.nan
    names = [f"HGNC:{i}" for i in range(genes)]
    sheet = pd.DataFrame({"subject": ids, "arm": list("xy") * (n // 2)}, index=ids)
    return pd.DataFrame(r[order], ids, names), pd.DataFrame(p, ids, names), sheet


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n", [60, 100])
def test_planted_swaps_are_found_and_nothing_else(n, seed):
    planted = sorted(np.random.default_rng(seed).choice(n, n // 20, replace=False))
    found = compare_samples(*paired(n, seed, [int(i) for i in planted]))
    assert found.verdict == "suspected"
    assert [s.rna for s in found.suspects] == [f"s{i:03d}" for i in planted]
    assert {s.looks_like for s in found.suspects} == {s.protein for s in found.suspects}


@pytest.mark.parametrize("seed", range(5))
def test_samples_in_their_place_are_never_suspected(seed):
    found = compare_samples(*paired(40, seed))
    assert (found.verdict, found.suspects) == ("clean", ())
    assert found.recognised == 1


def test_two_samples_that_changed_places_name_each_other():
    found = compare_samples(*paired(30, 2, [4, 17]))
    assert [(s.rna, s.looks_like) for s in found.suspects] == [("s004", "s017"), ("s017", "s004")]
    assert all(s.own < 2 < s.other for s in found.suspects)


def test_layers_that_have_nothing_in_common_are_undetermined():
    rna, _, sheet = paired(40, 1)
    _, protein, _ = paired(40, 2)
    found = compare_samples(rna, protein, sheet)
    assert (found.verdict, found.suspects) == ("undetermined", ())
    assert "more alike than strangers" in found.why


def test_the_order_of_samples_and_genes_does_not_matter():
    rna, protein, sheet = paired(40, 3, [1, 2, 3])
    first = compare_samples(rna, protein, sheet)
    second = compare_samples(
        rna.sample(frac=1, random_state=1).sample(frac=1, axis=1, random_state=2),
        protein.sample(frac=1, random_state=3),
        sheet.sample(frac=1, random_state=4),
    )
    assert first == second


def test_tumour_and_normal_of_one_subject_are_paired_by_the_columns_of_the_contrasts():
    rna, protein, sheet = paired(40, 5)
    sheet["subject"] = [f"p{i // 2:02d}" for i in range(40)]
    cohort = Cohort(
        {
            "rna": Layer("rna", "rna", "log2", rna),
            "protein": Layer("protein", "protein", "log2_ratio", protein),
        },
        sheet,
    )
    by_arm = check_swaps(cohort, [ContrastSettings("c", "rna", "arm", "x", "y")])
    assert (by_arm[0].pairs, by_arm[0].verdict) == (40, "clean")
    blind = check_swaps(cohort, [ContrastSettings("c", "rna", "subject", "x", "y")])
    assert (blind[0].pairs, blind[0].verdict) == (0, "undetermined")


def test_a_swap_is_found_in_counts_and_intensities_too():
    rna, protein, sheet = paired(40, 6, [7, 8])
    layers = {
        "rna": Layer("rna", "rna", "counts", (2 ** (rna + 8)).round()),
        "protein": Layer("protein", "protein", "intensity", 2 ** (protein + 20)),
    }
    found = check_swaps(Cohort(layers, sheet), [])
    assert [s.rna for s in found[0].suspects] == ["s007", "s008"]
