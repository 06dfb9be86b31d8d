"""Sets, complexes, families and terms are read as published; texts follow the specifications."""

import gzip
import itertools
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.errors import InputError
from aimwell.knowledge.gene_sets import GeneSets, inherited, with_genes, without_leaks
from aimwell.knowledge.sources.complex_portal import read_complex_portal
from aimwell.knowledge.sources.corum import read_corum
from aimwell.knowledge.sources.famplex import read_famplex
from aimwell.knowledge.sources.gmt import read_gmt
from aimwell.knowledge.sources.go import go_sets, read_gaf, read_go_table, read_obo
from aimwell.knowledge.sources.reactome import read_reactome_mapping
from aimwell.knowledge.sources.signor_complexes import read_signor_complexes

WIKIPATHWAYS = (
    "Apoptosis%WikiPathways_20160402%WP254%Homo sapiens\thttp://x\t355\t7157\t355\n"
    "Apoptosis%WikiPathways_20160402%WP1254%Mus musculus\thttp://x\t14102\n"
)
CORUM = (
    "ComplexID\tComplexName\tOrganism\tsubunits(UniProt IDs)\tPubMed ID\textra\n"
    "1\tA complex\tHuman\tP04637;Q00987;P04637\t123\tx\n"
    "2\tA mouse complex\tMouse\tP02340;P23804\t124\tx\n"
    "3\tAlternatives\tHuman\t(P38398,Q99728);None\tNone\tx\n"
)
CORUM_5 = (
    "complex_id\tcomplex_name\torganism\tsubunits_uniprot_id\tpmid\n7\tB\tHuman\tP04637;P38398\t9\n"
)
PORTAL_HEADER = (
    "#Complex ac\tRecommended name\tTaxonomy identifier\tIdentifiers (and stoichiometry) of "
    "molecules in complex\tExperimental evidence\tExpanded participant list\n"
)
PORTAL = PORTAL_HEADER + (
    "CPX-1\tSmall\t9606\tP84022(2)|CHEBI:15422(1)\tintact:EBI-1\tP84022(2)|CHEBI:15422(1)\n"
    "CPX-2\tLarge\t9606\tCPX-1(1)|Q13485-2(1)|P01137-PRO_0000033762(1)\t-\tP84022(2)|Q13485-2(1)\n"
    "CPX-3\tMouse\t10090\tP02340(1)\t-\tP02340(1)\n"
)
SIGNOR = (
    '"SIGNOR ID";"COMPLEX NAME";"LIST OF ENTITIES"\n'
    'SIGNOR-C1;NFY;"P23511,  P25208"\nSIGNOR-C2;More;"SIGNOR-C1,  Q13952,  CHEBI:29108"\n'
)
FAMPLEX = (
    "HGNC,PRKAA1,isa,FPLX,AMPK_alpha\nHGNC,PRKAB1,isa,FPLX,AMPK_beta\n"
    "FPLX,AMPK_alpha,partof,FPLX,AMPK\nFPLX,AMPK_beta,partof,FPLX,AMPK\n"
    "UP,P04637,isa,FPLX,P_family\nFPLX,AMPK,isa,FPLX,Kinase_complex\n"
)
OBO = """format-version: 1.4
ontology: go

[Term]
id: GO:0000001
name: cell death
namespace: biological_process
alt_id: GO:0000009

[Term]
id: GO:0000002
name: apoptosis ! with a mark
namespace: biological_process
is_a: GO:0000001 ! cell death

[Term]
id: GO:0000003
name: caspase activity
namespace: molecular_function
relationship: part_of GO:0000002 ! apoptosis
relationship: regulates GO:0000004 ! other

[Term]
id: GO:0000004
name: other
namespace: biological_process

[Term]
id: GO:0000005
name: gone
namespace: biological_process
is_obsolete: true

[Typedef]
id: part_of
name: part of
"""


def gaf(*rows: tuple[str, str, str, str, str, str]) -> str:
    """Write annotations: accession, qualifier, term, code, aspect, taxon."""
    lines = ["!gaf-version: 2.2", "!date: 2024-01-01"]
    for accession, qualifier, term, code, aspect, taxon in rows:
        fields = ["UniProtKB", accession, "SYM", qualifier, term, "PMID:7", code, "", aspect]
        fields += ["name", "", "protein", taxon, "20180102", "UniProt", "", ""]
        lines.append("\t".join(fields))
    return "\n".join(lines) + "\n"


