"""A tier per target: whether to believe its place, by rules that are printed with the result."""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence

ROBUST: Final = "robust"
SUPPORTED: Final = "supported"
SPECULATIVE: Final = "speculative"
TIERS: Final = (ROBUST, SUPPORTED, SPECULATIVE)

#: What a target is told of them in the ranked table.
TARGET_COLUMNS: Final = (
    "tier",
    "tier_reason",
    "probability",
    "null_p",
    "null_q",
    "rank_without_family",
    "decisive_family",
    "rank_without_degree",
)

#: Against every null at once.
ROBUST_P: Final = 0.01
#: Share of genes above which both ends of the rank interval must lie.
ROBUST_SHARE: Final = 0.05
SUPPORTED_SHARE: Final = 0.1
SUPPORTED_P: Final = 0.05
#: Of the whole ranking, against each null.
RANKING_P: Final = 0.05
#: How ranks fall where no family of known targets is the worst of it.
AGAIN: Final = "when the run is made again"

RULES: Final = (
    f"robust: stands out against rewired edges, permuted known targets and permuted samples, all "
    f"three (null_p <= {ROBUST_P}); the whole ranking does, too (p <= {RANKING_P} each); and its "
    f"rank stays within the best {ROBUST_SHARE:.0%} over networks, subjects and edges drawn again, "
    "and with any one family of known targets hidden",
    f"supported: stands out against one of the nulls (p <= {SUPPORTED_P}), and its rank stays "
    f"within the best {SUPPORTED_SHARE:.0%} likewise; without an audit, the latter alone, over the "
    "networks, and a network that leads the ladder by more than one standard error",
    "speculative: every other target",
    "never above supported: a target that no layer measured, one that was measured only by layers "
    "that were filled in, came without counts, or are finished results of another program, and "
    "every target of a run without an audit, or with one that left out a null or did not draw "
    "subjects and edges again",
    "never above speculative: every target of a run that saw its labels (a failed leakage check, "
    "or leaks that were allowed), and one that only contrasts measured whose confounding was "
    "accepted",
)


@dataclass(frozen=True)
class Quality:
    """What caps the tier of targets.

    Attributes:
        stain: Why nothing of this run may be believed; empty where nothing does.
        confounded: Contrasts whose confounding was accepted.
        no_counts: Contrasts of RNA that came as logarithms, so that nobody can check their counts.
        finished: Contrasts that came as finished results.
        imputed: Contrasts whose missing values were filled in.
    """

    stain: str = ""
    confounded: frozenset[str] = frozenset()
    no_counts: frozenset[str] = frozenset()
    finished: frozenset[str] = frozenset()
    imputed: frozenset[str] = frozenset()

    @property
    def weak(self) -> frozenset[str]:
        """Contrasts on which alone no target can be robust."""
        return self.confounded | self.no_counts | self.finished | self.imputed


@dataclass(frozen=True)
class Audited:
    """What an audit adds for the tiers.

    Attributes:
        p: One column of p-values per null, indexed by gene.
        ranking_p: Null → p-value of the whole ranking.
        missing: Nulls and resampling that were not done, with the reason.
    """

    p: pd.DataFrame = field(default_factory=pd.DataFrame)
    ranking_p: dict[str, float] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def assign_tiers(
    table: pd.DataFrame,
    evidence: Evidence,
    quality: Quality,
    *,
    beats_ladder: bool = True,
    audited: Audited | None = None,
) -> pd.DataFrame:
    """Give every target its tier and the reason.

    Args:
        table: Indexed by gene; ``rank_high``, the worst rank over whatever was drawn again, with an
            audit ``null_p``, and where families were hidden ``rank_without_family`` and
            ``decisive_family``.
        evidence: For what was measured.
        quality: For the caps.
        beats_ladder: Whether the network leads every baseline by more than one standard error.
        audited: The nulls; None without an audit.

    Returns:
        Same index; ``tier`` and ``tier_reason``.
    """
    share, fall = _worst_place(table)
    if audited is None:
        tier, reason = _cheap(share, fall, beats_ladder=beats_ladder)
    else:
        tier, reason = _earned(share, fall, table, audited)
    caps = _caps(table.index, evidence, quality, audited)
    for place, (cap, why) in enumerate(caps):
        if cap and TIERS.index(cap) > TIERS.index(tier[place]):
            tier[place], reason[place] = cap, f"capped: {why} (else {tier[place]})"
        elif cap and cap == tier[place] == SPECULATIVE:
            reason[place] = f"{reason[place]}; {why}"
    return pd.DataFrame({"tier": tier, "tier_reason": reason}, index=table.index)


