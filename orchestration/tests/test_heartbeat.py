"""The dead-man's ping is sent while the scheduler lives, to allowed places only, and keeps its secret."""

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.utils import timezone

from common.errors import TransientError, UserError
from orchestration import heartbeat, tasks, upkeep
from orchestration.models import Upkeep
from tenants import services
from tenants.actors import Actor

SECRET = "0ad5c3d8-top-secret"


class Monitor(ThreadingHTTPServer):
    """Counts who asks; ``answer(path)`` gives the status and where to go on."""

    daemon_threads = True
    asked: list[str]
    answer: Callable[[str], tuple[int, str]]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append(self.path)
        status, location = server.answer(self.path)
        self.send_response(status)
        if location:
            self.send_header("Location", location)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        return


@contextmanager
def listening(answer: Callable[[str], tuple[int, str]]) -> Iterator[tuple[str, list[str]]]:
    with Monitor(("127.0.0.1", 0), Handler) as server:
        server.asked, server.answer = [], answer
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}", server.asked
        server.shutdown()


def use(url: str) -> None:
    services.update_platform(actor=Actor.operator(), heartbeat_url=url)


def test_it_is_sent_while_ticks_come(db: None) -> None:
    assert heartbeat.beat() == "off"
    assert heartbeat.state_words()[0]
    with listening(lambda path: (200, "")) as (url, asked):
        use(f"{url}/ping/{SECRET}?a=1")
        assert heartbeat.beat() == "withheld"
        assert asked == []
        assert "no tick" in heartbeat.state_words()[1]
        upkeep.note(upkeep.TICK)
        tasks.send_heartbeat()
        assert asked == [f"/ping/{SECRET}?a=1"]
        assert heartbeat.state_words() == (True, "127.0.0.1 answered 200, 0 s ago")
        Upkeep.objects.filter(pk=upkeep.TICK).update(at=timezone.now() - timedelta(minutes=2))
        assert heartbeat.beat() == "withheld"
        assert len(asked) == 1


def test_a_tick_leaves_its_note(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upkeep, "_ticked_at", -100.0)
    assert not upkeep.is_ticking()
    tasks.tick_schedules()
    assert upkeep.is_ticking()
    Upkeep.objects.all().delete()
    tasks.tick_schedules()
    assert upkeep.last_tick() is None, "noted every ten seconds only"


def test_failures_are_noted_without_the_secret(
    db: None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("datanika"), "propagate", True)
    upkeep.note(upkeep.TICK)
    with listening(lambda path: (404, "")) as (url, _asked):
        use(f"{url}/{SECRET}")
        assert heartbeat.beat() == "failed"
    row = upkeep.last(upkeep.HEARTBEAT)
    assert row is not None
    assert not row.is_good
    assert row.note.startswith("127.0.0.1 answered with status 404.")
    assert heartbeat.beat() == "failed"  # nobody listens any more
    row.refresh_from_db()
    assert "refused the connection" in row.note
    assert SECRET not in caplog.text + row.note + heartbeat.state_words()[1]
    assert "127.0.0.1" in caplog.text


def test_redirects_are_judged_too(db: None, settings: Any) -> None:
    def answer(path: str) -> tuple[int, str]:
        return {
            "/good": (302, "/ok"),
            "/ok": (204, ""),
            "/loop": (302, "/loop"),
            "/metadata": (302, "http://169.254.169.254/latest/meta-data/"),
            "/file": (302, "file:///etc/passwd"),
        }[path]

    with listening(answer) as (url, asked):
        assert heartbeat.ask(f"{url}/good") == 204
        with pytest.raises(UserError, match="answered with status 302"):
            heartbeat.ask(f"{url}/loop")
        assert asked.count("/loop") == 4
        with pytest.raises(UserError, match="metadata service"):
            heartbeat.ask(f"{url}/metadata")
        with pytest.raises(UserError, match="has to begin with https"):
            heartbeat.ask(f"{url}/file")
        settings.EGRESS_POLICY = "public-only"
        asked.clear()
        with pytest.raises(UserError, match="only public ones"):
            heartbeat.ask(f"{url}/good")
        assert asked == []


def test_it_waits_only_so_long(db: None) -> None:
    release = threading.Event()

    def slow(path: str) -> tuple[int, str]:
        release.wait(5)
        return 200, ""

    with listening(slow) as (url, _asked):
        started = time.monotonic()
        with pytest.raises(TransientError, match="did not answer within"):
            heartbeat.ask(url, seconds=0.3)
        assert time.monotonic() - started < 2
        release.set()


def test_tls_is_checked(db: None) -> None:
    with listening(lambda path: (200, "")) as (url, _asked), pytest.raises(UserError, match="TLS"):
        heartbeat.ask(url.replace("http:", "https:"))
