"""Any network reader can be named in the run file, and the public networks have their counts."""

import dataclasses
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aimwell.config import INTERACTION_READERS, RunConfig, config_from
from aimwell.errors import ConfigError, IdentifierError, InputError
from aimwell.knowledge.build import build_graph
from aimwell.knowledge.graph import TargetGraph
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.interaction_sources import NAMES, READERS
from aimwell.knowledge.interactions import Interactions
from aimwell.knowledge.sources.biogrid import read_biogrid
from aimwell.knowledge.sources.collectri import read_collectri
from aimwell.knowledge.sources.edge_list import read_edge_list
from aimwell.knowledge.sources.enzyme_substrate import read_enzyme_substrate
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.huri import read_huri
from aimwell.knowledge.sources.menche import read_menche
from aimwell.knowledge.sources.omnipath import read_omnipath
from aimwell.knowledge.sources.signor import read_signor, read_signor_groups
from aimwell.knowledge.sources.string import CHANNELS, read_string
from aimwell.knowledge.store import read_graph, write_graph

DATA = Path(__file__).parent / "data" / "knowledge"
ALL = (
    {"reader": "biogrid", "path": "networks/biogrid_tab3.txt"},
    {"reader": "psi_mitab", "path": "networks/mitab27.txt", "name": "IntAct"},
    {"reader": "hippie", "path": "networks/hippie.txt"},
    {"reader": "menche", "path": "networks/menche.tsv"},
    {"reader": "string", "path": "networks/string_links.txt", "info": "networks/string_info.txt"},
    {"reader": "signor", "path": "networks/signor.tsv"},
    {"reader": "omnipath", "path": "networks/omnipath.tsv"},
    {"reader": "collectri", "path": "networks/collectri.csv"},
    {"reader": "dorothea", "path": "networks/dorothea.csv"},
    {"reader": "enzyme_substrate", "path": "networks/enzsub.tsv"},
    {"reader": "sif", "path": "networks/pathway_commons.sif", "id_type": "symbol"},
    {"reader": "graphml", "path": "networks/network.graphml", "source_column": "symbol"},
)


def make_config(*sources: dict[str, Any], hgnc: str = "hgnc_small.tsv", **graph: Any) -> RunConfig:
    matrix = {"path": "m", "layer": "rna", "kind": "rna", "unit": "log2"}
    contrast = {"name": "c", "layer": "rna", "condition": "x", "case": "a", "control": "b"}
    return config_from(
        {
            "run": {"title": "t", "output": "out", "data": str(DATA)},
            "identifiers": {"hgnc": hgnc},
            "graph": {"sources": list(sources), **graph},
            "cohort": {"matrices": [matrix], "sheet": {"path": "s"}},
            "contrasts": [contrast],
            "known_targets": {"sources": [{"reader": "genes", "genes": ["TP53"]}]},
        }
    )


def edges(graph: TargetGraph, relation: str) -> dict[tuple[str, str], float]:
    table, names = graph.relations[relation].edges, graph.symbols
    ends = zip(table["source_id"], table["target_id"], strict=True)
    pairs = [(names[a], names[b]) for a, b in ends]
    if not graph.relations[relation].directed:
        pairs = [(min(p), max(p)) for p in pairs]
    return dict(zip(pairs, table["weight"].tolist(), strict=True))


def test_every_reader_that_the_run_file_may_name_exists() -> None:
    assert set(READERS) == set(NAMES) == set(INTERACTION_READERS)


def test_all_network_formats_become_one_graph_whatever_their_order(tmp_path: Path) -> None:
    written = []
    for number, order in enumerate((ALL, ALL[::-1], (*ALL[5:], *ALL[:5]))):
        graph = build_graph(make_config(*order))
        bare = dataclasses.replace(graph, sources=(), steps=())
        write_graph(bare, tmp_path / str(number))
        files = sorted((tmp_path / str(number)).iterdir())
        written.append({path.name: path.read_bytes() for path in files})
    assert written[0] == written[1] == written[2]
    assert sorted(graph.relations) == [
        "activates", "induces", "inhibits", "interacts", "regulates", "represses",
    ]  # fmt: skip
    again = read_graph(tmp_path / "0").relations["interacts"].edges
    pd.testing.assert_frame_equal(again, graph.relations["interacts"].edges)


