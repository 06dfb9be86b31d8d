"""A process that serves another ends with it, in the middle of loading too.

The server that forks workers imports this before anything else.
"""

import ctypes
import os
import signal
from typing import Final

#: Environment of such a process: the number of the one that it serves.
SERVES: Final = "AIMWELL_SERVES"
#: Number of a request to Linux (prctl.h): send me this signal when my parent ends.
_PARENT_DEATH_SIGNAL: Final = 1


def end_with(parent: int) -> None:
    """Let the system kill this process when its parent, which is to be ``parent``, ends."""
    _signal_at_the_end_of_the_parent(signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def loaded() -> None:
    """Stay from here on: a server that listens notices the end itself.

    To the system a parent is a thread, which may end while others still want the server.
    """
    _signal_at_the_end_of_the_parent(0)


def _signal_at_the_end_of_the_parent(number: int) -> None:
    ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, number, 0, 0, 0)


#: False where this is imported by anything else.
SERVING: Final = SERVES in os.environ
if SERVING:
    end_with(int(os.environ.pop(SERVES)))
