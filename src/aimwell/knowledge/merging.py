"""Merge what several databases say about a pair of genes: in any order, the same edges."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aimwell.knowledge.graph import GENE, Relation
from aimwell.knowledge.interactions import FLAGS, TEXTS, UNDIRECTED, Interactions
from aimwell.provenance import Step

_UNIONS: Final = TEXTS[1:]
#: One row per pair and database: the pair as one number, who says so, and what it says.
RECORD_COLUMNS: Final = ("pair", "origin", "weight", *FLAGS, *_UNIONS)
SMALLEST: Final = np.nextafter(0.0, 1.0)
Ints = npt.NDArray[np.int64]


def records_of(
    found: Interactions,
    ids: Mapping[str, str],
    genes: pd.Index,
    origin: str,
    trust: float = 1.0,
) -> tuple[dict[str, pd.DataFrame], tuple[Step, ...]]:
    """Turn the interactions of one database into records per relation, one per pair.

    Rows of the same pair are one piece of evidence however often the database repeats it: the
    weight is the largest, the kinds of evidence, papers and details are united, the date is the
    earliest, and ``literature`` and ``clinical`` hold only if all rows say so.

    Args:
        found: What the reader returned.
        ids: HGNC id of the names that are genes.
        genes: All genes, sorted; a pair is numbered by the places of its two genes.
        origin: Name of the database.
        trust: Multiplies every weight, in (0, 1].

    Returns:
        Relation → records with the columns of ``RECORD_COLUMNS``, sorted; and the steps.
    """
    place = genes.get_indexer(pd.Index([ids.get(n, "") for n in found.names], dtype=object))
    place = place.astype(np.int32)
    a = place[found.table["source"].cat.codes.to_numpy()]
    b = place[found.table["target"].cat.codes.to_numpy()]
    mapped = (a >= 0) & (b >= 0)
    why = "a partner is not mapped to a protein-coding gene"
    steps = [
        Step(
            f"{origin}: interactions of protein-coding genes",
            len(a),
            int(np.count_nonzero(mapped)),
            why,
        )
    ]
    kinds = found.table["relation"].cat.categories
    kind = found.table["relation"].cat.codes.to_numpy()
    said: dict[str, Any] = {c: found.table[c].to_numpy() for c in FLAGS}
    said |= {c: found.table[c].array for c in _UNIONS}
    weight = found.table["weight"].to_numpy()
    # the smallest weights times trust would round to 0, which is no weight
    said["weight"] = weight if trust == 1 else np.maximum(weight * trust, SMALLEST)
    said["origin"] = pd.Categorical.from_codes(
        np.zeros(len(a), np.int8), pd.Index([origin], dtype=str)
    )
    records = {}
    for code, relation in enumerate(kinds):
        chosen = mapped & (kind == code)
        proper = np.flatnonzero(chosen & (a != b))
        pair = _number(a[proper], b[proper], len(genes), both_ways=relation in UNDIRECTED)
        order, key = sort_numbers(pair)
        del pair
        order = proper[order]
        count, loopless = int(np.count_nonzero(chosen)), len(proper)
        del chosen, proper  # of ten million links each array counts
        records[relation] = _collapse(said, order, key, key, np.maximum.reduceat)
        distinct = len(records[relation])
        steps.append(
            Step(
                f"{origin}, {relation}: distinct pairs",
                count,
                distinct,
                f"{count - loopless} self-loops and {loopless - distinct} repeated pairs",
            )
        )
    return {name: rows for name, rows in records.items() if len(rows)}, tuple(steps)


def _number(a: npt.NDArray[Any], b: npt.NDArray[Any], n: int, *, both_ways: bool) -> Ints:
    """Number pairs; the smaller place first where an edge holds both ways."""
    first, second = (np.minimum(a, b), np.maximum(a, b)) if both_ways else (a, b)
    found: Ints = first.astype(np.int64)
    found *= n
    found += second
    return found


def sort_numbers(key: Ints) -> tuple[Ints, Ints]:
    """Sort numbers that are not negative: the order that does it, and the sorted numbers.

    A number and its place share one integer where they fit, because sorting integers takes a fifth
    of the time of sorting places by them.

    Example:
        >>> order, ordered = sort_numbers(np.array([7, 2, 7]))
        >>> order.tolist(), ordered.tolist()
        ([1, 0, 2], [2, 7, 7])
    """
    bits = len(key).bit_length()
    if len(key) and int(key.max()) >> (63 - bits):
        order = np.argsort(key, kind="stable")
        return order, key[order]
    both = key << bits
    both |= np.arange(len(key))
    both.sort()
    return both & ((1 << bits) - 1), both >> bits


def merge_records(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Merge records of the same relation: one row per pair and database.

    Merging is associative, commutative and idempotent, so that neither the order of files nor
    reading one twice changes anything.
    """
    columns: dict[str, Any] = {}
    for column in RECORD_COLUMNS:
        parts = [t[column] for t in tables]
        if isinstance(parts[0].dtype, pd.CategoricalDtype):
            columns[column] = _union_categories([p.array for p in parts])
        else:
            columns[column] = np.concatenate([p.to_numpy() for p in parts])
    pair, origin = columns["pair"], columns["origin"].codes
    # Codes follow the sorted names, hence this order is that of the names.
    key = pair * max(len(columns["origin"].categories), 1) + origin
    order, key = sort_numbers(key)
    return _collapse(columns, order, key, pair[order], np.maximum.reduceat)


