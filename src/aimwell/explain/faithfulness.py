"""Whether a score follows its explanation when the graph is changed.

Nodes are taken out of the graph, with their features and all their edges, or all others are. An
explanation that says where the score comes from loses the score faster, and brings it back sooner,
than subgraphs of the same size and the same types of nodes that know nothing of the network: random
ones, those of the best connected nodes, and those of the highest PageRank around the target.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import scipy.sparse as sp

from aimwell.explain.explanation import (
    KINDS,
    NOT_FAITHFUL,
    PARTIAL,
    VERIFIED,
    Faithfulness,
)
from aimwell.explain.perturbed import Keep, perturbed_score
from aimwell.explain.reach import Reach
from aimwell.models.member import Member
from aimwell.models.task import TargetTask

DRAWS: Final = 3  # random subgraphs that are averaged
SIZES: Final = 6  # points on a curve beside the first
RESTART: Final = 0.15
STEPS: Final = 20
#: Half of the top edges in both lists is a Jaccard overlap of a third.
AGREE: Final = 1 / 3
#: Below this the score is that of the baseline and there is nothing to explain, in its own units.
NOTHING: Final = 0.1
TOLERANCE: Final = 1e-6


class Trial:
    """Tests explanations of the members of one fold.

    Args:
        task: Graph, features and labels.
        members: The networks that gave the score.
    """

    def __init__(self, task: TargetTask, members: Sequence[Member]) -> None:
        self.task, self.members = task, members
        self.n = len(task.genes)
        self.links = neighbours(task)
        self.degree = np.diff(self.links.indptr)

    def test(
        self,
        reach: Reach,
        nodes: np.ndarray,
        *,
        n_edges: int,
        seed_agreement: float = float("nan"),
        baseline_agreement: float = float("nan"),
    ) -> Faithfulness:
        """Test the subgraph of one target.

        Args:
            reach: What the target's score reads.
            nodes: The subgraph, target first; genes by position, sets behind them.
            n_edges: Its edges.
            seed_agreement, baseline_agreement: As measured by the caller.
        """
        near = reach.near or reach
        size = len(near.direct.source) + len(near.into.source)
        sparsity = 1 - n_edges / size if size else float("nan")
        bare = Faithfulness(
            sparsity=sparsity, seed_agreement=seed_agreement, baseline_agreement=baseline_agreement
        )
        if len(reach.genes) == 1:
            rule = "there is no neighbourhood: the score comes from the gene's own features alone"
            return replace(bare, rule=rule)
        score = perturbed_score(self.task, self.members, reach)
        full, nothing = score(None), score(Keep.none(self.n, len(self.degree) - self.n))
        if abs(full - nothing) < NOTHING:
            rule = (
                f"the score is within {NOTHING} standard deviations of the baseline: there is "
                "next to nothing to explain"
            )
            return replace(bare, rule=rule)
        sizes = _sizes(len(nodes) - 1)

        def share(keep: Keep) -> float:
            return (score(keep) - nothing) / (full - nothing)

        alone = share(self._keep(nodes[:1], others=False))
        deletion, insertion = {}, {}
        for kind, variants in self._variants(near, nodes).items():
            deleted = [
                [share(self._keep(v[1 : k + 1], others=True)) for k in sizes[1:]] for v in variants
            ]
            inserted = [
                [share(self._keep(v[: k + 1], others=False)) for k in sizes[1:]] for v in variants
            ]
            deletion[kind] = (1.0, *np.mean(deleted, axis=0).tolist())
            insertion[kind] = (alone, *np.mean(inserted, axis=0).tolist())
        badge, rule = _judge(deletion, insertion, seed_agreement, baseline_agreement)
        return replace(
            bare,
            badge=badge,
            rule=rule,
            sizes=tuple(sizes),
            deletion=deletion,
            insertion=insertion,
            sufficiency=insertion["this"][-1],
            necessity=1 - deletion["this"][-1],
        )

    def _keep(self, nodes: np.ndarray, *, others: bool) -> Keep:
        """Keep all others, or only these."""
        mask = np.full(len(self.degree), others)
        mask[nodes] = not others
        return Keep(mask[: self.n], mask[self.n :])

    def _variants(self, reach: Reach, nodes: np.ndarray) -> dict[str, list[np.ndarray]]:
        rng = np.random.default_rng(reach.target)
        inside = np.zeros(len(self.degree), dtype=bool)
        inside[reach.genes] = inside[reach.direct.source] = inside[reach.into.source] = True
        inside[self.n + reach.outer_sets] = True
        rank = pagerank(self.links, reach.target)
        return {
            "this": [nodes],
            "random": [
                self._grow(nodes, inside, lambda border: rng.permutation(len(border)))
                for _ in range(DRAWS)
            ],
            "degree": [self._grow(nodes, inside, lambda border: self.degree[border])],
            "pagerank": [self._grow(nodes, inside, lambda border: rank[border])],
        }

    def _grow(
        self, like: np.ndarray, inside: np.ndarray, worth: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Grow a connected subgraph with as many genes and sets as another, in the same order."""
        border, member = np.zeros(len(inside), dtype=bool), np.zeros(len(inside), dtype=bool)
        found: list[int] = []
        for other in like:
            near = np.flatnonzero(border & ~member) if found else like[:1]
            alike = near[(near < self.n) == (other < self.n)]
            choice = alike if len(alike) else near
            if not len(choice):
                break
            node = int(choice[np.argmax(worth(choice))])
            found.append(node)
            member[node] = True
            links = self.links.indices[self.links.indptr[node] : self.links.indptr[node + 1]]
            border[links] = inside[links]
        return np.array(found)


