"""Settings that nothing would read: somebody wrote them for a reason, so they are refused."""

from collections.abc import Iterator
from typing import Final

from aimwell.config.cohort import MatrixSettings
from aimwell.config.run import RunConfig
from aimwell.errors import ConfigError

_CELLS: Final = ("h5ad", "h5mu")

#: Setting of a matrix → the readers that use it.
READ_BY: Final = {
    "names_in": ("gct", "parquet", "xlsx", *_CELLS),
    "transcripts": ("salmon", "kallisto"),
    "donor": _CELLS,
    "cell_type": _CELLS,
}

#: Readers of formats that offer one kind of number.
_ONE_QUANTITY: Final = ("matrix", "parquet", "gct")


def check_unused(config: RunConfig, where: str) -> None:
    """Refuse the first setting that nothing would read.

    Raises:
        ConfigError: With the setting and what would make use of it.
    """
    for matrix in config.cohort.matrices:
        for name, hint in _unread(matrix):
            raise ConfigError(
                f"{where}: cohort.matrices.{name} = '{getattr(matrix, name)}' of '{matrix.path}' "
                f"is not read with reader = '{matrix.reader}'; {hint}"
            )
    names = config.identifiers
    if names.hgnc or config.graph.preset in ("open", "full"):
        return
    for name in ("withdrawn", "mappings", "online"):
        if getattr(names, name):
            raise ConfigError(
                f"{where}: identifiers.{name} is not read without identifiers.hgnc; name the HGNC "
                f"complete set there, or leave out {name}"
            )


def _unread(matrix: MatrixSettings) -> Iterator[tuple[str, str]]:
    for name, readers in READ_BY.items():
        if getattr(matrix, name) and matrix.reader not in readers:
            yield name, f"leave it out, or use one of its readers: {', '.join(readers)}"
    if matrix.quantity and matrix.reader in _ONE_QUANTITY:
        yield "quantity", "leave it out, or name the reader of the format"
