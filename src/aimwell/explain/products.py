"""Dot products along arcs, without an array of size arcs × features."""

import warnings

import numpy as np
import torch

from aimwell.explain.reach import Arcs

#: More arcs than this are multiplied in single precision by a sparse product: their attributions
#: are sums of a dozen terms, each far below one, so what is lost is below 1e-8.
MANY = 20_000
CHUNK = 8192


def dots(arcs: Arcs, rows: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Multiply what the row of every arc has with what its source has.

    Args:
        arcs: Rows and sources.
        rows: Shape ``(rows, d)``.
        sources: Shape ``(n_sources, d)``.

    Returns:
        Shape ``(e,)``.
    """
    n = len(arcs.source)
    if n <= MANY:
        found = np.empty(n)
        for first in range(0, n, CHUNK):
            part = slice(first, first + CHUNK)
            left = np.take(rows, arcs.row[part], axis=0)
            right = np.take(sources, arcs.source[part], axis=0)
            found[part] = np.einsum("ed,ed->e", left, right)
        return found
    with warnings.catch_warnings():
        # torch announces once per process that CSR is in beta; the products used here are tested
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state")
        pattern = torch.sparse_csr_tensor(
            torch.from_numpy(arcs.start),
            torch.from_numpy(arcs.source),
            torch.zeros(n),
            (len(rows), arcs.n_sources),
            check_invariants=False,
        )
    single = [torch.from_numpy(x.astype(np.float32)) for x in (rows, sources)]
    values = torch.sparse.sampled_addmm(pattern, single[0], single[1].T).values()
    result: np.ndarray = values.double().numpy()
    return result
