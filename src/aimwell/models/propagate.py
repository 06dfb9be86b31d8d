"""Sparse products with an explicit gradient to every edge weight.

Autograd through the values of a sparse tensor re-sorts the matrix at every call and is ten to a
hundred times slower than the three products written out here: forward ``A @ x``, gradient to
``x`` with the cached transpose, gradient to the weights as a sampled dense-dense product. Nothing
of size edges × hidden is ever made.
"""

import functools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from aimwell.models.expected import Expected

#: Columns from which torch's own product beats MKL's: 24 against 45 ms at 2M arcs and 64 columns,
#: 17 against 13 ms at 32.
WIDE: Final = 64
#: Sources of a block: so many rows of a hidden state stay in the cache of a core while every arc
#: from them is followed.
BLOCK: Final = 2048
#: Arcs per row and block from which blocks pay.
BUSY: Final = 8


@dataclass(frozen=True)
class SparseOperator:
    """One sparse matrix, destination-sorted, with its transpose.

    Attributes:
        shape: Destinations × sources.
        row_start, column: CSR structure, shapes ``(rows + 1,)`` and ``(e,)``, int64.
        weight: Fixed weight of every arc, shape ``(e,)``, float32.
        transposed_row_start, transposed_column, order: CSR structure of the transpose and the
            position of each of its values in ``weight``.
        transposed_weight: ``weight[order]``, kept because training never changes a weight.
        edge: Row of ``Wiring.edges`` that each arc comes from, shape ``(e,)``.
        expected: What is taken out of every message, if anything; see ``Expected``.
    """

    shape: tuple[int, int]
    row_start: Tensor
    column: Tensor
    weight: Tensor
    transposed_row_start: Tensor
    transposed_column: Tensor
    order: Tensor
    transposed_weight: Tensor
    edge: np.ndarray
    expected: Expected | None = None

    @property
    def matrix(self) -> Tensor:
        """The arcs as a sparse matrix of torch, sharing their memory."""
        return sparse_matrix(self.row_start, self.column, self.weight, self.shape)

    @property
    def transposed(self) -> Tensor:
        """Its transpose, likewise."""
        return sparse_matrix(
            self.transposed_row_start,
            self.transposed_column,
            self.transposed_weight,
            (self.shape[1], self.shape[0]),
        )

    def times(self, features: Tensor, genes: Tensor | None = None) -> Tensor:
        """Multiply with ``(sources, d)``, every arc at its fixed weight; ``genes`` as below."""
        return self.unexpected(_times(self.matrix, self._blocks, features), features, genes)

    def unexpected(self, messages: Tensor, features: Tensor, genes: Tensor | None) -> Tensor:
        """Take the expected part out of messages, where there is one.

        Args:
            messages: What arrived of the features along the arcs.
            features: State of the sources.
            genes: State of the genes, where the sources are sets.
        """
        if self.expected is None:
            return messages
        return self.expected.taken_from(messages, features if genes is None else genes)

    def transposed_times(self, features: Tensor) -> Tensor:
        """Multiply the transpose of the arcs with ``(destinations, d)``."""
        return _times(self.transposed, self._transposed_blocks, features)

    @functools.cached_property
    def _blocks(self) -> tuple[Tensor, ...]:
        return source_blocks(self.row_start, self.column, self.weight, self.shape)

    @functools.cached_property
    def _transposed_blocks(self) -> tuple[Tensor, ...]:
        parts = (self.transposed_row_start, self.transposed_column, self.transposed_weight)
        return source_blocks(*parts, (self.shape[1], self.shape[0]))

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "SparseOperator":
        """Copy to a device and a floating-point type."""
        return SparseOperator(
            self.shape,
            self.row_start.to(device),
            self.column.to(device),
            self.weight.to(device=device, dtype=dtype),
            self.transposed_row_start.to(device),
            self.transposed_column.to(device),
            self.order.to(device),
            self.transposed_weight.to(device=device, dtype=dtype),
            self.edge,
            None if self.expected is None else self.expected.to(device, dtype),
        )


