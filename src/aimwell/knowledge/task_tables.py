"""A published benchmark as plain tables: genes with labels and folds, edges, features."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency
from sklearn.metrics import roc_auc_score

from aimwell.errors import InputError, LabelError, TaskError, some
from aimwell.knowledge.files import read_table
from aimwell.knowledge.name_kinds import date_symbols
from aimwell.provenance import Source, Step, sha256_of

FOLDS: Final = "test_fold_rep"
#: A benchmark with fewer known targets measures nothing.
FEWEST: Final = 5
#: Probability below which what is missing is taken to depend on the label.
UNEVEN: Final = 1e-3


@dataclass(frozen=True)
class TaskTables:
    """Labels, folds, edges and features, all by symbol.

    Attributes:
        labels: 1 known, 0 given negative, -1 unlabelled; indexed by symbol, sorted.
        folds: One column per repetition, same index; -1 for genes in no test fold.
        edges: Columns ``a``, ``b`` (``a < b``) and ``weight``; sorted, no pair twice.
        features: One column per feature, same index as ``labels``; NaN where missing.
        sources: The three files.
        steps: What was left out, and why.
    """

    labels: "pd.Series[int]"
    folds: pd.DataFrame
    edges: pd.DataFrame
    features: pd.DataFrame
    sources: tuple[Source, ...] = ()
    steps: tuple[Step, ...] = ()


def read_task_tables(folder: Path) -> TaskTables:
    """Read ``genes.tsv``, ``edges.tsv`` and ``features.tsv`` of a folder, each plain or gzipped.

    ``genes.tsv`` has the columns ``symbol``, ``label`` (1, 0 or -1) and ``test_fold_rep0`` …;
    ``edges.tsv`` has ``a``, ``b`` and maybe ``weight`` in (0, 1]; ``features.tsv`` has ``symbol``
    and a column per feature, empty where missing. ``BLOCK: NAME`` puts a feature into a block.

    Raises:
        InputError: A file or column that is missing, a symbol twice, a symbol that a spreadsheet
            turned into a date, or a value that is no number.
        LabelError: Fewer than ``FEWEST`` known targets.
        TaskError: Folds that do not cover the labelled genes, a fold that tests nothing, no edge,
            or a feature that equals the label.
    """
    genes_file, edges_file, features_file = (
        _find(folder, name) for name in ("genes", "edges", "features")
    )
    genes = _read(genes_file, "a table of genes", ["symbol", "label"])
    labels = _labels(genes, genes_file)
    folds, unfit = _folds(genes, labels, genes_file)
    edges, loose = _edges(_read(edges_file, "a table of edges", ["a", "b"]), labels, edges_file)
    raw = _read(features_file, "a table of features", ["symbol"])
    features, outside = _features(raw, labels, features_file)
    features, dropped = usable_features(features, labels, str(features_file))
    sources = tuple(
        Source(f"{folder.name}/{p.name}", "not stated", "unknown", sha256=sha256_of(p))
        for p in (genes_file, edges_file, features_file)
    )
    steps = (*unfit, *loose, *outside, *dropped)
    return TaskTables(labels, folds, edges, features, sources, steps)


def usable_features(
    features: pd.DataFrame, labels: "pd.Series[int]", where: str
) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    """Leave out features that are constant, or missing in a way that gives the label away.

    Args:
        features: One row per gene, NaN where missing.
        labels: Same index; 1 known, 0 given negative, -1 unlabelled.
        where: The file, for the message.

    Raises:
        TaskError: A feature that separates known targets and negatives without an error.

    Example:
        >>> genes = list("abcdefgh")
        >>> values = pd.DataFrame({"flat": 1.0, "good": [3, 1, 4, 1, 5, 9, 2, 6.0]}, genes)
        >>> kept, steps = usable_features(values, pd.Series([1, 0] * 4, genes), "x.tsv")
        >>> list(kept), steps[0].examples
        (['good'], ('flat',))
    """
    labelled = features[labels >= 0]
    truth = labels[labels >= 0] == 1
    judged = 0 < truth.sum() < len(truth)
    constant, uneven = [], []
    for name in features.columns:
        seen = labelled[name].notna()
        if features[name].nunique() < 2:
            constant.append(name)
        elif judged and 0 < seen.sum() < len(seen) and _differs(seen, truth):
            uneven.append(name)
        elif judged and truth[seen].nunique() == 2:
            area = roc_auc_score(truth[seen], labelled.loc[seen, name])
            if max(area, 1 - area) == 1 and truth[seen].sum() >= FEWEST:
                raise TaskError(
                    f"'{where}': the feature '{name}' separates the {int(truth[seen].sum())} known "
                    "targets from the given negatives without one error; it is the label in "
                    "another form: take it out of the table"
                )
    left = features.drop(columns=[*constant, *uneven])
    n = features.shape[1]
    steps = (
        Step("features that vary", n, n - len(constant), "the same everywhere", _few(constant)),
        Step(
            "features whose missing values say nothing about the label",
            n - len(constant),
            left.shape[1],
            "missing more often in known targets or in negatives, which gives the label away",
            _few(uneven),
        ),
        Step(
            "values of the features",
            left.size,
            int(left.notna().sum().sum()),
            "missing; they enter as the average gene",
        ),
    )
    return left, steps


def _find(folder: Path, name: str) -> Path:
    for suffix in (".tsv", ".tsv.gz"):
        if (folder / f"{name}{suffix}").is_file():
            return folder / f"{name}{suffix}"
    raise InputError(
        f"'{folder}' holds no {name}.tsv and no {name}.tsv.gz; a task from tables needs genes.tsv, "
        "edges.tsv and features.tsv"
    )


def _read(path: Path, what: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read every column as text; the named ones must be there."""
    read_table(path, what, columns)  # refuses damage by name, line and column
    return pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)


