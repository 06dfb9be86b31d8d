"""A cohort from files: every loss is told, nothing depends on order, contradictions are refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.check import check_cohort
from aimwell.cohorts.cohort import Cohort
from aimwell.cohorts.layer_sources import READERS
from aimwell.cohorts.reading import read_cohort
from aimwell.config import (
    COHORT_READERS,
    CohortSettings,
    ContrastSettings,
    LabelSettings,
    MatrixSettings,
    RunConfig,
    RunSettings,
    SheetSettings,
    read_config,
)
from aimwell.errors import CohortError, ConfigError, IdentifierError
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.hgnc import read_hgnc

ROOT = Path(__file__).resolve().parents[1]
SYMBOLS = ("TP53", "KRAS", "EGFR", "MYC", "AARS1")
#: HGNC ids of our own, which sort in the order of ``SYMBOLS``.
GENES = [f"HGNC:{i}" for i in range(1, 6)]


@pytest.fixture(scope="module")
def table() -> IdentifierTable:
    blank = [""] * len(SYMBOLS)
    loci = pd.DataFrame(
        {
            "symbol": SYMBOLS,
            "name": blank,
            "locus_group": "protein-coding gene",
            "status": "Approved",
            "alias_symbol": ["p53", "", "", "", ""],
            "prev_symbol": ["", "", "", "", "AARS"],
            "gene_group": blank,
            "gene_group_id": blank,
            "entrez_id": blank,
            "ensembl_gene_id": blank,
            "uniprot_ids": blank,
        },
        index=GENES,
    )
    return IdentifierTable.from_hgnc(loci)


def matrix(rows: dict[str, list[object]], samples: str = "s1 s2 s3 s4") -> str:
    lines = [["gene", *samples.split()], *([g, *map(str, v)] for g, v in rows.items())]
    return "".join("\t".join(map(str, line)) + "\n" for line in lines)


PROTEIN = {"TP53": [1, -1, 0.5, 0], "KRAS": [0.1, "NA", -0.2, 0.3], "EGFR": [2, 1, -1, -2]}
RNA = {"TP53": [9.5, 8, 7.25, 9], "KRAS": [3, 2.5, 4, 3], "XYZ9": [1, 1.5, 1, 1]}
SHEET = "sample\tarm\tbatch\ns1\tx\t1\ns2\tx\t2\ns3\ty\t1\ns4\ty\t2\n"


class Study:
    """A run folder that tests write files into and change settings of."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.matrices: list[MatrixSettings] = []
        self.sheet = SheetSettings("sheet.tsv")
        self.unmatched = "refuse"
        self.write("sheet.tsv", SHEET)

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def add(self, name: str, text: str, unit: str, **settings: object) -> "Study":
        kind = "rna" if name.startswith("rna") else "protein"
        layer = str(settings.pop("layer", kind))
        self.write(name, text)
        made = MatrixSettings(name, layer=layer, kind=kind, unit=unit)
        self.matrices.append(replace(made, **settings))
        return self

    @property
    def config(self) -> RunConfig:
        return RunConfig(
            run=RunSettings("test", output="out", data=str(self.folder)),
            cohort=CohortSettings(tuple(self.matrices), self.sheet, self.unmatched),
            contrasts=(),
            known_targets=LabelSettings(()),
        )


@pytest.fixture
def study(tmp_path: Path) -> Study:
    return Study(tmp_path)


def both(study: Study) -> Study:
    study.add("protein.tsv", matrix(PROTEIN), "log2_ratio")
    return study.add("rna.tsv", matrix(RNA), "log2")


