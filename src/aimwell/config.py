"""The run file: one TOML file, read into frozen dataclasses that hold every default."""

import difflib
import re
import tomllib
import typing
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_origin, get_type_hints

from aimwell.errors import ConfigError, InputError, some
from aimwell.ranges import check_ranges

#: Readers of interactions and signalling that ``[[graph.sources]]`` may name.
INTERACTION_READERS: Final = (
    "biogrid",
    "collectri",
    "dorothea",
    "edge_list",
    "enzyme_substrate",
    "graphml",
    "hippie",
    "huri",
    "menche",
    "omnipath",
    "psi_mitab",
    "sif",
    "signor",
    "string",
)
#: Kinds of evidence that a reader keeps where ``channels`` names none.
DEFAULT_CHANNELS: Final = {"biogrid": ("physical",), "dorothea": ("A", "B", "C")}
#: Relations between genes, and the kinds of names, that an edge list may declare.
EDGE_RELATIONS: Final = ("interacts", "activates", "inhibits", "induces", "represses", "regulates")
ID_TYPES: Final = ("mixed", "symbol", "hgnc", "ensembl_gene", "entrez", "uniprot")
#: Readers of pathways, complexes, families and terms that ``[[graph.sources]]`` may name.
SET_READERS: Final = (
    "reactome",
    "reactome_mapping",
    "gmt",
    "corum",
    "complex_portal",
    "signor_complexes",
    "famplex",
    "go",
)
#: Readers of general knowledge graphs, of which ``[[graph.sources]]`` keeps genes and sets.
PRIOR_READERS: Final = ("hetionet", "primekg", "optimuskg", "biocypher")
#: What ``graph.licence`` may ask for.
LICENCES: Final = ("any", "commercial")
#: Readers that ``[[identifiers.mappings]]`` may name.
MAPPING_READERS: Final = ("uniprot", "uniprot_secondary", "ncbi_gene", "ncbi_history", "string")
#: Readers that ``[[known_targets.sources]]`` may name.
LABEL_READERS: Final = (
    "genes",
    "drugcentral",
    "repurposing_hub",
    "dgidb",
    "dgidb_categories",
    "chembl",
    "open_targets_drugs",
    "open_targets_associations",
    "open_targets_gold_standards",
    "hetionet_associations",
)


@dataclass(frozen=True)
class RunSettings:
    """What the run is called, where it reads and writes, and how it draws random numbers."""

    title: str
    output: str
    data: str = "."
    seed: int = 0
    jobs: int = 2


@dataclass(frozen=True)
class NameMapping:
    """One file of further names; ``reader`` is one of ``MAPPING_READERS``."""

    reader: str
    path: str
    release: str = "not stated"
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class IdentifierSettings:
    """Which HGNC table resolves names; empty means the genes of the graph itself.

    ``withdrawn`` is HGNC's list of withdrawn entries. ``mappings`` add transcripts, proteins and
    retired ids. ``online`` asks mygene.info for names that remain lost, and keeps its answers in
    the file ``cache``.
    """

    hgnc: str = ""
    min_mapped: float = 0.5
    withdrawn: str = ""
    mappings: tuple[NameMapping, ...] = ()
    online: bool = False
    cache: str = "mygene.json"


@dataclass(frozen=True)
class GraphSource:
    """One database that gives edges or sets.

    ``reader`` is one of ``INTERACTION_READERS``, ``SET_READERS`` and ``PRIOR_READERS``;
    ``hierarchy`` and ``names`` are Reactome's ``ReactomePathwaysRelation.txt`` and
    ``ReactomePathways.txt``, the OBO file of
    GO, and the node table of Hetionet and OptimusKG. ``name`` is what edges call the source where
    the file does not say. Of GO, ``aspects`` (``biological_process`` …) and ``codes`` (evidence
    codes such as ``IDA``) keep a part; empty keeps all, and ``propagate`` adds to each term the
    genes of the terms below it.

    Of interactions, ``min_score`` leaves out what the source gives a smaller weight, in [0, 1];
    ``channels`` keeps the kinds of evidence with these names, which each reader lists; ``weight``,
    in (0, 1], multiplies every weight, to say how far the source as a whole is trusted; and
    ``separate`` gives the source relations of its own, such as ``interacts_string``. ``aliases``
    and ``info`` are STRING's tables of names, ``complexes`` and ``families`` SIGNOR's. An edge
    list, SIF or GraphML also has ``id_type``, ``relation``, and the names of its columns (or
    attributes): ``source_column``, ``target_column``, ``weight_column``.
    """

    reader: str
    path: str
    hierarchy: str = ""
    names: str = ""
    name: str = ""
    aspects: tuple[str, ...] = ()
    codes: tuple[str, ...] = ()
    propagate: bool = True
    min_score: float = 0.0
    channels: tuple[str, ...] = ()
    weight: float = 1.0
    separate: bool = False
    aliases: str = ""
    info: str = ""
    complexes: str = ""
    families: str = ""
    id_type: str = "mixed"
    relation: str = "interacts"
    source_column: str = ""
    target_column: str = ""
    weight_column: str = ""
    release: str = "not stated"
    licence: str = ""
    url: str = ""


