"""Resolve names of genes and proteins to HGNC ids, and account for every name that does not."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import pandas as pd

from aimwell.errors import IdentifierError
from aimwell.knowledge import name_kinds as kinds
from aimwell.knowledge.families import gene_families
from aimwell.knowledge.graph import GENE_COLUMNS, TargetGraph
from aimwell.knowledge.sources.hgnc import successor
from aimwell.provenance import Source, Step

REPORT_COLUMNS: Final = ("name", "hgnc_id", "symbol", "status", "how", "candidates", "reason")
PROTEIN_CODING: Final = "protein-coding gene"
_KEYS: Final = {  # column → what a hit in it is called
    "symbol": "approved symbol",
    "prev_symbol": "previous symbol",
    "alias_symbol": "alias",
    "ensembl_gene_id": "Ensembl gene",
    "entrez_id": "Entrez",
    "uniprot_ids": "UniProt",
}
_SYMBOLS: Final = ("approved symbol", "previous symbol", "alias")
_WITHDRAWN: Final = "withdrawn symbol"
_RODENT: Final = "mouse or rat symbol"
_CONTAMINANT: Final = "contaminant or decoy"
_GROUP: Final = ";"
_Index = dict[str, tuple[str, ...]]  # name → HGNC ids
_Facts = tuple[str, str, str, str]  # symbol, locus group, status, name


@dataclass(frozen=True)
class Verdict:
    """What one name stands for: exactly one gene, several candidates, or none, and why."""

    how: str
    found: tuple[str, ...] = ()
    reason: str = ""


@dataclass(frozen=True)
class IdentifierTable:
    """All names by which genes are known, ready to be looked up.

    Attributes:
        loci: One row per locus, indexed by HGNC id, sorted; columns as ``read_hgnc`` gives them.
        genes: The protein-coding loci with the columns of ``GENE_COLUMNS``.
        source: The table behind it.
        steps: Rows in and out.

    Make it with ``from_hgnc`` or ``from_graph``.
    """

    loci: pd.DataFrame
    genes: pd.DataFrame
    source: Source | None = None
    steps: tuple[Step, ...] = ()
    _index: dict[str, _Index] = field(default_factory=dict, repr=False, compare=False)
    _facts: dict[str, _Facts] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        live = self.loci[self.loci["status"] == "Approved"]
        for column, how in _KEYS.items():
            self._index[how] = _index(live.index, live[column])
        for how in _SYMBOLS:
            self._index[f"{how} (case ignored)"] = _fold_case(self._index[how])
        dead = self.loci[self.loci["status"] != "Approved"]
        old = dead["symbol"].str.replace("~withdrawn", "", regex=False)
        self._index[_WITHDRAWN] = _index(dead.index, old)
        columns = [self.loci[c].tolist() for c in ("symbol", "locus_group", "status", "name")]
        self._facts.update(zip(self.loci.index, zip(*columns, strict=True), strict=True))

    @classmethod
    def from_hgnc(cls, loci: pd.DataFrame, source: Source | None = None) -> "IdentifierTable":
        """Make the table from the rows of ``read_hgnc``."""
        approved = loci[loci["status"] == "Approved"]
        coding = approved[approved["locus_group"] == PROTEIN_CODING]
        family, families = gene_families(coding)
        genes = coding.assign(family=family)[list(GENE_COLUMNS)]
        kept = Step(
            "protein-coding genes of HGNC",
            len(loci),
            len(genes),
            "other loci resolve, and are then kept out by name",
        )
        return cls(loci, genes, source, (kept, families))

    @classmethod
    def from_graph(cls, graph: TargetGraph) -> "IdentifierTable":
        """Make the table from a graph's own genes, which know no previous symbols and aliases."""
        genes = graph.nodes["gene"]
        loci = genes.assign(
            locus_group=PROTEIN_CODING,
            status="Approved",
            prev_symbol="",
            alias_symbol="",
        )
        return cls(loci, genes[list(GENE_COLUMNS)])

    def resolve(self, names: Iterable[object], *, protein_coding: bool = True) -> pd.DataFrame:
        """Resolve names of any kind, in any mixture.

        The order is: approved symbol, unique previous symbol, unique alias, then ids by their
        form; upper and lower case count at first, and are ignored only where nothing was found.

        Args:
            names: Symbols, HGNC, Ensembl, Entrez or UniProt ids, or groups joined by ``;``.
            protein_coding: False also lets other loci resolve.

        Returns:
            One row per name, in the given order; columns ``name``, ``hgnc_id``, ``symbol`` (both
            empty unless mapped), ``status`` (``mapped``, ``ambiguous``, ``lost``), ``how``,
            ``candidates`` (symbols joined by ``|``) and ``reason``.

        Example:
            >>> loci = pd.DataFrame({"symbol": ["SEPTIN2", "TP53"], "name": "", "entrez_id": "",
            ...     "locus_group": "protein-coding gene", "status": "Approved", "gene_group": "",
            ...     "gene_group_id": "", "alias_symbol": ["", "p53"], "uniprot_ids": "",
            ...     "prev_symbol": ["SEPT2", ""], "ensembl_gene_id": ["", "ENSG00000141510"]},
            ...     index=["HGNC:7729", "HGNC:11998"])
            >>> table = IdentifierTable.from_hgnc(loci)
            >>> report = table.resolve(["p53", "ENSG00000141510.12", "SEPT2", "2-Sep", "Trp53"])
            >>> report[["symbol", "status", "how"]].to_numpy().tolist()
            [['TP53', 'mapped', 'alias'],
             ['TP53', 'mapped', 'Ensembl gene, version .12 stripped'],
             ['SEPTIN2', 'mapped', 'previous symbol'],
             ['', 'ambiguous', 'date'],
             ['', 'lost', 'mouse or rat symbol']]
        """
        texts = [_text(name) for name in names]
        rows = {text: self._row(text, protein_coding) for text in dict.fromkeys(texts)}
        return pd.DataFrame([rows[t] for t in texts], columns=list(REPORT_COLUMNS), dtype=str)

    def _row(self, name: str, protein_coding: bool) -> tuple[str, ...]:
        verdict = self._judge(name)
        symbols = [self._facts[g][0] for g in verdict.found]
        candidates = "|".join(sorted(symbols))
        if verdict.reason or len(symbols) != 1:
            status = "ambiguous" if symbols and verdict.how != _RODENT else "lost"
            reason = verdict.reason or f"stands for {len(symbols)} genes"
            return name, "", "", status, verdict.how, candidates, reason
        gene = verdict.found[0]
        locus = self._facts[gene][1]
        if protein_coding and locus != PROTEIN_CODING:
            reason = f"{symbols[0]} is not protein-coding (HGNC: {locus})"
            return name, "", "", "lost", verdict.how, candidates, reason
        return name, gene, symbols[0], "mapped", verdict.how, "", ""

    def _judge(self, name: str) -> Verdict:
        clean = name.strip().strip('"').strip()
        if clean.lower() in kinds.NO_NAME:
            return Verdict("empty name", reason="no name")
        return (
            self._as_number(clean)
            or self._as_symbol(clean, _SYMBOLS)
            or self._as_withdrawn(clean)
            or self._as_id(clean)
            or self._as_group(clean)
            or self._as_date(clean)
            or self._as_rodent(clean)
            or self._as_symbol(clean.upper(), [f"{how} (case ignored)" for how in _SYMBOLS])
            or _unknown(clean)
        )

    def _as_number(self, name: str) -> Verdict | None:
        """Read bare digits as Entrez: lists of ids are common, aliases made of digits are not."""
        match = kinds.ENTREZ.fullmatch(name)
        if not match:
            return None
        found = self._index["Entrez"].get(match[1], ())
        return Verdict("Entrez", found, "" if found else "no human gene has this Entrez id")

    def _as_symbol(self, name: str, hows: Iterable[str]) -> Verdict | None:
        """Take the first kind of symbol that knows the name.

        A previous symbol of two genes is ambiguous even where it is also the alias of a third one
        (``CPT1``: CPT1A and CPT2, alias of CHPT1), because the alias is the weaker claim.
        """
        for how in hows:
            if found := self._index[how].get(name):
                return Verdict(how, found)
        return None

    def _as_withdrawn(self, name: str) -> Verdict | None:
        found = self._index[_WITHDRAWN].get(name.removesuffix("~withdrawn"), ())
        return self._as_hgnc_id(found[0]) if len(found) == 1 else None

    def _as_id(self, name: str) -> Verdict | None:
        if match := kinds.HGNC_ID.fullmatch(name):
            return self._as_hgnc_id(f"HGNC:{match[1]}")
        if match := kinds.ENSEMBL_GENE.fullmatch(name):
            stripped = f", version {match[2]} stripped" if match[2] else ""
            return self._known("Ensembl gene", match[1].upper(), stripped)
        accession = name
        if match := kinds.FASTA.fullmatch(name):
            accession = match[1]
            if not match[2].endswith("_HUMAN"):
                return Verdict("UniProt", reason=f"a protein of another species ({match[2]})")
        if match := kinds.UNIPROT.fullmatch(accession):
            stripped = f", isoform {match[2]} stripped" if match[2] else ""
            return self._known("UniProt", match[1], stripped)
        return None

    def _known(self, how: str, key: str, stripped: str) -> Verdict:
        found = self._index[how].get(key, ())
        return Verdict(how + stripped, found, "" if found else f"no gene in HGNC has this {how} id")

    def _as_hgnc_id(self, gene: str) -> Verdict:
        """Look up an id, and follow withdrawn entries to what replaced them."""
        seen: list[str] = []
        while gene in self._facts and gene not in seen:
            _, _, status, title = self._facts[gene]
            if status == "Approved":
                how = f"HGNC id, withdrawn {seen[0]} followed" if seen else "HGNC id"
                return Verdict(how, (gene,))
            seen.append(gene)
            target = successor(title)
            gene = next(iter(self._index["approved symbol"].get(target, (target,))))
        reason = "withdrawn by HGNC without a successor" if seen else "not in this HGNC table"
        return Verdict("HGNC id", reason=reason)

    def _as_group(self, name: str) -> Verdict | None:
        """Read ``P1;P2`` (a protein group), ``A /// B`` (one probe) and ``TP53|7157`` (synonyms).

        Members that no gene is known for do not count; every other member must be the same gene.
        """
        text = name.replace(" /// ", _GROUP).replace("|", _GROUP)
        members = [part.strip() for part in text.split(_GROUP) if part.strip()]
        if not members or (len(members) == 1 and members[0] == name):
            return None
        for part in members:
            if kinds.kind_of_name(part) == _CONTAMINANT:
                return Verdict(_CONTAMINANT, reason=f"holds a {_CONTAMINANT} ({part})")
        verdicts = [self._judge(part) for part in members]
        found = sorted({g for v in verdicts if v.how != _RODENT for g in v.found})
        certain = {v.found[0] for v in verdicts if len(v.found) == 1 and not v.reason}
        if "|" in name and len(certain) == 1:
            found = sorted(certain)  # synonyms of one gene: the clear one decides
        hows = sorted({v.how for v in verdicts if v.found})
        how = f"group of {len(members)}" + (f", by {' and '.join(hows)}" if hows else "")
        if not found:
            return Verdict(how, reason=f"no member is known: {verdicts[0].reason or 'empty'}")
        if len(found) == 1 and not certain:
            return Verdict(how, tuple(found), reason="only a doubtful member is known")
        reason = f"a group of proteins of {len(found)} genes" if len(found) > 1 else ""
        return Verdict(how, tuple(found), reason)

    def _as_date(self, name: str) -> Verdict | None:
        symbols = kinds.date_symbols(name)
        if not symbols:
            return None
        found = {
            gene
            for symbol in symbols
            for how in _SYMBOLS
            for gene in self._index[how].get(symbol, ())
        }
        reason = f"a date made by a spreadsheet, perhaps from {' or '.join(symbols)}"
        return Verdict("date", tuple(sorted(found)), reason)

    def _as_rodent(self, name: str) -> Verdict | None:
        if not kinds.RODENT_CASE.fullmatch(name):
            return None
        found = self._index["approved symbol"].get(name.upper(), ())
        return Verdict(_RODENT, found, "written like a mouse or rat gene; human genes are needed")


