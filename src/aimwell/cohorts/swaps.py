"""Samples whose RNA and protein may belong to different people.

Each RNA sample should look most like the protein sample of the same label, over genes in which RNA
and protein go together (the idea of MODMatcher, Yoo et al. 2014, PLoS Comput Biol 10:e1003790).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import pandas as pd
from scipy import optimize, special

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.config import ContrastSettings
from aimwell.config.formula import compared_columns
from aimwell.errors import CohortError

MIN_PAIRS: Final = 12
MIN_GENES: Final = 50
#: Genes in which RNA and protein go together best, and the share of pairs that must have both.
TOP_GENES: Final = 1500
MIN_SEEN: Final = 0.7
#: Genes are chosen without the pairs that they judge, in this many parts.
PARTS: Final = 5
SUSPICIOUS_P: Final = 0.05
#: Below this, in standard deviations of strangers, partners do not know each other at all.
RECOGNISED: Final = 2.5

SwapVerdict = Literal["clean", "suspected", "undetermined"]


@dataclass(frozen=True)
class Suspect:
    """A pair of samples whose RNA looks like the protein of another sample.

    Attributes:
        rna, protein: Samples of one label.
        looks_like: The protein sample that the RNA resembles.
        own, other: Likeness to the labelled and to the other one, in standard deviations of
            samples that have nothing to do with each other.
        p: Chance that a stranger looks as much alike, over all strangers of the sample.
    """

    rna: str
    protein: str
    looks_like: str
    own: float
    other: float
    p: float


@dataclass(frozen=True)
class SwapCheck:
    """Whether paired samples of two layers recognise each other.

    Attributes:
        rna_layer, protein_layer: What was compared.
        pairs: Samples with both layers.
        genes: Genes compared.
        recognised: Share of the pairs in which the labelled partner is the most alike.
        verdict: ``undetermined`` where too little is there to tell.
        why: In words.
        suspects: Sorted by RNA sample.
    """

    rna_layer: str
    protein_layer: str
    pairs: int
    genes: int
    recognised: float
    verdict: SwapVerdict
    why: str
    suspects: tuple[Suspect, ...] = ()


def check_swaps(cohort: Cohort, contrasts: Iterable[ContrastSettings]) -> tuple[SwapCheck, ...]:
    """Compare every RNA layer with every protein layer of a cohort.

    Samples are paired by subject and by the columns that contrasts compare or filter by, such as
    the tissue; a label with several samples of one layer is not paired.
    """
    used = [(*compared_columns(c), *c.where) for c in contrasts]
    columns = sorted({n for names in used for n in names if n in cohort.samples.columns})
    kinds: dict[str, list[Layer]] = {"rna": [], "protein": []}
    for name in sorted(cohort.layers):
        kinds[cohort.layers[name].kind].append(cohort.layers[name])
    return tuple(
        compare_samples(
            comparable_values(r), comparable_values(p), cohort.samples, columns, (r.name, p.name)
        )
        for r in kinds["rna"]
        for p in kinds["protein"]
    )


def compare_samples(
    rna: pd.DataFrame,
    protein: pd.DataFrame,
    samples: pd.DataFrame,
    columns: Iterable[str] = (),
    names: tuple[str, str] = ("rna", "protein"),
) -> SwapCheck:
    """Look for samples whose RNA resembles the protein of another label.

    Args:
        rna, protein: Samples × genes, log scale, NaN is missing.
        samples: The sample sheet with ``subject``.
        columns: Further columns that a pair must share.
        names: Of the layers.

    Raises:
        CohortError: A measured sample without a row in the sheet.

    Example:
        >>> ids = ["s1", "s2"]
        >>> sheet = pd.DataFrame({"subject": ids}, index=ids)
        >>> values = pd.DataFrame({"g": [1.0, 2.0]}, index=ids)
        >>> compare_samples(values, values, sheet).why
        '2 pairs with both layers, at least 12 are needed'
    """
    labels_r, labels_p = (_labels(t, samples, sorted(columns)) for t in (rna, protein))
    labels = labels_r.index.intersection(labels_p.index).sort_values()
    pairs_r, pairs_p = labels_r[labels].to_numpy(str), labels_p[labels].to_numpy(str)
    n = len(labels)

    def unclear(genes: int, why: str) -> SwapCheck:
        return SwapCheck(*names, n, genes, float("nan"), "undetermined", why)

    if n < MIN_PAIRS:
        return unclear(0, f"{n} pairs with both layers, at least {MIN_PAIRS} are needed")
    genes = rna.columns.intersection(protein.columns).sort_values()
    z_r = _standardised(rna.loc[pairs_r, genes].to_numpy(float))
    z_p = _standardised(protein.loc[pairs_p, genes].to_numpy(float))
    usable = ~np.isnan(z_r + z_p).all(axis=0)
    seen = (~np.isnan(rna.loc[pairs_r, genes].to_numpy(float))) & (
        ~np.isnan(protein.loc[pairs_p, genes].to_numpy(float))
    )
    usable &= seen.mean(axis=0) >= MIN_SEEN
    if usable.sum() < MIN_GENES:
        why = f"{int(usable.sum())} genes seen in both layers of most pairs, {MIN_GENES} are needed"
        return unclear(int(usable.sum()), why)
    z_r, z_p = z_r[:, usable], z_p[:, usable]
    trusted = np.ones(n, bool)
    # once found, a swap must not choose the genes by which it is judged
    for _ in range(2):
        likeness, compared = _likeness(z_r, z_p, trusted)
        partner = optimize.linear_sum_assignment(-likeness)[1]
        own, other = np.diag(likeness), likeness[np.arange(n), partner]
        p = np.minimum(1.0, n * special.ndtr(-other))
        suspicious = (partner != np.arange(n)) & (p < SUSPICIOUS_P) & (other > own)
        trusted = ~suspicious
    middle = float(np.median(own))
    recognised = float(np.mean(likeness.argmax(axis=1) == np.arange(n)))
    if middle < RECOGNISED:
        return unclear(
            compared,
            f"partners are {middle:.1f} standard deviations more alike than strangers, at least "
            f"{RECOGNISED} are needed to tell a swap",
        )
    suspects = tuple(
        Suspect(pairs_r[i], pairs_p[i], pairs_p[partner[i]], own[i], other[i], p[i])
        for i in np.flatnonzero(suspicious)
    )
    verdict: SwapVerdict = "suspected" if suspects else "clean"
    why = f"{len(suspects)} of {n} pairs look as if RNA or protein belonged to another sample"
    return SwapCheck(
        *names, n, compared, recognised, verdict, why, tuple(sorted(suspects, key=lambda s: s.rna))
    )


def _labels(values: pd.DataFrame, samples: pd.DataFrame, columns: list[str]) -> "pd.Series[str]":
    if len(unknown := values.index.difference(samples.index)):
        raise CohortError(f"{len(unknown)} measured samples have no row in the sample sheet")
    sheet = samples.loc[values.index, ["subject", *columns]].astype(object)
    names = sheet.where(sheet.notna(), "").astype(str).agg("\x1f".join, axis=1)
    labels = pd.Series(values.index.astype(str), index=pd.Index(names.to_numpy()))
    return labels[~labels.index.duplicated(keep=False)]


def comparable_values(layer: Layer) -> pd.DataFrame:
    """Bring a layer to a log scale on which samples can be compared."""
    if layer.unit == "counts":
        size = layer.values.sum(axis=1)
        scaled = layer.values.add(0.5).div(size + 1, axis=0) * 1e6
        return pd.DataFrame(np.log2(scaled))
    if layer.unit == "intensity":
        logs = pd.DataFrame(np.log2(layer.values))
        return logs.sub(logs.median(axis=1), axis=0)
    return layer.values


def _standardised(x: np.ndarray) -> np.ndarray:
    """Centre and scale every gene; constant and unseen genes become NaN, single gaps 0."""
    seen = ~np.isnan(x)
    count = np.maximum(seen.sum(axis=0), 1)
    centred = np.where(seen, x, 0.0) - np.where(seen, np.where(seen, x, 0.0).sum(axis=0) / count, 0)
    sd = np.sqrt((centred**2).sum(axis=0) / count)
    return np.where(sd > 1e-12, centred / np.where(sd > 1e-12, sd, 1.0), np.nan)


def _likeness(z_r: np.ndarray, z_p: np.ndarray, trusted: np.ndarray) -> tuple[np.ndarray, int]:
    """Likeness of every RNA to every protein sample, in standard deviations of strangers."""
    n = len(z_r)
    cosine = np.empty((n, n))
    part = np.arange(n) % PARTS
    for k in range(PARTS):
        # genes chosen by the pairs themselves would make any two layers look alike
        teach = trusted & (part != k)
        together = (z_r[teach] * z_p[teach]).mean(axis=0)
        top = np.sort(np.argsort(-together, kind="stable")[:TOP_GENES])
        both = np.vstack([z_r[:, top], z_p[:, top]])
        # what many samples share, such as the subtype, would drown what tells one from another
        square, u = np.linalg.eigh(both @ both.T)
        square = np.maximum(square, 0.0)
        places = u * np.sqrt(square / (square + float(np.median(square))))
        places /= np.maximum(np.linalg.norm(places, axis=1, keepdims=True), 1e-300)
        cosine[part == k] = places[:n][part == k] @ places[n:].T
    cosine = cosine - cosine.mean(axis=0) - cosine.mean(axis=1, keepdims=True) + cosine.mean()
    strangers = cosine[~np.eye(n, dtype=bool)]
    return cosine / float(strangers.std()), min(TOP_GENES, z_r.shape[1])
