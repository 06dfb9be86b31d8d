"""Intervals in which the numbers of a run file must lie."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, is_dataclass
from typing import Final

from aimwell.errors import ConfigError

#: Setting → interval; a round bracket leaves its end out. The upper ends of counts are far above
#: what is useful: beyond them a run would exhaust the machine before it said anything.
RANGES: Final = {
    "run.seed": "[0, inf)",
    "run.jobs": "[1, 1024]",
    "identifiers.min_mapped": "[0, 1]",
    "cohort.matrices.min_cells": "[1, inf)",
    "cohort.tables.samples": "[0, inf)",
    "graph.min_set_size": "[1, inf)",
    "graph.max_set_size": "[1, inf)",
    "graph.min_complex_size": "[1, inf)",
    "graph.max_degree": "[0, inf)",
    "known_targets.sources.min_phase": "[0, 4]",
    "known_targets.sources.min_score": "[0, 1]",
    "known_targets.check.min_phase": "[0, 4]",
    "known_targets.check.min_score": "[0, 1]",
    "model.folds": "[2, 1000]",
    "model.seeds": "[1, 1000]",
    "model.epochs": "[1, 100000]",
    "model.hidden": "[1, 4096]",
    "model.dropout": "[0, 1)",
    "model.input_dropout": "[0, 1)",
    "model.hide": "(0, 1]",
    "model.learning_rate": "(0, 1]",
    "model.weight_decay": "[0, 1]",
    "model.prior": "[0, 1)",
    "model.layers": "[2, 3]",
    "model.block_dropout": "[0, 1)",
    "model.relation_dropout": "[0, 1)",
    "model.early_stopping": "[0, 1000]",
    "known_targets.negatives.min_phase": "[0, 4]",
    "known_targets.negatives.min_score": "[0, 1]",
    "explain.top": "[0, 10000]",
    "explain.steps": "[1, 100000]",
    "explain.max_nodes": "[1, 1000]",
    "explain.subgraphs": "[1, 100]",
    "audit.rewires": "[0, 1000]",
    "audit.label_permutations": "[0, 10000]",
    "audit.sample_permutations": "[0, 10000]",
    "audit.sample_bootstraps": "[0, 10000]",
    "audit.edge_bootstraps": "[0, 10000]",
    "audit.seeds": "[1, 1000]",
    "audit.swaps": "[1, 1000]",
    "audit.dropped_edges": "(0, 1)",
    "audit.jitter": "(0, 1]",
    "audit.top": "[1, 100000]",
    "audit.fdr": "(0, 1)",
    "audit.known_share": "[0, 1]",
}


def check_ranges(settings: object, where: str) -> None:
    """Refuse the first number that lies outside its interval.

    Args:
        settings: Settings as nested dataclasses; their names lead to the names in ``RANGES``.
        where: The run file, for the message.

    Raises:
        ConfigError: With the setting, what was found, and the interval.

    Example:
        >>> inside("[2, 1000]", 1), inside("(0, 1]", 1.0), inside("[0, 1)", float("nan"))
        (False, True, False)
    """
    for at, name, value in _numbers(settings, "", ""):
        interval = RANGES.get(name)
        if interval and not inside(interval, value):
            raise ConfigError(f"{where}: {at} = {value} must lie in {interval}")


def inside(interval: str, value: float) -> bool:
    """Tell whether a number lies in an interval such as ``(0, 1]``; NaN lies in none."""
    low, high = (float(end) for end in interval[1:-1].split(","))
    above = value > low if interval[0] == "(" else value >= low
    below = value < high if interval[-1] == ")" else value <= high
    return above and below


def _numbers(value: object, at: str, name: str) -> Iterator[tuple[str, str, float]]:
    """Every number with where it stands and its name in ``RANGES``, which counts no positions."""
    if is_dataclass(value):
        for item in fields(value):
            dot = "." if at else ""
            inner = getattr(value, item.name)
            yield from _numbers(inner, f"{at}{dot}{item.name}", f"{name}{dot}{item.name}")
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for position, inner in enumerate(value):
            yield from _numbers(inner, f"{at}[{position}]", name)
    elif isinstance(value, int | float):
        yield at, name, value
