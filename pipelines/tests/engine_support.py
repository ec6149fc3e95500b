"""Help for the engine's tests: specs, a load in this process or in a child of its own, and looks at both ends."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psycopg

from pipelines.engine.main import load

ROOT = Path(__file__).resolve().parents[2]


def postgres_endpoint(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    config = {
        "host": parts.hostname,
        "port": parts.port,
        "database": parts.path.lstrip("/"),
        "user": parts.username,
        "sslmode": "disable",
    }
    return {"connector": "postgres", "config": config, "secrets": {"password": parts.password}}


def file_endpoint(connector: str, path: str = "") -> dict[str, Any]:
    return {"connector": connector, "config": {"path": path} if path else {}, "secrets": {}}


class Bench:
    """A pipeline in a directory of its own; ``load`` runs it and answers its events."""

    def __init__(
        self, directory: Path, source: dict[str, Any], destination: dict[str, Any]
    ) -> None:
        self.files = directory / "files"
        self.files.mkdir(exist_ok=True)
        (directory / "private").mkdir(exist_ok=True)
        self.spec: dict[str, Any] = {
            "files_root": str(self.files),
            "allowed_roots": [],
            "egress": "private-allowed",
            "private_dir": str(directory / "private"),
            "source": source,
            "destination": destination,
            "dataset": "raw",
            "pipeline": {"id": 7, "slug": "shop", "name": "Shop"},
            "mode": "selected",
            "source_schema": "",
            "resources": [],
            "defaults": {"write_disposition": "replace"},
            "full_refresh": False,
            "work_dir": str(directory / "work"),
            "limits": {"memory_mb": 512, "threads": 2},
            "attempt": 1,
        }

    def load(self, *resources: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        load({**self.spec, "resources": list(resources), **changes}, events.append)
        return events

    def in_child(
        self,
        *resources: dict[str, Any],
        kill_when: Callable[[dict[str, Any]], bool] | None = None,
        patch: str = "",
        **changes: Any,
    ) -> list[dict[str, Any]]:
        """Run in a process of its own; ``kill_when`` sends SIGKILL at an event, ``patch`` is Python run before."""
        spec = {**self.spec, "resources": list(resources), **changes}
        code = f"{_CHILD}\n{patch}\nmain()"
        environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": "/nonexistent"}
        child = subprocess.Popen(
            [sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert child.stdin and child.stdout
        child.stdin.write(json.dumps(spec))
        child.stdin.close()
        events = []
        for line in child.stdout:
            events.append(json.loads(line))
            if kill_when and kill_when(events[-1]):
                child.send_signal(signal.SIGKILL)
        child.wait()
        child.stdout.close()
        return events


_CHILD = """
import json, os, signal, sys
from common.errors import DatanikaError
from pipelines.engine.main import load

def emit(event):
    print(json.dumps(event), flush=True)

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

def main():
    try:
        load(json.loads(sys.stdin.read()), emit)
    except DatanikaError as error:
        emit(error.as_event())
"""


def results(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {event["name"]: event for event in events if event["event"] == "result"}


def summary(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert events[-1]["event"] == "done", events[-1]
    found: dict[str, Any] = events[-1]["summary"]
    return found


def pg(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run the statements; the rows of the last one."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET timezone = 'UTC'")
        for statement in statements:
            cursor = connection.execute(statement)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def duck(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()
