"""The warm parent: imports the heavy libraries once and forks a child for each order.

``python -m common.children.warm --fd N --scratch DIR --preload MODULE ...`` serves the Unix socket
``N`` until its owner is gone. It stays single-threaded, opens no connection and never sees a spec:
children read theirs from a pipe of their own.

A request is one JSON line: ``{"op": "fork", "private_dir": ..., "processes": ...}`` with four descriptors (order,
events, noise, status), ``{"op": "signal", "pid": ..., "signal": ...}``, or
``{"op": "preload", "modules": [...]}`` for what was not needed at the start. The one answer on the
socket is the report after the imports. A child's status pipe gets ``pid N`` from the child and
``exit N KB SECONDS`` from here: exit code, peak memory, CPU time; before that ``crowd`` when it had to be ended
because it became too many processes.
"""

import argparse
import contextlib
import ctypes
import gc
import importlib
import io
import json
import os
import resource
import selectors
import shutil
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from common.children import box, crowd
from common.children.entry import run_child

#: Descriptors of a fork request: order, events, noise, status.
FDS_PER_FORK = 4

_PR_SET_CHILD_SUBREAPER = 36
#: What multiplies is chased so often before the next look goes on with it.
_MOST_ROUNDS, _EVERYONE = 200, 1_000_000
#: Between two looks for the owner while this process imports.
_LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class _Running:
    status_fd: int
    private_dir: str
    processes: int


@dataclass(eq=False)
class _Owner:
    """Whoever may ask for children, at the other end of a socket; they end with it."""

    socket: socket.socket
    text: bytes = b""
    fds: deque[int] = field(default_factory=deque)
    running: dict[int, _Running] = field(default_factory=dict)


