"""Ctrl-C: one line and status 130, at whatever moment it comes and however often.

Python raises ``KeyboardInterrupt`` where the program happens to be. In a destructor it is printed
and lost; while a compiled module is loaded it may become another error, printed from there; before
any command began nobody would catch it. Only what the interpreter itself does before its first line
of ours, some hundredths of a second, is out of reach.
"""

import _thread
import atexit
import contextlib
import math
import os
import signal
import sys
import threading
import time
from types import TracebackType
from typing import Any, Final, NoReturn

STOPPED: Final = "stopped; the same command goes on from here"
#: Seconds in which a second Ctrl-C says nothing that the first did not.
PATIENCE: Final = 1.0
#: Seconds until a Ctrl-C that was lost comes again.
AGAIN: Final = 0.05


class _State:
    """When Ctrl-C came last, whether that is all over, and whether it was said."""

    last = -math.inf
    asked = over = said = False


def listen() -> None:
    """Take Ctrl-C from here on, in a process that does nothing but one command."""
    atexit.register(_leave)  # before all others, so it comes after them
    signal.signal(signal.SIGINT, _stop)
    sys.unraisablehook, _lost.before = _lost, sys.unraisablehook  # type: ignore[attr-defined]
    sys.excepthook, _printed.before = _printed, sys.excepthook  # type: ignore[attr-defined]


def asked() -> bool:
    """True once Ctrl-C came: whatever goes wrong after that goes wrong because of it."""
    return _State.asked


def answered() -> None:
    """Note that the line was said."""
    _State.over = _State.said = True


def end() -> NoReturn:
    """Say the line, unless that was done, and leave."""
    if not _State.said:
        answered()
        print(f"error [STOPPED]: {STOPPED}", file=sys.stderr)
    sys.exit(130)


def ignore() -> None:
    """Take no notice of Ctrl-C: all is said, and what remains is to end."""
    _State.over = True
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _leave() -> None:
    """End at once after Ctrl-C: to take apart all that was loaded takes a second."""
    if _State.said:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(130)


def _stop(*_: object) -> None:
    now = time.monotonic()
    if _State.over or now - _State.last < PATIENCE:
        return
    _State.last, _State.asked = now, True
    raise KeyboardInterrupt


def _lost(fault: Any) -> None:
    """Bring back a Ctrl-C that came in a destructor, where Python cannot raise it."""
    if not issubclass(fault.exc_type, KeyboardInterrupt):
        _lost.before(fault)  # type: ignore[attr-defined]
    elif not _State.over:
        again = threading.Timer(AGAIN, _again)
        again.daemon = True
        with contextlib.suppress(RuntimeError):  # no more threads
            again.start()


def _again() -> None:
    _State.last = -math.inf
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:  # a signal to that thread wakes it, too, where it waits for something
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def _printed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Keep quiet about a Ctrl-C that compiled code prints before it makes another error of it."""
    if not issubclass(kind, KeyboardInterrupt):
        _printed.before(kind, error, trace)  # type: ignore[attr-defined]
