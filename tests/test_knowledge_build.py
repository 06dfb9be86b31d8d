"""Databases become one graph, whatever the order of their rows, and known targets beside it."""

import dataclasses
import random
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aimwell.config import LabelSource, RunConfig, config_from, read_config
from aimwell.errors import ConfigError, GraphError, IdentifierError, InputError, LabelError
from aimwell.knowledge.build import build_graph, build_known_targets, identifier_table
from aimwell.knowledge.edges import build_edges
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.store import read_graph, write_graph
from aimwell.knowledge.summary import graph_summary
from aimwell.provenance import Step, to_plain

HERE = Path(__file__).parent
SMALL = (HERE / "data" / "knowledge" / "hgnc_small.tsv").read_text()
EDGES = ["TP53 MDM2", "MDM2 p53", "TP53 TP53", "MDM2 BRCA1", "ERBB2 VEGF", "TP53 MIR21", "TP53 Xx9"]
SETS = ["DNA repair\tR-HSA-1\tTP53\tBRCA1\tMDM2", "Septins\tR-HSA-2\tSEPT2\tSEPT7\tSEPT6\tgag"]
SETS += ["Breast cancer\tR-HSA-3\tTP53\tBRCA1\tERBB2", "Pair\tR-HSA-4\tTP53\tMDM2"]
TREE = ["R-HSA-1\tR-HSA-2", "R-HSA-3\tR-HSA-4", "R-MMU-1\tR-MMU-2"]
INDICATIONS = "doid_id\tdrugbank_id\tdisease\tdrug\tcategory\n"
INDICATIONS += "D\tB\tbreast cancer\tLapatinib\tDM\nD\tB\tbreast cancer\tmorphine\tSYM\n"
INDICATIONS += "D\tB\tflu\tzinc\tDM\nD\tB\tcolon cancer\tnowhere\tDM\n"
DRUGS = "DRUG_NAME\tACCESSION\tGENE\tTDL\tMOA\tACTION_TYPE\tORGANISM\n"
DRUGS += "lapatinib\tP04626|Q00987\tERBB2|unclear\tTclin|Tchem\t1\t\tHomo sapiens\n"
DRUGS += "lapatinib\tP04637\tTP53\tTclin\t\t\tHomo sapiens\n"
DRUGS += "zinc\tP15692\tVEGFA\tTclin\t1\t\tHomo sapiens\n"


def make_config(data: Path, **graph: Any) -> RunConfig:
    sources = [
        {"reader": "biogrid", "path": "edges.txt", "licence": "MIT"},
        {"reader": "reactome", "path": "sets.gmt", "hierarchy": "tree.txt", "licence": "CC0-1.0"},
    ]
    settings = graph or {"sources": sources, "min_set_size": 3, "max_set_size": 3}
    matrix = {"path": "m", "layer": "rna", "kind": "rna", "unit": "log2"}
    contrast = {"name": "c", "layer": "rna", "condition": "x", "case": "a", "control": "b"}
    return config_from(
        {
            "run": {"title": "t", "output": "out", "data": str(data)},
            "identifiers": {"hgnc": "hgnc.tsv"},
            "graph": settings,
            "cohort": {"matrices": [matrix], "sheet": {"path": "s"}},
            "contrasts": [contrast],
            "known_targets": {"sources": [{"reader": "genes", "genes": ["TP53"]}]},
        }
    )


def write_sources(folder: Path, seed: int = 0) -> Path:
    """Write all sources below ``folder``; seed 0 keeps the order of the rows."""
    rng = random.Random(seed)

    def shuffled(rows: list[str]) -> str:
        return "\n".join(rng.sample(rows, len(rows)) if seed else rows) + "\n"

    folder.mkdir(exist_ok=True)
    head, *loci = SMALL.splitlines()
    (folder / "hgnc.tsv").write_text(f"{head}\n{shuffled(loci)}")
    pairs = [" ".join(reversed(e.split())) if seed else e for e in EDGES]
    (folder / "edges.txt").write_text("node1 node2\n" + shuffled(pairs))
    (folder / "sets.gmt").write_text(shuffled(SETS))
    (folder / "tree.txt").write_text(shuffled(TREE))
    (folder / "indications.tsv").write_text(INDICATIONS)
    (folder / "drugs.tsv").write_text(DRUGS)
    return folder


@pytest.fixture
def config(tmp_path: Path) -> RunConfig:
    return make_config(write_sources(tmp_path / "data"))


