"""Files for other programs: the ranked table, and explanations as JSON, GraphML and CX2."""

import hashlib
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import networkx as nx
import numpy as np
import pandas as pd

from aimwell.cohorts.evidence import Evidence
from aimwell.errors import AlignmentError, InputError, some
from aimwell.explain.explanation import Explanation, Faithfulness, Subgraph
from aimwell.provenance import to_plain, write_atomically

if TYPE_CHECKING:  # the module of the ranking loads torch, which no page needs
    from aimwell.models.ranking import Ranking

FORMAT: Final = "aimwell-explanation-1"
_JSON: Final[dict[str, Any]] = {"indent": 1, "ensure_ascii": False, "allow_nan": False}
_TABLES: Final = ("nodes", "edges", "subgraph_edges")
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def targets_table(
    ranking: "Ranking",
    evidence: Evidence,
    drugs: Mapping[str, Sequence[str]] | None = None,
    trust: pd.DataFrame | None = None,
    drug_status: "pd.Series[str] | None" = None,
) -> pd.DataFrame:
    """Join ranking, evidence, drugs and ladder into one row per gene, best first.

    The columns of ``trust`` (tier, its reason, what an audit adds), indexed by gene, follow the
    degree.

    Returns:
        ``rank``, ``symbol``, ``hgnc_id``, scores and intervals, ``is_known``, ``fold``,
        ``degree``; ``<contrast>_effect``, ``_q`` and ``_z`` (missing where not observed),
        for proteins ``_detection``, ``_detection_q`` and ``_at_least``; ``discordance``,
        ``discordance_class``; ``drugs`` joined by ``|`` and ``drug_status``, where given;
        ``ladder_<scorer>``.

    Raises:
        AlignmentError: A ranked gene has no row in the evidence.
    """
    table = ranking.table
    bare = table.index.difference(evidence.genes)
    if len(bare):
        raise AlignmentError(f"{len(bare)} ranked genes have no row in the evidence: {some(bare)}")
    first = ["rank", "symbol"]
    rest = ["score", "score_low", "score_high", "rank_low", "rank_high"]
    rest += ["is_known", "fold", "degree"]
    frame = table[first].rename_axis(index=None)
    frame["hgnc_id"] = table.index
    frame[rest] = table[rest]
    if trust is not None:
        for column in trust.columns:
            frame[column] = trust[column].reindex(table.index)
    for name, block in evidence.blocks.items():
        for column in ("effect", "q", "z"):
            frame[f"{name}_{column}"] = block[column].reindex(table.index)
        if "detection" in block:
            for column in ("detection", "detection_q", "at_least"):
                frame[f"{name}_{column}"] = block[column].reindex(table.index)
    for column in ("discordance", "discordance_class"):
        if column in evidence.across.columns:
            frame[column] = evidence.across[column].reindex(table.index)
    given = drugs or {}
    frame["drugs"] = ["|".join(given.get(str(gene), ())) for gene in table.index]
    if drug_status is not None:
        frame["drug_status"] = drug_status.reindex(table.index).fillna("")
    for name in ranking.ladder.columns:
        frame[f"ladder_{name}"] = ranking.ladder[name]
    # equal ranks keep one order, whatever order the rows came in
    return frame.sort_values(["rank", "hgnc_id"]).reset_index(drop=True)


def write_targets(
    folder: Path,
    ranking: "Ranking",
    evidence: Evidence,
    drugs: Mapping[str, Sequence[str]] | None = None,
    *,
    drug_status: "pd.Series[str] | None" = None,
    stain: str = "",
    trust: pd.DataFrame | None = None,
) -> list[Path]:
    """Write ``targets.tsv`` (8 significant digits) and ``targets.parquet`` (full precision).

    Every row carries ``stain``, where there is one, in a column of this name.
    """
    frame = targets_table(ranking, evidence, drugs, trust, drug_status)
    if stain:
        frame["stain"] = stain
    text = io.StringIO()
    frame.to_csv(text, sep="\t", index=False, float_format="%.8g", lineterminator="\n")
    tsv, parquet = folder / "targets.tsv", folder / "targets.parquet"
    _write_text(tsv, text.getvalue().removesuffix("\n"))
    with write_atomically(parquet) as temporary:
        frame.to_parquet(temporary, index=False)
    return [tsv, parquet]


