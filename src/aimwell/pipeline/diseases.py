"""One run per disease on a shared graph and cohort, and one summary across."""

import dataclasses
import os
import re
import shutil
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.config import LabelSource, RunConfig
from aimwell.errors import AimwellError, ConfigError, InputError, some
from aimwell.pipeline.cache import StageCache
from aimwell.pipeline.keys import keys_of
from aimwell.pipeline.progress import Progress, Silent
from aimwell.pipeline.run import STAGES, RunResult, run
from aimwell.provenance import write_atomically

COLUMNS: Final = ("disease", "pattern", "path")
SUMMARY: Final = "diseases.tsv"
BEST: Final = 20


def read_diseases(path: Path) -> pd.DataFrame:
    """Read the list of diseases.

    Args:
        path: Tab-separated: ``disease`` names the run and its folder; ``pattern`` is what the
            known targets' ``disease_pattern`` becomes; ``path`` names a file of genes instead. Each
            row has one of the two.

    Raises:
        InputError: A missing file or column, a name twice or one that is no folder, or a row
            with both or neither.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"the list of diseases '{path}' cannot be read: {error}") from error
    if "disease" not in table or not {"pattern", "path"} & set(table.columns):
        raise InputError(
            f"'{path}' needs the column disease and one of pattern and path, tab-separated; found "
            f"{some(table.columns, 9)}"
        )
    table = table.reindex(columns=[*COLUMNS], fill_value="")
    if table.empty:
        raise InputError(f"'{path}' names no disease")
    names = table["disease"]
    if wrong := [n for n in names if not re.fullmatch(r"\w[\w .-]*", n)]:
        raise InputError(f"'{path}' has diseases whose name cannot be a folder: {some(wrong)}")
    if twice := sorted(set(names[names.str.lower().duplicated()])):
        raise InputError(f"'{path}' names a disease twice: {some(twice)}")
    both = (table["pattern"] != "") == (table["path"] != "")
    if both.any():
        raise InputError(
            f"'{path}': {some(names[both])} must have either a pattern or a path of known targets"
        )
    return table


def config_for(config: RunConfig, disease: str, pattern: str, path: str) -> RunConfig:
    """Give the run of one disease: its known targets, its title, its folder.

    Raises:
        ConfigError: A pattern, where no source of known targets knows diseases.
    """
    known = config.known_targets
    if path:
        sources: tuple[LabelSource, ...] = (LabelSource(reader="genes", path=path),)
    else:
        sources = tuple(
            dataclasses.replace(s, disease_pattern=pattern, disease=disease)
            if s.disease_pattern
            else s
            for s in known.sources
        )
        if sources == known.sources:
            raise ConfigError(
                "no [[known_targets.sources]] of the run file has a disease_pattern, so a pattern "
                f"cannot choose the targets of '{disease}'; name a file of genes in column path"
            )
    place = dataclasses.replace(
        config.run,
        title=f"{config.run.title}: {disease}",
        output=str(Path(config.run.output) / disease),
    )
    return dataclasses.replace(
        config, run=place, known_targets=dataclasses.replace(known, sources=sources)
    )


def run_diseases(
    config: RunConfig, diseases: pd.DataFrame, progress: Progress | None = None
) -> pd.DataFrame:
    """Run every disease into a folder of its own below ``run.output``.

    Graph and evidence are worked out once. What one disease lacks does not stop the others: its
    row of the summary says why.

    Args:
        config: What all have in common.
        diseases: As ``read_diseases`` gives them.
        progress: Told what is going on.

    Returns:
        One row per disease, also written as ``diseases.tsv``.

    Raises:
        AimwellError: No disease could be run.
    """
    tell = progress or Silent()
    rows, first, refused = [], None, None
    for disease, pattern, path in diseases.itertuples(index=False):
        tell.start(f"disease {disease}")
        row = {"disease": disease, "folder": "", "code": "", "problem": ""}
        folder, fresh = Path(config.run.output) / disease, False
        try:
            mine = config_for(config, disease, pattern, path)
            if first is not None:
                fresh = not folder.exists()
                _share(first, mine)
            found = run(mine, progress=tell)
            first = first or found.folder
            rows.append(row | {"folder": str(found.folder), **_facts(found)})
        except AimwellError as error:
            if fresh:  # what was lent to it goes with it
                shutil.rmtree(folder, ignore_errors=True)
            refused = error
            rows.append(row | {"code": error.code, "problem": str(error)})
    if refused is not None and first is None:
        raise refused
    table = pd.DataFrame(rows)
    with write_atomically(Path(config.run.output) / SUMMARY) as file:
        table.to_csv(file, sep="\t", index=False)
    return table


def _share(first: Path, config: RunConfig) -> None:
    """Give a run the graph and the evidence that another made, without another copy on the disk."""
    keys, made = keys_of(config), StageCache(first / STAGES)
    folder = Path(config.run.output)
    if folder.exists() and not (folder / STAGES).is_dir():
        return  # it will be refused, or has all it needs
    shared = {"graph": keys.graph, "evidence": keys.evidence, "samples": keys.evidence}
    for stage, key in shared.items():
        mine = StageCache(folder / STAGES)
        if made.has(stage, key) and not mine.path(stage, key).exists():
            mine.folder.mkdir(parents=True, exist_ok=True)
            shutil.copytree(made.path(stage, key), mine.path(stage, key), copy_function=_link)


def _link(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another disk, or one without links
        shutil.copy2(source, target)


def _facts(found: RunResult) -> dict[str, object]:
    targets = found.targets()
    ladder = pd.DataFrame(found.checks()["ladder"])
    name = next(c for c in ladder.columns if ladder[c].dtype.kind not in "fib")
    network = ladder.set_index(name).loc[["network"]].iloc[0]
    return {
        "genes": len(targets),
        "known": int(targets["is_known"].sum()),
        "average_precision": network.get("average_precision"),
        "auroc": network.get("auroc"),
        "use": (found.checks().get("recommendation") or {}).get("scorer", ""),
        "best": ", ".join(targets.loc[~targets["is_known"].astype(bool), "symbol"].head(BEST)),
    }
