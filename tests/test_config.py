"""The run file: numbers that cannot be meant, wrong kinds, and what editors do to text."""

import copy
import dataclasses
import datetime
from pathlib import Path
from typing import Any

import pytest

from aimwell import config
from aimwell.config import config_from, read_config
from aimwell.config.ranges import RANGES, inside
from aimwell.config.unused import GRAPH_READ_BY, LABEL_READ_BY
from aimwell.errors import ConfigError, InputError

WHOLE: dict[str, Any] = {
    "run": {"title": "t", "output": "out"},
    "cohort": {
        "sheet": {"path": "samples.tsv"},
        "matrices": [{"path": "rna.tsv", "layer": "rna", "kind": "rna", "unit": "counts"}],
        "tables": [{"path": "p.csv", "name": "p", "kind": "protein", "reader": "limma"}],
    },
    "contrasts": [
        {"name": "c", "layer": "rna", "condition": "arm", "case": "a", "control": "b"},
    ],
    "known_targets": {
        "sources": [{"reader": "genes", "genes": ["EGFR"]}],
        "negatives": [{"reader": "genes", "genes": ["OR1A1"]}],
        "check": [{"reader": "genes", "genes": ["MET"]}],
    },
    "model": {"objective": "supervised"},
}
TEXT = """
[run]
title = "t"
output = "out"
[cohort]
sheet = { path = "samples.tsv" }
matrices = [{ path = "rna.tsv", layer = "rna", kind = "rna", unit = "counts" }]
[[contrasts]]
name = "c"
layer = "rna"
condition = "arm"
case = "a"
control = "b"
[[known_targets.sources]]
reader = "genes"
genes = ["EGFR"]
"""


def changed(name: str, value: object) -> dict[str, Any]:
    """Give a whole run file with one setting replaced; lists by their first item."""
    raw = copy.deepcopy(WHOLE)
    *tables, key = name.split(".")
    inner: Any = raw
    for table in tables:
        inner = inner.setdefault(table, {"preset": "starter"} if table == "graph" else {})
        inner = inner[0] if isinstance(inner, list) else inner
    inner[key] = value
    return raw


@pytest.mark.parametrize("name", RANGES)
def test_a_number_outside_its_range_is_refused_with_the_range(name: str) -> None:
    whole = isinstance(_default(name), int)
    for wrong in (-1, *(() if whole else (float("nan"), float("inf")))):
        with pytest.raises(ConfigError) as refused:
            config_from(changed(name, wrong), "my.toml")
        assert str(refused.value).startswith("my.toml: ")
        assert name.rsplit(".", 1)[1] in str(refused.value)
        assert f"= {wrong if whole else float(wrong)} must lie in {RANGES[name]}" in str(
            refused.value
        )


@pytest.mark.parametrize("name", RANGES)
def test_every_default_lies_in_its_range(name: str) -> None:
    assert inside(RANGES[name], _default(name))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("run.jobs", 0),
        ("model.folds", 1),
        ("model.seeds", 0),
        ("model.epochs", 0),
        ("model.hidden", 0),
        ("model.dropout", 1),
        ("model.input_dropout", 1.0),
        ("model.hide", 0),
        ("model.learning_rate", 0),
        ("explain.steps", 0),
        ("explain.max_nodes", 0),
    ],
)
def test_the_first_number_that_would_break_a_run_is_refused(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match="must lie in"):
        config_from(changed(name, value))


def test_explaining_no_target_is_allowed() -> None:
    assert config_from(changed("explain.top", 0)).explain.top == 0


def test_every_number_of_a_run_file_has_a_range() -> None:
    settings = {
        "run": config.RunSettings,
        "identifiers": config.IdentifierSettings,
        "cohort.matrices": config.MatrixSettings,
        "cohort.tables": config.TableSettings,
        "graph": config.GraphSettings,
        "known_targets.sources": config.LabelSource,
        "known_targets.negatives": config.LabelSource,
        "known_targets.check": config.LabelSource,
        "model": config.ModelSettings,
        "explain": config.ExplainSettings,
        "audit": config.AuditSettings,
    }
    numbers = {
        f"{table}.{item.name}"
        for table, kind in settings.items()
        for item in dataclasses.fields(kind)
        if item.type in (int, float)
    }
    assert numbers == set(RANGES)


@pytest.mark.parametrize("name", ["names_in", "transcripts", "donor", "cell_type", "quantity"])
def test_a_setting_that_the_reader_does_not_use_is_refused(name: str) -> None:
    raw = changed(f"cohort.matrices.{name}", "x")
    raw["cohort"]["matrices"][0]["reader"] = "matrix"
    with pytest.raises(
        ConfigError, match=rf"{name} = 'x' of .* is not read with reader = 'matrix'"
    ):
        config_from(raw)


