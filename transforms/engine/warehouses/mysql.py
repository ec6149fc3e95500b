"""MySQL and MariaDB: one statement, of the shape of a subquery, in a read-only transaction."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import pymysql
from pymysql.cursors import Cursor

from common.children.hooks import on_cancel
from common.errors import TransientError
from connections.connectors.servers import CONNECT_SECONDS
from connections.connectors.sql import Dialect, quote_table
from transforms.engine.failures import named_position
from transforms.engine.mysql_sessions import limit_statements
from transforms.engine.warehouses.base import (
    HEAD,
    LOOK_SECONDS,
    QueryFailed,
    Relation,
    Rows,
    Server,
    cut,
    too_slow,
)

#: The statement was longer at it than the session allows: MySQL, and MariaDB.
_TOO_LONG: Final = (3024, 1969)
_SYNTAX: Final = 1064
_LINE: Final = re.compile(r" at line (\d+)$")


class Mysql(Server):
    """``output`` names the socket of the relay that is signed in for this process."""

    errors = pymysql.MySQLError

    def __init__(self, output: dict[str, Any]) -> None:
        self._output = output
        self._connection = self._connect()
        self._forget = on_cancel(self._cancel)
        # dbt finishes models in several threads; a transaction is for one of them at a time.
        self._lock = threading.Lock()

    def count(self, relation: Relation) -> int:
        with self._reading(LOOK_SECONDS) as cursor:
            cursor.execute(f"select count(*) from {_named(relation)}")
            row = cursor.fetchone()
        return int(row[0]) if row else 0

    def columns(self, relation: Relation) -> list[dict[str, str]]:
        with self._reading(LOOK_SECONDS) as cursor:
            cursor.execute(f"show columns from {_named(relation)}")
            return [{"name": row[0], "type": row[1]} for row in cursor.fetchall()]

    def head(self, sql: str, *, limit: int, seconds: int) -> Rows:
        wrapped = f"{HEAD}{sql}\n) as preview limit {limit + 1}"
        with self._reading(seconds) as cursor:
            try:
                cursor.execute(wrapped)
            except pymysql.MySQLError as error:
                if error.args and error.args[0] in _TOO_LONG:
                    raise too_slow(seconds) from error
                raise _words(error, sql) from error
            names = [column[0] for column in cursor.description or ()]
            rows = [[_text(value) for value in row] for row in cursor.fetchall()]
            types = _types(cursor)
        columns = [{"name": n, "type": t} for n, t in zip(names, types, strict=True)]
        return cut(columns, rows, limit)

    @contextmanager
    def _reading(self, seconds: int) -> Iterator[Cursor]:
        with self._lock, self._connection.cursor() as cursor:
            limit_statements(cursor, seconds)
            cursor.execute("start transaction read only")
            try:
                yield cursor
            finally:
                with suppress(pymysql.MySQLError):
                    self._connection.rollback()

    def _connect(self) -> "pymysql.connections.Connection[Cursor]":
        try:
            return pymysql.connect(
                unix_socket=self._output["unix_socket"],
                user=self._output["user"],
                charset="utf8mb4",
                connect_timeout=CONNECT_SECONDS,
                autocommit=True,
                local_infile=False,
                conv={},
            )
        except (pymysql.MySQLError, OSError) as error:
            raise TransientError(
                "The warehouse cannot be reached.",
                remedy="Check the warehouse connection.",
                detail=str(error),
            ) from error

    def _cancel(self) -> None:
        with suppress(pymysql.MySQLError, OSError, TransientError):
            other = self._connect()
            other.query(f"KILL QUERY {self._connection.thread_id()}")
            other.close()


def _named(relation: Relation) -> str:
    return quote_table(relation.schema, relation.name, dialect=Dialect.MYSQL)


def _text(value: Any) -> str | None:
    """The server's own text: no conversion is set up on the connection."""
    if value is None:
        return None
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _types(cursor: Cursor) -> list[str]:
    from dbt.adapters.mysql.connections import MySQLConnectionManager

    codes = [column[1] for column in cursor.description or ()]
    return [MySQLConnectionManager.data_type_code_to_name(code) for code in codes]


def _words(error: pymysql.MySQLError, sql: str) -> QueryFailed:
    """The server tells a line of what it cannot read, and only the name of what it does not know."""
    words = str(error.args[1]) if len(error.args) > 1 else str(error)
    position = named_position(words, sql)
    if error.args[0] == _SYNTAX and (at := _LINE.search(words)):
        # Counted from the wrapper's own line, which stands before theirs.
        line = int(at[1]) - 1
        position = position or ((line, 1) if line else None)
        words = words[: at.start()]
    return QueryFailed(words, position=position)
