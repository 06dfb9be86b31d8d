"""Tables of proteomics programs: what each vendor means, and every fault named.

The small files are written here after the vendors' descriptions of their formats.
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aimwell.cohorts.measured import Measured
from aimwell.cohorts.protein_sources import PROTEIN_READERS
from aimwell.config import COHORT_READERS, MatrixSettings
from aimwell.errors import AimwellError, ConfigError, InputError

Rows = list[str]

MAXQUANT: Rows = [
    "Protein IDs|Majority protein IDs|Gene names|Peptides|Razor + unique peptides|Intensity|"
    "Intensity a|Intensity b|LFQ intensity a|LFQ intensity b|iBAQ peptides|iBAQ a|iBAQ b|"
    "Reporter intensity corrected 1|Reporter intensity corrected 1 x|"
    "Reporter intensity corrected 2 x|Only identified by site|Reverse|Potential contaminant",
    "P1;P2|P1|TP53|5|4|30|10|20|11|21|9|1|2|7|5|6||| ",
    "P3|P3|KRAS|3|2|40|0|40|0|41|9|3|4|7|8|9||| ",
    "REV__P4|REV__P4||3|2|1|1|1|1|1|9|1|1|1|1|1||+|",
    "CON__P5|CON__P5||3|2|1|1|1|1|1|9|1|1|1|1|1|||+",
    "P6|P6||1|1|1|1|1|1|1|9|1|1|1|1|1|+||",
    "P7|P7||1|1|1|1|1|0|0|9|1|1|1|1|1|||",
]
PEPTIDES: Rows = [
    "Sequence|Leading razor protein|Unique (Groups)|Intensity|Intensity a|Intensity b|Reverse|"
    "Potential contaminant",
    "AAK|P1|yes|1|4|8||",
    "CCK|P1|yes|1|64|128||",
    "DDK|P1|no|1|1|1024||",
    "EEK|P2|yes|1|0|32||",
    "FFK|REV__P9|yes|1|5|5|+|",
    "GGK|CON__P8|yes|1|5|5||+",
]
DIANN: Rows = [
    "Run|Protein.Group|Precursor.Id|Proteotypic|Precursor.Normalised|Q.Value|PG.Q.Value|"
    "Lib.PG.Q.Value|PG.MaxLFQ",
    "a|P1|AAK2|1|4|0.001|0.001|0.001|100",
    "a|P1|CCK2|1|64|0.001|0.001|0.001|100",
    "b|P1|AAK2|1|8|0.001|0.001|0.001|200",
    "b|P1|CCK2|1|128|0.02|0.001|0.001|200",
    "a|P2|DDK2|1|16|0.001|0.2|0.001|50",
    "b|P2|DDK2|0|16|0.001|0.01|0.001|60",
    "b|P3|EEK2|1|16|0.001|0.01|0.3|70",
    "b|cRAP-P5|FFK2|1|16|0.001|0.01|0.001|70",
]
PG_MATRIX: Rows = [
    "Protein.Group|Protein.Ids|Genes|N.Sequences|N.Proteotypic.Sequences|D:\\raw\\a.d|D:\\raw\\b.d",
    "P1;P2|P1;P2|TP53|7|5|100|",
    "P3|P3|KRAS|2|2|50|60",
]
COMBINED: Rows = [
    "Protein|Protein ID|Gene|Combined Total Peptides|a Spectral Count|a Intensity|b Intensity|"
    "a MaxLFQ Intensity|b MaxLFQ Intensity|a Unique Intensity|b Unique Intensity",
    "sp.P1|P1|TP53|5|2|10|20|11|0|7|8",
    "sp.P4|P4|KRAS|1|2|30|0|31|32|5|0",
    "rev_sp.P2|P2|X|5|2|1|1|1|1|1|1",
    "contam_sp.P3|P3|X|5|2|1|1|1|1|1|1",
]
TMT: Rows = [
    "Index|NumberPSM|ProteinID|MaxPepProb|ReferenceIntensity|a|b",
    *(f"G{i}|{i + 1}|P{i}|0.99|20|{20 + i / 10}|{21 + i / 10}" for i in range(12)),
    "G99|3|P99|0.99|20||19",
]
PIVOT: Rows = [
    "PG.ProteinGroups|PG.Genes|[1] a.raw.PG.Quantity|[2] b.raw.PG.Quantity|"
    "PG.NrOfStrippedSequencesIdentified (Experiment-wide)",
    "P1|TP53|100.5|Filtered|4",
    "P2|KRAS|1|NaN|1",
    "P3|EGFR|7|8|2",
]
LONG: Rows = [
    "R.FileName|PG.ProteinGroups|PG.Quantity|PG.Qvalue|EG.Qvalue|PEP.StrippedSequence|EG.IsDecoy",
    "a.raw|P1|100|0.001|0.001|AAK|False",
    "a.raw|P1|100|0.001|0.001|CCK|False",
    "b.raw|P1|200|0.001|0.001|AAK|False",
    "b.raw|P2|50|0.2|0.001|DDK|False",
    "b.raw|P3|60|0.001|0.001|EEK|True",
    "a.raw|P4|Filtered|0.001|0.001|FFK|False",
    "b.raw|P4|70|0.001|0.001|FFK|False",
]
DISCOVERER: Rows = [
    "Master|Protein FDR Confidence: Combined|Accession|Contaminant|# Peptides|# Unique Peptides|"
    "Abundance Ratio: (126) / (127N)|Abundances (Normalized): F1: 126, Sample|"
    "Abundances (Normalized): F1: 127N, Sample|Abundance: F1: 126, Sample|Abundance: F1: 127N, "
    "Sample|Abundances Count: F1: 126, Sample",
    "IsMasterProtein|High|P1|False|5|4|1.5|10|20|11|21|1",
    "IsMasterProteinCandidate|High|P2|False|5|4|1.5|10|20|11|21|1",
    "IsMasterProtein|Low|P3|False|5|4|1.5|10|20|11|21|1",
    "IsMasterProtein|High|P4|True|5|4|1.5|10|20|11|21|1",
    "IsMasterProtein|High|P5|False|2|1||30||31||0",
]
OLINK: Rows = [
    "SampleID|SampleType|OlinkID|UniProt|Assay|AssayType|Panel|PlateID|QC_Warning|LOD|NPX",
    "a|SAMPLE|OID1|P1|IL6|assay|Inf|p1|PASS|1|0.5",
    "b|SAMPLE|OID1|P1|IL6|assay|Inf|p1|WARN|1|3",
    "a|SAMPLE|OID2|P1|IL6|assay|Onc|p1|PASS|1|4",
    "b|SAMPLE|OID2|P1|IL6|assay|Onc|p1|PASS|1|5",
    "a|SAMPLE|OID3|P2_P3|IL12|assay|Inf|p1|PASS|1|-1",
    "b|SAMPLE|OID3|P2_P3|IL12|assay|Inf|p1|FAIL|1|9",
    "a|SAMPLE|OID9|X1|Inc ctrl|inc_ctrl|Inf|p1|PASS|1|9",
    "c1|PLATE_CONTROL|OID1|P1|IL6|assay|Inf|p1|PASS|1|9",
]
RPPA: Rows = [
    "antibody|a|b",
    "EGFR|0.5|-1",
    "EGFR_pY1068|2|3",
    "4E-BP1|-0.2|0.4",
    "Akt_pS473|1|2",
    "p53-R-E|0.3|",
]
ADAT = "\n".join(
    [
        "!Checksum\tx",
        "^HEADER",
        "!Version\t1.2",
        "^COL_DATA",
        "!Name\tSeqId\tUniProt\tOrganism\tType\tColCheck",
        "^ROW_DATA",
        "!Name\tPlateId\tSampleId\tSampleType\tRowCheck",
        "^TABLE_BEGIN",
        "\t\t\t\tSeqId\t10-1\t10-2\t11-1\t12-1\t13-1",
        "\t\t\t\tUniProt\tP1\tP1\tP2 P3\tP4\tP5",
        "\t\t\t\tOrganism\tHuman\tHuman\tHuman\tMouse\tHuman",
        "\t\t\t\tType\tProtein\tProtein\tProtein\tProtein\tSpuriomer",
        "\t\t\t\tColCheck\tPASS\tFLAG\tPASS\tPASS\tPASS",
        "PlateId\tSampleId\tSampleType\tRowCheck\t\t\t\t\t\t",
        "p1\ta\tSample\tPASS\t\t100.5\t900\t300\t1\t2",
        "p1\tb\tSample\tFLAG\t\t200\t800\t400\t1\t2",
        "p1\tc\tCalibrator\tPASS\t\t1\t1\t1\t1\t1",
    ]
)


def table(rows: Rows, separator: str = "\t") -> str:
    return "".join(separator.join(str(row).split("|")) + "\n" for row in rows)


FILES = {
    "maxquant": table(MAXQUANT),
    "maxquant_peptides": table(PEPTIDES),
    "diann": table(DIANN),
    "diann_pg_matrix": table(PG_MATRIX),
    "fragpipe": table(COMBINED),
    "fragpipe_tmt": table(TMT),
    "spectronaut": table(PIVOT),
    "proteome_discoverer": table(DISCOVERER),
    "olink": table(OLINK, ";"),
    "somascan": ADAT,
    "rppa": table(RPPA),
}


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., Measured]:
    def reading(reader: str, text: str | bytes = "", **more: str) -> Measured:
        path = tmp_path / "file"
        text = text or FILES[reader]
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        made = MatrixSettings("file", "protein", "protein", reader=reader, **more)
        return PROTEIN_READERS[reader](path, made)

    return reading


def seen(found: Measured) -> dict[str, list[float | None]]:
    values = found.values.sort_index()
    return {c: [None if np.isnan(v) else float(v) for v in values[c]] for c in values}


def lost(found: Measured) -> dict[str, int]:
    return {s.name.removeprefix("protein: "): s.rows_in - s.rows_out for s in found.steps}


def test_every_reader_of_proteins_can_be_named_in_a_run_file():
    assert set(PROTEIN_READERS) <= set(COHORT_READERS)
    assert set(FILES) == set(PROTEIN_READERS)


def test_maxquant_takes_lfq_and_leaves_decoys_contaminants_and_sites_out(read):
    found = read("maxquant")
    assert seen(found) == {"P1": [11, 21], "P3": [None, 41]}
    assert found.unit == "intensity"
    assert found.peptides.to_dict() == {"P1": 4, "P3": 2}
    assert lost(found) == {
        "decoys": 1,
        "contaminants": 1,
        "identified by peptides": 1,
        "quantified proteins": 1,
    }


@pytest.mark.parametrize(
    ("quantity", "p1"),
    [("intensity", [10, 20]), ("ibaq", [1, 2]), ("reporter", [5, 6])],
)
def test_maxquant_offers_the_other_intensities_without_their_totals(read, quantity, p1):
    assert seen(read("maxquant", quantity=quantity))["P1"] == p1


def test_reporter_channels_carry_their_number_and_experiment(read):
    stated = read("maxquant", quantity="reporter").stated
    assert stated.loc["2 x"].to_dict() == {"protein_channel": "2", "protein_plex": "x"}


def test_headers_as_r_writes_them_read_as_the_same_table(read):
    text = FILES["maxquant"].split("\n")
    for mark in "() +":
        text[0] = text[0].replace(mark, ".")
    found = read("maxquant", "\n".join(text))
    assert seen(found) == seen(read("maxquant"))


def test_protein_groups_without_lfq_say_which_intensities_they_have(read):
    text = FILES["maxquant"].replace("LFQ intensity", "Other")
    says = r"no columns 'LFQ intensity SAMPLE'.*'ibaq \(2 samples\)', 'intensity \(2 samples\)'"
    with pytest.raises(InputError, match=says):
        read("maxquant", text)
    totals = "Majority protein IDs\tIntensity\nP1\t5\n"
    with pytest.raises(InputError, match="none per sample, only the totals 'Intensity'"):
        read("maxquant", totals)


def test_peptides_are_polished_into_proteins_without_the_shared_ones(read):
    found = read("maxquant_peptides")
    assert seen(found) == {"P1": [16, 32], "P2": [None, 32]}
    assert found.peptides.to_dict() == {"P1": 2, "P2": 1}
    assert lost(found) == {"decoys": 1, "contaminants": 1, "peptides of one protein": 1}


def test_a_peptide_of_many_proteins_alone_leaves_no_protein(read):
    text = FILES["maxquant_peptides"].replace("yes", "no")
    with pytest.raises(InputError, match="no peptide belongs to one protein group alone"):
        read("maxquant_peptides", text)


def test_the_diann_report_is_filtered_by_every_q_value(read):
    found = read("diann")
    assert seen(found) == {"P1": [100, 200], "P2": [None, 60]}
    assert found.peptides.to_dict() == {"P1": 2, "P2": 1}
    names = ["contaminants", "Q.Value ≤ 0.01", "PG.Q.Value ≤ 0.05", "Lib.PG.Q.Value ≤ 0.01"]
    assert lost(found) == dict.fromkeys(names, 1)


def test_diann_precursors_are_rolled_up_without_the_shared_ones(read):
    found = read("diann", quantity="precursor")
    # AAK2 doubles; CCK2 fails in run b, so its level in a does not move the ratio
    values = seen(found)["P1"]
    assert values[1] == pytest.approx(2 * values[0])
    assert "P2" not in seen(found)


def test_the_diann_report_reads_alike_from_parquet(read, tmp_path):
    frame = pd.DataFrame([r.split("|") for r in DIANN[1:]], columns=DIANN[0].split("|"))
    numbers = [c for c in frame if c not in ("Run", "Protein.Group", "Precursor.Id")]
    frame[numbers] = frame[numbers].astype(float)
    frame.to_parquet(tmp_path / "x.parquet")
    found = read("diann", (tmp_path / "x.parquet").read_bytes())
    assert seen(found) == seen(read("diann"))


def test_gaps_in_parquet_are_missing(read, tmp_path):
    rows = [r.split("|") for r in table(OLINK).replace("\t", "|").splitlines()]
    frame = pd.DataFrame(rows[1:], columns=rows[0])
    frame["NPX"] = frame["NPX"].astype(float)
    frame.loc[frame.index[frame["SampleID"] == "a"][0], "NPX"] = np.nan
    frame.to_parquet(tmp_path / "x.parquet")
    assert np.isnan(read("olink", (tmp_path / "x.parquet").read_bytes()).values.to_numpy()).any()


def test_a_protein_with_two_values_in_one_run_is_refused(read):
    text = FILES["diann"].replace(
        "CCK2\t1\t64\t0.001\t0.001\t0.001\t100", "CCK2\t1\t64\t0\t0\t0\t9"
    )
    with pytest.raises(InputError, match=r"several values in column 'PG.MaxLFQ'.*'P1' in 'a'"):
        read("diann", text)


def test_runs_of_the_diann_matrix_lose_windows_folders_and_extensions(read):
    found = read("diann_pg_matrix")
    assert seen(found) == {"P1;P2": [100, None], "P3": [50, 60]}
    assert list(found.values.index) == ["a", "b"]
    assert found.peptides.to_dict() == {"P1;P2": 5, "P3": 2}


def test_fragpipe_tells_maxlfq_from_the_other_intensities(read):
    assert seen(read("fragpipe")) == {"P1": [11, None], "P4": [31, 32]}
    assert seen(read("fragpipe", quantity="intensity"))["P4"] == [30, None]
    assert seen(read("fragpipe", quantity="unique_intensity"))["P1"] == [7, 8]
    assert lost(read("fragpipe")) == {"decoys": 1, "contaminants": 1}


def test_tmt_abundances_are_log2_and_count_spectra(read):
    found = read("fragpipe_tmt")
    assert found.unit == "log2"
    assert seen(found)["G99"] == [None, 19]
    assert found.peptides["G5"] == 6


def test_tmt_ratios_given_as_abundances_are_refused_and_the_reverse(read):
    rows = [r.split("\t") for r in FILES["fragpipe_tmt"].strip().split("\n")]
    for row in rows[1:]:
        row[5:] = [str(float(v) - 20.9) if v else "" for v in row[5:]]
    ratios = "\n".join("\t".join(r) for r in rows)
    with pytest.raises(ConfigError, match=r"values are ratios around zero.*quantity = 'ratio'"):
        read("fragpipe_tmt", ratios)
    assert read("fragpipe_tmt", ratios, quantity="ratio").unit == "log2_ratio"
    with pytest.raises(ConfigError, match=r"values are abundances.*quantity = 'abundance'"):
        read("fragpipe_tmt", quantity="ratio")


def test_what_spectronaut_filtered_or_floored_is_missing(read):
    found = read("spectronaut")
    assert seen(found) == {"P1": [100.5, None], "P3": [7, 8]}
    assert found.peptides["P1"] == 4
    assert lost(found) == {"quantified proteins": 1}


def test_the_long_spectronaut_report_is_filtered_and_counts_peptides(read):
    found = read("spectronaut", table(LONG))
    assert seen(found) == {"P1": [100, 200], "P4": [None, 70]}
    assert found.peptides.to_dict() == {"P1": 2, "P4": 1}
    assert lost(found) == {"decoys": 1, "PG.Qvalue ≤ 0.01": 1}


def test_proteome_discoverer_keeps_sure_master_proteins(read):
    found = read("proteome_discoverer")
    assert seen(found) == {"P1": [11, 21], "P5": [31, None]}
    assert list(found.values.index) == ["F1: 126, Sample", "F1: 127N, Sample"]
    assert found.stated["protein_channel"].tolist() == ["126", "127N"]
    normalised = read("proteome_discoverer", quantity="normalised")
    assert seen(normalised)["P1"] == [10, 20]
    assert set(lost(found).values()) == {1}


def test_spectra_of_proteome_discoverer_are_refused_by_name(read):
    text = "Annotated Sequence\tSpectrum File\tAbundance 126\nAAK\tx.raw\t1\n"
    with pytest.raises(InputError, match=r"table of spectra or peptides.*export the table 'Prot"):
        read("proteome_discoverer", text)


def test_olink_keeps_values_below_the_limit_and_the_better_panel(read):
    found = read("olink")
    # the two panels of P1: OID2 is above its limit twice, OID1 once
    assert seen(found) == {"P1": [4, 5], "P2;P3": [-1, None]}
    assert found.unit == "log2"
    assert found.stated["protein_plate"].tolist() == ["p1", "p1"]
    steps = {s.name: s.why for s in found.steps}
    assert steps["protein: values above the limit"].startswith("2 values below")
    assert steps["protein: values with a warning"].startswith("1 values")
    assert lost(read("olink", quantity="npx_passed"))["values without a warning"] == 1


def test_samples_of_healthy_controls_are_not_taken_for_olinks_own(read):
    names = ["P00_control", "control 7", "Ctrl-12", "case", "SC9x"]
    own = [
        "CONTROL_SAMPLE_AS 1",
        "Neg Ctrl_2",
        "NEG_CTRL1",
        "plate control 3",
        "IPC_4",
        "SC 1",
        "NC",
    ]
    rows = [f"{s};OID1;P1;IL6;1;{i}" for i, s in enumerate([*names, *own])]
    rows += [f"{s};OID9;P9;{a};1;0" for s in names for a in ("Incubation control 1", "Det Ctrl")]
    found = read("olink", "\n".join(["SampleID;OlinkID;UniProt;Assay;LOD;NPX", *rows]))
    assert sorted(found.values.index) == sorted(names)
    assert found.values.columns.tolist() == ["P1"]


def test_a_sample_measured_twice_by_olink_is_refused(read):
    again = FILES["olink"] + "a;SAMPLE;OID1;P1;IL6;assay;Inf;p2;PASS;1;7\n"
    with pytest.raises(InputError, match=r"several values in column 'NPX'.*'OID1' in 'a'"):
        read("olink", again)


def test_somascan_keeps_human_proteins_of_samples_and_unflagged_aptamers(read):
    found = read("somascan")
    assert seen(found) == {"P1": [100.5, 200], "P2;P3": [300, 400]}
    assert lost(found)["samples of subjects"] == 1
    assert list(read("somascan", quantity="rfu_passed").values.index) == ["a"]


def test_antibodies_of_modified_forms_never_stand_for_the_protein(read):
    found = read("rppa")
    assert seen(found) == {"EGFR": [0.5, -1], "EIF4EBP1": [-0.2, 0.4], "TP53": [0.3, None]}
    assert found.unit == "log2_ratio"
    phospho = read("rppa", quantity="phospho")
    assert seen(phospho) == {"EGFR": [2, 3], "AKT1;AKT2;AKT3": [1, 2]}


@pytest.mark.parametrize("reader", sorted(PROTEIN_READERS))
def test_every_reader_says_what_missing_means_and_refuses_unknown_quantities(read, reader):
    assert read(reader).missing_means
    with pytest.raises(ConfigError, match=r"quantity = 'nonsense' is not known.*use one of"):
        read(reader, quantity="nonsense")


@pytest.mark.parametrize("reader", sorted(PROTEIN_READERS))
def test_the_order_of_rows_changes_nothing(read, reader):
    lines = FILES[reader].rstrip("\n").split("\n")
    top = 14 if reader == "somascan" else 1
    turned = "\n".join(lines[:top] + lines[top:][::-1]) + "\n"
    a, b = read(reader), read(reader, turned)
    pd.testing.assert_frame_equal(
        a.values.sort_index(axis=0).sort_index(axis=1),
        b.values.sort_index(axis=0).sort_index(axis=1),
    )
    assert a.peptides.sort_index().equals(b.peptides.sort_index())


@pytest.mark.parametrize(
    ("reader", "old", "new", "says"),
    [
        ("maxquant", "\t11\t", "\televen\t", r"line 2, column 'LFQ intensity a': 'eleven'"),
        ("maxquant", "\t11\t", "\t1,1\t", "decimal point"),
        ("maxquant", "\t11\t", "\tinf\t", "'inf' is no number"),
        ("maxquant", "\t11\t", "\t1e999\t", "infinite value"),
        ("maxquant", "P3\tP3", "P1\tP1", "1 protein names occur more than once: 'P1'"),
        ("maxquant", "P3\tP3", "P3\t", "line 3 names no protein"),
        ("maxquant", "LFQ intensity b", "LFQ intensity a", "1 sample names occur more than once"),
        ("maxquant", "Majority protein IDs", "Name", "other"),
        ("maxquant", "Gene names", "Ratio H/L a", "SILAC"),
        ("maxquant", "|", "|", ""),
        ("diann", "Protein.Group", "Group", "no column 'Protein.Group'"),
        ("diann", "0.001", "0.5", "none of 8 rows is left"),
        ("diann_pg_matrix", "b.d", "a.d", "1 run names occur more than once: 'a'"),
        ("fragpipe", "MaxLFQ Intensity", "Quant", r"'intensity \(2 samples\)'"),
        ("fragpipe_tmt", "ReferenceIntensity", "SequenceWindow", "peptides or sites"),
        ("spectronaut", "PG.Quantity", "PG.Label", "neither R.FileName"),
        ("spectronaut", "100.5", "100,5", "decimal point"),
        ("spectronaut", "100.5", "-100.5", "negative quantities"),
        ("proteome_discoverer", "Abundance: F1", "Scaled: F1", r"'normalised \(2 samples\)'"),
        ("olink", "NPX\n", "Value\n", "no column 'NPX'"),
        ("somascan", "^TABLE_BEGIN", "^TABLE", r"no line '\^TABLE_BEGIN'"),
        ("somascan", "\t900\t", "\t", "line 15 has 9 cells"),
        ("somascan", "100.5", "high", "line 15: 'high' is no signal"),
        ("somascan", "b\tSample", "a\tSample", "1 sample names occur more than once: 'a'"),
        ("rppa", "EGFR\t0.5", "EGFR\tx", "'x'"),
    ],
)
def test_a_faulty_table_is_refused_with_the_place_of_the_fault(read, reader, old, new, says):
    text = FILES[reader]
    if old == "|":
        text, says = "a\tb\n1\t2\n", "no column 'Majority protein IDs'"
    if says == "other":
        text = text.replace("Protein IDs", "Other IDs")
        says = "is not a proteinGroups.txt of MaxQuant"
    with pytest.raises(InputError, match=says):
        read(reader, text.replace(old, new))


@pytest.mark.parametrize("reader", sorted(PROTEIN_READERS))
@settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_but_never_breaks_a_reader(read, reader, data):
    text = FILES[reader]
    at = data.draw(st.integers(0, len(text) - 1))
    size = data.draw(st.integers(0, 30))
    junk = data.draw(st.sampled_from(["", "\t", "\n", '"', "nan", "-1", "1e400", "x;y", "é", "\0"]))
    with suppress(AimwellError):
        found = read(reader, text[:at] + junk + text[at + size :])
        array = found.values.to_numpy(float)
        assert not np.isinf(array).any()
        assert not np.isnan(array).all(axis=1).any()
        assert found.values.index.is_unique
        assert found.values.columns.is_unique


@pytest.mark.parametrize(
    ("reader", "path", "quantity", "shape", "missing"),
    [
        ("maxquant", "proteomics_formats/maxquant_proteinGroups.txt", "", (36, 119), 0.588),
        ("maxquant", "proteomics_formats/ubilength_proteinGroups.csv.gz", "", (12, 2891), 0.427),
        ("maxquant_peptides", "proteomics_formats/maxquant_peptides.txt", "", (12, 775), 0.179),
        ("diann_pg_matrix", "cohorts/atheroma/report.pg_matrix.tsv", "", (40, 3502), 0.272),
        (
            "rppa",
            "cohorts/breast_tcga_mixomics/breastTCGA_train_protein.csv.gz",
            "phospho",
            (150, 35),
            0.0,
        ),
    ],
)
def test_real_tables_are_read_whole(real_data, reader, path, quantity, shape, missing):
    made = MatrixSettings(path, "protein", "protein", reader=reader, quantity=quantity)
    found = PROTEIN_READERS[reader](real_data / path, made)
    assert found.values.shape == shape
    assert float(found.values.isna().to_numpy().mean()) == pytest.approx(missing, abs=6e-4)