def build_operator(
    destination: np.ndarray,
    source: np.ndarray,
    weight: np.ndarray,
    shape: tuple[int, int],
    edge: np.ndarray,
) -> SparseOperator:
    """Sort arcs by destination, then source, and cache the transpose.

    Args:
        destination, source: Integer ends of every arc, shape ``(e,)``; no pair twice.
        weight: Weight of every arc, shape ``(e,)``.
        shape: Number of destinations and sources.
        edge: Row of the table of edges behind every arc, shape ``(e,)``.

    Example:
        >>> op = build_operator(np.array([1, 0]), np.array([0, 1]), np.array([0.5, 1.0]), (2, 2),
        ...     np.array([0, 0]))
        >>> propagate(op.weight, torch.eye(2), op).tolist()
        [[0.0, 1.0], [0.5, 0.0]]
    """
    order = _order(destination, source, shape[1])
    destination, source = destination[order], source[order]
    row_start = np.concatenate([[0], np.cumsum(np.bincount(destination, minlength=shape[0]))])
    back = _order(source, destination, shape[0])
    back_start = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=shape[1]))])

    def index(array: np.ndarray) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64))

    values = torch.from_numpy(np.ascontiguousarray(weight[order], dtype=np.float32))
    return SparseOperator(
        shape,
        index(row_start),
        index(source),
        values,
        index(back_start),
        index(destination[back]),
        index(back),
        values[index(back)],
        np.ascontiguousarray(edge[order]),
    )


def _order(first: np.ndarray, second: np.ndarray, width: int) -> np.ndarray:
    """Sort pairs of numbers, the second ones below ``width``; in half the time of a sort by two."""
    return np.argsort(first.astype(np.int64) * max(width, 1) + second, kind="stable")


def take_rows(operator: SparseOperator, rows: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
    """Cut rows out of an operator.

    Returns:
        The cut as a matrix whose values are positions in ``operator.weight``, shape
        ``(len(rows), sources)``, and the distinct sources it reads, sorted.
    """
    start = operator.row_start.numpy()
    lengths = start[rows + 1] - start[rows]
    offset = np.repeat(start[rows] - np.concatenate([[0], np.cumsum(lengths)[:-1]]), lengths)
    position = np.arange(lengths.sum()) + offset
    column = operator.column.numpy()[position]
    pointer = np.concatenate([[0], np.cumsum(lengths)])
    cut = sp.csr_matrix((position, column, pointer), shape=(len(rows), operator.shape[1]))
    return cut, np.unique(column)


def propagate(
    weight: Tensor, features: Tensor, operator: SparseOperator, genes: Tensor | None = None
) -> Tensor:
    """Multiply the sparse matrix with values ``weight`` by ``features``.

    Where the operator has an expected part, it is taken out; being no part of any edge, it passes
    no gradient to ``weight``.

    Args:
        weight: Shape ``(e,)``, in the order of ``operator.column``.
        features: Shape ``(sources, d)``.
        operator: The structure.
        genes: State of the genes, shape ``(n, d)``, where the sources are sets.

    Returns:
        Shape ``(destinations, d)``; differentiable in ``weight``, ``features`` and ``genes``.
    """
    result: Tensor = _SparseProduct.apply(weight, features, operator)  # type: ignore[no-untyped-call]
    return operator.unexpected(result, features, genes)


class _SparseProduct(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, weight: Tensor, features: Tensor, operator: SparseOperator) -> Tensor:
        ctx.save_for_backward(weight, features)
        ctx.operator = operator
        return sparse_matrix(operator.row_start, operator.column, weight, operator.shape) @ features

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, Tensor | None, None]:
        weight, features = ctx.saved_tensors
        operator: SparseOperator = ctx.operator
        gradient = gradients[0].contiguous()
        to_weight = to_features = None
        if ctx.needs_input_grad[0]:
            pattern = sparse_matrix(
                operator.row_start, operator.column, torch.zeros_like(weight), operator.shape
            )
            to_weight = torch.sparse.sampled_addmm(pattern, gradient, features.T).values()
        if ctx.needs_input_grad[1]:
            transposed = sparse_matrix(
                operator.transposed_row_start,
                operator.transposed_column,
                operator.transposed_weight if weight is operator.weight else weight[operator.order],
                (operator.shape[1], operator.shape[0]),
            )
            to_features = transposed @ gradient
        return to_weight, to_features, None


