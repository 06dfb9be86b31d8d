"""Put together what an audit measured: checks by group, and one row per target."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.config import AuditSettings
from aimwell.models.accuracy import accuracy
from aimwell.models.task import TargetTask
from aimwell.trust.bias import degree_of
from aimwell.trust.check import Check
from aimwell.trust.nulls import FEWEST_DRAWS, q_values, ranking_p, target_p, worst_p
from aimwell.trust.stability import (
    agreement_checks,
    coverage_check,
    left_out_table,
    rank_interval,
    ranks_of,
)
from aimwell.trust.tiers import RANKING_P, Audited
from aimwell.trust.variants import (
    AGAIN,
    EDGES,
    GROUP,
    LABELS,
    LAYER,
    NULLS,
    RELATION,
    SAMPLES,
    SOURCE,
    SUBJECTS,
    THINNED,
    Scored,
    Variant,
)

#: Groups of checks that an audit can be asked for.
PARTS: Final = (
    "leakage",
    "bias",
    "nulls",
    "stability",
    "layers",
    "transfer",
    "calibration",
    "sanity",
)
#: Null → name in columns and checks.
SHORT: Final = {EDGES: "edges", LABELS: "labels", SAMPLES: "samples"}
_MEANT: Final = {
    EDGES: "who is joined to whom in the graph",
    LABELS: "which genes are the known targets",
    SAMPLES: "which samples have the condition",
}


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes:
        checks: All of them, by group.
        genes: Indexed by gene; ``tier``, ``tier_reason``, ``probability``, ``null_p``, ``null_q``,
            ``null_p_edges`` and so on, ``rank_low``, ``rank_high`` over whatever was drawn again,
            ``selected``, ``score_without_degree``; those of parts that were not asked for are
            missing.
        layers: What each layer, relation and source adds: columns of ``left_out_table``.
        reliability: Predicted and observed shares, for a plot.
        rewired: What became of each relation in one rewired graph.
        skipped: What was not done → why.
        rules: The rules of the tiers, in words.
        settings: How often what was done.
    """

    checks: tuple[Check, ...]
    genes: pd.DataFrame
    layers: pd.DataFrame = field(default_factory=pd.DataFrame)
    reliability: pd.DataFrame = field(default_factory=pd.DataFrame)
    rewired: pd.DataFrame = field(default_factory=pd.DataFrame)
    skipped: Mapping[str, str] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)


def null_checks(
    task: TargetTask, base: np.ndarray, drawn: Mapping[Variant, Scored], skipped: Mapping[str, str]
) -> tuple[list[Check], Audited]:
    """Compare the ranking with those of the nulls.

    Args:
        task: Labels of the run.
        base: Scores of the run from as many networks per fold as each draw has, shape ``(n,)``.
        drawn: Rankings of all draws.
        skipped: Null → why it was left out.

    Returns:
        Checks of the whole ranking, and p-values per target.
    """
    checks: list[Check] = []
    columns: dict[str, np.ndarray] = {}
    whole: dict[str, float] = {}
    missing = {null: why for null, why in skipped.items() if null in NULLS}
    for null in NULLS:
        name = SHORT[null]
        draws = [s for v, s in drawn.items() if v.kind == null]
        if len(draws) < 2:
            missing.setdefault(null, "fewer than two draws could be made")
            meaning = f"ranking against {null}: not done, {missing[null]}"
            checks.append(Check(f"null_p: {name}", None, "<= 0.05", None, meaning, group="nulls"))
            continue
        columns[name] = target_p(base, np.array([s.scores for s in draws]), degree_of(task))
        if task.labels.any():
            found, whole[null] = _ranking_checks(task, base, null, draws)
            checks += found
        stands = int((q_values(columns[name]) <= 0.1).sum())
        meaning = f"genes that stand out against {null} at a false discovery rate of 10 %"
        checks.append(
            Check(f"targets_beyond_null: {name}", float(stands), meaning=meaning, group="nulls")
        )
    return checks, Audited(pd.DataFrame(columns, index=task.genes), whole, missing)


def _ranking_checks(
    task: TargetTask, base: np.ndarray, null: str, draws: list[Scored]
) -> tuple[list[Check], float]:
    """Compare the accuracy of the run with that of the draws; gives the p-value of its AUROC."""
    kept = ~task.withheld
    name, count = SHORT[null], len(draws)
    ours = accuracy(task.labels[kept].astype(bool), base[kept])
    theirs = np.array([accuracy(s.labels[kept].astype(bool), s.scores[kept]) for s in draws])
    checks, p = [], 1.0
    for what, value, other in zip(("average precision", "AUROC"), ours, theirs.T, strict=True):
        empirical, normal = ranking_p(value, other)
        # ranks of fewer draws cannot reach .05: there the t distribution speaks
        p = empirical if count >= FEWEST_DRAWS else normal
        checks.append(
            Check(
                f"adds_over_null: {name}, {what}",
                value - float(other.mean()),
                meaning=f"{what} of the run ({value:.4f}) minus its mean over {count} draws of "
                f"{null} ({other.mean():.4f} ± {other.std(ddof=1):.4f}); p {empirical:.3g} by "
                f"rank, {normal:.2g} by a t distribution",
                interval=(value - float(other.max()), value - float(other.min())),
                group="nulls",
            )
        )
    by = "by rank" if count >= FEWEST_DRAWS else "by a t distribution, for want of draws,"
    meaning = (
        f"chance of such an AUROC of known targets if it did not matter {_MEANT[null]}, {by} over "
        f"{count} draws"
    )
    passed = bool(p <= RANKING_P) if np.isfinite(p) else None
    value_p = p if np.isfinite(p) else None
    limit = f"<= {RANKING_P}"
    checks.append(Check(f"null_p: {name}", value_p, limit, passed, meaning, group="nulls"))
    return checks, p if np.isfinite(p) else 1.0