def test_names_become_genes_and_the_sheet_joins_the_samples(
    study: Study, table: IdentifierTable
) -> None:
    cohort = read_cohort(both(study).config, table)
    protein = cohort.layers["protein"].values
    assert protein.loc["s1"].tolist() == [1.0, 0.1, 2.0]
    assert protein.columns.tolist() == GENES[:3]
    assert cohort.layers["rna"].values.columns.tolist() == GENES[:2]
    assert cohort.samples["arm"].tolist() == ["x", "x", "y", "y"]
    assert cohort.samples["subject"].tolist() == ["s1", "s2", "s3", "s4"]
    assert [s.name for s in cohort.sources] == ["protein.tsv", "rna.tsv", "sheet.tsv"]
    assert all(len(s.sha256) == 64 for s in cohort.sources)


def test_every_lost_name_is_listed_and_counted(study: Study, table: IdentifierTable) -> None:
    cohort = read_cohort(both(study).config, table)
    report = cohort.identifiers
    assert report[["layer", "name"]].to_numpy().tolist() == [
        *(["protein", n] for n in ("EGFR", "KRAS", "TP53")),
        *(["rna", n] for n in ("KRAS", "TP53", "XYZ9")),
    ]
    step = next(s for s in cohort.steps if s.name == "rna: names to genes")
    assert (step.rows_in, step.rows_out, step.why, step.examples) == (3, 2, "1 lost", ("XYZ9",))


def shuffle(path: Path, rng: np.random.Generator) -> None:
    frame = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, index_col=0)
    rows, columns = rng.permutation(frame.shape[0]), rng.permutation(frame.shape[1])
    frame.iloc[rows, columns].to_csv(path, sep="\t")


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_rows_columns_and_files_give_the_same_cohort(
    study: Study, table: IdentifierTable, seed: int
) -> None:
    rng = np.random.default_rng(7)
    levels = {g: rng.normal(8, 1, 4).tolist() for g in ("TP53", "p53", "AARS", "AARS1", "MYC")}
    more = {g: rng.normal(8, 1, 2).tolist() for g in ("p53", "TP53", "KRAS", "AARS")}
    study.write("sheet.tsv", SHEET + "s5\tx\t1\ns6\ty\t2\n")
    both(study).add("rna_a.tsv", matrix(levels), "log2", layer="second")
    study.add("rna_b.tsv", matrix(more, "s5 s6"), "log2", layer="second")
    before = read_cohort(study.config, table)
    shuffler = np.random.default_rng(seed)
    for path in sorted(study.folder.glob("*.tsv")):
        shuffle(path, shuffler)
    study.matrices = [study.matrices[i] for i in shuffler.permutation(4)]
    assert_same(read_cohort(study.config, table), before)


def assert_same(one: Cohort, other: Cohort) -> None:
    assert list(one.layers) == list(other.layers)
    for name, layer in one.layers.items():
        pd.testing.assert_frame_equal(layer.values, other.layers[name].values, check_exact=True)
    pd.testing.assert_frame_equal(one.samples, other.samples)
    pd.testing.assert_frame_equal(one.identifiers, other.identifiers)
    assert one.steps == other.steps


def test_counts_of_one_gene_are_added_up(study: Study, table: IdentifierTable) -> None:
    rows = {"AARS": [1, 2, 3, 4], "AARS1": [10, 20, "NA", 40], "MYC": [5, 5, 5, 5]}
    cohort = read_cohort(study.add("rna.tsv", matrix(rows), "counts").config, table)
    values = cohort.layers["rna"].values
    np.testing.assert_array_equal(values["HGNC:5"], [11, 22, np.nan, 44])
    assert values["HGNC:4"].tolist() == [5, 5, 5, 5]
    step = next(s for s in cohort.steps if s.name == "rna: one row per gene")
    assert (step.rows_in, step.rows_out) == (3, 2)
    assert "counts added up" in step.why


