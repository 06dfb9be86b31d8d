"""Run again from the manifest of a finished run, in another folder, and compare."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd

from aimwell.config import RunConfig, config_from
from aimwell.errors import RunError, some
from aimwell.pipeline.keys import keys_of
from aimwell.pipeline.manifest import MANIFEST, read_manifest
from aimwell.pipeline.progress import Progress, Silent
from aimwell.pipeline.run import refuse_foreign, run
from aimwell.provenance import sha256_of
from aimwell.simulate import TRUTH

#: Compared first, and named first where it differs: the table that a reader goes by.
TABLE: Final = "targets.tsv"
#: What an audit writes into the folder of a run, or writes anew, and the columns it adds or fills.
AUDIT: Final = ("audit.json", "audit.parquet", "checks.json", "report.html", "targets.parquet")
AUDITED: Final = [
    "tier", "tier_reason", "probability", "null_p", "null_q", "rank_low", "rank_high",
    "rank_without_degree",
]  # fmt: skip


@dataclass(frozen=True)
class Reproduction:
    """A run and its repetition, side by side.

    Attributes:
        folder: Of the repetition.
        same_table: ``targets.tsv`` has the same bytes.
        differing: Files whose bytes differ, the table first; where only the first run was audited,
            without what the audit wrote.
        missing: Files of the first run that the repetition lacks.
        first_difference: Where the first of the differing files differs, in words.
        largest_change: Column of the table → largest absolute change of its numbers.
        rank_correlation: Spearman correlation of the scores of genes that both ranked.
        versions: Package → version then and now, where they differ; ``code`` where the sources of
            aimwell changed without its version.
    """

    folder: Path
    same_table: bool
    differing: tuple[str, ...]
    missing: tuple[str, ...]
    first_difference: str
    largest_change: Mapping[str, float]
    rank_correlation: float | None
    versions: Mapping[str, tuple[str, str]]


def reproduce_run(
    folder: Path,
    *,
    output: Path | None = None,
    data: str = "",
    jobs: int = 2,
    progress: Progress | None = None,
) -> Reproduction:
    """Do again what a manifest says, from the same inputs, and compare every file.

    Args:
        folder: A finished run.
        output: Where to run again; without it beside ``folder``, with ``-again`` added.
        data: Folder of the inputs, for those that the run file named by a relative path. Without
            it that of a demonstration beside ``folder``, or else the working folder.
        jobs: Number of processes.
        progress: Told what is going on.

    Raises:
        RunError: No finished run, a changed output, or an input that is missing or changed.
    """
    manifest = read_manifest(folder)
    place = output or folder.with_name(f"{folder.resolve().name}-again")
    if place.resolve() == folder.resolve():
        raise RunError(f"'{place}' is the run itself; name another folder with --output")
    _refuse_changed(folder, manifest["outputs"])
    refuse_foreign(place)
    simulated = folder.with_name(f"{folder.resolve().name}-data")
    where = Path(data or (simulated if (simulated / TRUTH).is_file() else "."))
    settings = dict(manifest["config"])
    settings["run"] = {**settings["run"], "output": str(place), "data": str(where), "jobs": jobs}
    config = config_from(settings, where=str(folder / MANIFEST))
    _refuse_other_inputs(config, manifest["files"], where)
    planted = _planted(where / TRUTH) if where == simulated else None
    run(config, progress=progress or Silent(), planted=planted)
    return compare_runs(folder, place)


def compare_runs(first: Path, second: Path) -> Reproduction:
    """Compare two finished runs file by file, and their tables number by number."""
    both = first, second
    then, now = (read_manifest(folder) for folder in both)
    names = sorted(then["outputs"], key=lambda n: (n != TABLE, n))
    missing = tuple(n for n in names if n not in now["outputs"])
    differing = tuple(
        n for n in names if n not in missing and now["outputs"][n] != then["outputs"][n]
    )
    if AUDIT[0] in missing:  # what an audit added to the first is not part of the run
        bare = [_text_table(f / TABLE).drop(columns=AUDITED, errors="ignore") for f in both]
        missing = tuple(n for n in missing if n not in AUDIT)
        differing = tuple(n for n in differing if n not in AUDIT and n != TABLE)
        differing = differing if bare[0].equals(bare[1]) else (TABLE, *differing)
    tables = [pd.read_csv(f / TABLE, sep="\t", low_memory=False) for f in both]
    words = _first_difference(first / differing[0], second / differing[0]) if differing else ""
    return Reproduction(
        folder=second,
        same_table=TABLE not in differing,
        differing=differing,
        missing=missing,
        first_difference=f"{differing[0]}: {words}" if differing else "",
        largest_change=_changes(*tables) if TABLE in differing else {},
        rank_correlation=_correlation(*tables),
        versions=_versions(then, now),
    )


def _refuse_changed(folder: Path, outputs: Mapping[str, str]) -> None:
    """Refuse to compare with files that are not those of the run."""
    changed = [
        n for n, d in outputs.items() if not (folder / n).is_file() or sha256_of(folder / n) != d
    ]
    if changed:
        raise RunError(
            f"{len(changed)} of {len(outputs)} files of '{folder}' are not as the run wrote them: "
            f"{some(sorted(changed))}; there is nothing to compare with, so run again into it first"
        )


def _refuse_other_inputs(config: RunConfig, files: Mapping[str, str], where: Path) -> None:
    found = keys_of(config).files
    gone = sorted(n for n in files if not found.get(n))
    if gone:
        raise RunError(
            f"{len(gone)} of {len(files)} inputs are not below '{where}': {some(gone)}; name their "
            "folder with --data"
        )
    if other := sorted(n for n, digest in files.items() if found[n] != digest):
        raise RunError(
            f"{len(other)} of {len(files)} inputs below '{where}' are not those of the run, by "
            f"their SHA-256: {some(other)}; name the folder of the same files with --data"
        )


def _planted(truth: Path) -> pd.DataFrame:
    """Read what a simulation planted, as the page of a demonstration shows it."""
    table = pd.read_csv(truth, sep="\t")
    planted = table[table["planted"]]
    return pd.DataFrame(
        {
            "gene": planted.iloc[:, 0].to_numpy(),
            "symbol": planted["symbol"].to_numpy(),
            "held_back": ~planted["given"].to_numpy(bool),
        }
    )


def _first_difference(first: Path, second: Path) -> str:
    if first.suffix in {".tsv", ".parquet"}:
        return _first_cell(*(_text_table(p) for p in (first, second)))
    if first.suffix == ".json":
        return _first_value(*(json.loads(p.read_text(encoding="utf-8")) for p in (first, second)))
    then, now = first.read_bytes(), second.read_bytes()
    shared = min(len(then), len(now))
    place = next((i for i in range(shared) if then[i] != now[i]), shared)
    return f"byte {place + 1} ({len(then)} bytes then, {len(now)} now)"


def _text_table(path: Path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path).reset_index().astype(str)
    table: pd.DataFrame = pd.read_csv(path, sep="\t", dtype=str, na_filter=False)
    return table


def _first_cell(one: pd.DataFrame, two: pd.DataFrame) -> str:
    if list(one.columns) != list(two.columns):
        odd = [c for c in (*one.columns, *two.columns) if (c in one.columns) != (c in two.columns)]
        return f"other columns: {some(odd)}" if odd else "the columns are in another order"
    if len(one) != len(two):
        return f"{len(one)} rows then, {len(two)} now"
    unlike = one.to_numpy() != two.to_numpy()
    if not unlike.any():
        return "the same values in other bytes"
    row = int(unlike.any(axis=1).argmax())
    column = int(unlike[row].argmax())
    name, before = str(one.columns[column]), str(one.iloc[row, column])
    # a row is called by its gene where it has one
    called = f" ({one['symbol'].iloc[row]})" if "symbol" in one.columns else ""
    return (
        f"row {row + 1}{called}, column '{name}': '{before}' then, '{two.iloc[row, column]!s}' now"
    )


def _first_value(one: Any, two: Any, place: str = "") -> str:
    if isinstance(one, dict) and isinstance(two, dict):
        steps = [(f"{place}.{k}".lstrip("."), one.get(k), two.get(k)) for k in {**one, **two}]
    elif isinstance(one, list) and isinstance(two, list) and len(one) == len(two):
        steps = [(f"{place}[{i}]", a, b) for i, (a, b) in enumerate(zip(one, two, strict=True))]
    else:
        return f"{place}: {_short(one)} then, {_short(two)} now"
    found = (_first_value(a, b, where) for where, a, b in steps if a != b)
    return next(found, "the same values in other bytes")


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _changes(one: pd.DataFrame, two: pd.DataFrame) -> dict[str, float]:
    left, right = (t.set_index("hgnc_id").select_dtypes("number") for t in (one, two))
    shared = [c for c in left.columns if c in right.columns]
    change = (left[shared] - right[shared].reindex(left.index)).abs().max()
    return {str(c): float(v) for c, v in change[change > 0].items()}


def _correlation(one: pd.DataFrame, two: pd.DataFrame) -> float | None:
    left, right = (t.set_index("hgnc_id")["score"] for t in (one, two))
    both = left.index.intersection(right.index)
    value = left[both].rank().corr(right[both].rank())
    return None if pd.isna(value) else float(value)


def _versions(then: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    before, after = then.get("versions", {}), now["versions"]
    found = {
        name: (before.get(name, "not recorded"), after.get(name, "not recorded"))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }
    # the key hashes settings, inputs and sources: settings and inputs are those of the manifest
    if then["key"] != now["key"] and "aimwell" not in found:
        found["code"] = (then["key"][:12], now["key"][:12])
    return found
