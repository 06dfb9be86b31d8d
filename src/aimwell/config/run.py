"""Settings of a run: where it reads and writes, its networks, its explanations."""

from dataclasses import dataclass, field
from pathlib import Path

from aimwell.config.cohort import CohortSettings, ContrastSettings
from aimwell.config.drugs import DrugSettings
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
    device: str = "auto"


@dataclass(frozen=True)
class ModelSettings:
    """What the networks learn, from what, and how.

    ``objective`` is what they learn: ``positive_unlabelled`` tells known targets from unlabelled
    genes, ``supervised`` from given negatives, ``none`` needs no known targets: it predicts the
    evidence of a gene from its surroundings. ``loss`` is how unlabelled genes enter: ``balanced``
    as weak negatives, each side weighing the same, ``non_negative`` by the risk of Kiryo (2017)
    with a share ``prior`` of hidden targets (0 estimates it), ``ranking`` by pairs. ``folds_by``
    says what keeps genes together, or, with ``folds_file``, that folds are given. ``fusion`` is
    how layers come together. ``compare_tracks`` measures the network with features that count how
    well a gene is studied, too. ``early_stopping`` is the number of checks without progress after
    which training stops, on an inner split of the training genes; 0 trains for all epochs.
    ``degree_correction`` takes out of every message what the degrees at its ends alone explain;
    ``degree_feature`` is whether networks are told the log degree of a gene.
    """

    objective: str = "positive_unlabelled"
    loss: str = "balanced"
    prior: float = 0.0
    folds: int = 5
    folds_by: str = "family"
    folds_file: str = ""
    fusion: str = "intermediate"
    compare_fusion: bool = False
    compare_tracks: bool = False
    layers: int = 2
    convolution: str = "sum"
    degree_correction: bool = False
    degree_feature: bool = True
    ladder: str = "standard"
    seeds: int = 5
    epochs: int = 60
    hidden: int = 32
    dropout: float = 0.5
    input_dropout: float = 0.2
    hide: float = 0.5
    learning_rate: float = 5e-3
    weight_decay: float = 5e-4
    block_dropout: float = 0.0
    relation_dropout: float = 0.0
    early_stopping: int = 0


@dataclass(frozen=True)
class ExplainSettings:
    """How many targets are explained, how finely, and how large their subgraphs may be.

    The attributions are those of the first of ``baselines``; the others are compared with it.
    """

    top: int = 50
    steps: int = 200
    max_nodes: int = 15
    subgraphs: int = 3
    baselines: tuple[str, ...] = ("zero", "controls")
    test: bool = True


@dataclass(frozen=True)
class AuditSettings:
    """How often an audit repeats a run with one thing changed, and what it compares it with.

    ``rewires``, ``label_permutations`` and ``sample_permutations`` are draws of the three nulls,
    ``sample_bootstraps`` and ``edge_bootstraps`` of the resampling; 0 leaves one out. ``seeds`` is
    the number of networks per fold in each. ``swaps`` is per edge, ``dropped_edges`` a share of
    them, ``jitter`` a share of the spread of every feature. ``known_share`` is the share of
    all targets that is known; 0 estimates it. ``positive_controls``, ``negative_controls`` and
    ``other_targets`` name files with one gene a line.
    """

    rewires: int = 10
    label_permutations: int = 20
    sample_permutations: int = 20
    sample_bootstraps: int = 10
    edge_bootstraps: int = 5
    seeds: int = 1
    swaps: int = 10
    dropped_edges: float = 0.1
    jitter: float = 0.01
    top: int = 100
    fdr: float = 0.1
    known_share: float = 0.0
    remove_degree: bool = False
    positive_controls: str = ""
    negative_controls: str = ""
    other_targets: str = ""


@dataclass(frozen=True)
class RunConfig:
    """Everything a run depends on besides the bytes of its inputs."""

    run: RunSettings
    cohort: CohortSettings
    contrasts: tuple[ContrastSettings, ...] = ()
    known_targets: LabelSettings = field(default_factory=LabelSettings)
    graph: GraphSettings = field(default_factory=lambda: GraphSettings(preset="starter"))
    identifiers: IdentifierSettings = field(default_factory=IdentifierSettings)
    model: ModelSettings = ModelSettings()
    explain: ExplainSettings = ExplainSettings()
    audit: AuditSettings = AuditSettings()
    drugs: DrugSettings = field(default_factory=DrugSettings)

    def path(self, name: str) -> Path:
        """Find an input: absolute as it is, otherwise below ``run.data``."""
        return Path(self.run.data) / name
