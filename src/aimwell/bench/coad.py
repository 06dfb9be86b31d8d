"""Bars of the colon cohort: speed, memory, repeatability, and how well known targets are found."""

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from aimwell.bench.bars import Bar, bar, measure_command
from aimwell.bench.repeats import shuffle_table
from aimwell.bench.viewer import viewer_bars
from aimwell.config import RunConfig, read_config
from aimwell.errors import ConfigError
from aimwell.models.accuracy import rank_correlation
from aimwell.pipeline.explain import EVERY_GENE
from aimwell.pipeline.keys import input_names
from aimwell.pipeline.run import RunResult, run
from aimwell.trust.tiers import SUPPORTED_SHARE

EXAMPLE = Path(__file__).parents[3] / "examples" / "coad" / "coad.toml"


def measure(data: str) -> Iterator[Bar]:
    """Run ``examples/coad/coad.toml`` from raw files, again, and with every input shuffled."""
    if not data:
        raise ConfigError("the colon cohort needs the folder of its public files: --data DIR")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        call = ("run", str(EXAMPLE), "--data", data, "--output", f"{folder}/coad")
        first = measure_command(*call)
        yield bar("coad: wall time from raw files, two processes", first.seconds, "s", "<= 600")
        yield bar("coad: peak memory of the largest process", first.gigabytes, "GB", "< 6")
        again = measure_command(*call)
        yield bar("coad: second call", again.seconds, "s", "<= 10")
        done = RunResult(folder / "coad", reused=True)
        yield from _result(done)
        size = done.page.stat().st_size / 1e6
        yield bar("coad: size of the page", size, "MB", "<= 15")
        yield from viewer_bars(folder / "coad")
        yield from _every_gene(folder / "coad")
        yield _repeat(read_config(EXAMPLE, data=data), done, folder)
        yield from _without_degree(read_config(EXAMPLE, data=data), done, folder)


def _every_gene(folder: Path) -> Iterator[Bar]:
    """Explain every gene with its subgraph, by the command that users have."""
    every = measure_command("explain", str(folder), "--all", "--jobs", "2")
    name = "coad: every gene explained with its subgraph, two processes"
    yield bar(f"{name}: wall time", every.seconds, "s", "<= 480")
    yield bar(f"{name}: processor time", every.cpu, "s")
    yield bar(f"{name}: peak memory of the largest process", every.gigabytes, "GB", "< 4")
    genes = pd.read_csv(folder / "explanations" / EVERY_GENE, sep="\t")
    ranked = pd.read_csv(folder / "targets.tsv", sep="\t", usecols=["hgnc_id"])
    share = float(genes["hgnc_id"].isin(ranked["hgnc_id"]).sum() / len(ranked))
    yield bar(f"{name}: share of the ranked genes", share, "", "== 1")


def _result(done: RunResult) -> Iterator[Bar]:
    checks = done.checks()
    ladder = pd.DataFrame(checks["ladder"]).set_index("index")
    for name in ladder.index:
        for metric in ("average_precision", "auroc", "recall_at_100"):
            value = float(ladder.loc[[name], metric].iloc[0])
            yield bar(f"coad: known targets out of fold, {metric}, {name}", value)
    best = ladder["average_precision"].drop("network").max()
    lead = ladder["average_precision"]["network"] - best
    yield bar("coad: average precision, lead over the best baseline", float(lead), "", "> 0")
    kept_out = pd.DataFrame(checks["independent"])
    if len(kept_out):
        ranks = kept_out.filter(regex="^rank").median()
        for name, rank in ranks.items():
            yield bar(f"coad: check targets kept out of the run, median {name}", float(rank))
    for check in checks["checks"]:
        if check["name"] == "completeness_of_attributions":
            yield bar("coad: completeness error, median", check["value"], "of spread", "<= 0.01")
        if check["name"] in {"stands_on_one_family", "top_overlap: families"}:
            yield bar(f"coad: {check['name']}", check["value"], "", check["limit"])
    targets = done.targets()
    steady = targets[targets["rank_high"] <= SUPPORTED_SHARE * len(targets)]
    alone = steady["rank_without_family"] > SUPPORTED_SHARE * len(targets)
    what = "coad: genes that every network ranks in the best tenth"
    yield bar(what, float(len(steady)))
    yield bar(f"{what}, and that leave it without one family", float(alone.sum()))
    first = targets.iloc[0]
    if isinstance(first["decisive_family"], str):  # missing where it stands on none
        said = f"coad: rank of {first['symbol']}, the first, without {first['decisive_family']}"
        yield bar(said, float(first["rank_without_family"]))
    for tier, count in targets["tier"].value_counts().items():
        yield bar(f"coad: targets that are {tier} without an audit", float(count))


def _without_degree(config: RunConfig, first: RunResult, folder: Path) -> Iterator[Bar]:
    """Say what it gives and what it takes to keep degrees from the networks, in every way."""
    yield from _degree_bars("coad", first)
    settings = dataclasses.replace(config.run, output=str(folder / "corrected"))
    bare = dataclasses.replace(config.explain, top=0)
    for what, corrected, told in (
        ("degree correction", True, True),
        ("no degree feature", False, False),
        ("degree correction, no degree feature", True, False),
    ):
        model = dataclasses.replace(config.model, degree_correction=corrected, degree_feature=told)
        done = run(dataclasses.replace(config, run=settings, model=model, explain=bare))
        yield from _degree_bars(f"coad, {what}", done)


def _degree_bars(what: str, done: RunResult) -> Iterator[Bar]:
    checks = done.checks()
    ladder = pd.DataFrame(checks["ladder"]).set_index("index")
    for metric in ("average_precision", "auroc", "recall_at_100"):
        yield bar(f"{what}: {metric} of the network", float(ladder[metric]["network"]))
    kept_out = pd.DataFrame(checks["independent"])
    columns = ["hgnc_id", "score", "degree", "is_known"]
    table = pd.read_csv(done.folder / "targets.tsv", sep="\t", usecols=columns)
    if len(kept_out):
        yield bar(f"{what}: median rank of check targets", float(kept_out["rank"].median()))
        table = table[~table["hgnc_id"].isin(kept_out["gene"])]
    free = table[~table["is_known"]]
    rho = rank_correlation(free["score"].to_numpy(), free["degree"].to_numpy(float))
    yield bar(f"{what}: rank correlation of score and degree, unlabelled", rho, "", "<= 0.5")


def _repeat(config: RunConfig, first: RunResult, folder: Path) -> Bar:
    """Shuffle the rows of every input, and the columns of matrices, and use one process."""
    matrices = {m.path for m in config.cohort.matrices} | {config.cohort.sheet.path}
    for name in input_names(config):
        shuffle_table(config.path(name), folder / "mixed" / name, columns=name in matrices)
    settings = dataclasses.replace(
        config.run, data=str(folder / "mixed"), output=str(folder / "again"), jobs=1
    )
    # the ranked table does not depend on explanations, so none are made
    bare = dataclasses.replace(config.explain, top=0)
    second = run(dataclasses.replace(config, run=settings, explain=bare))
    tables = [(r.folder / "targets.tsv").read_bytes() for r in (first, second)]
    same = tables[0] == tables[1]
    return bar(
        "repeat: coad: shuffled inputs and one process: targets.tsv byte-identical",
        float(same),
        "",
        "== 1",
    )
