"""Evidence, known targets and members as files, and back."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from aimwell.cohorts.evidence import Evidence
from aimwell.cohorts.samples import ContrastSamples
from aimwell.knowledge.labels import KnownTargets
from aimwell.provenance import Source, Step, to_plain

#: Kinds of array that are stored: truth values, whole numbers and numbers.
NUMBERS: Final = "biuf"


def save_evidence(evidence: Evidence, folder: Path) -> None:
    """Write one Parquet file per block and the rest as JSON; blocks keep their order."""
    for number, block in enumerate(evidence.blocks.values()):
        block.to_parquet(folder / f"block{number}.parquet")
    for number, values in enumerate(evidence.features.values()):
        values.to_parquet(folder / f"features{number}.parquet")
    for number, compared in enumerate(evidence.comparisons.values()):
        compared.to_parquet(folder / f"comparison{number}.parquet")
    evidence.across.to_parquet(folder / "across.parquet")
    facts = {
        "comparisons": list(evidence.comparisons),
        "features": list(evidence.features),
        "kinds": {k: evidence.kinds[k] for k in evidence.blocks},
        "sources": evidence.sources,
        "steps": evidence.steps,
    }
    write_facts(folder / "evidence.json", facts)


def load_evidence(folder: Path) -> Evidence:
    """Undo ``save_evidence``."""
    facts = read_facts(folder / "evidence.json")
    kinds: dict[str, str] = facts["kinds"]
    blocks = {
        name: pd.read_parquet(folder / f"block{number}.parquet")
        for number, name in enumerate(kinds)
    }
    across = pd.read_parquet(folder / "across.parquet")
    features = {
        name: pd.read_parquet(folder / f"features{number}.parquet")
        for number, name in enumerate(facts["features"])
    }
    comparisons = {
        (rna, protein): pd.read_parquet(folder / f"comparison{number}.parquet")
        for number, (rna, protein) in enumerate(facts["comparisons"])
    }
    sources, steps = sources_of(facts), steps_of(facts)
    return Evidence(blocks, kinds, across, sources, steps, features, comparisons)


def save_samples(samples: Mapping[str, ContrastSamples], folder: Path) -> None:
    """Write one Parquet file of values per contrast and the rest as JSON."""
    for number, one in enumerate(samples.values()):
        one.values.to_parquet(folder / f"samples{number}.parquet", compression="zstd")
    write_facts(folder / "samples.json", {name: one.facts() for name, one in samples.items()})


def load_samples(folder: Path) -> dict[str, ContrastSamples]:
    """Undo ``save_samples``."""
    found = {}
    for number, (name, facts) in enumerate(read_facts(folder / "samples.json").items()):
        found[name] = ContrastSamples(
            scale=facts["scale"],
            groups=tuple(facts["groups"]),
            group=tuple(facts["group"]),
            pair=tuple(facts["pair"]),
            values=pd.read_parquet(folder / f"samples{number}.parquet"),
            left_out=facts["left_out"],
        )
    return found


def save_known(known: KnownTargets, folder: Path) -> None:
    """Write known targets as Parquet and JSON."""
    known.table.reset_index(drop=True).to_parquet(folder / "known.parquet")
    write_facts(folder / "known.json", {"sources": known.sources, "steps": known.steps})


def load_known(folder: Path) -> KnownTargets:
    """Undo ``save_known``."""
    facts = read_facts(folder / "known.json")
    table = pd.read_parquet(folder / "known.parquet")
    return KnownTargets(table, sources_of(facts), steps_of(facts))


def save_frames(frames: Sequence[pd.DataFrame], folder: Path) -> None:
    """Write one Parquet file per table, in their order."""
    for number, frame in enumerate(frames):
        frame.to_parquet(folder / f"table{number}.parquet")


def load_frames(folder: Path) -> tuple[pd.DataFrame, ...]:
    """Undo ``save_frames``."""
    count = len(list(folder.glob("table*.parquet")))
    return tuple(pd.read_parquet(folder / f"table{number}.parquet") for number in range(count))


def save_arrays(arrays: Mapping[str, np.ndarray], path: Path) -> None:
    """Write named arrays of numbers as one Parquet file, a row each.

    Raises:
        TypeError: An array that does not hold numbers.
    """
    if odd := [name for name, a in arrays.items() if a.dtype.kind not in NUMBERS]:
        raise TypeError(f"array '{odd[0]}' holds no numbers")
    rows = {
        "name": pa.array(list(arrays), pa.string()),
        "dtype": pa.array([a.dtype.str for a in arrays.values()], pa.string()),
        "shape": pa.array([list(a.shape) for a in arrays.values()], pa.list_(pa.int64())),
        "bytes": pa.array([a.tobytes() for a in arrays.values()], pa.large_binary()),
    }
    pq.write_table(pa.table(rows), path, compression="zstd")


def load_arrays(path: Path) -> dict[str, np.ndarray]:
    """Read named arrays; nothing in the file is ever run.

    Raises:
        ValueError: An array that does not hold numbers, or not as many as its shape says.
    """
    found = {}
    for row in pq.read_table(path).to_pylist():
        dtype = np.dtype(row["dtype"])
        if dtype.kind not in NUMBERS:
            raise ValueError(f"array '{row['name']}' of '{path}' holds no numbers")
        # a copy: what is read from a buffer cannot be written to
        found[row["name"]] = np.frombuffer(row["bytes"], dtype).reshape(row["shape"]).copy()
    return found


def write_facts(path: Path, facts: dict[str, Any]) -> None:
    """Write plain values as JSON, keeping their order."""
    path.write_text(json.dumps(to_plain(facts), ensure_ascii=False), encoding="utf-8")


def read_facts(path: Path) -> dict[str, Any]:
    """Read what ``write_facts`` wrote."""
    facts: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return facts


def sources_of(facts: dict[str, Any]) -> tuple[Source, ...]:
    """Rebuild sources from JSON."""
    return tuple(Source(**s) for s in facts["sources"])


def steps_of(facts: dict[str, Any]) -> tuple[Step, ...]:
    """Rebuild steps from JSON."""
    return tuple(Step(**{**s, "examples": tuple(s["examples"])}) for s in facts["steps"])


def step_rows(stage: str, steps: Sequence[Step]) -> list[dict[str, Any]]:
    """Give steps as rows of the manifest."""
    return [{"stage": stage, **to_plain(step)} for step in steps]
