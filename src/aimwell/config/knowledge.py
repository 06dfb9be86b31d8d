"""Settings of identifiers, graph and known targets, and the readers they may name."""

from dataclasses import dataclass
from typing import Final

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
#: Graphs that ``graph.preset`` may name.
PRESETS: Final = ("starter", "open", "full")
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
    """Either a preset, a graph folder, or sources to build from.

    The presets ``open`` and ``full`` take what ``aimwell graph fetch`` put into the folder
    ``databases``.
    ``merge`` says what becomes of a pair that several sources have: ``noisy_or`` is one edge with
    the probability that at least one of them is right, ``max`` one edge with the largest weight,
    ``separate`` an edge in a relation per source. A gene keeps its ``max_degree`` strongest edges
    per relation; 0 keeps all. ``licence = "commercial"`` leaves out sources that a company may not
    use, or of which that is not known. ``allow_leak`` keeps what encodes the known targets, and
    marks every result. ``as_of`` leaves out what was first reported after a day such as
    ``2018-01-01``.
    """

    preset: str = ""
    databases: str = "databases"
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

    ``negatives`` are genes that are known to be none, for ``model.objective = "supervised"``.
    ``as_of`` leaves out of ``sources`` what was known only after a day such as ``2018-01-01``.
    ``note`` says on the page how far these labels carry.
    """

    sources: tuple[LabelSource, ...] = ()
    negatives: tuple[LabelSource, ...] = ()
    check: tuple[LabelSource, ...] = ()
    as_of: str = ""
    note: str = ""
