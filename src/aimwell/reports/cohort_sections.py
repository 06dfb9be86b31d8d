"""What a page says of the quality of a cohort, as plain values for the template."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.reports import cohort_figures, figures
from aimwell.reports.data import in_words

#: Odd samples that a page lists; ``quality.json`` has all.
MOST_ODD: Final = 40
#: Genes that a figure names.
NAMED: Final = 10
_DESIGN: Final = ("n_case", "n_control", "pairs", "information_retained", "verdict", "notes")
_PATTERNS: Final = {
    "vertical": "Vertical: every subject has every layer.",
    "diagonal": "Diagonal: no subject has two layers, so layers meet only in the genes.",
    "mosaic": "Mosaic: some subjects have several layers, others not.",
    "one layer": "One layer.",
}
_MEASURES: Final = {
    "total": "total",
    "detection": "share of genes seen",
    "likeness": "likeness to other samples",
}


def measured_sections(
    facts: Mapping[str, Any], labels: Mapping[str, str], drawn: dict[str, figures.Figure]
) -> dict[str, Any] | None:
    """Describe what was measured, before any test, and draw it into ``drawn``.

    Args:
        facts: What ``aimwell.cohorts.qc.quality_facts`` collected; may be empty.
        labels: Contrast → how the page calls it.
        drawn: Receives the figures.

    Returns:
        None where the cohort has no layer of its own, as with ready tables.
    """
    if not facts or not facts.get("layers"):
        return None
    check = facts["check"]
    drawn["presence"] = cohort_figures.presence(facts["presence"])
    return {
        "pattern": _PATTERNS.get(check["presence"]["pattern"], ""),
        "subjects": check["presence"]["subjects"],
        "left_out": facts["presence"]["left_out"],
        "layers": [
            _layer(k, layer, facts["layers"][layer["name"]], drawn)
            for k, layer in enumerate(check["layers"])
        ],
        "contrasts": [
            {**c, "label": labels.get(c["name"], in_words(c["name"]))} for c in check["contrasts"]
        ],
        "odd": _odd(check),
        "sexes": check["sexes"],
        "drifts": check.get("drifts", []),
        "swaps": check["swaps"],
        "components": [_components(k, c, labels, drawn) for k, c in enumerate(facts["components"])],
    }


def _layer(
    k: int, layer: Mapping[str, Any], found: Mapping[str, Any], drawn: dict[str, figures.Figure]
) -> dict[str, Any]:
    samples, missing = found["samples"], found["missing"]
    column = next(iter(samples["groups"]), "")
    drawn[f"levels-{k}"] = cohort_figures.sample_boxes(samples, column)
    gaps = ""
    if missing["overall"] and missing["genes"]:
        gaps = f"missing-{k}"
        drawn[gaps] = cohort_figures.missing_by_level(missing)
    reads = ""
    if "total" in samples:
        reads = f"reads-{k}"
        drawn[reads] = cohort_figures.sample_totals(samples, column)
    return {
        **layer,
        "label": in_words(str(layer["name"])),
        "levels": f"levels-{k}",
        "column": column,
        "reads": reads,
        "gaps": gaps,
        "gap": missing,
        "left_out": samples["left_out"],
        "detected": pd.Series(samples["detected"]).median(),
    }


def _components(
    k: int,
    found: Mapping[str, Any],
    labels: Mapping[str, str],
    drawn: dict[str, figures.Figure],
) -> dict[str, Any]:
    panels = []
    condition, batch = found["condition"], found["batch"]
    for column, colour in ((condition, "Condition"), (batch, "Batch")):
        if column in found["groups"]:
            key = f"components-{k}-{colour.lower()}"
            drawn[key] = cohort_figures.components(found, found["groups"][column])
            explained = found["explained"][column]
            panels.append(
                {
                    "figure": key,
                    "title": f"{colour}: {column}",
                    "column": column,
                    "explained": explained,
                }
            )
    clean = found["corrected"]
    if clean and condition in found["groups"]:
        key = f"components-{k}-corrected"
        drawn[key] = cohort_figures.components(clean, found["groups"][condition])
        panels.append(
            {
                "figure": key,
                "title": f"Condition: {condition}, without batch and covariates",
                "column": condition,
                "explained": None,
                "removed": clean["removed"],
            }
        )
    label = labels.get(found["contrast"], in_words(found["contrast"]))
    return {
        "label": label,
        "panels": panels,
        "genes": found["genes"],
        "left_out": found["left_out"],
    }


def _odd(check: Mapping[str, Any]) -> dict[str, Any]:
    rows = [{**o, "measure": _MEASURES.get(o["measure"], o["measure"])} for o in check["outliers"]]
    rows.sort(key=lambda o: (-abs(o["distance"] or 0.0), o["layer"], o["sample"]))
    return {"rows": rows[:MOST_ODD], "total": len(rows)}


@dataclass(frozen=True)
class Found:
    """What tests found, and which of it a page shows.

    Attributes:
        evidence: The results.
        symbols: Symbol of every gene that is shown, indexed by HGNC id.
        labels: Contrast → how the page calls it.
        designs: Contrast → what the gate says.
        pairs: RNA and protein contrasts that compare the same groups.
        marked: HGNC ids to name, best first; None names those of smallest p in each contrast, and
            those in which RNA and protein differ most.
        noun: What the shown genes are called.
    """

    evidence: Evidence
    symbols: "pd.Series[str]"
    labels: Mapping[str, str]
    designs: Mapping[str, Mapping[str, Any]]
    pairs: Sequence[tuple[str, str]]
    marked: Sequence[str] | None = None
    noun: str = "ranked genes"


def found_sections(found: Found, drawn: dict[str, figures.Figure]) -> dict[str, Any]:
    """Describe what the tests found, and draw it into ``drawn``."""
    evidence, symbols, labels = found.evidence, found.symbols, found.labels
    blocks = evidence.blocks
    drawn["coverage"] = figures.coverage(evidence, symbols.index, labels, found.noun)
    plots = []
    for k, name in enumerate(blocks):
        named, called = _smallest(blocks[name])
        if found.marked is not None:
            named, called = list(found.marked), figures.TOP
        drawn[f"volcano-{k}"] = figures.volcano(blocks[name], symbols, named, called)
        seen = blocks[name].loc[symbols.index]
        plots.append(
            {
                "figure": f"volcano-{k}",
                "label": labels[name],
                "observed": int(seen["observed"].sum()),
                "up": int(((seen["q"] < 0.05) & (seen["effect"] > 0)).sum()),
                "down": int(((seen["q"] < 0.05) & (seen["effect"] < 0)).sum()),
                "detection": seen.loc[seen["observed"].astype(bool), "detection_rate"].median(),
                "design": dict.fromkeys(_DESIGN) | dict(found.designs.get(name, {})),
            }
        )
    seen_by = pd.DataFrame({k: b["observed"].astype(bool) for k, b in blocks.items()})
    counts = seen_by.loc[symbols.index].to_numpy().sum(axis=1)
    shown = [k for k in range(len(blocks), -1, -1) if (counts == k).any()]
    return {
        "genes": len(symbols),
        "contrasts": plots,
        "pairs": [_pair(k, pair, found, drawn) for k, pair in enumerate(found.pairs)],
        "seen_by": [{"contrasts": k, "genes": int((counts == k).sum())} for k in shown],
    }


def _pair(
    k: int, pair: tuple[str, str], found: Found, drawn: dict[str, figures.Figure]
) -> dict[str, Any]:
    evidence, labels, marked = found.evidence, found.labels, found.marked
    rna, protein = (evidence.blocks[name] for name in pair)
    compared = evidence.comparisons.get((pair[0], pair[1]))
    classes = None
    if compared is not None:
        classes = compared["discordance_class"].reindex(evidence.genes).fillna("undetermined")
    called = figures.TOP
    if marked is None:
        marked = []
        if compared is not None:
            z = compared["discordance"].abs().sort_values(ascending=False, kind="stable")
            marked = [str(g) for g in z.index[:NAMED]]
        called = "largest difference"
    drawn[f"layers-{k}"] = figures.layer_scatter(
        rna, protein, found.symbols, marked, classes, called
    )
    both = pd.DataFrame({"rna": rna["effect"], "protein": protein["effect"]}).dropna()
    counts = classes.loc[both.index].value_counts() if classes is not None else pd.Series()
    return {
        "figure": f"layers-{k}",
        "label": f"{labels[pair[0]]} against {labels[pair[1]]}",
        "genes": len(both),
        "correlation": both["rna"].corr(both["protein"]) if len(both) > 2 else None,
        "classes": [
            {"name": in_words(name), "genes": int(counts[name])}
            for name in figures.CLASSES
            if name in counts
        ],
    }


def _smallest(block: pd.DataFrame) -> tuple[list[str], str]:
    best = block["p"].dropna().sort_values(kind="stable").index[:NAMED]
    return [str(gene) for gene in best], "smallest p"


def step_rows(steps: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Give rows in and out of every step as the template shows them."""
    return [
        {
            "stage": in_words(str(s.get("stage", ""))),
            "name": s.get("name", ""),
            "rows_in": s.get("rows_in"),
            "rows_out": s.get("rows_out"),
            "lost": int(s.get("rows_in") or 0) - int(s.get("rows_out") or 0),
            "why": s.get("why", ""),
            "examples": [str(e) for e in s.get("examples") or ()][:5],
        }
        for s in steps
    ]
