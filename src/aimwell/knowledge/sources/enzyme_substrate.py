"""OmniPath enzyme–substrate relations: which kinase changes which site of which protein.

Read are the table of the web service (``enzsub``) and the table ``target, source, weight`` that
decoupler takes, whose targets are sites such as ``ITGB2_S745``.
"""

import re
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from aimwell.errors import InputError
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import first_lines, split_header, stream_table
from aimwell.provenance import Step

NAME: Final = "OmniPath enzyme-substrate"
WHAT: Final = "a table of enzymes and substrates"
SERVICE: Final = ("enzyme", "substrate", "residue_type", "residue_offset", "modification")
SITES: Final = ("target", "source", "weight")
_SITE: Final = r"^(?P<gene>.+)_(?P<site>[A-Za-z]\d+)$"


def read_enzyme_substrate(path: Path) -> Interactions:
    """Read enzymes and the proteins they modify.

    Complexes (``COMPLEX:…``) are left out, and counted: which subunit holds the active site is not
    said, and sharing a catalytic act among subunits would be wrong.

    Returns:
        Relation ``regulates`` with weight 1, because a modification may switch on or off;
        ``evidence_type`` is the modification, ``detail`` the site.

    Raises:
        InputError: Another file, a malformed line, or a target that is no site.
    """
    lines = first_lines(path, WHAT)
    separator = "\t" if "\t" in lines[0] else ","
    header = split_header(lines, path, WHAT, separator)
    if set(SERVICE) <= set(header):
        return _read_service(path, header, separator)
    if not set(SITES) <= set(header) or not re.search(r"_[A-Za-z]\d+\b", "".join(lines[1:2])):
        found = f"the first lines are '{' / '.join(lines[:2])[:80]}'"
        raise InputError(wrong_file(path, WHAT, lines, found))
    return _read_sites(path, header, separator)


def _read_service(path: Path, header: list[str], separator: str) -> Interactions:
    papers = [c for c in ("references",) if c in header]
    rows = Collector(NAME, path)
    seen = single = 0
    for block in stream_table(
        path, WHAT, header, [*SERVICE, *papers], skip=1, separator=separator, quoted=True
    ):
        seen += len(block["enzyme"])
        alone = pc.invert(
            pc.or_(
                pc.starts_with(block["enzyme"], "COMPLEX:"),
                pc.starts_with(block["substrate"], "COMPLEX:"),
            )
        )
        part = {name: values.filter(alone) for name, values in block.items()}
        single += len(part["enzyme"])
        rows.add(
            part["enzyme"],
            part["substrate"],
            relation="regulates",
            evidence_type=part["modification"],
            pubmed_ids=_papers(part["references"]) if papers else "",
            detail=pc.binary_join_element_wise(part["residue_type"], part["residue_offset"], ""),
        )
    why = "complexes, of which nobody says which subunit acts"
    return rows.finish("uniprot", [Step(f"{NAME}: single proteins", seen, single, why)])


def _read_sites(path: Path, header: list[str], separator: str) -> Interactions:
    rows = Collector(NAME, path)
    seen = 0
    for block in stream_table(
        path, WHAT, header, SITES, skip=1, separator=separator, quoted=True, numbers=["weight"]
    ):
        found = pc.extract_regex(block["target"], _SITE)
        bad = pc.is_null(found)
        if pc.any(bad).as_py():
            at = pc.index(bad, True).as_py()
            raise InputError(
                f"'{path}', row {seen + at + 1}: the target '{block['target'][at]}' is no site "
                "such as 'ITGB2_S745'"
            )
        seen += len(found)
        phosphatase = pc.less(block["weight"], 0)
        rows.add(
            block["source"],
            pc.struct_field(found, "gene"),
            relation="regulates",
            evidence_type=pc.if_else(phosphatase, "dephosphorylation", "phosphorylation"),
            detail=pc.struct_field(found, "site"),
        )
    return rows.finish("symbol")


def _papers(references: pa.Array) -> list[str]:
    texts = references.to_pylist()
    found = {t: "|".join(sorted(set(re.findall(r"\b\d{4,8}\b", t)))) for t in set(texts)}
    return [found[t] for t in texts]
