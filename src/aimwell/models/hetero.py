"""A graph as PyG ``HeteroData``, and back, with nothing lost."""

import warnings
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from aimwell.errors import GraphError
from aimwell.knowledge.description import ENDS, Description, describe_graph, read_description
from aimwell.knowledge.graph import TargetGraph, places_of

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

#: Kinds of numpy values that torch holds as they are: bool, integer, float.
_NUMBERS: Final = "bif"
_MISSING: Final = -1
#: What PyG calls a column.
_NAMES: Final = {"weight": "edge_weight"}


def to_hetero_data(graph: TargetGraph) -> "HeteroData":
    """Convert to PyG: every column of nodes and edges is a tensor with one value a row.

    ``edge_index`` has shape ``(2, e)``; numbers and flags stay what they are, weights float64 as
    ``edge_weight``. A text is its place in ``data.texts["nodes"][type][column]``, or
    ``data.texts["relations"][relation][column]``, and -1 where it is missing; the ids of nodes are
    the column ``id``. So whatever takes a part of nodes or edges takes their facts along.
    Undirected edges are there once: ``torch_geometric.transforms.ToUndirected`` adds the way back.

    Example:
        >>> from aimwell.knowledge.sources.starter import read_starter_graph
        >>> data = to_hetero_data(read_starter_graph())
        >>> data["gene"].num_nodes, data["gene", "interacts", "gene"].edge_index.shape[0]
        (878, 2)
        >>> len(from_hetero_data(data).genes)
        878
    """
    import torch

    data = _empty()
    texts: dict[str, dict[str, dict[str, list[Any]]]] = {"nodes": {}, "relations": {}}
    for kind, table in sorted(graph.nodes.items()):
        data[kind].num_nodes = len(table)
        columns = {"id": table.index.to_series(), **{c: table[c] for c in table.columns}}
        texts["nodes"][kind] = _fill(data[kind], columns)
    for name, relation in sorted(graph.relations.items()):
        edges = relation.edges
        store = data[relation.source_type, name, relation.target_type]
        ends = [
            places_of(edges[end], graph.nodes[kind].index)
            for kind, end in zip((relation.source_type, relation.target_type), ENDS, strict=True)
        ]
        store.edge_index = torch.from_numpy(np.stack(ends))  # (2, e)
        rest = {str(c): edges[c] for c in edges.columns if c not in ENDS}
        texts["relations"][name] = _fill(store, rest)
    data.texts = texts
    data.description = describe_graph(graph)
    return data


def from_hetero_data(data: "HeteroData") -> TargetGraph:
    """Undo ``to_hetero_data``: nodes, edges, their facts, sources and steps.

    Nodes and edges that were left out meanwhile stay away; what was added beside them (features,
    ways back) is left alone.

    Raises:
        GraphError: It was not made by ``to_hetero_data``, or lacks a column.
    """
    facts = read_description(getattr(data, "description", None), "the HeteroData")
    try:
        tables, ids = {}, {}
        for kind, said in facts.nodes.items():
            texts = data.texts["nodes"][kind]
            ids[kind] = _values(data[kind], "id", texts)
            columns = {c: _values(data[kind], c, texts) for c in said["columns"]}
            tables[kind] = facts.node_table(kind, list(ids[kind]), columns)
        relations = {name: _relation(facts, name, data, ids) for name in facts.relations}
    except (KeyError, AttributeError, IndexError) as error:
        raise GraphError(
            f"the HeteroData lacks a part of the graph that it was made from: {error}"
        ) from error
    return TargetGraph(tables, relations, facts.sources, facts.steps)


def _empty() -> "HeteroData":
    with warnings.catch_warnings():
        # torch_geometric compiles a function on import in a way that torch has deprecated
        warnings.filterwarnings("ignore", message=r"`torch\.jit", category=DeprecationWarning)
        from torch_geometric.data import HeteroData
    return HeteroData()


def _relation(facts: Description, name: str, data: "HeteroData", ids: dict[str, Any]) -> Any:
    said = facts.relations[name]
    store = data[said["source_type"], name, said["target_type"]]
    texts = data.texts["relations"][name]
    columns = {c: _values(store, c, texts) for c in said["columns"] if c not in ENDS}
    places = store.edge_index.cpu().numpy()
    columns |= {
        end: ids[said[kind]][places[row]]
        for row, (end, kind) in enumerate(zip(ENDS, ("source_type", "target_type"), strict=True))
    }
    return facts.relation(name, columns)


def _fill(store: Any, columns: "dict[str, pd.Series[Any]]") -> dict[str, list[Any]]:
    """Put columns into a store; return the texts that numbers there stand for."""
    import torch

    texts: dict[str, list[Any]] = {}
    for name, column in columns.items():
        dtype = column.dtype
        if isinstance(dtype, np.dtype) and dtype.kind in _NUMBERS:
            values = column.to_numpy(copy=True)
        else:
            # by their order of appearance: the same rows give the same numbers
            values, found = pd.factorize(column, use_na_sentinel=True)
            texts[name] = found.tolist()
        store[_NAMES.get(name, name)] = torch.from_numpy(np.ascontiguousarray(values))
    return texts


def _values(store: Any, name: str, texts: dict[str, list[Any]]) -> Any:
    """Take a column out of a store, texts as texts."""
    values = store[_NAMES.get(name, name)].cpu().numpy()
    if name not in texts:
        return values
    # the last place is that of missing values, which are -1
    known = np.array([*texts[name], None], dtype=object)
    return known[values]
