"""What a hurried reader must be careful about."""

from collections.abc import Mapping

import pandas as pd

from aimwell.errors import some
from aimwell.reports.data import ReportData, in_words
from aimwell.trust.tiers import SUPPORTED_SHARE


def stain_of(report: ReportData) -> str:
    """Say that the ranking has seen the answer; empty where it has not."""
    leaks = report.manifest.get("leaks") or {}
    return str(leaks.get("stain") or "")


def _one_family(report: ReportData, top: pd.DataFrame) -> list[str]:
    """Name those of the top that leave the best tenth without one family of known targets."""
    places = report.tiers.reindex(top.index)
    if "rank_without_family" not in places:
        return []
    gone = places["rank_without_family"] > SUPPORTED_SHARE * len(report.ranking.table)
    return [
        f"{symbol} stands on one family of known targets: without {family} it ranks {rank:,.0f}."
        for symbol, family, rank in zip(
            top.loc[gone, "symbol"],
            places.loc[gone, "decisive_family"],
            places.loc[gone, "rank_without_family"],
            strict=True,
        )
    ]


def caveats(report: ReportData) -> list[str]:
    """List what a reader should be careful about, most important first."""
    found = []
    if stain := stain_of(report):
        found.append(stain)
    config = report.manifest.get("config")
    labels = config.get("known_targets") if isinstance(config, Mapping) else None
    if isinstance(labels, Mapping) and labels.get("note"):
        found.append(str(labels["note"]))
    for name, design in report.designs.items():
        verdict = str(design.get("verdict", "accept"))
        if verdict != "accept":
            found.append(f"{report.label_of(name)}: the design gate says “{verdict}”.")
    top = report.ranking.table.sort_values("rank").head(10)
    found += _one_family(report, top)
    failed = [in_words(c.name) for c in report.checks if c.passed is False]
    if failed:
        found.append(
            f"{len(failed)} of {len(report.checks)} checks missed their limit: {some(failed)}."
        )
    seen = report.evidence.across["coverage"].reindex(top.index).fillna(0.0).astype(float)
    unseen = top.loc[seen == 0, "symbol"].tolist()
    if unseen:
        found.append(
            f"{len(unseen)} of the top ten have no measurement in this cohort and rest on their "
            f"neighbours alone: {some(unseen)}."
        )
    known = int(top["is_known"].sum())
    if known:
        found.append(
            f"{known} of the top ten {'is a' if known == 1 else 'are'} known target"
            f"{'' if known == 1 else 's'}; each was scored by networks that never saw its label."
        )
    wide = top[(top["rank_high"] - top["rank_low"]) > 0.1 * len(report.ranking.table)]
    if len(wide):
        found.append(
            f"{len(wide)} of the top ten move over more than a tenth of the genome between "
            f"ensemble members: {some(wide['symbol'])}."
        )
    return found
