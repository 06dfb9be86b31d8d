"""The catalogue of public databases: where each file lies, and who may use it."""

import tomllib
from dataclasses import dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from aimwell.errors import ConfigError, InputError, some

COMMERCIAL: Final = ("yes", "no", "unknown")
_FILE: Final = Path("data", "graphs", "catalog.toml")


@dataclass(frozen=True)
class Entry:
    """One file of one database.

    Attributes:
        name: What the command line calls it.
        title: What it is.
        file: Name in the folder of databases.
        reader: Reader of the run file, or its setting that takes the file (``identifiers.hgnc``).
        release: Release, or ``current`` where the address always gives the newest.
        licence: Licence, by its SPDX name where it has one.
        commercial: Whether a company may use it: ``yes``, ``no`` or ``unknown``.
        citation: The paper to cite.
        page: Page of the database, for people.
        columns: The columns that are read, as the file names them; empty where it names none.
        url: Address of the file; empty where it has to be downloaded by hand.
        member: For a zip archive: a pattern for the name of the one file in it that is wanted.

    Raises:
        ConfigError: A value that cannot be right.
    """

    name: str
    title: str
    file: str
    reader: str
    release: str
    licence: str
    commercial: str
    citation: str
    page: str
    columns: tuple[str, ...]
    url: str = ""
    member: str = ""

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if field.name == "columns":
                right = isinstance(value, tuple) and all(isinstance(c, str) for c in value)
            else:
                right = isinstance(value, str) and bool(value or field.name in ("url", "member"))
            if not right:
                raise ConfigError(f"catalogue, '{self.name}': {field.name} cannot be {value!r}")
        if self.commercial not in COMMERCIAL:
            found = f"commercial is '{self.commercial}'"
            raise ConfigError(f"catalogue, '{self.name}': {found}; it must be yes, no or unknown")
        if self.file != Path(self.file).name or self.file.startswith("."):
            raise ConfigError(f"catalogue, '{self.name}': '{self.file}' is not the name of a file")
        if self.member and not self.url.endswith(".zip"):
            raise ConfigError(f"catalogue, '{self.name}': 'member' is for zip archives")

    @property
    def archive(self) -> str:
        """Name of the zip archive that the file comes in; empty where it comes alone."""
        return self.url.rsplit("/", 1)[-1] if self.member else ""


def find_catalog() -> Path:
    """Find the catalogue, in an installed package or in a source checkout.

    Raises:
        InputError: It is in neither place.
    """
    package = Path(str(files("aimwell")))
    for folder in (package, package.parents[1]):
        if (folder / _FILE).is_file():
            return folder / _FILE
    raise InputError(
        f"the catalogue of databases is not below '{package}' nor '{package.parents[1]}'; "
        "install aimwell again"
    )


def read_catalog(path: Path | None = None) -> dict[str, Entry]:
    """Read the catalogue; by default the embedded one.

    Returns:
        Name → entry, sorted by name.

    Raises:
        ConfigError: A key that is missing, unknown or of the wrong kind, or two entries that
            share a file.
        InputError: There is no catalogue.

    Example:
        >>> read_catalog()["huri"].licence
        'CC-BY-4.0'
    """
    path = path or find_catalog()
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"'{path}' cannot be read as a catalogue: {error}") from error
    entries = {name: _entry(name, raw[name]) for name in sorted(raw)}
    every = [entry.file for entry in entries.values()]
    if twice := sorted({file for file in every if every.count(file) > 1}):
        raise ConfigError(f"'{path}': several entries have the file {some(twice)}")
    return entries


def _entry(name: str, raw: Any) -> Entry:
    if not isinstance(raw, dict):
        raise ConfigError(f"catalogue: '{name}' is not a table")
    known = {field.name: field for field in fields(Entry) if field.name != "name"}
    if unknown := sorted(set(raw) - set(known)):
        raise ConfigError(f"catalogue, '{name}': unknown {some(unknown)}; known: {some(known, 12)}")
    needed = set(known) - {"url", "member"}
    if missing := sorted(needed - set(raw)):
        raise ConfigError(f"catalogue, '{name}': {some(missing)} is missing")
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in raw.items()}
    return Entry(name=name, **values)