@dataclass(frozen=True)
class GraphSettings:
    """Either the embedded starter graph, a graph folder, or sources to build from.

    ``merge`` says what becomes of a pair that several sources have: ``noisy_or`` is one edge with
    the probability that at least one of them is right, ``max`` one edge with the largest weight,
    ``separate`` an edge in a relation per source. A gene keeps its ``max_degree`` strongest edges
    per relation; 0 keeps all. ``licence = "commercial"`` leaves out sources that a company may not
    use, or of which that is not known. ``allow_leak`` keeps what encodes the known targets, and
    marks every result. ``as_of`` leaves out what was first reported after a day such as
    ``2018-01-01``.
    """

    preset: str = ""
    folder: str = ""
    sources: tuple[GraphSource, ...] = ()
    min_set_size: int = 4
    max_set_size: int = 200
    min_complex_size: int = 2
    merge: str = "noisy_or"
    max_degree: int = 0
    licence: str = "any"
    allow_leak: bool = False
    as_of: str = ""


@dataclass(frozen=True)
class MatrixSettings:
    """One matrix file of one layer.

    ``subject_pattern`` is a regular expression whose first group is the subject in a sample name.
    ``set`` gives every sample of the file fixed columns in the sample sheet.
    """

    path: str
    layer: str
    kind: str
    unit: str
    genes_in: str = "rows"
    zero_is_missing: bool = False
    subject_pattern: str = "^(.*)$"
    set: Mapping[str, str] = field(default_factory=dict)
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class SheetSettings:
    """The sample sheet; ``per`` says whether its ids name samples or subjects."""

    path: str
    per: str = "sample"
    samples_in: str = "rows"
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class CohortSettings:
    """Matrices, their sheet, and what to do with samples that only one of them knows."""

    matrices: tuple[MatrixSettings, ...]
    sheet: SheetSettings
    unmatched_samples: str = "refuse"


@dataclass(frozen=True)
class ContrastSettings:
    """One comparison in one layer.

    ``subject`` names the column that pairs samples; ``batch`` and ``covariates`` are columns of
    the sheet that enter the model; ``where`` keeps the samples whose columns have these values.
    """

    name: str
    layer: str
    condition: str
    case: str
    control: str
    subject: str = ""
    batch: str = ""
    covariates: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    accept_confounding: bool = False


@dataclass(frozen=True)
class LabelSource:
    """One source of known targets.

    ``genes``: a list in ``genes`` or a file in ``path``. ``drugcentral``: human mechanism targets
    in ``path`` of the drugs that PharmacotherapyDB (``indications``) puts in ``category`` for
    diseases that match ``disease_pattern``. ``repurposing_hub``: targets in ``path`` of drugs of
    ``phase`` whose indications match ``disease_pattern``. ``dgidb``: as ``drugcentral``, for
    interactions of a stated type. ``dgidb_categories``: genes of ``category``, such as
    ``CLINICALLY ACTIONABLE``. ``chembl``: mechanisms in ``path`` on the proteins of ``targets``,
    of drugs that ``indications`` (of ChEMBL) put at ``min_phase`` or above. ``open_targets_drugs``:
    known drugs at ``min_phase`` or above. ``open_targets_associations``: from ``min_score``, with
    the names of diseases in ``indications``. ``open_targets_gold_standards`` (of high confidence)
    and ``hetionet_associations``: genes of diseases.
    """

    reader: str
    path: str = ""
    genes: tuple[str, ...] = ()
    indications: str = ""
    targets: str = ""
    category: str = "DM"
    min_phase: float = 4.0
    min_score: float = 0.5
    phase: str = "Launched"
    disease_pattern: str = ""
    disease: str = ""
    release: str = "not stated"
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class LabelSettings:
    """Known targets to learn from, and others that are kept out to check the result.

    ``as_of`` leaves out of ``sources`` what was known only after a day such as ``2018-01-01``.
    ``note`` says on the page how far these labels carry.
    """

    sources: tuple[LabelSource, ...]
    check: tuple[LabelSource, ...] = ()
    as_of: str = ""
    note: str = ""


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
    contrasts: tuple[ContrastSettings, ...]
    known_targets: LabelSettings
    graph: GraphSettings = GraphSettings(preset="starter")
    identifiers: IdentifierSettings = IdentifierSettings()
    model: ModelSettings = ModelSettings()
    explain: ExplainSettings = ExplainSettings()

    def path(self, name: str) -> Path:
        """Find an input: absolute as it is, otherwise below ``run.data``."""
        return Path(self.run.data) / name


