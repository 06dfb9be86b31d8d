"""Bars of graphs: speed and memory, the same bytes from shuffled rows, and the measured counts."""

import gzip
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv

from aimwell.bench.bars import Bar, bar, measure_command
from aimwell.bench.graph_counts import count_bars
from aimwell.bench.graph_laws import law_bars
from aimwell.bench.graph_trips import trip_bars
from aimwell.errors import ConfigError
from aimwell.knowledge.graph import distinct
from aimwell.knowledge.sources.hgnc import read_hgnc
from aimwell.knowledge.sources.starter import read_starter_graph
from aimwell.knowledge.store import MANIFEST, read_graph

HGNC: Final = "ids/hgnc_complete_set_2024-10.txt.gz"
#: Rows of the generated STRING file; every pair is there twice, as in STRING's own.
ROWS: Final = 10_000_000
REACTOME: Final = {
    "hierarchy": "pathways/ReactomePathwaysRelation.txt",
    "names": "pathways/ReactomePathways.txt",
}
#: Every file that gives edges or sets: reader, path, and lines before the first row; -1 where rows
#: have no free order.
EVERYTHING: Final[tuple[tuple[str, str, int, dict[str, str]], ...]] = (
    ("biogrid", "networks/biogrid_symbol.txt", 1, {}),
    ("biogrid", "formats/biogrid_tab2_sample.txt", 1, {}),
    ("huri", "networks/huri_ensembl.tsv", 0, {}),
    ("huri", "networks/hi_union_uniprot_isoforms.tsv", 0, {"name": "HI-union"}),
    ("string", "networks/string_symbol.tsv", 1, {}),
    ("string", "networks/string_uniprot_cost.tsv", 1, {}),
    ("string", "formats/string_web_export_sample.tsv", 1, {}),
    ("menche", "networks/menche2015_Datasets_S1-S4.zip", -1, {}),
    (
        "edge_list",
        "networks/snap_ppi_cr_line_ends.csv",
        0,
        {"id_type": "entrez", "name": "BioSNAP"},
    ),
    ("collectri", "signalling/collectri_2025.csv", 1, {}),
    ("omnipath", "signalling/omnipath_carnival_signed.tsv", 1, {}),
    ("omnipath", "signalling/omnipath_20201208_TFData.csv", 1, {}),
    ("enzyme_substrate", "signalling/omnipath_ptm_2025.csv", 1, {}),
    (
        "signor",
        "formats/signor_sample.csv",
        1,
        {"complexes": "formats/signor_complexes_sample.csv"},
    ),
    ("reactome", "pathways/ReactomePathways.gmt", 0, REACTOME),
    ("gmt", "pathways/h.all.v7.0.symbols.gmt", 0, {}),
    ("gmt", "pathways/c2.cp.wikipathways.v7.2.symbols.gmt", 0, {}),
    ("gmt", "pathways/wikipathways_2016.gmt", 0, {"name": "WikiPathways 2016"}),
    ("corum", "pathways/CORUM_coreComplexes.txt", 1, {}),
    ("famplex", "pathways/famplex_relations.csv", 0, {}),
    (
        "go",
        "pathways/GO_annotations-9606-direct-expev.tsv",
        1,
        {"hierarchy": "pathways/goslim_generic.obo"},
    ),
    ("hetionet", "formats/hetionet-v1.0-edges-5k.sif.gz", 1, {}),
)
#: A run file needs a cohort and a target; ``graph build`` reads neither.
_REST: Final = """
[cohort]
matrices = [{ path = "m", layer = "rna", kind = "rna", unit = "log2" }]
sheet = { path = "s" }
[[contrasts]]
name = "c"
layer = "rna"
condition = "x"
case = "a"
control = "b"
[[known_targets.sources]]
reader = "genes"
genes = ["TP53"]
"""


def measure(data: str) -> Iterator[Bar]:
    """Measure graphs with the public databases of ``data``.

    Raises:
        ConfigError: Without ``data``.
    """
    if not data:
        raise ConfigError(
            f"this benchmark needs --data DIR, the folder of the public databases with '{HGNC}'"
        )
    folder = Path(data).resolve()
    yield from trip_bars(read_starter_graph(), "starter graph")
    yield from law_bars()
    yield from string_bars(folder)
    yield from everything_bars(folder)
    yield from count_bars(folder, folder / HGNC)


