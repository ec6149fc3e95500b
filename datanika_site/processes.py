"""Web, worker and beat from one terminal."""

import errno
import json
import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from django.conf import settings

from common.errors import UserError
from common.supervisor import Supervisor
from connections.preload import PRELOAD


class PortInUse(UserError):
    """Another program listens on this port."""

    code = "port_in_use"


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


def supervisor_of(*, say: Callable[[str], None], host: str = "", port: int = 0) -> Supervisor:
    """For a worker with beat inside, and the web when it has a port; nothing is started yet."""
    return Supervisor(**_order(host, port), say=say)


def become_supervisor(host: str, port: int) -> NoReturn:
    """Start them all from a program that is nothing but their supervisor, in place of this one."""
    sys.stdout.flush()
    # The program is this interpreter, the order is ours.
    os.execve(  # noqa: S606
        sys.executable,
        [sys.executable, "-m", "common.supervisor", json.dumps(_order(host, port))],
        {**os.environ, "PYTHONPATH": str(settings.BASE_DIR)},
    )


def _order(host: str, port: int) -> dict[str, Any]:
    web = {"web": web_command(host, port)} if port else {}
    environment = {
        "DJANGO_SETTINGS_MODULE": "datanika_site.settings",
        # A tenth of a second of its work a minute is not worth a process.
        "DATANIKA_BEAT_INSIDE": "1",
        # glibc would keep a heap for each of many threads.
        "MALLOC_ARENA_MAX": "2",
    }
    # Who ends a terminal's program does not want to wait: what runs is handed back, and goes on at the next start.
    if not os.environ.get("DATANIKA_DRAIN_SECONDS"):
        environment["DATANIKA_DRAIN_SECONDS"] = "3"
    return {
        "commands": {**web, "worker": worker_command()},
        "directory": str(settings.BASE_DIR),
        "preload": list(PRELOAD),
        "environment": environment,
    }
