"""How a command answers: text or JSON on stdout, progress and errors on stderr, an exit status.

0 success · 1 our own bug · 2 input that the user can put right · 130 stopped with Ctrl-C
"""

import json
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import typer

from aimwell.errors import AimwellError

if TYPE_CHECKING:
    from aimwell.cli.bars import Bars


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
            with Bars(hidden=self.quiet) as bars:
                yield bars
        except AimwellError as error:
            self._fail(error.code, str(error))
            raise typer.Exit(2) from error
        except KeyboardInterrupt as error:
            self._fail("STOPPED", "stopped; the same command goes on from here")
            raise typer.Exit(130) from error
        except BrokenPipeError:
            # whoever reads our output has seen enough, as `head` does
            sys.stderr.close()
            raise typer.Exit(0) from None
        except typer.Exit:
            raise
        except Exception as error:
            self._fail("BUG", self._bug(error))
            raise typer.Exit(1) from error

    def give(self, facts: Mapping[str, Any] | Sequence[Any]) -> None:
        """Print facts as JSON, if that was asked for."""
        if self.as_json:
            from aimwell.provenance import to_plain

            print(json.dumps(to_plain(facts), indent=1, ensure_ascii=False))

    @property
    def in_words(self) -> bool:
        """True if the summary for people is wanted."""
        return not self.as_json and not self.quiet

    def _fail(self, code: str, message: str) -> None:
        message = " ".join(message.split())
        if self.as_json:
            fault = {"error": {"code": code, "message": message}}
            print(json.dumps(fault, ensure_ascii=False))
        else:
            print(f"error [{code}]: {message}", file=sys.stderr)

    def _bug(self, error: Exception) -> str:
        what = f"this is a bug in aimwell, not in your input: {type(error).__name__}: {error}"
        if self.debug:
            traceback.print_exception(error)
            return what
        with tempfile.NamedTemporaryFile(
            "w", prefix="aimwell-bug-", suffix=".txt", delete=False, encoding="utf-8"
        ) as stream:
            traceback.print_exception(error, file=stream)
        return f"{what}; please report it with the file {stream.name}"
