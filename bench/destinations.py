"""Where the rows of a benchmark go: emptied before each run, and asked afterwards what they hold."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from bench import duck
from bench.endpoints import connector_named, endpoint, server_endpoint
from bench.engine import Engine
from bench.lineitem import TABLE, Fingerprint, as_fingerprint, fingerprint_sql
from bench.sources import duckdb_dsn, make_database
from scripts.services import Server

DATABASE = "bench_target"
DATASET = "raw"
LAKE = "lake"


@dataclass(frozen=True)
class Destination:
    """What a spec says of a destination, how DuckDB writes to it, and how it is emptied and read."""

    label: str
    endpoint: dict[str, Any]
    empty: Callable[[], None]
    found: Callable[[], Fingerprint]
    #: DuckDB's own statements; ``{select}`` stands for the rows.
    write: tuple[str, ...]
    extensions: tuple[str, ...] = ()
    version: str = ""
    servers: list[int] = field(default_factory=list)


def postgres(server: Server) -> Destination:
    make_database(server, DATABASE)
    url = server.url_of(DATABASE)
    with psycopg.connect(url) as connection:
        version = f"PostgreSQL {connection.info.server_version // 10000}"
    return Destination(
        "PostgreSQL",
        server_endpoint("postgres", server, DATABASE),
        partial(empty_postgres, url),
        partial(fingerprint_of_postgres, url, f"{DATASET}.{TABLE}"),
        (
            f"ATTACH '{duckdb_dsn(server, DATABASE)}' AS d (TYPE postgres)",
            f"CREATE SCHEMA d.{DATASET}",
            f"CREATE TABLE d.{DATASET}.{TABLE} AS {{select}}",
        ),
        ("postgres_scanner",),
        version,
        [server.pid],
    )


def empty_postgres(url: str) -> None:
    """No schema but public, and nothing left to write that a run before has left dirty."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        schemas = connection.execute(
            "SELECT quote_ident(nspname) FROM pg_namespace"
            " WHERE nspname NOT IN ('public', 'information_schema') AND nspname NOT LIKE 'pg\\_%'"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f"DROP SCHEMA {schema} CASCADE".encode())
        connection.execute("CHECKPOINT")


def fingerprint_of_postgres(url: str, table: str) -> Fingerprint:
    with psycopg.connect(url) as connection:
        connection.execute("SET timezone = 'UTC'")
        try:
            row = connection.execute(fingerprint_sql(table).encode()).fetchone()
        except psycopg.Error:
            # A missing table or a column of another kind: a wrong result like any other.
            return ()
        return as_fingerprint(row)


def duckdb_file(engine: Engine) -> Destination:
    path = engine.files / "warehouse.duckdb"

    def empty() -> None:
        for file in engine.files.glob("warehouse.duckdb*"):
            file.unlink()

    def found() -> Fingerprint:
        with duck.connect(path, read_only=True) as connection:
            return _fingerprint(connection, f"{DATASET}.{TABLE}")

    return Destination(
        "DuckDB",
        endpoint("duckdb", {"path": path.name}),
        empty,
        found,
        (
            f"ATTACH '{path}' AS d",
            f"CREATE SCHEMA d.{DATASET}",
            f"CREATE TABLE d.{DATASET}.{TABLE} AS {{select}}",
        ),
        version=f"DuckDB {duckdb.__version__}",
    )


def parquet(engine: Engine) -> Destination:
    folder = engine.files / LAKE

    def empty() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()

    return Destination(
        "Parquet",
        endpoint(connector_named(("parquet", "files"), destination=True), {"path": LAKE}),
        empty,
        partial(_fingerprint_of_lake, folder),
        (f"COPY ({{select}}) TO '{folder / TABLE}.parquet' (FORMAT parquet)",),
        version=f"DuckDB {duckdb.__version__}",
    )


def _fingerprint_of_lake(folder: Path) -> Fingerprint:
    # A file or a directory named after the table; the engine's own tables lie beside it.
    files = [
        str(path)
        for path in sorted(folder.rglob("*.parquet"))
        if any(part.startswith(TABLE) for part in path.relative_to(folder).parts)
    ]
    if not files:
        return ()
    with duck.connect() as connection:
        return _fingerprint(connection, f"read_parquet({files}, union_by_name = true)")


def _fingerprint(connection: duckdb.DuckDBPyConnection, relation: str) -> Fingerprint:
    try:
        return as_fingerprint(connection.execute(fingerprint_sql(relation)).fetchone())
    except duckdb.Error:
        return ()
