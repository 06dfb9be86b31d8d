"""Known targets: which genes are already drug targets, for what, and who says so."""

from dataclasses import dataclass, field
from typing import Final

import pandas as pd

from aimwell.errors import LabelError, some
from aimwell.provenance import Source, Step

LABEL_COLUMNS: Final = ("gene", "disease", "source", "date", "strength", "detail")


@dataclass(frozen=True)
class KnownTargets:
    """Genes known to be targets, one row per gene, disease and source.

    Attributes:
        table: Columns ``gene`` (HGNC id), ``disease``, ``source``, ``date`` (ISO or empty),
            ``strength`` in (0, 1], ``detail`` (drugs, joined by ``|``).
        sources: The databases behind the rows.
        steps: Rows in and out of every step that made the table.

    Raises:
        LabelError: A missing column, a row without a source, or no row at all.
    """

    table: pd.DataFrame
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        if missing := [c for c in LABEL_COLUMNS if c not in self.table.columns]:
            raise LabelError(f"known targets lack the columns {some(missing)}")
        if self.table.empty:
            raise LabelError("there is not one known target; name at least one gene")
        bare = self.table.loc[self.table["source"].fillna("").str.strip() == "", "gene"]
        if len(bare):
            raise LabelError(f"{len(bare)} known targets have no source: {some(bare)}")

    @property
    def genes(self) -> pd.Index:
        """Distinct HGNC ids, sorted."""
        genes: list[str] = sorted(set(self.table["gene"]))
        return pd.Index(genes, name="hgnc_id")
