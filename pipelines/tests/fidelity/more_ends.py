"""The ends whose drivers not every installation has: MariaDB and MySQL, and Parquet files as a destination."""

import importlib
from collections.abc import Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.tests.engine_support import file_endpoint
from pipelines.tests.fidelity.ends import End, Grid, grid, ident
from pipelines.tests.fidelity.values import Cell, as_float, canonical_json, cell

_KINDS = {
    "tinyint": "int", "smallint": "int", "mediumint": "int", "int": "int", "bigint": "int", "year": "int",
    "decimal": "decimal", "float": "real", "double": "float", "date": "date", "datetime": "timestamp",
    "timestamp": "timestamptz", "time": "time", "binary": "bytes", "varbinary": "bytes", "tinyblob": "bytes",
    "blob": "bytes", "mediumblob": "bytes", "longblob": "bytes", "bit": "int", "json": "json",
}  # fmt: skip
_READ = {"bytes": "lower(hex({c}))", "real": "{c} + 0e0", "bit": "cast({c} + 0 AS char)"}
_COLUMNS = """
SELECT c.column_name, c.data_type, c.column_type, EXISTS (
  SELECT 1 FROM information_schema.check_constraints k WHERE k.constraint_schema = c.table_schema
  AND k.table_name = c.table_name AND k.check_clause = concat('json_valid(`', c.column_name, '`)'))
FROM information_schema.columns c WHERE c.table_schema = %s AND c.table_name = %s ORDER BY c.ordinal_position
"""