def _labels(genes: pd.DataFrame, path: Path) -> "pd.Series[int]":
    symbols = genes["symbol"]
    if not symbols.is_unique:
        twice = symbols[symbols.duplicated()].unique()
        raise InputError(f"'{path}': {len(twice)} symbols occur twice: {some(twice)}; keep one row")
    if changed := [s for s in symbols if date_symbols(s)]:
        raise InputError(
            f"'{path}': {len(changed)} symbols are dates, which a spreadsheet made of genes: "
            f"{some(changed)}; export the table again as text"
        )
    wrong = ~genes["label"].isin(["1", "0", "-1"])
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"'{path}': {int(wrong.sum())} labels are not 1, 0 or -1, the first is "
            f"'{genes['label'].iloc[row]}' of {symbols.iloc[row]}"
        )
    labels = pd.Series(genes["label"].astype(int).to_numpy(), pd.Index(symbols)).sort_index()
    if (found := int((labels == 1).sum())) < FEWEST:
        raise LabelError(
            f"'{path}' has {found} known targets; {FEWEST} are needed to learn or to measure. "
            "Evidence and random walk alone need none: rank with 'aimwell run'"
        )
    return labels


def _folds(
    genes: pd.DataFrame, labels: "pd.Series[int]", path: Path
) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    names = [c for c in genes.columns if c.startswith(FOLDS)]
    if not names:
        raise InputError(f"'{path}' has no column {FOLDS}0; give every labelled gene a test fold")
    table = genes.set_index("symbol")[names].reindex(labels.index)
    folds = table.apply(pd.to_numeric, errors="coerce")
    if folds.isna().any(axis=None) or (folds % 1 != 0).any(axis=None):
        raise InputError(f"'{path}': the columns {FOLDS}… must hold whole numbers")
    folds = folds.astype(int)
    labelled = labels >= 0
    for name in names:
        column = folds[name]
        if (lost := column[labelled] < 0).any():
            raise TaskError(
                f"'{path}': the folds of {name} do not cover {int(lost.sum())} of "
                f"{int(labelled.sum())} labelled genes: {some(lost.index[lost])}"
            )
        for number in (1, 0):
            if (labels == number).any():
                held = column[labels == number].nunique()
                if held < column[labelled].nunique():
                    raise TaskError(
                        f"'{path}': a fold of {name} holds no gene with the label {number}, "
                        "so nothing can be measured there"
                    )
    tested = (folds >= 0).any(axis=1) & ~labelled
    step = Step(
        "unlabelled genes in no test fold",
        int((~labelled).sum()),
        int((~labelled & ~tested).sum()),
        "in a test fold without a label; scored like the other unlabelled genes",
        tuple(labels.index[tested][:3]),
    )
    return folds.where(labelled, -1, axis=0), (step,)


