"""Bars of cohorts: the numbers of the originals in R, calibration, known truth, speed.

Bars that need public data are left out without ``--data``. Moderation uses the moment estimator of
limma up to 3.5x for the prior, and voom its fixed span of .5.
"""

import importlib
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.bench.bars import Bar, bar
from aimwell.bench.harmonise_gate import gate_bars
from aimwell.bench.harmonise_layers import discordance_bars, federated_bars, swap_bars
from aimwell.bench.harmonise_null import null_bars
from aimwell.bench.harmonise_speed import repeat_bars, speed_bars
from aimwell.cohorts.counts import tmm_factors, voom
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.formulas import fit_model
from aimwell.cohorts.terms import build_model
from aimwell.config import ContrastSettings
from aimwell.errors import ConfigError
from aimwell.pipeline.workers import one_thread

REFERENCE: Final = "reference/gse60450"
#: Made from random numbers, test data, so this part needs a checkout of the project.
FIXTURE: Final = Path(__file__).parents[3] / "tests" / "data" / "statistics"
#: Name in the table of limma, formula, what is tested, and the limit; the correlation of random
#: blocks is found by a search, which ends at 1e-5.
MODELS: Final = (
    ("groups", "~ arm + sex", "arm", "<= 1e-8"),
    ("slope", "~ sex + dose", "dose", "<= 1e-8"),
    ("interaction", "~ arm * sex", "arm:sex", "<= 1e-8"),
    ("block", "~ dose", "dose", "<= 1e-3"),
)
TOP_VOOM, TOP_DESEQ2 = 500, 1000


def measure(data: str) -> Iterator[Bar]:
    """Measure every bar of cohorts; ``data`` adds those that need public files.

    Raises:
        ConfigError: ``data`` has no numbers of R.
    """
    with one_thread():  # small matrices gain nothing from threads that wait for each other
        yield from _measure(data)


def _measure(data: str) -> Iterator[Bar]:
    yield from missing_bars(FIXTURE)
    yield from model_bars(FIXTURE)
    if data:
        folder = Path(data) / REFERENCE
        if not folder.is_dir():
            raise ConfigError(
                f"there is no folder '{folder}' with the numbers of R to hold against"
            )
        yield from parity_bars(folder)
    yield from gate_bars()
    yield from discordance_bars()
    yield from swap_bars(data)
    yield from federated_bars(data)
    yield from null_bars(data)
    if importlib.util.find_spec("aimwell.bench.harmonise_proteins"):
        proteins: Callable[[str], Iterator[Bar]] = importlib.import_module(
            "aimwell.bench.harmonise_proteins"
        ).measure
        yield from proteins(data)
    yield from repeat_bars()
    yield from speed_bars(data)


def parity_bars(folder: Path) -> Iterator[Bar]:
    """Hold moderation, TMM and voom against the stored tables of limma, edgeR and DESeq2."""
    design = _design(folder)
    counts, logs = (_read(folder / f"{n}.csv.gz").T for n in ("counts", "logcpm"))
    for name, limit in (("plain", "<= 1e-8"), ("trend", "<= 1e-3"), ("robust", "")):
        wanted = _read(folder / f"{name}.csv.gz")
        table = fit_contrast(logs, design, trend=name == "trend", robust=name == "robust")
        found = table.loc[wanted.index]
        log_p = np.log10(wanted["P.Value"])
        change = np.abs(found["log2_fold_change"] - wanted["logFC"]).max()
        if name == "plain":
            yield bar("limma 3.54, plain: max abs Δ log2FC", change, "", "<= 1e-10")
        gap = np.abs(found["log10_p"] - log_p).max()
        yield bar(f"limma 3.54, {name}: max abs Δ log10 p", gap, "", limit)
        if name == "robust":
            together = np.corrcoef(found["log10_p"], log_p)[0, 1]
            yield bar("limma 3.54, robust: r(−log10 p)", together, "", ">= 0.9999")
    factors = tmm_factors(counts).to_numpy()
    wanted_factors = pd.read_csv(folder / "tmm_factors.csv")["nf"].to_numpy()
    gap = np.abs(factors / wanted_factors - 1).max()
    yield bar("edgeR 3.40, TMM: max relative difference", gap, "", "<= 1e-10")
    ready = voom(counts, design)
    table = fit_contrast(ready.values, design, ready.weights)
    yield from _voom_bars(table, _read(folder / "voom.csv.gz"))
    yield from _deseq2_bars(table, _read(folder / "deseq2.csv.gz"))