GAF = gaf(
    ("P42574", "enables", "GO:0000003", "IDA", "F", "taxon:9606"),
    ("P04637", "involved_in", "GO:0000009", "IEA", "P", "taxon:9606"),
    ("P10415", "NOT|involved_in", "GO:0000002", "IDA", "P", "taxon:9606"),
    ("P02340", "involved_in", "GO:0000002", "IDA", "P", "taxon:10090"),
)
MAPPING = (
    "P04637\tR-HSA-4\thttps://reactome.org/x\tBelow\tTAS\tHomo sapiens\n"
    "P04637\tR-HSA-4\thttps://reactome.org/x\tBelow\tIEA\tHomo sapiens\n"
    "P02340\tR-MMU-4\thttps://reactome.org/x\tBelow\tIEA\tMus musculus\n"
)


def write(folder: Path, text: str, name: str = "data.txt") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def members(sets: GeneSets) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for key, name in zip(sets.members["set_id"], sets.members["name"], strict=True):
        found.setdefault(key, []).append(name)
    return {key: sorted(names) for key, names in sorted(found.items())}


def test_wikipathways_of_all_species_gives_its_human_sets_by_id(tmp_path: Path) -> None:
    sets = read_gmt(write(tmp_path, WIKIPATHWAYS))
    assert members(sets) == {"WP254": ["355", "7157"]}
    assert sets.names["WP254"] == "Apoptosis"
    assert sets.evidence == "WikiPathways"
    assert sets.steps[0].examples == ("Mus musculus",)


def test_words_of_msigdb_names_are_seen_by_the_leak_filter(tmp_path: Path) -> None:
    address = "http://www.gsea-msigdb.org/gsea/msigdb/cards/x"
    text = f"WP_DRUG_METABOLISM\t{address}\tA\nWP_APOPTOSIS\t{address}\tA\tB\n"
    sets = read_gmt(write(tmp_path, text))
    assert sets.names["WP_DRUG_METABOLISM"] == "WP DRUG METABOLISM"
    assert list(members(without_leaks(sets))) == ["WP_APOPTOSIS"]


def test_sets_of_several_databases_in_one_file_go_by_the_name_of_none_of_them(
    tmp_path: Path,
) -> None:
    address = "http://www.gsea-msigdb.org/gsea/msigdb/cards/x"
    text = f"KEGG_APOPTOSIS\t{address}\tA\tB\nREACTOME_APOPTOSIS\t{address}\tA\tB\n"
    assert read_gmt(write(tmp_path, text)).evidence == "MSigDB"


def test_sets_of_ones_own_carry_the_name_given_and_lose_weights(tmp_path: Path) -> None:
    path = write(tmp_path, "Mine\tsecond\tTP53,1.0\tMDM2\n", "own.gmt")
    assert members(read_gmt(path)) == {"own:Mine": ["MDM2", "TP53"]}
    assert read_gmt(path, name="Lab").evidence == "Lab"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("A\tna\tX\nA\tna\tY\n", "line 2: the set '.*A' is listed twice"),
        ("A\tna\n", "line 1 is not name, description and genes"),
        (WIKIPATHWAYS.split("\n")[1] + "\n", "no set of 'Homo sapiens'; it has 'Mus musculus'"),
    ],
)
def test_a_malformed_gene_set_file_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_gmt(write(tmp_path, text))


def test_corum_of_both_releases_gives_human_complexes(tmp_path: Path) -> None:
    sets = read_corum(write(tmp_path, CORUM))
    assert members(sets) == {"CORUM:1": ["P04637", "Q00987"], "CORUM:3": ["P38398", "Q99728"]}
    assert (sets.kind, sets.evidence) == ("complex", "CORUM")
    assert set(sets.members["detail"]) == {"PMID:123", ""}
    assert (sets.steps[0].rows_in, sets.steps[0].rows_out) == (3, 2)
    assert members(read_corum(write(tmp_path, CORUM_5))) == {"CORUM:7": ["P04637", "P38398"]}
    with pytest.raises(InputError, match="no complex of 'Rat'; it has 'Human', 'Mouse'"):
        read_corum(write(tmp_path, CORUM), organism="Rat")


def test_a_complex_inside_another_is_below_it_and_gives_it_its_proteins(tmp_path: Path) -> None:
    sets = read_complex_portal(write(tmp_path, PORTAL))
    assert members(sets) == {"CPX-1": ["P84022"], "CPX-2": ["P01137", "P84022", "Q13485-2"]}
    assert sets.parents.to_numpy().tolist() == [["CPX-1", "CPX-2"]]
    assert sets.steps[1].examples == ("CHEBI:15422",)


def test_signor_complexes_leave_out_what_is_no_protein(tmp_path: Path) -> None:
    sets = read_signor_complexes(write(tmp_path, SIGNOR))
    assert members(sets) == {"SIGNOR-C1": ["P23511", "P25208"], "SIGNOR-C2": ["Q13952"]}
    assert sets.parents.to_numpy().tolist() == [["SIGNOR-C1", "SIGNOR-C2"]]
    assert sets.steps[0].examples == ("CHEBI:29108", "SIGNOR-C1")
    families = SIGNOR.replace("COMPLEX NAME", "PROT. FAMILY NAME")
    assert read_signor_complexes(write(tmp_path, families)).kind == "family"


