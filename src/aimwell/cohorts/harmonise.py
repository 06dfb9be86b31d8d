"""Turn a cohort into evidence per gene: each layer tested on its own, all effects on one scale."""

from dataclasses import replace
from typing import Final, TypedDict

import numpy as np
import pandas as pd

from aimwell.cohorts.blocked import fit_blocked
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.counts import expressed_genes, voom
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.detection import compare_detection
from aimwell.cohorts.differential import LinearFit, fit_linear, moderate, normal_se
from aimwell.cohorts.evidence import (
    BLOCK_COLUMNS,
    COVERAGE_COLUMNS,
    DETECTION_COLUMNS,
    IMPUTED_COLUMN,
    Evidence,
    across_blocks,
)
from aimwell.cohorts.hidden import find_hidden_batches, with_hidden_batches
from aimwell.cohorts.imputation import combine_filled, imputation_note
from aimwell.cohorts.normalise import normalise
from aimwell.cohorts.pairs import compare_pairs
from aimwell.cohorts.selection import follow_up
from aimwell.cohorts.several import moderate_several
from aimwell.cohorts.shrinkage import shrink_effects
from aimwell.cohorts.survival import survival_statistics
from aimwell.cohorts.tested import Tested
from aimwell.config import ContrastSettings
from aimwell.errors import DesignError, some
from aimwell.provenance import Step

#: Difference between arms in median log2 intensity above which normalisation may erase biology.
GLOBAL_SHIFT: Final = 0.3
#: Coverage of a gene that counts half as much as one that every sample has, nearly.
HALF_WEIGHT: Final = 0.25


_FEW: Final = {
    "arms": "fewer than two observed samples in an arm, or no degrees of freedom left",
    "any": "fewer than two observed samples in a level, or no degrees of freedom left",
    "formula": "fewer than two observed samples in a group of the tested columns, or no degrees of "
    "freedom left",
    "slope": "fewer than two observed samples in a half, or no degrees of freedom left",
    "interaction": "fewer than two observed samples in an arm of a stratum, or no degrees of "
    "freedom left",
    "survival": "fewer than two events or four samples observed",
}


def harmonise(
    cohort: Cohort, contrasts: tuple[ContrastSettings, ...]
) -> tuple[Evidence, dict[str, Design]]:
    """Test every contrast in its own layer and put all effects on one scale.

    Counts go through voom, intensities through log2 and median normalisation, log values are taken
    as they are, unless the layer asks for another normalisation. Where the peptides of proteins
    are known, the prior variance depends on them. Batch and covariates stay in the model; values
    are never corrected, missing values never filled: proteins that an arm lacks are tested for
    detection instead.

    Args:
        cohort: Layers and sample sheet.
        contrasts: What to compare; two contrasts with the same condition, case and control, one
            in RNA and one in protein, give the discordance.

    Returns:
        The evidence, one row per gene of any tested layer, and the design of each contrast.

    Raises:
        DesignError: No contrast, an unknown layer, or a contrast that cannot be tested.
        ConfoundedError: Batch and covariates explain a condition.

    Example:
        >>> sheet = pd.DataFrame({"subject": list("abcdef"), "arm": ["x", "y"] * 3},
        ...     index=["s1", "s2", "s3", "s4", "s5", "s6"])
        >>> values = pd.DataFrame({"HGNC:1": [1.0, 5, 2, 6, 1, 6], "HGNC:2": [1.0, 2, 1, 1, 2, 1],
        ...     "HGNC:3": [1.0, 2, 3, 2, 1, 2]}, index=sheet.index)
        >>> cohort = Cohort({"rna": Layer("rna", "rna", "log2", values)}, sheet)
        >>> contrast = ContrastSettings("xy", "rna", "arm", case="y", control="x")
        >>> evidence, designs = harmonise(cohort, (contrast,))
        >>> evidence.blocks["xy"]["log2_fold_change"].round(2).tolist()
        [4.33, 0.0, 0.33]
    """
    if not contrasts:
        raise DesignError("there is no contrast to test; name at least one in [[contrasts]]")
    tested = {c.name: _test(cohort, c) for c in sorted(contrasts, key=lambda c: c.name)}
    tested = {c.name: tested[c.name] for c in contrasts}
    names = {gene for item in tested.values() for gene in item.layer.values.columns}
    genes = pd.Index(sorted(names))
    blocks = {name: _block(item, genes) for name, item in tested.items()}
    comparisons, steps = compare_pairs(tested, blocks, cohort.samples)
    evidence = Evidence(
        blocks=blocks,
        kinds={name: item.layer.kind for name, item in tested.items()},
        across=across_blocks(blocks, comparisons),
        sources=cohort.sources,
        steps=tuple(step for item in tested.values() for step in item.steps) + steps,
        comparisons=comparisons,
    )
    return evidence, {name: item.design for name, item in tested.items()}


