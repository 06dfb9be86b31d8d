"""Cohorts with planted truth: a perturbation of chosen targets spreads through a graph.

The targets change in activity far more than in abundance, as drug targets do, so that their own
differential statistic is unremarkable and their surroundings give them away. Nothing here knows
of any model: the difficulty is set by ``SimulationSettings`` and measured against the ranking by
differential statistics alone.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import scipy.sparse as sp

from aimwell.errors import GraphError
from aimwell.knowledge.graph import TargetGraph
from aimwell.provenance import write_atomically

#: The file with what was planted; a folder that has it was written by a simulation.
TRUTH: Final = "truth.tsv"
SIGNS: Final = {"activates": 1.0, "induces": 1.0, "inhibits": -1.0, "represses": -1.0}


@dataclass(frozen=True)
class SimulationSettings:
    """How large, how strong and how noisy a simulated cohort is.

    Attributes:
        subjects: Each gives one control and one case sample.
        targets: Planted targets; ``known_share`` of them is given to the model.
        least_out: A target has at least this many outgoing edges.
        effect: log2 fold change of a gene with unit activity.
        own_share: Share of its activity that a target shows in its own abundance.
        decay: Share of activity that an edge hands on; ``reach`` is the number of edges.
        pathway_shift: Activity that a target gives to each member of its sets.
        passenger_share, passenger_effect: Genes that change for reasons outside the graph.
        silent_hubs: Share of best-connected genes that carry no signal at all.
        discordant_share: Share of genes whose protein does not follow the RNA.
        one_layer_share: Share of genes measured in one layer only, half of them in each.
        compression: Slope of protein log ratios against the truth, as in isobaric labelling.
        missing_rate: Share of protein values that are missing, the faintest first.
        subject_sd, batch_sd, noise_sd: Spread of random effects, in log2 units.
        planted: False simulates a cohort in which nothing happens.
    """

    subjects: int = 20
    targets: int = 20
    least_out: int = 3
    known_share: float = 0.5
    effect: float = 4.0
    own_share: float = 0.15
    decay: float = 0.25
    reach: int = 2
    pathway_shift: float = 0.03
    passenger_share: float = 0.1
    passenger_effect: float = 0.6
    silent_hubs: float = 0.03
    discordant_share: float = 0.1
    one_layer_share: float = 0.15
    compression: float = 0.6
    missing_rate: float = 0.15
    subject_sd: float = 0.4
    batch_sd: float = 0.3
    noise_sd: float = 0.4
    planted: bool = True


@dataclass(frozen=True)
class SimulatedCohort:
    """Data as they would be measured, and the truth beside them.

    Attributes:
        rna: Counts, samples × HGNC ids.
        protein: log2 ratios, samples × HGNC ids, NaN where missing.
        samples: Sheet with ``subject``, ``condition`` (case, control) and ``batch``.
        truth: One row per gene: ``planted``, ``given`` (a planted target that the model may know),
            ``activity``, ``rna_effect``, ``protein_effect``, ``distance`` (edges from the nearest
            target, -1 if untouched), ``passenger``, ``silent_hub``, ``discordant``.
        cascade: Edges that carried the perturbation: ``source_id``, ``target_id``, ``relation``.
    """

    rna: pd.DataFrame
    protein: pd.DataFrame
    samples: pd.DataFrame
    truth: pd.DataFrame
    cascade: pd.DataFrame

    @property
    def given(self) -> pd.Index:
        """Planted targets that may be used as known targets."""
        return self.truth.index[self.truth["given"]]

    @property
    def held_back(self) -> pd.Index:
        """Planted targets to be found."""
        return self.truth.index[self.truth["planted"] & ~self.truth["given"]]


def simulate_cohort(
    graph: TargetGraph, settings: SimulationSettings = SimulationSettings(), *, seed: int
) -> SimulatedCohort:
    """Plant targets in a graph and measure what they do to case samples.

    Args:
        graph: Any graph with edges between genes. Directed signed relations carry activity along
            their direction; an undirected relation carries it, weakened by degree, only where a
            graph has no directed one.
        settings: Size, strength and noise.
        seed: Fixes every draw; the same seed and graph give the same cohort.

    Raises:
        GraphError: Too few genes have the outgoing edges that a target needs.
    """
    rng = np.random.default_rng(seed)
    genes = pd.Index(sorted(graph.genes), name="hgnc_id")
    wiring, edges = _wiring(graph, genes)
    truth = _plant(graph, genes, wiring, settings, rng)
    activity, distance = _spread(graph, genes, wiring, truth, settings, rng)
    truth["activity"], truth["distance"] = activity, distance
    _effects(truth, settings, rng)
    reached = (distance[edges["source"]] >= 0) & (distance[edges["source"]] < settings.reach)
    reached &= distance[edges["target"]] == distance[edges["source"]] + 1
    cascade = edges.loc[reached, ["source_id", "target_id", "relation"]].reset_index(drop=True)
    samples = _samples(settings, rng)
    rna, protein = _measure(truth, samples, settings, rng)
    return SimulatedCohort(rna, protein, samples, truth, cascade)


def write_simulation(cohort: SimulatedCohort, folder: Path, symbols: "pd.Series[str]") -> None:
    """Write the cohort as a user would bring it, and the truth in files of its own.

    Writes ``rna_counts.tsv``, ``protein_log2_ratio.tsv`` (genes in rows, named by symbol),
    ``samples.tsv``, ``known_targets.txt``, and ``truth.tsv``, ``truth_edges.tsv``.
    """
    truth = cohort.truth.assign(symbol=symbols.reindex(cohort.truth.index))
    _write_table(folder / TRUTH, truth)  # first: it tells whose folder this is
    matrices = {"rna_counts.tsv": cohort.rna, "protein_log2_ratio.tsv": cohort.protein}
    for name, values in matrices.items():
        table = values.T.set_axis(symbols.reindex(values.columns), axis=0).rename_axis("gene")
        _write_table(folder / name, table)
    _write_table(folder / "samples.tsv", cohort.samples.rename_axis("sample"))
    _write_table(folder / "truth_edges.tsv", cohort.cascade.set_index("source_id"))
    with write_atomically(folder / "known_targets.txt") as temporary:
        temporary.write_text("".join(f"{s}\n" for s in symbols.reindex(cohort.given)))


def _write_table(path: Path, table: pd.DataFrame) -> None:
    with write_atomically(path) as temporary:
        table.to_csv(temporary, sep="\t", float_format="%.6g", na_rep="NA", lineterminator="\n")


def _wiring(graph: TargetGraph, genes: pd.Index) -> tuple[sp.csr_matrix, pd.DataFrame]:
    """Build the signed matrix that hands activity on (target × source) and its list of edges."""
    signed = [r for r in graph.gene_relations() if r.name in SIGNS]
    frames = []
    for relation in signed or graph.gene_relations():
        edges = relation.edges[["source_id", "target_id"]].assign(relation=relation.name)
        edges["sign"] = SIGNS.get(relation.name, 1.0)
        frames.append(edges)
        if not relation.directed:
            swap = {"source_id": "target_id", "target_id": "source_id"}
            frames.append(edges.rename(columns=swap))
    if not frames:
        raise GraphError("a cohort cannot be simulated on a graph without edges between genes")
    every = pd.concat(frames, ignore_index=True)
    every = every.sort_values(["source_id", "target_id", "relation"], ignore_index=True)
    every["source"] = genes.get_indexer(pd.Index(every["source_id"]))
    every["target"] = genes.get_indexer(pd.Index(every["target_id"]))
    if signed:
        weight = every["sign"].to_numpy()
    else:
        out = np.bincount(every["source"], minlength=len(genes))
        weight = every["sign"].to_numpy() / np.sqrt(np.maximum(out[every["source"]] / 10, 1))
    shape = (len(genes), len(genes))
    matrix = sp.csr_matrix((weight, (every["target"], every["source"])), shape=shape)
    matrix.data = np.clip(matrix.data, -1, 1)
    return matrix, every


def _plant(
    graph: TargetGraph,
    genes: pd.Index,
    wiring: sp.csr_matrix,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> pd.DataFrame:
    degree = graph.degree().reindex(genes).to_numpy()
    limit = np.quantile(degree, 1 - settings.silent_hubs)
    truth = pd.DataFrame({"planted": False, "given": False}, index=genes)
    truth["silent_hub"] = degree > limit
    out = np.diff(wiring.tocsc().indptr)
    able = np.flatnonzero((out >= settings.least_out) & ~truth["silent_hub"].to_numpy())
    if len(able) < 2 * settings.targets:
        raise GraphError(
            f"{settings.targets} targets need {2 * settings.targets} genes with at least "
            f"{settings.least_out} outgoing edges; the graph has {len(able)}. Plant fewer targets"
        )
    chosen = rng.choice(able, settings.targets, replace=False)
    n_given = round(settings.known_share * settings.targets)
    truth.loc[genes[chosen], "planted"] = True
    truth.loc[genes[chosen[:n_given]], "given"] = True
    return truth


def _spread(
    graph: TargetGraph,
    genes: pd.Index,
    wiring: sp.csr_matrix,
    truth: pd.DataFrame,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    planted = truth["planted"].to_numpy()
    silent = truth["silent_hub"].to_numpy()
    start = np.where(planted, rng.choice([-1.0, 1.0], len(genes)), 0.0)
    distance = np.where(planted, 0, -1)
    if not settings.planted:
        return np.zeros(len(genes)), np.full(len(genes), -1)
    total, front = start.copy(), start.copy()
    for step in range(1, settings.reach + 1):
        front = np.clip(settings.decay * (wiring @ front), -1, 1)
        front[silent] = 0
        distance = np.where((distance < 0) & (front != 0), step, distance)
        total += front
    for relation in graph.set_relations():
        gene = genes.get_indexer(pd.Index(relation.edges["source_id"]))
        group = pd.factorize(relation.edges["target_id"], sort=True)[0]
        pull = np.bincount(group, weights=start[gene])[group]
        total += settings.pathway_shift * np.bincount(gene, weights=pull, minlength=len(genes))
    total[silent] = 0
    return np.clip(total, -1.5, 1.5), distance


def _effects(truth: pd.DataFrame, settings: SimulationSettings, rng: np.random.Generator) -> None:
    n = len(truth)
    shown = truth["activity"].to_numpy().copy()
    shown[truth["planted"].to_numpy()] *= settings.own_share
    draw = rng.random(n)
    truth["passenger"] = (draw < settings.passenger_share) & ~truth["silent_hub"]
    passenger = np.where(truth["passenger"], rng.normal(0, settings.passenger_effect, n), 0)
    if not settings.planted:
        passenger = np.zeros(n)
    shared = settings.effect * shown + passenger
    rna = shared * rng.lognormal(0, 0.3, n)
    protein = shared * rng.lognormal(0, 0.3, n)
    truth["discordant"] = rng.random(n) < settings.discordant_share
    # a discordant protein stays put or goes the other way
    protein = np.where(truth["discordant"], protein * rng.choice([0.0, -1.0], n), protein)
    truth["rna_effect"], truth["protein_effect"] = rna, protein


def _samples(settings: SimulationSettings, rng: np.random.Generator) -> pd.DataFrame:
    subject = np.repeat([f"P{i + 1:03d}" for i in range(settings.subjects)], 2)
    condition = np.tile(["control", "case"], settings.subjects)
    batch = np.where(rng.permutation(2 * settings.subjects) % 2, "B1", "B2")
    index = [f"{s}_{c}" for s, c in zip(subject, condition, strict=True)]
    sheet = {"subject": subject, "condition": condition, "batch": batch}
    return pd.DataFrame(sheet, index=pd.Index(index, name="sample")).sort_index()


def _measure(
    truth: pd.DataFrame,
    samples: pd.DataFrame,
    settings: SimulationSettings,
    rng: np.random.Generator,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    case = (samples["condition"] == "case").to_numpy()[:, None]
    subject = pd.factorize(samples["subject"])[0]
    second = (samples["batch"] == "B2").to_numpy()[:, None]
    n, m = len(truth), len(samples)

    def background() -> np.ndarray:
        person = rng.normal(0, settings.subject_sd, (settings.subjects, n))[subject]
        batch = rng.normal(0, settings.batch_sd, n)
        return person + second * batch + rng.normal(0, settings.noise_sd, (m, n))

    level = rng.normal(8.5, 1.8, n)
    depth = rng.lognormal(0, 0.25, (m, 1))
    mean = depth * 2 ** (level + case * truth["rna_effect"].to_numpy() + background())
    counts = rng.negative_binomial(20, 20 / (20 + mean)).astype(float)
    values = settings.compression * case * truth["protein_effect"].to_numpy() + background()
    abundance = level + rng.normal(0, 1.0, n)
    fainter = -abundance + 0.5 * rng.normal(size=(m, n)) - 0.3 * values
    values[fainter > np.quantile(fainter, 1 - settings.missing_rate)] = np.nan
    draw = rng.random(n)
    has_rna = draw >= settings.one_layer_share / 2
    has_protein = (draw < settings.one_layer_share / 2) | (draw >= settings.one_layer_share)
    has_protein &= ~np.isnan(values).all(axis=0)
    rna = pd.DataFrame(counts, index=samples.index, columns=truth.index)
    protein = pd.DataFrame(values, index=samples.index, columns=truth.index)
    return rna.loc[:, has_rna], protein.loc[:, has_protein]
