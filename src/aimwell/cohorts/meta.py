"""One effect per gene out of several cohorts that share nothing but effects and standard errors.

Random effects: the variance between cohorts after Paule and Mandel (1982), J Res NBS 87:377, the
test after Hartung and Knapp (2001), Stat Med 20:3875, never narrower than without it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from scipy import special, stats

from aimwell.cohorts.differential import adjust_p, normal_se
from aimwell.cohorts.shrinkage import shrink_effects
from aimwell.errors import CohortError, InputError, some
from aimwell.provenance import write_atomically

#: What a site has to tell of each gene; nothing in it belongs to one patient.
SUMMARY_COLUMNS: Final = ("log2_fold_change", "se", "n_case", "n_control")
META_COLUMNS: Final = (
    "log2_fold_change",
    "se",
    "df",
    "p",
    "q",
    "lfsr",
    "p_common",
    "cohorts",
    "same_sign",
    "tau2",
    "heterogeneity",
    "heterogeneity_p",
    "i2",
    "low",
    "high",
    "weakest_p",
    "weakest_without",
    "replicated",
)
#: Two-sided p below which a cohort counts for itself, and false sign rate of all together.
REPLICATED_P: Final = 0.05
REPLICATED_LFSR: Final = 0.05
_ROUNDS: Final = 200


def summarise_contrast(table: pd.DataFrame) -> pd.DataFrame:
    """Keep of the statistics of one contrast what another site needs to combine them.

    Args:
        table: As ``fit_contrast`` gives it.

    Returns:
        One row per tested gene with ``SUMMARY_COLUMNS``; ``se`` is the standard error for which a
        normal gives the p-value of the t test, so that few samples do not look like many.
    """
    tested = table[table["status"] == "tested"]
    kept = tested[list(SUMMARY_COLUMNS)].assign(se=normal_se(tested))
    return kept.sort_index()


def write_summary(path: Path, summary: pd.DataFrame) -> None:
    """Write summary statistics as tab-separated text that reads back to the same numbers."""
    with write_atomically(path) as temporary:
        summary.to_csv(temporary, sep="\t", index_label="gene", lineterminator="\n")


def read_summary(path: Path) -> pd.DataFrame:
    """Read summary statistics of another site.

    Raises:
        InputError: The file is missing, lacks columns, or holds a gene twice or a standard error
            that is not a positive number.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str)
    except (OSError, ValueError, pd.errors.ParserError) as error:
        raise InputError(f"'{path}' cannot be read as summary statistics: {error}") from error
    if missing := [c for c in ("gene", *SUMMARY_COLUMNS[:2]) if c not in table.columns]:
        raise InputError(
            f"'{path}' lacks the columns {some(missing)}; summary statistics are a tab-separated "
            f"table with gene, {', '.join(SUMMARY_COLUMNS)}"
        )
    if not len(table):
        raise InputError(f"'{path}' has a header but no rows below it; write it again at its site")
    if table["gene"].isna().any():
        row = int(table["gene"].isna().to_numpy().argmax())
        raise InputError(f"'{path}': line {row + 2} has no gene; correct or remove it")
    table = table.set_index("gene")
    for column in table.columns.intersection(list(SUMMARY_COLUMNS)):
        try:  # Python's float reads back what was written to the last bit
            table[column] = table[column].map(float)
        except ValueError as error:
            raise InputError(f"'{path}' has text in its column '{column}': {error}") from error
    _check_summary(str(path), table, InputError)
    return table.sort_index()


