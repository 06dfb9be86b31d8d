"""What an explanation holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import pandas as pd

VERIFIED: Final = "verified"
PARTIAL: Final = "partial"
NOT_FAITHFUL: Final = "not faithful"
NOT_TESTED: Final = "not tested"
#: Kinds of subgraph whose removal is compared: the explanation, and three that know nothing of it.
KINDS: Final = ("this", "random", "degree", "pagerank")


@dataclass(frozen=True)
class Subgraph:
    """A connected part of the graph around a target that carries a part of its score.

    Attributes:
        nodes: Node ids, target first, in the order in which they joined.
        edges: Rows of the explanation's edges between them, with their sources.
        share: Attribution of its nodes and edges over that of the whole receptive field,
            ``score - baseline_score``; above 1 where the rest lowers the score.
        sign: 1 where it raises the score, -1 where it lowers it.
    """

    nodes: tuple[str, ...]
    edges: pd.DataFrame
    share: float
    sign: int


@dataclass(frozen=True)
class Faithfulness:
    """Whether the score follows the explanation when the graph is changed.

    Attributes:
        badge: ``verified``, ``partial``, ``not faithful`` or ``not tested``.
        rule: Which tests were held and which not, in words.
        deletion: Kind of subgraph (``KINDS``) → share of the score above that of nothing that is
            left after its first nodes beside the target have gone with their edges, at each of
            ``sizes``; lower is more faithful.
        insertion: The same for the share that the target with its first nodes alone brings; higher
            is more faithful.
        sufficiency: Share of the score that the subgraph alone gives.
        necessity: Share of the score that is lost without it.
        sparsity: Share of the receptive field's edges that the subgraph does not need.
        seed_agreement: Overlap (Jaccard) of the top 20 edges of independent members; missing (NaN)
            with a single member.
        baseline_agreement: The same over baselines.
        sizes: Nodes beside the target at the points of the curves: 0, 1 …
    """

    badge: str = NOT_TESTED
    rule: str = ""
    deletion: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    insertion: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    sufficiency: float = float("nan")
    necessity: float = float("nan")
    sparsity: float = float("nan")
    seed_agreement: float = float("nan")
    baseline_agreement: float = float("nan")
    sizes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Explanation:
    """Why one gene got its score.

    All attributions are in units of the score, standard deviations above the average unlabelled
    gene, and add up to ``score - baseline_score`` within ``completeness_error``.

    Attributes:
        gene, symbol: The target.
        score: Mean over the ensemble members that never saw the gene's label.
        baseline_score: The same network on the baseline input (nothing observed, no edges).
        shares: Part of the score, by where it comes from: ``own rna``, ``neighbours' protein``,
            ``known-target neighbours`` …; they add up to the score.
        nodes: Attribution per node; index node id; columns ``symbol``, ``type``, ``attribution``
            and one column per input block.
        edges: Columns ``source_id``, ``target_id``, ``relation``, ``weight``, ``attribution``,
            ``evidence``, ``detail``.
        subgraph_nodes: Ids of the connected subgraph around the target, target first, at most 15.
        subgraph_edges: Rows of ``edges`` inside it.
        sentence: The explanation in plain words.
        completeness_error: |sum of attributions - (score - baseline_score)|.
        spread: Standard deviation over the members, of the ``score`` and of every share, and how
            many ``members`` there are; of shares only where there are several.
        subgraphs: Distinct subgraphs, the one that carries most first; the first is
            ``subgraph_nodes`` and ``subgraph_edges``.
        faithfulness: How the explanation did when the graph was changed; None where not tested.
        direction: ``inhibit``, ``activate`` or ``unknown``: what a drug would have to do.
        caveats: What would make this explanation wrong, one sentence each.
        baselines: Baseline → ``score`` on it, ``completeness_error``, and ``agreement`` of its top
            20 edges with those of the first baseline (Jaccard).
    """

    gene: str
    symbol: str
    score: float
    baseline_score: float
    shares: Mapping[str, float]
    nodes: pd.DataFrame
    edges: pd.DataFrame
    subgraph_nodes: tuple[str, ...]
    subgraph_edges: pd.DataFrame
    sentence: str
    completeness_error: float
    spread: Mapping[str, float] = field(default_factory=dict)
    subgraphs: tuple[Subgraph, ...] = ()
    faithfulness: Faithfulness | None = None
    direction: str = "unknown"
    caveats: tuple[str, ...] = ()
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
