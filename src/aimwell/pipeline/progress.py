"""What a long job tells its user while it works."""

from typing import Protocol


class Progress(Protocol):
    """Receives what is going on; the command line draws bars from it."""

    def start(self, what: str, total: int = 0) -> None:
        """Say that a stage begins; ``total`` units of work, 0 where unknown."""

    def advance(self, units: int = 1) -> None:
        """Say that units of the current stage are done."""

    def reuse(self, what: str) -> None:
        """Say that a stage is taken from an earlier run."""

    def note(self, line: str) -> None:
        """Say what the user should know."""


class Silent:
    """Says nothing."""

    def start(self, what: str, total: int = 0) -> None:
        """Ignore the start of a stage."""

    def advance(self, units: int = 1) -> None:
        """Ignore progress."""

    def reuse(self, what: str) -> None:
        """Ignore a reused stage."""

    def note(self, line: str) -> None:
        """Ignore what the user should know."""