def test_an_edge_says_which_databases_and_papers_it_comes_from() -> None:
    graph = build_graph(make_config(*ALL))
    table = graph.relations["interacts"].edges
    names = graph.symbols
    found = table[
        (table["source_id"].map(names) == "TP53") & (table["target_id"].map(names) == "MDM2")
    ].iloc[0]
    assert found["evidence"] == "BioGRID|HIPPIE|IntAct|Menche 2015|SIF|STRING"
    assert found["pubmed_ids"] == "1000001|1000002|1000004"
    assert found["date"] == "1999"
    assert not found["literature"]
    assert found["weight"] == 1.0
    assert [s.name for s in graph.sources][1:3] == ["BioGRID", "IntAct"]


STRING = {
    "reader": "string",
    "path": "networks/string_links_detailed.txt",
    "info": "networks/string_info.txt",
}
HIPPIE = {"reader": "hippie", "path": "networks/hippie.txt"}


def test_merging_follows_the_run_file() -> None:
    pair = ("MDM2", "TP53")
    noisy = build_graph(make_config(STRING, {**HIPPIE, "weight": 0.5}))
    assert edges(noisy, "interacts")[pair] == pytest.approx(1 - (1 - 0.999) * (1 - 0.97 / 2))
    largest = build_graph(make_config(STRING, HIPPIE, merge="max"))
    assert edges(largest, "interacts")[pair] == 0.999
    apart = build_graph(make_config(STRING, HIPPIE, merge="separate"))
    assert sorted(apart.relations) == ["interacts_hippie", "interacts_string"]
    assert edges(apart, "interacts_hippie") == {pair: 0.97}
    one = build_graph(make_config(STRING, {**HIPPIE, "separate": True}))
    assert sorted(one.relations) == ["interacts", "interacts_hippie"]


def test_channels_and_scores_follow_the_run_file() -> None:
    chosen = build_graph(make_config({**STRING, "channels": ["textmining"], "min_score": 0.5}))
    assert list(edges(chosen, "interacts")) == [("MDM2", "TP53")]
    assert chosen.relations["interacts"].edges["literature"].all()
    genetic = {"reader": "biogrid", "path": "networks/biogrid_tab3.txt", "channels": ["genetic"]}
    assert list(edges(build_graph(make_config(genetic)), "interacts")) == [("BRCA1", "TP53")]
    level = {"reader": "dorothea", "path": "networks/dorothea.csv"}
    assert "induces" in build_graph(make_config(level)).relations  # A to C, not E
    assert edges(build_graph(make_config(level)), "induces") == {("TP53", "MDM2"): 1.0}


def test_a_hub_limit_leaves_the_strongest_edges() -> None:
    graph = build_graph(make_config(STRING, max_degree=1))
    assert list(edges(graph, "interacts")) == [("MDM2", "TP53")]
    step = next(s for s in graph.steps if "hub limit" in s.name)
    assert (step.rows_in, step.rows_out) == (3, 1)


@pytest.mark.parametrize(
    ("source", "error", "message"),
    [
        ({**HIPPIE, "reader": "hipie"}, ConfigError, "did you mean 'hippie'"),
        ({**HIPPIE, "min_score": 700.0}, ConfigError, "write 0.7 for a STRING score of 700"),
        ({**HIPPIE, "weight": 0.0}, ConfigError, r"must lie in \(0, 1\]"),
        ({**HIPPIE, "channels": ["x-ray"]}, ConfigError, "no channel 'x-ray'; it has 'Two-hybrid'"),
        ({**STRING, "info": ""}, ConfigError, "set 'aliases'"),
        ({**HIPPIE, "reader": "edge_list", "relation": "hugs"}, ConfigError, "is not known"),
        ({**HIPPIE, "reader": "edge_list", "id_type": "mgi"}, ConfigError, "is not known"),
        ({**HIPPIE, "reader": "edge_list", "source_column": "a"}, ConfigError, "needs both"),
        ({**HIPPIE, "reader": "signor"}, InputError, "it looks like a HIPPIE table"),
        (
            {"reader": "sif", "path": "networks/pathway_commons.sif", "id_type": "entrez"},
            IdentifierError,
            "declare the id_type",
        ),
    ],
)
def test_faults_of_a_network_source_are_named(
    source: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message) as caught:
        build_graph(make_config(source))
    assert "\n" not in str(caught.value)


