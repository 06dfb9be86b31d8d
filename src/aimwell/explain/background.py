"""The background that degree correction takes out of messages, beside the arcs.

Every gene adds to it, and no edge has a part in it: so it moves along the path with the features
alone, and all genes that a target hears from hear it too.
"""

import numpy as np

from aimwell.models.wiring import Wiring


class Background:
    """Rows and columns of the expected parts of all channels, in double precision.

    Attributes:
        row: What a gene gets of it, shape ``(r, n)``.
        column: What a gene adds to it, with its sign, shape ``(r, n)``.
    """

    def __init__(self, wiring: Wiring) -> None:
        shape = (len(wiring.channels), wiring.direct.shape[1])
        self.row, self.column = np.zeros((2, *shape))
        stop = wiring.n_direct
        for part, operator in (
            (slice(0, stop), wiring.direct),
            (slice(stop, None), wiring.out_of_sets),
        ):
            if operator.expected is not None:
                self.row[part] = operator.expected.row.double().numpy()
                self.column[part] = -operator.expected.column.double().numpy()

    def of(self, channel: int, target: int) -> np.ndarray:
        """Weights with which a gene hears all genes over one channel, shape ``(n,)``."""
        weights: np.ndarray = self.row[channel, target] * self.column[channel]
        return weights

    def sent(self, features: np.ndarray, back: np.ndarray) -> np.ndarray:
        """Give what it is worth at layer 1, for a gene with a row of one.

        Args:
            features: Of all genes, shape ``(n, d)``.
            back: From features, own and arriving, to layer 1: shape ``(d (1 + r), width)``.

        Returns:
            Shape ``(r, width)``.
        """
        total = self.column @ features  # (r, d)
        turned: np.ndarray = np.einsum("rd,rdw->rw", total, self._arriving(back))
        return turned

    def returned(self, sums: np.ndarray, back: np.ndarray) -> np.ndarray:
        """Send sums over units back to the totals of the features, ``(r, width)`` to ``(r, d)``."""
        turned: np.ndarray = np.einsum("rw,rdw->rd", sums, self._arriving(back))
        return turned

    def _arriving(self, back: np.ndarray) -> np.ndarray:
        return back.reshape(1 + len(self.row), -1, back.shape[1])[1:]
