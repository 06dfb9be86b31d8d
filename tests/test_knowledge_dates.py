"""A graph and known targets can be those of an earlier day."""

import dataclasses
from pathlib import Path

import pytest

from aimwell.bench.graph import write_run_file
from aimwell.config import LabelSource, RunConfig, read_config
from aimwell.errors import ConfigError, InputError, LabelError
from aimwell.knowledge import known_targets, label_sources
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.dates import known_by
from aimwell.knowledge.identifier_sources import hgnc_table
from aimwell.knowledge.store import write_graph

DATA = Path(__file__).parent / "data" / "knowledge"
SMALL = DATA / "hgnc_small.tsv"
MITAB = {"reader": "psi_mitab", "path": str(DATA / "networks" / "mitab27.txt"), "name": "IntAct"}
HIPPIE = {"reader": "hippie", "path": str(DATA / "networks" / "hippie.txt")}


def make_config(folder: Path, sources: list[dict[str, str]], graph: str = "") -> RunConfig:
    return read_config(write_run_file(folder, folder, SMALL, sources, graph))


def test_a_month_or_a_year_counts_as_its_last_day() -> None:
    dates = ["2017", "2018", "2018-01-01", "2018-01", "2018-01-02", "", "long ago", "1999-05-01"]
    keep, undated = known_by(dates, "2018-01-01")
    assert keep.tolist() == [True, False, True, False, False, True, True, True]
    assert undated == 2


def test_edges_reported_later_leave_and_edges_without_a_date_are_counted(tmp_path: Path) -> None:
    every = build_graph(make_config(tmp_path, [MITAB, HIPPIE]))
    assert sorted(every.relations["interacts"].edges["date"]) == ["2003", "2003", "2008-05-21"]
    early = build_graph(make_config(tmp_path, [MITAB, HIPPIE], "as_of = '2003-12-31'"))
    assert sorted(early.relations["interacts"].edges["date"]) == ["2003", "2003"]
    gone = r"no interaction is left after the step 'IntAct: known by.*reported later"
    with pytest.raises(InputError, match=gone):
        build_graph(make_config(tmp_path, [MITAB, HIPPIE], "as_of = '2003-12-30'"))
    step = next(s for s in early.steps if s.name == "HIPPIE: known by 2003-12-31")
    assert step.rows_in == step.rows_out
    assert step.why == f"reported later; {step.rows_in} without a date are kept"


def test_a_graph_folder_can_be_cut_at_a_day(tmp_path: Path) -> None:
    write_graph(build_graph(make_config(tmp_path, [MITAB, HIPPIE])), tmp_path / "graph")
    early = build_graph(make_config(tmp_path, [], "folder = 'graph'\nas_of = '2005-01-01'"))
    assert early.relations["interacts"].edges["date"].tolist() == ["2003", "2003"]
    assert (early.steps[-1].rows_in, early.steps[-1].rows_out) == (3, 2)


def test_known_targets_are_those_of_the_day(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = read_config(write_run_file(tmp_path, tmp_path, SMALL, [HIPPIE]))
    source = LabelSource("genes", genes=("TP53", "MDM2", "BRCA1"))

    def dated(source: LabelSource, config: object) -> object:
        found, steps = label_sources.read_labels(source, config)
        return found.assign(
            date=found["name"].map({"TP53": "2010-01-01", "MDM2": "2020"}).fillna("")
        ), steps

    monkeypatch.setattr(known_targets, "read_labels", dated)
    table = hgnc_table(config)
    found = known_targets.build_known_targets([source], config, table, "2018-01-01")
    assert sorted(found.table["date"]) == ["", "2010-01-01"]
    step = next(s for s in found.steps if "known by" in s.name)
    assert (step.rows_in, step.rows_out, step.why) == (
        3,
        2,
        "known later; 1 without a date are kept",
    )
    late = dataclasses.replace(source, genes=("MDM2",))
    with pytest.raises(LabelError, match="nothing was known by 2018-01-01"):
        known_targets.build_known_targets([late], config, table, "2018-01-01")


@pytest.mark.parametrize("day", ["2018", "2018-13-01", "yesterday", "01.02.2018"])
def test_what_is_no_day_is_refused(tmp_path: Path, day: str) -> None:
    path = write_run_file(tmp_path, tmp_path, SMALL, [HIPPIE], f"as_of = '{day}'")
    with pytest.raises(ConfigError, match=r"graph.as_of = .* is no day; write 2018-01-01"):
        read_config(path)
