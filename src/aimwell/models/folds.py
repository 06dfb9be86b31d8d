"""Folds that never split what must stay together: dealt by group, by stratum, by date, or given.

A fold is a set of genes whose labels a network never sees; a gene is scored by the networks of its
own fold. Paralogues stay together in every kind of fold, since one gives the other's label away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from aimwell.errors import TaskError, some
from aimwell.knowledge.graph import GENE, TargetGraph
from aimwell.provenance import Step

COMPLEX: Final = "complex"
#: Largest share of all genes that one group of families and complexes may hold.
LARGEST_SHARE: Final = 0.03
#: Share of the training genes that an inner split keeps for validation.
INNER_SHARE: Final = 0.25


@dataclass(frozen=True)
class Folds:
    """Which genes are tested together, and what had to stay together.

    Attributes:
        by: How they were dealt: ``family``, ``complex``, ``degree``, ``study``, ``date``,
            ``given``.
        table: Index sorted HGNC id; columns ``fold``, ``group`` (what stays together) and
            ``is_known``.
        reported: Folds whose known targets count in the metrics. Where the order of folds means
            something (least studied, latest), the others only complete the ranking.
        steps: What could not be kept.

    Raises:
        TaskError: A group in two folds, or a fold to report on without a known target.
    """

    by: str
    table: pd.DataFrame
    reported: tuple[int, ...]
    steps: tuple[Step, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        split = self.table.groupby("group")["fold"].nunique()
        if (split > 1).any():
            raise TaskError(
                f"folds by {self.by} split {int((split > 1).sum())} groups whose members give each "
                f"other's label away: {some(split.index[split > 1])}; keep each in one fold, or "
                "deal with model.folds_by = 'family'"
            )
        known = self.table.loc[self.table["is_known"], "fold"]
        empty = [fold for fold in self.reported if not (known == fold).any()]
        if len(known) and empty:
            raise TaskError(
                f"folds by {self.by}: {len(empty)} of {len(self.reported)} folds hold no known "
                f"target, so they would test nothing: {some(empty)}. Lower model.folds or name "
                "more known targets"
            )

    @property
    def array(self) -> np.ndarray:
        """Fold of every gene, in the order of the table, shape ``(n,)``, int64."""
        return self.table["fold"].to_numpy(np.int64, copy=True)

    @property
    def numbers(self) -> tuple[int, ...]:
        """The folds that there are, sorted."""
        return tuple(int(f) for f in sorted(set(self.table["fold"])))


def deal_folds(
    by: str,
    graph: TargetGraph,
    known: pd.Index,
    *,
    k: int,
    seed: int,
    dates: "Mapping[str, str] | None" = None,
    given: "pd.Series[int] | None" = None,
) -> Folds:
    """Deal the genes of a graph into folds.

    ``family`` and ``complex`` deal whole gene families, or families joined by the complexes that
    they share, so that every fold has as many known targets. ``degree`` makes one fold per stratum
    of degree: its genes are scored by networks that learned from other degrees. ``study`` tests on
    the half of the known targets that is studied least, ``date`` on those of the later half.
    ``given`` takes them from a table.

    Args:
        by: One of the above.
        graph: Genes, families, complexes and degrees.
        known: HGNC ids of the known targets, all of them in the graph; may be empty.
        k: Number of folds; ``study`` and ``date`` have two, ``given`` what it gives.
        seed: Breaks ties.
        dates: Known target → day on which it became known, for ``date``.
        given: Gene → fold, for ``given``.

    Raises:
        TaskError: Too few families hold known targets, a target without a date or a given fold, or
            given folds that split a family.
    """
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    group = graph.nodes[GENE]["family"].astype(str).reindex(genes)
    steps: tuple[Step, ...] = ()
    reported: tuple[int, ...] | None = None
    if by == "family":
        fold = family_folds(group, known, k, seed)
    elif by == COMPLEX:
        group, steps = joined_by_complexes(graph, group)
        fold = family_folds(group, known, k, seed)
    elif by == "degree":
        degree = np.log1p(graph.degree().reindex(genes).to_numpy(float))
        fold = _strata(group, degree, genes.isin(known), k)
    elif by == "study":
        fold = _strata(group, study_of(graph, genes), genes.isin(known), 2)
        reported = (0,)
    elif by == "date":
        fold, steps = _later(group, known, dates or {}, seed)
        reported = (0,)
    elif by == "given":
        fold, steps = _given(group, known, given, seed)
    else:
        raise TaskError(f"there are no folds by '{by}'")
    table = pd.DataFrame({"fold": fold, "group": group, "is_known": genes.isin(known)}, genes)
    if reported is None:
        reported = tuple(int(f) for f in np.unique(fold))
    return Folds(by, table, reported, steps)


def family_folds(families: "pd.Series[str]", known: pd.Index, k: int, seed: int) -> np.ndarray:
    """Assign every gene to one of ``k`` folds, whole families at a time.

    Families with known targets are dealt first, largest number of targets first, each to the fold
    with the fewest targets; the rest fills the folds by size. The draw depends on gene ids and the
    seed only, never on the order of the input.

    Args:
        families: Family of every gene, indexed by sorted HGNC id, shape ``(n,)``.
        known: HGNC ids of the known targets; without any, families are dealt by size.
        k: Number of folds.
        seed: Breaks ties between families.

    Returns:
        Fold of every gene, in ``0 … k - 1``, shape ``(n,)``.

    Raises:
        TaskError: Fewer than ``k`` families hold known targets, so some fold would test nothing.

    Example:
        >>> genes = pd.Index(["a", "b", "c", "d"])
        >>> family_folds(pd.Series(["x", "x", "y", "z"], genes), pd.Index(["a", "c"]), 2, 0)
        array([...])
    """
    table = pd.DataFrame({"family": families, "known": families.index.isin(known)})
    size = table.groupby("family")["known"].agg(["sum", "size"])
    size["draw"] = np.random.default_rng(seed).permutation(len(size))
    size = size.sort_values(["sum", "size", "draw"], ascending=[False, False, True])
    holding = int((size["sum"] > 0).sum())
    total = int(table["known"].sum())
    if holding == 1:
        raise TaskError(
            f"the {total} known targets all belong to the family '{size.index[0]}', so that none "
            "can be tested without its relatives. Name known targets of other families, or rank "
            "without any: model.objective = 'none'"
        )
    if 0 < holding < k:
        raise TaskError(
            f"the {total} known targets fall into {holding} gene families; "
            f"{k} folds need at least {k}. Lower model.folds or name more known targets"
        )
    targets, members = np.zeros(k), np.zeros(k)
    fold_of: dict[str, int] = {}
    for family, n_known, n_genes in zip(size.index, size["sum"], size["size"], strict=True):
        fold = int(np.lexsort((np.arange(k), members, targets if n_known else members))[0])
        fold_of[str(family)] = fold
        targets[fold] += n_known
        members[fold] += n_genes
    return families.astype(str).map(fold_of).to_numpy(np.int64, copy=True)


def joined_by_complexes(
    graph: TargetGraph, families: "pd.Series[str]", *, largest_share: float = LARGEST_SHARE
) -> tuple["pd.Series[str]", tuple[Step, ...]]:
    """Join families that share a complex, so that subunits are tested together.

    Complexes are joined from the smallest up, and one that would make a group of more than
    ``largest_share`` of the genes is skipped and counted, as for ``gene_families``.

    Raises:
        TaskError: The graph has no complexes.
    """
    relation = next((r for r in graph.set_relations() if r.target_type == COMPLEX), None)
    if relation is None:
        raise TaskError(
            "folds by complex need complexes in the graph, and it has none; add a source of them, "
            "or use model.folds_by = 'family'"
        )
    family_of = families.to_dict()
    inside = relation.edges.groupby("target_id")["source_id"].apply(
        lambda ids: sorted({family_of[g] for g in ids if g in family_of})
    )
    parent = {f: f for f in family_of.values()}
    size = families.value_counts().to_dict()
    skipped = []
    for name in sorted(inside.index, key=lambda c: (len(inside[c]), str(c))):
        roots = sorted({_root(parent, f) for f in inside[name]})
        if len(roots) < 2:
            continue
        total = sum(size[r] for r in roots)
        if total > max(largest_share * len(families), 2):
            skipped.append(str(name))
            continue
        for other in roots[1:]:
            parent[other] = roots[0]
        size[roots[0]] = total
    step = Step(
        "complexes kept in one fold",
        len(inside),
        len(inside) - len(skipped),
        f"complexes that would tie more than {largest_share:.0%} of the genes together",
        tuple(skipped[-3:]),
    )
    return families.map(lambda f: _root(parent, f)), (step,)


def study_of(graph: TargetGraph, genes: pd.Index) -> np.ndarray:
    """Measure how well every gene is studied: mean standardised log count over all relations.

    Returns:
        Shape ``(n,)``.
    """
    total = np.zeros(len(genes))
    for relation in graph.relations.values():
        if relation.source_type != GENE or not len(relation.edges):
            continue
        count = np.bincount(
            genes.get_indexer(pd.Index(relation.edges["source_id"])), minlength=len(genes)
        ).astype(float)
        if relation.target_type == GENE:
            at = genes.get_indexer(pd.Index(relation.edges["target_id"]))
            count += np.bincount(at, minlength=len(genes))
        log = np.log1p(count)
        total += (log - log.mean()) / (log.std() or 1.0)
    return total


def inner_split(
    families: "pd.Series[str]",
    labels: np.ndarray,
    training: np.ndarray,
    rng: np.random.Generator,
    share: float = INNER_SHARE,
) -> np.ndarray:
    """Keep a part of the training genes for validation, whole families at a time.

    Args:
        families: Of every gene, shape ``(n,)``.
        labels: 1 for known targets, shape ``(n,)``.
        training: True for genes that may be used at all, shape ``(n,)``.
        rng: Draws families.
        share: Of the known targets, and of the other genes.

    Returns:
        True for validation genes, shape ``(n,)``; a subset of ``training`` with at least one known
        target, and one left outside; all False where that cannot be.
    """
    table = pd.DataFrame({"family": families.to_numpy(), "known": (labels == 1) & training})
    known = table[training].groupby("family")["known"].sum()
    order = known.index[rng.permutation(len(known))]
    count = known.loc[order].to_numpy()
    holding, bare = order[count > 0], order[count == 0]
    if len(holding) < 2:
        return np.zeros(len(labels), bool)
    taken = min(max(round(share * len(holding)), 1), len(holding) - 1)
    kept = {*holding[:taken], *bare[: round(share * len(bare))]}
    return np.asarray(table["family"].isin(kept) & training)


def _root(parent: dict[str, str], name: str) -> str:
    while parent[name] != name:
        parent[name] = parent[parent[name]]  # halve the path
        name = parent[name]
    return name


def _strata(group: "pd.Series[str]", value: np.ndarray, known: np.ndarray, k: int) -> np.ndarray:
    """Cut groups, ordered by their mean value, into ``k`` parts with as many known targets each."""
    table = pd.DataFrame({"group": group.to_numpy(), "value": value, "known": known})
    each = table.groupby("group").agg(
        value=("value", "mean"), known=("known", "sum"), size=("value", "size")
    )
    each = each.rename_axis("group").reset_index().sort_values(["value", "group"])
    weight = each["known"] if each["known"].any() else each["size"]
    # the middle of a group decides, so that a large one does not empty the stratum after it
    middle = weight.cumsum() - weight / 2
    stratum = np.minimum((middle * k / weight.sum()).astype(int), k - 1)
    return group.map(dict(zip(each["group"], stratum, strict=True))).to_numpy(np.int64, copy=True)


def _later(
    group: "pd.Series[str]", known: pd.Index, dates: Mapping[str, str], seed: int
) -> tuple[np.ndarray, tuple[Step, ...]]:
    """Put families with a target of the later half into fold 0, and those without in fold 1."""
    bare = [g for g in known if not dates.get(str(g))]
    if bare or not len(known):
        raise TaskError(
            f"folds by date need the day on which each known target became known; {len(bare)} of "
            f"{len(known)} have none: {some(bare)}. Use another reader, or another "
            "model.folds_by"
        )
    day = pd.Series({g: dates[str(g)] for g in known})
    ordered = sorted(day)
    cut = ordered[(len(ordered) - 1) // 2]
    # a family with one late target is late as a whole: its label must not reach the past
    late = {group[g] for g in day.index[day > cut]}
    early = {group[g] for g in day.index[day <= cut]} - late
    free = sorted(set(group) - late - early)
    drawn = np.random.default_rng(seed).permutation(len(free))
    fold_of = {f: int(place % 2) for f, place in zip(free, drawn, strict=True)}
    fold_of |= dict.fromkeys(late, 0) | dict.fromkeys(early, 1)
    step = Step(
        f"known targets up to {cut}, to learn from",
        len(day),
        sum(group[g] in early for g in day.index),
        "known later, or of a family with a later target: they test",
        tuple(str(g) for g in day.index[day > cut][:3]),
    )
    return group.map(fold_of).to_numpy(np.int64, copy=True), (step,)


def _given(
    group: "pd.Series[str]", known: pd.Index, given: "pd.Series[int] | None", seed: int
) -> tuple[np.ndarray, tuple[Step, ...]]:
    """Take folds from a table; genes without a label that it leaves out join their families."""
    if given is None:
        raise TaskError("folds by 'given' need a table of genes and folds")
    fold = given.reindex(group.index)
    if bare := [str(g) for g in known if pd.isna(fold[g])]:
        raise TaskError(
            f"the given folds leave out {len(bare)} of {len(known)} known targets: {some(bare)}; "
            "give each a fold"
        )
    numbers = sorted({int(f) for f in fold.dropna()})
    if len(numbers) < 2 or numbers[0] < 0:
        raise TaskError(
            f"the given folds are numbered {some(numbers)}; two or more are needed, counted from 0"
        )
    missing = group[fold.isna()]
    of_family = fold.dropna().groupby(group).first()
    free = sorted(set(missing) - set(of_family.index))
    drawn = np.random.default_rng(seed).permutation(len(free))
    dealt = {f: numbers[place % len(numbers)] for f, place in zip(free, drawn, strict=True)}
    filling = {str(name): int(number) for name, number in of_family.items()} | dealt
    filled = fold.fillna(missing.map(filling))
    step = Step(
        "genes with a given fold",
        len(group),
        len(group) - len(missing),
        "without a label and not in the table; dealt by family",
        tuple(str(g) for g in missing.index[:3]),
    )
    return filled.to_numpy(np.int64), (step,)
