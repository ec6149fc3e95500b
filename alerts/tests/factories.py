"""Channels and rules made through the services, and receivers that listen on this machine."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from alerts import services
from alerts.models import AlertChannel, AlertDelivery, AlertIncident, AlertRule, ChannelKind
from orchestration.models import Run
from orchestration.tests import factories as make
from tenants.actors import Actor
from tenants.models import Organization

OPERATOR = Actor.operator()


@dataclass
class Received:
    """One request as it came in."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Receiver:
    """An HTTP server that keeps what it gets and answers as told."""

    port: int
    received: list[Received] = field(default_factory=list)
    status: int = 200
    answer: bytes = b"ok"
    location: str = ""

    def url(self, path: str = "/hook?token=geheim42") -> str:
        return f"http://127.0.0.1:{self.port}{path}"


@contextmanager
def receiver() -> Iterator[Receiver]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            found.received.append(Received(self.path, headers, body))
            self.send_response(found.status)
            if found.location:
                self.send_header("Location", found.location)
            self.send_header("Content-Length", str(len(found.answer)))
            self.end_headers()
            self.wfile.write(found.answer)

        do_GET = do_POST

        def log_message(self, *_: Any, **__: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Receiver(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def dripping(piece: bytes = b"H", pause: float = 0.05) -> Iterator[int]:
    """A port where somebody answers one byte at a time and never comes to an end."""
    listener = socket.create_server(("127.0.0.1", 0))
    stop = threading.Event()

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            while not stop.wait(pause):
                try:
                    connection.sendall(piece)
                except OSError:
                    return

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        stop.set()
        thread.join()
        listener.close()


def make_channel(
    organization: Organization, kind: str = ChannelKind.EMAIL, url: str = "", name: str = "On call"
) -> AlertChannel:
    addresses = ("ops@example.com",) if kind == ChannelKind.EMAIL else ()
    settings = services.ChannelSettings(name=name, addresses=addresses, url=url)
    return services.create_channel(
        organization=organization, actor=OPERATOR, kind=kind, settings=settings
    )[0]


def make_rule(
    organization: Organization, *channels: AlertChannel, name: str = "Anything", **settings: Any
) -> AlertRule:
    """By default of every failure in the organization."""
    if not any(key in settings for key in services.CONDITIONS):
        settings["failures_in_a_row"] = 1
    slugs = tuple(channel.slug for channel in channels or (make_channel(organization),))
    return services.create_rule(
        organization=organization,
        actor=OPERATOR,
        settings=services.RuleSettings(name=name, channels=slugs, **settings),
    )


def run_once(organization: Organization, good: bool, target: str = "pipeline:orders") -> Run:
    """A run of one pipeline that ends this way."""
    run = make.make_run(organization, target)
    make.finish(make.steps(run)[0], [make.done() if good else make.failed()])
    run.refresh_from_db()
    return run


def deliveries() -> list[AlertDelivery]:
    return list(AlertDelivery.all_organizations.order_by("pk"))


def events() -> list[str]:
    """What was written to be told, in order."""
    return [delivery.event for delivery in deliveries()]


def titles() -> list[str]:
    return [delivery.title for delivery in deliveries()]


def incidents() -> list[AlertIncident]:
    return list(AlertIncident.all_organizations.order_by("pk"))
