"""What a graph is expected to send if nothing but the degrees of its nodes were known.

Well-connected genes receive more of anything, whoever their neighbours are. In a random graph with
the same degrees, the configuration model, an undirected channel ``D^-1/2 A D^-1/2`` is expected to
be ``u uᵀ`` with ``u = √degree / norm``, which is the leading component of any such channel. What is
left without it is the normalised modularity matrix: it says who is connected, not how well.

Source: Newman 2006 (modularity matrix), Karrer & Newman 2011 (degree correction).
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Expected:
    """The expected part of channels that lie one below the other, of rank one each.

    It is a fixed background: no edge has a part in it, so it passes no gradient to edge weights.

    Attributes:
        row: What every destination gets of it, per channel, shape ``(c, m)``.
        column: What every gene adds to it, per channel, shape ``(c, n)``.
    """

    row: Tensor
    column: Tensor

    @staticmethod
    def of(parts: list[tuple[np.ndarray, np.ndarray]]) -> "Expected | None":
        """Join the rows ``(m,)`` and columns ``(n,)`` of channels; None where there are none."""
        if not parts:
            return None
        row, column = (np.stack(p).astype(np.float32) for p in zip(*parts, strict=True))
        return Expected(torch.from_numpy(row), torch.from_numpy(column))

    def taken_from(self, messages: Tensor, genes: Tensor) -> Tensor:
        """Leave of messages what was not expected.

        Args:
            messages: What the channels sent, one below the other, shape ``(c · m, d)``.
            genes: State of the genes that it was sent from, shape ``(n, d)``.
        """
        row, column = self.row.to(messages.dtype), self.column.to(messages.dtype)
        c, m = row.shape
        stacked = messages.view(c, m, -1)
        left = torch.baddbmm(stacked, row[:, :, None], (column @ genes)[:, None], alpha=-1)
        return left.view(messages.shape)

    def taken_back(self, gradient: Tensor, messages: Tensor) -> Tensor:
        """Do the same on the way back.

        Args:
            gradient: To the genes, from the channels without this, shape ``(n, d)``.
            messages: To what arrived, one channel below the other, shape ``(c · m, d)``.
        """
        c, m = self.row.shape
        total = (self.row[:, None] @ messages.view(c, m, -1)).squeeze(1)  # (c, d)
        return torch.addmm(gradient, self.column.T, total, alpha=-1)

    def rows(self, places: np.ndarray | Tensor) -> "Expected":
        """Keep some destinations, in their order."""
        return Expected(self.row[:, torch.as_tensor(places)], self.column)

    def times(self, rows: Tensor, columns: Tensor | None = None) -> "Expected":
        """Multiply what destinations get, and what genes add, with factors."""
        return Expected(self.row * rows, self.column if columns is None else self.column * columns)

    def to(self, device: torch.device | str, dtype: torch.dtype) -> "Expected":
        """Copy to a device and a floating-point type."""
        return Expected(self.row.to(device, dtype), self.column.to(device, dtype))


def expected_of_pairs(
    to: np.ndarray, of: np.ndarray, weight: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Give row and column of a gene–gene channel, each arc over the root of the degrees at its end.

    A directed arc is expected with the product of what leaves and what arrives at its ends.

    Args:
        to, of: Ends of every arc, shape ``(e,)``.
        weight: Before the normalisation, likewise.
        n: Number of genes.

    Example:
        >>> row, column = expected_of_pairs(np.array([0, 1]), np.array([1, 0]), np.ones(2), 2)
        >>> np.outer(row, column).round(3).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
    """
    row, column = (np.bincount(end, weights=weight, minlength=n) for end in (to, of))
    total = max(float(weight.sum()), np.finfo(float).tiny)
    return np.sqrt(row / total), np.sqrt(column / total)


def expected_of_sets(gene: np.ndarray, size: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Give row and column of a channel through sets, which weigh one over the root of their size.

    Every gene with a set takes a mean, so the expected part is one number for all of them: the mean
    over the genes by how often the walk gene → set → gene visits each, its stationary distribution.

    Args:
        gene: Member behind every membership, shape ``(e,)``.
        size: Size of its set, likewise.
        n: Number of genes.
    """
    visits = np.bincount(gene, weights=1 / np.sqrt(size), minlength=n)
    total = max(float(visits.sum()), np.finfo(float).tiny)
    return (visits > 0).astype(float), visits / total