def tested_tables(
    cohort: Cohort, contrasts: tuple[ContrastSettings, ...]
) -> dict[str, tuple[pd.DataFrame, Design]]:
    """Test every contrast on its own; see ``fit_contrast`` for the columns of the tables."""
    tested = {c.name: _test(cohort, c) for c in contrasts}
    return {name: (item.table, item.design) for name, item in tested.items()}


def _test(cohort: Cohort, contrast: ContrastSettings) -> Tested:
    if contrast.layer not in cohort.layers:
        raise DesignError(
            f"contrast '{contrast.name}' names the layer '{contrast.layer}'; "
            f"the cohort has {some(sorted(cohort.layers), 9)}"
        )
    layer = cohort.layers[contrast.layer]
    design = build_design(cohort.samples, layer.values.index, contrast)
    steps = [replace(s, name=f"{contrast.name}: {s.name}") for s in design.steps]
    if design.verdict == "refuse":
        count = len(design.samples)
        steps.append(Step(f"{contrast.name}: confounding accepted", count, count, design.notes[-1]))
    values = layer.values.loc[design.samples].sort_index(axis=1)
    weights = None
    if layer.unit == "counts":
        kept = expressed_genes(values, design)
        if not len(kept):
            raise DesignError(
                f"contrast '{contrast.name}': no gene has enough counts to be tested; see whether "
                f"the files of layer '{contrast.layer}' hold raw counts of whole libraries"
            )
        gone = tuple(values.columns.difference(kept)[:3])
        why = "too few counts to be tested"
        name = f"{contrast.name}: genes with enough counts"
        steps.append(Step(name, values.shape[1], len(kept), why, gone))
        ready = voom(values[kept], design, offsets=layer.offsets)
        values, weights = ready.values, ready.weights
    else:
        values, design = _on_one_level(values, layer, design)
    filled = None
    if contrast.test == "survival":
        rows = follow_up(cohort.samples.loc[design.samples], contrast)
        fit, table = None, survival_statistics(values, design, rows)
    elif design.also:
        _refuse_for_several(contrast)
        prior = _prior(layer, values.columns.sort_values(), contrast, steps)
        fit, table = moderate_several(values, design, weights, **prior)
    else:
        fit, design = _fit(values, design, weights, contrast)
        prior = _prior(layer, fit.genes, contrast, steps)
        table = moderate(fit, design, **prior)
        if contrast.impute:
            fit, table, design, filled = _with_filled(values, design, contrast, prior)
    if fit is not None and layer.kind == "rna" and layer.unit == "log2":
        note = f"layer '{layer.name}' holds no counts; precision follows from the level alone"
        design = replace(design, notes=(*design.notes, note))
    steps += _loss_steps(contrast, table)
    detection = None
    if layer.kind == "protein" and contrast.test == "arms" and not contrast.block:
        detection = compare_detection(
            values,
            design,
            ratios=layer.unit == "log2_ratio",
            unknown=layer.not_in_every_file,
        )
        steps += _detection_steps(contrast, detection)
    return Tested(contrast, layer, design, values, fit, table, tuple(steps), detection, filled)


