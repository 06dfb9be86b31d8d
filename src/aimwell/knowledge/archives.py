"""Open a file however it is packed, and refuse what is no file, is damaged or unpacks forever."""

import bz2
import fnmatch
import gzip
import io
import lzma
import struct
import sys
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, Final, cast

from aimwell.errors import InputError, some

#: A file may unpack to this many times its size; tables of databases do to 5 to 30 times.
MAX_RATIO: Final = 200
#: What a file of any size may unpack to.
FREE_BYTES: Final = 64 << 20
ZIP: Final = "zip archive"
_DAMAGED: Final = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile)


class Unpacked(io.RawIOBase):
    """The bytes of a file; every failure to read them is an ``InputError`` that names it."""

    def __init__(self, raw: IO[bytes], path: Path, what: str, kind: str, limit: int) -> None:
        self._raw = raw
        self._kind = kind
        self._path = path
        self._what = what
        self._limit = limit
        self._given = 0

    def readable(self) -> bool:
        """Tell that this can be read from."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Read at most ``size`` bytes.

        Raises:
            InputError: Damaged, or more than anything honest unpacks to.
        """
        try:
            data = self._raw.read(size)
        except _DAMAGED as error:
            raise _damaged(self._path, self._kind, error) from error
        except OSError as error:
            if error.errno is None:  # what gzip and bz2 raise themselves
                raise _damaged(self._path, self._kind, error) from error
            raise InputError(f"'{self._path}' cannot be read: {error.strerror}") from error
        self._given += len(data)
        if self._given > self._limit:
            raise InputError(
                f"'{self._path}' unpacks to more than {MAX_RATIO} times its size, which no table "
                f"does; it should be {self._what}; download it again, or unpack it yourself"
            )
        return data


@contextmanager
def open_unpacked(path: Path, what: str, member: str = "") -> Iterator[Unpacked]:
    """Open a file that is plain, gzip, bzip2 or a zip archive; its content tells which.

    Args:
        path: The file.
        what: What it should be, for messages.
        member: A pattern such as ``*interactome.tsv`` that names one file of a zip archive that
            holds several.

    Raises:
        InputError: Missing, a folder, a pipe, unreadable, damaged, an archive of several files, or
            one that unpacks to more than ``MAX_RATIO`` times its size.
    """
    _refuse_no_file(path, what)
    with ExitStack() as stack:
        try:
            stream = stack.enter_context(path.open("rb"))
            magic = stream.read(4)
            size = stream.seek(0, io.SEEK_END)
            stream.seek(0)
        except OSError as error:
            raise InputError(f"'{path}' cannot be read: {error.strerror or error}") from error
        raw: IO[bytes] = stream
        kind, limit = "", max(FREE_BYTES, MAX_RATIO * size)
        if magic.startswith(b"\x1f\x8b"):
            kind = "gzip file"
            raw = cast(IO[bytes], stack.enter_context(gzip.open(stream)))
        elif magic.startswith(b"BZh"):
            kind = "bzip2 file"
            raw = cast(IO[bytes], stack.enter_context(bz2.open(stream)))
        elif magic.startswith(b"PK\x03\x04"):
            kind = ZIP
            raw = stack.enter_context(_open_member(stream, path, what, member))
        else:
            limit = sys.maxsize
        yield Unpacked(raw, path, what, kind, limit)


def _refuse_no_file(path: Path, what: str) -> None:
    try:
        if path.is_dir():
            raise InputError(f"'{path}' is a folder; name the file inside it that is {what}")
        if not path.exists():
            raise InputError(
                f"there is no file '{path}'; it should be {what}; correct its path or the folder "
                "of the inputs"
            )
        if not path.is_file():  # reading a pipe would wait for its writer, perhaps for ever
            raise InputError(f"'{path}' is a pipe or device; save {what} as a file and name that")
    except OSError as error:  # such as a name that is too long
        raise InputError(f"'{path}' cannot be read: {error.strerror or error}") from error


def _open_member(stream: IO[bytes], path: Path, what: str, member: str) -> IO[bytes]:
    try:
        archive = zipfile.ZipFile(stream)
        names = [name for name in archive.namelist() if _is_content(name)]
        chosen = [name for name in names if fnmatch.fnmatch(name, member or "*")]
        if len(chosen) != 1 and len(names) != 1:
            like = f" like '{member}'" if member else ""
            raise InputError(
                f"'{path}' is a zip archive with {len(chosen)} files{like}, one was expected "
                f"({what}); it holds {some(sorted(names))}; unpack it and name the file"
            )
        return archive.open((chosen or names)[0])
    except (*_DAMAGED, struct.error, ValueError, OSError) as error:
        raise _damaged(path, ZIP, error) from error
    except (RuntimeError, NotImplementedError) as error:  # a password, a rare way of packing
        raise InputError(
            f"'{path}' is a zip archive that cannot be opened here ({error}); unpack it and name "
            f"the file that is {what}"
        ) from error


def _is_content(name: str) -> bool:
    """Tell a file from folders and from what systems hide in archives."""
    path = PurePosixPath(name)
    hidden = path.parts[:1] == ("__MACOSX",) or path.name.startswith(".")
    return bool(path.name) and not name.endswith("/") and not hidden


def _damaged(path: Path, kind: str, error: Exception) -> InputError:
    reason = str(error).split("\n", maxsplit=1)[0][:100]
    return InputError(f"'{path}' is a damaged or incomplete {kind} ({reason}); download it again")
