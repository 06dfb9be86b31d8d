"""Finished results and tables of features become parts of the evidence without any matrix."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.cohort import FileNote
from aimwell.cohorts.differential import adjust_p
from aimwell.cohorts.evidence import (
    BLOCK_COLUMNS,
    VALUE_COLUMNS,
    Evidence,
    across_blocks,
    widened,
)
from aimwell.cohorts.formats import recognise
from aimwell.cohorts.gene_features import read_features
from aimwell.cohorts.pairs import compare_effects
from aimwell.cohorts.readers.deseq2 import read_deseq2
from aimwell.cohorts.readers.edger import read_edger
from aimwell.cohorts.readers.limma import read_limma
from aimwell.cohorts.readers.summary import read_summary
from aimwell.cohorts.results import ReadResults, z_of
from aimwell.cohorts.sample_files import digest_of
from aimwell.cohorts.shrinkage import shrink_effects
from aimwell.config import RunConfig, TableSettings
from aimwell.errors import CohortError, InputError
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped
from aimwell.provenance import Source, Step

#: Names in ``[[cohort.tables]]`` → what opens such a file.
RESULT_READERS: Final[dict[str, ReadResults]] = {
    "deseq2": read_deseq2,
    "edger": read_edger,
    "limma": read_limma,
    "summary": read_summary,
}
_NAMES: Final = {
    "a DESeq2 result": "deseq2",
    "a limma topTable": "limma",
    "an edgeR result": "edger",
}


@dataclass(frozen=True)
class ReadyTables:
    """What finished tables add to the evidence.

    Attributes:
        blocks: Name → table with ``BLOCK_COLUMNS``, each over its own genes.
        kinds: Name → ``rna`` or ``protein``.
        compared: Name → what it compares, in the user's words; empty where not stated.
        features: Name → genes × columns, NaN where missing.
        identifiers: What became of every name, as in ``Cohort.identifiers``.
        sources: The files.
        steps: Rows in and out.
        files: What each file turned out to be.
    """

    blocks: Mapping[str, pd.DataFrame]
    kinds: Mapping[str, str]
    compared: Mapping[str, str]
    features: Mapping[str, pd.DataFrame]
    identifiers: pd.DataFrame
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = ()
    files: tuple[FileNote, ...] = ()


def read_ready_tables(config: RunConfig, table: IdentifierTable) -> ReadyTables:
    """Read ``[[cohort.tables]]`` and ``[[cohort.features]]`` and bring their names to genes.

    Raises:
        InputError: A file cannot be read, or is of another format.
        IdentifierError: Too few names of a file are genes.
        CohortError: A table without a single effect that can be used.
    """
    steps: list[Step] = []
    reports: list[pd.DataFrame] = []
    sources: list[Source] = []
    blocks: dict[str, pd.DataFrame] = {}
    features: dict[str, pd.DataFrame] = {}
    files: list[FileNote] = []
    minimum = config.identifiers.min_mapped
    for settings in sorted(config.cohort.tables, key=lambda s: s.name):
        path = config.path(settings.path)
        found = recognise(path)
        looks = _NAMES.get(found.name, "") if found else ""
        if looks and looks != settings.reader:
            raise InputError(
                f"'{path}' (table '{settings.name}') looks like {found.name if found else ''}, but "
                f"reader = '{settings.reader}'; set reader = '{looks}'"
            )
        rows = RESULT_READERS[settings.reader](path, settings)
        name = found.name if found else ""
        about = (path.name, settings.name, settings.reader, name, "log2 fold changes")
        files.append(FileNote(*about, settings.samples, len(rows), "not tested"))
        where = f"'{path}' (table '{settings.name}')"
        rows = _usable(rows, settings, where, steps)
        genes = _genes(rows.index, table, minimum, (where, settings.name), reports, steps)
        blocks[settings.name] = _block(_one_per_gene(rows, genes, settings, steps), settings)
        sources.append(_source(path.name, settings.licence, settings.url, digest_of(path)))
    for wanted in sorted(config.cohort.features, key=lambda s: s.name):
        path = config.path(wanted.path)
        values = read_features(path, wanted)
        about = (path.name, wanted.name, "features", "", "as given")
        files.append(FileNote(*about, values.shape[1], len(values), "not known"))
        where = f"'{path}' (features '{wanted.name}')"
        genes = _genes(values.index, table, minimum, (where, wanted.name), reports, steps)
        features[wanted.name] = _mean_per_gene(values, genes, wanted.name, steps)
        sources.append(_source(path.name, wanted.licence, wanted.url, digest_of(path)))
    return ReadyTables(
        blocks=blocks,
        kinds={s.name: s.kind for s in config.cohort.tables},
        compared={s.name: s.compares for s in config.cohort.tables},
        features=features,
        identifiers=pd.concat(reports, ignore_index=True) if reports else pd.DataFrame(),
        sources=tuple(sources),
        steps=tuple(steps),
        files=tuple(files),
    )


def _source(name: str, licence: str, url: str, digest: str) -> Source:
    return Source(name, "not stated", licence or "unknown", url, sha256=digest)


def _usable(
    rows: pd.DataFrame, settings: TableSettings, where: str, steps: list[Step]
) -> pd.DataFrame:
    """Keep rows with a name, an effect, a positive standard error and a p-value."""
    good = rows[["log2_fold_change", "se", "p"]].notna().all(axis=1) & (rows["se"] > 0)
    good &= rows.index != ""
    steps.append(
        Step(
            f"{settings.name}: genes with an effect",
            len(rows),
            int(good.sum()),
            "" if good.all() else "no name, no effect, no positive standard error, or no p-value",
            tuple(map(str, rows.index[~good][:3])),
        )
    )
    if not good.any():
        raise CohortError(f"{where} has no row with an effect, a standard error and a p-value")
    return rows[good]


def _genes(
    names: pd.Index,
    table: IdentifierTable,
    minimum: float,
    what: tuple[str, str],
    reports: list[pd.DataFrame],
    steps: list[Step],
) -> "pd.Series[str]":
    """HGNC id of every name that has one."""
    where, name = what
    report = table.resolve(sorted(set(names)), whole_file=True)
    mapped = report[report["status"] == "mapped"].set_index("name")["hgnc_id"]
    if mapped.nunique() < minimum * len(table.genes):
        require_mapped(report, minimum, where)
    lost = sorted(report.loc[report["status"] != "mapped", "name"])
    why = "not a gene that is known" if lost else ""
    steps.append(Step(f"{name}: names to genes", len(report), len(mapped), why, tuple(lost[:3])))
    reports.append(report.assign(layer=name))
    return mapped


def _one_per_gene(
    rows: pd.DataFrame, genes: "pd.Series[str]", settings: TableSettings, steps: list[Step]
) -> pd.DataFrame:
    """Keep, of several rows of one gene, the one that is known best."""
    named = rows[rows.index.isin(genes.index)]
    table = named.assign(gene=genes.loc[named.index].to_numpy(), row=named.index)
    table = table.sort_values(["gene", "se", "row", "p"], kind="stable")
    kept = table[~table["gene"].duplicated()]
    twice = table["gene"][table["gene"].duplicated()].unique()
    if len(twice):
        why = f"{len(twice)} genes have several rows: kept the smallest standard error"
        name = f"{settings.name}: one row per gene"
        steps.append(Step(name, len(table), len(kept), why, tuple(map(str, twice[:3]))))
    return kept.set_index("gene").drop(columns="row").sort_index()


def _mean_per_gene(
    values: pd.DataFrame, genes: "pd.Series[str]", name: str, steps: list[Step]
) -> pd.DataFrame:
    named = values[values.index.isin(genes.index)].sort_index()
    of_gene = genes.loc[named.index].to_numpy()
    merged = named.groupby(of_gene, sort=True).mean()
    if len(merged) < len(named):
        why = "rows of one gene: averaged"
        steps.append(Step(f"{name}: one row per gene", len(named), len(merged), why))
    return merged


def _block(rows: pd.DataFrame, settings: TableSettings) -> pd.DataFrame:
    effect, z = rows["log2_fold_change"], z_of(rows["log2_fold_change"], rows["p"])
    flat = (z.abs() < 1e-3) | (effect == 0)
    se = rows["se"].where(flat, effect.abs() / z.abs().where(~flat, 1.0))
    shrunken = shrink_effects(effect.to_numpy(float), se.to_numpy(float))
    block = pd.DataFrame(
        {
            "log2_fold_change": effect,
            "se": rows["se"],
            "effect": shrunken.effect,
            "effect_se": shrunken.effect_se,
            "z": z,
            "lfsr": shrunken.lfsr,
            "p": rows["p"],
            "q": adjust_p(rows["p"].to_numpy(float)),
            "abundance_percentile": np.nan,
            "detection_rate": np.nan,
            "n_observed": settings.samples,
            "observed": True,
        },
        index=rows.index,
    )
    if "abundance" in rows:
        block["abundance_percentile"] = rows["abundance"].rank(pct=True)
    if "n_observed" in rows:
        stated = rows["n_observed"].fillna(settings.samples).clip(0, 2**31)
        block["n_observed"] = stated.astype(int)
    return block[list(BLOCK_COLUMNS)]


def join_tables(evidence: Evidence | None, ready: ReadyTables) -> Evidence:
    """Put finished results beside what was measured; with nothing measured they stand alone.

    The coverage is counted anew over all blocks. Where no pair of contrasts was compared across
    layers, the first RNA and protein tables that compare the same are.
    """
    if not ready.blocks and not ready.features and evidence is not None:
        return evidence
    every = {**(evidence.blocks if evidence else {}), **ready.blocks}
    genes = pd.Index(sorted({gene for block in every.values() for gene in block.index}))
    blocks = {name: widened(block, genes) for name, block in every.items()}
    kinds = {**(evidence.kinds if evidence else {}), **ready.kinds}
    comparisons = dict(evidence.comparisons) if evidence else {}
    found, steps = _compare(ready, blocks)
    comparisons |= found
    return Evidence(
        blocks,
        {name: kinds[name] for name in blocks},
        across_blocks(blocks, comparisons),
        (*(evidence.sources if evidence else ()), *ready.sources),
        (*(evidence.steps if evidence else ()), *ready.steps, *steps),
        features=ready.features,
        comparisons=comparisons,
    )


def _compare(
    ready: ReadyTables, blocks: Mapping[str, pd.DataFrame]
) -> tuple[dict[tuple[str, str], pd.DataFrame], list[Step]]:
    """Compare every table of RNA with every one of protein that compares the same."""
    named = [n for n in sorted(ready.blocks) if ready.compared[n]]
    pairs = [
        (r, p)
        for r in named
        for p in named
        if (ready.kinds[r], ready.kinds[p]) == ("rna", "protein")
        and ready.compared[r] == ready.compared[p]
    ]
    comparisons: dict[tuple[str, str], pd.DataFrame] = {}
    steps: list[Step] = []
    for r, p in pairs:
        rna, protein = (blocks[name][list(VALUE_COLUMNS)] for name in (r, p))
        comparisons[r, p], step = compare_effects((r, rna), (p, protein))
        steps.append(step)
    return comparisons, steps
