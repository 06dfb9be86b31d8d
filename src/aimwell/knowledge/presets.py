"""Graphs that users name instead of describing: lists of the catalogue's databases."""

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from aimwell.config import GraphSource, NameMapping, RunConfig
from aimwell.errors import InputError, some
from aimwell.knowledge.catalog import Entry, read_catalog


@dataclass(frozen=True)
class Part:
    """One database of a preset.

    Attributes:
        entry: Its entry in the catalogue.
        files: Setting of the reader → entry whose file it takes.
        settings: Other settings of ``[[graph.sources]]``; ``reader`` where it is not that of the
            catalogue.
    """

    entry: str
    files: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)


#: Without text mining, which reads the papers about the targets; 0.4 is what STRING calls medium.
_STRING: Final = Part(
    "string-channels",
    {"aliases": "string-aliases"},
    {"channels": ("experiments", "database"), "min_score": 0.4},
)
_HI_UNION: Final = Part("hi-union", settings={"name": "HI-union"})
_REACTOME: Final = Part(
    "reactome",
    {"hierarchy": "reactome-hierarchy", "names": "reactome-names"},
    {"reader": "reactome"},
)
_SETS: Final = (
    _REACTOME,
    Part("wikipathways"),
    Part("hallmark"),
    Part("complex-portal"),
    Part("famplex"),
    Part("go-annotations", {"hierarchy": "go"}),
)
#: Preset → its databases. ``open``: what a company may use too. ``full``: all that can be fetched
#: without a form, one entry of each database.
PRESETS: Final[dict[str, tuple[Part, ...]]] = {
    "open": (_STRING, Part("biogrid"), _HI_UNION, Part("omnipath-commercial"), *_SETS),
    "full": (
        _STRING,
        Part("biogrid"),
        Part("intact"),
        _HI_UNION,
        Part("omnipath"),
        Part("enzyme-substrate"),
        Part("collectri"),
        Part("corum"),
        *_SETS,
    ),
}
#: Presets whose licences are held to commercial use, whatever the run file says.
COMMERCIAL: Final = ("open",)
#: Entries that give the names of genes, where the run file does not say which to take.
_NAMES: Final = ("hgnc", "hgnc-withdrawn", "uniprot-secondary")


def entries_of(names: Sequence[str]) -> list[str]:
    """Replace presets among names by the catalogue's entries that they need.

    Example:
        >>> entries_of(["huri"])
        ['huri']
        >>> "string-aliases" in entries_of(["open"])
        True
    """
    found: list[str] = []
    for name in names:
        parts = PRESETS.get(name)
        found += [name] if parts is None else [*_NAMES, *_needed(parts)]
    return list(dict.fromkeys(found))


def with_preset(config: RunConfig, catalog: Mapping[str, Entry] | None = None) -> RunConfig:
    """Replace the preset of a run file by the databases that it stands for.

    Their files are those that ``aimwell graph fetch`` puts into ``graph.databases``. A run file
    without such a preset stays as it is.

    Args:
        config: A run file.
        catalog: Name → entry; by default the embedded catalogue.

    Raises:
        InputError: A file is missing, or is not of the size that was fetched.
    """
    graph = config.graph
    parts = PRESETS.get(graph.preset)
    if parts is None:
        return config
    entries = catalog or read_catalog()
    folder = config.path(graph.databases)
    own_names = bool(config.identifiers.hgnc)
    needed = [*(() if own_names else _NAMES), *_needed(parts)]
    _refuse_missing(graph.preset, [entries[name] for name in needed], folder)
    sources = tuple(_source(part, entries, graph.databases) for part in parts)
    licence = "commercial" if graph.preset in COMMERCIAL else graph.licence
    graph = replace(graph, preset="", sources=sources, licence=licence)
    identifiers = config.identifiers
    if not own_names:
        hgnc, withdrawn, secondary = (entries[name] for name in _NAMES)
        mapping = NameMapping(
            "uniprot_secondary",
            _path(graph.databases, secondary),
            secondary.release,
            secondary.licence,
            secondary.url,
        )
        identifiers = replace(
            identifiers,
            hgnc=_path(graph.databases, hgnc),
            withdrawn=identifiers.withdrawn or _path(graph.databases, withdrawn),
            mappings=(*identifiers.mappings, mapping),
        )
    return replace(config, graph=graph, identifiers=identifiers)


def _needed(parts: Sequence[Part]) -> list[str]:
    return [name for part in parts for name in (part.entry, *part.files.values())]


def _path(folder: str, entry: Entry) -> str:
    return (Path(folder) / entry.file).as_posix()


def _source(part: Part, entries: Mapping[str, Entry], folder: str) -> GraphSource:
    entry = entries[part.entry]
    settings: dict[str, Any] = {
        "reader": entry.reader,
        **part.settings,
        **{key: _path(folder, entries[name]) for key, name in part.files.items()},
    }
    return GraphSource(
        path=_path(folder, entry),
        release=entry.release,
        licence=entry.licence,
        url=entry.url,
        **settings,
    )


def _refuse_missing(preset: str, entries: Sequence[Entry], folder: Path) -> None:
    """Refuse files that are not there, or not as they were fetched, all in one message."""
    from aimwell.knowledge.fetch import read_lock  # its network client is slow to load

    missing = [entry.name for entry in entries if not (folder / entry.file).is_file()]
    if missing:
        raise InputError(
            f"graph.preset = '{preset}' needs {len(entries)} files, and {len(missing)} of them are "
            f"not in '{folder}' (graph.databases): {some(missing)}; fetch them with: "
            f"aimwell graph fetch {' '.join(missing)} --output {shlex.quote(str(folder))}"
        )
    locked = read_lock(folder)
    for entry in entries:
        size = (folder / entry.file).stat().st_size
        known = locked.get(entry.file)
        if known and known.bytes != size:
            raise InputError(
                f"'{folder / entry.file}' has {size:,} bytes, and {known.bytes:,} were fetched on "
                f"{known.retrieved[:10]}; delete it and bring it back with: aimwell graph fetch "
                f"{entry.name} --output {folder}"
            )
