"""A network as large as the human one, with weights drawn at random, to measure speed on."""

import numpy as np
import pandas as pd

from aimwell.knowledge.graph import GENE, GENE_COLUMNS, TargetGraph
from aimwell.models.member import Member, Unit
from aimwell.models.network import TargetNetwork
from aimwell.models.propagate import SparseOperator, build_operator
from aimwell.models.task import Block, TargetTask
from aimwell.models.wiring import Wiring

GENES = 18_000
SETS = 2_500
MEMBERSHIPS = 120_000


def large_task(edges: int, *, sets: bool, seed: int = 0) -> TargetTask:
    """Draw 18,000 genes with some directed edges and, if asked for, 2,500 pathways.

    Degrees follow a power law, as those of interaction networks do: the weight of a gene in the
    draw is its rank to the power -0.4.

    Args:
        edges: Number of gene-gene arcs before equal ones are joined.
        sets: Whether there are pathways, with 120,000 memberships in sets of about 4 to
            200 genes.
        seed: Of every draw.
    """
    rng = np.random.default_rng(seed)
    genes = pd.Index([f"HGNC:{i:06d}" for i in range(GENES)])
    weight = np.arange(1, GENES + 1) ** -0.4
    popularity = rng.permutation(weight / weight.sum())
    ends = rng.choice(GENES, size=(2, edges), p=popularity)
    to, of = _distinct(ends[:, ends[0] != ends[1]], GENES)
    arriving, leaving = np.bincount(to, minlength=GENES), np.bincount(of, minlength=GENES)
    direct = build_operator(
        to, of, 1 / np.sqrt(arriving[to] * leaving[of]), (GENES, GENES), np.zeros(len(to), int)
    )
    into, out = _sets(rng, popularity) if sets else _no_sets()
    names = ("interacts", "member_of") if sets else ("interacts",)
    blocks = [
        Block("rna", "rna", tuple("abcd"), _values(rng, 4)),
        Block("protein", "protein", tuple("abcd"), _values(rng, 4)),
        Block("graph", "graph", ("log_degree",), _values(rng, 1)),
    ]
    pathways = pd.MultiIndex.from_arrays(
        [["pathway"] * into.shape[0], [f"P{i}" for i in range(into.shape[0])]]
    )
    labels = np.zeros(GENES, np.int8)
    labels[rng.choice(GENES, 300, replace=False)] = 1
    table = pd.DataFrame(dict.fromkeys(GENE_COLUMNS, genes), index=genes)
    return TargetTask(
        graph=TargetGraph({GENE: table}, {}),
        genes=genes,
        blocks=tuple(blocks),
        wiring=Wiring(names, 1, direct, into, out, names, pd.DataFrame(), pathways),
        labels=labels,
        withheld=np.zeros(GENES, bool),
        folds=np.arange(GENES) % 2,
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


def _values(rng: np.random.Generator, d: int) -> np.ndarray:
    return np.clip(rng.normal(size=(GENES, d)), -3, 3).astype(np.float32)


def _distinct(ends: np.ndarray, width: int) -> tuple[np.ndarray, np.ndarray]:
    pair = np.unique(ends[0] * np.int64(width) + ends[1])
    return pair // width, pair % width


def _sets(
    rng: np.random.Generator, popularity: np.ndarray
) -> tuple[SparseOperator, SparseOperator]:
    sizes = np.exp(rng.uniform(np.log(4), np.log(200), SETS))
    group = rng.choice(SETS, size=MEMBERSHIPS, p=sizes / sizes.sum())
    pairs = np.stack([group, rng.choice(GENES, size=MEMBERSHIPS, p=popularity)])
    group, gene = _distinct(pairs, GENES)
    size = np.bincount(group, minlength=SETS)[group]
    back = 1 / np.sqrt(size)
    back = back / np.bincount(gene, weights=back, minlength=GENES)[gene]
    row = np.zeros(len(gene), int)
    return (
        build_operator(group, gene, 1 / size, (SETS, GENES), row),
        build_operator(gene, group, back, (GENES, SETS), row),
    )


def _no_sets() -> tuple[SparseOperator, SparseOperator]:
    none, bare = np.zeros(0, np.int64), np.zeros(0)
    return (
        build_operator(none, none, bare, (0, GENES), none),
        build_operator(none, none, bare, (0, 0), none),
    )
