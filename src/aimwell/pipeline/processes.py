"""Processes of this machine that share what they have loaded, and end with the one that began them.

On Linux they are forked from a server that has loaded the libraries once and has no thread: their
memory is one copy, and each starts in milliseconds. Elsewhere, and where no server can be started,
each loads the libraries for itself.
"""

import functools
import itertools
import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent import futures
from contextlib import contextmanager
from multiprocessing import spawn
from multiprocessing.connection import wait
from typing import Any, Final

from aimwell.served import SERVES

#: What a server loads before it forks.
PRELOADED: Final = ("aimwell.served", "aimwell.pipeline.preloaded")
#: Pools of threads are not begun: what is forked has none of them, but would wait for them.
ONE_THREAD: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "MKL_NUM_THREADS",
            "BLIS_NUM_THREADS",
            "VECLIB_MAXIMUM_THREADS",
            "NUMEXPR_NUM_THREADS",
        ),
        "1",
    ),
    "JE_ARROW_MALLOC_CONF": "background_thread:false",
}
#: Seconds after which a worker without work ends.
IDLE: Final = 300
_starting = threading.RLock()


def in_pool(work: Iterable[tuple[Any, ...]], jobs: int) -> Iterator[Any]:
    """Make calls in worker processes, each a function and its arguments; order is free.

    Raises:
        BrokenProcessPool: A worker ended in the middle of a call.
        EOFError, ConnectionError: The server ended: while it loaded the libraries, or before it
            forked a worker.
    """
    pool, calls = pool_of(jobs), iter(work)
    waiting: set[futures.Future[Any]] = set()
    try:
        while True:
            with interrupts_later():
                # no more at a time than the workers' queue takes, see below
                more = itertools.islice(calls, 2 * jobs - len(waiting))
                waiting |= {pool.submit(*call) for call in more}
            if not waiting:
                return
            done, waiting = futures.wait(waiting, return_when=futures.FIRST_COMPLETED)
            for future in sorted(done, key=lambda f: f.exception() is not None):
                yield future.result()
    finally:
        if waiting:  # nobody wants the rest
            with interrupts_later():
                _stop(pool, waiting)


def _stop(pool: Any, waiting: Iterable[futures.Future[Any]]) -> None:
    """End all workers; loky stumbles over calls that are not in their queue yet."""
    until = time.monotonic() + 1
    while not all(f.running() or f.done() for f in waiting) and time.monotonic() < until:
        time.sleep(0.001)
    pool.shutdown(kill_workers=True)


def pool_of(jobs: int) -> Any:
    """Give an executor of worker processes; those of an earlier call are used again.

    Raises:
        EOFError, ConnectionError: As for ``in_pool``.
    """
    from joblib.externals.loky import get_reusable_executor

    context = serving_context()
    _track()
    return get_reusable_executor(
        max_workers=jobs,
        context=context,
        timeout=IDLE,
        initializer=_begin,
        initargs=(os.getpid(),),
        env=None if context else dict(ONE_THREAD),
    )


def _begin(parent: int) -> None:
    """Make ready in a worker, before its first call."""
    from joblib.externals.loky import process_executor

    end_with(parent)
    # loky takes a worker that holds 300 MB more than after its first call for one that leaks, ends
    # it, and warns the user; ours hold on to memory on purpose
    process_executor._MAX_MEMORY_LEAK_SIZE = math.inf


def serving_context() -> Any:
    """Give what forks workers from a server that is ready; None where that cannot be done.

    Raises:
        EOFError, ConnectionError: As for ``in_pool``.
    """
    if not start_server():
        return None
    context = _context()
    ready = context.Process(target=_nothing)
    ready.start()  # waits until the server has loaded everything; Ctrl-C ends the wait
    ready.join()
    return context


def start_server() -> bool:
    """Let a server load the libraries, beside whatever else is done; False where there is none."""
    if sys.platform != "linux":  # the libraries of macOS do not survive a fork
        return False
    from multiprocessing import forkserver

    _track()
    with _starting, interrupts_later(), _environment({**ONE_THREAD, SERVES: str(os.getpid())}):
        multiprocessing.set_forkserver_preload([*PRELOADED])
        try:
            forkserver.ensure_running()
        except OSError:  # no folder for its socket: a long path, a full disk
            return False
    return True


def _track() -> None:
    """Start what removes locks that a killed process leaves; it lets Ctrl-C in while it starts."""
    if os.name == "posix":
        from multiprocessing import resource_tracker

        # it removes them without a word: who ended this process knows that it ended
        quiet = [os.environ.get("PYTHONWARNINGS", ""), "ignore:resource_tracker:UserWarning"]
        with _starting, _environment({"PYTHONWARNINGS": ",".join(filter(None, quiet))}):
            resource_tracker.ensure_running()


def _nothing() -> None:
    pass


@functools.cache
def _context() -> Any:
    """Make the context of ``multiprocessing`` whose processes never run the user's script again.

    Other contexts do, to find what the script defines; a script without a guard around what it
    does would then begin its own work in every worker.
    """
    from multiprocessing.context import ForkServerContext

    class Context(ForkServerContext):
        Process = Worker

    return Context()


if sys.platform == "linux":
    from multiprocessing import popen_forkserver
    from multiprocessing.context import ForkServerProcess

    class _Popen(popen_forkserver.Popen):
        def _launch(self, process_obj: Any) -> None:
            whole = spawn.get_preparation_data

            def without_script(name: str) -> dict[str, Any]:
                return {k: v for k, v in whole(name).items() if not k.startswith("init_main")}

            with _starting:
                spawn.get_preparation_data = without_script
                try:
                    super()._launch(process_obj)  # type: ignore[misc]
                finally:
                    spawn.get_preparation_data = whole

    class Worker(ForkServerProcess):
        """A process that is forked from the server."""

        @staticmethod
        def _Popen(process_obj: Any) -> _Popen:  # noqa: N802  as multiprocessing calls it
            return _Popen(process_obj)


@contextmanager
def _environment(added: Mapping[str, str]) -> Iterator[None]:
    """Add to the environment of processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in added}
    os.environ.update(added)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Hold Ctrl-C back for a moment: from this process, and from those that it starts meanwhile.

    A terminal sends Ctrl-C to all processes of a command. The one that was called ends the others;
    each of them would otherwise say on its own, in many lines, where it was interrupted.
    """
    here = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGINT)
    came: list[Any] = []
    if here and before is not None:
        signal.signal(signal.SIGINT, lambda *signalled: came.append(signalled))
    # what is started inherits this; other threads of this process may still be sent the signal
    masks = hasattr(signal, "pthread_sigmask")
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT]) if masks else None
    try:
        yield
    finally:
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if here and before is not None:
            signal.signal(signal.SIGINT, before)
            if came:
                signal.raise_signal(signal.SIGINT)


def end_with(parent: int) -> None:
    """End this worker soon after the process that began it, and only then or when told so.

    Workers of a killed run would wait for minutes, hold its memory and its output open, and go on
    writing into a cache that another run holds by then.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    begun_by = multiprocessing.parent_process()
    sentinel = getattr(begun_by, "sentinel", None)

    def watch() -> None:
        if sentinel is not None:
            wait([sentinel])
        else:
            while os.getppid() == parent:
                time.sleep(0.2)
        os._exit(1)

    if os.name == "posix":  # elsewhere a launcher may stand between parent and child
        threading.Thread(target=watch, daemon=True).start()