def combine_records(records: pd.DataFrame, how: str, genes: pd.Index) -> pd.DataFrame:
    """Make one edge of each pair, whatever number of databases have it.

    Args:
        records: What ``merge_records`` returns.
        how: ``noisy_or``: the chance that at least one database is right if they err
            independently, 1 − Π(1 − weight); ``max``: the largest weight.
        genes: As for ``records_of``.

    Returns:
        The columns of ``EDGE_COLUMNS``, then ``evidence_type``, ``pubmed_ids``, ``date`` and
        ``detail``; ``evidence`` joins the names of the databases by ``|``; sorted by ids.
    """
    columns: dict[str, Any] = {c: records[c].to_numpy() for c in ("weight", *FLAGS)}
    columns |= {c: records[c].array for c in ("origin", *_UNIONS)}
    pair = records["pair"].to_numpy()
    add = noisy_or if how == "noisy_or" else np.maximum.reduceat
    edges = _collapse(columns, np.arange(len(pair)), pair, pair, add)
    n = max(len(genes), 1)
    ends = edges["pair"].to_numpy()
    flat = {
        "source_id": genes.take(ends // n),
        "target_id": genes.take(ends % n),
        "weight": edges["weight"].to_numpy(),
        "evidence": _as_text(edges["origin"].array),
        **{flag: edges[flag].to_numpy() for flag in FLAGS},
        **{name: _as_text(edges[name].array) for name in _UNIONS},
    }
    return pd.DataFrame({name: pd.Series(values).array for name, values in flat.items()})


def noisy_or(weight: npt.NDArray[np.float64], starts: Ints) -> npt.NDArray[np.float64]:
    """Combine the weights of each group, which begins at ``starts``, as independent chances.

    Example:
        >>> noisy_or(np.array([0.5, 0.5, 1.0]), np.array([0, 2])).tolist()
        [0.75, 1.0]
    """
    if len(starts) == len(weight):
        return weight
    with np.errstate(divide="ignore"):  # log(0) of a certain edge is what makes the group certain
        combined = -np.expm1(np.add.reduceat(np.log1p(-weight), starts))
    # Rounding must not put an edge below its best evidence, nor above certainty.
    largest = np.maximum.reduceat(weight, starts)
    found: npt.NDArray[np.float64] = np.minimum(np.maximum(combined, largest), 1.0)
    return found


def limit_degree(edges: pd.DataFrame, limit: int) -> npt.NDArray[np.bool_]:
    """Tell which edges are among the ``limit`` strongest of both their ends.

    Ties go to the partner whose id sorts first, so that the order of rows does not matter.

    Example:
        >>> star = pd.DataFrame({"source_id": ["a", "a", "b"], "target_id": ["b", "c", "c"],
        ...     "weight": [0.9, 0.5, 0.5]})
        >>> limit_degree(star, 1).tolist()
        [True, False, False]
    """
    ids = pd.concat([edges["source_id"], edges["target_id"]], ignore_index=True)
    codes, _ = pd.factorize(ids, sort=True)
    m = len(edges)
    node, partner = codes, np.concatenate([codes[m:], codes[:m]])
    weight = np.tile(edges["weight"].to_numpy(float), 2)
    order = np.lexsort((partner, -weight, node))
    starts = np.flatnonzero(np.diff(node[order], prepend=-1))
    first = np.repeat(starts, np.diff(np.append(starts, 2 * m)))
    rank = np.empty(2 * m, np.int64)
    rank[order] = np.arange(2 * m) - first
    keep: npt.NDArray[np.bool_] = (rank[:m] < limit) & (rank[m:] < limit)
    return keep


def relation_name(relation: str, origin: str = "") -> str:
    """Name the relation of one database alone, or of all.

    Example:
        >>> relation_name("interacts", "Menche 2015"), relation_name("activates")
        ('interacts_menche_2015', 'activates')
    """
    slug = re.sub(r"[^a-z0-9]+", "_", origin.lower()).strip("_")
    return f"{relation}_{slug}" if slug else relation


def build_relations(
    groups: Mapping[str, tuple[str, Sequence[pd.DataFrame]]],
    genes: pd.Index,
    how: str,
    max_degree: int,
) -> tuple[dict[str, Relation], tuple[Step, ...]]:
    """Make the relations of a graph.

    Args:
        groups: Name of the new relation → what it says (``interacts`` …) and the records of each
            database.
        genes: As for ``records_of``.
        how: As for ``combine_records``.
        max_degree: As for ``limit_degree``; 0 keeps every edge.
    """
    relations, steps = {}, []
    for name, (kind, tables) in sorted(groups.items()):
        merged = merge_records(tables) if len(tables) > 1 else tables[0]
        edges = combine_records(merged, how, genes)
        before = sum(len(t) for t in tables)
        why = "pairs that several databases have are one edge"
        steps.append(Step(f"{name}: edges", before, len(edges), why))
        if max_degree:
            keep = limit_degree(edges, max_degree)
            why = f"weaker than the {max_degree} strongest edges of a gene"
            steps.append(Step(f"{name}: hub limit", len(edges), int(keep.sum()), why))
            edges = edges[keep].reset_index(drop=True)
        relations[name] = Relation(name, GENE, GENE, edges, directed=kind not in UNDIRECTED)
    return relations, tuple(steps)


def _collapse(
    columns: Mapping[str, Any],
    order: Ints,
    key: Ints,
    pair: Ints,
    weigh: Callable[[Any, Any], npt.NDArray[np.float64]],
) -> pd.DataFrame:
    """Make one row of the rows with the same key; ``order`` picks them as ``key`` is sorted."""
    new = np.ones(len(key), bool)
    new[1:] = key[1:] != key[:-1]
    starts = np.flatnonzero(new)
    alone = len(starts) == len(key)
    weight = columns["weight"][order]
    out: dict[str, Any] = {
        "pair": pair[starts],
        "origin": _united(columns["origin"], order, starts, _join),
        "weight": weight if alone else weigh(weight, starts),
    }
    del weight
    for flag in FLAGS:
        rows = columns[flag][order]
        out[flag] = rows if alone else np.logical_and.reduceat(rows, starts)
    for name in _UNIONS:
        join = _earliest if name == "date" else _join
        out[name] = _united(columns[name], order, starts, join)
    return pd.DataFrame({c: out[c] for c in RECORD_COLUMNS}, copy=False)


def _united(
    column: "pd.Categorical[str]",
    order: Ints,
    starts: Ints,
    join: Callable[[set[str]], str],
) -> "pd.Categorical[str]":
    """Unite the texts of each group; only groups of different texts cost anything."""
    categories = column.categories
    if len(categories) == 1:
        return pd.Categorical.from_codes(np.zeros(len(starts), np.int8), categories)
    codes = column.codes[order]
    first = codes[starts]
    if len(starts) == len(codes):
        return pd.Categorical.from_codes(first, categories)
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(codes))))
    differs = codes != first[group]
    if not differs.any():
        return pd.Categorical.from_codes(first, categories)
    mixed = np.zeros(len(starts), bool)
    mixed[group[differs]] = True
    rows = np.flatnonzero(mixed[group])
    pairs = np.unique(group[rows] * len(categories) + codes[rows])
    texts = categories.tolist()
    known = {text: i for i, text in enumerate(texts)}
    found = first.astype(np.int64)
    members: dict[int, set[str]] = {}
    for number in pairs.tolist():
        members.setdefault(number // len(categories), set()).add(texts[number % len(categories)])
    for place, parts in members.items():
        text = join(parts)
        if text not in known:
            known[text] = len(texts)
            texts.append(text)
        found[place] = known[text]
    return pd.Categorical.from_codes(found, pd.Index(texts, dtype=str))


def _join(texts: set[str]) -> str:
    return "|".join(sorted({part for text in texts for part in text.split("|") if part}))


def _earliest(texts: set[str]) -> str:
    return min((t for t in texts if t), default="")


def _union_categories(columns: "Sequence[pd.Categorical[str]]") -> "pd.Categorical[str]":
    """Put categoricals one after another, over all their used categories, sorted."""
    used = []
    for column in columns:
        there = np.zeros(len(column.categories), bool)
        there[column.codes] = True
        used.append(there)
    texts = sorted({t for c, there in zip(columns, used, strict=True) for t in c.categories[there]})
    index = pd.Index(texts, dtype=str)
    if len(columns) == 1 and len(columns[0].categories) == len(texts):
        places = index.get_indexer(columns[0].categories)
        if (places == np.arange(len(texts))).all():
            return columns[0]
    codes = [index.get_indexer(c.categories)[c.codes] for c in columns]
    return pd.Categorical.from_codes(np.concatenate(codes), index)


def _as_text(column: "pd.Categorical[str]") -> Any:
    """Take the texts of a categorical, as text."""
    return pd.Index(column.categories, dtype=str).take(column.codes).array
