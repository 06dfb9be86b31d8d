"""Which reader of gene sets the run file means, and what each needs from it."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

from aimwell.config import GraphSource, RunConfig
from aimwell.errors import ConfigError
from aimwell.knowledge.gene_sets import GeneSets
from aimwell.knowledge.sources.reactome import read_reactome


def read_sets(source: GraphSource, config: RunConfig) -> list[GeneSets]:
    """Read the gene sets of one database; members by name, as the database writes them.

    Raises:
        ConfigError: A setting that the reader needs is missing.
        InputError: A file that cannot be read.
    """
    return SET_READERS[source.reader](source, config)


def _path(source: GraphSource, config: RunConfig) -> Path:
    if not source.path:
        raise ConfigError(f"graph.sources: the reader '{source.reader}' needs 'path'")
    return config.path(source.path)


def _optional(name: str, config: RunConfig) -> Path | None:
    return config.path(name) if name else None


def _reactome(source: GraphSource, config: RunConfig) -> list[GeneSets]:
    hierarchy, names = _optional(source.hierarchy, config), _optional(source.names, config)
    return [read_reactome(_path(source, config), hierarchy, names)]


#: Reader in the run file → how its sets are read.
SET_READERS: Final[dict[str, Callable[[GraphSource, RunConfig], list[GeneSets]]]] = {
    "reactome": _reactome,
}
