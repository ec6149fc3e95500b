"""What builds of transformations end in: dbt on DuckDB and on PostgreSQL, in real children."""

# ruff: noqa: E501, a table is read by its rows

import functools
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from common.children.client import ChildPool
from orchestration.tests.errors_world import Case, Event, World
from transforms.tests.engine_support import Engine, on_duckdb, on_postgres

_SELECT = "select * from {{ source('raw', 'orders') }}"
_TABLE = "{{ config(materialized='table') }}"
_TEST = [{"column": "status", "kind": "unique"}]


@functools.lru_cache(maxsize=1)
def _pool() -> ChildPool:
    return ChildPool(["transforms.engine.preload"])


def close() -> None:
    if _pool.cache_info().currsize:
        _pool().close()
        _pool.cache_clear()


def _directory(world: World) -> Path:
    directory = world.directory / f"dbt_{uuid.uuid4().hex[:8]}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    return directory


def _duckdb(world: World) -> Engine:
    return on_duckdb(_pool(), _directory(world))


def _postgres(world: World) -> Engine:
    with psycopg.connect(world.postgres, autocommit=True) as admin:
        admin.execute("DROP SCHEMA IF EXISTS raw CASCADE")
    return on_postgres(_pool(), _directory(world), world.postgres)


def _built(
    open_engine: Callable[[World], Engine], sql: str, **row: Any
) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        engine = open_engine(world)
        return engine.build([{"name": "daily", "sql": sql, **row}]).error

    return provoke


def _refused(changes: dict[str, Any]) -> Callable[[World], Event]:
    def provoke(world: World) -> Event:
        engine = _postgres(world)
        engine.warehouse["config"] = {**engine.warehouse["config"], **changes}
        return engine.build([{"name": "daily", "sql": _SELECT}]).error

    return provoke


def cases() -> Iterator[Case]:
    pg, duck = _postgres, _duckdb
    rows: tuple[tuple[str, str, str, Callable[[World], Event]], ...] = (
        ("dbt on PostgreSQL: no table", "sql-missing-table", "select * from nothing_here", _built(pg, "select * from nothing_here")),
        ("dbt on PostgreSQL: no column", "sql-missing-column", "select colour from a source", _built(pg, _SELECT.replace("*", "colour"))),
        ("dbt on PostgreSQL: syntax", "sql-syntax", "selec 1", _built(pg, "selec 1")),
        ("dbt on PostgreSQL: division by zero", "division-by-zero", "1 / (id - id)", _built(pg, _TABLE + _SELECT.replace("*", "1 / (id - id) as a"))),
        ("dbt on PostgreSQL: no function", "sql-no-such-operator", "median(id)", _built(pg, _SELECT.replace("*", "shop_median(id) as a"))),
        ("dbt on PostgreSQL: nobody listens", "connection-refused", "port 1", _refused({"port": 1})),
        ("dbt on PostgreSQL: no such database", "no-such-database", "another database name", _refused({"database": "nothing_here"})),
        ("dbt on DuckDB: no table", "sql-binding", "select * from nothing_here", _built(duck, "select * from nothing_here")),
        ("dbt on DuckDB: syntax", "sql-syntax", "selec 1", _built(duck, "selec 1")),
        ("dbt on DuckDB: text as number", "value-not-of-type", "status::int", _built(duck, _TABLE + _SELECT.replace("*", "status::int as a"))),
        ("dbt: a mistake in Jinja", "does-not-compile", "{% if %}", _built(duck, "select 1 {% if %}")),
        ("dbt: a macro that is not there", "does-not-compile", "{{ nothing_here() }}", _built(duck, "select {{ nothing_here() }} as a")),
        ("dbt: a ref that is not there", "reference-unknown", "{{ ref('nothing_here') }}", _built(duck, "select * from {{ ref('nothing_here') }}")),
        ("dbt: a test fails", "test-failed", "a unique test on a column that is not", _built(duck, _SELECT, tests=_TEST)),
        ("dbt: nothing selected", "nothing-selected", "a name that is not in the project", lambda w: _duckdb(w).build([{"name": "daily", "sql": _SELECT}], select=["weekly"]).error),
    )  # fmt: skip
    for name, expects, how, provoke in rows:
        yield Case(name, "dbt", how, expects, provoke, "transform")
