"""Settings of the drug layer, which is joined to the targets after the ranking."""

from dataclasses import dataclass
from typing import Final

#: Readers of drugs that act on genes.
DRUG_READERS: Final = (
    "starter",
    "drugcentral",
    "repurposing_hub",
    "dgidb",
    "chembl",
    "open_targets_drugs",
)
#: Readers of what else is known of a gene as a target.
TRACTABILITY: Final = "open_targets_tractability"
CATEGORIES: Final = "dgidb_categories"
CLASS_LIST: Final = "druggable_genes"
ESSENTIAL: Final = "essential_genes"
NON_ESSENTIAL: Final = "non_essential_genes"
#: All that ``[[drugs.sources]]`` may name.
DRUG_LAYER_READERS: Final = (
    *DRUG_READERS,
    TRACTABILITY,
    CATEGORIES,
    CLASS_LIST,
    ESSENTIAL,
    NON_ESSENTIAL,
)


@dataclass(frozen=True)
class DrugSource:
    """One source of the drug layer; ``reader`` is one of ``DRUG_LAYER_READERS``.

    ``indications``: of DrugCentral the table of PharmacotherapyDB, of ChEMBL its table of
    indications. ``targets`` is ChEMBL's mapping to UniProt. ``druggable_class`` names what the
    genes of a list are, such as ``kinase``.
    """

    reader: str
    path: str = ""
    indications: str = ""
    targets: str = ""
    druggable_class: str = ""
    release: str = "not stated"
    licence: str = "unknown"
    url: str = ""


@dataclass(frozen=True)
class DrugSettings:
    """Drugs, tractability, essentiality and druggable classes of the ranked genes.

    ``disease_pattern`` is a regular expression on indications that tells drugs of the disease from
    those of others. ``contrasts`` say which way a gene changes in cases, to hold the direction of a
    drug against; empty is the first contrast of the run.
    """

    sources: tuple[DrugSource, ...] = ()
    disease_pattern: str = ""
    contrasts: tuple[str, ...] = ()