def symbols(graph: TargetGraph, relation: str) -> set[frozenset[str]]:
    edges = graph.relations[relation].edges
    names = graph.symbols
    return {
        frozenset((names[a], names[b]))
        for a, b in zip(edges["source_id"], edges["target_id"], strict=True)
    }


def steps_named(graph: TargetGraph, part: str) -> Step:
    return next(step for step in graph.steps if part in step.name)


def test_the_graph_is_what_one_works_out_by_hand(config: RunConfig) -> None:
    graph = build_graph(config)
    assert symbols(graph, "interacts") == {
        frozenset(("TP53", "MDM2")),
        frozenset(("MDM2", "BRCA1")),
        frozenset(("ERBB2", "VEGFA")),
    }
    assert graph.nodes["pathway"]["name"].to_dict() == {
        "R-HSA-1": "DNA repair",
        "R-HSA-2": "Septins",
    }
    assert graph.relations["part_of"].edges["source_id"].tolist() == ["R-HSA-2"]
    assert graph.relations["part_of"].edges["target_id"].tolist() == ["R-HSA-1"]
    assert sorted(graph.symbols) == [
        "BRCA1", "ERBB2", "MDM2", "SEPTIN2", "SEPTIN6", "SEPTIN7", "TP53", "VEGFA",
    ]  # fmt: skip
    assert graph.nodes["gene"].loc["HGNC:11998", "entrez_id"] == "7157"
    assert not graph.relations["interacts"].directed


def test_every_lost_row_is_in_a_step(config: RunConfig) -> None:
    graph = build_graph(config)
    expected = {
        "edges.txt: names to genes": (8, 6),
        "BioGRID: interactions": (7, 5),
        "interacts: distinct": (5, 3),
        "sets.gmt: names to genes": (8, 7),
        "Reactome: members": (12, 11),
        "sets named after cancer": (4, 2),  # 'Pair' lies below 'Breast cancer'
        "sets of 3 to 3 genes": (2, 2),
        "genes of the graph": (28, 8),
    }
    found = {key: steps_named(graph, key) for key in expected}
    assert {k: (s.rows_in, s.rows_out) for k, s in found.items()} == expected
    assert found["sets named after cancer"].examples == ("Breast cancer", "Pair")
    assert "1 lost, 1 not protein-coding" in found["edges.txt: names to genes"].why


def test_shuffled_rows_of_every_source_give_the_same_bytes(tmp_path: Path) -> None:
    written = []
    for seed in (0, 1, 2):
        graph = build_graph(make_config(write_sources(tmp_path / f"data{seed}", seed)))
        # The sources' own hashes are of the shuffled files, and differ by right.
        bare = tuple(dataclasses.replace(s, sha256="") for s in graph.sources)
        folder = tmp_path / f"graph{seed}"
        write_graph(dataclasses.replace(graph, sources=bare), folder)
        written.append({path.name: path.read_bytes() for path in folder.iterdir()})
    assert written[0] == written[1] == written[2]
    assert len(written[0]) == 6


def test_a_graph_survives_the_disk_exactly(config: RunConfig, tmp_path: Path) -> None:
    graph = build_graph(config)
    write_graph(graph, tmp_path / "graph")
    again = build_graph(make_config(tmp_path, folder="graph"))
    for kind, table in graph.nodes.items():
        pd.testing.assert_frame_equal(again.nodes[kind], table, check_names=False)
    for name, relation in graph.relations.items():
        pd.testing.assert_frame_equal(again.relations[name].edges, relation.edges)
        assert again.relations[name].directed == relation.directed
    assert (again.sources, again.steps) == (graph.sources, graph.steps)