def _worst_place(table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Give the worst rank of every gene as a share of the genes, and what it takes to get there."""
    drawn = (table["rank_high"] / len(table)).to_numpy(float)
    if "rank_without_family" not in table:
        return drawn, [""] * len(table)
    alone = (table["rank_without_family"] / len(table)).to_numpy(float)
    names = table["decisive_family"].tolist()
    fall = [
        f"without the known targets of '{name}'" if worse else ""
        for name, worse in zip(names, alone > drawn, strict=True)
    ]
    return np.maximum(drawn, alone), fall


def _cheap(
    share: np.ndarray, fall: list[str], *, beats_ladder: bool
) -> tuple[list[str], list[str]]:
    tier, reason = [], []
    for one, how in zip(share, fall, strict=True):
        if one > SUPPORTED_SHARE:
            tier.append(SPECULATIVE)
            worst = f"its rank falls to {one:.0%} of the genes {how}"
            reason.append(worst if how else f"some network ranks it at {one:.0%} of the genes")
        elif not beats_ladder:
            tier.append(SPECULATIVE)
            reason.append("the network does not lead the ladder of baselines for certain")
        else:
            tier.append(SUPPORTED)
            reason.append(f"every network ranks it within the best {one:.1%}; not audited")
    return tier, reason


def _earned(
    share: np.ndarray, fall: list[str], table: pd.DataFrame, audited: Audited
) -> tuple[list[str], list[str]]:
    weak = [n for n, p in sorted(audited.ranking_p.items()) if p > RANKING_P]
    best = audited.p.reindex(table.index).min(axis=1).to_numpy() if len(audited.p.columns) else None
    name = audited.p.reindex(table.index).fillna(1.0).idxmin(axis=1) if best is not None else None
    worst = table["null_p"].to_numpy(float)
    tier, reason = [], []
    for place, one in enumerate(share):
        far = bool(best is not None and best[place] <= SUPPORTED_P)
        if worst[place] <= ROBUST_P and not weak and one <= ROBUST_SHARE:
            tier.append(ROBUST)
            reason.append(
                f"stands out against every null (p {worst[place]:.2g}); rank within {one:.1%}"
            )
        elif far and one <= SUPPORTED_SHARE:
            tier.append(SUPPORTED)
            assert name is not None
            missing = _short_of(worst[place], one, fall[place], weak)
            reason.append(f"stands out against {name.iloc[place]}; {missing}")
        else:
            tier.append(SPECULATIVE)
            reason.append(
                f"its rank falls to {one:.0%} of the genes {fall[place] or AGAIN}"
                if far
                else "stands out against none of the nulls"
            )
    return tier, reason


def _short_of(worst: float, share: float, fall: str, weak: list[str]) -> str:
    if weak:
        return f"the ranking as a whole does not stand out against {', '.join(weak)}"
    if not worst <= ROBUST_P:
        return f"not against all of them (p {worst:.2g})"
    return f"its rank falls to {share:.1%} {fall or AGAIN}"


def _caps(
    genes: pd.Index, evidence: Evidence, quality: Quality, audited: Audited | None
) -> list[tuple[str, str]]:
    """Give the cap of every gene and why; empty where there is none."""
    if quality.stain:
        return [(SPECULATIVE, quality.stain)] * len(genes)
    seen = {n: b["observed"].reindex(genes).eq(True) for n, b in evidence.blocks.items()}
    seen |= {n: t.reindex(genes).notna().any(axis=1) for n, t in evidence.features.items()}
    table = pd.DataFrame(seen, index=genes)
    caps = [("", "")] * len(genes)
    if audited is None:
        caps = [(SUPPORTED, "not audited")] * len(genes)
    elif audited.missing:
        said = ", ".join(f"{name}: {why}" for name, why in sorted(audited.missing.items()))
        caps = [(SUPPORTED, f"the audit left something out ({said})")] * len(genes)
    unseen = ~table.any(axis=1).to_numpy()
    weak = [n for n in table if n in quality.weak]
    only_weak = ~unseen & ~table.drop(columns=weak).any(axis=1).to_numpy()
    spoilt = [n for n in table if n in quality.confounded]
    only_spoilt = ~unseen & ~table.drop(columns=spoilt).any(axis=1).to_numpy()
    why = "all that measured it was filled in, or came without counts or as finished results"
    for place in range(len(genes)):
        if only_spoilt[place]:
            caps[place] = (SPECULATIVE, "only contrasts with accepted confounding measured it")
        elif only_weak[place]:
            caps[place] = (SUPPORTED, why)
        elif unseen[place]:
            caps[place] = (SUPPORTED, "no layer of the cohort measured it")
    return caps
