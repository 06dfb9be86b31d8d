"""Known targets from drug and gene lists, resolved to genes and accounted for."""

from collections.abc import Sequence

import pandas as pd

from aimwell.config import LabelSource, RunConfig
from aimwell.errors import LabelError, some
from aimwell.knowledge.dates import labels_as_of
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped
from aimwell.knowledge.label_sources import LABEL_NAMES, read_labels
from aimwell.knowledge.labels import LABEL_COLUMNS, KnownTargets
from aimwell.knowledge.licences import commercial_only
from aimwell.knowledge.parquet import hash_of
from aimwell.knowledge.sources import pharmacotherapydb
from aimwell.provenance import Source, Step, content_hash


def build_known_targets(
    sources: Sequence[LabelSource], config: RunConfig, table: IdentifierTable, as_of: str = ""
) -> KnownTargets:
    """Read known targets, one row per gene, disease and source, with their drugs as detail.

    Args:
        sources: What to read.
        config: Where the files are.
        table: Resolves names.
        as_of: Leave out what was known only after this day; empty keeps all.

    Raises:
        ConfigError: A setting that a reader needs is missing or is no regular expression.
        InputError: A file that cannot be read; ``IdentifierError``: too few names are genes.
        LabelError: A source that gives no target, or none that ``graph.licence`` allows.
    """
    tables, origins = [], []
    steps: list[Step] = []
    if config.graph.licence == "commercial":
        sources, steps = _allowed(sources)
    for source in sources:
        found, done = read_labels(source, config)
        steps += done
        where = (
            f"known targets of '{LABEL_NAMES[source.reader]}' ({source.path or 'in the run file'})"
        )
        if found.empty:
            raise LabelError(
                f"{where}: nothing matches disease_pattern = '{source.disease_pattern}'; "
                "widen the pattern, or see which diseases the file names"
            )
        if as_of:
            found, step = labels_as_of(found, as_of, where)
            steps.append(step)
            if found.empty:
                raise LabelError(f"{where}: nothing was known by {as_of}; name a later as_of")
        genes, step = _resolve(found, table, config.identifiers.min_mapped, where)
        steps.append(step)
        tables.append(
            genes.groupby("gene", as_index=False)
            .agg(detail=("drug", _joined), date=("date", _first), strength=("strength", "max"))
            .assign(
                disease=source.disease or source.disease_pattern or "not stated",
                source=LABEL_NAMES[source.reader],
            )[list(LABEL_COLUMNS)]
        )
        origins.append(_origin(source, config))
    labels = pd.concat(tables, ignore_index=True)
    labels = labels.drop_duplicates().sort_values(["gene", "disease", "source"], ignore_index=True)
    return KnownTargets(labels, tuple(origins), tuple(steps))


def _allowed(sources: Sequence[LabelSource]) -> tuple[Sequence[LabelSource], list[Step]]:
    """Keep what a company may use; names in the run file itself are the user's own."""
    own = [s for s in sources if s.reader == "genes" and not s.path]
    others, steps = commercial_only(
        [s for s in sources if s not in own], "known targets for commercial use"
    )
    if sources and not (own or others):
        raise LabelError(
            f"licence = 'commercial' leaves not one of {len(sources)} sources of known targets: "
            f"{some(f'{s.name} {s.why}'.replace(': licence', '') for s in steps[1:])}; name "
            "another in [known_targets], or state its licence"
        )
    return [s for s in sources if s in own or s in others], steps


def _joined(drugs: "pd.Series[str]") -> str:
    return "|".join(sorted({drug for drug in drugs if drug}))


def _first(dates: "pd.Series[str]") -> str:
    """Give the earliest date, empty where there is none."""
    return min((date for date in dates if date), default="")


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
        files = [config.path(p) for p in (source.path, source.indications, source.targets) if p]
        hashes = [hash_of(path) for path in files]
        digest = hashes[0] if len(hashes) == 1 else content_hash(hashes)
    name = LABEL_NAMES[source.reader]
    if source.reader in ("drugcentral", "dgidb"):
        name = f"{name} × {pharmacotherapydb.NAME}"
    licence = source.licence or "unknown"
    return Source(name, source.release, licence, source.url, sha256=digest)
