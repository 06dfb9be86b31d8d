"""BioCypher's CSV output (for neo4j-admin import): genes and their sets as a prior."""

import re
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import InputError, some
from aimwell.knowledge.files import read_lines
from aimwell.knowledge.prior_network import BLOCK, KINDS, PriorCollector, PriorNetwork, plain
from aimwell.knowledge.streams import require_columns, split_header, stream_table

NAME: Final = "BioCypher graph"
WHAT: Final = "a folder of BioCypher CSV files (X-header.csv, X-part000.csv)"
#: Prefix of a node id that HGNC tables do not write → what they write.
_PREFIXES: Final = {
    "uniprot:": "",
    "uniprotkb:": "",
    "ensembl:": "",
    "ncbigene:": "",
    "entrez:": "",
    "hgnc.symbol:": "",
    "genesymbol:": "",
    "hgnc:": "HGNC:",
}


def read_biocypher(folder: Path) -> PriorNetwork:
    """Read a folder of nodes and edges without the edges of drugs and diseases.

    A header with ``:START_ID`` is of edges, one with ``:ID`` is of nodes; a node is what its
    labels say. The separator is the one between ``:…`` fields of the header.

    Raises:
        InputError: No such folder, a header without its parts, an edge to a node that is not
            listed, or nothing left.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder '{folder}'; it should be {WHAT}")
    headers = sorted(folder.glob("*-header.csv"))
    if not headers:
        raise InputError(f"the folder '{folder}' has no *-header.csv; it should be {WHAT}")
    kind: dict[str, str] = {}
    names: dict[str, str] = {}
    edges: list[tuple[Path, list[str], str]] = []
    for path in headers:
        header, separator = _header(path)
        if ":START_ID" in header:
            require_columns(header, [":END_ID"], path, WHAT, [])
            edges.append((path, header, separator))
        elif any(name.endswith(":ID") for name in header):
            _read_nodes(path, header, separator, kind, names)
    if not kind or not edges:
        raise InputError(f"'{folder}' has no nodes or no edges (headers: {some(headers)})")
    rows = PriorCollector(NAME, folder)
    wanted = (":START_ID", ":TYPE", ":END_ID")
    for path, header, separator in edges:
        columns = [c for c in wanted if c in header]
        for part in _parts(path, header, separator, columns):
            relation = part.get(":TYPE", path.name.removesuffix("-header.csv"))
            block = part.assign(relation=relation).rename(
                columns={":START_ID": "source", ":END_ID": "target"}
            )
            for end in ("source", "target"):
                block[f"{end}_kind"] = block[end].map(kind)
                lost = block[f"{end}_kind"].isna()
                if lost.any():
                    raise InputError(
                        f"'{path}' names nodes that no file lists: "
                        f"{some(sorted(set(block.loc[lost, end])))}"
                    )
                block[end] = block[end].map(_without_prefix)
            rows.add(block[list(BLOCK)])
    return rows.finish("mixed", {_without_prefix(key): name for key, name in names.items()})


def _header(path: Path) -> tuple[list[str], str]:
    lines = read_lines(path, WHAT)
    separator = max(("\t", ";", ",", "|"), key=lines[0].count)
    return split_header(lines, path, WHAT, separator), separator


def _read_nodes(
    path: Path, header: list[str], separator: str, kind: dict[str, str], names: dict[str, str]
) -> None:
    """Add the nodes of one label to ``kind`` and ``names``."""
    stem = path.name.removesuffix("-header.csv")
    key = next(name for name in header if name.endswith(":ID"))
    columns = [key, *(c for c in ("name", ":LABEL") if c in header)]
    for block in _parts(path, header, separator, columns):
        labels = block.get(":LABEL", pd.Series(stem, index=block.index))
        for node, text in zip(block[key], labels, strict=True):
            said = [stem, *re.split(r"[|;]", text)]
            known = next((label for label in said if plain(label) in KINDS), stem)
            kind[node] = known
        if "name" in block:
            names.update((k, n) for k, n in zip(block[key], block["name"], strict=True) if n)


def _parts(
    path: Path, header: list[str], separator: str, columns: list[str]
) -> "list[pd.DataFrame]":
    stem = path.name.removesuffix("-header.csv")
    parts = sorted(path.parent.glob(f"{stem}-part*.csv"))
    if not parts:
        raise InputError(f"'{path}' has no {stem}-part000.csv beside it; write the graph again")
    quoted = {"separator": separator, "quoted": True}
    return [
        pd.DataFrame({name: block[name].to_pylist() for name in columns}, dtype=str)
        for part in parts
        for block in stream_table(part, WHAT, header, columns, skip=0, **quoted)  # type: ignore[arg-type]
    ]


def _without_prefix(key: str) -> str:
    """Write a node id as databases do.

    Example:
        >>> [_without_prefix(k) for k in ("uniprot:P04637", "hgnc:11998", "GO:0006915", "7157")]
        ['P04637', 'HGNC:11998', 'GO:0006915', '7157']
    """
    for prefix, written in _PREFIXES.items():
        if key.lower().startswith(prefix):
            return written + key[len(prefix) :]
    return key
