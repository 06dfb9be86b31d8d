"""Tell what kind of name a name is: an accession, a probe, a date, another species' gene."""

import re
from collections.abc import Iterable
from typing import Final

ENSEMBL_GENE: Final = re.compile(r"(?i)(ENSG\d{11})(\.\d+)?(_PAR_Y)?")
UNIPROT: Final = re.compile(
    r"([OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})(-\d+)?"
)
FASTA: Final = re.compile(r"(?:sp|tr)\|([A-Z0-9]+(?:-\d+)?)\|(\w+)")
HGNC_ID: Final = re.compile(r"(?i)HGNC:(\d+)")
ENTREZ: Final = re.compile(r"(\d+)(\.0)?")
LOC: Final = re.compile(r"LOC(\d+)")
#: A transcript or protein with a version, a STRING id with its taxon.
VERSIONED: Final = re.compile(
    r"(?:9606\.)?(?P<name>ENS[TP]\d{11}|[NX][MRP]_\d+)(?P<version>\.\d+)?"
)

#: Kind → (pattern of the whole name, what to do about it). First hit wins.
KINDS: Final = (
    ("HGNC id", HGNC_ID, "use ids of approved genes from a current HGNC table"),
    ("Ensembl gene", ENSEMBL_GENE, "use ids of a current Ensembl release"),
    (
        "Ensembl transcript or protein",
        re.compile(r"(9606\.)?ENS[TP]\d{11}(\.\d+)?"),
        "sum or map them to Ensembl genes first, or name a file in [[identifiers.mappings]]",
    ),
    (
        "gene of another species",
        re.compile(
            r"ENS[A-Z]{3,4}[GTP]\d{11}(\.\d+)?|MGI:\d+|RGD:\d+|FBgn\d{7}|WBGene\d{8}|ZDB-GENE-\S+|"
            r"Y[A-P][LR]\d{3}[WC](-[A-Z])?|AT[1-5CM]G\d{5}(\.\d+)?|"
            r"\w{2,6}_(MOUSE|RAT|BOVIN|PIG|CHICK|YEAST|ECOLI|DROME|CAEEL|DANRE|ARATH)"
        ),
        "aimwell ranks human genes; map them to human orthologues first",
    ),
    (
        "contaminant or decoy",
        re.compile(r"(?i)(CON__|REV__|CONT_|DECOY_|rev_|contam_|Cont_)\S+"),
        "leave contaminants and decoys out of the matrix",
    ),
    ("UniProt accession", UNIPROT, "use accessions of reviewed human entries"),
    ("UniProt entry name", re.compile(r"\w{1,11}_HUMAN"), "use UniProt accessions or symbols"),
    ("Entrez gene", ENTREZ, "use ids of current human genes"),
    (
        "RefSeq accession",
        re.compile(r"[NX][MRPC]_\d+(\.\d+)?"),
        "map them to Entrez or Ensembl genes first, or name a file in [[identifiers.mappings]]",
    ),
    (
        "microarray probe",
        re.compile(r"\d+(_[a-z]+)*_at|ILMN_\d+|A_\d{2}_P\d+|AFFX-\S+|cg\d{8}|TC\d{8}\.hg\.\d"),
        "map probes to genes with the annotation table of the array first",
    ),
    (
        "microRNA",
        re.compile(r"(?i)[a-z]{3}-(mir|let)-\S+"),
        "microRNAs are not protein-coding and are not ranked",
    ),
    (
        "antibody against a modified site",
        re.compile(r"\S+[_-]p?[STY]\d+(_\S+)?"),
        "name the gene that the antibody detects",
    ),
    (
        "clone or locus name",
        re.compile(r"LOC\d+|(RP|CT[ABCD]|AC|AL|AP)\d+[-.]\S+|Gm\d+|\w+Rik"),
        "such loci have no approved human symbol",
    ),
)

#: Kinds whose plural is not in the last word.
PLURALS: Final = {
    "Ensembl transcript or protein": "Ensembl transcripts or proteins",
    "gene of another species": "genes of another species",
    "contaminant or decoy": "contaminants or decoys",
    "antibody against a modified site": "antibodies against a modified site",
    "clone or locus name": "names of clones or loci",
}

