"""Frozen dataclasses as files that all workers of a machine map into memory.

Numbers are plain arrays, tables are Arrow files, the rest is JSON: nothing is ever unpickled.
"""

import dataclasses
import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from aimwell.cohorts.evidence import Evidence
from aimwell.errors import RunError
from aimwell.knowledge.graph import Relation, TargetGraph
from aimwell.models.expected import Expected
from aimwell.models.folds import Folds
from aimwell.models.propagate import SparseOperator
from aimwell.models.task import Block, TargetTask
from aimwell.models.wiring import Wiring
from aimwell.provenance import Source, Step

#: What may be rebuilt from a folder; a name that is not here is refused.
KINDS: Final[Mapping[str, type]] = {
    kind.__name__: kind
    for kind in (
        Block,
        Evidence,
        Expected,
        Folds,
        Relation,
        SparseOperator,
        Source,
        Step,
        TargetGraph,
        TargetTask,
        Wiring,
    )
}
INDEX: Final = "shared.json"


def save_shared(value: object, folder: Path) -> None:
    """Write a value made of the dataclasses in ``KINDS``, containers, arrays and tables."""
    writer = _Writer(folder)
    (folder / INDEX).write_text(json.dumps(writer.plain(value)), encoding="utf-8")


@functools.lru_cache(maxsize=2)
def load_shared(folder: Path) -> Any:
    """Read what ``save_shared`` wrote, once per process; arrays stay on disk until they are read.

    Raises:
        RunError: The folder is gone or holds something else.
    """
    try:
        facts = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        return _read(facts, folder)
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException) as error:
        raise RunError(
            f"a worker cannot read '{folder}': {error}; every worker needs the run folder under "
            "the same path, and nothing may change in it during a run"
        ) from error


class _Writer:
    def __init__(self, folder: Path) -> None:
        self.folder, self.count = folder, 0

    def plain(self, value: Any) -> Any:
        """Give JSON for a value; arrays and tables go to files of their own."""
        import torch

        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, np.generic):
            return value.item()
        if isinstance(value, torch.Tensor):
            return {"tensor": self._array(value.detach().cpu().numpy())}
        if isinstance(value, np.ndarray):
            return {"array": self._array(value)}
        if isinstance(value, pd.DataFrame | pd.Series | pd.Index):
            return {"table": self._table(value), "as": _pandas_kind(value)}
        if dataclasses.is_dataclass(value) and type(value).__name__ in KINDS:
            names = [f.name for f in dataclasses.fields(value)]
            inside = {name: self.plain(getattr(value, name)) for name in names}
            return {"kind": type(value).__name__, "fields": inside}
        if isinstance(value, Mapping):
            return {"items": [[self.plain(k), self.plain(v)] for k, v in value.items()]}
        if isinstance(value, tuple | list):
            return {"tuple": [self.plain(item) for item in value]}
        raise TypeError(f"cannot share a {type(value).__name__} with workers")

    def _name(self, suffix: str) -> str:
        self.count += 1
        return f"{self.count}.{suffix}"

    def _array(self, value: np.ndarray) -> str:
        name = self._name("npy")
        np.save(self.folder / name, value, allow_pickle=False)
        return name

    def _table(self, value: "pd.DataFrame | pd.Series[Any] | pd.Index[Any]") -> str:
        name = self._name("arrow")
        if isinstance(value, pd.Index):
            frame = pd.DataFrame(index=value)
        elif isinstance(value, pd.Series):
            frame = value.to_frame("value" if value.name is None else value.name)
        else:
            frame = value
        table = pa.Table.from_pandas(frame, preserve_index=True)
        with (
            pa.OSFile(str(self.folder / name), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)
        return name


def _pandas_kind(value: object) -> str:
    if isinstance(value, pd.Index):
        return "index"
    return "series" if isinstance(value, pd.Series) else "frame"


def _read(facts: Any, folder: Path) -> Any:
    if not isinstance(facts, dict):
        return facts
    if "kind" in facts:
        kind = KINDS[facts["kind"]]
        return kind(**{name: _read(value, folder) for name, value in facts["fields"].items()})
    if "items" in facts:
        return {_read(k, folder): _read(v, folder) for k, v in facts["items"]}
    if "tuple" in facts:
        return tuple(_read(item, folder) for item in facts["tuple"])
    if "table" in facts:
        return _table(folder / facts["table"], facts["as"])
    if "tensor" in facts:
        import torch

        return torch.from_numpy(_array(folder / facts["tensor"]))
    return _array(folder / facts["array"])


def _array(path: Path) -> np.ndarray:
    # "c": pages are shared with other processes until somebody writes to one, which nobody does
    try:
        mapped = np.load(path, mmap_mode="c", allow_pickle=False)
    except ValueError:  # nothing to map in an empty array
        return np.asarray(np.load(path, allow_pickle=False))
    return np.asarray(mapped)


def _table(path: Path, kind: str) -> Any:
    with pa.memory_map(str(path)) as source:
        frame = pa.ipc.open_file(source).read_all().to_pandas()
    if kind == "index":
        return frame.index
    return frame.iloc[:, 0] if kind == "series" else frame
