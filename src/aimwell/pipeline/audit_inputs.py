"""What an audit reads of finished runs, and what it refuses to vouch for."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from aimwell.config import RunConfig
from aimwell.errors import AimwellError, InputError, RunError, some
from aimwell.pipeline.keys import input_digests
from aimwell.pipeline.manifest import read_manifest
from aimwell.pipeline.outputs import KEPT
from aimwell.pipeline.run import STAGES
from aimwell.provenance import sha256_of


def refuse_changed(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Refuse a run whose files are not those that it wrote."""
    listed = manifest.get("outputs")
    if not isinstance(listed, Mapping):
        raise RunError(f"'{folder}' was not finished; run again into this folder first")
    changed = [
        name
        for name, digest in sorted(listed.items())
        if not (folder / name).is_file() or sha256_of(folder / name) != digest
    ]
    if changed:
        raise RunError(
            f"'{folder}' is not as the run wrote it: {some(changed)} changed or gone "
            f"({len(changed)} in all), and an audit would vouch for what nobody computed. Run "
            "again into this folder with 'aimwell run', which reuses what it can"
        )


def with_data(
    config: RunConfig, folder: Path, files: dict[str, str], named: str
) -> tuple[RunConfig, str]:
    """Point the settings at the measurements, or say why they cannot be read.

    Any folder with the bytes of the run will do: the one that was named, or that of the run. A
    named one that lacks them is refused only if the other does, too, since ``AIMWELL_DATA`` may
    name a folder for other runs.

    Args:
        config: Of the run.
        folder: The run folder.
        files: Digests of the inputs of the run.
        named: Folder of the inputs that was asked for; empty for none.

    Raises:
        AimwellError: The named folder lacks them, and so does that of the run.
    """
    if not config.cohort.matrices or not config.contrasts:
        return config, "the cohort came as finished results, without samples"
    places = [p for p in (named, str(_kept(folder).get("data") or "")) if p]
    for place in places:
        at = dataclasses.replace(config, run=dataclasses.replace(config.run, data=place))
        found = input_digests(at, (at.cohort, at.identifiers), files)
        if Path(place).is_dir() and all(files[name] == digest for name, digest in found.items()):
            return at, ""
    if not places:
        return config, "nobody said where the measurements are; name their folder with --data"
    why = _unlike(Path(places[0]), config, files)
    if named:
        raise why
    return config, str(why)


def _unlike(place: Path, config: RunConfig, files: dict[str, str]) -> AimwellError:
    """Say what a folder lacks of the measurements of a run."""
    at = dataclasses.replace(config, run=dataclasses.replace(config.run, data=str(place)))
    hint = "name the folder of the inputs of the run with --data"
    if not place.is_dir():
        return InputError(f"there is no folder '{place}'; {hint}")
    found = input_digests(at, (at.cohort, at.identifiers), files)
    if missing := sorted(n for n, digest in found.items() if not digest):
        return InputError(
            f"'{place}' lacks {len(missing)} inputs of the run: {some(missing)}; {hint}"
        )
    changed = sorted(n for n, digest in found.items() if files[n] != digest)
    return RunError(
        f"{len(changed)} inputs in '{place}' are not those of the run: {some(changed)}; {hint}, or "
        "run again"
    )


def _kept(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / STAGES / KEPT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def planted(folder: Path) -> pd.DataFrame | None:
    """Read the truth of a simulated cohort, where the run was of one.

    Raises:
        RunError: The note of it is damaged.
    """
    rows = _kept(folder).get("planted")
    if not rows:
        return None
    if not (isinstance(rows, list) and all(isinstance(row, dict) for row in rows)):
        raise RunError(f"'{folder / STAGES / KEPT}' is damaged; run again into that folder")
    return pd.DataFrame(rows).drop(columns="index", errors="ignore")


def other_scores(folder: Path) -> "tuple[str, pd.Series[float]]":
    """Read the name and the scores of another finished run.

    Raises:
        RunError: It has none.
    """
    read_manifest(folder)
    path = folder / "targets.parquet"
    if not path.is_file():
        raise RunError(f"'{folder}' lacks targets.parquet; run again into that folder")
    table = pd.read_parquet(path, columns=["hgnc_id", "score"])
    return folder.name, table.set_index("hgnc_id")["score"]
