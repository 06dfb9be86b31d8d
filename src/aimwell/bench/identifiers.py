"""Bars of identifiers: names that are easily resolved wrongly, and how fast names are resolved."""

import csv
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from aimwell.bench.bars import Bar, bar
from aimwell.errors import ConfigError
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.hgnc import read_hgnc

HGNC: Final = "ids/hgnc_complete_set_2024-10.txt.gz"
#: The list is test data, so this benchmark needs a checkout of the project.
TRAPS: Final = Path(__file__).parents[3] / "tests" / "data" / "knowledge" / "adversarial.tsv"


def measure(data: str) -> Iterator[Bar]:
    """Measure identifiers with the HGNC complete set of ``data``.

    Raises:
        ConfigError: Without ``data``, or without the list of traps.
    """
    if not data:
        raise ConfigError(f"this benchmark needs --data DIR, the folder with '{HGNC}'")
    begun = time.monotonic()
    table = IdentifierTable.from_hgnc(read_hgnc(Path(data) / HGNC))
    yield bar("identifiers: reading the HGNC complete set", time.monotonic() - begun, "s")
    yield from verdicts(table, read_traps(TRAPS))
    symbols = table.loci["symbol"].tolist()
    begun = time.monotonic()
    report = table.resolve(symbols, protein_coding=False)
    seconds = time.monotonic() - begun
    yield bar("identifiers: approved symbols resolved a second", len(symbols) / seconds, "names")
    itself = (report["symbol"] == symbols).mean()
    yield bar("identifiers: approved symbols that resolve to themselves", itself, "share", "== 1")


def read_traps(path: Path) -> list[dict[str, str]]:
    """Read the list of names: ``trap``, ``name``, ``status`` and ``answer``.

    Raises:
        ConfigError: The file is missing.
    """
    if not path.is_file():
        raise ConfigError(
            f"there is no list of names '{path}'; run this benchmark in a checkout of the project, "
            "which has it among the test data"
        )
    with path.open(encoding="utf-8", newline="") as stream:
        lines = [line for line in stream if not line.startswith("# ")]
    return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def verdicts(table: IdentifierTable, traps: Sequence[dict[str, str]]) -> Iterator[Bar]:
    """Hold the verdict on every name against the list, by what it should be."""
    report = table.resolve([trap["name"] for trap in traps])
    right: dict[str, list[bool]] = {}
    for trap, found in zip(traps, report.itertuples(index=False), strict=True):
        same = (trap["status"], trap["answer"] or "") == (
            found.status,
            found.symbol or found.candidates,
        )
        right.setdefault(trap["status"], []).append(same)
    every = [one for group in right.values() for one in group]
    yield bar("identifiers: adversarial names", len(every), "names", ">= 250")
    yield bar(
        "identifiers: adversarial names with the right verdict",
        sum(every) / len(every),
        "share",
        "== 1",
    )
    for status, group in sorted(right.items()):
        name = f"identifiers: of those, {status}"
        yield bar(name, sum(group), f"of {len(group)}", f"== {len(group)}")
