"""Values for the eye: batch taken away so that a picture shows the condition, never for a test."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from aimwell.errors import DesignError

if TYPE_CHECKING:
    from aimwell.cohorts.design import Design


@dataclass(frozen=True)
class PictureOnly:
    """Values without the effects of batch and covariates, for pictures; every test refuses them.

    A test on corrected values takes the correction for knowledge: where 18 of 20 cases share a
    batch, a quarter of the genes in which nothing happens get p < .05
    (Nygaard et al. 2016, Biostatistics 17:29).

    Attributes:
        picture: Samples × genes, both sorted; NaN is missing.
        removed: Columns of the model whose effects were taken away.
    """

    picture: pd.DataFrame
    removed: tuple[str, ...]


def remove_batch(values: pd.DataFrame, design: "Design") -> PictureOnly:
    """Take the fitted effects of batch and covariates away and keep that of the condition.

    Genes whose observed samples cannot tell the terms apart lose as much of them as least squares
    of smallest length says.

    Args:
        values: Samples × genes, log2 scale.
        design: Its samples are kept; its columns besides blocks and condition are removed.

    Example:
        >>> from aimwell.cohorts.design import build_design
        >>> from aimwell.config import ContrastSettings
        >>> sheet = pd.DataFrame({"subject": list("abcd"), "arm": list("xyxy"),
        ...     "day": list("1122")}, index=list("abcd"))
        >>> design = build_design(sheet, sheet.index,
        ...     ContrastSettings("c", "rna", "arm", "x", "y", batch="day"))
        >>> values = pd.DataFrame({"g": [2.0, 1.0, 12.0, 11.0]}, index=sheet.index)
        >>> remove_batch(values, design).picture["g"].round(9).tolist()
        [7.0, 6.0, 7.0, 6.0]
    """
    table = values.loc[design.samples].sort_index(axis=1)
    matrix = design.matrix.to_numpy(float)
    nuisance = np.arange(matrix.shape[1]) > list(design.matrix.columns).index(design.tested[-1])
    centred = matrix[:, nuisance] - matrix[:, nuisance].mean(axis=0)
    y = table.to_numpy(float)
    seen = ~np.isnan(y)
    picture = np.full(y.shape, np.nan)
    members: dict[bytes, list[int]] = {}
    for gene, column in enumerate(np.ascontiguousarray(seen.T)):
        members.setdefault(column.tobytes(), []).append(gene)
    for genes in members.values():
        rows = np.flatnonzero(seen[:, genes[0]])
        at = np.ix_(rows, np.array(genes))
        terms = np.linalg.lstsq(matrix[rows], y[at], rcond=1e-10)[0]
        picture[at] = y[at] - centred[rows] @ terms[nuisance]
    removed = tuple(design.matrix.columns[nuisance])
    return PictureOnly(pd.DataFrame(picture, table.index, table.columns), removed)


def refuse_pictures(values: object) -> None:
    """Stop whoever is about to test values that were corrected for a picture.

    Raises:
        DesignError: ``values`` are ``PictureOnly``.
    """
    if isinstance(values, PictureOnly):
        raise DesignError(
            f"these values were corrected for {', '.join(values.removed) or 'nothing'} to make a "
            "picture, and tests on corrected values find what is not there; test the values as "
            "they were measured, with batch and covariates in the contrast"
        )