# The public databases ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table(real_data: Path) -> IdentifierTable:
    return IdentifierTable.from_hgnc(read_hgnc(real_data / "ids/hgnc_complete_set_2024-10.txt.gz"))


def gene_pairs(found: Interactions, ids: dict[str, str]) -> set[tuple[str, str]]:
    ends = (found.table[c].astype(object).tolist() for c in ("source", "target"))
    mapped = ((ids.get(a), ids.get(b)) for a, b in zip(*ends, strict=True))
    return {(min(a, b), max(a, b)) for a, b in mapped if a and b and a != b}


def ids_of(found: Interactions, table: IdentifierTable) -> tuple[dict[str, str], pd.DataFrame]:
    report = table.resolve(found.names, protein_coding=False)
    mapped = report[report["status"] == "mapped"]
    return dict(zip(mapped["name"].tolist(), mapped["hgnc_id"].tolist(), strict=True)), report


def test_huri_has_the_measured_counts(real_data: Path, table: IdentifierTable) -> None:
    found = read_huri(real_data / "networks/huri_ensembl.tsv")
    loops = found.table["source"].astype(str) == found.table["target"].astype(str)
    assert int(loops.sum()) == 480
    pairs = gene_pairs(found, ids_of(found, table)[0])
    assert (len(pairs), len(set(itertools.chain(*pairs)))) == (51_746, 8_210)


def test_hi_union_has_the_measured_counts(real_data: Path, table: IdentifierTable) -> None:
    found = read_huri(real_data / "networks/hi_union_uniprot_isoforms.tsv")
    assert len(found.table) == 240_570
    ids, report = ids_of(found, table)
    # 55,650 where an accession of several genes is given to the first; it is nobody's here
    assert len(gene_pairs(found, ids)) == 55_240
    loci = table.loci.reset_index().set_index("symbol")["hgnc_id"]
    shared = report[report["status"] == "ambiguous"]
    first = {
        name: loci[candidates.split("|")[0]]
        for name, candidates in zip(shared["name"], shared["candidates"], strict=True)
    }
    assert len(gene_pairs(found, ids | first)) == 55_650


def test_menche_has_the_published_counts(real_data: Path, table: IdentifierTable) -> None:
    found = read_menche(real_data / "networks/menche2015_Datasets_S1-S4.zip")
    assert len(found.table) == 141_296
    pairs = gene_pairs(found, ids_of(found, table)[0])
    assert len(set(itertools.chain(*pairs))) == 13_272
    kinds = found.table["evidence_type"].astype(object).str.split("|").explode()
    assert kinds.value_counts().to_dict() == {
        "literature": 88_349,
        "signaling": 32_706,
        "complexes": 31_276,
        "binary": 28_653,
        "kinase": 6_066,
        "metabolic": 5_325,
        "regulatory": 1_335,
    }


def test_string_lists_have_the_measured_counts(real_data: Path) -> None:
    symbols = read_string(real_data / "networks/string_symbol.tsv")
    assert (len(symbols.table), len(symbols.names)) == (336_548, 13_179)
    cost = read_string(real_data / "networks/string_uniprot_cost.tsv")
    assert len(cost.table) == 114_653
    assert cost.table["weight"].between(0.38, 1.0).all()