def test_of_logged_rna_the_name_with_the_highest_mean_is_kept(
    study: Study, table: IdentifierTable
) -> None:
    rows = {"AARS": [1, 9, 9, 9], "AARS1": [8, 4, 4, 4.5]}
    cohort = read_cohort(study.add("rna.tsv", matrix(rows), "log2").config, table)
    assert cohort.layers["rna"].values["HGNC:5"].tolist() == [1, 9, 9, 9]
    assert any(s.examples == ("HGNC:5: AARS > AARS1",) for s in cohort.steps)


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        ([9, 9, 9, "NA"], [-1, -1, 0, 1], [-1, -1, 0, 1]),
        ([1, 1, 1, -9], [0, 0, 0, 50], [1, 1, 1, -9]),
    ],
)
def test_of_proteins_the_name_seen_most_and_then_the_highest_median_is_kept(
    study: Study, table: IdentifierTable, old: list[object], new: list[object], kept: list[float]
) -> None:
    rows = {"AARS": old, "AARS1": new, "MYC": [1, -1, 1, 1]}
    cohort = read_cohort(study.add("protein.tsv", matrix(rows), "log2_ratio").config, table)
    assert cohort.layers["protein"].values["HGNC:5"].tolist() == kept


def test_files_of_one_layer_are_joined_with_one_choice_of_names(
    study: Study, table: IdentifierTable
) -> None:
    tumour = matrix({"AARS": [5, 6], "AARS1": [1, 1], "TP53": [2, 3]}, "s1 s2")
    normal = matrix({"AARS1": [1, 2], "AARS": [4, 4], "p53": [3, 4], "MYC": [1, 2]}, "s1N s2N")
    study.add("rna_t.tsv", tumour, "log2", set={"tissue": "tumour"})
    pattern = "^(.*)N$"
    study.add("rna_n.tsv", normal, "log2", set={"tissue": "normal"}, subject_pattern=pattern)
    study.sheet = replace(study.sheet, per="subject")
    study.write("sheet.tsv", "subject\tage\ns1\t50\ns2\t60\n")
    cohort = read_cohort(study.config, table)
    values = cohort.layers["rna"].values
    assert values.index.tolist() == ["s1", "s1N", "s2", "s2N"]
    assert values["HGNC:5"].tolist() == [5, 4, 6, 4]
    assert values["HGNC:1"].tolist() == [2, 3, 3, 4]
    np.testing.assert_array_equal(values["HGNC:4"], [np.nan, 1, np.nan, 2])
    assert cohort.samples["tissue"].tolist() == ["tumour", "normal"] * 2
    assert cohort.samples["subject"].tolist() == ["s1", "s1", "s2", "s2"]
    assert cohort.samples["age"].tolist() == [50, 50, 60, 60]
    step = next(s for s in cohort.steps if s.name == "rna: join 2 files over samples")
    assert "1 genes are not in every file" in step.why


def test_the_subject_column_of_the_sheet_names_the_subjects(
    study: Study, table: IdentifierTable
) -> None:
    study.write("sheet.tsv", "sample,subject\ns1,1\ns2,1\ns3,2\ns4,2\n")
    cohort = read_cohort(both(study).config, table)
    assert cohort.samples["subject"].tolist() == ["1", "1", "2", "2"]


def test_unmatched_samples_are_refused_in_both_directions(
    study: Study, table: IdentifierTable
) -> None:
    study.write("sheet.tsv", SHEET.replace("s2", "s8").replace("s4", "s9"))
    with pytest.raises(CohortError) as caught:
        read_cohort(both(study).config, table)
    text = str(caught.value)
    assert "2 of 4 measured samples have no row in the sheet 'sheet.tsv': 's2', 's4'" in text
    assert "2 of 4 samples of the sheet have no measured sample: 's8', 's9'" in text
    assert "unmatched_samples = 'report'" in text


def test_unmatched_samples_are_dropped_and_counted_where_asked(
    study: Study, table: IdentifierTable
) -> None:
    study.write("sheet.tsv", SHEET.replace("s4", "s9"))
    study.unmatched = "report"
    cohort = read_cohort(both(study).config, table)
    assert cohort.samples.index.tolist() == ["s1", "s2", "s3"]
    assert cohort.layers["rna"].values.index.tolist() == ["s1", "s2", "s3"]
    found = {s.name: (s.rows_in, s.rows_out, s.examples) for s in cohort.steps}
    assert found["samples in the sheet"] == (4, 3, ("s4",))
    assert found["sheet rows in use"] == (4, 3, ("s9",))