def string_bars(data: Path, rows: int = ROWS) -> Iterator[Bar]:
    """Build a graph from generated STRING links on one core."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        symbols = read_hgnc(data / HGNC).query("locus_group == 'protein-coding gene'")["symbol"]
        write_links(folder, sorted(symbols), rows)
        source = {"reader": "string", "path": "links.txt.gz", "info": "info.txt"}
        run_file = write_run_file(folder, folder, data / HGNC, [source])
        done = measure_command(
            "graph", "build", str(run_file), "--output", f"{folder}/graph", one_core=True
        )
        what = f"graph: {rows:,} STRING links, gzip to folder, one core"
        yield bar(f"{what}: wall time", done.seconds, "s", "<= 25")
        yield bar(f"{what}: processor time", done.cpu, "s")
        yield bar(f"{what}: peak memory", done.gigabytes, "GB", "< 1.5")
        yield bar(f"{what}: load", _load_time(folder / "graph"), "s")


def everything_bars(data: Path) -> Iterator[Bar]:
    """Build one graph from everything readable, and again from shuffled rows and files."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        sources = [{"reader": r, "path": p, **more} for r, p, _, more in EVERYTHING]
        run_file = write_run_file(folder, data, data / HGNC, sources)
        done = measure_command("graph", "build", str(run_file), "--output", f"{folder}/graph")
        what = f"graph: {len(sources)} files of databases to one graph"
        yield bar(f"{what}: wall time", done.seconds, "s", "<= 30")
        yield bar(f"{what}: processor time", done.cpu, "s")
        yield bar(f"{what}: peak memory", done.gigabytes, "GB", "< 3")
        yield bar(f"{what}: load", _load_time(folder / "graph"), "s", "<= 1")
        graph = read_graph(folder / "graph")
        yield bar(f"{what}: genes", len(graph.genes), "genes")
        edges = sum(len(r.edges) for r in graph.relations.values())
        yield bar(f"{what}: edges of {len(graph.relations)} relations", edges, "edges")
        yield from trip_bars(graph, f"graph of {len(sources)} files")
        shuffled = folder / "shuffled"
        for _, path, top, more in EVERYTHING:
            shuffle_rows(data / path, shuffled / path, top)
            for extra in more.values():
                if (data / extra).is_file():
                    (shuffled / extra).parent.mkdir(parents=True, exist_ok=True)
                    shutil.copyfile(data / extra, shuffled / extra)
        other = write_run_file(shuffled, shuffled, data / HGNC, sources[::-1])
        measure_command("graph", "build", str(other), "--output", f"{folder}/again")
        same = _tables(folder / "graph") == _tables(folder / "again")
        name = f"{what}: the same bytes from shuffled rows and files in another order"
        yield bar(name, float(same), "", "== 1")


def write_links(folder: Path, symbols: Sequence[str], rows: int, seed: int = 3) -> None:
    """Write ``links.txt.gz`` and ``info.txt`` as STRING publishes them, of random pairs.

    Args:
        folder: Where to.
        symbols: Preferred names of the proteins, one protein each.
        rows: Number of links, even: each pair stands there both ways.
        seed: Of pairs and scores.
    """
    proteins = [f"9606.ENSP{i:011d}" for i in range(1, len(symbols) + 1)]
    head = "#string_protein_id\tpreferred_name\tprotein_size\tannotation\n"
    lines = [f"{p}\t{s}\t100\tgenerated\n" for p, s in zip(proteins, symbols, strict=True)]
    (folder / "info.txt").write_text(head + "".join(lines), encoding="utf-8")
    rng = np.random.default_rng(seed)
    n = len(symbols)
    drawn = distinct(rng.integers(0, n * n, size=rows, dtype=np.int64))
    proper = drawn[drawn // n < drawn % n]
    while len(proper) < rows // 2:
        more = rng.integers(0, n * n, size=rows, dtype=np.int64)
        drawn = distinct(np.concatenate([drawn, more]))
        proper = drawn[drawn // n < drawn % n]
    pair = rng.permutation(proper)[: rows // 2]
    score = rng.integers(150, 1000, size=len(pair))
    first, second = np.concatenate([pair // n, pair % n]), np.concatenate([pair % n, pair // n])
    score = np.concatenate([score, score])
    order = np.lexsort((second, first))
    names = pa.array(proteins)
    options = pa_csv.WriteOptions(include_header=False, delimiter=" ", quoting_style="none")
    with gzip.open(folder / "links.txt.gz", "wb", compresslevel=1) as stream:
        stream.write(b"protein1 protein2 combined_score\n")
        for block in np.array_split(order, max(rows // 500_000, 1)):
            ends = [names.take(pa.array(end[block])) for end in (first, second)]
            table = pa.table([*ends, pa.array(score[block])], ["a", "b", "c"])
            pa_csv.write_csv(table, stream, options)


def shuffle_rows(source: Path, target: Path, top: int) -> None:
    """Copy a file with the rows after the first ``top`` in another order; -1 copies it as it is."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if top < 0:
        shutil.copyfile(source, target)
        return
    opened = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="latin-1", newline="") as stream:
        lines = pd.Series(stream.read().replace("\r\n", "\n").replace("\r", "\n").split("\n"))
    body = [line for line in lines[top:] if line]
    order = np.random.default_rng(7).permutation(len(body))
    with opened(target, "wt", encoding="latin-1", newline="") as stream:
        stream.write("\n".join([*lines[:top], *(body[i] for i in order)]) + "\n")


def write_run_file(
    folder: Path, data: Path, hgnc: Path, sources: Sequence[dict[str, Any]], graph: str = ""
) -> Path:
    """Write a run file that asks for a graph of these sources.

    Example:
        >>> with tempfile.TemporaryDirectory() as temporary:
        ...     path = write_run_file(Path(temporary), Path("d"), Path("h"), [{"reader": "huri"}])
        ...     "reader = 'huri'" in path.read_text()
        True
    """
    path = folder / "graph.toml"
    rows = [
        "[[graph.sources]]\n" + "".join(f"{key} = {value!r}\n" for key, value in source.items())
        for source in sources
    ]
    head = f"[run]\ntitle = 'bench'\noutput = 'out'\ndata = '{data}'\n"
    text = f"{head}[identifiers]\nhgnc = '{hgnc}'\n[graph]\n{graph}\n{''.join(rows)}{_REST}"
    path.write_text(text, encoding="utf-8")
    return path


def _load_time(folder: Path) -> float:
    times = []
    for _ in range(3):
        begun = time.monotonic()
        read_graph(folder)
        times.append(time.monotonic() - begun)
    return statistics.median(times)


def _tables(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir()) if p.name != MANIFEST}
