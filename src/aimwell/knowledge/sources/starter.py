"""The embedded starter graph: textbook signalling, pathways and complexes, written by hand."""

from importlib.resources import files
from pathlib import Path
from typing import Final

import pandas as pd

from aimwell.errors import GraphError, InputError, some
from aimwell.knowledge.edges import build_edges
from aimwell.knowledge.files import read_table
from aimwell.knowledge.gene_sets import require_acyclic
from aimwell.knowledge.graph import GENE, GENE_COLUMNS, Relation, TargetGraph
from aimwell.provenance import Source, Step, content_hash, sha256_of

NAME: Final = "aimwell starter graph"
RELEASE: Final = "1"
LICENCE: Final = "Apache-2.0"
DIRECTED: Final = ("activates", "inhibits", "induces", "represses")
COLUMNS: Final = {
    "genes.tsv": (
        "hgnc_id",
        "symbol",
        "name",
        "entrez_id",
        "ensembl_gene_id",
        "uniprot_id",
        "family",
    ),
    "edges.tsv": ("source", "target", "relation", "pathway_id", "mechanism"),
    "pathways.tsv": ("pathway_id", "name", "parent_id"),
    "pathway_members.tsv": ("pathway_id", "symbol"),
    "complexes.tsv": ("complex_id", "name"),
    "complex_members.tsv": ("complex_id", "symbol"),
}
DRUG_COLUMNS: Final = ("drug", "symbol", "action", "mechanism", "indication")


def find_starter() -> Path:
    """Find the folder of the starter graph, in an installed package or in a source checkout.

    Raises:
        InputError: It is in neither place.
    """
    package = Path(str(files("aimwell")))
    inside = Path("data", "graphs", "starter")
    for folder in (package / inside, package.parents[1] / inside):
        if (folder / "genes.tsv").is_file():
            return folder
    raise InputError(
        f"the starter graph is not below '{package}' nor '{package.parents[1]}'; "
        "install aimwell again, or name another graph in [graph]"
    )


def read_starter_graph(folder: Path | None = None) -> TargetGraph:
    """Read the starter graph; drugs are labels and stay outside.

    Args:
        folder: The folder with its tables; by default the embedded one.

    Returns:
        Relations ``activates``, ``inhibits``, ``induces``, ``represses``, ``interacts``,
        ``member_of``, ``part_of`` and ``subunit_of``, all with weight 1.

    Raises:
        InputError: A missing or malformed table.
        GraphError: A symbol, pathway or complex that the node tables do not hold.
    """
    folder = folder or find_starter()
    tables = {f: _table(folder / f, c) for f, c in COLUMNS.items()}
    genes = _genes(folder, tables["genes.tsv"])
    ids = {symbol: gene for gene, symbol in genes["symbol"].items()}
    pathways = tables["pathways.tsv"].set_index("pathway_id").sort_index()
    complexes = tables["complexes.tsv"].set_index("complex_id").sort_index()
    nodes = {GENE: genes, "pathway": pathways[["name"]], "complex": complexes[["name"]]}
    relations, steps = [], []
    signed = tables["edges.tsv"]
    for name in sorted({*DIRECTED, "interacts"}):
        rows = signed[signed["relation"] == name]
        pairs = _pairs(rows["source"].map(ids), rows["target"].map(ids), rows["mechanism"])
        _refuse_unknown(folder / "edges.tsv", rows, pairs, ("source", "target"))
        relation, step = _relation(name, GENE, GENE, pairs, directed=name in DIRECTED)
        relations.append(relation)
        steps.append(step)
    strange = sorted(set(signed["relation"]) - {*DIRECTED, "interacts"})
    if strange:
        raise GraphError(f"'{folder / 'edges.tsv'}' has unknown relations: {some(strange)}")
    for name, kind, file in (
        ("member_of", "pathway", "pathway_members.tsv"),
        ("subunit_of", "complex", "complex_members.tsv"),
    ):
        rows = tables[file]
        pairs = _pairs(rows["symbol"].map(ids), rows[f"{kind}_id"])
        _refuse_unknown(folder / file, rows, pairs, ("symbol", f"{kind}_id"))
        relation, step = _relation(name, GENE, kind, pairs, directed=True)
        relations.append(relation)
        steps.append(step)
    parents = pathways.loc[pathways["parent_id"] != "", "parent_id"]
    _check_hierarchy(folder / "pathways.tsv", pathways, parents)
    above = _pairs(pd.Series(parents.index, dtype=str), parents.reset_index(drop=True))
    relation, step = _relation("part_of", "pathway", "pathway", above, directed=True)
    return TargetGraph(
        nodes,
        {r.name: r for r in (*relations, relation)},
        (_source(folder),),
        (*steps, step),
    )


def read_starter_drugs(folder: Path | None = None) -> pd.DataFrame:
    """Read the drugs of the starter graph: known targets, never part of the graph.

    Returns:
        Columns ``drug``, ``symbol``, ``action``, ``mechanism``, ``indication``.

    Raises:
        InputError: A missing or malformed table.
    """
    return _table((folder or find_starter()) / "drugs.tsv", DRUG_COLUMNS)


def _table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    return read_table(path, f"'{path.name}' of {NAME}", columns, quoted=False)


def _genes(folder: Path, genes: pd.DataFrame) -> pd.DataFrame:
    genes = genes.rename(columns={"uniprot_id": "uniprot_ids"}).set_index("hgnc_id").sort_index()
    if not genes["symbol"].is_unique:
        twice = genes.loc[genes["symbol"].duplicated(), "symbol"]
        raise GraphError(f"'{folder / 'genes.tsv'}' has symbols twice: {some(twice)}")
    return genes[list(GENE_COLUMNS)]


def _pairs(
    source: "pd.Series[str]", target: "pd.Series[str]", detail: "pd.Series[str] | None" = None
) -> pd.DataFrame:
    return pd.DataFrame({"source_id": source, "target_id": target}).assign(
        weight=1.0,
        evidence=NAME,
        literature=False,
        clinical=False,
        detail="" if detail is None else detail,
    )


def _refuse_unknown(
    path: Path, rows: pd.DataFrame, pairs: pd.DataFrame, columns: tuple[str, str]
) -> None:
    for column, ids in zip(columns, ("source_id", "target_id"), strict=True):
        unknown = rows.loc[pairs[ids].isna(), column]
        if len(unknown):
            raise GraphError(
                f"'{path}', row {unknown.index[0] + 1}: {column} is not among the nodes: "
                f"{some(sorted(set(unknown)))}"
            )


def _relation(
    name: str, source: str, target: str, pairs: pd.DataFrame, *, directed: bool
) -> tuple[Relation, Step]:
    edges, step = build_edges(pairs, name, directed=directed)
    return Relation(name, source, target, edges, directed), step


def _check_hierarchy(path: Path, pathways: pd.DataFrame, parents: "pd.Series[str]") -> None:
    unknown = parents[~parents.isin(pathways.index)]
    if len(unknown):
        raise GraphError(f"'{path}' names unknown parents: {some(unknown)}")
    links = pd.DataFrame({"set_id": parents.index, "parent_id": parents.to_numpy()}, dtype=str)
    require_acyclic(links, path)


def _source(folder: Path) -> Source:
    hashes = {f: sha256_of(folder / f) for f in COLUMNS}
    return Source(NAME, RELEASE, LICENCE, sha256=content_hash(hashes))
