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
from aimwell.trust.tiers import Audited
from aimwell.trust.variants import (
    AGAIN,
    EDGES,
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
    kept = ~task.withheld
    known = task.labels.astype(bool)
    precision, area = accuracy(known[kept], base[kept])
    columns: dict[str, np.ndarray] = {}
    whole: dict[str, float] = {}
    missing = dict(skipped)
    for null in NULLS:
        name = SHORT[null]
        draws = [s for v, s in drawn.items() if v.kind == null]
        if len(draws) < 2:
            if null not in missing:
                missing[null] = "fewer than two draws"
            why = missing[null]
            meaning = f"ranking against {null}: not done, {why}"
            checks.append(Check(f"null_p: {name}", None, "<= 0.05", None, meaning, group="nulls"))
            continue
        columns[name] = target_p(base, np.array([s.scores for s in draws]), degree_of(task))
        measured = [accuracy(s.labels[kept].astype(bool), s.scores[kept]) for s in draws]
        for place, (what, value) in enumerate((("average precision", precision), ("AUROC", area))):
            null_values = [m[place] for m in measured]
            empirical, normal = ranking_p(value, null_values)
            mean, spread = float(np.mean(null_values)), float(np.std(null_values, ddof=1))
            checks.append(
                Check(
                    f"adds_over_null: {name}, {what}",
                    value - mean,
                    meaning=f"{what} of the run ({value:.4f}) minus its mean over {len(draws)} "
                    f"draws of {null} ({mean:.4f} ± {spread:.4f}); p {empirical:.3g} by rank, "
                    f"{normal:.2g} by a t distribution",
                    interval=(value - float(max(null_values)), value - float(min(null_values))),
                    group="nulls",
                )
            )
            if what == "AUROC":
                # ranks of fewer draws cannot reach .05: there the t distribution speaks
                whole[null] = empirical if len(draws) >= FEWEST_DRAWS else normal
        limit = 0.05
        by = "by rank" if len(draws) >= FEWEST_DRAWS else "by a t distribution, for want of draws"
        checks.append(
            Check(
                f"null_p: {name}",
                whole[null],
                f"<= {limit}",
                bool(whole[null] <= limit),
                f"chance of such an AUROC of known targets if it did not matter {_MEANT[null]}, "
                f"{by} over {len(draws)} draws",
                group="nulls",
            )
        )
        stands = int((q_values(columns[name]) <= 0.1).sum())
        checks.append(
            Check(
                f"targets_beyond_null: {name}",
                float(stands),
                meaning=f"genes whose score stands out against {null} at a false discovery rate "
                "of 10 %",
                group="nulls",
            )
        )
    return checks, Audited(pd.DataFrame(columns, index=task.genes), whole, missing)


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
    for kind in (LAYER, RELATION, SOURCE):
        found = {v.what: s.scores[kept] for v, s in drawn.items() if v.kind == kind}
        if found:
            table = left_out_table(base[kept], found, task.labels[kept].astype(bool), k)
            table.insert(0, "kind", kind.removeprefix("without "))
            parts.append(table)
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def layer_checks(table: pd.DataFrame) -> list[Check]:
    """Turn what each layer adds into checks that inform."""
    return [
        Check(
            f"adds: {row['kind']} {row['left_out']}",
            float(row["adds_average_precision"]),
            meaning=f"average precision with it minus without it; AUROC "
            f"{row['adds_auroc']:+.3f}, {row['top_overlap']:.0%} of the top stay, their ranks move "
            f"by {row['median_rank_change']:.0f} (median)",
            group="layers",
        )
        for _, row in table.iterrows()
    ]
