"""Fetch public databases into a folder, lock their bytes, and verify them ever after."""

import errno
import gzip
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from filelock import FileLock, Timeout

from aimwell.errors import ConfigError, InputError, RunError, some
from aimwell.knowledge.catalog import Entry
from aimwell.knowledge.sources.download import Meter, Patience, fetch_file, refuse_page
from aimwell.provenance import sha256_of, write_json

LOCK: Final = "aimwell.lock.json"
_VERSION: Final = 1


@dataclass(frozen=True)
class Locked:
    """What is remembered of a file: its exact bytes, and where they came from.

    Attributes:
        name: Entry of the catalogue.
        url: Address or path that it came from.
        sha256: Of the file in the folder.
        bytes: Its size.
        retrieved: When it came (UTC).
        modified: ``Last-Modified`` of the server.
        release: As the catalogue said then.
        licence: As the catalogue said then.
    """

    name: str
    url: str
    sha256: str
    bytes: int
    retrieved: str
    modified: str
    release: str
    licence: str

    def __post_init__(self) -> None:
        """Refuse facts of another kind than was written."""
        for fact, value in asdict(self).items():
            if not isinstance(value, int if fact == "bytes" else str):
                raise TypeError(f"{fact} is {value!r}")


@dataclass(frozen=True)
class Fetched:
    """A file that is in the folder now, and verified.

    ``state`` is ``verified`` (it was there), ``fetched`` (it is new) or ``updated`` (it took the
    place of another).
    """

    entry: Entry
    path: Path
    state: str
    locked: Locked


@dataclass(frozen=True)
class Origin:
    """Where files come from; by default from their official addresses.

    Raises:
        ConfigError: Both a folder and a mirror, or a mirror that is no address.
        InputError: A folder that is none.
    """

    folder: Path | None = None
    mirror: str = ""

    def __post_init__(self) -> None:
        if self.folder and self.mirror:
            raise ConfigError("--from and --mirror exclude each other; name one of them")
        if self.folder and not self.folder.is_dir():
            raise InputError(f"--from: '{self.folder}' is no folder; name one that holds the files")
        if self.mirror and not self.mirror.startswith(("http://", "https://")):
            raise ConfigError(
                f"--mirror: '{self.mirror}' is no address that starts with http:// or https://"
            )


def fetch_databases(
    names: Sequence[str],
    folder: Path,
    catalog: Mapping[str, Entry],
    meter: Meter,
    *,
    origin: Origin = Origin(),
    update: bool = False,
    patience: Patience = Patience(),  # noqa: B008  frozen
) -> list[Fetched]:
    """Bring databases into a folder, each verified against the lock file there.

    A file that is there and as locked is left alone, without asking anybody. One that is missing
    is brought, and must be the one that was locked, if one was. Files move to their place whole.

    Args:
        names: Entries of the catalogue; if empty, all that the folder's lock file names.
        folder: Where they belong; made where absent.
        catalog: Name → entry.
        meter: Is told of the progress.
        origin: A folder or a mirror instead of the official addresses.
        update: Bring every file anew, and lock what comes.
        patience: When to try a server again.

    Returns:
        One for each name, sorted.

    Raises:
        ConfigError: An unknown name, or none at all.
        InputError: A file that cannot be brought, is damaged, or is another than the locked one.
        RunError: Another call is at work in the folder.
    """
    entries = _chosen(names, catalog, read_lock(folder), folder)
    with _alone(folder):
        locked = read_lock(folder)
        done = []
        for entry in entries:
            call = _Call(entry, folder, locked.get(entry.file), origin, update)
            found = _fetch(call, meter, patience)
            done.append(found)
            locked[entry.file] = found.locked
            # after each file: what came is locked even if the next one fails
            files = {file: asdict(locked[file]) for file in sorted(locked)}
            write_json(folder / LOCK, {"version": _VERSION, "files": files})
        return done


