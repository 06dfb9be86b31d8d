"""GraphML networks, as Cytoscape, igraph and NetworkX write them."""

from pathlib import Path
from typing import Final
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa

from aimwell.errors import InputError, some
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import DIRECTED, UNDIRECTED, Collector, Interactions
from aimwell.knowledge.streams import first_lines, open_text, scores_of
from aimwell.provenance import Step

NAME: Final = "GraphML"
WHAT: Final = "a GraphML network"
#: Edge attributes that may say what an edge means.
RELATION_KEYS: Final = ("relation", "interaction", "type")
_Values = dict[str, str]


def read_graphml(
    path: Path,
    *,
    id_type: str = "mixed",
    relation: str = "interacts",
    name_attribute: str = "",
    weight_attribute: str = "",
) -> Interactions:
    """Read edges between genes.

    Args:
        path: The file.
        id_type: What the names are.
        relation: What an edge says that has no attribute ``relation``, ``interaction`` or ``type``
            with the name of a relation.
        name_attribute: The attribute of nodes that holds the name; without one it is their id.
        weight_attribute: The attribute of edges that holds a weight in (0, 1]; without one it is 1.

    Raises:
        InputError: Another file, damaged XML, an unknown attribute, or a weight out of range.
    """
    lines = first_lines(path, WHAT)
    if not any("<graphml" in line for line in lines):
        raise InputError(wrong_file(path, WHAT, lines, "it has no element 'graphml'"))
    nodes, edges, keys = _parse(path)
    for attribute in (name_attribute, weight_attribute):
        if attribute and attribute not in keys:
            raise InputError(
                f"'{path}' has no attribute '{attribute}'; it has {some(sorted(keys), 9)}"
            )
    if name_attribute:
        names = {key: values.get(name_attribute, "") for key, values in nodes.items()}
    else:
        names = {key: key for key in nodes}
    if lost := sorted({end for edge in edges for end in edge[:2]} - set(names)):
        raise InputError(f"'{path}' has edges to unknown nodes: {some(lost)}; it is damaged")
    weight = np.ones(len(edges))
    if weight_attribute:
        weight = scores_of(_numbers(path, edges, weight_attribute), path, weight_attribute, 0)
    known = (*UNDIRECTED, *DIRECTED)
    said = [
        next((v for k in RELATION_KEYS if (v := values.get(k, "")) in known), relation)
        for _, _, values in edges
    ]
    kept = np.flatnonzero(weight > 0).tolist()
    rows = Collector(NAME, path)
    rows.add(
        [names[edges[i][0]] for i in kept],
        [names[edges[i][1]] for i in kept],
        weight=weight[kept],
        relation=[said[i] for i in kept],
    )
    step = Step(f"{path.name}: weights", len(edges), len(kept), "a weight of 0")
    return rows.finish(id_type, [step] if len(kept) < len(edges) else [])


def _parse(path: Path) -> tuple[dict[str, _Values], list[tuple[str, str, _Values]], set[str]]:
    """Read nodes, edges and the names of attributes, in one pass and little memory."""
    titles: dict[str, str] = {}
    nodes: dict[str, _Values] = {}
    edges: list[tuple[str, str, _Values]] = []
    with open_text(path, WHAT) as text:
        try:
            for _, element in ElementTree.iterparse(text):  # noqa: S314  expat limits expansion
                tag = element.tag.rpartition("}")[2]
                if tag == "key":
                    titles[element.get("id", "")] = element.get("attr.name", element.get("id", ""))
                elif tag in ("node", "edge"):
                    values = {
                        titles.get(d.get("key", ""), d.get("key", "")): (d.text or "").strip()
                        for d in element
                        if d.tag.rpartition("}")[2] == "data"
                    }
                    if tag == "node":
                        nodes[element.get("id", "")] = values
                    else:
                        ends = element.get("source", ""), element.get("target", "")
                        edges.append((*ends, values))
                    element.clear()
        except ElementTree.ParseError as error:
            raise InputError(
                f"'{path}' is damaged XML ({error}); export the network again"
            ) from error
        except (ValueError, LookupError) as error:  # an encoding that expat does not know
            raise InputError(f"'{path}' cannot be read as {WHAT}: {error}") from error
    return nodes, edges, set(titles.values())


def _numbers(path: Path, edges: list[tuple[str, str, _Values]], attribute: str) -> pa.Array:
    numbers = []
    for row, (_, _, values) in enumerate(edges, 1):
        text = values.get(attribute, "")
        try:
            numbers.append(float(text) if text else None)
        except ValueError as error:
            raise InputError(
                f"'{path}', edge {row}: '{text[:40]}' in '{attribute}' where a number was expected"
            ) from error
    return pa.array(numbers, pa.float64())
