"""Where the rows of a benchmark come from: the same table in each system, filled at the first need."""

import os
import sqlite3
import subprocess
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from bench import duck
from bench.endpoints import connector_named, endpoint, server_endpoint
from bench.engine import Engine
from bench.lineitem import (
    COLUMNS,
    TABLE,
    Lineitem,
    as_fingerprint,
    create_table_sql,
    fingerprint_sql,
)
from scripts.local_servers import find_binary
from scripts.services import Server

# ruff: noqa: S608 - every name in these statements is one of this package's own


@dataclass(frozen=True)
class Source:
    """What a spec says of a source, and how DuckDB reads the same rows."""

    label: str
    endpoint: dict[str, Any]
    mode: str
    schema: str
    name: str
    extensions: tuple[str, ...] = ()
    attach: str = ""
    #: The rows, for a FROM of DuckDB.
    relation: str = ""
    version: str = ""
    servers: list[int] = field(default_factory=list)

    def spec(self, **resource: Any) -> dict[str, Any]:
        """The keys of a load that read this source as one table named lineitem."""
        settings = {
            "schema": self.schema,
            "name": self.name,
            "target": TABLE,
            "selected": True,
            "write_disposition": "replace",
            "primary_key": [],
            "cursor": None,
            "columns": None,
            "column_settings": {},
            "filters": [],
        }
        return {
            "mode": self.mode,
            "source_schema": self.schema,
            "resources": [settings | resource],
        }


class SourceWrong(AssertionError):
    """A copy of the table differs from what was generated."""


def environment_of(server: Server) -> dict[str, str]:
    """What psql needs beside its arguments, which everybody on the machine can read."""
    return {
        **os.environ,
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": "datanika",
        "PGPASSWORD": server.password,
        "PGOPTIONS": "-c client_min_messages=error -c timezone=UTC",
    }


def make_database(server: Server, name: str) -> bool:
    """Whether the database is new."""
    with psycopg.connect(server.url, autocommit=True) as admin:
        if admin.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    return True


def duckdb_dsn(server: Server, database: str) -> str:
    return (
        f"host={server.host} port={server.port} user=datanika "
        f"password={server.password} dbname={database}"
    )