def read_config(path: Path, *, data: str = "", output: str = "", licence: str = "") -> RunConfig:
    """Read and check a run file.

    Args:
        path: A TOML file. A relative ``run.data`` is taken from the folder of the file; a
            relative ``run.output`` from the working folder.
        data: Replaces ``run.data``.
        output: Replaces ``run.output``.
        licence: Replaces ``graph.licence``.

    Raises:
        InputError: The file is missing or not TOML.
        ConfigError: An unknown or missing key, or a value of the wrong kind.
    """
    if not path.is_file():
        raise InputError(f"there is no run file '{path}'; write one after examples/coad/coad.toml")
    try:
        # editors on Windows put a byte-order mark before the first key
        raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not UTF-8 text, as TOML must be: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"'{path}' is not valid TOML: {error}") from error
    except OSError as error:
        raise InputError(f"'{path}' cannot be read: {error.strerror or error}") from error
    run = raw.setdefault("run", {})
    if isinstance(run, dict) and (data or isinstance(run.get("data", "."), str)):
        folder = data or str(path.resolve().parent / run.get("data", "."))
        run["data"] = str(Path(folder).resolve())
    if isinstance(run, dict) and output:
        run["output"] = output
    graph = raw.setdefault("graph", {"preset": "starter"}) if licence else None
    if isinstance(graph, dict):
        graph["licence"] = licence
    return config_from(raw, where=str(path))


def config_from(raw: Mapping[str, Any], where: str = "configuration") -> RunConfig:
    """Check a nested mapping and turn it into a ``RunConfig``.

    Example:
        >>> config_from({"runn": {}})
        Traceback (most recent call last):
        aimwell.errors.ConfigError: configuration: unknown key 'runn'; did you mean 'run'?
    """
    config: RunConfig = _build(RunConfig, raw, where, "")
    _check_choices(config, where)
    check_ranges(config, where)
    if not config.run.output:
        raise ConfigError(f"{where}: run.output is empty; name the folder of the run")
    graph = config.graph
    if graph.min_set_size > graph.max_set_size:
        raise ConfigError(
            f"{where}: graph.min_set_size = {graph.min_set_size} is above graph.max_set_size = "
            f"{graph.max_set_size}, so no set would be left"
        )
    return config


def _build(kind: Any, raw: Any, where: str, at: str) -> Any:
    if not isinstance(raw, Mapping):
        raise ConfigError(f"{where}: [{at}] must be a table, found {raw!r}")
    known = {f.name: f for f in fields(kind)}
    for key in raw:
        if key not in known:
            near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
            hint = f"did you mean '{near[0]}'?" if near else f"known keys: {', '.join(known)}"
            raise ConfigError(f"{where}: unknown key '{_join(at, key)}'; {hint}")
    hints = get_type_hints(kind)
    values = {}
    for name, item in known.items():
        if name in raw:
            values[name] = _value(hints[name], raw[name], where, _join(at, name))
        elif item.default is MISSING and item.default_factory is MISSING:
            raise ConfigError(f"{where}: the key '{_join(at, name)}' is missing")
    return kind(**values)


def _value(hint: Any, raw: Any, where: str, at: str) -> Any:
    if is_dataclass(hint):
        return _build(hint, raw, where, at)
    if get_origin(hint) is tuple:
        if not isinstance(raw, list | tuple):
            raise ConfigError(f"{where}: '{at}' must be a list, found {raw!r}")
        return tuple(_value(get_args(hint)[0], v, where, f"{at}[{i}]") for i, v in enumerate(raw))
    if get_origin(hint) in (Mapping, typing.get_origin(Mapping[str, str])):
        if not isinstance(raw, Mapping):
            raise ConfigError(f"{where}: '{at}' must be a table, found {raw!r}")
        return {str(k): str(v) for k, v in raw.items()}
    if hint is float and isinstance(raw, int) and not isinstance(raw, bool):
        return float(raw)
    if isinstance(raw, str) and "\0" in raw:
        raise ConfigError(f"{where}: '{at}' holds a null character; remove it")
    if not isinstance(raw, hint) or (isinstance(raw, bool) and hint is not bool):
        raise ConfigError(f"{where}: '{at}' must be of type {hint.__name__}, found {raw!r}")
    return raw


