"""One filter keeps the same rows in every system: random trees against a reckoning in Python."""

import datetime as dt
import random
import re
import sqlite3
import struct
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest

from connections.connectors.base import Column
from connections.connectors.duckdb_support import connect_duckdb
from connections.connectors.filters import Where, where
from connections.connectors.sql import Dialect, quote_identifier

ROWS = 150
TREES = 250

_TEXTS = [
    *("", " ", "a", "A", "a ", "b", "B", "ab", "aB", "Ab%", "a_b", "it's", "100%", "!x", "x!"),
    *("[x]", "*", "a?b", "é", "e", "ö", "Z", "\U0001f600", "日本", "line\nend", '"q"', "{}", "%s"),
    *("back\\slash", "\\", "\\%", "`", "' OR 1=1 --", "NULL", "0"),
]
_PATTERNS = ["a%", "%b", "_", "%", "a_", "\\%", "%\\%%", "a\\_b", "%!%", "[%", "%*%", "A%", "__"]
_PATTERNS += ["%\\\\%", "%'%", "%e", "line%", "%?%", "\\a%", "", "%%s%"]
_DAYS = [dt.date(1969, 12, 31), dt.date(2024, 2, 29), dt.date(2026, 1, 1), dt.date(2026, 1, 2)]
_INSTANTS = [
    dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
    dt.datetime(2026, 1, 1, 13, 5, tzinfo=dt.UTC),
    dt.datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=dt.UTC),
]


def _narrow(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


#: Column → the values its rows and its conditions are made of.
VALUES: dict[str, list[Any]] = {
    "whole": [-7, 0, 1, 2, 10, 2**31],
    "exact": [Decimal(text) for text in ("-1.5", "0", "0.0001", "0.1", "2", "123456789.1234")],
    "double": [-2.5, 0.0, 0.1, 1e300, 3.0, 1e-5],
    "single": [_narrow(one) for one in (0.1, 2.5, -1.0, 3.3)],
    "words": _TEXTS,
    "day": _DAYS,
    "moment": [one.replace(tzinfo=None) for one in _INSTANTS],
    "instant": _INSTANTS,
    "clock": [dt.time(0), dt.time(9, 30), dt.time(23, 59, 59)],
    "is it": [True, False],
    "raw": [b"", b"\x00", b"\x00\xff", b"'\\"],
    "token": [str(uuid.UUID(int=n)) for n in (0, 1, 2**127)],
    "mood": ["good", "bad"],
}
_TYPES: dict[Dialect, dict[str, str]] = {
    Dialect.POSTGRES: {
        "whole": "bigint",
        "exact": "numeric(20,4)",
        "double": "double precision",
        "single": "real",
        "words": "text",
        "day": "date",
        "moment": "timestamp without time zone",
        "instant": "timestamp with time zone",
        "clock": "time without time zone",
        "is it": "boolean",
        "raw": "bytea",
        "token": "uuid",
        "mood": "character varying(9)",
    },
    Dialect.MYSQL: {
        "whole": "bigint",
        "exact": "decimal(20,4)",
        "double": "double",
        "single": "float",
        "words": "text",
        "day": "date",
        "moment": "datetime(6)",
        "instant": "datetime(6)",
        "clock": "time",
        "is it": "tinyint(1)",
        "raw": "varbinary(20)",
        "token": "uuid",
        "mood": "enum('good','bad')",
    },
    Dialect.SQLITE: {
        "whole": "BIGINT",
        "exact": "DECIMAL(20,4)",
        "double": "DOUBLE",
        "words": "TEXT COLLATE NOCASE",
        "day": "DATE",
        "moment": "DATETIME",
        "clock": "TIME",
        "is it": "BOOLEAN",
        "raw": "BLOB",
        "token": "UUID",
        "mood": "VARCHAR(9)",
    },
    Dialect.DUCKDB: {
        "whole": "BIGINT",
        "exact": "DECIMAL(20,4)",
        "double": "DOUBLE",
        "single": "FLOAT",
        "words": "VARCHAR",
        "day": "DATE",
        "moment": "TIMESTAMP",
        "instant": "TIMESTAMP WITH TIME ZONE",
        "clock": "TIME",
        "is it": "BOOLEAN",
        "raw": "BLOB",
        "token": "UUID",
        "mood": "ENUM('good', 'bad')",
    },
}
Row = dict[str, Any]
Ask = Callable[[Where], set[int]]


# --- trees and what Python makes of them ----------------------------------------------------------


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Decimal | dt.date | dt.time):
        return str(value)
    return value