def test_famplex_tells_complexes_from_families_and_hands_genes_up(tmp_path: Path) -> None:
    family, complexes = read_famplex(write(tmp_path, FAMPLEX))
    assert members(family) == {
        "FPLX:AMPK_alpha": ["PRKAA1"],
        "FPLX:AMPK_beta": ["PRKAB1"],
        "FPLX:P_family": ["P04637"],
    }
    assert members(complexes) == {
        "FPLX:AMPK": ["PRKAA1", "PRKAB1"],
        "FPLX:Kinase_complex": ["PRKAA1", "PRKAB1"],
    }
    assert complexes.parents.to_numpy().tolist() == [["FPLX:AMPK", "FPLX:Kinase_complex"]]
    with pytest.raises(InputError, match="cyclic"):
        read_famplex(write(tmp_path, FAMPLEX + "FPLX,Kinase_complex,isa,FPLX,AMPK\n"))


def test_go_genes_are_handed_up_along_is_a_and_part_of_only(tmp_path: Path) -> None:
    annotations, steps = read_gaf(write(tmp_path, GAF))
    sets = go_sets(annotations, read_obo(write(tmp_path, OBO, "go.obo")), steps=steps)
    assert members(sets) == {
        "GO:0000001": ["P04637", "P42574"],  # one by the merged id, one from two levels below
        "GO:0000002": ["P42574"],
        "GO:0000003": ["P42574"],
    }
    assert sets.names["GO:0000002"] == "apoptosis ! with a mark"
    direct = sets.members.set_index(["set_id", "name"])["detail"]
    assert direct["GO:0000003", "P42574"] == "PMID:7|IDA 20180102"
    assert direct["GO:0000001", "P42574"] == ""
    assert [(s.rows_in, s.rows_out) for s in sets.steps[:2]] == [(4, 3), (3, 2)]


def test_go_without_propagation_or_of_one_aspect_stays_as_annotated(tmp_path: Path) -> None:
    annotations, _ = read_gaf(write(tmp_path, GAF))
    ontology = read_obo(write(tmp_path, OBO, "go.obo"))
    plain = go_sets(annotations, ontology, propagate=False)
    assert members(plain) == {"GO:0000001": ["P04637"], "GO:0000003": ["P42574"]}
    functions = go_sets(annotations, ontology, aspects=["molecular_function"])
    assert members(functions) == {"GO:0000003": ["P42574"]}
    with pytest.raises(InputError, match="unknown aspects 'function' of GO"):
        go_sets(annotations, aspects=["function"])


def test_go_codes_choose_experimental_annotations(tmp_path: Path) -> None:
    path = write(tmp_path, GAF)
    assert read_gaf(path, codes=["IDA"])[0]["name"].tolist() == ["P42574"]
    with pytest.raises(InputError, match="no annotation left of 4: 1 are of other species"):
        read_gaf(path, codes=["EXP"])


def test_obsolete_terms_and_a_cyclic_ontology_are_seen(tmp_path: Path) -> None:
    ontology = read_obo(write(tmp_path, OBO))
    assert ontology.step.examples == ("GO:0000005",)
    circle = OBO.replace("alt_id: GO:0000009", "is_a: GO:0000002 ! apoptosis")
    annotations, _ = read_gaf(write(tmp_path, GAF))
    with pytest.raises(InputError, match="cyclic: GO:0000001 → GO:0000002 → GO:0000001"):
        go_sets(annotations, read_obo(write(tmp_path, circle, "go.obo")))


def test_uniprot2reactome_hands_genes_up_where_a_hierarchy_is_given(tmp_path: Path) -> None:
    path = write(tmp_path, MAPPING)
    assert members(read_reactome_mapping(path)) == {"R-HSA-4": ["P04637", "P04637"]}
    tree = write(tmp_path, "R-HSA-1\tR-HSA-4\n", "tree.txt")
    sets = with_genes(read_reactome_mapping(path, tree), {"P04637": "HGNC:11998"})
    assert members(sets) == {"R-HSA-1": ["HGNC:11998"], "R-HSA-4": ["HGNC:11998"]}
    assert sets.members["detail"].tolist() == ["", "IEA|TAS"]


