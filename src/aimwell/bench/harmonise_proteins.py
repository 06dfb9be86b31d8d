"""Bars of proteins with known truth: spike-ins of two public studies, and simulated ones.

Every pipeline gets the same proteins (peptides rolled up by median polish), on one level by the
median unless a third of them changes. ``aimwell`` keeps missing values missing and moderates
variances by the number of peptides where that is known. The others are what the field does:
Welch's test on what is there; imputation by a down-shifted normal and an ordinary t-test (the way
of Perseus), by draws from the low tail and a moderated t-test (MinProb), or by the smallest value
of the sample and a moderated t-test.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from aimwell.bench.bars import Bar, bar
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.detection import compare_detection
from aimwell.cohorts.differential import adjust_p, fit_linear, moderate
from aimwell.cohorts.normalise import normalise
from aimwell.cohorts.rollup import roll_up
from aimwell.config import ContrastSettings
from aimwell.errors import ConfigError

FOLDER: Final = "proteomics_formats"
SEEDS: Final = range(20)
MAX_Q: Final = 0.05
#: Of the spiked proteins, so many are absent from the controls; the others are twofold up.
PROTEINS, SPIKED, ABSENT, PER_ARM = 1000, 100, 20, 6
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Truth:
    """Log2 values with known changes.

    Attributes:
        values: Samples × proteins, log2, NaN is missing.
        arms: Arm of every sample, ``case`` or ``control``.
        changed: Which proteins truly change.
        expected: Their log2 fold change, NaN where there is none to find.
        peptides: Peptides of every protein; empty where not known.
        normalise: How the samples are brought to one level.
    """

    values: pd.DataFrame
    arms: "pd.Series[str]"
    changed: "pd.Series[bool]"
    expected: "pd.Series[float]"
    peptides: "pd.Series[float]"
    normalise: str = "median"


@dataclass(frozen=True)
class Score:
    """How a pipeline did at q < 0.05, and how far its fold changes of spiked proteins were off."""

    true: int
    false: int
    error: float

    @property
    def false_share(self) -> float:
        """Share of the discoveries that are false; 0 without any."""
        return self.false / max(self.true + self.false, 1)


def measure(data: str) -> Iterator[Bar]:
    """Measure proteins with known truth; ``data`` adds the public studies.

    Raises:
        ConfigError: ``data`` has no folder of them.
    """
    if data:
        folder = Path(data) / FOLDER
        if not folder.is_dir():
            raise ConfigError(f"there is no folder '{folder}' with spike-in studies")
        yield from _study("HYE 3 v 3", hye(folder), 0)
        for case, control in (("fmol50", "fmol25"), ("fmol100", "fmol50"), ("fmol100", "fmol25")):
            yield from _study(f"UPS1 {case[4:]} v {control[4:]}", ups1(folder, case, control), 0)
    yield from simulated_bars()


def _study(name: str, truth: Truth, seed: int) -> Iterator[Bar]:
    total = int(truth.changed.sum())
    for pipeline, score in scores(truth, seed).items():
        what = f"proteins: {name}, {pipeline}"
        yield bar(f"{what}: true positives", score.true, f"of {total}")
        yield bar(f"{what}: false positives", score.false, "proteins")
        yield bar(f"{what}: error of log2FC of spiked proteins", score.error, "log2")


def simulated_bars() -> Iterator[Bar]:
    """Simulate spike-ins with values missing at random and by intensity, and hold q to its word."""
    found: dict[str, list[Score]] = {}
    sided: list[tuple[int, int]] = []
    for seed in SEEDS:
        truth = simulate_spike_in(seed)
        for pipeline, score in scores(truth, seed).items():
            found.setdefault(pipeline, []).append(score)
        sided.append(one_sided(truth))
    for pipeline, every in found.items():
        what = f"proteins: simulated spike-ins, 20 seeds, {pipeline}"
        share = float(np.mean([s.false_share for s in every]))
        limit = "<= 0.07" if pipeline == "aimwell" else ""
        yield bar(f"{what}: empirical FDR at q < .05", share, "share", limit)
        power = float(np.mean([s.true for s in every]))
        yield bar(f"{what}: true positives, mean", power, f"of {SPIKED}")
        error = float(np.mean([s.error for s in every]))
        yield bar(f"{what}: error of log2FC of spiked proteins", error, "log2")
    true, false = (sum(pair[i] for pair in sided) for i in (0, 1))
    what = "proteins: simulated spike-ins, 20 seeds, on/off test"
    yield bar(f"{what}: proteins of one arm with q < .05 that changed", true, "proteins")
    yield bar(f"{what}: that did not", false, "proteins")


def scores(truth: Truth, seed: int) -> Mapping[str, Score]:
    """Run every pipeline on one study."""
    design = _design(truth)
    values = normalise(truth.values, truth.normalise, linear=False).loc[design.samples]
    rng = np.random.default_rng(seed)
    fills: dict[str, Callable[[], pd.DataFrame]] = {
        "Perseus-like": lambda: _downshift(values, rng),
        "MinProb": lambda: _low_tail(values, rng),
        "smallest value": lambda: values.apply(lambda row: row.fillna(row.min()), axis=1),
    }
    counts = truth.peptides if truth.peptides.size else None
    made = {"aimwell": _moderated(values, design, counts)}
    if counts is not None:
        made["aimwell without peptide counts"] = _moderated(values, design, None)
    made["Welch"] = _t_test(values, design, equal=False)
    for name, fill in fills.items():
        whole = fill()
        imputed = _t_test(whole, design, equal=True)
        made[name] = imputed if name == "Perseus-like" else _moderated(whole, design, None)
    return {name: _score(table, truth) for name, table in made.items()}


def one_sided(truth: Truth) -> tuple[int, int]:
    """Count the proteins of one arm that the detection test calls, changed and not."""
    found = compare_detection(truth.values, _design(truth))
    called = (found["detection"] != "") & (found["detection_q"] < MAX_Q)
    changed = truth.changed.reindex(found.index)
    return int((called & changed).sum()), int((called & ~changed).sum())


def _design(truth: Truth) -> Design:
    sheet = pd.DataFrame({"subject": truth.arms.index, "arm": truth.arms}, index=truth.arms.index)
    settings = ContrastSettings("truth", "protein", "arm", "case", "control")
    return build_design(sheet, truth.values.index, settings)


def _score(table: pd.DataFrame, truth: Truth) -> Score:
    changed = truth.changed.reindex(table.index).to_numpy(bool)
    hit = (table["q"] < MAX_Q).to_numpy() & (~changed | (table["effect"] > 0).to_numpy())
    off = table["effect"] - truth.expected.reindex(table.index)
    error = float(np.sqrt((off**2).mean()))
    return Score(int((hit & changed).sum()), int((hit & ~changed).sum()), error)


def _moderated(
    values: pd.DataFrame, design: Design, peptides: "pd.Series[float] | None"
) -> pd.DataFrame:
    table = moderate(fit_linear(values, design), design, peptides=peptides)
    return table[["q"]].assign(effect=table["log2_fold_change"])


def _t_test(values: pd.DataFrame, design: Design, *, equal: bool) -> pd.DataFrame:
    case, control = values[design.is_case], values[~design.is_case]
    enough = ((case.notna().sum() >= 2) & (control.notna().sum() >= 2)).to_numpy()
    a, b = case.loc[:, enough], control.loc[:, enough]
    with np.errstate(invalid="ignore", divide="ignore"):
        found = stats.ttest_ind(a, b, equal_var=equal, nan_policy="omit")
    p = np.full(values.shape[1], np.nan)
    p[enough] = np.asarray(found.pvalue, float)
    effect = (case.mean() - control.mean()).where(enough)
    return pd.DataFrame({"q": adjust_p(p), "effect": effect}, index=values.columns)


def _downshift(values: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Fill every sample by a normal 1.8 sd below its mean, 0.3 sd wide."""
    array = values.to_numpy(float).copy()
    for row in array:
        gone = np.isnan(row)
        mean, sd = float(np.nanmean(row)), float(np.nanstd(row, ddof=1))
        row[gone] = rng.normal(mean - 1.8 * sd, 0.3 * sd, int(gone.sum()))
    return pd.DataFrame(array, values.index, values.columns)


