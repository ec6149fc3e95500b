"""A database of many small tables, loaded whole: what each table costs, the first time and every other time."""

import os
import statistics

import psycopg
import pytest

from bench import destinations, sizes
from bench.endpoints import server_endpoint
from bench.engine import Engine
from bench.report import at_most, report, say
from bench.sources import make_database
from scripts.services import Server

pytestmark = pytest.mark.bench

MS_A_TABLE = 60
ROWS = 10
SCHEMA = "many"

# ruff: noqa: S608 - the names are this file's own


def make_tables(server: Server, tables: int) -> str:
    database = f"many_{tables}"
    if make_database(server, database):
        with psycopg.connect(server.url_of(database), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
            for number in range(tables):
                # ANALYZE is left out on purpose: nobody analyzes ten rows.
                connection.execute(
                    f"CREATE TABLE {SCHEMA}.t{number} AS SELECT n AS id, 'name ' || n AS name,"
                    f" n * 1.5 AS amount, now() AS at FROM generate_series(1, {ROWS}) AS n".encode()
                )
    return database


def rows_of(url: str, tables: int) -> int:
    """Rows of all loaded tables together; a missing table is an error."""
    counted = " UNION ALL ".join(
        f"SELECT count(*) AS n FROM {destinations.DATASET}.t{number}" for number in range(tables)
    )
    with psycopg.connect(url) as connection:
        row = connection.execute(f"SELECT sum(n) FROM ({counted}) AS counts".encode()).fetchone()
    return int(row[0]) if row else 0


def test_many_small_tables(engine: Engine, postgres_server: Server, surroundings: str) -> None:
    tables = sizes.TABLES
    database = make_tables(postgres_server, tables)
    destination = destinations.postgres(postgres_server)
    url = postgres_server.url_of(destinations.DATABASE)
    source = server_endpoint("postgres", postgres_server, database)
    engine.servers = [postgres_server.pid]
    times: dict[str, list[float]] = {"first": [], "second": []}
    for _ in range(sizes.ROUNDS):
        destination.empty()
        engine.forget()
        for name, found in times.items():
            spec = engine.spec(
                source, destination.endpoint, mode="full_database", source_schema=SCHEMA
            )
            ran = engine.load(spec)
            assert len(ran.results) == tables
            assert rows_of(url, tables) == tables * ROWS
            found.append(ran.measured.seconds)
            say(
                f"  {tables} tables, {name} run: {ran.measured.seconds:.2f} s, processor "
                f"{ran.measured.client_cpu:.2f} s and {ran.measured.server_cpu:.2f} s of the server,"
                f" peak {ran.measured.peak_mb:.0f} MB, {ran.measured.phases}"
            )
    destination.empty()
    for name, found in times.items():
        seconds = statistics.median(found)
        with_what = (
            f"{tables} tables of {ROWS} rows, PostgreSQL → PostgreSQL, median of {sizes.ROUNDS}: "
            f"{seconds:.2f} s; {surroundings}, load {os.getloadavg()[0]:.1f}"
        )
        title = f"{tables} small tables, {name} run, each"
        report("bench", at_most(title, 1000 * seconds / tables, "ms", MS_A_TABLE, with_what))
