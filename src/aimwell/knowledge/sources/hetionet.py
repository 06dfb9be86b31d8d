"""Hetionet: genes and their sets as a prior (SIF or JSON), disease genes as labels (CC0, mixed)."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pandas as pd

from aimwell.errors import InputError
from aimwell.knowledge.files import read_table, wrong_file
from aimwell.knowledge.prior_network import BLOCK, PriorCollector, PriorNetwork
from aimwell.knowledge.streams import first_lines, open_text, stream_table

NAME: Final = "Hetionet"
SIF: Final = "Hetionet's edges (SIF)"
JSON: Final = "Hetionet as JSON"
NODES: Final = "Hetionet's nodes (id, name, kind)"
ASSOCIATIONS: Final = "Hetionet's disease–gene associations"
_SIF: Final = ("source", "metaedge", "target")
_BLOCK: Final = 200_000
_CHUNK: Final = 1 << 20
#: What stands between values.
_BETWEEN: Final = re.compile(r"[\s,:]*")


def read_hetionet(path: Path, nodes: Path | None = None) -> PriorNetwork:
    """Read Hetionet without the edges of drugs, diseases, symptoms and side effects.

    Args:
        path: ``hetionet-v1.0-edges.sif`` or ``hetionet-v1.0.json``, plain or packed.
        nodes: ``hetionet-v1.0-nodes.tsv``; a SIF does not name its nodes, and sets without a
            name are left out.

    Returns:
        Genes by Entrez id. Covariation of evolution and anatomy are left out, and counted.

    Raises:
        InputError: Another file, a malformed edge, or nothing left.
    """
    if _is_json(path):
        return _read_json(path)
    lines = first_lines(path, SIF)
    if tuple(lines[0].split("\t")) != _SIF:
        found = f"the first line is '{lines[0][:60]}' where source, metaedge, target were expected"
        raise InputError(wrong_file(path, SIF, lines, found))
    rows = PriorCollector(NAME, path)
    for block in stream_table(path, SIF, _SIF, _SIF, skip=1):
        edges = pd.DataFrame({name: block[name].to_pylist() for name in _SIF}, dtype=str)
        parts: dict[str, pd.Series[str]] = {}
        for end in ("source", "target"):
            split = edges[end].str.partition("::")
            if (split[1] == "").any():
                odd = edges.loc[split[1] == "", end].iloc[0]
                raise InputError(f"'{path}': the node '{odd[:40]}' is not written as 'Kind::id'")
            parts |= {f"{end}_kind": split[0], end: split[2]}
        rows.add(pd.DataFrame(parts).assign(relation=edges["metaedge"])[list(BLOCK)])
    return rows.finish("entrez", _names(nodes) if nodes else {})


def _names(path: Path) -> dict[str, str]:
    table = read_table(path, NODES, ("id", "name", "kind"), quoted=False)
    keys = table["id"].str.partition("::")[2]
    sets = ~table["kind"].isin(["Gene"])
    return dict(zip(keys[sets].tolist(), table.loc[sets, "name"].tolist(), strict=True))


def _read_json(path: Path) -> PriorNetwork:
    """Read the JSON object by object: nodes before edges, as it is published."""
    names: dict[str, str] = {}
    rows = PriorCollector(NAME, path)
    block: list[tuple[str, ...]] = []
    try:
        for key, entry in _objects(path):
            if key == "nodes" and entry["kind"] != "Gene":
                names[str(entry["identifier"])] = str(entry["name"])
            elif key == "edges":
                (kind, one), (other, two) = entry["source_id"], entry["target_id"]
                relation = str(entry["kind"])
                block.append((str(one), str(kind), relation, str(two), str(other)))
            if len(block) >= _BLOCK:
                rows.add(pd.DataFrame(block, columns=list(BLOCK), dtype=str))
                block.clear()
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"'{path}' is not {JSON}: {type(error).__name__} {str(error)[:60]}; download it again"
        ) from error
    if block:
        rows.add(pd.DataFrame(block, columns=list(BLOCK), dtype=str))
    return rows.finish("entrez", names)


def _is_json(path: Path) -> bool:
    with open_text(path, SIF) as text:
        return bool(text.read(16).lstrip().startswith(b"{"))


def _objects(path: Path) -> Iterator[tuple[str, Any]]:
    """Give the objects of the lists of the outermost object, with the name of the list.

    Only one object is held at a time: the whole file takes many gigabytes as Python objects.
    """
    decode = json.JSONDecoder().raw_decode
    characters = codecs.getincrementaldecoder("utf-8")()
    text, key, begun, inside, done = "", "", False, False, False
    with open_text(path, JSON) as stream:
        while not done:
            data = stream.read(_CHUNK)
            done = not data
            text += characters.decode(data, final=done)
            at = 0
            while True:
                found = _BETWEEN.match(text, at)
                at = found.end() if found else at
                if at == len(text) or (not inside and text[at] == "}"):
                    break
                if not begun or text[at] == ("]" if inside else "["):
                    inside = begun and not inside
                    begun, at = True, at + 1
                    continue
                try:
                    value, after = decode(text, at)
                except ValueError:
                    if done:
                        raise
                    break
                if after == len(text) and not done:
                    break  # a number may go on in the next block
                at = after
                if inside:
                    yield key, value
                else:
                    key = str(value)
            text = text[at:]
    if inside or text.strip(" \r\n\t}"):
        raise ValueError("the file ends in the middle")


def read_hetionet_associations(path: Path) -> pd.DataFrame:
    """Read the disease–gene associations with the licence of each row.

    Returns:
        Columns ``gene`` (symbol), ``entrez``, ``disease``, ``doid``, ``sources`` (joined by
        ``|``), ``licence`` (``unknown`` where none is stated); one row per line.

    Raises:
        InputError: Another file.
    """
    columns = ("gene_symbol", "entrez_gene_id", "doid_name", "doid_id", "sources", "license")
    table = read_table(path, ASSOCIATIONS, columns)
    table.columns = pd.Index(["gene", "entrez", "disease", "doid", "sources", "licence"])
    return table.assign(licence=table["licence"].replace("", "unknown"))
