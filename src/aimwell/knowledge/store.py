"""A graph on disk: one Parquet file per node type and relation, and ``graph.json`` with hashes."""

import contextlib
import json
import re
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from aimwell.errors import GraphError, some
from aimwell.knowledge.graph import Relation, TargetGraph
from aimwell.provenance import Source, Step, content_hash, sha256_of, to_plain

FORMAT: Final = "aimwell graph"
VERSION: Final = 1
MANIFEST: Final = "graph.json"
_NAME: Final = re.compile(r"[a-z][a-z0-9_]*")


def write_graph(graph: TargetGraph, folder: Path) -> None:
    """Write a graph as a folder that appears whole or not at all.

    Rows are sorted by id, so that the same graph gives the same bytes. An earlier graph in
    ``folder`` is replaced only when the new one is complete.

    Raises:
        GraphError: ``folder`` exists and is no graph folder, cannot be written to (the disk is
            full), or a name cannot be a file name.
    """
    if folder.exists() and not folder.is_dir():
        raise GraphError(f"'{folder}' is a file; name a folder for the graph")
    if folder.exists() and not (folder / MANIFEST).is_file() and any(folder.iterdir()):
        raise GraphError(f"'{folder}' exists and is no graph folder; name another folder")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".partial", dir=folder.parent)
    except OSError as error:
        raise GraphError(
            f"cannot write to '{folder.parent}': {error.strerror}; name another folder"
        ) from error
    fresh = Path(made)
    try:
        _fill(graph, fresh)
        fresh.chmod(0o755)
        _replace(fresh, folder)
    except OSError as error:
        raise GraphError(
            f"the graph cannot be written to '{folder}': {error.strerror or error}; what was there "
            "before is as it was; make room or name another folder"
        ) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _fill(graph: TargetGraph, folder: Path) -> None:
    nodes = {
        kind: _write(table.rename_axis("id").reset_index(), ["id"], folder / _nodes_file(kind))
        for kind, table in sorted(graph.nodes.items())
    }
    relations = {}
    for name, relation in sorted(graph.relations.items()):
        path = folder / _edges_file(name)
        ends = {"source_type": relation.source_type, "target_type": relation.target_type}
        relations[name] = {
            **_write(relation.edges, ["source_id", "target_id"], path),
            **ends,
            "directed": relation.directed,
        }
    manifest = {
        "format": FORMAT,
        "version": VERSION,
        "nodes": nodes,
        "relations": relations,
        "sources": to_plain(graph.sources),
        "steps": to_plain(graph.steps),
    }
    manifest["sha256"] = content_hash(manifest)
    text = json.dumps(manifest, indent=1, sort_keys=True, ensure_ascii=False)
    (folder / MANIFEST).write_text(text + "\n", encoding="utf-8")


def _write(table: pd.DataFrame, keys: list[str], path: Path) -> dict[str, Any]:
    rows = table if _is_sorted(table, keys) else table.sort_values(keys, ignore_index=True)
    columns = pa.Table.from_pandas(rows, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(columns, path, compression="zstd")
    return {"file": path.name, "rows": len(rows), "sha256": sha256_of(path)}


def _is_sorted(table: pd.DataFrame, keys: list[str]) -> bool:
    """Tell whether the rows are in strict order: sorting millions of edges again takes seconds."""
    if len(table) < 2:
        return True
    after = np.zeros(len(table) - 1, bool)
    for key in reversed(keys):
        above, below = table[key].array[:-1], table[key].array[1:]
        after = np.asarray(below > above) | (np.asarray(below == above) & after)
    return bool(after.all())


def _replace(fresh: Path, folder: Path) -> None:
    """Move the new folder into place; put the old one back if that fails."""
    if not folder.exists():
        fresh.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".old", dir=folder.parent))
    try:
        folder.rename(old / folder.name)
        try:
            fresh.rename(folder)
        except BaseException:
            (old / folder.name).rename(folder)
            raise
    except BaseException:
        with contextlib.suppress(OSError):  # where the old graph could not be put back, it stays
            old.rmdir()
        raise
    shutil.rmtree(old, ignore_errors=True)


def _nodes_file(kind: str) -> str:
    return f"nodes-{_safe(kind)}.parquet"


def _edges_file(name: str) -> str:
    return f"edges-{_safe(name)}.parquet"


def _safe(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise GraphError(f"'{name}' cannot name a node type or relation: use a-z, 0-9 and _")
    return name


def read_graph(folder: Path) -> TargetGraph:
    """Read a graph folder, and verify every byte of it.

    Raises:
        GraphError: No graph folder, another format version, or a file that is changed, missing or
            was not written with the graph.
    """
    manifest = _read_manifest(folder)
    try:
        entries = {
            **{_nodes_file(kind): e for kind, e in manifest["nodes"].items()},
            **{_edges_file(name): e for name, e in manifest["relations"].items()},
        }
        _verify(folder, entries)
        nodes = {
            kind: _read(folder / _nodes_file(kind)).set_index("id").rename_axis(None)
            for kind in manifest["nodes"]
        }
        relations = {
            name: Relation(
                name,
                entry["source_type"],
                entry["target_type"],
                _read(folder / _edges_file(name)),
                entry["directed"],
            )
            for name, entry in manifest["relations"].items()
        }
        sources = tuple(Source(**s) for s in manifest["sources"])
        steps = tuple(Step(**{**s, "examples": tuple(s["examples"])}) for s in manifest["steps"])
    except (KeyError, TypeError, AttributeError) as error:
        raise GraphError(f"'{folder / MANIFEST}' is damaged: {error!r}; build again") from error
    return TargetGraph(nodes, relations, sources, steps)


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise GraphError(f"'{folder}' has no {MANIFEST}, so it is no graph folder; name another")
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        found = manifest["format"], manifest["version"]
        seal = manifest.pop("sha256")
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise GraphError(
            f"'{path}' is not the manifest of a graph ({error!r}); build the graph again"
        ) from error
    if found != (FORMAT, VERSION):
        raise GraphError(
            f"'{path}' is '{found[0]}' version {found[1]}; this aimwell reads '{FORMAT}' version "
            f"{VERSION}; build the graph again"
        )
    if content_hash(manifest) != seal:
        raise GraphError(f"'{path}' was changed after the graph was built; build it again")
    return dict(manifest)


def _verify(folder: Path, entries: dict[str, dict[str, Any]]) -> None:
    present = {path.name for path in folder.iterdir()} - {MANIFEST}
    if missing := sorted(set(entries) - present):
        raise GraphError(f"'{folder}' lacks the files {some(missing)}; build the graph again")
    if foreign := sorted(present - set(entries)):
        raise GraphError(
            f"'{folder}' holds files that are not of the graph: {some(foreign)}; move them away"
        )
    for name, entry in entries.items():
        if sha256_of(folder / name) != entry["sha256"]:
            raise GraphError(
                f"'{folder / name}' was changed after the graph was built; build it again"
            )


def _read(path: Path) -> pd.DataFrame:
    table: pd.DataFrame = pq.read_table(path, memory_map=True).to_pandas()
    return table