@settings(deadline=None)  # a busy machine is no fault of a reader
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12))
def test_inherited_members_are_those_of_every_set_reached_downwards(
    pairs: list[tuple[int, int]],
) -> None:
    edges = sorted({(str(min(a, b)), str(max(a, b))) for a, b in pairs if a != b})
    names = pd.Series({str(i): str(i) for i in range(7)})
    own = pd.DataFrame([(str(i), f"g{i}") for i in range(7)], columns=["set_id", "name"])
    parents = pd.DataFrame(edges, columns=["set_id", "parent_id"], dtype=str)
    found = members(inherited(GeneSets(names, own, parents)))
    below = {str(i): {str(i)} for i in range(7)}
    for _ in range(7):
        for child, parent in edges:
            below[parent] |= below[child]
    assert found == {key: sorted(f"g{i}" for i in parts) for key, parts in below.items()}


READERS: dict[str, tuple[Callable[[Path], object], str]] = {
    "gmt": (read_gmt, WIKIPATHWAYS),
    "corum": (read_corum, CORUM),
    "complex_portal": (read_complex_portal, PORTAL),
    "signor_complexes": (read_signor_complexes, SIGNOR),
    "famplex": (read_famplex, FAMPLEX),
    "gaf": (read_gaf, GAF),
    "obo": (read_obo, OBO),
    "reactome_mapping": (read_reactome_mapping, MAPPING),
}


@pytest.mark.parametrize("reader", READERS)
def test_line_ends_a_mark_and_gzip_change_nothing(tmp_path: Path, reader: str) -> None:
    read, text = READERS[reader]
    plain = repr(read(write(tmp_path, text)))
    odd = tmp_path / "odd"
    odd.write_bytes(gzip.compress(("\ufeff" + text.replace("\n", "\r\n")).encode()))
    assert repr(read(odd)) == plain


@pytest.mark.parametrize(("reader", "other"), list(itertools.permutations(READERS, 2)))
def test_a_file_of_another_format_is_recognised(tmp_path: Path, reader: str, other: str) -> None:
    names = {
        "gmt": "gene-set file",
        "corum": "a CORUM table",
        "complex_portal": "a Complex Portal table",
        "signor_complexes": "a list of SIGNOR complexes",
        "famplex": "a FamPlex relation table",
        "gaf": "a gene annotation file",
        "obo": "a gene ontology",
        "reactome_mapping": "a Reactome mapping",
    }
    with pytest.raises(InputError, match=f"looks like {names[other]}|{names[other]}") as caught:
        READERS[reader][0](write(tmp_path, READERS[other][1]))
    assert "\n" not in str(caught.value)


@settings(deadline=None)  # a busy machine is no fault of a reader
@given(st.binary(max_size=200), st.sampled_from(sorted(READERS)), st.integers(0, 400))
def test_no_damage_makes_a_reader_fail_otherwise_than_by_refusing(
    tmp_path_factory: pytest.TempPathFactory, noise: bytes, reader: str, at: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "fuzz-sets.txt"
    good = READERS[reader][1].encode()
    path.write_bytes(good[:at] + noise + good[at + len(noise) :])
    try:
        READERS[reader][0](path)
    except InputError as error:
        assert "\n" not in str(error)  # noqa: PT017  a reader may also accept


def test_sets_have_the_measured_counts(real_data: Path) -> None:
    folder = real_data / "pathways"
    hallmark = read_gmt(folder / "h.all.v7.0.symbols.gmt")
    wikipathways = read_gmt(folder / "c2.cp.wikipathways.v7.2.symbols.gmt")
    assert (len(members(hallmark)), hallmark.evidence) == (50, "MSigDB Hallmark")
    assert (len(members(wikipathways)), wikipathways.evidence) == (500, "WikiPathways")
    species = read_gmt(folder / "wikipathways_2016.gmt")
    assert (species.steps[0].rows_in, species.steps[0].rows_out) == (1_317, 299)
    corum = read_corum(folder / "CORUM_coreComplexes.txt")
    assert len(members(corum)) == 2_417
    families, complexes = read_famplex(folder / "famplex_relations.csv")
    assert families.steps[0].rows_in == 5_284
    assert (len(members(families)), len(members(complexes))) == (605, 165)
    signor = read_signor_complexes(real_data / "formats/signor_complexes_sample.csv")
    assert len(members(signor)) == 9


def test_go_has_the_measured_counts(real_data: Path) -> None:
    folder = real_data / "pathways"
    table, steps = read_go_table(folder / "GO_annotations-9606-direct-expev.tsv")
    assert table["term"].nunique() == 11_345
    assert table["name"].nunique() == 13_997
    slim = read_obo(folder / "goslim_generic.obo")
    assert (len(slim.terms), len(slim.other_ids)) == (149, 83)
    sets = go_sets(table, slim, steps=steps)
    sizes = sets.members.groupby("set_id").size()
    direct = table.groupby("term").size()
    assert sizes["GO:0008150"] > 10 * direct.get("GO:0008150", 0)  # biological_process
    assert (sizes.reindex(direct.index) >= direct).all()
