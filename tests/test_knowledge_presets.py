"""Presets are lists of the catalogue's databases, built from what was fetched and nothing else."""

import gzip
import json
import re
import shutil
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import get_type_hints

import pytest
from typer.testing import CliRunner

from aimwell.cli import app
from aimwell.config import (
    INTERACTION_READERS,
    SET_READERS,
    GraphSource,
    RunConfig,
    config_from,
    read_config,
)
from aimwell.config.knowledge import PRESETS as NAMED
from aimwell.errors import InputError
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.catalog import read_catalog
from aimwell.knowledge.fetch import Origin, fetch_databases
from aimwell.knowledge.licences import classify_licence
from aimwell.knowledge.presets import PRESETS, entries_of, with_preset
from aimwell.pipeline.keys import input_names
from aimwell.pipeline.progress import Silent
from aimwell.provenance import to_plain

DATA = Path(__file__).parent / "data" / "knowledge"
COMPLEX_PORTAL = (
    "#Complex ac\tRecommended name\tTaxonomy identifier\tIdentifiers (and stoichiometry) of "
    "molecules in complex\tExperimental evidence\tExpanded participant list\n"
    "CPX-1\tp53-MDM2\t9606\tP04637(4)|Q00987(1)\t-\tP04637(4)|Q00987(1)\n"
)
FAMPLEX = "HGNC,TP53,isa,FPLX,p53_family\nHGNC,MDM2,isa,FPLX,p53_family\n"
WIKIPATHWAYS = "Apoptosis%WikiPathways_20240610%WP254%Homo sapiens\thttp://x\t7157\t4193\t672\n"
#: Entry of the catalogue → a small file of the same format, or its text.
SMALL = {
    "string-channels": "networks/string_links_detailed.txt",
    "string-aliases": "networks/string_aliases.txt",
    "biogrid": "networks/biogrid_tab3.txt",
    "intact": "networks/mitab27.txt",
    "hi-union": "readers/huri.tsv",
    "omnipath": "networks/omnipath.tsv",
    "omnipath-commercial": "networks/omnipath.tsv",
    "enzyme-substrate": "networks/enzsub.tsv",
    "collectri": "networks/collectri.csv",
    "corum": "readers/corum.txt",
    "reactome": "readers/reactome.gmt",
    "reactome-names": "readers/reactome_names.txt",
    "reactome-hierarchy": "readers/reactome_relation.txt",
    "wikipathways": WIKIPATHWAYS,
    "hallmark": "readers/reactome.gmt",
    "complex-portal": COMPLEX_PORTAL,
    "famplex": FAMPLEX,
    "go": "readers/go.obo",
    "go-annotations": "readers/goa.gaf",
    "hgnc": "hgnc_small.tsv",
    "hgnc-withdrawn": "readers/withdrawn.txt",
    "uniprot-secondary": "readers/sec_ac.txt",
}
RUN_FILE = """
[run]
title = "preset"
output = "out"
[identifiers]
min_mapped = 0.0
[graph]
preset = "{preset}"
min_set_size = 1
[cohort]
matrices = [{{ path = "m", layer = "rna", kind = "rna", unit = "log2" }}]
sheet = {{ path = "s" }}
[[contrasts]]
name = "c"
layer = "rna"
condition = "x"
case = "a"
control = "b"
[[known_targets.sources]]
reader = "genes"
genes = ["TP53"]
"""


