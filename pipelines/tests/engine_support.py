"""Help for the engine's tests: specs, a load in this process or in a child of its own, and looks at both ends."""

import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import psycopg

from pipelines.engine.main import load

#: The first part of load ids here: a second attempt ends what sessions of its id are left, also another test process's.
PROCESS = os.getpid()


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
            "work_dir": str(directory / "work"),
            "limits": {"memory_mb": 512, "threads": 2},
            "attempt": 1,
        }

    def load(self, *resources: dict[str, Any], **changes: Any) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        load({**self.spec, "resources": list(resources), **changes}, events.append)
        return events

    def killed(
        self, prepare: Callable[[], object], *resources: dict[str, Any], **changes: Any
    ) -> None:
        """Load in a forked process that ``prepare`` has made to end itself by SIGKILL somewhere on the way."""
        child = os.fork()
        if child == 0:
            try:
                prepare()
                self.load(*resources, **changes)
            finally:
                traceback.print_exc()
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WIFSIGNALED(status), "the load came to its end"
        assert os.WTERMSIG(status) == signal.SIGKILL


def die(*_arguments: Any, **_options: Any) -> Any:
    os.kill(os.getpid(), signal.SIGKILL)


def dies_after(owner: type, name: str, calls: int = 1) -> Callable[[], None]:
    """Makes the method kill its process once its work is done, at the given call."""
    done = 0

    def prepare() -> None:
        original = getattr(owner, name)

        def wrapped(*arguments: Any, **options: Any) -> Any:
            nonlocal done
            answer = original(*arguments, **options)
            done += 1
            return die() if done >= calls else answer

        setattr(owner, name, wrapped)

    return prepare


def dies_in(owner: type, name: str) -> Callable[[], None]:
    return lambda: setattr(owner, name, die)


def results(events: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {event["name"]: event for event in events if event["event"] == "result"}


def summary(events: list[dict[str, Any]]) -> dict[str, Any]:
    assert events[-1]["event"] == "done", events[-1]
    found: dict[str, Any] = events[-1]["summary"]
    return found


def pg(url: str, *statements: str) -> list[tuple[Any, ...]]:
    """Run the statements; the rows of the last one."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute("SET timezone = 'UTC'")
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def duck(path: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        return connection.execute(query).fetchall()
