"""How a command answers: text or JSON on stdout, progress and errors on stderr, an exit status.

0 success · 1 our own bug · 2 input that the user can put right · 130 stopped with Ctrl-C
"""

import errno
import json
import os
import re
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NoReturn

import typer

from aimwell.cli import stopping
from aimwell.errors import AimwellError
from aimwell.limits import TABLES, refuse_short_memory

if TYPE_CHECKING:
    from aimwell.cli.bars import Bars

#: What the machine refuses, and what can be done about it; other faults of the system are bugs.
REFUSALS: Final = {
    errno.ENOSPC: "free some space, or name a folder on another disk; the same command goes on",
    errno.EDQUOT: "free some space, or name a folder on another disk; the same command goes on",
    errno.EROFS: "name a folder that can be written to",
    errno.EACCES: "change its permissions, or name another",
    errno.EPERM: "change its permissions, or name another",
    errno.ENAMETOOLONG: "use a shorter path",
    errno.EMFILE: "raise the limit of open files (ulimit -n), or use fewer jobs",
    errno.ENFILE: "close other programs, or use fewer jobs",
    errno.ENOMEM: "close other programs, raise the limit (ulimit -v), or use fewer jobs",
    errno.EAGAIN: "close other programs, raise the limits (ulimit -u, -v), or use fewer jobs",
    errno.EFBIG: "raise the limit (ulimit -f), or name a folder on another file system",
    errno.EIO: "look after the disk; nothing that was finished is lost",
}

#: What torch, the loader of libraries and the pool of processes say, who raise no OSError for it.
_NO_MEMORY: Final = re.compile(
    r"(can't|cannot|unable to|could not|failed to) (allocate|map)|not enough memory"
    r"|out of memory|bad_alloc|bad allocation",
    re.IGNORECASE,
)
_LOST: Final = frozenset({"TerminatedWorkerError", "BrokenProcessPool", "BrokenExecutor"})


@dataclass(frozen=True)
class Answer:
    """What a command was asked to say, and where.

    Attributes:
        as_json: One JSON document on stdout and nothing else there.
        quiet: No progress and no summary; errors only.
        debug: The traceback of a bug goes to stderr instead of a file.
    """

    as_json: bool = False
    quiet: bool = False
    debug: bool = False

    @contextmanager
    def reporting(self) -> Iterator["Bars"]:
        """Give the bars of the command; turn what goes wrong in it into a line and a status."""
        from aimwell.cli.bars import Bars

        try:
            refuse_short_memory(TABLES)
            with Bars(hidden=self.quiet) as bars:
                yield bars
        except KeyboardInterrupt as error:
            self._stopped(error)
        except BrokenPipeError:
            # whoever reads our output has seen enough, as `head` does
            sys.stderr.close()
            raise typer.Exit(0) from None
        except typer.Exit:
            raise
        except Exception as error:
            if stopping.asked():  # it came while a compiled module was loaded
                self._stopped(error)
            if isinstance(error, AimwellError):
                self._fail(error.code, str(error))
                raise typer.Exit(2) from error
            if refusal := _refusal(error):
                self._fail("SYSTEM", refusal)
                raise typer.Exit(2) from error
            self._fail("BUG", self._bug(error))
            raise typer.Exit(1) from error

    def _stopped(self, error: BaseException) -> NoReturn:
        stopping.answered()
        self._fail("STOPPED", stopping.STOPPED)
        raise typer.Exit(130) from error

    def give(self, facts: Mapping[str, Any] | Sequence[Any]) -> None:
        """Print facts as JSON, if that was asked for."""
        if self.as_json:
            from aimwell.provenance import to_plain

            print(_document(to_plain(facts), indent=1))

    @property
    def in_words(self) -> bool:
        """True if the summary for people is wanted."""
        return not self.as_json and not self.quiet

    def _fail(self, code: str, message: str) -> None:
        message = " ".join(message.split())
        if self.as_json:
            fault = {"error": {"code": code, "message": message}}
            try:
                print(_document(fault), flush=True)
            except OSError:  # stdout takes nothing, as on a full disk: what it holds is given up
                sys.stdout = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115
            else:
                return
        print(f"error [{code}]: {message}", file=sys.stderr)

    def _bug(self, error: Exception) -> str:
        what = f"this is a bug in aimwell, not in your input: {type(error).__name__}: {error}"
        if self.debug:
            traceback.print_exception(error)
            return what
        try:
            with tempfile.NamedTemporaryFile(
                "w", prefix="aimwell-bug-", suffix=".txt", delete=False, encoding="utf-8"
            ) as stream:
                traceback.print_exception(error, file=stream)
        except OSError:  # a full disk must not hide what happened
            return f"{what}; please report it with what the same command says with --debug"
        return f"{what}; please report it with the file {stream.name}"


def _document(value: object, indent: int | None = None) -> str:
    """Write JSON that the encoding of stdout can hold: other letters as escapes."""
    encoding = (getattr(sys.stdout, "encoding", "") or "").lower().replace("-", "")
    return json.dumps(value, indent=indent, ensure_ascii=encoding != "utf8")


def _refusal(error: Exception) -> str:
    """Say what the machine refused and what to do; empty if the fault is ours."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    if kinds & _LOST:
        return (
            "a process of this command was ended from outside, most often for want of memory; "
            f"{REFUSALS[errno.ENOMEM]}; the same command goes on"
        )
    if isinstance(error, RuntimeError) and "start new thread" in str(error):
        return f"the system starts no more threads; {REFUSALS[errno.EAGAIN]}"
    scarce = isinstance(error, RuntimeError | ImportError | OSError | SystemError)
    if isinstance(error, MemoryError) or (scarce and _NO_MEMORY.search(str(error))):
        return f"the memory does not suffice; {REFUSALS[errno.ENOMEM]}"
    if not isinstance(error, OSError) or error.errno not in REFUSALS:
        return ""
    place = f": '{str(error.filename)[:200]}'" if error.filename else ""
    return f"{os.strerror(error.errno)}{place}; {REFUSALS[error.errno]}"