def _refuse_for_several(contrast: ContrastSettings) -> None:
    """Refuse what only a single effect can have."""
    for key in ("block", "hidden_batches", "impute"):
        if getattr(contrast, key):
            raise DesignError(
                f"contrast '{contrast.name}': {key} needs a single effect, and "
                f"'{contrast.coefficient}' has several columns that are tested together; leave it "
                "out, or name one of the columns as coefficient"
            )


class _Prior(TypedDict):
    """What the prior variance depends on, as ``moderate`` takes it."""

    trend: bool
    robust: bool
    peptides: "pd.Series[float] | None"


def _prior(layer: Layer, genes: pd.Index, contrast: ContrastSettings, steps: list[Step]) -> _Prior:
    asked, auto = contrast.variance, contrast.variance == "auto"
    # log values of RNA have lost their counts, and with them the weights; the trend stands in
    trend = asked == "abundance" or (auto and layer.kind == "rna" and layer.unit == "log2")
    peptides = None
    if auto or asked == "peptides":
        peptides = _peptide_counts(layer, genes, contrast, steps)
    if asked == "peptides" and peptides is None:
        raise DesignError(
            f"contrast '{contrast.name}': variance = 'peptides', but the files of layer "
            f"'{layer.name}' do not say on how many peptides every protein rests; leave it out"
        )
    return {"trend": trend, "robust": contrast.robust, "peptides": peptides}


def _with_filled(
    values: pd.DataFrame, design: Design, contrast: ContrastSettings, prior: _Prior
) -> "tuple[None, pd.DataFrame, Design, pd.Series[float]]":
    """Test with missing values filled in; no fit is left whose errors could be known."""

    def test(matrix: pd.DataFrame) -> pd.DataFrame:
        return moderate(fit_linear(matrix, design), design, **prior)

    found = combine_filled(values, contrast.impute, test)
    note = imputation_note(contrast.impute, values, found)
    marked = replace(design, notes=(*design.notes, note), imputed=contrast.impute)
    return None, found.table, marked, found.filled


def _fit(
    values: pd.DataFrame,
    design: Design,
    weights: pd.DataFrame | None,
    contrast: ContrastSettings,
) -> tuple[LinearFit, Design]:
    if design.block:
        # what a subject has in common would look like a hidden batch, so none is searched for
        found = fit_blocked(values, design, weights)
        note = (
            f"samples of one '{contrast.block}' correlate by {found.correlation:.2f} beyond the "
            "model, which the test takes into account"
        )
        return found.fit, replace(design, notes=(*design.notes, note))
    hidden = find_hidden_batches(values, design)
    if contrast.hidden_batches:
        design = with_hidden_batches(design, hidden)
    elif hidden.share:
        design = replace(design, notes=(*design.notes, *hidden.notes))
    return fit_linear(values, design, weights), design


def _peptide_counts(
    layer: Layer, genes: pd.Index, contrast: ContrastSettings, steps: list[Step]
) -> "pd.Series[float] | None":
    """Give the peptides of every gene, or None where some are not known."""
    if layer.kind != "protein" or not layer.peptides.size:
        return None
    counts = layer.peptides.reindex(genes)
    lacking = counts.index[counts.isna()]
    if len(lacking):
        steps.append(
            Step(
                f"{contrast.name}: proteins with a number of peptides",
                len(counts),
                len(counts) - len(lacking),
                "not all are known, so the prior variance does not depend on them",
                tuple(map(str, lacking[:3])),
            )
        )
        return None
    return counts


def _detection_steps(contrast: ContrastSettings, detection: pd.DataFrame) -> list[Step]:
    sided = detection["detection"] != ""
    if not sided.any():
        return []
    sure = int((sided & (detection["detection_q"] < 0.05)).sum())
    why = (
        f"an arm lacks them wholly: a test of detection instead of a fold change, {sure} with "
        "q < 0.05"
    )
    names = tuple(map(str, detection.index[sided][:3]))
    return [
        Step(f"{contrast.name}: proteins of one arm", len(detection), int(sided.sum()), why, names)
    ]


