"""Control genes: those that a ranking of drug targets should not prefer, and those that it may.

Sources: Hart et al. 2014, 2017 (core-essential genes CEGv2 and non-essential genes NEGv1, which a
user names as files); HGNC gene groups and symbols (olfactory receptors, which are expressed in the
nose, are rarely studied elsewhere, and float up where long or unexpressed genes are favoured).
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import roc_auc_score

from aimwell.errors import InputError, some
from aimwell.knowledge.graph import GENE, TargetGraph
from aimwell.models.accuracy import matched_auroc
from aimwell.models.task import TargetTask
from aimwell.trust.bias import degree_of
from aimwell.trust.check import Check

GROUP: Final = "sanity"
#: OR4F5, OR10A2: approved symbols of olfactory receptors, pseudogenes left out.
OLFACTORY: Final = re.compile(r"OR\d{1,2}[A-Z]{1,2}\d{1,3}")
FEWEST: Final = 5
SIGNIFICANT: Final = 0.01
POSITIVE, NEGATIVE = "positive", "negative"


def read_controls(path: Path, graph: TargetGraph) -> pd.Index:
    """Read a list of genes: symbols or HGNC ids, one a line; further columns are not read.

    A first line that is no gene (``GENE``) counts as a header.

    Raises:
        InputError: No such file, or hardly any of its lines is a gene of the graph.
    """
    if not path.is_file():
        raise InputError(f"there is no file '{path}' of control genes; see [audit] in the run file")
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    names = [line.split("\t")[0].strip().strip('"') for line in text.splitlines()]
    names = list(dict.fromkeys(n for n in names if n and not n.startswith("#")))
    by_symbol = {s: g for g, s in graph.symbols.items()}
    found = [str(g) for n in names if (g := n if n in graph.genes else by_symbol.get(n))]
    if len(found) < FEWEST:
        raise InputError(
            f"'{path}' names {len(found)} genes of the graph, and {FEWEST} are needed; found "
            f"{some(names) if names else 'no line'}. Write one symbol or HGNC id a line"
        )
    return pd.Index(sorted(set(found)), name="hgnc_id")


def olfactory_receptors(graph: TargetGraph) -> pd.Index:
    """Find the olfactory receptors of a graph, by HGNC family or by symbol."""
    table = graph.nodes[GENE]
    family = table["family"].astype(str).str.contains("lfactory receptor", regex=False)
    symbol = table["symbol"].astype(str).map(lambda s: bool(OLFACTORY.fullmatch(s)))
    return table.index[family | symbol].sort_values().rename("hgnc_id")


def check_controls(
    task: TargetTask, scores: np.ndarray, controls: Mapping[str, tuple[str, pd.Index]]
) -> list[Check]:
    """Ask where control genes land among genes without a label.

    Args:
        task: Genes and labels.
        scores: Shape ``(n,)``.
        controls: Name → ``positive`` or ``negative``, and the genes. A negative set must not be
            ranked above other genes, a positive one not below; both by a two-sided rank test.
    """
    free = ~task.withheld & (task.labels == 0)
    degree = degree_of(task)
    found = []
    for name, (sign, genes) in sorted(controls.items()):
        mine = np.asarray(task.genes.isin(genes)) & free
        wanted = "<= 0.5" if sign == NEGATIVE else ">= 0.5"
        said = (
            f"AUROC of {int(mine.sum())} {name} against other genes without a label: {sign} "
            f"controls, which should not come {'early' if sign == NEGATIVE else 'late'}"
        )
        if mine.sum() < FEWEST:
            said = f"{name}: {int(mine.sum())} are in the graph, and {FEWEST} are needed"
            found.append(Check(f"controls: {name}", None, wanted, None, said, group=GROUP))
            continue
        area = float(roc_auc_score(mine[free], scores[free]))
        error = _error(area, int(mine.sum()), int((free & ~mine).sum()))
        reach = float(stats.norm.ppf(1 - SIGNIFICANT / 2)) * error
        low, high = max(area - reach, 0.0), min(area + reach, 1.0)
        passed = low <= 0.5 if sign == NEGATIVE else high >= 0.5
        limit = f"{wanted} within its 99 % interval"
        found.append(
            Check(f"controls: {name}", area, limit, bool(passed), said, (low, high), GROUP)
        )
        matched = matched_auroc(mine[free], scores[free], degree[free])
        found.append(
            Check(
                f"controls of equal degree: {name}",
                matched if np.isfinite(matched) else None,
                meaning=f"the same over pairs of the same decile of neighbours: {name}",
                group=GROUP,
            )
        )
    return found


def check_pathways(
    task: TargetTask, graph: TargetGraph, scores: np.ndarray, number: int = 5
) -> list[Check]:
    """Name the sets that stand highest: a reader sees at once whether they make sense.

    Sets of 10 to 200 genes are compared with all other genes by a rank test; known targets are
    left out, so that a set does not stand high for them alone.
    """
    free = ~task.withheld & (task.labels == 0)
    ranks = pd.Series(stats.rankdata(scores[free]), task.genes[free])
    rows = []
    for relation in graph.set_relations():
        names = graph.nodes[relation.target_type]["name"].astype(str)
        edges = relation.edges[relation.edges["source_id"].isin(ranks.index)]
        summed = ranks.reindex(edges["source_id"]).groupby(edges["target_id"].to_numpy())
        table = summed.agg(["sum", "size"])
        table = table[table["size"].between(10, 200)]
        n = len(ranks)
        mean = table["size"] * (n + 1) / 2
        spread = np.sqrt(table["size"] * (n - table["size"]) * (n + 1) / 12)
        far = (table["sum"] - mean) / spread
        rows += [(names[key], float(z)) for key, z in far.items()]
    if not rows:
        return []
    best = sorted(rows, key=lambda row: (-row[1], row[0]))[:number]
    told = "; ".join(f"{name} (z {z:.1f})" for name, z in best)
    return [
        Check(
            "highest_pathways",
            best[0][1],
            meaning=f"sets whose genes stand highest, known targets left out: {told}",
            group=GROUP,
        )
    ]


def _error(area: float, positive: int, negative: int) -> float:
    """Standard error of an AUROC (Hanley & McNeil 1982)."""
    one, two = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area)
    variance += (positive - 1) * (one - area**2) + (negative - 1) * (two - area**2)
    return float(np.sqrt(variance / (positive * negative)))
