"""Each database is read as it is published, and its known counts come out."""

from pathlib import Path

import pytest

from aimwell.errors import InputError
from aimwell.knowledge.gene_sets import LEAKING, within_sizes, without_leaks
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.biogrid import read_biogrid
from aimwell.knowledge.sources.drugcentral import read_drugcentral
from aimwell.knowledge.sources.gene_list import read_gene_list
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.pharmacotherapydb import read_pharmacotherapydb
from aimwell.knowledge.sources.reactome import read_reactome
from aimwell.knowledge.sources.repurposing_hub import read_repurposing_hub

GMT = (
    "Signaling\tR-HSA-1\tTP53\tMDM2\tBRCA1\tTP53\n"
    "Signaling by p53 in Cancer\tR-HSA-2\tTP53\tMDM2\tBRCA1\n"
    "A mouse pathway\tR-MMU-3\tTrp53\tMdm2\n"
    "Below it\tR-HSA-4\tTP53\tMDM2\n"
)
HIERARCHY = "R-HSA-1\tR-HSA-4\nR-HSA-2\tR-HSA-4\nR-HSA-9\tR-HSA-1\nR-MMU-9\tR-MMU-3\n"
NAMES = "R-HSA-9\tTop\tHomo sapiens\nR-HSA-1\tOther\tHomo sapiens\nR-MMU-3\tx\tMus musculus\n"


