"""The embedded starter graph is found, whole, and refused where it contradicts itself."""

import shutil
from pathlib import Path

import pytest

from aimwell.errors import AimwellError, GraphError, InputError
from aimwell.knowledge.networkx_graph import to_networkx
from aimwell.knowledge.sources import starter
from aimwell.knowledge.summary import graph_summary


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the starter graph's tables that a test may damage."""
    return Path(shutil.copytree(starter.find_starter(), tmp_path / "starter"))


def append(path: Path, row: str) -> None:
    path.write_text(path.read_text(encoding="utf-8") + row + "\n", encoding="utf-8")


def test_the_starter_graph_holds_every_row_of_its_tables() -> None:
    folder = starter.find_starter()
    graph = starter.read_starter_graph()
    rows = {path.name: len(path.read_text().splitlines()) - 1 for path in folder.glob("*.tsv")}
    edges = {name: len(relation.edges) for name, relation in graph.relations.items()}
    assert len(graph.genes) == rows["genes.tsv"]
    assert sum(edges[n] for n in (*starter.DIRECTED, "interacts")) == rows["edges.tsv"]
    assert edges["member_of"] == rows["pathway_members.tsv"]
    assert edges["subunit_of"] == rows["complex_members.tsv"]
    assert len(graph.nodes["pathway"]) == rows["pathways.tsv"]
    assert set(graph.nodes) == {"gene", "pathway", "complex"}  # drugs stay outside
    assert len(starter.read_starter_drugs()) == rows["drugs.tsv"]


def test_textbook_biology_is_in_the_starter_graph() -> None:
    graph = starter.read_starter_graph()
    ids = {symbol: gene for gene, symbol in graph.symbols.items()}
    inhibits = graph.relations["inhibits"].edges.set_index(["source_id", "target_id"])
    assert inhibits.loc[(ids["MDM2"], ids["TP53"]), "detail"] != ""
    assert graph_summary(graph).largest_component > 0.9 * len(graph.genes)
    assert set(starter.read_starter_drugs()["symbol"]) <= set(ids)


def test_networkx_holds_every_edge_under_its_relation() -> None:
    graph = starter.read_starter_graph()
    network = to_networkx(graph)
    total = sum(len(relation.edges) for relation in graph.relations.values())
    assert network.number_of_edges() == total
    gene = graph.genes[0]
    assert network.nodes[gene]["symbol"] == graph.symbols[gene]
    edge = graph.relations["activates"].edges.iloc[0]
    data = network.edges[edge["source_id"], edge["target_id"], "activates"]
    assert data == {"directed": True, **edge.drop(["source_id", "target_id"]).to_dict()}


@pytest.mark.parametrize(
    ("file", "row", "error", "message"),
    [
        ("edges.tsv", "TP53\tNOGENE9\tactivates\tp\tm", GraphError, "target is not .*'NOGENE9'"),
        ("edges.tsv", "TP53\tMDM2\tloves\tp\tm", GraphError, "unknown relations: 'loves'"),
        ("pathway_members.tsv", "path:none\tTP53", GraphError, "unknown pathway"),
        ("complex_members.tsv", "complex:none\tTP53", GraphError, "unknown complex"),
        ("pathways.tsv", "path:x\tX\tpath:none", GraphError, "unknown parents: 'path:none'"),
        ("pathways.tsv", "path:x\tX\tpath:y\npath:y\tY\tpath:x", InputError, "cyclic"),
        ("genes.tsv", "HGNC:1\tTP53\tx\t1\tE\tU\tf", GraphError, "symbols twice: 'TP53'"),
        ("genes.tsv", "HGNC:1\tcut", InputError, "2 fields"),
    ],
)
def test_a_contradiction_in_the_tables_is_refused(
    copy: Path, file: str, row: str, error: type[AimwellError], message: str
) -> None:
    append(copy / file, row)
    with pytest.raises(error, match=message) as caught:
        starter.read_starter_graph(copy)
    assert "\n" not in str(caught.value)


def test_the_tables_are_found_inside_an_installed_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "aimwell"
    monkeypatch.setattr(starter, "files", lambda _: package)
    with pytest.raises(InputError, match="starter graph is not below"):
        starter.find_starter()
    inside = package / "data" / "graphs" / "starter"
    shutil.copytree(Path(__file__).parents[1] / "data/graphs/starter", inside)
    assert starter.find_starter() == inside