def lay_out(folder: Path) -> Path:
    """Put small files where the databases would be, under the names of the catalogue."""
    folder.mkdir(parents=True)
    catalog = read_catalog()
    for name, small in SMALL.items():
        file = folder / catalog[name].file
        content = small.encode() if "\n" in small else (DATA / small).read_bytes()
        packed = file.suffix == ".gz"
        file.write_bytes(gzip.compress(content, mtime=0) if packed else content)
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the databases, fetched from a folder, and a run file for each preset."""
    there = lay_out(tmp_path_factory.mktemp("usb") / "databases")
    here = tmp_path_factory.mktemp("presets")
    names = sorted({*entries_of(["open"]), *entries_of(["full"])})
    fetch_databases(names, here / "databases", read_catalog(), Silent(), origin=Origin(there))
    for preset in PRESETS:
        (here / f"{preset}.toml").write_text(RUN_FILE.format(preset=preset))
    return here


def read(place: Path, preset: str) -> RunConfig:
    return read_config(place / f"{preset}.toml")


def test_the_run_file_knows_every_preset() -> None:
    assert set(NAMED) == {"starter", *PRESETS}


@pytest.mark.parametrize("preset", PRESETS)
def test_every_part_is_an_entry_that_a_reader_takes_and_that_can_be_fetched(preset: str) -> None:
    catalog = read_catalog()
    hints = get_type_hints(GraphSource)
    known = {item.name for item in fields(GraphSource)}
    for part in PRESETS[preset]:
        reader = part.settings.get("reader", catalog[part.entry].reader)
        assert reader in (*INTERACTION_READERS, *SET_READERS)
        assert {*part.settings, *part.files} <= known
        assert all(hints[key] is str for key in part.files)
    for name in entries_of([preset]):
        assert catalog[name].url, f"{name} has to be downloaded by hand"


def test_what_open_names_may_be_used_by_a_company() -> None:
    catalog = read_catalog()
    for name in entries_of(["open"]):
        assert catalog[name].commercial == "yes"
        assert classify_licence(catalog[name].licence).commercial is True


def test_open_leaves_out_text_mining_and_what_forbids_companies() -> None:
    assert not {"corum", "omnipath", "collectri"} & set(entries_of(["open"]))
    channels = PRESETS["open"][0].settings["channels"]
    assert "textmining" not in channels


def test_names_of_presets_stand_for_their_entries_once() -> None:
    both = entries_of(["open", "string-channels", "menche", "open"])
    assert len(both) == len(set(both))
    assert both[-1] == "menche"


@pytest.mark.parametrize("preset", PRESETS)
def test_a_preset_becomes_a_graph_of_all_its_databases(place: Path, preset: str) -> None:
    config = with_preset(read(place, preset))
    graph = build_graph(config)
    # of each source an edge, or a step that says why there is none in files as small as these
    assert len(config.graph.sources) == len(PRESETS[preset])
    named = {source.name for source in graph.sources}
    assert {"STRING", "BioGRID", "HI-union", "OmniPath", "Reactome", "HGNC complete set"} <= named
    assert {"HGNC:11998", "HGNC:6973"} <= set(graph.genes)
    assert all(source.sha256 for source in graph.sources)
    assert build_graph(read(place, preset)).relations.keys() == graph.relations.keys()


def test_open_is_held_to_licences_for_companies(place: Path) -> None:
    config = with_preset(read(place, "open"))
    assert config.graph.licence == "commercial"
    graph = build_graph(config)
    assert all(classify_licence(s.licence).commercial for s in graph.sources)
    assert with_preset(read(place, "full")).graph.licence == "any"


def test_the_files_of_a_preset_are_inputs_of_a_run(place: Path) -> None:
    config = with_preset(read(place, "open"))
    catalog = read_catalog()
    files = {f"databases/{catalog[name].file}" for name in entries_of(["open"])}
    assert files <= input_names(config)


def test_what_the_manifest_keeps_of_a_preset_is_a_run_file_again(place: Path) -> None:
    config = with_preset(read(place, "full"))
    assert config_from(to_plain(config)) == config
    assert with_preset(config) is config


def test_an_hgnc_table_of_ones_own_is_taken(place: Path) -> None:
    text = (place / "open.toml").read_text()
    own = place / "own.toml"
    own.write_text(text.replace("min_mapped", f"hgnc = '{DATA / 'hgnc_small.tsv'}'\nmin_mapped"))
    config = with_preset(read_config(own))
    assert config.identifiers.hgnc == str(DATA / "hgnc_small.tsv")
    assert config.identifiers.mappings == ()


def test_missing_files_are_one_line_with_the_call_that_brings_them(
    place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "databases", tmp_path / "databases")
    catalog = read_catalog()
    for name in ("biogrid", "string-aliases"):
        (tmp_path / "databases" / catalog[name].file).unlink()
    shutil.copyfile(place / "open.toml", tmp_path / "open.toml")
    with pytest.raises(InputError) as caught:
        with_preset(read_config(tmp_path / "open.toml"))
    message = str(caught.value)
    assert "\n" not in message
    assert "2 of them are not in" in message
    folder = tmp_path / "databases"
    assert message.endswith(f"aimwell graph fetch string-aliases biogrid --output {folder}")


def test_a_file_that_was_changed_after_it_was_fetched_is_refused(
    place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "databases", tmp_path / "databases")
    shutil.copyfile(place / "full.toml", tmp_path / "full.toml")
    with (tmp_path / "databases" / read_catalog()["corum"].file).open("a") as stream:
        stream.write("more\n")
    with pytest.raises(InputError, match=r"bytes were fetched|were fetched on .*graph fetch corum"):
        with_preset(read_config(tmp_path / "full.toml"))


def test_the_commands_take_presets(place: Path, tmp_path: Path) -> None:
    out = tmp_path / "graph"
    arguments = ["graph", "build", f"{place}/full.toml", "--output", str(out), "--json"]
    done = CliRunner().invoke(app, arguments, env={"AIMWELL_DATA": ""})
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["summary"]["nodes"]["gene"] >= 3
    copy = ["graph", "fetch", "open", "--from", f"{place}/databases", "--output"]
    done = CliRunner().invoke(app, [*copy, str(tmp_path / "databases"), "--json"])
    assert done.exit_code == 0, done.stderr
    assert len(json.loads(done.stdout)) == len(entries_of(["open"]))


def test_the_how_to_names_the_databases_of_every_preset() -> None:
    text = (Path(__file__).parents[1] / "docs" / "graph-howto.md").read_text(encoding="utf-8")
    for preset, parts in PRESETS.items():
        row = re.search(rf"^\| `{preset}` \|.*$", text, re.MULTILINE)
        assert row is not None
        assert re.findall(r"`([a-z-]+)`", row[0]) == [preset, *(part.entry for part in parts)]


def test_what_the_how_to_writes_is_a_run_file() -> None:
    text = (Path(__file__).parents[1] / "docs" / "graph-howto.md").read_text(encoding="utf-8")
    rest = tomllib.loads(RUN_FILE.format(preset="starter"))
    blocks = [tomllib.loads(block) for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    assert len(blocks) == 2
    for block in blocks:
        graph = config_from(rest | block).graph
        licences = [classify_licence(source.licence).commercial for source in graph.sources]
        assert all(licences)