def test_costs_are_one_and_a_half_minus_string_confidence(
    real_data: Path, table: IdentifierTable
) -> None:
    """Measured on the pairs of the website's export: the sum of cost and score is about 1.5."""
    cost = read_string(real_data / "networks/string_uniprot_cost.tsv")
    web = read_string(real_data / "formats/string_web_export_sample.tsv")
    score = {}
    for found in (cost, web):
        ids = ids_of(found, table)[0]
        ends = [found.table[c].astype(object).map(ids) for c in ("source", "target")]
        pairs = [frozenset(p) for p in zip(*ends, strict=True)]
        score[len(score)] = dict(zip(pairs, found.table["weight"].tolist(), strict=True))
    both = [(score[0][p], score[1][p]) for p in score[0] if p in score[1] and len(p) == 2]
    assert len(both) > 50
    assert np.median([a - b for a, b in both]) == pytest.approx(0, abs=0.02)


def test_string_recombines_its_own_scores_from_the_channels(real_data: Path) -> None:
    path = real_data / "formats/string_web_export_sample.tsv"
    channels = [c for c in CHANNELS if not c.endswith("transferred")]
    combined = read_string(path, channels=channels).table["weight"]
    published = read_string(path).table["weight"]
    assert len(published) == 1_252
    # STRING rounds to three digits, channels and result
    assert np.abs(combined.to_numpy() - published.to_numpy()).max() < 0.0015


def test_a_file_with_cr_line_ends_and_unknown_ids_is_read_whole(
    real_data: Path, table: IdentifierTable
) -> None:
    found = read_edge_list(real_data / "networks/snap_ppi_cr_line_ends.csv", id_type="entrez")
    assert len(found.table) == 342_353
    report = ids_of(found, table)[1]
    assert (report["status"] == "lost").mean() == pytest.approx(0.20, abs=0.005)


def test_signalling_tables_have_the_measured_counts(real_data: Path) -> None:
    folder = real_data / "signalling"
    regulation = read_collectri(folder / "collectri_2025.csv")
    assert regulation.steps[0].rows_in == 43_178
    # AP1 has 596 rows and NFKB 799: 37,360 positive and 5,818 negative with them
    assert regulation.steps[0].rows_out == 43_178 - 596 - 799
    assert regulation.table["relation"].value_counts().to_dict() == {
        "induces": 37_360 - 1_306,
        "represses": 5_818 - 89,
    }
    assert read_omnipath(folder / "omnipath_20201208_TFData.csv").steps[0].rows_in == 15_252
    assert len(read_enzyme_substrate(folder / "omnipath_ptm_2025.csv").table) == 30_816
    signed = read_omnipath(folder / "omnipath_carnival_signed.tsv")
    assert signed.steps[0].rows_in == 19_807
    assert signed.steps[0].rows_out == 19_804  # three rows have a chemical alone at an end
    # every other row of the file is shared out whole
    shared = signed.table.groupby("relation", observed=True)["weight"].sum()
    assert shared.to_dict() == pytest.approx({"activates": 14_347, "inhibits": 5_457})


def test_samples_of_original_formats_are_read(real_data: Path) -> None:
    folder = real_data / "formats"
    grid = read_biogrid(folder / "biogrid_tab2_sample.txt")
    assert (grid.steps[0].rows_in, grid.steps[0].rows_out) == (50, 17)
    causal = read_signor(
        folder / "signor_sample.csv", complexes=folder / "signor_complexes_sample.csv"
    )
    assert (causal.steps[0].rows_in, causal.steps[0].rows_out) == (20, 16)
    assert len(read_signor_groups(folder / "signor_complexes_sample.csv")) == 9


def test_the_public_networks_become_one_graph(real_data: Path) -> None:
    networks, signals = real_data / "networks", real_data / "signalling"
    graph = build_graph(
        make_config(
            {"reader": "biogrid", "path": str(networks / "biogrid_symbol.txt")},
            {"reader": "huri", "path": str(networks / "huri_ensembl.tsv")},
            {"reader": "collectri", "path": str(signals / "collectri_2025.csv")},
            hgnc=str(real_data / "ids/hgnc_complete_set_2024-10.txt.gz"),
        )
    )
    both = graph.relations["interacts"].edges["evidence"] == "BioGRID|HuRI"
    assert len(graph.relations["interacts"].edges) == 254_530 + 51_336 - int(both.sum())
    assert len(graph.relations["induces"].edges) == 35_353
    assert len(graph.relations["represses"].edges) == 5_674
