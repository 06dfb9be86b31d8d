"""How well the edges of a planted cascade stand out among the edges that can carry a score."""

from typing import Final

import numpy as np
import pandas as pd
import scipy.sparse as sp
import torch
from sklearn.metrics import roc_auc_score

from aimwell.bench.demo import evidence_of
from aimwell.config import ExplainSettings, ModelSettings
from aimwell.explain.attribution import Attribution, SharedPath
from aimwell.explain.baselines import network_inputs
from aimwell.explain.faithfulness import neighbours, pagerank
from aimwell.explain.tables import Tables
from aimwell.knowledge.labels import KnownTargets
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.fitting import fit_member
from aimwell.models.member import Member, Unit
from aimwell.models.task import TargetTask, build_task
from aimwell.models.training import load_network
from aimwell.simulate import SimulatedCohort, simulate_cohort

#: Networks per fold: of the ensemble that is explained, as many as a run has, and of the one with
#: attention.
SEEDS, LOOKING = ModelSettings().seeds, 2
REACH: Final = 2
#: Which end of an edge listens: that which it leaves, or either.
UPSTREAM, BOTH = (0,), (0, 1)


def planted_edges(seed: int) -> pd.DataFrame:
    """Score the edges around the held-back targets of one simulated cohort in four ways.

    The edges are all those that two layers can read for the target; the true ones are those of the
    cascade that begins at it. Only targets whose cascade has at least three edges are asked for.

    Args:
        seed: Of the cohort and of the networks.

    A perturbation runs down from its target, and what it did is read the other way: by the gene at
    the beginning of an edge from the one at its end. So there are further scorers that leave out
    what a gene hears from those that act on it, ``attribution read upstream`` and ``attention read
    upstream``, and a PageRank that walks down from the target, ``pagerank downstream``.

    Returns:
        One row per target and scorer: ``seed``, ``gene``, ``scorer``, ``auroc``, ``precision``
        among as many edges as the cascade has, and ``downstream``, the same precision where only
        edges that leave the target, or a gene that it acts on, are to choose from.
    """
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, seed=seed)
    known = pd.DataFrame({"gene": cohort.given}).assign(
        disease="simulated", source="simulated", date="", strength=1.0, detail=""
    )
    task = build_task(graph, evidence_of(cohort, seed), KnownTargets(known), folds=5, seed=seed)
    tables = Tables(task)
    rows = []
    for fold in np.unique(task.folds):
        targets = [
            g for g in cohort.held_back if task.folds[task.positions(pd.Index([g]))[0]] == fold
        ]
        if not targets:
            continue
        plain = _fit(task, int(fold), ModelSettings(), SEEDS, seed)
        looking = _fit(task, int(fold), ModelSettings(convolution="attention"), LOOKING, seed)
        path = SharedPath(task, plain, steps=ExplainSettings().steps)
        attention = [_attention(task, m) for m in looking]
        for gene in targets:
            rows += _score(task, tables, cohort, gene, path, attention)
    return pd.DataFrame(rows).assign(seed=seed)


def _fit(
    task: TargetTask, fold: int, settings: ModelSettings, number: int, seed: int
) -> list[Member]:
    return [fit_member(task, Unit(fold, r), settings, seed) for r in range(number)]


