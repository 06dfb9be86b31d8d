"""What regulators and pathways seem to do, as a check of the evidence and never as a label.

One univariate linear model per set: statistics of all genes against the signed weights of the set
(the "ulm" of Badia-i-Mompel et al. 2022, Bioinform Adv 2:vbac016, written from its description).
"""

from typing import Final

import numpy as np
import pandas as pd
from scipy import sparse

from aimwell.cohorts.differential import adjust_p, log_p_of_t
from aimwell.errors import CohortError
from aimwell.knowledge.graph import TargetGraph

#: Relations through which a transcription factor sets the amount of a transcript.
REGULATION: Final = {"induces": 1.0, "represses": -1.0}
MIN_GENES: Final = 5
ACTIVITY_COLUMNS: Final = ("activity", "p", "q", "genes")


def regulons(graph: TargetGraph) -> pd.DataFrame:
    """List what each gene of a graph induces and represses: ``set``, ``gene``, ``weight``."""
    parts = [
        pd.DataFrame(
            {
                "set": graph.relations[name].edges["source_id"],
                "gene": graph.relations[name].edges["target_id"],
                "weight": sign * graph.relations[name].edges["weight"].astype(float),
            }
        )
        for name, sign in REGULATION.items()
        if name in graph.relations
        and graph.relations[name].source_type == graph.relations[name].target_type == "gene"
    ]
    if not parts:
        return pd.DataFrame({"set": [], "gene": [], "weight": []})
    table = pd.concat(parts).groupby(["set", "gene"], as_index=False)["weight"].sum()
    return pd.DataFrame(table[table["weight"] != 0].reset_index(drop=True))


def memberships(graph: TargetGraph) -> pd.DataFrame:
    """List the genes of every pathway and complex of a graph, each with weight 1."""
    parts = [
        pd.DataFrame({"set": r.edges["target_id"], "gene": r.edges["source_id"], "weight": 1.0})
        for r in graph.relations.values()
        if r.source_type == "gene" and r.target_type != "gene"
    ]
    if not parts:
        return pd.DataFrame({"set": [], "gene": [], "weight": []})
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
