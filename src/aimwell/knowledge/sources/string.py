"""STRING: functional associations with a score per kind of evidence (CC BY 4.0).

Read are the release files ``protein.links``, ``protein.links.detailed``, ``protein.links.full``
(and their ``protein.physical.links`` twins), which name proteins ``9606.ENSP…`` and need
``protein.aliases`` or ``protein.info``; the export of the website, which has symbols beside them;
and lists of two columns with symbols or UniProt accessions, with or without a ``score`` or ``cost``
(1.5 − confidence, as prize-collecting methods write it).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from aimwell.errors import InputError, some
from aimwell.knowledge.files import wrong_file
from aimwell.knowledge.interactions import Collector, Interactions
from aimwell.knowledge.streams import (
    first_lines,
    require_columns,
    scores_of,
    split_header,
    stream_table,
)
from aimwell.provenance import Step

NAME: Final = "STRING"
WHAT: Final = "STRING links"
ALIASES: Final = "a STRING alias table"
INFO: Final = "a STRING protein table"
HUMAN: Final = "9606."
#: The chance that STRING gives two random proteins, which its scores contain.
PRIOR: Final = 0.041
#: What a cost is subtracted from to give the confidence.
COST_ZERO: Final = 1.5
TEXT_MINING: Final = ("textmining", "textmining_transferred")
#: Kinds of evidence that homology of two proteins feigns.
HOMOLOGOUS: Final = ("cooccurence", "textmining")
CHANNELS: Final = (
    "neighborhood",
    "neighborhood_transferred",
    "fusion",
    "cooccurence",
    "coexpression",
    "coexpression_transferred",
    "experiments",
    "experiments_transferred",
    "database",
    "database_transferred",
    *TEXT_MINING,
)
#: What other files call a channel.
_SAME: Final = {
    "experimental": "experiments",
    "neighborhood_on_chromosome": "neighborhood",
    "gene_fusion": "fusion",
    "phylogenetic_cooccurrence": "cooccurence",
    "experimentally_determined_interaction": "experiments",
    "database_annotated": "database",
    "automated_textmining": "textmining",
}
_PAIRS: Final = (
    ("protein1", "protein2"),
    ("node1", "node2"),
    ("Gene1", "Gene2"),
    ("gene1", "gene2"),
)
Floats = npt.NDArray[np.float64]


def read_string(
    path: Path,
    *,
    aliases: Path | None = None,
    info: Path | None = None,
    channels: Sequence[str] = (),
    min_score: float = 0.0,
) -> Interactions:
    """Read STRING associations of human proteins.

    Args:
        path: One of the files above, plain or gzipped.
        aliases: ``protein.aliases``: gives HGNC ids or Ensembl genes of the proteins.
        info: ``protein.info``: gives their preferred names.
        channels: Of ``CHANNELS``. The score is then that of these channels alone, combined as
            STRING combines them: the prior of 0.041 taken away, direct and transferred evidence
            joined, co-occurrence and text mining lowered where the proteins are homologous
            (``protein.links.full`` alone needs that), one minus the product of the complements, the
            prior put back.
        min_score: Leave out associations with a smaller score, in [0, 1].

    Returns:
        Relation ``interacts``; ``weight`` is the score; ``evidence_type`` lists the channels that
        have one. ``literature`` is true where the score without text mining would be below
        ``min_score``; everywhere in a file without channels, because nobody can tell there.

    Raises:
        InputError: Another file, an unknown channel, a score out of range, or no human protein.
    """
    lines = first_lines(path, WHAT)
    separator = next((s for s in ("\t", " ", ",") if s in lines[0]), "\t")
    header = split_header(lines, path, WHAT, separator)
    ends = next((pair for pair in _PAIRS if set(pair) <= set(header)), None)
    if ends is None:
        found = f"the first line is '{lines[0][:60]}'"
        raise InputError(wrong_file(path, WHAT, lines, found))
    have = {_SAME.get(c, c): c for c in header}
    _refuse_unknown_channels(channels, have, path)
    largest = 1000.0 if separator == " " else 1.0
    if "combined_score" in have and ends[0] == "protein1":
        largest = 1000.0
    named = _names(aliases, info)
    score = next((c for c in ("combined_score", "score", "cost") if c in have), "")
    used = [c for c in CHANNELS if c in have and (not channels or c in channels)]
    # The website exports scores that are lowered for homology already; the release files do not.
    homology = ["homology"] if "homology" in have and used and ends[0] == "protein1" else []
    numbers = [have[c] for c in (*([score] if score else []), *used, *homology)]
    if "node1_string_id" in header and named:
        ends = ("node1_string_id", "node2_string_id")
    rows = Collector(NAME, path, _Translate(named))
    seen = kept = foreign = 0
    for block in stream_table(
        path,
        WHAT,
        header,
        [*ends, *numbers],
        skip=1,
        separator=separator,
        quoted=separator != " ",
        numbers=numbers,
        repeated=ends,
    ):
        values = {
            name: _scores(block[have[name]], path, name, seen, largest)
            for name in (*([score] if score else []), *used, *homology)
        }
        size = len(block[ends[0]])
        seen += size
        human = _human(block[ends[0]]) & _human(block[ends[1]])
        foreign += int(size - np.count_nonzero(human))
        weight = _weight(values, score, used, channels, size)
        keep = human & (weight >= min_score) & (weight > 0)
        kept += int(np.count_nonzero(keep))
        names = [block[end] for end in ends]
        if not keep.all():
            names = [name.filter(pa.array(keep)) for name in names]
            values = {name: column[keep] for name, column in values.items()}
            weight = weight[keep]
        rows.add(
            *names,
            weight=weight,
            evidence_type=_evidence(values, used) if used else "",
            literature=_mined(values, used, min_score, len(weight)) if used else True,
        )
    if not seen:
        raise InputError(f"'{path}' has a header and no rows; it should be {WHAT}")
    if foreign == seen:
        raise InputError(
            f"'{path}' has no human protein: its names start otherwise than with '{HUMAN}', such "
            f"as '{lines[1][:40]}'; download the file of Homo sapiens (9606)"
        )
    steps = [Step(f"{NAME}: human proteins", seen, seen - foreign, "other species")]
    why = f"a score below {min_score:g}"
    steps.append(Step(f"{NAME}: scores", seen - foreign, kept, why))
    unnamed = "Ensembl proteins that the tables of names do not know, or know two genes for"
    return rows.finish("mixed", steps, unnamed)


def combine_channels(values: Mapping[str, Floats], channels: Sequence[str], size: int) -> Floats:
    """Combine the scores of channels as STRING does (von Mering 2005, NAR 33:D433), in [0, 1].

    Args:
        values: Channel, and perhaps ``homology`` → scores in [0, 1], shape ``(n,)``.
        channels: The ones to combine; none gives 0.
        size: ``n``.

    Example:
        >>> scores = {"experiments": np.array([0.8, 0.0]), "database": np.array([0.9, 0.0])}
        >>> combine_channels(scores, ["experiments", "database"], 2).round(3).tolist()
        [0.979, 0.0]
    """
    complement = np.ones(size)
    any_score = np.zeros(size, bool)
    lowered = 1 - values.get("homology", np.zeros(size))
    for kind in dict.fromkeys(c.removesuffix("_transferred") for c in channels):
        missed = np.ones(size)
        for channel in (c for c in channels if c.removesuffix("_transferred") == kind):
            missed = missed * (1 - np.clip((values[channel] - PRIOR) / (1 - PRIOR), 0, None))
            any_score |= values[channel] > 0
        found = 1 - missed
        if kind in HOMOLOGOUS:
            found = found * lowered
        complement = complement * (1 - found)
    combined = (1 - complement) * (1 - PRIOR) + PRIOR
    return np.where(any_score, np.round(np.clip(combined, 0, 1), 9), 0.0)


def _mined(
    values: Mapping[str, Floats], used: Sequence[str], min_score: float, size: int
) -> npt.NDArray[np.bool_]:
    """Tell which associations would not stand without text mining."""
    others = [c for c in used if c not in TEXT_MINING]
    if len(others) == len(used):
        return np.zeros(size, bool)
    without = combine_channels(values, others, size)
    return (without < min_score) | (without <= 0)


def _weight(
    values: Mapping[str, Floats],
    score: str,
    used: Sequence[str],
    channels: Sequence[str],
    size: int,
) -> Floats:
    if channels or (used and not score):
        return combine_channels(values, used, size)
    return values[score] if score else np.ones(size)


def _scores(values: pa.Array, path: Path, name: str, seen: int, largest: float) -> Floats:
    if name == "cost":
        flipped = pc.round(pc.subtract(pa.scalar(COST_ZERO), values), ndigits=9)
        return scores_of(flipped, path, f"{COST_ZERO} - cost", seen)
    return scores_of(values, path, name, seen, largest=largest)


def _evidence(values: Mapping[str, Floats], used: Sequence[str]) -> pa.Array:
    """Name the channels that have a score, ``database|experiments``, row by row."""
    bits = np.zeros(len(values[used[0]]), np.int32)
    for place, channel in enumerate(used):
        bits |= (values[channel] > 0).astype(np.int32) << place
    distinct, codes = np.unique(bits, return_inverse=True)
    texts = ["|".join(sorted(c for i, c in enumerate(used) if b >> i & 1)) for b in distinct]
    return pa.array(texts, pa.string()).take(pa.array(codes))


def _human(names: pa.DictionaryArray) -> npt.NDArray[np.bool_]:
    """Tell which names are of human proteins: names without a taxon in front are."""
    texts = names.dictionary
    foreign = pc.and_not(pc.match_substring_regex(texts, r"^\d+\.\S"), pc.starts_with(texts, HUMAN))
    human = ~np.asarray(foreign)
    if human.all():
        return np.ones(len(names), bool)
    found: npt.NDArray[np.bool_] = human[names.indices.to_numpy(zero_copy_only=False)]
    return found


class _Translate:
    """Ensembl protein → name where a table gives names; other names stay as they are."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = named

    def __call__(self, name: str) -> str:
        name = name.strip()
        if name.startswith((HUMAN, "ENSP")):
            protein = name.removeprefix(HUMAN)
            return self._named.get(protein, "") if self._named else protein
        return name