def _low_tail(values: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Fill every sample by a normal around its 1 % quantile, as wide as the median protein."""
    array = values.to_numpy(float).copy()
    width = float(np.nanmedian(values.std()))
    for row in array:
        gone = np.isnan(row)
        row[gone] = rng.normal(float(np.nanquantile(row, 0.01)), width, int(gone.sum()))
    return pd.DataFrame(array, values.index, values.columns)


def hye(folder: Path) -> Truth:
    """Read the two-species mixture: E. coli proteins threefold, human ones equal, 3 v 3."""
    values = pd.read_csv(folder / "hye_log2_maxlfq.tsv", sep="\t", index_col=0).T
    coli = set((folder / "hye_ecoli_accessions.txt").read_text(encoding="utf-8").split())
    members = {c: {a.split("-")[0] in coli for a in c.split(";")} for c in values.columns}
    clear = [c for c in sorted(values.columns) if len(members[c]) == 1]
    changed = pd.Series([True in members[c] for c in clear], index=clear)
    arms = pd.Series({s: "case" if s.startswith("H") else "control" for s in sorted(values.index)})
    ready = values.loc[arms.index, clear]
    ready = ready.loc[:, ready.notna().any()]
    # the program has normalised them already, and where a third changes no median may stand still
    spiked = changed[ready.columns]
    expected = spiked.map({True: 1.58, False: np.nan})
    return Truth(ready, arms, spiked, expected, pd.Series(dtype=float), "none")


def ups1(folder: Path, case: str, control: str) -> Truth:
    """Read the dilution series of 48 human proteins in a constant background, 4 v 4."""
    peptides = pd.read_csv(folder / "ups1_peptides.csv.gz", index_col=0).T
    owner = pd.Series([c.rsplit("--", 1)[0] for c in peptides.columns], index=peptides.columns)
    level = pd.Series([str(s).split("_")[0] for s in peptides.index], index=peptides.index)
    used = peptides[level.isin([case, control]).to_numpy()]
    made = roll_up(used.mask(used == 0).transform(np.log2), owner)
    changed = pd.Series(made.values.columns.str.contains("ups"), index=made.values.columns)
    arms = level[made.values.index].map({case: "case", control: "control"})
    expected = changed.map({True: np.log2(int(case[4:]) / int(control[4:])), False: np.nan})
    return Truth(made.values, arms, changed, expected, made.peptides)


def simulate_spike_in(seed: int) -> Truth:
    """Simulate peptides of spiked and other proteins, 6 v 6, rolled up.

    Proteins differ in abundance, number of peptides and variance; 8 % are twofold up, 2 % absent
    from the controls. A peptide's value is missing at random (5 %) and the more often the less
    there is.
    """
    rng = np.random.default_rng([seed, 4])
    count = 1 + rng.geometric(0.25, PROTEINS).clip(max=25)
    samples = [f"s{i}" for i in range(2 * PER_ARM)]
    arms = pd.Series(["case", "control"] * PER_ARM, index=samples)
    names = np.array([f"P{i:04d}" for i in range(PROTEINS)])
    changed = np.arange(PROTEINS) < SPIKED
    level = rng.normal(24, 2, PROTEINS)
    # biological variance of the protein, drawn as the moderated model says, and noise per peptide
    sd = np.sqrt(0.03 * 6 / rng.chisquare(6, PROTEINS))
    truth = level[:, None] + rng.normal(0, 1, (PROTEINS, len(samples))) * sd[:, None]
    truth += np.outer(changed, arms == "case")
    owner = np.repeat(np.arange(PROTEINS), count)
    values = truth[owner] + rng.normal(0, 1.5, len(owner))[:, None]
    values += rng.normal(0, 0.25, values.shape) + rng.normal(0, 0.2, len(samples))
    lost = stats.norm.cdf((20.0 - values) / 1.5)
    values[rng.random(values.shape) < lost] = np.nan
    values[rng.random(values.shape) < 0.05] = np.nan
    absent = owner < ABSENT
    values[np.ix_(absent, (arms == "control").to_numpy())] = np.nan
    ids = [f"p{i:05d}" for i in range(len(owner))]
    frame = pd.DataFrame(values.T, samples, ids)
    frame = frame.loc[:, frame.notna().any()]
    made = roll_up(frame, pd.Series(names[owner], index=ids)[frame.columns])
    known = pd.Series(changed, index=names)[made.values.columns]
    there = np.where(changed & (np.arange(PROTEINS) >= ABSENT), 1.0, np.nan)
    expected = pd.Series(there, index=names)[made.values.columns]
    return Truth(made.values, arms, known, expected, made.peptides)
