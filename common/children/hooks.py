"""What an entry point may use while it runs in a child: cancellation."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

#: A database that does not confirm within this time is left to notice the lost connection.
HOOKS_SECONDS = 5.0

#: Between two calls of the hooks while the main thread does not come back from its driver.
REPEAT_SECONDS = 0.5


class _State:
    """Of this process; a child runs one entry point in its life."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.wake_reader: int | None = None
        self.hooks: list[Callable[[], None]] = []
        self.hooks_done = threading.Event()
        self.watcher: threading.Thread | None = None
        self.undisturbed = False
        self.put_off = False
        #: Set when the main thread left C code and the signal handler ran.
        self.noticed = threading.Event()


_state = _State()


class Cancelled(BaseException):
    """Raised in the main thread of a child that was asked to stop.

    Not an ``Exception``, so that ``except Exception`` in a library does not swallow it.
    """


def on_cancel(hook: Callable[[], None]) -> Callable[[], None]:
    """Have ``hook`` called first when the child is asked to stop; the answer takes it back.

    Hooks run in a thread of their own, the newest first, so they work while the main thread waits
    inside a driver: make them call the driver's ``cancel()``. They are called again while the main
    thread does not come back. What a hook raises is written to stderr and goes no further.
    """
    _state.hooks.append(hook)
    _start_watcher()

    def forget() -> None:
        if hook in _state.hooks:
            _state.hooks.remove(hook)

    return forget


def install() -> None:
    """Make SIGTERM raise ``Cancelled`` in this (main) thread."""
    signal.signal(signal.SIGTERM, _handle)


def listen() -> None:
    """Let hooks hear of the signal; from the main thread, where the wake-up pipe must be set.

    A signal handler in Python waits until the main thread leaves C code; the pipe does not.
    """
    _state.wake_reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)


def uninstall() -> None:
    """From here on the child is at its end and SIGTERM changes nothing."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put a cancellation off until the end of this block: for the few lines that hold a lock."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signal handlers run in the main thread only
        return
    _state.undisturbed = True
    try:
        yield
    finally:
        _state.undisturbed = False
        if _state.put_off:
            _cancel()


def _handle(_signal: int, _frame: FrameType | None) -> None:
    if _state.undisturbed:
        _state.put_off = True
    elif not _state.noticed.is_set():
        _cancel()


def _cancel() -> None:
    _state.put_off = False
    _state.noticed.set()
    if _state.watcher is not None:
        _state.hooks_done.wait(HOOKS_SECONDS)
    raise Cancelled


def _start_watcher() -> None:
    with _state.lock:
        if _state.watcher is None and _state.wake_reader is not None:
            _state.watcher = threading.Thread(
                target=_watch, args=(_state.wake_reader,), name="cancel-hooks", daemon=True
            )
            _state.watcher.start()


def _watch(reader: int) -> None:
    while chunk := os.read(reader, 64):
        if signal.SIGTERM in chunk:
            break
    # Again and again: the first call may come a moment before the driver sends its query.
    while True:
        _run_hooks()
        _state.hooks_done.set()
        if _state.noticed.wait(REPEAT_SECONDS):
            return


def _run_hooks() -> None:
    for hook in list(reversed(_state.hooks)):
        try:
            hook()
        except Exception as error:  # noqa: BLE001, one driver must not stop the rest
            sys.stderr.write(f"A cancel hook failed: {type(error).__name__}: {error}\n")
