"""Everything that a report shows, checked once, and the words it uses for names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.cohorts.samples import ContrastSamples
from aimwell.errors import AlignmentError, some
from aimwell.explain.explanation import Explanation
from aimwell.trust.check import Check

if TYPE_CHECKING:  # the module of the ranking loads torch, which no page needs
    from aimwell.models.ranking import Ranking
    from aimwell.trust.audit import Audit

#: Words that keep their capitals when a snake_case name is shown.
_CAPITALS: Final = {"rna": "RNA", "dna": "DNA", "mrna": "mRNA", "auroc": "AUROC", "gcn": "GCN"}


@dataclass(frozen=True)
class ReportData:
    """One run, ready to be read.

    Attributes:
        manifest: ``title``, ``config``, ``versions``, ``seeds``, ``inputs`` (each with ``name``,
            ``release``, ``licence``, ``sha256``) and ``steps`` (each with ``stage``, ``name``,
            ``rows_in``, ``rows_out``, ``why``, ``examples``).
        designs: Contrast → ``n_case``, ``n_control``, ``pairs``, ``information_retained``,
            ``verdict``, ``notes``.
        evidence, ranking, checks: The results.
        explanations: Why the first targets got their scores, best target first.
        independent: Genes kept out of the run, with their ranks; may be empty.
        planted: Simulated truth (``gene``, ``held_back``, ``rank``), or None on real data.
        drugs: HGNC id → names of drugs that act on the gene.
        quality: What ``aimwell.cohorts.qc.quality_facts`` says of the cohort; may be empty.
        tiers: HGNC id → ``tier``, ``tier_reason``, ``rank_without_family``, ``decisive_family``,
            and after an audit ``probability``, ``null_p``, ``null_q``; may be empty.
        audit: What ``aimwell audit`` found, or None where nobody asked it; its ``reliability`` is
            the table behind the calibration plot, ``rules`` and ``skipped`` are told as they are.
        drug_table: One row per drug and gene: ``gene``, ``drug``, ``action``, ``mechanism``,
            ``direction`` (inhibits, activates, unknown), ``change`` of the gene in cases (up, down,
            unknown), ``match`` of the two (match, opposed, unknown), ``phase``, ``indication``,
            ``indicated`` (for the disease of the run: yes, no, unknown), ``status``, ``source``,
            ``licence``; joined to the targets after the ranking, never in it.
        drug_status: Per gene, indexed by HGNC id: ``status`` (approved, in trials, novel, unknown,
            or empty where the run names no source of drugs), ``tractability``, ``essential``,
            ``druggable_class``.
        repurposing: Drugs of the genes in the subgraphs of explained targets: ``target``, ``gene``
            (HGNC ids), ``drug``, ``path`` in words, ``hops``, ``effect_on_target``, ``match`` and
            the columns of ``drug_table``.
        samples: Contrast → what its samples measured of the explained genes.

    Raises:
        AlignmentError: A ranked gene without evidence, or an explained gene without a rank.
    """

    manifest: Mapping[str, Any]
    designs: Mapping[str, Mapping[str, Any]]
    evidence: Evidence
    ranking: "Ranking"
    checks: Sequence[Check] = ()
    explanations: Sequence[Explanation] = ()
    independent: pd.DataFrame = field(default_factory=pd.DataFrame)
    planted: pd.DataFrame | None = None
    drugs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    quality: Mapping[str, Any] = field(default_factory=dict)
    tiers: pd.DataFrame = field(default_factory=pd.DataFrame)
    audit: "Audit | None" = None
    drug_table: pd.DataFrame = field(default_factory=pd.DataFrame)
    drug_status: pd.DataFrame = field(default_factory=pd.DataFrame)
    repurposing: pd.DataFrame = field(default_factory=pd.DataFrame)
    samples: Mapping[str, ContrastSamples] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ranked = self.ranking.table.index
        bare = ranked.difference(self.evidence.genes)
        if len(bare):
            raise AlignmentError(
                f"{len(bare)} ranked genes have no row in the evidence: {some(bare)}"
            )
        unranked = [e.gene for e in self.explanations if e.gene not in ranked]
        if unranked:
            raise AlignmentError(
                f"{len(unranked)} explained genes are not ranked: {some(unranked)}"
            )

    @property
    def title(self) -> str:
        """Title of the run."""
        return str(self.manifest.get("title") or "Untitled run")

    @property
    def contrasts(self) -> list[str]:
        """Contrast names, in the order of the evidence."""
        return list(self.evidence.blocks)

    def settings_of(self, contrast: str) -> Mapping[str, Any]:
        """Settings of one contrast in the run file; empty where the manifest does not hold them."""
        config = self.manifest.get("config")
        listed = config.get("contrasts", ()) if isinstance(config, Mapping) else ()
        found = [c for c in listed if isinstance(c, Mapping) and c.get("name") == contrast]
        return found[0] if found else {}

    def label_of(self, contrast: str) -> str:
        """Name a contrast in words, such as ``RNA: MSI-H vs MSS``."""
        kind = self.evidence.kinds.get(contrast, "")
        return label_of(contrast, self.settings_of(contrast), kind)

    def layer_pairs(self) -> list[tuple[str, str]]:
        """RNA and protein contrasts that compare the same groups, in evidence order."""
        if self.evidence.comparisons:
            return list(self.evidence.comparisons)
        kinds = self.evidence.kinds
        return [
            (rna, protein)
            for rna in self.contrasts
            for protein in self.contrasts
            if kinds.get(rna) == "rna"
            and kinds.get(protein) == "protein"
            and self._groups(rna) == self._groups(protein)
        ]

    def _groups(self, contrast: str) -> tuple[str, ...]:
        settings = self.settings_of(contrast)
        if settings.get("condition"):
            keys = ("condition", "case", "control", "test", "stratum", "strata")
            return tuple(str(settings.get(k, "")) for k in keys)
        layers = {"rna", "protein", "mrna", "proteome", "transcriptome"}
        return tuple(word for word in contrast.lower().split("_") if word not in layers)


def label_of(contrast: str, settings: Mapping[str, Any], kind: str = "") -> str:
    """Name a contrast by its layer and its arms, or else by its name.

    Example:
        >>> label_of("a", {"layer": "rna", "case": "x", "control": "y"}), label_of("rna_a", {})
        ('RNA: x vs y', 'RNA a')
    """
    plain = settings.get("test", "arms") == "arms"
    if plain and settings.get("case") and settings.get("control"):
        layer = in_words(str(settings.get("layer") or kind))
        return f"{layer}: {settings['case']} vs {settings['control']}"
    return in_words(contrast)


def in_words(name: str) -> str:
    """Turn a snake_case name into words for a reader.

    Example:
        >>> in_words("rna_tumour_vs_normal")
        'RNA tumour vs normal'
        >>> in_words("random_walk")
        'Random walk'
    """
    words = [_CAPITALS.get(word.lower(), word) for word in name.replace("_", " ").split()]
    text = " ".join(words)
    return text[:1].upper() + text[1:] if words and words[0].islower() else text
