"""What must hold for every matrix of measurements, whatever file it came from."""

import numpy as np
import pandas as pd

from aimwell.cohorts.tables import refuse_repeats
from aimwell.config import MatrixSettings
from aimwell.errors import InputError, some


def checked_matrix(values: pd.DataFrame, settings: MatrixSettings, where: str) -> pd.DataFrame:
    """Check names and numbers of a matrix and turn zeros into missing values where asked.

    Args:
        values: Samples × feature names, float64.
        settings: ``zero_is_missing`` is used.
        where: The file, for messages.

    Raises:
        InputError: A matrix without samples or features, a name that is missing or occurs twice,
            an infinite value, or a sample without any value.
    """
    if not values.size:
        raise InputError(
            f"{where} holds {values.shape[0]} samples and {values.shape[1]} features; "
            "at least one of each is needed"
        )
    for names, what in ((values.columns, "feature"), (values.index, "sample")):
        plain = [str(name).strip() for name in names]
        if "" in plain:
            raise InputError(f"{where}: {what} number {plain.index('') + 1} has no name")
        refuse_repeats(plain, where, what)
    frame = pd.DataFrame(
        values.to_numpy(float, copy=True),
        index=pd.Index([str(n).strip() for n in values.index], dtype=str),
        columns=pd.Index([str(n).strip() for n in values.columns], dtype=str),
    )
    array = frame.to_numpy()
    infinite = np.argwhere(np.isinf(array))
    if len(infinite):
        i, j = infinite[0]
        raise InputError(
            f"{where}: {len(infinite)} infinite values, the first for '{frame.columns[j]}' in "
            f"sample '{frame.index[i]}'; write NA where nothing was measured"
        )
    if settings.zero_is_missing:
        frame = frame.mask(frame == 0)
    unseen = frame.index[frame.isna().all(axis=1).to_numpy()]
    if len(unseen):
        raise InputError(
            f"{where}: {len(unseen)} of {len(frame)} samples have no value at all: {some(unseen)}; "
            "remove them from the file"
        )
    return frame