def null_columns(audited: Audited) -> pd.DataFrame:
    """Give the columns of p-values: one per null, and ``null_p``, ``null_q`` over all of them."""
    if audited.p.empty:
        return pd.DataFrame(index=audited.p.index)
    found = audited.p.add_prefix("null_p_")
    found["null_p"] = worst_p(audited.p)
    found["null_q"] = q_values(found["null_p"].to_numpy())
    return found


def stability_checks(
    task: TargetTask,
    base: np.ndarray,
    repeats: np.ndarray,
    drawn: Mapping[Variant, Scored],
    coverage: np.ndarray,
    settings: AuditSettings,
) -> tuple[list[Check], pd.DataFrame]:
    """Say how much of the ranking comes back when it is made again.

    Args:
        task: Genes.
        base: Scores of the run from as many networks per fold as each draw has, shape ``(n,)``.
        repeats: Scores of every single network of the run, one row per repeat; the last row is
            the whole ensemble. Shape ``(r + 1, n)``.
        drawn: Rankings of all draws.
        coverage: Share of layers that saw each gene, shape ``(n,)``.
        settings: Size of the top.

    Returns:
        Checks, and ``rank_low``, ``rank_high`` per gene over networks, subjects and edges.
    """

    def of(kind: str) -> list[np.ndarray]:
        return [s.scores for v, s in drawn.items() if v.kind == kind]

    whole = repeats[-1]
    checks: list[Check] = []
    if again := of(AGAIN):
        what = "another ensemble of as many networks with other random numbers"
        checks += agreement_checks("seeds", whole, again, settings.top, what)
    if shown := of(SUBJECTS):
        what = "subjects drawn again with replacement, networks fitted anew"
        checks += agreement_checks("subjects", base, shown, settings.top, what)
        low, high = rank_interval(ranks_of(np.array(shown)))
        checks.append(coverage_check((high - low).astype(float), coverage))
    if thinned := of(THINNED):
        what = f"{settings.dropped_edges:.0%} of the edges left out at random"
        checks += agreement_checks("edges", base, thinned, settings.top, what)
    rows = np.array([*repeats, *again, *shown, *thinned])
    low, high = rank_interval(ranks_of(rows))
    here = ranks_of(whole)
    table = pd.DataFrame(
        {"rank_low": np.minimum(low, here), "rank_high": np.maximum(high, here)}, task.genes
    )
    k = min(settings.top, max(len(task.genes) // 10, 1))
    width = float(np.median(((table["rank_high"] - table["rank_low"]) / len(table))[here <= k]))
    checks.append(
        Check(
            "rank_width_over_resamples",
            width,
            "<= 0.05",
            width <= 0.05,
            f"median width of the 90 % interval of the rank of the first {k} genes, over "
            f"{len(rows)} rankings made again, as a share of all genes",
            group="stability",
        )
    )
    return checks, table


def left_out(
    task: TargetTask, base: np.ndarray, drawn: Mapping[Variant, Scored], k: int
) -> pd.DataFrame:
    """Say what each layer, relation and source adds; see ``left_out_table``."""
    kept = ~task.withheld
    parts = []
    for kind in (LAYER, GROUP, RELATION, SOURCE):
        found = {v.what: s.scores[kept] for v, s in drawn.items() if v.kind == kind}
        if found:
            table = left_out_table(base[kept], found, task.labels[kept].astype(bool), k)
            table.insert(0, "kind", kind.removeprefix("without "))
            parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _adds_in_words(row: "pd.Series[Any]") -> str:
    moved = (
        f"{row['top_overlap']:.0%} of the top stay, their ranks move by "
        f"{row['median_rank_change']:.0f} (median)"
    )
    if not np.isfinite(row["adds_auroc"]):
        return f"without known targets nothing says what it adds in accuracy; {moved}"
    return f"average precision with it minus without it; AUROC {row['adds_auroc']:+.3f}, {moved}"


def layer_checks(table: pd.DataFrame) -> list[Check]:
    """Turn what each layer adds into checks that inform."""
    return [
        Check(
            f"adds: {row['kind']} {row['left_out']}",
            float(added) if np.isfinite(added := row["adds_average_precision"]) else None,
            meaning=_adds_in_words(row),
            group="layers",
        )
        for _, row in table.iterrows()
    ]