def write_explanation(folder: Path, explanation: Explanation) -> list[Path]:
    """Write ``SYMBOL.json`` (everything), ``SYMBOL.graphml`` and ``SYMBOL.cx2`` (the subgraph)."""
    stem = file_stem(explanation.symbol)
    paths = [folder / f"{stem}{suffix}" for suffix in (".json", ".graphml", ".cx2")]
    graph = subgraph_of(explanation)
    # keys stay in their order: it is the order in which shares and columns are read
    _write_text(paths[0], json.dumps(explanation_to_plain(explanation), **_JSON))
    with write_atomically(paths[1]) as temporary:
        nx.write_graphml(graph, temporary, encoding="utf-8")
    _write_text(paths[2], json.dumps(_cx2(graph), **_JSON))
    return paths


def _write_text(path: Path, text: str) -> None:
    with write_atomically(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def explanation_to_plain(explanation: Explanation) -> dict[str, Any]:
    """Turn an explanation into plain values; tables become columns, missing numbers null."""
    plain: dict[str, Any] = {"format": FORMAT}
    for name in explanation.__dataclass_fields__:
        value = getattr(explanation, name)
        if name in _TABLES:
            plain[name] = _columns(value)
        elif name == "subgraphs":
            plain[name] = [
                {"nodes": list(s.nodes), "edges": _columns(s.edges), "share": s.share}
                | {"sign": s.sign}
                for s in value
            ]
        else:
            plain[name] = to_plain(value)
    plain["nodes"] = {"id": [str(i) for i in explanation.nodes.index], **plain["nodes"]}
    return plain


def _columns(table: pd.DataFrame) -> dict[str, list[Any]]:
    return {str(c): to_plain(table[c]) for c in table.columns}


def explanation_from_json(text: str, where: str = "explanation") -> Explanation:
    """Read back what ``write_explanation`` wrote as JSON.

    Raises:
        InputError: Not JSON, or not an explanation of this format.
    """
    try:
        plain = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not valid JSON: {error}") from error
    found = plain.get("format") if isinstance(plain, dict) else None
    if found != FORMAT:
        raise InputError(f"{where} is of format '{found}', needed '{FORMAT}'; run explain again")
    fields = Explanation.__dataclass_fields__
    # what a later version added has a default, which says of an earlier file that it is not known
    needed = {n for n, f in fields.items() if f.default is MISSING and f.default_factory is MISSING}
    if missing := sorted(needed - set(plain)):
        raise InputError(f"{where} lacks {some(missing)}; run explain again")
    values = {name: plain[name] for name in fields if name in plain}
    for name in _TABLES:
        values[name] = _table(plain[name])
    values["nodes"] = values["nodes"].set_index("id")
    for name in {"subgraph_nodes", "caveats"} & set(values):
        values[name] = tuple(plain[name])
    values["subgraphs"] = tuple(
        Subgraph(tuple(s["nodes"]), _table(s["edges"]), s["share"], s["sign"])
        for s in plain.get("subgraphs", ())
    )
    if plain.get("faithfulness") is not None:
        values["faithfulness"] = _faithfulness(plain["faithfulness"])
    return Explanation(**values)


def _faithfulness(plain: Mapping[str, Any]) -> Faithfulness:
    values: dict[str, Any] = {k: float("nan") if v is None else v for k, v in plain.items()}
    for curve in ("deletion", "insertion"):
        values[curve] = {k: tuple(v) for k, v in plain[curve].items()}
    values["sizes"] = tuple(plain["sizes"])
    return Faithfulness(**values)


def read_explanation(path: Path) -> Explanation:
    """Read ``SYMBOL.json``.

    Raises:
        InputError: The file is missing or damaged.
    """
    if not path.is_file():
        raise InputError(f"there is no explanation '{path}'; run explain for this gene")
    return explanation_from_json(path.read_text(encoding="utf-8"), where=f"'{path}'")


def file_stem(symbol: str) -> str:
    """Name the files of a gene: its symbol, or a safe stand-in where that could not be a name.

    Example:
        >>> file_stem("HLA-A")
        'HLA-A'
        >>> file_stem("../x")
        '_x-d6b96a97'
    """
    plain = re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}", symbol)
    if plain and not symbol.endswith(".") and not _RESERVED.fullmatch(symbol):
        return symbol
    safe = re.sub(r"[^A-Za-z0-9-]+", "_", symbol)[:40]
    # the hash keeps two odd names apart that look alike once made safe
    return f"{safe}-{hashlib.sha256(symbol.encode()).hexdigest()[:8]}"


