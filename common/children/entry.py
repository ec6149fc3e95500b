"""The life of one child after the fork: box itself in, run the entry point, write events, leave."""

import contextlib
import fcntl
import gc
import importlib
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable
from multiprocessing import resource_tracker
from typing import Any, NoReturn

from common.children import hooks
from common.children.box import Box, apply, die_with_parent
from common.children.failures import error_event
from common.errors import DatanikaError

CANCELLED_EXIT = 143
FAILED_EXIT = 1

#: Above every descriptor the standard streams use.
_EVENTS_FD = 3

#: One descriptor for each running child is far below this.
_HIGHEST_FD = 65536

_FINAL_EVENTS = frozenset({"done", "error"})


class WasCancelled(DatanikaError):
    """The work was cancelled."""

    code = "cancelled"


class Emitter:
    """Writes events as JSON lines; callable from any thread."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self._lock = threading.Lock()
        self.finished = False

    def __call__(self, event: dict[str, Any]) -> None:
        line = json.dumps(event, default=str, separators=(",", ":")).encode() + b"\n"
        rest = memoryview(line)
        # A cancellation in here would tear the line, or wait for a hook that waits for the lock.
        with hooks.undisturbed(), self._lock:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
            self.finished = self.finished or event.get("event") in _FINAL_EVENTS


def run_child(*, order_fd: int, events_fd: int, noise_fd: int, status_fd: int) -> NoReturn:
    """Run one order (entry point, spec and box as JSON on ``order_fd``) in this forked process."""
    code = FAILED_EXIT
    try:
        hooks.install()
        parent = os.getppid()
        os.setsid()
        die_with_parent()
        if os.getppid() != parent:  # it died between the fork and the line above
            os._exit(FAILED_EXIT)
        os.write(status_fd, b"pid %d\n" % os.getpid())
        order_fd = _arrange_streams(order_fd, events_fd, noise_fd)
        hooks.listen()
        gc.enable()
        code = _carry_out(_read_order(order_fd), Emitter(_EVENTS_FD))
    except hooks.Cancelled:
        code = CANCELLED_EXIT
    except BaseException as error:  # noqa: BLE001, the boundary of the process
        with contextlib.suppress(BaseException):
            Emitter(_EVENTS_FD)(error_event(error))
    finally:
        with contextlib.suppress(BaseException):
            sys.stdout.flush()
            sys.stderr.flush()
        # No exit handlers: those registered belong to the parent this was forked from.
        os._exit(code)


def _arrange_streams(order_fd: int, events_fd: int, noise_fd: int) -> int:
    """Events leave on their own descriptor; what libraries print goes to the stderr pipe.

    Returns where the order is read now. Everything else inherited is closed, the pipes of other
    children among it.
    """
    order_fd, events_fd, noise_fd = (
        fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 64) for fd in (order_fd, events_fd, noise_fd)
    )
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.dup2(noise_fd, 1)
    os.dup2(noise_fd, 2)
    os.dup2(events_fd, _EVENTS_FD, inheritable=False)
    os.closerange(_EVENTS_FD + 1, order_fd)
    os.closerange(order_fd + 1, min(os.sysconf("SC_OPEN_MAX"), _HIGHEST_FD))
    _forget_resource_tracker()
    return order_fd


def _forget_resource_tracker() -> None:
    """The warm parent's helper for semaphores is out of reach now; who makes one here starts a helper of its own."""
    tracker: Any = resource_tracker._resource_tracker
    tracker._fd = tracker._pid = None


def _read_order(fd: int) -> dict[str, Any]:
    with os.fdopen(fd, "rb") as pipe:
        order: dict[str, Any] = json.load(pipe)
    return order


def _carry_out(order: dict[str, Any], emit: Emitter) -> int:
    try:
        entry = _enter(order)
        entry(order["spec"], emit)
        hooks.uninstall()
        if not emit.finished:
            emit({"event": "done", "summary": {}})
        return 0
    except hooks.Cancelled:
        hooks.uninstall()
        emit(WasCancelled().as_event())
        return CANCELLED_EXIT
    except SystemExit as leaving:
        if emit.finished:
            return leaving.code if isinstance(leaving.code, int) else FAILED_EXIT
        emit(error_event(leaving))
    except BaseException as error:  # noqa: BLE001, the boundary of the run
        emit(error_event(error))
    return FAILED_EXIT


def _enter(order: dict[str, Any]) -> Callable[[dict[str, Any], Emitter], None]:
    box = Box.from_json(order["box"])
    os.chdir(box.private_dir)
    os.environ.update(HOME=box.private_dir, TMPDIR=box.private_dir)
    tempfile.tempdir = None
    apply(box)
    module, _, function = str(order["entry"]).partition(":")
    entry: Callable[[dict[str, Any], Emitter], None] = getattr(
        importlib.import_module(module), function
    )
    return entry
