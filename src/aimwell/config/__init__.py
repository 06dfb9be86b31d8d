"""The run file: one TOML file, read into frozen dataclasses that hold every default."""

from aimwell.config.cohort import (
    COHORT_READERS,
    CohortSettings,
    ContrastSettings,
    MatrixSettings,
    SheetSettings,
)
from aimwell.config.knowledge import (
    DEFAULT_CHANNELS,
    EDGE_RELATIONS,
    ID_TYPES,
    INTERACTION_READERS,
    LABEL_READERS,
    LICENCES,
    MAPPING_READERS,
    PRIOR_READERS,
    SET_READERS,
    GraphSettings,
    GraphSource,
    IdentifierSettings,
    LabelSettings,
    LabelSource,
    NameMapping,
)
from aimwell.config.reading import config_from, read_config
from aimwell.config.run import ExplainSettings, ModelSettings, RunConfig, RunSettings

__all__ = [
    "COHORT_READERS",
    "DEFAULT_CHANNELS",
    "EDGE_RELATIONS",
    "ID_TYPES",
    "INTERACTION_READERS",
    "LABEL_READERS",
    "LICENCES",
    "MAPPING_READERS",
    "PRIOR_READERS",
    "SET_READERS",
    "CohortSettings",
    "ContrastSettings",
    "ExplainSettings",
    "GraphSettings",
    "GraphSource",
    "IdentifierSettings",
    "LabelSettings",
    "LabelSource",
    "MatrixSettings",
    "ModelSettings",
    "NameMapping",
    "RunConfig",
    "RunSettings",
    "SheetSettings",
    "config_from",
    "read_config",
]
