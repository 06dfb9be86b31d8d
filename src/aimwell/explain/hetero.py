"""Exact integrated gradients for any PyTorch Geometric model on ``HeteroData``.

Needs nothing of the rest of aimwell: a model, a graph and a node. Every edge gets a weight of one,
the path runs from no features and no edges to the graph as it is, and only the part of the graph
that the layers of the model read is computed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from aimwell.errors import TaskError, some

if TYPE_CHECKING:
    from torch_geometric.data import HeteroData

EdgeType = tuple[str, str, str]
STEPS: Final = 50


@dataclass(frozen=True)
class HeteroAttribution:
    """What every feature and every edge of a heterogeneous graph contributes to one output.

    Attributes:
        score, baseline_score: Output on the graph and on the baseline.
        features: Node type → attributions, shape of ``x``; exactly zero outside the part that is
            read.
        edges: Edge type → attributions, shape ``(e,)``.
    """

    score: float
    baseline_score: float
    features: dict[str, Tensor]
    edges: dict[EdgeType, Tensor]

    @property
    def completeness_error(self) -> float:
        """|sum of attributions - (score - baseline score)|."""
        total = sum(float(v.sum()) for v in (*self.features.values(), *self.edges.values()))
        return abs(total - (self.score - self.baseline_score))


def explain_hetero(  # noqa: PLR0913  one for each part of the question
    model: nn.Module,
    data: "HeteroData",
    target: tuple[str, int],
    *,
    layers: int,
    output: int = 0,
    steps: int = STEPS,
    weights: str = "edge_weight_dict",
    baseline: Mapping[str, Tensor] | None = None,
) -> HeteroAttribution:
    """Attribute one output of a heterogeneous model to features and edges.

    Args:
        model: Called as ``model(x_dict, edge_index_dict, edge_weight_dict)``; gives an output per
            node, a dictionary of them by node type, or the output of the target's type alone.
        data: ``x`` for every node type and, where edges have weights, ``edge_weight``.
        target: Node type and number of the node.
        layers: Message-passing layers of the model; the graph is cut to what they read.
        output: Column of the output.
        steps: Steps of the midpoint rule.
        weights: Name of the argument that takes the weights.
        baseline: Features at the beginning of the path by node type; zeros if not given.

    Raises:
        TaskError: A node that is not there, a node type without features, or a model in which the
            weights of no edge have any effect (as with HGTConv and HANConv, which ignore them).
    """
    kind, node = target
    _check(data, kind, node)
    nodes, edges = _receptive(data, kind, node, layers)
    place = int((nodes[kind] == node).nonzero())
    x = {t: data[t].x[kept].detach() for t, kept in nodes.items()}
    index = {t: _relabel(data[t].edge_index[:, kept], t, nodes) for t, kept in edges.items()}
    weight = {
        t: _weights(data, t, kept).to(next(iter(x.values())).dtype) for t, kept in edges.items()
    }
    start = {
        t: baseline[t][nodes[t]] if baseline and t in baseline else 0 * v for t, v in x.items()
    }
    names = (list(x), list(weight))
    was_training = model.training
    model.eval()

    def score(*parts: Tensor) -> Tensor:
        rows = []
        for one in zip(*parts, strict=True):
            features = dict(zip(names[0], one[: len(names[0])], strict=True))
            given = dict(zip(names[1], one[len(names[0]) :], strict=True))
            out = model(features, index, **{weights: given})
            out = out[kind] if isinstance(out, Mapping) else out
            value = out[place].reshape(-1)[output]
            # an input without influence must still be part of the graph of computation
            rows.append(value + 0 * sum(t.sum() for t in one))
        return torch.stack(rows)

    ends = tuple(v[None] for v in (*x.values(), *weight.values()))
    begin = tuple(v[None] for v in (*start.values(), *(0 * w for w in weight.values())))
    try:
        found = IntegratedGradients(score).attribute(
            ends, begin, n_steps=steps, method="riemann_middle", internal_batch_size=1
        )
        with torch.no_grad():
            last, first = float(score(*ends)), float(score(*begin))
    finally:
        model.train(was_training)
    features = {
        t: _spread(v[0].detach(), nodes[t], data[t].x)
        for t, v in zip(names[0], found, strict=False)
    }
    values = found[len(names[0]) :]
    arcs = {}
    for t, v in zip(names[1], values, strict=True):
        whole = torch.zeros(data[t].edge_index.shape[1], dtype=v.dtype)
        whole[edges[t]] = v[0].detach()
        arcs[t] = whole
    if any(len(e) for e in edges.values()) and not any(bool(v.any()) for v in arcs.values()):
        raise TaskError(
            "no edge weight has any effect on the output: the model ignores edge_weight (as "
            "HGTConv and HANConv do), or takes it under another name; set weights to that name"
        )
    return HeteroAttribution(last, first, features, arcs)


def _check(data: "HeteroData", kind: str, node: int) -> None:
    if kind not in data.node_types:
        raise TaskError(
            f"there are no nodes of type '{kind}'; there are {some(data.node_types, 9)}"
        )
    bare = [t for t in data.node_types if "x" not in data[t]]
    if bare:
        raise TaskError(
            f"nodes of type {some(bare)} have no features 'x'; give them some, such as ones"
        )
    if not 0 <= node < data[kind].num_nodes:
        raise TaskError(f"there is no '{kind}' number {node}; there are {data[kind].num_nodes}")
    for t in data.node_types:
        if not bool(torch.isfinite(data[t].x).all()):
            raise TaskError(f"features of '{t}' hold values that are not finite numbers")


def _receptive(
    data: "HeteroData", kind: str, node: int, layers: int
) -> tuple[dict[str, Tensor], dict[EdgeType, Tensor]]:
    """Walk back from the target: nodes of every type and edges of every type that are read."""
    reached = {t: torch.zeros(data[t].num_nodes, dtype=torch.bool) for t in data.node_types}
    reached[kind][node] = True
    read = {t: torch.zeros(data[t].edge_index.shape[1], dtype=torch.bool) for t in data.edge_types}
    for _ in range(layers):
        before = {t: mask.clone() for t, mask in reached.items()}
        for edge_type in data.edge_types:
            source, _, to = edge_type
            index = data[edge_type].edge_index
            arriving = before[to][index[1]]
            read[edge_type] |= arriving
            reached[source][index[0][arriving]] = True
    nodes = {t: mask.nonzero().squeeze(1) for t, mask in reached.items()}
    return nodes, {t: mask.nonzero().squeeze(1) for t, mask in read.items()}


def _relabel(index: Tensor, edge_type: Any, nodes: Mapping[str, Tensor]) -> Tensor:
    source, _, to = edge_type
    return torch.stack(
        [
            torch.searchsorted(nodes[t], end.contiguous())
            for t, end in zip((source, to), index, strict=True)
        ]
    )


def _weights(data: "HeteroData", edge_type: Any, kept: Tensor) -> Tensor:
    given = data[edge_type].get("edge_weight")
    return torch.ones(len(kept)) if given is None else given[kept].detach()


def _spread(values: Tensor, kept: Tensor, like: Tensor) -> Tensor:
    whole = torch.zeros_like(like)
    whole[kept] = values
    return whole
