"""Counts that were estimated per transcript, and the lengths that they were divided over.

The length of a gene is the mean length of its transcripts, weighted by how abundant each is in a
sample (Soneson, Love and Robinson 2015, F1000Research 4:1521). A gene that shifts to longer
transcripts gets more reads without being more abundant; dividing by this length takes that away.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

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
    positive = lengths > 0
    bad = ~positive.to_numpy() & (counts.to_numpy() > 0)
    if bad.any():
        i, j = np.argwhere(bad)[0]
        raise InputError(
            f"{where}: {int(bad.sum())} features have counts and no effective length, for example "
            f"'{counts.columns[j]}' in sample '{counts.index[i]}'; was the file edited?"
        )
    logs = lengths.where(positive).transform(np.log)
    return logs.fillna(logs.mean(axis=0)).fillna(0.0)


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
    names = np.asarray(groups, dtype=object)
    lengths = offsets.transform(np.exp)

    def added(table: pd.DataFrame) -> pd.DataFrame:
        return table.T.groupby(names, sort=True).sum().T

    lacking = counts.isna().T.groupby(names, sort=True).any().T
    total, abundance = added(counts), added(counts / lengths)
    seen = abundance > 0
    logs = (total / abundance.where(seen)).transform(np.log)
    plain = lengths.T.groupby(names, sort=True).mean().T.transform(np.log)
    # tximport's rule: where a gene was not seen, its typical length in the other samples
    return total.mask(lacking), logs.fillna(logs.mean(axis=0)).fillna(plain)


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