def _on_one_level(
    values: pd.DataFrame, layer: Layer, design: Design
) -> tuple[pd.DataFrame, Design]:
    linear = layer.unit == "intensity"
    method = layer.normalise or ("median" if linear else "none")
    if method == "none":
        return normalise(values, method, linear=linear), design
    logs = values.transform(np.log2) if linear else values
    medians = logs.median(axis=1)
    if medians.isna().any():
        raise DesignError(
            f"contrast '{design.contrast}': samples without a single value: "
            f"{some(medians.index[medians.isna()])}; remove them from the matrix"
        )
    shift = float(medians[design.is_case].mean() - medians[~design.is_case].mean())
    if abs(shift) > GLOBAL_SHIFT:
        note = (
            f"median log2 intensity differs by {shift:+.2f} between {' and '.join(design.arms)}; "
            f"a global change is plausible, and {method.replace('_', '-')} normalisation takes "
            "it away"
        )
        design = replace(design, notes=(*design.notes, note))
    return normalise(values, method, linear=linear), design


def _loss_steps(contrast: ContrastSettings, table: pd.DataFrame) -> list[Step]:
    words = {
        "too_few": (
            "genes with enough samples",
            _FEW[contrast.test],
        ),
        "not_estimable": (
            "genes that can be estimated",
            "the observed samples cannot separate condition from other terms",
        ),
    }
    steps, left = [], len(table)
    for status, (name, why) in words.items():
        gone = table.index[table["status"] == status]
        if len(gone):
            steps.append(
                Step(
                    f"{contrast.name}: {name}",
                    left,
                    left - len(gone),
                    why,
                    tuple(map(str, gone[:3])),
                )
            )
            left -= len(gone)
    return [*steps, Step(f"{contrast.name}: genes tested", left, left)]


def _block(item: Tested, genes: pd.Index) -> pd.DataFrame:
    table = item.table
    shrunken = shrink_effects(table["log2_fold_change"].to_numpy(float), normal_se(table))
    block = table[["log2_fold_change", "se", "z", "p", "q", "detection_rate", "n_observed"]].copy()
    block["effect"] = shrunken.effect
    block["effect_se"] = shrunken.effect_se
    block["lfsr"] = shrunken.lfsr
    block["observed"] = (table["status"] == "tested").to_numpy()
    seen = table["mean_abundance"].where(block["observed"])
    # a ratio to a reference says nothing about how abundant a protein is
    known = item.layer.unit != "log2_ratio"
    block["abundance_percentile"] = seen.rank(pct=True) if known else np.nan
    block = block.reindex(genes)
    measured = item.layer.values.loc[item.design.samples].notna().sum(axis=0).reindex(genes)
    block["n_observed"] = measured.fillna(0).astype(int)
    block["detection_rate"] = block["n_observed"] / len(item.design.samples)
    block["observed"] = block["observed"].eq(True)  # genes of other layers were never observed
    block["coverage"] = _coverage(item).reindex(genes).fillna(0.0)
    block["weight"] = (block["coverage"] / (block["coverage"] + HALF_WEIGHT)).where(
        block["observed"], 0.0
    )
    columns = [*BLOCK_COLUMNS, *COVERAGE_COLUMNS]
    if item.filled is not None:
        block[IMPUTED_COLUMN] = item.filled.reindex(genes).fillna(0.0)
        columns.append(IMPUTED_COLUMN)
    if item.detection is None:
        return block[columns]
    for column in DETECTION_COLUMNS:
        found = item.detection[column].reindex(genes)
        block[column] = found.fillna("") if column == "detection" else found
    return block[[*columns, *DETECTION_COLUMNS]]


def _coverage(item: Tested) -> "pd.Series[float]":
    """Share of samples with a value in the arm that has fewest.

    A mean over all samples would call a protein half seen that one arm never shows.
    """
    seen = item.layer.values.loc[item.design.samples].notna()
    return seen.groupby(list(item.design.groups)).mean().min(axis=0)
