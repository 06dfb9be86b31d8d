"""What a graph needs besides its rows: schema, sources and steps, to come back from other forms."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from aimwell.errors import GraphError
from aimwell.knowledge.graph import Relation, TargetGraph
from aimwell.provenance import Source, Step, to_plain

ENDS: Final = ("source_id", "target_id")


@dataclass(frozen=True)
class Description:
    """Everything about a graph that is no row of it.

    Attributes:
        nodes: Node type → ``id`` (dtype), ``called`` (name of the index) and ``columns``.
        relations: Relation → ``source_type``, ``target_type``, ``directed`` and ``columns``.
        sources: As in the graph.
        steps: As in the graph.
    """

    nodes: Mapping[str, Mapping[str, Any]]
    relations: Mapping[str, Mapping[str, Any]]
    sources: tuple[Source, ...]
    steps: tuple[Step, ...]

    def node_table(self, kind: str, ids: list[Any], columns: Mapping[str, Any]) -> pd.DataFrame:
        """Make the table of a node type of its ids and columns."""
        facts = self.nodes[kind]
        index = pd.Index(ids, dtype=facts["id"], name=facts["called"])
        table = pd.DataFrame({c: columns[c] for c in facts["columns"]}, index=index)
        return _typed(table, facts["columns"])

    def relation(self, name: str, columns: Mapping[str, Any]) -> Relation:
        """Make a relation of the columns of its edges, sorted by ids."""
        facts = self.relations[name]
        edges = _typed(pd.DataFrame({c: columns[c] for c in facts["columns"]}), facts["columns"])
        edges = edges.sort_values(list(ENDS), ignore_index=True)
        return Relation(
            name, facts["source_type"], facts["target_type"], edges, bool(facts["directed"])
        )


def describe_graph(graph: TargetGraph) -> str:
    """Give the description of a graph as JSON text, which any format of graphs can carry."""
    facts = {
        "nodes": {
            kind: {
                "id": str(table.index.dtype),
                "called": table.index.name,
                "columns": _dtypes(table),
            }
            for kind, table in graph.nodes.items()
        },
        "relations": {
            name: {
                "source_type": r.source_type,
                "target_type": r.target_type,
                "directed": r.directed,
                "columns": _dtypes(r.edges),
            }
            for name, r in graph.relations.items()
        },
        "sources": to_plain(graph.sources),
        "steps": to_plain(graph.steps),
    }
    return json.dumps(facts, ensure_ascii=False)


def read_description(text: object, where: str) -> Description:
    """Read back what ``describe_graph`` wrote.

    Raises:
        GraphError: There is none, or it is damaged.
    """
    if not isinstance(text, str):
        raise GraphError(f"{where} was not made from an aimwell graph: it has no description of it")
    try:
        facts = json.loads(text)
        steps = tuple(Step(**{**s, "examples": tuple(s["examples"])}) for s in facts["steps"])
        sources = tuple(Source(**s) for s in facts["sources"])
        return Description(facts["nodes"], facts["relations"], sources, steps)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise GraphError(f"the description of {where} is damaged ({error!r})") from error


def _dtypes(table: pd.DataFrame) -> dict[str, str]:
    return {str(c): str(table[c].dtype) for c in table.columns}


def _typed(table: pd.DataFrame, dtypes: Mapping[str, str]) -> pd.DataFrame:
    # a column without rows, or of missing values only, does not know its own kind
    return table.astype({c: t for c, t in dtypes.items() if str(table[c].dtype) != t})
