"""The run folder: tables, explanations, checks, the page, and the manifest last."""

import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd

import aimwell
from aimwell.cohorts.activity import graph_activities
from aimwell.cohorts.evidence import Evidence
from aimwell.knowledge.leaks import leak_stain
from aimwell.pipeline.drugs import (
    change_contrasts,
    changes_of,
    repurposing_of,
    with_match,
    write_drugs,
)
from aimwell.pipeline.manifest import FORMAT, MANIFEST
from aimwell.pipeline.tables import step_rows
from aimwell.provenance import sha256_of, to_plain, write_atomically, write_json
from aimwell.reports.data import ReportData
from aimwell.reports.export import write_explanation, write_targets
from aimwell.reports.layer_tables import ACTIVITY, DISCORDANCE, discordance_table, write_tsv
from aimwell.reports.page import write_report
from aimwell.trust.checks import check_ranking, layer_checks, leak_check, recovered, track_checks
from aimwell.trust.families import family_checks
from aimwell.trust.tiers import TARGET_COLUMNS, Quality, assign_tiers

if TYPE_CHECKING:
    from aimwell.models.ranking import Ranking
    from aimwell.models.task import TargetTask
    from aimwell.pipeline.stages import Stages
    from aimwell.trust.audit import Audit

#: Where a run was made and what was planted, which an audit needs and no result depends on.
KEPT: Final = "kept.json"
PACKAGES: Final = ("torch", "torch-geometric", "captum", "numpy", "scipy", "pandas", "scikit-learn")


def write_outputs(
    stages: "Stages",
    folder: Path,
    planted: pd.DataFrame | None,
    audit: "Audit | None" = None,
) -> None:
    """Write everything that people and programs read.

    What an earlier run wrote stays as it was until all is written: a full disk spoils nothing.

    Args:
        stages: All that was computed.
        folder: The run folder.
        planted: Truth of a simulated cohort, for the page.
        audit: What an audit found; its results join the checks, the targets and the page.
    """
    with publishing(folder) as fresh:
        _write_all(stages, fresh, planted, audit)
        if audit:  # targets that were explained later stay: only an audit is added
            _keep_explanations(folder, fresh)
    if audit is None:
        kept = {"data": str(Path(stages.config.run.data).resolve()), "planted": planted}
        write_json(stages.cache.folder / KEPT, kept)


def _keep_explanations(folder: Path, fresh: Path) -> None:
    (fresh / "explanations").mkdir(exist_ok=True)
    for path in sorted((folder / "explanations").glob("*")):
        if not (fresh / "explanations" / path.name).exists():
            shutil.copy2(path, fresh / "explanations" / path.name)