def test_a_gene_left_without_values_is_dropped_and_counted(
    study: Study, table: IdentifierTable
) -> None:
    rows = {**PROTEIN, "MYC": ["NA"] * 3 + [1]}
    study.write("sheet.tsv", SHEET.replace("s4\ty\t2\n", ""))
    study.unmatched = "report"
    cohort = read_cohort(study.add("protein.tsv", matrix(rows), "log2_ratio").config, table)
    assert "HGNC:4" not in cohort.layers["protein"].values
    step = next(s for s in cohort.steps if s.name == "protein: genes with a value")
    assert (step.rows_in, step.rows_out, step.examples) == (4, 3, ("HGNC:4",))


@pytest.mark.parametrize("spelled", ["S.{}", "XS.{}", "s-{}", "S_{}"])
def test_names_that_differ_only_by_case_or_marks_are_pointed_out(
    study: Study, table: IdentifierTable, spelled: str
) -> None:
    named = [spelled.format(i) for i in range(4)]
    study.write("sheet.tsv", "sample\tarm\n" + "".join(f"{i}S-0{i}\tx\n" for i in range(4)))
    measured = [
        f"{'X' * name.startswith('X')}{i}{name.strip('X0123')}0{i}" for i, name in enumerate(named)
    ]
    study.unmatched = "report"
    study.add("protein.tsv", matrix(PROTEIN, " ".join(measured)), "log2_ratio")
    with pytest.raises(CohortError, match="4 differ only by case or marks, as"):
        read_cohort(study.config, table)


Change = Callable[[Study], object]


def protein(rows: dict[str, list[object]], unit: str = "log2_ratio", **settings: object) -> Change:
    return lambda s: s.add("protein.tsv", matrix(rows), unit, **settings)


def two(first: str, second: str, units: tuple[str, str] = ("log2", "log2")) -> Change:
    return lambda s: s.add("rna_a.tsv", first, units[0]).add("rna_b.tsv", second, units[1])


MANY = {f"G{i}": [i % 7 + 0.5] for i in range(30)}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (protein({**PROTEIN, "MYC": [1, 2, 3, -4]}, "counts"), "negative, for example -"),
        (protein({"TP53": [1, 2.5, 3, 4]}, "counts"), "fractional.*2.5 for 'TP53' in sample 's2'"),
        (protein({"TP53": [1, 0, 3, 4]}, "intensity"), "not positive.*zero_is_missing = true"),
        (protein({"TP53": [1, -2, 3, 4]}, "intensity"), "not positive.*unit = 'log2'"),
        (protein({"TP53": [1, 0, 300, 40]}, "log2"), "largest is 300, which looks like counts"),
        (protein({"TP53": [1.5, 90, 300, 40]}, "log2"), "values look linear"),
        (
            protein({"TP53": [1, 2, 3, 4]}, subject_pattern="(s[12])"),
            "2 of 4 sample names .* do not match subject_pattern.*'s3', 's4'",
        ),
        (protein(PROTEIN, set={"arm": "x"}), "already has the column 'arm'"),
        (
            two(matrix(RNA, "s1 s2 s3 s4"), matrix(RNA, "s3 s4 s5 s6")),
            "2 samples of layer 'rna' are in two files.*'s3', 's4'",
        ),
        (
            two(
                matrix({"TP53": [1.5, 2]}, "s1 s2"),
                matrix({"TP53": [1, 2]}, "s3 s4"),
                ("log2", "counts"),
            ),
            "differ in unit: .*'log2'.*'counts'",
        ),
        (
            two(matrix({"TP53": [1.5, 2]}, "s1 s2"), matrix({"MYC": [1.5, 2]}, "s3 s4")),
            "share no gene",
        ),
        (
            lambda s: (
                both(s)
                .add("rna2.tsv", matrix(RNA), "log2", layer="third", set={"t": "a"})
                .add("rna3.tsv", matrix(RNA), "log2", layer="fourth", set={"t": "b"})
            ),
            "sample 's1' has t 'b' in one file and 'a'",
        ),
        (
            lambda s: both(s).write("sheet.tsv", "sample\tsubject\ns1\t1\ns2\tNA\ns3\t1\ns4\t1\n"),
            "no subject for 1 samples: 's2'",
        ),
    ],
)
def test_a_contradiction_in_a_cohort_is_refused(
    study: Study, table: IdentifierTable, change: Change, says: str
) -> None:
    change(study)
    with pytest.raises(CohortError, match=says) as caught:
        read_cohort(study.config, table)
    assert "\n" not in str(caught.value)


