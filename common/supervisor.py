"""Keeps the processes of one machine alive: started together, restarted when one dies, ended together.

``python -m common.supervisor ORDER`` is that and nothing else, in a process that knows no Django: a tenth of the
memory of one that does. ``ORDER`` is JSON: ``{"commands": {name: [argument, …]}, "directory", "preload": [module, …],
"environment": {name: value}}``.
"""

import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from common.children.client import SHARED_FD, start_warm_parent
from common.errors import UserError

#: A process that died is started again after this long, twice as long each time it dies soon.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
#: Who lives this long starts over with the first wait.
SETTLED_SECONDS = 20.0
STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


class DoesNotStart(UserError):
    """A process ends as soon as it is started."""

    code = "does_not_start"


class SharedWarmParent:
    """One warm parent for all processes here: each gets a socket to it."""

    def __init__(self, preload: Sequence[str]) -> None:
        self._preload = tuple(preload)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._scratch = ""

    def connect(self) -> socket.socket:
        """A socket for one more process; the warm parent is started at first need, and again when it died."""
        if self._process is None or self._process.poll() is not None:
            self._process, self._control, self._scratch = start_warm_parent(self._preload)
        assert self._control is not None
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._control, [b'{"op": "adopt"}\n'], [theirs.fileno()])
        return ours

    def stop(self) -> None:
        """End it, and every child that still runs."""
        if self._process is None or self._control is None:
            return
        self._control.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._scratch, ignore_errors=True)


@dataclass
class _Process:
    name: str
    command: list[str]
    directory: str
    environment: dict[str, str]
    warm: SharedWarmParent
    handle: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = FIRST_WAIT_SECONDS
    restart_at: float = 0.0
    #: Soon after its start, in a row.
    deaths: int = 0

    def start(self) -> None:
        with self.warm.connect() as shared:
            # A session of its own: Ctrl-C reaches us alone, and we end the others in order.
            self.handle = subprocess.Popen(
                self.command,
                start_new_session=True,
                cwd=self.directory,
                env={**os.environ, **self.environment, SHARED_FD: str(shared.fileno())},
                pass_fds=[shared.fileno()],
                preexec_fn=_end_with_parent,  # noqa: PLW1509 - we have one thread here
            )
        self.started = time.monotonic()


@dataclass
class Supervisor:
    """Keeps a set of processes alive until told to stop."""

    commands: dict[str, list[str]]
    directory: str
    preload: Sequence[str]
    environment: dict[str, str]
    say: Callable[[str], None]
    _processes: list[_Process] = field(default_factory=list)
    _stopping: bool = False
    _warm: SharedWarmParent = field(default_factory=lambda: SharedWarmParent(()))

    def start(self) -> None:
        """Start them all; from here on SIGTERM ends this program through ``SystemExit``."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        self._warm = SharedWarmParent(self.preload)
        self._processes = [
            _Process(name, command, self.directory, self.environment, self._warm)
            for name, command in self.commands.items()
        ]
        for process in self._processes:
            process.start()

    def run(self) -> None:
        """Look after them until Ctrl-C or SIGTERM, then stop them."""
        signal.signal(signal.SIGINT, self._on_signal)
        signal.signal(signal.SIGTERM, self._on_signal)
        while not self._stopping:
            self.look()
            time.sleep(0.2)
        self.stop()

    def look(self, *, patience: int = 0) -> None:
        """Start again what has died; ``patience`` is how often at most before ``DoesNotStart`` (0: for ever)."""
        now = time.monotonic()
        for process in self._processes:
            if process.handle is None or process.handle.poll() is None:
                continue
            if not process.restart_at:
                if now - process.started > SETTLED_SECONDS:
                    process.wait = FIRST_WAIT_SECONDS
                    process.deaths = 0
                process.deaths += 1
                if patience and process.deaths > patience:
                    raise DoesNotStart(
                        f"The {process.name} does not start.", remedy="Its own words stand above."
                    )
                code = process.handle.returncode
                self.say(f"{process.name} ended ({_ending(code)}); starting it again.")
                process.restart_at = now + process.wait
                process.wait = min(process.wait * 2, LONGEST_WAIT_SECONDS)
            elif now >= process.restart_at:
                process.restart_at = 0.0
                process.start()

    def stop(self) -> None:
        """Ask all to end, and kill whoever has not within ten seconds."""
        for process in self._processes:
            if process.handle is not None and process.handle.poll() is None:
                process.handle.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for process in self._processes:
            if process.handle is None:
                continue
            try:
                process.handle.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.handle.kill()
                process.handle.wait()
        self._warm.stop()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        if self._stopping:  # a second Ctrl-C does not wait
            for process in self._processes:
                if process.handle is not None and process.handle.poll() is None:
                    process.handle.kill()
        self._stopping = True


def _end_with_parent() -> None:
    """On Linux a killed supervisor takes its processes along; elsewhere they end at their next write."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def main() -> None:
    order = json.loads(sys.argv[1])

    def say(text: str) -> None:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    supervisor = Supervisor(**order, say=say)
    supervisor.start()
    supervisor.run()


if __name__ == "__main__":
    main()
