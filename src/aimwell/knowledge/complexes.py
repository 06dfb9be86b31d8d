"""Turn an edge of a complex into edges of its members."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt


def expand_complexes(
    source: Sequence[str], target: Sequence[str], members: Callable[[str], Sequence[str]]
) -> tuple[npt.NDArray[np.int64], list[str], list[str], npt.NDArray[np.float64]]:
    """Give every member of a complex the edges of the complex, and share the weight among them.

    The database says that the complex acts, not which subunit does: an edge from a complex of three
    becomes three edges of a third of the weight. An edge inside a complex stays between the others.

    Args:
        source, target: Names of the two ends, shape ``(n,)``.
        members: The members of a name: itself for a gene or protein, several for a complex, none
            for what is to be left out.

    Returns:
        For each new edge: its row, source, target, and the factor of its weight.

    Example:
        >>> rows, source, target, share = expand_complexes(["A_B", "C"], ["D", "?"],
        ...     lambda name: () if name == "?" else name.split("_"))
        >>> rows.tolist(), source, target, share.tolist()
        ([0, 0], ['A', 'B'], ['D', 'D'], [0.5, 0.5])
    """
    known = {name: tuple(dict.fromkeys(members(name))) for name in {*source, *target}}
    rows, left, right, share = [], [], [], []
    for row, (a, b) in enumerate(zip(source, target, strict=True)):
        first, second = known[a], known[b]
        pairs = [(x, y) for x in first for y in second]
        for x, y in pairs:
            rows.append(row)
            left.append(x)
            right.append(y)
            share.append(1 / len(pairs))
    return np.array(rows, np.int64), left, right, np.array(share, np.float64)
