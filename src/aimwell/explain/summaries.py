"""Many genes explained in a few numbers each: what makes the score, the edges, the subgraph."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.config import ExplainSettings
from aimwell.explain.shares import score_shares
from aimwell.explain.tables import TOP, strongest
from aimwell.explain.targets import OneTarget, TargetExplainer
from aimwell.models.member import Member
from aimwell.models.task import TargetTask

#: What is told of an edge beside its attribution.
EDGE: Final = ["source_id", "target_id", "relation", "evidence"]


def summarise_targets(
    task: TargetTask,
    members: Sequence[Member],
    evidence: Evidence,
    genes: pd.Index,
    settings: ExplainSettings,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Explain genes as ``explain_targets`` does, without tests, sentences and other baselines.

    Ten milliseconds a gene, so that a whole genome can be asked.

    Args:
        task, members, evidence, settings: As for ``explain_targets``.
        genes: HGNC ids.

    Returns:
        Genes, in the order asked for: ``hgnc_id``, ``score``, ``baseline_score``, a column per
        share of the score, ``completeness_error``, ``subgraph`` (node ids joined by ``|``, the gene
        first) and ``subgraph_share``, the part of ``score - baseline_score`` that it carries.
        Edges, the twenty strongest of every gene and those of its subgraph: ``hgnc_id``,
        ``source_id``, ``target_id``, ``relation``, ``evidence``, ``attribution`` and
        ``in_subgraph``.

    Raises:
        TaskError: As ``explain_targets``.
    """
    bare = replace(settings, test=False, baselines=settings.baselines[:1], subgraphs=1)
    explainer = TargetExplainer(task, members, evidence, bare, singly=False)
    positions = task.positions(genes)
    told = {one.position: _summary(one) for one in explainer.attributed(positions)}
    rows = pd.DataFrame([told[int(p)][0] for p in positions])
    parts = [told[int(p)][1] for p in positions]
    columns = [np.concatenate([part[k] for part in parts]) for k in range(3)]
    edges = task.wiring.edges[EDGE].iloc[columns[0]].reset_index(drop=True)
    of = np.repeat(rows["hgnc_id"].to_numpy(object), [len(part[0]) for part in parts])
    edges.insert(0, "hgnc_id", of)
    return rows, edges.assign(attribution=columns[1], in_subgraph=columns[2])


def _summary(one: OneTarget) -> tuple[dict[str, Any], tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Give the row of one gene, and its edges: rows of ``Wiring.edges``, values, and where."""
    part, ((nodes, _),) = one.part, one.subgraphs()
    inside = one.between(nodes)
    chosen = np.union1d(strongest(one.values, TOP), inside)
    row = {
        "hgnc_id": one.gene,
        "score": part.score,
        "baseline_score": part.baseline_score,
        **score_shares(one.task, one.position, part),
        "completeness_error": part.completeness_error,
        "subgraph": "|".join(str(one.tables.ids[node]) for node in nodes),
        "subgraph_share": one.share(nodes, inside),
    }
    return row, (one.rows[chosen], one.values[chosen], np.isin(chosen, inside))
