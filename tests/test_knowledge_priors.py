"""Of general knowledge graphs, genes and named sets stay; drugs and diseases do not."""

import bz2
import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.errors import InputError
from aimwell.knowledge.prior_network import BLOCK, PriorCollector, PriorNetwork
from aimwell.knowledge.sources.biocypher import read_biocypher
from aimwell.knowledge.sources.hetionet import read_hetionet, read_hetionet_associations
from aimwell.knowledge.sources.primekg import read_optimuskg, read_primekg

SIF = (
    "source\tmetaedge\ttarget\nGene::7157\tGiG\tGene::4193\nGene::7157\tGr>G\tGene::672\n"
    "Gene::7157\tGcG\tGene::672\nGene::7157\tGpBP\tBiological Process::GO:0006915\n"
    "Compound::DB1\tCbG\tGene::7157\nDisease::DOID:1\tDaG\tGene::7157\n"
    "Compound::DB1\tCtD\tDisease::DOID:1\nAnatomy::UBERON:1\tAeG\tGene::7157\n"
)
NODES = (
    "id\tname\tkind\nGene::7157\tTP53\tGene\n"
    "Biological Process::GO:0006915\tapoptotic process\tBiological Process\n"
)
PRIMEKG = (
    "relation,display_relation,x_index,x_id,x_type,x_name,x_source,"
    "y_index,y_id,y_type,y_name,y_source\n"
    "protein_protein,ppi,0,7157,gene/protein,TP53,NCBI,1,4193,gene/protein,MDM2,NCBI\n"
    "protein_protein,ppi,1,4193,gene/protein,MDM2,NCBI,0,7157,gene/protein,TP53,NCBI\n"
    'bioprocess_protein,x,2,6915,biological_process,"apoptosis, all",GO,'
    "0,7157,gene/protein,TP53,NCBI\n"
    "pathway_protein,x,3,R-HSA-1,pathway,Signaling,REACTOME,0,7157,gene/protein,TP53,NCBI\n"
    "drug_protein,x,4,DB1,drug,nutlin,DrugBank,1,4193,gene/protein,MDM2,NCBI\n"
    "disease_protein,x,5,1,disease,cancer,MONDO,0,7157,gene/protein,TP53,NCBI\n"
    "anatomy_protein_present,x,6,1,anatomy,colon,UBERON,0,7157,gene/protein,TP53,NCBI\n"
)


