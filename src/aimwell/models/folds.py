"""Folds that never split a gene family."""

import numpy as np
import pandas as pd

from aimwell.errors import TaskError


def family_folds(families: "pd.Series[str]", known: pd.Index, k: int, seed: int) -> np.ndarray:
    """Assign every gene to one of ``k`` folds, whole families at a time.

    Families with known targets are dealt first, largest number of targets first, each to the fold
    with the fewest targets; the rest fills the folds by size. The draw depends on gene ids and the
    seed only, never on the order of the input.

    Args:
        families: Family of every gene, indexed by sorted HGNC id, shape ``(n,)``.
        known: HGNC ids of the known targets.
        k: Number of folds.
        seed: Breaks ties between families.

    Returns:
        Fold of every gene, in ``0 … k - 1``, shape ``(n,)``.

    Raises:
        TaskError: Fewer than ``k`` families hold known targets, so some fold would test nothing.

    Example:
        >>> genes = pd.Index(["a", "b", "c", "d"])
        >>> family_folds(pd.Series(["x", "x", "y", "z"], genes), pd.Index(["a", "c"]), 2, 0)
        array([...])
    """
    table = pd.DataFrame({"family": families, "known": families.index.isin(known)})
    size = table.groupby("family")["known"].agg(["sum", "size"])
    size["draw"] = np.random.default_rng(seed).permutation(len(size))
    size = size.sort_values(["sum", "size", "draw"], ascending=[False, False, True])
    holding = int((size["sum"] > 0).sum())
    if holding < k:
        raise TaskError(
            f"the {int(table['known'].sum())} known targets fall into {holding} gene families; "
            f"{k} folds need at least {k}. Lower model.folds or name more known targets"
        )
    targets, members = np.zeros(k), np.zeros(k)
    fold_of: dict[str, int] = {}
    for family, n_known, n_genes in zip(size.index, size["sum"], size["size"], strict=True):
        fold = int(np.lexsort((np.arange(k), members, targets if n_known else members))[0])
        fold_of[str(family)] = fold
        targets[fold] += n_known
        members[fold] += n_genes
    return families.astype(str).map(fold_of).to_numpy(np.int64, copy=True)
