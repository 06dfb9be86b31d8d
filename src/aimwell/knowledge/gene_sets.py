"""Sets of genes as a database publishes them, and which of them may enter a graph."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import networkx as nx
import pandas as pd

from aimwell.errors import InputError, some
from aimwell.provenance import Step

#: Names that tell a disease, a mutant or a drug: such sets were drawn up knowing the answer.
#: 'Tumor necrosis factor', 'Ovarian tumor domain proteases' and 'Tuberous sclerosis complex' are
#: names of proteins.
LEAKING: Final = re.compile(
    r"cancer|carcino|leuk[a]?emi|lymphom|melanom|gliom|glioblastom|sarcom|blastoma|neoplas|metasta|"
    r"tumou?r(?! necrosis| domain)|oncogen|diseas|disorder|syndrom|infection|diabet|obesity|"
    r"alzheimer|parkinson|huntington|asthma|arthritis|schizophren|autis[mt]|sclerosis(?! complex)|"
    r"\bdefect|(?<!heme )(?<!acid )\bdeficienc|mutant|mutation|\bvariants?\b|resistan(?:t|ce)|"
    r"loss[- ]of[- ]function|gain[- ]of[- ]function|"
    r"\bdrugs?\b|therap(?:y|ies|eutic)|\w+mab\b|\w+tinib\b|pharmacokinetic|\bADME\b",
    re.IGNORECASE,
)

#: What a set is → relation from a gene to it, relation from it to the set above.
SET_RELATIONS: Final = {
    "pathway": ("member_of", "part_of"),
    "complex": ("subunit_of", "subcomplex_of"),
    "family": ("belongs_to", "subfamily_of"),
    "term": ("annotated_with", "narrower_than"),
}


@dataclass(frozen=True)
class GeneSets:
    """What a reader of gene sets returns.

    Attributes:
        names: Set id → name; holds at least every set of ``members`` and ``parents``.
        members: Columns ``set_id``, ``name`` (of the gene, as written), no row twice. A third
            column ``detail`` may say where a membership comes from (``PMID:1|PMID:2``).
        parents: Columns ``set_id``, ``parent_id``; acyclic.
        steps: Rows in and out.
        evidence: Name of the database, as edges carry it.
        kind: Node type of the sets, one of ``SET_RELATIONS``.

    Raises:
        InputError: A cyclic hierarchy.
    """

    names: "pd.Series[str]"
    members: pd.DataFrame
    parents: pd.DataFrame
    steps: tuple[Step, ...] = ()
    evidence: str = "not stated"
    kind: str = "pathway"

    def __post_init__(self) -> None:
        require_acyclic(self.parents, self.evidence)


def require_acyclic(parents: pd.DataFrame, where: object) -> None:
    """Refuse a hierarchy in which something is above itself.

    Args:
        parents: Two columns: what is below, what is above.
        where: The file, for the message.

    Raises:
        InputError: It is cyclic.

    Example:
        >>> require_acyclic(pd.DataFrame({"low": ["a", "b"], "high": ["b", "a"]}), "x.txt")
        Traceback (most recent call last):
        aimwell.errors.InputError: 'x.txt': the hierarchy is cyclic: a → b → a; a set cannot be \