def write(folder: Path, **files: str) -> list[Path]:
    paths = [folder / f"{name}.txt" for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        path.write_text(text)
    return paths


def test_reactome_keeps_human_pathways_and_their_hierarchy(tmp_path: Path) -> None:
    sets = read_reactome(*write(tmp_path, gmt=GMT, hierarchy=HIERARCHY, names=NAMES))
    assert sets.members.groupby("set_id").size().to_dict() == {
        "R-HSA-1": 3,
        "R-HSA-2": 3,
        "R-HSA-4": 2,
    }
    assert sets.parents.to_numpy().tolist() == [
        ["R-HSA-1", "R-HSA-9"],
        ["R-HSA-4", "R-HSA-1"],
        ["R-HSA-4", "R-HSA-2"],
    ]
    assert sets.names.to_dict()["R-HSA-9"] == "Top"
    assert [(s.rows_in, s.rows_out) for s in sets.steps] == [(4, 3), (4, 3), (3, 2)]


def test_a_cyclic_hierarchy_is_refused_with_its_cycle(tmp_path: Path) -> None:
    circle = "R-HSA-1\tR-HSA-2\nR-HSA-2\tR-HSA-4\nR-HSA-4\tR-HSA-1\n"
    with pytest.raises(InputError, match=r"cyclic: R-HSA-\d → R-HSA-\d → R-HSA-\d → R-HSA-\d;"):
        read_reactome(*write(tmp_path, gmt=GMT, hierarchy=circle))


def test_swapped_reactome_files_are_told_apart(tmp_path: Path) -> None:
    gmt, hierarchy, names = write(tmp_path, gmt=GMT, hierarchy=HIERARCHY, names=NAMES)
    with pytest.raises(InputError, match="it looks like a Reactome pathway hierarchy"):
        read_reactome(hierarchy)
    with pytest.raises(InputError, match="it looks like Reactome pathway names"):
        read_reactome(gmt, names)
    with pytest.raises(InputError, match=r"it looks like a Reactome gene-set file \(GMT\)"):
        read_reactome(gmt, hierarchy, gmt)


def test_sets_that_name_the_answer_leave_with_everything_below_them(tmp_path: Path) -> None:
    sets = read_reactome(*write(tmp_path, gmt=GMT, hierarchy=HIERARCHY, names=NAMES))
    clean = without_leaks(sets)
    assert clean.members["set_id"].unique().tolist() == ["R-HSA-1"]
    assert (clean.steps[-1].rows_in, clean.steps[-1].rows_out) == (3, 1)
    assert clean.steps[-1].examples == ("Signaling by p53 in Cancer", "Below it")
    assert clean.parents.empty


@pytest.mark.parametrize(
    ("name", "leaks"),
    [
        ("Signaling by EGFR in Cancer", True),
        ("Diseases of signal transduction", True),
        ("Drug resistance of KIT mutants", True),
        ("sorafenib-resistant FLT3 mutants", True),
        ("Loss of Function of SMAD4 in Cancer", True),
        ("Defective GIF causes intrinsic factor deficiency", True),
        ("HIV Infection", True),
        ("Aspirin ADME", True),
        ("Chronic myeloid leukemia", True),
        ("Tumor necrosis factor signaling", False),
        ("Ovarian tumor domain proteases", False),
        ("Response of EIF2AK1 (HRI) to heme deficiency", False),
        ("Translocation of SLC2A4 (GLUT4) to the plasma membrane", False),
        ("CTLA4 inhibitory signaling", False),
        ("Cell Cycle", False),
        ("Signaling by ERBB2", False),
    ],
)
def test_names_of_diseases_mutants_and_drugs_leak_and_others_do_not(name: str, leaks: bool) -> None:
    assert bool(LEAKING.search(name)) is leaks


def test_sets_outside_the_sizes_are_counted(tmp_path: Path) -> None:
    sets = read_reactome(*write(tmp_path, gmt=GMT))
    fit = within_sizes(sets, 3, 3)
    assert fit.members["set_id"].unique().tolist() == ["R-HSA-1", "R-HSA-2"]
    assert fit.steps[-1].examples == ("Below it",)
    with pytest.raises(InputError, match="no gene set is left"):
        within_sizes(sets, 50, 60)


def test_a_biogrid_line_with_three_symbols_is_refused(tmp_path: Path) -> None:
    (path,) = write(tmp_path, edges="node1 node2\nTP53 MDM2\nTP53 MDM2 BRCA1\n")
    with pytest.raises(InputError, match="line 3: 3 fields where 2 were expected"):
        read_biogrid(path)


DRUGS = (
    '"DRUG_NAME"\t"STRUCT_ID"\t"ACCESSION"\t"GENE"\t"MOA"\t"ACTION_TYPE"\t"TDL"\t"ORGANISM"\n'
    '"x"\t1\t"P1|P2"\t"A|B"\t1\t"INHIBITOR"\t"Tclin|Tchem"\t"Homo sapiens"\n'
    '"x"\t1\t"P1"\t"A"\t1\t"INHIBITOR"\t"Tclin"\t"Homo sapiens"\n'
    '"x"\t1\t"P3"\t"C"\t\t""\t"Tclin"\t"Homo sapiens"\n'
    '"x"\t1\t"P4"\t"D"\t1\t""\t"Tclin"\t"Rattus norvegicus"\n'
)


def test_drugcentral_splits_its_parallel_lists_together(tmp_path: Path) -> None:
    (path,) = write(tmp_path, drugs=DRUGS)
    pairs, steps = read_drugcentral(path)
    assert pairs[["gene", "accession", "tdl"]].to_numpy().tolist() == [
        ["A", "P1", "Tclin"],
        ["B", "P2", "Tchem"],
    ]
    assert [(s.rows_in, s.rows_out) for s in steps] == [(4, 3), (3, 2), (3, 2)]


def test_drugcentral_refuses_lists_that_are_not_parallel_and_a_file_without_humans(
    tmp_path: Path,
) -> None:
    (path,) = write(tmp_path, drugs=DRUGS.replace('"A|B"', '"A"'))
    with pytest.raises(InputError, match="row 1: GENE and ACCESSION of 'x' have 1 and 2 parts"):
        read_drugcentral(path)
    (path,) = write(tmp_path, rats=DRUGS.replace("Homo sapiens", "Rattus norvegicus"))
    with pytest.raises(InputError, match="no row of 'Homo sapiens'; it has 'Rattus norvegicus'"):
        read_drugcentral(path)


def test_the_repurposing_hub_is_latin_1_with_comments(tmp_path: Path) -> None:
    path = tmp_path / "hub.txt"
    header = b"pert_iname\tclinical_phase\tmoa\ttarget\tdisease_area\tindication\r\n"
    path.write_bytes(
        b'!Source\t"The Hub"\r\n' + header + b"x\xe9\tLaunched\tm\tA|B\ta\tcold|flu\r\n"
        b"y\tPhase 1\t\t\t\t\r\n"
    )
    table = read_repurposing_hub(path)
    assert table.to_numpy().tolist() == [
        ["xé", "Launched", "A", "cold|flu", "m"],
        ["xé", "Launched", "B", "cold|flu", "m"],
        ["y", "Phase 1", "", "", ""],
    ]


def test_an_unknown_category_of_pharmacotherapydb_is_refused(tmp_path: Path) -> None:
    text = "doid_id\tdrugbank_id\tdisease\tdrug\tcategory\nD\tB\tflu\tx\tMAYBE\n"
    with pytest.raises(InputError, match="unknown categories 'MAYBE'"):
        read_pharmacotherapydb(*write(tmp_path, p=text))


def test_a_gene_list_may_have_a_header_comments_and_more_columns(tmp_path: Path) -> None:
    (path,) = write(tmp_path, genes="# mine\nGene\tscore\nTP53\t1\n\nMDM2\t2\nTP53\t3\n")
    assert read_gene_list(path) == ("TP53", "MDM2")
    with pytest.raises(InputError, match="it looks like a BioGRID symbol edge list"):
        read_gene_list(*write(tmp_path, edges="node1 node2\nTP53 MDM2\n"))


def test_reactome_has_the_published_counts(real_data: Path) -> None:
    folder = real_data / "pathways"
    sets = read_reactome(
        folder / "ReactomePathways.gmt",
        folder / "ReactomePathwaysRelation.txt",
        folder / "ReactomePathways.txt",
    )
    assert sets.members["set_id"].nunique() == 2_444
    assert len(sets.members) == 117_771
    assert [s.rows_out for s in sets.steps] == [2_444, 2_497, 2_477]
    parents = sets.parents.groupby("set_id").size()
    assert int((parents > 1).sum()) == 36
    assert len(set(sets.parents["parent_id"]) - set(sets.parents["set_id"])) == 27


def test_biogrid_has_the_measured_counts(real_data: Path) -> None:
    """All loci count here, case does (four names), and LOC numbers are no names (they add 64)."""
    edges = read_biogrid(real_data / "networks/biogrid_symbol.txt").table
    assert len(edges) == 258_257
    table = IdentifierTable.from_hgnc(read_hgnc(real_data / "ids/hgnc_complete_set_2024-10.txt.gz"))
    names = sorted({*edges["source"].unique(), *edges["target"].unique()})
    report = table.resolve(names, protein_coding=False)
    other = report["how"].str.contains("case ignored|LOC number")
    exact = report[(report["status"] == "mapped") & ~other]
    ids = dict(zip(exact["name"].tolist(), exact["hgnc_id"].tolist(), strict=True))
    pairs = {
        tuple(sorted((ids[a], ids[b])))
        for a, b in zip(edges["source"].tolist(), edges["target"].tolist(), strict=True)
        if a in ids and b in ids and ids[a] != ids[b]
    }
    assert len(pairs) == 257_661
    assert len({gene for pair in pairs for gene in pair}) == 16_587


def test_drugcentral_has_the_published_counts(real_data: Path) -> None:
    path = real_data / "drugs/drugcentral_drug.target.interaction.tsv.gz"
    pairs, steps = read_drugcentral(path, mechanism_only=False)
    assert (steps[0].rows_in, steps[0].rows_out) == (16_702, 12_217)
    # Two rows have fewer levels than genes, and nobody says whose they are, so they are blanked:
    # 615 genes are Tclin. Zipping those rows all the same gives 616; the README beside
    # the data says 617.
    assert pairs.loc[pairs["tdl"] == "Tclin", "gene"].nunique() == 615
    every = read_pharmacotherapydb(real_data / "drugs/pharmacotherapydb_indications.tsv")
    assert every["category"].value_counts().to_dict() == {"DM": 755, "SYM": 390, "NOT": 243}
    hub = read_repurposing_hub(real_data / "drugs/repurposing_drugs_20200324.txt")
    assert hub["drug"].nunique() == 6_798
