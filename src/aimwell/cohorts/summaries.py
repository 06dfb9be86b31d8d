"""What a site may give away: effects per gene, and what was compared, without any sample."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

import aimwell
from aimwell.cohorts.cohort import Cohort
from aimwell.cohorts.harmonise import tested_tables
from aimwell.cohorts.meta import summarise_contrast, write_summary
from aimwell.config import ContrastSettings
from aimwell.errors import ConfoundedError, DesignError, InputError
from aimwell.provenance import write_json

UNITS: Mapping[str, str] = {
    "formula": "log2 per unit of the coefficient",
    "arms": "log2 fold change, case over control",
    "slope": "log2 per unit of the condition",
    "interaction": "difference of two log2 fold changes, first stratum minus second",
    "survival": "log2 hazard ratio for twice as much",
}


@dataclass(frozen=True)
class SiteSummary:
    """One contrast of one site.

    Attributes:
        table: Gene → ``log2_fold_change``, ``se``, ``n_case``, ``n_control``, ``n``.
        about: Settings and facts of the contrast; no name of a sample or of a file.
    """

    table: pd.DataFrame
    about: Mapping[str, Any]


def summarise_cohort(
    cohort: Cohort, contrasts: tuple[ContrastSettings, ...]
) -> dict[str, SiteSummary]:
    """Test every contrast and keep what another site needs to combine it with its own.

    Raises:
        DesignError: No contrast, or one that cannot be tested.
        ConfoundedError: A contrast that the gate refuses, accepted or not: numbers that travel
            cannot carry the mark.

    Example:
        >>> sheet = pd.DataFrame({"subject": list("abcdef"), "arm": ["x", "y"] * 3},
        ...     index=["s1", "s2", "s3", "s4", "s5", "s6"])
        >>> values = pd.DataFrame({"HGNC:1": [1.0, 5, 2, 6, 1, 6], "HGNC:2": [1.0, 2, 1, 1, 2, 1]},
        ...     index=sheet.index)
        >>> from aimwell.cohorts.cohort import Layer
        >>> cohort = Cohort({"rna": Layer("rna", "rna", "log2", values)}, sheet)
        >>> contrast = ContrastSettings("xy", "rna", "arm", case="y", control="x")
        >>> summarise_cohort(cohort, (contrast,))["xy"].table["n"].tolist()
        [6, 6]
    """
    found = {}
    for contrast in contrasts:
        table, design = tested_tables(cohort, (contrast,))[contrast.name]
        if design.also:
            raise DesignError(
                f"contrast '{contrast.name}' tests {len(design.tested)} columns together, which is "
                "no effect that sites could combine; summarise one contrast of two levels each"
            )
        if design.verdict == "refuse":
            raise ConfoundedError(
                f"contrast '{contrast.name}': batch and covariates leave {design.information:.0%} "
                "of the information on the condition; accepted or not, its numbers would lose that "
                "mark at another site, so they are not written"
            )
        summary = summarise_contrast(table)
        counts = summary[["n_case", "n_control"]].sum(axis=1).astype(int)
        about = {
            **{k: v for k, v in asdict(contrast).items() if v and k != "accept_confounding"},
            "unit": UNITS[contrast.test],
            "kind": cohort.layers[contrast.layer].kind,
            "samples_case": design.n_case,
            "samples_control": design.n_control,
            "pairs": design.n_pairs,
            "information_retained": design.information,
            "genes": len(summary),
            "aimwell": aimwell.__version__,
        }
        found[contrast.name] = SiteSummary(summary.assign(n=counts), about)
    return found


def write_summaries(folder: Path, summaries: Mapping[str, SiteSummary]) -> list[Path]:
    """Write a table per contrast, named by it, and ``about.json``.

    Raises:
        DesignError: Two contrasts whose names give one file name, or none at all.
        InputError: The folder cannot be written.
    """
    if not summaries:
        raise DesignError("there is no contrast to summarise; name at least one in [[contrasts]]")
    names = {name: re.sub(r"[^\w.-]+", "_", name).strip("._") or "contrast" for name in summaries}
    files = {stem.lower() for stem in names.values()}
    if len(files) < len(names):
        raise DesignError(
            f"the names of {len(names)} contrasts give {len(files)} names of files; rename them "
            "so that they differ in letters or digits"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"'{folder}' cannot be made a folder: {error.strerror}") from error
    written = []
    for name, summary in summaries.items():
        written.append(folder / f"{names[name]}.tsv")
        write_summary(written[-1], summary.table)
    write_json(folder / "about.json", {name: s.about for name, s in summaries.items()})
    return written
