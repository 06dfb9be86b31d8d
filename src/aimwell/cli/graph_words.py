"""What the commands of graphs tell a reader on the terminal, and the same facts for machines."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aimwell.cli.words import print_table, tell_graph
from aimwell.provenance import to_plain

if TYPE_CHECKING:
    from aimwell.knowledge.audit import LeakAudit
    from aimwell.knowledge.survey import GraphSurvey

TOP: Final = 10


def survey_facts(survey: "GraphSurvey") -> dict[str, Any]:
    """Give a survey as plain facts, tables as lists of rows."""
    listed = survey.listed
    facts: dict[str, Any] = to_plain(
        {
            "summary": survey.summary,
            "relations": survey.relations.rename_axis("relation"),
            "degrees": {
                name or "all together": {str(k): int(v) for k, v in counts.items()}
                for name, counts in survey.degrees.items()
            },
            "components": {str(k): int(v) for k, v in survey.components.items()},
            "unconnected": survey.unconnected,
            "sources": survey.sources.rename_axis("source"),
            "overlap": survey.overlap.to_dict("records"),
            "hubs": survey.hubs.rename_axis("gene"),
            "genome": survey.genome,
            "covered": survey.covered.rename_axis("edge"),
            "listed": None
            if listed is None
            else {
                "names": listed.names,
                "inside": listed.inside,
                "outside": listed.outside.to_dict("records"),
            },
            "steps": survey.steps,
        }
    )
    return facts


def tell_survey(survey: "GraphSurvey") -> None:
    """Print a graph from every side."""
    tell_graph(survey.summary)
    tell_degrees(survey)
    _tell_coverage(survey)
    print()
    sources = survey.sources[survey.sources["edges"] > 0]
    print_table(
        "Who may use it, and what each source gives",
        ("source", "licence", "commercial", "edges", "it alone has", "pairs", "genes"),
        (
            (
                name,
                row["licence"],
                row["commercial"],
                *(f"{row[c]:,}" for c in ("edges", "alone", "pairs", "genes")),
            )
            for name, row in sources.iterrows()
        ),
    )
    _tell_overlap(survey)


def tell_degrees(survey: "GraphSurvey") -> None:
    """Print components, and the genes with the most neighbours."""
    print()
    print_table(
        "Connected components, over relations between genes",
        ("genes", "components"),
        ((f"{size:,}", f"{count:,}") for size, count in list(survey.components.items())[:TOP]),
    )
    print()
    print_table(
        "Largest hubs",
        ("gene", "neighbours", "of all genes", "sets"),
        (
            (row["symbol"], f"{row['neighbours']:,}", f"{row['share']:.1%}", f"{row['sets']:,}")
            for _, row in survey.hubs.head(TOP).iterrows()
        ),
    )


def _tell_coverage(survey: "GraphSurvey") -> None:
    listed = survey.listed
    columns = ["edge", "genes", "of the genome"]
    columns += ["of the list", "share"] if listed else []
    rows = []
    for name, row in survey.covered.iterrows():
        cells = [name, f"{row['genes']:,}", f"{row['genes'] / max(survey.genome, 1):.1%}"]
        if listed:
            cells += [f"{row['listed']:,}", f"{row['listed'] / max(listed.names, 1):.1%}"]
        rows.append(cells)
    print()
    print_table("Genes with an edge", columns, rows)
    if listed and len(listed.outside):
        print()
        print_table(
            f"{len(listed.outside):,} of {listed.names:,} names of the list are not in the graph",
            ("name", "symbol", "why"),
            listed.outside.head(TOP).itertuples(index=False),
        )


def _tell_overlap(survey: "GraphSurvey") -> None:
    shared = survey.overlap[survey.overlap["shared_pairs"] > 0]
    shared = shared.sort_values("jaccard_pairs", ascending=False, kind="stable").head(TOP)
    if shared.empty:
        return
    print()
    print_table(
        "Sources that share most pairs of genes",
        ("source", "and", "shared pairs", "of all that either has"),
        (
            (row["first"], row["second"], f"{row['shared_pairs']:,}", f"{row['jaccard_pairs']:.1%}")
            for _, row in shared.iterrows()
        ),
    )


def audit_facts(audit: "LeakAudit") -> dict[str, Any]:
    """Give an audit as plain facts; every single edge is in it."""
    facts: dict[str, Any] = to_plain(
        {
            "allowed": audit.allowed,
            "known_targets": audit.known.genes,
            "leaks": audit.leaks.to_dict("records"),
            "edges": audit.edges.to_dict("records"),
        }
    )
    return facts


def tell_audit(audit: "LeakAudit", edges: Path | None) -> None:
    """Print every leak, and what becomes of it."""
    print()
    if audit.leaks.empty:
        print(f"Nothing in the graph encodes the {len(audit.known.genes)} known targets.")
        return
    print(f"What encodes the {len(audit.known.genes)} known targets:")
    for (state, why), rows in audit.leaks.groupby(["state", "why"]):
        print()
        print_table(
            f"{state}: {why}",
            ("kind", "name", "relation", "sources", "edges", "known targets"),
            (
                (
                    *(row[c] for c in ("kind", "name", "relation")),
                    row["sources"].replace("|", ", "),
                    f"{row['edges']:,}",
                    row["known_targets"],
                )
                for _, row in rows.iterrows()
            ),
        )
    count = f"{len(audit.edges):,} edges"
    if audit.allowed:
        print(f"\n{count} are kept, and every result says so (graph.allow_leak).")
    else:
        print(f"\n{count} are left out of a run; --allow-leak would keep and mark them.")
    print(f"Edges:   {edges.resolve()}" if edges else "One by one: --edges FILE")
