"""The drug layer of a run: held against the cohort, written, and given to the page."""

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd

from aimwell.cohorts.evidence import Evidence, has_direction
from aimwell.config import RunConfig
from aimwell.explain.explanation import Explanation
from aimwell.knowledge.drug_actions import DOWN, UNKNOWN, UP, match_of
from aimwell.knowledge.drugs import DrugLayer
from aimwell.knowledge.repurposing import REPURPOSING_COLUMNS, linked_drugs
from aimwell.pipeline.tables import sources_of, steps_of, write_facts
from aimwell.provenance import write_atomically

if TYPE_CHECKING:  # the module of the ranking loads torch
    from aimwell.models.ranking import Ranking

#: A gene is up or down where the chance that its effect has the other sign is below this.
CERTAIN: Final = 0.05
_SHOWN: Final = (
    "drug",
    "action",
    "mechanism",
    "direction",
    "change",
    "match",
    "phase",
    "status",
    "indication",
    "indicated",
    "source",
    "licence",
)


def change_contrasts(config: RunConfig) -> tuple[str, ...]:
    """Name the contrasts that say which way a gene changes: those of ``[drugs]``, or the first."""
    listed = [*(c.name for c in config.contrasts), *(t.name for t in config.cohort.tables)]
    return config.drugs.contrasts or tuple(listed[:1])


def changes_of(evidence: Evidence, names: Sequence[str]) -> dict[str, str]:
    """Tell which way genes differ in cases.

    Args:
        evidence: What the contrasts say.
        names: The contrasts that count.

    Returns:
        Gene → ``up`` or ``down``, where a contrast is certain of the sign (local false sign rate
        below 5 %) and no other of them is certain of the opposite.
    """
    found: dict[str, set[str]] = {}
    for name in names:
        block = evidence.blocks[name]
        if not has_direction(block):
            continue
        sure = block[block["observed"].astype(bool) & (block["lfsr"] < CERTAIN)]
        for gene, effect in zip(sure.index, sure["effect"], strict=True):
            if effect:
                found.setdefault(str(gene), set()).add(UP if effect > 0 else DOWN)
    return {gene: next(iter(ways)) for gene, ways in found.items() if len(ways) == 1}


def with_match(table: pd.DataFrame, changes: Mapping[str, str]) -> pd.DataFrame:
    """Add ``change`` of the gene in cases, and whether the drug works against it: ``match``."""
    change = table["gene"].map(changes).fillna(UNKNOWN)
    pairs = zip(table["direction"], change, strict=True)
    return table.assign(change=change, match=[match_of(d, c) for d, c in pairs])


def repurposing_of(
    explanations: Sequence[Explanation], drugs: pd.DataFrame, changes: Mapping[str, str]
) -> pd.DataFrame:
    """List the drugs of the genes in the subgraphs of every explained target, best target first."""
    tables = []
    for explanation in explanations:
        symbols = explanation.nodes["symbol"]
        names = dict(zip(symbols.index.astype(str), symbols.astype(str), strict=True))
        parts = [s.edges for s in explanation.subgraphs] or [explanation.subgraph_edges]
        edges = pd.concat(parts).drop_duplicates(["source_id", "target_id", "relation"])
        tables.append(linked_drugs(explanation.gene, edges, drugs, changes, names))
    filled = [table for table in tables if len(table)]
    return (
        pd.concat(filled, ignore_index=True)
        if filled
        else pd.DataFrame(columns=list(REPURPOSING_COLUMNS))
    )


def write_drugs(
    folder: Path, table: pd.DataFrame, repurposing: pd.DataFrame, ranking: "Ranking"
) -> list[Path]:
    """Write ``drugs.tsv``, a row per drug and ranked gene, and ``repurposing.tsv``, best first."""
    ranks, symbols = ranking.table["rank"], ranking.table["symbol"]
    ranked = table[table["gene"].isin(ranks.index)]
    gene = ranked["gene"]
    shown = ranked[list(_SHOWN)]
    shown = shown.assign(rank=gene.map(ranks), symbol=gene.map(symbols), hgnc_id=gene)
    shown = shown[["rank", "symbol", "hgnc_id", *_SHOWN]]
    shown = shown.sort_values(["rank", "hgnc_id", "drug"], kind="stable")
    paths = [_write(folder / "drugs.tsv", shown)]
    reached = repurposing.assign(
        rank=repurposing["target"].map(ranks),
        target=repurposing["target"].map(symbols),
        target_id=repurposing["target"],
        gene=repurposing["gene"].map(symbols),
        gene_id=repurposing["gene"],
    )
    first = ["rank", "target", "target_id", "gene", "gene_id"]
    rest = [c for c in REPURPOSING_COLUMNS if c not in ("target", "gene")]
    reached = reached[[*first, *rest]].sort_values(
        ["rank", "target_id", "hops", "gene_id", "drug"], kind="stable"
    )
    paths.append(_write(folder / "repurposing.tsv", reached))
    return paths


def _write(path: Path, table: pd.DataFrame) -> Path:
    text = io.StringIO()
    table.to_csv(text, sep="\t", index=False, float_format="%.8g", lineterminator="\n")
    with write_atomically(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="\n")
    return path


def save_layer(layer: DrugLayer, folder: Path) -> None:
    """Write a drug layer as Parquet and JSON."""
    layer.table.to_parquet(folder / "drugs.parquet")
    layer.genes.to_parquet(folder / "genes.parquet")
    facts = {"sources": layer.sources, "steps": [asdict(s) for s in layer.steps]}
    write_facts(folder / "drugs.json", facts)


def load_layer(folder: Path) -> DrugLayer:
    """Undo ``save_layer``."""
    facts = json.loads((folder / "drugs.json").read_text(encoding="utf-8"))
    return DrugLayer(
        pd.read_parquet(folder / "drugs.parquet"),
        pd.read_parquet(folder / "genes.parquet"),
        sources_of(facts),
        steps_of(facts),
    )
