"""The sparse product equals the dense one, and so do both of its gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aimwell.models import propagate as propagate_module
from aimwell.models.propagate import SparseOperator, build_operator, propagate, take_rows


def random_operator(
    rows: int, columns: int, density: float, seed: int
) -> tuple[SparseOperator, np.ndarray]:
    """Build an operator from shuffled arcs, and the same matrix densely."""
    rng = np.random.default_rng(seed)
    pairs = np.argwhere(rng.random((rows, columns)) < density)
    pairs = pairs[rng.permutation(len(pairs))]
    # float32 values, so that the dense matrix holds exactly what the operator stores
    weight = rng.normal(size=len(pairs)).astype(np.float32).astype(float)
    dense = np.zeros((rows, columns))
    dense[pairs[:, 0], pairs[:, 1]] = weight
    edge = rng.permutation(len(pairs))
    return build_operator(pairs[:, 0], pairs[:, 1], weight, (rows, columns), edge), dense


def double(operator: SparseOperator) -> SparseOperator:
    return operator.to("cpu", torch.float64)


def arcs_of(operator: SparseOperator) -> tuple[torch.Tensor, torch.Tensor]:
    rows = torch.arange(operator.shape[0]).repeat_interleave(operator.row_start.diff())
    return rows, operator.column


@settings(max_examples=60, deadline=None, derandomize=True, database=None)
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    width=st.integers(1, 5),
    density=st.sampled_from([0.0, 0.2, 0.7, 1.0]),
    seed=st.integers(0, 10_000),
)
def test_product_and_gradients_equal_the_dense_matrix(rows, columns, width, density, seed):
    sparse, _ = random_operator(rows, columns, density, seed)
    operator = double(sparse)
    rng = np.random.default_rng(seed + 1)
    # other weights than the stored ones: the argument must count, not what was cached
    weight = torch.from_numpy(rng.normal(size=len(operator.weight))).requires_grad_()
    features = torch.from_numpy(rng.normal(size=(columns, width))).requires_grad_()
    outer = torch.from_numpy(rng.normal(size=(rows, width)))
    product = propagate(weight, features, operator)
    found = torch.autograd.grad((product * outer).sum(), [weight, features])
    to, of = arcs_of(operator)
    dense = torch.zeros(rows, columns, dtype=torch.float64).index_put((to, of), weight)
    wanted = torch.autograd.grad((dense @ features * outer).sum(), [weight, features])
    torch.testing.assert_close(product, dense @ features, rtol=0, atol=1e-13)
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-13)


@pytest.mark.parametrize("density", [0.15, 0.6])
def test_both_gradients_agree_with_finite_differences(density):
    operator = double(random_operator(7, 5, density, seed=4)[0])
    rng = np.random.default_rng(0)
    weight = torch.from_numpy(rng.normal(size=len(operator.weight))).requires_grad_()
    features = torch.from_numpy(rng.normal(size=(5, 3))).requires_grad_()
    assert torch.autograd.gradcheck(lambda w, x: propagate(w, x, operator), (weight, features))


def test_gradient_to_features_is_the_same_with_the_kept_transposed_weights():
    operator = double(random_operator(8, 6, 0.4, seed=2)[0])
    outer = torch.from_numpy(np.random.default_rng(0).normal(size=(8, 2)))
    gradients = []
    for weight in (operator.weight, operator.weight.clone()):
        features = torch.ones(6, 2, dtype=torch.float64, requires_grad=True)
        (propagate(weight, features, operator) * outer).sum().backward()
        gradients.append(features.grad)
    assert torch.equal(*gradients)


def test_a_destination_without_arcs_receives_zero():
    operator = build_operator(
        np.array([3, 1]), np.array([0, 1]), np.array([2.0, 3.0]), (5, 2), np.arange(2)
    )
    product = propagate(operator.weight, torch.tensor([[1.0], [10.0]]), operator)
    assert product.ravel().tolist() == [0, 30, 0, 2, 0]


def test_stored_arcs_keep_weight_and_edge_whatever_their_order():
    operator, dense = random_operator(6, 7, 0.5, seed=9)
    to, of = (t.numpy() for t in arcs_of(operator))
    assert np.array_equal(operator.weight.numpy(), dense[to, of])
    shuffle = np.random.default_rng(1).permutation(len(to))
    again = build_operator(
        to[shuffle], of[shuffle], dense[to, of][shuffle], (6, 7), operator.edge[shuffle]
    )
    assert torch.equal(again.weight, operator.weight)
    assert torch.equal(again.column, operator.column)
    assert np.array_equal(again.edge, operator.edge)


def test_double_precision_changes_no_weight():
    operator, _ = random_operator(6, 6, 0.5, seed=3)
    wide = double(operator)
    assert wide.weight.dtype == torch.float64
    assert torch.equal(wide.weight.float(), operator.weight)
    assert torch.equal(wide.transposed_weight, wide.weight[wide.order])


@settings(max_examples=40, deadline=None, derandomize=True, database=None)
@given(st.data())
def test_cut_rows_hold_the_positions_of_their_arcs(data):
    operator, dense = random_operator(8, 6, 0.4, seed=data.draw(st.integers(0, 1000)))
    rows = np.array(data.draw(st.lists(st.integers(0, 7), unique=True)), dtype=int)
    cut, sources = take_rows(operator, rows)
    arcs = cut.tocoo()
    rebuilt = np.zeros((len(rows), 6))
    rebuilt[arcs.row, arcs.col] = operator.weight.numpy()[arcs.data]
    assert cut.nnz == (dense[rows] != 0).sum()
    assert np.array_equal(rebuilt, dense[rows])
    assert np.array_equal(sources, np.flatnonzero((dense[rows] != 0).any(axis=0)))


@pytest.mark.parametrize(("width", "kept"), [(5, 2), (100, 0)])
def test_products_in_blocks_of_sources_equal_the_dense_matrix(monkeypatch, width, kept):
    monkeypatch.setattr(propagate_module, "BLOCK", width)
    monkeypatch.setattr(propagate_module, "BUSY", 1)
    operator, dense = random_operator(12, 10, 0.6, 0)
    assert len(operator._blocks) == kept
    rng = np.random.default_rng(1)
    for got, matrix in ((operator.times, dense), (operator.transposed_times, dense.T)):
        state = rng.normal(size=(matrix.shape[1], 3))
        found = got(torch.from_numpy(state.astype(np.float32)))
        np.testing.assert_allclose(found, matrix @ state, rtol=1e-5, atol=1e-6)


def test_a_sparse_graph_is_not_cut_into_blocks():
    few = np.arange(5000)
    operator = build_operator(few, few, np.ones(5000), (5000, 5000), few)
    assert not operator._blocks
