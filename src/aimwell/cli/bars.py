"""Progress on stderr: bars on a terminal, one line a stage elsewhere."""

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aimwell.cli import stopping

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bars:
    """Draws what a pipeline tells, as ``aimwell.pipeline.Progress`` asks.

    Args:
        hidden: Say nothing at all.
    """

    def __init__(self, *, hidden: bool = False) -> None:
        self._hidden = hidden
        self._drawn: Progress | None = None
        self._task: TaskID | None = None
        self._what = ""
        self._since = 0.0
        self._total = self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._finish(completed=kind is None)
        self.finish()

    def _go_on(self) -> None:
        if stopping.asked():  # and somebody caught it
            raise KeyboardInterrupt

    def start(self, what: str, total: int = 0) -> None:
        """Begin a stage of ``total`` units, 0 where unknown; the one before is finished."""
        self._go_on()
        self._finish(completed=True)
        self._what, self._since, self._total, self._done = what, time.monotonic(), total, 0
        if self._hidden:
            return
        if sys.stderr.isatty():
            self._task = self._bars().add_task(what, total=total or None)

    def advance(self, units: int = 1) -> None:
        """Count units of the current stage."""
        self._go_on()
        self._done += units
        if self._drawn and self._task is not None:
            self._drawn.advance(self._task, units)

    def reuse(self, what: str) -> None:
        """Note a stage that is taken from an earlier call."""
        self._go_on()
        self._finish(completed=True)
        self.note(f"reused    {what}")

    def note(self, line: str) -> None:
        """Say a line of news while bars are shown."""
        if self._hidden:
            return
        if self._drawn:
            self._drawn.console.print(line, highlight=False, markup=False)
        else:
            print(line, file=sys.stderr)

    def finish(self) -> None:
        """Finish the current stage and clear the bars, before the answer is printed."""
        self._finish(completed=True)
        if self._drawn:
            self._drawn.stop()
            self._drawn = None

    def _finish(self, *, completed: bool) -> None:
        if not self._what or self._hidden:
            self._what = ""
            return
        took = time.monotonic() - self._since
        count = f" ({self._done} of {self._total})" if self._total else ""
        word = "done     " if completed else "stopped  "
        line = f"{word} {self._what}{count}, {took:.1f} s"
        if self._drawn and self._task is not None:
            self._drawn.remove_task(self._task)
        self.note(line)
        self._task, self._what = None, ""

    def _bars(self) -> "Progress":
        if self._drawn is None:
            from rich import progress
            from rich.console import Console

            self._drawn = progress.Progress(
                progress.SpinnerColumn(),
                progress.TextColumn("{task.description}"),
                progress.BarColumn(),
                progress.MofNCompleteColumn(),
                progress.TimeElapsedColumn(),
                progress.TimeRemainingColumn(),
                console=Console(stderr=True),
            )
            self._drawn.start()
        return self._drawn
