"""A network as large as the human one, with weights drawn at random, to measure speed on."""

import numpy as np
import pandas as pd

from aimwell.knowledge.graph import GENE, GENE_COLUMNS, TargetGraph, distinct
from aimwell.models.member import Member, Unit
from aimwell.models.network import TargetNetwork
from aimwell.models.propagate import SparseOperator, build_operator
from aimwell.models.task import Block, TargetTask
from aimwell.models.wiring import Wiring

GENES = 18_000
SETS = 2_500
MEMBERSHIPS = 120_000


def large_task(edges: int, *, sets: bool, seed: int = 0, share: float = 1.0) -> TargetTask:
    """Draw 18,000 genes with some directed edges and, if asked for, 2,500 pathways.

    Degrees follow a power law, as those of interaction networks do: the weight of a gene in the
    draw is its rank to the power -0.4.

    Args:
        edges: Number of gene-gene arcs before equal ones are joined.
        sets: Whether there are pathways, with 120,000 memberships in sets of about 4 to
            200 genes.
        seed: Of every draw.
        share: Of these numbers of genes, pathways and memberships, to try things out.
    """
    rng = np.random.default_rng(seed)
    n = round(share * GENES)
    genes = pd.Index([f"HGNC:{i:06d}" for i in range(n)])
    weight = np.arange(1, n + 1) ** -0.4
    popularity = rng.permutation(weight / weight.sum())
    ends = rng.choice(n, size=(2, edges), p=popularity)
    to, of = _distinct(ends[:, ends[0] != ends[1]], n)
    arriving, leaving = np.bincount(to, minlength=n), np.bincount(of, minlength=n)
    direct = build_operator(
        to, of, 1 / np.sqrt(arriving[to] * leaving[of]), (n, n), np.zeros(len(to), int)
    )
    into, out = _sets(rng, popularity, share) if sets else _no_sets(n)
    names = ("interacts", "member_of") if sets else ("interacts",)
    blocks = [
        Block("rna", "rna", tuple("abcd"), _values(rng, n, 4)),
        Block("protein", "protein", tuple("abcd"), _values(rng, n, 4)),
        Block("graph", "graph", ("log_degree",), _values(rng, n, 1)),
    ]
    pathways = pd.MultiIndex.from_arrays(
        [["pathway"] * into.shape[0], [f"P{i}" for i in range(into.shape[0])]]
    )
    labels = np.zeros(n, np.int8)
    labels[rng.choice(n, min(300, n // 10), replace=False)] = 1
    table = pd.DataFrame(dict.fromkeys(GENE_COLUMNS, genes), index=genes)
    return TargetTask(
        graph=TargetGraph({GENE: table}, {}),
        genes=genes,
        blocks=tuple(blocks),
        wiring=Wiring(names, 1, direct, into, out, names, pd.DataFrame(), pathways),
        labels=labels,
        withheld=np.zeros(n, bool),
        folds=np.arange(n) % 2,
        families=pd.Series(genes, genes),
    )


def random_member(task: TargetTask, hidden: int, seed: int = 0) -> Member:
    """Draw a network with random weights and batch statistics that halve what arrives."""
    rng = np.random.default_rng(seed)
    widths = [b.values.shape[1] for b in task.blocks] + [1]
    network = TargetNetwork(widths, len(task.wiring.channels), hidden=hidden)
    parameters = {}
    for name, value in network.state_dict().items():
        drawn = rng.normal(0, 1 / np.sqrt(hidden), tuple(value.shape))
        if name.endswith("running_var"):
            drawn = 0.2 + drawn**2
        if name.endswith("norms.0.weight") or name.endswith("norms.1.weight"):
            drawn = 1 + drawn
        parameters[name] = drawn.astype(value.numpy().dtype)
    return Member(Unit(0, 0), parameters, np.zeros(len(task.genes)), 0.0, 1.0)


def _values(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return np.clip(rng.normal(size=(n, d)), -3, 3).astype(np.float32)


def _distinct(ends: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    pair = distinct(ends[0] * np.int64(width) + ends[1])
    return pair // width, pair % width


def _sets(
    rng: np.random.Generator, popularity: np.ndarray, share: float
) -> tuple[SparseOperator, SparseOperator]:
    n, n_sets, drawn = len(popularity), round(share * SETS), round(share * MEMBERSHIPS)
    sizes = np.exp(rng.uniform(np.log(4), np.log(200), n_sets))
    group = rng.choice(n_sets, size=drawn, p=sizes / sizes.sum())
    pairs = np.stack([group, rng.choice(n, size=drawn, p=popularity)])
    group, gene = _distinct(pairs, n)
    size = np.bincount(group, minlength=n_sets)[group]
    back = 1 / np.sqrt(size)
    back = back / np.bincount(gene, weights=back, minlength=n)[gene]
    row = np.zeros(len(gene), int)
    return (
        build_operator(group, gene, 1 / size, (n_sets, n), row),
        build_operator(gene, group, back, (n, n_sets), row),
    )


def _no_sets(n: int) -> tuple[SparseOperator, SparseOperator]:
    none, bare = np.zeros(0, np.int64), np.zeros(0)
    return (
        build_operator(none, none, bare, (0, n), none),
        build_operator(none, none, bare, (0, 0), none),
    )