def fill_postgres(server: Server, data: Lineitem) -> str:
    """The name of the database that holds the table; filled, indexed and vacuumed once a server."""
    database = f"{TABLE}_{data.rows}"
    if make_database(server, database):
        copy = f"\\copy {TABLE} from '{data.file('csv')}' csv header"
        done = subprocess.run(
            ["psql", "-qX", "-v", "ON_ERROR_STOP=1", "-d", database]
            + ["-c", create_table_sql(TABLE, strict=True), "-c", copy]
            + [
                "-c",
                f"CREATE INDEX ON {TABLE} (updated_at)",
                "-c",
                f"VACUUM (FREEZE, ANALYZE) {TABLE}",
            ],
            env=environment_of(server),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SourceWrong(done.stderr)
        with psycopg.connect(server.url_of(database)) as connection:
            connection.execute("SET timezone = 'UTC'")
            row = connection.execute(fingerprint_sql(TABLE).encode()).fetchone()
        if as_fingerprint(row) != data.fingerprint:
            raise SourceWrong("PostgreSQL holds something else than was generated.")
    return database


def postgres(server: Server, data: Lineitem) -> Source:
    database = fill_postgres(server, data)
    with psycopg.connect(server.url) as connection:
        version = f"PostgreSQL {connection.info.server_version // 10000}"
    return Source(
        "PostgreSQL",
        server_endpoint("postgres", server, database),
        "single_table",
        "public",
        TABLE,
        ("postgres_scanner",),
        f"ATTACH '{duckdb_dsn(server, database)}' AS s (TYPE postgres, READ_ONLY)",
        f"s.public.{TABLE}",
        version,
        [server.pid],
    )


def mariadb(server: Server, data: Lineitem) -> Source:
    connector = connector_named(("mariadb", "mysql"))
    database = f"{TABLE}_{data.rows}"
    client = find_binary("mariadb", "mysql") or "mariadb"
    command = [client, "-h", server.host, "-P", str(server.port), "-u", "datanika", "-N", "-B"]
    secret = {**os.environ, "MYSQL_PWD": server.password}

    def ask(statement: str, *options: str) -> str:
        done = subprocess.run(
            [*command, *options, "-e", statement],
            env=secret,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SourceWrong(done.stderr)
        return done.stdout

    there = ask(f"SELECT count(*) FROM information_schema.tables WHERE table_schema = '{database}'")
    if there.strip() == "0":
        _fill_mariadb(database, data, ask)
    kept = data.fingerprint
    found = ask(f"SELECT count(*), sum(l_id), sum(char_length(l_comment)) FROM {database}.{TABLE}")
    if [int(float(part)) for part in found.split()] != [kept[0], kept[4], kept[15]]:
        raise SourceWrong("MariaDB holds something else than was generated.")
    address = f"host={server.host} port={server.port} user=datanika passwd={server.password} db={database}"
    return Source(
        "MariaDB",
        server_endpoint(connector, server, database),
        "single_table",
        database,
        TABLE,
        ("mysql_scanner",),
        f"ATTACH '{address}' AS s (TYPE mysql, READ_ONLY)",
        f"s.{TABLE}",
        f"MariaDB {ask('SELECT version()').strip().partition('-')[0]}",
        [server.pid],
    )


def _fill_mariadb(database: str, data: Lineitem, ask: Callable[..., str]) -> None:
    table = create_table_sql(TABLE, moment="datetime(6)", strict=True)
    ask(f"CREATE DATABASE {database} CHARACTER SET utf8mb4; USE {database}; {table}")
    # MariaDB knows no zone beside a time, and NULL only as a word.
    plain = data.folder / "mariadb.csv"
    moments = ", ".join(
        f"strftime({name}, '%Y-%m-%d %H:%M:%S.%f') AS {name}" for name in _moments()
    )
    with duck.connect() as connection:
        connection.execute(
            f"COPY (SELECT * REPLACE ({moments}) FROM read_parquet('{data.file('parquet')}')) "
            f"TO '{plain}' (FORMAT csv, HEADER false, NULLSTR 'NULL')"
        )
    try:
        ask(
            f"LOAD DATA LOCAL INFILE '{plain}' INTO TABLE {database}.{TABLE} CHARACTER SET utf8mb4"
            " FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''",
            "--local-infile=1",
        )
    finally:
        plain.unlink()


def sqlite(engine: Engine, data: Lineitem) -> Source:
    path = data.folder / f"{TABLE}.sqlite"
    if not path.exists():
        _make_sqlite(path, data)
    name = engine.place(path)
    return Source(
        "SQLite",
        endpoint("sqlite", {"path": name}),
        "single_table",
        "main",
        TABLE,
        ("sqlite_scanner",),
        f"ATTACH '{engine.files / name}' AS s (TYPE sqlite, READ_ONLY)",
        f"s.{TABLE}",
        f"SQLite {sqlite3.sqlite_version}",
    )


def _make_sqlite(path: Path, data: Lineitem) -> None:
    parquet = data.file("parquet")
    unfinished = path.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    with closing(sqlite3.connect(unfinished)) as connection:
        connection.execute(create_table_sql(TABLE, moment="timestamp", strict=True))
    moments = ", ".join(
        f"strftime({name}, '%Y-%m-%d %H:%M:%S.%f') AS {name}" for name in _moments()
    )
    with duck.connect() as connection:
        duck.load(connection, ("sqlite_scanner",))
        connection.execute(f"ATTACH '{unfinished}' AS s (TYPE sqlite)")
        connection.execute(
            f"INSERT INTO s.{TABLE} SELECT * REPLACE ({moments}) FROM read_parquet('{parquet}')"
        )
    unfinished.rename(path)


def file(engine: Engine, data: Lineitem, suffix: str) -> Source:
    """``csv`` or ``parquet``."""
    name = engine.place(data.file(suffix))
    return Source(
        {"csv": "CSV", "parquet": "Parquet"}[suffix],
        endpoint(suffix, {"path": name}),
        "files",
        "",
        name,
        relation=f"read_{suffix}('{engine.files / name}')",
    )


def _moments() -> list[str]:
    return [name for name, kind in COLUMNS if kind == "{moment}"]
