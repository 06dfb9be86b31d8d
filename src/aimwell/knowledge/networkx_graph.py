"""A graph as a NetworkX graph, and back, with nothing lost."""

from collections.abc import Iterator
from typing import Any, Final

import networkx as nx
import pandas as pd

from aimwell.errors import GraphError, some
from aimwell.knowledge.description import ENDS, describe_graph, read_description
from aimwell.knowledge.graph import TargetGraph

#: Attribute of the NetworkX graph that holds its description.
DESCRIPTION: Final = "aimwell"
#: Attributes of nodes and edges that columns must not be called.
_NODE: Final = ("type", "id")
_EDGE: Final = ("directed", "key")


def to_networkx(graph: TargetGraph) -> "nx.MultiDiGraph[str]":
    """Convert to NetworkX: node attributes ``type``, ``id`` and its columns, an edge per relation.

    A node is called by its id, or ``type:id`` where nodes of two types share one. The key of an
    edge is its relation; an undirected edge is stored once, from the smaller to the larger id, with
    ``directed=False``. ``from_networkx`` gives the same graph back, also after a way through
    GraphML.

    Raises:
        GraphError: A column has the name of an attribute, or two nodes would share a name.

    Example:
        >>> from aimwell.knowledge.sources.starter import read_starter_graph
        >>> network = to_networkx(read_starter_graph())
        >>> network.nodes["HGNC:76"]["symbol"]
        'ABL1'
        >>> from_networkx(network).symbols["HGNC:76"]
        'ABL1'
    """
    names = _names(graph)
    network: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    network.graph[DESCRIPTION] = describe_graph(graph)
    for kind, table in sorted(graph.nodes.items()):
        _refuse(table, _NODE, f"{kind} nodes")
        for key, record in _records(table):
            network.add_node(names[kind].get(key, key), type=kind, id=key, **record)
    for name, relation in sorted(graph.relations.items()):
        facts = relation.edges.drop(columns=list(ENDS))
        _refuse(facts, _EDGE, f"relation '{name}'")
        of_source, of_target = names[relation.source_type], names[relation.target_type]
        ends = zip(relation.edges["source_id"], relation.edges["target_id"], strict=True)
        for (source, target), (_, fact) in zip(ends, _records(facts), strict=True):
            one, two = of_source.get(source, source), of_target.get(target, target)
            network.add_edge(one, two, name, directed=relation.directed, **fact)
    return network


def from_networkx(network: "nx.MultiDiGraph[str]") -> TargetGraph:
    """Undo ``to_networkx``: nodes, edges, their attributes, sources and steps.

    Nodes and edges that were removed meanwhile stay away.

    Raises:
        GraphError: It was not made by ``to_networkx``, or nodes or edges were added that lack what
            a graph needs.
    """
    facts = read_description(network.graph.get(DESCRIPTION), "the NetworkX graph")
    nodes: dict[str, list[dict[str, Any]]] = {kind: [] for kind in facts.nodes}
    edges: dict[str, list[dict[str, Any]]] = {name: [] for name in facts.relations}
    try:
        for _, record in network.nodes(data=True):
            nodes[record["type"]].append(record)
        ids = {key: record["id"] for key, record in network.nodes(data=True)}
        for source, target, relation, record in network.edges(keys=True, data=True):
            edges[relation].append({**record, "source_id": ids[source], "target_id": ids[target]})
        tables = {
            kind: facts.node_table(
                kind,
                [row["id"] for row in rows],
                {c: [row[c] for row in rows] for c in facts.nodes[kind]["columns"]},
            )
            for kind, rows in nodes.items()
        }
        relations = {
            name: facts.relation(
                name, {c: [row[c] for row in rows] for c in facts.relations[name]["columns"]}
            )
            for name, rows in edges.items()
        }
    except KeyError as error:
        raise GraphError(
            f"the NetworkX graph has a node or an edge without {error}; give it what the others "
            "have, or remove it"
        ) from error
    return TargetGraph(tables, relations, facts.sources, facts.steps)


def _names(graph: TargetGraph) -> dict[str, dict[str, str]]:
    """Name the nodes of each type whose id nodes of another type have too."""
    seen: dict[str, int] = {}
    for table in graph.nodes.values():
        for key in table.index:
            seen[key] = seen.get(key, 0) + 1
    names = {
        kind: {key: f"{kind}:{key}" for key in table.index if seen[key] > 1}
        for kind, table in graph.nodes.items()
    }
    made = [name for found in names.values() for name in found.values()]
    if clash := [name for name in made if name in seen]:
        raise GraphError(f"nodes of two types would both be called {some(clash)}; rename one")
    return names


def _refuse(table: pd.DataFrame, taken: tuple[str, ...], where: str) -> None:
    if clash := [c for c in table.columns if c in taken]:
        raise GraphError(f"{where} have a column {some(clash)}, which NetworkX needs; rename it")


def _records(table: pd.DataFrame) -> Iterator[tuple[str, dict[str, Any]]]:
    names = [str(c) for c in table.columns]
    columns = [table[c].tolist() for c in names]
    for key, *row in zip(table.index.tolist(), *columns, strict=True):
        yield str(key), dict(zip(names, row, strict=True))
