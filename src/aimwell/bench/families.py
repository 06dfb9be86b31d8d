"""Does hiding a family of known targets say what networks say that never learned from it?

A run hides each family in turn from the networks that it has. Here those of the colon cohort are
fitted anew without the six families that have most known targets, on the same folds with the same
random numbers, and the falls of the scores are compared. Two networks a fold are refitted; how well
their falls agree with each other says how much of a difference is the noise of fitting.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from scipy.stats import spearmanr

from aimwell.bench.bars import Bar, bar
from aimwell.bench.coad import EXAMPLE
from aimwell.bench.colon import fit_colon
from aimwell.config import read_config
from aimwell.errors import ConfigError
from aimwell.models.fitting import fit_member
from aimwell.models.hidden_families import known_families, scores_without
from aimwell.models.member import Member
from aimwell.models.task import TargetTask
from aimwell.pipeline.workers import one_thread
from aimwell.trust.families import FIRST
from aimwell.trust.stability import ranks_of
from aimwell.trust.tiers import SUPPORTED_SHARE
from aimwell.trust.variants import out_of_fold

FAMILIES: Final = 6
REPEATS: Final = 2
#: Standard deviations that a score falls by where a family clearly speaks.
CLEAR: Final = 0.5


def measure(data: str) -> Iterator[Bar]:
    """Compare falls of the colon cohort.

    Raises:
        ConfigError: Without the folder of the public files.
    """
    if not data:
        raise ConfigError("the colon cohort needs the folder of its public files: --data DIR")
    config = read_config(EXAMPLE, data=data)
    with one_thread(), tempfile.TemporaryDirectory() as folder:
        colon = fit_colon(data, Path(folder))
        task, members = colon.task, [m for m in colon.members if m.unit.repeat < REPEATS]
        known = known_families(task)
        most = sorted(known, key=lambda name: (-int(known[name].sum()), name))[:FAMILIES]
        refitted = {}
        for name in most:
            less = without_targets(task, known[name])
            mine = int(task.folds[known[name]][0])  # its networks never saw the family
            refitted[name] = [
                m
                if m.unit.fold == mine
                else fit_member(less, m.unit, config.model, config.run.seed)
                for m in members
            ]
    yield from compared(task, members, {name: known[name] for name in most}, refitted)


def without_targets(task: TargetTask, known: np.ndarray) -> TargetTask:
    """Give a task in which some known targets are not known, on the same folds."""
    labels = np.where(known, 0, task.labels).astype(task.labels.dtype)
    return replace(task, labels=labels)


def compared(
    task: TargetTask,
    members: Sequence[Member],
    known: dict[str, np.ndarray],
    refitted: dict[str, list[Member]],
) -> Iterator[Bar]:
    """Compare what hiding takes from a score with what refitting takes from it.

    Args:
        task: Labels and folds.
        members: Networks of the run.
        known: Family → True for its known targets, shape ``(n,)``.
        refitted: Family → the same networks fitted without it.
    """
    base = out_of_fold(task, members)
    first, n = ranks_of(base), len(base)
    hidden = scores_without(task, members, known)
    outside = {name: task.folds != task.folds[mask][0] for name, mask in known.items()}
    again = {name: out_of_fold(task, found) for name, found in refitted.items()}
    sets = {
        f"the first {FIRST} genes": first <= FIRST,
        f"the best {SUPPORTED_SHARE:.0%}": first <= SUPPORTED_SHARE * n,
    }
    what = f"families: {len(known)} of the colon cohort"
    alone = [_falls_of(task, members, known, refitted, r) for r in range(REPEATS)]
    for name, genes in sets.items():
        at = {f: genes & outside[f] for f in known}

        def mean(pairs: list[tuple[np.ndarray, np.ndarray]]) -> float:
            return float(np.mean([_agreement(*pair) for pair in pairs]))

        falls = [(base[at[f]] - hidden[f][at[f]], base[at[f]] - again[f][at[f]]) for f in known]
        said = f"{what}, falls of {name}, mean Spearman"
        yield bar(f"{said}: hidden and refitted, {REPEATS} networks a fold", mean(falls))
        # one network each on both sides, and never the same: what a refit can be expected to repeat
        others = [(alone[r][0][f][at[f]], alone[1 - r][1][f][at[f]]) for f in known for r in (0, 1)]
        yield bar(f"{said}: hidden from one network and refitted by another", mean(others))
        both = [(alone[0][1][f][at[f]], alone[1][1][f][at[f]]) for f in known]
        yield bar(f"{said}: refitted by one network and by another", mean(both))
        both = [(alone[0][0][f][at[f]], alone[1][0][f][at[f]]) for f in known]
        yield bar(f"{said}: hidden from one network and from another", mean(both))
    clear = {f: outside[f] & (base - hidden[f] >= CLEAR) for f in known}
    pooled = [
        np.concatenate([base[clear[f]] - scores[f][clear[f]] for f in known])
        for scores in (hidden, again)
    ]
    yield bar(f"{what}, pairs of a gene and a family that falls clearly", float(len(pooled[0])))
    yield bar(f"{what}, clear falls: hidden and refitted, Spearman", _agreement(*pooled))
    leave = [
        np.concatenate([_leaves(s[f], first, outside[f]) for f in known]) for s in (hidden, again)
    ]
    joint = float((leave[0] & leave[1]).sum() / max(leave[0].sum(), 1))
    where = f"of the best {SUPPORTED_SHARE:.0%} that leave it"
    yield bar(f"{what}, share {where} when hidden", float(leave[0].mean()))
    yield bar(f"{what}, share {where} when refitted", float(leave[1].mean()))
    yield bar(f"{what}, share {where} when hidden that do when refitted", joint)
    for family in known:
        top = np.flatnonzero((first <= FIRST) & outside[family])
        gene = top[np.argmax((base - hidden[family])[top])]
        symbol = str(task.graph.symbols[task.genes[gene]])
        said = f"families: {symbol}, rank {first[gene]}, without {family}"
        for how, scores in (("hidden", hidden), ("refitted", again)):
            yield bar(f"{said}, {how}", float(ranks_of(scores[family])[gene]))


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    return float(spearmanr(one, other).statistic)


def _falls_of(
    task: TargetTask,
    members: Sequence[Member],
    known: dict[str, np.ndarray],
    refitted: dict[str, list[Member]],
    repeat: int,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Give the falls of all scores by one network a fold: when hidden, and when refitted."""

    def of(found: Sequence[Member]) -> list[Member]:
        return [m for m in found if m.unit.repeat == repeat]

    base = out_of_fold(task, of(members))
    hidden = scores_without(task, of(members), known)
    again = {f: base - out_of_fold(task, of(found)) for f, found in refitted.items()}
    return {f: base - scores for f, scores in hidden.items()}, again


def _leaves(scores: np.ndarray, first: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """Tell which of the best genes outside a family's fold leave them."""
    best = SUPPORTED_SHARE * len(scores)
    return np.asarray((ranks_of(scores) > best)[(first <= best) & outside])
