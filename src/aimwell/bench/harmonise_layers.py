"""Bars across layers and cohorts: discordance, swapped samples, and summaries instead of data.

The simulated cohorts here have the seeds 0 to 9, those with swapped samples 20 to 29: nothing was
tuned on them. The measure of likeness was chosen on the colon pairs among others, so that row is
no test of it.
"""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from aimwell.bench.bars import Bar, bar
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.design import build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.discordance import compare_layers
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.meta import combine_cohorts, read_summary, summarise_contrast, write_summary
from aimwell.cohorts.shrinkage import shrink_effects
from aimwell.cohorts.swaps import compare_samples
from aimwell.config import ContrastSettings

SEEDS: Final = range(10)
SWAP_SEEDS: Final = range(20, 30)
COLON: Final = "cohorts/cptac_coad"
_Pairs = tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
CALLED: Final = ("rna_only", "protein_only", "opposite")
_GENES, _SUBJECTS, _COMPRESSION = 2000, 60, 0.6


def simulate_layers(seed: int) -> tuple[Cohort, pd.DataFrame]:
    """Simulate RNA and protein of the same subjects, two arms of 30.

    A fifth of the genes changes in both layers (protein by ``_COMPRESSION`` of the RNA), a fifth
    in RNA only, protein only, or in opposite directions; a quarter of the proteins misses three
    fifths of its values, and those are measured less precisely.

    Returns:
        The cohort and, per gene, ``discordant`` and ``low_coverage``.
    """
    rng = np.random.default_rng([seed, 4])
    ids = [f"s{i:03d}" for i in range(_SUBJECTS)]
    genes = [f"HGNC:{i:05d}" for i in range(_GENES)]
    case = np.arange(_SUBJECTS) % 2 == 0
    kind = rng.choice(
        ["null", "both", "rna", "protein", "opposite"], _GENES, p=[0.6, 0.2] + [0.2 / 3] * 3
    )
    size = rng.uniform(0.6, 1.8, _GENES) * rng.choice([-1, 1], _GENES)
    slope = np.select([kind == "both", kind == "opposite"], [_COMPRESSION, -_COMPRESSION], 0.0)
    in_rna = np.where(np.isin(kind, ["both", "rna", "opposite"]), size, 0.0)
    in_protein = slope * size + np.where(kind == "protein", size * _COMPRESSION, 0.0)
    low = rng.random(_GENES) < 0.25
    shared = rng.normal(0, 0.3, (_SUBJECTS, _GENES))
    rna = 8 + case[:, None] * in_rna + shared + rng.normal(0, 0.4, shared.shape)
    noise = np.where(low, 0.6, 0.35) * rng.normal(0, 1, shared.shape)
    protein = case[:, None] * in_protein + _COMPRESSION * shared + noise
    protein[rng.random(protein.shape) < np.where(low, 0.6, 0.05)] = np.nan
    arm = np.where(case, "case", "control")
    sheet = pd.DataFrame({"subject": ids, "arm": arm}, index=ids)
    layers = {
        "rna": Layer("rna", "rna", "log2", pd.DataFrame(rna, ids, genes)),
        "protein": Layer("protein", "protein", "log2_ratio", pd.DataFrame(protein, ids, genes)),
    }
    truth = {"discordant": np.isin(kind, ["rna", "protein", "opposite"]), "low_coverage": low}
    return Cohort(layers, sheet), pd.DataFrame(truth, index=genes)


def discordance_bars() -> Iterator[Bar]:
    """Find planted disagreement of RNA and protein through the whole of ``harmonise``."""
    contrasts = tuple(ContrastSettings(k, k, "arm", "case", "control") for k in ("rna", "protein"))
    areas, false_rates, low_rates, found_rates = [], [], [], []
    for seed in SEEDS:
        cohort, truth = simulate_layers(seed)
        evidence = harmonise(cohort, contrasts)[0]
        z = evidence.across["discordance"].abs()
        seen = z.notna().to_numpy()
        real, low = truth["discordant"].to_numpy(), truth["low_coverage"].to_numpy()
        called = evidence.across["discordance_class"].isin(CALLED).to_numpy()
        ranks = stats.rankdata(z[seen])
        n_real = int(real[seen].sum())
        above = ranks[real[seen]].sum() - n_real * (n_real + 1) / 2
        areas.append(above / (n_real * (seen.sum() - n_real)))
        false_rates.append((called & ~real).sum() / max(called.sum(), 1))
        low_rates.append((called & ~real & low).sum() / max((low & ~real).sum(), 1))
        found_rates.append((called & real).sum() / real.sum())
    name = "discordance, 10 simulated cohorts"
    yield bar(f"{name}: mean AUC of planted disagreement", np.mean(areas), "", ">= 0.85")
    yield bar(f"{name}: mean share of calls that are false", np.mean(false_rates), "", "<= 0.1")
    yield bar(f"{name}: false calls among low-coverage genes", np.mean(low_rates), "", "<= 0.05")
    yield bar(f"{name}: planted disagreements that are called", np.mean(found_rates), "")
    yield bar("discordance: signs that flip when layers are swapped", _flipped(), "share", "== 1")


