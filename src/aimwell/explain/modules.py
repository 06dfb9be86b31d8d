"""What several targets share, and what tells two apart."""

from collections.abc import Sequence

import networkx as nx
import pandas as pd

from aimwell.explain.explanation import Explanation


def shared_modules(explanations: Sequence[Explanation], *, least: int = 2) -> pd.DataFrame:
    """Find the parts of the graph that the subgraphs of several targets have in common.

    An edge is shared if it is in the first subgraphs of at least ``least`` targets; edges that hang
    together are one module.

    Args:
        explanations: Of the targets.
        least: Smallest number of targets per edge.

    Returns:
        One row per module, the one with most targets first: ``nodes`` and ``targets`` (ids, joined
        by ``|``), ``n_nodes``, ``n_targets``, and ``attribution``, the sum over its edges and
        targets.
    """
    columns = ["source_id", "target_id", "relation"]
    parts = [
        e.subgraph_edges[[*columns, "attribution"]].assign(target=e.gene)
        for e in explanations
        if len(e.subgraph_edges)
    ]
    names = ["nodes", "targets", "n_nodes", "n_targets", "attribution"]
    if not parts:
        return pd.DataFrame(columns=names)
    every = pd.concat(parts, ignore_index=True)
    count = every.groupby(columns)["target"].transform("nunique")
    shared = every[count >= least]
    graph: nx.Graph[str] = nx.Graph(shared[["source_id", "target_id"]].itertuples(index=False))
    rows = []
    for nodes in nx.connected_components(graph):
        inside = shared[shared["source_id"].isin(nodes)]
        targets = sorted(inside["target"].unique())
        total = float(inside["attribution"].sum())
        rows.append(("|".join(sorted(nodes)), "|".join(targets), len(nodes), len(targets), total))
    found = pd.DataFrame(rows, columns=names)
    return found.sort_values(
        ["n_targets", "n_nodes", "nodes"], ascending=[False, False, True]
    ).reset_index(drop=True)


def compare_targets(one: Explanation, other: Explanation) -> pd.DataFrame:
    """Say what tells two targets apart: shares, and the nodes of their subgraphs.

    Returns:
        Columns ``what`` (``share`` or ``node``), ``name``, the values of both under their symbols,
        and ``difference``, the first less the second; largest differences first within ``what``.
        Nodes are those of either subgraph, with what they are worth to each of the two.
    """
    rows = [
        ("share", name, one.shares.get(name, 0.0), other.shares.get(name, 0.0))
        for name in dict.fromkeys([*one.shares, *other.shares])
    ]
    worth = [e.nodes["attribution"] for e in (one, other)]
    symbols = pd.concat([e.nodes["symbol"] for e in (one, other)])
    symbols = symbols[~symbols.index.duplicated()]
    for node in dict.fromkeys([*one.subgraph_nodes, *other.subgraph_nodes]):
        here, there = (float(w.get(node, 0.0)) for w in worth)
        rows.append(("node", str(symbols.get(node, node)), here, there))
    first, second = one.symbol, other.symbol
    if first == second:  # the same target of two runs
        first, second = f"{first} (first)", f"{second} (second)"
    found = pd.DataFrame(rows, columns=["what", "name", first, second])
    found["difference"] = found[first] - found[second]
    order = found.assign(size=found["difference"].abs(), kind=found["what"].eq("node"))
    order = order.sort_values(["kind", "size"], ascending=[True, False], kind="stable")
    return found.loc[order.index].reset_index(drop=True)
