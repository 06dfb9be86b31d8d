"""Settings that nothing would read: somebody wrote them for a reason, so they are refused."""

from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Final

from aimwell.config.cohort import MatrixSettings
from aimwell.config.drugs import CLASS_LIST, DRUG_LAYER_READERS, DrugSource
from aimwell.config.knowledge import (
    INTERACTION_READERS,
    PRIOR_READERS,
    GraphSource,
    LabelSource,
)
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

_ANY_NETWORK: Final = ("edge_list", "sif", "graphml")

#: Setting of a database → the readers that use it; what is not here, every reader uses.
GRAPH_READ_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "hierarchy": ("reactome", "reactome_mapping", "go"),
    "names": ("reactome", "hetionet", "optimuskg"),
    "aspects": ("go",),
    "codes": ("go",),
    "propagate": ("go",),
    "min_score": INTERACTION_READERS,
    "channels": INTERACTION_READERS,
    "weight": (*INTERACTION_READERS, *PRIOR_READERS),
    "separate": (*INTERACTION_READERS, *PRIOR_READERS),
    "aliases": ("string",),
    "info": ("string",),
    "complexes": ("signor",),
    "families": ("signor",),
    "id_type": _ANY_NETWORK,
    "relation": _ANY_NETWORK,
    "source_column": ("edge_list", "graphml"),
    "target_column": ("edge_list",),
    "weight_column": ("edge_list", "graphml"),
}

#: The same of known targets.
LABEL_READ_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "genes": ("genes",),
    "indications": ("drugcentral", "dgidb", "chembl", "open_targets_associations"),
    "targets": ("chembl",),
    "category": ("drugcentral", "dgidb", "dgidb_categories"),
    "min_phase": ("chembl", "open_targets_drugs"),
    "min_score": ("open_targets_associations",),
    "phase": ("repurposing_hub",),
}

#: The same of drugs.
DRUG_READ_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "path": tuple(r for r in DRUG_LAYER_READERS if r != "starter"),
    "indications": ("drugcentral", "chembl"),
    "targets": ("chembl",),
    "druggable_class": (CLASS_LIST,),
    "release": tuple(r for r in DRUG_LAYER_READERS if r != "starter"),
    "licence": tuple(r for r in DRUG_LAYER_READERS if r != "starter"),
    "url": tuple(r for r in DRUG_LAYER_READERS if r != "starter"),
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
    known = config.known_targets
    for source in config.graph.sources:
        _refuse(source, GRAPH_READ_BY, "graph.sources", where)
    for label, at in (
        *((s, "known_targets.sources") for s in known.sources),
        *((s, "known_targets.check") for s in known.check),
    ):
        _refuse(label, LABEL_READ_BY, at, where)
    for drugs in config.drugs.sources:
        _refuse(drugs, DRUG_READ_BY, "drugs.sources", where)
    names = config.identifiers
    if names.hgnc or config.graph.preset in ("open", "full"):
        return
    for name in ("withdrawn", "mappings", "online"):
        if getattr(names, name):
            raise ConfigError(
                f"{where}: identifiers.{name} is not read without identifiers.hgnc; name the HGNC "
                f"complete set there, or leave out {name}"
            )


def _refuse(
    source: GraphSource | LabelSource | DrugSource,
    read_by: Mapping[str, tuple[str, ...]],
    at: str,
    where: str,
) -> None:
    for item in fields(source):
        value, readers = getattr(source, item.name), read_by.get(item.name)
        if readers is not None and value != item.default and source.reader not in readers:
            raise ConfigError(
                f"{where}: {at}.{item.name} = {value!r} of '{source.path}' is not read with "
                f"reader = '{source.reader}'; leave it out, or use one of its readers: "
                f"{', '.join(readers)}"
            )


def _unread(matrix: MatrixSettings) -> Iterator[tuple[str, str]]:
    for name, readers in READ_BY.items():
        if getattr(matrix, name) and matrix.reader not in readers:
            yield name, f"leave it out, or use one of its readers: {', '.join(readers)}"
    peptides = matrix.reader == "maxquant_peptides"
    peptides |= (matrix.reader, matrix.quantity) == ("diann", "precursor")
    if matrix.rollup != MatrixSettings.rollup and not peptides:
        yield "rollup", "use reader = 'maxquant_peptides', or 'diann' with quantity = 'precursor'"
    if matrix.quantity and matrix.reader in _ONE_QUANTITY:
        yield "quantity", "leave it out, or name the reader of the format"
