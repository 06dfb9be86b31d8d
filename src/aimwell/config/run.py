"""Settings of a run: where it reads and writes, its networks, its explanations."""

from dataclasses import dataclass, field
from pathlib import Path

from aimwell.config.cohort import CohortSettings, ContrastSettings
from aimwell.config.knowledge import GraphSettings, IdentifierSettings, LabelSettings


@dataclass(frozen=True)
class RunSettings:
    """What the run is called, where it reads and writes, and how it draws random numbers."""

    title: str
    output: str
    data: str = "."
    seed: int = 0
    jobs: int = 2
    executor: str = "local"


@dataclass(frozen=True)
class ModelSettings:
    """The ensemble of networks."""

    folds: int = 5
    seeds: int = 5
    epochs: int = 60
    hidden: int = 32
    dropout: float = 0.5
    input_dropout: float = 0.2
    hide: float = 0.5
    learning_rate: float = 5e-3
    weight_decay: float = 5e-4


@dataclass(frozen=True)
class ExplainSettings:
    """How many targets are explained, how finely, and how large their subgraphs may be."""

    top: int = 50
    steps: int = 200
    max_nodes: int = 15


@dataclass(frozen=True)
class RunConfig:
    """Everything a run depends on besides the bytes of its inputs."""

    run: RunSettings
    cohort: CohortSettings
    contrasts: tuple[ContrastSettings, ...] = ()
    known_targets: LabelSettings = field(kw_only=True)
    graph: GraphSettings = field(default_factory=lambda: GraphSettings(preset="starter"))
    identifiers: IdentifierSettings = field(default_factory=IdentifierSettings)
    model: ModelSettings = ModelSettings()
    explain: ExplainSettings = ExplainSettings()

    def path(self, name: str) -> Path:
        """Find an input: absolute as it is, otherwise below ``run.data``."""
        return Path(self.run.data) / name