def _score(
    task: TargetTask,
    tables: Tables,
    cohort: SimulatedCohort,
    gene: str,
    path: SharedPath,
    attention: list[list[sp.csr_matrix]],
) -> list[dict[str, object]]:
    target = int(task.positions(pd.Index([gene]))[0])
    part = path.attribute(target)
    rows, values = tables.edge_values(part)
    between = (tables.ends[:, rows] < tables.n).all(axis=0)  # a cascade runs along genes
    rows, values = rows[between], values[between]
    upstream = read_upstream(task, tables, part)[rows]
    true = _cascade(task, cohort, gene, rows)
    if true.sum() < 3 or true.all():
        return []
    ends = tables.ends[:, rows]
    links = neighbours(task)
    degree = np.diff(links.indptr)
    rank = pagerank(links, target)
    walked = pagerank(_downstream(tables), target)
    acted_on = ends[1, ends[0] == target]
    below = (ends[0] == target) | np.isin(ends[0], acted_on)
    scores = {
        # the cascade raises some scores and lowers others: what counts is how much an edge carries
        "attribution": np.abs(values),
        "attribution read upstream": np.abs(upstream),
        "degree": np.log(degree[ends[0]] * degree[ends[1]]),
        "pagerank": rank[ends[0]] + rank[ends[1]],
        "pagerank downstream": walked[ends[0]] + walked[ends[1]],
        "attention": np.mean([_looked_at(a, target, ends, BOTH) for a in attention], axis=0),
        "attention read upstream": np.mean(
            [_looked_at(a, target, ends, UPSTREAM) for a in attention], axis=0
        ),
    }
    found = []
    for name, score in scores.items():
        # ties are broken at random, not by the order of the edges
        order = np.lexsort((np.random.default_rng(target).random(len(score)), -score))
        size = int(true.sum())
        top, near = order[:size], order[below[order]][:size]
        found.append(
            {
                "gene": gene,
                "scorer": name,
                "auroc": float(roc_auc_score(true, score)),
                "precision": float(true[top].mean()),
                "downstream": float(true[near].sum() / size),
                "edges": len(rows),
                "true": size,
            }
        )
    return found


def read_upstream(task: TargetTask, tables: Tables, part: Attribution) -> np.ndarray:
    """Give what every edge carries against its direction, to the gene that it leaves."""
    direct = task.wiring.direct
    arcs, position = part.arcs[0], part.positions[0]
    rows = np.repeat(np.arange(direct.shape[0]), np.diff(direct.row_start.numpy()))[position]
    edge = direct.edge[position]
    against = rows % tables.n == tables.ends[0, edge]
    return np.bincount(edge[against], arcs[against], minlength=tables.n_edges)


def _cascade(task: TargetTask, cohort: SimulatedCohort, gene: str, rows: np.ndarray) -> np.ndarray:
    """Which edges carried what began at one target."""
    reached, kept = {gene}, set()
    cascade = list(cohort.cascade.itertuples(index=False, name=None))
    for _ in range(REACH):
        steps = [edge for edge in cascade if edge[0] in reached]
        kept |= set(steps)
        reached |= {edge[1] for edge in steps}
    edges = task.wiring.edges.iloc[rows][["source_id", "target_id", "relation"]]
    return np.array([edge in kept for edge in edges.itertuples(index=False, name=None)])


def _attention(task: TargetTask, member: Member) -> list[sp.csr_matrix]:
    """Weights by which a gene listens to its neighbours, per layer, channels joined."""
    network = load_network(task, member)
    direct, n = task.wiring.direct, len(task.genes)
    weights = [o.weight for o in task.wiring.operators]
    state = network.encode([torch.from_numpy(b).float() for b in network_inputs(task, member)])
    found = []
    with torch.no_grad():
        for layer, norm in enumerate(network.norms):
            arcs = list(weights)
            arcs[0] = network._weigh(state, arcs[0], direct, network.attention[layer])
            row = np.repeat(np.arange(direct.shape[0]), np.diff(direct.row_start.numpy())) % n
            listens = (arcs[0].numpy(), (row, direct.column.numpy()))
            found.append(sp.csr_matrix(listens, shape=(n, n)))
            through = network.through[layer]
            messages = network._messages(state, arcs, task.wiring.operators, through)
            state = torch.relu(norm(torch.addmm(state @ network.own[layer], *messages)))
    return found


def _looked_at(
    layers: list[sp.csr_matrix], target: int, ends: np.ndarray, listening: tuple[int, ...]
) -> np.ndarray:
    """Attention that reaches the target through an edge, in one step or two."""
    first, last = layers
    onto = last[[target]].toarray()[0]
    total = np.zeros(ends.shape[1])
    for end in listening:
        to, of = ends[end], ends[1 - end]
        total += np.where(to == target, onto[of], 0)
        total += onto[to] * np.asarray(first[to, of]).ravel()
    return total


def _downstream(tables: Tables) -> sp.csr_matrix:
    """Give the edges between genes in their direction, as a matrix over all nodes."""
    size = len(tables.ids)
    source, target = tables.ends[:, (tables.ends < tables.n).all(axis=0)]
    links = sp.coo_matrix((np.ones(len(source)), (source, target)), shape=(size, size)).tocsr()
    links.data[:] = 1
    return links
