"""The quality of a cohort on its own, before anything is ranked."""

from typing import Any

from aimwell.cohorts.cohort import Cohort
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.qc import quality_facts
from aimwell.cohorts.reading import read_cohort
from aimwell.cohorts.ready_tables import join_tables, read_ready_tables
from aimwell.config import RunConfig
from aimwell.knowledge.build import build_graph, identifier_table
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.stages import design_row
from aimwell.pipeline.tables import step_rows
from aimwell.provenance import to_plain
from aimwell.reports.cohort_page import CohortReport


def look_at_cohort(config: RunConfig) -> CohortReport:
    """Read a cohort, describe it, and test the contrasts that can be tested.

    A contrast that the gate refuses is told with its reason, and the others are tested.

    Raises:
        AimwellError: A file that cannot be read.
    """
    # with an HGNC table the graph has no say in what a name means
    graph = read_starter_graph() if config.identifiers.hgnc else build_graph(config)
    table = identifier_table(config, graph)
    cohort, ready = read_cohort(config, table), read_ready_tables(config, table)
    facts = quality_facts(cohort, config.contrasts)
    refused = {c["name"] for c in facts["check"]["contrasts"] if c["problem"]}
    usable = tuple(c for c in config.contrasts if c.name not in refused)
    tested, designs = harmonise(cohort, usable) if usable else (None, {})
    evidence = join_tables(tested, ready) if tested is not None or ready.blocks else None
    steps = (*cohort.steps, *(evidence.steps if evidence else ()))
    return CohortReport(
        title=config.run.title,
        facts=facts,
        contrasts=to_plain(config.contrasts),
        steps=step_rows("cohort", tuple(dict.fromkeys(steps))),
        evidence=evidence,
        designs={name: design_row(design) for name, design in designs.items()},
        symbols=_symbols(cohort, ready.identifiers),
    )


def _symbols(cohort: Cohort, ready: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for names in (cohort.identifiers, ready):
        if len(names):
            mapped = names[names["status"] == "mapped"]
            found |= dict(zip(mapped["hgnc_id"], mapped["symbol"], strict=True))
    return found
