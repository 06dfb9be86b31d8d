"""Interactions as a database publishes them: one shape that every reader of networks returns."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypedDict, Unpack

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from aimwell.errors import IdentifierError, InputError, some
from aimwell.knowledge import name_kinds as kinds
from aimwell.provenance import Step

#: Relations that hold both ways, and relations from source to target. ``regulates`` is an effect
#: whose sign the database does not state.
UNDIRECTED: Final = ("interacts",)
DIRECTED: Final = ("activates", "inhibits", "induces", "regulates", "represses")
ENDS: Final = ("source", "target")
TEXTS: Final = ("relation", "evidence_type", "pubmed_ids", "date", "detail")
FLAGS: Final = ("literature", "clinical")
INTERACTION_COLUMNS: Final = (*ENDS, "relation", "weight", *TEXTS[1:2], *FLAGS, *TEXTS[2:])
#: What ``id_type`` may be → the form of such names. ``mixed`` leaves it to the form of each name; a
#: symbol is anything but the id of another kind.
ID_TYPES: Final = {
    "mixed": re.compile(r".*", re.DOTALL),
    "symbol": re.compile(r"(?!\d+$|ENSG\d{11}|HGNC:\d).+"),
    "hgnc": kinds.HGNC_ID,
    "ensembl_gene": kinds.ENSEMBL_GENE,
    "entrez": kinds.ENTREZ,
    "uniprot": kinds.UNIPROT,
}
Codes = npt.NDArray[np.int32]


class Said(TypedDict, total=False):
    """What a block of rows says: of each column, one value for all rows or one per row."""

    relation: "str | pa.Array | Iterable[str]"
    weight: "float | npt.NDArray[np.float64]"
    evidence_type: "str | pa.Array | Iterable[str]"
    literature: "bool | npt.NDArray[np.bool_]"
    clinical: bool
    pubmed_ids: "str | pa.Array | Iterable[str]"
    date: "str | pa.Array | Iterable[str]"
    detail: "str | pa.Array | Iterable[str]"


_UNSAID: Final[Said] = {
    "relation": "interacts",
    "weight": 1.0,
    "evidence_type": "",
    "literature": False,
    "clinical": False,
    "pubmed_ids": "",
    "date": "",
    "detail": "",
}


@dataclass(frozen=True)
class Interactions:
    """What a reader of interactions returns.

    Attributes:
        table: One row per record of the file that was kept; columns ``INTERACTION_COLUMNS``.

            ``source``, ``target``: names as the database writes them, of the type ``id_type``;
            categorical over the same categories. ``relation``: one of ``UNDIRECTED`` and
            ``DIRECTED``. ``weight``: in (0, 1]. ``evidence_type``: how it was seen, in the
            database's words, several joined by ``|``. ``literature``: the record would not stand
            without text mining (curation by people who read papers is not text mining).
            ``clinical``: it comes from patients or drugs. ``pubmed_ids``: digits, joined by ``|``.
            ``date``: ISO date or year of the earliest report; empty where not given. ``detail``:
            mechanism, site. All text columns are categorical.
        id_type: What the names are: one of ``ID_TYPES``.
        steps: Rows in and out.

    Raises:
        InputError: An unknown relation, a weight outside (0, 1], or no row.
    """

    table: pd.DataFrame
    id_type: str
    steps: tuple[Step, ...] = ()

    def __post_init__(self) -> None:
        if self.table.empty:
            last = self.steps[-1] if self.steps else Step("reading", 0, 0)
            why = f", which left out {last.rows_in} ({last.why})" if last.why else ""
            raise InputError(
                f"no interaction is left after the step '{last.name}'{why}; change the settings "
                "of this source in [[graph.sources]], or leave it out"
            )
        weight = self.table["weight"].to_numpy(float)
        if not np.all((weight > 0) & (weight <= 1)):
            bad = weight[~((weight > 0) & (weight <= 1))]
            raise InputError(f"{len(bad)} weights lie outside (0, 1]: {some(bad)}")
        known = (*UNDIRECTED, *DIRECTED)
        if unknown := sorted(set(self.table["relation"].cat.categories) - set(known)):
            raise InputError(f"unknown relations {some(unknown)}; known: {', '.join(known)}")

    @property
    def names(self) -> pd.Index:
        """Distinct names of sources and targets, sorted."""
        names: pd.Index = self.table["source"].cat.categories
        return names


class Encoder:
    """Give every distinct text a number, in order of appearance, block by block.

    Args:
        clean: Changes each distinct text once; what becomes empty gets the number of ``""``.

    Example:
        >>> encoder = Encoder(str.upper)
        >>> encoder.encode(["b", "a", "B"]).tolist(), encoder.texts
        ([0, 1, 0], ['B', 'A'])
    """

    def __init__(self, clean: Callable[[str], str] | None = None) -> None:
        self._clean = clean
        self._code: dict[str, int] = {}
        self._raw: dict[str, int] = {}
        self.texts: list[str] = []

    def encode(self, values: "pa.Array | pa.ChunkedArray | Iterable[str]") -> Codes:
        """Number the texts of a block, shape ``(n,)``."""
        array = values if isinstance(values, pa.Array | pa.ChunkedArray) else _texts(values)
        if isinstance(array, pa.ChunkedArray):
            array = array.combine_chunks()
        block = array if isinstance(array, pa.DictionaryArray) else array.dictionary_encode()
        texts = block.dictionary.to_pylist()
        codes = [*map(self._raw.get, texts)]
        if None in codes:
            codes = [self.one(text) for text in texts]
        found: Codes = np.array(codes, np.int32)[block.indices.to_numpy(zero_copy_only=False)]
        return found

    def one(self, text: str) -> int:
        """Number one text."""
        found = self._raw.get(text)
        if found is None:
            clean = self._clean(text) if self._clean else text
            found = self._code.setdefault(clean, len(self.texts))
            if found == len(self.texts):
                self.texts.append(clean)
            self._raw[text] = found
        return found


def _texts(values: Iterable[str]) -> pa.Array:
    return pa.array([str(v) for v in values], pa.string())


class Collector:
    """Gather the rows of a file block by block, in little memory, and make the table of them.

    Example:
        >>> rows = Collector("toy", Path("toy.tsv"))
        >>> rows.add(["TP53", "MDM2"], ["MDM2", ""], weight=0.5)
        >>> found = rows.finish("symbol")
        >>> found.table[["source", "target", "weight"]].to_numpy().tolist(), found.steps[0].rows_in
        ([['TP53', 'MDM2', 0.5]], 2)
    """

    def __init__(
        self, database: str, path: Path, clean: Callable[[str], str] | None = None
    ) -> None:
        """Make an empty one; ``clean`` changes each distinct name once, to ``""`` to drop it."""
        self._where = (database, path)
        self._names = Encoder(clean)
        self._texts = {column: Encoder() for column in TEXTS}
        self._blocks: dict[str, list[Any]] = {column: [] for column in INTERACTION_COLUMNS}
        self._sizes: list[int] = []
        self._nameless = 0

    def add(
        self,
        source: "pa.Array | Iterable[str]",
        target: "pa.Array | Iterable[str]",
        **said: Unpack[Said],
    ) -> None:
        """Add a block of rows; rows without a name at either end are counted and left out."""
        ends = [self._names.encode(source), self._names.encode(target)]
        empty = self._names.one("")
        keep = (ends[0] != empty) & (ends[1] != empty)
        whole = bool(keep.all())
        rows: dict[str, Any] = dict(zip(ENDS, ends, strict=True))
        given: dict[str, Any] = {**_UNSAID, **said}
        rows |= {column: given[column] for column in ("weight", *FLAGS)}
        for column in TEXTS:
            texts, encoder = given[column], self._texts[column]
            rows[column] = encoder.one(texts) if isinstance(texts, str) else encoder.encode(texts)
        for column, value in rows.items():
            is_array = isinstance(value, np.ndarray)
            self._blocks[column].append(value if whole or not is_array else value[keep])
        self._sizes.append(int(keep.sum()))
        self._nameless += len(keep) - self._sizes[-1]

    def finish(
        self,
        id_type: str,
        steps: Iterable[Step] = (),
        nameless: str = "a partner that is no gene or protein, or has no name",
    ) -> Interactions:
        """Make the table, and count the rows without a name in a step, for the reason given.

        Raises:
            InputError: Not one row was added.
        """
        database, path = self._where
        total = sum(self._sizes)
        done = [*steps]
        if self._nameless:
            step = Step(
                f"{database}: partners with a name", total + self._nameless, total, nameless
            )
            done.append(step)
        if not total:
            lost = next(
                (f" ({s.rows_in} before '{s.name}': {s.why})" for s in done if s.rows_in), ""
            )
            raise InputError(
                f"'{path}' holds no interaction that can be used{lost}; name another file"
            )
        columns: dict[str, Any] = {}
        for column in INTERACTION_COLUMNS:
            blocks = self._blocks.pop(column)
            if column in ENDS:
                columns[column] = _categorical(_join(blocks, self._sizes, np.int32), self._names)
            elif column in TEXTS:
                encoder = self._texts[column]
                codes = (
                    np.zeros(total, np.int32)  # takes no memory
                    if len(encoder.texts) == 1
                    else _join(blocks, self._sizes, np.int32)
                )
                columns[column] = _categorical(codes, encoder)
            else:
                dtype = np.float64 if column == "weight" else np.bool_
                columns[column] = _join(blocks, self._sizes, dtype)
        return Interactions(pd.DataFrame(columns), id_type, tuple(done))


def _join(blocks: list[Any], sizes: list[int], dtype: Any) -> npt.NDArray[Any]:
    out = np.empty(sum(sizes), dtype)
    start = 0
    for i, size in enumerate(sizes):
        out[start : start + size] = blocks[i]
        blocks[i] = None  # frees the block before the next is copied
        start += size
    return out


def _categorical(codes: Codes, encoder: Encoder) -> "pd.Categorical[str]":
    """Make a categorical over all texts of the encoder but an unused empty one, sorted."""
    used = np.zeros(len(encoder.texts), bool)
    used[codes] = True
    blank = encoder.texts.index("") if "" in encoder.texts else -1
    kept = sorted(t for i, t in enumerate(encoder.texts) if used[i] or i != blank)
    rank = {text: i for i, text in enumerate(kept)}
    # the smallest type that holds the codes, which pandas would make of them with a copy
    small = np.min_scalar_type(-len(kept) - 1)
    place = np.fromiter((rank.get(t, -1) for t in encoder.texts), small, len(encoder.texts))
    return pd.Categorical.from_codes(place[codes], categories=pd.Index(kept, dtype=str))


def keep_rows(
    found: Interactions, keep: "npt.NDArray[np.bool_]", name: str, why: str
) -> Interactions:
    """Keep some rows, and record how many were left out."""
    rows = found.table if keep.all() else found.table[keep].reset_index(drop=True)
    step = Step(name, len(keep), len(rows), why if len(rows) < len(keep) else "")
    return Interactions(rows, found.id_type, (*found.steps, step))


def require_id_type(names: Sequence[str], id_type: str, where: str) -> list[str]:
    """Check that names have the form of the kind that the reader or run file declares.

    Args:
        names: Distinct names.
        id_type: One of ``ID_TYPES``.
        where: The file, for the message.

    Raises:
        IdentifierError: Fewer than half have that form.

    Example:
        >>> require_id_type(["TP53", "MDM2"], "entrez", "'x.tsv'")
        Traceback (most recent call last):
        aimwell.errors.IdentifierError: 'x.tsv': 2 of 2 names are no entrez ids, such as 'TP53' \
and 'MDM2', which look like symbols; declare the id_type that the file has
    """
    form = ID_TYPES[id_type]
    others = [name for name in names if not form.fullmatch(name)]
    if 2 * len(others) > len(names):
        found = kinds.plural(kinds.main_kinds(others)[0][0])
        raise IdentifierError(
            f"{where}: {len(others)} of {len(names)} names are no {id_type} ids, such as "
            f"{' and '.join(repr(n) for n in others[:2])}, which look like {found}; declare the "
            "id_type that the file has"
        )
    return list(names)
