"""Explain targets of a finished run that were not among its best."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from aimwell.config import RunConfig, config_from
from aimwell.errors import InputError, RunError, some
from aimwell.explain.explanation import Explanation
from aimwell.limits import NETWORKS, refuse_short_memory
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.keys import Keys, keys_with
from aimwell.pipeline.manifest import MANIFEST, read_manifest
from aimwell.pipeline.progress import Progress, Silent
from aimwell.pipeline.run import STAGES, hold
from aimwell.provenance import sha256_of
from aimwell.reports.export import write_explanation

#: The ranked table, which names the genes that can be explained.
TABLE: Final = "targets.tsv"


def explain_run(
    folder: Path, genes: Sequence[str], *, jobs: int = 2, progress: Progress | None = None
) -> list[Explanation]:
    """Explain genes of a finished run and write their files to its folder ``explanations``.

    Works from what the run kept: the databases and omics files are not needed any more.

    Args:
        folder: The run folder.
        genes: Symbols or HGNC ids.
        jobs: Number of processes.
        progress: Told what is going on.

    Returns:
        One explanation per gene, in the order of ``genes``.

    Raises:
        RunError: No finished run, one of another version, or one whose stages are gone.
        InputError: A gene that the run did not rank.
    """
    manifest = read_manifest(folder)
    ranked = _ranked(folder, manifest["outputs"])
    wanted = _resolve(genes, ranked, folder)
    refuse_short_memory(NETWORKS)
    with hold(folder):
        config, keys = restore(manifest, folder, jobs)
        from aimwell.pipeline.stages import Stages

        stages = Stages(config, keys, StageCache(folder / STAGES), progress or Silent())
        stages.read()
        stages.fit()
        stages.explain(list(dict.fromkeys(wanted)))
        found = {e.gene: e for e in stages.explanations}
        for explanation in stages.explanations:
            write_explanation(folder / "explanations", explanation)
    return [found[gene] for gene in wanted]


def _ranked(folder: Path, outputs: Mapping[str, str]) -> pd.DataFrame:
    path = folder / TABLE
    if not path.is_file() or sha256_of(path) != outputs.get(TABLE):
        raise RunError(
            f"'{path}' is not as the run wrote it; run again into this folder with 'aimwell run', "
            "which reuses what it can"
        )
    return pd.read_csv(path, sep="\t", usecols=["hgnc_id", "symbol"], dtype=str)


def restore(manifest: Mapping[str, Any], folder: Path, jobs: int) -> tuple[RunConfig, Keys]:
    """Give settings and keys of a finished run whose stages are kept.

    Raises:
        RunError: Another version wrote it, or its stages are gone.
    """
    settings = dict(manifest["config"])
    settings["run"] = {**settings["run"], "output": str(folder), "data": ".", "jobs": jobs}
    again = "run again into this folder with 'aimwell run', which reuses what it can"
    config = config_from(settings, where=str(folder / MANIFEST))
    keys = keys_with(config, dict(manifest["files"]))
    if keys.whole != manifest["key"]:
        raise RunError(f"'{folder}' was written by another version of aimwell; {again}")
    cache = StageCache(folder / STAGES)
    needed = {"graph": keys.graph, "evidence": keys.evidence, "samples": keys.evidence}
    needed["drugs"] = keys.drugs
    if config.known_targets.sources:
        needed["known-targets"] = keys.known
    if config.known_targets.negatives:
        needed["known-negatives"] = keys.negatives
    if config.model.folds_file:
        needed["folds"] = keys.folds
    if config.known_targets.check:
        needed["check-targets"] = keys.check
    if gone := [stage for stage, key in needed.items() if not cache.has(stage, key)]:
        raise RunError(f"'{folder / STAGES}' lacks the stages {some(gone)}; {again}")
    return config, keys


def _resolve(genes: Sequence[str], ranked: pd.DataFrame, folder: Path) -> list[str]:
    by_symbol = dict(zip(ranked["symbol"].astype(str), ranked["hgnc_id"].astype(str), strict=True))
    ids = {*by_symbol.values()}
    wanted = []
    for name in genes:
        gene = name if name in ids else by_symbol.get(name) or by_symbol.get(name.upper())
        if gene is None:
            near = difflib.get_close_matches(name.upper(), by_symbol, n=1)
            hint = f"did you mean '{near[0]}'?" if near else "see targets.tsv for those that are"
            raise InputError(f"'{name}' is not among the {len(ranked)} genes of '{folder}'; {hint}")
        wanted.append(gene)
    return wanted
