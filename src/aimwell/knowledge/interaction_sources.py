"""Which reader of interactions the run file means, and what each takes from its settings."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from aimwell.config import DEFAULT_CHANNELS, GraphSource, RunConfig
from aimwell.errors import ConfigError, some
from aimwell.knowledge.interactions import Interactions, keep_rows
from aimwell.knowledge.sources import (
    biogrid,
    collectri,
    dorothea,
    edge_list,
    enzyme_substrate,
    graphml,
    hippie,
    huri,
    menche,
    omnipath,
    psi_mitab,
    sif,
    signor,
    string,
)

#: Reader in the run file → what the evidence of its edges is called.
NAMES: Final = {
    "biogrid": biogrid.NAME,
    "collectri": collectri.NAME,
    "dorothea": dorothea.NAME,
    "edge_list": edge_list.NAME,
    "enzyme_substrate": enzyme_substrate.NAME,
    "graphml": graphml.NAME,
    "hippie": hippie.NAME,
    "huri": huri.NAME,
    "menche": menche.NAME,
    "omnipath": omnipath.NAME,
    "psi_mitab": psi_mitab.NAME,
    "sif": sif.NAME,
    "signor": signor.NAME,
    "string": string.NAME,
}


def read_interactions(source: GraphSource, config: RunConfig) -> Interactions:
    """Read the interactions of one database, and keep the channels and scores that are asked for.

    Raises:
        ConfigError: A setting that the reader needs is missing, or names an unknown channel.
        InputError: A file that cannot be read.
    """
    if not source.path:
        raise ConfigError(f"graph.sources: the reader '{source.reader}' needs 'path'")
    found = READERS[source.reader](source, config)
    if source.reader != "string":
        found = _in_channels(found, source)
        weight = found.table["weight"].to_numpy(float)
        if source.min_score > 0:
            name = f"{evidence_name(source)}: scores"
            why = f"a weight below {source.min_score:g}"
            found = keep_rows(found, weight >= source.min_score, name, why)
    return found


def evidence_name(source: GraphSource) -> str:
    """Give the name by which edges call a source."""
    return source.name or NAMES[source.reader]


def _in_channels(found: Interactions, source: GraphSource) -> Interactions:
    """Keep rows with an evidence type among the channels; without channels, all."""
    channels = source.channels or DEFAULT_CHANNELS.get(source.reader, ())
    if not channels:
        return found
    kinds = [set(text.split("|")) for text in found.table["evidence_type"].cat.categories]
    present = set().union(*kinds)
    if source.channels and (unknown := sorted(set(source.channels) - present)):
        raise ConfigError(
            f"graph.sources: '{source.path}' has no channel {some(unknown)}; it has "
            f"{some(sorted(present), 12)}"
        )
    wanted = np.array([bool(kind & set(channels)) for kind in kinds])
    keep = wanted[found.table["evidence_type"].cat.codes.to_numpy()]
    name = f"{evidence_name(source)}: {', '.join(sorted(channels))}"
    return keep_rows(found, keep, name, "other kinds of evidence")


def _optional(name: str, config: RunConfig) -> Path | None:
    return config.path(name) if name else None


def _only_path(reader: Callable[[Path], Interactions]) -> "_Reader":
    return lambda source, config: reader(config.path(source.path))


def _string(source: GraphSource, config: RunConfig) -> Interactions:
    found = string.read_string(
        config.path(source.path),
        aliases=_optional(source.aliases, config),
        info=_optional(source.info, config),
        channels=source.channels,
        min_score=source.min_score,
    )
    named = source.aliases or source.info or config.identifiers.mappings
    if not named and found.names.str.startswith("ENSP").mean() > 0.5:
        raise ConfigError(
            f"graph.sources: '{source.path}' names Ensembl proteins; set 'aliases' "
            "(9606.protein.aliases…txt.gz) or 'info' (9606.protein.info…txt.gz) of the same STRING "
            "release, which name their genes"
        )
    return found


def _signor(source: GraphSource, config: RunConfig) -> Interactions:
    return signor.read_signor(
        config.path(source.path),
        complexes=_optional(source.complexes, config),
        families=_optional(source.families, config),
    )


def _edge_list(source: GraphSource, config: RunConfig) -> Interactions:
    if bool(source.source_column) != bool(source.target_column):
        raise ConfigError(
            f"graph.sources: '{source.path}' needs both source_column and target_column, or neither"
        )
    return edge_list.read_edge_list(
        config.path(source.path),
        id_type=source.id_type,
        relation=source.relation,
        columns=(source.source_column, source.target_column),
        weight_column=source.weight_column,
    )


def _sif(source: GraphSource, config: RunConfig) -> Interactions:
    path = config.path(source.path)
    return sif.read_sif(path, id_type=source.id_type, relation=source.relation)


def _graphml(source: GraphSource, config: RunConfig) -> Interactions:
    return graphml.read_graphml(
        config.path(source.path),
        id_type=source.id_type,
        relation=source.relation,
        name_attribute=source.source_column,
        weight_attribute=source.weight_column,
    )


_Reader = Callable[[GraphSource, RunConfig], Interactions]
READERS: Final[dict[str, _Reader]] = {
    "biogrid": _only_path(biogrid.read_biogrid),
    "collectri": _only_path(collectri.read_collectri),
    "dorothea": _only_path(dorothea.read_dorothea),
    "edge_list": _edge_list,
    "enzyme_substrate": _only_path(enzyme_substrate.read_enzyme_substrate),
    "graphml": _graphml,
    "hippie": _only_path(hippie.read_hippie),
    "huri": _only_path(huri.read_huri),
    "menche": _only_path(menche.read_menche),
    "omnipath": _only_path(omnipath.read_omnipath),
    "psi_mitab": _only_path(psi_mitab.read_psi_mitab),
    "sif": _sif,
    "signor": _signor,
    "string": _string,
}
