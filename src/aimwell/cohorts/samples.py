"""What single samples measured of a gene, for pictures: the points behind every effect."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.cohort import Cohort
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.swaps import comparable_values
from aimwell.config import ContrastSettings

#: Most samples of a contrast that a picture holds, taken evenly; the tests use all of them.
MOST: Final = 400
#: What the values are, by the unit of their layer.
SCALES: Final[Mapping[str, str]] = {
    "counts": "log2 counts per million",
    "log2": "log2 level",
    "log2_ratio": "log2 ratio to the reference",
    "intensity": "log2 intensity, from the sample's median",
}


@dataclass(frozen=True)
class ContrastSamples:
    """The samples of one contrast, without their names.

    Attributes:
        scale: What the values are, in words.
        groups: Names of the groups, control before case.
        group: Group of every sample, shape ``(s,)``.
        pair: Number of the subject of every sample, -1 where samples are not paired.
        values: Genes × samples, float32, NaN where the gene was not measured.
        left_out: Samples beyond ``MOST``.
    """

    scale: str
    groups: tuple[str, ...]
    group: tuple[int, ...]
    pair: tuple[int, ...]
    values: pd.DataFrame
    left_out: int = 0

    def of(self, genes: Iterable[str]) -> "ContrastSamples":
        """Keep the genes that are named and were looked for."""
        wanted = self.values.index.intersection(pd.Index(list(genes)))
        return ContrastSamples(
            self.scale, self.groups, self.group, self.pair, self.values.loc[wanted], self.left_out
        )

    def facts(self) -> dict[str, Any]:
        """Everything but the values, as plain values."""
        return {
            "scale": self.scale,
            "groups": list(self.groups),
            "group": list(self.group),
            "pair": list(self.pair),
            "left_out": self.left_out,
        }


def contrast_samples(
    cohort: Cohort, contrasts: Iterable[ContrastSettings]
) -> dict[str, ContrastSamples]:
    """Give the values that every contrast compares, gene by gene, on a scale that can be read.

    They are what was measured, without the effects of batch and covariates taken out: a picture of
    the data, not of the model.

    Raises:
        DesignError: A contrast that cannot be tested.
    """
    found = {}
    scaled: dict[str, pd.DataFrame] = {}
    for contrast in contrasts:
        layer = cohort.layers[contrast.layer]
        if layer.name not in scaled:
            scaled[layer.name] = comparable_values(layer)
        design = build_design(cohort.samples, layer.values.index, contrast)
        codes = np.array(design.groups)
        keep = _evenly_by(codes)
        names = group_names(design, contrast)
        used = sorted(set(codes.tolist()))
        place = {code: k for k, code in enumerate(used)}
        shown = design.samples[keep]
        found[contrast.name] = ContrastSamples(
            scale=SCALES[layer.unit],
            groups=tuple(names[code] for code in used),
            group=tuple(place[int(c)] for c in codes[keep]),
            pair=_pairs(cohort.samples, shown, contrast),
            values=scaled[layer.name].loc[shown].T.astype(np.float32).sort_index(),
            left_out=len(codes) - len(keep),
        )
    return found


def group_names(design: Design, contrast: ContrastSettings) -> dict[int, str]:
    """Name the codes of ``Design.groups``: 1 is case, and 2 more the first of two strata."""
    if design.group_names:
        return dict(enumerate(design.group_names))
    case, control = design.arms
    if contrast.test in ("arms", "interaction") and contrast.case and contrast.control:
        case, control = contrast.case, contrast.control
    if contrast.test == "slope":
        case, control = (f"{contrast.condition}: {name}" for name in ("upper half", "lower half"))
    if len(contrast.strata) != 2:
        return {0: control, 1: case}
    first, second = contrast.strata
    return {
        0: f"{control}, {second}",
        1: f"{case}, {second}",
        2: f"{control}, {first}",
        3: f"{case}, {first}",
    }


def _pairs(sheet: pd.DataFrame, samples: pd.Index, contrast: ContrastSettings) -> tuple[int, ...]:
    if not contrast.subject:
        return (-1,) * len(samples)
    # a number stands for the subject: a page that is passed on should name nobody
    codes, _ = pd.factorize(sheet.loc[samples, contrast.subject].astype(str), sort=True)
    return tuple(int(c) for c in codes)


def _evenly_by(codes: np.ndarray) -> np.ndarray:
    """Positions of at most ``MOST`` samples, as many of each group as its share."""
    if len(codes) <= MOST:
        return np.arange(len(codes))
    kept = []
    for code in np.unique(codes):
        at = np.flatnonzero(codes == code)
        most = max(int(MOST * len(at) / len(codes)), 2)
        kept.append(at[np.unique(np.linspace(0, len(at) - 1, most).round().astype(int))])
    return np.sort(np.concatenate(kept))
