"""Both ends of a route, read by the systems' own drivers: nothing here is the engine's."""

import sqlite3
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import psycopg

from pipelines.tests.engine_support import file_endpoint, postgres_endpoint
from pipelines.tests.fidelity.values import Cell, as_float, cell, parse

Rows = dict[str, dict[str, Cell]]
#: What stands beside the data in every dataset.
BESIDE = frozenset(
    {"_dlt_commits", "_dlt_rejects", "_dlt_version", "_dlt_pipeline_state", "_dlt_loads"}
)


@dataclass
class Grid:
    """A table as read: its columns with the types of its system, and its rows by the text of their key."""

    types: dict[str, str] = field(default_factory=dict)
    rows: Rows = field(default_factory=dict)


class End(ABC):
    """One system with a place for the tables of a source (``schema``) and of a load (``dataset``)."""

    key: str
    schema: str
    dataset = "raw"

    @abstractmethod
    def endpoint(self) -> dict[str, Any]:
        """The endpoint of a spec."""

    @abstractmethod
    def run(self, *statements: str) -> None:
        """Carry out the statements, for a source."""

    @abstractmethod
    def tables(self, schema: str) -> set[str]:
        """The names of the tables that stand there."""

    @abstractmethod
    def read(self, schema: str, table: str, key: str = "id") -> Grid:
        """A whole table."""

    @abstractmethod
    def texts(self, schema: str, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        """All rows of some columns, each value as text."""

    def leftovers(self, wanted: set[str]) -> set[str]:
        """Tables of the dataset that are neither wanted nor known to belong there: staging tables, half done."""
        return self.tables(self.dataset) - wanted - BESIDE


def grid(types: dict[str, str], key: str, rows: Iterable[dict[str, Cell]]) -> Grid:
    found = Grid(types)
    for row in rows:
        name = str(row[key].text)
        assert name not in found.rows, f"the key {name} comes twice"
        found.rows[name] = row
    return found


def ident(name: str, quote: str = '"') -> str:
    return quote + name.replace(quote, quote * 2) + quote


# --- PostgreSQL ----------------------------------------------------------------------------------

_POSTGRES_KINDS = {
    "smallint": "int", "integer": "int", "bigint": "int", "oid": "int", "boolean": "bool", "real": "real",
    "double precision": "float", "date": "date", "json": "json", "jsonb": "json", "bytea": "bytes",
    "interval": "interval", "inet": "inet",
}  # fmt: skip
#: A domain counts as the type below it.
_POSTGRES_COLUMNS = """
SELECT attname, CASE typtype WHEN 'd' THEN format_type(typbasetype, typtypmod) ELSE format_type(atttypid, atttypmod) END
FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum
"""
_POSTGRES_READ = {
    "bytes": "encode({c}, 'hex')",
    "array": "to_jsonb({c})::text",
    "interval": "concat((extract(year from {c}) * 12 + extract(month from {c}))::bigint,"
    " ',', extract(day from {c})::bigint, ',', ((extract(hour from {c}) * 60 + extract(minute from {c})) * 60000000"
    " + extract(microseconds from {c}))::numeric(30,0))",
}


def postgres_kind(declared: str) -> str:
    if declared.endswith("[]"):
        return "array"
    for start, kind in (
        ("numeric", "decimal"),
        ("timestamp", "timestamptz" if "with time zone" in declared else "timestamp"),
        ("time", "timetz" if "with time zone" in declared else "time"),
        ("interval", "interval"),
        ("character(", "char"),
    ):
        if declared.startswith(start):
            return kind
    return _POSTGRES_KINDS.get(declared, "text")


class PostgresEnd(End):
    key = "postgres"
    schema = "public"

    def __init__(self, url: str) -> None:
        self.url = url

    def endpoint(self) -> dict[str, Any]:
        return postgres_endpoint(self.url)

    def run(self, *statements: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute("SET timezone = 'UTC'")
            for statement in statements:
                connection.execute(statement.encode())

    def tables(self, schema: str) -> set[str]:
        with psycopg.connect(self.url) as connection:
            rows = connection.execute(
                "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace"
                " WHERE relkind IN ('r', 'p') AND nspname = %s",
                [schema],
            )
            return {name for (name,) in rows}

    def read(self, schema: str, table: str, key: str = "id") -> Grid:
        place = f"{ident(schema)}.{ident(table)}"
        with psycopg.connect(self.url) as connection:
            connection.execute("SET timezone = 'UTC'")
            types: dict[str, str] = dict(
                connection.execute(
                    _POSTGRES_COLUMNS,
                    [place],
                ).fetchall()
            )
            kinds = {name: postgres_kind(declared) for name, declared in types.items()}
            parts = []
            for name, kind in kinds.items():
                column = ident(name)
                raw = _POSTGRES_READ.get(kind, "{c}::text").replace("{c}", column)
                # concat() makes an empty text of NULL, and a row of NULLs "IS NULL" without being it.
                parts.append(f"CASE WHEN num_nulls({column}) = 0 THEN {raw} END, {column}::text")
            query = f"SELECT {', '.join(parts)} FROM {place}"
            found = connection.execute(query.encode()).fetchall()
        return grid(types, key, (_cells(kinds, row) for row in found))

    def texts(self, schema: str, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        parts = ", ".join(f"{ident(name)}::text" for name in columns)
        with psycopg.connect(self.url) as connection:
            query = f"SELECT {parts} FROM {ident(schema)}.{ident(table)}"
            return connection.execute(query.encode()).fetchall()


def _cells(kinds: dict[str, str], row: tuple[Any, ...]) -> dict[str, Cell]:
    """Cells of a row that holds two texts a column: what to parse, and the system's own words."""
    return {
        name: cell(kind, row[2 * place], row[2 * place + 1])
        for place, (name, kind) in enumerate(kinds.items())
    }


# --- DuckDB --------------------------------------------------------------------------------------

_DUCKDB_KINDS = {
    "BOOLEAN": "bool", "FLOAT": "real", "DOUBLE": "float", "DATE": "date", "TIME": "time", "TIME_NS": "time",
    "TIME WITH TIME ZONE": "timetz", "TIMESTAMP WITH TIME ZONE": "timestamptz", "INTERVAL": "interval",
    "JSON": "json", "BLOB": "bytes",
}  # fmt: skip
_DUCKDB_READ = {
    "bytes": "lower(hex({c}))",
    "array": "to_json({c})",
    "interval": "concat(datepart('year', {c}) * 12 + datepart('month', {c}), ',', datepart('day', {c}), ',',"
    " (datepart('hour', {c}) * 60 + datepart('minute', {c})) * 60000000 + datepart('microsecond', {c}))",
}


def duckdb_kind(declared: str) -> str:
    if declared.endswith("]") or declared.startswith(("STRUCT(", "MAP(", "UNION(")):
        return "array"
    if declared.endswith(("INT", "INTEGER")):
        return "int"
    if declared.startswith("DECIMAL"):
        return "decimal"
    if declared in _DUCKDB_KINDS:
        return _DUCKDB_KINDS[declared]
    return "timestamp" if declared.startswith("TIMESTAMP") else "text"


def read_duckdb(connection: duckdb.DuckDBPyConnection, relation: str, key: str) -> Grid:
    connection.execute("SET TimeZone = 'UTC'")
    described = connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()
    types = {row[0]: row[1] for row in described}
    kinds = {name: duckdb_kind(declared) for name, declared in types.items()}
    parts = []
    for name, kind in kinds.items():
        column = ident(name)
        raw = _DUCKDB_READ.get(kind, "{c}").replace("{c}", column)
        parts.append(
            f"CASE WHEN {column} IS NOT NULL THEN CAST({raw} AS VARCHAR) END, CAST({column} AS VARCHAR)"
        )
    found = connection.execute(f"SELECT {', '.join(parts)} FROM {relation}").fetchall()
    return grid(types, key, (_cells(kinds, row) for row in found))


class DuckDbEnd(End):
    key = "duckdb"
    schema = "main"

    def __init__(self, files: Path, name: str) -> None:
        self.path, self.name = files / name, name

    def endpoint(self) -> dict[str, Any]:
        return file_endpoint("duckdb", self.name)

    def run(self, *statements: str) -> None:
        with duckdb.connect(str(self.path)) as connection:
            for statement in statements:
                connection.execute(statement)

    def tables(self, schema: str) -> set[str]:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            query = "SELECT table_name FROM duckdb_tables() WHERE schema_name = ?"
            return {name for (name,) in connection.execute(query, [schema]).fetchall()}

    def read(self, schema: str, table: str, key: str = "id") -> Grid:
        with duckdb.connect(str(self.path), read_only=True) as connection:
            return read_duckdb(connection, f"{ident(schema)}.{ident(table)}", key)

    def texts(self, schema: str, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        parts = ", ".join(f"CAST({ident(name)} AS VARCHAR)" for name in columns)
        with duckdb.connect(str(self.path), read_only=True) as connection:
            query = f"SELECT {parts} FROM {ident(schema)}.{ident(table)}"
            return connection.execute(query).fetchall()


# --- SQLite --------------------------------------------------------------------------------------


class SqliteEnd(End):
    """A database without schemas: the tables of a dataset that is not "main" are told apart by a prefix."""

    key = "sqlite"
    schema = "main"
    dataset = "main"

    def __init__(self, files: Path, name: str) -> None:
        self.path, self.name = files / name, name

    def endpoint(self) -> dict[str, Any]:
        return file_endpoint("sqlite", self.name)

    def run(self, *statements: str) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            for statement in statements:
                connection.execute(statement)

    def tables(self, schema: str) -> set[str]:
        with closing(sqlite3.connect(self.path)) as connection:
            rows = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            names = {name for (name,) in rows}
        prefix = self._prefix(schema)
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    def _prefix(self, schema: str) -> str:
        return "" if schema == self.schema else f"{schema}__"

    def read(self, schema: str, table: str, key: str = "id") -> Grid:
        table = self._prefix(schema) + table
        with closing(sqlite3.connect(self.path)) as connection:
            described = connection.execute(f"PRAGMA table_xinfo({ident(table)})").fetchall()
            types = {row[1]: row[2].upper() for row in described}
            found = connection.execute(
                f"SELECT {', '.join(map(ident, types))} FROM {ident(table)}"
            ).fetchall()
        rows = (
            {name: sqlite_cell(types[name], value) for name, value in zip(types, row, strict=True)}
            for row in found
        )
        return grid(types, key, rows)

    def texts(self, schema: str, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        parts = ", ".join(f"CAST({ident(name)} AS TEXT)" for name in columns)
        table = self._prefix(schema) + table
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(f"SELECT {parts} FROM {ident(table)}").fetchall()


def sqlite_cell(declared: str, value: Any) -> Cell:
    """What is stored, as its declared type wants it read where it can be read so."""
    base = declared.partition("(")[0].strip()
    if value is None:
        return Cell("text", None, None)
    if isinstance(value, bytes):
        return Cell("bytes", value, value.hex())
    if base in ("DECIMAL", "NUMERIC") and not isinstance(value, str):
        return Cell("decimal", Decimal(repr(value)), repr(value))
    if isinstance(value, float):
        return Cell("float", as_float(value), repr(value))
    if isinstance(value, int):
        is_bool = base in ("BOOLEAN", "BOOL") and value in (0, 1)
        return Cell("bool" if is_bool else "int", value, str(value))
    kind = {"DATE": "date", "DATETIME": "timestamp", "TIMESTAMP": "timestamp", "TIME": "time",
            "TIMESTAMPTZ": "timestamptz"}.get(base, "text")  # fmt: skip
    try:
        return Cell(kind, parse(kind, value), value)
    except ValueError:
        return Cell("text", value, value)
