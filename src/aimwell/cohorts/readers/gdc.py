"""Gene counts of the Genomic Data Commons (STAR - Counts), one file per sample."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.cohorts.columns import read_columns
from aimwell.cohorts.estimates import read_per_sample
from aimwell.cohorts.matrices import checked_matrix
from aimwell.cohorts.measured import Measured
from aimwell.cohorts.sample_files import files_at, sample_names
from aimwell.cohorts.tables import open_table
from aimwell.config import MatrixSettings
from aimwell.errors import ConfigError, some
from aimwell.provenance import Step

WHAT: Final = "a table of STAR counts of the GDC"
QUANTITIES: Final = ("unstranded", "stranded_first", "stranded_second")
_ENDINGS: Final = (".rna_seq.augmented_star_gene_counts.tsv", ".augmented_star_gene_counts.tsv")


def read_gdc(path: Path, settings: MatrixSettings) -> Measured:
    """Read the counts; ``unstranded`` unless ``quantity`` names another column of counts.

    Raises:
        ConfigError: ``quantity`` is no column of counts.
        InputError: A file cannot be read or is of another format.
    """
    quantity = settings.quantity or QUANTITIES[0]
    if quantity not in QUANTITIES:
        raise ConfigError(
            f"quantity = '{quantity}' of layer '{settings.layer}' is no column of counts in {WHAT};"
            f" use one of {some(QUANTITIES)}: TPM and FPKM have lost the precision of the counts, "
            "which lie beside them"
        )

    def read(file: Path) -> dict[str, pd.Series]:
        found = read_columns(open_table(file, WHAT, comment="#"), ["gene_id"], [quantity])
        return {"counts": found.numbers[quantity].set_axis(pd.Index(found.text["gene_id"]))}

    files = files_at(path, WHAT, "*star_gene_counts.tsv*")
    table = read_per_sample(files, sample_names(files, _ENDINGS), read)["counts"]
    outside = [name for name in table.columns if name.startswith("N_")]
    values = checked_matrix(table.drop(columns=outside), settings, f"'{path}'")
    return Measured(
        values=values,
        unit="counts",
        missing_means="no count is missing; zero means that no read was assigned",
        steps=(
            Step(f"{settings.layer}: column '{quantity}'", len(files), len(files)),
            Step(
                f"{settings.layer}: rows of genes",
                table.shape[1],
                values.shape[1],
                "rows of reads outside genes",
                tuple(outside[:3]),
            ),
        ),
    )