def mix_messages(
    state: Tensor,
    own: Tensor,
    through: Tensor,
    operators: Sequence[SparseOperator],
) -> Tensor:
    """Give ``state W_0 + Σ_r A_r state W_r`` over all channels, with fixed edge weights.

    The sum is one function for autograd: neither the messages side by side nor their gradients
    are copied together.

    Args:
        state: Shape ``(n, h)``.
        own: ``W_0``, shape ``(h, k)``.
        through: ``W_r`` of every channel, shape ``(r, h, k)``.
        operators: Direct, into sets, out of sets.

    Returns:
        Shape ``(n, k)``; differentiable in the first three.
    """
    result: Tensor = _Mix.apply(state, own, through, tuple(operators))  # type: ignore[no-untyped-call]
    return result


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        state: Tensor,
        own: Tensor,
        through: Tensor,
        operators: tuple[SparseOperator, SparseOperator, SparseOperator],
    ) -> Tensor:
        direct, into, out = operators
        n, hidden = state.shape
        messages = [*direct.times(state).view(-1, n, hidden)]
        if out.shape[0]:
            messages += [*out.times(into.times(state), state).view(-1, n, hidden)]
        total = state @ own
        for message, weight in zip(messages, through, strict=True):
            total.addmm_(message, weight)
        ctx.save_for_backward(state, own, through, *messages)
        ctx.operators = operators
        return total

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        state, own, through, *messages = ctx.saved_tensors
        direct, into, out = ctx.operators
        gradient, (n, hidden) = gradients[0].contiguous(), state.shape
        to_through = torch.empty_like(through)
        to_messages = gradient.new_empty(len(messages) * n, hidden)
        for at, (message, weight) in enumerate(zip(messages, through, strict=True)):
            torch.mm(message.T, gradient, out=to_through[at])
            torch.mm(gradient, weight.T, out=to_messages[at * n : (at + 1) * n])
        height = direct.shape[0]
        to_state = direct.transposed_times(to_messages[:height])
        if out.shape[0]:
            to_sets = out.transposed_times(to_messages[height:])
            to_state += into.transposed_times(to_sets)
        for operator, part in ((direct, to_messages[:height]), (out, to_messages[height:])):
            if operator.expected is not None:
                to_state = operator.expected.taken_back(to_state, part)
        to_state.addmm_(gradient, own.T)
        return to_state, state.T @ gradient, to_through, None


def source_blocks(
    row_start: Tensor, column: Tensor, weight: Tensor, shape: tuple[int, int]
) -> tuple[Tensor, ...]:
    """Cut a matrix of many arcs into blocks of ``BLOCK`` sources, side by side.

    Where every gene has hundreds of arcs, their sources do not fit the cache of a core, and a
    product waits for memory; ``aimwell bench training`` measures what blocks save.

    Returns:
        Sparse matrices ``(destinations, BLOCK)``, the last one narrower; none where the arcs are
        too few to pay for the visits to every row, or not in the memory of the processor.
    """
    n_blocks = -(-shape[1] // BLOCK)
    if weight.device.type != "cpu" or n_blocks < 2 or len(weight) < BUSY * n_blocks * shape[0]:
        return ()
    parts = (weight.numpy(), column.numpy(), row_start.numpy())
    whole = sp.csr_matrix(parts, shape=shape)
    cuts = (whole[:, at : at + BLOCK] for at in range(0, shape[1], BLOCK))
    return tuple(
        sparse_matrix(
            # numbers of half the size travel faster
            torch.from_numpy(cut.indptr.astype(np.int32)),
            torch.from_numpy(cut.indices.astype(np.int32)),
            torch.from_numpy(cut.data),
            cut.shape,
        )
        for cut in cuts
    )


def _times(matrix: Tensor, blocks: Sequence[Tensor], features: Tensor) -> Tensor:
    """Multiply in the fastest way: MKL's product slows down where rows outgrow its cache."""
    if blocks:
        total = features.new_zeros(matrix.shape[0], features.shape[1])
        for block, part in zip(blocks, torch.split(features, BLOCK), strict=True):
            total.addmm_(block, part)
        return total
    if features.device.type == "cpu" and features.shape[1] >= WIDE:
        return torch.sparse.mm(matrix, features, "sum")  # type: ignore[no-any-return]
    return matrix @ features


def sparse_matrix(
    row_start: Tensor, column: Tensor, value: Tensor, shape: tuple[int, int]
) -> Tensor:
    """Give a sparse matrix of torch from its CSR parts, which are trusted."""
    with warnings.catch_warnings():
        # torch announces once per process that CSR is in beta; the products used here are tested
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        return torch.sparse_csr_tensor(row_start, column, value, shape, check_invariants=False)
