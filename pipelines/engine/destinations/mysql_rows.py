"""Rows from the hub into a MySQL table: LOAD DATA through a pipe, or INSERTs where the server takes no files."""

from collections.abc import Callable, Generator, Mapping
from contextlib import closing
from typing import Any

import pymysql

from connections.connectors.mysql_connection import load_local
from connections.connectors.mysql_errors import number_of
from connections.connectors.sql import Dialect
from pipelines.engine.errors import Unconvertible
from pipelines.engine.fifo import Written
from pipelines.engine.session import Session
from pipelines.engine.sqltext import ident
from pipelines.engine.types import to_mysql

#: NULL is the bare word and a text always in quotes; without an escape character a backslash is one.
_CSV = "FORMAT csv, HEADER false, NULLSTR 'NULL', QUOTE '\"', ESCAPE '\"'"
_FIELDS = (
    "CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\"' ESCAPED BY ''"
    " LINES TERMINATED BY '\\n'"
)
_BATCH = 500
#: A value is out of range, too long, no date, no character of the column's set or no number.
_DATA_ERRORS = frozenset({1264, 1265, 1292, 1366, 1367, 1406, 1411})


class Rows:
    """What a SELECT of the hub yields, for the columns of one table: name → type there."""

    def __init__(self, session: Session, select: str, columns: Mapping[str, str]) -> None:
        self._session, self._select, self._columns = session, select, columns
        #: How many there were, known at the end.
        self.rows = 0

    def load(self, connection: Any, table: str, sent: Callable[[int], None]) -> int:
        """By LOAD DATA LOCAL; the rows the server took. Raises ``Unconvertible`` where it would change a value."""
        quoted = [
            ident(name) for name, kind in self._columns.items() if not to_mysql.is_number(kind)
        ]
        options = f"{_CSV}, FORCE_QUOTE ({', '.join(quoted)})" if quoted else _CSV
        pipe = Written(self._session, self._select, options)
        fields, set_ = [], []
        for index, (name, kind) in enumerate(self._columns.items()):
            own = ident(name, Dialect.MYSQL)
            fields.append(f"@v{index}" if to_mysql.is_binary(kind) else own)
            if to_mysql.is_binary(kind):
                set_.append(f"{own} = UNHEX(@v{index})")
        statement = (
            f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {table} {_FIELDS} ({', '.join(fields)})"
            + (f" SET {', '.join(set_)}" if set_ else "")
        )
        # A server that goes away leaves the rest of them behind.
        with closing(_passed(pipe, sent)) as chunks:
            written, warnings = load_local(connection, statement, chunks)
        self.rows = pipe.rows
        # With LOCAL even a strict server only warns, and keeps what it made of the value.
        if warnings:
            raise Unconvertible(_warned(connection))
        return written

    def insert(self, connection: Any, table: str) -> int:
        """By INSERTs of many rows each, for a server that takes no LOAD DATA LOCAL."""
        own = ", ".join(ident(name, Dialect.MYSQL) for name in self._columns)
        values = ", ".join(
            "UNHEX(%s)" if to_mysql.is_binary(kind) else "%s" for kind in self._columns.values()
        )
        statement = f"INSERT INTO {table} ({own.replace('%', '%%')}) VALUES ({values})"
        texts = ", ".join(f"CAST({ident(name)} AS VARCHAR)" for name in self._columns)
        found = self._session.connection.execute(f"SELECT {texts} FROM ({self._select})")
        with connection.cursor() as cursor:
            while rows := found.fetchmany(_BATCH):
                try:
                    cursor.executemany(statement, rows)
                except pymysql.Error as error:
                    if number_of(error) in _DATA_ERRORS:
                        raise Unconvertible(str(error.args[-1])) from error
                    raise
                self.rows += len(rows)
        return self.rows


def _warned(connection: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SHOW WARNINGS LIMIT 3")
        return "\n".join(str(message) for _, _, message in cursor.fetchall())


def _passed(pipe: Written, sent: Callable[[int], None]) -> Generator[bytes, None, None]:
    with closing(pipe.blocks()) as blocks:
        for block in blocks:
            sent(len(block))
            yield block
