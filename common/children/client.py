"""Starting children: a pool for everyone, and one call for short operations.

For the Django side, of which nothing is known here.
"""

import atexit
import contextlib
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.children.box import Box
from common.children.child import Child
from common.children.endings import ChildTimedOut
from common.children.environment import clean_environment
from common.children.pipes import PIPE_ORDER, START_SECONDS, make_pipes, read_pid, write_order
from common.errors import DatanikaError, TransientError
from common.redaction import Redactor, secrets_in

#: The environment variable that names the descriptor of a socket to a shared warm parent.
SHARED_FD = "DATANIKA_WARM_FD"

#: The other end is closed.
_HANGS_UP = select.POLLHUP | select.POLLERR | getattr(select, "POLLRDHUP", 0)

#: Between the request to stop and the end, for the cancel hooks of a driver.
_GRACE_SECONDS = 2.0


class ChildNotStarted(TransientError):
    """The work could not be started in a process of its own."""

    code = "child_not_started"


@dataclass(frozen=True)
class WarmReport:
    """The warm parent after its imports.

    More than one thread is a fault. ``failed`` holds the modules that did not import, with why.
    """

    pid: int
    threads: int
    failed: dict[str, str]


@dataclass(frozen=True)
class Outcome:
    """What came of a short operation: ``value`` of its ``data`` event, and its ``error`` event."""

    events: list[dict[str, Any]] = field(default_factory=list)
    error: dict[str, Any] | None = None
    value: Any = None
    timed_out: bool = False


def start_warm_parent(
    preload: Sequence[str], python: str = sys.executable
) -> tuple[subprocess.Popen[bytes], socket.socket, str]:
    """The process, our end of the socket to it, and its scratch directory; it ends when the socket is closed."""
    scratch = tempfile.mkdtemp(prefix="datanika-warm-")
    ours, theirs = socket.socketpair()
    command = [python, "-P", "-m", "common.children.warm", "--fd", str(theirs.fileno())]
    with theirs:
        process = subprocess.Popen(
            [*command, "--scratch", scratch, "--preload", *preload],
            env=clean_environment(scratch),
            cwd=scratch,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
            # Ctrl-C is for the owner, which then ends its children in order.
            start_new_session=True,
        )
    return process, ours, scratch


class _Server:
    """One warm parent process and the socket to it."""

    def __init__(self, preload: Sequence[str], python: str) -> None:
        self.process, self.socket, self.scratch = start_warm_parent(preload, python)
        self.report: WarmReport | None = None
        self.report_lock = threading.Lock()
        self.preloaded: set[str] = set()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def forget(self) -> None:
        """In a process forked from the owner: the warm parent must still see the owner's death."""
        self.socket.close()
        self.process.returncode = 0  # not our child: nothing to wait for

    def stop(self) -> None:
        self.socket.close()
        try:
            self.process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.scratch, ignore_errors=True)


class _SharedServer:
    """A warm parent that several processes share, started by whoever started them: one end of a socket to it."""

    def __init__(self, fd: int) -> None:
        self.socket = socket.socket(fileno=fd)
        self.report: WarmReport | None = None
        self.report_lock = threading.Lock()
        self.preloaded: set[str] = set()

    @property
    def alive(self) -> bool:
        # Nothing is read: another thread may wait for the report on the same socket.
        poll = select.poll()
        try:
            poll.register(self.socket, _HANGS_UP)
        except ValueError:  # closed by us
            return False
        return not poll.poll(0)

    def forget(self) -> None:
        self.socket.close()

    def stop(self) -> None:
        """It ends our children and stays for the others."""
        self.socket.close()