class MysqlEnd(End):
    """A database for the source's tables and one for the load's, both of this test alone."""

    key = "mysql"

    def __init__(self, url: str, schema: str, dataset: str) -> None:
        self.url, self.schema, self.dataset = url, schema, dataset

    def endpoint(self) -> dict[str, Any]:
        parts = urlsplit(self.url)
        config = {
            "host": parts.hostname,
            "port": parts.port,
            "database": self.schema,
            "user": parts.username,
            "sslmode": "disable",
        }
        return {"connector": "mysql", "config": config, "secrets": {"password": parts.password}}

    def connect(self) -> Any:
        parts = urlsplit(self.url)
        # The driver belongs to a connector that not every installation has.
        return importlib.import_module("pymysql").connect(
            host=parts.hostname,
            port=parts.port,
            user=parts.username,
            password=parts.password,
            charset="utf8mb4",
            autocommit=True,
            # Every value as the text the server sends.
            conv={},
            init_command="SET time_zone = '+00:00', sql_mode = ''",
        )

    def query(self, statement: str, arguments: list[str] | None = None) -> list[tuple[Any, ...]]:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            if arguments:
                arguments = ["'" + one.replace("'", "''") + "'" for one in arguments]
                statement = statement.replace("%s", "{}").format(*arguments)
            cursor.execute(statement)
            return list(cursor.fetchall())

    def run(self, *statements: str) -> None:
        with closing(self.connect()) as connection, connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE IF NOT EXISTS {ident(self.schema, '`')}")
            cursor.execute(f"USE {ident(self.schema, '`')}")
            for statement in statements:
                cursor.execute(statement)

    def drop(self) -> None:
        mark = self.schema.rpartition("_")[2]
        for (name,) in self.query(f"SHOW DATABASES LIKE '%{mark}%'"):
            self.query(f"DROP DATABASE {ident(name, '`')}")

    def tables(self, schema: str) -> set[str]:
        query = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
        return {name for (name,) in self.query(query, [schema])}

    def read(self, schema: str, table: str, key: str = "id") -> Grid:
        described = self.query(_COLUMNS, [schema, table])
        types = {row[0]: row[2] for row in described}
        kinds, parts = {}, []
        for name, data_type, _, is_json in described:
            kind = "json" if str(is_json) == "1" else _KINDS.get(data_type, "text")
            kinds[name] = kind
            column = ident(name, "`")
            raw = _READ.get("bit" if data_type == "bit" else kind, "cast({c} AS char)")
            parts += [raw.replace("{c}", column), f"cast({column} AS char)"]
        place = f"{ident(schema, '`')}.{ident(table, '`')}"
        found = self.query(f"SELECT {', '.join(parts)} FROM {place}")
        rows = (
            {
                name: _mysql_cell(kind, row[2 * place_], row[2 * place_ + 1])
                for place_, (name, kind) in enumerate(kinds.items())
            }
            for row in found
        )
        return grid(types, key, rows)

    def texts(self, schema: str, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        parts = ", ".join(f"cast({ident(name, '`')} AS char)" for name in columns)
        return self.query(f"SELECT {parts} FROM {ident(schema, '`')}.{ident(table, '`')}")


def _mysql_cell(kind: str, raw: Any, text: Any) -> Cell:
    raw = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    text = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if raw is not None and kind in ("date", "timestamp") and "-00" in raw:
        # A date that is none; no other system has one.
        return Cell(kind, (kind, raw), raw)
    return cell(kind, raw, text)


class ParquetEnd(End):
    """Files below ``<name>/<dataset>/<table>/<load id>/``."""

    key = "parquet"
    schema = ""

    def __init__(self, files: Path, name: str) -> None:
        self.path, self.name = files / name, name
        self.path.mkdir(exist_ok=True)

    def endpoint(self) -> dict[str, Any]:
        return file_endpoint("parquet", self.name)

    def run(self, *statements: str) -> None:
        raise AssertionError("Parquet files as a source are written by FilesEnd.")

    def tables(self, schema: str) -> set[str]:
        place = self.path / schema
        return {path.name for path in place.iterdir() if path.is_dir()} if place.is_dir() else set()

    def read(self, schema: str, table: str, key: str = "id") -> Grid:
        # As a reader looks who knows the layout and nothing of ours.
        files = sorted((self.path / schema / table).glob("*/part-*.parquet"))
        assert files, f"no file of {table}"
        return read_parquet(files, key)

    def texts(self, schema: str, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for file in sorted((self.path / schema / table).glob("*/part-*.parquet")):
            found = pq.read_table(file, columns=list(columns), partitioning=None)
            rows += zip(*(_strings(found[name]) for name in columns), strict=True)
        return rows


def read_parquet(files: list[Path], key: str = "id") -> Grid:
    # Files of one table may differ in their columns: one that is missing is NULL. Every file counts, also one
    # that begins with "_": not all readers leave those out.
    found = pa.concat_tables(
        [pq.ParquetFile(file).read() for file in files], promote_options="permissive"
    )
    types = {field.name: str(field.type) for field in found.schema}
    columns = {name: _arrow_cells(found[name]) for name in found.column_names}
    rows = ({name: columns[name][number] for name in columns} for number in range(found.num_rows))
    return grid(types, key, rows)


def _arrow_cells(column: pa.ChunkedArray) -> list[Cell]:
    kind = column.type
    unit = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}.get(getattr(kind, "unit", ""), 1)
    if pa.types.is_timestamp(kind):
        name = "timestamptz" if kind.tz else "timestamp"
        return [_tagged(name, value, unit) for value in column.cast(pa.int64()).to_pylist()]
    if pa.types.is_date32(kind):
        return [_tagged("date", value, 1) for value in column.cast(pa.int32()).to_pylist()]
    if pa.types.is_time(kind):
        wide = pa.int32() if kind.bit_width == 32 else pa.int64()
        return [_tagged("time", value, unit) for value in column.cast(wide).to_pylist()]
    if pa.types.is_nested(kind):
        return [_nested(value) for value in column.to_pylist()]
    return [_plain(value, str(kind)) for value in column.to_pylist()]


def _strings(column: pa.ChunkedArray) -> list[str | None]:
    return [None if value is None else str(value) for value in column.to_pylist()]


def _tagged(kind: str, value: int | None, unit: int) -> Cell:
    return Cell(kind, None if value is None else (kind, value * unit), str(value))


def _nested(value: Any) -> Cell:
    import json

    if value is None:
        return Cell("array", None, None)
    text = json.dumps(value, default=str)
    return Cell("array", ("array", canonical_json(text)), text)


def _plain(value: Any, kind: str) -> Cell:
    if isinstance(value, float):
        return Cell("float", as_float(value), repr(value))
    if "json" in kind and isinstance(value, str):
        return cell("json", value)
    if isinstance(value, Decimal | int | bytes) or value is None:
        return Cell(kind, value, None if value is None else str(value))
    return Cell("text", str(value), str(value))