def _names(aliases: Path | None, info: Path | None) -> dict[str, str]:
    named: dict[str, str] = {}
    if info:
        named |= read_string_info(info)
    if aliases:
        named |= read_string_aliases(aliases)
    return named


def read_string_aliases(path: Path) -> dict[str, str]:
    """Read ``protein.aliases``: Ensembl protein → HGNC id, else Ensembl gene.

    A protein with two HGNC ids (or, without one, two Ensembl genes) is left out.

    Raises:
        InputError: Another file, or one without a gene id.
    """
    lines = first_lines(path, ALIASES)
    header = split_header(lines, path, ALIASES)
    if len(header) < 3 or "alias" not in lines[0]:
        raise InputError(wrong_file(path, ALIASES, lines, f"it starts '{lines[0][:60]}'"))
    names = [f"column {i}" for i in range(len(header))]  # names differ from release to release
    best: dict[str, tuple[set[str], set[str]]] = {}
    for block in stream_table(path, ALIASES, names, names[:3], skip=1):
        protein, alias, source = (block[name] for name in names[:3])
        number = pc.match_substring_regex(alias, r"^\d+$")
        hgnc = pc.and_(number, pc.match_substring_regex(source, r"(?i)\bensembl_hgnc_(hgnc_)?id\b"))
        alias = pc.if_else(hgnc, pc.binary_join_element_wise("HGNC", alias, ":"), alias)
        mask = pc.match_substring_regex(alias, r"^(HGNC:\d+|ENSG\d{11})$")
        pairs = (protein.filter(mask).to_pylist(), alias.filter(mask).to_pylist())
        for name, gene in zip(*pairs, strict=True):
            ids = best.setdefault(name.removeprefix(HUMAN), (set(), set()))
            ids[gene.startswith("ENSG")].add(gene)
    if not best:
        raise InputError(
            wrong_file(path, ALIASES, lines, "it holds no HGNC id and no Ensembl gene")
        )
    chosen = {protein: hgnc or ensembl for protein, (hgnc, ensembl) in best.items()}
    return {protein: next(iter(ids)) for protein, ids in chosen.items() if len(ids) == 1}


def read_string_info(path: Path) -> dict[str, str]:
    """Read ``protein.info``: Ensembl protein → preferred name.

    Raises:
        InputError: Another file.
    """
    lines = first_lines(path, INFO)
    header = split_header(lines, path, INFO)
    if len(header) < 2 or "protein" not in header[0]:
        raise InputError(wrong_file(path, INFO, lines, f"it starts '{lines[0][:60]}'"))
    require_columns(header, ["preferred_name"], path, INFO, lines)
    columns = [header[0], "preferred_name"]
    named: dict[str, str] = {}
    for block in stream_table(path, INFO, header, columns, skip=1):
        proteins = [p.removeprefix(HUMAN) for p in block[columns[0]].to_pylist()]
        named |= dict(zip(proteins, block[columns[1]].to_pylist(), strict=True))
    return named


def _refuse_unknown_channels(channels: Sequence[str], have: Mapping[str, str], path: Path) -> None:
    present = [c for c in CHANNELS if c in have]
    if unknown := [c for c in channels if c not in present]:
        raise InputError(
            f"'{path}' has no channel {some(unknown)}; it has {some(present, 14)}; "
            "protein.links.detailed and protein.links.full hold channels, protein.links does not"
        )
