"""Further names of genes from id-mapping files, each with the id that it stands for."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.provenance import Step

#: Kinds of names that mapping files may add. Symbols are not among them: what a symbol stands
#: for is decided by HGNC alone.
KINDS: Final = (
    "Ensembl transcript",
    "Ensembl protein",
    "Ensembl gene",
    "Entrez",
    "retired Entrez",
    "UniProt",
    "UniProt entry name",
    "RefSeq",
)


@dataclass(frozen=True)
class NameMap:
    """What a reader of an id-mapping file returns.

    Attributes:
        table: Columns ``kind`` (one of ``KINDS``), ``name`` (without version) and ``target``: a
            HGNC id, an Entrez id, an Ensembl gene, an accession or a symbol; sorted, no row twice.
        source: Name of the database.
        steps: Rows in and out.

    Raises:
        InputError: An unknown kind of name.
    """

    table: pd.DataFrame
    source: str
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if unknown := sorted(set(self.table["kind"]) - set(KINDS)):
            raise InputError(f"{self.source}: unknown kinds of names {some(unknown)}")


def name_map(rows: Iterable[tuple[str, str, str]], source: str, steps: tuple[Step, ...]) -> NameMap:
    """Make a map of (kind, name, target), sorted and without repeated rows.

    Example:
        >>> rows = [("RefSeq", "NM_000546", "HGNC:11998")] * 2
        >>> name_map(rows, "test", ()).table.to_numpy().tolist()
        [['RefSeq', 'NM_000546', 'HGNC:11998']]
    """
    table = pd.DataFrame(sorted(set(rows)), columns=["kind", "name", "target"], dtype=str)
    return NameMap(table, source, steps)
