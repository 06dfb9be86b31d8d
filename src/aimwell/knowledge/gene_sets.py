"""Sets of genes as a database publishes them, and which of them may enter a graph."""

import re
from dataclasses import dataclass
from typing import Final

import networkx as nx
import pandas as pd

from aimwell.errors import InputError, some
from aimwell.provenance import Step

#: Names that tell a disease, a mutant or a drug: such sets were drawn up knowing the answer.
#: 'Tumor necrosis factor' and 'Ovarian tumor domain proteases' are names of proteins.
LEAKING: Final = re.compile(
    r"cancer|carcino|leuk[a]?emi|lymphom|melanom|gliom|glioblastom|sarcom|blastoma|neoplas|metasta|"
    r"tumou?r(?! necrosis| domain)|oncogen|diseas|disorder|syndrom|infection|diabet|obesity|"
    r"alzheimer|parkinson|huntington|asthma|arthritis|schizophren|autis[mt]|sclerosis|"
    r"\bdefect|(?<!heme )(?<!acid )\bdeficienc|mutant|mutation|\bvariants?\b|resistan(?:t|ce)|"
    r"loss[- ]of[- ]function|gain[- ]of[- ]function|"
    r"\bdrugs?\b|therap(?:y|ies|eutic)|\w+mab\b|\w+tinib\b|pharmacokinetic|\bADME\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class GeneSets:
    """What a reader of gene sets returns.

    Attributes:
        names: Set id → name; holds at least every set of ``members`` and ``parents``.
        members: Columns ``set_id``, ``name`` (of the gene, as written), no row twice.
        parents: Columns ``set_id``, ``parent_id``; acyclic.
        steps: Rows in and out.

    Raises:
        InputError: A cyclic hierarchy.
    """

    names: "pd.Series[str]"
    members: pd.DataFrame
    parents: pd.DataFrame
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        digraph = nx.DiGraph(
            zip(self.parents["set_id"].tolist(), self.parents["parent_id"].tolist(), strict=True)
        )
        if not nx.is_directed_acyclic_graph(digraph):
            circle = [edge[0] for edge in nx.find_cycle(digraph)]
            raise InputError(
                f"the set hierarchy is cyclic: {' → '.join([*circle, circle[0]])}; a set cannot be "
                "part of itself; download the hierarchy again"
            )


def leaking_sets(sets: GeneSets) -> set[str]:
    """Find the sets that are named after a disease, a mutant or a drug, and all sets below them.

    Example:
        >>> names = pd.Series({"1": "Signaling by EGFR in Cancer", "2": "p-EGFR", "3": "TNF"})
        >>> parents = pd.DataFrame({"set_id": ["2"], "parent_id": ["1"]})
        >>> sets = GeneSets(names, pd.DataFrame({"set_id": [], "name": []}), parents)
        >>> sorted(leaking_sets(sets))
        ['1', '2']
    """
    named = {key for key, name in sets.names.items() if LEAKING.search(str(name))}
    children: dict[str, list[str]] = {}
    columns = (sets.parents["set_id"].tolist(), sets.parents["parent_id"].tolist())
    for child, parent in zip(*columns, strict=True):
        children.setdefault(parent, []).append(child)
    found: set[str] = set()
    waiting = [str(key) for key in named]
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += children.get(key, ())
    return found


def without_leaks(sets: GeneSets) -> GeneSets:
    """Remove the sets of ``leaking_sets``, and record which."""
    leaking = leaking_sets(sets)
    present = set(sets.members["set_id"].unique())
    gone = sorted(present & leaking)
    step = Step(
        "sets named after cancer, disease, mutants or drugs",
        len(present),
        len(present) - len(gone),
        "removed with the sets below them: their membership encodes the known answer",
        tuple(str(sets.names[key]) for key in gone[:3]),
    )
    return _keep(sets, present - leaking, step)


def within_sizes(sets: GeneSets, smallest: int, largest: int) -> GeneSets:
    """Keep sets of ``smallest`` to ``largest`` members, and record how many were left out."""
    size = sets.members.groupby("set_id").size()
    kept = size.index[(size >= smallest) & (size <= largest)]
    gone = [str(sets.names[key]) for key in sorted(set(size.index) - set(kept))]
    step = Step(
        f"sets of {smallest} to {largest} genes",
        len(size),
        len(kept),
        "smaller sets say little, larger ones join everything with everything",
        tuple(gone[:3]),
    )
    return _keep(sets, set(kept), step)


def _keep(sets: GeneSets, kept: set[str], step: Step) -> GeneSets:
    """Keep some sets; a hierarchy edge stays where both ends do."""
    keep = sorted(kept)
    both = sets.parents["set_id"].isin(keep) & sets.parents["parent_id"].isin(keep)
    members = sets.members[sets.members["set_id"].isin(keep)].reset_index(drop=True)
    steps = (*sets.steps, step)
    if not len(members):
        raise InputError(f"no gene set is left after the step '{step.name}': {some(step.examples)}")
    return GeneSets(sets.names, members, sets.parents[both].reset_index(drop=True), steps)
