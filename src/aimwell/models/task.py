"""The learning task: graph, evidence, labels and folds on integer positions.

This is the only place where genes become positions; everything before and after is keyed by id.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.config import ModelSettings
from aimwell.errors import LabelError, TaskError, some
from aimwell.knowledge.graph import GENE, TargetGraph
from aimwell.knowledge.labels import KnownTargets
from aimwell.models.folds import Folds, deal_folds
from aimwell.models.wiring import Wiring, build_wiring, connected_parts, ends_of
from aimwell.provenance import Step

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

CLIP: Final = 3.0
#: With fewer known targets, folds would test one or two at a time and learn from as few.
FEWEST: Final = 5
EVIDENCE_FEATURES: Final = ("abs_z", "abs_effect", "z", "effect")
#: Strength of change enters at full scale, direction at a third: with a few dozen known targets a
#: network should need a reason to care whether a gene goes up or down.
FEATURE_SCALE: Final = (1.0, 1.0, 0.3, 0.3)


@dataclass(frozen=True)
class Block:
    """One block of node features: its kind, its columns, its values.

    ``values`` has shape ``(n, d)``, float32, standardised over the observed genes without looking
    at labels and clipped to ±3; a missing value is 0, the average gene. ``observed`` is True where
    a gene was measured, shape ``(n,)``; None where that is not known. ``unchanged`` is what a
    measured gene would have, had nothing changed, shape ``(d,)``; None where the block is not
    about a change. ``hidden`` keeps a block from the networks; baselines and checks still have it.
    """

    name: str
    kind: str
    columns: tuple[str, ...]
    values: np.ndarray
    observed: np.ndarray | None = None
    unchanged: np.ndarray | None = None
    hidden: bool = False

    @property
    def inputs(self) -> np.ndarray:
        """Give what networks read of it: zeros where it is hidden from them."""
        return np.zeros_like(self.values) if self.hidden else self.values


@dataclass(frozen=True)
class TargetTask:
    """Everything a network needs, aligned on one sorted list of genes.

    Attributes:
        graph: The graph, for names and provenance.
        genes: HGNC ids, sorted, shape ``(n,)``.
        blocks: Feature blocks; the last one is ``graph`` with the log degree.
        wiring: Message channels with fixed normalisation.
        labels: 1 known, 0 unlabelled, shape ``(n,)``, int8.
        withheld: True for targets kept out to check the result: they carry no label, take no part
            in any loss, and are left out of the metrics; shape ``(n,)``.
        folds: Fold of every gene, shape ``(n,)``; -1 for a gene in no test fold.
        families: Gene family of every gene.
        steps: What was left out and why.
        negatives: Where a benchmark gives negatives: True for them, shape ``(n,)``; the rest
            without a label is unlabelled. None where every gene without a label is.
        objective: What networks learn. With ``none`` labels only check the result, and a network
            never sees the evidence of the genes that it scores.
        dealt: How the folds were dealt; None where they came from elsewhere.

    Raises:
        TaskError: A gene family in two folds, or shapes that differ.
    """

    graph: TargetGraph
    genes: pd.Index
    blocks: tuple[Block, ...]
    wiring: Wiring
    labels: np.ndarray
    withheld: np.ndarray
    folds: np.ndarray
    families: "pd.Series[str]"
    steps: tuple[Step, ...] = field(default=(), compare=False)
    negatives: np.ndarray | None = None
    objective: str = "positive_unlabelled"
    dealt: Folds | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        n = len(self.genes)
        if self.negatives is not None and (self.negatives & (self.labels == 1)).any():
            both = self.genes[self.negatives & (self.labels == 1)]
            raise TaskError(f"{len(both)} genes are known targets and negatives: {some(both)}")
        if any(len(b.values) != n for b in self.blocks) or len(self.labels) != n:
            raise TaskError("features, labels and genes of the task differ in length")
        split = pd.Series(self.folds).groupby(self.families.to_numpy()).nunique()
        if (split > 1).any():
            raise TaskError(
                f"{int((split > 1).sum())} gene families are split over folds: "
                f"{some(split.index[split > 1])}"
            )

    @property
    def reported(self) -> np.ndarray:
        """True for genes whose fold counts in the metrics, shape ``(n,)``."""
        if self.dealt is None:
            return np.ones(len(self.genes), bool)
        return np.isin(self.folds, self.dealt.reported)

    def positions(self, genes: pd.Index) -> np.ndarray:
        """Positions of genes in this task; unknown genes raise ``TaskError``."""
        found = self.genes.get_indexer(genes)
        if (found < 0).any():
            raise TaskError(f"not in the graph: {some(genes[found < 0])}")
        return found

    def to_hetero_data(self) -> "HeteroData":
        """Give the task as PyG ``HeteroData``: features, labels, folds and weighted edges."""
        import torch
        from torch_geometric.data import HeteroData

        data = HeteroData()
        data[GENE].x = torch.from_numpy(np.hstack([b.values for b in self.blocks]))
        data[GENE].y = torch.from_numpy(self.labels.astype(np.int64))
        data[GENE].fold = torch.from_numpy(self.folds)
        for kind, table in self.graph.nodes.items():
            if kind != GENE:
                data[kind].num_nodes = len(table)
        for name, relation in sorted(self.graph.relations.items()):
            ends = ends_of(self.graph, relation)
            store = data[relation.source_type, name, relation.target_type]
            store.edge_index = torch.from_numpy(np.stack(ends))  # (2, e)
            store.edge_weight = torch.from_numpy(relation.edges["weight"].to_numpy(np.float32))
        return data


def build_task(  # noqa: PLR0913  what a task is made of
    graph: TargetGraph,
    evidence: Evidence,
    known: KnownTargets | None,
    *,
    folds: int,
    seed: int,
    withheld: pd.Index | None = None,
    settings: ModelSettings | None = None,
    negatives: pd.Index | None = None,
    given_folds: "pd.Series[int] | None" = None,
) -> TargetTask:
    """Align graph, evidence and known targets and deal the folds.

    Args:
        graph: Its genes are the candidates.
        evidence: Genes outside the graph are left out and counted; genes of the graph that were
            not measured stay, with every feature missing.
        known: Known targets outside the graph are left out and counted. None where there are
            none, for the objective ``none``.
        folds: Number of folds.
        seed: Breaks ties in the folds.
        withheld: Targets kept out to check the result; a known target among them loses its label.
        settings: Its ``objective`` and ``folds_by``; the defaults where it is missing.
        negatives: HGNC ids of genes that are known to be no targets.
        given_folds: Gene → fold, for ``folds_by = "given"``.

    Raises:
        LabelError: None of the known targets is in the graph, or too few to learn from and test.
        TaskError: The known targets fall into fewer families than folds, or the evidence has gaps
            that it does not admit.
    """
    model = settings or ModelSettings()
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    inside, steps = _labelled(known, genes, withheld, model.objective)
    measured = evidence.genes.isin(genes)
    step = Step(
        "measured genes in the graph",
        len(evidence.genes),
        int(measured.sum()),
        "not a gene of the graph; kept in evidence.parquet",
        tuple(evidence.genes[~measured][:3]),
    )
    blocks = [_evidence_block(n, evidence, genes) for n in sorted(evidence.blocks)]
    blocks += [_feature_block(n, evidence, genes) for n in sorted(evidence.features)]
    blocks.append(replace(_degree_block(graph, genes), hidden=not model.degree_feature))
    dealt = deal_folds(
        model.folds_by,
        graph,
        pd.Index([]) if model.objective == "none" else inside,
        k=folds,
        seed=seed,
        dates=known_since(known),
        given=given_folds,
    )
    wiring = build_wiring(graph, genes, degree_corrected=model.degree_correction)
    labels = genes.isin(inside)
    return TargetTask(
        graph=graph,
        genes=genes,
        blocks=tuple(blocks),
        wiring=wiring,
        labels=labels.astype(np.int8),
        withheld=np.asarray(genes.isin([] if withheld is None else withheld)),
        folds=dealt.array,
        families=graph.nodes[GENE]["family"].astype(str).reindex(genes),
        steps=(*steps, step, *dealt.steps, *_oddities(graph, wiring, blocks, labels)),
        negatives=None if negatives is None else np.asarray(genes.isin(negatives) & ~labels),
        objective=model.objective,
        dealt=dealt,
    )


def _labelled(
    known: KnownTargets | None, genes: pd.Index, withheld: pd.Index | None, objective: str
) -> tuple[pd.Index, tuple[Step, ...]]:
    """Find the known targets to learn from, or, without that, those that check the result."""
    if known is None:
        if objective != "none":
            raise LabelError(
                "there are no known targets to learn from; name some, or rank without any: "
                "model.objective = 'none'"
            )
        return pd.Index([]), ()
    hidden = pd.Index([]) if withheld is None else withheld
    inside = known.genes[known.genes.isin(genes)]
    outside = known.genes.difference(inside)
    if not len(inside):
        raise LabelError(
            f"none of the {len(known.genes)} known targets is among the {len(genes)} genes of the "
            f"graph: {some(known.genes)}; use a larger graph or other known targets"
        )
    kept_out = inside.intersection(hidden)
    inside = inside.difference(hidden)
    if not len(inside):
        raise LabelError(
            f"all {len(kept_out)} known targets in the graph are also in known_targets.check, "
            "which keeps them out; name known targets that are not"
        )
    if len(inside) < FEWEST and objective != "none":
        raise LabelError(
            f"{len(inside)} known targets are left in the graph ({some(inside)}), and {FEWEST} are "
            "the fewest that can be learned from and tested. What can still be done: rank by the "
            "evidence around each gene with model.objective = 'none', where known targets only "
            "check the result; or name more of them"
        )
    return inside, (
        Step(
            "known targets in the graph",
            len(known.genes),
            len(known.genes) - len(outside),
            "not a gene of the graph",
            tuple(outside[:3]),
        ),
        Step(
            "known targets to learn from" if objective != "none" else "known targets to check with",
            len(known.genes) - len(outside),
            len(inside),
            "kept out of the run as an independent check",
            tuple(kept_out[:3]),
        ),
    )


def known_since(known: KnownTargets | None) -> dict[str, str]:
    """Give the day on which every known target first became known, where its sources say."""
    if known is None:
        return {}
    dated = known.table[known.table["date"].fillna("").astype(str) != ""]
    return {str(g): str(d) for g, d in dated.groupby("gene")["date"].min().items()}


def _oddities(
    graph: TargetGraph, wiring: Wiring, blocks: Sequence[Block], labels: np.ndarray
) -> tuple[Step, ...]:
    """Count what a task survives and its reader must know: dead relations, features, parts."""
    empty = [name for name, r in sorted(graph.relations.items()) if not len(r.edges)]
    columns = [(f"{b.name} {c}", b.values[:, i]) for b in blocks for i, c in enumerate(b.columns)]
    flat = [name for name, values in columns if not values.any()]
    steps = []
    if empty:
        why = "without an edge, they carry no message"
        steps.append(
            Step(
                "relations with edges",
                len(graph.relations),
                len(graph.relations) - len(empty),
                why,
                tuple(empty[:3]),
            )
        )
    if flat:
        why = "the same for every gene, or never measured: nothing can be learned from them"
        steps.append(
            Step(
                "features that vary",
                len(columns),
                len(columns) - len(flat),
                why,
                tuple(flat[:3]),
            )
        )
    if labels.any():
        part = connected_parts(wiring)
        reached = np.isin(part, part[labels])
        genes = pd.Index(sorted(graph.genes))
        why = "no path leads to them from a known target: labels say nothing about them"
        steps.append(
            Step(
                "genes in a part of the graph with known targets",
                len(part),
                int(reached.sum()),
                why,
                tuple(genes[~reached][:3]),
            )
        )
    return tuple(steps)


def _evidence_block(name: str, evidence: Evidence, genes: pd.Index) -> Block:
    block = evidence.blocks[name].reindex(genes)
    observed = block["observed"].eq(True).to_numpy()
    if (gaps := genes[observed & block[["z", "effect"]].isna().any(axis=1).to_numpy()]).size:
        raise TaskError(
            f"contrast '{name}' says that {len(gaps)} genes were observed and gives them no "
            f"number: {some(gaps)}; mark them as not observed, or fill z and effect"
        )
    raw = pd.DataFrame({"z": block["z"], "effect": block["effect"]})
    raw["abs_z"], raw["abs_effect"] = raw["z"].abs(), raw["effect"].abs()
    columns = raw[list(EVIDENCE_FEATURES)].to_numpy(float)
    scale = np.array(FEATURE_SCALE, dtype=np.float32)
    unchanged = standardise(columns, np.zeros((1, columns.shape[1])))[0] * scale
    values = standardise(columns) * scale
    return Block(name, evidence.kinds[name], EVIDENCE_FEATURES, values, observed, unchanged)


def _feature_block(name: str, evidence: Evidence, genes: pd.Index) -> Block:
    values = evidence.features[name].reindex(genes)
    columns = tuple(str(c) for c in values.columns)
    # as much weight for the block as for one number, however many columns it has
    scaled = standardise(values.to_numpy(float)) / np.float32(np.sqrt(max(len(columns), 1)))
    return Block(name, "features", columns, scaled, values.notna().any(axis=1).to_numpy())


def _degree_block(graph: TargetGraph, genes: pd.Index) -> Block:
    degree = np.log1p(graph.degree().reindex(genes).to_numpy(float))
    return Block("graph", "graph", ("log_degree",), standardise(degree[:, None]))


def standardise(values: np.ndarray, others: np.ndarray | None = None) -> np.ndarray:
    """Centre and scale over observed rows, clip to ±3, and put 0 where nothing was observed.

    Args:
        values: Shape ``(n, d)``.
        others: Put these on the scale of ``values`` instead; shape ``(k, d)``.

    Example:
        >>> standardise(np.array([[1.0], [3.0], [np.nan]])).tolist()
        [[-1.0], [1.0], [0.0]]
    """
    seen = ~np.isnan(values)
    count = np.maximum(seen.sum(axis=0), 1)
    mean = np.where(seen, values, 0).sum(axis=0) / count
    spread = np.sqrt((np.where(seen, values - mean, 0) ** 2).sum(axis=0) / count)
    wanted = values if others is None else others
    scaled = (wanted - mean) / np.where(spread > 0, spread, 1)
    return np.where(np.isnan(wanted), 0, np.clip(scaled, -CLIP, CLIP)).astype(np.float32)
