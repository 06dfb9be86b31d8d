"""Sparse products against what the memory and the arithmetic of a device can do.

Both rates are measured in the same call: a copy of one gigabyte, and a product of full matrices. A
sparse product must at least read its arcs and the dense matrix and write its result once
(*compulsory*), and it fetches one row of the dense matrix per arc (*gather*). Caches serve some of
what is fetched, so a share of the copy bandwidth may exceed one.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor

from aimwell.bench.bars import Bar, bar
from aimwell.models.lanes import settle_device
from aimwell.models.propagate import SparseOperator, sparse_matrix

#: Numbers of the copy and side of the full matrices; of a small measurement.
LARGE: Final = (1 << 28, 8192)
LITTLE: Final = (1 << 20, 256)
REPEATS: Final = 10


@dataclass(frozen=True)
class Rates:
    """Bytes copied and operations of a product of full matrices, per second."""

    copy: float
    dense: float


def measure_products(
    operator: SparseOperator, columns: Sequence[int], small: bool
) -> Iterator[Bar]:
    """Measure the products of one operator.

    Args:
        operator: On the device, single precision.
        columns: Of one member, and of all side by side.
        small: Measure the rates on little.
    """
    device = operator.weight.device
    rates = _rates(device, *(LITTLE if small else LARGE))
    yield bar("gpu: copy", rates.copy / 1e9, "GB/s")
    yield bar("gpu: product of full matrices, single precision", rates.dense / 1e12, "TFLOP/s")
    for width in columns:
        features = torch.randn(operator.shape[1], width, device=device)
        limit = ">= 0.6" if width == max(columns) else ""
        work = _repeated(lambda x=features: operator.matrix @ x, device)  # type: ignore[misc]
        yield from _against(
            f"SpMM, {width} columns", work, spmm_bytes(operator, width), rates, limit
        )
    one = torch.randn(operator.shape[1], columns[0], device=device)
    rows = torch.randn(operator.shape[0], columns[0], device=device)
    pattern = sparse_matrix(
        operator.row_start, operator.column, torch.zeros_like(operator.weight), operator.shape
    )
    work = _repeated(lambda: torch.sparse.sampled_addmm(pattern, rows, one.T), device)
    yield from _against(
        f"SDDMM, {columns[0]} columns", work, sddmm_bytes(operator, columns[0]), rates
    )
    yield from _half(operator, max(columns))


def spmm_bytes(operator: SparseOperator, width: int) -> Sequence[int]:
    """Compulsory and gather bytes of a sparse product, and its operations."""
    rows, sources = operator.shape
    arcs = len(operator.weight)
    compulsory = 4 * width * (rows + sources) + arcs * (8 + 4) + 8 * (rows + 1)
    return compulsory, 4 * width * arcs, 2 * width * arcs


def sddmm_bytes(operator: SparseOperator, width: int) -> Sequence[int]:
    """The same of a sampled product: a number per arc is read, and one is written."""
    compulsory, gather, operations = spmm_bytes(operator, width)
    return compulsory + 4 * len(operator.weight), gather, operations


def _against(
    name: str, seconds: float, bytes_and_work: Sequence[int], rates: Rates, limit: str = ""
) -> Iterator[Bar]:
    compulsory, gather, operations = bytes_and_work
    yield bar(f"gpu: {name}", 1000 * seconds, "ms")
    share = (compulsory + gather) / seconds / rates.copy
    yield bar(f"gpu: {name}: of the copy bandwidth", share, "share", limit)
    yield bar(
        f"gpu: {name}: against the arithmetic floor", seconds * rates.dense / operations, "times"
    )


def _half(operator: SparseOperator, width: int) -> Iterator[Bar]:
    """Compare the product in bfloat16 with that in single precision."""
    device = operator.weight.device
    features = torch.randn(operator.shape[1], width, device=device)
    name = f"gpu: SpMM, {width} columns, bfloat16"
    try:
        halved = operator.to(device, torch.bfloat16)
        less = features.bfloat16()
        full = _repeated(lambda: operator.matrix @ features, device)
        seconds = _repeated(lambda: halved.matrix @ less, device)
        wanted = operator.matrix @ features
        apart = float((halved.matrix @ less - wanted).abs().max() / wanted.abs().max())
    except RuntimeError as error:  # not every device has it
        yield bar(f"{name}: {str(error).splitlines()[0][:100]}", math.nan)
        return
    yield bar(f"{name}: faster than single precision", full / seconds, "times")
    yield bar(f"{name}: largest difference", apart, "of the largest")


def _rates(device: torch.device, numbers: int, side: int) -> Rates:
    one = torch.randn(numbers, device=device)
    other = torch.empty_like(one)
    copied = _repeated(lambda: other.copy_(one), device)
    square = torch.randn(side, side, device=device)
    product = _repeated(lambda: square @ square, device)
    return Rates(2 * one.nbytes / copied, 2 * side**3 / product)


def _repeated(work: Callable[[], Tensor], device: torch.device) -> float:
    """Shortest time of a call after two that warm up."""
    times = []
    for _ in range(2 + REPEATS):
        settle_device(device)
        begun = time.perf_counter()
        work()
        settle_device(device)
        times.append(time.perf_counter() - begun)
    return max(min(times[2:]), 1e-9)
