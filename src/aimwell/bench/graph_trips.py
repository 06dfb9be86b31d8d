"""Bars of round trips: a graph to PyG and back, to NetworkX and back, and what is lost."""

import time
import warnings
from collections.abc import Iterator

import pandas as pd

from aimwell.bench.bars import Bar, bar
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.networkx_graph import from_networkx, to_networkx
from aimwell.models.hetero import from_hetero_data, to_hetero_data


def trip_bars(graph: TargetGraph, what: str) -> Iterator[Bar]:
    """Convert a graph there and back; count tables and facts that are not what they were."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of packages on their import
        for name, there, back in (
            ("HeteroData", to_hetero_data, from_hetero_data),
            ("NetworkX", to_networkx, from_networkx),
        ):
            begun = time.process_time()
            found = back(there(graph))
            seconds = time.process_time() - begun
            lost = differences(graph, found)
            yield bar(f"{what} → {name} → graph: tables that differ", lost, "tables", "== 0")
            yield bar(f"{what} → {name} → graph: processor time", seconds, "s")


def differences(one: TargetGraph, two: TargetGraph) -> int:
    """Count tables and facts in which two graphs differ, whatever the order of rows.

    Example:
        >>> from aimwell.knowledge.sources.starter import read_starter_graph
        >>> differences(read_starter_graph(), read_starter_graph())
        0
    """
    lost = int(one.sources != two.sources) + int(one.steps != two.steps)
    for kind in {*one.nodes, *two.nodes}:
        tables = [graph.nodes.get(kind, pd.DataFrame()).sort_index() for graph in (one, two)]
        lost += int(not tables[0].equals(tables[1]))
    for name in {*one.relations, *two.relations}:
        relations = [graph.relations.get(name) for graph in (one, two)]
        if relations[0] is None or relations[1] is None:
            lost += 1
            continue
        ends = ["source_id", "target_id"]
        edges = [r.edges.sort_values(ends, ignore_index=True) for r in relations if r]
        facts = [(r.source_type, r.target_type, r.directed) for r in relations if r]
        lost += int(facts[0] != facts[1] or not edges[0].equals(edges[1]))
    return lost