def pagerank(links: sp.csr_matrix, target: int) -> np.ndarray:
    """Random walk with restart at one node, shape of the nodes."""
    degree = np.diff(links.indptr)
    walk = sp.diags(1 / np.maximum(degree, 1)) @ links
    restart = np.zeros(len(degree))
    restart[target] = 1
    rank = restart
    for _ in range(STEPS):
        rank = RESTART * restart + (1 - RESTART) * (walk.T @ rank)
    return np.asarray(rank)


def randomised(member: Member, rng: np.random.Generator) -> Member:
    """Shuffle every parameter of a network within itself: what it learned is gone.

    The spread of every parameter stays, so what is left of an explanation is that of the graph.
    """
    shuffled = {
        name: rng.permutation(np.asarray(value).ravel()).reshape(np.shape(value))
        for name, value in member.parameters.items()
    }
    return replace(member, parameters=shuffled)


def neighbours(task: TargetTask) -> sp.csr_matrix:
    """Give the links between genes, and between genes and sets, both ways, without relations."""
    wiring, n = task.wiring, len(task.genes)
    direct, into, _ = wiring.operators
    rows = np.repeat(np.arange(direct.shape[0]), np.diff(direct.row_start.numpy())) % n
    sets = np.repeat(np.arange(into.shape[0]), np.diff(into.row_start.numpy())) + n
    one = np.concatenate([rows, sets])
    other = np.concatenate([direct.column.numpy(), into.column.numpy()])
    size = n + into.shape[0]
    links = sp.coo_matrix((np.ones(len(one)), (one, other)), shape=(size, size)).tocsr()
    whole = (links + links.T).tocsr()
    whole.data[:] = 1
    return whole


def _sizes(most: int) -> list[int]:
    return [0, *np.unique(np.round(np.linspace(1, most, min(most, SIZES))).astype(int)).tolist()]


def _judge(
    deletion: dict[str, tuple[float, ...]],
    insertion: dict[str, tuple[float, ...]],
    seeds: float,
    baselines: float,
) -> tuple[str, str]:
    """Give the badge and say by which rule."""
    held, said = [], []
    for name, curves, sign in (("deletion", deletion, 1), ("insertion", insertion, -1)):
        area = {k: sign * float(np.mean(v[1:] or v)) for k, v in curves.items()}
        lost = [k for k in KINDS[1:] if area["this"] > area[k] + TOLERANCE]
        held.append(not lost)
        said.append(
            f"{name} beats all three controls" if not lost else f"{name} loses to {_and(lost)}"
        )
    agree = [
        (f"{name} agree on the top edges ({value:.2f})", value >= AGREE)
        for name, value in (("networks", seeds), ("baselines", baselines))
        if np.isfinite(value)
    ]
    said += [text if good else text.replace(" agree", " do not agree") for text, good in agree]
    if all(held) and all(good for _, good in agree):
        badge = VERIFIED
    else:
        badge = PARTIAL if any(held) else NOT_FAITHFUL
    return badge, "; ".join(said)


def _and(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
