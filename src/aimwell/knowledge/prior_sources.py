"""Which reader of a general knowledge graph the run file means, and what it needs from it."""

from typing import Final

from aimwell.config import GraphSource, RunConfig
from aimwell.errors import ConfigError
from aimwell.knowledge.prior_network import PriorNetwork
from aimwell.knowledge.sources import biocypher, hetionet, primekg

#: Reader in the run file → name of the graph.
PRIOR_NAMES: Final = {
    "hetionet": hetionet.NAME,
    "primekg": primekg.NAME,
    "optimuskg": primekg.OPTIMUS,
    "biocypher": biocypher.NAME,
}


def read_prior(source: GraphSource, config: RunConfig) -> PriorNetwork:
    """Read the part of a knowledge graph that may be a prior: no drug, no disease.

    Raises:
        ConfigError: OptimusKG without the table of its nodes.
        InputError: A file that cannot be read, or nothing left of it.
    """
    path = config.path(source.path)
    if source.reader == "primekg":
        return primekg.read_primekg(path)
    if source.reader == "biocypher":
        return biocypher.read_biocypher(path)
    nodes = config.path(source.names) if source.names else None
    if source.reader == "hetionet":
        return hetionet.read_hetionet(path, nodes)
    if nodes is None:
        raise ConfigError(
            "graph.sources: the reader 'optimuskg' needs 'names', the path of nodes.parquet, "
            "which says what each node is"
        )
    return primekg.read_optimuskg(path, nodes)
