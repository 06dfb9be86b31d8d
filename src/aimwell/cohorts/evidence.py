"""Evidence per gene: what each contrast says, with an explicit mask where nothing was seen."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import pandas as pd

from aimwell.errors import AlignmentError, CohortError
from aimwell.provenance import Source, Step

#: Columns of every evidence block. ``effect`` is the shrunken log2 fold change (posterior mean),
#: ``effect_se`` its posterior standard deviation, ``z`` the moderated statistic as a standard
#: normal quantile, ``lfsr`` the local false sign rate, ``p``/``q`` of the moderated test.
VALUE_COLUMNS: Final = (
    "log2_fold_change",
    "se",
    "effect",
    "effect_se",
    "z",
    "lfsr",
    "p",
    "q",
)
BLOCK_COLUMNS: Final = (
    *VALUE_COLUMNS,
    "abundance_percentile",
    "detection_rate",
    "n_observed",
    "observed",
)
#: Further columns of blocks of proteins, which say how often a protein was detected where: see
#: ``aimwell.cohorts.detection.compare_detection``.
DETECTION_COLUMNS: Final = ("detection", "detection_p", "detection_q", "at_least")
#: Further columns of blocks that were measured here: ``coverage``, the share of samples with a
#: value in the arm that has fewest, and ``weight``, coverage / (coverage + 1/4) where the gene was
#: tested and else 0: how far a gene's numbers count where genes are averaged.
COVERAGE_COLUMNS: Final = ("coverage", "weight")
#: With fewer tested genes all may have gone one way by chance.
FEW_GENES: Final = 20
#: Share of the compared samples whose value was filled in; only in contrasts that asked for it.
IMPUTED_COLUMN: Final = "imputed"
#: Columns of every comparison of RNA with protein. ``discordance`` is a z, positive where protein
#: exceeds what RNA predicts; the parts that layers share or not are those of
#: ``aimwell.cohorts.sharing``; from ``shift`` on it is protein at equal RNA, see
#: ``aimwell.cohorts.translation``, missing where no samples have both layers.
COMPARISON_COLUMNS: Final = (
    "discordance",
    "discordance_p",
    "discordance_q",
    "discordance_class",
    "shared",
    "private_rna",
    "private_protein",
    "shift",
    "shift_se",
    "shift_p",
    "shift_q",
    "rna_slope",
    "shift_n",
)


@dataclass(frozen=True)
class Evidence:
    """One row per gene and, for each contrast, one block of columns.

    Attributes:
        blocks: Contrast name → table with ``BLOCK_COLUMNS``; all blocks share one sorted index of
            HGNC ids. Where ``observed`` is False every value column is NaN. Blocks of proteins
            also have ``DETECTION_COLUMNS``, which hold for proteins without a fold change, too.
        kinds: Contrast name → ``rna`` or ``protein``.
        across: Same index; ``discordance`` (z), ``discordance_class``, ``coverage`` (share of
            blocks that saw the gene).
        sources: The files behind the numbers.
        steps: Rows in and out of every step.
        features: Name → genes × columns of numbers that describe genes and are no test of them,
            each over its own sorted genes; NaN is missing.
        comparisons: Contrasts of RNA and of protein → table with ``COMPARISON_COLUMNS`` over the
            genes that were tested in both; ``across`` repeats the discordance of the first.

    Raises:
        AlignmentError: Blocks with different genes.
        CohortError: A value where the mask says unobserved.
    """

    blocks: Mapping[str, pd.DataFrame]
    kinds: Mapping[str, str]
    across: pd.DataFrame
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = field(default=(), compare=False)
    features: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    comparisons: Mapping[tuple[str, str], pd.DataFrame] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, block in self.blocks.items():
            if not block.index.equals(self.across.index):
                raise AlignmentError(f"evidence block '{name}' does not share the gene index")
            if missing := [c for c in BLOCK_COLUMNS if c not in block.columns]:
                raise CohortError(f"evidence block '{name}' lacks {missing}")
            hidden = ~block["observed"].to_numpy(bool)
            filled = int(block.loc[hidden, list(VALUE_COLUMNS)].notna().to_numpy().sum())
            if filled:
                raise CohortError(
                    f"evidence block '{name}' has {filled} values where the mask says unobserved"
                )

    @property
    def genes(self) -> pd.Index:
        """HGNC ids, sorted, shape ``(n,)``."""
        return self.across.index

    def with_genes(self, genes: pd.Index) -> "Evidence":
        """Add rows for genes that were not measured; every value missing, ``observed`` False."""
        union = pd.Index(sorted(self.genes.union(genes)), name=self.genes.name)
        blocks = {name: widened(block, union) for name, block in self.blocks.items()}
        across = self.across.reindex(union)
        across["coverage"] = across["coverage"].fillna(0.0)
        if "discordance_class" in across:
            across["discordance_class"] = across["discordance_class"].fillna("undetermined")
        return replace(self, blocks=blocks, across=across)


def has_direction(block: pd.DataFrame) -> bool:
    """Tell whether a contrast says up or down: a test between several levels only says how far.

    Its z is never negative, which over more than ``FEW_GENES`` genes happens in no other test.

    Example:
        >>> has_direction(pd.DataFrame({"z": np.linspace(-2, 2, 50)}))
        True
        >>> has_direction(pd.DataFrame({"z": np.linspace(0, 4, 50)}))
        False
    """
    z = block["z"].dropna()
    return len(z) <= FEW_GENES or bool((z < 0).any())


def widened(block: pd.DataFrame, genes: pd.Index) -> pd.DataFrame:
    """Give a block over more genes, which it did not observe."""
    wide = block.reindex(genes)
    wide["observed"] = wide["observed"].eq(True)
    wide["n_observed"] = wide["n_observed"].fillna(0).astype(int)
    for column, nothing in (
        ("detection", ""),
        ("coverage", 0.0),
        ("weight", 0.0),
        ("imputed", 0.0),
    ):
        if column in wide:
            wide[column] = wide[column].fillna(nothing)
    return wide


def across_blocks(
    blocks: Mapping[str, pd.DataFrame], comparisons: Mapping[tuple[str, str], pd.DataFrame]
) -> pd.DataFrame:
    """Say per gene how many blocks saw it, and how far its layers disagree in the first pair."""
    seen = pd.DataFrame({name: block["observed"] for name, block in blocks.items()})
    across = pd.DataFrame(
        {"discordance": np.nan, "discordance_class": "undetermined", "coverage": seen.mean(axis=1)},
        index=seen.index,
    )
    for table in list(comparisons.values())[:1]:
        found = table[["discordance", "discordance_class"]].reindex(seen.index)
        across["discordance"] = found["discordance"]
        across["discordance_class"] = found["discordance_class"].fillna("undetermined")
    return across