def test_a_log_ratio_that_is_never_negative_is_refused(
    study: Study, table: IdentifierTable
) -> None:
    study.add("protein.tsv", matrix({f"G{i}": [i / 7, 1, 2, 3] for i in range(30)}), "log2_ratio")
    with pytest.raises(CohortError, match="none of 120 values is negative"):
        read_cohort(study.config, table)


@pytest.fixture(scope="module")
def many() -> IdentifierTable:
    names = [f"GENE{i}" for i in range(30)]
    blank = dict.fromkeys(
        (
            "name",
            "alias_symbol",
            "prev_symbol",
            "gene_group",
            "gene_group_id",
            "entrez_id",
            "ensembl_gene_id",
            "uniprot_ids",
        ),
        "",
    )
    index = [f"HGNC:{i}" for i in range(100, 130)]
    loci = pd.DataFrame({"symbol": names}, index=index).assign(
        locus_group="protein-coding gene", status="Approved", **blank
    )
    return IdentifierTable.from_hgnc(loci)


@pytest.mark.parametrize(("shift", "factor"), [(-8, 1), (0, 0.1)])
def test_files_on_visibly_different_scales_are_refused(
    study: Study, many: IdentifierTable, shift: float, factor: float
) -> None:
    values = np.random.default_rng(3).normal(8, 2, (30, 4))
    moved = (values - 8) * factor + 8 + shift
    study.add(
        "rna_a.tsv",
        matrix({f"GENE{i}": list(v[:2]) for i, v in enumerate(values)}, "s1 s2"),
        "log2",
    )
    study.add(
        "rna_b.tsv", matrix({f"GENE{i}": list(v[2:]) for i, v in enumerate(moved)}, "s3 s4"), "log2"
    )
    with pytest.raises(CohortError, match="different scales: over 30 shared genes"):
        read_cohort(study.config, many)


def test_unknown_names_are_refused_with_what_they_look_like(
    study: Study, table: IdentifierTable
) -> None:
    rows = {f"P0463{i}": [1, -1, 0, 1] for i in range(5)}
    study.add("protein.tsv", matrix({**rows, "TP53": [1, -1, 0, 1]}), "log2_ratio")
    with pytest.raises(IdentifierError, match=r"protein.tsv.*layer 'protein'.*1 of 6.*UniProt"):
        read_cohort(study.config, table)


def test_a_file_that_covers_the_genes_may_hold_many_other_loci(
    study: Study, table: IdentifierTable
) -> None:
    loci = {f"ENSG0000020000{i}": [1, 2, 3, 4] for i in range(9)}
    counts = {**loci, "TP53": [1, 2, 3, 4], "KRAS": [9, 1, 1, 1], "MYC": [1, 1, 1, 2]}
    cohort = read_cohort(study.add("rna.tsv", matrix(counts), "counts").config, table)
    assert cohort.layers["rna"].values.shape == (4, 3)
    step = next(s for s in cohort.steps if s.name == "rna: names to genes")
    assert (step.rows_in, step.rows_out, step.why) == (12, 3, "9 lost")


