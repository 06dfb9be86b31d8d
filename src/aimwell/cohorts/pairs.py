"""RNA and protein that were asked the same: everything that they say of each other, per gene."""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats

from aimwell.cohorts.differential import MIN_PER_ARM, adjust_p, normal_se
from aimwell.cohorts.discordance import compare_layers, effect_covariance
from aimwell.cohorts.evidence import COMPARISON_COLUMNS
from aimwell.cohorts.selection import text_of
from aimwell.cohorts.sharing import share_layers
from aimwell.cohorts.tested import Tested
from aimwell.cohorts.translation import translation_shifts
from aimwell.provenance import Step

#: Column of a comparison → column of the test of protein at equal RNA.
_SHIFT: Final = {
    "shift": "shift",
    "shift_se": "se",
    "shift_p": "p",
    "shift_q": "q",
    "rna_slope": "slope",
    "shift_n": "n",
}


def compare_pairs(
    tested: Mapping[str, Tested], blocks: Mapping[str, pd.DataFrame], samples: pd.DataFrame
) -> tuple[dict[tuple[str, str], pd.DataFrame], tuple[Step, ...]]:
    """Compare every contrast of RNA with every one of protein that asks the same.

    Args:
        tested: Contrast → what was tested.
        blocks: Contrast → its block of evidence, all over one index of genes.
        samples: The sample sheet.

    Returns:
        Pair → table as in ``compare_effects``, with the columns of the test of protein at equal
        RNA where enough samples have both layers; and what was compared with what.
    """
    comparisons: dict[tuple[str, str], pd.DataFrame] = {}
    steps: list[Step] = []
    for rna, protein in _pairs(tested, samples):
        effects = {name: _effects(tested[name], blocks[name]) for name in (rna, protein)}
        covariance = _covariance(tested[rna], tested[protein], effects, samples)
        table, step = compare_effects((rna, effects[rna]), (protein, effects[protein]), covariance)
        steps.append(step)
        shifts, why = _shifts(tested[rna], tested[protein], samples)
        for column, source in _SHIFT.items():
            table[column] = shifts[source].reindex(table.index) if shifts is not None else np.nan
        found = 0 if shifts is None else int(shifts["p"].notna().sum())
        name = f"protein at equal RNA: {protein} given {rna}"
        steps.append(Step(name, len(table), found, why))
        comparisons[rna, protein] = table[list(COMPARISON_COLUMNS)]
    if not comparisons:
        genes = len(next(iter(blocks.values())))
        why = "no condition is compared in both RNA and protein, so discordance is undetermined"
        steps.append(Step("discordance", genes, 0, why))
    return comparisons, tuple(steps)


def compare_effects(
    rna: tuple[str, pd.DataFrame],
    protein: tuple[str, pd.DataFrame],
    covariance: "pd.Series[float] | None" = None,
) -> tuple[pd.DataFrame, Step]:
    """Compare two tables of effects: how far they disagree, and what they share.

    Args:
        rna: Name and table with ``log2_fold_change``, ``se``, ``lfsr``.
        protein: Same, over the same genes.
        covariance: Of the errors of both; 0 if not given.

    Returns:
        Genes tested in both × ``COMPARISON_COLUMNS``, those of samples missing; and the step that
        says what the comparison rests on.
    """
    found = compare_layers(rna[1], protein[1], covariance)
    parts = share_layers(rna[1], protein[1], covariance)
    table = found.table.join(parts.table)
    p = 2 * stats.norm.sf(table["discordance"].abs())
    table["discordance_p"], table["discordance_q"] = p, adjust_p(p)
    both = table[table["discordance"].notna()].reindex(columns=list(COMPARISON_COLUMNS))
    shared = f"; the layers share {parts.share:.0%} of the variance of true changes"
    why = (
        f"genes tested in both; {found.anchors} anchors give {found.scale:.3f} protein per RNA "
        f"(log2), spread {found.spread:.4f}, reliability of effects {found.reliability_rna:.2f} "
        f"(RNA) and {found.reliability_protein:.2f} (protein)"
        + (shared if np.isfinite(parts.share) else "")
    )
    return both, Step(f"discordance: {rna[0]} against {protein[0]}", len(table), len(both), why)


