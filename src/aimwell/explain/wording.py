"""Sentences made from numbers, never from a language model; "associated", not "causal"."""

from collections.abc import Mapping

import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.models.task import TargetTask

SOURCES = {
    "own rna": "its own RNA",
    "own protein": "its own protein",
    "neighbours' rna": "RNA changes around it",
    "neighbours' protein": "protein changes around it",
    "own features": "its own features",
    "neighbours' features": "features around it",
    "known-target neighbours": "known targets around it",
    "interactions": "its interactions",
    "pathways and complexes": "its pathways and complexes",
    "graph bias": "how well connected it is",
}


def sentence_for(
    task: TargetTask,
    evidence: Evidence,
    gene: str,
    score: float,
    shares: Mapping[str, float],
    nodes: pd.DataFrame,
    inside: tuple[str, ...],
) -> str:
    """Say in two or three plain sentences where a score comes from.

    Args:
        task: For names and labels.
        evidence: For the direction of the gene's own change.
        gene: HGNC id.
        score: In standard deviations above the average unlabelled gene.
        shares: Parts that add up to the score.
        nodes: Attribution per gene and block.
        inside: The nodes of its subgraph.

    Returns:
        Plain text.
    """
    symbol = task.graph.symbols[gene]
    place = "above" if score >= 0 else "below"
    first = f"{symbol} scores {abs(score):.1f} standard deviations {place} the average gene."
    parts = [(k, v) for k, v in shares.items() if k in SOURCES and v * score > 0]
    parts.sort(key=lambda item: (-abs(item[1]), item[0]))
    whole = sum(abs(v) for _, v in parts) or 1.0
    named = [f"{SOURCES[k]} ({abs(v) / whole:.0%})" for k, v in parts[:3]]
    second = f"What raises it is {_list(named)}." if score >= 0 else ""
    if score < 0:
        second = f"What lowers it is {_list(named)}."
    near = nodes.sum(axis=1).drop(gene)
    partners = [i for i in inside[1:] if i in near.index and near[i] * score > 0]
    partners.sort(key=lambda i: (-abs(near[i]), i))
    third = ""
    if partners:
        known = set(task.genes[task.labels == 1])
        names = [
            f"{task.graph.symbols[i]}{' (a known target)' if i in known else ''}"
            for i in partners[:4]
        ]
        third = f"It is associated most with {_list(names)}."
    return " ".join(s for s in (first, second, third, _own_change(evidence, gene, symbol)) if s)


def _own_change(evidence: Evidence, gene: str, symbol: str) -> str:
    said = []
    for name in sorted(evidence.blocks):
        block = evidence.blocks[name]
        if gene not in block.index or not bool(block.loc[gene, "observed"]):
            said.append(f"was not measured in {_words(name)}")
            continue
        change, q = (float(block[c].loc[gene]) for c in ("log2_fold_change", "q"))
        if q < 0.05:
            said.append(f"is {'up' if change > 0 else 'down'} in {_words(name)} (q = {q:.1g})")
        else:
            said.append(f"does not change clearly in {_words(name)}")
    return f"{symbol} itself {_list(said)}." if said else ""


def _words(name: str) -> str:
    return " ".join("RNA" if w.lower() == "rna" else w for w in name.split("_"))


def _list(items: list[str]) -> str:
    if not items:
        return "nothing in particular"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
