"""Many diseases share what they have in common, and one that cannot be run stops no other."""

import dataclasses
from pathlib import Path

import pandas as pd
import pytest
from tests.test_pipeline_run import small

from aimwell.config import config_from
from aimwell.errors import InputError
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.pipeline.diseases import config_for, read_diseases, run_diseases
from aimwell.simulate import SimulationSettings, simulate_cohort, write_simulation


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("diseases")
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(subjects=5), seed=3)
    write_simulation(cohort, folder, graph.symbols)
    known = (folder / "known_targets.txt").read_text().split()
    (folder / "half.txt").write_text("\n".join(known[::2]))
    (folder / "none.txt").write_text("NO-SUCH-GENE\n")
    return folder


def test_every_disease_gets_a_folder_and_a_row_and_shares_the_graph(
    cohort: Path, tmp_path: Path
) -> None:
    raw = small(cohort, tmp_path / "many")
    raw["model"] = {"folds": 2, "seeds": 1, "epochs": 2}
    raw["explain"] = {"top": 0}
    rows = [("whole", "", "known_targets.txt"), ("lost", "", "none.txt"), ("half", "", "half.txt")]
    table = run_diseases(
        config_from(raw), pd.DataFrame(rows, columns=["disease", "pattern", "path"])
    )
    written = pd.read_csv(tmp_path / "many" / "diseases.tsv", sep="\t", keep_default_na=False)
    assert written["disease"].tolist() == ["whole", "lost", "half"]
    assert [bool(code) for code in table["code"]] == [False, True, False]
    assert sorted(p.name for p in (tmp_path / "many").iterdir()) == [
        "diseases.tsv",
        "half",
        "whole",
    ]
    assert table.loc[0, "known"] > table.loc[2, "known"] > 0
    assert table.loc[[0, 2], "use"].str.len().min() > 0
    places = [tmp_path / "many" / name / ".stages" for name in ("whole", "half")]
    graphs = [next(place.glob("graph-*/graph/graph.json")) for place in places]
    assert graphs[0].samefile(graphs[1])


def test_a_pattern_replaces_that_of_the_sources_that_have_one(cohort: Path, tmp_path: Path) -> None:
    config = config_from(small(cohort, tmp_path))
    source = dataclasses.replace(config.known_targets.sources[0], disease_pattern="cancer")
    known = dataclasses.replace(config.known_targets, sources=(source,))
    found = config_for(dataclasses.replace(config, known_targets=known), "gout", "^gout$", "")
    assert found.known_targets.sources[0].disease_pattern == "^gout$"
    assert found.run.output == str(tmp_path / "gout")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("name\tpattern\na\tb\n", "needs the column disease"),
        ("disease\tpattern\n", "names no disease"),
        ("disease\tpattern\n../up\tb\n", "cannot be a folder"),
        ("disease\tpattern\na\tb\nA\tc\n", "twice"),
        ("disease\tpattern\tpath\na\tb\tc\n", "either a pattern or a path"),
        ("disease\tpattern\tpath\na\t\t\n", "either a pattern or a path"),
    ],
)
def test_a_list_that_cannot_be_meant_is_refused(text: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "list.tsv").write_text(text)
    with pytest.raises(InputError, match=said):
        read_diseases(tmp_path / "list.tsv")