def combine_files(paths: Sequence[Path], output: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """Combine files of summary statistics, each a cohort, and write the result.

    A cohort is called by its file, or by its folder where all files have one name.

    Returns:
        The combined table as in ``combine_cohorts``, and how many ``genes`` it has, how many are
        ``shared`` by at least two cohorts, and how many are ``replicated``.

    Raises:
        CohortError: Two files of one name, or fewer than two.
        InputError: A file that cannot be used.
    """
    names = [path.name.removesuffix(".gz").rsplit(".", 1)[0] for path in paths]
    folders = [path.resolve().parent.name for path in paths]
    if len(set(names)) == 1 and len(set(folders)) == len(paths):
        names = folders  # the same contrast of several sites
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise CohortError(
            f"several files are named {some(twice)}, and a cohort is called by its file, or by its "
            "folder where all files have one name; rename them, and give each cohort once"
        )
    cohorts = {n: read_summary(p) for n, p in zip(names, paths, strict=True)}
    found = combine_cohorts(cohorts)
    if len(cohorts) > 1 and not (found["cohorts"] > 1).any():
        examples = ", ".join(f"'{table.index[0]}' in '{n}'" for n, table in cohorts.items())
        raise CohortError(
            f"no gene is in two of the {len(cohorts)} files, so nothing can be combined: "
            f"{examples}; name genes alike in all of them, by HGNC id as cohort summarise does"
        )
    with write_atomically(output) as temporary:
        found.to_csv(temporary, sep="\t", index_label="gene", lineterminator="\n")
    facts = {
        "genes": len(found),
        "shared": int((found["cohorts"] > 1).sum()),
        "replicated": int(found["replicated"].sum()),
    }
    return found, facts


def _check_summary(name: str, table: pd.DataFrame, error: type[CohortError | InputError]) -> None:
    if not table.index.is_unique:
        twice = table.index[table.index.duplicated()]
        raise error(f"'{name}' has {len(twice)} genes twice: {some(twice)}; keep one row of each")
    known = table["log2_fold_change"].notna() & table["se"].notna()
    bad = table.index[known & ~((table["se"] > 0) & np.isfinite(table["se"]))]
    bad = bad.union(table.index[known & ~np.isfinite(table["log2_fold_change"])])
    if len(bad):
        raise error(
            f"'{name}' has {len(bad)} effects or standard errors that are infinite, zero or "
            f"negative: {some(bad)}; leave these genes out or set them missing"
        )


def combine_cohorts(cohorts: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Combine the effects of several cohorts, gene by gene, under random effects.

    Args:
        cohorts: Name → table indexed by gene with ``log2_fold_change`` and ``se``; missing values
            and missing genes are allowed.

    Returns:
        One row per gene of any cohort, sorted, with ``META_COLUMNS``. ``p`` is that of Hartung and
        Knapp on ``df`` = cohorts − 1 (of the cohort itself where there is one), ``p_common`` of
        one common effect; ``low`` and ``high`` bound the effect expected in a new cohort with
        95 % (NaN below three cohorts); ``weakest_p`` is the largest p of one common effect after
        leaving out one cohort, named by ``weakest_without``; ``replicated`` asks for the same sign
        and p < .05 in at least two cohorts, and a false sign rate of all below .05.

    Raises:
        CohortError: Fewer than two cohorts, or a table that cannot be used.

    Example:
        >>> one = pd.DataFrame({"log2_fold_change": [1.0, 0.0], "se": [0.2, 0.2]}, index=["a", "b"])
        >>> two = pd.DataFrame({"log2_fold_change": [1.4], "se": [0.2]}, index=["a"])
        >>> found = combine_cohorts({"one": one, "two": two})
        >>> found["log2_fold_change"].tolist(), found["cohorts"].tolist()
        ([1.2, 0.0], [2, 1])
    """
    if len(cohorts) < 2:
        raise CohortError(f"{len(cohorts)} cohorts are given, at least 2 are needed to combine")
    names = sorted(cohorts)
    for name in names:
        missing = [c for c in ("log2_fold_change", "se") if c not in cohorts[name].columns]
        if missing:
            raise CohortError(f"cohort '{name}' lacks the columns {some(missing)}")
        _check_summary(name, cohorts[name], CohortError)
    genes = pd.Index(sorted({gene for name in names for gene in cohorts[name].index}))
    b = np.array([cohorts[n]["log2_fold_change"].reindex(genes).to_numpy(float) for n in names])
    s = np.array([cohorts[n]["se"].reindex(genes).to_numpy(float) for n in names])
    seen = np.isfinite(b) & np.isfinite(s)
    b, s = np.where(seen, b, 0.0), np.where(seen, s, 1.0)
    return _table(genes, names, b, s, seen)


def _table(
    genes: pd.Index, names: list[str], b: np.ndarray, s: np.ndarray, seen: np.ndarray
) -> pd.DataFrame:
    k = seen.sum(axis=0)
    tau2 = paule_mandel(b, s, seen)
    effect, total = _mean(b, s, seen, tau2)
    common, precision = _mean(b, s, seen, np.zeros(len(k)))
    heterogeneity = np.sum(np.where(seen, (b - common) ** 2 / s**2, 0.0), axis=0)
    df = np.maximum(k - 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.sum(np.where(seen, (b - effect) ** 2 / (s**2 + tau2), 0.0), axis=0) / df
        # where cohorts agree by luck, Hartung and Knapp would promise more than the cohorts know
        se = np.sqrt(np.where(k > 1, np.maximum(spread, 1.0), 1.0) / total)
        t = effect / se
        p = np.where(k > 1, 2 * stats.t.sf(np.abs(t), np.maximum(df, 1)), _two_sided(t))
        i2 = np.where(k > 1, np.maximum(0.0, 1 - df / heterogeneity), np.nan)
        reach = np.where(k > 2, stats.t.ppf(0.975, np.maximum(k - 2, 1)), np.nan)
    half = reach * np.sqrt(tau2 + se**2)
    known = k > 0
    effect, se = np.where(known, effect, np.nan), np.where(known, se, np.nan)
    p, common_p = np.where(known, p, np.nan), _two_sided(common * np.sqrt(precision))
    lfsr = shrink_effects(effect, se).lfsr
    weakest_p, weakest = _leave_one_out(b, s, seen, names)
    sign = np.where(known, np.sign(effect), 0.0)
    agree = np.all((np.sign(b) == sign) | ~seen, axis=0) & known
    alone = np.sum(seen & (_two_sided(b / s) < REPLICATED_P) & (np.sign(b) == sign), axis=0)
    return pd.DataFrame(
        {
            "log2_fold_change": effect,
            "se": se,
            "df": np.where(k > 1, df, np.nan),
            "p": p,
            "q": adjust_p(p),
            "lfsr": lfsr,
            "p_common": np.where(known, common_p, np.nan),
            "cohorts": k,
            "same_sign": agree,
            "tau2": np.where(k > 1, tau2, np.nan),
            "heterogeneity": np.where(k > 1, heterogeneity, np.nan),
            "heterogeneity_p": np.where(k > 1, stats.chi2.sf(heterogeneity, df), np.nan),
            "i2": i2,
            "low": effect - half,
            "high": effect + half,
            "weakest_p": weakest_p,
            "weakest_without": weakest,
            "replicated": agree & (alone >= 2) & (lfsr < REPLICATED_LFSR),
        },
        index=genes,
    )[list(META_COLUMNS)]


def paule_mandel(b: np.ndarray, s: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Find the variance between cohorts for which the weighted squares equal cohorts − 1.

    Args:
        b: Effects, shape ``(cohorts, genes)``.
        s: Standard errors, same shape.
        seen: Which of them exist, same shape.

    Returns:
        Variance per gene, 0 where the cohorts differ no more than their errors, shape ``(genes,)``.
    """
    tau2 = np.zeros(b.shape[1])
    target = np.maximum(seen.sum(axis=0) - 1, 0)
    for _ in range(_ROUNDS):
        mean, _total = _mean(b, s, seen, tau2)
        w = np.where(seen, 1 / (s**2 + tau2), 0.0)
        gap = np.sum(w * (b - mean) ** 2, axis=0) - target
        slope = np.sum(w**2 * (b - mean) ** 2, axis=0)
        # the left side falls and is convex, so Newton's steps from 0 never pass the root
        step = np.where((gap > 0) & (slope > 0), gap / np.where(slope > 0, slope, 1.0), 0.0)
        tau2 = tau2 + step
        if np.all(step <= 1e-15 * tau2):
            break
    return tau2


def _mean(
    b: np.ndarray, s: np.ndarray, seen: np.ndarray, tau2: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    w = np.where(seen, 1 / (s**2 + tau2), 0.0)
    total = w.sum(axis=0)
    return np.sum(w * b, axis=0) / np.where(total > 0, total, 1.0), total


def _two_sided(z: np.ndarray) -> np.ndarray:
    return np.asarray(2 * special.ndtr(-np.abs(z)))


def _leave_one_out(
    b: np.ndarray, s: np.ndarray, seen: np.ndarray, names: list[str]
) -> tuple[np.ndarray, np.ndarray]:
    """Give the largest p of one common effect without one cohort, and which cohort that is."""
    found = np.full(b.shape, -np.inf)
    zero = np.zeros(b.shape[1])
    for i in range(len(names)):
        rest = seen.copy()
        rest[i] = False
        mean, total = _mean(b, s, rest, zero)
        p = np.where(total > 0, _two_sided(mean * np.sqrt(total)), -np.inf)
        found[i] = np.where(seen[i], p, -np.inf)
    worst = found.argmax(axis=0)
    weakest = found.max(axis=0)
    named = np.array(names, object)[worst]
    return (
        np.where(np.isfinite(weakest), weakest, np.nan),
        np.where(np.isfinite(weakest), named, ""),
    )
