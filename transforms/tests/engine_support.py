"""Calls of the engine as the product makes them: in a boxed child of a warm parent."""

import dataclasses
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb

from common.children.box import Box
from common.children.client import ChildPool, run_to_end

_numbers = itertools.count()

RAW_ORDERS = """
create schema raw;
create table raw.orders (id integer, customer_id integer, status varchar(20), amount numeric(10, 2));
insert into raw.orders values
  (1, 1, 'placed', 10.00), (2, 1, 'shipped', 20.50), (3, 2, 'placed', 5.25), (4, 3, 'lost', 1.00);
"""
SOURCES = [{"name": "raw", "schema": "raw", "tables": [{"name": "orders"}]}]


@dataclasses.dataclass
class Answer:
    """The events of one call."""

    events: list[dict[str, Any]]

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.events if event["event"] == kind]

    @property
    def last(self) -> dict[str, Any]:
        return self.events[-1]

    @property
    def error(self) -> dict[str, Any]:
        assert self.last["event"] == "error", self.last
        return self.last

    @property
    def summary(self) -> dict[str, Any]:
        assert self.last["event"] == "done", self.last
        summary: dict[str, Any] = self.last["summary"]
        return summary

    @property
    def value(self) -> dict[str, Any]:
        assert self.of("data"), self.last
        value: dict[str, Any] = self.of("data")[0]["value"]
        return value

    @property
    def results(self) -> dict[str, dict[str, Any]]:
        results = self.of("result")
        by_name = {result["name"]: result for result in results}
        assert len(by_name) == len(results), "one result a node"
        return by_name


@dataclasses.dataclass
class Engine:
    """A warehouse with ``raw.orders`` in it, and the engine's entries on it."""

    pool: ChildPool
    directory: Path
    warehouse: dict[str, Any]
    execute: Callable[[str], list[Any]]
    schema: str = "analytics"
    #: Where a schema of the tests really stands: MySQL's belong to the whole server.
    schemas: dict[str, str] = dataclasses.field(default_factory=dict)

    def build(self, models: list[dict[str, Any]], **extra: Any) -> Answer:
        extra.setdefault("select", [model["name"] for model in models])
        return self.call("build", models, **extra)

    def compile(self, models: list[dict[str, Any]], name: str, sql: str, **extra: Any) -> Answer:
        return self.call("compile", models, name=name, sql=sql, **extra)

    def preview(self, models: list[dict[str, Any]], name: str, sql: str, **extra: Any) -> Answer:
        return self.call("preview", models, name=name, sql=sql, **extra)

    def call(self, entry: str, models: list[dict[str, Any]], **extra: Any) -> Answer:
        entry, spec, box = self.order(entry, models, **extra)
        events: list[dict[str, Any]] = []
        outcome = run_to_end(self.pool, entry, spec, box, 120, events.append)
        assert not outcome.timed_out
        assert events, outcome.error
        return Answer(events)

    def order(
        self, entry: str, models: list[dict[str, Any]], **extra: Any
    ) -> tuple[str, dict[str, Any], Box]:
        """What the pool is asked for."""
        private = self.directory / f"private{next(_numbers)}"
        sources, models = self._placed(SOURCES), self._placed(models)
        project = {"name": "shop", "transformations": models, "sources": sources}
        spec = {
            "project": project,
            "warehouse": self.warehouse,
            "schema": self.schemas.get(self.schema, self.schema),
            "files_root": str(self.directory / "files"),
            "allowed_roots": [],
            "limits": {},
            "egress": "private-allowed",
            "private_dir": str(private),
            "full_refresh": False,
            "cache_dir": str(self.directory / "cache"),
            "select": [],
            **extra,
        }
        module = spec.pop("module", "transforms.engine.main")
        writable = (str(self.directory / "files"), str(self.directory / "cache"))
        box = Box(private_dir=str(private), writable=writable)
        return f"{module}:{entry}", spec, box

    def text(self, sql: str) -> str:
        """SQL of the tests with the real names of its schemas."""
        for name, real in self.schemas.items():
            sql = sql.replace(f"{name}.", f"{real}.")
        return sql

    def _placed(self, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [
            {**row, "schema": self.schemas.get(row["schema"], row["schema"])}
            if "schema" in row
            else row
            for row in rows
        ]


def on_duckdb(pool: ChildPool, directory: Path) -> Engine:
    files = _directories(directory)

    def execute(sql: str) -> list[Any]:
        with duckdb.connect(str(files / "warehouse.duckdb")) as connection:
            return connection.execute(sql).fetchall()

    execute(RAW_ORDERS)
    warehouse = {"connector": "duckdb", "config": {"path": "warehouse.duckdb"}, "secrets": {}}
    return Engine(pool, directory, warehouse, execute)


def on_postgres(pool: ChildPool, directory: Path, url: str) -> Engine:
    import psycopg

    _directories(directory)
    parts = urlsplit(url)

    def execute(sql: str) -> list[Any]:
        with psycopg.connect(url) as connection:
            cursor = connection.execute(sql)
            return cursor.fetchall() if cursor.description else []

    execute(RAW_ORDERS)
    config = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        "database": parts.path.lstrip("/"),
        "sslmode": "disable",
    }
    secrets = {"password": parts.password or "not-needed-here"}
    warehouse = {"connector": "postgres", "config": config, "secrets": secrets}
    return Engine(pool, directory, warehouse, execute)


def on_mysql(pool: ChildPool, directory: Path, url: str) -> Engine:
    import pymysql

    _directories(directory)
    parts = urlsplit(url)
    own = parts.path.lstrip("/")
    schemas = {"raw": own, "analytics": f"{own}_built", "marts": f"{own}_marts"}

    def execute(sql: str) -> list[Any]:
        connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=parts.username,
            password=parts.password or "",
            database=own,
            autocommit=True,
        )
        with connection, connection.cursor() as cursor:
            cursor.execute(engine.text(sql))
            return list(cursor.fetchall())

    config = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        "database": own,
        "sslmode": "disable",
    }
    warehouse = {
        "connector": "mysql",
        "config": config,
        "secrets": {"password": parts.password or ""},
    }
    engine = Engine(pool, directory, warehouse, execute, schemas=schemas)
    for statement in RAW_ORDERS.split(";")[1:-1]:
        execute(statement)
    return engine


def _directories(directory: Path) -> Path:
    for name in ("files", "cache"):
        (directory / name).mkdir()
    return directory / "files"