def damage_bytes(folder: Path) -> None:
    path = folder / "edges-interacts.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def damage_manifest(folder: Path) -> None:
    path = folder / "graph.json"
    path.write_text(path.read_text().replace('"MIT"', '"CC0"'))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (damage_bytes, "edges-interacts.parquet' was changed"),
        (damage_manifest, "graph.json' was changed"),
        (lambda f: (f / "nodes-gene.parquet").unlink(), "lacks the files 'nodes-gene.parquet'"),
        (lambda f: (f / "extra.parquet").write_text("x"), "not of the graph: 'extra.parquet'"),
        (lambda f: (f / "graph.json").unlink(), "has no graph.json"),
        (lambda f: (f / "graph.json").write_text("{"), "is not the manifest"),
        (lambda f: (f / "graph.json").write_text("[1]"), "is not the manifest"),
    ],
)
def test_a_damaged_graph_folder_is_refused(
    config: RunConfig, tmp_path: Path, damage: Any, message: str
) -> None:
    write_graph(build_graph(config), tmp_path / "graph")
    damage(tmp_path / "graph")
    with pytest.raises(GraphError, match=message) as caught:
        read_graph(tmp_path / "graph")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "step", ["pq.write_table", "sha256_of", "Path.write_text", "Path.chmod", "Path.rename"]
)
def test_a_full_disk_leaves_the_earlier_graph_as_it_was(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    graph = build_graph(config)
    folder = tmp_path / "graph"
    write_graph(graph, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def no_space(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr(f"aimwell.knowledge.store.{step}", no_space)
        with pytest.raises(GraphError, match=r"graph': No space left on device; what was there"):
            write_graph(graph, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_new_folder_that_cannot_be_put_into_place_gives_way_to_the_old(
    config: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = build_graph(config)
    folder = tmp_path / "graph"
    write_graph(graph, folder)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    rename = Path.rename

    def refused(path: Path, target: Path) -> Path:
        if path.name.endswith(".partial"):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(GraphError, match="No space left"):
        write_graph(graph, folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_graph_replaces_a_graph_and_nothing_else(config: RunConfig, tmp_path: Path) -> None:
    graph = build_graph(config)
    folder = tmp_path / "graph"
    write_graph(graph, folder)
    write_graph(dataclasses.replace(graph, sources=()), folder)
    assert read_graph(folder).sources == ()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter1.txt").write_text("years of work")
    with pytest.raises(GraphError, match="is no graph folder"):
        write_graph(graph, tmp_path / "thesis")
    assert (tmp_path / "thesis" / "chapter1.txt").read_text() == "years of work"


def test_pairs_of_several_sources_become_one_edge_that_names_them() -> None:
    def pairs(evidence: str, weight: float, ends: str = "ab") -> dict[str, object]:
        return {
            "source_id": ends[0],
            "target_id": ends[1],
            "weight": weight,
            "evidence": evidence,
            "literature": evidence == "STRING",
            "clinical": False,
            "detail": f"{evidence} record",
        }

    rows = [pairs("HuRI", 0.4), pairs("STRING", 0.9, "ba"), pairs("HuRI", 0.4), pairs("x", 1, "cc")]
    edges, step = build_edges(pd.DataFrame(rows), "interacts", directed=False)
    assert edges.to_dict("records") == [
        {**pairs("HuRI|STRING", 0.9), "literature": False, "detail": "HuRI record|STRING record"}
    ]
    assert (step.rows_in, step.rows_out) == (4, 1)
    directed, _ = build_edges(pd.DataFrame(rows), "activates", directed=True)
    assert directed["source_id"].tolist() == ["a", "b"]


def test_the_summary_counts_what_is_there(config: RunConfig) -> None:
    summary = graph_summary(build_graph(config))
    assert summary.nodes == {"gene": 8, "pathway": 2}
    assert summary.edges == {"interacts": 3, "member_of": 6, "part_of": 1}
    assert summary.degree["1.0"] == 2
    assert (summary.components, summary.largest_component) == (2, 3)
    assert summary.isolated == ("SEPTIN2", "SEPTIN6", "SEPTIN7")
    assert to_plain(summary)["sources"][1]["licence"] == "MIT"


def test_faults_of_a_graph_are_named(tmp_path: Path) -> None:
    folder = write_sources(tmp_path / "data")
    config = make_config(folder)
    bare = dataclasses.replace(config, identifiers=dataclasses.replace(config.identifiers, hgnc=""))
    with pytest.raises(ConfigError, match=r"needs identifiers\.hgnc"):
        build_graph(bare)
    (folder / "edges.txt").write_text("node1 node2\nTrp53 Mdm2\nBrca1 Atm\n")
    with pytest.raises(IdentifierError, match=r"edges.txt': 0 of 4 .* mouse or rat symbols"):
        build_graph(config)
    (folder / "edges.txt").unlink()
    with pytest.raises(InputError, match="there is no file"):
        build_graph(config)


def targets(config: RunConfig, **settings: Any) -> pd.DataFrame:
    raw = {"reader": "drugcentral", "path": "drugs.tsv", "indications": "indications.tsv"}
    known = {"sources": [raw | {"disease_pattern": "cancer"} | settings]}
    plain = to_plain(config) | {"known_targets": known}
    full = config_from(plain)
    table = identifier_table(full, build_graph(full))
    return build_known_targets(full.known_targets.sources, full, table).table


def test_known_targets_are_the_mechanisms_of_the_drugs_of_the_disease(config: RunConfig) -> None:
    table = targets(config, disease="cancer")
    # MDM2 comes in by its accession, because the symbol beside it resolves to nothing.
    assert table["gene"].tolist() == ["HGNC:3430", "HGNC:6973"]
    assert set(table["detail"]) == {"lapatinib"}
    assert set(table["disease"]) == {"cancer"}


def test_known_targets_may_be_a_list(config: RunConfig) -> None:
    table = targets(config, reader="genes", path="", indications="", genes=["p53", "HER2"])
    assert table["gene"].tolist() == ["HGNC:11998", "HGNC:3430"]


OTHER: dict[str, Any] = {"indications": ""}


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"disease_pattern": "gout"}, LabelError, "no DM drug for a disease like 'gout'"),
        ({"disease_pattern": "("}, ConfigError, "is no regular expression"),
        ({"disease_pattern": ""}, ConfigError, "needs 'disease_pattern'"),
        ({"indications": ""}, ConfigError, "needs 'indications'"),
        ({"path": ""}, ConfigError, "needs 'path'"),
        ({"disease_pattern": "colon"}, LabelError, "nothing matches"),
        (OTHER | {"reader": "genes", "path": ""}, ConfigError, "needs 'genes' or 'path'"),
        (
            OTHER | {"reader": "genes", "path": "", "genes": ["Brca1"]},
            IdentifierError,
            "mouse or rat",
        ),
        (OTHER | {"reader": "repurposing_hub"}, InputError, "looks like a DrugCentral target"),
    ],
)
def test_faults_of_known_targets_are_named(
    config: RunConfig, settings: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        targets(config, **settings)
    assert "\n" not in str(caught.value)


def test_known_targets_that_a_company_may_not_use_leave_and_are_listed(config: RunConfig) -> None:
    free = dataclasses.replace(
        config, graph=dataclasses.replace(config.graph, licence="commercial")
    )
    table = identifier_table(free, build_graph(free))
    own = LabelSource("genes", genes=("p53",))
    bought = LabelSource("genes", path="list.txt", licence="non-commercial")
    (Path(config.run.data) / "list.txt").write_text("HER2\n", encoding="utf-8")
    both = build_known_targets([own, bought], config, table)
    assert both.genes.tolist() == ["HGNC:11998", "HGNC:3430"]
    known = build_known_targets([own, bought], free, table)
    assert known.genes.tolist() == ["HGNC:11998"]
    assert known.steps[1].name == "list.txt: licence"
    assert known.steps[1].why == "left out: not for commercial use"
    with pytest.raises(LabelError, match=r"leaves not one of 1 sources.*not for commercial use"):
        build_known_targets([bought], free, table)


@pytest.fixture(scope="module")
def coad(real_data: Path) -> tuple[RunConfig, TargetGraph]:
    config = read_config(HERE.parent / "examples/coad/coad.toml", data=str(real_data))
    return config, build_graph(config)


def test_the_colon_cancer_graph_has_the_measured_size(coad: tuple[RunConfig, TargetGraph]) -> None:
    graph = coad[1]
    # 24 edges and 5 genes come in by LOC numbers, which are Entrez ids
    assert len(graph.relations["interacts"].edges) == 254_530
    assert len(graph.genes) == 16_647
    sizes = graph.relations["member_of"].edges.groupby("target_id").size()
    assert (sizes.min(), sizes.max()) == (4, 199)
    kept = graph.nodes["pathway"]["name"]
    assert not kept.str.contains("cancer|disease|mutant|drug|-resistant", case=False).any()
    assert "Signaling by ERBB2" in set(kept)
    assert "Death Receptor Signalling" in set(kept)


def test_known_cancer_targets_are_the_eighty_of_the_literature(
    coad: tuple[RunConfig, TargetGraph],
) -> None:
    config, graph = coad
    table = identifier_table(config, graph)
    known = build_known_targets(config.known_targets.sources, config, table)
    check = build_known_targets(config.known_targets.check, config, table)
    assert (len(known.genes), len(check.genes)) == (80, 22)
    assert known.genes.isin(graph.genes).all()
    egfr = known.table.set_index("gene").loc["HGNC:3236", "detail"]
    assert {"erlotinib", "gefitinib"} <= set(str(egfr).split("|"))
