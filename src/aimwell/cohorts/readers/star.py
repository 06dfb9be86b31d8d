"""STAR ``ReadsPerGene.out.tab``, one file per sample, with a column per strandedness."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.cohorts.columns import read_columns
from aimwell.cohorts.estimates import read_per_sample
from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.sample_files import files_at, sample_names
from aimwell.cohorts.tables import TextTable
from aimwell.config import MatrixSettings
from aimwell.errors import ConfigError, InputError, some
from aimwell.knowledge.files import read_lines
from aimwell.provenance import Step

WHAT: Final = "STAR ReadsPerGene.out.tab"
#: Names of the three columns: all reads, those of the first strand, those of the second.
STRANDS: Final = ("unstranded", "forward", "reverse")
#: Rows that count reads outside genes.
OUTSIDE: Final = ("N_unmapped", "N_multimapping", "N_noFeature", "N_ambiguous")
#: Share of the strand-specific reads on one strand above which a library is stranded, and below
#: which it is not.
STRANDED: Final = 0.8
UNSTRANDED: Final = 0.6


def read_star(path: Path, settings: MatrixSettings) -> Measured:
    """Read the column that fits the library; ``quantity`` names it, else the reads decide.

    Raises:
        ConfigError: ``quantity`` is no column.
        InputError: A file cannot be read, is of another format, or the samples differ in
            strandedness.
    """
    if settings.quantity not in ("", *STRANDS):
        raise ConfigError(
            f"quantity = '{settings.quantity}' of layer '{settings.layer}' is no column of {WHAT}; "
            f"use one of {some(STRANDS)}"
        )
    files = files_at(path, WHAT, "*ReadsPerGene.out.tab*")
    samples = sample_names(files, ("ReadsPerGene.out.tab",))
    tables = read_per_sample(files, samples, _read)
    outside = [n for n in OUTSIDE if n in tables["unstranded"].columns]
    genes = {k: t.drop(columns=outside) for k, t in tables.items()}
    column, why = _choose(genes, settings.quantity, f"'{path}'")
    values = checked_matrix(genes[column], settings, f"'{path}'")
    return Measured(
        values=values,
        unit="counts",
        missing_means="no count is missing; zero means that no read was assigned",
        steps=(
            Step(f"{settings.layer}: column '{column}'", len(files), len(files), why),
            Step(
                f"{settings.layer}: rows of genes",
                tables["unstranded"].shape[1],
                values.shape[1],
                "rows of reads outside genes",
                tuple(outside[:3]),
            ),
        ),
    )


def _read(path: Path) -> dict[str, pd.Series]:
    lines = read_lines(path, WHAT)
    if lines[0].count("\t") != 3 or not lines[0].startswith("N_"):
        raise InputError(
            f"'{path}' is not {WHAT}: its first line is {lines[0][:40]!r}, and should be "
            "'N_unmapped' with three counts; name the right file or reader"
        )
    header = ("gene", *STRANDS)
    found = read_columns(TextTable(f"'{path}'", header, lines, "\t", 1), ["gene"], STRANDS)
    values = found.numbers.set_axis(pd.Index(found.text["gene"]))
    return {name: values[name] for name in STRANDS}


def _choose(genes: dict[str, pd.DataFrame], asked: str, where: str) -> tuple[str, str]:
    first, second = (genes[k].sum(axis=1) for k in ("forward", "reverse"))
    total = (first + second).clip(lower=1)
    share = second / total  # (samples,)
    told = f"{share.median():.0%} of the strand-specific reads are on the second strand"
    best = "forward" if share.median() < 0.5 else "reverse"
    strength = share.where(share > 0.5, 1 - share)
    if asked:
        looks = best if strength.median() >= STRANDED else "unstranded"
        doubt = f"; warning: the reads look {looks}" if looks != asked else ""
        return asked, f"as the run file says; {told}{doubt}"
    stranded = strength >= STRANDED
    if stranded.all() and (((share < 0.5) == (share.median() < 0.5)).all()):
        return best, told
    if stranded.any():
        plain = share.index[~stranded] if not stranded.all() else share.index[share < 0.5]
        other = share.index.difference(plain)
        raise InputError(
            f"{where}: samples differ in strandedness: {some(plain)} against {some(other)}; read "
            "them as two layers, or set quantity = 'unstranded'"
        )
    doubt = "; warning: neither clearly stranded nor clearly unstranded, see the library protocol"
    return "unstranded", told + (doubt if (strength > UNSTRANDED).any() else "")
