"""Explain targets: attributions of the ensemble, put into words, subgraphs and a test."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.config import ExplainSettings
from aimwell.errors import TaskError
from aimwell.explain.attribution import Attribution, SharedPath
from aimwell.explain.baselines import BASELINES, Baseline
from aimwell.explain.captum_path import CaptumPath
from aimwell.explain.explanation import Explanation, Faithfulness, Subgraph
from aimwell.explain.faithfulness import Trial
from aimwell.explain.preconditions import check_finite, check_layers, is_polynomial
from aimwell.explain.reach import Reach, Reaches, distinct
from aimwell.explain.shares import score_shares
from aimwell.explain.subgraph import Prizes, distinct_subgraphs
from aimwell.explain.tables import KEPT, TOP, Tables, overlap, strongest
from aimwell.explain.wording import Facts, caveats_for, direction_of, sentence_for
from aimwell.models.member import Member
from aimwell.models.task import TargetTask

#: Edges among which subgraphs are looked for; those beyond carry next to nothing.
CANDIDATES: Final = 3000
#: Targets whose cut-outs are held at a time.
BLOCK: Final = 64

Path = SharedPath | CaptumPath
#: What targets of one fold share: a path per baseline, the test, a path per network.
_Fold = tuple[dict[str, Path], Trial | None, list[Path]]


def explain_targets(
    task: TargetTask,
    members: Sequence[Member],
    evidence: Evidence,
    genes: pd.Index,
    settings: ExplainSettings,
) -> list[Explanation]:
    """Explain genes by the networks that never saw their labels.

    Args:
        task: Graph, features, labels and folds.
        members: The ensemble; a gene is explained by the members of its own fold.
        evidence: For the direction of change in the sentences.
        genes: HGNC ids, in the order of the result.
        settings: Steps along the path, baselines, and size and number of the subgraphs.

    Raises:
        TaskError: A gene that is not in the graph, whose fold has no network, or a network with
            parameters that are no finite numbers.
    """
    positions = task.positions(genes)
    found = dict(TargetExplainer(task, members, evidence, settings).explain(positions))
    return [found[int(p)] for p in positions]


class TargetExplainer:
    """Explains many targets of one task, with everything that they share made once.

    Args:
        task, members, evidence, settings: As for ``explain_targets``.
        baselines: Baselines of the user's, beside those that ``settings`` names.
        keep: Keep what the targets of a fold share for the next call. It takes some hundred
            megabytes for a genome, and saves about as long as ten targets take.
        singly: Ask every network of the ensemble by itself too: for the spread of every share, and
            for whether independent networks name the same edges.
    """

    def __init__(
        self,
        task: TargetTask,
        members: Sequence[Member],
        evidence: Evidence,
        settings: ExplainSettings,
        baselines: Sequence[Baseline] = (),
        *,
        keep: bool = False,
        singly: bool = True,
    ) -> None:
        self.task, self.members, self.evidence = task, members, evidence
        self._singly = singly
        self._kept: dict[int, _Fold] | None = {} if keep else None
        self.settings = settings
        self.baselines = [*(BASELINES[name] for name in settings.baselines), *baselines]
        self.tables = Tables(task)
        self.reaches = Reaches(task.wiring)

    def explain(self, positions: np.ndarray) -> Iterator[tuple[int, Explanation]]:
        """Explain the genes at some positions, fold by fold."""
        for one in self.attributed(positions):
            yield one.position, one.explanation()

    def attributed(self, positions: np.ndarray) -> Iterator["OneTarget"]:
        """Attribute the scores of the genes at some positions, fold by fold."""
        folds = self.task.folds[positions]
        for fold in np.unique(folds):
            shared = self._shared(int(fold))
            paths, _, singles = shared
            for block in _blocks(positions[folds == fold]):
                reaches = [self.reaches.of(int(p)) for p in block]
                needed = np.unique(np.concatenate([r.genes for r in reaches]))
                for path in (*paths.values(), *singles):
                    path.prepare(needed)
                for reach in reaches:
                    yield OneTarget(self, reach, shared)

    def _shared(self, fold: int) -> _Fold:
        """Make what all targets of a fold share, or take it from an earlier call."""
        if self._kept is not None and fold in self._kept:
            return self._kept[fold]
        mine = self._of_fold(fold)
        paths = {b.name: self._path(mine, b) for b in self.baselines}
        tester = Trial(self.task, mine) if self.settings.test else None
        apart = mine if self._singly and len(mine) > 1 else []
        singles = [self._path([m], self.baselines[0]) for m in apart]
        if self._kept is not None:
            self._kept[fold] = (paths, tester, singles)
        return paths, tester, singles

    def _of_fold(self, fold: int) -> list[Member]:
        mine = [m for m in self.members if m.unit.fold == fold]
        if not mine:
            raise TaskError(f"no network was fitted without fold {fold}; fit it before explaining")
        for member in mine:
            check_layers(self.task, member)
            check_finite(member)
        return sorted(mine, key=lambda member: member.unit.repeat)

    def _path(self, members: Sequence[Member], baseline: Baseline) -> Path:
        steps = self.settings.steps
        if is_polynomial(members):
            return SharedPath(
                self.task, members, steps=steps, baseline=baseline, reaches=self.reaches
            )
        return CaptumPath(self.task, members, steps=steps, baseline=baseline)


def _blocks(positions: np.ndarray) -> Iterator[np.ndarray]:
    for first in range(0, len(positions), BLOCK):
        yield positions[first : first + BLOCK]


class OneTarget:
    """The attributed score of one gene.

    Attributes:
        position, gene: Of the target, and its HGNC id.
        parts: Baseline → attribution; ``part`` is that of the first.
        rows, values: The edges that carry the score, as rows of ``Wiring.edges``.
        nodes: Attribution of every gene per block, shape ``(n, blocks)``.
    """

    def __init__(self, whole: TargetExplainer, reach: Reach, shared: _Fold) -> None:
        self.whole, self.reach, self.position = whole, reach, reach.target
        self.task, self.tables = whole.task, whole.tables
        self.gene = str(self.task.genes[self.position])
        paths, self.tester, self.singles = shared
        self.parts = {name: path.attribute(self.reach) for name, path in paths.items()}
        self.part = next(iter(self.parts.values()))
        self.rows, self.values = self.tables.edge_values(self.part)
        self.top = self.rows[strongest(self.values, TOP)]
        self.nodes = self.tables.node_values(self.part)

    def explanation(self) -> Explanation:
        """Put everything together."""
        task, part, tables = self.task, self.part, self.tables
        apart = [path.attribute(self.reach) for path in self.singles]
        chosen = list(self.subgraphs())
        between = [self.between(nodes) for nodes, _ in chosen]
        kept = strongest(self.values, KEPT)
        needed = np.unique(np.concatenate([kept, *between]))
        table = tables.edges(self.rows[needed], self.values[needed])

        def rows(places: np.ndarray) -> pd.DataFrame:
            return table.iloc[np.searchsorted(needed, places)].reset_index(drop=True)

        subgraphs = tuple(
            Subgraph(
                tuple(str(tables.ids[i]) for i in nodes),
                rows(edges),
                self.share(nodes, edges),
                sign,
            )
            for (nodes, sign), edges in zip(chosen, between, strict=True)
        )
        first = subgraphs[0]
        places = strongest(self.nodes.sum(axis=1), KEPT)
        listed = np.unique(np.concatenate([places, *(nodes for nodes, _ in chosen)]))
        edges, drawn = rows(kept), rows(np.unique(np.concatenate(between)))
        nodes = tables.nodes(listed, self.nodes, drawn)
        shares = score_shares(task, self.position, part)
        mine = [m for m in self.whole.members if m.unit.fold == task.folds[self.position]]
        spread = float(np.std([m.scores[self.position] for m in mine]))
        faithfulness = self._test(apart, chosen[0][0], first)
        facts = Facts(
            task, self.whole.evidence, self.gene, part.score, shares, nodes, edges, first, spread
        )
        return Explanation(
            gene=self.gene,
            symbol=str(task.graph.symbols[self.gene]),
            score=part.score,
            baseline_score=part.baseline_score,
            shares=shares,
            nodes=nodes,
            edges=edges,
            subgraph_nodes=first.nodes,
            subgraph_edges=first.edges,
            sentence=sentence_for(facts),
            completeness_error=part.completeness_error,
            spread={"score": spread, "members": float(len(mine)), **self._spreads(apart)},
            subgraphs=subgraphs,
            faithfulness=faithfulness,
            direction=direction_of(facts),
            caveats=caveats_for(facts, faithfulness),
            baselines=self._baselines(),
        )

    def subgraphs(self) -> Iterator[tuple[np.ndarray, int]]:
        """Find subgraphs among the strongest edges: positions of nodes, target first, and sign."""
        prizes, local = self.prizes(CANDIDATES)
        settings = self.whole.settings
        for inside, sign in distinct_subgraphs(
            prizes,
            int(np.searchsorted(local, self.position)),
            max_nodes=settings.max_nodes,
            number=settings.subgraphs,
            direction=1.0 if self.part.score >= self.part.baseline_score else -1.0,
        ):
            yield local[inside], sign

    def prizes(self, candidates: int) -> tuple[Prizes, np.ndarray]:
        """Give what the strongest edges and the nodes at them are worth, and the nodes' positions.

        Args:
            candidates: How many edges.
        """
        kept = strongest(self.values, candidates)
        ends = self.tables.ends[:, self.rows[kept]]
        size = len(self.tables.ids)
        local = distinct(size, ends.ravel(), np.array([self.position]))
        place = np.empty(size, dtype=np.int64)
        place[local] = np.arange(len(local))
        worth = np.zeros(len(local))
        genes = local < self.tables.n
        worth[genes] = self.nodes[local[genes]].sum(axis=1)
        return Prizes(worth, place[ends], self.values[kept]), local

    def between(self, nodes: np.ndarray) -> np.ndarray:
        """Places of the edges between some nodes."""
        inside = np.zeros(len(self.tables.ids), dtype=bool)
        inside[nodes] = True
        return np.flatnonzero(inside[self.tables.ends[:, self.rows]].all(axis=0))

    def share(self, nodes: np.ndarray, edges: np.ndarray) -> float:
        """Give the part of the score that some nodes and the edges at some places carry."""
        genes = nodes[nodes < self.tables.n]
        worth = float(self.nodes[genes].sum() + self.values[edges].sum())
        whole = self.part.score - self.part.baseline_score
        return worth / whole if abs(whole) > 1e-9 else 0.0

    def _spreads(self, apart: Sequence[Attribution]) -> Mapping[str, float]:
        """Give the standard deviation of every share over the networks."""
        each = pd.DataFrame([score_shares(self.task, self.position, part) for part in apart])
        return {str(name): float(values.std(ddof=0)) for name, values in each.items()}

    def _test(
        self, apart: Sequence[Attribution], nodes: np.ndarray, first: Subgraph
    ) -> Faithfulness | None:
        if self.tester is None:
            return None
        tops = [self._top(_mean(apart[k::2])) for k in range(2)] if apart else []
        others = [self._top(part) for part in list(self.parts.values())[1:]]
        return self.tester.test(
            self.reach,
            nodes,
            n_edges=len(first.edges),
            seed_agreement=overlap(*tops) if len(tops) == 2 else float("nan"),
            baseline_agreement=(
                float(np.mean([overlap(self.top, other) for other in others]))
                if others
                else float("nan")
            ),
        )

    def _top(self, part: Attribution) -> np.ndarray:
        rows, values = self.tables.edge_values(part)
        top: np.ndarray = rows[strongest(values, TOP)]
        return top

    def _baselines(self) -> dict[str, dict[str, float]]:
        return {
            name: {
                "score": part.baseline_score,
                "completeness_error": part.completeness_error,
                "agreement": 1.0 if part is self.part else overlap(self.top, self._top(part)),
            }
            for name, part in self.parts.items()
        }


def _mean(parts: Sequence[Attribution]) -> Attribution:
    """Give the first of some networks' attributions of one score with the mean of their arcs."""
    arcs = (np.mean(values, axis=0) for values in zip(*(p.arcs for p in parts), strict=True))
    return replace(parts[0], arcs=tuple(arcs))