MONTHS: Final = {
    "JAN": ("JAN",),
    "FEB": ("FEB",),
    "MAR": ("MARCH", "MARC", "MAR"),
    "APR": ("APR",),
    "MAY": ("MAY",),
    "JUN": ("JUN",),
    "JUL": ("JUL",),
    "AUG": ("AUG",),
    "SEP": ("SEPT", "SEP"),
    "OCT": ("OCT",),
    "NOV": ("NOV",),
    "DEC": ("DEC",),
}
_MONTH = "(" + "|".join(MONTHS) + ")[A-Z]*"
_DATES: Final = (
    re.compile(rf"(?i)(?P<day>\d{{1,2}})[-/ ](?P<month>{_MONTH})([-/ ]\d{{2,4}})?"),
    re.compile(rf"(?i)(?P<month>{_MONTH})[-/ ](?P<day>\d{{1,2}})([-/ ]\d{{2,4}})?"),
    re.compile(r"\d{4}-(?P<month>\d{2})-(?P<day>\d{2})([ T]00:00:00)?"),
    re.compile(r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/\d{2,4}"),
    re.compile(r"(?P<day>\d{1,2})/(?P<month>\d{1,2})/\d{2,4}"),
)
NUMBER: Final = re.compile(r"\d+(\.\d+)?[Ee]\+\d+")
#: Capital first, then lower case: how mouse and rat genes are written. Human 'C1orf43' is not.
RODENT_CASE: Final = re.compile(
    r"(?!C[\dXY]+orf\d+)[A-Z][a-z][A-Za-z0-9-]*|[A-Z]\d*[a-z][a-z0-9-]*"
)
NO_NAME: Final = frozenset({"", "-", "--", "---", ".", "?", "na", "n/a", "nan", "none", "null"})


def kind_of_name(name: str) -> str:
    """Tell the kind of a name by its form alone.

    Example:
        >>> [kind_of_name(n) for n in ("ENSG00000141510.12", "1007_s_at", "Trp53", "2-Sep", "TP53")]
        ['Ensembl gene', 'microarray probe', 'mouse or rat symbol', 'date', 'symbol']
    """
    if name.strip().lower() in NO_NAME:
        return "empty name"
    name = name.split(";", maxsplit=1)[0]
    for kind, pattern, _ in KINDS:
        if pattern.fullmatch(name):
            return kind
    if date_symbols(name):
        return "date"
    if NUMBER.fullmatch(name):
        return "number in scientific notation"
    return "mouse or rat symbol" if RODENT_CASE.fullmatch(name) else "symbol"


def plural(kind: str) -> str:
    """Name several of a kind.

    Example:
        >>> plural("Ensembl gene"), plural("gene of another species")
        ('Ensembl genes', 'genes of another species')
    """
    return PLURALS.get(kind, f"{kind}s")


def advice_for(kind: str) -> str:
    """Say what to do about names of a kind."""
    advice = {k: a for k, _, a in KINDS} | {
        "empty name": "name every row",
        "date": "a spreadsheet changed gene symbols into dates; export the table again as text",
        "number in scientific notation": "a spreadsheet changed names; export the table as text",
        "mouse or rat symbol": "aimwell ranks human genes; map them to human orthologues first",
    }
    return advice.get(kind, "give approved HGNC symbols, Ensembl, Entrez or UniProt ids")


def date_symbols(name: str) -> list[str]:
    """List the old symbols that a spreadsheet may have changed into this date.

    Example:
        >>> date_symbols("1-Mar")
        ['MARCH1', 'MARC1', 'MAR1']
        >>> date_symbols("2021-09-02 00:00:00")
        ['SEPT2', 'SEP2']
        >>> date_symbols("MARCHF1")
        []
    """
    found: dict[str, None] = {}
    for pattern in _DATES:
        match = pattern.fullmatch(name)
        if not match:
            continue
        month, day = match["month"][:3].upper(), int(match["day"])
        if month.isdigit():
            month = list(MONTHS)[int(month) - 1] if 1 <= int(month) <= 12 else ""
        if 1 <= day <= 31 and month:
            found |= dict.fromkeys(f"{stem}{day}" for stem in MONTHS[month])
    return list(found)


def main_kinds(names: Iterable[str], limit: int = 2) -> list[tuple[str, int, str]]:
    """Count the kinds of names, most frequent first: (kind, how many, first example)."""
    count: dict[str, int] = {}
    example: dict[str, str] = {}
    for name in names:
        kind = kind_of_name(name)
        count[kind] = count.get(kind, 0) + 1
        example.setdefault(kind, name)
    order = sorted(count, key=lambda kind: (-count[kind], kind))
    return [(kind, count[kind], example[kind]) for kind in order[:limit]]