def _shortest(value: Any) -> Any:
    if isinstance(value, list):
        return [_shortest(one) for one in value]
    return value if isinstance(value, bool) else float(f"{value:.7g}")


def _condition(chance: random.Random, columns: list[str]) -> tuple[dict[str, Any], Any]:
    column = chance.choice(columns)
    values = VALUES[column]
    ops = ["eq", "ne", "in", "not_in", "is_null"]
    if column not in {"token", "mood", "raw"}:
        ops += ["gt", "gte", "lt", "lte", "between"]
    if column in {"words", "mood"}:
        ops.append("like")
    op = chance.choice(ops)
    wanted: Any = chance.choice(values)
    if op in {"in", "not_in"}:
        wanted = chance.sample(values, chance.randint(1, min(3, len(values))))
    elif op == "between":
        wanted = [chance.choice(values), chance.choice(values)]
    elif op == "is_null":
        wanted = chance.choice([True, False])
    elif op == "like":
        wanted = chance.choice(_PATTERNS) or "a%"
    if column == "single":  # a person writes 0.1 for what a float of four bytes makes of it
        meant, wanted = wanted, _shortest(wanted)
    else:
        meant = wanted
    given = [_as_json(one) for one in wanted] if isinstance(wanted, list) else _as_json(wanted)
    return {"column": column, "op": op, "value": given}, (column, op, meant)


def _tree(chance: random.Random, columns: list[str], depth: int = 0) -> tuple[Any, Any]:
    if depth < 3 and chance.random() < 0.35:
        joiner = chance.choice(["and", "or"])
        pairs = [_tree(chance, columns, depth + 1) for _ in range(chance.randint(1, 4))]
        return {joiner: [given for given, _ in pairs]}, (joiner, [meant for _, meant in pairs])
    return _condition(chance, columns)


def _passes(meant: Any, row: Row) -> bool:
    if meant[0] in {"and", "or"} and isinstance(meant[1], list):
        found = [_passes(one, row) for one in meant[1]]
        return all(found) if meant[0] == "and" else any(found)
    column, op, wanted = meant
    value = row[column]
    if op == "is_null":
        return (value is None) is wanted
    if value is None:
        return False
    tests: dict[str, Callable[[], bool]] = {
        "eq": lambda: value == wanted,
        "ne": lambda: value != wanted,
        "gt": lambda: value > wanted,
        "gte": lambda: value >= wanted,
        "lt": lambda: value < wanted,
        "lte": lambda: value <= wanted,
        "in": lambda: value in wanted,
        "not_in": lambda: value not in wanted,
        "between": lambda: wanted[0] <= value <= wanted[1],
        "like": lambda: re.fullmatch(_regex(wanted), value, re.DOTALL) is not None,
    }
    return tests[op]()


def _regex(pattern: str) -> str:
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    meanings = {"%": ".*", "_": "."}
    return "".join(meanings.get(one) or re.escape(one.removeprefix("\\") or "\\") for one in parts)


def _rows(chance: random.Random) -> list[Row]:
    return [
        {
            name: None if chance.random() < 0.15 else chance.choice(values)
            for name, values in VALUES.items()
        }
        for _ in range(ROWS)
    ]


# --- the systems ----------------------------------------------------------------------------------


def _create(dialect: Dialect, column_type: Callable[[str], str] = str) -> str:
    columns = ", ".join(
        f"{quote_identifier(name, dialect=dialect)} {column_type(kind)}"
        for name, kind in _TYPES[dialect].items()
    )
    return f"CREATE TABLE t (n INTEGER, {columns})"


def _insert(dialect: Dialect, rows: list[Row], adapt: Callable[[Any], Any]) -> tuple[str, Any]:
    names = list(_TYPES[dialect])
    marks = ", ".join([dialect.placeholder] * (len(names) + 1))
    values = [[n, *(adapt(row[name]) for name in names)] for n, row in enumerate(rows)]
    return f"INSERT INTO t VALUES ({marks})", values


def _collated(kind: str) -> str:
    return f'{kind} COLLATE "und-x-icu"' if kind == "text" else kind