class ChildPool:
    """Children forked from one warm parent. Thread-safe.

    The warm parent is started at the first need, and again when it died. ``shared_fd`` is a socket to one that other
    processes use too; when that is gone, this pool has its own.
    """

    def __init__(
        self, preload: Sequence[str], python: str = sys.executable, *, shared_fd: int | None = None
    ) -> None:
        self._preload = tuple(preload)
        self._python = python
        self._lock = threading.Lock()
        self._server: _Server | _SharedServer | None = None
        if shared_fd is not None:
            self._server = _SharedServer(shared_fd)
        _pools.add(self)

    def warm_up(self) -> WarmReport:
        """Start the warm parent and wait until its imports are done."""
        with self._lock:
            server = self._current()
        with server.report_lock:
            if server.report is None:
                server.report = _read_report(server)
        return server.report

    def spawn(self, entry: str, spec: dict[str, Any], box: Box) -> Child:
        """Start ``entry`` (``"package.module:function"``) in a child; close that afterwards.

        The private directory of the box is made if it is not there, and removed by ``Child.close``.
        """
        Path(box.private_dir).mkdir(mode=0o700, parents=True, exist_ok=True)
        order = json.dumps({"entry": entry, "spec": spec, "box": box.as_json()}).encode()
        redactor = Redactor(secrets_in(spec))
        for _ in range(
            2
        ):  # the warm parent may have died since the last child; a fresh one gets one chance
            child = self._try_spawn(order, box, redactor)
            if child is not None:
                return child
        raise ChildNotStarted(remedy="Look at the log of the worker and the memory of the machine.")

    def preload(self, modules: Sequence[str]) -> None:
        """Have the warm parent import more, once; children wait meanwhile, and start warm from then on."""
        with self._lock:
            server = self._current()
            if missing := [name for name in modules if name not in server.preloaded]:
                _send(server, {"op": "preload", "modules": missing}, [])
                server.preloaded.update(missing)

    def close(self) -> None:
        """End the warm parent and with it every child still running."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.stop()

    def _current(self) -> _Server | _SharedServer:
        """The live warm parent; the caller holds the lock."""
        if self._server is not None and not self._server.alive:
            self._server.stop()
            self._server = None
        if self._server is None:
            self._server = _Server(self._preload, self._python)
        return self._server

    def _try_spawn(self, order: bytes, box: Box, redactor: Redactor) -> Child | None:
        ours, theirs = make_pipes()
        request = {"op": "fork", "private_dir": box.private_dir, "processes": box.processes}
        try:
            with self._lock:
                server = self._current()
                sent = _send(server, request, [theirs[name] for name in PIPE_ORDER])
        finally:
            for fd in theirs.values():
                os.close(fd)
        order_fd = ours.pop("order")
        try:
            pid = read_pid(ours["status"]) if sent else None
            if pid is not None:
                write_order(order_fd, order)
        finally:
            os.close(order_fd)
        if pid is None:
            for fd in ours.values():
                os.close(fd)
            return None
        return Child(
            pid=pid,
            pipes=ours,
            signaller=lambda pid, number: self._signal(server, pid, number),
            redactor=redactor,
            private_dir=box.private_dir,
        )

    def _signal(self, server: _Server | _SharedServer, pid: int, number: int) -> None:
        """Through the warm parent, which alone knows that the number still means this child."""
        with self._lock:
            _send(server, {"op": "signal", "pid": pid, "signal": int(number)}, [])

    def _forget(self) -> None:
        self._lock = threading.Lock()
        if self._server is not None:
            self._server.forget()
            self._server = None


def run_to_end(
    pool: ChildPool,
    entry: str,
    spec: dict[str, Any],
    box: Box,
    timeout: float,
    on_event: Callable[[dict[str, Any]], None] | None = None,
) -> Outcome:
    """Run a short operation and wait for it, ``timeout`` seconds at most.

    Its errors come in the outcome and are never raised. The private directory is removed.
    """
    deadline = time.monotonic() + timeout
    try:
        child = pool.spawn(entry, spec, box)
    except DatanikaError as error:
        shutil.rmtree(box.private_dir, ignore_errors=True)
        return Outcome(error=error.as_event())
    events: list[dict[str, Any]] = []
    with contextlib.closing(child):
        timed_out = _collect(child, deadline, events, on_event)
    if timed_out:
        late = ChildTimedOut(
            f"The operation did not end within {timeout:g} seconds and was stopped.",
            remedy="Check that the other system answers, or try again later.",
        )
        return Outcome(events, late.as_event(), _value(events), timed_out=True)
    error_event = next((event for event in events if event["event"] == "error"), None)
    return Outcome(events, error_event, _value(events))


def new_private_dir(parent: Path | None = None) -> str:
    """A fresh directory for one child, readable by its owner only."""
    return tempfile.mkdtemp(prefix="datanika-child-", dir=parent)


def _collect(
    child: Child,
    deadline: float,
    events: list[dict[str, Any]],
    on_event: Callable[[dict[str, Any]], None] | None,
) -> bool:
    """Gather the child's events; True when the time was up before its end."""
    while not child.finished:
        left = deadline - time.monotonic()
        if left <= 0:
            child.terminate()
            _wait(child, _GRACE_SECONDS)
            return True
        for event in child.read_events(left):
            events.append(event)
            if on_event is not None:
                on_event(event)
    return False


def _wait(child: Child, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not child.finished and time.monotonic() < deadline:
        child.read_events(deadline - time.monotonic())


def _value(events: list[dict[str, Any]]) -> Any:
    return next((event.get("value") for event in events if event["event"] == "data"), None)


def _send(server: _Server | _SharedServer, request: dict[str, Any], fds: list[int]) -> bool:
    line = json.dumps(request).encode() + b"\n"
    try:
        sent = socket.send_fds(server.socket, [line], fds) if fds else 0
        server.socket.sendall(line[sent:])
    except OSError:
        return False
    return True


def _read_report(server: _Server | _SharedServer) -> WarmReport:
    server.socket.settimeout(START_SECONDS)
    try:
        with server.socket.makefile("rb") as stream:
            report = json.loads(stream.readline())
    except (OSError, ValueError) as error:
        raise ChildNotStarted(
            "The process that children are started from did not come up.",
            remedy="Look at the log of the worker.",
        ) from error
    finally:
        with contextlib.suppress(OSError):
            server.socket.settimeout(None)
    return WarmReport(report["pid"], report["threads"], report["failed"])


_pools: weakref.WeakSet[ChildPool] = weakref.WeakSet()


def _close_all() -> None:
    for pool in list(_pools):
        pool.close()


def _forget_all() -> None:
    for pool in list(_pools):
        pool._forget()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_forget_all)