def write(folder: Path, text: str, name: str = "kg.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def pairs(prior: PriorNetwork) -> list[tuple[str, ...]]:
    assert prior.interactions is not None
    table = prior.interactions.table
    return sorted(zip(table["source"], table["relation"], table["target"], strict=True))


def memberships(prior: PriorNetwork) -> list[tuple[str, str, str]]:
    return [
        (sets.kind, key, name)
        for sets in prior.sets
        for key, name in zip(sets.members["set_id"], sets.members["name"], strict=True)
    ]


def test_hetionet_keeps_genes_and_named_sets_and_counts_the_rest(tmp_path: Path) -> None:
    prior = read_hetionet(write(tmp_path, SIF), write(tmp_path, NODES, "nodes.tsv"))
    assert pairs(prior) == [("7157", "interacts", "4193"), ("7157", "regulates", "672")]
    assert memberships(prior) == [("term", "GO:0006915", "7157")]
    assert prior.sets[0].names["GO:0006915"] == "apoptotic process"
    assert [(s.rows_in, s.rows_out) for s in prior.steps] == [(8, 6), (6, 5), (5, 4), (4, 3)]
    assert prior.steps[-1].examples == ("GcG",)


def test_sets_without_a_name_are_left_out_because_they_may_name_a_disease(tmp_path: Path) -> None:
    prior = read_hetionet(write(tmp_path, SIF))
    assert prior.sets == ()
    assert prior.steps[-1].rows_out == 0
    assert "nobody can tell" in prior.steps[-1].why


@pytest.mark.parametrize("packed", [False, True])
def test_hetionet_as_json_is_the_same_graph(tmp_path: Path, packed: bool) -> None:
    nodes, edges = [], []
    for line in NODES.split("\n")[1:-1]:
        key, name, kind = line.split("\t")
        nodes.append({"kind": kind, "identifier": key.split("::")[1], "name": name, "data": {}})
    words = {"GiG": "interacts", "Gr>G": "regulates", "GcG": "covaries", "GpBP": "participates"}
    for line in SIF.split("\n")[1:-1]:
        one, kind, two = line.split("\t")
        ends = {"source_id": one.split("::"), "target_id": two.split("::")}
        edges.append({**ends, "kind": words.get(kind, "x"), "direction": "both", "data": {}})
    meta = {"metanode_kinds": ["Gene"], "metaedge_tuples": [["Gene", "Gene", "x", "both"], []]}
    meta |= {"kind_to_abbrev": {"Gene": "G"}}
    text = json.dumps({**meta, "nodes": nodes, "edges": edges}, indent=1)
    path = tmp_path / "hetionet.json"
    path.write_bytes(bz2.compress(text.encode()) if packed else text.encode())
    prior = read_hetionet(path)
    plain = read_hetionet(write(tmp_path, SIF), write(tmp_path, NODES, "nodes.tsv"))
    assert pairs(prior) == pairs(plain)
    assert memberships(prior) == memberships(plain)


def test_a_json_cut_short_is_refused(tmp_path: Path) -> None:
    text = '{"nodes": [{"kind": "Gene", "identifier": 1, "name": "A"}], "edges": [{"kind": '
    with pytest.raises(InputError, match="is not Hetionet as JSON") as caught:
        read_hetionet(write(tmp_path, text))
    assert "\n" not in str(caught.value)


def test_primekg_keeps_genes_and_sets_and_restores_go_ids(tmp_path: Path) -> None:
    prior = read_primekg(write(tmp_path, PRIMEKG, "kg.csv"))
    assert pairs(prior) == [("4193", "interacts", "7157"), ("7157", "interacts", "4193")]
    assert memberships(prior) == [("term", "GO:0006915", "7157"), ("pathway", "R-HSA-1", "7157")]
    assert prior.sets[0].names["GO:0006915"] == "apoptosis, all"
    assert [(s.rows_in, s.rows_out) for s in prior.steps] == [(7, 6), (6, 5), (5, 4)]
    with pytest.raises(InputError, match="lacks the columns 'x_type'"):
        read_primekg(write(tmp_path, PRIMEKG.replace("x_type", "kind"), "kg.csv"))


def test_optimuskg_takes_kinds_and_names_from_its_nodes(tmp_path: Path) -> None:
    nodes = pd.DataFrame(
        [
            ("ENSG1", "GEN", '{"symbol": "A"}'),
            ("ENSG2", "GEN", ""),
            ("GO:1", "BPO", '{"name": "death"}'),
            ("D1", "DIS", '{"name": "cancer"}'),
        ],
        columns=["id", "label", "properties"],
    )
    edges = pd.DataFrame(
        [
            ("ENSG1", "ENSG2", "INTERACTS_WITH"),
            ("GO:1", "ENSG2", "ANNOTATES"),
            ("D1", "ENSG1", "ASSOCIATED_WITH"),
        ],
        columns=["from", "to", "relation"],
    )
    nodes.to_parquet(tmp_path / "nodes.parquet")
    edges.to_parquet(tmp_path / "edges.parquet")
    prior = read_optimuskg(tmp_path / "edges.parquet", tmp_path / "nodes.parquet")
    assert pairs(prior) == [("ENSG1", "interacts", "ENSG2")]
    assert memberships(prior) == [("term", "GO:1", "ENSG2")]
    nodes.iloc[1:].to_parquet(tmp_path / "nodes.parquet")
    with pytest.raises(InputError, match=r"names 1 nodes that .* does not list: 'ENSG1'"):
        read_optimuskg(tmp_path / "edges.parquet", tmp_path / "nodes.parquet")


def test_biocypher_reads_headers_parts_labels_and_prefixes(tmp_path: Path) -> None:
    write(tmp_path, ":ID;name;:LABEL\n", "Protein-header.csv")
    write(tmp_path, '"uniprot:P04637";"p53";"Protein|NamedThing"\n', "Protein-part000.csv")
    write(tmp_path, '"uniprot:Q00987";"mdm2";"Protein|NamedThing"\n', "Protein-part001.csv")
    write(tmp_path, ":ID;name;:LABEL\n", "Drug-header.csv")
    write(tmp_path, '"db:1";"nutlin";"Drug"\n', "Drug-part000.csv")
    write(tmp_path, ":ID;name;:LABEL\n", "Pathway-header.csv")
    write(tmp_path, '"R-HSA-1";"Signaling";"Pathway"\n', "Pathway-part000.csv")
    write(tmp_path, ":START_ID;:END_ID;:TYPE\n", "Edges-header.csv")
    rows = [
        '"uniprot:P04637";"uniprot:Q00987";"INTERACTS_WITH"',
        '"db:1";"uniprot:Q00987";"TARGETS"',
        '"uniprot:P04637";"R-HSA-1";"TAKES_PART"',
        '"uniprot:P04637";"uniprot:Q00987";"SMELLS_LIKE"',
    ]
    write(tmp_path, "\n".join(rows) + "\n", "Edges-part000.csv")
    prior = read_biocypher(tmp_path)
    assert pairs(prior) == [("P04637", "interacts", "Q00987")]
    assert memberships(prior) == [("pathway", "R-HSA-1", "P04637")]
    assert prior.steps[-1].examples == ("SMELLS_LIKE",)
    (tmp_path / "Drug-part000.csv").unlink()
    with pytest.raises(InputError, match=r"has no Drug-part000\.csv beside it"):
        read_biocypher(tmp_path)
    with pytest.raises(InputError, match="there is no folder"):
        read_biocypher(tmp_path / "absent")


KINDS = ["Gene", "Compound", "Disease", "Side Effect", "Pathway", "Anatomy", "Symptom"]


@settings(deadline=None)  # a busy machine is no fault of a reader
@given(st.lists(st.tuples(*[st.sampled_from(KINDS)] * 2), min_size=1, max_size=30))
def test_no_drug_or_disease_survives_and_every_edge_is_accounted_for(
    ends: list[tuple[str, str]],
) -> None:
    rows = [
        (f"{a}{i}", a, "interacts", f"{b}{i}", b)
        for i, (a, b) in enumerate([("Gene", "Gene"), *ends])
    ]
    collector = PriorCollector("toy", Path("toy"))
    collector.add(pd.DataFrame(rows, columns=list(BLOCK)))
    names = {row[k]: "x" for row in rows for k in (0, 3)}
    prior = collector.finish("symbol", names)
    kept = [n for row in pairs(prior) for n in (row[0], row[2])]
    kept += [n for row in memberships(prior) for n in row[1:]]
    assert all(name.startswith(("Gene", "Pathway")) for name in kept)
    lost = sum(step.rows_in - step.rows_out for step in prior.steps)
    assert len(pairs(prior)) + len(memberships(prior)) + lost == len(rows)


@settings(deadline=None)  # a busy machine is no fault of a reader
@given(st.binary(max_size=80), st.integers(0, 300), st.booleans())
def test_no_damage_makes_a_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, at: int, sif: bool
) -> None:
    good = (SIF if sif else PRIMEKG).encode()
    path = tmp_path_factory.getbasetemp() / "fuzz-priors.txt"
    path.write_bytes(good[:at] + noise + good[at + len(noise) :])
    try:
        (read_hetionet if sif else read_primekg)(path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017  a reader may also accept


def test_hetionet_has_the_measured_counts(real_data: Path) -> None:
    prior = read_hetionet(real_data / "formats/hetionet-v1.0-edges-5k.sif.gz")
    assert prior.steps[0].rows_in == 99_676
    assert prior.interactions is not None
    assert prior.interactions.table["relation"].value_counts().to_dict() == {
        "interacts": 5_000,
        "regulates": 5_000,
    }
    table = read_hetionet_associations(real_data / "labels/hetionet_DaG-association.tsv")
    assert (len(table), table["doid"].nunique(), table["entrez"].nunique()) == (12_623, 134, 5_392)
    assert set(table["licence"]) == {"ODbL 1.0", "CC BY 4.0", "unknown"}


@pytest.mark.parametrize("size", [1, 7, 64])
def test_the_json_may_be_cut_into_blocks_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    nodes = [{"kind": "Biological Process", "identifier": "GO:1", "name": "Tod, größer"}]
    ends = [(["Gene", 7157], ["Gene", 4193]), (["Gene", 1], ["Biological Process", "GO:1"])]
    edges = [{"source_id": a, "target_id": b, "kind": "interacts"} for a, b in ends]
    text = json.dumps({"nodes": nodes, "edges": edges}, ensure_ascii=False)
    monkeypatch.setattr("aimwell.knowledge.sources.hetionet._CHUNK", size)
    prior = read_hetionet(write(tmp_path, text))
    assert pairs(prior) == [("7157", "interacts", "4193")]
    assert prior.sets[0].names.to_dict() == {"GO:1": "Tod, größer"}
