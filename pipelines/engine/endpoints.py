"""Opening sources and destinations: through the connectors' doors, with this load's limits."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import psycopg
from psycopg.conninfo import make_conninfo

from common.children.hooks import on_cancel
from connections.connectors.base import Target
from connections.connectors.duckdb_support import connect_duckdb
from connections.connectors.local_files import database_file
from connections.connectors.postgres_connection import parameters, sign_in
from pipelines.engine.errors import translate

#: So that both ends write and read text the same way, whatever the server's defaults are.
_SESSION = """
SELECT set_config('timezone', 'UTC', false), set_config('datestyle', 'ISO, YMD', false),
       set_config('intervalstyle', 'postgres', false), set_config('extra_float_digits', '1', false),
       set_config('bytea_output', 'hex', false), set_config('statement_timeout', '0', false)
"""


@dataclass(frozen=True)
class Limits:
    """What one load may use of the machine."""

    memory_mb: int = 1024
    threads: int = 2
    temp_dir: Path | None = None

    @classmethod
    def from_spec(cls, spec: dict[str, Any]) -> "Limits":
        limits = spec.get("limits") or {}
        return cls(
            memory_mb=int(limits.get("memory_mb") or 1024),
            threads=int(limits.get("threads") or 2),
            temp_dir=Path(spec["private_dir"]),
        )


def postgres_dsn(target: Target, **extra: str) -> str:
    """libpq's connection string, secrets included: for drivers only, never for a log. ``extra`` wins."""
    return make_conninfo("", **{**parameters(target), **extra})


def postgres_end_sessions(target: Target, application_name: str) -> None:
    """End the sessions of that name on the server, whatever they are doing."""
    with psycopg.connect(postgres_dsn(target), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = %s",
            [application_name],
        )


def postgres_connect(
    target: Target, *, read_only: bool = False
) -> tuple["psycopg.Connection[Any]", Callable[[], None]]:
    """An autocommit connection whose query is cancelled on the server when the child is stopped.

    The second value takes that hook back; call it before closing.
    """
    try:
        connection = sign_in(target)
        connection.execute(_SESSION)
    except psycopg.Error as error:
        raise translate(
            error, f"Connecting to {target.config.get('host', 'PostgreSQL')}"
        ) from error
    connection.read_only = read_only
    return connection, on_cancel(connection.cancel)


def duckdb_file(target: Target, *, must_exist: bool) -> Path:
    """The file of a DuckDB or SQLite endpoint, judged by the file policy."""
    return database_file(target, must_exist=must_exist)


@contextmanager
def duckdb_session(
    path: Path | None, limits: Limits, *, read_only: bool = False
) -> Iterator["duckdb.DuckDBPyConnection"]:
    """DuckDB within the limits of this load, interrupted when the child is stopped."""
    connection = connect_duckdb(
        path or ":memory:",
        read_only=read_only,
        memory_mb=limits.memory_mb,
        threads=limits.threads,
        temp_dir=limits.temp_dir,
    )
    forget = on_cancel(connection.interrupt)
    try:
        connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        yield connection
    finally:
        forget()
        connection.close()
