"""Known targets from drug and gene lists, resolved to genes and accounted for."""

import re
from collections.abc import Sequence
from typing import Final

import pandas as pd

from aimwell.config import LabelSource, RunConfig
from aimwell.errors import ConfigError, LabelError, some
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped
from aimwell.knowledge.labels import LABEL_COLUMNS, KnownTargets
from aimwell.knowledge.sources import drugcentral, gene_list, pharmacotherapydb, repurposing_hub
from aimwell.provenance import Source, Step, content_hash, sha256_of

#: Reader in the run file → name of the source.
NAMES: Final = {
    "genes": gene_list.NAME,
    "drugcentral": drugcentral.NAME,
    "repurposing_hub": repurposing_hub.NAME,
}


def build_known_targets(
    sources: Sequence[LabelSource], config: RunConfig, table: IdentifierTable
) -> KnownTargets:
    """Read known targets, one row per gene, disease and source, with their drugs as detail.

    Raises:
        ConfigError: A setting that a reader needs is missing or is no regular expression.
        InputError: A file that cannot be read; ``IdentifierError``: too few names are genes.
        LabelError: A source that gives no target.
    """
    tables, origins, steps = [], [], []
    for source in sources:
        found, done = _read(source, config)
        steps += done
        where = f"known targets of '{NAMES[source.reader]}' ({source.path or 'in the run file'})"
        if found.empty:
            raise LabelError(
                f"{where}: nothing matches disease_pattern = '{source.disease_pattern}'; "
                "widen the pattern, or see which diseases the file names"
            )
        genes, step = _resolve(found, table, config.identifiers.min_mapped, where)
        steps.append(step)
        tables.append(
            genes.groupby("gene")["drug"]
            .agg(lambda drugs: "|".join(sorted({d for d in drugs if d})))
            .rename("detail")
            .reset_index()
            .assign(
                disease=source.disease or source.disease_pattern or "not stated",
                source=NAMES[source.reader],
                date="",
                strength=1.0,
            )[list(LABEL_COLUMNS)]
        )
        origins.append(_origin(source, config))
    labels = pd.concat(tables, ignore_index=True)
    labels = labels.drop_duplicates().sort_values(["gene", "disease", "source"], ignore_index=True)
    return KnownTargets(labels, tuple(origins), tuple(steps))


def _read(source: LabelSource, config: RunConfig) -> tuple[pd.DataFrame, list[Step]]:
    """Read pairs of gene name and drug; ``other`` is a second name to try for the same gene."""
    if source.reader == "genes":
        names = list(source.genes)
        if source.path:
            names += gene_list.read_gene_list(config.path(source.path))
        if not names:
            raise ConfigError("known_targets: the reader 'genes' needs 'genes' or 'path'")
        return pd.DataFrame({"name": names, "other": "", "drug": ""}, dtype=str), []
    if not source.path:
        raise ConfigError(f"known_targets: the reader '{source.reader}' needs 'path'")
    if not source.disease_pattern:
        raise ConfigError(
            f"known_targets: the reader '{source.reader}' needs 'disease_pattern', a regular "
            "expression on the names of diseases, such as 'colon cancer'"
        )
    try:
        pattern = re.compile(source.disease_pattern, re.IGNORECASE)
    except re.error as error:
        raise ConfigError(
            f"known_targets: disease_pattern '{source.disease_pattern}' is no regular "
            f"expression: {error}"
        ) from error
    if source.reader == "drugcentral":
        return _drugcentral(source, config, pattern)
    return _repurposing_hub(source, config, pattern)


