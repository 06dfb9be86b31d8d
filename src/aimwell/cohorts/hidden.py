"""Batches that nobody wrote down: common variation that the model of a contrast leaves over.

Surrogate variables in the sense of Leek and Storey (2007), PLoS Genet 3:e161; how many there are by
parallel analysis (Buja and Eyuboglu 1992, Multivariate Behav Res 27:509); how far they go with the
condition by robust regression over genes (Wang et al. 2017, Ann Stat 45:1863).
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import fit_linear
from aimwell.cohorts.gate import grade
from aimwell.errors import DesignError

#: Genes with the most left over are searched; a hidden batch that only others show is small.
MOST_GENES: Final = 2000
PERMUTATIONS: Final = 20
#: A direction counts if at most this share of the permuted data has a larger one.
LARGER_BY_CHANCE: Final = 0.05
MAX_HIDDEN: Final = 10
#: Residuals beyond this many standard deviations weigh less (Huber 1964).
HUBER: Final = 1.345
#: Share of the condition that a hidden batch explains above which the reader is warned.
ENTANGLED: Final = 0.5


@dataclass(frozen=True)
class HiddenBatches:
    """Common variation besides the model.

    Attributes:
        variates: Samples × ``hidden_1`` …, each with mean 0 and standard deviation 1; no columns
            where none was found.
        share: Part of what the model left over that each of them takes, in [0, 1].
        with_condition: R² of the condition on each of them, in [0, 1].
        notes: In words.
    """

    variates: pd.DataFrame
    share: tuple[float, ...]
    with_condition: tuple[float, ...]
    notes: tuple[str, ...]


def find_hidden_batches(values: pd.DataFrame, design: Design, *, seed: int = 0) -> HiddenBatches:
    """Search what the model leaves over for variation that many genes share.

    A hidden batch may go together with the condition, of which nothing is left over. If it does,
    genes with a larger share in it also have a larger effect of the condition, and that slope over
    genes gives the part back.

    Args:
        values: Samples × genes, log2 scale, NaN is missing.
        design: The model.
        seed: Of the permutations that say how large chance is.

    Example:
        >>> from aimwell.cohorts.design import build_design
        >>> from aimwell.config import ContrastSettings
        >>> ids = [f"s{i:02d}" for i in range(12)]
        >>> sheet = pd.DataFrame({"subject": ids, "arm": list("xy") * 6}, index=ids)
        >>> design = build_design(sheet, ids, ContrastSettings("c", "rna", "arm", "x", "y"))
        >>> rng = np.random.default_rng(1)
        >>> noise = pd.DataFrame(rng.normal(size=(12, 300)), ids, [f"g{i}" for i in range(300)])
        >>> batch = np.repeat([0, 1], 6)[:, None] * rng.normal(size=300)
        >>> find_hidden_batches(noise, design).variates.shape[1]
        0
        >>> find_hidden_batches(noise + 2 * batch, design).variates.shape[1]
        1
    """
    fit = fit_linear(values, design)
    whole = np.flatnonzero(fit.observed.all(axis=0) & (fit.df > 0))
    spread = np.sum(fit.residuals[:, whole] ** 2, axis=0)
    whole = whole[spread > 0]
    order = np.argsort(-np.sum(fit.residuals[:, whole] ** 2, axis=0), kind="stable")
    genes = np.sort(whole[order[:MOST_GENES]])
    basis = _basis(design.matrix.to_numpy(float))
    free = len(design.samples) - basis.shape[1]
    nothing = pd.DataFrame(index=design.samples)
    if len(genes) < 2 * len(design.samples) or free < 3:
        why = f"{len(genes)} complete genes and {free} degrees of freedom are too few to search"
        return HiddenBatches(nothing, (), (), (f"hidden batches: {why}",))
    rest = fit.residuals[:, genes]
    square, left = _directions(rest)
    found = _count(rest, basis, square, free, seed)
    model = _basis(design.matrix.drop(columns=design.coefficient).to_numpy(float))
    condition = _without(model, design.matrix[[design.coefficient]].to_numpy(float))[:, 0]
    loadings = left[:, :found].T @ rest
    slopes = _robust_slopes(loadings.T, fit.effect[genes])
    variates = [left[:, k] + slopes[k] * condition for k in range(found)]
    variates = [v / float(v.std(ddof=1)) for v in variates]
    agreement = tuple(
        float((condition @ v) ** 2 / ((condition @ condition) * (v @ v))) for v in variates
    )
    names = [f"hidden_{k + 1}" for k in range(found)]
    table = pd.DataFrame(np.array(variates).T, design.samples, names) if found else nothing
    share = tuple(float(s) for s in square[:found] / square.sum())
    return HiddenBatches(table, share, agreement, _words(design, share, agreement))


def with_hidden_batches(design: Design, hidden: HiddenBatches) -> Design:
    """Add hidden batches to the model of a contrast, and say what that costs.

    Raises:
        DesignError: Too few samples for the additional terms.
    """
    extra = hidden.variates
    if not extra.shape[1]:
        return design
    matrix = pd.concat([design.matrix, extra], axis=1)
    if len(matrix) <= matrix.shape[1]:
        raise DesignError(
            f"contrast '{design.contrast}' has {len(matrix)} samples for {matrix.shape[1]} "
            "coefficients with hidden batches; leave hidden_batches out"
        )
    others = matrix.drop(columns=design.coefficient).to_numpy(float)
    case = matrix[[design.coefficient]].to_numpy(float)
    # an interaction is judged beside condition and stratum, which no model can leave out
    before = list(design.matrix.columns).index(design.coefficient)
    blocks = _basis(design.matrix.to_numpy(float)[:, :before])
    left = float(np.sum(_without(_basis(others), case) ** 2))
    information = left / float(np.sum(_without(blocks, case) ** 2))
    note = (
        f"{extra.shape[1]} hidden batches are in the model, which leaves {information:.0%} of the "
        f"information on the condition ({design.information:.0%} without them)"
    )
    return replace(
        design,
        matrix=matrix,
        vector=(*design.vector, *(0.0 for _ in extra.columns)),
        information=information,
        verdict=grade(information) if design.verdict != "refuse" else "refuse",
        notes=(*design.notes, *hidden.notes, note),
    )


def _count(rest: np.ndarray, basis: np.ndarray, square: np.ndarray, free: int, seed: int) -> int:
    """Count directions that are larger than those of genes permuted one by one."""
    rng = np.random.default_rng([seed, 7])
    larger = np.zeros(free)
    shares = square[:free] / square[:free].sum()
    for _ in range(PERMUTATIONS):
        mixed = _without(basis, rng.permuted(rest, axis=0))
        chance = _directions(mixed)[0][:free]
        larger += chance / chance.sum() >= shares
    real = larger / PERMUTATIONS <= LARGER_BY_CHANCE
    ended = np.flatnonzero(~real)
    return min(int(ended[0]) if len(ended) else free, MAX_HIDDEN, max(free - 2, 0))


def _robust_slopes(loadings: np.ndarray, effect: np.ndarray) -> np.ndarray:
    """Regress effects on loadings so that genes with an effect of their own weigh little."""
    if not loadings.shape[1]:
        return np.zeros(0)
    weight = np.ones(len(effect))
    slopes = np.zeros(loadings.shape[1])
    for _ in range(50):
        root = np.sqrt(weight)[:, None]
        new = np.linalg.lstsq(loadings * root, effect * root[:, 0], rcond=None)[0]
        rest = np.abs(effect - loadings @ new)
        scale = float(np.median(rest)) / 0.6745
        weight = np.minimum(1.0, HUBER * scale / np.maximum(rest, 1e-300))
        done = bool(np.all(np.abs(new - slopes) <= 1e-10 * (1 + np.abs(new))))
        slopes = new
        if done:
            break
    return slopes


def _directions(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squared singular values, largest first, and left singular vectors of a wide matrix."""
    square, left = np.linalg.eigh(x @ x.T)
    return np.maximum(square[::-1], 0.0), left[:, ::-1]


def _basis(matrix: np.ndarray) -> np.ndarray:
    u, s, _ = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(u[:, s > 1e-10 * s.max()])


def _without(basis: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.asarray(x - basis @ (basis.T @ x))


def _words(
    design: Design, share: tuple[float, ...], agreement: tuple[float, ...]
) -> tuple[str, ...]:
    if not share:
        return ()
    notes = [
        f"hidden batches: {len(share)} directions of common variation besides the model take "
        f"{sum(share):.0%} of what it leaves over; R² with the condition up to {max(agreement):.2f}"
    ]
    if max(agreement) > ENTANGLED:
        notes.append(
            f"one direction explains more than half of '{design.coefficient}': either something "
            "else distinguishes these samples, or the condition comes in degrees, as tumours of "
            "different purity do"
        )
    return tuple(notes)