part of itself; download it again
    """
    below, above = (parents[c].tolist() for c in parents.columns[:2])
    digraph = nx.DiGraph(zip(below, above, strict=True))
    if nx.is_directed_acyclic_graph(digraph):
        return
    circle = [edge[0] for edge in nx.find_cycle(digraph)]
    shown = [name[:40] for name in circle[:5]] + (["…"] if len(circle) > 5 else [])
    raise InputError(
        f"'{where}': the hierarchy is cyclic: {' → '.join([*shown, circle[0][:40]])}; a set cannot "
        "be part of itself; download it again"
    )


def with_genes(sets: GeneSets, genes: Mapping[str, str]) -> GeneSets:
    """Replace the names of members by gene ids; names without a gene leave, and are counted.

    Args:
        sets: Members by name, as read.
        genes: Name → HGNC id, for the names that resolve.

    Returns:
        Members by HGNC id, each gene once in a set, with the details of all its names.

    Example:
        >>> members = pd.DataFrame({"set_id": ["S", "S", "S"], "name": ["p53", "TP53", "gag"]})
        >>> parents = pd.DataFrame({"set_id": [], "parent_id": []}, dtype=str)
        >>> sets = GeneSets(pd.Series({"S": "a set"}), members, parents)
        >>> with_genes(sets, {"p53": "HGNC:11998", "TP53": "HGNC:11998"}).members.iloc[0].tolist()
        ['S', 'HGNC:11998', '']
    """
    ids = sets.members["name"].map(genes)
    known = sets.members.assign(name=ids)[ids.notna()]
    if "detail" not in known:
        known = known.assign(detail="")
    known = known.astype(str).drop_duplicates().sort_values(["set_id", "name", "detail"])
    twice = known.duplicated(["set_id", "name"], keep=False)
    if twice.any():
        joined = known[twice].groupby(["set_id", "name"], as_index=False)["detail"].agg(_join)
        known = pd.concat([known[~twice], joined]).sort_values(["set_id", "name"])
    lost = sorted(set(sets.members.loc[ids.isna(), "name"]))
    step = Step(
        f"{sets.evidence}: members that are protein-coding genes",
        len(sets.members),
        len(known),
        "other molecules, and names of one gene twice in a set",
        tuple(lost[:3]),
    )
    return replace(sets, members=known.reset_index(drop=True), steps=(*sets.steps, step))


def inherited(sets: GeneSets) -> GeneSets:
    """Hand the members of every set to the sets above it, and record how many that adds.

    Example:
        >>> members = pd.DataFrame({"set_id": ["low", "top"], "name": ["A", "B"]})
        >>> parents = pd.DataFrame({"set_id": ["low"], "parent_id": ["top"]})
        >>> sets = GeneSets(pd.Series({"low": "low", "top": "top"}), members, parents)
        >>> inherited(sets).members[["set_id", "name"]].to_numpy().tolist()
        [['low', 'A'], ['top', 'A'], ['top', 'B']]
    """
    pairs = zip(sets.parents["set_id"].tolist(), sets.parents["parent_id"].tolist(), strict=True)
    digraph = nx.DiGraph(pairs)
    members = sets.members if "detail" in sets.members else sets.members.assign(detail="")
    own: dict[str, set[str]] = {}
    for key, name in zip(members["set_id"].tolist(), members["name"].tolist(), strict=True):
        own.setdefault(key, set()).add(name)
    every = {key: set(names) for key, names in own.items()}
    for key in nx.topological_sort(digraph):
        for parent in digraph.successors(key):
            every.setdefault(parent, set()).update(every.get(key, ()))
    more = [(key, name, "") for key, names in every.items() for name in names - own.get(key, set())]
    table = pd.DataFrame(more, columns=["set_id", "name", "detail"], dtype=str)
    joined = pd.concat([members[["set_id", "name", "detail"]], table])
    joined = joined.sort_values(["set_id", "name", "detail"], ignore_index=True)
    step = Step(
        f"{sets.evidence}: memberships, direct and inherited",
        len(members),
        len(joined),
        "a member of a set is a member of the sets above it",
    )
    return replace(sets, members=joined, steps=(*sets.steps, step))


def no_parents() -> pd.DataFrame:
    """Give the ``parents`` of sets without a hierarchy."""
    return pd.DataFrame({"set_id": [], "parent_id": []}, dtype=str)


def _join(values: "pd.Series[str]") -> str:
    return "|".join(sorted({part for v in values for part in v.split("|") if part}))


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
    parents = sets.parents[both].reset_index(drop=True)
    return replace(sets, members=members, parents=parents, steps=steps)