class WarmParent:
    """Forks children on request, reaps them, and takes an owner's along when the owner goes.

    The first owner may bring others (``{"op": "adopt"}`` with one descriptor, a socket); when it goes, this process
    ends.
    """

    def __init__(self, owner: socket.socket, report: dict[str, Any]) -> None:
        self._report = json.dumps(report).encode() + b"\n"
        self._first = _Owner(owner)
        self._owners: list[_Owner] = []
        self._counted = time.monotonic()
        self._selector = selectors.DefaultSelector()
        self._wake_reader, self._wake_writer = os.pipe()
        for fd in (self._wake_reader, self._wake_writer):
            os.set_blocking(fd, False)

    def serve(self) -> None:
        """Answer requests until the first owner's end of the socket is closed, by it or by its death."""
        self._install_signals()
        self._selector.register(self._wake_reader, selectors.EVENT_READ)
        self._adopt(self._first)
        while self._first in self._owners:
            for key, _ in self._selector.select(crowd.LOOK_SECONDS if self._pids() else None):
                if key.data is None:
                    _drain(self._wake_reader)
                    self._reap()
                elif key.data in self._owners and not self._receive(key.data):
                    self._leave(key.data)
            self._thin_out()
        self._selector.close()

    def _thin_out(self) -> None:
        """End each child that has become more processes than it may."""
        now = time.monotonic()
        if now - self._counted < crowd.LOOK_SECONDS:
            return
        self._counted = now
        running = {pid: one for owner in self._owners for pid, one in owner.running.items()}
        if not running:
            return
        strays = _own_children() - running.keys()
        for pid, child in running.items():
            roots = {pid} | crowd.in_session(strays, pid)
            if len(crowd.family(roots, child.processes)) > child.processes:
                with contextlib.suppress(OSError):
                    os.write(child.status_fd, b"crowd\n")
                self._chase({pid} | strays, running.keys() - {pid})
        most = max(child.processes for child in running.values())
        if len(crowd.family(strays, most)) > most:
            self._chase(strays, running.keys())

    def _chase(self, roots: set[int], others: Collection[int]) -> None:
        """End these, all below them, and what they start meanwhile."""
        for _ in range(_MOST_ROUNDS):
            # Whose parent has ended comes to this process, so nobody escapes by becoming an orphan.
            found = crowd.family(roots & _own_children(), _EVERYONE) - set(others)
            if not found:
                return
            for number in (signal.SIGSTOP, signal.SIGKILL):
                for pid in found:
                    _signal_group(pid, number)
            self._reap()
            roots = _own_children() - set(others)

    def _adopt(self, owner: _Owner) -> None:
        os.set_inheritable(owner.socket.fileno(), False)
        self._owners.append(owner)
        self._selector.register(owner.socket, selectors.EVENT_READ, owner)
        with contextlib.suppress(OSError):
            owner.socket.sendall(self._report)

    def _leave(self, owner: _Owner) -> None:
        self._selector.unregister(owner.socket)
        owner.socket.close()
        if owner is self._first:
            self._end(self._owners)
            self._owners.clear()
        else:
            self._end([owner])
            self._owners.remove(owner)

    def _install_signals(self) -> None:
        # The owner decides when this ends; a signal to the whole service must leave it its time.
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)

    def _receive(self, owner: _Owner) -> bool:
        try:
            data, fds, _, _ = socket.recv_fds(owner.socket, 65536, 64)
        except ConnectionError:
            return False
        owner.fds.extend(fds)
        *lines, owner.text = (owner.text + data).split(b"\n")
        for line in lines:
            self._answer(owner, json.loads(line))
        return bool(data)

    def _answer(self, owner: _Owner, request: dict[str, Any]) -> None:
        if request["op"] == "fork":
            self._fork(owner, request["private_dir"], request["processes"])
        elif request["op"] == "signal" and request["pid"] in owner.running:
            _signal_group(request["pid"], request["signal"])
        elif request["op"] == "preload":
            preload(request["modules"])
            gc.freeze()
        elif request["op"] == "adopt" and owner is self._first:
            self._adopt(_Owner(socket.socket(fileno=owner.fds.popleft())))

    def _fork(self, owner: _Owner, private_dir: str, processes: int) -> None:
        order, events, noise, status = (owner.fds.popleft() for _ in range(FDS_PER_FORK))
        try:
            pid = os.fork()
        except OSError as error:
            pid = -1
            os.write(status, f"failed {error.strerror}\n".encode())
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            run_child(order_fd=order, events_fd=events, noise_fd=noise, status_fd=status)
        for fd in (order, events, noise):
            os.close(fd)
        if pid > 0:
            owner.running[pid] = _Running(status, private_dir, processes)
        else:
            os.close(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            for owner in self._owners:
                if child := owner.running.pop(pid, None):
                    self._bury(pid, child, os.waitstatus_to_exitcode(status), used)

    def _bury(self, pid: int, child: _Running, code: int, used: resource.struct_rusage) -> None:
        _signal_group(pid, signal.SIGKILL)
        for stray in _own_children() - self._pids():
            _signal_group(stray, signal.SIGKILL)
        with contextlib.suppress(OSError):
            kilobytes = used.ru_maxrss // 1024 if sys.platform == "darwin" else used.ru_maxrss
            seconds = used.ru_utime + used.ru_stime
            os.write(child.status_fd, b"exit %d %d %.2f\n" % (code, kilobytes, seconds))
        os.close(child.status_fd)

    def _pids(self) -> set[int]:
        return {pid for owner in self._owners for pid in owner.running}

    def _end(self, owners: list[_Owner]) -> None:
        """They are gone, and with them whoever would remove their children's directories."""
        running = {pid: child for owner in owners for pid, child in owner.running.items()}
        everything = owners is self._owners
        # With what libraries started here, such as the resource tracker, which waits for our end.
        for pid in running.keys() | (_own_children() if everything else set()):
            _signal_group(pid, signal.SIGKILL)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and (
            any(owner.running for owner in owners) or (everything and _own_children())
        ):
            self._reap()
            time.sleep(0.01)
        for child in running.values():
            shutil.rmtree(child.private_dir, ignore_errors=True)


def preload(modules: Iterable[str]) -> dict[str, str]:
    """Import the modules; the ones that failed, each with the reason."""
    failed: dict[str, str] = {}
    for name in modules:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001, a library may fail in any way at all
            failed[name] = f"{type(error).__name__}: {error}"
    for name, settle in _SETTLE.items():
        if name in sys.modules:
            settle(sys.modules[name])
    return failed


@contextlib.contextmanager
def _given_up_without_owner(scratch: str) -> Iterator[None]:
    """Ends this process when its owner dies meanwhile: the imports last longer than a Ctrl-C may."""
    parent = os.getppid()

    def look(number: int, frame: FrameType | None) -> None:
        if os.getppid() != parent:
            for stray in _own_children():
                _signal_group(stray, signal.SIGKILL)
            shutil.rmtree(scratch, ignore_errors=True)
            os._exit(0)

    before = signal.signal(signal.SIGALRM, look)
    signal.setitimer(signal.ITIMER_REAL, _LOOK_SECONDS, _LOOK_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _close_default_connection(duckdb: Any) -> None:
    """``import duckdb`` opens a database with a thread for each core; a fork would lose them."""
    duckdb.default_connection().close()


#: What has to be put right after an import so that this process can fork.
_SETTLE: dict[str, Callable[[Any], None]] = {"duckdb": _close_default_connection}


def _signal_group(pid: int, number: int) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        # Not yet leader of its group, in the first moments after the fork.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    except PermissionError:
        pass


def _own_children() -> set[int]:
    """Every process whose parent this is: children, and what their dead children left behind."""
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return set()
    return {int(pid) for pid in text.split()}


def _drain(fd: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(fd, 4096):
            pass


def _adopt_orphans() -> None:
    """What a child leaves behind becomes ours, not init's, so that it can be found and ended."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _thread_count() -> int:
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m common.children.warm")
    parser.add_argument("--fd", type=int, required=True)
    parser.add_argument("--scratch", required=True, help="directory removed at the end")
    parser.add_argument("--preload", nargs="*", default=[])
    options = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):
        # In a child both are the noise pipe; a crash must not take the last lines with it.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True, errors="backslashreplace")
    _adopt_orphans()
    with socket.socket(fileno=options.fd) as owner:
        with _given_up_without_owner(options.scratch):
            failed = preload(options.preload)
        report = {
            "ready": True,
            "pid": os.getpid(),
            "failed": failed,
            "threads": _thread_count(),
        }
        box.prepare_before_fork()
        # Collected and frozen before the first fork, so that children share these pages for good.
        gc.collect()
        gc.disable()
        gc.freeze()
        WarmParent(owner, report).serve()
    shutil.rmtree(options.scratch, ignore_errors=True)


if __name__ == "__main__":
    main()
