"""Settings of a cohort: its files, its sample sheet, and what is compared."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

#: Readers of measurements that ``[[cohort.matrices]]`` may name.
COHORT_READERS: Final = (
    "matrix",
    "featurecounts",
    "star",
    "rsem",
    "salmon",
    "kallisto",
    "gdc",
    "gct",
    "cbioportal",
    "parquet",
    "xlsx",
    "h5ad",
    "h5mu",
    "maxquant",
    "maxquant_peptides",
    "diann",
    "diann_pg_matrix",
    "fragpipe",
    "fragpipe_tmt",
    "spectronaut",
    "proteome_discoverer",
    "olink",
    "somascan",
    "rppa",
)

#: Readers of formats that hold one kind of layer only.
RNA_READERS: Final = ("featurecounts", "star", "rsem", "salmon", "kallisto", "gdc")
PROTEIN_READERS: Final = COHORT_READERS[COHORT_READERS.index("maxquant") :]
#: Readers of finished results that ``[[cohort.tables]]`` may name.
TABLE_READERS: Final = ("deseq2", "limma", "edger", "summary")
#: What a contrast may ask.
TESTS: Final = ("arms", "any", "slope", "interaction", "survival", "formula")
#: What may fill in missing values of a contrast; nothing does unless asked.
IMPUTERS: Final = ("minprob", "downshift", "smallest", "knn")
#: What the prior variance of a gene depends on.
VARIANCE_PRIORS: Final = ("auto", "constant", "abundance", "peptides")
#: How peptides become proteins.
ROLLUPS: Final = ("median_polish", "directlfq")
#: How the samples of a layer are brought to one level before a test.
NORMALISATIONS: Final = ("none", "median", "quantile", "variance_stabilising")


@dataclass(frozen=True)
class MatrixSettings:
    """One file of measurements of one layer.

    ``reader`` is one of ``COHORT_READERS``. A plain ``matrix`` needs ``unit``; the other readers
    know theirs. ``quantity`` chooses among the columns that a format offers for each sample.
    ``path`` may be a folder or a pattern where a format has one file per sample.
    ``names_in`` is the column that names the features where a format has several; ``transcripts``
    a table of transcripts and their genes. ``donor`` and ``cell_type`` are columns of single
    cells, whose counts are added up over each pair of them with at least ``min_cells`` cells.
    ``rollup`` is one of ``ROLLUPS``, for readers of peptides.
    ``normalise`` is one of ``NORMALISATIONS``; empty is ``median`` for intensities and ``none`` for
    logarithms. ``reference`` is a regular expression for the names of reference channels, to which
    the plexes of isobaric labels are scaled; the first group of ``plex_pattern`` is the plex in a
    sample name.
    ``subject_pattern`` is a regular expression whose first group is the subject in a sample name.
    ``set`` gives every sample of the file fixed columns in the sample sheet.
    """

    path: str
    layer: str
    kind: str
    unit: str = ""
    reader: str = "matrix"
    quantity: str = ""
    genes_in: str = "rows"
    zero_is_missing: bool = False
    names_in: str = ""
    transcripts: str = ""
    donor: str = ""
    cell_type: str = ""
    min_cells: int = 10
    normalise: str = ""
    rollup: str = "median_polish"
    reference: str = ""
    plex_pattern: str = ""
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
class TableSettings:
    """One table of finished results: effects per gene that another program or site estimated.

    ``reader`` is one of ``TABLE_READERS``. ``samples`` is the number of samples behind the table
    where it does not say. An RNA and a protein table with the same ``compares`` give the
    discordance where no contrast does. ``names_in`` is the column of the genes, by default the
    first.
    """

    name: str
    path: str
    kind: str
    reader: str
    samples: int = 0
    compares: str = ""
    names_in: str = ""
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class FeatureSettings:
    """One table of genes × numbers that the networks get as a block of features."""

    name: str
    path: str
    names_in: str = ""
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class CohortSettings:
    """Matrices, their sheet, and what to do with samples that only one of them knows.

    ``tables`` and ``features`` are finished; with ``tables`` a run needs no matrix and no sheet.
    """

    matrices: tuple[MatrixSettings, ...] = ()
    sheet: SheetSettings = SheetSettings("")
    unmatched_samples: str = "refuse"
    tables: tuple[TableSettings, ...] = ()
    features: tuple[FeatureSettings, ...] = ()


@dataclass(frozen=True)
class ContrastSettings:
    """One comparison in one layer.

    ``test`` is one of ``TESTS``. ``arms``: ``condition`` has the levels ``case`` and ``control``.
    ``any``: it has several levels, and any difference between them counts. ``formula``: the model
    is ``formula``, and ``coefficient`` is the term or column of it that is tested.
    ``slope``: it is a number. ``interaction``: how far case minus control differs between the two
    ``strata`` of the column ``stratum``, first minus second. ``survival``: ``time`` and ``event``
    are columns, and ``event_level`` is what the latter says where the event came.
    ``subject`` names the column that pairs samples; ``block`` one whose samples err together;
    ``batch`` and ``covariates`` are columns of the sheet that enter the model; ``where`` keeps the
    samples whose columns have these values.
    ``hidden_batches`` puts common variation that nobody wrote down into the model too.
    ``variance`` is one of ``VARIANCE_PRIORS``; ``robust`` keeps hypervariable genes out of the
    prior. ``impute`` is one of ``IMPUTERS`` or empty, which fills in nothing.
    """

    name: str
    layer: str
    condition: str = ""
    case: str = ""
    control: str = ""
    subject: str = ""
    batch: str = ""
    covariates: tuple[str, ...] = ()
    where: Mapping[str, str] = field(default_factory=dict)
    accept_confounding: bool = False
    hidden_batches: bool = False
    test: str = "arms"
    formula: str = ""
    coefficient: str = ""
    stratum: str = ""
    strata: tuple[str, ...] = ()
    time: str = ""
    event: str = ""
    event_level: str = ""
    block: str = ""
    variance: str = "auto"
    robust: bool = False
    impute: str = ""
