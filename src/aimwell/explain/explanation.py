"""What an explanation holds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd


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
            ``known-target neighbours``, ``interactions`` …; they add up to the score.
        nodes: Attribution per node; index node id; columns ``symbol``, ``type``, ``attribution``
            and one column per input block.
        edges: Columns ``source_id``, ``target_id``, ``relation``, ``weight``, ``attribution``,
            ``evidence``, ``detail``.
        subgraph_nodes: Ids of the connected subgraph around the target, target first, at most 15.
        subgraph_edges: Rows of ``edges`` inside it.
        sentence: The explanation in plain words.
        completeness_error: |sum of attributions - (score - baseline_score)|.
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
