"""Drugs of the genes around a target, with the path by which they reach it."""

import heapq
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import pandas as pd

from aimwell.knowledge.drug_actions import (
    ACTIVATES,
    APPROVED,
    IN_TRIALS,
    INHIBITS,
    UNKNOWN,
    match_of,
)

REPURPOSING_COLUMNS: Final = (
    "target",
    "gene",
    "drug",
    "path",
    "hops",
    "action",
    "direction",
    "effect_on_target",
    "match",
    "phase",
    "status",
    "indication",
    "indicated",
    "source",
    "licence",
)
#: Relation → whether its target does as its source, or the opposite. With ``separate`` sources the
#: name of the source follows: ``activates_signor``.
_SIGNS: Final = {"activates": 1, "induces": 1, "inhibits": -1, "represses": -1}
#: Relations that hold both ways.
_BOTH_WAYS: Final = "interacts"
_FLIPPED: Final = {INHIBITS: ACTIVATES, ACTIVATES: INHIBITS}


@dataclass(frozen=True, order=True)
class _Link:
    """One edge, seen from the node nearer to the drug."""

    near: str
    far: str
    relation: str
    forward: bool

    @property
    def sign(self) -> int:
        """1 or -1 where the edge says how the far end follows the near one, else 0."""
        return _SIGNS.get(_plain(self.relation), 0) if self.forward else 0


def linked_drugs(
    target: str,
    edges: pd.DataFrame,
    drugs: pd.DataFrame,
    changes: Mapping[str, str],
    names: Mapping[str, str],
) -> pd.DataFrame:
    """List the drugs of the genes in the subgraph of a target that people take or have tried.

    The path is the one of fewest edges, of several the one whose edges carry most of the score. A
    drug changes the target as it changes its own gene if every edge of the path points to the
    target and says how (``activates`` … ``represses``); otherwise nobody knows. Drugs that act on
    the target itself are not listed.

    Args:
        target: HGNC id.
        edges: Edges of its subgraph: ``source_id``, ``target_id``, ``relation``, ``attribution``.
        drugs: Of ``DrugLayer.table``.
        changes: Gene → ``up`` or ``down`` in cases, where that is known.
        names: Node → what a person calls it.

    Returns:
        Columns ``REPURPOSING_COLUMNS``, nearest gene first.

    Example:
        >>> edges = pd.DataFrame({"source_id": ["a", "b"], "target_id": ["b", "t"],
        ...     "relation": ["activates", "inhibits"], "attribution": [0.1, 0.2]})
        >>> drugs = pd.DataFrame({"gene": ["a"], "drug": ["x"], "action": "", "direction":
        ...     "inhibits", "phase": 4.0, "status": "approved", "indication": "", "indicated": "no",
        ...     "source": "s", "licence": "CC0"})
        >>> found = linked_drugs("t", edges, drugs, {"t": "down"}, {"a": "A", "b": "B", "t": "T"})
        >>> found[["path", "effect_on_target", "match"]].to_numpy().tolist()
        [['A –activates→ B –inhibits→ T', 'activates', 'match']]
    """
    taken = drugs[drugs["status"].isin([APPROVED, IN_TRIALS])]
    own = set(drugs.loc[drugs["gene"] == target, "drug"])
    taken = taken[~taken["drug"].isin(own)]
    paths = _paths(target, edges, set(taken["gene"]))
    rows = []
    for row in taken[taken["gene"].isin(paths)].to_dict("records"):
        path = paths[str(row["gene"])]
        effect = _carried(str(row["direction"]), path)
        rows.append(
            {
                **row,
                "target": target,
                "path": _told(path, names),
                "hops": len(path),
                "effect_on_target": effect,
                "match": match_of(effect, changes.get(target, UNKNOWN)),
            }
        )
    table = pd.DataFrame(rows, columns=list(REPURPOSING_COLUMNS))
    texts = [c for c in REPURPOSING_COLUMNS if c not in ("hops", "phase")]
    table = table.astype({**dict.fromkeys(texts, "str"), "hops": "int64", "phase": "float64"})
    return table.sort_values(["hops", "gene", "drug"], ignore_index=True)


def _paths(
    target: str, edges: pd.DataFrame, wanted: Collection[str]
) -> dict[str, tuple[_Link, ...]]:
    """Find the best path from each wanted gene to the target, as links in that order."""
    near: dict[str, list[tuple[str, float, _Link]]] = {}
    columns = (edges[c] for c in ("source_id", "target_id", "relation", "attribution"))
    for source, end, relation, worth in zip(*columns, strict=True):
        # a step away from the target, of a path that is read towards it
        one = (str(source), str(end), str(relation))
        near.setdefault(one[1], []).append((one[0], abs(worth), _Link(*one, forward=True)))
        back = _Link(one[1], one[0], one[2], forward=False)
        near.setdefault(one[0], []).append((one[1], abs(worth), back))
    found: dict[str, tuple[_Link, ...]] = {}
    waiting: list[tuple[int, float, str, tuple[_Link, ...]]] = [(0, 0.0, target, ())]
    order: dict[str, None] = {}
    while waiting:
        hops, cost, node, path = heapq.heappop(waiting)
        if node in order:
            continue
        order[node] = None
        if node in wanted and node != target:
            found[node] = path
        for other, worth, link in near.get(node, ()):
            if other not in order:
                step = (hops + 1, cost - worth, other, (link, *path))
                heapq.heappush(waiting, step)
    return found


def _carried(direction: str, path: tuple[_Link, ...]) -> str:
    sign = 1
    for link in path:
        sign *= link.sign
    if direction == UNKNOWN or sign == 0:
        return UNKNOWN
    return direction if sign > 0 else _FLIPPED[direction]


def _told(path: tuple[_Link, ...], names: Mapping[str, str]) -> str:
    text = names.get(path[0].near, path[0].near)
    for link in path:
        word = link.relation.replace("_", " ")
        if _plain(link.relation) == _BOTH_WAYS:
            arrow = f" –{word}– "
        else:
            arrow = f" –{word}→ " if link.forward else f" ←{word}– "
        text += arrow + names.get(link.far, link.far)
    return text


def _plain(relation: str) -> str:
    return relation.split("_", maxsplit=1)[0]