def subgraph_of(explanation: Explanation) -> "nx.MultiDiGraph[str]":
    """Give the subgraph as a NetworkX graph whose attributes are text and finite numbers."""
    graph: nx.MultiDiGraph[str] = nx.MultiDiGraph()
    graph.graph.update(
        target=_xml(explanation.symbol),
        score_log_odds=float(explanation.score),
        baseline_score_log_odds=float(explanation.baseline_score),
        sentence=_xml(explanation.sentence),
    )
    nodes = explanation.nodes.reindex(list(explanation.subgraph_nodes))
    for key, row in zip(explanation.subgraph_nodes, nodes.to_dict("records"), strict=True):
        graph.add_node(key, **_attributes(row), is_target=key == explanation.gene)
    edges = explanation.subgraph_edges.sort_values(["source_id", "target_id", "relation"])
    for row in edges.to_dict("records"):
        source, target = str(row.pop("source_id")), str(row.pop("target_id"))
        graph.add_edges_from([(source, target, _attributes(row))])
    return graph


def _attributes(row: Mapping[Any, Any]) -> dict[str, str | float | bool]:
    kept: dict[str, str | float | bool] = {}
    for key, value in row.items():
        if isinstance(value, bool | np.bool_):
            kept[str(key)] = bool(value)
        elif isinstance(value, int | float | np.number):
            if np.isfinite(value):
                kept[str(key)] = float(value)
        elif isinstance(value, str):
            kept[str(key)] = _xml(value)
    return kept


def _xml(text: str) -> str:
    """Drop the characters that XML forbids."""
    return "".join(c for c in text if c in "\t\n" or (c >= " " and not "\ud800" <= c <= "\udfff"))


def _table(columns: Mapping[str, list[Any]]) -> pd.DataFrame:
    frame = pd.DataFrame(dict(columns))
    for name in frame.columns:
        values = columns[name]
        if values and all(v is None or isinstance(v, int | float) for v in values):
            if any(v is None for v in values):
                frame[name] = pd.to_numeric(pd.Series(values, dtype="float64"))
        elif not values or all(v is None or isinstance(v, str) for v in values):
            frame[name] = frame[name].astype("str")
    return frame


def _cx2(graph: "nx.MultiDiGraph[str]") -> list[dict[str, Any]]:
    """Lay out a graph as Cytoscape Exchange 2, with the attributes declared by type."""
    number = {node: k for k, node in enumerate(graph.nodes)}
    nodes: list[dict[str, Any]] = [
        {"id": number[n], "v": {"name": values.get("symbol", n), "node_id": n, **values}}
        for n, values in graph.nodes(data=True)
    ]
    edges: list[dict[str, Any]] = [
        {"id": k, "s": number[a], "t": number[b], "v": {"interaction": v.get("relation", ""), **v}}
        for k, (a, b, v) in enumerate(graph.edges(data=True))
    ]
    declared = {
        "networkAttributes": _declare([{"name": "", **graph.graph}]),
        "nodes": _declare([n["v"] for n in nodes]),
        "edges": _declare([e["v"] for e in edges]),
    }
    network = {"name": f"{graph.graph['target']} explanation", **graph.graph}
    return [
        {"CXVersion": "2.0", "hasFragments": False},
        {
            "metaData": [
                {"name": "attributeDeclarations", "elementCount": 1},
                {"name": "networkAttributes", "elementCount": 1},
                {"name": "nodes", "elementCount": len(nodes)},
                {"name": "edges", "elementCount": len(edges)},
            ]
        },
        {"attributeDeclarations": [declared]},
        {"networkAttributes": [network]},
        {"nodes": nodes},
        {"edges": edges},
        {"status": [{"success": True, "error": ""}]},
    ]


def _declare(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    kinds: dict[str, dict[str, str]] = {}
    for row in rows:
        for key, value in row.items():
            kind = "boolean" if isinstance(value, bool) else "double"
            kinds.setdefault(key, {"d": "string" if isinstance(value, str) else kind})
    return kinds
