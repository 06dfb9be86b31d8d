"""Sentences made from numbers, never from a language model; "associated", not "causal"."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence, has_direction
from aimwell.explain.explanation import NOT_FAITHFUL, Faithfulness, Subgraph
from aimwell.explain.shares import BIAS, INTERACTIONS, KNOWN, ROUNDING, SETS, START
from aimwell.explain.tables import KNOWN_BLOCK
from aimwell.knowledge.graph import GENE
from aimwell.models.task import TargetTask

SOURCES: Final = {
    "own rna": "its own RNA",
    "own protein": "its own protein",
    "neighbours' rna": "RNA changes around it",
    "neighbours' protein": "protein changes around it",
    "own features": "its own features",
    "neighbours' features": "features around it",
    KNOWN: "known targets around it",
    INTERACTIONS: "its interactions",
    SETS: "its pathways and complexes",
    BIAS: "how well connected it is",
}
#: A change counts below this false discovery rate.
CLEAR: Final = 0.05
#: Signs of a relation's effect on its target: evidence on the activity of its source.
SIGNS: Final = {"activates": 1, "inhibits": -1, "induces": 1, "represses": -1}
#: Edges that must speak, and share of their weight that must agree, to infer a direction.
SPEAKING, AGREEING = 2, 0.75
MUCH: Final = 0.5
SOME: Final = 0.3
MOST_NAMED: Final = 4


@dataclass(frozen=True)
class Facts:
    """What the sentences are made from.

    Attributes:
        task: Names and labels.
        evidence: Changes of the genes.
        gene: HGNC id.
        score: Standard deviations above the average unlabelled gene.
        shares: Parts that add up to it.
        nodes, edges: The tables of the explanation.
        subgraph: The one that carries most.
        spread: Standard deviation of the score over the members.
    """

    task: TargetTask
    evidence: Evidence
    gene: str
    score: float
    shares: dict[str, float]
    nodes: pd.DataFrame
    edges: pd.DataFrame
    subgraph: Subgraph
    spread: float

    @property
    def symbol(self) -> str:
        """Of the target."""
        return self.name(self.gene)

    def name(self, node: str) -> str:
        """Give the symbol of a gene or the name of a set."""
        symbols = self.task.graph.symbols
        return str(symbols[node] if node in symbols.index else self.nodes.loc[node, "symbol"])

    def explained(self) -> float:
        """Give the score above the starting point."""
        return self.score - self.shares[START]

    def alone(self) -> bool:
        """Whether the gene has neither edges nor sets."""
        return not len(self.edges)


def sentence_for(facts: Facts) -> str:
    """Say in two or three plain sentences where a score comes from."""
    score, symbol = facts.score, facts.symbol
    place = "above" if score >= 0 else "below"
    said = [f"{symbol} scores {abs(score):.1f} standard deviations {place} the average gene."]
    parts = [(k, v) for k, v in facts.shares.items() if k in SOURCES and v * score > 0]
    parts.sort(key=lambda item: (-abs(item[1]), item[0]))
    whole = sum(abs(v) for _, v in parts) or 1.0
    named = [f"{SOURCES[k]} ({abs(v) / whole:.0%})" for k, v in parts[:3]]
    said.append(f"What {'raises' if score >= 0 else 'lowers'} it is {_list(named)}.")
    if facts.alone():
        said.append(f"{symbol} has no neighbourhood in this graph: only its own data speak for it.")
    elif partners := _partners(facts):
        said.append(f"It is associated most with {_list(partners)}.")
    said.append(_own_change(facts))
    return " ".join(s for s in said if s)


def direction_of(facts: Facts) -> str:
    """Say what a drug would have to do: ``inhibit``, ``activate`` or ``unknown``.

    The gene's own clear changes decide where all of its layers agree, proteins before RNA: what is
    up in the cases would have to be inhibited. Where the gene shows no clear change, its signed
    edges to genes that do change are asked: at least two must speak, and three quarters of their
    attribution must agree on whether the gene is more active in the cases.
    """
    for kind in ("protein", "rna"):
        if signs := [s for k, s in _clear_changes(facts, facts.gene) if k == kind]:
            return _direction(sum(signs) / len(signs), all_of=1.0)
    edges = facts.edges
    weight = []
    out = edges[(edges["source_id"] == facts.gene) & edges["relation"].isin(list(SIGNS))]
    for target, relation, value in zip(
        out["target_id"], out["relation"], out["attribution"], strict=True
    ):
        changes = [s for _, s in _clear_changes(facts, str(target))]
        if changes and abs(sum(changes)) == len(changes):
            weight.append(SIGNS[str(relation)] * changes[0] * abs(float(value)))
    if len(weight) < SPEAKING or not np.abs(weight).sum():
        return "unknown"
    return _direction(float(np.sum(weight) / np.abs(weight).sum()), all_of=2 * AGREEING - 1)


def caveats_for(facts: Facts, faithfulness: Faithfulness | None) -> tuple[str, ...]:
    """Say what would make this explanation wrong, the gravest first."""
    symbol, shares = facts.symbol, facts.shares
    said = []
    if faithfulness is not None and faithfulness.badge == NOT_FAITHFUL:
        said.append(f"The explanation failed its test: {faithfulness.rule}.")
    whole = sum(abs(v) for k, v in shares.items() if k not in (START, ROUNDING)) or 1.0
    known = abs(shares[KNOWN]) / whole
    if known >= SOME:
        said.append(
            f"{known:.0%} of it is guilt by association: it falls if the known targets around "
            f"{symbol} are the wrong company."
        )
        said += _one_family(facts)
    bias = abs(shares[BIAS]) / whole
    if bias >= SOME:
        said.append(
            f"{bias:.0%} of it is how well connected {symbol} is, which follows how well it is "
            "studied."
        )
    said += _strongest(facts)
    unseen = [
        _words(name)
        for name in sorted(facts.evidence.blocks)
        if not _observed(facts.evidence.blocks[name], facts.gene)
    ]
    if unseen:
        said.append(
            f"{symbol} was not measured in {_list(unseen)}; it counts as the average gene there."
        )
    if facts.spread > MUCH * max(abs(facts.score), 1e-9):
        said.append(
            f"The networks disagree: the score is {facts.score:.1f} ± {facts.spread:.1f} over them."
        )
    return tuple(said)


def _one_family(facts: Facts) -> list[str]:
    """Name the relatives that make most of the guilt by association: they are one finding."""
    known = facts.task.genes[facts.task.labels == 1]
    worth = facts.nodes[KNOWN_BLOCK].reindex(known).fillna(0.0) * np.sign(facts.explained())
    worth = worth[worth > 0]
    family = facts.task.families.reindex(worth.index)
    sums = worth.groupby(family).sum()
    if sums.empty or sums.max() < MUCH * worth.sum():
        return []
    relatives = worth[family == sums.idxmax()].sort_values(ascending=False)
    if len(relatives) < 2:
        return []
    names = [facts.name(str(gene)) for gene in relatives.index]
    shown = names if len(names) <= MOST_NAMED else [*names[:MOST_NAMED], "more"]
    return [
        f"{sums.max() / worth.sum():.0%} of what known targets add comes from one gene family "
        f"({_list(shown)}): one finding, counted {len(names)} times."
    ]


def _strongest(facts: Facts) -> list[str]:
    """Name the one edge whose loss would change the score most, and what curation it stands on."""
    said = []
    edges = facts.subgraph.edges
    if len(edges):
        row = edges.to_dict("records")[int(edges["attribution"].abs().to_numpy().argmax())]
        part = abs(row["attribution"]) / max(abs(facts.explained()), 1e-9)
        ends = f"{facts.name(str(row['source_id']))} {_words(str(row['relation']))} "
        ends += facts.name(str(row["target_id"]))
        said.append(
            f"The strongest single edge ({ends}; {row['evidence']}) is worth {part:.0%} of the "
            "score: if it is wrong, so is that part."
        )
    blocks = [b for b in facts.evidence.blocks if b in facts.nodes.columns]
    if blocks:
        own = {b: abs(float(facts.nodes[b].loc[facts.gene])) for b in blocks}
        best = max(own, key=lambda b: own[b])
        part = own[best] / max(abs(facts.explained()), 1e-9)
        if part >= SOME:
            said.append(f"The gene's own {_words(best)} alone is worth {part:.0%} of the score.")
    return said


def _partners(facts: Facts) -> list[str]:
    table = facts.nodes
    worth = table["attribution"]
    genes = [i for i in facts.subgraph.nodes[1:] if str(table.loc[i, "type"]) == GENE]
    near = [i for i in genes if worth[i] * facts.score > 0]
    near.sort(key=lambda i: (-abs(worth[i]), i))
    known = set(facts.task.genes[facts.task.labels == 1])
    return [f"{facts.name(i)}{' (a known target)' if i in known else ''}" for i in near[:4]]


def _own_change(facts: Facts) -> str:
    said = []
    for name in sorted(facts.evidence.blocks):
        block = facts.evidence.blocks[name]
        if not _observed(block, facts.gene):
            said.append(f"was not measured in {_words(name)}")
            continue
        change, q = (float(block[c].loc[facts.gene]) for c in ("log2_fold_change", "q"))
        if q < CLEAR:
            way = f"is {'up' if change > 0 else 'down'}" if has_direction(block) else "differs"
            said.append(f"{way} in {_words(name)} (q = {q:.1g})")
        else:
            said.append(f"does not change clearly in {_words(name)}")
    return f"{facts.symbol} itself {_list(said)}." if said else ""


def _clear_changes(facts: Facts, gene: str) -> list[tuple[str, int]]:
    """Kind of layer and sign of every clear change of a gene."""
    found = []
    for name, block in facts.evidence.blocks.items():
        seen = _observed(block, gene) and has_direction(block)
        if seen and float(block["q"].loc[gene]) < CLEAR:
            sign = 1 if float(block["log2_fold_change"].loc[gene]) > 0 else -1
            found.append((facts.evidence.kinds[name], sign))
    return found


def _observed(block: pd.DataFrame, gene: str) -> bool:
    return gene in block.index and bool(block["observed"].loc[gene])


def _direction(mean: float, *, all_of: float) -> str:
    if mean >= all_of:
        return "inhibit"
    return "activate" if mean <= -all_of else "unknown"


def _words(name: str) -> str:
    return " ".join("RNA" if w.lower() == "rna" else w for w in name.split("_"))


def _list(items: list[str]) -> str:
    if not items:
        return "nothing in particular"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
