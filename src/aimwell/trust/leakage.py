"""Does anything that the networks see say which genes are the known targets?

Every check names its culprit. Kaufman et al. 2012 is the source of the questions; the graph's own
leaks (drug and disease edges, text mining, sets named after the disease) are in
``aimwell.knowledge.leaks``.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import roc_auc_score

from aimwell.cohorts.evidence import Evidence
from aimwell.errors import LabelError, some
from aimwell.knowledge.graph import GENE, TargetGraph
from aimwell.models.member import Member
from aimwell.models.task import TargetTask
from aimwell.models.training import predict
from aimwell.trust.check import Check

GROUP: Final = "leakage"
#: A single column that tells known targets apart this well knows them.
ALMOST_PERFECT: Final = 0.95
#: Known targets with the largest values of a column, or nearly all of them, are no coincidence.
FEWEST_TARGETS: Final = 5
#: A set or neighbourhood is the list of known targets where they share this much of their union.
LIST_SHARE: Final = 0.5
#: Share of edges of one database that touch a known target, above which it is about them.
ABOUT_TARGETS: Final = 0.5
SAME_SCORE: Final = 1e-3
#: Chance below which gaps that lie unequally are held to know the label.
UNLIKELY: Final = 1e-3
#: Checks that, failed, say that a run has seen its labels.
SEEN: Final = ("label_and_features", "label_and_edges", "label_and_databases", "own_label")


def label_features(task: TargetTask, *, allow: bool = False) -> str:
    """Refuse to learn from a column that is the label, or say that it was allowed.

    Returns:
        The sentence that every result has to carry; empty where there is no such column.

    Raises:
        LabelError: With the column; not where ``allow`` is set.
    """
    guilty = [name for name, area in feature_areas(task) if area >= 1 - 1e-9]
    if not guilty or int(task.labels.sum()) < FEWEST_TARGETS:
        return ""
    what = (
        f"the feature '{guilty[0]}' equals the label: every known target lies on one side of one "
        f"value and every other gene on the other{_others(guilty)}"
    )
    if not allow:
        raise LabelError(
            f"{what}. Leave it out, or keep it with --allow-leak, which marks every result"
        )
    return f"Leaks were allowed: {what}, so the ranking has seen the answer."


def check_leakage(
    task: TargetTask,
    graph: TargetGraph,
    evidence: Evidence,
    members: Sequence[Member],
    dates: "pd.Series[str] | None" = None,
) -> list[Check]:
    """Look for the labels in features, missing values, edges, scores, folds and dates.

    Args:
        task: What the networks saw.
        graph: Its relations.
        evidence: For what was measured.
        members: For whether a gene's own label reaches its score.
        dates: Since when each known target is known, by gene; empty texts where nobody says.
    """
    return [
        _features(task),
        _missingness(task, evidence),
        _neighbourhoods(task, graph),
        _databases(task, graph),
        _own_label(task, members),
        _families(task),
        _copies(task),
        _complexes(task, graph),
        _time(graph, dates),
    ]


def seen_labels(checks: Sequence[Check]) -> list[Check]:
    """Give the failed checks after which nothing of a run may be believed."""
    return [c for c in checks if c.name in SEEN and c.passed is False]


def feature_areas(task: TargetTask) -> list[tuple[str, float]]:
    """Say how well every single column tells known targets apart, best first.

    Returns:
        Name of the column and its AUROC, whichever way round, in [.5, 1].
    """
    kept = ~task.withheld
    known = task.labels[kept].astype(bool)
    found = []
    if known.any() and not known.all():
        for block in task.blocks:
            for number, column in enumerate(block.columns):
                values = block.values[kept, number]
                if np.ptp(values) > 0:
                    area = float(roc_auc_score(known, values))
                    found.append((f"{block.name}: {column}", max(area, 1 - area)))
    return sorted(found, key=lambda item: (-item[1], item[0]))


def _features(task: TargetTask) -> Check:
    areas = feature_areas(task)
    name, area = areas[0] if areas else ("", 0.5)
    n_known = int(task.labels.sum())
    passed = area < ALMOST_PERFECT or n_known < FEWEST_TARGETS
    verdict = "equals the label" if area >= 1 - 1e-9 else "knows the label"
    said = "the single column that tells known targets apart best (0.5: not at all)"
    meaning = f"{said}: '{name}'" + ("" if passed else f", which {verdict}")
    return Check("label_and_features", area, f"< {ALMOST_PERFECT}", passed, meaning, group=GROUP)


def _missingness(task: TargetTask, evidence: Evidence) -> Check:
    known = task.labels.astype(bool)
    seen = {
        name: block["observed"].reindex(task.genes).eq(True).to_numpy()
        for name, block in evidence.blocks.items()
    }
    for name, table in evidence.features.items():
        seen[name] = table.reindex(task.genes).notna().any(axis=1).to_numpy()
    areas = {
        name: float(roc_auc_score(known, mask.astype(float)))
        for name, mask in sorted(seen.items())
        if not mask.all() and mask.any() and known.any()
    }
    said = "how well 'was it measured' alone tells known targets apart (0.5: not at all)"
    if not areas:
        return Check("label_and_missingness", None, "0.35 to 0.65", None, said, group=GROUP)
    name = max(areas, key=lambda n: abs(areas[n] - 0.5))
    table = pd.crosstab(known, seen[name])
    chance = float(stats.fisher_exact(table.to_numpy()).pvalue)
    # a dozen known targets lie outside by chance alone
    passed = 0.35 <= areas[name] <= 0.65 or chance > UNLIKELY
    meaning = f"{said}: '{name}'" + ("" if passed else ", whose gaps know the label")
    meaning += f" (p {chance:.2g})"
    return Check("label_and_missingness", areas[name], "0.35 to 0.65", passed, meaning, group=GROUP)


def _neighbourhoods(task: TargetTask, graph: TargetGraph) -> Check:
    """Is there a gene whose neighbours, or a set whose members, are the known targets?"""
    known = set(task.genes[task.labels == 1])
    best, culprit = 0.0, "none"
    for relation in (*graph.gene_relations(), *graph.set_relations()):
        edges = relation.edges[["source_id", "target_id"]]
        ways = [("target_id", "source_id", relation.target_type)]
        if relation.target_type == GENE:
            ways.append(("source_id", "target_id", relation.source_type))
        for node, member, kind in ways:
            hit = edges[edges[member].isin(known)].groupby(node).size()
            if hit.empty:
                continue
            size = edges.groupby(node).size().reindex(hit.index)
            share = hit / (size + len(known) - hit)
            share = share[hit >= FEWEST_TARGETS]
            if len(share) and float(share.max()) > best:
                best = float(share.max())
                titles = graph.nodes[kind]["symbol" if kind == GENE else "name"]
                name = titles.to_dict()[share.idxmax()]
                culprit = f"'{name}' in '{relation.name}'"
    meaning = (
        "largest overlap of the known targets with the neighbours of one gene or the members of "
        f"one set, as a share of their union: {culprit}"
    )
    passed = best < LIST_SHARE
    meaning += "" if passed else ", which is the list of known targets"
    return Check("label_and_edges", best, f"< {LIST_SHARE}", passed, meaning, group=GROUP)


def _databases(task: TargetTask, graph: TargetGraph) -> Check:
    """Is there a database whose edges are about the known targets?"""
    known = set(task.genes[task.labels == 1])
    best, culprit = 0.0, "none has twenty edges"
    for relation in (*graph.gene_relations(), *graph.set_relations()):
        touches = relation.edges["source_id"].isin(known)
        if relation.target_type == GENE:
            touches |= relation.edges["target_id"].isin(known)
        by_source = touches.groupby(relation.edges["evidence"]).agg(["mean", "size"])
        by_source = by_source[by_source["size"] >= 20]
        if len(by_source) and float(by_source["mean"].max()) > best:
            best = float(by_source["mean"].max())
            culprit = f"'{by_source['mean'].idxmax()}' in '{relation.name}'"
    share = float(np.mean(task.labels))
    limit = max(ABOUT_TARGETS, min(10 * share, 0.95))
    passed = best < limit
    meaning = f"largest share of the edges of one database that touch a known target: {culprit}" + (
        "" if passed else ", which is about the known targets"
    )
    return Check("label_and_databases", best, f"< {limit:.2g}", passed, meaning, group=GROUP)


def _own_label(task: TargetTask, members: Sequence[Member]) -> Check:
    """Compute scores anew with the labels of the fold hidden: they must be those of the run."""
    said = (
        "largest difference, in standard deviations, between a gene's score and its score when "
        "the labels of its fold are certain to be hidden"
    )
    worst, where = 0.0, ""
    for member in {m.unit.fold: m for m in sorted(members, key=lambda m: -m.unit.repeat)}.values():
        mine = task.folds == member.unit.fold
        gap = float(np.abs(predict(task, member) - member.scores)[mine].max())
        if gap > worst:
            worst, where = gap, f" (fold {member.unit.fold})"
    passed = worst <= SAME_SCORE
    meaning = said + ("" if passed else f": a gene sees its own label{where}")
    return Check("own_label", worst, f"<= {SAME_SCORE}", passed, meaning, group=GROUP)


def _families(task: TargetTask) -> Check:
    known = task.genes[task.labels == 1]
    folds = pd.Series(task.folds, task.genes)
    split = folds[known].groupby(task.families.reindex(known).to_numpy()).nunique()
    guilty = sorted(split.index[split > 1])
    meaning = "gene families with known targets in two folds: paralogues know each other's labels"
    meaning += f": {some(guilty)}" if guilty else ""
    return Check("family_overlap", len(guilty), "<= 0", not guilty, meaning, group=GROUP)


def _copies(task: TargetTask) -> Check:
    """Are there known targets with the same features in different folds?"""
    own = np.hstack([b.values for b in task.blocks if b.kind != "graph"] or [task.folds[:, None]])
    known = np.flatnonzero(task.labels == 1)
    folds_of: dict[bytes, set[int]] = {}
    names_of: dict[bytes, list[str]] = {}
    for row in known[(own[known] != 0).any(axis=1)]:
        key = own[row].tobytes()
        folds_of.setdefault(key, set()).add(int(task.folds[row]))
        names_of.setdefault(key, []).append(str(task.genes[row]))
    guilty = [n for key, folds in folds_of.items() if len(folds) > 1 for n in names_of[key]]
    meaning = "known targets whose measurements are copies of each other's, in different folds"
    meaning += f": {some(sorted(guilty))}" if guilty else ""
    return Check("copied_rows", len(guilty), "<= 0", not guilty, meaning, group=GROUP)


def _complexes(task: TargetTask, graph: TargetGraph) -> Check:
    """How many known targets share a complex with one of another fold? It informs only."""
    known = task.genes[task.labels == 1]
    fold = pd.Series(task.folds, task.genes)[known]
    touched: set[str] = set()
    for relation in graph.set_relations():
        if relation.target_type != "complex":
            continue
        inside = relation.edges[relation.edges["source_id"].isin(known)]
        folds = inside["source_id"].map(fold)
        several = folds.groupby(inside["target_id"]).transform("nunique") > 1
        touched |= set(inside.loc[several, "source_id"])
    share = len(touched) / max(len(known), 1)
    return Check(
        "complex_overlap",
        share,
        meaning="share of known targets in a complex with a known target of another fold; what "
        "the ranking finds of them it may owe to that",
        group=GROUP,
    )


def _time(graph: TargetGraph, dates: "pd.Series[str] | None") -> Check:
    """How many edges of known targets were first reported after the target was known?"""
    said = (
        "share of the dated edges of known targets that were first reported after the gene was "
        "known as a target, and so may be owed to it; --as-of leaves them out"
    )
    years = {} if dates is None else {g: str(d)[:4] for g, d in dates.items() if str(d)[:4]}
    late = dated = 0
    for relation in graph.relations.values():
        if "date" not in relation.edges or not years:
            continue
        edges = relation.edges
        when = edges["date"].astype(str).str[:4]
        for end in ("source_id", "target_id"):
            since = edges[end].map(years)
            both = since.notna() & when.str.fullmatch(r"\d{4}").fillna(value=False)
            dated += int(both.sum())
            late += int((when[both] > since[both]).sum())
    if not dated:
        return Check("edges_after_labels", None, meaning=f"{said} (no dates)", group=GROUP)
    return Check("edges_after_labels", late / dated, meaning=said, group=GROUP)


def _others(guilty: Sequence[str]) -> str:
    return f" (and so are {len(guilty) - 1} more)" if len(guilty) > 1 else ""
