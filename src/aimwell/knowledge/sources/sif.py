"""SIF, the simple interaction format of Cytoscape and Pathway Commons: name, relation, names."""

from pathlib import Path
from typing import Final

from aimwell.errors import InputError
from aimwell.knowledge.files import read_lines, wrong_file
from aimwell.knowledge.formats import recognise_format
from aimwell.knowledge.interactions import DIRECTED, UNDIRECTED, Collector, Interactions
from aimwell.provenance import Step

NAME: Final = "SIF"
WHAT: Final = "a SIF network"
#: What Cytoscape and Pathway Commons call relations.
KNOWN: Final = {
    "pp": "interacts",
    "interacts-with": "interacts",
    "in-complex-with": "interacts",
    "pd": "regulates",
    "controls-state-change-of": "regulates",
    "controls-phosphorylation-of": "regulates",
    "controls-expression-of": "regulates",
    **{name: name for name in (*UNDIRECTED, *DIRECTED)},
}


def read_sif(path: Path, *, id_type: str = "mixed", relation: str = "interacts") -> Interactions:
    """Read edges between genes.

    Args:
        path: A line is a name, a relation and one or more names, separated by tabs if there is one
            in the file, else by spaces. A name alone is a node without edges; it is counted.
        id_type: What the names are.
        relation: What a relation that is not in ``KNOWN`` means.

    Returns:
        One row per pair; ``evidence_type`` is the relation as written, so that ``channels`` can
        keep some of them.

    Raises:
        InputError: Another file, or a line of two fields.
    """
    lines = read_lines(path, WHAT)
    if recognise_format(lines) not in ("", WHAT):
        raise InputError(wrong_file(path, WHAT, lines, "its first line is that of another format"))
    separator = "\t" if any("\t" in line for line in lines) else None
    source, target, kinds, lone = [], [], [], []
    for number, line in enumerate(lines, 1):
        fields = [f.strip() for f in line.split(separator) if f.strip()]
        if len(fields) == 2 or (number == 1 and len(fields) < 3):
            found = f"line {number} is not a name, a relation and names: '{line[:60]}'"
            raise InputError(wrong_file(path, WHAT, lines, found))
        if len(fields) == 1:
            lone.append(fields[0])
        for name in fields[2:]:
            source.append(fields[0])
            target.append(name)
            kinds.append(fields[1])
    rows = Collector(NAME, path)
    relations = [KNOWN.get(kind, relation) for kind in kinds]
    rows.add(source, target, relation=relations, evidence_type=kinds)
    total = len(source) + len(lone)
    step = Step(f"{path.name}: edges", total, len(source), "nodes alone", tuple(lone[:3]))
    return rows.finish(id_type, [step] if lone else [])
