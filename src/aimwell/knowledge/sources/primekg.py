"""PrimeKG and OptimusKG: genes and their sets as a prior, without drugs and diseases (CC BY)."""

import json
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds

from aimwell.errors import InputError, some
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.parquet import read_parquet_columns
from aimwell.knowledge.prior_network import BLOCK, PriorCollector, PriorNetwork
from aimwell.knowledge.streams import first_lines, stream_table

NAME: Final = "PrimeKG"
OPTIMUS: Final = "OptimusKG"
KG: Final = "PrimeKG's kg.csv"
EDGES: Final = "OptimusKG's edges"
NODES: Final = "OptimusKG's nodes"
_COLUMNS: Final = (
    "relation",
    *("x_id", "x_type", "x_name", "x_source"),
    *("y_id", "y_type", "y_name", "y_source"),
)
_BATCH: Final = 500_000


def read_primekg(path: Path) -> PriorNetwork:
    """Read ``kg.csv`` without the edges of drugs, diseases, phenotypes and exposures.

    Every edge is listed both ways; both are read, and are one edge in the graph. Genes are
    Entrez ids; GO terms get their seven digits back.

    Raises:
        InputError: Another file, a malformed row, or nothing left.
    """
    lines = first_lines(path, KG)
    header = [name.strip('"') for name in lines[0].split(",")]
    if missing := [c for c in _COLUMNS if c not in header]:
        found = f"it lacks the columns {some(missing, 4)}"
        raise InputError(wrong_file(path, KG, lines, found))
    rows = PriorCollector(NAME, path)
    names: dict[str, str] = {}
    blocks = stream_table(path, KG, header, _COLUMNS, skip=1, separator=",", quoted=True)
    for block in blocks:
        edges = pd.DataFrame({name: block[name].to_pylist() for name in _COLUMNS}, dtype=str)
        for end in ("x", "y"):
            go = edges[f"{end}_source"] == "GO"
            digits = "GO:" + edges[f"{end}_id"].str.zfill(7)
            edges[f"{end}_id"] = edges[f"{end}_id"].where(~go, digits)
            others = edges[edges[f"{end}_type"] != "gene/protein"]
            names |= dict(zip(others[f"{end}_id"], others[f"{end}_name"], strict=True))
        edges.columns = pd.Index([_RENAMED.get(c, c) for c in edges.columns])
        rows.add(edges[list(BLOCK)])
    return rows.finish("entrez", names)


_RENAMED: Final = {
    "x_id": "source",
    "x_type": "source_kind",
    "y_id": "target",
    "y_type": "target_kind",
}


def read_optimuskg(edges: Path, nodes: Path) -> PriorNetwork:
    """Read OptimusKG's Parquet tables without the edges of drugs, diseases and phenotypes.

    Args:
        edges: ``edges.parquet``: ``from``, ``to``, ``relation``.
        nodes: ``nodes.parquet``: ``id``, ``label`` (``GEN``, ``DIS``, ``DRG`` …) and
            ``properties``, a JSON text with the name.

    Raises:
        InputError: Another data set, an edge to a node that is not listed, or nothing left.
    """
    extra = ("properties",)
    listed = read_parquet_columns(nodes, NODES, ("id", "label"), optional=extra, nested=extra)
    kind = dict(zip(listed["id"].astype(str), listed["label"].astype(str), strict=True))
    names = {}
    if "properties" in listed:
        sets = listed[~listed["label"].isin(["GEN", "DRG", "DIS", "PHE"])]
        for key, text in zip(sets["id"].astype(str), sets["properties"], strict=True):
            if name := _name(text):
                names[key] = name
    read_parquet_columns(edges, EDGES, ("from", "to", "relation"))
    rows = PriorCollector(OPTIMUS, edges)
    parts = sorted(edges.rglob("*.parquet")) if edges.is_dir() else [edges]
    found = ds.dataset([str(part) for part in parts], format="parquet")
    columns = ["from", "to", "relation"]
    for batch in found.to_batches(columns=columns, batch_size=_BATCH, use_threads=False):
        block = pa.Table.from_batches([batch]).replace_schema_metadata(None).to_pandas().astype(str)
        block.columns = pd.Index(["source", "target", "relation"])
        for end in ("source", "target"):
            block[f"{end}_kind"] = block[end].map(kind)
            lost = block[f"{end}_kind"].isna()
            if lost.any():
                raise InputError(
                    f"'{edges}' names {int(lost.sum())} nodes that '{nodes}' does not list: "
                    f"{some(sorted(set(block.loc[lost, end])))}; are they of one release?"
                )
        rows.add(block[list(BLOCK)])
    return rows.finish("mixed", names)


def _name(text: object) -> str:
    """Read the name from a node's properties."""
    if isinstance(text, str) and text:
        try:
            text = json.loads(text)
        except (ValueError, RecursionError):
            return ""
    if not isinstance(text, dict):
        return ""
    return str(next((text[key] for key in ("name", "label", "symbol") if text.get(key)), ""))
