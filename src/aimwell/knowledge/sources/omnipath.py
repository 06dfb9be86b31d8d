"""OmniPath: signalling and regulation from many databases, with directions and signs.

Read are the table of the web service (``interactions``; comma- or tab-separated) and the signed
table ``source, interaction, target`` that CARNIVAL takes.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from aimwell.errors import InputError, some
from aimwell.knowledge.complexes import expand_complexes
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import first_lines, split_header, stream_table
from aimwell.provenance import Step

NAME: Final = "OmniPath"
WHAT: Final = "an OmniPath table"
SIGNED: Final = ("source", "interaction", "target")
FLAGS: Final = ("is_directed", "is_stimulation", "is_inhibition")
OPTIONAL: Final = (
    "consensus_stimulation",
    "consensus_inhibition",
    "sources",
    "references",
    "type",
    "dorothea_level",
    "ncbi_tax_id_source",
    "ncbi_tax_id_target",
)
HUMAN: Final = "9606"
_TRUE: Final = pa.array(["1", "1.0", "TRUE", "True", "true"])


def read_omnipath(path: Path) -> Interactions:
    """Read interactions of human proteins.

    Complexes are written ``A_B_C`` (or ``COMPLEX:P1_P2``): the file names their members, so each
    member gets the edges of the complex with an equal share of the weight, counted in a step.
    Chemicals are left out, of complexes (``CHEBI_29035``) and as partners.

    Returns:
        ``activates`` or ``inhibits`` by the sign, ``induces`` or ``represses`` for transcriptional
        regulation. Where databases disagree about the sign, the consensus decides, or the edge is
        in both relations. Without a sign, a directed edge ``regulates`` and another ``interacts``.
        Weight 1; ``evidence_type`` is the type of interaction and, of DoRothEA's, its level;
        ``detail`` names the databases behind it.

    Raises:
        InputError: Another file, a malformed line, or no human interaction.
    """
    lines = first_lines(path, WHAT)
    separator = "\t" if "\t" in lines[0] else ","
    header = split_header(lines, path, WHAT, separator)
    if tuple(header) == SIGNED:
        return _read_signed(path, header, separator)
    if missing := [c for c in ("source", "target", *FLAGS) if c not in header]:
        found = f"it lacks the columns {some(missing, 4)}"
        raise InputError(wrong_file(path, WHAT, lines, found))
    columns = ["source", "target", *FLAGS, *(c for c in OPTIONAL if c in header)]
    rows = Collector(NAME, path)
    counts = np.zeros(4, int)
    for block in stream_table(
        path, WHAT, header, columns, skip=1, separator=separator, quoted=True
    ):
        human = pa.array(np.ones(len(block["source"]), bool))
        for column in (c for c in OPTIONAL if c.startswith("ncbi") and c in block):
            human = pc.and_(human, pc.equal(block[column], HUMAN))
        ours = {name: values.filter(human) for name, values in block.items()}
        named = _with_proteins(ours)
        counts += (len(human), len(ours["source"]), len(named["source"]), _add_typed(rows, named))
    if not counts[1]:
        raise InputError(f"'{path}' has no interaction of two human proteins ({HUMAN})")
    steps = [Step(f"{NAME}: human partners", int(counts[0]), int(counts[1]), "other species")]
    return rows.finish("mixed", [*steps, *_steps(counts[1:])])


def _read_signed(path: Path, header: Sequence[str], separator: str) -> Interactions:
    rows = Collector(NAME, path)
    counts = np.zeros(3, int)
    for block in stream_table(path, WHAT, header, SIGNED, skip=1, separator=separator, quoted=True):
        signs = block["interaction"]
        strange = set(signs.unique().to_pylist()) - {"1", "-1", "1.0", "-1.0"}
        if strange:
            raise InputError(
                f"'{path}' has the interaction {some(sorted(strange))}; it must be 1 or -1"
            )
        named = _with_proteins(block)
        size = len(named["source"])
        relation = pc.if_else(pc.starts_with(named["interaction"], "-"), "inhibits", "activates")
        evidence = pa.array(["signalling"] * size, pa.string())
        added = _add(rows, named, np.arange(size), relation, evidence) if size else 0
        counts += (len(signs), size, added)
    return rows.finish("symbol", _steps(counts))


def _steps(counts: npt.NDArray[np.int64]) -> list[Step]:
    read, named, added = counts.tolist()
    why = "an edge per sign where databases disagree, and per member of a complex"
    return [
        Step(f"{NAME}: proteins at both ends", read, named, "a partner is a chemical"),
        Step(f"{NAME}: signs, and complexes as their members", named, added, why),
    ]


def _with_proteins(block: dict[str, pa.Array]) -> dict[str, pa.Array]:
    """Keep the rows with a protein at both ends."""
    names = {n for end in ("source", "target") for n in block[end].unique().to_pylist()}
    known = pa.array([n for n in names if _members(n)], pa.string())
    both = pc.and_(pc.is_in(block["source"], known), pc.is_in(block["target"], known))
    return {name: values.filter(both) for name, values in block.items()}


def _add_typed(rows: Collector, block: dict[str, pa.Array]) -> int:
    """Add rows to the relations that their signs and types say; give how many edges that made."""
    true = {name: _true(block[name]) for name in block if name.startswith(("is_", "consensus"))}
    size = len(block["source"])
    up, down = true["is_stimulation"], true["is_inhibition"]
    if "consensus_stimulation" in true and "consensus_inhibition" in true:
        sure_up, sure_down = true["consensus_stimulation"], true["consensus_inhibition"]
        torn = up & down & (sure_up != sure_down)
        up, down = np.where(torn, sure_up, up), np.where(torn, sure_down, down)
    level = block.get("dorothea_level", pa.array([""] * size, pa.string()))
    level = pc.replace_substring(pc.if_else(pc.equal(level, "NA"), "", level), ";", "|")
    kind = block.get("type", pa.array([""] * size, pa.string()))
    genes = np.array(pc.or_(pc.equal(kind, "transcriptional"), pc.not_equal(level, "")))
    kind = pc.if_else(
        pc.equal(kind, ""), pc.if_else(pa.array(genes), "transcriptional", "signalling"), kind
    )
    evidence = pc.if_else(pc.equal(level, ""), kind, pc.binary_join_element_wise(kind, level, "|"))
    added = 0
    unsigned = ~(up | down)
    for keep, name in (
        (up & ~genes, "activates"),
        (up & genes, "induces"),
        (down & ~genes, "inhibits"),
        (down & genes, "represses"),
        (unsigned & true["is_directed"], "regulates"),
        (unsigned & ~true["is_directed"], "interacts"),
    ):
        chosen = np.flatnonzero(keep)
        if len(chosen):
            relation = pa.array([name] * size, pa.string())
            added += _add(rows, block, chosen, relation, evidence)
    return added


def _add(
    rows: Collector,
    block: dict[str, pa.Array],
    chosen: npt.NDArray[np.int64],
    relation: pa.Array,
    evidence: pa.Array,
) -> int:
    """Add the chosen rows, complexes as their members; give how many edges that made."""
    names = [block[end].take(pa.array(chosen)).to_pylist() for end in ("source", "target")]
    order, source, target, share = expand_complexes(names[0], names[1], _members)
    at = pa.array(chosen[order])
    rows.add(
        source,
        target,
        weight=share,
        relation=relation.take(at),
        evidence_type=evidence.take(at),
        pubmed_ids=_papers(block["references"].take(at)) if "references" in block else "",
        detail=pc.replace_substring(block["sources"].take(at), ";", "|")
        if "sources" in block
        else "",
    )
    return len(order)


def _members(name: str) -> Sequence[str]:
    """List the proteins of a complex, without its chemicals (``CHEBI_29035``)."""
    proteins = re.sub(r"(?:^|_)CHEBI_\d+(?=_|$)", "", name.removeprefix("COMPLEX:"))
    # C4B_2 is one gene, and a bare 2 would be read as an Entrez id
    return re.findall(r"[^_]+(?:_\d+(?=_|$))?", proteins)


def _true(values: pa.Array) -> npt.NDArray[np.bool_]:
    found: npt.NDArray[np.bool_] = np.asarray(pc.is_in(values, _TRUE))
    return found


def _papers(references: pa.Array) -> list[str]:
    """Take the PubMed ids from ``HTRIdb:9606766;SIGNOR:17012224``."""
    texts = references.to_pylist()
    found = {t: "|".join(sorted(set(re.findall(r"\b\d{4,8}\b", t)))) for t in set(texts)}
    return [found[t] for t in texts]
