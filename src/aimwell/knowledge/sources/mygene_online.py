"""The online helper for names that no local table resolves: mygene.info, cached on disk."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from aimwell.provenance import Step, write_json

NAME: Final = "mygene.info"
BATCH: Final = 1000
SCOPES: Final = (
    "symbol,alias,retired,entrezgene,ensembl.gene,ensembl.transcript,ensembl.protein,"
    "refseq,uniprot,reporter"
)


class Client(Protocol):
    """What is used of ``mygene.MyGeneInfo``."""

    def querymany(self, qterms: list[str], **options: Any) -> list[dict[str, Any]]:
        """Answer one hit or several per name, or one marked ``notfound``."""
        ...


@dataclass(frozen=True)
class OnlineHelper:
    """Asks mygene.info which human genes names stand for, and keeps every answer on disk.

    Whatever fails (the network, the service, the disk) leaves names unresolved, is recorded in
    ``steps``, and fails nothing. A name is asked for once; delete the cache to ask again.

    Attributes:
        cache: A JSON file, made where absent: name → HGNC ids (none where nothing was found).
        client: Stands in for ``mygene.MyGeneInfo()``.
        steps: One step per call: names asked for, names found.
    """

    cache: Path
    client: Client | None = None
    steps: list[Step] = field(default_factory=list, compare=False)

    def ask(self, names: Iterable[str]) -> dict[str, tuple[str, ...]]:
        """Give the HGNC ids, sorted, of the names with at least one."""
        wanted = sorted(set(names))
        known: dict[str, tuple[str, ...]] = {}
        asked = 0
        failure = ""
        try:
            known = _read(self.cache)
            unknown = [name for name in wanted if name not in known]
            client = self.client
            for start in range(0, len(unknown), BATCH):
                batch = unknown[start : start + BATCH]
                client = client or _mygene()
                options = {"scopes": SCOPES, "fields": "HGNC", "species": "human"}
                known |= _answers(batch, client.querymany(batch, **options, verbose=False))
                asked += len(batch)
                write_json(self.cache, known)
        except Exception as error:  # whatever the helper meets, the build goes on
            text = " ".join(str(error).split())[:80]
            failure = f"; it failed and was left ({type(error).__name__}: {text})"
        found = {name: known[name] for name in wanted if known.get(name)}
        lost = [name for name in wanted if name not in found]
        why = f"{asked} asked now, the others known from '{self.cache.name}'{failure}"
        self.steps.append(
            Step(f"{NAME}: names found online", len(wanted), len(found), why, tuple(lost[:3]))
        )
        return found


def _answers(batch: list[str], hits: list[dict[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Read HGNC ids from the hits; names without one are remembered as not found."""
    found: dict[str, set[str]] = {name: set() for name in batch}
    for hit in hits:
        number = str(hit.get("HGNC", "")).removeprefix("HGNC:")
        if hit.get("query") in found and number.isdigit():
            found[hit["query"]].add(f"HGNC:{number}")
    return {name: tuple(sorted(ids)) for name, ids in found.items()}


def _mygene() -> Client:
    import mygene

    client: Client = mygene.MyGeneInfo()
    return client


def _read(cache: Path) -> dict[str, tuple[str, ...]]:
    if not cache.exists():
        return {}
    raw = json.loads(cache.read_text(encoding="utf-8"))
    return {str(name): tuple(str(i) for i in ids) for name, ids in raw.items()}
