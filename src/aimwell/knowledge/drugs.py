"""The drug layer: what acts on the ranked genes, joined after the ranking and never in it."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.config import DRUG_READERS, DrugSource, RunConfig
from aimwell.errors import LabelError, some
from aimwell.knowledge.drug_actions import (
    APPROVED,
    IN_TRIALS,
    UNKNOWN,
    WITHDRAWN,
    gene_status,
    one_direction,
    status_of,
)
from aimwell.knowledge.drug_sources import DRUG_NAMES, read_drugs, read_gene_facts
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.identifiers import IdentifierTable, require_mapped
from aimwell.knowledge.label_sources import LABEL_NAMES
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.licences import commercial_only
from aimwell.knowledge.parquet import hash_of
from aimwell.knowledge.sources import starter
from aimwell.provenance import Source, Step, content_hash

DRUG_COLUMNS: Final = (
    "gene",
    "drug",
    "action",
    "mechanism",
    "direction",
    "phase",
    "status",
    "indication",
    "indicated",
    "source",
    "licence",
)
GENE_COLUMNS: Final = ("status", "tractability", "essential", "druggable_class")
#: Reader of facts of genes → column of the table of genes.
_FACTS: Final = {
    "open_targets_tractability": "tractability",
    "dgidb_categories": "druggable_class",
    "druggable_genes": "druggable_class",
    "essential_genes": "essential",
    "non_essential_genes": "essential",
}
_Record = dict[str, Any]


@dataclass(frozen=True)
class DrugLayer:
    """Drugs of genes, and what else is known of genes as targets.

    Attributes:
        table: One row per drug and gene, sorted; columns ``DRUG_COLUMNS``: ``gene`` (HGNC id),
            ``drug``, ``action`` and ``mechanism`` (in the databases' words), ``direction``
            (``inhibits``, ``activates``, ``unknown``), ``phase`` (highest clinical phase, 0
            preclinical to 4 approved, missing where no source says), ``status`` (``approved``,
            ``withdrawn``, ``in trials``, ``preclinical``, ``unknown``), ``indication``,
            ``indicated`` (for the disease of the run: ``yes``, ``no``, ``unknown``), ``source``
            and ``licence`` of all who say so. Several values are joined by ``|``, licences by
            ``; ``.
        genes: One row per gene of the graph; columns ``GENE_COLUMNS``: ``status`` (``approved``,
            ``in trials``, ``unknown``, ``novel``; empty where the run names no source of drugs),
            ``tractability``, ``essential`` (``essential``, ``non-essential``) and
            ``druggable_class``; empty where no source says.
        sources: The files behind it.
        steps: Rows in and out.
    """

    table: pd.DataFrame
    genes: pd.DataFrame
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = field(default=(), compare=False)

    def names(self) -> dict[str, list[str]]:
        """Drugs of every gene that people take or have tried, by HGNC id, approved ones first.

        Drugs of which no source says how far they are count too; preclinical ones do not.
        """
        order = {status: k for k, status in enumerate((APPROVED, WITHDRAWN, IN_TRIALS, UNKNOWN))}
        taken = self.table[self.table["status"].isin(list(order))]
        rows = taken.assign(order=taken["status"].map(order))
        rows = rows.sort_values(["gene", "order", "drug"])
        found: dict[str, list[str]] = {}
        for gene, drug in zip(rows["gene"], rows["drug"], strict=True):
            found.setdefault(str(gene), []).append(str(drug))
        return found


def build_drug_layer(
    config: RunConfig,
    table: IdentifierTable,
    graph: TargetGraph,
    known: Iterable[KnownTargets] = (),
) -> DrugLayer:
    """Read the sources of ``[drugs]`` for the genes of a graph.

    The starter graph brings its own drugs where ``[drugs]`` names no source. Drugs that the known
    targets name, and no source of drugs does, are rows of which nothing else is known.

    Args:
        config: ``drugs.sources`` and where the files are.
        table: Resolves names.
        graph: Whose genes count.
        known: Tables of known targets, with the drugs behind them.

    Raises:
        InputError: A file that cannot be read; ``IdentifierError``: too few names are genes.
        LabelError: No source that ``graph.licence`` allows.
    """
    sources, steps = _sources(config)
    merged: dict[tuple[str, str], _Record] = {}
    facts: dict[str, dict[str, set[str]]] = {}
    for source in sources:
        licence = _licence(source)
        if source.reader in DRUG_READERS:
            found, done = read_drugs(source, config)
            rows, step = _resolved(found, table, graph, config, source)
            _merge(merged, rows, DRUG_NAMES[source.reader], licence)
            steps += [*done, *step]
        else:
            rows, step = _resolved(read_gene_facts(source, config), table, graph, config, source)
            column = facts.setdefault(_FACTS[source.reader], {})
            for gene, value in zip(rows["gene"], rows["value"], strict=True):
                column.setdefault(gene, set()).add(value)
            steps += step
    named = any(source.reader in DRUG_READERS for source in sources)
    steps += _add_known(merged, known, config)
    layer = _table(merged, config.drugs.disease_pattern)
    genes = _genes(layer, graph.genes, facts, drugs_known=named)
    return DrugLayer(layer, genes, tuple(_origin(s, config) for s in sources), tuple(steps))


def _sources(config: RunConfig) -> tuple[Sequence[DrugSource], list[Step]]:
    sources: Sequence[DrugSource] = config.drugs.sources
    if not sources and config.graph.preset == "starter":
        return [DrugSource("starter")], []
    if config.graph.licence != "commercial":
        return sources, []
    stated = [replace(source, licence=_licence(source)) for source in sources]
    kept, steps = commercial_only(stated, "drug sources for commercial use")
    if sources and not kept:
        raise LabelError(
            f"licence = 'commercial' leaves not one of {len(sources)} sources of [drugs]: "
            f"{some(f'{s.name} {s.why}'.replace(': licence', '') for s in steps[1:])}; state the "
            "licence of each in drugs.sources.licence, or leave them out"
        )
    return kept, steps


def _licence(source: DrugSource) -> str:
    return starter.LICENCE if source.reader == "starter" else source.licence


def _resolved(
    found: pd.DataFrame,
    table: IdentifierTable,
    graph: TargetGraph,
    config: RunConfig,
    source: DrugSource,
) -> tuple[pd.DataFrame, list[Step]]:
    """Give rows of names the HGNC id in ``gene``; keep those of genes of the graph."""
    where = f"drugs of '{DRUG_NAMES[source.reader]}' ({source.path or 'embedded'})"
    if "other" not in found:
        found = found.assign(other="")
    names = found[["name", "other"]].drop_duplicates()
    report, second = table.resolve(names["name"]), table.resolve(names["other"])
    rescued = (report["status"] != "mapped") & (second["status"] == "mapped")
    report = report.mask(rescued, second)
    if config.identifiers.hgnc:  # a graph knows its own genes only, which may be few of them
        require_mapped(report, config.identifiers.min_mapped, where)
    ids = report["hgnc_id"].where(report["status"] == "mapped").to_numpy()
    rows = found.merge(names.assign(gene=ids), on=["name", "other"])
    inside = rows[rows["gene"].isin(graph.genes)]
    lost = report[report["status"] != "mapped"]
    steps = [
        Step(
            f"{where}: names to genes",
            len(report),
            len(report) - len(lost),
            "; ".join(sorted(lost["reason"].unique())[:3]),
            tuple(lost["name"].iloc[:3]),
        ),
        Step(f"{where}: rows of genes of the graph", len(rows), len(inside), "other genes"),
    ]
    return inside, steps


def _merge(
    merged: dict[tuple[str, str], _Record], rows: pd.DataFrame, source: str, licence: str
) -> None:
    """Add rows to one record per gene and drug; the names of drugs are compared without case."""
    columns = ("gene", "drug", "action", "mechanism", "direction", "phase", "indication")
    for gene, drug, action, mechanism, direction, phase, indication, withdrawn in zip(
        *(rows[c].tolist() for c in columns), rows["withdrawn"].tolist(), strict=True
    ):
        key = drug_key(drug)
        if not key:
            continue
        record = merged.get((gene, key))
        if record is None:
            record = {c: set() for c in ("names", *columns[2:5], "indication", "source", "licence")}
            record |= {"phase": float("nan"), "withdrawn": False}
            merged[gene, key] = record
        record["names"].add(_plain(drug).replace("|", "/"))  # "|" stands between names
        record["action"].update(map(_plain, re.split(r"[|,]", action)))
        record["mechanism"].add(_plain(mechanism))
        record["direction"].add(direction)
        record["indication"].update(map(_plain, indication.split("|")))
        record["source"].add(source)
        record["licence"].add(licence)
        record["phase"] = float(np.fmax(record["phase"], phase))
        record["withdrawn"] |= bool(withdrawn)


def drug_key(name: str) -> str:
    """Give the form by which names of drugs are compared: no case, single blanks.

    Example:
        >>> drug_key("Lapatinib  ditosylate")
        'lapatinib ditosylate'
    """
    return _plain(name).casefold()


def _plain(text: str) -> str:
    """Put a text on one line, with single blanks."""
    return " ".join(text.split())


def _add_known(
    merged: dict[tuple[str, str], _Record], known: Iterable[KnownTargets], config: RunConfig
) -> list[Step]:
    """Add the drugs of known targets that no source of drugs has; only their names are known."""
    settings = config.known_targets
    licences = {LABEL_NAMES[s.reader]: s.licence for s in (*settings.check, *settings.sources)}
    rows = []
    seen = 0
    for labels in known:
        columns = (labels.table[c] for c in ("gene", "detail", "source"))
        for gene, detail, source in zip(*columns, strict=True):
            for drug in filter(None, str(detail).split("|")):
                seen += 1
                if (gene, drug_key(drug)) not in merged:
                    rows.append({"gene": gene, "drug": drug, "from": source})
    table = pd.DataFrame(rows, columns=["gene", "drug", "from"]).assign(
        action="", mechanism="", direction=UNKNOWN, phase=np.nan, indication="", withdrawn=False
    )
    for source, part in table.groupby("from", sort=True):
        _merge(merged, part, str(source), licences.get(str(source), "unknown"))
    why = "the others have a row by a source of drugs"
    return [Step("drugs of known targets, added", seen, len(rows), why)] if seen else []


def _table(merged: Mapping[tuple[str, str], _Record], pattern: str) -> pd.DataFrame:
    sought = re.compile(pattern, re.IGNORECASE) if pattern else None
    rows = []
    for (gene, _), found in sorted(merged.items()):
        indication = _joined(found["indication"])
        rows.append(
            (
                gene,
                # a name in capitals is one that nobody set
                min(found["names"], key=lambda name: (name.isupper(), name)),
                _joined(found["action"]),
                _joined(found["mechanism"]),
                one_direction(found["direction"]),
                found["phase"],
                status_of(found["phase"], withdrawn=found["withdrawn"]),
                indication,
                _indicated(indication, sought),
                _joined(found["source"]),
                "; ".join(sorted(found["licence"])),
            )
        )
    table = pd.DataFrame(rows, columns=list(DRUG_COLUMNS))
    texts = [c for c in DRUG_COLUMNS if c != "phase"]
    return table.astype({**dict.fromkeys(texts, "str"), "phase": "float64"})


def _indicated(indication: str, sought: "re.Pattern[str] | None") -> str:
    if not sought or not indication:
        return UNKNOWN
    return "yes" if sought.search(indication) else "no"


def _joined(texts: "set[str]") -> str:
    return "|".join(sorted(texts - {""}))


def _genes(
    layer: pd.DataFrame,
    genes: pd.Index,
    facts: Mapping[str, Mapping[str, set[str]]],
    *,
    drugs_known: bool,
) -> pd.DataFrame:
    statuses: dict[str, set[str]] = {}
    for gene, status in zip(layer["gene"], layer["status"], strict=True):
        statuses.setdefault(str(gene), set()).add(str(status))
    told: dict[str, list[str]] = {c: [] for c in GENE_COLUMNS}
    for gene in genes:
        own = statuses.get(str(gene), set())
        told["status"].append(gene_status(own) if drugs_known or own else "")
        for column in GENE_COLUMNS[1:]:
            values = facts.get(column, {}).get(str(gene), set())
            # a gene that both lists have is neither
            both = column == "essential" and len(values) > 1
            told[column].append("" if both else _joined(values))
    return pd.DataFrame(told, index=genes, dtype="str").rename_axis("hgnc_id")


def _origin(source: DrugSource, config: RunConfig) -> Source:
    name = DRUG_NAMES[source.reader]
    if source.reader == "starter":
        path = starter.find_starter() / "drugs.tsv"
        return Source(f"{name}: drugs", starter.RELEASE, starter.LICENCE, sha256=hash_of(path))
    files = [config.path(p) for p in (source.path, source.indications, source.targets) if p]
    hashes = [hash_of(path) for path in files]
    digest = hashes[0] if len(hashes) == 1 else content_hash(hashes)
    if source.reader.endswith("_genes"):
        name = source.druggable_class or config.path(source.path).stem
    return Source(name, source.release, source.licence, source.url, sha256=digest)
