"""One small cohort as every program writes it, so that every reader has something to damage."""

import importlib.util
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from aimwell.config import COHORT_READERS

#: Genes of the cohort; enough for what looks at all values of a layer.
GENES: Final = 120
#: Packages without which a format cannot be written.
NEEDS: Final = {"xlsx": "openpyxl", "h5ad": "anndata", "h5mu": "mudata"}
Settings = dict[str, str]


def formats() -> list[str]:
    """Name the readers whose format can be written here."""
    return [r for r in COHORT_READERS if r not in NEEDS or importlib.util.find_spec(NEEDS[r])]


def write_format(folder: Path, reader: str, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    """Write a cohort in the format of a reader, below ``folder``.

    Args:
        folder: Made where absent.
        reader: Of ``formats``.
        counts: Genes × samples, whole numbers.
        genes: Their ``symbol`` and ``accession``, in the same order.

    Returns:
        What ``[[cohort.matrices]]`` says of it: ``path``, relative to ``folder``, and more.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if reader in WIDE:
        return _write_wide(folder, reader, counts, genes)
    if reader in PER_SAMPLE:
        return _write_per_sample(folder, reader, counts, genes)
    return OTHERS[reader](folder, counts, genes)


#: Reader → separator, lines above, fixed columns, column of a sample, setting of the run file.
WIDE: Final[dict[str, tuple[str, str, dict[str, str], str, Settings]]] = {
    "matrix": ("\t", "", {"gene": "{symbol}"}, "{sample}", {"unit": "counts"}),
    "featurecounts": (
        "\t",
        "# Program:featureCounts v2.0.6\n",
        {
            "Geneid": "{symbol}",
            "Chr": "1",
            "Start": "1",
            "End": "900",
            "Strand": "+",
            "Length": "9",
        },
        "bam/{sample}.bam",
        {},
    ),
    "cbioportal": (
        "\t",
        "",
        {"Hugo_Symbol": "{symbol}", "Entrez_Gene_Id": ""},
        "{sample}",
        {"quantity": "log2_plus_1"},
    ),
    "maxquant": (
        "\t",
        "",
        {"Majority protein IDs": "{accession}", "Peptides": "5", "Reverse": "", "Intensity": "9"},
        "LFQ intensity {sample}",
        {},
    ),
    "maxquant_peptides": (
        "\t",
        "",
        {
            "Sequence": "PEPTIDE{i}K",
            "Leading razor protein": "{accession}",
            "Unique (Groups)": "yes",
            "Reverse": "",
        },
        "Intensity {sample}",
        {},
    ),
    "diann_pg_matrix": (
        "\t",
        "",
        {"Protein.Group": "{accession}", "Protein.Ids": "{accession}", "Genes": "{symbol}"},
        "D:\\raw\\{sample}.d",
        {},
    ),
    "fragpipe": (
        "\t",
        "",
        {"Protein": "sp.{accession}", "Protein ID": "{accession}", "Combined Total Peptides": "5"},
        "{sample} MaxLFQ Intensity",
        {},
    ),
    "fragpipe_tmt": (
        "\t",
        "",
        {"Index": "{symbol}", "NumberPSM": "5", "ProteinID": "{accession}", "MaxPepProb": "0.9"},
        "{sample}",
        {},
    ),
    "spectronaut": (
        "\t",
        "",
        {"PG.ProteinGroups": "{accession}", "PG.Genes": "{symbol}"},
        "[{i}] {sample}.raw.PG.Quantity",
        {},
    ),
    "proteome_discoverer": (
        "\t",
        "",
        {"Accession": "{accession}", "Contaminant": "False", "# Peptides": "5"},
        "Abundance: F{i}: {sample}, Sample",
        {},
    ),
    "rppa": ("\t", "", {"antibody": "{symbol}"}, "{sample}", {}),
}
#: Readers of protein that take logarithms.
_LOGS: Final = ("fragpipe_tmt", "rppa")


def _write_wide(folder: Path, reader: str, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    separator, above, fixed, column, settings = WIDE[reader]
    values = counts + 1 if column != "{sample}" else counts
    cells = (counts + 1).transform(np.log2).round(4) if reader in _LOGS else values
    header = [*fixed, *(column.format(sample=s, i=i) for i, s in enumerate(counts.columns, 1))]
    lines = [separator.join(header)]
    for i, (symbol, accession) in enumerate(genes[["symbol", "accession"]].to_numpy().tolist()):
        named = [c.format(symbol=symbol, accession=accession, i=_word(i)) for c in fixed.values()]
        lines.append(separator.join([*named, *map(str, cells.iloc[i].tolist())]))
    (folder / f"{reader}.txt").write_text(above + "\n".join(lines) + "\n", encoding="utf-8")
    return {"path": f"{reader}.txt", **settings}


def _word(number: int) -> str:
    """Write a number in letters of amino acids."""
    return "".join("ACDEFGHIKL"[int(digit)] for digit in str(number))


#: Reader → file of a sample, lines above, line of a gene.
PER_SAMPLE: Final = {
    "star": (
        "{sample}ReadsPerGene.out.tab",
        "N_unmapped\t5\t5\t5\nN_noFeature\t9\t9\t9\n",
        "{symbol}\t{count}\t{count}\t0",
    ),
    "rsem": (
        "{sample}.genes.results",
        "gene_id\ttranscript_id(s)\tlength\teffective_length\texpected_count\tTPM\tFPKM\n",
        "{symbol}\tT{i}\t900\t800\t{count}.00\t1\t1",
    ),
    "salmon": (
        "{sample}/quant.sf",
        "Name\tLength\tEffectiveLength\tTPM\tNumReads\n",
        "T{i}\t900\t800\t1\t{count}",
    ),
    "kallisto": (
        "{sample}/abundance.tsv",
        "target_id\tlength\teff_length\test_counts\ttpm\n",
        "T{i}\t900\t800\t{count}\t1",
    ),
    "gdc": (
        "{sample}/{sample}.rna_seq.augmented_star_gene_counts.tsv",
        "# gene-model: GENCODE v36\n"
        "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\n",
        "{symbol}\t{symbol}\tprotein_coding\t{count}\t{count}\t{count}",
    ),
}


def _write_per_sample(
    folder: Path, reader: str, counts: pd.DataFrame, genes: pd.DataFrame
) -> Settings:
    name, above, line = PER_SAMPLE[reader]
    for sample in counts.columns:
        path = folder / reader / name.format(sample=sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [
            line.format(symbol=symbol, count=count, i=i)
            for i, (symbol, count) in enumerate(zip(genes["symbol"], counts[sample], strict=True))
        ]
        path.write_text(above + "\n".join(rows) + "\n", encoding="utf-8")
    if reader not in {"salmon", "kallisto"}:
        return {"path": reader}
    pairs = "".join(f"T{i}\t{symbol}\n" for i, symbol in enumerate(genes["symbol"]))
    (folder / f"{reader}_genes.tsv").write_text(f"transcript\tgene\n{pairs}", encoding="utf-8")
    return {"path": reader, "transcripts": f"{reader}_genes.tsv"}


def _gct(folder: Path, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    table = (counts + 1).transform(np.log2).set_axis(genes["symbol"]).rename_axis("Name")
    table.insert(0, "Description", "na")
    size = f"#1.2\n{len(counts)}\t{counts.shape[1]}\n"
    text = size + table.to_csv(sep="\t", float_format="%.4f")
    (folder / "gct.gct").write_text(text, encoding="utf-8")
    return {"path": "gct.gct", "unit": "log2"}


def _parquet(folder: Path, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    counts.set_axis(genes["symbol"]).rename_axis("gene").to_parquet(folder / "parquet.parquet")
    return {"path": "parquet.parquet", "unit": "counts"}


def _xlsx(folder: Path, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    counts.set_axis(genes["symbol"]).rename_axis("gene").to_excel(folder / "xlsx.xlsx")
    return {"path": "xlsx.xlsx", "unit": "counts"}


def _cells(counts: pd.DataFrame, genes: pd.DataFrame) -> Any:
    import anndata

    samples = pd.DataFrame(index=pd.Index(counts.columns.tolist(), dtype=object))
    named = pd.DataFrame(index=pd.Index(genes["symbol"].tolist(), dtype=object))
    return anndata.AnnData(counts.to_numpy(np.float32).T, samples, named)


@contextmanager
def _old_strings() -> Iterator[None]:
    """Let anndata write: it knows no other text than objects."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pd.option_context("future.infer_string", False):
            yield


def _h5ad(folder: Path, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    with _old_strings():
        _cells(counts, genes).write(folder / "h5ad.h5ad")
    return {"path": "h5ad.h5ad"}


def _h5mu(folder: Path, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    with _old_strings():
        import mudata

        mudata.MuData({"rna": _cells(counts, genes)}).write(folder / "h5mu.h5mu")
    return {"path": "h5mu.h5mu", "quantity": "rna"}


def _long(
    path: Path, header: str, line: str, values: pd.DataFrame, genes: pd.DataFrame
) -> Settings:
    """Write one row per gene and sample."""
    rows = [header]
    for i, (symbol, accession) in enumerate(genes[["symbol", "accession"]].to_numpy().tolist()):
        of_gene = values.iloc[i].tolist()
        named = {"symbol": symbol, "accession": accession, "i": i}
        for sample, value in zip(values.columns, of_gene, strict=True):
            rows.append(line.format(sample=sample, value=value, **named))
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return {"path": path.name}


def _diann(folder: Path, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    header = "Run\tProtein.Group\tPrecursor.Id\tProteotypic\tQ.Value\tPG.Q.Value\tPG.MaxLFQ"
    line = "{sample}\t{accession}\tPEPTIDE{i}K2\t1\t0.001\t0.001\t{value}"
    return _long(folder / "diann.tsv", header, line, counts + 1, genes)


def _olink(folder: Path, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    header = "SampleID;SampleType;OlinkID;UniProt;Assay;AssayType;Panel;PlateID;QC_Warning;LOD;NPX"
    line = "{sample};SAMPLE;OID{i};{accession};{symbol};assay;Inf;p1;PASS;1;{value}"
    logs = (counts + 1).transform(np.log2).round(4)
    return _long(folder / "olink.csv", header, line, logs, genes)


def _somascan(folder: Path, counts: pd.DataFrame, genes: pd.DataFrame) -> Settings:
    sequences = [f"{10 + i}-1" for i in range(len(genes))]
    accessions = genes["accession"].tolist()
    facts = {"SeqId": sequences, "UniProt": accessions, "Organism": ["Human"] * len(genes)}
    lines = ["!Checksum\tx", "^HEADER", "!Version\t1.2", "^COL_DATA", "!Name\tSeqId\tUniProt"]
    lines += ["^ROW_DATA", "!Name\tPlateId\tSampleId\tSampleType", "^TABLE_BEGIN"]
    lines += ["\t\t\t" + "\t".join([name, *map(str, cells)]) for name, cells in facts.items()]
    lines.append("PlateId\tSampleId\tSampleType\t" + "\t" * len(genes))
    for sample in counts.columns:
        signals = "\t".join(f"{count + 1}.5" for count in counts[sample])
        lines.append(f"p1\t{sample}\tSample\t\t{signals}")
    (folder / "somascan.adat").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"path": "somascan.adat"}


OTHERS: Final[Mapping[str, Callable[[Path, pd.DataFrame, pd.DataFrame], Settings]]] = {
    "gct": _gct,
    "parquet": _parquet,
    "xlsx": _xlsx,
    "h5ad": _h5ad,
    "h5mu": _h5mu,
    "diann": _diann,
    "olink": _olink,
    "somascan": _somascan,
}
