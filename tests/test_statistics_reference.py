"""Parity with the originals in R on a public cohort (GSE60450), and the real CPTAC colon cohort."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aimwell.cohorts.counts import tmm_factors, voom
from aimwell.cohorts.design import Design, build_design
from aimwell.cohorts.differential import fit_contrast
from aimwell.cohorts.harmonise import harmonise
from aimwell.cohorts.reading import read_cohort
from aimwell.config import ContrastSettings, read_config
from aimwell.knowledge.identifiers import IdentifierTable
from aimwell.knowledge.sources.hgnc import read_hgnc

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "coad" / "coad.toml"


@pytest.fixture(scope="module")
def folder(real_data: Path) -> Path:
    return real_data / "reference" / "gse60450"


@pytest.fixture(scope="module")
def design(folder: Path) -> Design:
    sheet = pd.read_csv(folder / "samples.csv", index_col=0)
    sheet["subject"] = sheet.index
    contrast = ContrastSettings("c", "rna", "cell", "luminal", "basal", covariates=("stage",))
    return build_design(sheet, sheet.index, contrast)


def read(path: Path) -> pd.DataFrame:
    table = pd.read_csv(path, index_col=0)
    return table.set_axis(table.index.astype(str))


def jaccard(one: pd.Index, other: pd.Index) -> float:
    return len(one.intersection(other)) / len(one.union(other))


@pytest.mark.parametrize(
    ("name", "options", "limit"),
    [("plain", {}, 1e-8), ("trend", {"trend": True}, 1e-3), ("robust", {"robust": True}, 0.01)],
)
def test_moderated_tests_have_the_numbers_of_limma(folder, design, name, options, limit):
    wanted = read(folder / f"{name}.csv.gz")
    found = fit_contrast(read(folder / "logcpm.csv.gz").T, design, **options).loc[wanted.index]
    log_p = np.log10(wanted["P.Value"])
    assert np.abs(found["log2_fold_change"] - wanted["logFC"]).max() <= 1e-10
    assert np.abs(found["log10_p"] - log_p).max() <= limit
    assert np.corrcoef(found["log10_p"], log_p)[0, 1] >= 0.9999


def test_tmm_factors_have_the_numbers_of_edger(folder):
    wanted = pd.read_csv(folder / "tmm_factors.csv")["nf"].to_numpy()
    found = tmm_factors(read(folder / "counts.csv.gz").T).to_numpy()
    assert np.abs(found / wanted - 1).max() <= 1e-10


def test_voom_has_the_numbers_of_limma(folder, design):
    wanted = read(folder / "voom.csv.gz")
    ready = voom(read(folder / "counts.csv.gz").T, design)
    found = fit_contrast(ready.values, design, ready.weights).loc[wanted.index]
    log_p = np.log10(wanted["P.Value"])
    assert np.corrcoef(found["log10_p"], log_p)[0, 1] >= 0.9999
    top = found["log10_p"].nsmallest(500).index.intersection(log_p.nsmallest(500).index)
    assert len(top) >= 495
    hits, wanted_hits = (t.index[t[q] < 0.05] for t, q in ((found, "q"), (wanted, "adj.P.Val")))
    assert jaccard(hits, wanted_hits) >= 0.995


def test_the_colon_cohort_gives_its_known_biology(real_data):
    config = read_config(EXAMPLE, data=str(real_data))
    loci = read_hgnc(config.path(config.identifiers.hgnc))
    cohort = read_cohort(config, IdentifierTable.from_hgnc(loci))
    evidence, designs = harmonise(cohort, config.contrasts)
    assert designs["protein_tumour_vs_normal"].n_pairs == 96
    assert {d.verdict for d in designs.values()} == {"accept"}
    symbol = loci["symbol"]
    blocks = {n: b.set_axis(symbol.reindex(b.index)) for n, b in evidence.blocks.items()}
    # MSI tumours lack WNT activation by APC, and lose MLH1 by methylation (Vasaikar et al. 2019)
    for gene in ("AXIN2", "RNF43", "MLH1"):
        assert blocks["rna_msi_vs_mss"].loc[gene, "effect"] < -0.5
        assert blocks["rna_msi_vs_mss"].loc[gene, "lfsr"] < 0.001
    significant = {name: int((b["q"] < 0.05).sum()) for name, b in blocks.items()}
    assert significant["protein_tumour_vs_normal"] > 5000
    assert 3000 < significant["rna_msi_vs_mss"] < 5000
    assert 1000 < significant["protein_msi_vs_mss"] < 2000
