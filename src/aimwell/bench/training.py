"""Bars of training: an epoch against the memory floor of this machine, and against PyG.

A floor is what an epoch cannot do without on this machine: in every layer that is sent along the
edges, every arc fetches one row of the hidden state forward and one backward, at the rate at which
a matrix of that size is copied, and the dense products run at the rate of one large product. The
floor of the network sends both layers; that of what is left sends the second alone, since the
first is worked out once before training. Rates are measured in the same call, on one core, in
processor time, so that other work on the machine disturbs little.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import torch
from torch import nn

from aimwell.bench.bars import Bar, bar
from aimwell.config import ModelSettings
from aimwell.knowledge.graph import GENE, GENE_COLUMNS, TargetGraph, distinct
from aimwell.models.fitting import fit_member
from aimwell.models.member import Unit
from aimwell.models.propagate import build_operator
from aimwell.models.task import Block, TargetTask
from aimwell.models.wiring import Wiring
from aimwell.pipeline.workers import keep_memory, one_thread

GENES: Final = 18_000
SETS: Final = 2_500
MEMBERSHIPS: Final = 120_000
HIDDEN: Final = 64
#: Arcs from which an epoch is long enough to be timed in a few.
LARGE: Final = 20_000_000
#: Feature columns of a cohort with three contrasts.
COLUMNS: Final = 13
#: Arcs of the graph, and how many times its floor an epoch may take.
SIZES: Final = {2_000_000: "<= 2.5", 10_000_000: "<= 3.5"}


def measure(data: str) -> Iterator[Bar]:
    """Time epochs on graphs of human size; ``data`` is not needed."""
    del data
    keep_memory()
    with one_thread():
        rates = measure_rates()
        yield bar("training: copy of the hidden state", rates.copy / 1e9, "GB/s")
        yield bar("training: dense product", rates.dense / 1e9, "GFLOP/s")
        for arcs, limit in SIZES.items():
            task = synthetic_task(arcs)
            name = f"training: {arcs // 1_000_000}M arcs"
            ours = epoch_seconds(task)
            yield bar(f"{name}: epoch", 1000 * ours, "ms")
            for sent, what in ((2, "of the network"), (1, "of what is left")):
                floor = floor_seconds(task, rates, sent)
                yield bar(f"{name}: floor {what}", 1000 * floor, "ms")
                yield bar(f"{name}: epoch against the floor {what}", ours / floor, "times", limit)
            theirs = pyg_seconds(task, epochs=3 if arcs < 5_000_000 else 1)
            yield bar(f"{name}: the same by PyG HeteroConv", 1000 * theirs, "ms")
            yield bar(f"{name}: faster than PyG HeteroConv", theirs / ours, "times", ">= 5")
            del task


@dataclass(frozen=True)
class Rates:
    """What one core does on this machine: bytes copied and operations of a dense product, per s."""

    copy: float
    dense: float


def measure_rates() -> Rates:
    """Measure both rates on matrices of the size of the hidden state."""
    state, other = torch.randn(GENES, HIDDEN), torch.empty(GENES, HIDDEN)
    square = torch.randn(HIDDEN, HIDDEN)
    copied = best_seconds(lambda: other.copy_(state), repeats=200)
    product = best_seconds(lambda: torch.mm(state, square, out=other), repeats=50)
    return Rates(2 * state.nbytes / copied, 2 * GENES * HIDDEN**2 / product)


def best_seconds(work: Callable[[], object], repeats: int) -> float:
    """Smallest processor time of a call."""
    found = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        found.append(time.process_time() - begun)
    return max(min(found), 1e-9)


def synthetic_task(arcs: int, genes: int = GENES, seed: int = 0) -> TargetTask:
    """Make a task of human size: arcs between genes with the degrees of a power law, and sets."""
    rng = np.random.default_rng(seed)
    weight = 1 / np.arange(1, genes + 1) ** 0.6
    hubs = np.cumsum(rng.permutation(weight / weight.sum()))

    def draw(n: int) -> np.ndarray:
        return np.minimum(np.searchsorted(hubs, rng.random(n)), genes - 1)

    pairs = np.zeros(0, np.int64)
    while len(pairs) < arcs:
        more = draw(arcs - len(pairs) + 1000) * genes + rng.integers(
            0, genes, arcs - len(pairs) + 1000
        )
        pairs = distinct(np.concatenate([pairs, more]))
    pairs = rng.permutation(pairs)[:arcs]
    pairs.sort()
    to, of = pairs // genes, pairs % genes
    members = np.unique(
        rng.integers(0, SETS, MEMBERSHIPS) * genes + rng.integers(0, genes, MEMBERSHIPS)
    )
    group, gene = members // genes, members % genes
    degree = np.bincount(to, minlength=genes) + np.bincount(of, minlength=genes)
    scaled = 1 / np.sqrt(degree[to] * degree[of])
    size, own = np.bincount(group, minlength=SETS), np.bincount(gene, minlength=genes)
    rows = np.arange(len(members))
    wiring = Wiring(
        channels=("interacts", "member_of"),
        n_direct=1,
        direct=build_operator(to, of, scaled, (genes, genes), np.arange(arcs)),
        into_sets=build_operator(group, gene, 1 / size[group], (SETS, genes), rows),
        out_of_sets=build_operator(gene, group, 1 / own[gene], (genes, SETS), rows),
        relations=("interacts", "member_of"),
        edges=pd.DataFrame(),
        set_ids=pd.MultiIndex.from_product([["pathway"], range(SETS)], names=["type", "id"]),
    )
    ids = pd.Index([f"HGNC:{i}" for i in range(genes)], name="hgnc_id")
    table = pd.DataFrame(dict.fromkeys(GENE_COLUMNS, ""), index=ids)
    names = tuple(f"c{i}" for i in range(COLUMNS))
    labels = np.zeros(genes, np.int8)
    labels[rng.choice(genes, 100, replace=False)] = 1
    return TargetTask(
        graph=TargetGraph({GENE: table}, {}),
        genes=ids,
        blocks=(Block("x", "rna", names, rng.normal(size=(genes, COLUMNS)).astype(np.float32)),),
        wiring=wiring,
        labels=labels,
        withheld=np.zeros(genes, bool),
        folds=np.arange(genes) % 5,
        families=pd.Series(ids, index=ids),
    )


def epoch_seconds(task: TargetTask, hidden: int = HIDDEN) -> float:
    """Processor time of one epoch of ``fit_member``: what more epochs add, over their number."""
    large = len(task.wiring.direct.weight) > LARGE
    few, more, repeats = (1, 4, 1) if large else (2, 12, 3)
    times = {}
    fit_member(task, Unit(0, 0), ModelSettings(epochs=1, hidden=hidden), 0)  # which cuts blocks
    for epochs in (few, more):
        settings = ModelSettings(epochs=epochs, hidden=hidden)
        times[epochs] = best_seconds(lambda s=settings: fit_member(task, Unit(0, 0), s, 0), repeats)  # type: ignore[misc]
    return (times[more] - times[few]) / (more - few)


def floor_seconds(task: TargetTask, rates: Rates, sent: int) -> float:
    """Time below which no epoch of this task can be on this machine.

    Args:
        task, rates: What is done, and how fast.
        sent: Layers whose states travel along the edges in every epoch; with 1 the first layer
            multiplies what arrived of the features once for all.
    """
    arcs = sum(len(o.weight) for o in task.wiring.operators)
    passes = sent * 2 * arcs * HIDDEN * 4 / rates.copy  # forward and back
    channels = len(task.wiring.channels) + 1
    mixed = 3 * 2 * channels * HIDDEN**2  # product and both gradients
    encoded = 2 * 2 * (COLUMNS + 1) * HIDDEN  # product and gradient to weights
    dense = 2 * mixed + encoded if sent > 1 else mixed + channels * encoded
    return passes + len(task.genes) * dense / rates.dense


class _Conventional(nn.Module):
    """The same network with the layers of PyG: linear encoder, two typed layers, linear head."""

    def __init__(self) -> None:
        from torch_geometric.nn import GraphConv, HeteroConv

        super().__init__()
        self.encode = nn.Linear(COLUMNS + 1, HIDDEN, bias=False)
        self.layers = nn.ModuleList(
            HeteroConv(
                {
                    ("gene", "interacts", "gene"): GraphConv(HIDDEN, HIDDEN),
                    ("gene", "in", "set"): GraphConv(HIDDEN, HIDDEN),
                    ("set", "out", "gene"): GraphConv(HIDDEN, HIDDEN),
                }
            )
            for _ in range(2)
        )
        self.head = nn.Linear(3 * HIDDEN, 1)

    def forward(
        self,
        x: torch.Tensor,
        edges: dict[tuple[str, str, str], torch.Tensor],
        weights: dict[tuple[str, str, str], torch.Tensor],
    ) -> torch.Tensor:
        states = [self.encode(x)]
        sets = torch.zeros(SETS, HIDDEN)
        for layer in self.layers:
            found = layer({"gene": states[-1], "set": sets}, edges, edge_weight_dict=weights)
            states.append(torch.relu(found["gene"]))
            sets = torch.relu(found["set"])
        logits: torch.Tensor = self.head(torch.cat(states, dim=1)).squeeze(1)
        return logits


def pyg_seconds(task: TargetTask, epochs: int) -> float:
    """Processor time of one epoch of the same network with PyG's layers."""
    wiring = task.wiring
    kinds = (("gene", "interacts", "gene"), ("gene", "in", "set"), ("set", "out", "gene"))
    edges, weights = {}, {}
    for kind, operator in zip(kinds, wiring.operators, strict=True):
        rows = torch.arange(operator.shape[0]).repeat_interleave(operator.row_start.diff())
        edges[kind] = torch.stack([operator.column, rows])  # (2, e)
        weights[kind] = operator.weight
    x = torch.from_numpy(
        np.hstack([task.blocks[0].values, task.labels[:, None]]).astype(np.float32)
    )
    truth = torch.from_numpy(task.labels.astype(np.float32))
    network = _Conventional()
    optimiser = torch.optim.AdamW(network.parameters(), lr=5e-3)

    def step() -> None:
        optimiser.zero_grad()
        loss = nn.functional.binary_cross_entropy_with_logits(network(x, edges, weights), truth)
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()

    return best_seconds(step, epochs)