def _shifts(rna: Tested, protein: Tested, samples: pd.DataFrame) -> tuple[pd.DataFrame | None, str]:
    """Test protein at equal RNA in the samples that have both, or say why that cannot be."""
    asked = protein.contrast
    if asked.test != "arms" or asked.block or rna.contrast.block:
        return None, "this asks for two arms without random blocks"
    design = protein.design
    partner = _partners(rna, protein, samples)
    if not len(partner):
        return None, "no sample has both layers"
    case = pd.Series(design.is_case, design.samples)[partner.index]
    fewest = min(int(case.sum()), int((~case).sum()))
    if fewest < MIN_PER_ARM:
        return None, f"{fewest} samples of an arm have both layers, {MIN_PER_ARM} are needed"
    values = rna.values.loc[pd.Index(partner)].set_axis(partner.index)
    table = translation_shifts(values, protein.values, design)
    return table, f"genes tested in the {len(partner)} samples that have both layers"


def _partners(rna: Tested, protein: Tested, samples: pd.DataFrame) -> "pd.Series[str]":
    """Protein sample → the one RNA sample of its subject and arm."""
    keys = [_labels(item, samples) for item in (rna, protein)]
    both = keys[1].index.intersection(keys[0].index).sort_values()
    partner = pd.Series(keys[0][both].to_numpy(str), index=pd.Index(keys[1][both].to_numpy(str)))
    return partner.sort_index()


def _labels(item: Tested, samples: pd.DataFrame) -> "pd.Series[str]":
    """Subject and arm → sample; several samples of one are no pair."""
    sheet = samples.loc[item.design.samples]
    arm = text_of(sheet[item.contrast.condition])
    names = sheet["subject"].astype(str) + "\x1f" + arm.astype(str)
    found = pd.Series(item.design.samples.astype(str), index=pd.Index(names.to_numpy()))
    return found[~found.index.duplicated(keep=False)]


def _covariance(
    rna: Tested,
    protein: Tested,
    effects: Mapping[str, pd.DataFrame],
    samples: pd.DataFrame,
) -> "pd.Series[float] | None":
    """How far both effects err together; unknown, and taken for none, beyond plain models."""
    if rna.fit is None or protein.fit is None or rna.contrast.block or protein.contrast.block:
        return None
    if not rna.contrast.condition:
        return None  # a formula does not say which samples are one arm
    return effect_covariance(
        (rna.fit, rna.design, effects[rna.contrast.name]["se"]),
        (protein.fit, protein.design, effects[protein.contrast.name]["se"]),
        samples,
        rna.contrast.condition,
    )


def _effects(item: Tested, block: pd.DataFrame) -> pd.DataFrame:
    se = pd.Series(normal_se(item.table), index=item.table.index).reindex(block.index)
    return block[["log2_fold_change", "lfsr"]].assign(se=se)


def _pairs(tested: Mapping[str, Tested], samples: pd.DataFrame) -> list[tuple[str, str]]:
    """Contrasts of RNA and of protein that compare the same, sorted by name."""
    return sorted(
        (r, p)
        for r, rna in tested.items()
        for p, protein in tested.items()
        if rna.layer.kind == "rna"
        and protein.layer.kind == "protein"
        and _asked(rna) == _asked(protein)
        and not rna.design.also  # a span has no direction, so nothing can disagree
        and _lies_within(rna, protein, samples)
        and _lies_within(protein, rna, samples)
    )


def _asked(item: Tested) -> tuple[object, ...]:
    c = item.contrast
    arms = (c.test, c.condition, c.case, c.control)
    return (*arms, c.formula, c.coefficient, c.stratum, c.strata, c.time, c.event, c.event_level)


def _lies_within(item: Tested, other: Tested, samples: pd.DataFrame) -> bool:
    """Whether what one contrast is restricted to holds for all samples of the other, too."""
    sheet = samples.loc[other.design.samples]
    return all(bool((text_of(sheet[c]) == v).all()) for c, v in item.contrast.where.items())
