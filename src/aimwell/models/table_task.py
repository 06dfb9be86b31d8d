"""A task made of published tables, on their own folds, with more relations where wanted."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import pandas as pd

from aimwell.errors import TaskError, some
from aimwell.knowledge.graph import GENE, GENE_COLUMNS, Relation, TargetGraph
from aimwell.knowledge.task_tables import FOLDS, TaskTables
from aimwell.models.task import Block, TargetTask, standardise
from aimwell.models.wiring import build_wiring
from aimwell.provenance import Step

#: Name of the relation that ``edges.tsv`` becomes.
BASE: Final = "interacts"
STUDY: Final = "study"
NAMING: Final = "naming"
#: Sets with fewer genes of the task say nothing about each other.
SMALLEST_SET: Final = 2


@dataclass(frozen=True)
class Further:
    """What else is known of the genes of the tables.

    Attributes:
        measured: Further features by symbol, with columns as in the tables; NaN where a gene was
            not measured.
        named: Columns by symbol that say how early a gene was named: a block ``naming`` of the
            full track.
        uncounted: Relations of the companion graph that are no measure of study intensity.
    """

    measured: pd.DataFrame | None = None
    named: pd.DataFrame | None = None
    uncounted: tuple[str, ...] = ()


def build_table_task(
    tables: TaskTables,
    repetition: int,
    companion: TargetGraph | None = None,
    *,
    messages: Sequence[str] = (),
    full: bool = False,
    further: Further | None = None,
) -> TargetTask:
    """Turn tables into a task; its genes are keyed by symbol.

    Args:
        tables: As ``read_task_tables`` gives them.
        repetition: Which of their splits: ``test_fold_rep<repetition>``.
        companion: Its relations are joined by symbol; genes that the tables do not have are left
            out.
        messages: Names of the relations of ``companion`` that messages travel along, beside the
            edges of the tables; empty takes its undirected relations and its gene sets.
        full: Add a block ``study``: how often a gene is in each relation of ``companion``, whether
            messages travel along it or not. It measures how well a gene is studied.
        further: More features, and what study intensity is.

    Returns:
        Labels 1 for known targets, ``negatives`` where the tables give them, fold -1 for genes in
        no test fold, blocks by the part of a feature's name before ``:``.

    Raises:
        TaskError: A repetition or a relation that is not there.
    """
    further = further or Further()
    column = f"{FOLDS}{repetition}"
    if column not in tables.folds:
        raise TaskError(f"the tables have no column '{column}'; they have {some(tables.folds)}")
    genes = pd.Index(tables.labels.index, name="hgnc_id")
    nodes, relations, steps = _joined(companion, genes)
    wanted = [BASE, *(messages or _travelled(relations))]
    if unknown := [name for name in wanted[1:] if name not in relations]:
        raise TaskError(
            f"the graph has no relations {some(unknown)}; it has {some(relations, len(relations))}"
        )
    counted = _counts({k: r for k, r in relations.items() if k not in further.uncounted}, genes)
    relations = {BASE: _base(tables.edges), **relations}
    kept = {name: relations[name] for name in wanted}
    graph = TargetGraph(
        _reached(nodes, kept),
        kept,
        (*tables.sources, *(companion.sources if companion else ())),
        (*tables.steps, *steps),
    )
    blocks = _blocks(tables.features)
    if further.measured is not None:
        blocks += _blocks(further.measured.reindex(genes))
    if full and len(counted.columns):
        blocks.append(_studied(STUDY, counted.map(np.log1p)))
    if full and further.named is not None:
        blocks.append(_studied(NAMING, further.named.reindex(genes)))
    degree = np.bincount(
        genes.get_indexer(tables.edges[["a", "b"]].to_numpy().ravel()), minlength=len(genes)
    )
    blocks.append(Block("graph", "graph", ("log_degree",), standardise(np.log1p(degree)[:, None])))
    labels = tables.labels.to_numpy()
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=tuple(blocks),
        wiring=build_wiring(graph, genes),
        labels=(labels == 1).astype(np.int8),
        withheld=np.zeros(len(genes), bool),
        folds=tables.folds[column].to_numpy(np.int64, copy=True),
        families=pd.Series(genes.astype(str), genes),
        steps=graph.steps,
        negatives=labels == 0 if (labels == 0).any() else None,
    )


def relation_counts(
    tables: TaskTables, companion: TargetGraph | None, uncounted: Sequence[str] = ()
) -> pd.DataFrame:
    """Count how often every gene is in the edges and in each relation of the companion graph.

    Args:
        tables, companion: As for ``build_table_task``.
        uncounted: Relations of ``companion`` that are left out.

    Returns:
        One column per relation, a directed one apart by direction; indexed by symbol.
    """
    genes = pd.Index(tables.labels.index, name="hgnc_id")
    relations = {BASE: _base(tables.edges), **_joined(companion, genes)[1]}
    return _counts({k: r for k, r in relations.items() if k not in uncounted}, genes)


def _reached(
    nodes: dict[str, pd.DataFrame], relations: dict[str, Relation]
) -> dict[str, pd.DataFrame]:
    """Keep the genes, and the sets that a relation of the task reaches."""
    found = {GENE: nodes[GENE]}
    for kind in sorted({r.target_type for r in relations.values()} - {GENE}):
        ids = {i for r in relations.values() if r.target_type == kind for i in r.edges["target_id"]}
        found[kind] = nodes[kind].loc[sorted(ids)]
    return found


def _studied(name: str, columns: pd.DataFrame) -> Block:
    values = standardise(columns.to_numpy(float))
    return Block(name, STUDY, tuple(str(c) for c in columns), values)


def _base(edges: pd.DataFrame) -> Relation:
    table = pd.DataFrame(
        {
            "source_id": edges["a"],
            "target_id": edges["b"],
            "weight": edges["weight"].astype(float),
            "evidence": "edges.tsv",
            "literature": False,
            "clinical": False,
            "detail": "",
        }
    )
    return Relation(BASE, GENE, GENE, table, directed=False)


def _joined(
    companion: TargetGraph | None, genes: pd.Index
) -> tuple[dict[str, pd.DataFrame], dict[str, Relation], tuple[Step, ...]]:
    """Give nodes and relations of the companion on the genes of the tables, by symbol."""
    own = pd.DataFrame({c: genes.astype(str) for c in GENE_COLUMNS}, index=genes)
    if companion is None:
        return {GENE: own}, {}, ()
    symbols = companion.symbols
    symbols = symbols[symbols.isin(genes) & ~symbols.duplicated(keep=False)]
    missing = genes.difference(pd.Index(symbols))
    steps = [
        Step(
            "genes of the tables in the companion graph",
            len(genes),
            len(genes) - len(missing),
            "no approved symbol there; they keep the edges of the tables only",
            tuple(str(g) for g in missing[:3]),
        )
    ]
    nodes, relations = {GENE: own}, {}
    for name, relation in sorted(companion.relations.items()):
        if relation.source_type != GENE:
            continue
        joined = _rename(relation, symbols)
        if joined.target_type != GENE:
            size = joined.edges.groupby("target_id")["source_id"].transform("size")
            joined = Relation(
                name, GENE, joined.target_type, joined.edges[size >= SMALLEST_SET], directed=True
            )
            held = nodes.get(joined.target_type, pd.DataFrame({"name": []}, dtype=str))
            found = joined.edges["target_id"].unique()
            more = companion.nodes[joined.target_type].loc[
                sorted(set(found) - set(held.index)), ["name"]
            ]
            nodes[joined.target_type] = pd.concat([held, more]).sort_index()
        steps.append(
            Step(
                f"{name}: edges on the genes of the tables",
                len(relation.edges),
                len(joined.edges),
                "an end that the tables do not have",
            )
        )
        free = f"{name} (graph)" if name == BASE else name
        relations[free] = replace(joined, name=free)
    return nodes, relations, tuple(steps)


def _rename(relation: Relation, symbols: "pd.Series[str]") -> Relation:
    edges = relation.edges.assign(source_id=relation.edges["source_id"].map(symbols))
    if relation.target_type == GENE:
        edges["target_id"] = edges["target_id"].map(symbols)
    edges = edges.dropna(subset=["source_id", "target_id"])
    if not relation.directed:
        swap = edges["source_id"] > edges["target_id"]
        ends = edges.loc[swap, ["target_id", "source_id"]].to_numpy()
        edges.loc[swap, ["source_id", "target_id"]] = ends
    edges = edges.sort_values(["source_id", "target_id"], ignore_index=True)
    kind = (relation.source_type, relation.target_type)
    return Relation(relation.name, *kind, edges, relation.directed)


def _travelled(relations: dict[str, Relation]) -> list[str]:
    """Take undirected relations and sets: signalling says which genes somebody looked at."""
    return [n for n, r in relations.items() if not r.directed or r.target_type != GENE]


def _counts(relations: dict[str, Relation], genes: pd.Index) -> pd.DataFrame:
    """Count the edges of every gene per relation, a directed one apart by direction."""
    found: dict[str, np.ndarray] = {}
    for name, relation in relations.items():
        ends = ["source_id"] + (["target_id"] if relation.target_type == GENE else [])
        places = {end: genes.get_indexer(pd.Index(relation.edges[end])) for end in ends}
        count = {e: np.bincount(p, minlength=len(genes)) for e, p in places.items()}
        if relation.directed:
            found |= {name if e == "source_id" else f"{name} reversed": c for e, c in count.items()}
        else:
            found[name] = count["source_id"] + count["target_id"]
    return pd.DataFrame(found, index=genes)


def _blocks(features: pd.DataFrame) -> list[Block]:
    """One block per part of a name before ``:``, ``features`` where there is none."""
    parts = [str(c).split(":")[0].strip() if ":" in str(c) else "features" for c in features]
    return [
        Block(
            part,
            "features",
            tuple(str(c) for c, p in zip(features, parts, strict=True) if p == part),
            standardise(features.loc[:, [p == part for p in parts]].to_numpy(float)),
        )
        for part in sorted(set(parts))
    ]
