"""Make the identifier table that the run file asks for: HGNC, mapping files, the online helper."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from aimwell.config import RunConfig
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.name_maps import NameMap
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.hgnc_withdrawn import read_hgnc_withdrawn
from aimwell.knowledge.sources.mygene_online import OnlineHelper
from aimwell.knowledge.sources.ncbi_gene import read_gene_history, read_gene_info
from aimwell.knowledge.sources.string_names import read_string_names
from aimwell.knowledge.sources.uniprot_idmapping import (
    read_secondary_accessions,
    read_uniprot_idmapping,
)
from aimwell.provenance import Source, sha256_of

#: Reader in the run file → how the file is read.
MAPPING_READERS: Final[dict[str, Callable[[Path], NameMap]]] = {
    "uniprot": read_uniprot_idmapping,
    "uniprot_secondary": read_secondary_accessions,
    "ncbi_gene": read_gene_info,
    "ncbi_history": read_gene_history,
    "string": read_string_names,
}


def hgnc_table(config: RunConfig) -> IdentifierTable:
    """Make the table of ``[identifiers]``: HGNC, withdrawn entries, mapping files, the helper.

    Raises:
        InputError: A file that cannot be read.
    """
    settings = config.identifiers
    path = config.path(settings.hgnc)
    loci = read_hgnc(path)
    hgnc = Source(
        "HGNC complete set",
        path.name,
        "CC0-1.0",
        "https://www.genenames.org",
        sha256=sha256_of(path),
    )
    withdrawn = read_hgnc_withdrawn(config.path(settings.withdrawn)) if settings.withdrawn else None
    table = IdentifierTable.from_hgnc(loci, hgnc, withdrawn)
    sources = []
    if settings.withdrawn:
        path = config.path(settings.withdrawn)
        name, url = "HGNC withdrawn entries", "https://www.genenames.org"
        sources.append(Source(name, path.name, "CC0-1.0", url, sha256=sha256_of(path)))
    maps = []
    for mapping in settings.mappings:
        path = config.path(mapping.path)
        found = MAPPING_READERS[mapping.reader](path)
        maps.append(found)
        digest = sha256_of(path)
        sources.append(
            Source(found.source, mapping.release, mapping.licence, mapping.url, sha256=digest)
        )
    if maps:
        table = table.with_names(maps)
    helper = OnlineHelper(config.path(settings.cache)) if settings.online else None
    return replace(table, mapping_sources=tuple(sources), helper=helper)