def read_lock(folder: Path) -> dict[str, Locked]:
    """Read what is locked in a folder: file → facts; empty where there is no lock file.

    Raises:
        InputError: A lock file that is damaged or of another version.
    """
    path = folder / LOCK
    if not path.exists():
        return {}
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        if raw["version"] != _VERSION:
            raise InputError(f"'{path}' has version {raw['version']!r}, {_VERSION} is read")
        return {file: Locked(**facts) for file, facts in raw["files"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(
            f"'{path}' is damaged ({type(error).__name__}: {error}); put back the one you had, or "
            "delete it to trust the databases anew"
        ) from error


@dataclass(frozen=True)
class _Call:
    """One file that is wanted."""

    entry: Entry
    folder: Path
    locked: Locked | None
    origin: Origin
    update: bool

    @property
    def path(self) -> Path:
        return self.folder / self.entry.file


def _fetch(call: _Call, meter: Meter, patience: Patience) -> Fetched:
    entry, path, locked = call.entry, call.path, call.locked
    was = sha256_of(path) if path.is_file() else ""
    if path.is_dir():
        raise InputError(f"'{path}' is a folder; {entry.title} needs this name; move it away")
    if was and not call.update:
        if locked and was == locked.sha256:
            return Fetched(entry, path, "verified", locked)
        if locked:
            raise InputError(
                f"'{path}' is not the file that came on {locked.retrieved[:10]} (sha256 "
                f"{was[:12]}…, locked {locked.sha256[:12]}…); it was changed or damaged: delete it "
                "to get the locked one back, or use --update to take what is published now"
            )
        if not (call.origin.folder and call.origin.folder.resolve() == call.folder.resolve()):
            raise InputError(
                f"'{path}' is there, but '{LOCK}' does not know it; use --update to fetch it anew, "
                "or --from with this folder to lock it as it is"
            )
    if not entry.url and not call.origin.folder and not call.origin.mirror:
        raise InputError(
            f"{entry.title} has to be downloaded by hand: get '{entry.file}' from {entry.page}, "
            "and name its folder with --from"
        )
    call.folder.mkdir(parents=True, exist_ok=True)
    with _room(path):
        brought, url, modified = _bring(call, meter, patience)
    try:
        digest = sha256_of(brought)
        new = Locked(
            entry.name,
            url,
            digest,
            brought.stat().st_size,
            datetime.now(UTC).isoformat(timespec="seconds"),
            modified,
            entry.release,
            entry.licence,
        )
        _refuse_another(call, new)
        brought.replace(path)
    finally:
        brought.unlink(missing_ok=True)
    return Fetched(entry, path, "updated" if was not in ("", digest) else "fetched", new)


def _bring(call: _Call, meter: Meter, patience: Patience) -> tuple[Path, str, str]:
    """Bring a whole file under another name; give it, where it came from, and its date."""
    entry = call.entry
    partial = call.folder / f".{entry.file}.partial"
    modified = ""
    if call.origin.folder:
        source = _in_folder(entry, call.origin.folder)
        shutil.copyfile(source, partial)
        url = str(source)
        refuse_page(partial, url)
    else:
        url = entry.url
        if call.origin.mirror:
            url = f"{call.origin.mirror.rstrip('/')}/{entry.archive or entry.file}"
        modified = fetch_file(url, partial, meter, patience)
    packed = bool(entry.archive) and not (call.origin.folder and source.name == entry.file)
    try:
        if packed:
            partial = _unpack(partial, entry, url)
        _refuse_damage(partial, entry, url)
    except InputError:
        partial.unlink(missing_ok=True)
        raise
    return partial, url, modified


def _in_folder(entry: Entry, folder: Path) -> Path:
    wanted = [name for name in (entry.file, entry.archive) if name]
    for name in wanted:
        if (folder / name).is_file():
            return folder / name
    raise InputError(
        f"'{folder}' has no file {' or '.join(map(repr, wanted))}, which is {entry.title}; "
        "put it there under this name"
    )


def _unpack(archive: Path, entry: Entry, origin: str) -> Path:
    """Unpack the wanted file of a zip archive, and remove the archive."""
    path = archive.with_name(f".{entry.file}.unpacked")
    try:
        with zipfile.ZipFile(archive) as members:
            found = [name for name in members.namelist() if fnmatch(name, entry.member)]
            if len(found) != 1:
                raise InputError(
                    f"'{origin}' holds {len(found)} files like '{entry.member}', one was expected; "
                    "its layout has changed: unpack it by hand, name the file "
                    f"'{entry.file}', and use --from"
                )
            with members.open(found[0]) as stream, path.open("wb") as out:
                shutil.copyfileobj(stream, out, 1 << 20)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        path.unlink(missing_ok=True)
        raise InputError(f"'{origin}' gave a damaged zip archive ({error}); try again") from error
    except OSError:
        path.unlink(missing_ok=True)
        raise
    finally:
        archive.unlink(missing_ok=True)
    return path


def _refuse_damage(path: Path, entry: Entry, origin: str) -> None:
    """Refuse an empty file, and one that is packed and not whole."""
    if not path.stat().st_size:
        raise InputError(f"'{origin}' gave an empty file instead of {entry.title}; try again later")
    if not entry.file.endswith(".gz"):
        return
    try:
        with gzip.open(path) as stream:
            while stream.read(1 << 20):
                pass
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(
            f"'{origin}' gave a damaged or incomplete gzip file ({error}) instead of "
            f"{entry.title}; try again"
        ) from error


def _refuse_another(call: _Call, new: Locked) -> None:
    """Refuse bytes that differ from the locked ones, here or where they were copied from."""
    if call.update:
        return
    locked, where = call.locked, call.folder / LOCK
    if locked is None and call.origin.folder:
        locked, where = read_lock(call.origin.folder).get(call.entry.file), call.origin.folder
    if locked and locked.sha256 != new.sha256:
        raise InputError(
            f"'{new.url}' is another file now (sha256 {new.sha256[:12]}…, {new.bytes:,} bytes) "
            f"than the one of {locked.retrieved[:10]} in '{where}' ({locked.sha256[:12]}…, "
            f"{locked.bytes:,} bytes); nothing was changed; use --update to take the new one"
        )


def _chosen(
    names: Sequence[str], catalog: Mapping[str, Entry], locked: Mapping[str, Locked], folder: Path
) -> list[Entry]:
    if unknown := sorted(set(names) - set(catalog)):
        raise ConfigError(
            f"the catalogue has no {some(unknown)}; `aimwell graph fetch --list` shows what it has"
        )
    if names:
        return [catalog[name] for name in sorted(set(names))]
    if not locked:
        raise ConfigError(
            f"nothing was named, and nothing is locked in '{folder}'; "
            "`aimwell graph fetch --list` shows the names"
        )
    gone = sorted(fact.name for fact in locked.values() if fact.name not in catalog)
    if gone:
        raise ConfigError(f"'{folder / LOCK}' names {some(gone)}, which the catalogue has not")
    # a file that was locked under another name of the catalogue keeps that name
    kept = [replace(catalog[fact.name], file=file) for file, fact in locked.items()]
    return sorted(kept, key=lambda entry: entry.name)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other calls out of the folder."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"'{folder}' is a file; name a folder for the databases with --output")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".aimwell.fetch.lock", timeout=0):
            yield
    except Timeout as error:
        raise RunError(f"another call is fetching into '{folder}'; wait for it") from error
    except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
        raise InputError(
            f"cannot write to '{folder}': {error.strerror}; name another folder with --output"
        ) from error


@contextmanager
def _room(path: Path) -> Iterator[None]:
    """Say in one line that a file cannot be written."""
    try:
        yield
    except OSError as error:
        reason = "the disk is full" if error.errno == errno.ENOSPC else error.strerror or str(error)
        raise InputError(
            f"'{path}' cannot be written: {reason}; the earlier file is as it was"
        ) from error