@pytest.mark.parametrize(
    ("reader", "name", "value"),
    [
        ("gmt", "min_score", 0.5),
        ("hetionet", "channels", ["GiG"]),
        ("corum", "separate", True),
        ("reactome", "weight", 0.5),
        ("biogrid", "aliases", "a.txt"),
        ("huri", "id_type", "uniprot"),
        ("sif", "source_column", "a"),
        ("famplex", "propagate", False),
    ],
)
def test_a_setting_that_the_reader_of_a_database_does_not_use_is_refused(
    reader: str, name: str, value: object
) -> None:
    source = {"reader": reader, "path": "p", name: value}
    with pytest.raises(ConfigError, match=rf"graph.sources.{name} = .* is not read with reader"):
        config_from({**WHOLE, "graph": {"sources": [source]}})
    config_from({**WHOLE, "graph": {"sources": [{**source, "reader": GRAPH_READ_BY[name][0]}]}})


@pytest.mark.parametrize("place", ["sources", "check"])
def test_a_setting_that_the_reader_of_known_targets_does_not_use_is_refused(place: str) -> None:
    raw = copy.deepcopy(WHOLE)
    raw["known_targets"][place][0]["min_phase"] = 3
    with pytest.raises(
        ConfigError, match=rf"known_targets.{place}.min_phase = 3.0 .*: chembl, open_targets_drugs"
    ):
        config_from(raw)


def test_every_setting_of_a_source_is_one_of_some_readers_or_of_all() -> None:
    common = {"reader", "path", "release", "licence", "url"}
    graph = {f.name for f in dataclasses.fields(config.GraphSource)}
    assert graph == {*GRAPH_READ_BY, *common, "name"}
    labels = {f.name for f in dataclasses.fields(config.LabelSource)}
    assert labels == {*LABEL_READ_BY, *common, "disease", "disease_pattern"}


@pytest.mark.parametrize("name", ["A|B", "line\nbreak", " blank", "nul\x1b[2J"])
def test_a_name_that_would_be_taken_for_others_is_refused(name: str) -> None:
    source = {"reader": "huri", "path": "p", "name": name}
    with pytest.raises(ConfigError, match=r"graph.sources.name = .* must be printable text"):
        config_from({**WHOLE, "graph": {"sources": [source]}})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("withdrawn", "gone.txt"),
        ("mappings", [{"reader": "uniprot", "path": "names.gz"}]),
        ("online", True),
    ],
)
def test_more_names_without_the_table_they_add_to_are_refused(name: str, value: object) -> None:
    raw = changed(f"identifiers.{name}", value)
    raw["identifiers"]["hgnc"] = ""
    with pytest.raises(ConfigError, match=rf"identifiers.{name} is not read without"):
        config_from(raw)
    raw["identifiers"]["hgnc"] = "hgnc.txt"
    config_from(raw)


def test_a_day_without_quotes_is_asked_for_with_them() -> None:
    with pytest.raises(ConfigError, match="found 2018-01-01; write it in quotes"):
        config_from(changed("graph.as_of", datetime.date(2018, 1, 1)))


def test_sets_cannot_be_larger_and_smaller_at_once() -> None:
    raw = changed("graph.min_set_size", 300)
    with pytest.raises(ConfigError, match="min_set_size = 300 is above"):
        config_from(raw)


def test_an_empty_output_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"run\.output is empty"):
        config_from(changed("run.output", ""))


@pytest.mark.parametrize("name", ["", " ", "a\tb", "a\nb"])
def test_a_contrast_needs_a_name_that_can_begin_a_column(name: str) -> None:
    with pytest.raises(ConfigError, match=r"contrasts\.name"):
        config_from(changed("contrasts.name", name))


def test_a_byte_order_mark_and_windows_line_ends_change_nothing(tmp_path: Path) -> None:
    plain, windows = tmp_path / "a.toml", tmp_path / "b.toml"
    plain.write_text(TEXT)
    windows.write_bytes(b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode())
    assert read_config(windows) == read_config(plain)


def test_a_run_file_in_another_encoding_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_bytes(TEXT.replace('"t"', '"é"').encode("latin-1"))
    with pytest.raises(InputError, match="is not UTF-8 text"):
        read_config(path)


def test_a_data_folder_must_be_text(tmp_path: Path) -> None:
    path = tmp_path / "run.toml"
    path.write_text(TEXT.replace("[run]", "[run]\ndata = 3"))
    with pytest.raises(ConfigError, match=r"'run\.data' must be of type str, found 3"):
        read_config(path)


def _default(name: str) -> float:
    *tables, key = name.split(".")
    value: Any = config_from(WHOLE)
    for table in tables:
        value = getattr(value, table)
        value = value[0] if isinstance(value, tuple) else value
    found: float = getattr(value, key)
    return found


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("output", "runs/a\0b", "run.output"),
        ("data", "\ud800", "run.data"),
        ("title", ["a", "b\0"], r"run.title\[1\]"),
        ("a\0", "x", "run"),
    ],
    ids=["NUL in a path", "half a character", "NUL in a list", "NUL in a key"],
)
def test_text_that_no_system_can_write_is_refused(key: str, value: object, place: str) -> None:
    with pytest.raises(ConfigError, match=f"^configuration: {place} = '.*' holds NUL or half a"):
        config_from({"run": {"title": "t", "output": "o"} | {key: value}})


def test_a_run_file_with_such_text_is_refused_before_a_path_is_made_of_it(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text('[run]\ndata = "a\\u0000b"\n')
    with pytest.raises(ConfigError, match=r"run\.toml: run\.data = 'a\\x00b' holds NUL"):
        read_config(tmp_path / "run.toml")
