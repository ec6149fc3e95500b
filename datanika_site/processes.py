"""Web, worker and beat from one terminal: started together, restarted when one dies, ended together."""

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import FrameType

from django.conf import settings

from common.errors import UserError

#: A process that died is started again after this long, twice as long each time it dies soon.
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 30.0
#: Who lives this long starts over with the first wait.
SETTLED_SECONDS = 20.0
STOP_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1


class PortInUse(UserError):
    """Another program listens on this port."""

    code = "port_in_use"


class DoesNotStart(UserError):
    """A process ends as soon as it is started."""

    code = "does_not_start"


def check_port(host: str, port: int) -> None:
    """Raise ``PortInUse``, or ``UserError`` for an address that cannot be listened on."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise PortInUse(
                    f"Port {port} is in use by another program.",
                    field="port",
                    remedy=f"Stop it, or choose another: --port {port + 1}.",
                ) from None
            raise UserError(
                f"Cannot listen on {host}:{port}: {error.strerror}.",
                field="host",
                remedy="Choose another --host or --port.",
            ) from None


def web_command(host: str, port: int) -> list[str]:
    return [
        *(sys.executable, "-m", "uvicorn", "datanika_site.asgi:application"),
        *("--host", host, "--port", str(port), "--no-access-log", "--log-level", "warning"),
        # Behind a proxy the operator starts uvicorn with settings of their own.
        *("--no-proxy-headers", "--lifespan", "off", "--timeout-graceful-shutdown", "3"),
    ]


def worker_command(queues: Sequence[str] = ()) -> list[str]:
    """Threads: Celery's own only hear bells and keep house, the slots are the workshop's.

    ``queues`` are queues of steps; without them those of the settings.
    """
    listens = ["housekeeping", *(f"steps.{name}" for name in queues or settings.WORKER_QUEUES)]
    return [
        # Celery warns of root on every start; in a container that is settled by the image.
        *(sys.executable, "-W", "ignore:You're running the worker with superuser"),
        *("-m", "celery", "--quiet", "-A", "datanika_site", "worker"),
        *("--pool", "threads", "--concurrency", "4"),
        *("--queues", ",".join(listens)),
        *("--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "WARNING"),
    ]


def beat_command() -> list[str]:
    # No schedule or pid file: the schedule is in the database.
    return [
        *(sys.executable, "-m", "celery", "--quiet", "-A", "datanika_site", "beat"),
        *("--loglevel", "WARNING", "--pidfile", ""),
    ]


@dataclass
class _Process:
    name: str
    command: list[str]
    handle: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    wait: float = FIRST_WAIT_SECONDS
    restart_at: float = 0.0
    #: Soon after its start, in a row.
    deaths: int = 0

    def start(self) -> None:
        # A session of its own: Ctrl-C reaches us alone, and we end the others in order.
        self.handle = subprocess.Popen(
            self.command,
            start_new_session=True,
            cwd=settings.BASE_DIR,
            env=_environment(),
            preexec_fn=_end_with_parent,  # noqa: PLW1509 - we have one thread here
        )
        self.started = time.monotonic()


@dataclass
class Supervisor:
    """Keeps a set of processes alive until told to stop."""

    commands: dict[str, list[str]]
    say: Callable[[str], None]
    _processes: list[_Process] = field(default_factory=list)
    _stopping: bool = False

    def start(self) -> None:
        """Start them all; from here on SIGTERM ends this program through ``SystemExit``."""
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        self._processes = [_Process(name, command) for name, command in self.commands.items()]
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


def _environment() -> dict[str, str]:
    return {**os.environ, "DJANGO_SETTINGS_MODULE": "datanika_site.settings"}
