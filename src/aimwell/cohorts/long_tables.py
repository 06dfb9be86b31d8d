"""Long tables, one row per sample and feature, turned into samples × features."""

from typing import Any

import numpy as np
import pandas as pd

from aimwell.errors import InputError


def one_value_per_pair(
    samples: "np.ndarray[Any, Any]",
    features: "np.ndarray[Any, Any]",
    values: "np.ndarray[Any, Any]",
    where: str,
    column: str,
) -> pd.DataFrame:
    """Put values in long form into a matrix; equal repeats of a pair are one value.

    A value that a program repeats on every row of the pair (the protein's, on its precursors) is
    taken once. Rows and columns are sorted.

    Raises:
        InputError: One sample and feature with different values.

    Example:
        >>> one_value_per_pair(np.array(["a", "a"]), np.array(["P", "P"]), np.array([2.0, 2.0]),
        ...     "'x'", "Quantity").to_numpy().tolist()
        [[2.0]]
    """
    rows, names_r = pd.factorize(pd.Series(samples, dtype=object), sort=True)
    cols, names_c = pd.factorize(pd.Series(features, dtype=object), sort=True)
    seen = ~np.isnan(values)
    low = np.full((len(names_r), len(names_c)), np.inf)
    high = np.full_like(low, -np.inf)
    np.minimum.at(low, (rows[seen], cols[seen]), values[seen])
    np.maximum.at(high, (rows[seen], cols[seen]), values[seen])
    empty = np.isinf(low)
    with np.errstate(invalid="ignore"):
        # single precision in one row and double in another is still one number
        odd = ~empty & (high - low > 1e-6 * np.maximum(np.abs(high), np.abs(low)))
    if odd.any():
        i, j = np.argwhere(odd)[0]
        raise InputError(
            f"{where}: {int(odd.sum())} pairs of sample and feature have several values in column "
            f"'{column}', for example {low[i, j]:g} and {high[i, j]:g} for '{names_c[j]}' in "
            f"'{names_r[i]}'; give every measurement its own sample name, or remove repeats"
        )
    low[empty] = np.nan
    return pd.DataFrame(
        low,
        index=pd.Index([str(n) for n in names_r], dtype=str),
        columns=pd.Index([str(n) for n in names_c], dtype=str),
    )
