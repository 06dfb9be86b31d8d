"""What public cohorts measured of every gene, beside the published tables of a benchmark.

Nobody chose the genes that a cohort measures: what it says of a gene does not grow with the papers
about it. So these features and these relations are of the lean track.
"""

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from aimwell.knowledge.edges import build_edges
from aimwell.knowledge.graph import GENE, Relation, TargetGraph

COLON: Final = "cohorts/cptac_coad"
BREAST: Final = "cohorts/tcga_brca_er"
RNA: Final = f"{COLON}/transcriptomics.gz"
TUMOURS: Final = f"{COLON}/proteomics_tumor.cct.gz"
NORMALS: Final = f"{COLON}/proteomics_normal.cct.gz"
MUTATIONS: Final = f"{COLON}/mutation_binary.cbt.gz"
COUNTS: Final = f"{BREAST}/TCGA_BRCA_ER_counts.csv.gz"
RECEPTORS: Final = f"{BREAST}/TCGA_BRCA_ER_labels.csv"
FILES: Final = (RNA, TUMOURS, NORMALS, MUTATIONS, COUNTS, RECEPTORS)
#: Relations between genes that rise and fall together in the samples of one table.
TOGETHER: Final = ("together_colon_rna", "together_colon_protein", "together_breast_rna")
NEIGHBOURS: Final = 15
#: Share of the samples in which a gene must be measured to have neighbours.
SEEN: Final = 0.7
#: A tumour with more mutations counts as if it had so many: a few hold most of them.
BURDEN: Final = 50


def measured_features(data: Path) -> pd.DataFrame:
    """Summarise every gene in the colon and the breast cohort.

    Args:
        data: Folder with ``FILES``.

    Returns:
        One row per symbol; columns ``RNA: …``, ``protein: …``, ``mutations: …``, NaN where a cohort
        did not measure the gene.
    """
    rna, tumours, normals = (_matrix(data / name) for name in (RNA, TUMOURS, NORMALS))
    breast = _breast(data)
    receptor = pd.read_csv(data / RECEPTORS, index_col=0)["ER"]
    positive = breast.columns.isin(receptor.index[receptor == "Positive"])
    both = rna.columns.intersection(tumours.columns)
    genes = rna.index.intersection(tumours.index)
    agree = rna.loc[genes, both].rank(axis=1).corrwith(tumours.loc[genes, both].rank(axis=1), 1)
    normals = normals.set_axis([str(c).removesuffix("N") for c in normals], axis=1)
    paired = tumours.columns.intersection(normals.columns)
    change = tumours[paired] - normals.reindex(tumours.index)[paired]
    error = change.std(axis=1) / np.sqrt(change.notna().sum(axis=1))
    columns = {
        "RNA: mean, colon": rna.mean(axis=1),
        "RNA: spread, colon": rna.std(axis=1),
        "RNA: mean, breast": breast.mean(axis=1),
        "RNA: spread, breast": breast.std(axis=1),
        "RNA: receptor positive against negative, breast": breast.loc[:, positive].mean(axis=1)
        - breast.loc[:, ~positive].mean(axis=1),
        "protein: mean, colon": tumours.mean(axis=1),
        "protein: spread, colon": tumours.std(axis=1),
        "protein: tumour against normal, colon": change.mean(axis=1),
        "protein: the same over its error, colon": change.mean(axis=1) / error,
        "protein: agreement with RNA, colon": agree,
    }
    table = pd.DataFrame(columns).join(_mutations(data), how="outer")
    return table.replace([np.inf, -np.inf], np.nan)


def _mutations(data: Path) -> pd.DataFrame:
    """Count what is mutated in a gene; its last mutated residue stands for its length."""
    table = _matrix(data / MUTATIONS)
    parts = table.index.str.extract(r"^(?P<gene>.+)_p\.[A-Za-z*]+?(?P<residue>\d+)(?P<rest>.*)$")
    shortens = parts["rest"].str.contains(r"fs|\*", regex=True).fillna(value=False).to_numpy(bool)
    seen = table.to_numpy(float)
    often = seen.sum(axis=1)
    evenly = (seen * np.minimum(BURDEN / np.maximum(seen.sum(axis=0), 1), 1)).sum(axis=1)
    sites = pd.DataFrame(
        {
            "residue": pd.to_numeric(parts["residue"]),
            "all": often,
            "often": often,
            "shortening": often * shortens,
            "evenly": evenly,
            "evenly shortening": evenly * shortens,
            "evenly others": evenly * ~shortens,
        }
    )
    by_gene = sites.groupby(parts["gene"].to_numpy())
    total = by_gene.sum()
    last, most = by_gene["residue"].max(), by_gene["often"].max()
    return pd.DataFrame(
        {
            "mutations: last residue": np.log(last),
            "mutations: all": np.log1p(total["all"]),
            "mutations: shortening": np.log1p(total["shortening"]),
            "mutations: at one residue": np.log1p(most),
            "mutations: all, tumours alike": np.log1p(total["evenly"]),
            "mutations: shortening, tumours alike": np.log1p(total["evenly shortening"]),
            "mutations: others, tumours alike": np.log1p(total["evenly others"]),
            # drawn to a quarter where there are next to none
            "mutations: share that shortens": (total["evenly shortening"] + 0.05)
            / (total["evenly"] + 0.2),
        }
    )


