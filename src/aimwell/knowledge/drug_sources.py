"""Which reader of drugs and of targets' properties the run file means, in one shape."""

from collections.abc import Callable
from typing import Final

import numpy as np
import pandas as pd

from aimwell.config import DrugSource, RunConfig
from aimwell.knowledge.drug_actions import direction_of, phase_of
from aimwell.knowledge.sources import (
    chembl,
    dgidb,
    drugcentral,
    gene_list,
    open_targets,
    pharmacotherapydb,
    repurposing_hub,
    starter,
)
from aimwell.provenance import Step

#: Reader in the run file → what rows call the source.
DRUG_NAMES: Final = {
    "starter": starter.NAME,
    "drugcentral": drugcentral.NAME,
    "repurposing_hub": repurposing_hub.NAME,
    "dgidb": dgidb.NAME,
    "chembl": chembl.NAME,
    "open_targets_drugs": open_targets.NAME,
    "open_targets_tractability": open_targets.NAME,
    "dgidb_categories": dgidb.NAME,
    "druggable_genes": gene_list.NAME,
    "essential_genes": gene_list.NAME,
    "non_essential_genes": gene_list.NAME,
}
#: What a reader of drugs gives for each drug and gene: ``name`` of the gene and ``other``, a second
#: one to try; the rest as in ``drugs.DRUG_COLUMNS``; ``withdrawn`` from the market.
READ_COLUMNS: Final = {
    "name": "",
    "other": "",
    "drug": "",
    "action": "",
    "mechanism": "",
    "direction": "unknown",
    "phase": np.nan,
    "indication": "",
    "withdrawn": False,
}
_Found = tuple[pd.DataFrame, list[Step]]
#: Open Targets' names of kinds of drugs.
_MODALITIES: Final = {
    "SM": "small molecule",
    "AB": "antibody",
    "PR": "PROTAC",
    "OC": "other",
}


def read_drugs(source: DrugSource, config: RunConfig) -> _Found:
    """Read drugs and the genes that they act on, by name.

    Returns:
        The columns of ``READ_COLUMNS``, one row per record; and the steps.

    Raises:
        InputError: A file that cannot be read.
    """
    found, steps = _READERS[source.reader](source, config)
    table = found.reset_index(drop=True)
    if "direction" not in table:
        mechanism = table.get("mechanism", pd.Series("", table.index))
        pairs = zip(table["action"], mechanism, strict=True)
        table["direction"] = [direction_of(str(a), str(m)) for a, m in pairs]
    blank = pd.DataFrame({c: v for c, v in READ_COLUMNS.items() if c not in table}, table.index)
    return pd.concat([table, blank], axis=1)[list(READ_COLUMNS)], steps


def read_gene_facts(source: DrugSource, config: RunConfig) -> pd.DataFrame:
    """Read what a source says of genes as targets: columns ``name`` and ``value``, distinct."""
    path = config.path(source.path)
    if source.reader == "open_targets_tractability":
        found = open_targets.read_tractability(path)
        kind = found["modality"].replace(_MODALITIES)
        return pd.DataFrame({"name": found["gene"], "value": kind + ": " + found["bucket"]})
    if source.reader == "dgidb_categories":
        found = dgidb.read_dgidb_categories(path)
        named = found[found["gene"].ne("") & found["category"].ne("")]
        words = named["category"].str.lower()
        return pd.DataFrame({"name": named["gene"], "value": words}).drop_duplicates()
    value = source.druggable_class or source.reader.removesuffix("_genes").replace("_", "-")
    return pd.DataFrame({"name": gene_list.read_gene_list(path)}, dtype=str).assign(value=value)


def _starter(*_: object) -> _Found:
    """Read the drugs of the starter graph, which are approved all."""
    found = starter.read_starter_drugs().rename(columns={"symbol": "name"})
    return found.assign(phase=4.0), []


def _drugcentral(source: DrugSource, config: RunConfig) -> _Found:
    """Read mechanisms of DrugCentral, which lists drugs that some agency has approved."""
    found, steps = drugcentral.read_drugcentral(config.path(source.path))
    table = found.rename(columns={"gene": "name", "accession": "other"})
    table = table.assign(action=table["action"].str.lower(), phase=4.0)
    if source.indications:
        every = pharmacotherapydb.read_pharmacotherapydb(config.path(source.indications))
        treats = every[every["category"] == "DM"]
        named = treats.groupby(treats["drug"].str.lower())["disease"].agg(_united)
        table["indication"] = table["drug"].str.lower().map(named).fillna("")
    return table.drop(columns="tdl"), [*steps]


def _repurposing_hub(source: DrugSource, config: RunConfig) -> _Found:
    every = repurposing_hub.read_repurposing_hub(config.path(source.path))
    acting = every[every["gene"] != ""]
    # what the drug does is told of all its targets together
    table = acting.rename(columns={"gene": "name", "moa": "action"})
    phase = table["phase"].map({text: phase_of(text) for text in table["phase"].unique()})
    step = Step(
        f"{repurposing_hub.NAME}: drugs and targets",
        len(every),
        len(acting),
        "drugs without a target",
        tuple(sorted(every.loc[every["gene"] == "", "drug"])[:3]),
    )
    return table.assign(phase=phase, withdrawn=table["phase"] == "Withdrawn"), [step]


def _dgidb(source: DrugSource, config: RunConfig) -> _Found:
    found, steps = dgidb.read_dgidb(config.path(source.path))
    phase = np.where(found["approved"] == "yes", 4.0, np.nan)
    table = found.rename(columns={"gene": "name"}).drop(columns=["source", "approved"])
    return table.assign(phase=phase), [*steps]


def _chembl(source: DrugSource, config: RunConfig) -> _Found:
    path, targets = config.path(source.path), config.path(source.targets)
    found, steps = chembl.read_chembl_mechanisms(path, targets)
    table = found.rename(columns={"gene": "name"}).assign(action=found["action"].str.lower())
    if source.indications:
        every = chembl.read_chembl_indications(config.path(source.indications))
        each = every.groupby("molecule").agg(disease=("disease", _united), phase=("phase", "max"))
        table["indication"] = table["molecule"].map(each["disease"]).fillna("")
        highest = table["molecule"].map(each["phase"])
        both = pd.concat([table["phase"], highest.where(highest >= 0)], axis=1)
        table["phase"] = both.max(axis=1)
    return table.drop(columns="molecule"), [*steps]


def _known_drugs(source: DrugSource, config: RunConfig) -> _Found:
    every = open_targets.read_known_drugs(config.path(source.path))
    table = every.rename(columns={"gene": "name", "disease": "indication"})
    table = table.assign(action="", phase=every["phase"].where(every["phase"] >= 0))
    return table.drop(columns="status"), []  # of the trial: a withdrawn trial is no withdrawn drug


def _united(texts: "pd.Series[str]") -> str:
    return "|".join(sorted({part for text in texts for part in text.split("|") if part}))


_READERS: Final[dict[str, Callable[[DrugSource, RunConfig], _Found]]] = {
    "starter": _starter,
    "drugcentral": _drugcentral,
    "repurposing_hub": _repurposing_hub,
    "dgidb": _dgidb,
    "chembl": _chembl,
    "open_targets_drugs": _known_drugs,
}
