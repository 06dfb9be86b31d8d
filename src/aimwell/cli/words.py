"""What commands tell a reader on the terminal, and the same facts for machines."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pandas as pd
from rich.console import Console
from rich.table import Table

from aimwell.provenance import Step, to_plain

if TYPE_CHECKING:  # a reused run answers without loading what would compute it
    from aimwell.bench import Bar
    from aimwell.cohorts.check import CohortCheck
    from aimwell.explain.explanation import Explanation
    from aimwell.knowledge.catalog import Entry
    from aimwell.knowledge.fetch import Fetched
    from aimwell.knowledge.summary import GraphSummary
    from aimwell.pipeline.demo import DemoResult
    from aimwell.pipeline.run import RunResult

TOP: Final = 10


def run_facts(result: "RunResult", seconds: float) -> dict[str, Any]:
    """Give a finished run as plain facts."""
    targets = result.targets()
    columns = ["rank", "symbol", "hgnc_id", "score", "is_known"]
    checks = result.checks()
    return {
        "folder": result.folder,
        "page": result.page,
        "reused": result.reused,
        "seconds": round(seconds, 2),
        "genes": len(targets),
        "top": targets.head(TOP)[columns].to_dict("records"),
        "ladder": checks["ladder"],
        "recommendation": checks.get("recommendation"),
        "checks": checks["checks"],
    }


def demo_facts(result: "DemoResult", seconds: float) -> dict[str, Any]:
    """Give a finished demonstration as plain facts."""
    placed = result.placed.rename_axis("scorer").reset_index()
    return {
        **run_facts(result.run, seconds),
        "candidates": result.candidates,
        "held_back": placed.to_dict("records"),
        "found": result.found.to_dict("records"),
    }


def tell_run(result: "RunResult", seconds: float) -> None:
    """Print the best targets and where the page is."""
    targets = result.targets()
    print()
    hidden = "rank_without_family" in targets
    print_table(
        f"The best {min(TOP, len(targets))} of {len(targets):,} genes",
        (
            *("rank", "symbol", "score", "between", "known", "neighbours"),
            *(["rank without a family"] if hidden else []),
        ),
        (
            (
                row.rank,
                row.symbol,
                f"{row.score:.2f}",
                f"{row.rank_low}–{row.rank_high}",
                "yes" if row.is_known else "",
                row.degree,
                *([row.rank_without_family] if hidden else []),
            )
            for row in targets.head(TOP).itertuples()
        ),
    )
    for check in result.checks()["checks"]:
        if check["name"] == "leaks" and check["passed"] is False:
            print(f"\n{check['meaning']}")
    _tell_advice(result)
    _tell_place(result, seconds)


def tell_diseases(table: pd.DataFrame, folder: Path) -> None:
    """Print one row per disease, and why one could not be run."""
    print()
    print_table(
        f"{len(table)} diseases",
        ("disease", "known", "average precision", "best that are not known"),
        (
            (row["disease"], row["known"], f"{row['average_precision']:.3f}", row["best"][:60])
            if not row["code"]
            else (row["disease"], "", row["code"], row["problem"][:60])
            for row in table.to_dict("records")
        ),
    )
    print(f"\nSummary: {(folder / 'diseases.tsv').resolve()}")


def tell_demo(result: "DemoResult", seconds: float) -> None:
    """Print where the planted targets that were held back landed, against the ladder."""
    placed = result.placed.sort_values("median_rank", kind="stable")
    print()
    print_table(
        f"Median rank of {len(result.found)} planted targets that nobody was told, "
        f"among {result.candidates} genes",
        ("ranked by", "median rank", "best"),
        (
            (str(name).replace("_", " "), f"{row['median_rank']:g}", f"{row['best_share']:.1%}")
            for name, row in placed.iterrows()
        ),
    )
    named = ", ".join(
        f"{symbol} {rank:g}"
        for symbol, rank in zip(result.found["symbol"], result.found["rank"], strict=True)
    )
    print(f"\nRanks of the held-back targets by the network: {named}")
    _tell_advice(result.run)
    _tell_place(result.run, seconds)


def explanation_facts(explanation: "Explanation") -> dict[str, Any]:
    """Give an explanation as plain facts, with its subgraph and without the long tables."""
    facts: dict[str, Any] = to_plain(
        {
            "gene": explanation.gene,
            "symbol": explanation.symbol,
            "score": explanation.score,
            "baseline_score": explanation.baseline_score,
            "shares": explanation.shares,
            "spread": explanation.spread,
            "subgraph_nodes": explanation.subgraph_nodes,
            "sentence": explanation.sentence,
            "completeness_error": explanation.completeness_error,
        }
    )
    edges = explanation.subgraph_edges.to_dict("records")
    return {**facts, "subgraph_edges": to_plain(edges)}


def tell_explanations(explanations: Sequence["Explanation"], folder: Path) -> None:
    """Print what each score is made of and its sentence."""
    for explanation in explanations:
        print()
        print_table(
            f"{explanation.symbol}: {explanation.score:+.2f}, "
            f"from {explanation.baseline_score:+.2f} with nothing known",
            ("part of the score", "adds", "±"),
            (
                (name, f"{value:+.3f}", _number(explanation.spread.get(name), ".3f"))
                for name, value in explanation.shares.items()
            ),
        )
        print(explanation.sentence)
    print(f"\nFiles:  {(folder / 'explanations').resolve()}")


def tell_bench(bars: Sequence["Bar"]) -> None:
    """Print every bar with its limit."""
    verdict = {True: "met", False: "missed", None: ""}
    print()
    print_table(
        f"Measured on {bars[0].machine}" if bars else "Nothing was measured",
        ("bar", "value", "unit", "limit", ""),
        ((b.name, f"{b.value:.4g}", b.unit, b.limit, verdict[b.passed]) for b in bars),
    )


def tell_steps(steps: Iterable[Step]) -> None:
    """Print rows in and out of every step, and why rows were lost."""
    print_table(
        "What came in and what was kept",
        ("step", "in", "out", "why"),
        ((s.name, f"{s.rows_in:,}", f"{s.rows_out:,}", _why(s)) for s in steps),
    )


def tell_catalog(entries: "Iterable[Entry]") -> None:
    """Print what can be fetched, and who may use it."""
    print_table(
        "What can be fetched",
        ("name", "what", "release", "licence", "commercial", "by hand"),
        (
            (e.name, e.title, e.release, e.licence, e.commercial, "" if e.url else "yes")
            for e in entries
        ),
    )


def tell_fetched(files: "Sequence[Fetched]", folder: Path) -> None:
    """Print what lies in the folder now, and who may use it."""
    print()
    print_table(
        f"In {folder}",
        ("file", "state", "bytes", "sha256", "licence", "commercial"),
        (
            (
                f.path.name,
                f.state,
                f"{f.locked.bytes:,}",
                f"{f.locked.sha256[:12]}…",
                f.entry.licence,
                f.entry.commercial,
            )
            for f in files
        ),
    )


def tell_graph(summary: "GraphSummary") -> None:
    """Print a graph in numbers."""
    counts = [(f"{kind} nodes", f"{n:,}") for kind, n in summary.nodes.items()]
    counts += [(f"{name} edges", f"{n:,}") for name, n in summary.edges.items()]
    counts += [
        ("median neighbours of a gene", f"{summary.degree.get('0.5', 0):g}"),
        ("most neighbours of a gene", f"{summary.degree.get('1.0', 0):g}"),
        ("genes in the largest component", f"{summary.largest_component:,}"),
        ("genes in sets only", f"{len(summary.isolated):,}"),
    ]
    print()
    print_table("The graph", ("what", "count"), counts)
    print()
    print_table(
        "Sources",
        ("name", "release", "licence"),
        ((s.name, s.release, s.licence) for s in summary.sources),
    )


def tell_cohort(found: "CohortCheck", steps: Sequence[Step]) -> None:
    """Print files, layers, odd samples, contrasts and what was lost on the way."""
    tell_steps(step for step in steps if step.rows_in != step.rows_out or "warning" in step.why)
    print()
    for f in found.files:
        looks = f", looks like {f.looks_like}" if f.looks_like else ""
        print(
            f"{f.file}: {f.layer}, read as {f.reader}{looks}; {f.unit}, {f.samples:,} "
            f"samples and {f.features:,} features; missing means {f.missing_means}"
        )
    for layer, kinds in found.names.items():
        told = ", ".join(f"{n:,} {kind}" for kind, n in kinds.items())
        print(f"Names of {layer}: {told}")
    print()
    print_table(
        "Layers",
        ("layer", "unit", "looks like", "samples", "genes", "missing", "middle value"),
        (
            (a.name, a.unit, a.looks_like, a.samples, a.genes, f"{a.missing:.0%}", f"{a.median:g}")
            for a in found.layers
        ),
    )
    _tell_samples(found)
    print()
    print_table(
        "Contrasts",
        ("contrast", "case", "control", "pairs", "verdict"),
        ((c.name, c.n_case, c.n_control, c.n_pairs, c.verdict) for c in found.contrasts),
    )
    for contrast in found.contrasts:
        for line in (*([contrast.problem] if contrast.problem else []), *contrast.notes):
            print(f"{contrast.name}: {line}")
    for check in found.swaps:
        layers = f"{check.rna_layer} and {check.protein_layer}"
        print(f"Samples of {layers}: {check.verdict}, {check.why}")
        for swap in check.suspects:
            print(
                f"  RNA '{swap.rna}' looks like protein '{swap.looks_like}' ({swap.other:.1f} "
                f"standard deviations above strangers), not like '{swap.protein}' ({swap.own:.1f})"
            )


def _tell_samples(found: "CohortCheck") -> None:
    counts = ", ".join(f"{n} with {layers}" for layers, n in found.presence.subjects.items())
    if counts:
        print(f"Subjects: {found.presence.pattern} ({counts})")
    for odd in found.outliers:
        print(
            f"Outlier in {odd.layer}: '{odd.sample}' has {odd.measure} {odd.value:.3g}, the others "
            f"{odd.median:.3g} ({odd.distance:+.1f} robust standard deviations)"
        )
    for drift in found.drifts:
        told = "drifts" if drift.drifts else "is steady"
        print(
            f"{drift.layer} {told} over '{drift.column}': level {drift.level:+.2f} "
            f"(p {drift.level_p:.2g}), {drift.genes:.0%} of genes with a trend"
        )
        if drift.drifts:
            shares = ", ".join(f"{s:.0%} of it in '{n}'" for n, s in drift.condition.items())
            order = f"; between the arms lies {shares}" if shares else ""
            print(f"  name '{drift.column}' in covariates of its contrasts{order}")
    for sex in found.sexes:
        print(
            f"Sex by {', '.join(sex.genes)} in {sex.layer}: {sex.female} female, {sex.male} male, "
            f"{sex.unclear} unclear"
        )
        for sample, (stated, told) in sex.contradictions.items():
            print(f"  '{sample}' is {stated} in column '{sex.column}', and looks {told}")
        for subject in sex.subjects:
            print(f"  samples of subject '{subject}' look of different sex")


def _tell_advice(result: "RunResult") -> None:
    """Say which scorer to use, in the words of the page."""
    if advice := result.checks().get("recommendation"):
        print(f"\n{advice['sentence']}")


def _tell_place(result: "RunResult", seconds: float) -> None:
    how = "nothing had changed, so everything was reused" if result.reused else "done"
    print(f"\n{how[0].upper()}{how[1:]} in {seconds:.0f} s.")
    print(f"Page:    {result.page.resolve()}")
    print(f"Folder:  {result.folder.resolve()}")


def _why(step: Step) -> str:
    if step.rows_in == step.rows_out or not step.examples:
        return step.why
    return f"{step.why} ({', '.join(step.examples)})"


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a title; columns of numbers to the right."""
    console = Console(markup=False, highlight=False)
    console.print(title, style="bold")
    table = Table()
    cells = [[_text(value) for value in row] for row in rows]
    for number, column in enumerate(columns):
        numeric = bool(cells) and all(row[number].lstrip("+-−")[:1].isdigit() for row in cells)
        table.add_column(column, justify="right" if numeric else "left")
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA else str(value)


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)
