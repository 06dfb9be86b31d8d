"""Row-partitioned products on several processes: what to do when a graph outgrows one machine.

Every process holds the arcs into its own share of the genes. A layer multiplies its own rows,
gathers those of the others (some megabytes), and gives back the sum of the gradients of all. Run by
``aimwell bench scale`` as ``torchrun --nproc-per-node 2 -m aimwell.bench.partitioned ARCS``; prints
the losses of the first steps on one and on all processes, and the arcs that each holds.
"""

import json
import os
import sys
from typing import Any

import numpy as np
import torch
import torch.distributed as dist
from torch import Tensor, nn

from aimwell.bench.training import GENES, synthetic_task
from aimwell.models.propagate import SparseOperator, build_operator, propagate

STEPS = 5
WIDTH = 16


class _Rows(torch.autograd.Function):
    """``A x`` for own rows, gathered from all; the gradient to ``x`` is summed over all."""

    @staticmethod
    def forward(ctx: Any, state: Tensor, own: SparseOperator, bounds: list[int]) -> Tensor:
        ctx.own, ctx.bounds = own, bounds
        sizes = np.diff(bounds)
        parts = [state.new_empty(int(size), state.shape[1]) for size in sizes]
        parts[dist.get_rank()] = own.matrix @ state
        for rank, part in enumerate(parts):
            dist.broadcast(part, rank)
        return torch.cat(parts)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        rank = dist.get_rank()
        mine = gradients[0][ctx.bounds[rank] : ctx.bounds[rank + 1]].contiguous()
        total = ctx.own.transposed @ mine
        dist.all_reduce(total)
        return total, None, None


def losses(operator: SparseOperator, bounds: list[int] | None) -> list[float]:
    """Take some steps of a two-layer network; with ``bounds`` on the rows of this process."""
    torch.manual_seed(0)
    encode, head = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 1)
    mix = nn.ModuleList(nn.Linear(WIDTH, WIDTH) for _ in range(2))
    features = torch.randn(GENES, WIDTH)
    truth = (torch.rand(GENES) < 0.01).float()
    modules = nn.ModuleList([encode, *mix, head])
    optimiser = torch.optim.SGD(modules.parameters(), lr=0.1)
    found = []
    for _ in range(STEPS):
        state = encode(features)
        for layer in mix:
            if bounds is None:
                arrived = propagate(operator.weight, state, operator)
            else:
                arrived = _Rows.apply(state, operator, bounds)  # type: ignore[no-untyped-call]
            state = torch.relu(layer(arrived))
        loss = nn.functional.binary_cross_entropy_with_logits(head(state).squeeze(1), truth)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        found.append(float(loss.detach()))
    return found


def main(arcs: int) -> None:
    """Compare one process with all of them; the first prints."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo")
    rank, size = dist.get_rank(), dist.get_world_size()
    operator = synthetic_task(arcs).wiring.direct
    # shares of equal numbers of arcs: hubs would make equal numbers of rows unequal work
    ends = np.searchsorted(operator.row_start.numpy(), np.linspace(0, arcs, size + 1)[1:-1])
    bounds = [0, *(int(e) for e in ends), GENES]
    rows = np.repeat(np.arange(GENES), np.diff(operator.row_start.numpy()))
    mine = (rows >= bounds[rank]) & (rows < bounds[rank + 1])
    own = build_operator(
        rows[mine] - bounds[rank],
        operator.column.numpy()[mine],
        operator.weight.numpy()[mine],
        (bounds[rank + 1] - bounds[rank], GENES),
        operator.edge[mine],
    )
    counts: list[Any] = [None] * size
    dist.all_gather_object(counts, len(own.weight))
    shared = losses(own, bounds)
    if rank == 0:
        print(
            json.dumps({"one": losses(operator, None), "all": shared, "arcs": counts}), flush=True
        )
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    main(int(sys.argv[1]))