def _voom_bars(table: pd.DataFrame, wanted: pd.DataFrame) -> Iterator[Bar]:
    found, log_p = table.loc[wanted.index], np.log10(wanted["P.Value"])
    name = "limma 3.54, voom with its fixed span .5"
    together = np.corrcoef(found["log10_p"], log_p)[0, 1]
    yield bar(f"{name}: r(−log10 p)", together, "", ">= 0.9999")
    top = _overlap(found["log10_p"], log_p, TOP_VOOM)
    yield bar(f"{name}: top-500 overlap", top, "genes", ">= 495")
    share = _jaccard(found.index[found["q"] < 0.05], wanted.index[wanted["adj.P.Val"] < 0.05])
    yield bar(f"{name}: Jaccard(q < .05)", share, "", ">= 0.995")


def _deseq2_bars(table: pd.DataFrame, wanted: pd.DataFrame) -> Iterator[Bar]:
    wanted = wanted[wanted["pvalue"].notna()]
    found = table.loc[wanted.index]
    name = "DESeq2 1.38 against voom"
    together = np.corrcoef(found["log2_fold_change"], wanted["log2FoldChange"])[0, 1]
    yield bar(f"{name}: r(log2FC)", together, "", ">= 0.985")
    top = _overlap(found["log10_p"], wanted["pvalue"], TOP_DESEQ2)
    yield bar(f"{name}: top-1000 overlap", top, "genes", ">= 850")
    ours, theirs = found.index[found["q"] < 0.05], wanted.index[wanted["padj"] < 0.05]
    yield bar(f"{name}: Jaccard(q < .05)", _jaccard(ours, theirs), "", ">= 0.91")
    both = ours.intersection(theirs)
    same = np.sign(found["log2_fold_change"][both]) == np.sign(wanted["log2FoldChange"][both])
    yield bar(f"{name}: same sign where both significant", same.mean(), "share", "== 1")


def missing_bars(folder: Path) -> Iterator[Bar]:
    """Hold tests with a fifth of the values missing against limma.

    Raises:
        ConfigError: The numbers of R are missing.
    """
    if not (folder / "missing_limma.csv").is_file():
        raise ConfigError(f"there is no '{folder}/missing_limma.csv'; run this in a checkout")
    values = pd.read_csv(folder / "missing_values.csv", index_col=0)
    sheet = pd.read_csv(folder / "missing_samples.csv", index_col=0)
    wanted = pd.read_csv(folder / "missing_limma.csv")
    for model in ("batch", "paired"):
        batch, subject = ("batch", "") if model == "batch" else ("", "subject")
        contrast = ContrastSettings(
            "c", "protein", "arm", "case", "control", subject=subject, batch=batch
        )
        table = fit_contrast(values, build_design(sheet, sheet.index, contrast))
        reference = wanted[wanted["model"] == model].set_index("gene")
        gap = np.abs(table["log10_p"][reference.index] - np.log10(reference["p"])).max()
        share = values.isna().to_numpy().mean()
        name = f"limma 3.54, {share:.0%} missing, unequal df, {model}: max abs Δ log10 p"
        yield bar(name, gap, "", "<= 1e-8")


def model_bars(folder: Path) -> Iterator[Bar]:
    """Hold several groups, slopes, interactions and random blocks against limma."""
    values = pd.read_csv(folder / "designs_values.csv", index_col=0)
    sheet = pd.read_csv(folder / "designs_samples.csv", index_col=0)
    wanted = pd.read_csv(folder / "designs_limma.csv")
    for name, formula, test, limit in MODELS:
        block = sheet["subject"] if name == "block" else None
        found = fit_model(values, build_model(sheet, formula, test), block=block)
        reference = wanted[wanted["model"] == name].set_index("gene")
        gap = np.abs(np.log10(found["p"][reference.index]) - np.log10(reference["p"])).max()
        yield bar(f"limma 3.54, {formula}, {test}, {name}: max abs Δ log10 p", gap, "", limit)


def _design(folder: Path) -> Design:
    sheet = pd.read_csv(folder / "samples.csv", index_col=0)
    sheet["subject"] = sheet.index
    contrast = ContrastSettings("c", "rna", "cell", "luminal", "basal", covariates=("stage",))
    return build_design(sheet, sheet.index, contrast)


def _read(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, index_col=0)
    return table.set_axis(table.index.astype(str))


def _overlap(one: pd.Series, other: pd.Series, top: int) -> int:
    return len(one.nsmallest(top).index.intersection(other.nsmallest(top).index))


def _jaccard(one: pd.Index, other: pd.Index) -> float:
    return len(one.intersection(other)) / max(len(one.union(other)), 1)