def test_a_matrix_read_the_wrong_way_round_is_told_so(study: Study, table: IdentifierTable) -> None:
    study.add("protein.tsv", matrix(PROTEIN), "log2_ratio", genes_in="columns")
    study.write("sheet.tsv", "sample\tarm\nTP53\tx\nKRAS\tx\nEGFR\ty\n")
    with pytest.raises(IdentifierError, match="set genes_in = 'rows'"):
        read_cohort(study.config, table)


@pytest.mark.parametrize(("pattern", "says"), [("(s", "no regular expression"), ("s", "no group")])
def test_a_useless_subject_pattern_is_refused(
    study: Study, table: IdentifierTable, pattern: str, says: str
) -> None:
    study.add("protein.tsv", matrix(PROTEIN), "log2_ratio", subject_pattern=pattern)
    with pytest.raises(ConfigError, match=says):
        read_cohort(study.config, table)


XY = ContrastSettings("xy", "protein", "arm", case="y", control="x", batch="batch")


def test_the_check_tells_layers_and_arms(study: Study, table: IdentifierTable) -> None:
    found = check_cohort(read_cohort(both(study).config, table), [XY])
    protein, rna = found.layers
    assert (protein.samples, protein.genes, protein.missing) == (4, 3, pytest.approx(1 / 12))
    assert (protein.low, protein.high, protein.looks_like) == (-2, 2, "log2 ratios")
    assert (rna.unit, rna.looks_like) == ("log2", "logarithms")
    contrast = found.contrasts[0]
    assert contrast.testable
    assert (contrast.n_case, contrast.n_control, contrast.information) == (2, 2, 1)
    assert contrast.batches == {"1": {"y": 1, "x": 1}, "2": {"y": 1, "x": 1}}


@pytest.mark.parametrize(
    ("contrast", "sheet", "says", "arms"),
    [
        (replace(XY, case="Y"), SHEET, "did you mean 'y'", (0, 2)),
        (replace(XY, condition="arms"), SHEET, "did you mean 'arm'", (0, 0)),
        (XY, SHEET.replace("s4\ty", "s4\tz"), "at least 2 are needed", (1, 2)),
        (XY, SHEET.replace("x\t2", "x\t1").replace("y\t1", "y\t2"), "told apart", (2, 2)),
    ],
)
def test_the_check_says_why_a_contrast_cannot_be_tested(
    study: Study,
    table: IdentifierTable,
    contrast: ContrastSettings,
    sheet: str,
    says: str,
    arms: tuple[int, int],
) -> None:
    study.write("sheet.tsv", sheet)
    found = check_cohort(read_cohort(both(study).config, table), [contrast]).contrasts[0]
    assert not found.testable
    assert says in found.problem
    assert (found.n_case, found.n_control) == arms


def test_the_colon_cohort_reads_with_every_loss_counted(real_data: Path) -> None:
    loci = read_hgnc(real_data / "ids/hgnc_complete_set_2024-10.txt.gz")
    config = read_config(ROOT / "examples/coad/coad.toml", data=str(real_data))
    cohort = read_cohort(config, IdentifierTable.from_hgnc(loci))
    assert cohort.layers["protein"].values.shape[0] == 197
    assert cohort.layers["rna"].values.shape[0] == 106
    mapped = cohort.identifiers["status"].eq("mapped").groupby(cohort.identifiers["layer"]).mean()
    assert mapped["protein"] > 0.99
    assert mapped["rna"] > 0.92
    tissue = cohort.samples["tissue"].value_counts()
    assert (tissue["tumour"], tissue["normal"]) == (107, 100)
    paired, rna, protein = check_cohort(cohort, config.contrasts).contrasts
    assert (paired.n_pairs, paired.testable) == (96, True)
    assert (rna.n_case, rna.n_control) == (23, 79)
    assert (protein.n_case, protein.n_control) == (21, 72)