def _unknown(name: str) -> Verdict:
    kind = kinds.kind_of_name(name)
    return Verdict(kind, reason=f"unknown {kind}; {kinds.advice_for(kind)}")


def _text(name: object) -> str:
    if isinstance(name, date):  # a datetime or pandas timestamp is a date, too
        return name.isoformat()[:10] if name == name else ""  # noqa: PLR0124  NaT is not itself
    return "" if name is None or name is pd.NA or name != name else str(name)  # noqa: PLR0124


def _index(genes: pd.Index, column: "pd.Series[str]") -> _Index:
    found: _Index = {}
    for gene, names in zip(genes.tolist(), column.tolist(), strict=True):
        for name in dict.fromkeys(names.split("|")) if names else ():
            found[name] = (*found.get(name, ()), gene)
    found.pop("", None)
    return found


def _fold_case(index: _Index) -> _Index:
    folded: _Index = {}
    for name, genes in index.items():
        upper = name.upper()
        folded[upper] = tuple(sorted({*folded[upper], *genes})) if upper in folded else genes
    return folded


def require_mapped(report: pd.DataFrame, minimum: float, where: str) -> None:
    """Refuse a list of names of which too few are human genes.

    Args:
        report: What ``IdentifierTable.resolve`` returned.
        minimum: Smallest acceptable share of mapped names, in [0, 1].
        where: The file or setting that the names come from.

    Raises:
        IdentifierError: Fewer resolve; the message says what the others look like.
    """
    mapped = int((report["status"] == "mapped").sum())
    total = len(report)
    if total and mapped >= minimum * total:
        return
    if not total:
        raise IdentifierError(f"{where}: there is not one name; name at least one gene")
    others = report.loc[report["status"] != "mapped", "name"]
    described = [
        f"{count} look like {kind}s, such as '{example}'"
        for kind, count, example in kinds.main_kinds(others)
    ]
    advice = kinds.advice_for(kinds.main_kinds(others)[0][0])
    raise IdentifierError(
        f"{where}: {mapped} of {total} names resolve to one human protein-coding gene "
        f"({mapped / total:.0%}, {minimum:.0%} needed); of the others {' and '.join(described)}; "
        f"{advice}"
    )