@contextmanager
def publishing(folder: Path) -> Iterator[Path]:
    """Give an empty folder, and move what was put into it to ``folder`` when the block succeeds.

    The old manifest goes first and the new one comes last: a kill between leaves a folder without
    a manifest, which is no finished run, and never files of two runs under one manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for partial in folder.glob(".*.partial*"):  # what a killed run was writing
        shutil.rmtree(partial) if partial.is_dir() else partial.unlink()
    fresh = Path(tempfile.mkdtemp(prefix=".outputs.", suffix=".partial", dir=folder))
    try:
        yield fresh
        _move_into(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _move_into(fresh: Path, folder: Path) -> None:
    manifest = folder / MANIFEST
    earlier = _outputs_of(manifest)
    manifest.unlink(missing_ok=True)
    shutil.rmtree(folder / "explanations", ignore_errors=True)
    files = sorted(p.relative_to(fresh) for p in fresh.rglob("*") if p.is_file())
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        if name != Path(MANIFEST):
            (fresh / name).replace(folder / name)
    for gone in earlier - {p.as_posix() for p in files}:  # of the run before, and of no use now
        (folder / gone).unlink(missing_ok=True)
    _sync(folder)
    (fresh / MANIFEST).replace(manifest)
    _sync(folder)


def _outputs_of(manifest: Path) -> set[str]:
    """Name the files that an earlier run wrote directly into its folder."""
    try:
        listed = json.loads(manifest.read_text(encoding="utf-8"))["outputs"]
        return {n for n in listed if Path(n).name == n and n[0] != "." and n != MANIFEST}
    except (OSError, ValueError, LookupError, TypeError):
        return set()


def _sync(folder: Path) -> None:
    """Have the names of the files on the disk before going on, where the system can."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_all(
    stages: "Stages", folder: Path, planted: pd.DataFrame | None, audit: "Audit | None"
) -> None:
    ranking, evidence, config = stages.ranking, stages.evidence, stages.config.graph
    layer = stages.drugs
    changes = changes_of(evidence, change_contrasts(stages.config))
    drugs = with_match(layer.table, changes)
    repurposing = repurposing_of(stages.explanations, drugs, changes)
    checks = [
        leak_check(stages.leaks, allowed=config.allow_leak),
        *check_ranking(stages.task, ranking, stages.evidence, stages.explanations),
        *layer_checks(stages.layers),
        *family_checks(ranking, stages.without_family, stages.families),
        *track_checks(stages.tracks),
        *(audit.checks if audit else ()),
    ]
    trust = targets_trust(stages, audit)
    independent = recovered(ranking, stages.check.genes) if stages.check else pd.DataFrame()
    manifest = _manifest(stages)
    paths = write_targets(
        folder,
        ranking,
        evidence,
        layer.names(),
        drug_status=layer.genes["status"],
        stain=stages.stain,
        trust=trust,
    )
    paths += write_audit(folder, audit) if audit else []
    paths += write_drugs(folder, drugs, repurposing, ranking)
    paths.append(_write_evidence(folder / "evidence.parquet", evidence))
    paths.append(_write_table(folder / "identifiers.tsv", stages.identifiers))
    paths += _write_layer_tables(folder, stages)
    paths.append(_write_table(folder / "folds.tsv", folds_table(stages.task)))
    write_json(
        folder / "checks.json",
        {
            "checks": checks,
            "ladder": ranking.metrics,
            "recommendation": ranking.recommendation,
            "independent": independent,
            "layers": stages.layers,
            "families": stages.families,
            "fusion": stages.fusions,
            "tracks": stages.tracks,
        },
    )
    paths.append(folder / "checks.json")
    write_json(folder / "quality.json", stages.quality)
    paths.append(folder / "quality.json")
    for explanation in stages.explanations:
        paths += write_explanation(folder / "explanations", explanation)
    ranks = ranking.table["rank"]
    truth = None if planted is None else planted.assign(rank=planted["gene"].map(ranks))
    write_report(
        folder / "report.html",
        ReportData(
            manifest=manifest,
            designs=stages.designs,
            evidence=evidence,
            ranking=ranking,
            checks=checks,
            explanations=stages.explanations,
            independent=independent,
            planted=truth,
            drugs=layer.names(),
            drug_table=drugs,
            drug_status=layer.genes,
            repurposing=repurposing,
            quality=stages.quality,
            samples={
                n: s.of(e.gene for e in stages.explanations) for n, s in stages.samples.items()
            },
            tiers=trust,
            audit=audit,
        ),
    )
    paths.append(folder / "report.html")
    digests = {p.relative_to(folder).as_posix(): sha256_of(p) for p in paths}
    audited = {"audit": audit.settings} if audit else {}
    write_json(folder / MANIFEST, {**manifest, **audited, "outputs": digests})


def versions() -> dict[str, str]:
    """Name the versions of Python, of aimwell and of what computes."""
    packages = {name: metadata.version(name) for name in PACKAGES}
    return {"python": platform.python_version(), "aimwell": aimwell.__version__, **packages}


def targets_trust(stages: "Stages", audit: "Audit | None") -> pd.DataFrame:
    """Give every target its tier: that of the audit, or one by what a run itself can tell."""
    if audit is not None:
        return audit.genes[[c for c in TARGET_COLUMNS if c in audit.genes]]
    table = stages.ranking.table.join(stages.without_family)
    beats = beats_ladder(stages.ranking)
    tiers = assign_tiers(table, stages.evidence, quality_of(stages), beats_ladder=beats)
    return tiers.join(table[[c for c in TARGET_COLUMNS if c in table]])


def beats_ladder(ranking: "Ranking") -> bool:
    """Whether the network ranks known targets earlier than every baseline, and for certain.

    A lead within one standard error is no reason to trust the network: a simpler scorer is
    recommended then.
    """
    # without known targets nothing says so
    return ranking.recommendation is not None and ranking.recommendation.is_network


def quality_of(stages: "Stages", leaks: str = "") -> Quality:
    """Collect what caps the tiers of a run.

    Args:
        stages: Designs, settings and stains.
        leaks: What an audit says of labels that the run has seen.
    """
    config = stages.config
    rough = {
        m.layer
        for m in config.cohort.matrices
        if m.kind == "rna" and m.reader in ("matrix", "parquet", "gct") and m.unit != "counts"
    }
    allowed = leak_stain(stages.leaks, allow=config.graph.allow_leak)
    seen = " ".join(s for s in (allowed, stages.told, leaks) if s)
    return Quality(
        seen,
        frozenset(n for n, d in stages.designs.items() if d.get("verdict") == "refuse"),
        frozenset(c.name for c in config.contrasts if c.layer in rough),
        frozenset(t.name for t in config.cohort.tables),
        frozenset(n for n, d in stages.designs.items() if d.get("imputed")),
    )


