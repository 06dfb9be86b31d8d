"""Counts that were estimated per transcript, and the lengths that they were divided over.

The length of a gene is the mean length of its transcripts, weighted by how abundant each is in a
sample (Soneson, Love and Robinson 2015, F1000Research 4:1521). A gene that shifts to longer
transcripts gets more reads without being more abundant; dividing by this length takes that away.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from scipy import sparse

from aimwell.errors import InputError, some


def log_lengths(lengths: pd.DataFrame, counts: pd.DataFrame, where: str) -> pd.DataFrame:
    """Take natural logarithms of effective lengths; a length of zero is one that nobody saw.

    Features without a length in a sample, and without a count there, take the geometric mean of
    the other samples; features without any length take 1.

    Args:
        lengths: Samples × features, bases.
        counts: Same shape.
        where: The file, for messages.

    Raises:
        InputError: A feature with counts and without a positive length.
    """
    array = lengths.to_numpy(float)
    positive = array > 0
    bad = ~positive & (counts.to_numpy() > 0)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise InputError(
            f"{where}: {int(bad.sum())} features have counts and no effective length, for example "
            f"'{counts.columns[j]}' in sample '{counts.index[i]}'; was the file edited?"
        )
    logs = np.log(np.where(positive, array, 1.0))
    filled = _with_typical(logs, positive, np.zeros(array.shape[1]))
    return pd.DataFrame(filled, lengths.index, lengths.columns)


def _with_typical(logs: np.ndarray, known: np.ndarray, otherwise: np.ndarray) -> np.ndarray:
    """Put the mean of the known values of its column where a value is not known."""
    seen = known.sum(axis=0)
    mean = np.where(known, logs, 0.0).sum(axis=0) / np.maximum(seen, 1)
    return np.where(known, logs, np.where(seen > 0, mean, otherwise))


def sum_counts(
    counts: pd.DataFrame, offsets: pd.DataFrame, groups: Sequence[str]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Add up the counts of the features of a group and average their lengths by abundance.

    Args:
        counts: Samples × features.
        offsets: Samples × features, natural logarithm of the effective length.
        groups: Group of every feature.

    Returns:
        Counts and offsets, samples × groups, groups sorted; a count is missing where any part is.

    Example:
        >>> counts = pd.DataFrame({"t1": [10.0], "t2": [30.0]}, index=["s"])
        >>> offsets = pd.DataFrame(np.log([[100.0, 300.0]]), ["s"], ["t1", "t2"])
        >>> total, length = sum_counts(counts, offsets, ["g", "g"])
        >>> total["g"].tolist(), np.exp(length["g"]).round(6).tolist()
        ([40.0], [200.0])
    """
    order, group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
    members = sparse.csr_matrix(
        (np.ones(len(group)), (np.arange(len(group)), group)), shape=(len(group), len(order))
    )
    c, length = counts.to_numpy(float), np.exp(offsets.to_numpy(float))
    missing = np.isnan(c)
    c = np.where(missing, 0.0, c)
    total, abundance = c @ members, (c / length) @ members
    seen = abundance > 0
    logs = np.log(np.where(seen, total, 1.0) / np.where(seen, abundance, 1.0))
    plain = np.log((length @ members).mean(axis=0) / np.bincount(group, minlength=len(order)))
    # tximport's rule: where a gene was not seen, its typical length in the other samples
    logs = _with_typical(logs, seen, plain)
    total = np.where(missing.astype(float) @ members > 0, np.nan, total)
    columns = pd.Index(order.tolist(), dtype=str)
    return pd.DataFrame(total, counts.index, columns), pd.DataFrame(logs, counts.index, columns)


def genes_of_transcripts(
    names: pd.Index, table: "pd.Series[str]", where: str, listed_in: str
) -> list[str]:
    """Give every transcript its gene; versions count at first and are ignored where they miss.

    Raises:
        InputError: Most transcripts are not in the table.
    """
    plain = table.copy()
    plain.index = plain.index.str.replace(r"\.\d+$", "", regex=True)
    plain = plain[~plain.index.duplicated()]
    bare = names.str.replace(r"\.\d+$", "", regex=True)
    genes = pd.Series(names.map(table.to_dict()), index=names)
    genes = genes.where(genes.notna().to_numpy(), bare.map(plain.to_dict()).to_numpy())
    unknown = names[genes.isna().to_numpy()]
    if 2 * len(unknown) > len(names):
        raise InputError(
            f"{len(unknown)} of {len(names)} transcripts of {where} are not in '{listed_in}': "
            f"{some(unknown)}; name the table of the annotation that they were counted with"
        )
    return [str(g) if isinstance(g, str) else "" for g in genes]
