"""Tell from its first lines which program wrote a file of measurements."""

import gzip
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aimwell.cohorts.sample_files import files_at, is_many
from aimwell.errors import InputError

_HEAD: Final = 1 << 16


@dataclass(frozen=True)
class Format:
    """A format that can be told by its header.

    Attributes:
        name: What to call it.
        readers: Readers for it; empty where there is none, and ``advice`` says what to do.
        pattern: Regular expression on one of the first lines.
    """

    name: str
    readers: tuple[str, ...]
    pattern: str
    advice: str = ""


#: The most telling first. Patterns ask for columns that no matrix of genes has as samples.
FORMATS: Final = (
    Format(
        "MaxQuant proteinGroups", ("maxquant",), r'"?Protein[ .]IDs"?[\t,]"?Majority[ .]protein'
    ),
    Format(
        "MaxQuant peptides",
        ("maxquant_peptides",),
        r'"?Sequence"?[\t,].*"?Leading[ .]razor[ .]protein',
    ),
    Format(
        "MaxQuant evidence",
        (),
        r"Sequence\tLength\tModifications\tModified sequence\t",
        "name proteinGroups.txt or peptides.txt of the same folder",
    ),
    Format(
        "a DIA-NN protein matrix",
        ("diann_pg_matrix",),
        r"Protein\.Group\t(Protein\.Ids\t)?(Protein\.Names\t)?Genes\tFirst\.Protein\.Desc",
    ),
    Format("a DIA-NN report", ("diann",), r"(.*\t)?Protein\.Group\t.*Precursor\.Id\t"),
    Format(
        "FragPipe combined_protein",
        ("fragpipe",),
        r"Protein\tProtein ID\tEntry Name\tGene\t.*(Spectral Count|Intensity)",
    ),
    Format(
        "a TMT report of FragPipe",
        ("fragpipe_tmt",),
        r"(Index|ProteinID|Gene)\t(NumberPSM|Gene)\t.*(MaxPepProb|ReferenceIntensity)",
    ),
    Format(
        "a Spectronaut report", ("spectronaut",), r"(.*[\t,])?\"?(PG\.ProteinGroups|R\.FileName)"
    ),
    Format(
        "Proteome Discoverer PSMs",
        (),
        r'(.*\t)?"?Annotated[ .]Sequence"?\t',
        "name the table of proteins of the same study",
    ),
    Format(
        "Proteome Discoverer Proteins",
        ("proteome_discoverer",),
        r'(.*\t)?"?(Master|Protein FDR Confidence.*)"?\t.*"?Accession"?\t.*Abundance',
    ),
    Format("Olink NPX", ("olink",), r"(?i)(.*[;,\t])?\"?SampleID\"?[;,\t].*\bNPX\b"),
    Format("a SomaScan adat", ("somascan",), r"!Checksum|\^HEADER"),
    Format(
        "featureCounts",
        ("featurecounts",),
        r"# ?Program: ?featureCounts|\"?Geneid\"?\t\"?Chr\"?\t\"?Start\"?\t",
    ),
    Format("STAR ReadsPerGene", ("star",), r"N_unmapped\t\d+\t\d+\t\d+$"),
    Format(
        "RSEM results", ("rsem",), r"(gene_id\ttranscript_id|transcript_id\tgene_id).*expected_"
    ),
    Format("salmon quant.sf", ("salmon",), r"Name\tLength\tEffectiveLength\tTPM\tNumReads"),
    Format("kallisto abundance.tsv", ("kallisto",), r"target_id\tlength\teff_length\test_counts"),
    Format(
        "STAR counts of the GDC", ("gdc",), r"gene_id\tgene_name\tgene_type\tunstranded\tstranded_"
    ),
    Format("a GCT matrix", ("gct",), r"#1\.[23]\s*$"),
    Format(
        "a cBioPortal matrix", ("cbioportal",), r"(Hugo_Symbol\tEntrez_Gene_Id|Entrez_Gene_Id)\t"
    ),
    Format(
        "a DESeq2 result", (), r'.*"?baseMean"?[\t,]"?log2FoldChange', "name it in cohort.tables"
    ),
    Format("a limma topTable", (), r'.*"?logFC"?[\t,]"?AveExpr"?[\t,]', "name it in cohort.tables"),
    Format("an edgeR result", (), r'.*"?logFC"?[\t,]"?logCPM"?[\t,]', "name it in cohort.tables"),
    Format("a web page", (), r"(?i)\s*<(!doctype|html|head)", "download the file again"),
)
#: First bytes → the format and its readers, where it is no text.
_BINARY: Final = (
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file (.h5ad or .h5mu)", ("h5ad", "h5mu")),
    (b"PAR1", "a Parquet file", ("parquet", "diann", "olink")),
    (b"\xd0\xcf\x11\xe0", "an old Excel file (.xls)", ()),
)


def recognise(path: Path) -> Format | None:
    """Name the format of a file, or of the first file of a folder or pattern; None if unknown."""
    try:
        file = files_at(path, "measurements")[0] if is_many(path) else path
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            head = stream.read(_HEAD)
        if head.startswith(b"\x1f\x8b"):
            with gzip.open(file) as packed:
                head = packed.read(_HEAD)
    except (OSError, EOFError, zlib.error, InputError):
        return None
    return recognise_head(head)


def recognise_head(head: bytes) -> Format | None:
    r"""Name the format of a file by its first bytes.

    Example:
        >>> recognise_head(b"Name\tLength\tEffectiveLength\tTPM\tNumReads\n").readers
        ('salmon',)
        >>> recognise_head(b"gene\ts1\ts2\n") is None
        True
    """
    for magic, name, readers in _BINARY:
        if head.startswith(magic):
            return Format(name, readers, "", "save it as .xlsx or as text" if not readers else "")
    if head.startswith(b"PK\x03\x04") and b"xl/" in head:
        return Format("an Excel workbook (.xlsx)", ("xlsx",), "")
    lines = head.decode("utf-8-sig", errors="replace").splitlines()[:5]
    for known in FORMATS:
        if any(re.match(known.pattern, line) for line in lines):
            return known
    return None


def refuse_other_format(path: Path, reader: str, layer: str) -> None:
    """Refuse a file that is plainly of another format than its reader reads.

    Raises:
        InputError: With what it looks like, and which reader to name.
    """
    found = recognise(path)
    if found is None or reader in found.readers:
        return
    named = " or ".join(f"'{name}'" for name in found.readers)
    advice = f"set reader = {named}" if named else found.advice
    raise InputError(
        f"'{path}' (layer '{layer}') looks like {found.name}, but reader = '{reader}'; {advice}"
    )
