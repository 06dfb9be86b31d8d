"""What regulators and pathways seem to do, as a check of the evidence and never as a label.

One univariate linear model per set: statistics of all genes against the signed weights of the set
(the "ulm" of Badia-i-Mompel et al. 2022, Bioinform Adv 2:vbac016, written from its description).
"""

from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse

from aimwell.cohorts.differential import adjust_p, log_p_of_t
from aimwell.cohorts.evidence import Evidence
from aimwell.errors import CohortError
from aimwell.knowledge.graph import GENE, TargetGraph

#: Relations through which a transcription factor sets the amount of a transcript.
REGULATION: Final = {"induces": 1.0, "represses": -1.0}
#: Relations through which kinases, phosphatases, receptors and ligands set the activity of a
#: protein.
SIGNALLING: Final = {"activates": 1.0, "inhibits": -1.0}
MIN_GENES: Final = 5
ACTIVITY_COLUMNS: Final = ("activity", "p", "q", "genes")


def graph_activities(evidence: Evidence, graph: TargetGraph) -> pd.DataFrame:
    """Estimate what every regulator and set of a graph does in every contrast.

    Returns:
        ``contrast``; ``kind``: ``transcription`` (a factor, by what it induces and represses),
        ``signalling`` (a kinase or any other regulator, by what it activates and inhibits), or the
        node type of a set; ``set``, ``name`` and ``ACTIVITY_COLUMNS`` of ``set_activities``, ``q``
        within each contrast and kind; strongest first. Contrasts without a statistic are left out.
    """
    kinds = {"transcription": regulons(graph), "signalling": regulons(graph, SIGNALLING)}
    members = memberships(graph)
    kinds |= {str(kind): rows for kind, rows in members.groupby("kind")}
    names = pd.concat(
        [
            table["symbol" if kind == GENE else "name"].astype(str)
            for kind, table in sorted(graph.nodes.items())
        ]
    )
    parts = []
    for contrast, block in evidence.blocks.items():
        z = block["z"]
        # regulons of genes that a contrast did not see say nothing, and neither does a flat one
        if z.notna().sum() < MIN_GENES or z.nunique() < 2:
            continue
        for kind, sets in kinds.items():
            table = set_activities(z, sets).rename_axis("set").reset_index()
            table = table.assign(contrast=contrast, kind=kind, name=table["set"].map(names))
            order = table["activity"].abs().sort_values(ascending=False, kind="stable").index
            parts.append(table.loc[order])
    columns = ["contrast", "kind", "set", "name", *ACTIVITY_COLUMNS]
    found = [part for part in parts if len(part)]
    return pd.concat(found, ignore_index=True)[columns] if found else pd.DataFrame(columns=columns)


def regulons(graph: TargetGraph, relations: Mapping[str, float] = REGULATION) -> pd.DataFrame:
    """List what each gene of a graph sets, with its sign: ``set``, ``gene``, ``weight``.

    Args:
        graph: Any graph.
        relations: Relation → sign; a relation of one source, such as ``induces_dorothea``, counts
            as the relation that it is named after.
    """
    parts = [
        pd.DataFrame(
            {
                "set": relation.edges["source_id"],
                "gene": relation.edges["target_id"],
                "weight": sign * relation.edges["weight"].astype(float),
            }
        )
        for start, sign in relations.items()
        for name, relation in sorted(graph.relations.items())
        if name.split("_")[0] == start and relation.source_type == relation.target_type == GENE
    ]
    if not parts:
        return pd.DataFrame({"set": [], "gene": [], "weight": []})
    table = pd.concat(parts).groupby(["set", "gene"], as_index=False)["weight"].sum()
    return pd.DataFrame(table[table["weight"] != 0].reset_index(drop=True))


def memberships(graph: TargetGraph) -> pd.DataFrame:
    """List the genes of every pathway, complex and other set of a graph, each with weight 1.

    Returns:
        ``set``, ``gene``, ``weight``, and ``kind``, the node type of the set.
    """
    parts = [
        pd.DataFrame(
            {
                "set": r.edges["target_id"],
                "gene": r.edges["source_id"],
                "weight": 1.0,
                "kind": r.target_type,
            }
        )
        for _, r in sorted(graph.relations.items())
        if r.source_type == GENE and r.target_type != GENE
    ]
    if not parts:
        return pd.DataFrame({"set": [], "gene": [], "weight": [], "kind": []})
    return pd.concat(parts).drop_duplicates(["set", "gene"]).reset_index(drop=True)


def set_activities(statistic: "pd.Series[float]", sets: pd.DataFrame) -> pd.DataFrame:
    """Estimate for every set whether its genes move as its weights say.

    Genes outside a set have weight 0 in it. Genes that go together make p-values too small, so
    these numbers check whether an analysis is plausible; they are no discoveries.

    Args:
        statistic: Per gene, such as ``z`` of a contrast; NaN is missing.
        sets: Columns ``set``, ``gene``, ``weight``.

    Returns:
        One row per set with at least ``MIN_GENES`` measured genes, sorted by set, with
        ``ACTIVITY_COLUMNS``: ``activity`` is the t statistic of the slope, ``genes`` the number of
        measured genes.

    Raises:
        CohortError: Fewer than three measured genes, or all with the same statistic.

    Example:
        >>> z = pd.Series([3.0, 3.2, 2.8, 3.1, 2.9, 0.1, -0.1, 0.0], index=list("abcdefgh"))
        >>> sets = pd.DataFrame({"set": "s", "gene": list("abcde"), "weight": 1.0})
        >>> set_activities(z, sets).loc["s", ["activity", "genes"]].round(1).tolist()
        [29.0, 5.0]
    """
    known = statistic.dropna().sort_index()
    y = known.to_numpy(float)
    if len(y) < 3 or np.ptp(y) == 0:
        raise CohortError(
            f"{len(y)} genes with a statistic, at least 3 that differ are needed to see what a "
            "set does"
        )
    used = sets[sets["gene"].isin(known.index) & (sets["weight"] != 0)]
    counts = used.groupby("set").size()
    names = counts.index[counts >= MIN_GENES].sort_values()
    used = used[used["set"].isin(names)]
    shape = (len(y), len(names))
    at = (
        known.index.get_indexer(pd.Index(used["gene"])),
        names.get_indexer(pd.Index(used["set"])),
    )
    w = sparse.csc_matrix((used["weight"].to_numpy(float), at), shape=shape)
    n = len(y)
    centred = y - y.mean()
    mean = np.asarray(w.sum(axis=0)).ravel() / n
    spread = np.asarray(w.multiply(w).sum(axis=0)).ravel() - n * mean**2
    with np.errstate(invalid="ignore", divide="ignore"):
        r = np.asarray(w.T @ centred).ravel() / np.sqrt(spread * float(centred @ centred))
        t = r * np.sqrt((n - 2) / np.maximum(1 - r**2, 1e-300))
    p = np.exp(log_p_of_t(t, np.full(len(t), float(n - 2))))
    table = pd.DataFrame(
        {"activity": t, "p": p, "q": adjust_p(p), "genes": counts[names].to_numpy()}, index=names
    )
    return table[list(ACTIVITY_COLUMNS)]