def test_a_plain_matrix_without_a_unit_is_refused() -> None:
    settings = MatrixSettings("rna.tsv", "rna", "rna")
    with pytest.raises(ConfigError, match="declare unit = 'counts'"):
        READERS["matrix"](Path("rna.tsv"), settings)


def test_every_reader_that_a_run_file_may_name_exists() -> None:
    assert sorted(READERS) == sorted(COHORT_READERS)


GCT = "#1.3\n3\t4\t0\t1\nid\ts1\ts2\ts3\ts4\n{}\t1\t2\t1\t2\n" + "".join(
    f"{gene}\t8\t9\t7.5\t8\n" for gene in SYMBOLS[:3]
)


def test_what_a_file_states_of_its_samples_joins_the_sheet(
    study: Study, table: IdentifierTable
) -> None:
    study.add("rna.gct", GCT.format("plate"), "log2", reader="gct")
    cohort = read_cohort(study.config, table)
    assert cohort.samples["plate"].tolist() == ["1", "2", "1", "2"]
    assert cohort.samples["arm"].tolist() == ["x", "x", "y", "y"]


def test_where_sheet_and_file_state_the_same_column_the_sheet_is_followed(
    study: Study, table: IdentifierTable
) -> None:
    study.add("rna.gct", GCT.format("arm"), "log2", reader="gct")
    cohort = read_cohort(study.config, table)
    assert cohort.samples["arm"].tolist() == ["x", "x", "y", "y"]
    step = next(s for s in cohort.steps if s.name == "samples with 'arm' in sheet and files")
    assert step.why == "the sheet is followed; 4 differ from what the files state"


def test_estimated_counts_keep_their_lengths_by_gene(study: Study, table: IdentifierTable) -> None:
    header = "Name\tLength\tEffectiveLength\tTPM\tNumReads\n"
    for sample, length in zip(["s1", "s2", "s3", "s4"], (100, 200, 400, 800), strict=True):
        rows = f"AARS\t9\t{length}\t1\t10.5\nAARS1\t9\t{2 * length}\t1\t21\nMYC\t9\t50\t1\t7\n"
        (study.folder / "salmon" / sample).mkdir(parents=True)
        study.write(f"salmon/{sample}/quant.sf", header + rows)
    settings = MatrixSettings("salmon", layer="rna", kind="rna", reader="salmon")
    study.matrices.append(settings)
    layer = read_cohort(study.config, table).layers["rna"]
    assert layer.values["HGNC:5"].tolist() == [31.5] * 4
    # both halves have 10.5 reads per 100 bases of the first: 31.5 reads over 0.21 per base
    np.testing.assert_allclose(np.exp(layer.offsets["HGNC:5"]), [150, 300, 600, 1200])
    source = next(s for s in read_cohort(study.config, table).sources if s.name == "salmon")
    study.write("salmon/s1/quant.sf", header + rows)
    again = next(s for s in read_cohort(study.config, table).sources if s.name == "salmon")
    assert source.sha256 != again.sha256


def test_counts_with_and_without_lengths_are_no_layer(study: Study, table: IdentifierTable) -> None:
    study.add("rna.tsv", matrix({"TP53": [1, 2], "MYC": [3, 4]}, "s1 s2"), "counts")
    header = "target_id\tlength\teff_length\test_counts\ttpm\n"
    for sample in ("s3", "s4"):
        (study.folder / sample).mkdir()
        study.write(f"{sample}/abundance.tsv", header + "TP53\t9\t5\t1.5\t1\nMYC\t9\t5\t2\t1\n")
    path = "s*/abundance.tsv"
    study.matrices.append(MatrixSettings(path, layer="rna", kind="rna", reader="kallisto"))
    with pytest.raises(CohortError, match="joins counts with effective lengths"):
        read_cohort(study.config, table)
