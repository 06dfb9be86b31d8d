"""When the hidden units of layer 1 are open along the path.

Along a straight path the input of a unit is a cubic in the path variable: it changes its sign three
times at most, so a unit is open in at most two runs of steps. A sum over the open steps is then a
difference of two running sums, whatever the number of steps.
"""

from dataclasses import dataclass

import numpy as np

CHUNK = 1 << 15  # numbers that stay in the cache while all steps go over them


@dataclass(frozen=True)
class Gates:
    """Runs of open steps of ``n`` genes with ``h`` units each.

    Attributes:
        first, last: A unit is open from step ``first`` up to, not including, ``last``; both 0 where
            it never opens; shape ``(n, h)``, int32.
        again: Rows of the table below, by gene: those of gene ``i`` are
            ``again[i]:again[i + 1]``; shape ``(n + 1,)``.
        unit, second_first, second_last: Unit and second run of the few that open twice.
    """

    first: np.ndarray
    last: np.ndarray
    again: np.ndarray
    unit: np.ndarray
    second_first: np.ndarray
    second_last: np.ndarray

    def second(self, genes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Give the second runs of ``genes``: place in ``genes`` and row of the table."""
        count = self.again[genes + 1] - self.again[genes]
        place = np.repeat(np.arange(len(genes)), count)
        ends = np.cumsum(count)
        row = np.arange(len(place)) + np.repeat(self.again[genes] - (ends - count), count)
        return place, row

    def joined(self, more: "Gates") -> "Gates":
        """Put further genes behind these."""
        return Gates(
            np.concatenate([self.first, more.first]),
            np.concatenate([self.last, more.last]),
            np.concatenate([self.again, self.again[-1] + more.again[1:]]),
            np.concatenate([self.unit, more.unit]),
            np.concatenate([self.second_first, more.second_first]),
            np.concatenate([self.second_last, more.second_last]),
        )


def no_gates(h: int) -> Gates:
    """Give the gates of no gene."""
    none = np.zeros((0, h), dtype=np.int32)
    empty = np.zeros(0, dtype=np.int64)
    return Gates(none, none, np.zeros(1, dtype=np.int64), empty, empty, empty)


def find_gates(polynomial: np.ndarray, alphas: np.ndarray) -> Gates:
    """Find the runs of steps at which a cubic is positive.

    Args:
        polynomial: Coefficients of powers 0 to 3, shape ``(4, n, h)``.
        alphas: Points of the path, ascending.

    Example:
        >>> rises = np.array([-0.5, 1.0, 0.0, 0.0]).reshape(4, 1, 1)
        >>> gates = find_gates(rises, (np.arange(10) + 0.5) / 10)
        >>> int(gates.first[0, 0]), int(gates.last[0, 0])
        (5, 10)
    """
    _, n, h = polynomial.shape
    flat = polynomial.reshape(4, -1)
    first, last = np.zeros((2, n * h), dtype=np.int32)
    extra: list[tuple[np.ndarray, int, bool]] = []
    for begin in range(0, n * h, CHUNK):
        part = slice(begin, begin + CHUNK)
        _runs(flat[:, part], alphas, (first[part], last[part]), begin, extra)
    runs: dict[int, list[int]] = {}
    for units, step, opens in extra:
        for unit in units.tolist():
            if opens:
                runs[unit] = [step, len(alphas)]
            else:
                runs[unit][1] = step
    keys = np.array(sorted(runs), dtype=np.int64)
    values = np.array([runs[k] for k in keys], dtype=np.int32).reshape(-1, 2)
    again = np.concatenate([[0], np.cumsum(np.bincount(keys // h, minlength=n))])
    return Gates(
        first.reshape(n, h), last.reshape(n, h), again, keys % h, values[:, 0], values[:, 1]
    )


def _runs(
    polynomial: np.ndarray,
    alphas: np.ndarray,
    found: tuple[np.ndarray, np.ndarray],
    begin: int,
    extra: list[tuple[np.ndarray, int, bool]],
) -> None:
    """Follow a chunk of units step by step; only changes cost anything."""
    c0, c1, c2, c3 = polynomial
    first, last = found
    runs = np.zeros(len(c0), dtype=np.int8)
    before = np.zeros(len(c0), dtype=bool)
    value = np.empty(len(c0))
    for step, alpha in enumerate(alphas):
        np.multiply(c3, alpha, out=value)
        value += c2
        value *= alpha
        value += c1
        value *= alpha
        value += c0
        now = value > 0
        changed = np.flatnonzero(now != before)
        if len(changed):
            opens = changed[now[changed]]
            runs[opens] += 1
            first[opens[runs[opens] == 1]] = step
            closes = changed[before[changed]]
            last[closes[runs[closes] == 1]] = step
            for units, is_open in ((opens, True), (closes, False)):
                twice = units[runs[units] > 1]
                if len(twice):
                    extra.append((twice + begin, step, is_open))
        before = now
    last[before & (runs == 1)] = len(alphas)
