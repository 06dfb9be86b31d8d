"""Bars of the laws of merging, on random records of the size of real databases."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.bench.bars import Bar, bar
from aimwell.knowledge.interactions import Collector
from aimwell.knowledge.merging import build_relations, merge_records, records_of

GENES: Final = pd.Index(sorted(f"HGNC:{i}" for i in range(1, 2_001)), dtype=str)
ROWS: Final = 50_000
DATABASES: Final = 4


def law_bars(rows: int = ROWS) -> Iterator[Bar]:
    """Merge random databases in other orders and groups, and look at what comes out.

    Example:
        >>> [bar.passed for bar in law_bars(rows=500)]
        [True, True, True, True, True]
    """
    rng = np.random.default_rng(11)
    tables = [_records(rng, f"database {k}", rows) for k in range(DATABASES)]
    what = f"graph: {DATABASES} random databases of {rows:,} rows"
    whole = merge_records(tables)
    backwards = merge_records(tables[::-1])
    yield bar(f"{what}: merging in another order is the same", _same(whole, backwards), "", "== 1")
    halves = merge_records([merge_records(tables[:2]), merge_records(tables[2:])])
    again = merge_records([halves, tables[1]])
    yield bar(f"{what}: merging in groups is the same", _same(whole, again), "", "== 1")
    relations, _ = build_relations({"interacts": ("interacts", tables)}, GENES, "noisy_or", 0)
    edges = relations["interacts"].edges
    loops = int((edges["source_id"] == edges["target_id"]).sum())
    yield bar(f"{what}: self-loops", loops, "edges", "== 0")
    twice = int(edges.duplicated(["source_id", "target_id"]).sum())
    yield bar(f"{what}: pairs twice", twice, "edges", "== 0")
    weight = edges["weight"].to_numpy()
    outside = int(np.count_nonzero(~((weight > 0) & (weight <= 1))))
    yield bar(f"{what}: weights outside (0, 1]", outside, "edges", "== 0")


def _records(rng: np.random.Generator, origin: str, rows: int) -> pd.DataFrame:
    names = GENES.to_numpy(object)
    found = Collector(origin, Path(origin))
    found.add(
        names[rng.integers(0, len(names), rows)],
        names[rng.integers(0, len(names), rows)],
        weight=rng.choice([1.0, 5e-324, 1e-9, *rng.random(50)], rows),
        evidence_type=rng.choice(["", "binary", "binary|complex", "co-expression"], rows),
        literature=rng.random(rows) < 0.5,
        pubmed_ids=rng.choice(["", "1", "2|3", "1|4"], rows),
        date=rng.choice(["", "1999", "2004-05-06"], rows),
    )
    ids = {name: name for name in GENES}
    return records_of(found.finish("hgnc"), ids, GENES, origin)[0]["interacts"]


def _same(one: pd.DataFrame, other: pd.DataFrame) -> float:
    """Tell whether the rows say the same; the categories that spell it do not count."""
    texts = [c for c in one.columns if isinstance(one[c].dtype, pd.CategoricalDtype)]
    return float(
        one.astype(dict.fromkeys(texts, str)).equals(other.astype(dict.fromkeys(texts, str)))
    )
