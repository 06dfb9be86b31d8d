"""The demonstration: the starter graph and a simulated cohort with planted targets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.config import RunConfig, config_from
from aimwell.errors import RunError, some
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.models.ranking import NETWORK
from aimwell.pipeline.progress import Progress
from aimwell.pipeline.run import RunResult, hold, refuse_foreign, run
from aimwell.simulate import TRUTH, SimulationSettings, simulate_cohort, write_simulation

DEMO_SEED: Final = 1


@dataclass(frozen=True)
class DemoResult:
    """A finished demonstration.

    Attributes:
        run: The run folder.
        placed: One row per scorer: ``median_rank`` of the held-back targets and ``best_share``,
            that rank over the number of genes that were not given as known.
        found: Held-back targets with their rank by the network, best first.
        candidates: Number of genes that were not given as known.
    """

    run: RunResult
    placed: pd.DataFrame
    found: pd.DataFrame
    candidates: int


def run_demo(
    output: Path, *, seed: int = DEMO_SEED, jobs: int = 2, progress: Progress | None = None
) -> DemoResult:
    """Simulate a cohort on the starter graph, write its files, and run every stage on them.

    Args:
        output: Run folder; the simulated files go beside it, to a folder with ``-data`` added.
        seed: Of the cohort and of the run.
        jobs: Number of processes.
        progress: Told what is going on.

    Raises:
        RunError: One of the folders holds something else or cannot be written to, or another run
            is working there.
    """
    refuse_foreign(output)
    data = output.parent / f"{output.name}-data"
    _refuse_other_files(data)
    graph = read_starter_graph()
    cohort = simulate_cohort(graph, SimulationSettings(), seed=seed)
    planted = cohort.truth.index[cohort.truth["planted"]]
    truth = pd.DataFrame(
        {
            "gene": planted,
            "symbol": graph.symbols.reindex(planted).to_numpy(),
            "held_back": ~cohort.truth.loc[planted, "given"].to_numpy(),
        }
    )
    config = demo_config(data, output, seed=seed, jobs=jobs)
    with hold(output):  # another demonstration that works here must keep its files
        try:
            write_simulation(cohort, data, graph.symbols)
        except (FileNotFoundError, NotADirectoryError, PermissionError) as error:
            raise RunError(
                f"cannot write to '{data}': {error.strerror}; name another folder with --output"
            ) from error
        result = run(config, progress=progress, planted=truth)
    placed, found, candidates = place(result.targets(), cohort.given, cohort.held_back)
    return DemoResult(result, placed, found, candidates)


def _refuse_other_files(data: Path) -> None:
    """Refuse to write simulated files over those of somebody else."""
    if data.exists() and not data.is_dir():
        raise RunError(f"'{data}' is a file, and simulated files go there; name another --output")
    inside = sorted(p.name for p in data.iterdir() if p.name[0] != ".") if data.exists() else []
    if inside and TRUTH not in inside:
        raise RunError(
            f"'{data}' holds {some(inside)}, which no demonstration wrote, and simulated files go "
            "there; name another --output"
        )


def demo_config(data: Path, output: Path, *, seed: int, jobs: int) -> RunConfig:
    """Give the run file of the demonstration."""
    contrast = {
        "condition": "condition",
        "case": "case",
        "control": "control",
        "subject": "subject",
        "batch": "batch",
    }
    return config_from(
        {
            "run": {
                "title": "Demonstration: a simulated cohort with planted targets",
                "output": str(output),
                "data": str(data),
                "seed": seed,
                "jobs": jobs,
                "device": "cpu",  # seconds of work, and the same bytes on every machine
            },
            "graph": {"preset": "starter"},
            "cohort": {
                "sheet": {"path": "samples.tsv", "licence": "simulated"},
                "matrices": [
                    {
                        "path": "rna_counts.tsv",
                        "layer": "rna",
                        "kind": "rna",
                        "unit": "counts",
                        "subject_pattern": "^(.*)_",
                        "licence": "simulated",
                    },
                    {
                        "path": "protein_log2_ratio.tsv",
                        "layer": "protein",
                        "kind": "protein",
                        "unit": "log2_ratio",
                        "subject_pattern": "^(.*)_",
                        "licence": "simulated",
                    },
                ],
            },
            "contrasts": [
                {"name": f"{layer}_case_vs_control", "layer": layer, **contrast}
                for layer in ("rna", "protein")
            ],
            "known_targets": {
                "sources": [
                    {
                        "reader": "genes",
                        "path": "known_targets.txt",
                        "disease": "simulated",
                        "licence": "simulated",
                    }
                ]
            },
        },
        where="the demonstration",
    )


def place(
    targets: pd.DataFrame, given: pd.Index, held_back: pd.Index
) -> tuple[pd.DataFrame, pd.DataFrame, int]:
    """Rank the held-back targets among all genes that were not given, by every scorer.

    Returns:
        Median rank per scorer, the held-back targets with their ranks, and how many genes there
        are to rank.
    """
    table = targets.set_index("hgnc_id")
    rest = table.drop(index=given)
    scorers = {NETWORK: rest["score"]} | {
        c.removeprefix("ladder_"): rest[c] for c in rest.columns if c.startswith("ladder_")
    }
    ranks = pd.DataFrame(
        {n: s.rank(ascending=False, method="average") for n, s in scorers.items()}
    ).loc[held_back]
    median = ranks.median()
    placed = pd.DataFrame({"median_rank": median, "best_share": median / len(rest)})
    found = pd.DataFrame({"symbol": rest.loc[held_back, "symbol"], "rank": ranks[NETWORK]})
    return placed, found.sort_values(["rank", "symbol"]), len(rest)