def write_audit(folder: Path, audit: "Audit") -> list[Path]:
    """Write ``audit.json`` (what was found) and ``audit.parquet`` (per gene)."""
    facts = {
        "checks": audit.checks,
        "layers": audit.layers.to_dict("records"),
        "reliability": audit.reliability.to_dict("records"),
        "rewired": audit.rewired.to_dict("records"),
        "skipped": audit.skipped,
        "rules": audit.rules,
        "settings": audit.settings,
        "tiers": audit.genes["tier"].value_counts().to_dict(),
    }
    write_json(folder / "audit.json", facts)
    with write_atomically(folder / "audit.parquet") as temporary:
        audit.genes.rename_axis("hgnc_id").to_parquet(temporary)
    return [folder / "audit.json", folder / "audit.parquet"]


def folds_table(task: "TargetTask") -> pd.DataFrame:
    """Give the fold of every gene, what it had to stay together with, and whether it is tested."""
    stays = task.families if task.dealt is None else task.dealt.table["group"]
    return pd.DataFrame(
        {
            "hgnc_id": task.genes,
            "symbol": task.graph.symbols.reindex(task.genes).to_numpy(),
            "fold": task.folds,
            "group": stays.to_numpy(),
            "is_known": task.labels.astype(bool),
            "reported": task.reported,
        }
    )


def _manifest(stages: "Stages") -> dict[str, Any]:
    config = stages.config
    sources = (
        *stages.graph.sources,
        *(stages.known.sources if stages.known else ()),
        *(stages.check.sources if stages.check else ()),
        *stages.drugs.sources,
        *stages.evidence.sources,
    )
    steps = [
        *step_rows("graph", stages.graph.steps),
        *step_rows("known targets", stages.known.steps if stages.known else ()),
        *step_rows("check targets", stages.check.steps if stages.check else ()),
        *step_rows("drugs", stages.drugs.steps),
        *step_rows("cohort", stages.evidence.steps),
        *step_rows("task", stages.task.steps),
    ]
    settings = to_plain(config)
    # where a run happens is not part of what it is: the same run elsewhere has the same manifest
    for place in ("output", "data", "jobs"):
        settings["run"].pop(place)
    device = config.run.device
    settings["run"]["device"] = "cuda" if device.startswith("cuda") else "cpu"
    return {
        "format": FORMAT,
        "key": stages.keys.whole,
        "title": config.run.title,
        "config": settings,
        "versions": versions(),
        "device": dict(stages.device_facts()),
        "seeds": {"run": config.run.seed, "repeats": config.model.seeds},
        "inputs": to_plain(list(dict.fromkeys(sources))),
        "files": stages.keys.files,
        "steps": steps,
        "leaks": {
            "allowed": config.graph.allow_leak,
            "stain": stages.stain,
            "found": stages.leaks.to_dict("records"),
        },
        "designs": to_plain(stages.designs),
    }


def _write_evidence(path: Path, evidence: Evidence) -> Path:
    parts = {n: b.add_prefix(f"{n}_") for n, b in sorted(evidence.blocks.items())}
    described = [
        t.reindex(evidence.genes).add_prefix(f"{n}_") for n, t in sorted(evidence.features.items())
    ]
    wide = pd.concat([*parts.values(), evidence.across, *described], axis=1)
    with write_atomically(path) as temporary:
        wide.rename_axis("hgnc_id").to_parquet(temporary)
    return path


def _write_layer_tables(folder: Path, stages: "Stages") -> list[Path]:
    names = stages.identifiers
    mapped = names[names["status"] == "mapped"]
    symbols = dict(zip(mapped["hgnc_id"].astype(str), mapped["symbol"].astype(str), strict=True))
    activity = graph_activities(stages.evidence, stages.graph)
    return [
        write_tsv(folder / DISCORDANCE, discordance_table(stages.evidence, symbols)),
        write_tsv(folder / ACTIVITY, activity),
    ]


def _write_table(path: Path, table: pd.DataFrame) -> Path:
    with write_atomically(path) as temporary:
        table.to_csv(temporary, sep="\t", index=False, lineterminator="\n")
    return path