def _check_choices(config: RunConfig, where: str) -> None:
    graph = config.graph
    given = [bool(graph.preset), bool(graph.folder), bool(graph.sources)]
    if sum(given) != 1:
        raise ConfigError(
            f"{where}: [graph] needs exactly one of preset, folder and sources, found {sum(given)}"
        )
    choices: list[tuple[str, str, tuple[str, ...]]] = [
        ("cohort.unmatched_samples", config.cohort.unmatched_samples, ("refuse", "report")),
        ("cohort.sheet.per", config.cohort.sheet.per, ("sample", "subject")),
        ("cohort.sheet.samples_in", config.cohort.sheet.samples_in, ("rows", "columns")),
    ]
    if graph.preset:
        choices.append(("graph.preset", graph.preset, ("starter",)))
    readers = (*INTERACTION_READERS, *SET_READERS, *PRIOR_READERS)
    choices.append(("graph.merge", graph.merge, ("noisy_or", "max", "separate")))
    choices.append(("graph.licence", graph.licence, LICENCES))
    for source in graph.sources:
        choices += [
            ("graph.sources.reader", source.reader, readers),
            ("graph.sources.id_type", source.id_type, ID_TYPES),
            ("graph.sources.relation", source.relation, EDGE_RELATIONS),
        ]
        _check_range(where, source)
    mappings = config.identifiers.mappings
    choices += [("identifiers.mappings.reader", m.reader, MAPPING_READERS) for m in mappings]
    for matrix in config.cohort.matrices:
        choices += [
            ("cohort.matrices.kind", matrix.kind, ("rna", "protein")),
            ("cohort.matrices.unit", matrix.unit, ("counts", "log2", "log2_ratio", "intensity")),
            ("cohort.matrices.genes_in", matrix.genes_in, ("rows", "columns")),
        ]
    for label in (*config.known_targets.sources, *config.known_targets.check):
        choices.append(("known_targets.sources.reader", label.reader, LABEL_READERS))
    _check_days(config, where)
    for key, found, allowed in choices:
        if found not in allowed:
            near = difflib.get_close_matches(found, allowed, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"use one of {some(allowed, 9)}"
            raise ConfigError(f"{where}: {key} = '{found}' is not known; {hint}")
    if not config.known_targets.sources:
        raise ConfigError(f"{where}: known_targets.sources is empty; name at least one source")
    _check_contrasts(config, where)


def _check_contrasts(config: RunConfig, where: str) -> None:
    layers = {m.layer for m in config.cohort.matrices}
    names = [c.name for c in config.contrasts]
    if not names:
        raise ConfigError(f"{where}: name at least one contrast in [[contrasts]]")
    if len(set(names)) < len(names):
        raise ConfigError(f"{where}: two contrasts share a name: {some(names)}")
    for contrast in config.contrasts:
        if not contrast.name.strip() or not contrast.name.isprintable():
            raise ConfigError(
                f"{where}: contrasts.name = {contrast.name!r} must be printable text, since it "
                "begins the names of columns"
            )
        if contrast.layer not in layers:
            raise ConfigError(
                f"{where}: contrast '{contrast.name}' names the layer '{contrast.layer}'; "
                f"the matrices have {some(sorted(layers), 9)}"
            )


def _check_range(where: str, source: GraphSource) -> None:
    if not 0 <= source.min_score <= 1:
        raise ConfigError(
            f"{where}: graph.sources.min_score = {source.min_score} of '{source.path}' must lie in "
            "[0, 1]; write 0.7 for a STRING score of 700"
        )
    if not 0 < source.weight <= 1:
        raise ConfigError(
            f"{where}: graph.sources.weight = {source.weight} of '{source.path}' must lie in (0, 1]"
        )


def _check_days(config: RunConfig, where: str) -> None:
    for key, day in (("graph", config.graph.as_of), ("known_targets", config.known_targets.as_of)):
        if day and not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])", day):
            raise ConfigError(f"{where}: {key}.as_of = '{day}' is no day; write 2018-01-01")


def _join(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
