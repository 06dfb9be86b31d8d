"""The quality of a cohort: known answers for its numbers, and a page that is safe and opens."""

import json
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from aimwell.cohorts.cohort import Cohort, Layer
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.qc import (
    MOST_POINTS,
    MOST_SAMPLES,
    contrast_components,
    missing_by_level,
    presence_rows,
    principal_components,
    quality_facts,
    sample_levels,
)
from aimwell.config import ContrastSettings
from aimwell.pipeline.stages import design_row
from aimwell.provenance import to_plain
from aimwell.reports.cohort_page import (
    CohortReport,
    cohort_sections,
    render_cohort_page,
    write_cohort_page,
)

EVIL = "</script><script>document.title='owned'</script><img src=x onerror=alert(1)>\"'&{{7*7}}"


def contrast(layer: str, batch: str = "") -> ContrastSettings:
    return ContrastSettings(f"{layer}_ab", layer, "arm", case="a", control="b", batch=batch)


def planted(names: dict[str, str] | None = None, n: int = 24, genes: int = 80) -> Cohort:
    """RNA in which the batch is large and the arm small, and protein with gaps where it is low."""
    rng = np.random.default_rng(5)
    ids = [f"s{k:02d}" for k in range(n)]
    say = names or {}
    sheet = pd.DataFrame(
        {
            "subject": [say.get("subject", "p") + str(k) for k in range(n)],
            "arm": np.where(np.arange(n) % 2 == 0, "a", "b"),
            "day": np.where(np.arange(n) < n // 2, say.get("day", "one"), "two"),
        },
        index=ids,
    )
    columns = [f"HGNC:{k}" for k in range(genes)]
    base = rng.normal(8, 2, genes)
    arm = np.outer(sheet["arm"] == "a", np.where(np.arange(genes) < 15, 1.2, 0.0))
    day = np.outer(sheet["day"] == "two", np.where(np.arange(genes) % 2, 2.0, 0.0))
    rna = pd.DataFrame(base + arm + day + rng.normal(0, 0.3, (n, genes)), ids, columns)
    protein = rna - day + rng.normal(0, 0.3, (n, genes))
    seen = rng.random((n, genes)) < 1 / (1 + np.exp(-(protein - 6)))
    layers = {
        "rna": Layer("rna", "rna", "log2", rna),
        "protein": Layer("protein", "protein", "log2", protein.where(seen | (protein > 8))),
    }
    return Cohort(layers, sheet)


def report_of(cohort: Cohort, **changes: object) -> CohortReport:
    contrasts = (contrast("rna", "day"), contrast("protein", "day"))
    evidence, designs = harmonise(cohort, contrasts)
    report = CohortReport(
        title="planted",
        facts=quality_facts(cohort, contrasts),
        contrasts=to_plain(contrasts),
        steps=[{"stage": "cohort", **to_plain(s)} for s in evidence.steps],
        evidence=evidence,
        designs={n: design_row(d) for n, d in designs.items()},
        symbols={g: f"GENE{g[5:]}" for g in evidence.genes},
    )
    return replace(report, **changes)


@pytest.fixture(scope="module")
def report() -> CohortReport:
    return report_of(planted())


class Page(HTMLParser):
    """Elements with their attributes, and the text of every script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self._open = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._open = tag == "script"
        if self._open:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._open = self._open and tag != "script"

    def handle_data(self, data: str) -> None:
        if self._open:
            self.scripts[-1] += data


def test_components_agree_with_a_singular_value_decomposition() -> None:
    values = planted().layers["rna"].values
    found = principal_components(values)
    x = (values - values.mean()).to_numpy()
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    assert np.abs(found.places.to_numpy()) == pytest.approx(np.abs(u[:, :2] * s[:2]), abs=1e-9)
    assert found.shares == pytest.approx(tuple(s[:2] ** 2 / (s**2).sum()), abs=1e-12)


def test_components_do_not_depend_on_the_order_of_samples_and_genes() -> None:
    values = planted().layers["protein"].values
    again = principal_components(values.iloc[::-1, ::-1])
    pd.testing.assert_frame_equal(again.places, principal_components(values).places, rtol=1e-9)


def test_a_planted_batch_is_the_first_component_and_the_condition_once_it_is_taken_away() -> None:
    found = contrast_components(planted(), contrast("rna", "day"))
    assert found is not None
    assert found["explained"]["day"][0] > 0.95
    assert found["explained"]["arm"][0] < 0.05
    clean = found["corrected"]
    assert clean["removed"] == ["day[two]"]
    x = pd.Series(clean["x"])
    arms = np.array(found["groups"]["arm"])
    assert (x[arms == "a"].min() > x[arms == "b"].max()) or (
        x[arms == "a"].max() < x[arms == "b"].min()
    )


def test_without_batch_or_covariates_there_is_no_corrected_picture() -> None:
    found = contrast_components(planted(), contrast("rna"))
    assert found is not None
    assert found["corrected"] is None
    assert found["batch"] == ""


def test_a_confounded_contrast_is_still_placed() -> None:
    cohort = planted()
    cohort.samples["day"] = cohort.samples["arm"]
    found = contrast_components(cohort, contrast("rna", "day"))
    assert found is not None
    assert found["corrected"] is None
    assert len(found["sample"]) == 24


@pytest.mark.parametrize(
    ("rna", "protein", "pattern"),
    [("abc", "abc", "vertical"), ("ab", "cd", "diagonal"), ("abc", "bcd", "mosaic")],
)
def test_presence_is_told_per_subject(rna: str, protein: str, pattern: str) -> None:
    ids = [f"{s}-{layer}" for layer, names in (("r", rna), ("p", protein)) for s in names]
    sheet = pd.DataFrame({"subject": [i[0] for i in ids]}, index=ids)

    def layer(name: str, kind: str, at: str) -> Layer:
        rows = [i for i in ids if i.endswith(at)]
        return Layer(name, kind, "log2", pd.DataFrame({"HGNC:1": 1.0}, index=rows))

    cohort = Cohort({"rna": layer("rna", "rna", "-r"), "pro": layer("pro", "protein", "-p")}, sheet)
    found = presence_rows(cohort)
    counts = dict(zip(found["layers"], found["samples"], strict=True))
    assert {s for s, n in zip(found["subjects"], counts["rna"], strict=True) if n} == set(rna)
    assert {s for s, n in zip(found["subjects"], counts["pro"], strict=True) if n} == set(protein)
    assert quality_facts(cohort, ())["check"]["presence"]["pattern"] == pattern


def test_proteins_that_are_low_are_missing_more_often() -> None:
    found = missing_by_level(planted().layers["protein"])
    assert found["correlation"] < -0.7
    assert found["curve"][0][1] > 0.5 > 0.1 > found["curve"][-1][1]


def test_levels_of_counts_are_reads_and_genes_with_a_read() -> None:
    values = pd.DataFrame({"g": [10.0, 0.0], "h": [90.0, 50.0]}, index=["s", "t"])
    layer = Layer("rna", "rna", "counts", values)
    sheet = pd.DataFrame({"subject": ["p", "q"], "arm": ["a", "b"]}, index=["s", "t"])
    found = sample_levels(Cohort({"rna": layer}, sheet), layer, [contrast("rna")])
    assert found["total"] == [100, 50]
    assert found["detected"] == [2, 1]
    assert found["groups"] == {"arm": ["a", "b"]}
    assert missing_by_level(layer)["overall"] == 0.25


def test_large_cohorts_are_thinned_the_same_way_every_time_and_say_so() -> None:
    rng = np.random.default_rng(1)
    ids = [f"s{k:04d}" for k in range(600)]
    values = pd.DataFrame(rng.normal(size=(600, 4)), ids, [f"HGNC:{k}" for k in range(4)])
    layer = Layer("rna", "rna", "log2", values)
    cohort = Cohort({"rna": layer}, pd.DataFrame({"subject": ids}, index=ids))
    found = sample_levels(cohort, layer, ())
    assert len(found["sample"]) == MOST_SAMPLES
    assert found["left_out"] == 200
    ends = {layer.values.median(axis=1).idxmax(), layer.values.median(axis=1).idxmin()}
    assert ends <= set(found["sample"])
    wide = pd.DataFrame(rng.normal(size=(3, 4000)), ids[:3], [f"HGNC:{k}" for k in range(4000)])
    points = missing_by_level(Layer("rna", "rna", "log2", wide))
    assert len(points["level"]) == MOST_POINTS
    assert points["genes"] == 4000


def test_a_large_cohort_adds_little_to_a_page() -> None:
    # a page of fifty targets must stay below fifteen megabytes
    cohort = planted(n=500, genes=60)
    facts = quality_facts(cohort, (contrast("rna", "day"), contrast("protein", "day")))
    _, drawn = cohort_sections(CohortReport("large", facts))
    assert len(json.dumps(facts)) + len(json.dumps(drawn)) < 2e6


def test_a_covariate_of_many_numbers_is_shown_as_thirds() -> None:
    cohort = planted()
    cohort.samples["day"] = np.arange(24.0)
    found = contrast_components(cohort, contrast("rna", "day"))
    assert found is not None
    assert pd.Series(found["groups"]["day"]).value_counts().tolist() == [8, 8, 8]


def test_the_numbers_are_plain_json_and_the_same_every_time(report: CohortReport) -> None:
    text = json.dumps(report.facts, allow_nan=False)
    assert json.dumps(report_of(planted()).facts, allow_nan=False) == text


def test_every_figure_is_valid_placed_and_described(report: CohortReport) -> None:
    _, drawn = cohort_sections(report)
    for figure in drawn.values():
        go.Figure(figure)
    plots = [a for _, a in Page(render_cohort_page(report)).elements if "data-figure" in a]
    assert sorted(str(a["data-figure"]) for a in plots) == sorted(drawn)
    assert all(a["aria-label"] for a in plots)
    assert {"presence", "levels-0", "missing-0", "components-0-batch", "volcano-0", "layers-0"} <= (
        set(drawn)
    )


def test_genes_are_coloured_by_class_only_where_the_layers_were_compared(
    report: CohortReport,
) -> None:
    assert report.evidence is not None
    _, drawn = cohort_sections(report)
    names = {d["name"] for d in drawn["layers-0"]["data"]}
    classes = {c.replace("_", " ") for c in set(report.evidence.across["discordance_class"])}
    assert {n.replace("RNA", "rna") for n in names} - {"largest difference"} <= classes
    _, bare = cohort_sections(replace(report, evidence=replace(report.evidence, comparisons={})))
    assert bare["layers-0"]["data"][0]["name"] == "genes in both layers"


def test_a_cohort_without_a_contrast_that_can_be_tested_still_has_a_page() -> None:
    cohort = planted()
    cohort.samples["day"] = cohort.samples["arm"]
    facts = quality_facts(cohort, (contrast("rna", "day"),))
    settings = to_plain((contrast("rna", "day"),))
    text = render_cohort_page(CohortReport("none", facts, contrasts=settings))
    assert "refuse" in text
    assert "0 of them can be tested" in text


def test_names_of_samples_columns_and_levels_stay_text() -> None:
    cohort = planted({"subject": EVIL, "day": EVIL})
    report = report_of(cohort, title=EVIL, symbols={})
    page = Page(render_cohort_page(report))
    assert "img" not in {t for t, _ in page.elements}
    assert [t for t, _ in page.elements].count("script") == 3
    assert not [a for _, a in page.elements if any(k.startswith("on") for k in a)]
    drawn = json.dumps(json.loads(page.scripts[0])["figures"])
    assert "<img" not in drawn
    assert "<script" not in drawn


@pytest.mark.parametrize("name", ["planted", EVIL])
def test_a_browser_draws_the_page_without_a_word_on_its_console(tmp_path: Path, name: str) -> None:
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("neither chromium nor google-chrome is installed")
    write_cohort_page(tmp_path / "page.html", report_of(planted({"day": name}), title=name))
    switches = (
        "--headless --no-sandbox --disable-gpu --disable-background-networking --no-first-run"
    )
    more = "--disable-component-update --disable-sync --enable-logging=stderr --v=0 --dump-dom"
    done = subprocess.run(
        [
            chromium,
            *switches.split(),
            *more.split(),
            "--virtual-time-budget=4000",
            "--window-size=1400,9000",
            f"--user-data-dir={tmp_path / 'user'}",
            f"file://{tmp_path}/page.html",
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "CONSOLE" not in done.stderr
    assert "<title>owned" not in done.stdout
    plots = [a for _, a in Page(done.stdout).elements if "data-figure" in a]
    assert plots
    assert [a["data-figure"] for a in plots if "js-plotly-plot" not in str(a["class"])] == []