def _flipped() -> float:
    rng = np.random.default_rng(5)
    b = rng.normal(0, 1, 1000)
    rna_effect, protein_effect = b + rng.normal(0, 0.2, 1000), 0.6 * b + rng.normal(0, 0.2, 1000)
    layers = []
    for effect in (rna_effect, protein_effect):
        lfsr = shrink_effects(effect, np.full(1000, 0.2)).lfsr
        layers.append(pd.DataFrame({"log2_fold_change": effect, "se": 0.2, "lfsr": lfsr}))
    rna, protein = layers
    forth, back = compare_layers(rna, protein), compare_layers(protein, rna)
    z, mirrored = forth.table["discordance"], back.table["discordance"]
    return float(np.mean(np.sign(z) == -np.sign(mirrored)))


def swap_bars(data: str) -> Iterator[Bar]:
    """Find samples of which a twentieth was exchanged; on the colon cohort too with ``data``."""
    cohorts: dict[str, Callable[[int], _Pairs]] = {"simulated, 60 pairs": _simulated_pairs}
    if data and (Path(data) / COLON).is_dir():
        colon = _colon_pairs(Path(data) / COLON)
        cohorts["CPTAC colon"] = lambda seed: colon  # noqa: ARG005  the same cohort, other draws
    for name, make in cohorts.items():
        right = found = planted = 0
        for seed in SWAP_SEEDS:
            rna, protein, sheet = make(seed)
            rng = np.random.default_rng([seed, 5])
            chosen = rng.choice(len(rna), max(round(len(rna) * 0.05), 2), replace=False)
            order = np.arange(len(rna))
            order[chosen] = np.roll(chosen, 1)
            swapped = rna.iloc[order].set_axis(rna.index)
            suspects = {s.rna for s in compare_samples(swapped, protein, sheet).suspects}
            truth = set(rna.index[chosen])
            right, found = right + len(suspects & truth), found + len(suspects)
            planted += len(truth)
        what = f"swapped samples, 5 % planted, {name}, 10 draws"
        yield bar(f"{what}: recall", right / planted, "", ">= 0.9")
        yield bar(f"{what}: precision", right / max(found, 1), "", ">= 0.9")


def _simulated_pairs(seed: int) -> _Pairs:
    cohort, _ = simulate_layers(seed)
    return cohort.layers["rna"].values, cohort.layers["protein"].values, cohort.samples


def _colon_pairs(folder: Path) -> _Pairs:
    rna, protein = (
        pd.read_csv(folder / name, sep="\t", index_col=0).T
        for name in ("transcriptomics.gz", "proteomics_tumor.cct.gz")
    )
    both = rna.index.intersection(protein.index).sort_values()
    return rna.loc[both], protein.loc[both], pd.DataFrame({"subject": both}, index=both)


def federated_bars(data: str) -> Iterator[Bar]:
    """Combine two halves of a cohort from their data, and from what they would send."""
    if data and (Path(data) / COLON).is_dir():
        name, values = "CPTAC colon", _colon_pairs(Path(data) / COLON)[1]
    else:
        name, values = "simulated", _simulated_pairs(0)[1]
    arm = np.where(np.random.default_rng(3).permutation(len(values)) % 2, "case", "control")
    sheet = pd.DataFrame({"subject": values.index, "arm": arm}, index=values.index)
    contrast = ContrastSettings("c", "protein", "arm", "case", "control")
    here: dict[str, pd.DataFrame] = {}
    there: dict[str, pd.DataFrame] = {}
    with tempfile.TemporaryDirectory() as folder:
        for site, part in (("a", values.index[::2]), ("b", values.index[1::2])):
            table = fit_contrast(values.loc[part], build_design(sheet, part, contrast))
            here[site] = summarise_contrast(table)
            write_summary(Path(folder) / f"{site}.tsv", here[site])
            there[site] = read_summary(Path(folder) / f"{site}.tsv")
    one, other = (combine_cohorts(x).select_dtypes("number") for x in (here, there))
    gap = float(np.nanmax(np.abs(one.to_numpy(float) - other.to_numpy(float))))
    yield bar(f"federated, halves of {name}: largest difference", gap, "", "<= 1e-10")