def _edges(
    raw: pd.DataFrame, labels: "pd.Series[int]", path: Path
) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    weight = pd.to_numeric(raw["weight"], errors="coerce") if "weight" in raw else 1.0
    table = raw[["a", "b"]].assign(weight=weight)
    if not table["weight"].between(0, 1, inclusive="right").all():
        raise InputError(f"'{path}': weights must be numbers in (0, 1]")
    known = table["a"].isin(labels.index) & table["b"].isin(labels.index)
    loops = table["a"] == table["b"]
    table = table[known & ~loops]
    swap = table["a"] > table["b"]
    table.loc[swap, ["a", "b"]] = table.loc[swap, ["b", "a"]].to_numpy()
    table = table.sort_values(["a", "b", "weight"]).drop_duplicates(["a", "b"], keep="last")
    if table.empty:
        raise TaskError(f"'{path}' has no edge between two genes of genes.tsv")
    why = (
        f"{int((~known).sum())} with an unknown gene, {int((known & loops).sum())} from a gene to "
        f"itself, {int((known & ~loops).sum()) - len(table)} repeated"
    )
    ends = raw[["a", "b"]].to_numpy().ravel()
    unknown = sorted(set(ends) - set(labels.index))
    return table.reset_index(drop=True), (
        Step("edges between genes of the task", len(raw), len(table), why, _few(unknown)),
    )


def _features(
    raw: pd.DataFrame, labels: "pd.Series[int]", path: Path
) -> tuple[pd.DataFrame, tuple[Step, ...]]:
    if not raw["symbol"].is_unique:
        twice = raw.loc[raw["symbol"].duplicated(), "symbol"].unique()
        raise InputError(f"'{path}': {len(twice)} symbols occur twice: {some(twice)}; keep one row")
    text = raw.set_index("symbol")
    missing = text.isin(["", "NA", "NaN", "nan"])
    values = text.mask(missing).apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = (values.isna() & ~missing) | np.isinf(values)
    if wrong.any(axis=None):
        at, column = np.argwhere(wrong.to_numpy())[0]
        gene, name = str(values.index[at]), str(values.columns[column])
        raise InputError(
            f"'{path}': {int(wrong.sum().sum())} values are not numbers, the first is "
            f"'{text.iloc[at, column]}' of {gene} in the column '{name}'; leave missing ones empty"
        )
    inside = values.index.isin(labels.index)
    absent = labels.index.difference(values.index)
    steps = (
        Step("rows of the features", len(values), int(inside.sum()), "not in genes.tsv"),
        Step(
            "genes with a row of features",
            len(labels),
            len(labels) - len(absent),
            "no row; every feature is missing there",
            tuple(absent[:3]),
        ),
    )
    return values.reindex(labels.index), steps


def _differs(seen: "pd.Series[bool]", truth: "pd.Series[bool]") -> bool:
    table = pd.crosstab(seen, truth)
    return bool(chi2_contingency(table).pvalue < UNEVEN)


def _few(names: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(n) for n in names[:3])
