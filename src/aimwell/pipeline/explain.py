"""Explain targets of a finished run that were not among its best, and all of them in a table."""

import difflib
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from aimwell.config import RunConfig, config_from
from aimwell.errors import InputError, RunError, some
from aimwell.explain.explanation import Explanation
from aimwell.limits import NETWORKS, refuse_short_memory
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.keys import Keys, keys_with
from aimwell.pipeline.manifest import MANIFEST, read_manifest
from aimwell.pipeline.progress import Progress, Silent
from aimwell.pipeline.run import STAGES, hold
from aimwell.provenance import content_hash, sha256_of, write_atomically
from aimwell.reports.export import write_explanation

if TYPE_CHECKING:
    from aimwell.pipeline.stages import Stages

#: The ranked table, which names the genes that can be explained.
TABLE: Final = "targets.tsv"
#: What is written of every gene.
EVERY_GENE, EVERY_EDGE = "all-genes.tsv", "all-genes-edges.parquet"
#: Genes of one fold that a process explains in one go at most, where each takes ten milliseconds:
#: what they share takes as long as some hundred.
SUMMARY_BLOCK: Final = 2048


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
    with _opened(folder, manifest, jobs, progress) as stages:
        stages.explain(list(dict.fromkeys(wanted)))
        found = {e.gene: e for e in stages.explanations}
        for explanation in stages.explanations:
            write_explanation(folder / "explanations", explanation)
    return [found[gene] for gene in wanted]


def explain_two(
    folders: tuple[Path, Path],
    genes: tuple[str, str],
    *,
    jobs: int = 2,
    progress: Progress | None = None,
) -> tuple[Explanation, Explanation]:
    """Explain two genes, of one run or of two, to compare them.

    Args:
        folders: Run of each; twice the same for two genes of one run.
        genes: Symbol or HGNC id of each.
        jobs, progress: As for ``explain_run``.

    Raises:
        InputError: A gene that its run did not rank, or twice the same gene of the same run.
        RunError: As ``explain_run``.
    """
    wanted = []
    for folder, gene in zip(folders, genes, strict=True):
        ranked = _ranked(folder, read_manifest(folder)["outputs"])
        wanted += _resolve([gene], ranked, folder)
    if folders[0].resolve() != folders[1].resolve():
        one, two = (
            explain_run(folder, [gene], jobs=jobs, progress=progress)[0]
            for folder, gene in zip(folders, wanted, strict=True)
        )
        return one, two
    if wanted[0] == wanted[1]:
        raise InputError(
            f"'{genes[0]}' and '{genes[1]}' are the same gene of the same run; name another gene, "
            "or another run with --with"
        )
    one, two = explain_run(folders[0], wanted, jobs=jobs, progress=progress)
    return one, two


def targets_of(folder: Path, genes: Sequence[str], top: int) -> list[str]:
    """Give the HGNC ids of genes of a finished run, or of its best where none is named.

    Args:
        folder: The run folder.
        genes: Symbols or HGNC ids; a gene that is named twice counts once.
        top: How many of the best.

    Raises:
        RunError: No finished run, or its table has changed.
        InputError: A gene that the run did not rank.
    """
    ranked = _ranked(folder, read_manifest(folder)["outputs"])
    wanted = _resolve(genes, ranked, folder) if genes else ranked["hgnc_id"].tolist()[:top]
    return list(dict.fromkeys(wanted))


def explain_every_gene(
    folder: Path, *, jobs: int = 2, progress: Progress | None = None
) -> tuple[pd.DataFrame, list[Path]]:
    """Explain all genes of a finished run in two tables in its folder ``explanations``.

    ``all-genes.tsv`` has a row per gene, ``all-genes-edges.parquet`` its strongest edges, with the
    columns of ``summarise_targets``. What is finished when it is stopped is not done again.

    Args:
        folder, jobs, progress: As for ``explain_run``.

    Returns:
        The genes, best first, and both files.

    Raises:
        RunError: As ``explain_run``.
    """
    manifest = read_manifest(folder)
    _ranked(folder, manifest["outputs"])
    place = folder / "explanations"
    with _opened(folder, manifest, jobs, progress) as stages:
        parts = _summaries(stages)
        rows = pd.concat([pd.read_parquet(part / "genes.parquet") for part in parts])
        ranked = stages.ranking.table[["rank", "symbol"]]
        genes = rows.join(ranked, on="hgnc_id").sort_values(["rank", "hgnc_id"], ignore_index=True)
        genes = genes[["rank", "symbol", *rows.columns]]
        if stages.stain:
            genes["stain"] = stages.stain
        with write_atomically(place / EVERY_GENE) as temporary:
            genes.to_csv(temporary, sep="\t", index=False, float_format="%.6g", lineterminator="\n")
        edges = pa.concat_tables(pq.read_table(part / "edges.parquet") for part in parts)
        with write_atomically(place / EVERY_EDGE) as temporary:
            pq.write_table(edges, temporary)
    return genes, [place / EVERY_GENE, place / EVERY_EDGE]


@contextmanager
def _opened(
    folder: Path, manifest: Mapping[str, Any], jobs: int, progress: Progress | None
) -> "Iterator[Stages]":
    """Hold a finished run with its networks and its ranking."""
    refuse_short_memory(NETWORKS)
    with hold(folder):
        config, keys = restore(manifest, folder, jobs)
        from aimwell.pipeline.stages import Stages

        stages = Stages(config, keys, StageCache(folder / STAGES), progress or Silent())
        stages.read()
        stages.fit()
        yield stages


def _summaries(stages: "Stages") -> list[Path]:
    """Explain every gene in a few numbers, fold by fold; give the folders of what was found."""
    from aimwell.pipeline.workers import in_processes, share_task, summarise_and_keep

    task, cache, settings = stages.task, stages.cache, stages.config.explain
    blocks = []
    for fold in sorted({*task.folds.tolist()}):
        genes = task.genes[task.folds == fold].to_numpy(str)
        parts = np.array_split(genes, -(-len(genes) // SUMMARY_BLOCK))
        blocks += [part.tolist() for part in parts]
    keys = [content_hash([stages.keys.task, settings, "summary", block]) for block in blocks]
    todo = [(b, k) for b, k in zip(blocks, keys, strict=True) if not cache.has("summary", k)]
    if not todo:
        stages.progress.reuse("explanations of every gene")
    else:
        stages.progress.start("explaining every gene", len(task.genes))
        stages.progress.advance(len(task.genes) - sum(len(block) for block, _ in todo))
        shared = share_task(cache, stages.keys.task, task, stages.evidence).resolve()
        where = cache.folder.resolve()
        calls = [(shared, stages.member_keys, one, settings, where) for one in todo]
        names = [f"the explanation of {some(block)}" for block, _ in todo]
        run = stages.config.run
        for done in in_processes(summarise_and_keep, calls, run.jobs, run.executor, names):
            stages.progress.advance(done)
        shutil.rmtree(shared, ignore_errors=True)
    return [cache.path("summary", key) for key in keys]


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
            near = difflib.get_close_matches(name.upper(), by_symbol, n=3)
            offered = " or ".join(f"'{symbol}'" for symbol in near)
            hint = f"did you mean {offered}?" if near else f"see {TABLE} for those that are"
            raise InputError(
                f"'{name[:60]}' is not among the {len(ranked)} genes of '{folder}'; {hint}"
            )
        wanted.append(gene)
    return wanted
