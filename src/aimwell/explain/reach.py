"""What two layers read to score one gene: entries of layer 2 and arcs of layer 1.

Nothing here depends on a network, so one target is cut out once for all networks and baselines.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import scipy.sparse as sp

from aimwell.explain.background import Background
from aimwell.models.propagate import SparseOperator
from aimwell.models.wiring import Wiring


@dataclass(frozen=True)
class Arcs:
    """Rows of an operator, arc by arc.

    Attributes:
        start: Where each row begins among the arcs, shape ``(rows + 1,)``.
        source: Gene or set that each arc reads, shape ``(e,)``.
        position: Place of each arc in the operator.
        weight: Float64.
        n_sources: Number of genes or sets.
    """

    start: np.ndarray
    source: np.ndarray
    position: np.ndarray
    weight: np.ndarray
    n_sources: int

    @cached_property
    def matrix(self) -> sp.csr_matrix:
        """The same as a matrix, ``rows × n_sources``."""
        shape = (len(self.start) - 1, self.n_sources)
        return sp.csr_matrix((self.weight, self.source, self.start), shape=shape)

    @cached_property
    def row(self) -> np.ndarray:
        """Row of every arc."""
        return np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))


class Plain:
    """An operator as plain arrays, float64, for cutting many times."""

    def __init__(self, operator: SparseOperator) -> None:
        # half the width is half the time of a cut, and no graph comes near two billion arcs
        self.start = operator.row_start.numpy().astype(np.int32)
        self.source = operator.column.numpy().astype(np.int32)
        self.weight = operator.weight.double().numpy()
        self.shape = operator.shape

    def rows(self, rows: np.ndarray) -> Arcs:
        """Cut out some rows, in their order."""
        begin = self.start[rows]
        length = self.start[rows + 1] - begin
        start = np.zeros(len(rows) + 1, dtype=np.int32)
        np.cumsum(length, out=start[1:])
        position = np.arange(start[-1], dtype=np.int32)
        position += np.repeat(begin - start[:-1], length)
        source, weight = np.take(self.source, position), np.take(self.weight, position)
        return Arcs(start, source, position, weight, self.shape[1])

    def matrix(self) -> sp.csr_matrix:
        """Give all of it."""
        return sp.csr_matrix((self.weight, self.source, self.start), shape=self.shape)


@dataclass(frozen=True)
class Entry:
    """How layer 2 reads genes through one channel.

    Attributes:
        channel: Number of the channel among all.
        order: Edges on the way: 1 for a direct channel, 2 through sets, 0 for the background.
        genes: Places in ``Reach.genes``.
        weight: Of every gene, shape of ``genes``.
    """

    channel: int
    order: int
    genes: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Reach:
    """The exact message-flow graph of one target.

    Attributes:
        target: Position of the gene.
        genes: Positions of the genes that layer 2 reads, the target too, sorted; ``m`` of them.
        place: Of the target in ``genes``.
        entries: What layer 2 reads.
        sets: Sets of the target, sorted.
        own_direct, own_out, own_into: Arcs of layer 2: into the target, out of its sets (one row
            per set channel), into its sets.
        direct: Arcs of layer 1: rows are channel by channel the ``genes``.
        out, into: The same through sets; the rows of ``into`` are ``outer_sets``.
        outer_sets: Sets of any of the ``genes``.
        near: The same without a background, to which every gene adds; None where there is none.
    """

    target: int
    genes: np.ndarray
    place: int
    entries: tuple[Entry, ...]
    sets: np.ndarray
    own_direct: Arcs
    own_out: Arcs
    own_into: Arcs
    direct: Arcs
    out: Arcs
    into: Arcs
    outer_sets: np.ndarray
    near: "Reach | None" = None


class Reaches:
    """Cuts targets out of one graph."""

    def __init__(self, wiring: Wiring) -> None:
        self.n = wiring.direct.shape[1]
        self.n_direct = wiring.n_direct
        self.n_set = len(wiring.channels) - wiring.n_direct
        self.direct, self.into, self.out = (Plain(o) for o in wiring.operators)
        self.background = Background(wiring) if wiring.degree_corrected else None

    def of(self, target: int) -> Reach:
        """Cut out what is read for the gene at position ``target``."""
        at = np.array([target])
        direct = self.direct.rows(self._rows(at, self.n_direct))
        out = self.out.rows(self._rows(at, self.n_set))
        sets = np.unique(out.source)
        into = self.into.rows(sets)
        genes = distinct(self.n, at, direct.source, into.source)
        inner_direct = self.direct.rows(self._rows(genes, self.n_direct))
        inner_out = self.out.rows(self._rows(genes, self.n_set))
        outer = distinct(self.out.shape[1], inner_out.source)
        found = Reach(
            target=target,
            genes=genes,
            place=int(np.searchsorted(genes, target)),
            entries=tuple(self._entries(genes, direct, out, into, sets)),
            sets=sets,
            own_direct=direct,
            own_out=out,
            own_into=into,
            direct=inner_direct,
            out=inner_out,
            into=self.into.rows(outer),
            outer_sets=outer,
        )
        heard = self.background is not None and self.background.row[:, target].any()
        return self._with_background(found) if heard else found

    def _with_background(self, near: Reach) -> Reach:
        """Read every gene, as a target does that hears the background; arcs are cut out once."""
        assert self.background is not None
        genes, direct, out, into, outer = self._whole
        entries = [replace(e, genes=near.genes[e.genes]) for e in near.entries]
        for channel in np.flatnonzero(self.background.row[:, near.target]):
            weight = self.background.of(int(channel), near.target)
            entries.append(Entry(int(channel), 0, genes, weight))
        return replace(
            near,
            genes=genes,
            place=near.target,
            entries=tuple(entries),
            direct=direct,
            out=out,
            into=into,
            outer_sets=outer,
            near=near,
        )

    @cached_property
    def _whole(self) -> tuple[np.ndarray, Arcs, Arcs, Arcs, np.ndarray]:
        genes = np.arange(self.n)
        direct = self.direct.rows(self._rows(genes, self.n_direct))
        out = self.out.rows(self._rows(genes, self.n_set))
        outer = distinct(self.out.shape[1], out.source)
        return genes, direct, out, self.into.rows(outer), outer

    def _entries(
        self, genes: np.ndarray, direct: Arcs, out: Arcs, into: Arcs, sets: np.ndarray
    ) -> Iterator[Entry]:
        for channel in range(self.n_direct):
            part = slice(direct.start[channel], direct.start[channel + 1])
            if part.stop > part.start:
                place = np.searchsorted(genes, direct.source[part])
                yield Entry(channel, 1, place, direct.weight[part])
        member = np.searchsorted(genes, into.source)
        for channel in range(self.n_set):
            part = slice(out.start[channel], out.start[channel + 1])
            if part.stop > part.start:
                leaving = np.zeros(len(sets))
                leaving[np.searchsorted(sets, out.source[part])] = out.weight[part]
                reach = np.bincount(
                    member, weights=leaving[into.row] * into.weight, minlength=len(genes)
                )
                found = np.flatnonzero(reach)
                yield Entry(self.n_direct + channel, 2, found, reach[found])

    def _rows(self, places: np.ndarray, channels: int) -> np.ndarray:
        """Rows of ``places`` in every one of the stacked channels."""
        rows: np.ndarray = (np.arange(channels)[:, None] * self.n + places[None, :]).ravel()
        return rows


def distinct(n: int, *positions: np.ndarray) -> np.ndarray:
    """Give distinct positions below ``n``, sorted; a mask is faster than a sort of many arcs."""
    seen = np.zeros(n, dtype=bool)
    for some in positions:
        seen[some] = True
    return np.flatnonzero(seen)
