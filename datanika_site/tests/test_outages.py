"""A broker that is away, in the logs: told at once, then seldom, then that it is over; nothing else is touched."""

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from kombu import Connection
from kombu.exceptions import OperationalError

from datanika_site.outages import EVERY_SECONDS, OUTAGES, OutageFilter, watch_loggers
from datanika_site.processes import beat_command, worker_command
from datanika_site.tests.chaos.servers import Redis
from datanika_site.tests.installation import ROOT, Installation, free_port


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outage(clock: Clock) -> OutageFilter:
    return OutageFilter(clock)


def _refused() -> Exception:
    """What kombu raises with nobody behind the port, its causes included."""
    with Connection(f"redis://127.0.0.1:{free_port()}/0") as broker:
        try:
            broker.ensure_connection(max_retries=1, interval_start=0, timeout=1)
        except OperationalError as error:
            return error
    raise AssertionError("somebody answered")


def _record(name: str, message: str, *args: object, error: Any = None) -> logging.LogRecord:
    info = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord(name, logging.ERROR, __file__, 1, message, args, info)


def _beat(error: Exception) -> logging.LogRecord:
    """As ``celery.beat.Scheduler.apply_entry`` says it."""
    stack = ["  File x, line 1, in y\n"] * 20
    return _record("celery.beat", "Message Error: %s\n%s", error, stack, error=error)


def test_one_line_now_and_then(outage: OutageFilter, clock: Clock, caplog: Any) -> None:
    error = _refused()
    first = _beat(error)
    assert outage.filter(first)
    text = first.getMessage()
    assert text.startswith("The broker does not answer (")
    assert "Nothing is lost" in text
    assert "\n" not in text
    assert (first.exc_info, first.levelname) == (None, "WARNING")
    for _ in range(29):
        clock.now += 1
        assert not outage.filter(_beat(error))
    clock.now += EVERY_SECONDS - 29
    again = _beat(error)
    assert outage.filter(again)
    assert again.getMessage().startswith("The broker has not answered for 30 s (")
    assert "; 30 more failed tries." in again.getMessage()

    clock.now += 3
    assert not outage.filter(_beat(error))
    outage.is_over()
    outage.is_over()
    (over,) = [record for record in caplog.records if record.name == "datanika.broker"]
    assert over.getMessage().startswith("The broker answers again after 33 s; 1 failed tries")
    # The next outage is told at once.
    assert outage.filter(_beat(error))


@pytest.mark.parametrize(
    ("name", "message", "args", "is_told"),
    [
        ("celery.worker.consumer.consumer", "consumer: Cannot connect to %s: %s.\n%s\n",
         ("redis://", ConnectionRefusedError(111, "refused"), "again"), True),
        ("celery.worker.consumer.consumer", "%s (%r)",
         ("lost", redis.exceptions.ConnectionError("gone")), True),
        ("datanika.runs", "the broker did not take the bell of step %s: %s",
         (7, OperationalError("gone")), True),
        # Not the broker's.
        ("datanika.alerts", "a receiver was away: %s", (ConnectionResetError(104, "x"),), False),
        ("celery.app.trace", "Task %s raised: %r", ("x", ConnectionRefusedError(111, "x")), False),
        ("celery.beat", "Message Error: %s\n%s", (ValueError("x"), "stack"), False),
    ],
)  # fmt: skip
def test_what_tells_of_the_broker(
    outage: OutageFilter, name: str, message: str, args: tuple[Any, ...], is_told: bool
) -> None:
    record = _record(name, message, *args)
    before = record.getMessage()
    assert outage.filter(record)
    assert (record.getMessage() != before) == is_told


def test_the_loggers_of_celery_have_it() -> None:
    __import__("celery.beat")
    watch_loggers()
    watch_loggers()
    assert logging.getLogger("celery.beat").filters.count(OUTAGES) == 1
    assert OUTAGES in logging.getLogger("datanika.runs").filters


@contextlib.contextmanager
def _running(command: list[str], log: Path, env: dict[str, str]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=env, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
        )
        try:
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(20)
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _until(log: Path, words: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while words not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()[-3000:]
        time.sleep(0.2)


@pytest.mark.chaos
def test_beat_and_worker_while_redis_is_killed(tmp_path: Path, postgres_url: str) -> None:
    """The real processes, and a real Redis that is killed for a minute and comes back."""
    broker = Redis("127.0.0.2")
    try:
        site = Installation.distributed(tmp_path / "data", postgres_url, broker.url("0"))
        site.manage("migrate")
        logs = {name: tmp_path / f"{name}.log" for name in ("beat", "worker")}
        env = site._env()
        with (
            _running(beat_command(), logs["beat"], env),
            _running(worker_command(), logs["worker"], env),
        ):
            time.sleep(25)  # both at work
            broker.stop(signal.SIGKILL)
            for log in logs.values():
                _until(log, "The broker does not answer")
            time.sleep(50)
            broker.start()
            for log in logs.values():
                _until(log, "The broker answers again")
    finally:
        broker.close()
    for name, log in logs.items():
        text = log.read_text()
        assert "Traceback" not in text, (name, text[-3000:])
        assert 1 <= text.count("The broker ") <= 6, (name, text[-3000:])
        # All that stands in it is a line with a time, so nothing is left of the long ones.
        strange = [line for line in text.splitlines() if line and not line[:4].isdigit()]
        assert not [line for line in strange if "roker" in line or "onnect" in line], strange
