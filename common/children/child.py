"""One running child as its owner sees it: events in, signals out."""

import contextlib
import json
import os
import select
import shutil
import signal
import time
from collections.abc import Callable
from typing import Any

import psutil

from common.children.endings import (
    CROWD_REMEDY,
    AnswerTooLarge,
    TooManyProcesses,
    ending_event,
)
from common.redaction import Redactor

#: How much of what libraries print is kept for a crash report.
TAIL_BYTES = 16 * 1024

#: Read beyond the tail, so that a secret cut in half at its beginning is cut away with it.
_TAIL_MARGIN = 8 * 1024

#: A longer line is no event but an attempt to fill the memory of the worker.
LINE_BYTES = 32 * 1024 * 1024

_READ_BYTES = 64 * 1024

#: How long pipes may stay open after the end, held by a grandchild that is just being killed.
_DRAIN_SECONDS = 1.0

_FINAL_EVENTS = frozenset({"done", "error"})

Signaller = Callable[[int, int], None]


class Child:
    """A child of a ``ChildPool``. For one thread; ``terminate`` and ``kill`` may come from any."""

    def __init__(
        self,
        *,
        pid: int,
        pipes: dict[str, int],
        signaller: Signaller,
        redactor: Redactor,
        private_dir: str,
    ) -> None:
        self.pid = pid
        self.exit_code: int | None = None
        #: Of the child and what it waited for; known once it has ended.
        self.peak_memory_mb: int | None = None
        self.cpu_seconds: float | None = None
        self._pipes = pipes
        self._signaller = signaller
        self._redactor = redactor
        self._private_dir = private_dir
        self._line = bytearray()
        self._status = b""
        self._tail = b""
        self._events: list[dict[str, Any]] = []
        self._final_seen = False
        self._ended_at: float | None = None
        self._stopped_by_us = False
        self._crowded = False
        self._over = False

    @property
    def finished(self) -> bool:
        """Whether the child has ended and every event of it was returned."""
        return self._over and not self._events

    @property
    def stderr_tail(self) -> str:
        """The last 16 KB of what libraries printed, secrets masked."""
        text = self._redactor.text(self._tail.decode(errors="replace"))
        return text.encode()[-TAIL_BYTES:].decode(errors="ignore")

    def read_events(self, wait_seconds: float) -> list[dict[str, Any]]:
        """The events that arrived, as soon as there is one; empty when none came in time.

        The last event of all is ``done`` or ``error``; for a child that crashed it is made up here.
        """
        deadline = time.monotonic() + wait_seconds
        while not self._events and not self._over:
            left = deadline - time.monotonic()
            self._pump(max(left, 0))
            self._settle()
            if left <= 0:
                break
        events, self._events = self._events, []
        return events

    def terminate(self) -> None:
        """Ask the child and all it started to stop: cancel hooks run, ``Cancelled`` is raised."""
        self._stop(signal.SIGTERM)

    def kill(self) -> None:
        """End the child and all it started at once."""
        self._stop(signal.SIGKILL)

    def usage(self) -> tuple[float, float]:
        """Memory in MB and CPU seconds of the child and all it started; shared pages are counted in parts."""
        memory = cpu = 0.0
        for pid in psutil.pids():
            with contextlib.suppress(psutil.Error, OSError):
                if os.getpgid(pid) == self.pid:
                    process = psutil.Process(pid)
                    memory += _resident_bytes(process)
                    times = process.cpu_times()
                    cpu += times.user + times.system
        return memory / (1024 * 1024), cpu

    def close(self) -> None:
        """End the child if it still runs, and remove its private directory."""
        if self._ended_at is None:
            self.kill()
        deadline = time.monotonic() + 5
        while not self._over and time.monotonic() < deadline:
            self._pump(0.1)
            self._settle()
        for name in list(self._pipes):
            self._close_pipe(name)
        shutil.rmtree(self._private_dir, ignore_errors=True)

    def _stop(self, number: int) -> None:
        if self._ended_at is None:
            self._stopped_by_us = True
            self._signaller(self.pid, number)

    def _pump(self, wait_seconds: float) -> None:
        poll = select.poll()
        names = {fd: name for name, fd in self._pipes.items()}
        for fd in names:
            poll.register(fd, select.POLLIN)
        # After the end, pipes a dying grandchild still holds are not waited for in full.
        wait = wait_seconds if self._ended_at is None else min(wait_seconds, 0.05)
        for fd, _ in poll.poll(wait * 1000):
            self._read(names[fd], fd)

    def _read(self, name: str, fd: int) -> None:
        try:
            chunk = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not chunk:
            self._close_pipe(name)
        elif name == "events":
            self._take_events(chunk)
        elif name == "noise":
            self._tail = (self._tail + chunk)[-(TAIL_BYTES + _TAIL_MARGIN) :]
        else:
            self._take_status(chunk)

    def _take_status(self, chunk: bytes) -> None:
        self._status += chunk
        self._crowded = b"crowd\n" in self._status
        for line in self._status.splitlines():
            if line.startswith(b"exit "):
                code, kilobytes, seconds = line[5:].split()
                self.exit_code = int(code)
                self.peak_memory_mb = int(kilobytes) // 1024
                self.cpu_seconds = float(seconds)
                self._ended_at = self._ended_at or time.monotonic()

    def _close_pipe(self, name: str) -> None:
        os.close(self._pipes.pop(name))
        if name == "status" and self._ended_at is None:
            # No exit code: the warm parent died, its children with it. What they started may not.
            self._ended_at = time.monotonic()
            with contextlib.suppress(OSError):
                os.killpg(self.pid, signal.SIGKILL)

    def _take_events(self, chunk: bytes) -> None:
        if self._final_seen:  # nothing comes after the last word
            return
        self._line += chunk
        if b"\n" in chunk:
            *lines, rest = bytes(self._line).split(b"\n")
            self._line = bytearray(rest)
            for line in lines:
                self._take_line(line)
        if len(self._line) > LINE_BYTES:
            self._line.clear()
            self._final_seen = True
            self._events.append(AnswerTooLarge().as_event())
            self.kill()

    def _take_line(self, line: bytes) -> None:
        try:
            event = _parse(line)
            # Rows and names in the tenant's own tables may equal a password by chance; masked
            # they would be wrong.
            if event is not None and event["event"] != "data":
                event = self._redactor.event(event)
        except (ValueError, RecursionError):  # no event of ours
            return
        if event is not None and not self._final_seen:
            self._final_seen = event["event"] in _FINAL_EVENTS
            self._events.append(event)

    def _settle(self) -> None:
        if self._over or self._ended_at is None:
            return
        open_still = {"events", "noise"} & self._pipes.keys()
        if open_still and time.monotonic() < self._ended_at + _DRAIN_SECONDS:
            return
        self._over = True
        if not self._final_seen:
            self._final_seen = True
            self._events.append(self._last_word())

    def _last_word(self) -> dict[str, Any]:
        if self._crowded:
            return TooManyProcesses(remedy=CROWD_REMEDY).as_event()
        detail = self.stderr_tail[-2000:].strip()
        return ending_event(self.exit_code, stopped_by_us=self._stopped_by_us, detail=detail)


def _resident_bytes(process: psutil.Process) -> float:
    """Pages shared with the warm parent count only as its share, where the system tells."""
    try:
        return float(process.memory_full_info().pss)
    except (AttributeError, psutil.AccessDenied):
        return float(process.memory_info().rss)


def _parse(line: bytes) -> dict[str, Any] | None:
    """The event of a line in a form every database stores: no NUL, no lone surrogate, no NaN."""
    line = line.replace(b"\\u0000", b"\\ufffd")
    event = json.loads(line, parse_constant=str)
    if b"\\ud" in line.lower():
        text = json.dumps(event, ensure_ascii=False).encode(errors="replace")
        event = json.loads(text)
    is_event = isinstance(event, dict) and isinstance(event.get("event"), str)
    return event if is_event else None
