"""The exact part of the graph that one target's score depends on.

Two layers read the arcs into the target and the arcs into their sources, and nothing else (three
read one step further). The
induced two-hop subgraph is many times larger and holds arcs that no message travels.
"""

from dataclasses import dataclass

import numpy as np

from aimwell.models.propagate import SparseOperator, build_operator, take_rows
from aimwell.models.wiring import Wiring


@dataclass(frozen=True)
class ReceptiveField:
    """A cut-out of the graph on which the target has exactly the score of the whole graph.

    Attributes:
        target: Position of the target in ``genes``.
        genes: Global positions of the genes that are read, sorted, ``m`` of them.
        sets: Global positions of the sets that are read, sorted.
        operators: Direct, into sets, out of sets, on local positions.
        arcs: For each operator, the global positions of its arcs.
    """

    target: int
    genes: np.ndarray
    sets: np.ndarray
    operators: tuple[SparseOperator, SparseOperator, SparseOperator]
    arcs: tuple[np.ndarray, np.ndarray, np.ndarray]


def receptive_field(wiring: Wiring, target: int, layers: int = 2) -> ReceptiveField:
    """Cut out what some layers read to score ``target``.

    Args:
        wiring: All channels of the graph.
        target: Global position of the gene.
        layers: Message-passing layers of the network.

    Returns:
        Genes, sets and arcs, re-numbered; arcs keep their weights. All of the graph with degree
        correction, whose background every gene adds to.
    """
    if wiring.degree_corrected:
        return _everything(wiring, target)
    n = wiring.direct.shape[1]
    n_set_channels = len(wiring.channels) - wiring.n_direct
    inner = np.array([target])
    own_sets = np.zeros(0, dtype=np.int64)
    for _ in range(layers - 1):
        _, beside = take_rows(wiring.direct, _rows(inner, n, wiring.n_direct))
        _, own_sets = take_rows(wiring.out_of_sets, _rows(inner, n, n_set_channels))
        _, fellows = take_rows(wiring.into_sets, own_sets)
        inner = np.unique(np.concatenate([inner, beside, fellows]))
    direct, outer = take_rows(wiring.direct, _rows(inner, n, wiring.n_direct))
    out, sets = take_rows(wiring.out_of_sets, _rows(inner, n, n_set_channels))
    sets = np.union1d(sets, own_sets)
    into, members = take_rows(wiring.into_sets, sets)
    genes = np.unique(np.concatenate([inner, outer, members]))
    m, place = len(genes), np.searchsorted(genes, inner)
    parts = (
        (wiring.direct, direct, _rows(place, m, wiring.n_direct), genes, wiring.n_direct * m),
        (wiring.into_sets, into, np.arange(len(sets)), genes, len(sets)),
        (wiring.out_of_sets, out, _rows(place, m, n_set_channels), sets, n_set_channels * m),
    )
    operators, arcs = [], []
    for whole, cut, rows, sources, height in parts:
        coordinates = cut.tocoo()
        position = coordinates.data
        local = build_operator(
            rows[coordinates.row],
            np.searchsorted(sources, coordinates.col),
            whole.weight.numpy()[position],
            (height, len(sources)),
            position,
        )
        operators.append(local)
        arcs.append(local.edge)
    return ReceptiveField(
        target=int(np.searchsorted(genes, target)),
        genes=genes,
        sets=sets,
        operators=(operators[0], operators[1], operators[2]),
        arcs=(arcs[0], arcs[1], arcs[2]),
    )


def _everything(wiring: Wiring, target: int) -> ReceptiveField:
    direct, into, out = wiring.operators
    genes, sets = np.arange(direct.shape[1]), np.arange(into.shape[0])
    at_direct, at_into, at_out = (np.arange(len(o.weight)) for o in wiring.operators)
    return ReceptiveField(target, genes, sets, (direct, into, out), (at_direct, at_into, at_out))


def _rows(places: np.ndarray, n: int, channels: int) -> np.ndarray:
    """Rows of ``places`` in every one of the stacked channels."""
    rows: np.ndarray = (np.arange(channels)[:, None] * n + places[None, :]).ravel()
    return rows
