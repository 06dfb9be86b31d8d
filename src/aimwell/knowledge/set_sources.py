"""Which reader of gene sets the run file means, and what each needs from it."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from aimwell.config import GraphSource, RunConfig
from aimwell.errors import ConfigError
from aimwell.knowledge.files import read_lines
from aimwell.knowledge.formats import recognise_format
from aimwell.knowledge.gene_sets import GeneSets
from aimwell.knowledge.sources import go
from aimwell.knowledge.sources.complex_portal import read_complex_portal
from aimwell.knowledge.sources.corum import read_corum
from aimwell.knowledge.sources.famplex import read_famplex
from aimwell.knowledge.sources.gmt import read_gmt
from aimwell.knowledge.sources.reactome import read_reactome, read_reactome_mapping
from aimwell.knowledge.sources.signor_complexes import read_signor_complexes


def read_sets(source: GraphSource, config: RunConfig) -> list[GeneSets]:
    """Read the gene sets of one database; members by name, as the database writes them.

    Raises:
        InputError: A file that cannot be read.
    """
    read = SET_READERS[source.reader](config.path(source.path), source, config)
    return [replace(sets, evidence=source.name) for sets in read] if source.name else read


def _optional(name: str, config: RunConfig) -> Path | None:
    return config.path(name) if name else None


def _reactome(path: Path, source: GraphSource, config: RunConfig) -> list[GeneSets]:
    hierarchy, names = _optional(source.hierarchy, config), _optional(source.names, config)
    return [read_reactome(path, hierarchy, names)]


def _reactome_mapping(path: Path, source: GraphSource, config: RunConfig) -> list[GeneSets]:
    return [read_reactome_mapping(path, _optional(source.hierarchy, config))]


def _go(path: Path, source: GraphSource, config: RunConfig) -> list[GeneSets]:
    """Read annotations in either form; an ontology adds names, merged ids and a hierarchy."""
    if recognise_format(read_lines(path, go.GAF)) == go.TABLE:
        if source.codes:
            raise ConfigError(
                f"graph.sources: '{path}' is {go.TABLE} and gives no evidence codes, of which "
                f"codes = {list(source.codes)} asks for some; leave it out, or take {go.GAF}"
            )
        annotations, steps = go.read_go_table(path)
    else:
        annotations, steps = go.read_gaf(path, codes=source.codes)
    ontology = go.read_obo(config.path(source.hierarchy)) if source.hierarchy else None
    aspects, propagate = source.aspects, source.propagate
    return [go.go_sets(annotations, ontology, aspects=aspects, propagate=propagate, steps=steps)]


_Reader = Callable[[Path, GraphSource, RunConfig], list[GeneSets]]

#: Reader in the run file → database, where the file itself does not say.
SET_NAMES: Final = {
    "reactome": "Reactome",
    "reactome_mapping": "Reactome",
    "corum": "CORUM",
    "complex_portal": "Complex Portal",
    "signor_complexes": "SIGNOR",
    "famplex": "FamPlex",
    "go": "Gene Ontology",
}

#: Reader in the run file → how its sets are read.
SET_READERS: Final[dict[str, _Reader]] = {
    "reactome": _reactome,
    "reactome_mapping": _reactome_mapping,
    "gmt": lambda path, source, _: [read_gmt(path, name=source.name)],
    "corum": lambda path, *_: [read_corum(path)],
    "complex_portal": lambda path, *_: [read_complex_portal(path)],
    "signor_complexes": lambda path, *_: [read_signor_complexes(path)],
    "famplex": lambda path, *_: read_famplex(path),
    "go": _go,
}
