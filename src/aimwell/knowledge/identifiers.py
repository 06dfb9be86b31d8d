"""Resolve names of genes and proteins to HGNC ids, and account for every name that does not."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import pandas as pd

from aimwell.errors import IdentifierError
from aimwell.knowledge import name_kinds as kinds
from aimwell.knowledge.families import gene_families
from aimwell.knowledge.graph import GENE_COLUMNS, TargetGraph
from aimwell.knowledge.name_index import (
    Index,
    Verdict,
    as_text,
    fold_case,
    index_names,
    members_of,
    unknown,
)
from aimwell.knowledge.name_maps import NameMap
from aimwell.knowledge.sources.hgnc import successors
from aimwell.knowledge.sources.mygene_online import OnlineHelper
from aimwell.provenance import Source, Step

#: Dates among the names of a file from which on a spreadsheet is taken to have made them.
FEWEST_DATES: Final = 2
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
_GROUPED: Final = "group of"
ONLINE: Final = "mygene.info (online)"
#: Columns of the HGNC table that name transcripts, where it has them → kind of name.
_HGNC_NAMES: Final = {"mane_select": "RefSeq", "refseq_accession": "RefSeq"}
_MAPPED: Final = "mapped "  # before the kinds of names that mapping files add
#: Kinds of lost names that are worth asking the online helper for.
_ASKED: Final = (
    "symbol",
    "Ensembl gene",
    "Ensembl transcript or protein",
    "Entrez gene",
    "UniProt accession",
    "RefSeq accession",
    "microarray probe",
    "clone or locus name",
)
_Facts = tuple[str, str, str, str]  # symbol, locus group, status, name


@dataclass(frozen=True)
class IdentifierTable:
    """All names by which genes are known, ready to be looked up.

    Attributes:
        loci: One row per locus, indexed by HGNC id, sorted; columns as ``read_hgnc`` gives them.
        genes: The protein-coding loci with the columns of ``GENE_COLUMNS``.
        source: The table behind it.
        steps: Rows in and out.
        mapping_sources: The files that added names.
        helper: Asks online for names that are lost here; None never touches the network.

    Make it with ``from_hgnc`` or ``from_graph``.
    """

    loci: pd.DataFrame
    genes: pd.DataFrame
    source: Source | None = None
    steps: tuple[Step, ...] = ()
    mapping_sources: tuple[Source, ...] = ()
    helper: OnlineHelper | None = None
    _index: dict[str, Index] = field(default_factory=dict, repr=False, compare=False)
    _facts: dict[str, _Facts] = field(default_factory=dict, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._facts:  # a copy with another helper or more names: the index is made already
            return
        live = self.loci[self.loci["status"] == "Approved"]
        for column, how in _KEYS.items():
            self._index[how] = index_names(live.index, live[column])
        for how in _SYMBOLS:
            self._index[f"{how} (case ignored)"] = fold_case(self._index[how])
        dead = self.loci[self.loci["status"] != "Approved"]
        old = dead["symbol"].str.replace("~withdrawn", "", regex=False)
        self._index[_WITHDRAWN] = index_names(dead.index, old)
        columns = [self.loci[c].tolist() for c in ("symbol", "locus_group", "status", "name")]
        self._facts.update(zip(self.loci.index, zip(*columns, strict=True), strict=True))
        for column, kind in _HGNC_NAMES.items():
            if column in live:
                names = live[column].str.replace(r"(ENST\d+|N[MR]_\d+)\.\d+", r"\1", regex=True)
                for name, genes in index_names(live.index, names).items():
                    self._add(
                        "Ensembl transcript" if name.startswith("ENST") else kind, name, genes
                    )

    def _add(self, kind: str, name: str, genes: tuple[str, ...]) -> None:
        """Let a name of a mapping file stand for genes, unless it already does."""
        self._index.setdefault(_MAPPED + kind, {}).setdefault(name, genes)

    @classmethod
    def from_hgnc(
        cls,
        loci: pd.DataFrame,
        source: Source | None = None,
        withdrawn: pd.DataFrame | None = None,
    ) -> "IdentifierTable":
        """Make the table from the rows of ``read_hgnc`` and ``read_hgnc_withdrawn``."""
        if withdrawn is not None:
            new = withdrawn[~withdrawn.index.isin(loci.index)]
            loci = pd.concat([loci, new]).sort_index().fillna("")
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

    def with_names(self, maps: Sequence[NameMap]) -> "IdentifierTable":
        """Add the names of mapping files: transcripts, proteins, retired and secondary ids.

        A name of an earlier file is not changed by a later one, and none changes what HGNC says.
        """
        index = {k: dict(v) if k.startswith(_MAPPED) else v for k, v in self._index.items()}
        table = replace(self, _index=index)
        steps: list[Step] = []
        for found in maps:
            targets = {t: table._judge(t) for t in found.table["target"].unique()}
            new: dict[tuple[str, str], set[str]] = {}
            columns = (found.table[c].tolist() for c in ("kind", "name", "target"))
            for kind, name, target in zip(*columns, strict=True):
                if not targets[target].reason:
                    new.setdefault((kind, name), set()).update(targets[target].found)
            for (kind, name), genes in new.items():
                if genes:
                    table._add(kind, name, tuple(sorted(genes)))
            lost = sorted(t for t, verdict in targets.items() if verdict.reason)
            why = "names of what is no gene of HGNC" if lost else ""
            name = f"{found.source}: names added"
            steps += [*found.steps, Step(name, len(found.table), len(new), why, tuple(lost[:3]))]
        return replace(table, steps=(*self.steps, *steps))

    def resolve(
        self,
        names: Iterable[object],
        *,
        protein_coding: bool = True,
        razor: bool = False,
        whole_file: bool = False,
    ) -> pd.DataFrame:
        """Resolve names of any kind, in any mixture.

        The order is: approved symbol, unique previous symbol, unique alias, then ids by their
        form; upper and lower case count at first, and are ignored only where nothing was found.

        Args:
            names: Symbols, HGNC, Ensembl, Entrez or UniProt ids, or groups joined by ``;``.
            protein_coding: False also lets other loci resolve.
            razor: A group of proteins of several genes is mapped to the gene of its first member;
                ``candidates`` then names them all. By default such a group is ambiguous.
            whole_file: The names are all names of a file. Then dates that a spreadsheet made are
                turned back where there are at least two and the one gene that a date can stand for
                is not there by another name; ``how`` says so. By default a date is ambiguous.

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
        texts = [as_text(name) for name in names]
        rows = {text: self._row(text, protein_coding, razor) for text in dict.fromkeys(texts)}
        if self.helper:
            rows |= self._ask(rows, protein_coding)
        if whole_file:
            rows |= self._turn_dates_back(rows, protein_coding)
        return pd.DataFrame([rows[t] for t in texts], columns=list(REPORT_COLUMNS), dtype=str)

    def _turn_dates_back(
        self, rows: Mapping[str, tuple[str, ...]], protein_coding: bool
    ) -> dict[str, tuple[str, ...]]:
        """Map the dates of a file that can each stand for one gene only, which it lacks otherwise.

        One date may be a typing error; a spreadsheet that changed one name changed all of them.
        """
        dates = {name: self._judge(name) for name, row in rows.items() if row[4] == "date"}
        if len(dates) < FEWEST_DATES:
            return {}
        there = {row[1] for row in rows.values() if row[3] == "mapped"}
        meant = Counter(verdict.found for verdict in dates.values())
        found = {}
        for name, verdict in dates.items():
            alone = len(verdict.found) == 1 and meant[verdict.found] == 1
            if alone and verdict.found[0] not in there:
                how = f"date, turned back to {' or '.join(kinds.date_symbols(name.strip()))}"
                found[name] = self._say(name, Verdict(how, verdict.found), protein_coding)
        return found

    def _ask(
        self, rows: dict[str, tuple[str, ...]], protein_coding: bool
    ) -> dict[str, tuple[str, ...]]:
        """Judge lost names by what the online helper says they stand for."""
        asked = [
            name
            for name, row in rows.items()
            if row[3] == "lost" and not row[5] and kinds.kind_of_name(name) in _ASKED
        ]
        if not asked or not self.helper:
            return {}
        answers = self.helper.ask(asked)
        found = {}
        for name, ids in answers.items():
            genes = tuple(g for g in ids if g in self._facts)
            if genes:
                found[name] = self._say(name, Verdict(ONLINE, genes), protein_coding)
        return found

    def _row(self, name: str, protein_coding: bool, razor: bool) -> tuple[str, ...]:
        verdict = self._judge(name)
        if razor and verdict.how.startswith(_GROUPED) and len(verdict.found) > 1:
            return self._razor(name, verdict, protein_coding)
        return self._say(name, verdict, protein_coding)

    def _razor(self, name: str, group: Verdict, protein_coding: bool) -> tuple[str, ...]:
        """Let the first member that is one gene stand for the group, and name the others."""
        members = [self._judge(part) for part in members_of(name)]
        first = next((v for v in members if len(v.found) == 1 and not v.reason), None)
        row = self._say(name, first or group, protein_coding)
        candidates = "|".join(sorted(self._facts[g][0] for g in group.found))
        return (*row[:4], f"{group.how}, multi_gene: the first decides", candidates, row[6])

    def _say(self, name: str, verdict: Verdict, protein_coding: bool) -> tuple[str, ...]:
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
            or self._as_mapped(clean)
            or self._as_group(clean)
            or self._as_date(clean)
            or self._as_rodent(clean)
            or self._as_symbol(clean.upper(), [f"{how} (case ignored)" for how in _SYMBOLS])
            or unknown(clean)
        )

    def _as_number(self, name: str) -> Verdict | None:
        """Read bare digits as Entrez: lists of ids are common, aliases made of digits are not."""
        match = kinds.ENTREZ.fullmatch(name)
        if not match:
            return None
        found = self._index["Entrez"].get(match[1], ())
        for kind in () if found else ("Entrez", "retired Entrez"):
            if found := self._index.get(_MAPPED + kind, {}).get(match[1], ()):
                return Verdict(f"{kind}, by a mapping file", found)
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
        if not found and (found := self._index.get(_MAPPED + how, {}).get(key, ())):
            return Verdict(f"{how}, by a mapping file{stripped}", found)
        return Verdict(how + stripped, found, "" if found else f"no gene in HGNC has this {how} id")

    def _as_mapped(self, name: str) -> Verdict | None:
        """Look up transcripts, proteins, RefSeq and entry names, and LOC numbers as Entrez ids."""
        if match := kinds.LOC.fullmatch(name):
            verdict = self._as_number(match[1])
            return Verdict("LOC number", verdict.found) if verdict and verdict.found else None
        match = kinds.VERSIONED.fullmatch(name)
        key, version = (match["name"], match["version"] or "") if match else (name, "")
        for kind in ("Ensembl transcript", "Ensembl protein", "RefSeq", "UniProt entry name"):
            if found := self._index.get(_MAPPED + kind, {}).get(key, ()):
                stripped = f", version {version} stripped" if version else ""
                return Verdict(kind + stripped, found)
        return None

    def _as_hgnc_id(self, gene: str) -> Verdict:
        """Look up an id, and follow withdrawn entries to what replaced them."""
        if gene not in self._facts:
            return Verdict("HGNC id", reason="not in this HGNC table")
        found: set[str] = set()
        seen, waiting = {gene}, [gene]
        while waiting:
            entry = waiting.pop()
            _, _, status, title = self._facts[entry]
            if status == "Approved":
                found.add(entry)
                continue
            for target in successors(title):
                after = next(iter(self._index["approved symbol"].get(target, (target,))))
                if after in self._facts and after not in seen:
                    seen.add(after)
                    waiting.append(after)
        how = "HGNC id" if found == {gene} else f"HGNC id, withdrawn {gene} followed"
        if not found:
            return Verdict("HGNC id", reason="withdrawn by HGNC without a successor")
        return Verdict(how, tuple(sorted(found)))

    def _as_group(self, name: str) -> Verdict | None:
        """Read ``P1;P2`` (a protein group), ``A /// B`` (one probe) and ``TP53|7157`` (synonyms).

        Members that no gene is known for do not count; every other member must be the same gene.
        """
        members = members_of(name)
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
        how = f"{_GROUPED} {len(members)}" + (f", by {' and '.join(hows)}" if hows else "")
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
        exact = {g for s in symbols for how in _SYMBOLS for g in self._index[how].get(s, ())}
        folded = {
            g
            for s in symbols
            for how in _SYMBOLS
            for g in self._index[f"{how} (case ignored)"].get(s, ())
        }
        found = exact or folded  # OCT4 is written Oct4 in HGNC
        reason = f"a date made by a spreadsheet, perhaps from {' or '.join(symbols)}"
        return Verdict("date", tuple(sorted(found)), reason)

    def _as_rodent(self, name: str) -> Verdict | None:
        if not kinds.RODENT_CASE.fullmatch(name):
            return None
        found = self._index["approved symbol"].get(name.upper(), ())
        return Verdict(_RODENT, found, "written like a mouse or rat gene; human genes are needed")


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
        f"{count} look like {kinds.plural(kind)}, such as '{example}'"
        for kind, count, example in kinds.main_kinds(others)
    ]
    advice = kinds.advice_for(kinds.main_kinds(others)[0][0])
    raise IdentifierError(
        f"{where}: {mapped} of {total} names resolve to one human protein-coding gene "
        f"({mapped / total:.0%}, {minimum:.0%} needed); of the others {' and '.join(described)}; "
        f"{advice}"
    )
