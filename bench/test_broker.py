"""The embedded broker against kombu's own, in turn: time from publishing to a consumer of another process."""

import json
import statistics
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from kombu import Connection, Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

from bench.report import Row, report

pytestmark = pytest.mark.bench

MESSAGES = 60
INTERVAL = 0.05
TRANSPORT_ALIASES["files"] = "datanika_site.file_broker:Transport"

CONSUMER = """
import json, sys, time
from kombu import Connection, Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES
TRANSPORT_ALIASES["files"] = "datanika_site.file_broker:Transport"
url, options, count = sys.argv[1], json.loads(sys.argv[2]), int(sys.argv[3])
def take(body, message):
    print(time.time() - body["sent"], flush=True)
    message.ack()
with Connection(url, transport_options=options) as connection:
    queue = Queue("bench", Exchange("bench"), routing_key="bench")
    with connection.Consumer(queue, callbacks=[take], accept=["json"]):
        print("ready", flush=True)
        for _ in range(count):
            connection.drain_events()
"""


def options_of(folder: Path) -> dict[str, Any]:
    for name in ("queue", "control"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    return {
        "data_folder_in": str(folder / "queue"),
        "data_folder_out": str(folder / "queue"),
        "control_folder": str(folder / "control"),
        "polling_interval": INTERVAL,
    }


def latencies(url: str, options: dict[str, Any]) -> list[float]:
    """Seconds of each message, or an empty list when the consumer ended before it had all of them."""
    command = [sys.executable, "-c", CONSUMER, url, json.dumps(options), str(MESSAGES)]
    consumer = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert consumer.stdout is not None
    with Connection(url, transport_options=options) as connection:
        queue = Queue("bench", Exchange("bench"), routing_key="bench")
        assert consumer.stdout.readline().strip() == "ready"
        producer = connection.Producer(serializer="json")
        for _ in range(MESSAGES):
            producer.publish(
                {"sent": time.time()}, exchange="bench", routing_key="bench", declare=[queue]
            )
            time.sleep(0.02)
        try:
            output, _ = consumer.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            consumer.kill()
            output, _ = consumer.communicate()
    seconds = [float(line) for line in output.splitlines()]
    return seconds if len(seconds) == MESSAGES else []


def test_embedded_broker(tmp_path: Path, redis_url: str) -> None:
    measured = {
        "files (ours)": latencies("files://localhost", options_of(tmp_path / "ours")),
        "filesystem (kombu)": latencies("filesystem://localhost", options_of(tmp_path / "kombu")),
        "redis": latencies(redis_url, {}),
    }
    with_what = f"kombu {version('kombu')}, {MESSAGES} messages, polling {INTERVAL} s"
    for name, seconds in measured.items():
        median = statistics.median(seconds) if seconds else float("inf")
        row = Row(f"publish to consume, {name}", median, "s", "≤ 0.1", median <= 0.1, with_what)
        report("bench", row)
    assert measured["files (ours)"]
