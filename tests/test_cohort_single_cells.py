"""AnnData and MuData: raw counts are found or refused, and cells are summed as they belong."""

import warnings
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import sparse

from aimwell.cohorts.readers.h5ad import read_h5ad
from aimwell.cohorts.readers.h5mu import read_h5mu
from aimwell.config import MatrixSettings
from aimwell.errors import AimwellError, ConfigError, InputError

anndata = pytest.importorskip("anndata")
COUNTS = np.array([[1, 0, 2], [3, 1, 0], [0, 5, 1], [2, 2, 2], [7, 0, 0], [1, 1, 1]])
SETTINGS = MatrixSettings("x", layer="rna", kind="rna", reader="h5ad", min_cells=1)
CELLS = replace(SETTINGS, donor="donor", cell_type="type")


@pytest.fixture(autouse=True)
def old_strings() -> Iterator[None]:
    """Let anndata write: it knows no other text than objects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pd.option_context("future.infer_string", False):
            yield


def cells(values: Any = COUNTS, names: str = "TP53 KRAS EGFR") -> Any:
    obs = pd.DataFrame(
        {"donor": ["d1", "d1", "d2", "d2", "d1", "d2"], "type": list("TTTBBT")},
        index=[f"c{i}" for i in range(6)],
    )
    obs["donor"] = obs["donor"].astype("category")
    return anndata.AnnData(np.asarray(values, np.float32), obs, pd.DataFrame(index=names.split()))


def saved(data: Any, path: Path) -> Path:
    data.write(path)
    return path


def test_samples_of_bulk_read_as_they_are(tmp_path: Path) -> None:
    found = read_h5ad(saved(cells(), tmp_path / "a.h5ad"), SETTINGS)
    np.testing.assert_array_equal(found.values, COUNTS)
    assert found.values.index.tolist() == [f"c{i}" for i in range(6)]
    assert found.unit == "counts"


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_counts_are_added_up_over_the_cells_of_a_donor_and_type(tmp_path: Path, form: Any) -> None:
    data = cells()
    data.layers["counts"] = form(COUNTS)
    data.X = np.log1p(data.X)
    found = read_h5ad(saved(data, tmp_path / "a.h5ad"), CELLS)
    assert found.values.index.tolist() == ["d1:B", "d1:T", "d2:B", "d2:T"]
    assert found.values.to_numpy().tolist() == [[7, 0, 0], [4, 1, 2], [2, 2, 2], [1, 6, 2]]
    assert found.stated["subject"].tolist() == ["d1", "d1", "d2", "d2"]
    assert found.stated["cell_type"].tolist() == ["B", "T", "B", "T"]
    assert found.stated["cells"].tolist() == [1, 2, 1, 2]
    assert found.steps[0].name == "rna: matrix 'layers/counts'"


def test_sums_keep_every_molecule_whatever_the_order_of_the_cells(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    data = cells()[rng.permutation(6)].copy()
    per_donor = replace(SETTINGS, donor="donor")
    found = read_h5ad(saved(data, tmp_path / "a.h5ad"), per_donor).values
    assert found.to_numpy().tolist() == [[11, 1, 2], [3, 8, 4]]


def test_sums_over_too_few_cells_are_left_out_and_counted(tmp_path: Path) -> None:
    path = saved(cells(), tmp_path / "a.h5ad")
    found = read_h5ad(path, replace(CELLS, min_cells=2))
    assert found.values.index.tolist() == ["d1:T", "d2:T"]
    step = found.steps[-1]
    assert (step.rows_in, step.rows_out, step.examples) == (4, 2, ("B of d1", "B of d2"))
    with pytest.raises(InputError, match=r"none of 4 sums has min_cells = 9 .*largest has 2"):
        read_h5ad(path, replace(CELLS, min_cells=9))


def test_cells_without_a_donor_are_left_out_and_counted(tmp_path: Path) -> None:
    data = cells()
    data.obs.loc["c0", "donor"] = None
    found = read_h5ad(saved(data, tmp_path / "a.h5ad"), CELLS)
    assert found.values.loc["d1:T"].tolist() == [3, 1, 0]
    assert (found.steps[1].rows_in, found.steps[1].rows_out) == (6, 5)


def test_raw_counts_are_found_in_raw_with_its_own_features(tmp_path: Path) -> None:
    data = cells()
    data.raw = data.copy()
    data = data[:, :2].copy()
    data.X = np.log1p(data.X)
    found = read_h5ad(saved(data, tmp_path / "a.h5ad"), SETTINGS)
    np.testing.assert_array_equal(found.values, COUNTS)


def test_a_file_without_raw_counts_says_what_it_has(tmp_path: Path) -> None:
    data = cells(np.log1p(COUNTS))
    data.layers["scaled"] = data.X - 1
    path = saved(data, tmp_path / "a.h5ad")
    says = r"no raw counts, only X \(fractional numbers from 0 to 2.07.*layers/scaled .*from -1 to"
    with pytest.raises(InputError, match=says):
        read_h5ad(path, CELLS)
    logged = read_h5ad(path, replace(SETTINGS, unit="log2", quantity="scaled"))
    assert logged.values.to_numpy().min() == -1
    with pytest.raises(ConfigError, match="only counts can be added up"):
        read_h5ad(path, replace(CELLS, unit="log2"))


def test_antibodies_beside_genes_are_a_layer_of_their_own(tmp_path: Path) -> None:
    data = cells(names="TP53 KRAS CD3")
    data.var["feature_types"] = ["Gene Expression", "Gene Expression", "Antibody Capture"]
    path = saved(data, tmp_path / "a.h5ad")
    assert list(read_h5ad(path, CELLS).values) == ["TP53", "KRAS"]
    assert list(read_h5ad(path, replace(CELLS, kind="protein")).values) == ["CD3"]


def test_names_may_stand_in_a_column(tmp_path: Path) -> None:
    data = cells()
    data.var["gene_ids"] = ["ENSG1", "ENSG2", "ENSG3"]
    path = saved(data, tmp_path / "a.h5ad")
    named = read_h5ad(path, replace(SETTINGS, names_in="gene_ids"))
    assert list(named.values) == ["ENSG1", "ENSG2", "ENSG3"]
    with pytest.raises(InputError, match="'var' has no column 'symbol'; it has 'gene_ids'"):
        read_h5ad(path, replace(SETTINGS, names_in="symbol"))


def test_features_that_were_numbered_to_be_unique_are_added_up(tmp_path: Path) -> None:
    found = read_h5ad(saved(cells(names="TP53 TP53-1 NKX2-1"), tmp_path / "a.h5ad"), SETTINGS)
    assert list(found.values) == ["NKX2-1", "TP53"]
    assert found.values["TP53"].tolist() == [1, 4, 5, 4, 7, 2]


def test_unknown_columns_and_matrices_are_refused_with_those_that_exist(tmp_path: Path) -> None:
    path = saved(cells(), tmp_path / "a.h5ad")
    with pytest.raises(InputError, match="'obs' has no column 'patient'; it has 'donor', 'type'"):
        read_h5ad(path, replace(CELLS, donor="patient"))
    with pytest.raises(InputError, match="no matrix 'raw'; it has 'X'"):
        read_h5ad(path, replace(CELLS, quantity="raw"))
    with pytest.raises(ConfigError, match="cell_type is set and donor is not"):
        read_h5ad(path, replace(CELLS, donor=""))


def multimodal(path: Path) -> Path:
    mudata = pytest.importorskip("mudata")
    whole = mudata.MuData({"rna": cells(), "prot": cells(COUNTS * 2, "CD3 CD4 CD8")})
    whole.obs["site"] = list("aabbab")
    whole.write(path)
    return path


def test_the_modality_of_a_mudata_file_is_chosen(tmp_path: Path) -> None:
    path = multimodal(tmp_path / "a.h5mu")
    proteins = replace(CELLS, kind="protein", layer="adt", quantity="prot")
    found = read_h5mu(path, proteins)
    assert list(found.values) == ["CD3", "CD4", "CD8"]
    assert found.values.loc["d1:T"].tolist() == [8, 2, 4]
    per_site = replace(SETTINGS, quantity="rna/X", donor="site")
    assert read_h5mu(path, per_site).values.loc["a"].tolist() == [11, 1, 2]
    with pytest.raises(InputError, match="set quantity to one of its modalities: 'prot', 'rna'"):
        read_h5mu(path, SETTINGS)
    with pytest.raises(InputError, match=r"no tables 'obs' and 'var'|no matrix"):
        read_h5ad(path, SETTINGS)


@given(st.integers(0, 2**31), st.integers(1, 30))
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_damaged_file_gives_a_result_or_a_clear_error(
    tmp_path: Path, seed: int, damage: int
) -> None:
    whole = tmp_path / "whole.h5ad"
    if not whole.exists():
        saved(cells(), whole)
    data = bytearray(whole.read_bytes())
    rng = np.random.default_rng(seed)
    for at in rng.integers(8, len(data), damage):
        data[at] = rng.integers(256)
    path = tmp_path / "damaged.h5ad"
    path.write_bytes(data[: rng.integers(1, len(data) + 1)] if seed % 3 == 0 else data)
    with suppress(AimwellError):
        found = read_h5ad(path, CELLS)
        assert found.values.index.is_unique


def test_a_file_that_ends_the_library_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cells.h5ad"
    saved(cells(), path)
    assert read_h5ad(path, CELLS).values.size
    crash = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
    monkeypatch.setattr("aimwell.cohorts.anndata_files._LOOK", crash)
    with pytest.raises(InputError, match=r"cells\.h5ad.*damaged in a way that ends the HDF5"):
        read_h5ad(path, CELLS)
