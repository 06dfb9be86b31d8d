"""One contrast after testing, with everything that later steps need of it."""

from dataclasses import dataclass

import pandas as pd

from aimwell.cohorts.cohort import Layer
from aimwell.cohorts.design import Design
from aimwell.cohorts.differential import LinearFit
from aimwell.config import ContrastSettings
from aimwell.provenance import Step


@dataclass(frozen=True)
class Tested:
    """What a contrast compared, the fit, and the statistics per gene.

    Attributes:
        values: Samples × genes as they were tested, log2.
        fit: None where the test is no linear model.
        table: Statistics per gene, as ``aimwell.cohorts.differential.moderate`` gives them.
        detection: Test of proteins that an arm lacks; None where there is none.
        filled: Share of the compared samples whose value was filled in, by gene; None where
            nothing was.
    """

    contrast: ContrastSettings
    layer: Layer
    design: Design
    values: pd.DataFrame
    fit: LinearFit | None
    table: pd.DataFrame
    steps: tuple[Step, ...]
    detection: pd.DataFrame | None = None
    filled: "pd.Series[float] | None" = None
