"""The leaks of the graph that a run file asks for, before anything is run."""

from dataclasses import dataclass, replace

import pandas as pd

from aimwell.config import RunConfig
from aimwell.knowledge.build import build_graph, build_known_targets, identifier_table
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.leaks import audit_leaks, leaking_edges


@dataclass(frozen=True)
class LeakAudit:
    """What in a graph encodes the known targets, and what a run does with it.

    Attributes:
        leaks: Of ``audit_leaks``, with a column ``state``: ``left out`` or ``kept``.
        edges: Of ``leaking_edges``, with the same column.
        known: The known targets.
        allowed: Whether the run file keeps leaks.
    """

    leaks: pd.DataFrame
    edges: pd.DataFrame
    known: KnownTargets
    allowed: bool


def audit_run(config: RunConfig) -> LeakAudit:
    """Build the graph and the known targets of a run file, and list every leak between them.

    Sets that the build leaves out by their names are built here, so that they are listed too.

    Raises:
        AimwellError: As ``build_graph`` and ``build_known_targets``.
    """
    whole = replace(config, graph=replace(config.graph, allow_leak=True))
    graph = build_graph(whole)
    settings = config.known_targets
    table = identifier_table(config, graph)
    known = build_known_targets(settings.sources, config, table, settings.as_of)
    state = "kept" if config.graph.allow_leak else "left out"
    return LeakAudit(
        audit_leaks(graph, known).assign(state=state),
        leaking_edges(graph, known).assign(state=state),
        known,
        config.graph.allow_leak,
    )
