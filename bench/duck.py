"""Raw DuckDB for generators, references and checks: as it comes, with its extensions from their wheels."""

import importlib
from collections.abc import Iterable
from pathlib import Path

import duckdb


def connect(path: str | Path = ":memory:", *, read_only: bool = False) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(str(path), read_only=read_only)
    load(connection, ("icu",))
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def load(connection: duckdb.DuckDBPyConnection, extensions: Iterable[str]) -> None:
    """Extensions by their full names: postgres_scanner, mysql_scanner, sqlite_scanner, icu."""
    for name in extensions:
        module = importlib.import_module(f"duckdb_extension_{name}")
        folder = Path(str(module.__file__)).parent / "extensions" / f"v{duckdb.__version__}"
        connection.execute(f"LOAD '{folder / name}.duckdb_extension'")
