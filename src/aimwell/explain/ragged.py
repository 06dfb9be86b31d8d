"""Rows of another number for every target, as one long array."""

import numpy as np
import torch
from torch import Tensor


def cut(row_start: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """Give the arcs of some rows, in their order: places in the operator, and which row each is of.

    Example:
        >>> position, which = cut(torch.tensor([0, 2, 2, 5]), torch.tensor([2, 0]))
        >>> position.tolist(), which.tolist()
        ([2, 3, 4, 0, 1], [0, 0, 0, 1, 1])
    """
    begin = row_start[rows]
    length = row_start[rows + 1] - begin
    which = torch.repeat_interleave(length)
    ahead = length.cumsum(0) - length
    position = torch.arange(len(which), device=rows.device) + (begin - ahead)[which]
    return position, which


def per_target(values: np.ndarray, block: Tensor, b: int) -> list[np.ndarray]:
    """Cut rows that are sorted by target into one array per target."""
    counts = torch.bincount(block, minlength=b).cpu().numpy()
    return np.split(values, np.cumsum(counts)[:-1])