def with_together(graph: TargetGraph, data: Path) -> TargetGraph:
    """Add the relations ``TOGETHER``: genes whose values correlate over the samples of a table.

    Args:
        graph: Its genes; only they get neighbours.
        data: Folder with ``FILES``.
    """
    proteins = pd.concat(
        [_matrix(data / TUMOURS), _matrix(data / NORMALS).add_suffix(" normal")], axis=1
    )
    breast = _breast(data)
    tables = (_matrix(data / RNA), proteins, breast[breast.mean(axis=1) > 1])
    relations = dict(graph.relations)
    symbols = graph.symbols[~graph.symbols.duplicated(keep=False)]
    to_id = pd.Series(symbols.index, pd.Index(symbols))
    steps = []
    for name, table in zip(TOGETHER, tables, strict=True):
        known = table[table.index.isin(to_id.index)]
        pairs = nearest(known.set_axis(to_id.reindex(known.index)), NEIGHBOURS).assign(
            weight=1.0, evidence=name, literature=False, clinical=False, detail=""
        )
        edges, merged = build_edges(pairs, name, directed=False)
        relations[name] = Relation(name, GENE, GENE, edges, directed=False)
        steps.append(merged)
    return replace(graph, relations=relations, steps=(*graph.steps, *steps))


def nearest(values: pd.DataFrame, neighbours: int) -> pd.DataFrame:
    """Pair every row with the rows that correlate best with it, missing values at the row's mean.

    Args:
        values: Genes × samples; rows measured in fewer than ``SEEN`` of the samples and rows
            without spread are left out.
        neighbours: Of each row; only positive correlations count.

    Returns:
        Columns ``source_id``, ``target_id``: ids of the rows, each pair once.

    Example:
        >>> table = pd.DataFrame([[1, 2, 3], [2, 4, 6.5], [3, 2, 1]], index=["A", "B", "C"])
        >>> nearest(table, 1).to_numpy().tolist()
        [['A', 'B']]
    """
    numbers = values.to_numpy(float)
    seen = np.isfinite(numbers)
    kept = seen.mean(axis=1) >= SEEN
    numbers, seen, ids = numbers[kept], seen[kept], np.asarray(values.index[kept], dtype=object)
    mean = np.where(seen, numbers, 0).sum(axis=1) / seen.sum(axis=1)
    centred = np.where(seen, numbers - mean[:, None], 0)
    length = np.linalg.norm(centred, axis=1)
    spread = length > 1e-9
    unit = (centred[spread] / length[spread, None]).astype(np.float32)
    ids = ids[spread]
    pairs = set()
    for start in range(0, len(unit), 2000):
        alike = unit[start : start + 2000] @ unit.T
        own = np.arange(len(alike))
        alike[own, start + own] = -2
        best = np.argpartition(-alike, min(neighbours, len(ids) - 1), axis=1)[:, :neighbours]
        row, place = np.nonzero(np.take_along_axis(alike, best, axis=1) > 0)
        one, other = start + row, best[row, place]
        pairs |= set(zip(np.minimum(one, other), np.maximum(one, other), strict=True))
    found = np.array(sorted(pairs), dtype=np.int64).reshape(-1, 2)
    ends = np.sort(ids[found].astype(str), axis=1)
    return pd.DataFrame(ends, columns=["source_id", "target_id"])


def _matrix(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, sep="\t", index_col=0)
    return table[~table.index.duplicated()]


def _breast(data: Path) -> pd.DataFrame:
    """Read counts as logarithms of counts per million."""
    counts = pd.read_csv(data / COUNTS, index_col=0)
    counts = counts[~counts.index.duplicated()]
    return (counts / counts.sum() * 1e6 + 1).map(np.log2)
