"""Numbers behind the pictures of a cohort's quality: presence, levels, gaps, components."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.cohorts.check import check_cohort, levels_of
from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.pictures import remove_batch
from aimwell.cohorts.quality import log_values
from aimwell.cohorts.swaps import comparable_values
from aimwell.config import ContrastSettings
from aimwell.config.formula import compared_columns
from aimwell.errors import CohortError, DesignError
from aimwell.provenance import to_plain

#: Most subjects, samples and genes that a picture holds; numbers are always of all of them.
MOST_SUBJECTS: Final = 1000
MOST_SAMPLES: Final = 400
MOST_POINTS: Final = 1500
#: Genes of largest variance that the components rest on, and the share of samples that must have
#: a value.
MOST_GENES: Final = 1000
MIN_SEEN: Final = 0.7
#: Numbers with more different values than this are shown as thirds.
MOST_LEVELS: Final = 8
NOT_STATED: Final = "not stated"
#: Parts of equal size, by level, in which missing values are counted.
PARTS: Final = 20


@dataclass(frozen=True)
class Components:
    """The two directions in which samples differ most.

    Attributes:
        places: Samples × ``x``, ``y``; index sorted.
        shares: Share of the variance of the chosen genes along each.
        genes: Genes that it rests on.
    """

    places: pd.DataFrame
    shares: tuple[float, float]
    genes: int


def quality_facts(cohort: Cohort, contrasts: Iterable[ContrastSettings]) -> dict[str, Any]:
    """Collect what the quality pictures of a cohort show, as plain values of bounded size.

    Returns:
        ``check`` (what ``check_cohort`` says), ``presence``, ``layers`` (layer → ``samples``,
        ``missing``) and ``components`` (one entry per contrast); see ``docs/run-folder.md``.
    """
    contrasts = tuple(contrasts)
    facts = {
        "format": "aimwell-quality-1",
        "check": check_cohort(cohort, contrasts),
        "presence": presence_rows(cohort),
        "layers": {
            name: {
                "samples": sample_levels(cohort, cohort.layers[name], contrasts),
                "missing": missing_by_level(cohort.layers[name]),
            }
            for name in sorted(cohort.layers)
        },
        "components": [p for c in contrasts if (p := contrast_components(cohort, c))],
    }
    plain: dict[str, Any] = to_plain(facts)
    return plain


def presence_rows(cohort: Cohort) -> dict[str, Any]:
    """Count the samples of every subject in every layer.

    Returns:
        ``layers`` sorted; ``subjects`` in order of the layers that they have, then by name;
        ``samples`` one list of counts per layer; ``left_out`` subjects beyond ``MOST_SUBJECTS``.

    Example:
        >>> sheet = pd.DataFrame({"subject": ["p", "p", "q"]}, index=["a", "b", "c"])
        >>> one = Layer("rna", "rna", "log2", pd.DataFrame({"g": [1.0, 2.0]}, index=["a", "c"]))
        >>> two = Layer("protein", "protein", "log2", pd.DataFrame({"g": [1.0]}, index=["b"]))
        >>> found = presence_rows(Cohort({"rna": one, "protein": two}, sheet))
        >>> found["layers"], found["subjects"], found["samples"]
        (['protein', 'rna'], ['p', 'q'], [[1, 0], [1, 1]])
    """
    names = sorted(cohort.layers)
    counts = pd.DataFrame(
        {n: cohort.samples.loc[cohort.layers[n].values.index, "subject"].value_counts()
         for n in names}
    )  # fmt: skip
    counts = counts.fillna(0).astype(int)
    counts.index = counts.index.astype(str)
    has = (counts > 0).sum(axis=1)
    order = sorted(counts.index, key=lambda s: (-has[s], *(-(counts.loc[s] > 0).astype(int)), s))
    shown = order[:MOST_SUBJECTS]
    return {
        "layers": names,
        "subjects": shown,
        "samples": [counts.loc[shown, n].tolist() for n in names],
        "left_out": len(order) - len(shown),
    }


def sample_levels(
    cohort: Cohort, layer: Layer, contrasts: Iterable[ContrastSettings]
) -> dict[str, Any]:
    """Describe the values of every sample of a layer.

    Returns:
        Lists of equal length: ``sample``, ``detected`` (genes seen), ``total`` (reads, of counts
        only), and the quantiles ``low`` (5 %), ``q1``, ``median``, ``q3``, ``high`` (95 %) on a
        log2 scale; ``groups`` column of the sheet → level of every sample; ``left_out`` samples
        beyond ``MOST_SAMPLES``, taken evenly by level.
    """
    logs = log_values(layer)
    counts = layer.unit == "counts"
    seen = layer.values > 0 if counts else layer.values.notna()
    parts = logs.where(seen).quantile([0.05, 0.25, 0.5, 0.75, 0.95], axis=1).T
    parts.columns = pd.Index(["low", "q1", "median", "q3", "high"])
    table = parts.assign(detected=seen.sum(axis=1)).round(4)
    if counts:
        table["total"] = layer.values.sum(axis=1).round()
    by = "total" if counts else "median"
    table = table.rename_axis("sample").reset_index().sort_values([by, "sample"], kind="stable")
    shown = table.iloc[_evenly(len(table), MOST_SAMPLES)].sort_values("sample", kind="stable")
    sheet = cohort.samples.loc[shown["sample"]]
    columns = _columns((c for c in contrasts if c.layer == layer.name), sheet)
    return {
        "unit": layer.unit,
        **{str(c): shown[c].tolist() for c in shown},
        "groups": {c: _texts(sheet[c]) for c in columns},
        "left_out": len(table) - len(shown),
    }


def missing_by_level(layer: Layer) -> dict[str, Any]:
    """Compare how often genes are missing with how high they are where they are seen.

    A count of zero says that nothing was read, and is what counts have in place of a missing value.

    Returns:
        ``level`` and ``missing`` of at most ``MOST_POINTS`` genes, evenly by level; ``curve`` the
        means of ``PARTS`` parts of equal size over all genes; ``never`` genes seen in no sample;
        ``correlation`` (Spearman) over all genes, None where one of the two is constant.

    Example:
        >>> values = pd.DataFrame({"a": [9.0, 9.0], "b": [2.0, None], "c": [None, None]})
        >>> found = missing_by_level(Layer("p", "protein", "log2", values))
        >>> found["level"], found["missing"], found["never"], found["correlation"]
        ([2.0, 9.0], [0.5, 0.0], 1, -1.0)
    """
    logs = log_values(layer)
    seen = layer.values > 0 if layer.unit == "counts" else layer.values.notna()
    table = pd.DataFrame({"level": logs.where(seen).mean(), "missing": 1 - seen.mean()})
    known = table.dropna().rename_axis("gene").reset_index()
    known = known.sort_values(["level", "gene"], kind="stable")
    shown = known.iloc[_evenly(len(known), MOST_POINTS)]
    parts = np.array_split(known[["level", "missing"]].to_numpy(float), min(PARTS, len(known)))
    spans = known[["level", "missing"]].max() - known[["level", "missing"]].min()
    varies = bool((spans > 0).all())
    ranks = known[["level", "missing"]].rank()
    return {
        "unit": layer.unit,
        "level": shown["level"].round(3).tolist(),
        "missing": shown["missing"].round(4).tolist(),
        "curve": [[round(float(v), 4) for v in part.mean(axis=0)] for part in parts],
        "genes": len(known),
        "never": len(table) - len(known),
        "overall": round(float(table["missing"].mean()), 6),
        "correlation": round(float(ranks["level"].corr(ranks["missing"])), 4) if varies else None,
    }


def contrast_components(cohort: Cohort, contrast: ContrastSettings) -> dict[str, Any] | None:
    """Place the samples of a contrast by their components, and again without batch and covariates.

    Returns:
        ``sample``, ``x``, ``y``, ``shares``, ``genes``; ``groups`` column of the sheet → level of
        every sample; ``explained`` column → share of the variance of either component that its
        levels explain; ``corrected`` the same picture without the columns ``removed``, or None;
        ``left_out`` samples beyond ``MOST_SAMPLES``. None where there are too few to place.
    """
    if contrast.layer not in cohort.layers:
        return None
    layer = cohort.layers[contrast.layer]
    values = comparable_values(layer).sort_index(axis=0).sort_index(axis=1)
    design: Design | None = None
    try:
        design = build_design(cohort.samples, layer.values.index, contrast)
        values = values.loc[design.samples]
    except DesignError:
        pass  # what cannot be tested can still be looked at, and shows why
    values = values[_telling(values)]
    total = len(values)
    try:
        found = principal_components(values)
    except CohortError:
        return None
    keep = values.index[_evenly(total, MOST_SAMPLES)]
    sheet = cohort.samples.loc[values.index]
    columns = _columns([contrast], sheet)
    return {
        "contrast": contrast.name,
        "layer": layer.name,
        "condition": next(iter(compared_columns(contrast)), ""),
        "batch": contrast.batch if contrast.batch in columns else "",
        **_placed(found, keep),
        "groups": {c: _texts(sheet.loc[keep, c]) for c in columns},
        "explained": {c: _explained(found.places, _texts(sheet[c])) for c in columns},
        "corrected": _corrected(values, design, keep),
        "left_out": total - len(keep),
    }


def principal_components(values: pd.DataFrame) -> Components:
    """Find the two directions in which samples differ most; for pictures, never for a test.

    Each gene is centred; a missing value stands at the gene's mean, so that it moves no sample.

    Args:
        values: Samples × genes, log scale, NaN is missing.

    Raises:
        CohortError: Fewer than three samples, or fewer than two genes that vary.

    Example:
        >>> values = pd.DataFrame({"g": [0.0, 0, 4, 4], "h": [0.0, 0, 4, 4], "i": [0.0, 1, 0, 1]},
        ...     index=list("abcd"))
        >>> found = principal_components(values)
        >>> found.places["x"].round(2).tolist(), round(found.shares[0], 2)
        ([2.83, 2.83, -2.83, -2.83], 0.97)
    """
    values = values.sort_index(axis=0)
    values = values[_telling(values)]
    if len(values) < 3 or values.shape[1] < 2:
        raise CohortError(
            f"{len(values)} samples and {values.shape[1]} genes that vary and are seen in most of "
            "them; a picture of components needs 3 and 2"
        )
    centred = (values - values.mean()).fillna(0.0).to_numpy(float)
    square, u = np.linalg.eigh(centred @ centred.T)
    square = np.maximum(square[::-1], 0.0)
    places = u[:, ::-1][:, :2] * np.sqrt(square[:2])
    large = np.abs(places) >= np.abs(places).max(axis=0) / 2
    # a direction has no sign of its own: the first sample far out is to lie above zero
    signs = np.sign(places[large.argmax(axis=0), [0, 1]])
    places *= np.where(signs == 0, 1.0, signs)
    shares = square[:2] / max(float(square.sum()), 1e-300)
    return Components(
        pd.DataFrame(places, values.index, pd.Index(["x", "y"])),
        (float(shares[0]), float(shares[1])),
        values.shape[1],
    )


def _telling(values: pd.DataFrame) -> pd.Index:
    """Genes of largest variance among those that most samples have, sorted."""
    spread = values.var(axis=0)
    use = spread[(values.notna().mean() >= MIN_SEEN) & (spread > 1e-12)].sort_index()
    best = use.sort_values(ascending=False, kind="stable").index[:MOST_GENES]
    return best.sort_values()


def _placed(found: Components, keep: pd.Index) -> dict[str, Any]:
    places = found.places.loc[keep].round(3)
    return {
        "sample": [str(s) for s in keep],
        "x": places["x"].tolist(),
        "y": places["y"].tolist(),
        "shares": [round(s, 4) for s in found.shares],
        "genes": found.genes,
    }


def _corrected(
    values: pd.DataFrame, design: Design | None, keep: pd.Index
) -> dict[str, Any] | None:
    if design is None:
        return None
    clean = remove_batch(values, design)
    if not clean.removed:
        return None
    return {**_placed(principal_components(clean.picture), keep), "removed": list(clean.removed)}


def _explained(places: pd.DataFrame, levels: list[str]) -> list[float]:
    """Share of the variance of each component that lies between the levels of a column."""
    shares = []
    known = np.array(levels) != NOT_STATED
    for axis in places:
        x = places[axis][known]
        between = x.groupby(np.array(levels)[known]).transform("mean")
        spread = float(((x - x.mean()) ** 2).sum())
        shares.append(round(float(((between - x.mean()) ** 2).sum()) / max(spread, 1e-300), 4))
    return shares


def _columns(contrasts: Iterable[ContrastSettings], sheet: pd.DataFrame) -> list[str]:
    """Columns of the sheet by which samples are coloured, each once, in order of the contrasts."""
    named = [n for c in contrasts for n in (*compared_columns(c), c.batch) if n in sheet.columns]
    return list(dict.fromkeys(named))


def _texts(values: "pd.Series[str]") -> list[str]:
    """Levels as text; numbers of many values as thirds, which a picture can tell apart."""
    numbers = pd.to_numeric(values, errors="coerce")
    known = numbers.dropna()
    if known.nunique() > MOST_LEVELS and len(known) == values.notna().sum():
        low, high = (float(v) for v in known.quantile([1 / 3, 2 / 3]))
        thirds = [f"1: up to {low:.4g}", f"2: up to {high:.4g}", f"3: above {high:.4g}"]
        which = 0 + (numbers > low) + (numbers > high)
        return [
            thirds[k] if ok else NOT_STATED for k, ok in zip(which, numbers.notna(), strict=True)
        ]
    return [str(v) for v in levels_of(values).fillna(NOT_STATED)]


def _evenly(total: int, most: int) -> np.ndarray:
    """Positions of at most ``most`` of ``total`` rows, evenly spread, both ends included."""
    if total <= most:
        return np.arange(total)
    return np.unique(np.linspace(0, total - 1, most).round().astype(int))
