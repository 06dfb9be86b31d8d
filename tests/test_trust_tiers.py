"""Tiers follow the printed rules, and nothing lifts a target above what caps it."""

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.evidence import BLOCK_COLUMNS, Evidence
from aimwell.trust.tiers import (
    ROBUST,
    RULES,
    SPECULATIVE,
    SUPPORTED,
    Audited,
    Quality,
    assign_tiers,
)

GENES = pd.Index([f"HGNC:{i:04d}" for i in range(200)], name="hgnc_id")
BEST, SECOND, UNSEEN = GENES[0], GENES[15], GENES[1]


def evidence() -> Evidence:
    """RNA sees every gene but one, protein the first hundred, without it, too."""
    blocks = {}
    for name, last in (("rna", 200), ("protein", 100)):
        block = pd.DataFrame(np.nan, GENES, list(BLOCK_COLUMNS))
        block["observed"] = (np.arange(200) < last) & (GENES != UNSEEN)
        blocks[name] = block
    across = pd.DataFrame({"coverage": 1.0}, GENES)
    return Evidence(blocks, {"rna": "rna", "protein": "protein"}, across)


def table() -> pd.DataFrame:
    p = np.full(200, 0.5)
    p[:2] = 0.001
    return pd.DataFrame({"rank_high": np.arange(1, 201), "null_p": p}, GENES)


def audited(**ranking: float) -> Audited:
    p = pd.DataFrame(0.5, GENES, ["edges", "labels", "samples"])
    p.iloc[:2] = 0.001
    p.loc[SECOND, "edges"] = 0.01
    whole = {"rewired edges": 0.01, "permuted known targets": 0.01, "permuted samples": 0.01}
    return Audited(p, {**whole, **ranking})


def tier(gene: str, quality: Quality | None = None, **kinds: object) -> tuple[str, str]:
    found = assign_tiers(table(), evidence(), quality or Quality(), **kinds)
    return found.loc[gene, "tier"], found.loc[gene, "tier_reason"]


def test_a_target_beyond_every_null_with_a_steady_rank_is_robust() -> None:
    assert tier(BEST, audited=audited())[0] == ROBUST


def test_a_target_beyond_one_null_is_supported_and_the_rest_speculative() -> None:
    name, why = tier(SECOND, audited=audited())
    assert name == SUPPORTED
    assert "stands out against edges" in why
    assert tier(GENES[3], audited=audited()) == (
        SPECULATIVE,
        "stands out against none of the nulls",
    )


def test_without_an_audit_nothing_is_robust() -> None:
    found = assign_tiers(table(), evidence(), Quality())
    assert ROBUST not in set(found["tier"])
    assert found.loc[BEST, "tier"] == SUPPORTED
    assert "not audited" in found.loc[BEST, "tier_reason"]
    assert found.loc[GENES[150], "tier"] == SPECULATIVE
    beaten = assign_tiers(table(), evidence(), Quality(), beats_ladder=False)
    assert set(beaten["tier"]) == {SPECULATIVE}


def test_a_ranking_that_does_not_beat_a_null_as_a_whole_has_no_robust_target() -> None:
    name, why = tier(BEST, audited=audited(**{"permuted samples": 0.2}))
    assert name == SUPPORTED
    assert "as a whole does not stand out against permuted samples" in why


def test_an_unsteady_rank_lowers_the_tier() -> None:
    wide = table()
    wide.loc[BEST, "rank_high"] = 120
    found = assign_tiers(wide, evidence(), Quality(), audited=audited())
    assert found.loc[BEST, "tier"] == SPECULATIVE
    assert "falls to 60% of the genes" in found.loc[BEST, "tier_reason"]


@pytest.mark.parametrize(
    ("rank", "expected"), [(9, ROBUST), (15, SUPPORTED), (60, SPECULATIVE)], ids=str
)
def test_a_target_that_stands_on_one_family_is_not_robust(rank: int, expected: str) -> None:
    alone = table().assign(rank_without_family=np.arange(1, 201), decisive_family="")
    alone.loc[BEST, ["rank_without_family", "decisive_family"]] = [rank, "Somatostatin receptors"]
    found = assign_tiers(alone, evidence(), Quality(), audited=audited())
    assert found.loc[BEST, "tier"] == expected
    said = f"falls to {rank / 2:.1f}%" if expected == SUPPORTED else "falls to 30% of the genes"
    if expected != ROBUST:
        why = f"{said} without the known targets of 'Somatostatin receptors'"
        assert why in found.loc[BEST, "tier_reason"]
    # nobody else is touched
    rest = GENES.drop(BEST)
    plain = assign_tiers(table(), evidence(), Quality(), audited=audited())
    assert found.loc[rest].equals(plain.loc[rest])
    cheap = assign_tiers(alone, evidence(), Quality()).loc[BEST]
    assert cheap["tier"] == (SPECULATIVE if expected == SPECULATIVE else SUPPORTED)
    assert ("without the known targets" in cheap["tier_reason"]) == (expected == SPECULATIVE)


@pytest.mark.parametrize(
    ("gene", "quality", "cap", "why"),
    [
        (UNSEEN, Quality(), SUPPORTED, "no layer of the cohort measured it"),
        (BEST, Quality(stain="it saw the answer."), SPECULATIVE, "it saw the answer."),
        (
            BEST,
            Quality(no_counts=frozenset({"rna"}), imputed=frozenset({"protein"})),
            SUPPORTED,
            "without counts or as finished results",
        ),
        (
            BEST,
            Quality(confounded=frozenset({"rna", "protein"})),
            SPECULATIVE,
            "accepted confounding",
        ),
    ],
)
def test_spoilt_evidence_caps_the_tier(gene: str, quality: Quality, cap: str, why: str) -> None:
    name, reason = tier(gene, quality, audited=audited())
    assert (name, why in reason, "else robust" in reason) == (cap, True, True)


def test_one_sound_layer_lifts_a_cap() -> None:
    assert tier(BEST, Quality(no_counts=frozenset({"rna"})), audited=audited())[0] == ROBUST
    assert tier(BEST, Quality(confounded=frozenset({"rna"})), audited=audited())[0] == ROBUST


def test_a_null_that_was_left_out_caps_every_target() -> None:
    partial = audited()
    partial = Audited(partial.p, partial.ranking_p, {"permuted samples": "no data"})
    name, why = tier(BEST, audited=partial)
    assert name == SUPPORTED
    assert "permuted samples: no data" in why


def test_the_rules_are_printed_with_their_numbers() -> None:
    text = " ".join(RULES)
    for number in ("null_p <= 0.01", "p <= 0.05", "best 5%", "best 10%"):
        assert number in text
