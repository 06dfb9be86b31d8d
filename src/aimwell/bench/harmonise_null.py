"""Bars of calibration: cohorts in which nothing happens, and the trap of correcting first."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.bench.bars import Bar, bar
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.pictures import remove_batch
from aimwell.config import ContrastSettings

PERMUTATIONS: Final = 100
COLON: Final = "cohorts/cptac_coad"
_PLAIN: Final = ContrastSettings("null", "rna", "arm", "x", "y")
_BATCH: Final = ContrastSettings(
    "null", "rna", "arm", "x", "y", batch="batch", accept_confounding=True
)


def null_bars(data: str) -> Iterator[Bar]:
    """Test permuted labels on the colon cohort, or on simulated values without ``data``."""
    real = bool(data) and (Path(data) / COLON).is_dir()
    name = "CPTAC colon" if real else "simulated"
    for layer, values in (_colon(Path(data) / COLON) if real else _simulated()).items():
        share = np.mean([_permuted(values, seed) for seed in range(PERMUTATIONS)])
        what = f"null, {PERMUTATIONS} label permutations of {name} {layer}: P(p < .05)"
        yield bar(what, float(share), "", "0.045 to 0.055")
        if layer != "rna":
            continue
        for first in (10, 15, 18, 19):
            rates = np.mean([_unbalanced(values, first, s) for s in range(PERMUTATIONS)], axis=0)
            what = f"null, batches {first}/{20 - first}: P(p < .05)"
            yield bar(f"{what}, batch in the model", rates[0], "", "0.04 to 0.06")
            limit = ">= 0.2" if first == 18 else ""
            yield bar(f"{what}, corrected first and then tested (trap)", rates[1], "", limit)


def _colon(folder: Path) -> dict[str, pd.DataFrame]:
    rna = pd.read_csv(folder / "transcriptomics.gz", sep="\t", index_col=0).T
    protein = pd.read_csv(folder / "proteomics_tumor.cct.gz", sep="\t", index_col=0).T
    unique = [t.loc[:, ~t.columns.duplicated()].sort_index(axis=1) for t in (rna, protein)]
    # every fourth gene: the level needs draws of labels, not genes
    return {"rna": unique[0].iloc[:, ::4], "protein": unique[1].iloc[:, ::4]}


def _simulated() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(11)
    values = rng.normal(8, 1, (100, 2000)) + rng.normal(0, 0.3, (100, 5)) @ rng.normal(
        0, 1, (5, 2000)
    )
    ids = [f"s{i:03d}" for i in range(100)]
    table = pd.DataFrame(values, ids, [f"g{i:04d}" for i in range(2000)])
    return {"rna": table, "protein": table.mask(rng.random(values.shape) < 0.2)}


def _permuted(values: pd.DataFrame, seed: int) -> float:
    arms = np.random.default_rng([seed, 1]).permutation(np.arange(len(values)) % 2)
    sheet = pd.DataFrame(
        {"subject": values.index, "arm": np.where(arms, "x", "y")}, index=values.index
    )
    return _share(fit_contrast(values, build_design(sheet, sheet.index, _PLAIN), trend=True))


def _unbalanced(values: pd.DataFrame, first: int, seed: int) -> tuple[float, float]:
    """Put ``first`` of 20 cases and the others of 20 controls into batch 1, which shifts genes."""
    rng = np.random.default_rng([seed, first])
    drawn = values.iloc[np.sort(rng.choice(len(values), 40, replace=False))]
    rest = 20 - first
    batch = ["1"] * first + ["2"] * rest + ["1"] * rest + ["2"] * first
    order = rng.permutation(40)
    sheet = pd.DataFrame({"subject": drawn.index}, index=drawn.index)
    sheet["arm"] = np.array(list("x" * 20 + "y" * 20))[order]
    sheet["batch"] = np.array(batch)[order]
    shift = rng.normal(0, 1, drawn.shape[1]) * (sheet["batch"] == "2").to_numpy()[:, None]
    shifted = drawn + shift
    honest = build_design(sheet, sheet.index, _BATCH)
    plain: Design = build_design(sheet, sheet.index, _PLAIN)
    # what the tests refuse to take; here the number shows why
    corrected = remove_batch(shifted, honest).picture
    return _share(fit_contrast(shifted, honest)), _share(fit_contrast(corrected, plain))


def _share(table: pd.DataFrame) -> float:
    p = table["p"].dropna()
    return float((p < 0.05).mean())
