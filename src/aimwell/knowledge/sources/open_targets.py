"""Open Targets: known drugs, tractability, associations (CC0), and GWAS gold standards (Apache)."""

from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError
from aimwell.knowledge.files import read_table
from aimwell.knowledge.parquet import read_parquet_columns
from aimwell.provenance import Step

NAME: Final = "Open Targets"
DRUGS: Final = "Open Targets' known drugs"
TARGETS: Final = "Open Targets' targets"
ASSOCIATIONS: Final = "Open Targets' associations"
DISEASES: Final = "Open Targets' diseases"
GOLD: Final = "Open Targets' GWAS gold standards"
_GOLD: Final = (
    "gold_standard_info.gene_id",
    "gold_standard_info.highest_confidence",
    "metadata.date_added",
    "trait_info.standard_trait_name",
    "trait_info.reported_trait_name",
)


def read_known_drugs(path: Path) -> pd.DataFrame:
    """Read the Parquet data set of known drugs (``known_drug`` or ``knownDrugsAggregated``).

    Returns:
        Columns ``gene`` (Ensembl gene), ``drug``, ``disease`` (names; the id where there is no
        name), ``phase`` (highest clinical phase, 4 is approved), ``status`` (of the trial) and
        ``mechanism``; no row twice, sorted.

    Raises:
        InputError: Another data set, or a phase outside [-1, 4].
    """
    columns = ("drugId", "targetId", "diseaseId", "phase")
    named = ("prefName", "label", "status", "mechanismOfAction")
    table = read_parquet_columns(path, DRUGS, columns, optional=named, numbers=("phase",))
    odd = table["phase"][~table["phase"].between(-1, 4) & table["phase"].notna()]
    if len(odd):
        raise InputError(
            f"'{path}': {len(odd)} phases lie outside [-1, 4], such as {odd.iloc[0]:g}; "
            f"is it {DRUGS}?"
        )
    empty = pd.Series("", index=table.index)
    kept = pd.DataFrame(
        {
            "gene": table["targetId"],
            "drug": table.get("prefName", empty).replace("", None).fillna(table["drugId"]),
            "disease": table.get("label", empty).replace("", None).fillna(table["diseaseId"]),
            "phase": table["phase"],
            "status": table.get("status", empty).fillna(""),
            "mechanism": table.get("mechanismOfAction", empty).fillna(""),
        }
    )
    return kept.drop_duplicates().sort_values(list(kept.columns), ignore_index=True)


def read_tractability(path: Path) -> pd.DataFrame:
    """Read the tractability of targets from the Parquet data set ``targets``.

    Returns:
        Columns ``gene`` (Ensembl gene), ``modality`` (``SM``, ``AB``, ``PR``, ``OC``) and
        ``bucket``, for the buckets that hold; sorted.

    Raises:
        InputError: Another data set, or no bucket at all.
    """
    columns = ("id", "tractability")
    table = read_parquet_columns(path, TARGETS, columns, nested=columns[1:])
    try:
        rows = [
            (str(gene), str(bucket["modality"]), str(bucket["id"]))
            for gene, buckets in zip(table["id"], table["tractability"], strict=True)
            for bucket in (() if buckets is None else buckets)
            if bucket["value"] is True
        ]
    except (TypeError, KeyError, IndexError) as error:
        raise InputError(
            f"'{path}': 'tractability' is no list of modality, id and value; is it {TARGETS}?"
        ) from error
    if not rows:
        raise InputError(f"'{path}' gives no target a tractability bucket; is it {TARGETS}?")
    return pd.DataFrame(sorted(rows), columns=["gene", "modality", "bucket"], dtype=str)


def read_associations(path: Path, diseases: Path | None = None) -> pd.DataFrame:
    """Read associations of targets with diseases (``association_by_overall_direct`` and others).

    Args:
        path: Parquet data set with ``diseaseId``, ``targetId`` and ``score``.
        diseases: Parquet data set with ``id`` and ``name``; without it, diseases are ids.

    Returns:
        Columns ``gene`` (Ensembl gene), ``disease``, ``score`` in (0, 1]; sorted.

    Raises:
        InputError: Another data set, or a score outside [0, 1].
    """
    columns = ("diseaseId", "targetId", "score")
    table = read_parquet_columns(path, ASSOCIATIONS, columns, numbers=("score",))
    score = table["score"]
    if wrong := int((~score.between(0, 1)).sum()):
        raise InputError(f"'{path}': {wrong} scores lie outside [0, 1]; download it again")
    names: dict[str, str] = {}
    if diseases:
        listed = read_parquet_columns(diseases, DISEASES, ("id", "name"))
        names = dict(zip(listed["id"].tolist(), listed["name"].tolist(), strict=True))
    disease = [names.get(key, key) for key in table["diseaseId"]]
    kept = pd.DataFrame({"gene": table["targetId"], "disease": disease, "score": score})
    return kept[kept["score"] > 0].sort_values(["gene", "disease"], ignore_index=True)


def read_gold_standards(path: Path) -> tuple[pd.DataFrame, Step]:
    """Read the curated causal genes of GWAS loci (``gwas_gold_standards….tsv``).

    Returns:
        Columns ``gene`` (Ensembl gene), ``disease`` (standard name of the trait, else as
        reported), ``confidence`` (``High``, ``Medium``, ``Low``), ``date``; and the step that
        says how many records repeat a gene and a trait.

    Raises:
        InputError: Another file.
    """
    table = read_table(path, GOLD, _GOLD, quoted=False)
    table.columns = pd.Index(["gene", "confidence", "date", "disease", "reported"])
    disease = table["disease"].where(table["disease"] != "", table["reported"])
    table = table.assign(disease=disease)[["gene", "disease", "confidence", "date"]]
    table = table.sort_values(["gene", "disease", "date", "confidence"])  # first date, High first
    kept = table.drop_duplicates(["gene", "disease", "confidence"]).reset_index(drop=True)
    why = "several variants for one gene and trait"
    return kept, Step(f"{GOLD}: genes and traits", len(table), len(kept), why)
