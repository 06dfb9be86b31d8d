"""The methods of a run as text, with its own numbers filled in, ready to be pasted."""

from collections.abc import Mapping, Sequence
from typing import Any

from aimwell.knowledge.licences import classify_licence
from aimwell.reports.data import ReportData


def methods_text(report: ReportData) -> list[str]:
    """Give the methods in paragraphs; what a run does not say is left out, never guessed."""
    found = [
        _data(report),
        _graph(report),
        _network(report),
        _explanation(report),
        _versions(report),
    ]
    return [text for text in found if text]


def cited_sources(report: ReportData) -> list[dict[str, str]]:
    """List every input once, with its licence and who may use it, to be cited."""
    found: dict[tuple[str, str, str], dict[str, str]] = {}
    for one in report.manifest.get("inputs") or ():
        row = {k: str(one.get(k) or "") for k in ("name", "release", "licence", "url", "retrieved")}
        row["name"] = row["name"] or str(one.get("path") or "")
        judged = classify_licence(row["licence"] or "unknown")
        row["commercial"] = "yes" if judged.commercial else "unknown"
        row["commercial"] = "no" if judged.commercial is False else row["commercial"]
        row["why"] = judged.why
        found.setdefault((row["name"], row["release"], row["licence"]), row)
    return list(found.values())


def _data(report: ReportData) -> str:
    said = []
    for name in report.contrasts:
        design = report.designs.get(name) or {}
        if not design:
            continue
        settings = report.settings_of(name)
        pairs = design.get("pairs") or 0
        block = report.evidence.blocks[name]
        adjusted = [str(settings.get("batch") or ""), *_texts(settings.get("covariates"))]
        adjusted = [a for a in adjusted if a]
        if settings.get("formula"):
            adjusted = [f"the other terms of {settings['formula']}"]
        sizes = [design.get("n_case"), design.get("n_control")]
        compared = " against ".join(map(str, sizes))
        several = any(str(n).startswith("any difference") for n in design.get("notes") or ())
        if several:  # of several levels, which the notes name
            compared = str(sum(int(size or 0) for size in sizes))
        text = f"{report.label_of(name)} ({compared}"
        text += f" samples, {pairs} pairs" if pairs else " samples"
        text += f", adjusted for {', '.join(adjusted)}" if adjusted else ""
        text += f"; {int(block['observed'].astype(bool).sum()):,} genes measured)"
        said.append(text)
    if not said:
        return ""
    return (
        f"{_counted(len(said), 'contrast was', 'contrasts were')} tested with moderated linear "
        f"models on uncorrected values, with batch and covariates in the design: "
        f"{'; '.join(said)}. Effects were shrunk towards zero on one scale; missing values stayed "
        "missing."
    )


def _graph(report: ReportData) -> str:
    table = report.ranking.table
    config = _config(report, "graph")
    known = int(table["is_known"].sum())
    text = f"{len(table):,} protein-coding genes of a graph of known biology were ranked"
    if config.get("preset"):
        text += f" (preset ‘{config['preset']}’)"
    text += f"; {known:,} of them are known targets, which the networks learned from"
    held = len(report.independent)
    text += f", and {held:,} further targets were kept out as a check" if held else ""
    if config.get("as_of"):
        text += f"; nothing first reported after {config['as_of']} was used"
    return f"{text}."


def _network(report: ReportData) -> str:
    model = _config(report, "model")
    if not model:
        return ""
    folds, seeds = model.get("folds"), model.get("seeds")
    text = (
        f"An ensemble of graph neural networks (two message-passing layers"
        f"{f' of {h} units' if (h := model.get('hidden')) else ''}) was fitted with {folds} folds, "
        f"grouped by gene family, and {seeds} seeds each. The score of a gene is the mean over the "
        f"{seeds} networks that never saw its label, in standard deviations above the average gene "
        "without a label."
    )
    if model.get("degree_correction"):
        text += (
            " What a graph with the same degrees is expected to send was taken out of every "
            "message (degree correction; Karrer & Newman 2011)."
        )
    metrics = report.ranking.metrics
    if not metrics.empty and "average_precision" in metrics:
        best = metrics["average_precision"].astype(float).sort_values(ascending=False)
        listed = ", ".join(f"{n} {v:.3f}" for n, v in best.items())
        text += f" Out-of-fold average precision on the known targets: {listed}."
    return text


def _explanation(report: ReportData) -> str:
    if not report.explanations:
        return ""
    steps = _config(report, "explain").get("steps")
    errors = sorted(e.completeness_error for e in report.explanations)
    text = (
        f"{len(report.explanations)} targets were explained by integrated gradients over node "
        "features and edge weights together"
        f"{f', {steps} steps' if steps else ''}; the attributions add up to the score within "
        f"{errors[len(errors) // 2]:.2g} (median) standard deviations of the score."
    )
    badges = [e.faithfulness.badge for e in report.explanations if e.faithfulness is not None]
    if badges:
        counts = ", ".join(f"{badges.count(b)} {b}" for b in dict.fromkeys(sorted(badges)))
        text += f" Tested against random, degree and PageRank subgraphs: {counts}."
    return text


def _versions(report: ReportData) -> str:
    versions = report.manifest.get("versions") or {}
    seeds = report.manifest.get("seeds")
    seed = seeds.get("run") if isinstance(seeds, Mapping) else seeds
    if not versions:
        return ""
    listed = ", ".join(f"{k} {v}" for k, v in sorted(dict(versions).items()) if k != "aimwell")
    text = f"Computed with aimwell {versions.get('aimwell', '')} ({listed})"
    return f"{text}, seed {seed}." if seed is not None else f"{text}."


def _config(report: ReportData, part: str) -> Mapping[str, Any]:
    config = report.manifest.get("config")
    found = config.get(part) if isinstance(config, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _texts(value: Any) -> Sequence[str]:
    return [str(v) for v in value] if isinstance(value, list | tuple) else []


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