def _drugcentral(
    source: LabelSource, config: RunConfig, pattern: re.Pattern[str]
) -> tuple[pd.DataFrame, list[Step]]:
    if not source.indications:
        raise ConfigError(
            "known_targets: the reader 'drugcentral' needs 'indications', the table of "
            "PharmacotherapyDB that says which drug treats which disease"
        )
    pairs, steps = drugcentral.read_drugcentral(config.path(source.path))
    every = pharmacotherapydb.read_pharmacotherapydb(config.path(source.indications))
    fits = every["disease"].str.contains(pattern) & (every["category"] == source.category)
    if not fits.any():
        diseases = sorted(every.loc[every["category"] == source.category, "disease"].unique())
        raise LabelError(
            f"'{source.indications}' has no {source.category or 'empty'} drug for a disease like "
            f"'{source.disease_pattern}'; it names {some(diseases, 5)}"
        )
    drugs = every.loc[fits, "drug"].str.lower().unique()
    joined = pairs[pairs["drug"].str.lower().isin(drugs)]
    absent = sorted(set(drugs.tolist()) - set(pairs["drug"].str.lower().tolist()))
    steps = (
        *steps,
        Step(
            f"{pharmacotherapydb.NAME}: {source.category} for '{source.disease_pattern}'",
            len(every),
            int(fits.sum()),
            f"{len(drugs)} drugs",
        ),
        Step(
            "indicated drugs with a human mechanism target",
            len(drugs),
            len(drugs) - len(absent),
            f"{drugcentral.NAME} gives no mechanism for the others",
            tuple(absent[:3]),
        ),
    )
    named = joined.rename(columns={"gene": "name", "accession": "other"})
    return named[["name", "other", "drug"]].reset_index(drop=True), list(steps)


def _repurposing_hub(
    source: LabelSource, config: RunConfig, pattern: re.Pattern[str]
) -> tuple[pd.DataFrame, list[Step]]:
    every = repurposing_hub.read_repurposing_hub(config.path(source.path))
    phase = every["phase"] == source.phase
    if not phase.any():
        raise LabelError(
            f"'{source.path}' has no drug of phase '{source.phase}'; "
            f"it has {some(sorted(every['phase'].unique()), 9)}"
        )
    fits = every[phase & every["indication"].str.contains(pattern)]
    targeted = fits[fits["gene"] != ""]
    name = repurposing_hub.NAME
    steps = [
        Step(f"{name}: {source.phase} for '{source.disease_pattern}'", len(every), len(fits)),
        Step(
            f"{name}: with a target",
            len(fits),
            len(targeted),
            "drugs without a target",
            tuple(sorted(fits.loc[fits["gene"] == "", "drug"])[:3]),
        ),
    ]
    named = targeted.rename(columns={"gene": "name"}).assign(other="")
    return named[["name", "other", "drug"]].reset_index(drop=True), steps


def _resolve(
    found: pd.DataFrame, table: IdentifierTable, minimum: float, where: str
) -> tuple[pd.DataFrame, Step]:
    """Resolve names, and by their accession those whose name is lost."""
    names = found[["name", "other"]].drop_duplicates().sort_values(["name", "other"])
    report = table.resolve(names["name"])
    second = table.resolve(names["other"])
    rescued = (report["status"] != "mapped") & (second["status"] == "mapped")
    report = report.mask(rescued, second)
    require_mapped(report, minimum, where)
    ids = report["hgnc_id"].where(report["status"] == "mapped")
    mapped = found.merge(names.assign(gene=ids.to_numpy()), on=["name", "other"])
    lost = report[report["status"] != "mapped"]
    step = Step(
        f"{where}: names to genes",
        len(report),
        len(report) - len(lost),
        "; ".join(sorted(lost["reason"].unique())[:3]),
        tuple(lost["name"].iloc[:3]),
    )
    return mapped.dropna(subset="gene"), step


def _origin(source: LabelSource, config: RunConfig) -> Source:
    digest = content_hash(source.genes)
    if source.path:
        files = [config.path(p) for p in (source.path, source.indications) if p]
        hashes = [sha256_of(path) for path in files]
        digest = hashes[0] if len(hashes) == 1 else content_hash(hashes)
    name = NAMES[source.reader]
    if source.indications:
        name = f"{name} × {pharmacotherapydb.NAME}"
    licence = source.licence or "unknown"
    return Source(name, source.release, licence, source.url, sha256=digest)