def _sqlite_value(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return str(value) if isinstance(value, dt.date | dt.time) else value


def _mysql_value(value: Any) -> Any:
    return value.replace(tzinfo=None) if isinstance(value, dt.datetime) else value


@pytest.fixture
def rows() -> list[Row]:
    return _rows(random.Random(20261124))


@pytest.fixture
def in_postgres(postgres_url: str, rows: list[Row]) -> Iterator[Ask]:
    with psycopg.connect(postgres_url, autocommit=True) as con:
        con.execute("SET TimeZone = 'UTC'")
        # A collation that does not order by code point, whatever the server's own is.
        con.execute(_create(Dialect.POSTGRES, _collated).encode())
        with con.cursor() as cursor:
            insert, values = _insert(Dialect.POSTGRES, rows, lambda value: value)
            cursor.executemany(insert.encode(), values)

        def ask(found: Where) -> set[int]:
            query = f"SELECT n FROM t{found.clause}".encode()
            if found.parameters:
                return {n for (n,) in con.execute(query, found.parameters)}
            # Literals mean the same whether backslashes escape or not.
            con.execute("SET standard_conforming_strings = off; SET escape_string_warning = off")
            off = {n for (n,) in con.execute(query)}
            con.execute("SET standard_conforming_strings = on")
            assert off == {n for (n,) in con.execute(query)}
            return off

        yield ask


@pytest.fixture
def in_mariadb(mariadb_url: str, rows: list[Row]) -> Iterator[Ask]:
    parts = urlsplit(mariadb_url)
    with closing(
        pymysql.connect(
            host=parts.hostname or "",
            port=parts.port or 0,
            user=parts.username,
            password=parts.password or "",
            database=parts.path.lstrip("/"),
            charset="utf8mb4",
            autocommit=True,
        )
    ) as con:
        cursor = con.cursor()
        cursor.execute(_create(Dialect.MYSQL))
        cursor.executemany(*_insert(Dialect.MYSQL, rows, _mysql_value))

        def ask(found: Where) -> set[int]:
            query = f"SELECT n FROM t{found.clause}"
            if found.parameters:
                cursor.execute(query, found.parameters)
                return {n for (n,) in cursor.fetchall()}
            cursor.execute("SET sql_mode = 'NO_BACKSLASH_ESCAPES'")
            cursor.execute(query)
            off = {n for (n,) in cursor.fetchall()}
            cursor.execute("SET sql_mode = 'STRICT_ALL_TABLES'")
            cursor.execute(query)
            assert off == {n for (n,) in cursor.fetchall()}
            return off

        yield ask


@pytest.fixture
def in_sqlite(rows: list[Row]) -> Iterator[Ask]:
    with closing(sqlite3.connect(":memory:")) as con:
        con.execute(_create(Dialect.SQLITE))
        con.executemany(*_insert(Dialect.SQLITE, rows, _sqlite_value))
        yield lambda found: {
            n for (n,) in con.execute(f"SELECT n FROM t{found.clause}", found.parameters)
        }


@pytest.fixture
def in_duckdb(rows: list[Row]) -> Iterator[Ask]:
    with closing(connect_duckdb()) as con:
        con.execute(_create(Dialect.DUCKDB))
        con.executemany(*_insert(Dialect.DUCKDB, rows, lambda value: value))
        yield lambda found: {
            n
            for (n,) in con.execute(
                f"SELECT n FROM t{found.clause}", list(found.parameters)
            ).fetchall()
        }


# --- the property ---------------------------------------------------------------------------------


@pytest.mark.parametrize("inline", [False, True], ids=["parameters", "literals"])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_the_rows_kept_are_those_python_keeps(
    dialect: Dialect, inline: bool, rows: list[Row], request: pytest.FixtureRequest
) -> None:
    system = {Dialect.MYSQL: "mariadb"}.get(dialect, dialect.value)
    ask: Ask = request.getfixturevalue(f"in_{system}")
    types = _TYPES[dialect]
    columns = [Column(name, kind) for name, kind in types.items()]
    chance = random.Random(7)
    everything = set(range(ROWS))
    for _ in range(TREES):
        pairs = [_tree(chance, list(types)) for _ in range(chance.randint(1, 3))]
        items = [given for given, _ in pairs]
        found = where(items, columns, dialect, inline=inline)
        assert bool(found.parameters) <= (not inline)
        wanted = {n for n, row in enumerate(rows) if all(_passes(m, row) for _, m in pairs)}
        assert ask(found) == wanted, items
        # The rows left out, as a run counts them: never lost to a condition that is NULL.
        rest = Where(found.negated, found.parameters)
        assert ask(rest) == everything - wanted, items
